"""Every operation of interval arithmetic holds the exact result: against rational numbers."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benign.floats import intervals
from benign.floats.intervals import Interval, weighted_sum

moderate = st.floats(-1e6, 1e6, allow_nan=False)
anything = st.floats(allow_nan=False, allow_infinity=False)
numbers = st.one_of(moderate, anything, st.sampled_from([0.0, 5e-324, -5e-324, 2.0**-1022, 1.0, 1e308]))


@st.composite
def spans(draw, elements=numbers):
    """An interval, and an exact number within."""
    lo, hi = sorted((draw(elements), draw(elements)))
    if draw(st.booleans()):
        hi = lo
    part = Fraction(draw(st.integers(0, 8)), 8)
    return Interval(np.array(lo), np.array(hi)), Fraction(lo) + part * (Fraction(hi) - Fraction(lo))


def holds(interval: Interval, exact: Fraction) -> bool:
    """Whether [lo, hi] holds the number; a NaN bound means that nothing is known."""
    lo, hi = float(interval.lo), float(interval.hi)
    if math.isnan(lo) or math.isnan(hi):
        return True
    below = lo == -math.inf or (lo != math.inf and Fraction(lo) <= exact)
    above = hi == math.inf or (hi != -math.inf and exact <= Fraction(hi))
    return below and above


OPERATIONS = {
    "+": (lambda x, y: x + y, lambda x, y: x + y),
    "-": (lambda x, y: x - y, lambda x, y: x - y),
    "*": (lambda x, y: x * y, lambda x, y: x * y),
}


@pytest.mark.parametrize("name", OPERATIONS)
@settings(max_examples=300, deadline=None, derandomize=True)
@given(spans(), spans())
def test_sums_and_products_hold_the_exact_one(name, first, second):
    rounded, exact = OPERATIONS[name]
    with np.errstate(all="ignore"):
        result = rounded(first[0], second[0])
    assert holds(result, exact(first[1], second[1]))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(spans(), anything)
def test_operations_with_a_number_hold_the_exact_one(span, number):
    x, exact = span
    with np.errstate(all="ignore"):
        assert holds(number + x, Fraction(number) + exact)
        assert holds(x - number, exact - Fraction(number))
        assert holds(number - x, Fraction(number) - exact)
        assert holds(number * x, Fraction(number) * exact)
    assert holds(-x, -exact)
    assert holds(x.flipped(np.array(True)), -exact)
    assert holds(x.flipped(np.array(False)), exact)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(spans())
def test_functions_of_one_interval_hold_the_exact_value(span):
    x, exact = span
    with np.errstate(all="ignore"):
        square, reciprocal, root = x.square(), x.reciprocal(), x.sqrt()
    assert holds(square, exact * exact)
    assert float(square.lo) >= 0
    if exact != 0:
        assert holds(reciprocal, 1 / exact)
    if x.lo >= 0:
        assert root.lo <= root.hi
        assert Fraction(float(root.lo)) ** 2 <= exact
        assert math.isinf(root.hi) or exact <= Fraction(float(root.hi)) ** 2


@settings(max_examples=300, deadline=None, derandomize=True)
@given(spans(), spans())
def test_what_two_intervals_share_stays(first, second):
    both = first[0].intersect(second[0])
    exact = first[1]
    if holds(second[0], exact):
        assert holds(both, exact)
    unknown = Interval(np.array(np.nan), np.array(np.nan))
    assert first[0].intersect(unknown).lo == first[0].lo
    assert unknown.intersect(first[0]).hi == first[0].hi
    assert (unknown.known().lo, unknown.known().hi) == (-np.inf, np.inf)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(spans(moderate))
def test_the_middle_is_inside(span):
    x, _ = span
    assert x.lo <= x.mid <= x.hi


ratios = st.tuples(st.integers(-(10**40), 10**40), st.integers(1, 10**45))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(ratios, min_size=1, max_size=5))
def test_exact_numbers_are_enclosed_to_the_last_place(pairs):
    exact = [Fraction(top, bottom) for top, bottom in pairs]
    for enclosed in (Interval.enclose(exact), Interval.ratio(*zip(*pairs, strict=True))):
        for i, number in enumerate(exact):
            assert holds(enclosed[i], number)
            near = float(number)
            spread = 0.0 if Fraction(near) == number else 2.0 * math.ulp(near)
            assert enclosed.hi[i] - enclosed.lo[i] <= spread


weights = st.fractions(Fraction(1, 2**100), 1).filter(lambda w: w > 0)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(st.tuples(spans(), weights), min_size=1, max_size=30))
def test_weighted_sums_hold_the_exact_one(entries):
    terms = Interval(
        np.array([float(x.lo) for (x, _), _ in entries]),
        np.array([float(x.hi) for (x, _), _ in entries]),
    )
    total = sum((w for _, w in entries), Fraction(0))
    shares = [w / total for _, w in entries]
    if min(shares) < Fraction(1, 2**100):
        shares = [Fraction(1, len(shares))] * len(shares)
    exact = sum((share * x for ((_, x), _), share in zip(entries, shares, strict=True)), Fraction(0))
    with np.errstate(all="ignore"):
        result = weighted_sum(terms, np.array([float(w) for w in shares]))
    assert holds(result, exact)


def test_a_weighted_sum_of_ten_thousand_terms_holds_the_exact_one():
    rng = np.random.default_rng(5)
    x = rng.normal(size=10_000) * 10.0 ** rng.uniform(-12, 12, 10_000)
    raw = [int(w) for w in rng.integers(1, 10**6, 10_000)]
    shares = [Fraction(w, sum(raw)) for w in raw]
    result = weighted_sum(Interval.point(x), np.array([float(w) for w in shares]))
    exact = sum((w * Fraction(float(v)) for w, v in zip(raw, x, strict=True)), Fraction(0)) / sum(raw)
    assert holds(result, exact)
    assert float(result.hi - result.lo) <= 1e-11 * float(np.abs(x).max())


def test_overflow_leaves_a_true_bound():
    with np.errstate(all="ignore"):
        product = Interval.point(1e300) * Interval.point(1e300)
        total = Interval.point(1.7e308) + Interval.point(1.7e308)
    assert 0 < product.lo < np.inf
    assert product.hi == np.inf
    assert holds(total, 2 * Fraction(1.7e308))


def check_rounding(seed: int = 3) -> None:
    """Random sums and products of all sizes: the containment check that planted errors must fail."""
    rng = np.random.default_rng(seed)
    x, y = (rng.normal(size=200) * 10.0 ** rng.uniform(-20, 20, 200) for _ in range(2))
    for name, (rounded, exact) in OPERATIONS.items():
        result = rounded(Interval.point(x), Interval.point(y))
        for i in range(x.size):
            truth = exact(Fraction(float(x[i])), Fraction(float(y[i])))
            assert holds(result[i], truth), (name, x[i], y[i])


def test_rounding_holds_for_random_numbers_of_all_sizes():
    check_rounding()


@pytest.mark.parametrize("name", ["down", "up"])
def test_a_bound_rounded_the_wrong_way_is_detected(monkeypatch, name):
    other = {"down": intervals.up, "up": intervals.down}[name]
    monkeypatch.setattr(intervals, name, other)
    with pytest.raises(AssertionError):
        check_rounding()


@pytest.mark.parametrize("name", ["down", "up"])
def test_a_bound_not_rounded_at_all_is_detected(monkeypatch, name):
    monkeypatch.setattr(intervals, name, lambda x, roundings=1.0: x)
    with pytest.raises(AssertionError):
        check_rounding()
