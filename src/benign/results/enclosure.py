"""A real number that is known to lie between two float64: what a proof says of a value."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from benign.errors import AmbiguousError, UsageError
from benign.exact.rounding import settled

DIGITS = 9
"""Digits that are shown at most where none are asked for."""


@dataclass(frozen=True, slots=True)
class Enclosure:
    """A real number x with lo ≤ x ≤ hi.

    Used like the number it encloses: ``float(x)`` is the middle, ``f"{x:.6}"`` shows the digits that
    are settled, and ``x < y`` is True or False where that is so for every number it may be, else an
    `AmbiguousError`. ``x == y`` compares the enclosures, not the numbers; ``lo, hi = x`` takes one
    apart.

    Args:
        lo, hi: float64, infinite where there is no bound; both NaN for a number that does not exist.
    """

    lo: float
    hi: float

    def __post_init__(self) -> None:
        for end in (self.lo, self.hi):
            if not isinstance(end, (float, int)) or isinstance(end, bool):
                raise UsageError(f"Enclosure: expected two numbers, got {type(end).__name__}")

    @property
    def mid(self) -> float:
        """A float64 in the middle."""
        return self.lo + 0.5 * (self.hi - self.lo) if self.lo != self.hi else self.lo

    @property
    def radius(self) -> float:
        """How far the number can be from `mid`, rounded up; ∞ where there is no bound."""
        mid = self.mid
        if not (math.isfinite(self.lo) and math.isfinite(self.hi)):
            return math.nan if math.isnan(mid) else math.inf
        exact = max(Fraction(self.hi) - Fraction(mid), Fraction(mid) - Fraction(self.lo))
        near = float(exact)
        return near if Fraction(near) >= exact else math.nextafter(near, math.inf)

    @property
    def width(self) -> float:
        """hi − lo."""
        return self.hi - self.lo

    def __float__(self) -> float:
        return self.mid

    def __iter__(self) -> Iterator[float]:
        yield self.lo
        yield self.hi

    def __contains__(self, x: object) -> bool:
        return isinstance(x, (int, float, Fraction)) and self.lo <= x <= self.hi

    def __lt__(self, other: Any) -> bool:
        lo, hi = _ends(other)
        return self._told("<", other, self.hi < lo, self.lo >= hi)

    def __le__(self, other: Any) -> bool:
        lo, hi = _ends(other)
        return self._told("≤", other, self.hi <= lo, self.lo > hi)

    def __gt__(self, other: Any) -> bool:
        lo, hi = _ends(other)
        return self._told(">", other, self.lo > hi, self.hi <= lo)

    def __ge__(self, other: Any) -> bool:
        lo, hi = _ends(other)
        return self._told("≥", other, self.lo >= hi, self.hi < lo)

    def _told(self, sign: str, other: Any, surely: bool, surely_not: bool) -> bool:
        if surely or surely_not:
            return surely
        raise AmbiguousError(
            f"{self} {sign} {other}: the enclosures overlap, so that it is not known; compare .lo, .hi "
            "or float() of them"
        )

    def __format__(self, spec: str) -> str:
        """As many digits as are settled, the precision of the format spec at most; else the bounds."""
        digits = spec.removeprefix(".").rstrip("gG")
        if digits and not digits.isdigit():
            return format(str(self), spec)
        return self._shown(int(digits) if digits else DIGITS)

    def _shown(self, digits: int) -> str:
        return "none" if math.isnan(self.lo) else settled(self.lo, self.hi, digits)

    def __str__(self) -> str:
        return self._shown(DIGITS)

    def __repr__(self) -> str:
        return f"Enclosure({self.lo!r}, {self.hi!r})"


def _ends(x: Any) -> tuple[float, float]:
    if isinstance(x, Enclosure):
        return x.lo, x.hi
    return x, x
