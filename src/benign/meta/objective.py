"""The meta-objective h(W) = Σ ω_τ f_τ(F_τ(W)) with its gradient and Hessian."""

from __future__ import annotations

from os import PathLike
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Bool, Float

from benign.exact.problem import Problem
from benign.exact.words import step_in_words
from benign.linalg import float64_method, in_float64
from benign.meta import batched
from benign.meta.adaptation import AdaptationStep, unrolled, walk
from benign.meta.given import as_rule
from benign.tasks.family import TaskFamily
from benign.tasks.given import as_task_family, opened
from benign.tasks.lqr import as_gain
from benign.tasks.numbers import require_plain
from benign.tasks.regulator import ClosedLoop, Regulator


class MetaObjective(eqx.Module):
    """h(W) = Σ ω_τ f_τ(F_τ(W)), F_τ the adaptation step of task τ applied `shots` times.

    h is finite where W and every intermediate gain of every task stabilise: g_τ's loop for the
    gains a gradient is taken at, f_τ's loop for the last one. Elsewhere h = +∞ and all derivatives
    are zeros, never NaN; `feasible` tells. That set is open and may fall into several pieces.

    A gain W has shape (m, n), or (m·n,), the vector of its rows, as SciPy's minimisers have it, and
    may be a scalar if n = m = 1; results have its shape. Every
    method is compiled once per shape of family, kind of step and number of shots, whatever the
    numbers are, and maps over a batch of gains by `jax.vmap`.

    Args:
        family: The tasks and their weights: a `TaskFamily`, a list of `LQR` tasks, a family file, its
            path, the name of a bundled family, or an exact family.
        step: The adaptation rule: a `GradientStep` or `NormalizedStep`, "gradient" (the default) or
            "normalized" with η beside it, or η itself. A family file may suggest one.
        eta: Step size η > 0. It may be traced: ``jax.grad(lambda eta: MetaObjective(family,
            eta).value(W))`` is ∂h/∂η.
        shots: Number of applications; 1 by default.

    Raises:
        UsageError: what is no family, or a family without a step size.
        ProblemError: a task or the step is not well posed.

    Raises (every method):
        ProblemError: W has another shape.

    Source: arXiv 2006.00453, definition of the MAML objective and its normalised variant.
    """

    family: TaskFamily
    step: AdaptationStep

    @in_float64
    def __init__(self, family: Any, step: Any = None, *, eta: Any = None, shots: Any = None):
        if isinstance(family, (str, PathLike)):
            family = opened(family)
        self.step = as_rule(family, "MetaObjective", eta=eta, step=step, shots=shots)
        self.family = as_task_family(family, "MetaObjective")

    def __repr__(self) -> str:
        eta = self.step.eta
        size = eta if isinstance(eta, Tracer) else f"{float(eta):.6g}"
        return f"MetaObjective({self.family!r}, {step_in_words(self.step.kind, size, self.step.shots)})"

    @float64_method
    def value(self, W: ArrayLike) -> Float[Array, ""]:
        """h(W), +∞ where infeasible."""
        return _value(self, self._gain(W))

    @float64_method
    def gradient(self, W: ArrayLike) -> Float[Array, "*gain"]:
        """∇h(W) = Σ ω_τ F_τ'(W)* ∇f_τ(F_τ(W)); zeros where infeasible.

        F_τ'(W)* is the product of the adjoint derivatives of the shots, applied from the last to
        the first: for the gradient step v ← v − η∇²g_τ(W_k) v, starting from v = ∇f_τ(F_τ(W)).
        """
        return _gradient(self, self._gain(W)).reshape(np.shape(W))

    @float64_method
    def hessian_product(self, W: ArrayLike, E: ArrayLike) -> Float[Array, "*gain"]:
        """∇²h(W)[E] = d/dt ∇h(W + tE) at t = 0; zeros where infeasible."""
        product = _hessian_product(self, self._gain(W), self._gain(E, "E"))
        return product.reshape(np.shape(W))

    @float64_method
    def hessian(self, W: ArrayLike) -> Float[Array, "*gain"]:
        """∇²h(W), (m, n, m, n): entry [i, j, k, l] is ∂²h / ∂W_ij ∂W_kl.

        (m·n, m·n) if W is a vector, a scalar if W is one.
        """
        return _hessian(self, self._gain(W)).reshape(np.shape(W) * 2)

    @float64_method
    def task_values(self, W: ArrayLike) -> Float[Array, " k"]:
        """f_τ(F_τ(W)), task by task, +∞ for a task that is infeasible at W."""
        return _task_values(self, self._gain(W))

    @float64_method
    def adapted(self, W: ArrayLike) -> Float[Array, " k *gain"]:
        """F_τ(W), task by task: (k, m, n), or (k,) if W is a scalar.

        A gain that leaves its stabilising set stays there, since the gradient outside is zero.
        """
        return _adapted(self, self._gain(W)).reshape(-1, *np.shape(W))

    @float64_method
    def feasible(self, W: ArrayLike) -> Bool[Array, ""]:
        """Whether W and every intermediate gain of every task stabilise."""
        return _feasible(self, self._gain(W))

    @float64_method
    def values(self, gains: ArrayLike) -> Float[np.ndarray | Array, " N"]:
        """h(W) for a batch of gains, (N, m, n) or (N,): as `value`, much faster than its `vmap`.

        While JAX traces, it is that `vmap`.
        """
        if not isinstance(gains, Tracer):
            require_plain(gains, "`gains`")
        if _traced(self, gains):
            return jax.vmap(self.value)(jnp.asarray(gains))
        return batched.values(self, gains)

    @float64_method
    def value_and_gradient(
        self, gains: ArrayLike
    ) -> tuple[Float[np.ndarray | Array, " N"], Float[np.ndarray | Array, "N ..."]]:
        """h(W) and ∇h(W) for a batch of gains, (N, m, n) or (N,); `meta.batched` has more."""
        if not isinstance(gains, Tracer):
            require_plain(gains, "`gains`")
        if _traced(self, gains):
            return jax.vmap(lambda W: (self.value(W), self.gradient(W)))(jnp.asarray(gains))
        return batched.value_and_gradient(self, gains)

    @property
    def problem(self) -> Problem:
        """The problem in exact numbers: what a proof about h is about."""
        return Problem(self.family.exact(), self.step.exact())

    def _gain(self, W: ArrayLike, what: str = "W") -> Float[Array, "m n"]:
        return as_gain(W, self.family.m, self.family.n, what)


