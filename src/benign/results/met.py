"""What a search meets: points to rounding, or proved one by one; and how many may be missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from benign.results.enclosure import Enclosure
from benign.results.landscape import Kind

ROUNDING = 1e-12
"""Values of h that agree to this, or to the rounding of h there, count as equal."""


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
class PointProof:
    """What is proved of a stationary point.

    Attributes:
        radius: (m, n), how far each entry can be from that of the gain that is listed.
        value: h there.
    """

    radius: Float[np.ndarray, "m n"]
    value: Enclosure


@dataclass(frozen=True, eq=False)
class ObservedPoint:
    """A stationary point, to rounding; or proved, of a list that can lack others.

    Attributes:
        W: (m, n) gain.
        height: h(W), in floating point.
        gradient_norm: ‖∇h(W)‖, Frobenius; what is left of it.
        kind: by the signs of the eigenvalues.
        eigenvalues: (mn,) of ∇²h(W), ascending.
        hits: how many descents from random starts ended here (0: found in another way).
        regret: Σ ω_τ (f_τ(F_τ(W)) − f_τ*), an upper bound on h(W) − min h, in floating point; f_τ* is
            replaced by 0 for a task whose optimum the Riccati equation does not give.
        rounding: the relative error to expect in `height`; large where a loop is almost unstable.
        certificate: a document that `benign.check` proves of the gain, once one is attached: its gap.
        proof: where the point is for certain, and h there; None where it was only observed.
        doubt: why it was tried in vain to prove the point; else empty.
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
    proof: PointProof | None = None
    doubt: str = ""

    @property
    def is_proved(self) -> bool:
        """Whether a stationary point of this kind is proved to lie within `radius` of W."""
        return self.proof is not None

    @property
    def radius(self) -> Float[np.ndarray, "m n"] | None:
        """(m, n), how far the point can be from W; None where it was only observed."""
        return None if self.proof is None else self.proof.radius

    @property
    def value(self) -> Enclosure:
        """h at the point, proved to lie within; else h(W) with the rounding that is to be expected."""
        if self.proof is not None:
            return self.proof.value
        error = max(self.rounding, ROUNDING) * abs(self.height)
        return Enclosure(self.height - error, self.height + error)

    @property
    def gap(self) -> float:
        """h(W) exceeds min h by no more, proved; ∞ without a certificate."""
        return inf if self.certificate is None else float(self.certificate["gap"])


def proved_point(point: ObservedPoint, entry: dict[str, Any]) -> ObservedPoint:
    """The point as an entry of a certificate of stationary points has it."""
    sides = np.array(entry["W"], dtype=float)
    ends = [[Enclosure(float(lo), float(hi)) for lo, hi in row] for row in sides]
    value = Enclosure(*map(float, entry["value"]))
    return replace(
        point,
        W=np.array([[end.mid for end in row] for row in ends]),
        height=value.mid,
        kind=Kind(entry["kind"]),
        proof=PointProof(np.array([[end.radius for end in row] for row in ends]), value),
        doubt="",
    )


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
