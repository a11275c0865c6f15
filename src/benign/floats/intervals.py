"""Outward-rounded interval arithmetic on NumPy arrays of float64.

A bound is computed in round-to-nearest and then moved outward by more than the rounding can have
cost. Write u = 2⁻⁵³ for the unit roundoff and EPS = 2u. One operation gives fl(x) = x(1 + δ) + θ,
|δ| ≤ u, |θ| ≤ 2⁻¹⁰⁷⁵ (underflow), so that

    x ≥ fl(x) − EPS·|fl(x)| − TINY,    x ≤ fl(x) + EPS·|fl(x)| + TINY,

also after the two operations that move the bound are themselves rounded: towards zero because
(1 − 2u)(1 + u) < 1 − u, and away from zero because EPS·|fl(x)| is at least the distance to the next
float, which rounding to nearest cannot take back.
This is ten times faster than `numpy.nextafter`, and as sure.

A NaN (∞ − ∞, 0·∞) means "nothing known" and stays NaN; every test of a proof is a strict
comparison, which NaN fails. A lower bound that overflows is brought back to a finite number, because an
overflowed product is at least `HUGE`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

EPS = 2.0**-52
TINY = 2.0**-1022
HUGE = 2.0**1023


def down(x: Floats, roundings: float = 1.0) -> Floats:
    """Lower bound of the real number whose evaluation gave x after so many roundings."""
    x = np.minimum(x, HUGE)
    return x - ((roundings * EPS) * np.abs(x) + TINY)


def up(x: Floats, roundings: float = 1.0) -> Floats:
    """Upper bound of the real number whose evaluation gave x after so many roundings."""
    x = np.maximum(x, -HUGE)
    return x + ((roundings * EPS) * np.abs(x) + TINY)


@dataclass(frozen=True)
class Interval:
    """Arrays of closed intervals [lo, hi]; the operators round outward."""

    lo: Floats
    hi: Floats

    @staticmethod
    def point(x: Floats | float) -> Interval:
        """[x, x]."""
        x = np.asarray(x, dtype=np.float64)
        return Interval(x, x)

    @staticmethod
    def enclose(numbers: Sequence[Fraction]) -> Interval:
        """A float64 interval around each exact number: [x, x] where x is a float64."""
        return Interval.ratio([n.numerator for n in numbers], [n.denominator for n in numbers])

    @staticmethod
    def ratio(numerators: Sequence[int], denominators: Sequence[int]) -> Interval:
        """Enclosures of quotients of integers: Python rounds such a division to nearest."""
        nearest, exact = [], []
        for top, bottom in zip(numerators, denominators, strict=True):
            x = top / bottom
            a, b = x.as_integer_ratio()
            nearest.append(x)
            exact.append(a * bottom == top * b)
        values, sure = np.array(nearest, dtype=np.float64), np.array(exact, dtype=bool)
        return Interval(
            np.where(sure, values, np.nextafter(values, -np.inf)),
            np.where(sure, values, np.nextafter(values, np.inf)),
        )

    def flipped(self, mask: NDArray[np.bool_]) -> Interval:
        """−x where the mask is true."""
        return Interval(np.where(mask, -self.hi, self.lo), np.where(mask, -self.lo, self.hi))

    def __getitem__(self, index: object) -> Interval:
        return Interval(self.lo[index], self.hi[index])  # type: ignore[index]

    def __neg__(self) -> Interval:
        return Interval(-self.hi, -self.lo)

    def __add__(self, other: Interval | float) -> Interval:
        other = _as_interval(other)
        return Interval(down(self.lo + other.lo), up(self.hi + other.hi))

    __radd__ = __add__

    def __sub__(self, other: Interval | float) -> Interval:
        other = _as_interval(other)
        return Interval(down(self.lo - other.hi), up(self.hi - other.lo))

    def __rsub__(self, other: float) -> Interval:
        return Interval.point(other) - self

    def __mul__(self, other: Interval | float) -> Interval:
        other = _as_interval(other)
        a, b = self.lo * other.lo, self.lo * other.hi
        c, d = self.hi * other.lo, self.hi * other.hi
        return Interval(
            down(np.minimum(np.minimum(a, b), np.minimum(c, d))),
            up(np.maximum(np.maximum(a, b), np.maximum(c, d))),
        )

    __rmul__ = __mul__

    def reciprocal(self) -> Interval:
        """1/x for intervals that do not touch zero; [−∞, ∞] for those that do."""
        sure = (self.lo > 0) | (self.hi < 0)
        lo, hi = np.where(sure, self.lo, 1.0), np.where(sure, self.hi, 1.0)
        return Interval(np.where(sure, down(1.0 / hi), -np.inf), np.where(sure, up(1.0 / lo), np.inf))

    def square(self) -> Interval:
        """x², never below zero."""
        a, b = self.lo * self.lo, self.hi * self.hi
        straddles = (self.lo <= 0) & (self.hi >= 0)
        low = np.where(straddles, 0.0, np.maximum(down(np.minimum(a, b)), 0.0))
        return Interval(low, up(np.maximum(a, b)))

    def sqrt(self) -> Interval:
        """√x of intervals that are not negative."""
        return Interval(np.maximum(down(np.sqrt(np.maximum(self.lo, 0.0))), 0.0), up(np.sqrt(self.hi)))

    def intersect(self, other: Interval) -> Interval:
        """What both contain; a NaN bound tells nothing and is passed over."""
        return Interval(np.fmax(self.lo, other.lo), np.fmin(self.hi, other.hi))

    def known(self) -> Interval:
        """The same with infinite bounds in the place of NaN, for code that compares bounds."""
        return Interval(
            np.where(np.isnan(self.lo), -np.inf, self.lo), np.where(np.isnan(self.hi), np.inf, self.hi)
        )

    @property
    def mid(self) -> Floats:
        """A float64 inside (the middle, as nearly as it can be computed)."""
        return self.lo + 0.5 * (self.hi - self.lo)


def _as_interval(x: Interval | float) -> Interval:
    return x if isinstance(x, Interval) else Interval.point(x)


def weighted_sum(terms: Interval, weights: Floats) -> Interval:
    """Σ_τ ω_τ x_τ over the last axis; `weights` are the ω_τ rounded to nearest, all positive.

    k products and k − 1 additions, in whatever order, cost at most (k + 1)u Σ ω|x|; the rounding of
    ω itself one u more.
    """
    roundings = weights.size + 3.0
    bounds = []
    for x, sign in ((terms.lo, -1.0), (terms.hi, 1.0)):
        clipped = np.minimum(x, HUGE) if sign < 0 else np.maximum(x, -HUGE)
        slack = (roundings * EPS) * (np.abs(clipped) @ weights) + weights.size * TINY
        bounds.append(clipped @ weights + sign * slack)
    return Interval(bounds[0], bounds[1])
