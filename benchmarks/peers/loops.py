"""One start and one task at a time, with a library's solver of the Lyapunov equation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.problems import Bench

Solver = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""X = L X L' + S from L and S."""


def value_and_gradient(bench: Bench, dlyap: Solver) -> tuple[np.ndarray, np.ndarray]:
    """h and its gradient at every start, six equations a task; no test of stability."""
    values, gradients = np.zeros(len(bench.gains)), np.zeros_like(bench.gains)
    for i, W in enumerate(bench.gains):
        for A, B, Q, R, S0, weight in zip(
            bench.A, bench.B, bench.Q, bench.R, bench.S0, bench.weights, strict=True
        ):
            L = A - B @ W
            P, Sigma = dlyap(L.T, Q + W.T @ R @ W), dlyap(L, S0)
            G = R @ W - B.T @ P @ L
            adapted = W - bench.eta * 2 * G @ Sigma
            L1 = A - B @ adapted
            P1, Sigma1 = dlyap(L1.T, Q + adapted.T @ R @ adapted), dlyap(L1, S0)
            v = 2 * (R @ adapted - B.T @ P1 @ L1) @ Sigma1
            half, moved = v.T @ G, B @ v @ Sigma @ L.T
            dP, dSigma = dlyap(L.T, half + half.T), dlyap(L, -(moved + moved.T))
            dG = (R + B.T @ P @ B) @ v - B.T @ dP @ L
            values[i] += weight * np.trace(P1 @ S0)
            gradients[i] += weight * (v - bench.eta * 2 * (dG @ Sigma + G @ dSigma))
    return values, gradients
