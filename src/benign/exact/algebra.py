"""Exact algebra: h' of a one-shot gradient step as a quotient of integer polynomials.

Each task's f_τ(F_τ(W)) is a rational function N/D of W, so h' = Σ ω_τ (N'D − ND')/D² has a numerator
in Z[W]: its real roots within the domain are the stationary points, isolated in the square-free parts
by Descartes' rule of signs. The degree is about 20 per task, so this route is
for moderate families; it shares nothing with interval arithmetic but the problem.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

from flint import arb, arb_poly, ctx, fmpq, fmpq_poly, fmpz_poly

from benign.errors import ClaimError
from benign.exact.plants import ScalarPlant, scalar_plants
from benign.exact.problem import Problem

MAX_TASKS = 12
"""Largest family for which the checker takes this route as well (degree about 20 per task)."""

RESOLUTION = Fraction(1, 2**60)
"""To what part of the line real roots are narrowed before they are compared."""

PRECISION = 512
"""Bits in which the sign of a polynomial is tried before it is computed exactly."""


def seconds(problem: Problem) -> float:
    """What this route is expected to take, on one ordinary core, within a factor of ten or so."""
    return 1e-8 * (20 * len(problem.tasks)) ** 3 * (1 + problem.digits / 20) ** 1.5


@dataclass(frozen=True)
class Quotient:
    """A rational function numerator/denominator over Q."""

    numerator: fmpq_poly
    denominator: fmpq_poly

    def derivative(self) -> Quotient:
        """(N'D − ND')/D², freed of common factors."""
        n, d = self.numerator, self.denominator
        return Quotient(n.derivative() * d - n * d.derivative(), d * d).reduced()

    def reduced(self) -> Quotient:
        """Without the common factor of numerator and denominator."""
        common = self.numerator.gcd(self.denominator)
        return Quotient(self.numerator // common, self.denominator // common)

    def __add__(self, other: Quotient) -> Quotient:
        # Over the least common denominator: tasks with equal denominators do not raise the degree.
        common = self.denominator.gcd(other.denominator)
        left, right = other.denominator // common, self.denominator // common
        return Quotient(self.numerator * left + other.numerator * right, self.denominator * left)


def _q(x: Fraction) -> fmpq:
    return fmpq(x.numerator, x.denominator)


def cost_at(plant: ScalarPlant, w: Quotient) -> Quotient:
    """C(w) = s(q − 2n w + r w²)/(1 − γ(a − b w)²), n the cross term, for a rational function w."""
    a, b, q, r, cross = (_q(x) for x in (plant.a, plant.b, plant.q, plant.r, plant.n))
    s, y = _q(plant.s), _q(plant.discount)
    n, d = w.numerator, w.denominator
    loop = a * d - b * n
    return Quotient(s * (q * d * d - 2 * cross * n * d + r * n * n), d * d - y * loop * loop)


def slope(problem: Problem) -> Quotient:
    """h' as a quotient of polynomials, for the gradient step with one shot.

    Raises:
        ClaimError: another step, or more than one shot: the degree would explode.
    """
    if problem.step.kind != "gradient" or problem.step.shots != 1:
        raise ClaimError("exact algebra covers the gradient step with one shot")
    f, g = scalar_plants(problem)
    eta = _q(problem.step.eta)
    gain = Quotient(fmpq_poly([0, 1]), fmpq_poly([1]))
    total: Quotient | None = None
    for weight, judged, adapted in zip(problem.weights, f, g, strict=True):
        step = cost_at(adapted, gain).derivative()
        moved = Quotient(gain.numerator * step.denominator - eta * step.numerator, step.denominator)
        term = cost_at(judged, moved).reduced().derivative()
        term = Quotient(_q(weight) * term.numerator, term.denominator)
        total = term if total is None else total + term
    assert total is not None
    return total.reduced()


@dataclass(frozen=True)
class RealRoot:
    """A real zero of h': the only one of `factor` in (lo, hi), or lo = hi itself."""

    lo: Fraction
    hi: Fraction
    multiplicity: int
    factor: fmpz_poly

    def side(self, x: Fraction) -> int:
        """The sign of x minus the root, exact."""
        if self.lo == self.hi:
            return _sign(x - self.lo)
        if not self.lo < x < self.hi:
            return -1 if x <= self.lo else 1
        sign = self._sign_at(x)
        return 0 if sign == 0 else -1 if sign == self._sign_below() else 1

    def is_within(self, lo: Fraction, hi: Fraction) -> bool:
        """Whether the root lies in [lo, hi]."""
        return self.side(lo) <= 0 <= self.side(hi)

    def narrowed(self, width: Fraction) -> RealRoot:
        """The same root between closer bounds, by the sign of the polynomial at dyadic points."""
        lo, hi = self.lo, self.hi
        if lo == hi:
            return self
        below = self._sign_below()
        halvings = math.ceil((hi - lo) / width).bit_length()
        for _ in range(halvings):
            if hi - lo <= width:
                break
            middle = (lo + hi) / 2
            sign = self._sign_at(middle)
            if sign == 0:
                lo = hi = middle
            elif sign == below:
                lo = middle
            else:
                hi = middle
        return RealRoot(lo, hi, self.multiplicity, self.factor)

    @cached_property
    def _balls(self) -> arb_poly:
        with ctx.workprec(PRECISION):
            return arb_poly(self.factor)

    def _sign_at(self, x: Fraction) -> int:
        with ctx.workprec(PRECISION):
            ball = self._balls(arb(_q(x)))
        if ball != 0:
            return 1 if ball > 0 else -1
        return _sign(self.factor(_q(x)))

    def _sign_below(self) -> int:
        """The sign of the factor between lo and the root."""
        below = self._sign_at(self.lo)
        if below == 0:  # lo is another root: right of it the factor goes where its slope points
            return _sign(self.factor.derivative()(_q(self.lo)))
        return below


