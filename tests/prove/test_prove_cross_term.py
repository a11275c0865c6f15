"""Landscapes of families with cross terms: proved, checked, forged; by brute force, in other units."""

from __future__ import annotations

import copy
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from benign.certificates.check import check
from benign.certificates.describe import compare, describe
from benign.certificates.document import sealed
from benign.errors import CertificateError, ProblemError
from benign.exact.documents import problem_from_json, problem_to_json
from benign.exact.likeness import is_one_task, is_proportional
from benign.exact.plants import ScalarPlant, scalar_plants
from benign.exact.problem import Problem, Task, make_family, make_step
from benign.exact.range import balanced, require_range
from benign.exact.surd import optimum, stabilising_set
from benign.explorer.draft import Draft
from benign.meta.objective import MetaObjective
from benign.prove.certify import certify
from benign.prove.line.enumeration import analyze
from benign.searches.glance import on_a_line
from benign.verbs.analyze import analyze as analyze_any
from helpers import FloatObjective, Reference, feasible_problem, scalar_plant, scalar_problem
from several import random_problem as random_rows

CLOSE = 1e-12


def proved(document) -> bool:
    try:
        return check(document, limit=120.0).status.value == "proved"
    except CertificateError:
        return False


@pytest.mark.parametrize("kind", ["gradient", "normalized"])
@pytest.mark.parametrize("seed", range(12))
def test_landscapes_against_brute_force(seed, kind):
    """Every local minimum of a fine grid is in the list, and h there is the reference in 60 digits."""
    rng = np.random.default_rng(seed)
    problem = feasible_problem(rng, kind=kind, tasks=1 + seed % 4, shots=1 + seed % 2, cross=True)
    assert any(plant.n for plant in scalar_plants(problem)[0])
    found = analyze(problem)
    h, reference = FloatObjective(problem), Reference(problem)
    grid = np.linspace(*h.span, 20_001)
    values = h(grid)
    inner = values[1:-1]
    lows = np.flatnonzero((inner < values[:-2]) & (inner < values[2:]) & np.isfinite(inner)) + 1
    step = grid[1] - grid[0]
    for i in lows:
        assert any(p.at.lo - step <= grid[i] <= p.at.hi + step for p in found.points)
    for point in found.points:
        if point.kind.value == "minimum":
            exact = reference(Fraction(point.at.lo), 1)
            assert exact is not None
            if point.at.lo == point.at.hi:
                continue
            other = reference(Fraction(point.at.hi), 1)
            assert other is not None
            assert exact[1] <= 0 <= other[1]
            assert point.value.lo <= min(exact[0], other[0]) + CLOSE
    assert proved(found.certificate)


def shifted(problem: Problem, t: Fraction) -> Problem:
    """Cross terms R t and what goes with them: the landscape moves to the right by t."""

    def moved(plant):
        a, b, q, r = (x[0][0] for x in (plant.A, plant.B, plant.Q, plant.R))
        return replace(plant, A=((a + b * t,),), Q=((q + r * t * t,),), N=((r * t,),))

    tasks = [
        Task(task.name, moved(task.f), None if task.adaptation is None else moved(task.g))
        for task in problem.tasks
    ]
    return Problem(make_family(tasks, problem.weights), problem.step)


@pytest.mark.parametrize("kind", ["gradient", "normalized"])
@pytest.mark.parametrize("seed", range(6))
def test_equal_shifts_move_the_landscape(seed, kind):
    plain = feasible_problem(np.random.default_rng(50 + seed), kind=kind, shots=1 + seed % 3)
    t = Fraction(-7, 16)
    one, other = analyze(plain), analyze(shifted(plain, t))
    assert [p.kind for p in one.points] == [p.kind for p in other.points]
    for x, y in zip(one.points, other.points, strict=True):
        assert Fraction(x.at.lo) + t <= Fraction(y.at.hi)
        assert Fraction(y.at.lo) <= Fraction(x.at.hi) + t
        assert x.value.lo <= y.value.hi
        assert y.value.lo <= x.value.hi
    assert one.verdict.status == other.verdict.status


