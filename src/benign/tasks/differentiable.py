"""Any cost that JAX can differentiate, on any pytree of parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from benign.errors import ProblemError
from benign.tasks.task import AbstractCost, AbstractTask, Parameters

Function = Callable[..., Any]
"""f(W), or f(W, data): one real number."""


class DifferentiableCost(AbstractCost):
    """W ↦ function(W, data), or function(W) without data; derivatives by JAX.

    A value that is not finite counts as +∞, and the derivatives there as zeros. Where a function
    leaves its domain *inside* (a logarithm of a negative number), that is enough for these three
    methods; a third derivative through them needs the function to select before it computes.

    Args:
        function: A pure function of JAX arrays. Tasks that are stacked share one function, the same
            object, and differ in their data.
        data: A pytree of arrays.
    """

    function: Function = eqx.field(static=True)
    data: Any

    def __init__(self, function: Function, data: Any = None):
        if not callable(function):
            raise ProblemError(
                f"DifferentiableCost: a cost must be a function of the parameters, got {function!r}"
            )
        self.function = function
        self.data = jax.tree.map(jnp.asarray, data)

    def value(self, W: Parameters) -> Float[Array, ""]:
        """function(W, data); +∞ where that is not finite."""
        value = self._call(_floats(W))
        return jnp.where(jnp.isfinite(value), value, jnp.inf)

    def gradient(self, W: Parameters) -> Parameters:
        """By reverse mode."""
        value, gradient = jax.value_and_grad(self._call)(_floats(W))
        return _masked(gradient, jnp.isfinite(value))

    def hessian_product(self, W: Parameters, E: Parameters) -> Parameters:
        """By forward over reverse mode, without a matrix: about three times a gradient."""
        if jax.tree.structure(E) != jax.tree.structure(W):
            raise ProblemError(
                f"`E` must have the structure of the parameters, {jax.tree.structure(W)}, got "
                f"{jax.tree.structure(E)}"
            )
        (value, _), (_, product) = jax.jvp(jax.value_and_grad(self._call), (_floats(W),), (_floats(E),))
        return _masked(product, jnp.isfinite(value))

    def feasible(self, W: Parameters) -> Bool[Array, ""]:
        """Whether the function is finite."""
        return jnp.isfinite(self._call(_floats(W)))

    def optimum(self) -> None:
        """None: nothing is known of the function."""
        return

    def resample(self, key: PRNGKeyArray) -> DifferentiableCost:
        """Itself."""
        return self

    def _call(self, W: Parameters) -> Float[Array, ""]:
        value = self.function(W) if self.data is None else self.function(W, self.data)
        name = getattr(self.function, "__name__", repr(self.function))
        if jnp.shape(value) != () or not jnp.issubdtype(jnp.result_type(value), jnp.floating):
            raise ProblemError(
                f"the cost `{name}` must return one real number, got "
                f"{jnp.result_type(value)}{list(jnp.shape(value))}; take its mean, say"
            )
        return jnp.asarray(value)


class DifferentiableTask(AbstractTask):
    """The task of two JAX functions, f to be judged by and g to adapt on.

    Args:
        f: Evaluation cost f(W), or f(W, data), over any pytree W of float arrays.
        g: Adaptation cost; f by default.
        data: What f is given besides the parameters, a pytree of arrays.
        adaptation_data: What g is given; `data` by default. With f alone and both data given, f and g
            are one function on two samples.

    Raises:
        ProblemError: f or g is not callable; and, when called, does not return one real number.
    """

    f: AbstractCost
    g: AbstractCost

    def __init__(
        self,
        f: Function,
        g: Function | None = None,
        *,
        data: Any = None,
        adaptation_data: Any = None,
    ):
        self.f = DifferentiableCost(f, data)
        self.g = DifferentiableCost(
            f if g is None else g, data if adaptation_data is None else adaptation_data
        )


def _floats(W: Parameters) -> Parameters:
    """The parameters in float64, refused if some cannot be differentiated."""
    for leaf in jax.tree.leaves(W):
        if not jnp.issubdtype(jnp.result_type(leaf), jnp.floating):
            raise ProblemError(
                f"the parameters hold an array of {jnp.result_type(leaf)}; give floats, and put "
                "what is not to be differentiated into `data`"
            )
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, float), W)


def _masked(x: Parameters, good: Bool[Array, ""]) -> Parameters:
    return jax.tree.map(lambda leaf: jnp.where(good & jnp.isfinite(leaf), leaf, 0.0), x)
