"""h and its derivatives over boxes of gains, for all families of a neighbourhood at once.

Two looks, both valid for every family within the bounds (`benign.exact.neighbourhood`):

*   `NearbyObjective.bounds`: that of `benign.floats.scalar` with intervals for a, b, q, r. Near the
    rims, where signs are plain, it suffices; elsewhere it loses what the numbers of a task share.
*   `slopes` and `excess`: mean-value forms in the gain and in the numbers of one task
    (`benign.floats.centred`), which `benign.floats.nearby` puts together.

    u = 1 − a + bW,  v = 1 + a − bW,  α, β = s(q + r((1 ∓ a)/b)²)/2,  κ = −sr/b²,
    C = κ + α/u + β/v,  C' = b(β/v² − α/u²),  C'' = 2b²(α/u³ + β/v³),  C''' = 6b³(β/v⁴ − α/u⁴).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benign.clock import NO_LIMIT, Clock
from benign.exact.neighbourhood import Around
from benign.exact.problem import Problem
from benign.floats.centred import Centred, variables
from benign.floats.intervals import Floats, Interval
from benign.floats.scalar import CHUNK, Costs, GradientObjective

MOST_LOOKS = 150_000
"""Pieces that are looked at for one neighbourhood, at most: some seconds; most take a tenth of it."""


class TooMuch(Exception):  # noqa: N818 - it is an answer, not a fault
    """The neighbourhood would take too long to look at."""


Numbers = tuple[Interval, Interval, Interval, Interval]
"""a, b, q, r, b > 0, a discount folded in: of each task, (k,), or of each piece, (M,)."""


class _NearbyCosts(Costs):
    """Costs whose plants lie between bounds: intervals of their partial fractions."""

    def __init__(self, numbers: Numbers, s: Interval) -> None:
        a, b, q, r = numbers
        self.b, self.e, self.d = b, 1.0 - a, 1.0 + a
        self.static = np.zeros(b.lo.shape, bool)
        self.any_static = self.exact_b = False
        inverse = b.reciprocal()
        zero = np.zeros_like(b.lo)
        self.rho = Interval(zero, zero)
        self.kappa = -(s * r * inverse.square())
        self.alpha = _nonnegative(s * (q + r * (self.e * inverse).square()) * 0.5)
        self.beta = _nonnegative(s * (q + r * (self.d * inverse).square()) * 0.5)
        b2 = b.square()
        b3 = b2 * b
        self.a1, self.b1 = b * self.alpha, b * self.beta
        self.a2, self.b2 = b2 * self.alpha * 2.0, b2 * self.beta * 2.0
        self.a3, self.b3 = b3 * self.alpha * 6.0, b3 * self.beta * 6.0
        for name in ("a1", "b1", "a2", "b2", "a3", "b3"):
            setattr(self, name, _nonnegative(getattr(self, name)))


def _nonnegative(x: Interval) -> Interval:
    return Interval(np.maximum(x.lo, 0.0), x.hi)


@dataclass(frozen=True)
class Pieces:
    """Parts of the neighbourhoods of single tasks, each with a box of gains.

    Attributes:
        box, task: which, (M,).
        numbers: a, b, q, r, (M,).
    """

    box: np.ndarray
    task: np.ndarray
    numbers: Numbers

    def __getitem__(self, which: np.ndarray) -> Pieces:
        numbers = tuple(x[which] for x in self.numbers)
        return Pieces(self.box[which], self.task[which], numbers)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Over:
    """Quantities of each piece, (M,), in the variables W, u, a, b, q, r.

    Attributes:
        d1, d2: the task's part of h'(W) and h''(W).
        excess: its part of h(W) − h(u).
        inside: every gain and all numbers of the piece are in the domain; what is said of the others
            holds where they are, but derivatives are infinite.
        outside: none is.
    """

    d1: Centred | None
    d2: Centred | None
    excess: Centred | None
    inside: np.ndarray
    outside: np.ndarray
    reach: Floats
    """How the numbers blur where the adapted gain lies, (4, M): what is halved beside a rim."""


class NearbyObjective(GradientObjective):
    """h for one shot of the gradient step and every family of a neighbourhood.

    Args:
        problem: the family in the middle.
        tasks: between which bounds its numbers lie.
        clock: looked at before every evaluation.
    """

    def __init__(self, problem: Problem, tasks: Sequence[Around], clock: Clock = NO_LIMIT) -> None:
        self.clock = clock
        self.names = [task.name for task in problem.tasks]
        self.numbers, self.s = _numbers(tasks)
        self.g = self.f = _NearbyCosts(self.numbers, self.s)
        self.weights = np.array([float(w) for w in problem.weights])
        self.eta = Interval.enclose([problem.step.eta])
        self.shots, self.is_coercive = 1, True
        self.chunk = max(1, CHUNK // (5 * len(tasks)))
        self.looked = 0

    def pieces(self, boxes: int) -> Pieces:
        """All the numbers of all tasks, for so many boxes, in the order of boxes, then of tasks."""
        k = len(self.weights)
        task = np.tile(np.arange(k), boxes)
        numbers = tuple(Interval(x.lo[task], x.hi[task]) for x in self.numbers)
        return Pieces(np.repeat(np.arange(boxes), k), task, numbers)  # type: ignore[arg-type]

    def slopes(self, lo: Floats, hi: Floats, pieces: Pieces) -> Over:
        """h' and h'' over boxes of gains, for each piece."""
        self._count(pieces)
        with np.errstate(all="ignore"):
            one = lo[pieces.box]
            w, _, a, b, q, r = _variables(one, hi[pieces.box], one, one, pieces.numbers)
            plant = _Plant(a, b, q, r, self._moments(pieces))
            near = plant.poles(w)
            x, y = near.p, near.q
            x2, y2 = x.square(), y.square()
            F = w - (plant.b * (plant.beta * y2 - plant.alpha * x2)).times(self.eta)
            J = 1.0 - (plant.b2 * (plant.alpha * (x2 * x) + plant.beta * (y2 * y))).times(
                self.eta * 2.0
            )
            K = plant.b2 * plant.b * (plant.alpha * x2.square() - plant.beta * y2.square())
            far = plant.poles(F)
            X, Y = far.p, far.q
            X2, Y2 = X.square(), Y.square()
            d1 = plant.b * (plant.beta * Y2 - plant.alpha * X2)
            d2 = (plant.b2 * (plant.alpha * (X2 * X) + plant.beta * (Y2 * Y))).times(2.0)
            return Over(
                d1 * J, d2 * J.square() + d1 * K.times(self.eta * 6.0), None,
                near.inside & far.inside, near.outside | far.outside, _reach(F),
            )  # fmt: skip

    def excess(self, W: tuple[Floats, Floats], u: tuple[Floats, Floats], pieces: Pieces) -> Over:
        """h(W) − h(u) over two boxes of gains, for each piece."""
        self._count(pieces)
        with np.errstate(all="ignore"):
            lo, hi, first, last = (x[pieces.box] for x in (*W, *u))
            w, other, a, b, q, r = _variables(lo, hi, first, last, pieces.numbers)
            plant = _Plant(a, b, q, r, self._moments(pieces))
            there, near, F = self._value(plant, w)
            here, own, _ = self._value(plant, other)
            return Over(
                None,
                None,
                there - here,
                near.inside & own.inside,
                near.outside | own.outside,
                _reach(F),
            )

    def _value(self, plant: _Plant, w: Centred) -> tuple[Centred, _Poles, Centred]:
        near = plant.poles(w)
        x, y = near.p, near.q
        F = w - (plant.b * (plant.beta * y.square() - plant.alpha * x.square())).times(self.eta)
        far = plant.poles(F)
        value = plant.kappa + plant.alpha * far.p + plant.beta * far.q
        return value, _Poles(far.p, far.q, near.inside & far.inside, near.outside | far.outside), F

    def _count(self, pieces: Pieces) -> None:
        """Look at the clock, and count: what takes too much is given up (`benign.prove.radius`)."""
        self._look()
        self.looked += pieces.box.size
        if self.looked > MOST_LOOKS:
            raise TooMuch

    def _moments(self, pieces: Pieces) -> Interval:
        return Interval(self.s.lo[pieces.task], self.s.hi[pieces.task])


