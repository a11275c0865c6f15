"""The landscape of one state and one input: every stationary point, enclosed, from left to right."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np

from benign.exact.rounding import between
from benign.results.enclosure import Enclosure
from benign.results.landscape import MOST_LINES, Floats, Kind, Landscape

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from benign.verdict import Verdict


@dataclass(frozen=True)
class StationaryPoint:
    """A point of the landscape, enclosed.

    Attributes:
        at: the gain, as the number that it is.
        value: h there (for a jump or an edge, the lower one-sided limit).
        kind: minimum, maximum, jump, …
        curvature: h'' there (None at a jump or an edge).
        limits: the limits of h from the left and from the right (jumps and edges only; None on the
            side that is outside the domain).
        multiplicity: of the zero of h'; more than one where h'' = 0 as well, at a degenerate point.
        gap: h there is proved to exceed min h by no more.
        certificate: the document that proves it, that of the whole landscape.
    """

    at: Enclosure
    value: Enclosure
    kind: Kind
    curvature: Enclosure | None = None
    limits: tuple[Enclosure | None, Enclosure | None] | None = None
    multiplicity: int = 1
    gap: float = inf
    certificate: dict[str, Any] | None = field(default=None, repr=False)

    @property
    def W(self) -> Floats:
        """(1, 1), the middle of `at`."""
        return np.array([[self.at.mid]])

    @property
    def radius(self) -> Floats:
        """(1, 1), how far the gain can be from there."""
        return np.array([[self.at.radius]])


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
class Line:
    """What a list of stationary points covers: the whole line, but for the stretches left undecided.

    Attributes:
        domain: the open intervals on which h is finite.
        undecided: stretches that could not be decided.
    """

    domain: tuple[OpenInterval, ...]
    undecided: tuple[Undecided, ...] = ()

    def __str__(self) -> str:
        left = len(self.undecided)
        return "every stationary point" + (
            f", but for {left} undecided stretch{'es' if left > 1 else ''}" if left else ""
        )


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class LineLandscape(Landscape):
    """Every stationary point of a scalar meta-objective, and what follows from the list.

    Attributes:
        domain: the open intervals on which h is finite; where a stretch is undecided it is also not
            known whether the domain has a gap there.
        stationary_points: all of them, from left to right, with the jumps and edges.
        undecided: stretches that could not be decided; empty when the list is proved complete.
    """

    domain: tuple[OpenInterval, ...]
    stationary_points: tuple[StationaryPoint, ...]
    undecided: tuple[Undecided, ...]

    @cached_property
    def optima(self) -> tuple[TaskOptimum, ...]:
        """The optimum of each task alone (computed when first asked for)."""
        from benign.results.optima import task_optima

        return task_optima(self.problem)

    @property
    def minima(self) -> tuple[StationaryPoint, ...]:
        """The points where a descent can end, from left to right."""
        return tuple(point for point in self.stationary_points if point.kind.is_minimum)

    @property
    def is_complete(self) -> bool:
        """Whether the list is proved to hold every stationary point."""
        return not self.undecided

    @property
    def points(self) -> tuple[StationaryPoint, ...]:
        """All points of the list, by increasing value."""
        return self._ranked(self.stationary_points)

    @property
    def coverage(self) -> Line:
        """What the list covers."""
        return Line(self.domain, self.undecided)

    def withdrawn(self, verdict: Verdict) -> LineLandscape:
        """The same with nothing proved: the checker has refused the certificate."""
        ends = [end for piece in self.domain for end in (piece.lo.lo, piece.hi.hi)] or [-inf, inf]
        whole = Undecided(Enclosure(min(ends), max(ends)), Enclosure(0.0, inf), verdict.reason)
        nothing = Enclosure(0.0, inf)
        return replace(
            self,
            certificate=None,
            verdict=verdict,
            undecided=(whole,),
            minimum=nothing,
            epsilon=nothing,
        )

    def plot(self) -> Figure:
        """The picture, a Matplotlib figure."""
        from benign.views import draw_landscape

        return draw_landscape(self)

    def __str__(self) -> str:
        lines = [f"{self.verdict}"]
        lines += [
            f"  {point.kind:13} W = {point.at}  h = {point.value}"
            for point in self.stationary_points[:MOST_LINES]
        ]
        lines += [
            f"  undecided      W in {between(u.W.lo, u.W.hi, 9)}" for u in self.undecided[:MOST_LINES]
        ]
        more = len(self.stationary_points) + len(self.undecided) - len(lines) + 1
        lines += [f"  … and {more} more"] if more else []
        lines.append(f"  epsilon in {between(self.epsilon.lo, self.epsilon.hi, 3)}")
        lines += [] if self.start is None else [f"  {self.start}"]
        return "\n".join(lines)
