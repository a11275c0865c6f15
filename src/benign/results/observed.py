"""What a search returns: stationary points as observed, proved one by one where that was possible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np

from benign.exact.rounding import at_least, between, exactly
from benign.results.enclosure import Enclosure
from benign.results.landscape import MOST_LINES, Kind, Landscape
from benign.results.met import ROUNDING, Met, ObservedPoint, Run, proved_point
from benign.verdict import Status, Verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from benign.meta.objective import MetaObjective

DOUBTFUL = 1e-9
"""A rounding of h above this, relative to h, is told."""


def _refuted(certificate: dict[str, Any], proved: str, unseen: str) -> Verdict:
    """That not every local minimum is global, of two minima that were proved."""
    asked, gap = Fraction(certificate["asked"]), float(certificate["epsilon"])
    _, high = certificate["proof"]["minimisers"]
    what = "is global" if asked == 0 else f"is within {exactly(asked)} of the global one"
    where = between(high["value"][0], high["value"][1], 10)
    reason = (
        f"one with h in {where} lies at least {at_least(gap, 3)} above another, "
        f"{proved or 'both proved'}; what else there is was searched for: {unseen}"
    )
    return Verdict(Status.REFUTED, f"every local minimum of h {what}", reason)


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class ObservedLandscape(Landscape):
    """The stationary points that a search met: an observation, never a proof of completeness.

    Points may be proved one by one; `listed` is the certificate of all of these. Where two minima of
    different value are proved, `certificate` holds them, and the verdict is that not every local
    minimum is global; `epsilon` is bounded from below then.

    Attributes:
        met: what was met, by increasing value.
        missing_mass: the estimated chance that one more random start ends at a minimiser not among
            `met`; see the function of that name.
        starts: random starts.
        converged: those of them whose descent ended at a stationary point. The others ran into a
            jump or a rim where h stays finite, or out of steps.
        runs: every run that ended at a stationary point.
        remark: why it is a search and no proof, where that is not plain.
        listed: the certificate of the points that are proved; None if none is.
    """

    met: tuple[ObservedPoint, ...]
    missing_mass: float
    starts: int
    converged: int
    runs: tuple[Run, ...] = field(default=(), repr=False)
    remark: str = ""
    listed: dict[str, Any] | None = field(default=None, repr=False)
    verdict: Verdict = field(init=False)

    def __post_init__(self) -> None:
        proved = self._proved()
        known = [point.value.hi for point in self.met if point.is_proved]
        if self.certificate is None:
            reason = f"{proved}, that there is no other is not: {self._unseen()}"
            reason = reason if proved else self._unseen()
            reason = f"{reason}; {self.remark}" if self.remark else reason
            verdict = Verdict(Status.OBSERVED, self._found(), reason)
        else:
            verdict = _refuted(self.certificate, proved, self._unseen())
            known += [float(x["value"][1]) for x in self.certificate["proof"]["minimisers"]]
            object.__setattr__(self, "epsilon", Enclosure(float(self.certificate["epsilon"]), inf))
        if known:  # h is so low somewhere
            object.__setattr__(self, "minimum", Enclosure(0.0, min(known)))
        object.__setattr__(self, "verdict", verdict)

    @cached_property
    def objective(self) -> MetaObjective:
        """The objective for JAX."""
        from benign.meta.given import as_objective

        return as_objective(self.problem, "objective")

    @property
    def points(self) -> tuple[ObservedPoint, ...]:
        """All points of the list, by increasing value."""
        return self.met

    @property
    def certificates(self) -> tuple[dict[str, Any], ...]:
        """Every document that proves something of the result."""
        return self._known(self.certificate, self.listed, *(p.certificate for p in self.minimizers))

    @property
    def coverage(self) -> Met:
        """What the list covers."""
        return Met(self.starts, self.converged, self.missing_mass)

    @property
    def minimizers(self) -> tuple[ObservedPoint, ...]:
        """The minima, and the degenerate points at which descents ended, by increasing value."""
        degenerate = Kind.DEGENERATE
        return tuple(
            point
            for point in self.points
            if point.kind is Kind.MINIMUM or (point.kind is degenerate and point.hits > 0)
        )

    def with_certificates(self, certificates: Sequence[dict[str, Any] | None]) -> ObservedLandscape:
        """The same with certificates for its minimisers, from the best on; None for none."""
        attached = dict(zip(map(id, self.minimizers), certificates, strict=False))
        met = tuple(replace(p, certificate=attached.get(id(p), p.certificate)) for p in self.met)
        return replace(self, met=met)

    def with_proofs(
        self,
        listed: dict[str, Any] | None,
        entries: Mapping[int, dict[str, Any]],
        doubts: Mapping[int, str],
    ) -> ObservedLandscape:
        """The same with points that are proved.

        Args:
            listed: the certificate of them all.
            entries: its entries, by the position of the point in `met`.
            doubts: by position, why others were tried in vain.
        """
        met = [
            proved_point(point, entries[i])
            if i in entries
            else replace(point, doubt=doubts.get(i, point.doubt))
            for i, point in enumerate(self.met)
        ]
        order = sorted(range(len(met)), key=lambda i: met[i].height)  # it may change in the last digit
        place = {i: position for position, i in enumerate(order)}
        runs = tuple(replace(run, point=place[run.point]) for run in self.runs)
        return replace(self, met=tuple(met[i] for i in order), runs=runs, listed=listed)

    def refuted(self, certificate: dict[str, Any]) -> ObservedLandscape:
        """The same with a document that proves two of its minima, and that one is not global."""
        return replace(self, certificate=certificate)

    def withdrawn(self, verdict: Verdict) -> ObservedLandscape:
        """The same with nothing proved of the whole: the checker has refused the certificate."""
        nothing = Enclosure(0.0, inf)
        return replace(
            self,
            met=tuple(replace(point, proof=None) for point in self.met),
            listed=None,
            certificate=None,
            minimum=nothing,
            epsilon=nothing,
            remark=verdict.reason,
        )

    def without_proof(self, why: str) -> ObservedLandscape:
        """The same, with the reason why it was not proved."""
        return replace(self, remark=f"not proved: {why}")

    @property
    def spread(self) -> float:
        """Largest minus smallest value of a minimiser met; 0 without any.

        To rounding the smallest ε for which h is ε-global is at least this; a minimiser that was
        not met may make it larger.
        """
        values = [point.height for point in self.minimizers]
        return max(values) - min(values) if values else 0.0

    def _found(self) -> str:
        minima = self.minimizers
        if not minima:
            return f"no local minimum, from {self.starts} starts"
        if len(minima) == 1:
            return f"one local minimum, h = {minima[0].height:.9g}, from {self.starts} starts"
        low, high = minima[0].height, minima[-1].height
        if high - low <= max(ROUNDING, *(point.rounding for point in minima)) * abs(high):
            return f"{len(minima)} local minima, all h = {low:.9g}, from {self.starts} starts"
        return (
            f"{len(minima)} local minima, h from {low:.9g} to {high:.9g} (epsilon at least "
            f"{at_least(self.spread, 3)}), from {self.starts} starts"
        )

    def _proved(self) -> str:
        """How many of the minima are proved one by one; empty if none is."""
        minima = self.minimizers
        proved = sum(point.is_proved for point in minima)
        if not proved:
            return ""
        if len(minima) == 1:
            return "it is proved"
        if proved == len(minima):
            return "both are proved" if proved == 2 else f"all {proved} are proved"
        return f"{proved} of these {len(minima)} {'is' if proved == 1 else 'are'} proved"

    def _unseen(self) -> str:
        stopped = self.starts - self.converged
        tail = f"; {stopped} starts ended at no stationary point" if stopped else ""
        worst = max((point.rounding for point in self.minimizers), default=0.0)
        if worst > DOUBTFUL:
            tail += f"; a loop is almost unstable there: h is known to {worst:.1g} of itself only"
        if self.starts == 0:
            return f"no random start was made in the time given{tail}"
        if cut := self.facts.get("starts cut off"):
            tail += f"; time ended it after {self.starts} of {self.starts + int(cut)} starts"
        if self.converged == 0:
            return f"nothing is known of what was not seen{tail}"
        # An estimate of nothing from N starts cannot tell a chance of 1/N from none.
        word, share = "about", self.missing_mass
        if share == 0:
            word, share = "fewer than", 1 / self.converged
        return f"by estimate {word} {100 * share:.2g} % of starts would end at one not seen{tail}"

    def plot(self) -> Figure | None:
        """The picture, a Matplotlib figure."""
        from benign.views.picture import draw_observed

        return draw_observed(self)

    def __str__(self) -> str:
        lines = [f"{self.verdict}"]
        for point in self.points[:MOST_LINES]:
            gain = np.array2string(point.W, precision=5, threshold=8, edgeitems=2, separator=", ")
            lines.append(
                f"  {point.kind:10} h = {point.height:<13.9g} hits {point.hits:<4} "
                f"regret {point.regret:<9.3g} {'proved' if point.is_proved else 'met'}   "
                f"W = {' '.join(gain.split())}"
            )
        if len(self.points) > MOST_LINES:
            lines.append(f"  … and {len(self.points) - MOST_LINES} more stationary points")
        lines += [] if self.start is None else [f"  {self.start}"]
        return "\n".join(lines)
