"""Numbers for people: as many digits as tell different values apart, and no more than are proved.

Every digit comes from `benign.exact.rounding`, the one place where numbers are rounded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from benign.exact.rounding import at_least, at_most, between, digits_known, named, settled, shown

if TYPE_CHECKING:
    from benign.results.enclosure import Enclosure

LEAST, MOST = 7, 16


def distinct(values: Sequence[Enclosure], least: int = LEAST) -> list[str]:
    """Each enclosure as one number, with one common count of digits for all.

    The count is the smallest, from `least` up, at which values proved different look different; a
    value of which fewer digits are settled shows those, and its bounds where none is.
    """
    known = [0 if math.isnan(v.lo) else digits_known(v.lo, v.hi, MOST) for v in values]
    order = sorted(range(len(values)), key=lambda i: values[i].mid)
    apart = [(i, j) for i, j in zip(order, order[1:], strict=False) if values[i].hi < values[j].lo]

    def texts(digits: int) -> list[str]:
        return [
            settled(value.lo, value.hi, min(digits, most)) if most else _wide(value)
            for value, most in zip(values, known, strict=True)
        ]

    for digits in range(least, MOST):
        found = texts(digits)
        if all(found[i] != found[j] for i, j in apart):
            return found
    return texts(MOST)


def _wide(value: Enclosure) -> str:
    """An enclosure that settles no digit."""
    if math.isnan(value.lo) or math.isnan(value.hi):
        return "none"
    if value.lo == value.hi:
        return fixed(value.lo, LEAST)
    return f"[{outward(value.lo, 3, down=True)}, {outward(value.hi, 3, down=False)}]"


def near(value: Enclosure, digits: int = 9) -> str:
    """An enclosure as one number of so many digits at most, all of them settled, or its bounds."""
    if not (math.isfinite(value.lo) and math.isfinite(value.hi)):
        return _wide(value)
    return settled(value.lo, value.hi, digits)


def fixed(x: float, digits: int) -> str:
    """So many significant digits, plain where the number is of everyday size."""
    if not math.isfinite(x):
        return "∞" if x > 0 else "−∞" if x < 0 else "none"
    return shown(x, digits)


def short(x: float, digits: int = 3) -> str:
    """A number of a few digits, to nearest: 0.1, 3.46e-4, 0, ∞. For what is observed or drawn."""
    if not math.isfinite(x):
        return fixed(x, digits)
    return f"{x:.{digits}g}".replace("e+0", "e").replace("e-0", "e-").replace("e+", "e")


def step_size(eta: Any, digits: int = 6) -> str:
    """η, exact or a float, as it was typed; where that is long, a decimal next to it with "≈"."""
    eta = eta if isinstance(eta, Fraction) else Fraction(float(eta))
    text = named(eta).removesuffix(" (as float64)")
    return text if len(text) <= 20 else f"≈ {shown(eta, digits)}"


def bounds(value: Enclosure, digits: int = 3) -> str:
    """An enclosure: one number where both ends round alike, else "[lo, hi]" or "at most hi"."""
    if math.isnan(value.lo) or math.isnan(value.hi):
        return "none"
    lo, hi = short(value.lo, digits), short(value.hi, digits)
    if lo == hi:
        return lo
    if value.hi == math.inf and value.lo <= 0:
        return "no bound"
    if value.hi == math.inf:
        return f"at least {outward(value.lo, digits, down=True)}"
    if value.lo == 0:
        return f"at most {outward(value.hi, digits, down=False)}"
    return f"[{outward(value.lo, digits, down=True)}, {outward(value.hi, digits, down=False)}]"


def outward(x: float | Fraction, digits: int, *, down: bool) -> str:
    """A bound that stays one when rounded to a few digits."""
    if isinstance(x, float) and not math.isfinite(x):
        return fixed(x, digits)
    return at_least(x, digits) if down else at_most(x, digits)


def span(lo: float, hi: float, digits: int = 3) -> str:
    """[lo, hi], rounded outward, ∞ where there is no bound."""
    if math.isfinite(lo) and math.isfinite(hi):
        return between(lo, hi, digits)
    return f"[{outward(lo, digits, down=True)}, {outward(hi, digits, down=False)}]"


def width(value: Enclosure) -> str:
    """How tight an enclosure is: "3e-14", rounded up, or "exact"."""
    if value.hi == value.lo:
        return "exact"
    if not (math.isfinite(value.lo) and math.isfinite(value.hi)):
        return "∞"
    return at_most(Fraction(value.hi) - Fraction(value.lo), 1)


def above(value: Enclosure, least: Enclosure) -> Enclosure:
    """How far one number lies above another that is not larger."""
    lo = max(math.nextafter(value.lo - least.hi, -math.inf), 0.0)
    return type(value)(lo, max(math.nextafter(value.hi - least.lo, math.inf), 0.0))


def percent(value: Enclosure, digits: int = 3) -> str:
    """A ratio in per cent, all digits of which are settled."""
    if value.lo == value.hi == 0:
        return "0 %"
    if not value.hi < math.inf:
        return "unbounded"
    if value.lo == 0:
        return f"at most {percent_at_most(value.hi, digits)}"
    lo, hi = (100 * Fraction(x) for x in value)
    return f"{settled(lo, hi, digits)} %" if digits_known(lo, hi, digits) else f"{between(lo, hi, 2)} %"


def percent_at_most(x: float, digits: int = 3) -> str:
    """An upper bound of a ratio, in per cent."""
    return f"{outward(100 * Fraction(x) if math.isfinite(x) else x, digits, down=False)} %"


def percent_at_least(x: float, digits: int = 3) -> str:
    """A lower bound of a ratio, in per cent."""
    return f"{outward(100 * Fraction(x) if math.isfinite(x) else x, digits, down=True)} %"
