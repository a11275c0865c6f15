"""A number that is enclosed: shown outward, compared in three values, used like the number it is."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benign.errors import AmbiguousError, BenignError
from benign.results.enclosure import Enclosure

FLOATS = st.floats(-1e300, 1e300)
PAIRS = st.tuples(FLOATS, FLOATS).map(sorted).map(lambda pair: Enclosure(*pair))


@given(PAIRS)
def test_the_middle_and_the_radius_hold_the_enclosure(x):
    mid, radius = Fraction(x.mid), Fraction(x.radius)
    assert mid - radius <= Fraction(x.lo) <= Fraction(x.hi) <= mid + radius
    assert x.mid in x
    assert float(x) == x.mid == np.asarray(x, dtype=float)


@given(PAIRS, PAIRS)
def test_a_comparison_is_true_of_every_number_or_refused(x, y):
    ends = [(a, b) for a in x for b in y]
    for ours, one in (
        (lambda: x < y, lambda a, b: a < b),
        (lambda: x <= y, lambda a, b: a <= b),
        (lambda: x > y, lambda a, b: a > b),
        (lambda: x >= y, lambda a, b: a >= b),
        (lambda: x < y.lo, lambda a, b: a < y.lo),
    ):
        answers = {one(a, b) for a, b in ends}
        if len(answers) == 1:
            assert ours() is answers.pop()
        else:
            with pytest.raises(AmbiguousError):
                ours()


def test_overlapping_enclosures_say_so():
    with pytest.raises(BenignError, match=r"the enclosures overlap.*\.lo, \.hi or float\(\)"):
        bool(Enclosure(1.0, 2.0) < Enclosure(1.5, 3.0))
    assert Enclosure(1.0, 2.0) != Enclosure(1.0, 2.5)
    assert Enclosure(1.0, 1.0) <= 1


@given(PAIRS, st.integers(1, 12))
def test_digits_that_are_shown_are_settled(x, digits):
    text = f"{x:.{digits}}"
    if text.startswith("["):
        low, high = (Fraction(part) for part in text[1:-1].split(", "))
        assert low <= Fraction(x.lo) <= Fraction(x.hi) <= high
    else:
        mantissa = text.lower().partition("e")[0].lstrip("-").replace(".", "").lstrip("0")
        assert len(mantissa) <= max(digits, 17)
        # A unit of the last digit shown holds all that it may be; "1e16" has one digit.
        power = int(text.lower().partition("e")[2] or 0) - len(
            text.lower().partition("e")[0].partition(".")[2]
        )
        shown, unit = Fraction(text), Fraction(10) ** power
        assert all(abs(Fraction(end) - shown) <= unit for end in x)


def test_what_has_no_bound_and_what_does_not_exist():
    assert str(Enclosure(0.5, math.inf)) == "[0.5, inf]"
    assert str(Enclosure(math.nan, math.nan)) == "none"
    assert Enclosure(0.5, math.inf).radius == math.inf
    assert f"{Enclosure(0.1, 0.1):>12}" == " 0.100000000"
    lo, hi = Enclosure(1.0, 2.0)
    assert (lo, hi) == (1.0, 2.0)
    assert repr(Enclosure(1.0, 2.0)) == "Enclosure(1.0, 2.0)"
