"""What `MetaObjective` computes, by JAX: differentiable, and under every transformation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from benign.linalg import in_float64
from benign.meta.walking import unrolled, walk
from benign.tasks.regulator import ClosedLoop, Regulator

if TYPE_CHECKING:
    from benign.meta.adaptation import AdaptationStep
    from benign.meta.objective import MetaObjective

# --- one task --------------------------------------------------------------------------------


def _task_value(
    step: AdaptationStep, f: Regulator, g: Regulator, W: Float[Array, "m n"]
) -> Float[Array, ""]:
    adapted, feasible, _ = walk(step, g, W)
    return jnp.where(feasible, f.cost(adapted), jnp.inf)


def _task_gradient(
    step: AdaptationStep, f: Regulator, g: Regulator, W: Float[Array, "m n"]
) -> tuple[Float[Array, "m n"], Bool[Array, ""]]:
    """∇(f∘F)(W), and whether the task is feasible at W.

    The adjoint shots, last to first, reuse the closed loops that the shots have solved for.
    """
    adapted, feasible, loops = walk(step, g, W)
    last = f.at(adapted)

    def pull(v: Array, loop: ClosedLoop) -> tuple[Array, None]:
        return step.pull(loop, v), None

    v, _ = lax.scan(pull, last.gradient(), loops, reverse=True, unroll=unrolled(W))
    return v, feasible & last.stable


# --- all of them -----------------------------------------------------------------------------


def _over_tasks(objective: MetaObjective, function, W: Array):
    """The function of (step, f_τ, g_τ, W), mapped over the tasks τ."""
    tasks = objective.family.tasks
    mapped = jax.vmap(function, in_axes=(None, 0, 0, None))
    return mapped(objective.step, tasks.regulator, tasks.g.regulator, W)


def _gradient_in_full(objective: MetaObjective, W: Array) -> Array:
    gradients, feasible = _over_tasks(objective, _task_gradient, W)
    total = jnp.tensordot(objective.family.weights, gradients, axes=1)
    return jnp.where(jnp.all(feasible), total, 0.0)


@in_float64
@jax.jit
def task_values(objective: MetaObjective, W: Array) -> Array:
    """f_τ(F_τ(W)), task by task."""
    return _over_tasks(objective, _task_value, W)


@in_float64
@jax.jit
def value(objective: MetaObjective, W: Array) -> Array:
    """h(W)."""
    values = _over_tasks(objective, _task_value, W)
    finite = jnp.isfinite(values)
    # A weight is not to meet an infinity: its derivative would be NaN although it is masked.
    total = jnp.sum(objective.family.weights * jnp.where(finite, values, 0.0))
    return jnp.where(jnp.all(finite), total, jnp.inf)


gradient = in_float64(jax.jit(_gradient_in_full))
"""∇h(W)."""


@in_float64
@jax.jit
def hessian_product(objective: MetaObjective, W: Array, E: Array) -> Array:
    """Forward over the analytic gradient: the third derivatives of C come from the nested rules."""
    return jax.jvp(lambda W: _gradient_in_full(objective, W), (W,), (E,))[1]


@in_float64
@jax.jit
def hessian(objective: MetaObjective, W: Array) -> Array:
    """∇²h(W)."""
    m, n = W.shape
    basis = jnp.eye(m * n).reshape(m * n, m, n)
    columns = jax.vmap(lambda E: hessian_product(objective, W, E))(basis)
    return columns.reshape(m, n, m, n).transpose(2, 3, 0, 1)


@in_float64
@jax.jit
def adapted(objective: MetaObjective, W: Array) -> Array:
    """F_τ(W), task by task."""
    return _over_tasks(objective, lambda step, f, g, W: walk(step, g, W)[0], W)


@in_float64
@jax.jit
def feasible(objective: MetaObjective, W: Array) -> Array:
    """Whether all is finite."""

    def task(step: AdaptationStep, f: Regulator, g: Regulator, W: Array) -> Array:
        adapted, feasible, _ = walk(step, g, W)
        return feasible & f.stabilises(adapted)

    return jnp.all(_over_tasks(objective, task, W))


@in_float64
def mapped(function: Any, gains: Any) -> Any:
    """A function of one gain, of a batch of them."""
    return jax.vmap(function)(jnp.asarray(gains))