@pytest.mark.parametrize("seed", range(8))
def test_units_of_states_inputs_and_costs(seed):
    """s̃ = d s, ã = u a, c̃ = c · cost: n becomes c n/(d u), and a gain is W u/d."""
    rng = np.random.default_rng(seed)
    d, u, c = (Fraction(2) ** int(x) for x in rng.integers(-18, 19, size=3))
    problem = feasible_problem(rng, plain=True, kind="gradient", tasks=2, cross=True)

    def rescaled(plant):
        a, b, q, r, s, n = (x[0][0] for x in (plant.A, plant.B, plant.Q, plant.R, plant.S0, plant.N))
        return scalar_plant(a, b * d / u, c * q / d**2, c * r / u**2, d**2 * s, n=c * n / (d * u))

    tasks = [Task(task.name, rescaled(task.f)) for task in problem.tasks]
    eta = problem.step.eta * (u / d) ** 2 / c
    other = Problem(make_family(tasks, problem.weights), make_step("gradient", eta, problem.step.shots))
    one, two = analyze(problem), analyze(other)
    assert [p.kind for p in one.points] == [p.kind for p in two.points]
    for x, y in zip(one.points, two.points, strict=True):
        assert Fraction(x.at.lo) * u / d <= Fraction(y.at.hi)
        assert Fraction(y.at.lo) <= Fraction(x.at.hi) * u / d
        assert Fraction(x.value.lo) * c <= Fraction(y.value.hi)
        assert Fraction(y.value.lo) <= Fraction(x.value.hi) * c


def test_costs_out_of_range_are_balanced_with_their_cross_terms():
    plants = [scalar_plant("0.9", q=2, r=1, n="0.5"), scalar_plant("0.7", q=2, r=1, n="-0.3")]
    problem = scalar_problem(plants, eta="0.1")
    big = Fraction(2) ** 110

    def dear(plant):
        Q, R, N = (((x[0][0] * big,),) for x in (plant.Q, plant.R, plant.N))
        return replace(plant, Q=Q, R=R, N=N)

    far = scalar_problem([dear(p) for p in plants], eta=Fraction(1, 10) / big)
    with pytest.raises(ProblemError, match="outside 1e-30"):
        require_range(far)
    scale = balanced(far)
    assert scale.bits != 0
    one, other = analyze(problem), analyze(scale.problem)
    assert [p.at for p in one.points] == [p.at for p in other.points]
    with pytest.raises(ProblemError, match=r"Q − NR⁻¹N' = .* is outside 1e-30"):
        require_range(scalar_problem([scalar_plant(1, q=1 + Fraction(1, 10**40), n=1)]))


def test_what_no_input_moves_still_pays_for_inputs():
    plants = [scalar_plant("0.5", b=0, q=2, n="0.4"), scalar_plant("0.9", n="0.4")]
    found = analyze(scalar_problem(plants, eta="0.1"))
    reference = Reference(scalar_problem(plants, eta="0.1"))
    assert found.minimizers
    for point in found.minimizers:
        low, high = reference(point.at.lo, 1), reference(point.at.hi, 1)
        assert low is not None
        assert high is not None
        assert low[1] <= 0 <= high[1]
    assert proved(found.certificate)


def test_optima_and_rims_that_no_step_pays_for():
    """q̃ = 0: the cost at the rim W = t is finite where √γã = ±1, and its optimum not attained."""
    flat = ScalarPlant.of(scalar_plant(2, q=1, r=1, n=1))  # ã = 1, t = 1, q̃ = 0
    assert not flat.is_coercive
    assert optimum(flat) is None
    rims = stabilising_set(flat)
    assert rims is not None
    assert rims[0].x == 1
    steep = ScalarPlant.of(scalar_plant(2, q="1.01", r=1, n=1))
    assert steep.is_coercive
    assert optimum(steep) is not None
    with pytest.raises(ProblemError, match="needs Q R ≥ N²"):
        scalar_plants(scalar_problem([scalar_plant(1, q=1, r=1, n="1.01")]))


def test_likeness_asks_for_the_cross_term():
    one, twice = scalar_plant(1, n="0.5"), scalar_plant(1, q=2, r=2, n=1)
    assert is_proportional(make_family([Task("a", one), Task("b", twice)]))
    for other in (scalar_plant(1, q=2, r=2, n="0.9"), scalar_plant(1, q=2, r=2)):
        assert not is_proportional(make_family([Task("a", one), Task("b", other)]))
    assert not is_one_task(make_family([Task("a", one), Task("b", scalar_plant(1))]))


# --- certificates ------------------------------------------------------------------------------------


def test_documents_hold_it_and_old_ones_are_read():
    problem = scalar_problem([scalar_plant(1, n="1/3"), scalar_plant("0.9")])
    document = problem_to_json(problem)
    assert document["tasks"][0]["cost"]["N"] == [["1/3"]]
    assert "N" not in document["tasks"][1]["cost"]
    assert problem_from_json(document) == problem
    assert "costs: 1 of 2 with a cross term N" in describe(problem)
    other = scalar_problem([scalar_plant(1, n="0.25"), scalar_plant("0.9")])
    assert compare(problem, other).differences == (
        "task 0 `t0`: N[0,0] 1/3 in the certificate, 0.25 in the family",
    )
    wrong = copy.deepcopy(document)
    wrong["tasks"][0]["cost"]["N"] = [["1/3", "0"]]
    with pytest.raises(ProblemError, match=r"cost\.N: wrong shape"):
        problem_from_json(wrong)


