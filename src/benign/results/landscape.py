"""What an analysis returns: small frozen results that say the verdict first."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from math import inf, nextafter
from typing import TYPE_CHECKING, Any, NamedTuple

from benign.exact.rounding import between, settled
from benign.verdict import Status, Verdict

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure

    from benign.exact.problem import Problem


__all__ = [
    "Enclosure",
    "Kind",
    "Landscape",
    "OpenInterval",
    "StationaryPoint",
    "Status",
    "TaskOptimum",
    "Undecided",
    "Verdict",
]


class Enclosure(NamedTuple):
    """A closed interval [lo, hi] of float64 that surely holds a real number."""

    lo: float
    hi: float

    @property
    def mid(self) -> float:
        """A float64 in the middle."""
        return self.lo + 0.5 * (self.hi - self.lo)

    @property
    def width(self) -> float:
        """hi − lo."""
        return self.hi - self.lo

    def __contains__(self, x: object) -> bool:
        return isinstance(x, (int, float)) and self.lo <= x <= self.hi


class Kind(StrEnum):
    """What a point of the landscape is.

    At an inflection h' = 0 and does not change sign.

    A jump is a point where the normalised step changes sides (∇g_τ = 0): h is undefined there and
    has two one-sided limits. An edge is a rim of the domain at which h stays finite. A descent can
    end at either without h' = 0; where it must, the point is called a minimum, because it is a local
    minimum of the closure of h (the greatest lower semicontinuous function below h).
    """

    MINIMUM = "minimum"
    MAXIMUM = "maximum"
    INFLECTION = "inflection"
    JUMP = "jump"
    JUMP_MINIMUM = "jump minimum"
    EDGE_MINIMUM = "edge minimum"

    @property
    def is_minimum(self) -> bool:
        """Whether a descent can end here."""
        return self in (Kind.MINIMUM, Kind.JUMP_MINIMUM, Kind.EDGE_MINIMUM)


@dataclass(frozen=True)
class StationaryPoint:
    """A point of the landscape, enclosed.

    Attributes:
        W: the gain.
        value: h there (for a jump or an edge, the lower one-sided limit).
        kind: minimum, maximum, jump, …
        curvature: h'' there (None at a jump or an edge).
        limits: the limits of h from the left and from the right (jumps and edges only; None on the
            side that is outside the domain).
        multiplicity: of the zero of h'; more than one where h'' = 0 as well, at a degenerate point.
    """

    W: Enclosure
    value: Enclosure
    kind: Kind
    curvature: Enclosure | None = None
    limits: tuple[Enclosure | None, Enclosure | None] | None = None
    multiplicity: int = 1


@dataclass(frozen=True)
class Undecided:
    """A stretch of gains where nothing was proved, and what h is at least and at most there.

    (At a jump, about which it is not known whether a descent ends there: the lower one-sided limit.)
    """

    W: Enclosure
    value: Enclosure
    reason: str


@dataclass(frozen=True)
class OpenInterval:
    """A piece (lo, hi) of the domain of h; both ends are enclosed."""

    lo: Enclosure
    hi: Enclosure


@dataclass(frozen=True)
class TaskOptimum:
    """W* and C* of one task's evaluation cost, and ρ(A) of its plant.

    [nan, nan] where the infimum is not attained (q = 0 and √γ|a| = 1).
    """

    name: str
    spectral_radius: float
    W: Enclosure
    cost: Enclosure


@dataclass(frozen=True)
class Landscape:
    """Every stationary point of a scalar meta-objective, and what follows from the list.

    Attributes:
        problem: the objective, in exact numbers.
        domain: the open intervals on which h is finite; where a stretch is undecided it is also not
            known whether the domain has a gap there.
        stationary_points: all of them, from left to right, with the jumps and edges.
        undecided: stretches that could not be decided; empty when the list is proved complete.
        minimum: the infimum of h, enclosed.
        epsilon: the smallest ε for which h is ε-global, enclosed (Definition 2 of the paper).
        verdict: whether every local minimum is global (ε = 0), with the witness or the gap left.
        certificate: the JSON document that `benign.check` proves again; None if the checker refused it.
        facts: how it was found (boxes, seconds), for the curious.
        checked: whether `benign.check` proved the certificate again before the result was returned;
            where that is dear it is left to whoever wants to know.
    """

    problem: Problem
    domain: tuple[OpenInterval, ...]
    stationary_points: tuple[StationaryPoint, ...]
    undecided: tuple[Undecided, ...]
    minimum: Enclosure
    epsilon: Enclosure
    verdict: Verdict
    certificate: dict[str, Any] | None = field(repr=False)
    facts: dict[str, float] = field(default_factory=dict, repr=False)
    checked: bool = False

    @cached_property
    def optima(self) -> tuple[TaskOptimum, ...]:
        """The optimum of each task alone (computed when first asked for)."""
        from benign.results.optima import task_optima

        return task_optima(self.problem)

    @property
    def minimizers(self) -> tuple[StationaryPoint, ...]:
        """The points where a descent can end, from left to right."""
        return tuple(point for point in self.stationary_points if point.kind.is_minimum)

    @property
    def is_complete(self) -> bool:
        """Whether the list is proved to hold every stationary point."""
        return not self.undecided

    @property
    def relative_epsilon(self) -> Enclosure:
        """ε divided by min h."""
        if self.minimum.lo <= 0:
            return Enclosure(0.0, float("inf")) if self.epsilon.hi > 0 else self.epsilon
        lo, hi = self.epsilon.lo / self.minimum.hi, self.epsilon.hi / self.minimum.lo
        return Enclosure(lo and nextafter(lo, 0.0), hi and nextafter(hi, inf))

    def plot(self) -> Figure:
        """The picture of the landscape, a Matplotlib figure."""
        from benign import views

        return views.draw_landscape(self)

    def save(self, directory: str | os.PathLike[str]) -> list[Path]:
        """Write landscape.json, certificate.json, landscape.png and landscape.svg to a directory."""
        from benign import views

        return views.save_landscape(self, directory)

    def __str__(self) -> str:
        lines = [f"{self.verdict}"]
        lines += [
            f"  {point.kind:13} W = {settled(*point.W)}  h = {settled(*point.value)}"
            for point in self.stationary_points
        ]
        lines += [f"  undecided      W in {between(*u.W, 9)}" for u in self.undecided]
        lines.append(f"  epsilon in {between(*self.epsilon, 3)}")
        return "\n".join(lines)
