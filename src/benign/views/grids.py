"""h on many gains at once, for drawing: the objective's own value, in chunks of bounded memory.

Nothing is computed here but where to look. What a picture may claim stands in the result it draws.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from benign.meta.objective import MetaObjective

Floats = NDArray[np.float64]

ROOM, MOST = 1 << 17, 2048
"""Tasks × numbers in a state matrix × gains that are evaluated at once; gains at most."""

WORK, FINEST, COARSEST = 1.2e7, 320, 48
"""Points along a side of a picture: FINEST while points × tasks × n³ stays below WORK, then fewer."""


def values(objective: MetaObjective, W: Floats) -> Floats:
    """h(W) for gains of shape (…, m, n); NaN where h is infinite or not a number."""
    import jax
    import jax.numpy as jnp

    m, n = objective.family.m, objective.family.n
    flat = W.reshape(-1, m, n)
    size = _chunk(objective)
    batched = jax.vmap(objective.value)
    parts = []
    for i in range(0, len(flat), size):
        part = flat[i : i + size]
        full = np.concatenate([part, np.repeat(part[-1:], size - len(part), axis=0)])
        parts.append(np.asarray(batched(jnp.asarray(full)))[: len(part)])
    h = np.concatenate(parts) if parts else np.empty(0)
    return np.where(np.isfinite(h), h, np.nan).reshape(W.shape[:-2])


def radius(objective: MetaObjective, W: Floats) -> Floats:
    """max over tasks of √γ ρ(A − BW), for gains of shape (…, m, n): below 1 every task is stable."""
    tasks = objective.family.tasks.g.regulator
    A, B = np.asarray(tasks.A), np.asarray(tasks.B)
    n, m = B.shape[-2:]
    flat = W.reshape(-1, m, n)
    size, found = _chunk(objective), []
    for i in range(0, len(flat), size):
        loops = A - np.einsum("tnm,gmk->gtnk", B, flat[i : i + size])
        found.append(np.abs(np.linalg.eigvals(loops)).max(axis=(1, 2)))
    return (np.concatenate(found) if found else np.empty(0)).reshape(W.shape[:-2])


def side(objective: MetaObjective) -> int:
    """How many points a picture of this objective has along a side."""
    each = len(objective.family) * objective.family.n**3
    return int(np.clip((WORK / each) ** 0.5, COARSEST, FINEST))


def _chunk(objective: MetaObjective) -> int:
    """Gains evaluated at once: one number for an objective, so that XLA compiles once."""
    each = len(objective.family) * objective.family.n**2
    size = int(max(1, min(ROOM // each, MOST)))
    return 1 << (size.bit_length() - 1)


@dataclass(frozen=True)
class Plane:
    """W(x, y) = origin + x across + y up, each (m, n); x and y are coordinates of gains."""

    origin: Floats
    across: Floats
    up: Floats

    def gains(self, x: Floats, y: Floats) -> Floats:
        """The gains at x and y of one shape (…), as (…, m, n)."""
        return self.origin + x[..., None, None] * self.across + y[..., None, None] * self.up

    def place(self, W: Floats) -> tuple[float, float]:
        """(x, y) of the point of the plane next to W; across and up must be orthonormal."""
        away = W - self.origin
        return float(np.sum(away * self.across)), float(np.sum(away * self.up))
