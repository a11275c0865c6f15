"""PyTorch without autodiff: doubling over stacks of matrices (bmm), the analytic gradient, chunks."""

from __future__ import annotations

import numpy as np
import torch

from benchmarks.problems import Bench

torch.set_num_threads(1)

CHUNK = 4096
"""Matrix entries of a chunk, as for NumPy; calls cost more here, so that chunks are larger."""


def powers_of(L: torch.Tensor) -> tuple[list[torch.Tensor], torch.Tensor]:
    powers, stable = [], torch.ones(L.shape[:-2], dtype=torch.bool)
    for _ in range(64):
        norm = (L * L).sum((-1, -2))
        bounded = norm < 1e200
        if not bool(bounded.all()):
            stable &= bounded
            L = torch.where(bounded[..., None, None], L, 0.0)
            norm = torch.where(bounded, norm, 0.0)
        if bool((norm <= 1e-18).all()):
            return powers, stable
        powers.append(L)
        L = L @ L
    return powers, torch.zeros_like(stable)


def solve(powers: list[torch.Tensor], S: torch.Tensor) -> torch.Tensor:
    for L in powers:
        S = S + L @ S @ L.mT
    return S


def solve_transposed(powers: list[torch.Tensor], S: torch.Tensor) -> torch.Tensor:
    for L in powers:
        S = S + L.mT @ S @ L
    return S


def closed_loop(A, B, Q, R, S0, W):
    L = A - B @ W
    powers, stable = powers_of(L)
    P = solve_transposed(powers, Q + W.mT @ R @ W)
    Sigma = solve(powers, S0.expand_as(L))
    BP = B.mT @ P
    return L, powers, stable, P, Sigma, BP, R @ W - BP @ L


def chunk_value_and_gradient(A, B, Q, R, S0, weights, eta, gains):
    W = gains[:, None]
    L, powers, stable, _, Sigma, BP, G = closed_loop(A, B, Q, R, S0, W)
    _, _, still, P1, Sigma1, _, G1 = closed_loop(A, B, Q, R, S0, W - eta * 2 * (G @ Sigma))
    v = 2 * (G1 @ Sigma1)
    half = v.mT @ G
    dP = solve_transposed(powers, half + half.mT)
    moved = B @ (v @ Sigma) @ L.mT
    dSigma = solve(powers, -(moved + moved.mT))
    dG = (R + BP @ B) @ v - B.mT @ dP @ L
    pulled = v - eta * 2 * (dG @ Sigma + G @ dSigma)
    feasible = (stable & still).all(1)
    values = (P1 * S0).sum((-1, -2)) @ weights
    gradients = torch.tensordot(pulled, weights, dims=([1], [0]))
    return torch.where(feasible, values, torch.inf), torch.where(
        feasible[:, None, None], gradients, 0.0
    )


def value_and_gradient(bench: Bench) -> tuple[np.ndarray, np.ndarray]:
    """h and its gradient at every start, +∞ and zeros where infeasible."""
    fields = [
        torch.from_numpy(np.ascontiguousarray(x))
        for x in (bench.A, bench.B, bench.Q, bench.R, bench.S0, bench.weights)
    ]
    gains, size = torch.from_numpy(bench.gains), max(1, CHUNK // (bench.n * bench.n))
    with torch.no_grad():
        parts = [chunk_value_and_gradient(*fields, bench.eta, part) for part in gains.split(size)]
    return torch.cat([v for v, _ in parts]).numpy(), torch.cat([g for _, g in parts]).numpy()
