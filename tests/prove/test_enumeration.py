"""The verb: the recomputed figures of the paper, what scaling may not change, what is refused."""

from __future__ import annotations

import time
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

import numpy as np
import pytest

from benign.errors import NotScalarError, ProblemError
from benign.exact.problem import Plant, Problem, Step, Task, make_family, make_step
from benign.prove.line.enumeration import analyze
from benign.results.enclosure import Enclosure
from benign.results.landscape import Kind
from benign.results.line import LineLandscape
from benign.verdict import Status
from helpers import MINIMA, feasible_problem, paper_problem, scalar_plant, scalar_problem


def shown(enclosure: Enclosure, digits: str) -> bool:
    """Whether both ends round to the digits that are shown."""
    unit = Decimal(1).scaleb(-len(digits.partition(".")[2]))
    ends = {Decimal(x).quantize(unit, ROUND_HALF_EVEN) for x in (enclosure.lo, enclosure.hi)}
    return ends == {Decimal(digits)}


@pytest.mark.parametrize(("figure", "eta"), MINIMA)
def test_the_figures_of_the_paper_to_the_digits_shown(figure, eta):
    landscape = analyze(paper_problem(figure, eta))
    assert landscape.is_complete
    assert len(landscape.minima) == len(MINIMA[figure, eta])
    for point, (w, h) in zip(landscape.minima, MINIMA[figure, eta], strict=True):
        assert point.kind is Kind.MINIMUM
        assert shown(point.at, w)
        assert shown(point.value, h)
    lowest = min(Decimal(h) for _, h in MINIMA[figure, eta])
    assert shown(landscape.minimum, str(lowest))


@pytest.mark.parametrize(
    ("figure", "eta", "status"),
    [
        ("1", "0.1", Status.REFUTED), ("1", "0.05", Status.PROVED),
        ("2", "0.1", Status.PROVED), ("2", "0.05", Status.REFUTED),
        ("3a", "0.1", Status.REFUTED), ("3a", "0.05", Status.REFUTED),
        ("3b", "0.1", Status.REFUTED), ("3b", "0.05", Status.REFUTED),
        ("3c", "0.1", Status.PROVED), ("3c", "0.05", Status.REFUTED),
        ("3d", "0.1", Status.PROVED), ("3d", "0.05", Status.PROVED),
    ],
)  # fmt: skip
def test_the_verdicts_on_the_figures(figure, eta, status):
    landscape = analyze(paper_problem(figure, eta))
    assert landscape.verdict.status is status
    assert (landscape.epsilon.hi == 0) == (status is Status.PROVED)


def test_one_side_minimum_of_figure_2_is_a_minimum_at_half_the_step_and_both_at_a_quarter():
    assert len(analyze(paper_problem("2", "0.05")).minima) == 2
    assert len(analyze(paper_problem("2", "0.025")).minima) == 3


def test_an_epsilon_that_is_large_enough_is_proved_and_a_smaller_one_refuted():
    problem = paper_problem("3b", "0.1")
    gap = analyze(problem).epsilon
    assert analyze(problem, epsilon=Fraction(gap.hi)).verdict.status is Status.PROVED
    assert analyze(problem, epsilon=Fraction(gap.lo) / 2).verdict.status is Status.REFUTED
    between = analyze(problem, epsilon=Fraction(gap.lo)).verdict.status
    assert between is not Status.PROVED
    relative = analyze(problem).relative_epsilon
    least = analyze(problem).minimum
    assert Fraction(relative.lo) * Fraction(least.hi) <= Fraction(gap.lo)
    assert Fraction(relative.hi) * Fraction(least.lo) >= Fraction(gap.hi)


# --- what changes nothing ----------------------------------------------------------------------


def rebuilt(problem: Problem, change, eta: Fraction) -> Problem:
    """The problem with every plant changed, and another step size."""
    tasks = [
        Task(t.name, change(t.evaluation), None if t.adaptation is None else change(t.adaptation))
        for t in problem.tasks
    ]
    family = make_family(tasks, problem.weights)
    return Problem(family, Step(problem.step.kind, eta, problem.step.shots))


