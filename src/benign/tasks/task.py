"""What a task is, whatever its parameters are: an evaluation cost f and an adaptation cost g.

The meta-objective h(W) = Σ ω_τ f_τ(W − η∇g_τ(W)) asks for the value and gradient of f and for the
gradient and Hessian products of g, and for nothing else. `AbstractCost` declares these for one
function, each kind of cost is a final class in a file of its own, and `AbstractTask` pairs two.

Conventions, for every cost:

- W is a pytree of float64 arrays of any structure; gradients and Hessian products have the same.
- Outside the set where the cost is finite its value is +∞ and its derivatives are zeros, never NaN;
  `feasible` tells.
- A cost is a pytree itself. Costs of one class and shape are stacked leaf by leaf and mapped by
  `jax.vmap`.
- A cost that is known only through samples holds its random key: with one key it is one deterministic
  function, and `resample(key)` gives the function of another key.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float, PRNGKeyArray

from benign.errors import UsageError
from benign.linalg import float64_method, in_float64
from benign.tasks.lqr import ARRAYS, LQR, bare

Parameters = Any
"""A pytree of arrays: a gain, a gain a step, the weights of a network."""


class Minimum(eqx.Module):
    """A global minimum known in advance.

    Attributes:
        W: The minimiser, with the structure of the parameters.
        value: The cost there.
    """

    W: Parameters
    value: Float[Array, "*batch"]


class AbstractCost(eqx.Module):
    """One function of the parameters W; see the conventions at the top of this file.

    The methods of a final class are put into 64-bit mode (`benign.precision`), whoever writes it.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        for name in ("value", "gradient", "hessian_product", "feasible", "optimum"):
            if name in vars(cls):
                setattr(cls, name, float64_method(vars(cls)[name]))
        for name in ("__init__", "resample"):
            if name in vars(cls):
                setattr(cls, name, in_float64(vars(cls)[name]))

    @abstractmethod
    def value(self, W: Parameters) -> Float[Array, ""]:
        """The cost, +∞ where infeasible."""

    @abstractmethod
    def gradient(self, W: Parameters) -> Parameters:
        """The gradient, zeros where infeasible."""

    @abstractmethod
    def hessian_product(self, W: Parameters, E: Parameters) -> Parameters:
        """The Hessian applied to a direction E of the structure of W; zeros where infeasible."""

    @abstractmethod
    def feasible(self, W: Parameters) -> Bool[Array, ""]:
        """Whether the cost is finite at W."""

    @abstractmethod
    def optimum(self) -> Minimum | None:
        """A global minimum, or None for a kind of cost that has none in closed form."""

    @abstractmethod
    def resample(self, key: PRNGKeyArray) -> AbstractCost:
        """The same cost seen through other samples; itself if there is no chance in it."""


class AbstractTask(eqx.Module):
    """An evaluation cost f and an adaptation cost g on the same parameters.

    A final class says what f and g are; every method here is written in terms of them, compiled once
    per class and shape, and not meant to be overridden.
    """

    f: eqx.AbstractVar[AbstractCost]
    g: eqx.AbstractVar[AbstractCost]

    @float64_method
    def value(self, W: Parameters) -> Float[Array, ""]:
        """f(W), +∞ where infeasible."""
        return _value(self.f, _arrays(W))

    @float64_method
    def gradient(self, W: Parameters) -> Parameters:
        """∇f(W), zeros where infeasible."""
        return _gradient(self.f, _arrays(W))

    @float64_method
    def hessian_product(self, W: Parameters, E: Parameters) -> Parameters:
        """∇²f(W)[E], zeros where infeasible."""
        return _hessian_product(self.f, _arrays(W), _arrays(E))

    @float64_method
    def feasible(self, W: Parameters) -> Bool[Array, ""]:
        """Whether f(W) is finite."""
        return _feasible(self.f, _arrays(W))

    @float64_method
    def adaptation_value(self, W: Parameters) -> Float[Array, ""]:
        """g(W), +∞ where infeasible."""
        return _value(self.g, _arrays(W))

    @float64_method
    def adaptation_gradient(self, W: Parameters) -> Parameters:
        """∇g(W), zeros where infeasible."""
        return _gradient(self.g, _arrays(W))

    @float64_method
    def adaptation_hessian_product(self, W: Parameters, E: Parameters) -> Parameters:
        """∇²g(W)[E], zeros where infeasible."""
        return _hessian_product(self.g, _arrays(W), _arrays(E))

    @float64_method
    def adaptation_feasible(self, W: Parameters) -> Bool[Array, ""]:
        """Whether g(W) is finite, so that a shot may start at W."""
        return _feasible(self.g, _arrays(W))

    @float64_method
    def optimum(self) -> Minimum | None:
        """A global minimum of f, or None where none is known in advance."""
        return self.f.optimum()

    @in_float64
    def resample(self, key: PRNGKeyArray) -> Task:
        """The task under fresh samples, drawn independently for f and g.

        A cost without chance in it stays as it is.
        """
        for_f, for_g = jax.random.split(key)
        return Task(self.f.resample(for_f), self.g.resample(for_g))


