"""h on many gains at once, for drawing: the objective's own value, by the kernels for batches.

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

ROOM = 1 << 18
"""Numbers in the state matrices whose eigenvalues are taken at once."""

WORK, FINEST, COARSEST = 3e7, 320, 48
"""Points along a side of a picture: FINEST while points × tasks × n³ stays below WORK, then fewer."""


def values(objective: MetaObjective, W: Floats) -> Floats:
    """h(W) for gains of shape (…, m, n); NaN where h is infinite or not a number."""
    from benign.meta import batched

    m, n = objective.family.m, objective.family.n
    h = batched.values(objective, W.reshape(-1, m, n))
    return np.where(np.isfinite(h), h, np.nan).reshape(W.shape[:-2])


def radius(objective: MetaObjective, W: Floats) -> Floats:
    """max over tasks of √γ ρ(A − BW), for gains of shape (…, m, n): below 1 every task is stable."""
    from benign.tasks.undiscounted import costs_of

    costs = costs_of(objective.family.tasks.g)
    A, B = costs.A, costs.B
    n, m = B.shape[-2:]
    flat = W.reshape(-1, m, n)
    size, found = max(1, ROOM // A.size), []
    for i in range(0, len(flat), size):
        loops = A - np.einsum("tnm,gmk->gtnk", B, flat[i : i + size])
        found.append(_radii(loops).max(axis=1))
    return (np.concatenate(found) if found else np.empty(0)).reshape(W.shape[:-2])


def _radii(loops: Floats) -> Floats:
    """ρ of each matrix; of two states by the formula, as LAPACK takes its time for many.

    The eigenvalues are t/2 ± √(t²/4 − d) for trace t and determinant d: a pair of size √d where the
    root is imaginary, else the larger is |t|/2 + √(t²/4 − d).
    """
    if loops.shape[-1] != 2:
        return np.abs(np.linalg.eigvals(loops)).max(axis=-1)
    half = (loops[..., 0, 0] + loops[..., 1, 1]) / 2
    det = loops[..., 0, 0] * loops[..., 1, 1] - loops[..., 0, 1] * loops[..., 1, 0]
    square = half * half - det
    return np.where(
        square >= 0,
        np.abs(half) + np.sqrt(np.maximum(square, 0.0)),
        np.sqrt(np.maximum(det, 0.0)),
    )


def side(objective: MetaObjective) -> int:
    """How many points a picture of this objective has along a side."""
    each = len(objective.family) * objective.family.n**3
    return int(np.clip((WORK / each) ** 0.5, COARSEST, FINEST))


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
