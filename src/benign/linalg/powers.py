"""Lyapunov equations of many small matrices at once, by doubling, with the verdict on stability.

    X_j = Σ_{i < 2^j} Mᵢ S_j M'ᵢ   →   X + L^(2^j) X L'^(2^j),     L^(2^(j+1)) = (L^(2^j))².

Equations of one L and of its transpose share the powers, and the powers decide whether ρ(L) < 1, as in
`is_stable`. Each pass of the loop runs until every matrix of the tile is done, so tiles are small.

What a layout is good for (GF/s, one thread with AVX2, two equations; XLA's own batched product gives
0.5 for n = 4 and 3 for n = 8):

    n               3     4     5     6     8    10    12    16    24    32
    lanes last      -    15     -     -    10     8     9     7     -     -
    matmul          -    .6     -     -     3     2     4     8    11    11

XLA would merge the two products of X + L X L' into one loop that computes the inner one n times. The
branch of `Layout.apart` prevents that (n = 8: 4.5 → 10 GF/s); an `optimization_barrier` does not, it is
gone before XLA merges loops.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from benign.linalg.lyapunov import DECAYED
from benign.linalg.stability import DIVERGED, MAX_SQUARINGS


@dataclass(frozen=True)
class Layout:
    """How a tile of matrices lies in memory, and its products.

    Attributes:
        last: whether the matrices of a tile are the last axis, (n, n, T), and products sums of n
            terms; otherwise they are the first, (T, n, n), and products are `jnp.matmul`.
        barriers: whether `apart` does anything; not on a GPU, where a branch waits for the host.
    """

    last: bool
    barriers: bool = True

    def product(self, *factors: Array) -> Array:
        """The product of the matrices, from left to right."""
        X = factors[0]
        for Y in factors[1:]:
            if not self.last:
                X = jnp.matmul(X, Y)
                continue
            total = X[:, 0, None] * Y[None, 0]
            for k in range(1, X.shape[1]):
                total = total + X[:, k, None] * Y[None, k]
            X = total
        return X

    def transpose(self, X: Array) -> Array:
        """X', matrix by matrix."""
        return jnp.swapaxes(X, 0, 1) if self.last else jnp.swapaxes(X, 1, 2)

    def each(self, numbers: Array) -> Array:
        """A number for each matrix, in a shape that broadcasts against the matrices."""
        return numbers if self.last else numbers[:, None, None]

    def inner(self, X: Array, Y: Array) -> Array:
        """tr(X'Y), matrix by matrix."""
        return jnp.sum(X * Y, axis=(0, 1) if self.last else (1, 2))

    def largest(self, X: Array) -> Array:
        """The largest modulus of an entry, matrix by matrix."""
        return jnp.max(jnp.abs(X), axis=(0, 1) if self.last else (1, 2))

    def apart(self, always: Array, function: Callable[..., tuple[Array, ...]], *given: Array):
        """The function's value, its products not merged into those of whoever uses it.

        A branch is compiled by itself; that it is always taken is not known to XLA.
        """
        if not self.barriers:
            return function(*given)
        shapes = jax.eval_shape(function, *given)
        empty = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)
        return lax.cond(always, function, lambda *_: empty, *given)


@partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def solve(
    layout: Layout, adjoint: tuple[bool, ...], always: Array, L: Array, rights: tuple[Array, ...]
) -> tuple[Array, tuple[Array, ...]]:
    """X = L X L' + S for each S of `rights`; X = L'X L + S where `adjoint`.

    Returns:
        Whether L is stable (see `is_stable`), and the solutions; zeros where it is not.
    """
    return _solve(layout, adjoint, always, L, rights)


@solve.defjvp
def _solve_jvp(layout: Layout, adjoint: tuple[bool, ...], primals, tangents):
    """Ẋ = L Ẋ L' + (Ṡ + M + M'), M = L̇ X L', for symmetric S: the same equations again."""
    always, L, rights = primals
    _, dL, drights = tangents
    stable, solutions = solve(layout, adjoint, always, L, rights)
    mask = layout.each(stable)
    L, dL = jnp.where(mask, L, 0.0), jnp.where(mask, dL, 0.0)

    def right(turned: bool, X: Array, dS: Array) -> Array:
        K, dK = (layout.transpose(L), layout.transpose(dL)) if turned else (L, dL)
        M = layout.product(dK, X, layout.transpose(K))
        return jnp.where(mask, dS, 0.0) + M + layout.transpose(M)

    new = tuple(map(right, adjoint, solutions, drights))
    _, moved = solve(layout, adjoint, always, L, new)
    zero = jax.custom_derivatives.zero_from_primal(stable)
    return (stable, solutions), (zero, moved)


def _solve(
    layout: Layout, adjoint: tuple[bool, ...], always: Array, L: Array, rights: Sequence[Array]
) -> tuple[Array, tuple[Array, ...]]:
    product, transpose = layout.product, layout.transpose

    def halves(power: Array, *sums: Array) -> tuple[Array, ...]:
        return tuple(
            product(transpose(power), X) if turned else product(power, X)
            for turned, X in zip(adjoint, sums)
        )

    def unfinished(state) -> Array:
        k, _, _, norm, _, _ = state
        return (k < 2 * MAX_SQUARINGS) & jnp.any(norm > DECAYED**2)

    def double(state):
        k, power, sums, norm, growth, steps = state
        half = layout.apart(always, halves, power, *sums)
        sums = tuple(
            X + product(T, power if turned else transpose(power))
            for turned, X, T in zip(adjoint, sums, half)
        )
        growing = norm >= 1
        steps = jnp.where(growing, 2 * steps, steps)
        power = product(power, power)
        norm = layout.inner(power, power)
        # A NaN is lost as well, and so is what has not begun to decay by now.
        lost = ~(norm < DIVERGED**2) | ((k + 1 >= MAX_SQUARINGS) & (norm >= 1))
        growth = jnp.where(lost, jnp.inf, jnp.maximum(growth, norm))
        norm = jnp.where(lost, 0.0, norm)
        # A power left as it is would overflow in what is still to come for the others.
        power = jnp.where(layout.each(lost), 0.0, power)
        return k + 1, power, sums, norm, growth, steps

    norm = layout.inner(L, L)
    lost = ~(norm < DIVERGED**2)
    growth = jnp.where(lost, jnp.inf, jnp.maximum(norm, 1.0))
    start = jnp.where(layout.each(lost), 0.0, L)
    norm = jnp.where(lost, 0.0, norm)
    state = (jnp.zeros((), jnp.int32), start, tuple(rights), norm, growth, jnp.ones_like(norm))
    _, _, sums, _, growth, steps = lax.while_loop(unfinished, double, state)
    # The squares of the norms that `is_stable` bounds, hence the root.
    stable = jnp.finfo(L.dtype).eps * growth * jnp.sqrt(growth) * steps < 1
    return stable, tuple(jnp.where(layout.each(stable), X, 0.0) for X in sums)
