"""The Riccati equation of discrete time."""

from __future__ import annotations

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from benign.linalg.lyapunov import dlyap, dlyap_stable
from benign.linalg.powers import FEWEST, LAST, Layout, in_tiles, solve, unknown_truth
from benign.linalg.precision import in_float64
from benign.linalg.products import matmul, norm_squared, symmetric, transpose
from benign.linalg.stability import DIVERGED, MAX_SQUARINGS


@in_float64
def optimal_gain(
    A: Float[Array | np.ndarray, "*#batch n n"],
    B: Float[Array | np.ndarray, "*#batch n m"],
    R: Float[Array | np.ndarray, "*#batch m m"],
    P: Float[Array | np.ndarray, "*#batch n n"],
) -> Float[Array, "... m n"]:
    """(R + B'PB)⁻¹ B'PA: the gain of a = −W s that is optimal against the cost-to-go P."""
    PB = matmul(P, B)
    return _solve(jnp.asarray(R) + matmul(transpose(B), PB), matmul(transpose(PB), A))


@in_float64
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
    """
    A, B, Q, R = (jnp.asarray(X, float) for X in (A, B, Q, R))
    batch = jnp.broadcast_shapes(*(X.shape[:-2] for X in (A, B, Q, R)))
    return _dare(*(jnp.broadcast_to(X, batch + X.shape[-2:]) for X in (A, B, Q, R)))


@jax.custom_jvp
def _dare(A: Array, B: Array, Q: Array, R: Array) -> Array:
    n = A.shape[-1]
    if 1 < n <= LAST and math.prod(A.shape[:-2]) >= FEWEST:
        return _many(A, B, Q, R)
    return _one_by_one(A, B, Q, R)


def _one_by_one(A: Array, B: Array, Q: Array, R: Array) -> Array:
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


# --- in tiles ----------------------------------------------------------------------------------

WIDTH = 64
"""Matrices in a tile: an elimination passes over four matrices for each pivot."""

AGREED = 1e-6
"""Newton's step squares a relative error: where it moves P by more, the doubling lost digits."""


def _many(A: Array, B: Array, Q: Array, R: Array) -> Array:
    """The same algorithm in tiles (see `linalg.powers`), the eliminations without pivots.

    LAPACK solves one small system in the time that a whole tile takes here (n = 4: 1.6 µs each instead
    of ten). Without pivots I + GH can lose digits or fail. So a tile in which Newton's step, which
    needs no such elimination, disagrees anywhere, or finds the loop unstable, is done again by
    `_one_by_one`.
    """
    layout, always = Layout(last=True), unknown_truth(A.ravel()[0])

    def tile(A: Array, B: Array, Q: Array, R: Array) -> tuple[Array]:
        P, good = _tile_riccati(layout, always, A, B, Q, R)

        def again() -> Array:
            first = (jnp.moveaxis(X, -1, 0) for X in (A, B, Q, R))
            return jnp.moveaxis(_one_by_one(*first), 0, -1)

        return (lax.cond(jnp.all(good), lambda: P, again),)

    return in_tiles(tile, A, B, Q, R, width=WIDTH)[0]


def _eliminate(layout: Layout, always: Array, M: Array, right: Array) -> Array:
    """M⁻¹ times the right-hand sides by Gauss–Jordan without pivots, matrices last: (i, j, T)."""
    i = M.shape[0]

    def scaled(k: Array, rows: Array) -> tuple[Array]:
        row = lax.dynamic_index_in_dim(rows, k, 0, keepdims=False)
        # Apart, or the quotient would be computed for every entry of every row.
        (inverse,) = layout.apart(always, lambda row: (1 / lax.dynamic_index_in_dim(row, k, 0),), row)
        return (row * inverse,)

    def step(k: Array, rows: Array) -> Array:
        (row,) = layout.apart(always, scaled, k, rows)
        column = lax.dynamic_index_in_dim(rows, k, 1)
        pivot = (jnp.arange(i) == k)[:, None, None]
        return jnp.where(pivot, row[None], rows - column * row[None])

    return lax.fori_loop(0, i, step, jnp.concatenate([M, right], axis=1))[:, i:]


def _tile_riccati(
    layout: Layout, always: Array, A: Array, B: Array, Q: Array, R: Array
) -> tuple[Array, Array]:
    """P for a tile, and where it can be relied on."""
    product, turn, n = layout.product, layout.transpose, A.shape[0]
    identity = jnp.eye(n)[:, :, None]

    def apart(function, *given):
        return layout.apart(always, lambda *given: (function(*given),), *given)[0]

    eliminate = partial(_eliminate, layout, always)

    def unfinished(state):
        k, _, _, H, change = state
        scale = layout.inner(H, H)
        return (k < MAX_SQUARINGS) & jnp.any((change > 1e-30 * scale) & (scale < DIVERGED))

    def double(state):
        k, A, G, H, _ = state
        both = jnp.concatenate([A, G], axis=1)
        solved = eliminate(apart(lambda G, H: identity + product(G, H), G, H), both)
        WA, WG = solved[:, :n], solved[:, n:]
        HWA, AWG = apart(product, H, WA), apart(product, A, WG)
        step = apart(lambda A, X: product(turn(A), X), A, HWA)
        moved = apart(lambda A, X: product(X, turn(A)), A, AWG)
        step, moved = 0.5 * (step + turn(step)), 0.5 * (moved + turn(moved))
        return k + 1, apart(product, A, WA), G + moved, H + step, layout.inner(step, step)

    G = product(B, eliminate(R, turn(B)))
    start = (jnp.zeros((), jnp.int32), A, G, Q, jnp.full(A.shape[2:], jnp.inf))
    rough = lax.while_loop(unfinished, double, start)[3]
    PB = apart(product, rough, B)
    W = eliminate(R + product(turn(B), PB), apart(lambda PB, A: product(turn(PB), A), PB, A))
    L, RW = A - product(B, W), product(R, W)
    stable, _, (P,) = solve(layout, (True,), always, L, (Q + product(turn(W), RW),))
    P = 0.5 * (P + turn(P))
    change = P - rough
    good = stable & (layout.inner(change, change) <= AGREED**2 * layout.inner(P, P))
    return jnp.where(layout.each(good), P, jnp.inf), good
