"""The Lyapunov equation of discrete time."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from benign.linalg.powers import FEWEST, LAST, Layout, in_tiles, solve, unknown_truth
from benign.linalg.products import matmul, norm_squared, pair_product, transpose
from benign.linalg.stability import DECAYED, MAX_SQUARINGS, is_stable
from benign.precision import in_float64


@in_float64
def dlyap(
    L: Float[Array | np.ndarray, "*#batch n n"], S: Float[Array | np.ndarray, "*#batch n n"]
) -> Float[Array, "... n n"]:
    """X = L X L' + S.

    Args:
        L: Square matrices with ρ(L) < 1.
        S: Right-hand sides, symmetric or not.

    Returns:
        X, exactly as symmetric as the arithmetic allows; +∞ in every entry where ρ(L) ≥ 1 (there
        the sum Σ Lᵏ S L'ᵏ diverges, while the linear system would still give some finite matrix).
        Derivatives of every order are zero there.
    """
    L, S = jnp.asarray(L, float), jnp.asarray(S, float)
    batch = jnp.broadcast_shapes(L.shape, S.shape)
    if 2 < batch[-1] <= LAST and math.prod(batch[:-2]) >= FEWEST:
        return _many(jnp.broadcast_to(L, batch), jnp.broadcast_to(S, batch))
    stable = is_stable(L)[..., None, None]
    # Select twice: on the way in, so that no infinity arises behind the mask, and on the way out.
    X = dlyap_stable(jnp.where(stable, L, 0.0), jnp.where(stable, S, 0.0))
    return jnp.where(stable, X, jnp.inf)


@jax.jit
def _many(L: Float[Array, "*batch n n"], S: Float[Array, "*batch n n"]) -> Array:
    """The same in tiles, where one loop gives the solution and the verdict; see `linalg.powers`."""
    finite = jnp.all(jnp.isfinite(L), axis=(-1, -2))[..., None, None]
    L = jnp.where(finite, L, 0.0)
    layout, always = Layout(last=True), unknown_truth(L.ravel()[0])

    def solver(turned: bool):
        def tile(L: Array, S: Array) -> tuple[Array, Array]:
            stable, _, (X,) = solve(layout, (turned,), always, L, (S,))
            return X, stable

        return lambda _, right: in_tiles(tile, L, right)

    X, stable = lax.custom_linear_solve(
        lambda X: X - matmul(L, X, transpose(L)),
        S,
        solve=solver(False),
        transpose_solve=solver(True),
        has_aux=True,
    )
    return jnp.where(finite & stable[..., None, None], X, jnp.inf)


@in_float64
def dlyap_stable(
    L: Float[Array | np.ndarray, "*#batch n n"],
    S: Float[Array | np.ndarray, "*#batch n n"],
    weights: Float[Array, "*#batch n n"] | None = None,
) -> Float[Array, "... n n"]:
    """As `dlyap` for L known to satisfy `is_stable`, which saves the test.

    Derivative. Perturbing X = L X L' + S gives the same equation again,

        Ẋ = L Ẋ L' + (Ṡ + L̇ X L' + L X L̇'),

    and the adjoint of 𝓛(X) = X − L X L' in the inner product tr(X'Y) is Y − L' Y L, the equation
    for L'. `custom_linear_solve` is told 𝓛 and the two solvers and makes both rules of them; as the
    rules solve by `custom_linear_solve` themselves they nest to any order.

    `weights` are those `is_stable` was given.
    """
    batch = jnp.broadcast_shapes(L.shape, S.shape)
    L, S = jnp.broadcast_to(L, batch), jnp.broadcast_to(S, batch)
    turned = None if weights is None else transpose(weights)
    return lax.custom_linear_solve(
        lambda X: X - matmul(L, X, transpose(L)),
        S,
        solve=lambda _, right: _sum_of_powers(L, right, weights),
        transpose_solve=lambda _, right: _sum_of_powers(transpose(L), right, turned),
    )


def _sum_of_powers(
    L: Float[Array, "*batch n n"], S: Float[Array, "*batch n n"], weights: Array | None
) -> Array:
    """Σ Lᵏ S L'ᵏ: in closed form for n ≤ 2, by doubling the number of terms otherwise."""
    n = L.shape[-1]
    if n == 1:
        return S / ((1 - L) * (1 + L))
    if n == 2:
        trace = (L[..., 0, 0] + L[..., 1, 1])[..., None, None]
        det = (L[..., 0, 0] * L[..., 1, 1] - L[..., 0, 1] * L[..., 1, 0])[..., None, None]
        LS = matmul(L, S)
        # Cayley–Hamilton, L² = t L − d I, applied on both sides of the series.
        top = (
            ((1 + det) - trace * trace * (1 - det)) * S
            + (1 + det) * matmul(LS, transpose(L))
            - trace * det * (LS + matmul(S, transpose(L)))
        )
        return top / ((1 - det) * (1 + det - trace) * (1 + det + trace))

    def unfinished(state):
        k, power, _ = state
        # `is_stable` left a power of norm below one; twenty squarings more bring 1 − ε to nothing.
        return (k < 2 * MAX_SQUARINGS) & jnp.any(norm_squared(power, weights) > DECAYED**2)

    def double(state):
        k, power, X = state
        X = X + matmul(power, X, transpose(power))
        return k + 1, pair_product(power, power), X

    return lax.while_loop(unfinished, double, (jnp.zeros((), jnp.int32), L, S))[2]