def scaled(plant: Plant, *, b: Fraction, r: Fraction, cost: Fraction) -> Plant:
    def times(matrix, factor):
        return ((factor * matrix[0][0],),)

    return Plant(
        plant.A, times(plant.B, b), times(plant.Q, cost), times(plant.R, r * cost), plant.S0,
        plant.discount,
    )  # fmt: skip


def same(one: Enclosure, factor: Fraction, other: Enclosure) -> bool:
    """Whether factor·x = y for some x in the first and y in the second."""
    lo, hi = sorted((Fraction(one.lo) * factor, Fraction(one.hi) * factor))
    return lo <= Fraction(other.hi) and Fraction(other.lo) <= hi


def assert_alike(one: LineLandscape, other: LineLandscape, w: Fraction, h: Fraction) -> None:
    """The second is the first with gains times w and values times h."""
    first, second = one.stationary_points, other.stationary_points
    assert len(first) == len(second)
    assert len(one.undecided) == len(other.undecided)
    for p, q in zip(first, second if w > 0 else second[::-1], strict=True):
        assert p.kind is q.kind
        assert same(p.at, w, q.at)
        assert same(p.value, h, q.value)
    assert same(one.minimum, h, other.minimum)
    assert same(one.epsilon, h, other.epsilon)
    assert one.verdict.status is other.verdict.status


@pytest.mark.parametrize("t", [Fraction(2), Fraction(3, 7), Fraction(-5, 2)])
@pytest.mark.parametrize("seed", range(8))
def test_a_change_of_the_units_of_the_input(seed, t):
    """a' = a/t: B' = tB, R' = t²R, so W' = W/t gives the same costs; C' becomes tC'.

    The gradient step W' − η'tC'(W) is (W − ηC'(W))/t for η' = η/t²; the normalised one,
    W' ∓ η', is (W ∓ η)/t for η' = η/|t|.
    """
    problem = feasible_problem(np.random.default_rng(seed))
    power = 2 if problem.step.kind == "gradient" else 1
    eta = problem.step.eta / abs(t) ** power
    other = rebuilt(problem, lambda p: scaled(p, b=t, r=t * t, cost=Fraction(1)), eta)
    assert_alike(analyze(problem), analyze(other), 1 / t, Fraction(1))


@pytest.mark.parametrize("c", [Fraction(7), Fraction(2, 9)])
@pytest.mark.parametrize("seed", range(8))
def test_a_change_of_the_units_of_the_cost(seed, c):
    """C' = cC: the gradient step needs η/c, the normalised one does not notice."""
    problem = feasible_problem(np.random.default_rng(100 + seed))
    eta = problem.step.eta / (c if problem.step.kind == "gradient" else 1)
    other = rebuilt(problem, lambda p: scaled(p, b=Fraction(1), r=Fraction(1), cost=c), eta)
    assert_alike(analyze(problem), analyze(other), Fraction(1), c)


@pytest.mark.parametrize("seed", range(6))
def test_the_order_of_the_tasks_and_a_task_given_twice(seed):
    problem = feasible_problem(np.random.default_rng(200 + seed), tasks=4)
    tasks, weights = list(problem.tasks), list(problem.weights)
    turned = Problem(make_family(tasks[::-1], weights[::-1]), problem.step)
    third = weights[0] / 3
    split = Problem(make_family([*tasks, tasks[0]], [2 * third, *weights[1:], third]), problem.step)
    one = analyze(problem)
    assert_alike(one, analyze(turned), Fraction(1), Fraction(1))
    assert_alike(one, analyze(split), Fraction(1), Fraction(1))


@pytest.mark.parametrize("kind", ["gradient", "normalized"])
def test_equal_tasks_are_one_task(kind):
    one = analyze(paper_problem("1", "0.1", kind))
    plants = [scalar_plant(1, q=2, r=2)] * 3
    assert_alike(one, analyze(scalar_problem(plants, kind, "0.1")), Fraction(1), Fraction(1))


