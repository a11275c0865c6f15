"""The closed loops of every task at one gain and after adaptation: poles and step responses.

    s⁺ = (A − BW)s + B e_j,  s₀ = 0   answers a unit step at input j;  the poles are those of A − BW.

The loop is that of the plant the policy is judged on, f's. A discounted cost may be finite though a
loop is not stable; the poles say which.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Complex, Float

from benign.meta import batched

if TYPE_CHECKING:
    from benign.meta.objective import MetaObjective

SETTLED = 0.02
"""A response is followed until the slowest mode of the slowest loop is down to this."""

SHORTEST, LONGEST = 8, 240
"""Steps that are followed, at least and at most."""

MARGIN = 1 - 1e-9
"""A spectral radius above this is no stable loop's as far as float64 can tell."""


@dataclass(frozen=True, eq=False)
class Loop:
    """A closed loop of one task.

    Attributes:
        gain: (m, n) W, or F_τ(W).
        poles: (n,) of A − BW, the slowest first.
        steps: (m, T, n) the states after a unit step at each input.
    """

    gain: Float[np.ndarray, "m n"]
    poles: Complex[np.ndarray, " n"]
    steps: Float[np.ndarray, "m T n"]

    @property
    def radius(self) -> float:
        """The largest |λ|."""
        return float(np.abs(self.poles[0]))

    @property
    def stable(self) -> bool:
        """Whether every pole is inside of the unit circle, to rounding."""
        return self.radius < MARGIN


@dataclass(frozen=True, eq=False)
class Response:
    """A task before and after adaptation."""

    name: str
    before: Loop
    after: Loop


def responses(
    objective: MetaObjective, W: Float[np.ndarray, "m n"], count: int | None = None
) -> tuple[Response, ...]:
    """The loops of the tasks at W and at F_τ(W).

    Args:
        objective: h.
        W: (m, n) a gain at which h is finite.
        count: of how many tasks, the first ones; all by default.
    """
    adapted = np.asarray(batched.adapted(objective, W))
    tasks, names = objective.family.tasks, objective.family.names
    A, B = np.asarray(tasks.A, float), np.asarray(tasks.B, float)
    k = len(names) if count is None else min(count, len(names))
    gains = [(W, adapted[i]) for i in range(k)]
    loops = [[(A[i] - B[i] @ gain, gain) for gain in gains[i]] for i in range(k)]
    length = _length([poles(L) for pair in loops for L, _ in pair])
    made = [[Loop(g, poles(L), step(L, B[i], length)) for L, g in loops[i]] for i in range(k)]
    return tuple(Response(names[i], *made[i]) for i in range(k))


def poles(loop: Float[np.ndarray, "n n"]) -> Complex[np.ndarray, " n"]:
    """The eigenvalues, the largest first."""
    found = np.linalg.eigvals(loop).astype(complex)
    return found[np.lexsort((-np.imag(found), -np.real(found), -np.abs(found).round(12)))]


def step(
    loop: Float[np.ndarray, "n n"], B: Float[np.ndarray, "n m"], length: int
) -> Float[np.ndarray, "m T n"]:
    """s⁺ = Ls + Be_j from s = 0, for each input j: the states at times 0 … length; NaN past 1e12."""
    n, m = B.shape
    found = np.zeros((m, length + 1, n))
    with np.errstate(all="ignore"):
        for t in range(length):
            found[:, t + 1] = found[:, t] @ loop.T + B.T
        found[np.abs(found) > 1e12] = np.nan
    return found


def _length(every: list[np.ndarray]) -> int:
    """Until SETTLED in the slowest stable loop."""
    radii = [float(np.abs(one[0])) for one in every]
    slowest = max((r for r in radii if 0 < r < MARGIN), default=0.0)
    if slowest == 0.0:
        return SHORTEST
    return int(np.clip(np.ceil(np.log(SETTLED) / np.log(slowest)), SHORTEST, LONGEST))
