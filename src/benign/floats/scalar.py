"""Enclosures of h and its derivatives for a scalar gain, vectorised over boxes and tasks.

One state, one input. In the closed loop c = √γ(a − bW) the cost has partial fractions,

    C(W) = κ + α p + β q + ρ W²,   p = 1/(1 − c),  q = 1/(1 + c),
    κ = −s r/(γ b²),  α = s(q₀ + r(√γ a − 1)²/(γ b²))/2,  β = s(q₀ + r(√γ a + 1)²/(γ b²))/2,  ρ = 0,

with α, β ≥ 0 (and for b = 0: κ = s q₀/(1 − γa²), ρ = s r/(1 − γa²), α = β = 0). A cross term 2nsa of
the stage cost changes q₀ to q₀ − n²/r, the a in α and β (not that of c) to a − bn/r, and W² to
(W − n/r)²: α and β are the stage cost at the rims. The cost of
(a, b) is that of (−a, −b), so b ≥ 0 may be assumed: then p falls and q rises with W, and

    C' = √γ b(β q² − α p²) + 2ρ(W − n/r),     C'' = 2γb²(α p³ + β q³) + 2ρ,
    C''' = 6 (√γ b)³ (β q⁴ − α p⁴):

C' and C''' rise with W, so their end points give their exact ranges; C'' is a sum of positive
terms. Each is evaluated in a handful of roundings of one sign, moved outward once at the end.

The adapted gain follows w ← w − ηC'(w), with J = dw/dW and K = d²w/dW² carried along:
J ← J(1 − ηC''),  K ← K(1 − ηC'') − ηC'''J²;  then h' = Σ ω f'J and h'' = Σ ω(f''J² + f'K).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from benign.clock import NO_LIMIT, Clock
from benign.exact.plants import ScalarPlant, scalar_plants
from benign.exact.problem import Problem
from benign.floats.intervals import EPS, TINY, Floats, Interval, down, up, weighted_sum

CHUNK = 1 << 15
"""Boxes × tasks evaluated at once: the temporaries then stay within the cache."""


A_TASK = 3e-5
"""Seconds to read the exact numbers of a task and to enclose them, on an idle machine."""


@dataclass(frozen=True)
class PartialFractions:
    """p = 1/(1 − c) and q = 1/(1 + c) over boxes, clipped to the stabilising set.

    `inside`: every gain of the box stabilises; `outside`: none does. In between, bounds hold for
    the gains of the box that stabilise, and may be infinite. p and q still lack an outward rounding.
    """

    p: Interval
    q: Interval
    inside: np.ndarray
    outside: np.ndarray


@dataclass(frozen=True)
class Slopes:
    """C' and C'' over boxes, and C''' where it was asked for; `inside`, `outside` as above."""

    d1: Interval
    d2: Interval
    d3: Interval | None
    inside: np.ndarray
    outside: np.ndarray


class Costs:
    """The costs of k scalar plants as interval coefficients of their partial fractions, (k,)."""

    def __init__(self, plants: Sequence[ScalarPlant]) -> None:
        mirrored = np.array([plant.b < 0 for plant in plants])
        a = Interval.enclose([plant.a for plant in plants]).flipped(mirrored)
        b = Interval.enclose([plant.b for plant in plants]).flipped(mirrored)
        fields = ("completed_q", "r", "s")
        q, r, s = (Interval.enclose([getattr(plant, x) for plant in plants]) for x in fields)
        self.crossed = any(plant.n for plant in plants)
        centred = a
        if self.crossed:
            centred = Interval.enclose([plant.completed_a for plant in plants]).flipped(mirrored)
        discounted = np.array([plant.discount != 1 for plant in plants])
        if discounted.any():
            root = Interval.enclose([plant.discount for plant in plants]).sqrt()
            a, b = _where(discounted, root * a, a), _where(discounted, root * b, b)
            centred = _where(discounted, root * centred, centred)
        static = np.array([plant.b == 0 for plant in plants])
        self.static = static
        self.any_static = bool(static.any())
        b = Interval(np.where(static, 0.0, np.maximum(b.lo, 0.0)), np.where(static, 0.0, b.hi))
        self.b = b
        self.e = _where(discounted, 1.0 - a, _one_minus([x.a for x in plants], mirrored, -1))
        self.d = _where(discounted, 1.0 + a, _one_minus([x.a for x in plants], mirrored, 1))
        e, d = self.e, self.d  # b(W − n/r) at the rims
        if self.crossed:
            sides = [plant.completed_a for plant in plants]
            e = _where(discounted, 1.0 - centred, _one_minus(sides, mirrored, -1))
            d = _where(discounted, 1.0 + centred, _one_minus(sides, mirrored, 1))
            self.shift = Interval.enclose([plant.shift for plant in plants])

        safe = Interval(np.where(static, 1.0, b.lo), np.where(static, 1.0, b.hi))
        inverse = safe.reciprocal().square()
        kappa = -(s * r * inverse)
        alpha = _nonnegative(s * (q + r * (e.square() * inverse)) * 0.5)
        beta = _nonnegative(s * (q + r * (d.square() * inverse)) * 0.5)
        zero = np.zeros_like(b.lo)
        if self.any_static:
            gap = (self.e * self.d).reciprocal()
            kappa = _where(static, s * q * gap, kappa)
            self.rho = _where(static, s * r * gap, Interval(zero, zero))
        else:
            self.rho = Interval(zero, zero)
        keep = Interval(zero, zero)
        self.kappa = kappa
        self.alpha = _where(static, keep, alpha)
        self.beta = _where(static, keep, beta)
        b2 = b.square()
        b3 = b2 * b
        self.a1, self.b1 = _nonnegative(b * self.alpha), _nonnegative(b * self.beta)
        self.a2 = _nonnegative(b2 * self.alpha * 2.0)
        self.b2 = _nonnegative(b2 * self.beta * 2.0)
        self.a3 = _nonnegative(b3 * self.alpha * 6.0)
        self.b3 = _nonnegative(b3 * self.beta * 6.0)
        self.exact_b = bool((b.lo == b.hi).all())

    @property
    def rims(self) -> tuple[Interval, Interval]:
        """End points −(1 − a)/b and (1 + a)/b of each stabilising set (±∞ for b = 0), (k,)."""
        left, right = -(self.e * self.b.reciprocal()), self.d * self.b.reciprocal()
        infinite = Interval.point(np.full_like(self.b.lo, np.inf))
        return _where(self.static, -infinite, left), _where(self.static, infinite, right)

    def fractions(self, w: Interval) -> PartialFractions:
        """p and q over the stabilising part of boxes w, shape (boxes, k)."""
        if self.exact_b:
            low, high = self.b.lo * w.lo, self.b.lo * w.hi
        else:
            low = np.where(w.lo >= 0, self.b.lo, self.b.hi) * w.lo
            high = np.where(w.hi >= 0, self.b.hi, self.b.lo) * w.hi
        if self.any_static:
            low, high = np.where(self.static, 0.0, low), np.where(self.static, 0.0, high)
        low, high = down(low), up(high)
        u_lo, u_hi = down(self.e.lo + low), up(self.e.hi + high)
        v_lo, v_hi = down(self.d.lo - high), up(self.d.hi - low)
        outside = (u_hi <= 0) | (v_hi <= 0)
        inside = (u_lo > 0) & (v_lo > 0)
        # 1 − c and 1 + c lie in (0, 2) wherever the gain stabilises: restrict to that.
        u_lo, v_lo = np.maximum(u_lo, 0.0), np.maximum(v_lo, 0.0)
        u_hi, v_hi = np.clip(u_hi, EPS, 2.0), np.clip(v_hi, EPS, 2.0)
        return PartialFractions(
            Interval(1.0 / u_hi, 1.0 / u_lo), Interval(1.0 / v_hi, 1.0 / v_lo), inside, outside
        )

    def slopes(self, w: Interval, *, third: bool = False) -> Slopes:
        """C' and C'' (and C''') over the stabilising part of boxes w, shape (boxes, k)."""
        x = self.fractions(w)
        p, q = x.p, x.q
        pl2, ph2, ql2, qh2 = p.lo * p.lo, p.hi * p.hi, q.lo * q.lo, q.hi * q.hi
        d1 = _difference(self.b1.lo * ql2, self.a1.hi * ph2, self.b1.hi * qh2, self.a1.lo * pl2)
        d2 = Interval(
            down(self.a2.lo * (pl2 * p.lo) + self.b2.lo * (ql2 * q.lo), 8.0),
            up(self.a2.hi * (ph2 * p.hi) + self.b2.hi * (qh2 * q.hi), 8.0),
        )
        d3 = None
        if third:
            d3 = _difference(
                self.b3.lo * (ql2 * ql2), self.a3.hi * (ph2 * ph2),
                self.b3.hi * (qh2 * qh2), self.a3.lo * (pl2 * pl2),
            )  # fmt: skip
        if self.any_static:
            d1, d2 = d1 + self.rho * self._paid(w) * 2.0, d2 + self.rho * 2.0
        return Slopes(d1, d2, d3, x.inside, x.outside)

    def value(self, w: Interval) -> Interval:
        """C over the stabilising part of boxes w."""
        x = self.fractions(w)
        parts = Interval(
            down(self.alpha.lo * x.p.lo + self.beta.lo * x.q.lo, 4.0),
            up(self.alpha.hi * x.p.hi + self.beta.hi * x.q.hi, 4.0),
        )
        total = parts + self.kappa
        return total + self.rho * self._paid(w).square() if self.any_static else total

    def _paid(self, w: Interval) -> Interval:
        """W − n/r."""
        return w - self.shift if self.crossed else w


def _difference(first_lo: Floats, second_hi: Floats, first_hi: Floats, second_lo: Floats) -> Interval:
    """[first_lo − second_hi, first_hi − second_lo], each term positive after ≤ 8 roundings."""
    return Interval(
        first_lo - second_hi - (10.0 * EPS * (first_lo + second_hi) + TINY),
        first_hi - second_lo + (10.0 * EPS * (first_hi + second_lo) + TINY),
    )


def _where(mask: np.ndarray, yes: Interval, no: Interval) -> Interval:
    return Interval(np.where(mask, yes.lo, no.lo), np.where(mask, yes.hi, no.hi))


def _nonnegative(x: Interval) -> Interval:
    return Interval(np.maximum(x.lo, 0.0), x.hi)


def _one_minus(numbers: Sequence[Fraction], mirrored: np.ndarray, side: int) -> Interval:
    """1 − a or 1 + a (side −1 or 1), rounded once from the exact number."""
    sides = [-side if flip else side for flip in mirrored]
    return Interval.ratio(
        [a.denominator + sign * a.numerator for a, sign in zip(numbers, sides, strict=True)],
        [a.denominator for a in numbers],
    )


@dataclass(frozen=True)
class BoxBounds:
    """h' and h'' over boxes, h' at their middles, and whether they lie in the domain of h.

    `inside`: the whole box does; `outside`: no point of it does. In between, the bounds hold for
    the points that do.
    """

    d1: Interval
    d2: Interval
    d1_mid: Interval
    inside: np.ndarray
    outside: np.ndarray


class GradientObjective:
    """h(W) = Σ ω_τ f_τ(F_τ(W)) for the gradient step with m shots, enclosed over boxes.

    Args:
        problem: one state, one input.
        clock: looked at before every shot.

    Raises (every method):
        BudgetError: the time is over.
    """

    def __init__(self, problem: Problem, clock: Clock = NO_LIMIT) -> None:
        clock.require(A_TASK * len(problem.tasks), "setting up the proof")
        f, g = scalar_plants(problem)
        self.clock = clock
        self.names = [task.name for task in problem.tasks]
        self.g = Costs(g)
        self.f = self.g if f == g else Costs(f)
        self.weights = np.array([float(w) for w in problem.weights])
        self.eta = Interval.enclose([problem.step.eta])
        self.shots = problem.step.shots
        self.is_coercive = all(plant.is_coercive for plant in (*f, *g))
        self.chunk = max(1, CHUNK // len(f))

    def bounds(self, lo: Floats, hi: Floats) -> BoxBounds:
        """h' and h'' over the boxes [lo, hi], shape (boxes,), in bounded memory."""
        parts = [self._bounds(Interval(lo[i], hi[i])) for i in self.chunks(lo.size)]
        return BoxBounds(
            _join([part.d1 for part in parts]),
            _join([part.d2 for part in parts]),
            _join([part.d1_mid for part in parts]),
            np.concatenate([part.inside for part in parts]),
            np.concatenate([part.outside for part in parts]),
        )

    def slope(self, w: Floats) -> tuple[Interval, np.ndarray, np.ndarray]:
        """h' at points w, and whether each is surely inside or surely outside the domain."""
        parts = [self._slope(Interval(w[i], w[i])[:, None]) for i in self.chunks(w.size)]
        d1, inside, outside = zip(*parts, strict=True)
        return _join(list(d1)), np.concatenate(inside), np.concatenate(outside)

    def value(self, lo: Floats, hi: Floats) -> Interval:
        """h over the part of the boxes [lo, hi] that lies in the domain, (boxes,)."""
        values = [self.adapted(Interval(lo[i], hi[i]))[1] for i in self.chunks(lo.size)]
        return _join([weighted_sum(value, self.weights) for value in values])

    def adapted(self, w: Interval) -> tuple[Interval, Interval]:
        """Adapted gains F_τ(W) and task values f_τ(F_τ(W)) over boxes, (boxes, k)."""
        with np.errstate(all="ignore"):
            w = w[:, None]
            for _ in range(self.shots):
                self._look()
                w = w - self.eta * self.g.slopes(w).d1
            return w, self.f.value(w)

    def jacobian(self, w: Interval) -> Interval:
        """dF_τ/dW = Π (1 − ηC''(w_j)) over boxes, (boxes, k)."""
        with np.errstate(all="ignore"):
            w, J = w[:, None], Interval.point(1.0)
            for _ in range(self.shots):
                self._look()
                g = self.g.slopes(w)
                J = J * (1.0 - self.eta * g.d2)
                w = w - self.eta * g.d1
            return J

    def _look(self) -> None:
        self.clock.check("the line of gains")

    def chunks(self, size: int) -> Iterator[slice]:
        """Which of so many boxes are evaluated at once."""
        return (slice(i, i + self.chunk) for i in range(0, max(size, 1), self.chunk))

    def _slope(self, w: Interval) -> tuple[Interval, np.ndarray, np.ndarray]:
        """h' at w; inside; outside."""
        inside, outside, J = np.array(True), np.array(False), Interval.point(1.0)
        with np.errstate(all="ignore"):
            for _ in range(self.shots):
                self._look()
                g = self.g.slopes(w)
                inside, outside = inside & g.inside, outside | g.outside
                J = J * (1.0 - self.eta * g.d2)
                w = w - self.eta * g.d1
            f = self.f.slopes(w)
            inside, outside = inside & f.inside, outside | f.outside
            d1 = weighted_sum(f.d1 * J, self.weights)
        return d1, np.logical_and.reduce(inside, axis=-1), np.logical_or.reduce(outside, axis=-1)

    def _bounds(self, box: Interval) -> BoxBounds:
        # The middles go along: to keep all the gains that they visit would take memory for each shot.
        mid = Interval.point(box.mid)
        with np.errstate(all="ignore"):
            w, offset, v = box[:, None], (box - mid)[:, None], mid[:, None]
            inside, outside = np.array(True), np.array(False)
            J, K, J_mid = Interval.point(1.0), Interval.point(0.0), Interval.point(1.0)
            for _ in range(self.shots):
                self._look()
                at = self.g.slopes(v)
                J_mid = J_mid * (1.0 - self.eta * at.d2)
                v = v - self.eta * at.d1
                g = self.g.slopes(w, third=True)
                assert g.d3 is not None
                inside, outside = inside & g.inside, outside | g.outside
                factor = 1.0 - self.eta * g.d2
                J, K = J * factor, K * factor - self.eta * g.d3 * J.square()
                w = w - self.eta * g.d1
                # W − ηC'(W) loses much to dependency; w(mid) + J·(W − mid) loses little, but
                # holds only where every gain on the way to the middle stabilises.
                w = _where(inside, w.intersect(v + J * offset), w)
            f = self.f.slopes(w)
            inside, outside = inside & f.inside, outside | f.outside
            d1_mid = weighted_sum(self.f.slopes(v).d1 * J_mid, self.weights)
            d1 = weighted_sum(f.d1 * J, self.weights)
            d2 = weighted_sum(f.d2 * J.square() + f.d1 * K, self.weights)
            whole = np.logical_and.reduce(inside, axis=-1)
            d1 = _where(whole, d1.intersect(d1_mid + d2 * offset[:, 0]), d1)
        return BoxBounds(d1, d2, d1_mid, whole, np.logical_or.reduce(outside, axis=-1))


def _join(parts: list[Interval]) -> Interval:
    if len(parts) == 1:
        return parts[0]
    return Interval(
        np.concatenate([part.lo for part in parts]), np.concatenate([part.hi for part in parts])
    )