@pytest.mark.parametrize("seed", range(5))
def test_discount_is_a_change_of_the_plant(seed):
    """γ = g² stands for (gA, gB), and noise for S0 + γ/(1 − γ)N."""
    rng = np.random.default_rng(300 + seed)
    problem = feasible_problem(rng, plain=True, tasks=2)
    g, y = Fraction(4, 5), Fraction(16, 25)

    def discounted(plant: Plant) -> Plant:
        a, b, s = plant.A[0][0] / g, plant.B[0][0] / g, plant.S0[0][0]
        noise = s / 2 * (1 - y) / y  # half of the moment comes from noise
        return Plant(((a,),), ((b,),), plant.Q, plant.R, ((s / 2,),), y, ((noise,),))

    other = rebuilt(problem, discounted, problem.step.eta)
    assert_alike(analyze(problem), analyze(other), Fraction(1), Fraction(1))


# --- what is degenerate or refused ---------------------------------------------------------------

DEGENERATE = {
    "no cost": scalar_problem([scalar_plant("1.01", s=0)]),
    "no cost for one task": scalar_problem([scalar_plant("1.01", s=0), scalar_plant(1)]),
    "infimum at a rim": scalar_problem([scalar_plant(1, q=0)], shots=2),
    "infimum at a rim, normalised f": scalar_problem(
        [scalar_plant(1, q=0)], "normalized", adaptation=[scalar_plant(1)]
    ),
    "one task judged by nothing": scalar_problem(
        [scalar_plant(1), scalar_plant(1, s=0)], "normalized",
        adaptation=[None, scalar_plant("1.1", q=2)],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DEGENERATE)
def test_degenerate_problems_are_never_called_proved_by_accident(name):
    started = time.perf_counter()
    landscape = analyze(DEGENERATE[name])
    assert time.perf_counter() - started < 5.0
    if landscape.problem.step.kind == "gradient":
        assert landscape.undecided
    if landscape.undecided:
        assert landscape.verdict.status is not Status.PROVED
    assert landscape.minimum.lo >= -1e-12


@pytest.mark.parametrize("kind", ["gradient", "normalized"])
def test_no_common_gain_names_both_tasks(kind):
    plants = [scalar_plant(5), scalar_plant(0), scalar_plant(-5)]
    with pytest.raises(ProblemError, match="`t0` needs W > 4, `t2` needs W < -4; split the family"):
        analyze(scalar_problem(plants, kind))


@pytest.mark.parametrize("kind", ["gradient", "normalized"])
def test_rims_that_touch_are_no_common_gain(kind):
    with pytest.raises(ProblemError, match="no gain stabilises every task"):
        analyze(scalar_problem([scalar_plant(1), scalar_plant(-1)], kind))


def test_a_step_so_large_that_nothing_is_feasible():
    with pytest.raises(ProblemError, match=r"lower eta \(it is 1000\)"):
        analyze(paper_problem("3b", "1000", "normalized"))
    with pytest.raises(ProblemError, match=r"lower eta \(it is 1e\+06\)"):
        analyze(paper_problem("3b", "1e6"))


def test_what_is_not_scalar_or_no_epsilon_is_refused():
    eye = ((Fraction(1), Fraction(0)), (Fraction(0), Fraction(1)))
    wide = Problem(make_family([Task("w", Plant(eye, eye, eye, eye, eye))]), make_step("gradient", 1))
    with pytest.raises(NotScalarError):
        analyze(wide)
    for epsilon, message in (
        (-1, "must not be negative"),
        ("x", "epsilon: expected"),
        ("1e320", "epsilon"),
    ):
        with pytest.raises(ProblemError, match=message):
            analyze(paper_problem("1", "0.1"), epsilon=epsilon)


def test_the_text_leads_with_the_verdict():
    text = str(analyze(paper_problem("1", "0.1")))
    assert text.startswith("refuted: not every local minimum of h is global")
    assert "W = 0.873963" in text
