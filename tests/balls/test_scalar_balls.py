"""The checker's ball arithmetic: against sixty digits, and against the interval route."""

from __future__ import annotations

import math

import numpy as np
import pytest
from flint import arb, ctx

from benign.balls.scalar import BallCost, BallObjective, Span
from benign.exact.plants import scalar_plants
from benign.exact.problem import Problem
from benign.exact.rounding import enclosing_floats
from benign.floats.scalar import GradientObjective
from helpers import Reference, paper_problem, plant_error, random_problem, scalar_plant, scalar_problem

PRECISION = 128


def bounds_of(span: Span) -> tuple[float, float]:
    """float64 bounds; infinite where nothing is known."""
    lo = -math.inf if span.lo.is_nan() else enclosing_floats(span.lo)[0]
    hi = math.inf if span.hi.is_nan() else enclosing_floats(span.hi)[1]
    return lo, hi


def holds(span: Span, exact) -> bool:
    lo, hi = bounds_of(span)
    return not (lo > exact or hi < exact)


def boxes(rng: np.random.Generator, problem: Problem, count: int) -> list[tuple[float, float]]:
    with np.errstate(all="ignore"):
        left, right = GradientObjective(problem).g.rims
    low, high = float(left.lo.max()), float(right.hi.min())
    w = rng.uniform(low, high, count)
    near = rng.random(count) < 0.3
    w[near] = low + (high - low) * 10.0 ** rng.uniform(-10, -1, int(near.sum()))
    width = 10.0 ** rng.uniform(-14, 0, count) * (rng.random(count) < 0.8)
    return list(zip((w - width / 3).tolist(), (w + width).tolist(), strict=True))


def check_balls(problem: Problem, rng: np.random.Generator, count: int = 6) -> None:
    """h, h', h'' over boxes hold the reference; so do each plant's derivatives."""
    reference = Reference(problem)
    with ctx.workprec(PRECISION):
        objective = BallObjective(problem)
        costs = [BallCost(plant) for plant in scalar_plants(problem)[0]]
        for lo, hi in boxes(rng, problem, count):
            box, one = objective.box(lo, hi), objective.point(arb(lo))
            at_left = reference(lo, 2)
            for found, exact in ((one, at_left), (box, at_left)):
                assert not (found.inside and exact is None)
                assert not (found.outside and exact is not None)
                spans = (found.value, found.d1, found.d2)
                for span, number in zip(spans, exact or (), strict=exact is not None):
                    assert holds(span, number)
            for w in (hi, lo + (hi - lo) * rng.random()):
                exact = reference(w, 2)
                assert not (box.inside and exact is None)
                assert not (box.outside and exact is not None)
                for span, number in zip(
                    (box.value, box.d1, box.d2), exact or (), strict=exact is not None
                ):
                    assert holds(span, number), (problem, w)
                for task, cost in enumerate(costs):
                    slopes = cost.slopes(Span(arb(lo), arb(hi)))
                    exact = reference.plant_derivatives(task, w)
                    assert not (slopes.inside and exact is None)
                    for span, number in zip(slopes[:4], exact or (), strict=exact is not None):
                        assert holds(span, number), (problem, w)


@pytest.mark.parametrize("seed", range(40))
def test_balls_hold_the_reference(seed):
    rng = np.random.default_rng(2000 + seed)
    check_balls(random_problem(rng, kind="gradient", shots=1 + seed % 3), rng)


@pytest.mark.parametrize("seed", range(15))
def test_balls_hold_it_with_cross_terms(seed):
    rng = np.random.default_rng(4000 + seed)
    check_balls(random_problem(rng, kind="gradient", shots=1 + seed % 3, cross=True), rng)


