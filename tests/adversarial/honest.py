"""Honest certificates of every claim, as `analyze` and `certify` write them, from random problems.

`SOURCES` says how one of each claim is made; a new claim is one row. Among the problems are those that
are hard to be honest about: tasks of no weight, tasks that are one, breaks of a normalised step that
lie in one float, costs without an optimum.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np

from benign.certificates.below import BELOW
from benign.certificates.check import check
from benign.certificates.enumeration import ENUMERATION
from benign.certificates.infeasible import INFEASIBLE
from benign.certificates.points import STATIONARY_POINTS, stationary_near
from benign.certificates.pointwise import CLAIMS as POINTWISE
from benign.certificates.pointwise import NON_SINGULAR, PROPOSITION_2, THEOREM_2, THEOREM_3
from benign.certificates.quantitative import QUANTITATIVE
from benign.certificates.radius import RADIUS
from benign.certificates.reading import Refused
from benign.certificates.regret import REGRET
from benign.certificates.single import THEOREM_S
from benign.certificates.spurious import SPURIOUS
from benign.errors import BenignError, InfeasibleError, ProblemError
from benign.exact.neighbourhood import all_ones
from benign.exact.problem import Plant, Problem, Task, make_family, make_step
from benign.prove.apart import refutation
from benign.prove.boxes.below import prove
from benign.prove.certify import certify
from benign.prove.infeasible import conflict
from benign.prove.line.enumeration import analyze
from benign.prove.points import Prover
from benign.prove.radius import certificate_for
from benign.prove.start import start_at
from helpers import FloatObjective, feasible_problem, paper_problem, scalar_plant, scalar_problem
from multistart import best, plain, product
from several import random_problem as random_rows

Document = dict[str, Any]
Rng = np.random.Generator


def as_read(document: Any) -> Document:
    """A certificate as a reader gets it: through JSON."""
    return json.loads(json.dumps(document))


# --- problems of one state and one input -----------------------------------------------------------


def _figure(rng: Rng, kind: str) -> Problem:
    figure = str(rng.choice(["1", "2", "3a", "3b", "3c"]))
    return paper_problem(figure, str(rng.choice(["0.1", "0.05"])), kind, int(rng.integers(1, 3)))


def _random(rng: Rng, kind: str) -> Problem:
    return feasible_problem(
        rng, kind=kind, tasks=int(rng.integers(1, 5)), shots=int(rng.integers(1, 3))
    )


def _numbers(rng: Rng) -> list[str]:
    a, q, r, s = rng.uniform(0.3, 1.3), *10.0 ** rng.uniform(-0.5, 0.7, 3)
    return [f"{a:.3g}", "1", f"{q:.3g}", f"{r:.3g}", f"{s:.3g}"]


def _light(rng: Rng, kind: str) -> Problem:
    """Two tasks and a third of next to no weight."""
    plants = [scalar_plant(*_numbers(rng)) for _ in range(3)]
    light = Fraction(1, 10 ** int(rng.integers(6, 28)))
    eta = f"{rng.uniform(0.01, 0.1):.2g}"
    return scalar_problem(plants, kind, eta, weights=[Fraction(1), Fraction(2), light])


def _close(rng: Rng, kind: str) -> Problem:
    """Costs that are adapted turn next to one another, within a float or a few of them."""
    apart = 1 + Fraction(1, 10 ** int(rng.integers(14, 45)))
    plants = [scalar_plant(*_numbers(rng)) for _ in range(3)]
    turning = [scalar_plant(*_numbers(rng))] * 2
    g = turning[0]
    turning[1] = Plant(g.A, g.B, ((g.Q[0][0] * apart,),), g.R, g.S0)
    if rng.random() < 0.5:
        turning = turning[::-1]
    eta = f"{rng.uniform(0.02, 0.3):.2g}"
    shots = int(rng.integers(1, 3))
    return scalar_problem(plants, kind, eta, shots, adaptation=[*turning, None])


def _meeting(rng: Rng, kind: str) -> Problem:
    """A plant whose own gain is 0 turns after η, next to where another one turns."""
    still = scalar_plant(0, 1, f"{rng.uniform(0.5, 2):.2g}", 1, 1)
    q, r = Fraction(1), Fraction(int(rng.integers(1, 5)))
    # The optimum W of a = b = 1 has rW² + qW − q = 0: q is made for a rational W.
    W = Fraction(int(rng.integers(2, 8)), 10)
    q = (
        r
        * W
        * W
        / (1 - W)
        * (1 + Fraction(1, 10 ** int(rng.integers(15, 40))) * int(rng.integers(-1, 2)))
    )
    turning = scalar_plant(1, 1, q, r, 1)
    plants = [scalar_plant(*_numbers(rng)) for _ in range(2)]
    return scalar_problem(plants, kind, W, 2, adaptation=[turning, still])


def _degenerate(rng: Rng, kind: str) -> Problem:
    """A cost that vanishes, or one whose infimum is at a rim."""
    if kind == "gradient" and rng.random() < 0.5:
        return scalar_problem([scalar_plant("1.01", s=0), scalar_plant(*_numbers(rng))], kind)
    if kind == "gradient":
        return scalar_problem([scalar_plant(1, q=0)], kind, "1e-2")
    plants = [scalar_plant(*_numbers(rng))] * 2
    return scalar_problem(plants, kind, "0.1", int(rng.integers(1, 4)))


def line(rng: Rng, kind: str) -> Problem:
    """Any of them."""
    makers = (_figure, _random, _random, _random, _light, _close, _meeting, _degenerate)
    while True:
        problem = makers[int(rng.integers(len(makers)))](rng, kind)
        h = FloatObjective(problem)
        if np.isfinite(h(np.linspace(*h.span, 401))).any():
            return problem


def one_task(rng: Rng, kind: str, *, same: bool = True) -> Problem:
    """One task, or copies of it; another adaptation cost unless f and g are to be the same."""
    f, other = scalar_plant(*_numbers(rng)), scalar_plant(*_numbers(rng))
    g = None if same else Plant(f.A, f.B, other.Q, other.R, f.S0)
    k, shots = int(rng.integers(1, 3)), int(rng.integers(1, 3))
    eta = f"{10.0 ** rng.uniform(-4, -2):.2g}"
    return scalar_problem([f] * k, kind, eta, shots, adaptation=[g] * k)


def proportional(rng: Rng) -> Problem:
    """Tasks with equal A, B, S0 and proportional (Q, R), and the normalised step."""
    f = scalar_plant(*_numbers(rng))
    scales = [Fraction(1), *(Fraction(int(x), 4) for x in rng.integers(1, 20, int(rng.integers(0, 3))))]
    plants = [
        Plant(f.A, f.B, ((t * f.Q[0][0],),), ((t * f.R[0][0],),), f.S0) for t in scales
    ]  # fmt: skip
    return scalar_problem(plants, "normalized", f"{rng.uniform(0.01, 0.2):.2g}")


# --- certificates -----------------------------------------------------------------------------------


def enumeration(rng: Rng, kind: str | None = None) -> Document:
    """A complete enumeration."""
    kind = kind or str(rng.choice(["gradient", "normalized"]))
    asked = str(rng.choice(["0", "0.01", "1"]))
    return as_read(analyze(line(rng, kind), epsilon=asked).certificate)


def pointwise_rows(rng: Rng, claim: str) -> Document:
    """The same for a gain of a few entries: next to the optimum, or a normalised step away from it."""
    while True:
        n, m = [(1, 2), (2, 1), (2, 2)][int(rng.integers(3))]
        split = claim != THEOREM_2 and claim != THEOREM_3 and rng.random() < 0.3
        discount = Fraction(int(rng.integers(6, 11)), 10)
        problem = random_rows(rng, n, m, 1, eta="0.005", rho=0.7, discount=discount, split=split)
        (task,) = problem.tasks
        normalized = claim in (PROPOSITION_2, THEOREM_3) or (
            claim == NON_SINGULAR and rng.random() < 0.5
        )
        if claim == THEOREM_3 or (normalized and not split and rng.random() < 0.5):
            scales = [Fraction(1), Fraction(int(rng.integers(1, 9)), 4)]
            tasks = [Task(f"t{t}", _priced(task.f, t)) for t in scales]
            problem = Problem(make_family(tasks), problem.step)
        f, g = plain(task.f), plain(task.g)
        W, eta = best(f), 0.05
        if normalized:
            problem = Problem(problem.family, make_step("normalized", str(eta)))
            slopes = [product(g, W, E.reshape(m, n)).reshape(-1) for E in np.eye(n * m)]
            top = np.linalg.eigh(np.array(slopes))[1][:, -1].reshape(m, n)
            W = W + float(rng.choice([-1, 1])) * eta * top
        try:
            found = stationary_near(problem, tuple(map(tuple, W.tolist())))
            middle = [[float(x.mid()) for x in row] for row in found.gain.tolist()]
            return as_read(certify(problem, middle, claim))
        except (BenignError, Refused):
            continue


def _priced(plant: Plant, t: Fraction) -> Plant:
    """The plant at t times the prices."""
    Q, R = (tuple(tuple(t * x for x in row) for row in M) for M in (plant.Q, plant.R))
    return replace(plant, Q=Q, R=R)


def pointwise(rng: Rng, claim: str) -> Document:
    """A claim about a stationary point that holds."""
    if rng.random() < 0.4:
        return pointwise_rows(rng, claim)
    while True:
        if claim == THEOREM_3:
            problem = proportional(rng)
        else:
            kind = "normalized" if claim == PROPOSITION_2 else "gradient"
            problem = one_task(rng, kind, same=claim == THEOREM_2 or rng.random() < 0.5)
        try:
            minima = rng.permutation([p.at.mid for p in analyze(problem).minima])
        except BenignError:
            continue
        for W in minima:
            try:
                return as_read(certify(problem, float(W), claim))
            except BenignError:
                continue


def rows(rng: Rng, claim: str) -> Document:
    """A bound at a gain of a few entries."""
    tasks = 1 if claim == QUANTITATIVE else int(rng.integers(1, 4))
    n, m = [(1, 1), (2, 1), (1, 2), (2, 2), (3, 1)][int(rng.integers(5))]
    while True:
        discount = Fraction(int(rng.integers(5, 10)), 10)
        noisy = bool(rng.random() < 0.3)
        shots = int(rng.integers(1, 3))
        problem = random_rows(rng, n, m, tasks, shots=shots, discount=discount, noise=noisy, rho=0.7)
        W = 0.1 * rng.normal(size=(m, n))
        if claim == REGRET and rng.random() < 0.5:
            start = start_at(problem, W, "a gain")
            if start.certificate is not None:
                return as_read(start.certificate)
            continue
        try:
            return as_read(certify(problem, W.tolist(), claim))
        except BenignError:
            continue


def regret(rng: Rng) -> Document:
    """A regret bound: at a gain of one entry, or of a few."""
    if rng.random() < 0.5:
        return rows(rng, REGRET)
    while True:
        problem = line(rng, str(rng.choice(["gradient", "normalized"])))
        h = FloatObjective(problem)
        W = float(rng.uniform(*h.span))
        try:
            if rng.random() < 0.5:
                return as_read(certify(problem, W, REGRET))
        except BenignError:
            continue
        start = start_at(problem, np.array([[W]]), "a gain")
        if start.certificate is not None:
            return as_read(start.certificate)


def below(rng: Rng, seconds: float = 5.0) -> Document:
    """All minimisers below a level, for two parameters; mostly of a tree of a few hundred boxes."""
    while True:
        n, m = (2, 1) if rng.random() < 0.3 else (1, 2)
        eta = str(rng.choice(["0.02", "0.05"]))
        problem = random_rows(rng, n, m, eta=eta, discount=Fraction(1, 2), rho=0.5)
        try:
            lowest = prove(problem, budget=0).minimum.hi
            found = prove(problem, level=rng.uniform(1.05, 1.2) * lowest, budget=seconds)
        except ProblemError:  # no gain is feasible
            continue
        document = found.certificate
        if document is not None and document["claim"] == BELOW and len(document["tree"]) < 4000:
            return as_read(document)


def spurious(rng: Rng) -> Document:
    """Two minima of different values, what an unfinished proof is left with; or proved anywhere."""
    while True:
        eta = str(rng.choice(["0.05", "0.1"]))
        problem = random_rows(rng, 1, 2, eta=eta, rho=0.5, discount=Fraction(1, 2))
        try:
            document = prove(problem, budget=0).certificate
        except ProblemError:
            continue
        if document is None or document["claim"] != SPURIOUS:
            continue
        if rng.random() < 0.5:
            entries = document["proof"]["minimisers"]
            shape = (problem.family.m, problem.family.n)
            minima = [
                (np.mean(x["W"], axis=1).reshape(shape), float(np.mean(x["value"]))) for x in entries
            ]
            document = refutation(problem, minima)
            assert document is not None
        return as_read(document)


def stationary_list(rng: Rng) -> Document:
    """Points of any kind to which Newton's method leads from random gains; both kinds of step."""
    while True:
        n, m = [(1, 2), (2, 1), (2, 2), (3, 1)][int(rng.integers(4))]
        discount, shots = Fraction(1, int(rng.integers(1, 3))), int(rng.integers(1, 3))
        eta = str(rng.choice(["0.02", "0.05"]))
        problem = random_rows(rng, n, m, eta=eta, shots=shots, rho=0.5, discount=discount)
        if rng.random() < 0.3:
            problem = Problem(problem.family, make_step("normalized", eta, shots))
        gains = []
        for W in 0.3 * rng.normal(size=(6, m, n)):
            try:
                found = stationary_near(problem, tuple(map(tuple, W.tolist())))
            except Refused:
                continue
            gains.append(np.array([[float(x.mid()) for x in row] for row in found.gain.tolist()]))
        prover = Prover(problem, gains)
        for i in range(len(gains)):
            prover.at(i)
        document = prover.certificate()
        if document is not None and len(prover.entries) > 1:
            return as_read(document)


