"""Products, transposes and norms of stacks of matrices."""

from __future__ import annotations

from functools import reduce

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from benign.precision import in_float64

Matrices = Float[Array | np.ndarray, "... _ _"]
"""A stack of matrices of any shape; NumPy's are welcome wherever JAX's are."""

SMALL = 16
"""Up to this size a product is a broadcast sum: on a CPU XLA's batched product of such matrices is
three times slower (measured, n = 4). Not for 2×2: there the closed forms have no loop between
products, XLA fuses the sums into one another and computes them again and again."""


@in_float64
def matmul(*factors: Matrices) -> Float[Array, "... _ _"]:
    """The product of the matrices, from left to right; leading dimensions broadcast."""
    return reduce(pair_product, map(jnp.asarray, factors))


def pair_product(X: Float[Array, "... _ _"], Y: Float[Array, "... _ _"]) -> Array:
    """X Y; leading dimensions broadcast."""
    largest = max(*X.shape[-2:], Y.shape[-1])
    if largest == 2 or largest > SMALL:
        return jnp.matmul(X, Y)
    return jnp.sum(X[..., :, :, None] * Y[..., None, :, :], axis=-2)


@in_float64
def transpose(X: Float[Array | np.ndarray, "*batch i j"]) -> Float[Array, "*batch j i"]:
    """X', matrix by matrix."""
    return jnp.swapaxes(X, -1, -2)


@in_float64
def symmetric(X: Float[Array, "*batch n n"]) -> Float[Array, "*batch n n"]:
    """(X + X')/2, which is symmetric to the last bit."""
    return 0.5 * (X + transpose(X))


def norm_squared(
    X: Float[Array, "*batch n n"], weights: Float[Array, "*batch n n"] | None = None
) -> Float[Array, "*batch"]:
    """‖X‖², the Frobenius norm; with weights Σ w_ij X_ij²."""
    squares = X * X
    return jnp.sum(squares if weights is None else weights * squares, axis=(-1, -2))
