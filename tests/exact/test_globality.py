"""Bounds of the infimum and of the smallest ε hold whatever numbers the enclosures stand for."""

from __future__ import annotations

from fractions import Fraction
from math import inf

from hypothesis import given, settings
from hypothesis import strategies as st

from benign.exact.globality import epsilon, infimum

values = st.floats(-1e9, 1e9, allow_nan=False).map(lambda x: x + 0.0)


@st.composite
def enclosed(draw):
    """An enclosure and the number it stands for."""
    lo, hi = sorted((draw(values), draw(values)))
    return (lo, hi), Fraction(lo) + Fraction(draw(st.integers(0, 4)), 4) * (Fraction(hi) - Fraction(lo))


@settings(max_examples=500, deadline=None, derandomize=True)
@given(
    st.lists(enclosed(), min_size=1, max_size=6),
    st.lists(st.tuples(enclosed(), st.booleans()), max_size=3),
)
def test_the_smallest_epsilon_is_enclosed(minima, doubtful):
    """An undecided stretch may hide a minimum, or none."""
    bounds, hidden = [b for b, _ in minima], [b for (b, _), _ in doubtful]
    truth = [v for _, v in minima] + [v for (_, v), exists in doubtful if exists]
    lo, hi = epsilon(bounds, hidden)
    exact = max(truth) - min(truth)
    assert Fraction(lo) <= exact <= Fraction(hi)
    low, high = infimum(bounds, hidden)
    assert Fraction(low) <= min(truth) <= Fraction(high)


def test_a_single_minimum_is_global_exactly():
    assert epsilon([(1.0, 2.0)], []) == (0.0, 0.0)
    assert infimum([(1.0, 2.0)], []) == (1.0, 2.0)


def test_nothing_known_gives_no_upper_bound():
    assert infimum([], [(0.0, inf)]) == (0.0, inf)
    assert epsilon([(1.0, 1.0)], [(0.0, inf)]) == (0.0, inf)
    assert epsilon([(1.0, inf), (2.0, inf)], [])[1] == inf


def test_bounds_are_tight_to_an_ulp():
    lo, hi = epsilon([(1.0, 1.0), (1.5, 1.5), (1.25, 1.25)], [])
    assert lo <= 0.5 <= hi
    assert hi - lo <= 2.3e-16
