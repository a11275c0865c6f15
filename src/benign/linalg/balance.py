"""Units of the states in which a matrix looks its size: what a norm is to be asked of.

In other units of the states, s̃ = D s, a loop L is D L D⁻¹. Its spectral radius stays, its norms do not:
a metre and a nanometre change them by 10⁹. So every test by a norm is made of the balanced matrix.
D holds powers of two, so that no number is rounded on the way there or back.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

NOTHING = -(2**20)
"""In place of the exponent of zero."""

FLOOR = -20
"""A coupling below 2⁻²⁰ of those that set the units counts as that: a coupling that nothing answers
would otherwise have no best units."""

SWEEPS = 3
"""Passes over the states; each brings rows and columns of like size after two, as a rule."""


def balancing(L: Float[Array | np.ndarray, "*batch n n"]) -> Int[Array, "*batch n"]:
    """x such that 2^(x_i − x_j) L_ij has rows and columns of like size.

    For M = D L D⁻¹ with powers of two in D the balanced matrix is the same to the last bit: units are
    first chosen from couplings only, state after state along the graph of the nonzero entries, which
    undoes D; what follows starts from the same matrix whatever D was.

    Args:
        L: Square matrices.

    Returns:
        Exponents of two. Zeros where nothing couples a state to others.

    Source: E. E. Osborne, On pre-conditioning of matrices, J. ACM 7 (1960) 338–345.
    """
    n = L.shape[-1]
    L = lax.stop_gradient(jnp.asarray(L))
    if n == 1:
        return jnp.zeros(L.shape[:-1], jnp.int32)
    # Over the last axis, the batch: the loops below index the first two.
    e = jnp.moveaxis(_exponents(L).reshape(-1, n, n), 0, -1)
    x = _swept(e, _along_the_graph(e))
    return jnp.moveaxis(x, 0, -1).reshape(L.shape[:-1])


def in_units(X: Float[Array, "*batch n m"], rows: Array, columns: Array | None = None) -> Array:
    """2^(rows_i + columns_j) X_ij, exactly."""
    shift = rows[..., :, None] + (0 if columns is None else columns[..., None, :])
    return jnp.ldexp(X, jnp.broadcast_to(shift, X.shape))


def _exponents(L: Array) -> Int[Array, "*batch n n"]:
    """⌊log₂ |L_ij|⌋ + 1 off the diagonal; NOTHING for zeros and for what is not finite."""
    there = jnp.isfinite(L) & (L != 0) & ~jnp.eye(L.shape[-1], dtype=bool)
    return jnp.where(there, jnp.frexp(jnp.where(there, L, 1.0))[1], NOTHING)


def _along_the_graph(e: Int[Array, "n n T"]) -> Int[Array, "n T"]:
    """Units in which each state found couples to one found before it by 2⁰, or by equals both ways."""
    n, back = e.shape[0], jnp.swapaxes(e, 0, 1)
    there, answered = e > NOTHING, back > NOTHING
    # How far i has to be lowered against j: an integer that shifts by exactly what the units do.
    both = (e - back) >> 1
    gap = jnp.where(there & answered, both, jnp.where(there, e, -back))
    linked = there | answered

    def reach(_, state):
        x, known = state
        fits = jnp.where(linked & known[None], x[None] - gap, NOTHING)
        near = jnp.any(linked & known[None], axis=1) & ~known
        first = ~known & (jnp.cumsum(~known, axis=0) == 1)
        new = jnp.where(jnp.any(near, axis=0), near, first)
        found = jnp.where(near, jnp.max(fits, axis=1), 0)
        return jnp.where(new, found, x), known | new

    x = jnp.zeros(e.shape[1:], jnp.int32)
    return lax.fori_loop(0, n, reach, (x, jnp.zeros(x.shape, bool)))[0]


def _swept(e: Int[Array, "n n T"], x: Int[Array, "n T"]) -> Int[Array, "n T"]:
    """Osborne's iteration for the largest entry of row and column, in exponents."""
    n = e.shape[0]
    e = jnp.where(e > NOTHING, jnp.maximum(e + x[:, None] - x[None], FLOOR), FLOOR)
    off = ~jnp.eye(n, dtype=bool)[..., None]

    def one(k: Array, move: Array) -> Array:
        i = k % n
        take = lax.dynamic_index_in_dim
        others = take(off, i, 0, keepdims=False)
        row = take(e, i, 0, keepdims=False) + take(move, i, 0) - move
        column = take(e, i, 1, keepdims=False) + move - take(move, i, 0)
        highest = (jnp.max(jnp.where(others, y, NOTHING), axis=0) for y in (row, column))
        row, column = highest
        return move.at[i].add((column - row) >> 1)

    return x + lax.fori_loop(0, SWEEPS * n, one, jnp.zeros_like(x))
