"""What a claim is judged by: a figure's landscape, interval bounds, and findings made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from benign.exact.plants import scalar_plants
from benign.exact.problem import Problem, make_family
from benign.floats.intervals import Floats, Interval, weighted_sum
from benign.floats.scalar import Costs, GradientObjective
from benign.prove.line.enumeration import analyze
from benign.prove.line.gradient import shrink
from benign.results.enclosure import Enclosure
from benign.results.line import LineLandscape, StationaryPoint
from benign.verdict import Status
from benign.views.numbers import short


@dataclass(frozen=True)
class Finding:
    """A verdict on a claim at one step size, the reason in words, and the enclosures behind it."""

    status: Status
    reason: str
    numbers: Mapping[str, Enclosure] = field(default_factory=dict)


@dataclass(frozen=True)
class Claim:
    """A claim in our words, where the paper makes it, and a finding for each step size."""

    figure: str
    text: str
    source: str
    findings: Mapping[str, Finding]


class Case:
    """A figure's landscape at one step size, with the bounds that claims are judged by."""

    def __init__(self, family: str, eta: str, landscape: LineLandscape) -> None:
        self.family, self.eta, self.landscape = family, eta, landscape
        self.problem = landscape.problem
        self.objective = GradientObjective(self.problem)
        self.costs = Costs(scalar_plants(self.problem)[0])

    @property
    def minima(self) -> tuple[StationaryPoint, ...]:
        """The local minima, from left to right."""
        return self.landscape.minima

    @cached_property
    def best(self) -> StationaryPoint | None:
        """The global minimiser, where it is proved to be only one."""
        lowest = [p for p in self.minima if p.value.lo <= self.landscape.minimum.hi]
        return lowest[0] if len(lowest) == 1 and self.landscape.is_complete else None

    @cached_property
    def alone(self) -> list[LineLandscape]:
        """The landscape of each task by itself."""
        return [analyze(Problem(make_family([t]), self.problem.step)) for t in self.problem.tasks]

    def slopes(self, W: Enclosure) -> list[Enclosure]:
        """∇C_τ(W) for every task."""
        return _row(self.costs.slopes(_box(W)[:, None]).d1)

    def adapted(self, W: Enclosure) -> list[Enclosure]:
        """F_τ(W) for every task."""
        return _row(self.objective.adapted(_box(W))[0])

    def jacobian(self, W: Enclosure) -> list[Enclosure]:
        """1 − ηC_τ''(W) for every task."""
        return _row(self.objective.jacobian(_box(W)))

    @cached_property
    def average_minimizer(self) -> Enclosure:
        """The minimiser of (1/|T|) Σ C_τ, which is convex: enclosed by the signs of its slope."""
        left, right = self.costs.rims
        lo, hi = np.array([left.lo.max()]), np.array([right.hi.min()])

        def sides(x: Floats) -> Floats:
            d1 = weighted_sum(self.costs.slopes(Interval.point(x)[:, None]).d1, self.objective.weights)
            return np.where(d1.lo > 0, 1.0, np.where(d1.hi < 0, -1.0, 0.0))

        a, b = lo.copy(), hi.copy()
        for _ in range(60):
            middle = 0.5 * (a + b)
            below = sides(middle) < 0
            a, b = np.where(below, middle, a), np.where(below, b, middle)
        lo, hi = shrink(sides, 0.5 * (a + b), lo, hi)
        return Enclosure(float(lo[0]), float(hi[0]))


def _box(W: Enclosure) -> Interval:
    return Interval(np.array([W.lo]), np.array([W.hi]))


def _row(x: Interval) -> list[Enclosure]:
    return [Enclosure(float(lo), float(hi)) for lo, hi in zip(x.lo[0], x.hi[0], strict=True)]


def size_of(x: Enclosure) -> Enclosure:
    """|x|."""
    if x.lo >= 0:
        return x
    return Enclosure(-x.hi, -x.lo) if x.hi <= 0 else Enclosure(0.0, max(-x.lo, x.hi))


def distance(x: Enclosure, y: Enclosure) -> Enclosure:
    """|x − y|, rounded outward."""
    d = Interval(np.array([x.lo]), np.array([x.hi])) - Interval(np.array([y.lo]), np.array([y.hi]))
    return size_of(Enclosure(float(d.lo[0]), float(d.hi[0])))


def ratio(x: Enclosure, y: Enclosure) -> Enclosure:
    """x/y for x ≥ 0 and y > 0, rounded outward; 0 stays 0."""
    lo, hi = x.lo / y.hi, x.hi / y.lo
    return Enclosure(float(np.nextafter(lo, 0.0)), float(np.nextafter(hi, np.inf)) if hi > 0 else 0.0)


def less(x: Enclosure, y: Enclosure | float) -> bool | None:
    """Whether x < y; None where the enclosures do not say."""
    lo, hi = (y.lo, y.hi) if isinstance(y, Enclosure) else (y, y)
    if x.hi < lo:
        return True
    return False if x.lo >= hi else None


def settled(answer: bool | None, reason: str, **numbers: Enclosure) -> Finding:
    """A finding from a yes, a no, or a cannot say."""
    status = {True: Status.PROVED, False: Status.REFUTED, None: Status.UNDECIDED}[answer]
    return Finding(status, reason, numbers)


def every(answers: list[bool | None]) -> bool | None:
    """Whether all hold: one no settles it, one doubt leaves it open."""
    if any(answer is False for answer in answers):
        return False
    return None if any(answer is None for answer in answers) else True


def counted(count: int) -> Enclosure:
    """A whole number as an enclosure."""
    return Enclosure(float(count), float(count))


def at_gain(point: StationaryPoint) -> str:
    """Where a point is, in words."""
    return f"W = {point.at.mid:.6f}"


def listed(values: list[Enclosure], digits: int = 3) -> str:
    """Numbers in a row."""
    return ", ".join(short(value.mid, digits) for value in values)
