"""Exact numbers x ± √y: the optima of scalar LQR tasks and the rims of their stabilising sets.

C'(W) = 0 is a quadratic equation with rational coefficients (`ScalarPlant.optimum_polynomial`), of
which just one root stabilises; and |√γ(a − bW)| = 1 at W = a/b ± √(1/(γb²)). Two numbers of this form
are equal if and only if their canonical forms are, and unequal ones are told apart by balls of enough
bits: so it is decided exactly whether two tasks share an optimum, and what lies left of what.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, total_ordering
from math import inf, isqrt, nextafter

from flint import arb, ctx, fmpq

from benign.rigorous.scalar import ScalarPlant

PRECISION = 160
"""Bits of the balls tried first; doubled until two different numbers separate."""


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
        if d < a or self == other:
            return False
        precision = PRECISION
        while True:
            difference = self.ball(precision) - other.ball(precision)
            if difference != 0:
                return bool(difference < 0)
            precision *= 2

    def ball(self, precision: int = PRECISION) -> arb:
        """A ball around the number."""
        with ctx.workprec(precision):
            x = to_ball(self.x)
            return x if self.sign == 0 else x + self.sign * to_ball(self.y).sqrt()

    @cached_property
    def bounds(self) -> tuple[float, float]:
        """Neighbouring float64 around the number (equal when it is a float64)."""
        return enclosing_floats(self.ball())


def to_ball(x: Fraction) -> arb:
    """A ball around an exact number, at the working precision."""
    return arb(fmpq(x.numerator, x.denominator))


def enclosing_floats(ball: arb) -> tuple[float, float]:
    """float64 bounds of a ball, each confirmed by an exact comparison."""
    lo, hi = float(ball.lower()), float(ball.upper())
    while not arb(lo) <= ball:
        lo = nextafter(lo, -inf)
    while not arb(hi) >= ball:
        hi = nextafter(hi, inf)
    return lo, hi


def optimum(plant: ScalarPlant) -> Surd | None:
    """W*, exactly; None where the infimum of the cost is not attained (q = 0, √γ|a| = 1)."""
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
