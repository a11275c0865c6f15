"""What a search returns: stationary points as observed in floating point; how many may be missing."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int

from benign.exact.rounding import at_least

if TYPE_CHECKING:
    from pathlib import Path

    from benign.meta.objective import MetaObjective

VERSION = 1
MOST_LINES = 16
"""Points that `str` prints; the rest is counted."""

ROUNDING, DOUBTFUL = 1e-12, 1e-9
"""Values of h that agree to the first, or to the rounding of h there, are called equal in the verdict;
a rounding above the second is told."""


class ObservedKind(StrEnum):
    """What the eigenvalues of ∇²h say of a stationary point.

    Degenerate: some eigenvalues count as zero and the others do not disagree, so that higher
    derivatives decide. Where a descent from a random start ended at one, it is counted among the
    minimisers.
    """

    MINIMUM = "minimum"
    SADDLE = "saddle"
    MAXIMUM = "maximum"
    DEGENERATE = "degenerate"


def kind_of(signs: Int[np.ndarray, " p"] | Float[np.ndarray, " p"]) -> ObservedKind:
    """The kind, from the signs −1, 0, 1 of the eigenvalues."""
    up, down = bool((signs > 0).any()), bool((signs < 0).any())
    if up and down:
        return ObservedKind.SADDLE
    if bool((signs == 0).any()):
        return ObservedKind.DEGENERATE
    return ObservedKind.MINIMUM if up else ObservedKind.MAXIMUM


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
        value: h(W).
        gradient_norm: ‖∇h(W)‖, Frobenius; what is left of it.
        kind: by the signs of the eigenvalues.
        eigenvalues: (mn,) of ∇²h(W), ascending.
        hits: how many descents from random starts ended here (0: found in another way).
        regret: Σ ω_τ (f_τ(F_τ(W)) − f_τ*), an upper bound on h(W) − min h, in floating point; f_τ* is
            replaced by 0 for a task whose optimum the Riccati equation does not give.
        rounding: the relative error to expect in `value`; large where a loop is almost unstable.
        certificate: a document that `benign.check` proves, once one is attached.
    """

    W: Float[np.ndarray, "m n"]
    value: float
    gradient_norm: float
    kind: ObservedKind
    eigenvalues: Float[np.ndarray, " p"]
    hits: int
    regret: float
    rounding: float = 0.0
    certificate: dict[str, Any] | None = field(default=None, repr=False)


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


