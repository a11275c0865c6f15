"""From exact numbers to balls, from balls to float64 and from float64 to the digits that are shown.

Every step loses something, and loses it outward: a ball holds the number, the floats enclose the ball,
the digits of a bound are those of a number that bounds as well.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from fractions import Fraction
from math import inf, isfinite, nextafter

from flint import arb, fmpq

SHORT = 20
"""Digits up to which an exact number is shown as a decimal."""


def to_ball(x: Fraction) -> arb:
    """A ball around an exact number, at the working precision."""
    return arb(fmpq(x.numerator, x.denominator))


def enclosing_floats(ball: arb) -> tuple[float, float]:
    """float64 bounds of a ball, each confirmed by an exact comparison.

    A ball that is not a number tells nothing of what it stands for: its bounds are infinite.
    """
    if ball.is_nan():
        return -inf, inf
    lower, upper = ball.lower(), ball.upper()
    # Rounding to nearest errs by less than the distance to the next float, so that one step suffices.
    lo, hi = float(lower), float(upper)
    if not arb(lo) <= lower:
        lo = nextafter(lo, -inf)
    if not arb(hi) >= upper:
        hi = nextafter(hi, inf)
    assert arb(lo) <= lower
    assert arb(hi) >= upper
    return lo, hi


def at_most(x: float, digits: int = 6) -> str:
    """An upper bound in a few digits: the least such decimal that is not below x."""
    return _decimal(x, digits, ROUND_CEILING)


def at_least(x: float, digits: int = 6) -> str:
    """A lower bound in a few digits: the greatest such decimal that is not above x."""
    return _decimal(x, digits, ROUND_FLOOR)


def between(lo: float, hi: float, digits: int = 17) -> str:
    """[lo, hi] in decimals, both rounded outward."""
    return f"[{at_least(lo, digits)}, {at_most(hi, digits)}]"


def exactly(x: Fraction) -> str:
    """The number itself: a decimal where a short one says it, else a fraction."""
    if x.denominator == 1:
        return str(x.numerator)
    decimal = Context(prec=SHORT).divide(Decimal(x.numerator), Decimal(x.denominator))
    return f"{decimal.normalize():g}" if Fraction(decimal) == x else str(x)


def _decimal(x: float, digits: int, rounding: str) -> str:
    if not isfinite(x):
        return "inf" if x > 0 else "-inf" if x < 0 else "nan"
    # A float64 is a decimal number of at most some 770 digits, so that the first step is exact.
    rounded = Context(prec=digits, rounding=rounding).plus(Decimal(x)).normalize()
    if 0 <= rounded.adjusted() < max(digits, 6):
        return f"{rounded:f}"
    return f"{rounded:g}".replace("e+", "e") if rounded else "0"
