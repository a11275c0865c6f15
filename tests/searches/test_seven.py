"""Two tasks with seven minimisers: the search against a dense independent multistart."""

import numpy as np
import pytest
from scipy.optimize import minimize

from benign import LQR, GradientStep, MetaObjective, TaskFamily
from benign.searches.search import search

ETA = 0.02
PLANTS = [
    (np.array([[-0.06, -0.61], [0.52, -0.27]]), np.array([[-1.52], [0.61]])),
    (np.array([[0.1, -0.79], [0.57, -0.19]]), np.array([[-1.51], [0.43]])),
]


def seven() -> MetaObjective:
    """n = 2, m = 1, Q = I, R = 1, S0 = I, η = 0.02."""
    tasks = [LQR(A, B, np.eye(2), 1) for A, B in PLANTS]
    return MetaObjective(TaskFamily(tasks), GradientStep(str(ETA)))


def lyapunov(L, S):
    """X = L X L' + S for stacks of 2 × 2 matrices, as four linear equations each."""
    kron = np.einsum("...ij,...kl->...ikjl", L, L).reshape(*L.shape[:-2], 4, 4)
    X = np.linalg.solve(np.eye(4) - kron, S.reshape(*S.shape[:-2], 4, 1))
    return X.reshape(*S.shape)


def cost(A, B, W):
    """C and ∇C for a stack of gains (…, 1, 2); +∞ and zeros where W does not stabilise."""
    L = A - B @ W
    # Schur–Cohn for two states: |det| < 1 and |trace| < 1 + det.
    d, t = np.linalg.det(L), np.trace(L, axis1=-2, axis2=-1)
    stable = (np.abs(d) < 1) & (np.abs(t) < 1 + d)
    safe = np.where(stable[..., None, None], L, 0.0)
    price = np.eye(2) + np.swapaxes(W, -1, -2) @ W
    P = lyapunov(np.swapaxes(safe, -1, -2), price)
    Sigma = lyapunov(safe, np.broadcast_to(np.eye(2), safe.shape))
    G = (1 + B.T @ P @ B) @ W - B.T @ P @ A
    gradient = np.where(stable[..., None, None], 2 * G @ Sigma, 0.0)
    return np.where(stable, np.trace(P, axis1=-2, axis2=-1), np.inf), gradient


def plain_h(W):
    """h for a stack of gains (…, 2), without the library."""
    W = np.asarray(W, float)[..., None, :]
    total = 0.0
    for A, B in PLANTS:
        before, gradient = cost(A, B, W)
        after, _ = cost(A, B, W - ETA * gradient)
        total = total + np.where(np.isfinite(before), after, np.inf) / 2
    return total


def dense_minimisers(side=560):
    """Every grid point below its eight neighbours, taken down by Nelder and Mead."""
    x = np.linspace(-1.2, 1.2, side)
    h = plain_h(np.stack(np.meshgrid(x, x, indexing="ij"), axis=-1))
    rim = np.concatenate([h[0], h[-1], h[:, 0], h[:, -1]])
    assert np.isinf(rim).all(), "the box must hold the whole feasible set"
    middle = h[1:-1, 1:-1]
    lowest = np.isfinite(middle)
    for i in range(3):
        for j in range(3):
            if (i, j) != (1, 1):
                lowest &= middle <= h[i : side - 2 + i, j : side - 2 + j]
    found = []
    for i, j in np.argwhere(lowest) + 1:
        options = {"xatol": 1e-11, "fatol": 1e-14, "maxiter": 2000, "initial_simplex": None}
        start = np.array([x[i], x[j]])
        options["initial_simplex"] = start + 0.3 * (x[1] - x[0]) * np.array([[0, 0], [1, 0], [0, 1]])
        end = minimize(plain_h, start, method="Nelder-Mead", options=options)
        if not any(np.linalg.norm(end.x - other) < 1e-5 for other, _ in found):
            found.append((end.x, end.fun))
    return sorted(found, key=lambda pair: pair[1])


def test_search_meets_every_minimiser_of_a_dense_multistart():
    dense = dense_minimisers()
    found = search(seven()).minimizers
    assert len(found) == len(dense) == 7
    for point, (W, value) in zip(found, dense, strict=True):
        assert point.height == pytest.approx(value, rel=1e-10)
        assert point.W[0] == pytest.approx(W, abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 6))
def test_it_does_so_whatever_the_seed(seed):
    assert len(search(seven(), seed=seed).minimizers) == 7
