"""Units of the states in which the loops of a family look their size, for the norms of `matrices`.

In other units of the states, s̃ = D s, a loop L is D L D⁻¹: its spectral radius stays, its norms do not.
Only norms are taken in these units, so that D needs no powers of two: see `linalg.balance`.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

COUPLING = 2.0**-40
"""The square of a coupling so weak that it does not count, as in `matrices`."""

SWEEPS = 30
"""Passes over the states at most; a few do, but for long chains of couplings."""


def squared_ratios(
    A: Float[np.ndarray, "k n n"],
    B: Float[np.ndarray, "k n m"],
    Q: Float[np.ndarray, "k n n"],
    R: Float[np.ndarray, "k m m"],
    T: Float[np.ndarray, "k m n"] | None = None,
) -> Float[np.ndarray, "k n*n"]:
    """(D_i / D_j)² for every task, D balancing |A| + |B||W|, W the optimum of the first task."""
    k, n, _ = A.shape
    shift = np.zeros(B[0].T.shape) if T is None else T[0]
    gain = shift + _typical_gain(A[0] - B[0] @ shift, B[0], Q[0], R[0])
    L = np.abs(A) + np.abs(B) @ np.abs(gain)
    M = np.where(np.isfinite(L), L, 0.0) ** 2
    M[:, range(n), range(n)] = 0.0
    e = np.ones((k, n))
    with np.errstate(all="ignore"):
        for _ in range(SWEEPS):
            before = e.copy()
            for i in range(n):
                row = COUPLING + np.sum(M[:, i] / e, axis=1) * e[:, i]
                column = COUPLING + np.sum(M[:, :, i] * e, axis=1) / e[:, i]
                moved = e[:, i] * np.sqrt(column / row)
                e[:, i] = np.where((moved > 1e-150) & (moved < 1e150), moved, e[:, i])
            if np.all(np.abs(np.log2(e / before)) < 1):
                break
        return (e[:, :, None] / e[:, None, :]).reshape(k, n * n)


def _typical_gain(A: np.ndarray, B: np.ndarray, Q: np.ndarray, R: np.ndarray) -> np.ndarray:
    """The optimum of a task, or zero where there is none."""
    from scipy.linalg import solve_discrete_are

    with np.errstate(all="ignore"):
        try:
            P = solve_discrete_are(A, B, Q, R)
            gain = np.linalg.solve(R + B.T @ P @ B, B.T @ P @ A)
        except (np.linalg.LinAlgError, ValueError):
            return np.zeros(B.T.shape)
    return gain if np.isfinite(gain).all() else np.zeros(B.T.shape)
