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

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial, reduce

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from benign.linalg.stability import DECAYED, DIVERGED, MAX_SQUARINGS, unit_weights

LAST = 12
"""Up to this size the matrices of a tile are the last axis; see above."""

FEWEST = 16
"""From so many matrices on tiles are worth their padding."""


def lanes(n: int, on_cpu: bool = True) -> int:
    """Matrices in a tile: what fits into the first two caches; on a GPU as many as fill it."""
    if not on_cpu:
        return 4096 if n <= LAST else 512
    return 128 if n <= 4 else 16


def in_tiles(
    function: Callable[..., tuple[Array, ...]], *stacks: Array, width: int | None = None
) -> tuple[Array, ...]:
    """The function of tiles, last axis, of stacks of matrices (…, i, j) that have one batch shape.

    The function's results are (i, j, T) or (T,); they come back as (…, i, j) or (…). The last tile is
    filled up with the last matrix.
    """
    batch = stacks[0].shape[:-2]
    N = math.prod(batch)
    on_cpu = jax.default_backend() == "cpu"
    T = min(width if width and on_cpu else lanes(stacks[0].shape[-1], on_cpu), N)
    index = jnp.minimum(jnp.arange(-(-N // T) * T), N - 1).reshape(-1, T)

    def tile(index: Array) -> tuple[Array, ...]:
        given = (jnp.moveaxis(X.reshape(N, *X.shape[-2:])[index], 0, -1) for X in stacks)
        return tuple(jnp.moveaxis(X, -1, 0) for X in function(*given))

    results = lax.map(tile, index)
    return tuple(X.reshape(-1, *X.shape[2:])[:N].reshape(*batch, *X.shape[2:]) for X in results)


def unknown_truth(x: Array) -> Array:
    """True, which XLA does not know: 0·x ≠ 1 for every number, NaN and the infinities included."""
    return 0 * x != 1


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

    def entry(self, X: Array) -> Array:
        """The first entry of each matrix."""
        return X[0, 0] if self.last else X[:, 0, 0]

    def inner(self, X: Array, Y: Array) -> Array:
        """tr(X'Y), matrix by matrix."""
        # One by one: a reduction over other axes than the last is vectorised, one over the last is not.
        if not self.last:
            return jnp.sum(reduce(jnp.add, [X[:, i] * Y[:, i] for i in range(X.shape[1])]), axis=1)
        terms = [X[i, j] * Y[i, j] for i in range(X.shape[0]) for j in range(X.shape[1])]
        return reduce(jnp.add, terms)

    def unit_weights(self, L: Array, S0: Array) -> Array:
        """`linalg.unit_weights`, matrix by matrix."""
        if not self.last:
            return unit_weights(L, S0)
        moments = jnp.stack([lax.stop_gradient(S0[i, i]) for i in range(S0.shape[0])])
        s = jnp.where(moments > 0, moments, 1.0)
        weights = s[None] / s[:, None]
        L = lax.stop_gradient(L)
        return jnp.where(self.inner(weights * L, L) < self.inner(L, L), weights, 1.0)

    def largest(self, X: Array) -> Array:
        """The largest modulus of an entry, matrix by matrix."""
        return jnp.max(jnp.abs(X), axis=(0, 1) if self.last else (1, 2))

    def apart(self, always: Array, function: Callable[..., tuple[Array, ...]], *given: Array):
        """The function's value, its products not merged into those of whoever uses it.

        A branch is compiled by itself; that it is always taken is not known to XLA.
        """
        if not (self.barriers and self.last):
            return function(*given)
        shapes = jax.eval_shape(function, *given)
        empty = jax.tree.map(lambda s: jnp.zeros(s.shape, s.dtype), shapes)
        return lax.cond(always, function, lambda *_: empty, *given)


Solved = tuple[Array, Array, tuple[Array, ...]]


@partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def solve(
    layout: Layout,
    adjoint: tuple[bool, ...],
    always: Array,
    L: Array,
    rights: tuple[Array, ...],
    weights: Array | None = None,
) -> Solved:
    """X = L X L' + S for each S of `rights`, symmetric; X = L'X L + S where `adjoint`.

    Powers of L are judged by the norm of these weights; see `linalg.unit_weights`.

    Returns:
        Whether L is stable (see `is_stable`), how many squarings that took, and the solutions; zeros
        where it is not.
    """
    return _solve(layout, adjoint, always, L, rights, weights)


@solve.defjvp
def _solve_jvp(layout: Layout, adjoint: tuple[bool, ...], primals, tangents):
    always, L, rights, weights = primals
    stable, steps, solutions = solve(layout, adjoint, always, L, rights, weights)
    mask = layout.each(stable)
    L, dL = jnp.where(mask, L, 0.0), jnp.where(mask, tangents[1], 0.0)
    new = _moved(layout, adjoint, L, dL, solutions, tangents[2])
    moved = solve_again(layout, adjoint, always, steps, L, new)
    zeros = map(jax.custom_derivatives.zero_from_primal, (stable, steps))
    return (stable, steps, solutions), (*zeros, moved)


@partial(jax.custom_jvp, nondiff_argnums=(0, 1))
def solve_again(
    layout: Layout,
    adjoint: tuple[bool, ...],
    always: Array,
    steps: Array,
    L: Array,
    rights: tuple[Array, ...],
) -> tuple[Array, ...]:
    """As `solve` for L that it has found stable in so many squarings; zeros for the other L."""

    def double(_, state):
        power, sums = state
        _, *half = layout.apart(always, partial(_halves, layout, adjoint, None), power, *sums)
        return layout.product(power, power), _added(layout, adjoint, power, sums, half)

    return lax.fori_loop(0, steps, double, (L, tuple(rights)))[1]


@solve_again.defjvp
def _solve_again_jvp(layout: Layout, adjoint: tuple[bool, ...], primals, tangents):
    always, steps, L, _rights = primals
    solutions = solve_again(layout, adjoint, *primals)
    new = _moved(layout, adjoint, L, tangents[2], solutions, tangents[3])
    return solutions, solve_again(layout, adjoint, always, steps, L, new)


def _moved(layout: Layout, adjoint, L: Array, dL: Array, solutions, drights) -> tuple[Array, ...]:
    """The right-hand sides of the derivatives: Ẋ = L Ẋ L' + (Ṡ + M + M'), M = L̇ X L'."""

    def right(turned: bool, X: Array, dS: Array) -> Array:
        K, dK = (layout.transpose(L), layout.transpose(dL)) if turned else (L, dL)
        M = layout.product(dK, X, layout.transpose(K))
        return dS + M + layout.transpose(M)

    return tuple(map(right, adjoint, solutions, drights))


def _halves(
    layout: Layout, adjoint: tuple[bool, ...], weights: Array | None, power: Array, *sums: Array
):
    """‖L‖² for a power of L, and L X or L'X for each X."""
    turned = layout.transpose(power)
    return (
        layout.inner(power if weights is None else weights * power, power),
        *(layout.product(turned if t else power, X) for t, X in zip(adjoint, sums, strict=True)),
    )


def _added(layout: Layout, adjoint: tuple[bool, ...], power: Array, sums, half) -> tuple[Array, ...]:
    """X + (L X) L' or X + (L'X) L for each X."""
    turned = layout.transpose(power)
    return tuple(
        X + layout.product(T, power if t else turned)
        for t, X, T in zip(adjoint, sums, half, strict=True)
    )


def _solve(
    layout: Layout,
    adjoint: tuple[bool, ...],
    always: Array,
    L: Array,
    rights: Sequence[Array],
    weights: Array | None,
) -> Solved:
    def unfinished(state) -> Array:
        k, _, _, norm, _, _ = state
        # Of the power last used; the next one is no larger than its square.
        return (k < 2 * MAX_SQUARINGS) & jnp.any(norm > DECAYED)

    def double(state):
        k, power, sums, _, growth, steps = state
        norm, *half = layout.apart(always, partial(_halves, layout, adjoint, weights), power, *sums)
        sums = _added(layout, adjoint, power, sums, half)
        # A NaN is lost as well, and so is what has not begun to decay by now.
        lost = ~(norm < DIVERGED**2) | ((k >= MAX_SQUARINGS) & (norm >= 1))
        steps = jnp.where(norm >= 1, 2 * steps, steps)
        growth = jnp.where(lost, jnp.inf, jnp.maximum(growth, norm))
        # Left as it is a power would become NaN, and the loop would go on for it.
        power = jnp.where(layout.each(lost), 0.0, layout.product(power, power))
        return k + 1, power, sums, jnp.where(lost, 0.0, norm), growth, steps

    one = jnp.ones_like(layout.entry(L))
    state = (jnp.zeros((), jnp.int32), L, tuple(rights), one, one, one)
    k, _, sums, _, growth, steps = lax.while_loop(unfinished, double, state)
    # Squares of the norms that `is_stable` bounds, hence the root.
    stable = jnp.finfo(L.dtype).eps * growth * jnp.sqrt(growth) * steps < 1
    return stable, k, tuple(jnp.where(layout.each(stable), X, 0.0) for X in sums)
