"""V of Theorem H: how far a stationary point of h can be from the best, by how much the tasks disagree.

    h(w) − inf h ≤ Σ ω_i u_i'K_iu_i ≤ ∇h'K̄∇h + V,   V = Σ ω_i (u_i − ∇h)'K̄(u_i − ∇h),
    K_i = ¼ J_i⁻¹ (M_i⁻¹ ⊗ Σ_i⁻¹Σ_i*Σ_i⁻¹) J_i⁻¹ ⪯ K̄,   u_i = J_i ∇C_i(F_i),   J_i = I − η∇²C_i(w)

(entries of a gain row by row; M = R + B'PB and Σ at F_i(w), Σ* at the task's own optimum). For one task
V = 0. Computed in float64: no proof.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benign.studies.tasks import FIELDS, Families, optima

Array = np.ndarray


def variance_at(families: Families, eta: float, W: Array) -> dict[str, Any]:
    """V, and max ‖η∇²C_i‖, of the first family at a gain; NaN where a task is not stable there."""
    from scipy.linalg import solve_discrete_lyapunov

    star, n, m = optima(families).W[0], families.n, families.m
    W = W.reshape(m, n)
    us, Ks, curvature = [], [], 0.0
    with np.errstate(all="ignore"):
        for j in range(families.k):
            A, B, Q, R, S0 = (getattr(families, name)[0, j] for name in FIELDS)
            slope, bend = _derivatives(A, B, Q, R, S0, W)
            if slope is None or bend is None:
                return {}
            J = np.eye(n * m) - eta * bend
            curvature = max(curvature, eta * float(np.linalg.norm(bend, 2)))
            F = W - eta * slope
            inner, _ = _derivatives(A, B, Q, R, S0, F)
            if inner is None:
                return {}
            L, best = A - B @ F, A - B @ star[j]
            P = solve_discrete_lyapunov(L.T, Q + F.T @ R @ F)
            sigma, sigma_star = (solve_discrete_lyapunov(X, S0) for X in (L, best))
            X = np.linalg.inv(sigma)
            core = np.kron(np.linalg.inv(R + B.T @ P @ B), X @ sigma_star @ X)
            try:
                back = np.linalg.inv(J)
            except np.linalg.LinAlgError:
                return {"curvature": curvature}
            us.append(J @ inner.reshape(-1))
            Ks.append(back @ core @ back / 4)
    u = np.array(us)
    off = u - u.mean(axis=0)
    bar = above(np.array(Ks))
    return {"variance": float(np.mean(np.sum(off @ bar * off, axis=1))), "curvature": curvature}


def above(K: Array) -> Array:
    """A matrix ⪰ all of these: their mean, as often as the worst of them needs; K is (k, p, p)."""
    mean = K.mean(axis=0)
    root = np.linalg.cholesky(mean)
    half = np.linalg.solve(root, np.swapaxes(np.linalg.solve(root, K), -1, -2))
    return mean * float(np.linalg.eigvalsh((half + np.swapaxes(half, -1, -2)) / 2).max())


def _derivatives(
    A: Array, B: Array, Q: Array, R: Array, S0: Array, W: Array
) -> tuple[Array | None, Array | None]:
    """∇C (m, n) and ∇²C (mn, mn) at a gain; None where it does not stabilise."""
    from scipy.linalg import solve_discrete_lyapunov

    m, n = W.shape
    L = A - B @ W
    if np.abs(np.linalg.eigvals(L)).max() >= 1:
        return None, None
    P = solve_discrete_lyapunov(L.T, Q + W.T @ R @ W)
    sigma = solve_discrete_lyapunov(L, S0)
    M, G = R + B.T @ P @ B, R @ W - B.T @ P @ L
    H = np.empty((m * n, m * n))
    for e in range(m * n):
        E = np.zeros(m * n)
        E[e] = 1
        E = E.reshape(m, n)
        dP = solve_discrete_lyapunov(L.T, E.T @ G + G.T @ E)
        X = B @ E @ sigma @ L.T
        dSigma = solve_discrete_lyapunov(L, -(X + X.T))
        H[e] = (2 * (M @ E - B.T @ dP @ L) @ sigma + 2 * G @ dSigma).reshape(-1)
    return 2 * G @ sigma, H
