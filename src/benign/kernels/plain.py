"""Where adaptation leads, in NumPy: for a few gains, where nothing is worth compiling."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from benign.kernels.batch import Batched, Costs

DOUBLINGS = 60
"""Terms of the series are doubled until the last power is nothing, so many times at most."""


def adapted(h: Batched, W: Float[np.ndarray, "m n"]) -> Float[np.ndarray, "k m n"]:
    """F_τ(W), task by task; no number where a gain on the way does not stabilise."""
    costs = h.f if h.g is None else h.g
    gains = np.broadcast_to(W, (len(costs.A), h.m, h.n))
    with np.errstate(all="ignore"):
        for _ in range(h.shots):
            slope = _gradient(costs, gains)
            if h.kind == "normalized":
                size = np.linalg.norm(slope, axis=(1, 2), keepdims=True)
                slope = np.where(size > 0, slope / np.where(size > 0, size, 1.0), slope)
            gains = gains - h.eta * slope
    return gains


def _gradient(costs: Costs, W: Float[np.ndarray, "k m n"]) -> Float[np.ndarray, "k m n"]:
    """2 G Σ; no number where W does not stabilise."""
    L = costs.A - costs.B @ W
    stable = np.asarray(np.isfinite(L).all(axis=(1, 2)))
    radius = np.abs(np.linalg.eigvals(np.where(stable[:, None, None], L, 0.0))).max(axis=1)
    stable &= radius < 1
    paid = W if costs.T is None else W - costs.T
    P, Sigma = costs.Q + paid.swapaxes(1, 2) @ costs.R @ paid, costs.S0
    power = np.where(stable[:, None, None], L, 0.0)
    for _ in range(DOUBLINGS):
        turned = power.swapaxes(1, 2)
        P, Sigma, power = P + turned @ P @ power, Sigma + power @ Sigma @ turned, power @ power
        if not power.any():
            break
    BP = costs.B.swapaxes(1, 2) @ P
    slope = 2 * (costs.R @ paid - BP @ L) @ Sigma
    return np.where(stable[:, None, None], slope, np.nan)
