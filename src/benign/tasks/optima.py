"""The optima of stacked tasks: by SciPy one after another, or by JAX all at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from benign.clock import NO_LIMIT, Clock, beside
from benign.tasks.undiscounted import costs_of

if TYPE_CHECKING:
    from benign.kernels.batch import Costs
    from benign.tasks.lqr import LQR

FEW, FIXED = 16384, 64
"""Up to FEW tasks SciPy solves the Riccati equations one after another, a fraction of a millisecond
each for a few states; JAX would compile for 4 to 20 seconds first. From FIXED states on a compiled
solver is no quicker, whatever the number."""

SOLVED = 1e-8
"""A residual of the Riccati equation up to this multiple of its terms is rounding."""

WHAT = "the optima of the tasks"


def optima(
    tasks: LQR, clock: Clock = NO_LIMIT
) -> tuple[Float[np.ndarray, "k m n"], Float[np.ndarray, " k"]]:
    """W*_τ and f*_τ of stacked tasks; zero and +∞ for one whose Riccati equation has no solution.

    If SciPy cannot do a task, or not well, all are left to `LQR.optimum`, which judges by itself.

    Raises:
        BudgetError: time ran out.
    """
    if (len(tasks.A) <= FEW or tasks.n >= FIXED) and (found := _one_by_one(tasks, clock)):
        gains, values = zip(*found, strict=True)
        return np.array(gains), np.array(values)
    best = beside(clock, WHAT, tasks.optimum)
    return np.asarray(best.W), np.asarray(best.cost)


def _one_by_one(tasks: LQR, clock: Clock) -> list[tuple[np.ndarray, float]]:
    """The optima of all tasks, or of none."""
    costs = costs_of(tasks)
    found = []
    for i in range(len(costs.A)):
        clock.check(WHAT)
        if (one := _optimum(costs, i)) is None:
            return []
        found.append(one)
    return found


def _optimum(costs: Costs, i: int) -> tuple[np.ndarray, float] | None:
    """W* and tr(P S0) of one task, or None where its equation is not solved beyond doubt."""
    from scipy.linalg import solve_discrete_are

    A, B, Q, R, S0 = costs.A[i], costs.B[i], costs.Q[i], costs.R[i], costs.S0[i]
    T = 0.0 if costs.T is None else costs.T[i]
    if costs.T is not None:
        A = A - B @ T
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
        return (W + T, float(np.sum(P * S0))) if (residual <= SOLVED * size).all() else None
