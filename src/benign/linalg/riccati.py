"""The Riccati equation of discrete time."""

from __future__ import annotations

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from benign.linalg.balance import balancing, in_units
from benign.linalg.lyapunov import dlyap, dlyap_stable
from benign.linalg.powers import FEWEST, LAST, Layout, in_tiles, solve, unknown_truth
from benign.linalg.products import matmul, symmetric, transpose
from benign.linalg.stability import MAX_SQUARINGS
from benign.precision import in_float64

CONVERGED = 1e-15
"""A step of the doubling this small beside a diagonal entry is below rounding."""

HALF_THE_DIGITS = 2.0**-26
"""Kleinman's iteration squares a relative error: after a change this small none is left."""


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
    shows whether the gain stabilises. Where it does not (an unstable mode that Q does not see: the
    doubling converges to the smallest solution, which leaves that mode alone) Kleinman's iteration
    starts from the gain for a price on every state, which stabilises, and falls to the solution that
    does. All tests are the same in all units of states, inputs and cost.

    Args:
        A, B: Dynamics s' = A s + B a.
        Q, R: Stage cost s'Qs + a'Ra with Q ⪰ 0, R ≻ 0, symmetric.

    Returns:
        P; +∞ in every entry where no stabilising gain was found: (A, B) is not stabilisable, or a mode
        on the unit circle costs nothing, so that no stabilising gain is best. Derivatives are zero
        there.
    """
    A, B, Q, R = (jnp.asarray(X, float) for X in (A, B, Q, R))
    batch = jnp.broadcast_shapes(*(X.shape[:-2] for X in (A, B, Q, R)))
    return _dare(*(jnp.broadcast_to(X, batch + X.shape[-2:]) for X in (A, B, Q, R)))


@jax.custom_jvp
def _dare(A: Array, B: Array, Q: Array, R: Array) -> Array:
    n = A.shape[-1]
    if n == 1:
        return _one_by_one(A, B, Q, R)
    # |A| + |G||Q| becomes D(…)D⁻¹ in other units of the states, so that it finds the same ones for all.
    G = matmul(B, _solve(R, transpose(B)))
    x = balancing(jnp.abs(A) + matmul(jnp.abs(G), jnp.abs(Q)))
    A, B, Q = in_units(A, x, -x), in_units(B, x), in_units(Q, -x, -x)
    many = n <= LAST and math.prod(A.shape[:-2]) >= FEWEST
    return in_units(_many(A, B, Q, R) if many else _one_by_one(A, B, Q, R), x, x)


def _one_by_one(A: Array, B: Array, Q: Array, R: Array) -> Array:
    G = matmul(B, _solve(R, transpose(B)))
    if A.shape[-1] == 1:
        return _improved(A, B, Q, R, _scalar_riccati(A, G, Q))
    P = _improved(A, B, Q, R, _doubled_riccati(A, G, Q))
    return _kleinman(A, B, G, Q, R, P)


def _improved(A: Array, B: Array, Q: Array, R: Array, P: Array) -> Array:
    """The cost-to-go of the gain that is optimal against P; +∞ where that does not stabilise."""
    W = optimal_gain(A, B, R, jnp.where(jnp.isfinite(P), P, 0.0))
    return symmetric(dlyap(transpose(A - matmul(B, W)), Q + matmul(transpose(W), R, W)))


def _diagonal(X: Array) -> Array:
    return jnp.diagonal(X, axis1=-2, axis2=-1)


def _kleinman(A: Array, B: Array, G: Array, Q: Array, R: Array, P: Array) -> Array:
    """P where it is finite; elsewhere Kleinman's iteration for the solution that stabilises.

    P_(k+1) is the cost-to-go of the gain that is optimal against P_k; from a gain that stabilises it
    falls to the largest solution, quadratically if that stabilises. Prices to start with: Q + D with
    D_ii G_ii = 1 where an input moves state i, which is a price in the units of the task.

    Source: G. A. Hewer, IEEE Trans. Automat. Control 16 (1971) 382–384.
    """
    lost = ~jnp.isfinite(P[..., 0, 0])
    priced = jnp.where(lost[..., None, None], Q + _prices(A, G), 0.0)
    start = _improved(A, B, priced, R, _doubled_riccati(A, G, priced))
    # Where P is known nothing is asked, so that in most calls no pass is made.
    lost &= jnp.isfinite(start[..., 0, 0])

    def unfinished(state):
        k, _, falling = state
        return (k < MAX_SQUARINGS) & jnp.any(falling)

    def improve(state):
        k, P, falling = state
        new = _improved(A, B, Q, R, P)
        finite = jnp.isfinite(new[..., 0, 0])
        # The first cost-to-go is one for other prices, and need not fall.
        change = jnp.abs(_diagonal(P) - _diagonal(new)) > HALF_THE_DIGITS * _diagonal(new)
        new = jnp.where(falling[..., None, None], new, P)
        return k + 1, new, falling & finite & ((k == 0) | jnp.any(change, axis=-1))

    found = lax.while_loop(unfinished, improve, (jnp.zeros((), jnp.int32), start, lost))
    solved = lost & ~found[2]
    return jnp.where(solved[..., None, None], found[1], P)


def _prices(A: Array, G: Array) -> Array:
    """A price on each state: the inverse of what inputs of unit cost move it by in n steps."""
    moved, reach = _diagonal(G), jnp.abs(G)
    for _ in range(A.shape[-1] - 1):
        reach = matmul(jnp.abs(A), reach, transpose(jnp.abs(A)))
        moved = moved + _diagonal(reach)
    price = jnp.where(moved > 0, 1 / jnp.where(moved > 0, moved, 1.0), 0.0)
    return price[..., None, :] * jnp.eye(A.shape[-1])


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
    """M⁻¹ times the right-hand sides, M ≻ 0 with diagonal entries of like size first.

    Pivots then do not depend on the units, and so no rounding does.
    """
    if M.shape[-1] == 1:
        return right / M
    half = -(jnp.frexp(_diagonal(M))[1] >> 1)
    return in_units(jnp.linalg.solve(in_units(M, half, half), in_units(right, half)), half)


def _solve_similar(M: Float[Array, "*batch n n"], right: Float[Array, "*batch n j"]) -> Array:
    """The same for an M that becomes D M D⁻¹ in other units of the states."""
    x = balancing(M)
    return in_units(jnp.linalg.solve(in_units(M, x, -x), in_units(right, x)), -x)


def _scalar_riccati(A: Array, G: Array, Q: Array) -> Array:
    """The positive root of G p² + c p − Q = 0, c = 1 − A² − Q G, without cancellation."""
    c = 1 - A * A - Q * G
    root = jnp.sqrt(c * c + 4 * G * Q)
    positive = c > 0
    by_sum = 2 * Q / jnp.where(positive, c + root, 1.0)
    by_difference = (root - c) / jnp.where(positive | (G == 0), 1.0, 2 * G)
    return jnp.where(positive, by_sum, jnp.where(G == 0, jnp.inf, by_difference))


def rises(step: Array, H: Array) -> Array:
    """Which diagonal entries of H ⪰ 0 rise with the step, which is ⪰ 0 too: these bound all others.

    A comparison entry by entry is the same in all units. NaN and infinities end the iteration.
    """
    return (step > CONVERGED * H) & jnp.isfinite(step)


def _doubled_riccati(A: Array, G: Array, Q: Array) -> Array:
    identity = jnp.eye(A.shape[-1])

    def unfinished(state):
        k, _, _, _, rising = state
        return (k < MAX_SQUARINGS) & jnp.any(rising)

    def double(state):
        k, A, G, H, _ = state
        W = identity + matmul(G, H)
        right = jnp.concatenate([A, G], axis=-1)
        WA, WG = jnp.split(_solve_similar(W, right), 2, axis=-1)
        step = symmetric(matmul(transpose(A), H, WA))
        G = G + symmetric(matmul(A, WG, transpose(A)))
        return k + 1, matmul(A, WA), G, H + step, rises(_diagonal(step), _diagonal(H))

    start = (jnp.zeros((), jnp.int32), A, G, Q, jnp.ones(A.shape[:-1], bool))
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
        k, _, _, _, rising = state
        return (k < MAX_SQUARINGS) & jnp.any(rising)

    def diagonal(X: Array) -> Array:
        return jnp.stack([X[i, i] for i in range(n)])

    def double(state):
        k, A, G, H, _ = state
        both = jnp.concatenate([A, G], axis=1)
        solved = eliminate(apart(lambda G, H: identity + product(G, H), G, H), both)
        WA, WG = solved[:, :n], solved[:, n:]
        HWA, AWG = apart(product, H, WA), apart(product, A, WG)
        step = apart(lambda A, X: product(turn(A), X), A, HWA)
        moved = apart(lambda A, X: product(X, turn(A)), A, AWG)
        step, moved = 0.5 * (step + turn(step)), 0.5 * (moved + turn(moved))
        return k + 1, apart(product, A, WA), G + moved, H + step, rises(diagonal(step), diagonal(H))

    G = product(B, eliminate(R, turn(B)))
    start = (jnp.zeros((), jnp.int32), A, G, Q, jnp.ones(A.shape[1:], bool))
    rough = lax.while_loop(unfinished, double, start)[3]
    PB = apart(product, rough, B)
    W = eliminate(R + product(turn(B), PB), apart(lambda PB, A: product(turn(PB), A), PB, A))
    L, RW = A - product(B, W), product(R, W)
    stable, _, (P,) = solve(layout, (True,), always, L, (Q + product(turn(W), RW),))
    P = 0.5 * (P + turn(P))
    change = jnp.abs(diagonal(P) - diagonal(rough))
    good = stable & jnp.all(change <= AGREED * diagonal(P), axis=0)
    return jnp.where(layout.each(good), P, jnp.inf), good
