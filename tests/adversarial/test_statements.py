"""Every number in every proved sentence is true of the enclosures, in exact arithmetic."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from flint import ctx
from honest import SOURCES, pointwise_rows
from sentences import Facts, understand, understand_verdict

from benign.certificates import spurious
from benign.certificates.check import PRECISION, check
from benign.certificates.infeasible import INFEASIBLE
from benign.certificates.points import STATIONARY_POINTS
from benign.certificates.pointwise import CLAIMS as POINTWISE
from benign.certificates.radius import RADIUS
from benign.certificates.regret import prove_scalar
from benign.certificates.single import THEOREM_S
from benign.certificates.spurious import SPURIOUS
from benign.errors import ProblemError
from benign.exact import rounding
from benign.exact.documents import problem_from_json
from benign.exact.plants import scalar_plants
from benign.exact.surd import stabilising_set
from benign.prove.boxes.below import prove
from benign.prove.certify import certify
from benign.prove.infeasible import conflict
from benign.prove.line.enumeration import analyze
from benign.results.landscape import Kind
from helpers import paper_problem, scalar_plant, scalar_problem
from several import random_problem

KINDS = ("gradient", "normalized")


def drawn(seed, kind):
    """A random problem of one state and one input, in units of its own; None if no gain is feasible."""
    rng = np.random.default_rng([seed, kind == "gradient"])
    k = int(rng.integers(1, 4))
    unit, gain = 10.0 ** rng.uniform(-6, 6, 2)
    plants = [
        scalar_plant(
            rng.uniform(-1.5, 1.5), rng.uniform(0.5, 2) / gain, unit * rng.uniform(0.1, 3),
            unit * rng.uniform(0.1, 3) / gain**2,
        )
        for _ in range(k)
    ]  # fmt: skip
    eta = (
        gain**2 / unit * rng.uniform(0.002, 0.05)
        if kind == "gradient"
        else gain * rng.uniform(0.02, 0.4)
    )
    problem = scalar_problem(plants, kind, float(eta), int(rng.integers(1, 3)))
    try:
        return problem, analyze(problem)
    except ProblemError as error:
        assert "no gain" in str(error)  # noqa: PT017 - any other message would be a fault
        return None


def facts_of(landscape, asked):
    return Facts(
        epsilon=tuple(landscape.epsilon),
        asked=asked,
        points=[(p.kind.value, [tuple(p.at)], tuple(p.value)) for p in landscape.stationary_points],
        doubts=[tuple(u.W) for u in landscape.undecided],
    )


def questions(epsilon):
    """ε to ask about: none, and numbers of many digits next to the bounds of the smallest one."""
    lo, hi = map(Fraction, epsilon)
    yield 0
    if 0 < lo <= hi:
        yield from (float(hi), hi + (hi - lo) / 3, hi * 2, lo / 3, f"{float(lo) * 0.99:.7e}")


def understand_scalar(landscape, asked):
    facts = facts_of(landscape, asked)
    understand_verdict(landscape.verdict, facts)
    first, *lines = str(landscape).split("\n")
    assert first == str(landscape.verdict)
    for line in lines:
        understand(line, facts)
    assert facts.read == len(facts.points)
    verdict = check(landscape.certificate)
    assert verdict, verdict
    understand(verdict.statement, facts_of(landscape, asked))


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_said_of_scalar_families(kind):
    told, statuses = 0, set()
    for seed in range(14):
        found = drawn(seed, kind)
        if found is None:
            continue
        problem, landscape = found
        for asked in questions(landscape.epsilon):
            again = analyze(problem, epsilon=asked)
            understand_scalar(again, Fraction(asked))
            statuses.add(again.verdict.status.value)
            told += 1
    assert told >= 20
    assert statuses >= {"proved", "refuted"}


@pytest.mark.parametrize("name", ["2", "3a", "3b", "3c"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_said_of_the_papers_families(name, kind):
    landscape = analyze(paper_problem(name, "0.05", kind))
    for asked in questions(landscape.epsilon):
        understand_scalar(analyze(paper_problem(name, "0.05", kind), epsilon=asked), Fraction(asked))


def test_rounding_to_nearest_is_seen(monkeypatch):
    """The grammar is no formality: with digits rounded to nearest it finds false sentences."""

    def nearest(x, digits, direction):
        return honest(x, digits, "ROUND_HALF_EVEN")

    honest = rounding._rounded
    monkeypatch.setattr(rounding, "_rounded", nearest)
    wrong = 0
    for name in ("2", "3a", "3b", "3c"):
        landscape = analyze(paper_problem(name, "0.05"))
        for asked in questions(landscape.epsilon):
            try:
                understand_scalar(analyze(paper_problem(name, "0.05"), epsilon=asked), Fraction(asked))
            except AssertionError:
                wrong += 1
    assert wrong > 5


@pytest.mark.parametrize(
    "sentence",
    [
        "every local minimum of h is within 0.1 of the global one, or of 0.2",
        "epsilon is roughly 3",
        "it has one local minimum at 3",
        "epsilon is at most 0.0280",  # ε is 0.02806… in the facts below
    ],
)
def test_the_grammar_refuses(sentence):
    landscape = analyze(paper_problem("3b", "0.05"))
    with pytest.raises(AssertionError):
        understand(sentence, facts_of(landscape, Fraction(0)))


# --- one gain --------------------------------------------------------------------------------


def test_what_is_said_of_one_scalar_gain():
    told = 0
    for name in ("1", "2", "3b", "3c"):
        for kind in KINDS:
            problem = paper_problem(name, "0.05", kind)
            # (At a jump no single gain has a value.)
            smooth = [p for p in analyze(problem).minima if p.kind is Kind.MINIMUM]
            for point in smooth[:2]:
                for w in (point.at.mid, point.at.mid + 1e-4):
                    document = certify(problem, w)
                    facts = Facts(gap=float(document["gap"]))
                    lo, hi = document["W"]
                    facts.points = [("minimum", [(lo, hi)], (0.0, 0.0))]
                    facts.gain = [lo]
                    if document["claim"] == "regret bound":
                        with ctx.workprec(PRECISION):
                            facts.gap = prove_scalar(problem, lo).gap
                    understand(check(document).statement, facts)
                    told += 1
    assert told >= 16


@pytest.mark.parametrize("shape", [(2, 1), (1, 2), (3, 2), (4, 3)])
@pytest.mark.parametrize("claim", ["regret bound", "quantitative form"])
def test_what_is_said_of_one_gain(shape, claim):
    n, m = shape
    problem = random_problem(
        np.random.default_rng(5), n, m, tasks=1, eta="0.01", rho=0.5, discount=Fraction(1, 2)
    )
    W = np.random.default_rng(1).normal(size=(m, n)) * 0.05
    document = certify(problem, W, claim)
    statement = check(document).statement
    # The document claims a little more than is proved; the sentence is about what is proved.
    facts = Facts(gap=float(document["gap"]) * (1 - 2.0**-39), gain=W.reshape(-1).tolist())
    understand(statement, facts)


@pytest.mark.parametrize("claim", POINTWISE)
def test_what_is_said_of_a_global_minimiser_with_several_entries(claim):
    document = pointwise_rows(np.random.default_rng(3), claim)
    facts = Facts(points=[("minimum", [tuple(x) for row in document["W"] for x in row], (0.0, 0.0))])
    understand(check(document).statement, facts)


@pytest.mark.parametrize("seed", range(2))
def test_what_is_said_of_a_radius(seed):
    document = SOURCES[RADIUS](np.random.default_rng([7, seed]))
    facts = Facts(asked=Fraction(document["asked"]), gap=float(Fraction(document["delta"])))
    understand(check(document).statement, facts)


@pytest.mark.parametrize("seed", range(6))
def test_what_is_said_where_one_minimum_is_proved(seed):
    document = SOURCES[THEOREM_S](np.random.default_rng([7, seed]))
    point = ("minimum", [tuple(document["W"])], (0.0, 0.0))
    understand(check(document).statement, Facts(gain=document["convex"], points=[point]))


# --- below a level ---------------------------------------------------------------------------


def plane(tasks, seed=2, eta="0.1"):
    return random_problem(
        np.random.default_rng(seed), 2, 1, tasks=tasks, eta=eta, rho=0.5, discount=Fraction(1, 2)
    )


def facts_below(found, asked, level):
    return Facts(
        epsilon=tuple(found.epsilon),
        asked=asked,
        level=level,
        reached=found.level,
        left=found.left,
        points=[("minimum", _sides(p), tuple(p.value)) for p in found.minimizers],
    )


def _sides(point):
    return list(zip((point.W - point.radius).flat, (point.W + point.radius).flat, strict=True))


@pytest.mark.parametrize(("tasks", "level"), [(1, None), (1, np.inf), (2, None), (2, 0.3)])
def test_what_is_said_below_a_level(tasks, level):
    problem = plane(tasks)
    lowest = prove(problem, budget=60.0).minimum
    if level == 0.3:  # of many digits, and just above the least
        level = lowest.hi * 1.3
    found = prove(problem, level=level, epsilon=Fraction("0.001"), budget=60.0)
    facts = facts_below(found, Fraction("0.001"), found.asked)
    understand_verdict(found.verdict, facts)
    for line in str(found).split("\n")[1:]:
        understand(line, facts)
    if level == np.inf:
        return  # dear to check; what the checker says of a level is looked at in the other cases
    verdict = check(found.certificate)
    assert verdict, verdict
    understand(verdict.statement, facts_below(found, Fraction("0.001"), found.level))


def test_what_is_said_of_a_proof_that_ran_out_of_time():
    found = prove(plane(2), budget=0.05)
    facts = facts_below(found, Fraction(0), found.asked)
    understand_verdict(found.verdict, facts)
    for line in str(found).split("\n")[1:]:
        understand(line, facts)


# --- nothing ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_said_where_no_gain_is_feasible(kind):
    problem = scalar_problem([scalar_plant("5.3"), scalar_plant(0), scalar_plant("-5.3")], kind)
    with pytest.raises(ProblemError) as caught:
        analyze(problem)
    _, g = scalar_plants(problem)
    low, high = stabilising_set(g[0]), stabilising_set(g[2])
    understand(str(caught.value), Facts(rims=[low[0], high[1]]))


def test_what_is_said_where_stabilising_sets_touch():
    """a = 2, and 2 − 2√2 less 2.4e-18: rims that no decimals of 17 digits tell apart."""
    discount = Fraction(1, 2)
    other = "-0.8284271247461901"
    plants = [scalar_plant(2, discount=discount), scalar_plant(other, discount=discount)]
    problem = scalar_problem(plants, "gradient")
    rims = [stabilising_set(g) for g in scalar_plants(problem)[1]]
    document = conflict(problem).certificate
    understand(check(document).statement, Facts(rims=[rims[0][0], rims[1][1]]))


@pytest.mark.parametrize("seed", range(12))
def test_what_the_checker_says_where_no_gain_is_feasible(seed):
    document = SOURCES[INFEASIBLE](np.random.default_rng([7, seed]))
    facts = Facts(level=float(document["level"]))
    if document["proof"]["kind"] == "rims":
        right, left = document["proof"]["tasks"]
        _, g = scalar_plants(problem_from_json(document["problem"]))
        facts.rims = [stabilising_set(g[right])[0], stabilising_set(g[left])[1]]
    understand(check(document).statement, facts)


@pytest.mark.parametrize("seed", range(3))
def test_what_the_checker_says_of_a_spurious_minimum(seed):
    document = SOURCES[SPURIOUS](np.random.default_rng([7, seed]))
    values = spurious.values_of(document, problem_from_json(document["problem"]))
    epsilon = float(document["epsilon"])
    facts = Facts(
        epsilon=(epsilon, np.inf),
        asked=Fraction(document["asked"]),
        points=[("minimum", [], value) for value in values],
    )
    understand(check(document).statement, facts)


@pytest.mark.parametrize("seed", range(3))
def test_what_the_checker_says_of_stationary_points(seed):
    document = SOURCES[STATIONARY_POINTS](np.random.default_rng([8, seed]))
    facts = Facts(points=[(p["kind"], [], tuple(p["value"])) for p in document["points"]])
    understand(check(document).statement, facts)


def test_what_is_said_where_the_step_throws_all_gains_out():
    with pytest.raises(ProblemError) as caught:
        analyze(paper_problem("3b", "9"))
    understand(str(caught.value), Facts())
