"""What a search returns: stationary points as observed in floating point; how many may be missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from benign.exact.rounding import at_least, between, exactly
from benign.results.enclosure import Enclosure
from benign.results.landscape import MOST_LINES, Kind, Landscape
from benign.verdict import Status, Verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from benign.meta.objective import MetaObjective

ROUNDING, DOUBTFUL = 1e-12, 1e-9
"""Values of h that agree to the first, or to the rounding of h there, are called equal in the verdict;
a rounding above the second is told."""


def kind_of(signs: Int[np.ndarray, " p"] | Float[np.ndarray, " p"]) -> Kind:
    """The kind, from the signs −1, 0, 1 of the eigenvalues."""
    up, down = bool((signs > 0).any()), bool((signs < 0).any())
    if up and down:
        return Kind.SADDLE
    if bool((signs == 0).any()):
        return Kind.DEGENERATE
    return Kind.MINIMUM if up else Kind.MAXIMUM


def missing_mass(hits: Sequence[int]) -> float:
    """m ≈ N₁/N: the chance that one more random start ends at a minimiser not seen so far.

    N₁ is the number of minimisers that exactly one start ended at, N that of all starts. The
    expectation of N₁/N is that of the missing mass up to an error below 1/N, whatever the basins
    are; its standard deviation is about √(N₁ + 2N₂)/N, N₂ the number seen exactly twice. It speaks
    of the law the starts were drawn from: a basin that this law does not meet has no mass.

    Args:
        hits: for each minimiser, how many random starts ended at it.

    Returns:
        The estimate, in [0, 1]; 1 if no start ended anywhere.

    Source: I. J. Good, The population frequencies of species and the estimation of population
    parameters, Biometrika 40 (1953) 237–264, equation (9); the error: D. McAllester and
    R. E. Schapire, On the convergence rate of Good–Turing estimators, COLT 2000.
    """
    total = sum(hits)
    return sum(1 for count in hits if count == 1) / total if total else 1.0


@dataclass(frozen=True, eq=False)
class ObservedPoint:
    """A stationary point, to rounding.

    Attributes:
        W: (m, n) gain.
        height: h(W), in floating point.
        gradient_norm: ‖∇h(W)‖, Frobenius; what is left of it.
        kind: by the signs of the eigenvalues.
        eigenvalues: (mn,) of ∇²h(W), ascending.
        hits: how many descents from random starts ended here (0: found in another way).
        regret: Σ ω_τ (f_τ(F_τ(W)) − f_τ*), an upper bound on h(W) − min h, in floating point; f_τ* is
            replaced by 0 for a task whose optimum the Riccati equation does not give.
        rounding: the relative error to expect in `value`; large where a loop is almost unstable.
        certificate: a document that `benign.check` proves of the gain, once one is attached: its gap.
    """

    W: Float[np.ndarray, "m n"]
    height: float
    gradient_norm: float
    kind: Kind
    eigenvalues: Float[np.ndarray, " p"]
    hits: int
    regret: float
    rounding: float = 0.0
    certificate: dict[str, Any] | None = field(default=None, repr=False)

    @property
    def radius(self) -> None:
        """None: the point itself is not proved."""

    @property
    def value(self) -> Enclosure:
        """h(W) with the rounding that is to be expected, and not proved to hold it."""
        error = max(self.rounding, ROUNDING) * abs(self.height)
        return Enclosure(self.height - error, self.height + error)

    @property
    def gap(self) -> float:
        """h(W) exceeds min h by no more, proved; ∞ without a certificate."""
        return inf if self.certificate is None else float(self.certificate["gap"])


@dataclass(frozen=True, eq=False)
class Run:
    """One run that ended at a stationary point.

    Attributes:
        start: (m, n) gain it began at.
        point: the position of its end in `ObservedLandscape.points`.
        method: "random" (a descent from a random start; these are the hits), "anchor" (a descent
            from an optimum, their mean, …), "escape" (a descent that left a saddle) or "newton".
    """

    start: Float[np.ndarray, "m n"]
    point: int
    method: str


@dataclass(frozen=True)
class Met:
    """What a search covers: nothing for certain.

    Attributes:
        starts: random starts.
        converged: those of them that ended at a stationary point.
        missing_mass: the estimated chance that one more would end at a minimiser that was not met.
    """

    starts: int
    converged: int
    missing_mass: float

    def __str__(self) -> str:
        return f"what a search from {self.starts} random starts met; it can have missed minima"


def _refuted(certificate: dict[str, Any], unseen: str) -> Verdict:
    """That not every local minimum is global, of two minima that were proved."""
    asked, gap = Fraction(certificate["asked"]), float(certificate["epsilon"])
    _, high = certificate["proof"]["minimisers"]
    what = "is global" if asked == 0 else f"is within {exactly(asked)} of the global one"
    where = between(high["value"][0], high["value"][1], 10)
    reason = (
        f"one with h in {where} lies at least {at_least(gap, 3)} above another, "
        f"both proved; what else there is was searched for: {unseen}"
    )
    return Verdict(Status.REFUTED, f"every local minimum of h {what}", reason)


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class ObservedLandscape(Landscape):
    """The stationary points that a search met: an observation, never a proof of completeness.

    Where two minima of different value are proved, `certificate` holds them, and the verdict is that
    not every local minimum is global; `minimum` and `epsilon` are bounded on one side then.

    Attributes:
        met: what was met, by increasing value.
        missing_mass: the estimated chance that one more random start ends at a minimiser not among
            `met`; see the function of that name.
        starts: random starts.
        converged: those of them whose descent ended at a stationary point. The others ran into a
            jump or a rim where h stays finite, or out of steps.
        runs: every run that ended at a stationary point.
        remark: why it is a search and no proof, where that is not plain.
    """

    met: tuple[ObservedPoint, ...]
    missing_mass: float
    starts: int
    converged: int
    runs: tuple[Run, ...] = field(default=(), repr=False)
    remark: str = ""
    verdict: Verdict = field(init=False)

    def __post_init__(self) -> None:
        reason = f"{self._unseen()}; {self.remark}" if self.remark else self._unseen()
        verdict = Verdict(Status.OBSERVED, self._found(), reason)
        if self.certificate is not None:
            verdict = _refuted(self.certificate, self._unseen())
            low, _ = self.certificate["proof"]["minimisers"]
            object.__setattr__(self, "minimum", Enclosure(0.0, float(low["value"][1])))
            object.__setattr__(self, "epsilon", Enclosure(float(self.certificate["epsilon"]), inf))
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
        gaps = tuple(p.certificate for p in self.minimizers if p.certificate is not None)
        return gaps if self.certificate is None else (self.certificate, *gaps)

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

    def refuted(self, certificate: dict[str, Any]) -> ObservedLandscape:
        """The same with a document that proves two of its minima, and that one is not global."""
        return replace(self, certificate=certificate)

    def withdrawn(self, verdict: Verdict) -> ObservedLandscape:
        """The same with nothing proved of the whole: the checker has refused the certificate."""
        nothing = Enclosure(0.0, inf)
        return replace(self, certificate=None, minimum=nothing, epsilon=nothing, remark=verdict.reason)

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
                f"regret {point.regret:<9.3g} W = {' '.join(gain.split())}"
            )
        if len(self.points) > MOST_LINES:
            lines.append(f"  … and {len(self.points) - MOST_LINES} more stationary points")
        return "\n".join(lines)
