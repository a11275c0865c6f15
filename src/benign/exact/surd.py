"""Exact numbers x ± √y: the optima of scalar LQR tasks and the rims of their stabilising sets.

C'(W) = 0 is a quadratic equation with rational coefficients (`ScalarPlant.optimum_polynomial`), of
which just one root stabilises; and |√γ(a − bW)| = 1 at W = a/b ± √(1/(γb²)). Two numbers of this form
are equal if and only if their canonical forms are, as x₁ − x₂ = s₂√y₂ − s₁√y₁ ≠ 0 would make √y₂
rational. Unequal ones are told apart by the float64 numbers next to them, or, where those meet, by
squaring: so it is decided exactly whether two tasks share an optimum, and what lies left of what.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, total_ordering
from math import isqrt

from flint import arb, ctx

from benign.exact.plants import ScalarPlant
from benign.exact.rounding import enclosing_floats, to_ball

PRECISION = 160
"""Bits of the balls around a number, where the caller does not say."""


def _sign(x: Fraction, s: int, y: Fraction) -> int:
    """The sign of x + s√y, s = −1, 0 or 1, y ≥ 0: where the parts disagree, the larger square wins."""
    root = s if y else 0
    side = (x > 0) - (x < 0)
    if side == root or not root:
        return side
    if not side:
        return root
    return side * ((x * x > y) - (x * x < y))


@total_ordering
@dataclass(frozen=True, eq=False)
class Surd:
    """x + sign·√y, y not the square of a rational (sign = 0, y = 0 for a rational number)."""

    x: Fraction
    sign: int = 0
    y: Fraction = Fraction(0)

    @staticmethod
    def of(x: Fraction, sign: int, y: Fraction) -> Surd:
        """The canonical form of x + sign·√y."""
        p, q = isqrt(y.numerator), isqrt(y.denominator)
        if p * p == y.numerator and q * q == y.denominator:
            return Surd(x + sign * Fraction(p, q))
        return Surd(x, sign, y)

    def __add__(self, shift: Fraction) -> Surd:
        return Surd(self.x + shift, self.sign, self.y)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Surd):
            return NotImplemented
        return (self.x, self.sign, self.y) == (other.x, other.sign, other.y)

    def __hash__(self) -> int:
        return hash((self.x, self.sign, self.y))

    def __lt__(self, other: Surd) -> bool:
        (a, b), (c, d) = self.bounds, other.bounds
        if b < c:
            return True
        return d >= a and self != other and self._is_below(other)

    def _is_below(self, other: Surd) -> bool:
        """Whether (x₁ − x₂) + s₁√y₁ < s₂√y₂: both sides have signs, and equal ones are squared."""
        gap = self.x - other.x
        left, right = _sign(gap, self.sign, self.y), other.sign
        if left != right or not left:
            return left < right
        # left² − right² = gap² + y₁ − y₂ + 2 gap s₁√y₁, whose root is that of y = (2 gap)² y₁.
        toward = self.sign * ((gap > 0) - (gap < 0))
        difference = _sign(gap * gap + self.y - other.y, toward, 4 * gap * gap * self.y)
        return difference * left < 0

    def ball(self, precision: int = PRECISION) -> arb:
        """A ball around the number."""
        with ctx.workprec(precision):
            x = to_ball(self.x)
            return x if self.sign == 0 else x + self.sign * to_ball(self.y).sqrt()

    @cached_property
    def bounds(self) -> tuple[float, float]:
        """Neighbouring float64 around the number (equal when it is a float64)."""
        return enclosing_floats(self.ball())


def optimum(plant: ScalarPlant) -> Surd | None:
    """W*, exactly; None where the infimum of the cost is not attained (q̃ = 0, √γ|ã| = 1)."""
    c2, c1, c0 = plant.optimum_polynomial()
    if c2 == 0:
        return Surd(-c0 / c1)
    x = -c1 / (2 * c2)
    y = x * x - c0 / c2
    if y <= 0:
        return None
    rims = stabilising_set(plant)
    assert rims is not None  # c2 ≠ 0 means b ≠ 0
    roots = (Surd.of(x, sign, y) for sign in (1, -1))
    return next((root for root in roots if rims[0] < root < rims[1]), None)


def stabilising_set(plant: ScalarPlant) -> tuple[Surd, Surd] | None:
    """The ends of {W : |√γ(a − bW)| < 1}; None for b = 0, when every gain does or none."""
    if plant.b == 0:
        return None
    centre, square = plant.a / plant.b, 1 / (plant.discount * plant.b**2)
    return Surd.of(centre, -1, square), Surd.of(centre, 1, square)


def is_steep(plant: ScalarPlant, rim: Surd) -> bool:
    """Whether C → ∞ at a rim of the stabilising set: s(q̃ + r(W − t)²), its numerator, is not zero."""
    return plant.s > 0 and (plant.completed_q > 0 or rim != Surd(plant.shift))
