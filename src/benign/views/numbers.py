"""Numbers for people: as many digits as tell different values apart, and no more than are proved."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benign.results.landscape import Enclosure

LEAST, MOST = 7, 16


def distinct(values: Sequence[Enclosure], least: int = LEAST) -> list[str]:
    """Each enclosure as one number, with one common count of digits for all.

    The count is the smallest, from `least` up, at which values proved different look different; it
    never goes beyond what the enclosures settle.
    """
    mids = [value.mid for value in values]
    order = sorted(range(len(values)), key=lambda i: mids[i])
    apart = [(i, j) for i, j in zip(order, order[1:], strict=False) if values[i].hi < values[j].lo]
    for digits in range(least, MOST + 1):
        texts = [fixed(mid, digits) for mid in mids]
        if all(texts[i] != texts[j] for i, j in apart):
            return texts
    return [fixed(mid, MOST) for mid in mids]


def fixed(x: float, digits: int) -> str:
    """So many significant digits, plain where the number is of everyday size."""
    if not math.isfinite(x):
        return "∞" if x > 0 else "−∞" if x < 0 else "none"
    if x == 0:
        return "0"
    size = math.floor(math.log10(abs(x)))
    if -4 <= size < max(digits, 6):
        return f"{x:.{max(digits - 1 - size, 0)}f}"
    return _tidy(f"{x:.{digits - 1}e}")


def short(x: float, digits: int = 3) -> str:
    """A number of a few digits: 0.1, 3.46e-4, 0, ∞."""
    if not math.isfinite(x):
        return fixed(x, digits)
    return _tidy(f"{x:.{digits}g}")


def _tidy(text: str) -> str:
    """1.5e-07 as 1.5e-7, 1e+10 as 1e10."""
    return text.replace("e+0", "e").replace("e-0", "e-").replace("e+", "e")


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


def outward(x: float, digits: int, *, down: bool) -> str:
    """A bound that stays one when rounded to a few digits."""
    if x == 0 or not math.isfinite(x):
        return short(x, digits)
    unit = 10.0 ** (math.floor(math.log10(abs(x))) - digits + 1)
    rounded = float(f"{x:.{digits - 1}e}")
    if down and rounded > x:
        rounded -= unit
    if not down and rounded < x:
        rounded += unit
    return short(rounded, digits)


def width(value: Enclosure) -> str:
    """How tight an enclosure is: "3e-14", rounded up, or "exact"."""
    size = value.hi - value.lo
    if size == 0:
        return "exact"
    return outward(size, 1, down=False) if math.isfinite(size) else "∞"


def percent(value: Enclosure) -> str:
    """A ratio in per cent."""
    if value.lo == value.hi == 0:
        return "0 %"
    return f"{short(100 * value.mid, 3)} %" if value.hi < math.inf else "unbounded"