def altered(document: dict) -> list[dict]:
    """Cross terms changed, dropped, of the other sign and beyond the cone; each sealed again."""
    found = []
    for change in ("0.99", "1.001", "-1", "0", "40"):
        for i, task in enumerate(document["problem"]["tasks"]):
            forged = copy.deepcopy(document)
            cost = forged["problem"]["tasks"][i]["cost"]
            if "N" not in task["cost"]:
                continue
            cost["N"] = [[str(Fraction(x) * Fraction(change)) for x in row] for row in cost["N"]]
            if change == "0":
                del cost["N"]
            found.append(sealed(forged))
    return found


FAMILY = [
    scalar_plant("0.9", q="1.5", n="0.5"),
    scalar_plant("0.4", b="0.5", q="1.5", n="-0.7"),
    scalar_plant("-0.3", b="-0.8", q="1.5", n="0.2"),
]


@pytest.mark.parametrize(("kind", "shots"), [("gradient", 1), ("gradient", 2), ("normalized", 2)])
def test_altered_cross_terms_are_refused(kind, shots):
    found = analyze(scalar_problem(FAMILY, kind, "0.1", shots))
    assert proved(found.certificate)
    forgeries = altered(found.certificate)
    assert len(forgeries) == 15
    assert not any(map(proved, forgeries))


def test_claims_about_one_gain():
    """Theorems for one task, the regret bound; a bound of another cross term is refused."""
    one = scalar_problem([scalar_plant(1, q=2, r=2, n="0.7")], eta="0.02")
    star = analyze(one).minimizers[0]
    document = certify(one, star.at.mid)
    assert proved(document)
    assert not any(map(proved, altered(document)))


@pytest.mark.parametrize("tasks", [1, 2])
def test_regret_and_gradient_dominance_in_several_dimensions(tasks):
    rng = np.random.default_rng(tasks)
    problem = random_rows(rng, 3, 2, tasks, cross=0.5)
    W = analyze_any(problem.family, eta=problem.step.eta, proof="off", starts=4).minimizers[0].W
    document = certify(problem, W)
    assert proved(document)
    forged = copy.deepcopy(document)
    cost = forged["problem"]["tasks"][0]["cost"]
    cost["N"] = [[str(2 * Fraction(x)) for x in row] for row in cost["N"]]
    assert not proved(sealed(forged))
    cost["N"] = [[str(100 * Fraction(x)) for x in row] for row in cost["N"]]
    verdict = check(sealed(forged))
    assert "positive semidefinite" in str(verdict)


def two_states() -> Problem:
    from benign.tasks.files import loads

    return Problem(
        loads(
            """
benign = 1
[[tasks]]
A = [[0.5, 0.1], [0, 0.4]]
B = [[0.2], [0.5]]
Q = [[1, 0], [0, 0.5]]
R = 1
N = [[0.3], [-0.2]]
[[tasks]]
A = [[0.4, 0.2], [0.1, 0.3]]
B = [[0.1], [0.4]]
Q = [[1, 0.1], [0.1, 0.5]]
R = 0.8
N = [[-0.2], [0.3]]
"""
        ).family,
        make_step("gradient", "0.05"),
    )


def test_minima_below_a_level_in_two_parameters():
    problem = two_states()
    found = analyze_any(problem.family, eta=problem.step.eta, proof="required", level=2.1, budget="60s")
    assert [float(p.value) for p in found.minimizers] == pytest.approx(
        [1.79723081, 2.0882407], rel=1e-7
    )
    assert proved(found.certificate)
    assert found.certificate is not None
    forged = altered(found.certificate)
    assert not any(map(proved, forged[:2]))


def test_a_glance_at_a_line_sees_the_minima_that_are_proved():
    """One gradient step of plain tasks has kernels of its own, which know no cross term."""
    problem = scalar_problem(FAMILY, eta="0.05")
    h = MetaObjective(problem.family, eta=problem.step.eta)
    seen = [float(met.W[0]) for met in on_a_line(problem, h) if met.kind.value == "minimum"]
    proved_ones = [p.at.mid for p in analyze(problem).points if p.kind.value == "minimum"]
    assert seen == pytest.approx(proved_ones, rel=1e-6)


def test_a_draft_scales_a_cost_as_a_whole():
    problem = scalar_problem(FAMILY)
    draft = Draft("", problem.tasks, problem.weights, "gradient", Fraction(1, 20), 1).scaled(0, 3)
    before, after = problem.tasks[0].f, draft.tasks[0].f
    assert [tuple(tuple(3 * x for x in row) for row in X) for X in (before.Q, before.R, before.N)] == [
        after.Q,
        after.R,
        after.N,
    ]
