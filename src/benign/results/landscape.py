"""What every analysis returns, whatever the size of the family: minimisers, ε, a verdict, its proof."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import inf, isfinite, nextafter
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from benign.results.enclosure import Enclosure
from benign.results.shown import Shown
from benign.results.start import Start
from benign.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from matplotlib.figure import Figure

    from benign.exact.problem import Problem

Floats = NDArray[np.float64]

MOST_LINES = 16
"""Points that `str` prints; the rest is counted."""


class Kind(StrEnum):
    """What a point of the landscape is.

    At an inflection h' = 0 and does not change sign. At a degenerate point some eigenvalues of ∇²h
    count as zero and the others do not disagree, so that higher derivatives decide.

    A jump is a point where the normalised step changes sides (∇g_τ = 0): h is undefined there and
    has two one-sided limits. An edge is a rim of the domain at which h stays finite. A descent can
    end at either without h' = 0; where it must, the point is called a minimum, because it is a local
    minimum of the closure of h (the greatest lower semicontinuous function below h).
    """

    MINIMUM = "minimum"
    MAXIMUM = "maximum"
    SADDLE = "saddle"
    DEGENERATE = "degenerate"
    INFLECTION = "inflection"
    JUMP = "jump"
    JUMP_MINIMUM = "jump minimum"
    EDGE_MINIMUM = "edge minimum"

    @property
    def is_minimum(self) -> bool:
        """Whether a descent can end here."""
        return self in (Kind.MINIMUM, Kind.JUMP_MINIMUM, Kind.EDGE_MINIMUM)


class Point(Protocol):
    """A stationary point, or another at which a descent can end.

    Attributes:
        W: (m, n), the gain, or the middle of its enclosure.
        radius: (m, n), how far the point can be from there; None where it was only observed.
        value: h there; where it was only observed, with the rounding that is to be expected.
        kind: minimum, saddle, …
        gap: h there exceeds min h by no more, proved; ∞ where no bound is known.
        certificate: the document that proves what is proved of it; None without one.
    """

    @property
    def W(self) -> Floats:
        """The gain."""
        ...

    @property
    def radius(self) -> Floats | None:
        """How far off it can be."""
        ...

    @property
    def value(self) -> Enclosure:
        """h there."""
        ...

    @property
    def kind(self) -> Kind:
        """Minimum, saddle or another."""
        ...

    @property
    def gap(self) -> float:
        """A bound of h there minus min h."""
        ...

    @property
    def certificate(self) -> dict[str, Any] | None:
        """Its proof."""
        ...


P = TypeVar("P", bound=Any)


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Landscape(Shown, ABC):
    """The local minima of h(W) = Σ ω_τ f_τ(F_τ(W)), and what follows from the list.

    What the list covers depends on the family, and `coverage` says it: every stationary point for one
    state and one input (`LineLandscape`); every local minimum below a level for two to four parameters
    (`LandscapeBelow`); else what a search met (`ObservedLandscape`).

    Attributes:
        problem: the objective, in exact numbers.
        minimum: min h, enclosed; [0, ∞] where nothing is known.
        epsilon: the smallest ε for which h is ε-global, enclosed (Definition 2 of the paper); of a list
            below a level, for the minima on it.
        verdict: whether every local minimum is global (or within the ε asked about), and why. True only
            if that is proved.
        certificate: the document that `benign.check` proves again; None if there is none for the whole.
        facts: seconds, boxes and the like, for the curious.
        checked: whether `benign.check` proved the certificate again before the result was returned;
            where that is dear it is left to whoever wants to know.
        start: what a method can lose at most that never raises h, from where it would start; None where
            that was not looked at.
    """

    problem: Problem
    minimum: Enclosure = field(default_factory=lambda: Enclosure(0.0, inf))
    epsilon: Enclosure = field(default_factory=lambda: Enclosure(0.0, inf))
    verdict: Verdict
    certificate: dict[str, Any] | None = field(default=None, repr=False)
    facts: dict[str, float] = field(default_factory=dict, repr=False)
    checked: bool = False
    start: Start | None = None

    @property
    @abstractmethod
    def points(self) -> tuple[Any, ...]:
        """All points that are listed (each a `Point`), by increasing value."""

    @property
    @abstractmethod
    def coverage(self) -> Any:
        """What the list covers: `Line`, `Below` or `Met`; its `str` says it in a line."""

    @property
    def minimizers(self) -> tuple[Any, ...]:
        """Where a descent can end (each a `Point`), by increasing value: the first is the best."""
        return tuple(point for point in self.points if point.kind.is_minimum)

    @property
    def certificates(self) -> tuple[dict[str, Any], ...]:
        """Every document that proves something of the result."""
        return self._known(self.certificate)

    def _known(self, *documents: dict[str, Any] | None) -> tuple[dict[str, Any], ...]:
        """Those that there are, and that of the start."""
        own = None if self.start is None else self.start.certificate
        return tuple(one for one in (*documents, own) if one is not None)

    @property
    def relative_epsilon(self) -> Enclosure:
        """ε divided by min h."""
        if not self.minimum.lo > 0:
            return Enclosure(0.0, inf) if self.epsilon.hi > 0 else self.epsilon
        lo, hi = self.epsilon.lo / self.minimum.hi, self.epsilon.hi / self.minimum.lo
        return Enclosure(lo and nextafter(lo, 0.0), hi and nextafter(hi, inf))

    @abstractmethod
    def plot(self) -> Figure | None:
        """The picture, a Matplotlib figure; None where there is nothing to draw."""

    def save(self, directory: str | os.PathLike[str]) -> list[Path]:
        """Write landscape.json, the certificates and the picture to a directory, made if need be.

        `benign.read` reads the result back. All is made in memory first, and each file replaces its
        predecessor in one move.

        Raises:
            OutputError: the directory cannot be made or written; nothing is left half written.
        """
        from benign.views.save import save_landscape

        return save_landscape(self, directory)

    def to_dict(self) -> dict[str, Any]:
        """The result as a JSON document, its certificates by their digests."""
        from benign.results.documents import landscape_document

        return landscape_document(self)

    def to_frame(self) -> Any:
        """A pandas DataFrame, a row for each point.

        Raises:
            UsageError: pandas is not installed.
        """
        from benign.results.tables import frame

        return frame(self)

    def to_xarray(self) -> Any:
        """An xarray Dataset over the points.

        Raises:
            UsageError: xarray is not installed.
        """
        from benign.results.tables import dataset

        return dataset(self)

    def __eq__(self, other: object) -> bool:
        """Whether all that was found is the same; how long it took is not compared."""
        if not isinstance(other, Landscape):
            return NotImplemented
        mine, theirs = self.to_dict(), other.to_dict()
        for document in (mine, theirs):
            document.pop("facts")
        return mine == theirs

    __hash__ = None  # type: ignore[assignment]

    def _ranked(self, points: Sequence[P]) -> tuple[P, ...]:
        """The points by increasing value, each with its gap and the certificate of the whole."""
        return tuple(
            replace(
                point,
                gap=self._gap(point),
                certificate=self.certificate,
            )
            for point in sorted(points, key=lambda point: point.value.mid)
        )

    def _gap(self, point: Any) -> float:
        """h at a point exceeds min h by no more; by no more than ε where it is a local minimum."""
        if self.certificate is None:
            return inf
        most = self.epsilon.hi if point.kind.is_minimum else inf
        if isfinite(point.value.hi) and isfinite(self.minimum.lo):
            most = min(most, max(nextafter(point.value.hi - self.minimum.lo, inf), 0.0))
        return most
