"""Adaptation rules: how a gain W becomes the gain F_τ(W) that a task is judged at.

A rule is one map of gains, applied `shots` times, together with the adjoint of its derivative:

    gradient      F(W) = W − η∇g(W),    F'(W)*[v] = v − η∇²g(W)[v],
    normalised    F(W) = W − ηu,        F'(W)*[v] = v − (η/‖∇g‖) ∇²g(W)[v − u tr(u'v)],

with u = ∇g/‖∇g‖ in the Frobenius norm. (∇²g is symmetric; the derivative of the normalised rule is
not, hence the adjoint.)
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float

from benign.errors import ProblemError, UsageError
from benign.exact.problem import Step, StepKind, make_step
from benign.precision import Array, ArrayLike, float64_method, in_float64, is_traced, kept
from benign.records import Record
from benign.tasks.lqr import LQR
from benign.tasks.lqr_given import as_gain
from benign.tasks.numbers import Unseen


class AdaptationStep(Record, ABC):
    """A rule with a step size η and a number of shots; see the final classes.

    Attributes:
        eta: η as an array, so that another value does not compile anything anew.
        shots: How often the rule is applied.
    """

    eta: Float[Array, ""]
    shots: int
    given: Unseen[Fraction | None]

    STATIC: ClassVar[tuple[str, ...]] = ("shots", "given")
    kind: ClassVar[StepKind]

    @in_float64
    def __init__(self, eta: Any, shots: Any = 1):
        traced = is_traced(eta)
        step = make_step(self.kind, 1 if traced else eta, shots)
        if traced and eta.shape != ():
            raise ProblemError(f"eta: expected one number, got shape {eta.shape}; map over it by vmap")
        exactly = Unseen(None if traced else step.eta)
        self._set(eta=kept(eta if traced else float(step.eta)), shots=step.shots, given=exactly)

    @abstractmethod
    def move(self, loop: Any, W: Float[Array, "*gain"]) -> Float[Array, "*gain"]:
        """One shot from W.

        `loop` is the adaptation cost at W: a `ClosedLoop`, or anything with its two methods.
        """

    @abstractmethod
    def pull(self, loop: Any, v: Float[Array, "*gain"]) -> Float[Array, "*gain"]:
        """The adjoint of the derivative of one shot, applied to v."""

    def exact(self) -> Step:
        """The rule in exact numbers: η as given, as long as the array still is its rounding."""
        if is_traced(self.eta):
            raise UsageError("eta is traced by JAX; what is proved is about one number, outside of it")
        eta = self.given.value
        if eta is None or float(eta) != float(self.eta):
            eta = Fraction(float(self.eta))
        return make_step(self.kind, eta, self.shots)

    @float64_method
    def adapt(self, task: LQR, W: ArrayLike) -> Float[Array, "*gain"]:
        """F_τ(W): the gain after all shots on the task's adaptation cost, in the shape of W.

        The gradient is zero outside the stabilising set, so a gain that left it stays where it is.

        Raises:
            ProblemError: W has another shape than (m, n).
        """
        from benign.meta.walking import adapt

        gain = as_gain(W, task.m, task.n)
        return adapt(self, task, gain).reshape(np.shape(W))


class GradientStep(AdaptationStep):
    """F(W) = W − η∇g(W), applied `shots` times: the rule of MAML.

    Args:
        eta: Step size η > 0; a string or fraction is kept exactly. Traced by JAX, it is not tested.
        shots: Number of applications, at least 1.

    Raises:
        ProblemError: η ≤ 0 or not finite, shots < 1 or not an integer.

    Source: arXiv 2006.00453, definition of the MAML objective.
    """

    kind: ClassVar[StepKind] = "gradient"

    # Type checkers would take the fields for the arguments otherwise.
    def __init__(self, eta: Any, shots: Any = 1):
        super().__init__(eta, shots)

    def move(self, loop: Any, W: Float[Array, "*gain"]) -> Float[Array, "*gain"]:
        """W − η∇g(W)."""
        return W - self.eta * loop.gradient()

    def pull(self, loop: Any, v: Float[Array, "*gain"]) -> Float[Array, "*gain"]:
        """v − η∇²g(W)[v]."""
        return v - self.eta * loop.hessian_product(v)


class NormalizedStep(AdaptationStep):
    """F(W) = W − η∇g(W)/‖∇g(W)‖, Frobenius norm, applied `shots` times.

    Where ∇g(W) = 0 (the task's own optimum) the rule is discontinuous; here u = 0 there, so the
    gain stays where it is and the derivative is that of the identity. Such points are part of the
    landscape of h and need a case of their own.

    Args:
        eta: Length η > 0 of a step; a string or fraction is kept exactly. Traced, it is not tested.
        shots: Number of applications, at least 1.

    Raises:
        ProblemError: η ≤ 0 or not finite, shots < 1 or not an integer.

    Source: arXiv 2006.00453, Proposition 2 and Theorem 3.
    """

    kind: ClassVar[StepKind] = "normalized"

    # Type checkers would take the fields for the arguments otherwise.
    def __init__(self, eta: Any, shots: Any = 1):
        super().__init__(eta, shots)

    def move(self, loop: Any, W: Float[Array, "*gain"]) -> Float[Array, "*gain"]:
        """W − ηu."""
        _, direction = _direction(loop.gradient())
        return W - self.eta * direction

    def pull(self, loop: Any, v: Float[Array, "*gain"]) -> Float[Array, "*gain"]:
        """v − (η/‖∇g‖) ∇²g(W)[v − u tr(u'v)]."""
        import jax.numpy as jnp

        inverse, u = _direction(loop.gradient())
        across = v - u * jnp.sum(u * v)
        return v - self.eta * inverse * loop.hessian_product(across)


def step_of(step: Step) -> AdaptationStep:
    """The adaptation step that an exact `Step` describes."""
    # Type checkers take a module for a dataclass and do not see the inherited __init__.
    kind: Any = GradientStep if step.kind == "gradient" else NormalizedStep
    return kind(step.eta, step.shots)


def _direction(gradient: Float[Array, "*gain"]) -> tuple[Float[Array, ""], Float[Array, "*gain"]]:
    """1/‖∇g‖ and ∇g/‖∇g‖, both zero where ∇g = 0, without under- or overflow and without NaN."""
    import jax.numpy as jnp
    from jax import lax

    scale = lax.stop_gradient(jnp.max(jnp.abs(gradient)))
    moving = scale > 0
    safe = jnp.where(moving, scale, 1.0)
    # Selecting before the root keeps its derivative finite where the gradient is zero.
    scaled = jnp.where(moving, gradient / safe, jnp.ones_like(gradient))
    norm = jnp.sqrt(jnp.sum(scaled * scaled))
    inverse = jnp.where(moving, 1 / (norm * safe), 0.0)
    return inverse, jnp.where(moving, scaled / norm, 0.0)
