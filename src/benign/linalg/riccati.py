"""The Riccati equation of discrete time."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from benign.linalg.lyapunov import dlyap, dlyap_stable
from benign.linalg.products import matmul, norm_squared, require_x64, symmetric, transpose
from benign.linalg.stability import DIVERGED, MAX_SQUARINGS

def optimal_gain(
    A: Float[Array | np.ndarray, "*#batch n n"],
    B: Float[Array | np.ndarray, "*#batch n m"],
    R: Float[Array | np.ndarray, "*#batch m m"],
    P: Float[Array | np.ndarray, "*#batch n n"],
) -> Float[Array, "... m n"]:
    """(R + B'PB)⁻¹ B'PA: the gain of a = −W s that is optimal against the cost-to-go P."""
    PB = matmul(P, B)
    return _solve(jnp.asarray(R) + matmul(transpose(B), PB), matmul(transpose(PB), A))


def dare(
    A: Float[Array | np.ndarray, "*#batch n n"],
    B: Float[Array | np.ndarray, "*#batch n m"],
    Q: Float[Array | np.ndarray, "*#batch n n"],
    R: Float[Array | np.ndarray, "*#batch m m"],
) -> Float[Array, "... n n"]:
    """P = Q + A'PA − A'PB (R + B'PB)⁻¹ B'PA, the stabilising solution.

    A closed form for n = 1. Otherwise the structured doubling algorithm (Chu, Fan, Lin and Wang,
    Int. J. Control 77 (2004) 767–788, algorithm SDA) with pivoted solves, and one Newton step
    (Kleinman 1968), whose Lyapunov equation both restores the digits that forming B R⁻¹B' lost and
    shows whether the gain stabilises.

    Args:
        A, B: Dynamics s' = A s + B a.
        Q, R: Stage cost s'Qs + a'Ra with Q ⪰ 0, R ≻ 0, symmetric.

    Returns:
        P; +∞ in every entry where no stabilising gain was found. For n ≥ 2 that includes problems
        with an unstable mode that costs nothing (undetectable in Q), where the doubling converges
        to the smallest solution and not to the stabilising one. Derivatives are zero there.

    Raises:
        BenignError: JAX's 64-bit mode is off.
    """
    require_x64("dare")
    A, B, Q, R = (jnp.asarray(X, float) for X in (A, B, Q, R))
    batch = jnp.broadcast_shapes(*(X.shape[:-2] for X in (A, B, Q, R)))
    return _dare(*(jnp.broadcast_to(X, batch + X.shape[-2:]) for X in (A, B, Q, R)))


@jax.custom_jvp
def _dare(A: Array, B: Array, Q: Array, R: Array) -> Array:
    G = matmul(B, _solve(R, transpose(B)))
    rough = _scalar_riccati(A, G, Q) if A.shape[-1] == 1 else _doubled_riccati(A, G, Q)
    W = optimal_gain(A, B, R, jnp.where(jnp.isfinite(rough), rough, 0.0))
    return symmetric(dlyap(transpose(A - matmul(B, W)), Q + matmul(transpose(W), R, W)))


@_dare.defjvp
def _dare_jvp(primals, tangents):
    """Ṗ = L'ṖL + Q̇ + W'ṘW + M + M', M = (Ȧ − ḂW)'PL.

    Here W is the optimal gain and L = A − BW. P is stationary in W, so Ẇ drops out. The rule calls
    `_dare` and `dlyap_stable`, hence it nests.
    """
    A, B, _, R = primals
    dA, dB, dQ, dR = tangents
    P = _dare(*primals)
    found = jnp.isfinite(P)
    finite = jnp.where(found, P, 0.0)
    W = optimal_gain(A, B, R, finite)
    L = jnp.where(found, A - matmul(B, W), 0.0)
    M = matmul(transpose(dA - matmul(dB, W)), finite, L)
    right = dQ + matmul(transpose(W), dR, W) + M + transpose(M)
    dP = dlyap_stable(transpose(L), right)
    return P, jnp.where(found, dP, 0.0)


def _solve(M: Float[Array, "*#batch i i"], right: Float[Array, "*#batch i j"]) -> Array:
    return right / M if M.shape[-1] == 1 else jnp.linalg.solve(M, right)


def _scalar_riccati(A: Array, G: Array, Q: Array) -> Array:
    """The positive root of G p² + c p − Q = 0, c = 1 − A² − Q G, without cancellation."""
    c = 1 - A * A - Q * G
    root = jnp.sqrt(c * c + 4 * G * Q)
    positive = c > 0
    by_sum = 2 * Q / jnp.where(positive, c + root, 1.0)
    by_difference = (root - c) / jnp.where(positive | (G == 0), 1.0, 2 * G)
    return jnp.where(positive, by_sum, jnp.where(G == 0, jnp.inf, by_difference))


def _doubled_riccati(A: Array, G: Array, Q: Array) -> Array:
    identity = jnp.eye(A.shape[-1])

    def unfinished(state):
        k, _, _, H, change = state
        scale = norm_squared(H)
        return (k < MAX_SQUARINGS) & jnp.any((change > 1e-30 * scale) & (scale < DIVERGED))

    def double(state):
        k, A, G, H, _ = state
        W = identity + matmul(G, H)
        right = jnp.concatenate([A, G], axis=-1)
        WA, WG = jnp.split(_solve(W, right), 2, axis=-1)
        step = symmetric(matmul(transpose(A), H, WA))
        G = G + symmetric(matmul(A, WG, transpose(A)))
        return k + 1, matmul(A, WA), G, H + step, norm_squared(step)

    start = (jnp.zeros((), jnp.int32), A, G, Q, jnp.full(A.shape[:-2], jnp.inf))
    return lax.while_loop(unfinished, double, start)[3]