class Task(AbstractTask):
    """The task of two given costs.

    Args:
        f: Evaluation cost.
        g: Adaptation cost; f by default.
    """

    f: AbstractCost
    g: AbstractCost

    def __init__(self, f: AbstractCost, g: AbstractCost | None = None):
        self.f = f
        self.g = f if g is None else g


class LQRCost(AbstractCost):
    """The infinite-horizon cost of an `LQR`, as a cost: it adds nothing to it.

    Args:
        lqr: The regulator. Its own adaptation cost, if any, is not looked at.
    """

    lqr: LQR

    def value(self, W: ArrayLike) -> Float[Array, ""]:
        """C(W)."""
        return self.lqr.cost(W)

    def gradient(self, W: ArrayLike) -> Float[Array, "*gain"]:
        """∇C(W)."""
        return self.lqr.gradient(W)

    def hessian_product(self, W: ArrayLike, E: ArrayLike) -> Float[Array, "*gain"]:
        """∇²C(W)[E]."""
        return self.lqr.hessian_product(W, E)

    def feasible(self, W: ArrayLike) -> Bool[Array, ""]:
        """Whether √γ ρ(A − BW) < 1, as far as float64 can tell."""
        return self.lqr.status(W) == 0

    def optimum(self) -> Minimum:
        """W* of the Riccati equation."""
        found = self.lqr.optimum()
        return Minimum(found.W, found.cost)

    def resample(self, key: PRNGKeyArray) -> LQRCost:
        """Itself."""
        return self


def as_task(given: AbstractTask | AbstractCost | LQR) -> AbstractTask:
    """A task as it is, a cost as the task with f = g, an `LQR` with its adaptation cost."""
    if isinstance(given, AbstractTask):
        return given
    if isinstance(given, AbstractCost):
        return Task(given)
    if not isinstance(given, LQR):
        raise UsageError(
            f"as_task: expected a task, got an object of {type(given).__name__}; "
            "give an LQR, a cost or a task"
        )
    f = LQRCost(alone(given))
    return Task(f) if given.adaptation is None else Task(f, LQRCost(alone(given.g)))


def alone(lqr: LQR) -> LQR:
    """The regulator without its adaptation cost, so that stacked tasks have one structure."""
    if lqr.adaptation is None:
        return lqr
    return bare({field: getattr(lqr, field) for field in ARRAYS}, label=lqr.label.value)


def _arrays(W: Parameters) -> Parameters:
    return jax.tree.map(_array, W)


def _array(x: ArrayLike) -> Array:
    array = jnp.asarray(x)
    return array.astype(float) if jnp.issubdtype(array.dtype, jnp.floating) else array


@jax.jit
def _value(cost: AbstractCost, W: Parameters) -> Array:
    return cost.value(W)


@jax.jit
def _gradient(cost: AbstractCost, W: Parameters) -> Parameters:
    return cost.gradient(W)


@jax.jit
def _hessian_product(cost: AbstractCost, W: Parameters, E: Parameters) -> Parameters:
    return cost.hessian_product(W, E)


@jax.jit
def _feasible(cost: AbstractCost, W: Parameters) -> Array:
    return cost.feasible(W)