def _traced(objective: MetaObjective, gains: ArrayLike) -> bool:
    return any(isinstance(x, Tracer) for x in jax.tree.leaves((objective, gains)))


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


@jax.jit
def _task_values(objective: MetaObjective, W: Array) -> Array:
    return _over_tasks(objective, _task_value, W)


@jax.jit
def _value(objective: MetaObjective, W: Array) -> Array:
    values = _over_tasks(objective, _task_value, W)
    finite = jnp.isfinite(values)
    # A weight is not to meet an infinity: its derivative would be NaN although it is masked.
    total = jnp.sum(objective.family.weights * jnp.where(finite, values, 0.0))
    return jnp.where(jnp.all(finite), total, jnp.inf)


_gradient = jax.jit(_gradient_in_full)


@jax.jit
def _hessian_product(objective: MetaObjective, W: Array, E: Array) -> Array:
    """Forward over the analytic gradient: the third derivatives of C come from the nested rules."""
    return jax.jvp(lambda W: _gradient_in_full(objective, W), (W,), (E,))[1]


@jax.jit
def _hessian(objective: MetaObjective, W: Array) -> Array:
    m, n = W.shape
    basis = jnp.eye(m * n).reshape(m * n, m, n)
    columns = jax.vmap(lambda E: _hessian_product(objective, W, E))(basis)
    return columns.reshape(m, n, m, n).transpose(2, 3, 0, 1)


@jax.jit
def _adapted(objective: MetaObjective, W: Array) -> Array:
    return _over_tasks(objective, lambda step, f, g, W: walk(step, g, W)[0], W)


@jax.jit
def _feasible(objective: MetaObjective, W: Array) -> Array:
    def task(step: AdaptationStep, f: Regulator, g: Regulator, W: Array) -> Array:
        adapted, feasible, _ = walk(step, g, W)
        return feasible & f.stabilises(adapted)

    return jnp.all(_over_tasks(objective, task, W))
