"""What `LQR` computes of one gain, in NumPy, in a process that has not loaded JAX.

    W* = (R + B'PB)⁻¹ (B'PA + RT),   P by Newton's method from the doubling of Riccati's equation.

Every function gives None where it is not to answer: JAX is there already, tasks are stacked, or the
numbers want more care than is taken here. `benign.tasks.lqr_by_jax` then answers.

Source: W.-W. Lin and S.-F. Xu, SIAM J. Matrix Anal. Appl. 28 (2006), for the doubling; G. Hewer, IEEE
Trans. Automatic Control 16 (1971), for the rest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from benign.kernels.loops import Loops, loops
from benign.precision import jax_if_loaded
from benign.tasks.undiscounted import costs_of

if TYPE_CHECKING:
    from benign.kernels.batch import Costs
    from benign.tasks.lqr import LQR

SETTLED, STEPS = 1e-12, 4
"""Newton's method has ended at a change of the gain by so little of it; steps of it, at most."""

DOUBLINGS = 40
"""Steps of the doubling, at most."""


def cost(task: LQR, W: Any) -> Any:
    """C(W)."""
    found = _at(task, W)
    return None if found is None else found.value[0]


def gradient(task: LQR, W: Any) -> Any:
    """∇C(W), (m, n)."""
    found = _at(task, W)
    return None if found is None else found.gradient[0]


def hessian_product(task: LQR, W: Any, E: Any) -> Any:
    """∇²C(W)[E], (m, n)."""
    found = _at(task, W)
    return None if found is None else found.hessian_product(E[None])[0]


def hessian(task: LQR, W: Any) -> Any:
    """∇²C(W), (m, n, m, n)."""
    found = _at(task, W)
    if found is None:
        return None
    basis = np.eye(W.size).reshape(-1, *W.shape)
    columns = np.array([found.hessian_product(E[None])[0] for E in basis])
    return columns.reshape(*W.shape, *W.shape).transpose(2, 3, 0, 1)


def optimum(task: LQR) -> tuple[np.ndarray, np.ndarray, np.float64] | None:
    """W*, P* and C*."""
    if not _alone(task):
        return None
    costs = _costs(task)
    W = _near_the_optimum(costs)
    for _ in range(STEPS):
        if W is None or (found := loops(costs, W)) is None or not found.stable.all():
            return None
        turned = costs.B.swapaxes(1, 2) @ found.P
        pull = turned @ costs.A
        if costs.T is not None:
            pull = pull + costs.R @ costs.T
        better = np.linalg.solve(costs.R + turned @ costs.B, pull)
        if np.linalg.norm(better - W) <= SETTLED * np.linalg.norm(better):
            return better[0], found.P[0], found.value[0]
        W = better
    return None


def _alone(task: LQR) -> bool:
    return jax_if_loaded() is None and np.ndim(task.A) == 2


def _at(task: LQR, W: np.ndarray) -> Loops | None:
    return loops(_costs(task), W[None]) if _alone(task) else None


def _costs(task: LQR) -> Costs:
    return costs_of(task, stacked=False)


def _near_the_optimum(costs: Costs) -> np.ndarray | None:
    """A gain from H, where A ← A(I + GH)⁻¹A, G ← G + A(I + GH)⁻¹GA', H ← H + A'H(I + GH)⁻¹A."""
    T = 0.0 if costs.T is None else costs.T[0]
    A, H = costs.A[0] if costs.T is None else costs.A[0] - costs.B[0] @ T, costs.Q[0]
    start = A
    eye = np.eye(len(A))
    with np.errstate(all="ignore"):
        try:
            G = costs.B[0] @ np.linalg.solve(costs.R[0], costs.B[0].T)
            for _ in range(DOUBLINGS):
                through = np.linalg.solve(eye + G @ H, np.concatenate([A, G @ A.T], axis=1))
                new = H + A.T @ H @ through[:, : len(A)]
                A, G = A @ through[:, : len(A)], G + A @ through[:, len(A) :]
                moved, H = np.linalg.norm(new - H), (new + new.T) / 2
                if moved <= SETTLED * np.linalg.norm(H):
                    break
            turned = costs.B[0].T @ H
            W = np.linalg.solve(costs.R[0] + turned @ costs.B[0], turned @ start) + T
        except np.linalg.LinAlgError:
            return None
    return W[None] if np.isfinite(W).all() else None
