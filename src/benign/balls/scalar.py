"""h and its derivatives for a scalar gain in ball arithmetic: the checker's own arithmetic.

The mathematics is that of `benign.floats.scalar`; nothing else is shared. There, rounding is bounded
by counting operations in vectorised float64; here, every number is a ball of python-flint, which
carries its own error, and a box is a pair of balls for its two ends. A comparison of balls is true
only when it is certain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from flint import arb

from benign.exact.plants import ScalarPlant, scalar_plants
from benign.exact.problem import Problem
from benign.exact.rounding import to_ball

ZERO, ONE, TWO, INFINITY = arb(0), arb(1), arb(2), arb("inf")


class Span(NamedTuple):
    """Real numbers between two balls: every one is at least lo's lowest and at most hi's highest."""

    lo: arb
    hi: arb

    def __add__(self, other: Span) -> Span:  # type: ignore[override]
        return Span(self.lo + other.lo, self.hi + other.hi)

    def __sub__(self, other: Span) -> Span:
        return Span(self.lo - other.hi, self.hi - other.lo)

    def __mul__(self, other: Span) -> Span:  # type: ignore[override]
        if self.lo >= 0 and other.lo >= 0:
            return Span(self.lo * other.lo, self.hi * other.hi)
        products = [x * y for x in self for y in other]
        return Span(_least(products), _greatest(products))

    def times(self, factor: arb) -> Span:
        """Times one number, which is positive."""
        return Span(self.lo * factor, self.hi * factor)

    def square(self) -> Span:
        """x², never below zero."""
        a, b = self.lo * self.lo, self.hi * self.hi
        if self.lo >= 0:
            return Span(a, b)
        if self.hi <= 0:
            return Span(b, a)
        return Span(ZERO, _greatest([a, b]))

    def meet(self, other: Span) -> Span:
        """What both contain; a bound that is not a number tells nothing."""
        lows = [x for x in (self.lo, other.lo) if not x.is_nan()]
        highs = [x for x in (self.hi, other.hi) if not x.is_nan()]
        return Span(_greatest(lows) if lows else self.lo, _least(highs) if highs else self.hi)

    @property
    def is_positive(self) -> bool:
        """Whether every number is, certainly."""
        return bool(self.lo > 0)

    @property
    def is_negative(self) -> bool:
        """Whether every number is, certainly."""
        return bool(self.hi < 0)


def _least(balls: list[arb]) -> arb:
    least = balls[0]
    for ball in balls[1:]:
        least = least.min(ball)
    return least


def _greatest(balls: list[arb]) -> arb:
    greatest = balls[0]
    for ball in balls[1:]:
        greatest = greatest.max(ball)
    return greatest


class Slopes(NamedTuple):
    """C, C', C'', C''' over a span, and whether all of it stabilises or none of it."""

    value: Span
    d1: Span
    d2: Span
    d3: Span
    inside: bool
    outside: bool


class BallCost:
    """The cost of one scalar plant in partial fractions, coefficients as balls."""

    def __init__(self, plant: ScalarPlant) -> None:
        sign = -1 if plant.b < 0 else 1
        root = to_ball(plant.discount).sqrt()
        a, b = root * to_ball(sign * plant.a), root * to_ball(sign * plant.b)
        q, r, s = to_ball(plant.completed_q), to_ball(plant.r), to_ball(plant.s)
        self.static = plant.b == 0
        self.shift = to_ball(plant.shift)
        if self.static:
            room = 1 - a * a
            self.kappa, self.rho = s * q / room, s * r / room
            self.e, self.d, self.b = 1 - a, 1 + a, ZERO
            self.alpha = self.beta = ZERO
            return
        self.e, self.d, self.b, self.rho = 1 - a, 1 + a, b, ZERO
        if plant.discount == 1:
            self.e, self.d = to_ball(1 - sign * plant.a), to_ball(1 + sign * plant.a)
        square = b * b
        # The stage cost q̃ + r(W − t)² at the rims, where b(W − t) is −(1 − √γã) and 1 + √γã.
        centred = sign * plant.completed_a
        low, high = 1 - root * to_ball(centred), 1 + root * to_ball(centred)
        if plant.discount == 1:
            low, high = to_ball(1 - centred), to_ball(1 + centred)
        self.kappa = -s * r / square
        self.alpha = s * (q + r * low * low / square) / 2
        self.beta = s * (q + r * high * high / square) / 2

    def distances(self, w: Span) -> tuple[Span, Span]:
        """1 − c and 1 + c over w, c the closed loop."""
        if self.static:
            return Span(self.e, self.e), Span(self.d, self.d)
        u = Span(self.e + self.b * w.lo, self.e + self.b * w.hi)
        return u, Span(self.d - self.b * w.hi, self.d - self.b * w.lo)

    def slopes(self, w: Span) -> Slopes:
        """Bounds over the part of w that stabilises."""
        u, v = self.distances(w)
        outside = bool(u.hi <= 0) or bool(v.hi <= 0)
        inside = bool(u.lo > 0) and bool(v.lo > 0)
        p = Span(1 / u.hi.min(TWO), 1 / u.lo if u.lo > 0 else INFINITY)
        q = Span(1 / v.hi.min(TWO), 1 / v.lo if v.lo > 0 else INFINITY)
        b, alpha, beta = self.b, self.alpha, self.beta
        p2, q2 = Span(p.lo * p.lo, p.hi * p.hi), Span(q.lo * q.lo, q.hi * q.hi)
        if self.static:
            zero = Span(ZERO, ZERO)
            two_rho = 2 * self.rho
            w = Span(w.lo - self.shift, w.hi - self.shift)
            return Slopes(
                w.square().times(self.rho) + Span(self.kappa, self.kappa),
                w.times(two_rho), Span(two_rho, two_rho), zero, inside, outside,
            )  # fmt: skip
        b2 = b * b
        return Slopes(
            Span(self.kappa + alpha * p.lo + beta * q.lo, self.kappa + alpha * p.hi + beta * q.hi),
            # C' and C''' rise with W, and so from the lower to the upper end of the span.
            Span(b * (beta * q2.lo - alpha * p2.hi), b * (beta * q2.hi - alpha * p2.lo)),
            Span(
                2 * b2 * (alpha * p2.lo * p.lo + beta * q2.lo * q.lo),
                2 * b2 * (alpha * p2.hi * p.hi + beta * q2.hi * q.hi),
            ),
            Span(
                6 * b2 * b * (beta * q2.lo * q2.lo - alpha * p2.hi * p2.hi),
                6 * b2 * b * (beta * q2.hi * q2.hi - alpha * p2.lo * p2.lo),
            ),
            inside,
            outside,
        )


@dataclass(frozen=True)
class Bounds:
    """h, h', h'' over a span, the tasks' Jacobians, and where the span lies."""

    value: Span
    d1: Span
    d2: Span
    jacobians: tuple[Span, ...]
    adapted: tuple[Span, ...]
    inside: bool
    outside: bool


class BallObjective:
    """h(W) = Σ ω_τ f_τ(F_τ(W)) for the gradient step, over spans of gains."""

    def __init__(self, problem: Problem) -> None:
        f, g = scalar_plants(problem)
        made: dict[ScalarPlant, BallCost] = {plant: BallCost(plant) for plant in {*f, *g}}
        self.f, self.g = [made[plant] for plant in f], [made[plant] for plant in g]
        self.weights = [to_ball(weight) for weight in problem.weights]
        self.eta = to_ball(problem.step.eta)
        self.shots = problem.step.shots
        self.is_coercive = all(plant.is_coercive for plant in (*f, *g))

    def point(self, w: arb) -> Bounds:
        """Bounds at one gain."""
        return self._over(Span(w, w), None)

    def box(self, lo: float | arb, hi: float | arb) -> Bounds:
        """Bounds over the gains from lo to hi that lie in the domain."""
        left, right = arb(lo), arb(hi)
        return self._over(Span(left, right), left + (right - left) / 2)

    def _over(self, box: Span, mid: arb | None) -> Bounds:
        value = d1 = d2 = Span(ZERO, ZERO)
        inside, outside = True, False
        jacobians, adapted = [], []
        centre = None if mid is None else self.point(mid)
        offset = None if mid is None else box - Span(mid, mid)
        for task, (f, g, weight) in enumerate(zip(self.f, self.g, self.weights, strict=True)):
            w, J, K = box, Span(ONE, ONE), Span(ZERO, ZERO)
            along = True
            path = None if mid is None else self._path(task, mid)
            for shot in range(self.shots):
                s = g.slopes(w)
                along, outside = along and s.inside, outside or s.outside
                factor = Span(ONE, ONE) - s.d2.times(self.eta)
                K = K * factor - s.d3.times(self.eta) * J.square()
                J = J * factor
                w = w - s.d1.times(self.eta)
                if along and path is not None and offset is not None:
                    at = path[shot]
                    w = w.meet(Span(at, at) + J * offset)
            s = f.slopes(w)
            along, outside = along and s.inside, outside or s.outside
            inside = inside and along
            # A cost is never negative, whatever else is not known of it (its plant may leave its rims).
            known = s.value if not s.value.lo.is_nan() else Span(ZERO, s.value.hi)
            value += known.times(weight)
            d1 += (s.d1 * J).times(weight)
            d2 += (s.d2 * J.square() + s.d1 * K).times(weight)
            jacobians.append(J)
            adapted.append(w)
        if inside and centre is not None and offset is not None:
            d1 = d1.meet(centre.d1 + d2 * offset)
            value = value.meet(centre.value + d1 * offset)
        return Bounds(value, d1, d2, tuple(jacobians), tuple(adapted), inside, outside)

    def _path(self, task: int, w: arb) -> list[arb]:
        """The gains that one task visits from w."""
        path, g = [], self.g[task]
        for _ in range(self.shots):
            slope = g.slopes(Span(w, w)).d1
            w = w - self.eta * slope.lo.union(slope.hi)
            path.append(w)
        return path
