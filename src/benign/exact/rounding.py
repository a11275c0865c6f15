"""From exact numbers to balls, from balls to float64 and from float64 to the digits that are shown.

Every step loses something, and loses it outward: a ball holds the number, the floats enclose the ball,
the digits of a bound are those of a number that bounds as well.
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction
from math import inf, isfinite, nextafter

from flint import arb, fmpq

SHORT = 20
"""Digits up to which an exact number is shown as a decimal."""

Number = float | Fraction
"""What is shown: a float64 stands for the binary number it is."""


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


def at_most(x: Number, digits: int = 6) -> str:
    """An upper bound in a few digits: the least such decimal that is not below x."""
    return _plain(_rounded(x, digits, ROUND_CEILING), digits)


def at_least(x: Number, digits: int = 6) -> str:
    """A lower bound in a few digits: the greatest such decimal that is not above x."""
    return _plain(_rounded(x, digits, ROUND_FLOOR), digits)


def between(lo: Number, hi: Number, digits: int = 17) -> str:
    """[lo, hi] in decimals, both rounded outward."""
    return f"[{at_least(lo, digits)}, {at_most(hi, digits)}]"


def exactly(x: Fraction) -> str:
    """The number itself: a decimal where a short one says it, else a fraction."""
    if x.denominator == 1:
        return str(x.numerator)
    decimal = Context(prec=SHORT).divide(Decimal(x.numerator), Decimal(x.denominator))
    return f"{decimal.normalize():g}" if Fraction(decimal) == x else str(x)


def named(x: Fraction) -> str:
    """The number itself, in a form that people know it by: a float64 is written as it is typed."""
    text = exactly(x)
    if "/" not in text:
        return text
    try:
        near = float(x)
    except OverflowError:
        return text
    return f"{near!r} (as float64)" if Fraction(near) == x else text


def settled(lo: Number, hi: Number, digits: int = 9) -> str:
    """A number in [lo, hi] in as many digits, `digits` at most, as are known of it.

    No number between the bounds is further from the one shown than a unit of its last digit, zeros
    at the end included. Where not even one digit is known, the bounds are shown.
    """
    known = digits_known(lo, hi, digits)
    return shown(_middle(lo, hi), known) if known else between(lo, hi, 3)


def digits_known(lo: Number, hi: Number, most: int = 17) -> int:
    """The digits, `most` at most, that a number in [lo, hi] is known to; 0 for none."""
    if lo == hi or not (isfinite(lo) and isfinite(hi)):
        return most if lo == hi else 0
    middle, (low, high) = _middle(lo, hi), (Fraction(lo), Fraction(hi))
    for digits in range(most, 0, -1):
        decimal = _rounded(middle, digits, ROUND_HALF_EVEN)
        unit = Fraction(10) ** (decimal.adjusted() - digits + 1)
        near = Fraction(decimal)
        if near and near - unit <= low and high <= near + unit:
            return digits
    return 0


def shown(x: Number, digits: int) -> str:
    """So many digits, rounded to nearest; plain where the number is of everyday size.

    For what is no bound: an exact number, or the middle of an enclosure that settles the digits.
    """
    return _plain(_rounded(x, digits, ROUND_HALF_EVEN), digits, zeros=True)


def _middle(lo: Number, hi: Number) -> Number:
    return lo if lo == hi else (Fraction(lo) + Fraction(hi)) / 2


def _rounded(x: Number, digits: int, rounding: str) -> Decimal:
    """The decimal of so many digits next to x, on the side that is asked for."""
    context = Context(prec=digits, rounding=rounding)
    if isinstance(x, Fraction):
        return context.divide(Decimal(x.numerator), Decimal(x.denominator))
    # A float64 is a decimal number of at most some 770 digits, so that the first step is exact.
    return context.plus(Decimal(x))


def _plain(x: Decimal, digits: int, *, zeros: bool = False) -> str:
    """A decimal as it is read: 0.00012, 123.5, 1.5e-7, 1e16."""
    if not x.is_finite():
        return "nan" if x.is_nan() else "inf" if x > 0 else "-inf"
    if not x:
        return "0"
    size = x.adjusted()
    longest = max(digits, 6)
    if (
        zeros
    ):  # of the digits that are known, those at the end that are zero as well, and no other zeros
        longest = digits
        x = x.quantize(Decimal(1).scaleb(size - digits + 1), context=Context(prec=digits))
    else:
        x = x.normalize(Context(prec=digits))
    if -5 < size < longest:
        return f"{x:f}"
    mantissa = x.scaleb(-size, Context(prec=digits))
    return f"{mantissa:f}e{size}"
