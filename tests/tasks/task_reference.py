"""Routes to the costs of tasks that share no code with the library: NumPy, loops, definitions."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np


def positive(rng: np.random.Generator, size: int) -> np.ndarray:
    """A random positive definite matrix."""
    X = rng.normal(size=(size, size))
    return X @ X.T / size + 0.2 * np.eye(size)


def flat(tree) -> np.ndarray:
    """All entries of a pytree in one row."""
    return np.concatenate([np.ravel(x) for x in jax.tree.leaves(tree)])


def slope(function, W, E, step: float = 1e-5) -> float:
    """d/dt function(W + tE) at t = 0, by a central difference of fourth order."""
    terms = [(1, -2), (-8, -1), (8, 1), (-1, 2)]
    return sum(
        c * float(function(jax.tree.map(lambda w, e, k=k: w + k * step * e, W, E))) for c, k in terms
    ) / (12 * step)


def assert_derivatives(cost, W, E, *, rel: float = 1e-9) -> None:
    """Gradient and Hessian product against autodiff of the value and against differences."""
    gradient = flat(cost.gradient(W))
    by_autodiff = flat(jax.grad(cost.value)(W))
    np.testing.assert_allclose(gradient, by_autodiff, rtol=rel, atol=rel * np.abs(gradient).max())
    along = float(gradient @ flat(E))
    assert abs(slope(cost.value, W, E) - along) < 1e-6 * np.linalg.norm(gradient) * np.linalg.norm(
        flat(E)
    )
    product = flat(cost.hessian_product(W, E))
    twice = flat(jax.jvp(jax.grad(cost.value), (W,), (E,))[1])
    np.testing.assert_allclose(product, twice, rtol=rel, atol=rel * np.abs(product).max())
    once = flat(jax.jvp(cost.gradient, (W,), (E,))[1])
    np.testing.assert_allclose(product, once, rtol=rel, atol=rel * np.abs(product).max())


def assert_never_nan(cost, W) -> None:
    """Outside the domain: +∞, zeros, and no NaN from autodiff of any of it."""
    E = jax.tree.map(jnp.ones_like, W)
    assert cost.value(W) == np.inf
    assert not cost.feasible(W)
    derivatives = (
        cost.gradient(W),
        cost.hessian_product(W, E),
        jax.grad(cost.value)(W),
        jax.jvp(cost.gradient, (W,), (E,))[1],
        jax.vjp(cost.gradient, W)[1](E)[0],
    )
    assert all((flat(x) == 0).all() for x in derivatives)
