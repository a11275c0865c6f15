"""Routes to the costs of tasks that share no code with the library: NumPy, loops, definitions."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest


def positive(rng: np.random.Generator, size: int) -> np.ndarray:
    """A random positive definite matrix."""
    X = rng.normal(size=(size, size))
    return X @ X.T / size + 0.2 * np.eye(size)


def flat(tree) -> np.ndarray:
    """All entries of a pytree in one row."""
    return np.concatenate([np.ravel(x) for x in jax.tree.leaves(tree)])


@jax.jit
def _all(cost, W, E):
    return {
        "value": cost.value(W),
        "feasible": cost.feasible(W),
        "gradient": cost.gradient(W),
        "product": cost.hessian_product(W, E),
        "gradient by autodiff": jax.grad(cost.value)(W),
        "product by autodiff": jax.jvp(jax.grad(cost.value), (W,), (E,))[1],
        "adjoint of the gradient": jax.vjp(cost.gradient, W)[1](E)[0],
    }


_along = jax.jit(jax.vmap(lambda cost, W, E, t: cost.value(jax.tree.map(lambda w, e: w + t * e, W, E)),
                          in_axes=(None, None, None, 0)))  # fmt: skip


def slope(cost, W, E, step: float = 1e-4) -> float:
    """d/dt C(W + tE) at t = 0, by a central difference of fourth order."""
    values = _along(cost, W, E, step * jnp.array([-2.0, -1.0, 1.0, 2.0]))
    return float(values @ np.array([1.0, -8.0, 8.0, -1.0])) / (12 * step)


def assert_derivatives(cost, W, E, *, rel: float = 1e-9) -> None:
    """Gradient and Hessian product against autodiff of the value and against differences."""
    found = {name: flat(x) for name, x in _all(cost, W, E).items()}
    assert found["feasible"].all()
    gradient, product = found["gradient"], found["product"]
    assert np.abs(gradient).max() > 0
    size = np.abs(gradient).max()
    np.testing.assert_allclose(gradient, found["gradient by autodiff"], rtol=0, atol=rel * size)
    assert slope(cost, W, E) == pytest.approx(
        gradient @ flat(E), abs=1e-7 * size * np.abs(flat(E)).sum()
    )
    size = np.abs(product).max()
    for route in ("product by autodiff", "adjoint of the gradient"):
        np.testing.assert_allclose(product, found[route], rtol=0, atol=rel * size, err_msg=route)


def assert_never_nan(cost, W) -> None:
    """Outside the domain: +∞, zeros, and no NaN from autodiff of any of it."""
    found = {name: flat(x) for name, x in _all(cost, W, jax.tree.map(jnp.ones_like, W)).items()}
    assert found.pop("value") == np.inf
    assert not found.pop("feasible")
    for name, x in found.items():
        assert (x == 0).all(), name