@pytest.mark.parametrize("seed", range(15))
def test_balls_and_intervals_agree(seed):
    """Both hold the same numbers, so they overlap; and neither claims what the other excludes."""
    rng = np.random.default_rng(3000 + seed)
    problem = random_problem(rng, kind="gradient")
    cut = boxes(rng, problem, 20)
    lo, hi = (np.array(x) for x in zip(*cut, strict=True))
    intervals, values = (
        GradientObjective(problem).bounds(lo, hi),
        GradientObjective(problem).value(lo, hi),
    )
    with ctx.workprec(PRECISION):
        for i, ends in enumerate(cut):
            balls = BallObjective(problem).box(*ends)
            assert not (balls.inside and intervals.outside[i])
            assert not (balls.outside and intervals.inside[i])
            if intervals.inside[i]:
                for span, other in (
                    (balls.value, values),
                    (balls.d1, intervals.d1),
                    (balls.d2, intervals.d2),
                ):
                    a, b = bounds_of(span)
                    assert a <= other.hi[i]
                    assert other.lo[i] <= b


@pytest.mark.parametrize(
    "plant", [scalar_plant(1, q=0), scalar_plant(-1, q=0), scalar_plant(2, q=0, discount="1/4"),
              scalar_plant("1.01", s=0), scalar_plant("0.5", b="-1e-6"), scalar_plant(40, b=-9)]
)  # fmt: skip
def test_extreme_plants_are_held(plant):
    rng = np.random.default_rng(9)
    for shots in (1, 2):
        check_balls(scalar_problem([plant, scalar_plant("0.5", b=0)][:shots], shots=shots), rng, 8)


def test_a_product_of_spans_holds_every_product():
    spans = [Span(arb(lo), arb(hi)) for lo, hi in ((-2, 3), (1, 4), (-5, -1), (0, 2), (-3, 0))]
    for x in spans:
        for y in spans:
            product = x * y
            for u in (x.lo, x.hi, (x.lo + x.hi) / 2):
                for v in (y.lo, y.hi, (y.lo + y.hi) / 2):
                    assert product.lo <= u * v <= product.hi
        square = x.square()
        assert square.lo >= 0
        assert square.lo <= x.lo * x.lo <= square.hi


def test_what_is_not_a_number_tells_nothing():
    nan, known = arb("nan"), Span(arb(1), arb(2))
    met = known.meet(Span(nan, nan))
    assert (met.lo, met.hi) == (1, 2)
    assert not Span(nan, nan).is_positive
    assert not Span(nan, nan).is_negative


PLANTED = {
    "β dropped": (BallCost, "__init__", "self.beta = s * (q + r * high * high / square) / 2",
                  "self.beta = ZERO"),
    "the 2 of C'' dropped": (BallCost, "slopes", "2 * b2 * (alpha * p2.hi", "b2 * (alpha * p2.hi"),
    "γ not under the root": (BallCost, "__init__", ".sqrt()", ""),
    "1 − c from the wrong end": (
        BallCost, "distances", "self.e + self.b * w.lo", "self.e + self.b * w.hi"),
    "K after J": (BallObjective, "_over", "s.d3.times(self.eta) * J.square()", "s.d3.times(self.eta)"),
    "mean value without its slope": (
        BallObjective, "_over", "w.meet(Span(at, at) + J * offset)", "w.meet(Span(at, at))"),
    "h' of the middle for the box": (
        BallObjective, "_over", "centre.d1 + d2 * offset", "centre.d1"),
    "the value of the middle for the box": (
        BallObjective, "_over", "centre.value + d1 * offset", "centre.value"),
}  # fmt: skip


def check_everything() -> None:
    for seed in range(9):
        rng = np.random.default_rng(seed)
        check_balls(random_problem(rng, kind="gradient", shots=1 + seed % 3), rng)


def test_the_check_that_planted_errors_fail_passes_without_them():
    check_everything()


@pytest.mark.parametrize("name", PLANTED)
def test_planted_errors_are_detected(monkeypatch, name):
    plant_error(monkeypatch, *PLANTED[name])
    with pytest.raises(AssertionError):
        check_everything()


def test_a_printed_minimum_is_a_zero_of_the_slope():
    with ctx.workprec(PRECISION):
        objective = BallObjective(paper_problem("1", "0.1"))
        golden = (arb(5).sqrt() - 1) / 2  # the optimum of A = B = 1, Q = R
        point = objective.point(golden)
    assert point.d1.lo <= 0 <= point.d1.hi or (abs(point.d1.lo) < 1e-30 and abs(point.d1.hi) < 1e-30)
    assert point.inside