def infeasible(rng: Rng) -> Document:
    """No gain is feasible: plants that conflict, or a step that throws every gain out."""
    while True:
        try:
            kind = int(rng.integers(4))
            if kind == 0:
                document = conflicting(rng)
            elif kind == 1:
                problem = random_rows(rng, 1, 2, eta=str(rng.choice(["3", "10"])), rho=0.9)
                prove(problem, budget=1.0)
                continue
            else:
                step = "gradient" if kind == 2 else "normalized"
                plants = [scalar_plant(*_numbers(rng)) for _ in range(int(rng.integers(1, 4)))]
                if rng.random() < 0.3:
                    plants.append(scalar_plant("2.5", "-1"))
                analyze(scalar_problem(plants, step, str(rng.choice(["2", "5"]))))
                continue
        except InfeasibleError as error:
            document = error.certificate
        except BenignError:
            continue
        if document is not None:
            return as_read(document)


def conflicting(rng: Rng) -> Document | None:
    """Two tasks whose inputs work the other way round, for one input."""
    n = int(rng.integers(1, 5))
    problem = random_rows(rng, n, 1, rho=float(rng.uniform(1.1, 3)))
    first, second = problem.tasks
    f = first.evaluation
    turned = replace(f, B=tuple(tuple(-x for x in row) for row in f.B))
    tasks = [first, Task("turned", turned), second]
    found = conflict(Problem(make_family(tasks), problem.step))
    return None if found is None else found.certificate


