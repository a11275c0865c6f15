"""The digits of a number: those of a bound bound as well, and no more are shown than are known."""

import math
import re
from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from benign.exact.rounding import (
    at_least,
    at_most,
    between,
    digits_known,
    exactly,
    named,
    settled,
    shown,
)

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
DIGITS = st.integers(1, 20)


def read(text):
    return Fraction(text)


@settings(max_examples=500, deadline=None)
@given(FLOATS, DIGITS)
def test_bounds_bound_and_are_the_next_decimals(x, digits):
    low, high = read(at_least(x, digits)), read(at_most(x, digits))
    assert low <= Fraction(x) <= high
    # Neighbours: between the two lies no decimal of so many digits.
    assert high - low <= max(abs(low), abs(high)) / Fraction(10) ** (digits - 1)


@settings(max_examples=300, deadline=None)
@given(st.fractions(), DIGITS)
def test_fractions_are_bounded_exactly(x, digits):
    assert read(at_least(x, digits)) <= x <= read(at_most(x, digits))
    if digits >= 2:
        assert abs(read(shown(x, digits)) - x) <= abs(x) / 10


@settings(max_examples=500, deadline=None)
@given(FLOATS, st.floats(0, 1e-3), DIGITS)
def test_the_digits_shown_are_settled(x, width, digits):
    lo, hi = sorted((x, x + abs(x) * width))
    assume(math.isfinite(hi))
    text = settled(lo, hi, digits)
    if text.startswith("["):
        a, b = map(read, text.strip("[]").split(", "))
        assert a <= Fraction(lo)
        assert Fraction(hi) <= b
        return
    mantissa, _, power = text.partition("e")
    places = len(mantissa.partition(".")[2])
    unit = Fraction(10) ** (int(power or 0) - places)
    assert read(text) - unit <= Fraction(lo)
    assert Fraction(hi) <= read(text) + unit


def test_a_wide_enclosure_shows_no_digits_it_does_not_settle():
    assert settled(1e16, 1.000002e16) == "1.000001e16"
    assert settled(1.0, 1.5) == "1"
    assert settled(26.0, 27.0, 1) == "3e1"  # "30" would say more
    assert settled(1.0, 9.0) == "[1, 9]"
    assert settled(-1e-9, 1e-9).startswith("[")
    assert settled(0.0, 0.0) == "0"
    assert digits_known(0.1, 0.1) == 17
    assert digits_known(1.0, math.inf) == 0
    assert settled(1.0, math.inf) == "[1, inf]"


@settings(max_examples=300, deadline=None)
@given(st.fractions() | FLOATS.map(Fraction))
def test_an_exact_number_is_exact(x):
    assert Fraction(exactly(x)) == x
    text = named(x)
    if text.endswith("(as float64)"):
        assert Fraction(float(text.split()[0])) == x
    else:
        assert Fraction(text) == x


@pytest.mark.parametrize(
    ("text", "said"),
    [("0.05", "0.05"), ("1/3", "1/3"), ("1e-8", "1e-8"), ("12345678.5", "12345678.5"), ("2", "2")],
)
def test_what_is_typed_is_said(text, said):
    assert exactly(Fraction(text)) == named(Fraction(text)) == said


def test_a_float_is_named_as_one():
    assert named(Fraction(0.05)) == "0.05 (as float64)"
    assert exactly(Fraction(0.05)) == "3602879701896397/72057594037927936"
    assert named(Fraction(0.5)) == "0.5"


def test_forms():
    assert at_most(0.004884334) == "0.00488434"
    assert at_least(-1e-7) == "-1e-7"
    assert at_most(123456789.0, 3) == "1.24e8"
    assert at_least(1e16) == "1e16"
    assert (at_most(math.inf), at_least(-math.inf), at_most(math.nan)) == ("inf", "-inf", "nan")
    assert between(0.1, 0.2, 3) == "[0.1, 0.201]"
    assert re.fullmatch(r"\[0\.1\d*, 0\.2\d*\]", between(0.1, 0.2))
