"""The oracle's numbers: C(w) = s(q + rw²)/(1 − γ(a − bw)²) and h, in balls at exact gains.

No partial fractions and no intervals of gains: a ball here holds one number, and is so narrow that its
sign is known, or unknown for good. Nothing of the library but the exact `Problem` is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from flint import arb, fmpq

from benign.exact.problem import Plant, Problem

BITS = 512
"""Precision of the oracle; what it cannot tell apart in so many bits it is not sure of."""

TIE = 2.0**-300
"""Two numbers this close, relative to their size, are called equal: no family has distinct ones so."""


def ball(x: Fraction | float | int) -> arb:
    x = Fraction(x)
    return arb(fmpq(x.numerator, x.denominator))


def number(x: arb) -> Fraction:
    """The middle of a ball."""
    mantissa, exponent = x.mid().man_exp()
    return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)


def sign(x: arb) -> int:
    """0 where the ball holds 0."""
    return 1 if x > 0 else -1 if x < 0 else 0


@dataclass(frozen=True)
class Cost:
    """One scalar LQR cost."""

    a: arb
    b: arb
    q: arb
    r: arb
    s: arb
    y: arb
    coercive: bool

    @staticmethod
    def of(plant: Plant) -> Cost:
        a, b, q, r, s = (x[0][0] for x in (plant.A, plant.B, plant.Q, plant.R, plant.S0))
        y = plant.discount
        if plant.noise is not None:
            s += y / (1 - y) * plant.noise[0][0]
        coercive = s > 0 and (b == 0 or q > 0 or y * a * a != 1)
        return Cost(*(ball(x) for x in (a, b, q, r, s, y)), coercive)

    @property
    def steerable(self) -> bool:
        return self.b != 0

    def room(self, w: arb) -> arb:
        """1 − γ(a − bw)²: positive where w stabilises."""
        loop = self.a - self.b * w
        return 1 - self.y * loop * loop

    def value(self, w: arb) -> arb:
        return self.s * (self.q + self.r * w * w) / self.room(w)

    def jet(self, w: arb) -> tuple[arb, arb, arb, arb]:
        """C, C', C'', C''', from the product rule for C·(1 − γ(a − bw)²) = s(q + rw²)."""
        loop = self.a - self.b * w
        D = 1 - self.y * loop * loop
        D1 = 2 * self.y * self.b * loop
        D2 = -2 * self.y * self.b * self.b
        C = self.s * (self.q + self.r * w * w) / D
        C1 = (2 * self.s * self.r * w - C * D1) / D
        C2 = (2 * self.s * self.r - 2 * C1 * D1 - C * D2) / D
        C3 = -3 * (C2 * D1 + C1 * D2) / D
        return C, C1, C2, C3

    def slope(self, w: arb) -> arb:
        return self.jet(w)[1]

    @cached_property
    def rims(self) -> tuple[arb, arb] | None:
        """Where the room ends; None for b = 0."""
        if not self.steerable:
            return None
        ends = [(self.a + side / self.y.sqrt()) / self.b for side in (-1, 1)]
        return (ends[0], ends[1]) if ends[0] < ends[1] else (ends[1], ends[0])

    @cached_property
    def optimum(self) -> arb:
        """The zero of C' in the stabilising set: C' rises there, so its sign is halved down on."""
        rims = self.rims
        if rims is None:
            return arb(0)
        # rw(1 − γc²) − γb(q + rw²)c = 0 with c = a − bw is a quadratic equation in w.
        a, b, q, r, y = self.a, self.b, self.q, self.r, self.y
        top, middle, last = y * a * b * r, r * (1 - y * a * a) + y * b * b * q, -y * a * b * q
        if top == 0:
            return -last / middle
        root = (middle * middle - 4 * top * last).sqrt()
        # Without cancellation: one root by the sum of like signs, the other from the product.
        large = -(middle + root) / 2 if middle > 0 else (root - middle) / 2
        for w in (last / large, large / top):
            if self.room(w) > 0:
                return w
        raise ArithmeticError("no optimum")


class Objective:
    """h(w) = Σ ω f(F(w)) at exact gains, for either step."""

    def __init__(self, problem: Problem) -> None:
        self.f = [Cost.of(task.evaluation) for task in problem.tasks]
        self.g = [
            f if task.adaptation is None else Cost.of(task.adaptation)
            for f, task in zip(self.f, problem.tasks, strict=True)
        ]
        self.weights = [ball(weight) for weight in problem.weights]
        self.eta = ball(problem.step.eta)
        self.kind, self.shots = problem.step.kind, problem.step.shots

    @property
    def coercive(self) -> bool:
        return all(cost.coercive for cost in (*self.f, *self.g))

    def at(self, w: arb) -> tuple[arb, arb, arb] | None:
        """h, h' and h''; None where w is outside the domain, or in doubt."""
        total = [arb(0), arb(0), arb(0)]
        for f, g, weight in zip(self.f, self.g, self.weights, strict=True):
            x, J, K = w, arb(1), arb(0)
            for _ in range(self.shots):
                if not g.room(x) > 0:
                    return None
                _, g1, g2, g3 = g.jet(x)
                if self.kind == "gradient":
                    x, J, K = (
                        x - self.eta * g1,
                        J * (1 - self.eta * g2),
                        (K * (1 - self.eta * g2) - self.eta * g3 * J * J),
                    )
                elif g1 > 0 or g1 < 0:
                    x = x - sign(g1) * self.eta
                else:
                    return None
            if not f.room(x) > 0:
                return None
            C, C1, C2, _ = f.jet(x)
            total[0] += weight * C
            total[1] += weight * C1 * J
            total[2] += weight * (C2 * J * J + C1 * K)
        return total[0], total[1], total[2]

    def outside(self, w: arb) -> bool:
        """Whether w is surely outside the domain of h, or on its rim."""
        for f, g in zip(self.f, self.g, strict=True):
            x = w
            for _ in range(self.shots):
                if not g.room(x) > 0:
                    if g.room(x) <= 0:
                        return True
                    break
                slope = g.slope(x)
                if self.kind == "gradient":
                    x = x - self.eta * slope
                elif sign(slope):
                    x = x - sign(slope) * self.eta
                else:
                    break
            else:
                if f.room(x) <= 0:
                    return True
        return False


@dataclass(frozen=True)
class Minimum:
    """A local minimum that the oracle is sure of: it lies in [lo, hi], and has this value."""

    kind: str
    lo: arb
    hi: arb
    value: arb

    @staticmethod
    def near(lo: arb, hi: arb, value: arb, slopes: tuple[arb, arb]) -> Minimum:
        """A minimum of h, which has this value somewhere in [lo, hi], and whose slope rises there.

        It is lower than that value by no more than the steeper end allows. Where min h is 0 the value
        itself, which is positive, would be wrong in any precision.
        """
        fall = abs(slopes[0]).max(abs(slopes[1])) * (hi - lo)
        return Minimum("minimum", lo, hi, value.union(value - fall))


@dataclass(frozen=True)
class Found:
    """What the oracle knows: minima from left to right, and whether there are no others."""

    minima: tuple[Minimum, ...]
    complete: bool


def ends(lo: arb, hi: arb) -> arb:
    """The ball that holds both."""
    return lo.union(hi)
