"""Enclosures of costs and of h hold what sixty digits say, and tightly; planted errors are found."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from benign.errors import NotScalarError, ProblemError
from benign.exact.plants import scalar_plants
from benign.exact.problem import Plant, Problem, Step, Task, make_family, make_step
from benign.floats import scalar
from benign.floats.intervals import Interval
from benign.floats.scalar import Costs, GradientObjective
from helpers import Reference, paper_problem, plant_error, random_problem, scalar_plant, scalar_problem


def holds(lo: float, hi: float, exact) -> bool:
    """Whether [lo, hi] holds a number of sixty digits; NaN means that nothing is known."""
    return not (lo > exact or hi < exact)


def gains(rng: np.random.Generator, low: float, high: float, count: int) -> np.ndarray:
    """Gains between two rims, half of them close to one of them."""
    close = (high - low) * 10.0 ** rng.uniform(-12, -1, count)
    near = np.where(rng.random(count) < 0.5, low + close, high - close)
    return np.where(rng.random(count) < 0.5, near, rng.uniform(low, high, count))


def boxes(rng: np.random.Generator, low: float, high: float, count: int) -> Interval:
    """Boxes of all widths around such gains, and points."""
    w = gains(rng, low, high, count)
    width = 10.0 ** rng.uniform(-14, 0, count) * (rng.random(count) < 0.8)
    return Interval(w - width * rng.random(count), w + width * rng.random(count))


def within(rng: np.random.Generator, lo: float, hi: float, count: int = 3) -> list[float]:
    """Gains of a box, its ends among them."""
    return [lo, hi, *(min(max(float(w), lo), hi) for w in lo + (hi - lo) * rng.random(count))]


def check_costs(problem: Problem, rng: np.random.Generator) -> None:
    """C, C', C'', C''' of every task over boxes hold the reference at gains of the boxes."""
    f, _ = scalar_plants(problem)
    costs, reference = Costs(f), Reference(problem)
    with np.errstate(all="ignore"):
        left, right = costs.rims
    low, high = max(-5.0, float(left.lo.max())), min(5.0, float(right.hi.min()))
    box = boxes(rng, low, high, 12)
    with np.errstate(all="ignore"):
        slopes, value = costs.slopes(box[:, None], third=True), costs.value(box[:, None])
    assert slopes.d3 is not None
    bounds = (value, slopes.d1, slopes.d2, slopes.d3)
    for i in range(12):
        for w in within(rng, float(box.lo[i]), float(box.hi[i])):
            for task in range(len(f)):
                exact = reference.plant_derivatives(task, w)
                assert not (exact is None and slopes.inside[i, task])
                assert not (exact is not None and slopes.outside[i, task])
                for bound, number in zip(bounds, exact or (), strict=exact is not None):
                    assert holds(bound.lo[i, task], bound.hi[i, task], number), (problem, w)


def check_objective(problem: Problem, rng: np.random.Generator) -> None:
    """h, h', h'', adapted gains' slopes and the domain over boxes hold the reference."""
    objective, reference = GradientObjective(problem), Reference(problem)
    with np.errstate(all="ignore"):
        left, right = objective.g.rims
    box = boxes(rng, float(left.lo.max()), float(right.hi.min()), 10)
    bounds, value = objective.bounds(box.lo, box.hi), objective.value(box.lo, box.hi)
    slope, inside, outside = objective.slope(box.lo)
    for i in range(10):
        exact = reference(float(box.lo[i]), 1)
        assert not (inside[i] and exact is None)
        assert not (outside[i] and exact is not None)
        assert exact is None or holds(slope.lo[i], slope.hi[i], exact[1])
        middle = reference(float(box.mid[i]), 1)
        assert middle is None or holds(bounds.d1_mid.lo[i], bounds.d1_mid.hi[i], middle[1])
        for w in within(rng, float(box.lo[i]), float(box.hi[i])):
            exact = reference(w, 2)
            assert not (bounds.inside[i] and exact is None)
            assert not (bounds.outside[i] and exact is not None)
            for bound, number in zip(
                (value, bounds.d1, bounds.d2), exact or (), strict=exact is not None
            ):
                assert holds(bound.lo[i], bound.hi[i], number), (problem, w)


@pytest.mark.parametrize("seed", range(40))
def test_costs_and_their_derivatives_are_enclosed(seed):
    rng = np.random.default_rng(seed)
    check_costs(random_problem(rng), rng)


@pytest.mark.parametrize("seed", range(20))
def test_so_they_are_with_cross_terms(seed):
    rng = np.random.default_rng(5000 + seed)
    check_costs(random_problem(rng, cross=True), rng)
    check_objective(random_problem(rng, kind="gradient", shots=1 + seed % 3, cross=True), rng)


@pytest.mark.parametrize("seed", range(60))
def test_objective_and_its_derivatives_are_enclosed(seed):
    rng = np.random.default_rng(1000 + seed)
    check_objective(random_problem(rng, kind="gradient", shots=1 + seed % 3), rng)


EXTREME = {
    "no cost": scalar_problem([scalar_plant("1.01", s=0), scalar_plant("0.9")]),
    "infimum at a rim": scalar_problem([scalar_plant(1, q=0)]),
    "infimum at the other rim": scalar_problem([scalar_plant(-1, q=0)]),
    "discount, infimum at a rim": scalar_problem([scalar_plant(2, q=0, discount="1/4")]),
    "cheap input": scalar_problem([scalar_plant("1.01", r="1e-9")], eta="1e-9"),
    "weak input": scalar_problem([scalar_plant("0.99", b="1e-7")], eta="1e-4"),
    "strong input": scalar_problem([scalar_plant("1.01", b="1e7")], eta="1e-12"),
    "unstable": scalar_problem([scalar_plant(50, b=20)], eta="1e-6", shots=2),
    "next to the rim": scalar_problem([scalar_plant("0.99999999999999")], eta="1e-3"),
    "no input in one task": scalar_problem([scalar_plant("1.01"), scalar_plant("0.5", b=0)], shots=2),
    "another cost": scalar_problem(
        [scalar_plant("1.01")], adaptation=[scalar_plant("0.9", b="0.8", q=5)]
    ),
}


@pytest.mark.parametrize("name", EXTREME)
def test_extreme_problems_are_enclosed(name):
    rng = np.random.default_rng(77)
    for _ in range(5):
        check_costs(EXTREME[name], rng)
        check_objective(EXTREME[name], rng)


@pytest.mark.parametrize("seed", range(10))
def test_thin_boxes_have_tight_bounds(seed):
    """Away from the rims a point costs a few roundings, next to the size of the terms."""
    rng = np.random.default_rng(seed)
    f, _ = scalar_plants(random_problem(rng, plain=True))
    costs = Costs(f)
    low, high = costs.rims
    w = Interval.point(low.hi + (high.lo - low.hi) * rng.uniform(0.1, 0.9, len(f)))[None, :]
    slopes, x = costs.slopes(w), costs.fractions(w)
    value = costs.value(w)
    terms = {
        "value": (value, costs.alpha.hi * x.p.hi + costs.beta.hi * x.q.hi),
        "d1": (slopes.d1, costs.a1.hi * x.p.hi**2 + costs.b1.hi * x.q.hi**2),
        "d2": (slopes.d2, slopes.d2.hi),
    }
    for name, (bound, size) in terms.items():
        assert ((bound.hi - bound.lo) < 1e-12 * size).all(), name


def test_bounds_over_a_shrinking_box_shrink_with_it():
    objective = GradientObjective(paper_problem("3b", "0.1", shots=2))
    widths = []
    for exponent in range(4, 12):
        lo, hi = np.array([1.2]), np.array([1.2 + 10.0**-exponent])
        bounds = objective.bounds(lo, hi)
        assert bounds.inside.all()
        widths.append(float((bounds.d1.hi - bounds.d1.lo)[0]))
    ratios = np.array(widths[:-1]) / np.array(widths[1:])
    assert (ratios > 5).all()  # first order at least: a box ten times thinner, bounds as much


# --- planted errors --------------------------------------------------------------------------

PLANTED = {
    "β dropped": (Costs, "__init__", "self.beta = _where(static, keep, beta)", "self.beta = keep"),
    "the 2 of C'' dropped": (Costs, "__init__", "b2 * self.beta * 2.0", "b2 * self.beta"),
    "γ not under the root": (Costs, "__init__", ".sqrt()", ".square()"),
    "r not squared": (Costs, "__init__", "d.square() * inverse", "d * inverse"),
    "loop gain rounded inward": (Costs, "fractions", "down(low), up(high)", "up(low), down(high)"),
    "1 − c from the wrong end": (Costs, "fractions", "self.e.lo + low", "self.e.lo + high"),
    "1 + c clipped at one": (Costs, "fractions", "np.clip(v_hi, EPS, 2.0)", "np.clip(v_hi, EPS, 1.0)"),
    "rims ignored": (Costs, "fractions", "inside = (u_lo > 0) & (v_lo > 0)", "inside = u_lo == u_lo"),
    "C'' from the wrong end": (Costs, "slopes", "ph2 * p.hi", "pl2 * p.lo"),
    "a lower bound from an upper": (Costs, "slopes", "self.a1.hi * ph2", "self.a1.lo * pl2"),
    "no slack in C'": (
        scalar, "_difference", "first_lo - second_hi - (", "first_lo - second_hi + ("),
    "mean value without its slope": (
        GradientObjective, "_bounds", "v + J * offset", "v"),
    "h' of the middle for the box": (
        GradientObjective, "_bounds", "d1_mid + d2 * offset[:, 0]", "d1_mid"),
    "C''' dropped": (
        GradientObjective, "_bounds", "K * factor - self.eta * g.d3 * J.square()", "K * factor"),
    "J not squared": (GradientObjective, "_bounds", "f.d2 * J.square()", "f.d2 * J"),
    "J before its factor": (GradientObjective, "_bounds", "J, K = J * factor,", "J, K = J,"),
    "a task counts as inside when another is": (
        GradientObjective, "_bounds", "logical_and.reduce(inside", "logical_or.reduce(inside"),
}  # fmt: skip


def check_everything() -> None:
    for seed in range(12):
        rng = np.random.default_rng(seed)
        check_costs(random_problem(rng), rng)
        check_objective(random_problem(rng, kind="gradient", shots=1 + seed % 3), rng)


def test_the_check_that_planted_errors_fail_passes_without_them():
    check_everything()


# Not planted, because nothing can detect them: taking `inside` out of the mean-value step, or an
# intermediate gain out of `inside`. Where a box is not inside, p or q is unbounded, hence C'' and with
# it J and the next gain: the step then tells nothing and the next gain is not inside either.
@pytest.mark.parametrize("name", PLANTED)
def test_planted_errors_are_detected(monkeypatch, name):
    plant_error(monkeypatch, *PLANTED[name])
    with pytest.raises(AssertionError):
        check_everything()


@pytest.mark.parametrize("name", ["down", "up"])
def test_rounding_the_wrong_way_is_detected(monkeypatch, name):
    monkeypatch.setattr(scalar, name, {"down": scalar.up, "up": scalar.down}[name])
    with pytest.raises(AssertionError):
        check_everything()


# --- what is refused -------------------------------------------------------------------------

BAD = {
    "R = 0": ([scalar_plant(1, r=0)], "needs R > 0"),
    "R < 0": ([scalar_plant(1, r=-1)], "needs R > 0"),
    "Q < 0": ([scalar_plant(1, q="-0.01")], "Q ≥ 0"),
    "S0 < 0": ([scalar_plant(1, s=-1)], "S0 ≥ 0"),
    "discount 2": ([scalar_plant(1, discount=2)], "discount in"),
    "no input, unstable": ([scalar_plant(1), scalar_plant("1.5", b=0)], "task `t1`: B = 0 and"),
    "no input, marginal": ([scalar_plant(1), scalar_plant(-1, b=0)], "task `t1`: B = 0 and"),
    "no input anywhere": ([scalar_plant("0.5", b=0)], "B = 0 in every task"),
    "beyond float64": ([scalar_plant("1e320")], r"A = 1.00e\+320 is outside"),
    "too large": ([scalar_plant(1, b="1e31")], r"B = 1.00e\+31 is outside"),
    "too small": ([scalar_plant(1, q="1e-31")], "Q = 1e-31 is outside"),
    "vanishes as a float64": ([scalar_plant(1, q="1e-325")], "Q = 1e-325 is outside"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_the_bounds_do_not_cover_is_refused(name):
    plants, message = BAD[name]
    with pytest.raises(ProblemError, match=message):
        scalar_plants(scalar_problem(plants))


def test_weights_and_steps_out_of_range_are_refused():
    plants = [scalar_plant(1), scalar_plant(1)]
    with pytest.raises(ProblemError, match="`t1`: its weight is below"):
        scalar_plants(scalar_problem(plants, weights=[Fraction(1), Fraction(1, 10**400)]))
    with pytest.raises(ProblemError, match=r"eta: 1.00e\+320 is outside"):
        scalar_plants(scalar_problem(plants, eta="1e320"))


def test_more_than_one_state_is_not_scalar():
    two = ((Fraction(1), Fraction(0)), (Fraction(0), Fraction(1)))
    family = make_family([Task("wide", Plant(two, two, two, two, two))])
    with pytest.raises(NotScalarError, match="2 and 2"):
        scalar_plants(Problem(family, make_step("gradient", 1)))


def test_an_eta_of_one_is_exact():
    assert Step("gradient", Fraction(1)) == make_step("gradient", "1")
