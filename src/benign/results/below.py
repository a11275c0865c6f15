"""What a proof in a few parameters returns: the local minimisers of h at or below a level."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import inf, nextafter
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from benign.exact import globality
from benign.exact.rounding import at_least, at_most, between, exactly, named, settled
from benign.results.enclosure import Enclosure
from benign.results.landscape import MOST_LINES, Kind, Landscape
from benign.verdict import Status, Verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from benign.results.met import ObservedPoint
    from benign.results.observed import ObservedLandscape


@dataclass(frozen=True, eq=False)
class ProvedMinimum:
    """A strict local minimiser of h, enclosed.

    Attributes:
        W: (m, n), the middle of the enclosure.
        radius: (m, n), how far from there each entry can be.
        value: h there.
        gap: h there is proved to exceed min h by no more.
        certificate: the document that proves it, that of the whole list.
    """

    W: Float[np.ndarray, "m n"]
    radius: Float[np.ndarray, "m n"]
    value: Enclosure
    gap: float = inf
    certificate: dict[str, Any] | None = field(default=None, repr=False)

    @property
    def kind(self) -> Kind:
        """A minimum."""
        return Kind.MINIMUM

    def rows(self, digits: int) -> str:
        """The gain, row by row, in so many digits at most, all of them settled."""

        def entry(x: float, r: float) -> str:
            return settled(nextafter(x - r, -inf), nextafter(x + r, inf), digits)

        return "; ".join(
            " ".join(map(entry, row, radius))
            for row, radius in zip(self.W.tolist(), self.radius.tolist(), strict=True)
        )


NEAR = 1e-5
"""A gain that a search met within this multiple of its size of one that is proved is that one."""


def _is_near(met: Float[np.ndarray, "m n"], proved: Float[np.ndarray, "m n"]) -> bool:
    return float(np.abs(met - proved).max()) <= NEAR * max(float(np.abs(proved).max()), 1e-300)


@dataclass(frozen=True)
class Below:
    """What a list covers: all local minima with h ≤ level, among the gains of a region.

    Attributes:
        asked: the level that was asked for; infinite for the whole domain.
        level: what was reached: that, or less when boxes of gains were left. −∞ if nothing was proved.
        bounded: whether the region holds all of the domain.
        region: bounds of the entries of the gains that were searched, row by row.
        boxes, left: boxes looked at, and those left undecided.
    """

    asked: float
    level: float
    bounded: bool
    region: tuple[tuple[float, float], ...]
    boxes: int
    left: int

    def __str__(self) -> str:
        where = "" if self.bounded else " among the gains searched"
        if self.level == inf:
            return f"every local minimum{where}"
        if self.level > 0:
            return f"every local minimum with h ≤ {at_least(self.level)}{where}"
        return "nothing for certain: boxes of gains were left"


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class LandscapeBelow(Landscape):
    """Every local minimiser of h with h ≤ level, proved, and what follows from the list.

    A descent that starts below the level and never rises can end at none but these.

    Attributes:
        asked: the level that was asked for, c; infinite for the whole domain.
        level: what was reached: c, or less when boxes of gains were left. −∞ if nothing was proved.
        bounded: whether the gains that were searched hold all of the domain; otherwise only those
            within `region`, and `minimum` and `epsilon` speak of these.
        region: (2, m, n), bounds of the entries of the gains that were searched.
        proved: the list, by increasing value.
        boxes, left: boxes looked at, and those left undecided.
        interrupted: whether Ctrl-C ended the proof.
        observed: what a search met, which guided the proof; None if there was none.
    """

    asked: float
    level: float
    bounded: bool
    region: Float[np.ndarray, "2 m n"]
    proved: tuple[ProvedMinimum, ...]
    boxes: int
    left: int
    observed: ObservedLandscape | None = field(default=None, repr=False)
    interrupted: bool = False

    @property
    def points(self) -> tuple[ProvedMinimum, ...]:
        """All points of the list, by increasing value."""
        return self._ranked(self.proved)

    @property
    def beside(self) -> tuple[ObservedPoint, ...]:
        """The minima that the search met and that are not on the list, by increasing value.

        None that lies where the list is proved complete: what was met there is no minimum.
        """
        met = () if self.observed is None else self.observed.minimizers
        return tuple(
            point
            for point in met
            if not (self._is_excluded(point) or any(_is_near(point.W, p.W) for p in self.proved))
        )

    @property
    def unproved(self) -> tuple[ObservedPoint, ...]:
        """Those of them that are not proved by themselves either."""
        return tuple(point for point in self.beside if not point.is_proved)

    @property
    def listed(self) -> dict[str, Any] | None:
        """The certificate of those that are proved by themselves; None if none is."""
        return None if self.observed is None else self.observed.listed

    @property
    def certificates(self) -> tuple[dict[str, Any], ...]:
        """Every document that proves something of the result."""
        return self._known(self.certificate, self.listed)

    def _is_excluded(self, point: ObservedPoint) -> bool:
        """Whether it is proved that there is no further minimum where one was met."""
        lo, hi = self.region
        inside = self.bounded or bool(((lo <= point.W) & (hi >= point.W)).all())
        return inside and point.height < self.level

    @property
    def coverage(self) -> Below:
        """What the list covers."""
        lo, hi = self.region.reshape(2, -1).tolist()
        region = tuple(zip(lo, hi, strict=True))
        return Below(self.asked, self.level, self.bounded, region, self.boxes, self.left)

    @property
    def is_complete(self) -> bool:
        """Whether the list is proved complete below the level that was asked for."""
        return self.left == 0

    def withdrawn(self, verdict: Verdict) -> LandscapeBelow:
        """The same with nothing proved: the checker has refused the certificate."""
        return replace(
            self, certificate=None, verdict=verdict, level=-inf, left=max(self.left, 1), proved=(),
            minimum=Enclosure(0.0, inf), epsilon=Enclosure(0.0, inf),
            observed=None if self.observed is None else self.observed.withdrawn(verdict),
        )  # fmt: skip

    def _gap(self, point: Any) -> float:
        # A refutation of a list that is not complete proves no lower bound of h.
        return super()._gap(point) if self.bounded and self.level > 0 else inf

    def plot(self) -> Figure | None:
        """The picture, a Matplotlib figure."""
        from benign.views.below import below_scene
        from benign.views.picture import draw_scene

        return draw_scene(below_scene(self))

    def __str__(self) -> str:
        lines = [f"{self.verdict}"]
        lines += [
            f"  minimum  h = {point.value}  W = [{point.rows(9)}]"
            for point in self.minimizers[:MOST_LINES]
        ]
        more = len(self.proved) - MOST_LINES
        lines += [f"  … and {more} more"] if more > 0 else []
        lines += [
            f"  {'proved by itself' if p.is_proved else 'met, not proved'}  h = {p.height:.9g}"
            for p in self.beside[:MOST_LINES]
        ]
        if self.level > 0:
            lines.append(
                f"  complete for h ≤ {at_least(self.level)}; {self.boxes} boxes, {self.left} left"
            )
        lines.append(f"  epsilon in {between(self.epsilon.lo, self.epsilon.hi, 3)}")
        lines += [] if self.start is None else [f"  {self.start}"]
        return "\n".join(lines)


def verdict_below(
    values: list[Enclosure],
    *,
    asked: Fraction,
    wanted: float,
    level: float,
    left: int,
    bounded: bool,
) -> Verdict:
    """The verdict on "every local minimum with h ≤ wanted is within ε = asked of the lowest one".

    Two minima that are surely at or below `wanted` and differ by more refute it, whatever is not
    listed. It is proved of the minima at or below the level that was reached, when no box is left.

    Args:
        values: of the minima that were proved and may be at or below `wanted`.
        asked: ε.
        wanted: the level that the statement is about.
        level: what was reached.
        left: boxes that are left.
        bounded: whether the gains that were searched hold all of the domain.
    """
    where = "" if wanted == np.inf else f" with h ≤ {named(Fraction(wanted))}"
    place = "" if bounded else ", among the gains searched,"
    least = "global" if bounded else "the lowest"
    within = f"is {least}" if asked == 0 else f"is within {exactly(asked)} of the {_one(bounded)} one"
    statement = f"every local minimum of h{where}{place} {within}"
    witnesses = [value for value in values if value.hi <= wanted]
    gap = globality.epsilon(witnesses, ())[0] if len(witnesses) > 1 else 0.0
    if Fraction(gap) > asked:
        worst = max(witnesses, key=lambda value: value.lo)
        reason = (
            f"one with h in {between(worst.lo, worst.hi, 10)} lies at least {at_least(gap, 3)} above "
            "the lowest that was found"
        )
        return Verdict(Status.REFUTED, statement, reason)
    if left:
        done = f"the list is complete for h ≤ {at_least(level)}" if level > 0 else "nothing is known"
        boxes = "box of gains is" if left == 1 else "boxes of gains are"
        return Verdict(Status.UNDECIDED, statement, f"{left} {boxes} left; {done}")
    epsilon = globality.epsilon(values, ())[1] if len(values) > 1 else 0.0
    if values and Fraction(epsilon) <= asked:
        reason = "there is one" if len(values) == 1 else f"epsilon is at most {at_most(epsilon, 3)}"
        return Verdict(Status.PROVED, statement, reason)
    gap = f"at most {at_most(epsilon, 3)}"
    reason = f"the values of the minima could not be told apart; the gap left is {gap}"
    return Verdict(Status.UNDECIDED, statement, reason)


def _one(bounded: bool) -> str:
    return "global" if bounded else "lowest"
