"""Task optima in NumPy, for what must not wait for XLA to compile a Riccati solver."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from benign.kernels.batch import Costs
from benign.tasks.lqr import LQR
from benign.tasks.undiscounted import costs_of

FEW = 1024
"""Up to so many tasks SciPy is quicker, one by one, than JAX, which compiles for seconds first."""

SOLVED = 1e-8
"""A residual of the Riccati equation up to this multiple of its terms is rounding."""


def optima(tasks: LQR) -> tuple[Float[np.ndarray, "k m n"], Float[np.ndarray, " k"]]:
    """W*_τ and f*_τ of stacked tasks; zero and +∞ for one whose Riccati equation has no solution.

    A task that SciPy cannot do, or not well, is left to `LQR.optimum`, which judges it by itself.
    """
    if len(tasks.A) <= FEW:
        costs = costs_of(tasks)
        found = [_optimum(costs, i) for i in range(len(costs.A))]
        if all(one is not None for one in found):
            gains, values = zip(*[one for one in found if one is not None], strict=True)
            return np.array(gains), np.array(values)
    best = tasks.optimum()
    return np.asarray(best.W), np.asarray(best.cost)


def _optimum(costs: Costs, i: int) -> tuple[np.ndarray, float] | None:
    """W* and tr(P S0) of one task, or None where its equation is not solved beyond doubt."""
    from scipy.linalg import solve_discrete_are

    A, B, Q, R, S0 = costs.A[i], costs.B[i], costs.Q[i], costs.R[i], costs.S0[i]
    with np.errstate(all="ignore"):
        try:
            P = solve_discrete_are(A, B, Q, R)
            W = np.linalg.solve(R + B.T @ P @ B, B.T @ P @ A)
        except (np.linalg.LinAlgError, ValueError):
            return None
        L = A - B @ W
        if not (np.isfinite(L).all() and np.abs(np.linalg.eigvals(L)).max() < 1):
            return None
        parts = Q, W.T @ R @ W, L.T @ P @ L, P
        residual = np.abs(parts[0] + parts[1] + parts[2] - parts[3])
        size = np.abs(parts[0]) + np.abs(parts[1]) + np.abs(P) + np.abs(L.T) @ np.abs(P) @ np.abs(L)
        return (W, float(np.sum(P * S0))) if (residual <= SOLVED * size).all() else None
