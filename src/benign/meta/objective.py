"""The meta-objective h(W) = Σ ω_τ f_τ(F_τ(W)) with its gradient and Hessian."""

from __future__ import annotations

from os import PathLike
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from benign.exact.problem import Problem
from benign.exact.words import step_in_words
from benign.kernels.loops import walk
from benign.meta import batched
from benign.meta.adaptation import AdaptationStep
from benign.meta.given import as_rule
from benign.precision import Array, ArrayLike, float64_method, in_float64, is_traced, jax_if_loaded
from benign.records import Record, leaves
from benign.tasks.family import TaskFamily
from benign.tasks.given import as_task_family, opened
from benign.tasks.lqr_given import as_gain
from benign.tasks.numbers import require_plain


class MetaObjective(Record):
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
        rule = as_rule(family, "MetaObjective", eta=eta, step=step, shots=shots)
        self._set(step=rule, family=as_task_family(family, "MetaObjective"))

    def __repr__(self) -> str:
        eta = self.step.eta
        size = eta if is_traced(eta) else f"{float(eta):.6g}"
        return f"MetaObjective({self.family!r}, {step_in_words(self.step.kind, size, self.step.shots)})"

    @float64_method
    def value(self, W: ArrayLike) -> Float[Array, ""]:
        """h(W), +∞ where infeasible."""
        gain = self._gain(W)
        found = self._walked(gain)
        return _by_jax().value(self, gain) if found is None else found.value

    @float64_method
    def gradient(self, W: ArrayLike) -> Float[Array, "*gain"]:
        """∇h(W) = Σ ω_τ F_τ'(W)* ∇f_τ(F_τ(W)); zeros where infeasible.

        F_τ'(W)* is the product of the adjoint derivatives of the shots, applied from the last to
        the first: for the gradient step v ← v − η∇²g_τ(W_k) v, starting from v = ∇f_τ(F_τ(W)).
        """
        gain = self._gain(W)
        found = self._walked(gain)
        slope = _by_jax().gradient(self, gain) if found is None else found.gradient
        return slope.reshape(np.shape(W))

    @float64_method
    def hessian_product(self, W: ArrayLike, E: ArrayLike) -> Float[Array, "*gain"]:
        """∇²h(W)[E] = d/dt ∇h(W + tE) at t = 0; zeros where infeasible."""
        gain, E = self._gain(W), self._gain(E, "E")
        if jax_if_loaded() is None:
            found: Any = batched.hessian_products(self, gain[None], E[None])
        else:
            found = _by_jax().hessian_product(self, gain, E)
        return found.reshape(np.shape(W))

    @float64_method
    def hessian(self, W: ArrayLike) -> Float[Array, "*gain"]:
        """∇²h(W), (m, n, m, n): entry [i, j, k, l] is ∂²h / ∂W_ij ∂W_kl.

        (m·n, m·n) if W is a vector, a scalar if W is one.
        """
        gain = self._gain(W)
        if jax_if_loaded() is None:
            found: Any = batched.hessians(self, gain[None])
        else:
            found = _by_jax().hessian(self, gain)
        return found.reshape(np.shape(W) * 2)

    @float64_method
    def task_values(self, W: ArrayLike) -> Float[Array, " k"]:
        """f_τ(F_τ(W)), task by task, +∞ for a task that is infeasible at W."""
        gain = self._gain(W)
        found = self._walked(gain)
        return _by_jax().task_values(self, gain) if found is None else found.values

    @float64_method
    def adapted(self, W: ArrayLike) -> Float[Array, " k *gain"]:
        """F_τ(W), task by task: (k, m, n), or (k,) if W is a scalar.

        A gain that leaves its stabilising set stays there, since the gradient outside is zero.
        """
        gain = self._gain(W)
        found = self._walked(gain)
        ends = _by_jax().adapted(self, gain) if found is None else found.gains
        return ends.reshape(-1, *np.shape(W))

    @float64_method
    def feasible(self, W: ArrayLike) -> Bool[Array, ""]:
        """Whether W and every intermediate gain of every task stabilise."""
        gain = self._gain(W)
        found = self._walked(gain)
        return _by_jax().feasible(self, gain) if found is None else np.isfinite(found.value)

    @float64_method
    def values(self, gains: ArrayLike) -> Float[np.ndarray | Array, " N"]:
        """h(W) for a batch of gains, (N, m, n) or (N,): as `value`, much faster than its `vmap`.

        While JAX traces, it is that `vmap`.
        """
        if not is_traced(gains):
            require_plain(gains, "`gains`")
        if _traced(self, gains):
            return _by_jax().mapped(self.value, gains)
        return batched.values(self, gains)

    @float64_method
    def value_and_gradient(
        self, gains: ArrayLike
    ) -> tuple[Float[np.ndarray | Array, " N"], Float[np.ndarray | Array, "N ..."]]:
        """h(W) and ∇h(W) for a batch of gains, (N, m, n) or (N,); `meta.batched` has more."""
        if not is_traced(gains):
            require_plain(gains, "`gains`")
        if _traced(self, gains):
            return _by_jax().mapped(lambda W: (self.value(W), self.gradient(W)), gains)
        return batched.value_and_gradient(self, gains)

    @property
    def problem(self) -> Problem:
        """The problem in exact numbers: what a proof about h is about."""
        return Problem(self.family.exact(), self.step.exact())

    def _gain(self, W: ArrayLike, what: str = "W") -> Float[Array, "m n"]:
        return as_gain(W, self.family.m, self.family.n, what)

    def _walked(self, gain: Any) -> Any:
        """A `Walked` where JAX is not loaded and NumPy will do; None where JAX is to be asked."""
        if jax_if_loaded() is not None or (tasks := batched.compiled(self)) is None:
            return None
        return walk(tasks, gain)


def _by_jax() -> Any:
    """The arithmetic of an objective in JAX: for what is traced, and where NumPy's would not do."""
    from benign.meta import objective_by_jax

    return objective_by_jax


def _traced(objective: MetaObjective, gains: ArrayLike) -> bool:
    return any(map(is_traced, leaves((objective, gains))))
