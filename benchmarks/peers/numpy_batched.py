"""NumPy: doubling over stacks of matrices, the analytic gradient, chunks that stay in the cache."""

from __future__ import annotations

import numpy as np

from benchmarks.problems import Bench

CHUNK = 2048
"""A chunk has CHUNK / n² starts: near the best of 16 … 16,384 at every size."""


def t(X: np.ndarray) -> np.ndarray:
    """X', matrix by matrix."""
    return np.swapaxes(X, -1, -2)


def powers_of(L: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """L, L², L⁴, … until all have decayed, and which of them do; the others are set to zero."""
    powers, stable = [], np.ones(L.shape[:-2], bool)
    for _ in range(64):
        norm = np.einsum("...ij,...ij->...", L, L)
        bounded = norm < 1e200
        if not bounded.all():
            stable &= bounded
            L = np.where(bounded[..., None, None], L, 0.0)
            norm = np.where(bounded, norm, 0.0)
        if (norm <= 1e-18).all():
            return powers, stable
        powers.append(L)
        L = L @ L
    return powers, np.zeros_like(stable)


def solve(powers: list[np.ndarray], S: np.ndarray) -> np.ndarray:
    """X = L X L' + S."""
    for L in powers:
        S = S + L @ S @ t(L)
    return S


def solve_transposed(powers: list[np.ndarray], S: np.ndarray) -> np.ndarray:
    """X = L' X L + S."""
    for L in powers:
        S = S + t(L) @ S @ L
    return S


def closed_loop(bench: Bench, W: np.ndarray):
    """Everything about the gains W, (starts, tasks, m, n), that value and derivatives share."""
    L = bench.A - bench.B @ W
    powers, stable = powers_of(L)
    P = solve_transposed(powers, bench.Q + t(W) @ bench.R @ W)
    Sigma = solve(powers, np.broadcast_to(bench.S0, L.shape))
    BP = t(bench.B) @ P
    return L, powers, stable, P, Sigma, BP, bench.R @ W - BP @ L


def chunk_value_and_gradient(bench: Bench, gains: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    W = gains[:, None]
    L, powers, stable, _, Sigma, BP, G = closed_loop(bench, W)
    adapted = W - bench.eta * 2 * (G @ Sigma)
    _, _, still, P1, Sigma1, _, G1 = closed_loop(bench, adapted)
    v = 2 * (G1 @ Sigma1)
    half = t(v) @ G
    dP = solve_transposed(powers, half + t(half))
    moved = bench.B @ (v @ Sigma) @ t(L)
    dSigma = solve(powers, -(moved + t(moved)))
    dG = (bench.R + BP @ bench.B) @ v - t(bench.B) @ dP @ L
    pulled = v - bench.eta * 2 * (dG @ Sigma + G @ dSigma)
    feasible = (stable & still).all(axis=1)
    values = np.einsum("skij,kij,k->s", P1, bench.S0, bench.weights)
    gradients = np.einsum("k,skij->sij", bench.weights, pulled)
    return np.where(feasible, values, np.inf), np.where(feasible[:, None, None], gradients, 0.0)


def value_and_gradient(bench: Bench, chunk: int = CHUNK) -> tuple[np.ndarray, np.ndarray]:
    """h and its gradient at every start, +∞ and zeros where infeasible."""
    size = max(1, chunk // (bench.n * bench.n))
    with np.errstate(all="ignore"):
        parts = [
            chunk_value_and_gradient(bench, bench.gains[i : i + size])
            for i in range(0, len(bench.gains), size)
        ]
    return np.concatenate([v for v, _ in parts]), np.concatenate([g for _, g in parts])
