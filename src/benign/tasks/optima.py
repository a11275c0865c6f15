"""The optima of stacked tasks: by SciPy one after another, or by JAX all at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from scipy.linalg import solve_discrete_are

from benign.clock import NO_LIMIT, Clock, beside

if TYPE_CHECKING:
    from benign.tasks.lqr import LQR

FEW, FIXED = 16384, 64
"""Up to FEW tasks SciPy solves the Riccati equations one after another, a fraction of a millisecond
each for a few states; JAX would compile for 4 to 20 seconds first. From FIXED states on a compiled
solver is no quicker, whatever the number."""

WHAT = "the optima of the tasks"


def optima(
    tasks: LQR, clock: Clock = NO_LIMIT
) -> tuple[Float[np.ndarray, "k m n"], Float[np.ndarray, " k"]]:
    """W*_τ and f*_τ task by task; zero and +∞ for a task whose Riccati equation has no solution.

    Raises:
        BudgetError: time ran out.
    """
    k = tasks.A.shape[0]
    if k > FEW and tasks.n < FIXED:
        found = beside(clock, WHAT, tasks.optimum)
        return np.asarray(found.W), np.asarray(found.cost)
    root = np.sqrt(np.asarray(tasks.discount))[:, None, None]
    A, B, Q, R = (np.asarray(X) for X in (tasks.A, tasks.B, tasks.Q, tasks.R))
    A, B, S0 = root * A, root * B, _moments(tasks)
    gains, costs = np.zeros((k, tasks.m, tasks.n)), np.full(k, np.inf)
    for i in range(k):
        clock.check(WHAT)
        try:
            P = solve_discrete_are(A[i], B[i], Q[i], R[i])
            gains[i] = np.linalg.solve(R[i] + B[i].T @ P @ B[i], B[i].T @ P @ A[i])
            costs[i] = np.sum(P * S0[i])
        except (np.linalg.LinAlgError, ValueError):
            gains[i], costs[i] = 0.0, np.inf
    return gains, costs


def _moments(tasks: LQR) -> Float[np.ndarray, "k n n"]:
    """S0 + γ/(1 − γ) N."""
    S0 = np.array(tasks.S0)
    if tasks.noise is not None:
        discount = np.asarray(tasks.discount)
        room = np.where(discount < 1, 1 - discount, np.inf)
        S0 = S0 + (discount / room)[:, None, None] * np.asarray(tasks.noise)
    return S0