@dataclass(frozen=True, eq=False)
class ObservedLandscape:
    """The stationary points that a search met: an observation, never a proof of completeness.

    Attributes:
        objective: the meta-objective.
        points: what was met, by increasing value.
        missing_mass: the estimated chance that one more random start ends at a minimiser not among
            `points`; see the function of that name.
        starts: random starts.
        converged: those of them whose descent ended at a stationary point. The others ran into a
            jump or a rim where h stays finite, or out of steps.
        runs: every run that ended at a stationary point.
        facts: seconds, evaluations, rounds, runs by method, for the curious.
    """

    objective: MetaObjective
    points: tuple[ObservedPoint, ...]
    missing_mass: float
    starts: int
    converged: int
    runs: tuple[Run, ...] = field(default=(), repr=False)
    facts: dict[str, float] = field(default_factory=dict, repr=False)

    @property
    def minimizers(self) -> tuple[ObservedPoint, ...]:
        """The minima, and the degenerate points at which descents ended, by increasing value."""
        degenerate = ObservedKind.DEGENERATE
        return tuple(
            point
            for point in self.points
            if point.kind is ObservedKind.MINIMUM or (point.kind is degenerate and point.hits > 0)
        )

    @property
    def epsilon(self) -> float:
        """Largest minus smallest value of a minimiser met; 0 without any.

        To rounding the smallest ε for which h is ε-global is at least this; a minimiser that was
        not met may make it larger.
        """
        values = [point.value for point in self.minimizers]
        return max(values) - min(values) if values else 0.0

    @property
    def verdict(self) -> str:
        """What was observed, in a sentence."""
        return f"observed: {self._found()}; {self._unseen()}"

    def _found(self) -> str:
        minima = self.minimizers
        if not minima:
            return f"no local minimum, from {self.starts} starts"
        if len(minima) == 1:
            return f"one local minimum, h = {minima[0].value:.9g}, from {self.starts} starts"
        low, high = minima[0].value, minima[-1].value
        if high - low <= max(ROUNDING, *(point.rounding for point in minima)) * abs(high):
            return f"{len(minima)} local minima, all h = {low:.9g}, from {self.starts} starts"
        return (
            f"{len(minima)} local minima, h from {low:.9g} to {high:.9g} (epsilon at least "
            f"{at_least(self.epsilon, 3)}), from {self.starts} starts"
        )

    def _unseen(self) -> str:
        stopped = self.starts - self.converged
        tail = f"; {stopped} starts ended at no stationary point" if stopped else ""
        worst = max((point.rounding for point in self.minimizers), default=0.0)
        if worst > DOUBTFUL:
            tail += f"; a loop is almost unstable there: h is known to {worst:.1g} of itself only"
        if self.starts == 0:
            begun = "no random start was made" if self.runs else "nothing was searched"
            return f"{begun} in the time given{tail}"
        if self.converged == 0:
            return f"nothing is known of what was not seen{tail}"
        # An estimate of nothing from N starts cannot tell a chance of 1/N from none.
        word, share = "about", self.missing_mass
        if share == 0:
            word, share = "fewer than", 1 / self.converged
        return f"by estimate {word} {100 * share:.2g} % of starts would end at one not seen{tail}"

    def save(self, directory: str | os.PathLike[str]) -> list[Path]:
        """Write landscape.json, the certificates of the minimisers, and the picture if there is one.

        The directory is made if need be; all is made in memory first.

        Raises:
            OutputError: the directory cannot be made or written.
        """
        from benign.files import make_directory, to_text, write_atomically
        from benign.views.picture import draw_observed
        from benign.views.save import render

        contents: dict[str, str | bytes] = {"landscape.json": to_text(observed_document(self))}
        for number, point in enumerate(self.minimizers, start=1):
            if point.certificate is not None:
                contents[f"certificate-{number}.json"] = to_text(point.certificate)
        where = make_directory(directory)
        figure = draw_observed(self)
        if figure is not None:
            contents |= {f"landscape.{suffix}": data for suffix, data in render(figure).items()}
        return [write_atomically(where / name, content) for name, content in contents.items()]

    def __str__(self) -> str:
        lines = [self.verdict]
        for point in self.points[:MOST_LINES]:
            gain = np.array2string(point.W, precision=5, threshold=8, edgeitems=2, separator=", ")
            lines.append(
                f"  {point.kind:10} h = {point.value:<13.9g} hits {point.hits:<4} "
                f"regret {point.regret:<9.3g} W = {' '.join(gain.split())}"
            )
        if len(self.points) > MOST_LINES:
            lines.append(f"  … and {len(self.points) - MOST_LINES} more stationary points")
        return "\n".join(lines)


def observed_document(landscape: ObservedLandscape) -> dict[str, Any]:
    """An observed landscape as a JSON document, the problem in exact numbers with it."""
    from benign.exact.problem import problem_to_json
    from benign.version import __version__

    return {
        "benign": "observed landscape",
        "version": VERSION,
        "library": __version__,
        "verdict": landscape.verdict,
        "epsilon": landscape.epsilon,
        "missing_mass": landscape.missing_mass,
        "starts": landscape.starts,
        "converged": landscape.converged,
        "points": [_point_to_json(point) for point in landscape.points],
        "runs": [
            {"start": run.start.tolist(), "point": run.point, "method": run.method}
            for run in landscape.runs
        ],
        "problem": problem_to_json(landscape.objective.problem),
        "facts": dict(landscape.facts),
    }


def _point_to_json(point: ObservedPoint) -> dict[str, Any]:
    record: dict[str, Any] = {
        "kind": point.kind.value,
        "W": point.W.tolist(),
        "value": point.value,
        "gradient_norm": point.gradient_norm,
        "eigenvalues": point.eigenvalues.tolist(),
        "hits": point.hits,
        "regret": point.regret,
        "rounding": point.rounding,
    }
    if point.certificate is not None:
        record["certificate"] = point.certificate
    return record