def _sign(x: Any) -> int:
    return (x > 0) - (x < 0)


def real_roots(problem: Problem, lo: Fraction, hi: Fraction) -> list[RealRoot]:
    """Every zero of h' strictly between lo and hi, isolated among those of equal multiplicity.

    Bounds of zeros of different multiplicity may overlap until they are `narrowed`. Zeros outside
    the domain of h are among them: the quotient of polynomials knows no +∞.

    Raises:
        ClaimError: h' is zero everywhere, or the problem is out of reach of this route.
    """
    numerator: fmpz_poly = slope(problem).numerator.numer()
    if numerator.degree() < 0:
        raise ClaimError("h is constant: every gain is stationary")
    found: list[RealRoot] = []
    for factor, multiplicity in numerator.factor_squarefree()[1]:
        for a, b in isolate(factor, lo, hi):
            found.append(RealRoot(a, b, int(multiplicity), factor))
    return sorted(found, key=lambda root: root.lo + root.hi)


def narrowed_roots(problem: Problem, lo: Fraction, hi: Fraction) -> list[RealRoot]:
    """Every zero of h' between lo and hi or at one of them, to `RESOLUTION` of the line.

    Raises:
        ClaimError: as `real_roots` does.
    """
    # A little more than asked, between short dyadic numbers, which keeps the integers small.
    unit = Fraction(2) ** (math.frexp(float(hi - lo))[1] - 5)
    first, last = (math.floor(lo / unit) - 1) * unit, (math.ceil(hi / unit) + 1) * unit
    return [root.narrowed(RESOLUTION * (last - first)) for root in real_roots(problem, first, last)]


def is_on_a_rim(problem: Problem, root: RealRoot) -> bool:
    """Whether a zero of h' is exactly where γ(a − bW)² = 1 for the adaptation cost of some task.

    There g is +∞ from one side and F unbounded, but f∘F tends to r s/(γb²) from both sides, so that the
    quotient of polynomials may be smooth, and even stationary.
    """
    for plant in scalar_plants(problem)[1]:
        loop = fmpq_poly([_q(plant.a), -_q(plant.b)])
        rim = (fmpq_poly([1]) - _q(plant.discount) * loop * loop).numer()
        common = root.factor.gcd(rim)
        if common.degree() < 1:
            continue
        if root.lo == root.hi:
            if common(_q(root.lo)) == 0:
                return True
        elif isolate(common, root.lo, root.hi):  # of `factor` there is one root only between them
            return True
    return False


def isolate(polynomial: fmpz_poly, lo: Fraction, hi: Fraction) -> list[tuple[Fraction, Fraction]]:
    """Open intervals with exactly one root of a square-free polynomial, or [root, root].

    Descartes' rule of signs on halved intervals (Collins and Akritas, 1976): the sign variations of
    (1 + x)ⁿ p(1/(1 + x)) bound the roots of p in (0, 1) from above, exactly when they are 0 or 1.
    """
    span = hi - lo
    unit = polynomial(fmpq_poly([_q(lo), _q(span)])).numer()  # the roots in (0, 1) count
    found: list[tuple[Fraction, Fraction]] = []
    stack = [(unit, Fraction(0), Fraction(1))]
    one_more = fmpz_poly([1, 1])
    while stack:
        p, left, width = stack.pop()
        variations = _variations(fmpz_poly(p.coeffs()[::-1])(one_more))
        if variations == 0:
            continue
        if variations == 1:
            found.append((lo + span * left, lo + span * (left + width)))
            continue
        degree = p.degree()
        halved = fmpz_poly([c * 2 ** (degree - i) for i, c in enumerate(p.coeffs())])
        right = halved(one_more)
        middle = left + width / 2
        if right[0] == 0:  # the middle itself is a root: note it, and divide it out
            found.append((lo + span * middle, lo + span * middle))
            right = fmpz_poly(right.coeffs()[1:])
        stack += [(halved, left, width / 2), (right, middle, width / 2)]
    return found


def _variations(p: fmpz_poly) -> int:
    signs = [c > 0 for c in p.coeffs() if c != 0]
    return sum(a != b for a, b in zip(signs, signs[1:], strict=False))