def safe(rng: Rng) -> Document:
    """One minimum where steps are small, of tasks that may differ much."""
    for _ in range(1000):
        plants = [scalar_plant(*_numbers(rng)) for _ in range(int(rng.integers(1, 4)))]
        problem = scalar_problem(plants, eta=f"{10.0 ** rng.uniform(-4, -1):.2g}")
        centre = float(rng.choice([p.A[0][0] for p in plants])) / 2
        for W in (centre, *np.linspace(-0.5, 1.5, 9)):
            try:
                return as_read(certify(problem, float(W), THEOREM_S))
            except BenignError:
                continue
    raise AssertionError("no problem of a thousand has a certificate")


def near(rng: Rng) -> Document:
    """A neighbourhood of one or two tasks in which every family is ε-global."""
    while True:
        plants = [scalar_plant(*_numbers(rng)) for _ in range(int(rng.integers(1, 3)))]
        problem = scalar_problem(plants, eta=f"{10.0 ** rng.uniform(-2, -1):.2g}")
        try:
            landscape = analyze(problem)
        except BenignError:
            continue
        lowest = landscape.minimum.hi
        epsilon = Fraction(f"{landscape.epsilon.hi + lowest * 10.0 ** rng.uniform(-3, -1):.3g}")
        scales = all_ones(problem, [("A", "B", "Q", "R"), ("Q",), ("A", "B")][int(rng.integers(3))])
        for power in range(2, 7):
            delta = Fraction(1, 4**power)
            try:
                document = certificate_for(problem, scales, epsilon, delta)
            except BenignError:
                continue
            if document is not None and check(document):
                return as_read(document)


Source = Callable[[Rng], Document]

SOURCES: dict[str, Source] = {
    ENUMERATION: enumeration,
    **{name: (lambda rng, name=name: pointwise(rng, name)) for name in POINTWISE},
    REGRET: regret,
    QUANTITATIVE: lambda rng: rows(rng, QUANTITATIVE),
    BELOW: below,
    SPURIOUS: spurious,
    STATIONARY_POINTS: stationary_list,
    INFEASIBLE: infeasible,
    THEOREM_S: safe,
    RADIUS: near,
}
"""By claim: an honest certificate from a random problem."""