class _Plant:
    """κ, α, β, b and b² of the tasks as mean-value forms."""

    def __init__(self, a: Centred, b: Centred, q: Centred, r: Centred, s: Interval) -> None:
        half = s * 0.5
        inverse = b.reciprocal()
        self.a, self.b, self.b2 = a, b, b.square()
        self.e, self.d = 1.0 - a, 1.0 + a
        self.alpha = (q + r * (self.e * inverse).square()).times(half)
        self.beta = (q + r * (self.d * inverse).square()).times(half)
        self.kappa = -(r * inverse.square()).times(s)

    def poles(self, w: Centred) -> _Poles:
        """1/(1 − c) and 1/(1 + c) at gains."""
        moved = self.b * w
        u, v = self.e + moved, self.d - moved
        inside = (u.box.lo > 0) & (v.box.lo > 0)
        return _Poles(u.reciprocal(), v.reciprocal(), inside, (u.box.hi <= 0) | (v.box.hi <= 0))


@dataclass(frozen=True)
class _Poles:
    """p = 1/(1 − c) and q = 1/(1 + c), whether all of a piece stabilises, or none."""

    p: Centred
    q: Centred
    inside: np.ndarray
    outside: np.ndarray


def _reach(F: Centred) -> Floats:
    moved = F.grad[2:] * F.offset[2:]
    return moved.hi - moved.lo


def _variables(
    lo: Floats, hi: Floats, first: Floats, last: Floats, numbers: Sequence[Interval]
) -> list[Centred]:
    """W in [lo, hi], u in [first, last], a, b, q, r."""
    return variables([lo, first, *(x.lo for x in numbers)], [hi, last, *(x.hi for x in numbers)])


def _numbers(tasks: Sequence[Around]) -> tuple[Numbers, Interval]:
    """Enclosures of the bounds; (a, b) and (−a, −b) have one cost, so that b > 0 may be had."""
    mirrored = np.array([task.b[1] < 0 for task in tasks])
    pairs = []
    for name in "abqr":
        low = Interval.enclose([getattr(task, name)[0] for task in tasks])
        high = Interval.enclose([getattr(task, name)[1] for task in tasks])
        pairs.append(Interval(low.lo, high.hi))
    a, b, q, r = pairs
    a, b = a.flipped(mirrored), b.flipped(mirrored)
    if any(task.discount != 1 for task in tasks):
        root = Interval.enclose([task.discount for task in tasks]).sqrt()
        plain = np.array([task.discount == 1 for task in tasks])
        root = Interval(np.where(plain, 1.0, root.lo), np.where(plain, 1.0, root.hi))
        a, b = root * a, root * b
    return (a, b, q, r), Interval.enclose([task.s for task in tasks])
