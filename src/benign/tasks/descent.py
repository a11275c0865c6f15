"""Gradient descent on one cost, with a line search that stays in the set where it is finite."""

from __future__ import annotations

from enum import IntEnum

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float, Int

from benign.errors import ProblemError
from benign.linalg import in_float64
from benign.tasks.task import AbstractCost, Parameters

DECREASE = 1e-4
"""Share of the decrease that the gradient promises which a step has to keep (Armijo)."""

SMALLEST = 1e-18
"""A step this much shorter than the first one that was tried moves nothing in float64."""


class DescentStatus(IntEnum):
    """Why a descent ended."""

    CONVERGED = 0
    OUT_OF_STEPS = 1
    STALLED = 2

    @property
    def message(self) -> str:
        """The status in words."""
        return _MESSAGES[self]


_MESSAGES = {
    DescentStatus.CONVERGED: "the gradient is below the tolerance",
    DescentStatus.OUT_OF_STEPS: "the steps are used up before the gradient is below the tolerance; "
    "allow more `steps`",
    DescentStatus.STALLED: "no step along the gradient lowers the cost in float64: the minimum to its "
    "precision, or a point on the rim of the feasible set",
}


class Descent(eqx.Module):
    """Where a descent ended.

    Attributes:
        W: The last parameters.  value: The cost there.  gradient_norm: The norm of its gradient.
        steps: Steps taken.  backtracks: Trial points refused, of which `infeasible` were outside the
            feasible set.  code: A `DescentStatus`.
    """

    W: Parameters
    value: Float[Array, ""]
    gradient_norm: Float[Array, ""]
    steps: Int[Array, ""]
    backtracks: Int[Array, ""]
    infeasible: Int[Array, ""]
    code: Int[Array, ""]

    @property
    def status(self) -> DescentStatus:
        """Why it ended."""
        return DescentStatus(int(self.code))

    def __str__(self) -> str:
        return (
            f"cost {np.asarray(self.value):.9g}, gradient {np.asarray(self.gradient_norm):.3g} after "
            f"{int(self.steps)} steps, {int(self.backtracks)} trials refused ({int(self.infeasible)} "
            f"infeasible): {self.status.message}"
        )


@in_float64
def descend(
    cost: AbstractCost,
    W: Parameters,
    *,
    steps: int = 1000,
    gradient_tolerance: float = 1e-6,
    first_step: float = 1.0,
) -> Descent:
    """W ← W − t∇C(W), t the first of 2t_last, t_last, t_last/2, … that is feasible and decreases C.

    A trial is accepted if C(W − t∇C) ≤ C(W) − 1e-4 t ‖∇C‖². Outside the feasible set C is +∞ and the
    trial is refused, whether or not the cost blows up towards the rim.

    Args:
        cost: The cost.  W: A feasible start.
        steps: Largest number of steps.
        gradient_tolerance: Converged when ‖∇C‖ ≤ this · (1 + |C|).
        first_step: The t tried first.

    Raises:
        ProblemError: the start is infeasible; a setting is not positive.
    """
    for name, value in (
        ("steps", steps),
        ("gradient_tolerance", gradient_tolerance),
        ("first_step", first_step),
    ):
        if not value > 0:
            raise ProblemError(f"descend: `{name}` must be positive, got {value}")
    W = jax.tree.map(lambda x: jnp.asarray(x, float), W)
    found = _descend(cost, W, steps, gradient_tolerance, first_step)
    if not np.isfinite(found.value):
        raise ProblemError("descend: the cost is +inf at the start `W`; start from a feasible point")
    return found


def _squared(x: Parameters) -> Array:
    return sum((jnp.sum(leaf * leaf) for leaf in jax.tree.leaves(x)), jnp.zeros(()))


class _State(eqx.Module):
    """A descent under way: the gradient at `now.W`, and the step length tried next."""

    now: Descent
    gradient: Parameters
    t: Float[Array, ""]


@jax.jit
def _descend(
    cost: AbstractCost, W: Parameters, steps: int, tolerance: float, first_step: float
) -> Descent:
    def going(state: _State) -> Array:
        return (state.now.code == int(DescentStatus.OUT_OF_STEPS)) & (state.now.steps < steps)

    def step(state: _State) -> _State:
        now = state.now
        slope = now.gradient_norm**2

        def moved(t: Array) -> Parameters:
            return jax.tree.map(lambda w, g: w - t * g, now.W, state.gradient)

        def refused(trial: tuple[Array, ...]) -> Array:
            t, value, _, _ = trial
            accepted = (value <= now.value - DECREASE * t * slope) & (value < now.value)
            return ~accepted & (t > SMALLEST * first_step)

        def shorten(trial: tuple[Array, ...]) -> tuple[Array, ...]:
            t, value, backtracks, infeasible = trial
            return t / 2, cost.value(moved(t / 2)), backtracks + 1, infeasible + jnp.isinf(value)

        trial = (state.t, cost.value(moved(state.t)), now.backtracks, now.infeasible)
        t, value, backtracks, infeasible = lax.while_loop(refused, shorten, trial)
        lower = value < now.value
        W = jax.tree.map(lambda new, old: jnp.where(lower, new, old), moved(t), now.W)
        value = jnp.where(lower, value, now.value)
        gradient, norm, code = judged(W, value)
        # A stalled point that meets the tolerance counted as converged before the step.
        code = jnp.where(lower, code, int(DescentStatus.STALLED))
        found = Descent(W, value, norm, now.steps + lower, backtracks, infeasible, code)
        return _State(found, gradient, 2 * t)

    def judged(W: Parameters, value: Array) -> tuple[Parameters, Array, Array]:
        gradient = cost.gradient(W)
        norm = jnp.sqrt(_squared(gradient))
        small = norm <= tolerance * (1 + jnp.abs(value))
        code = jnp.where(small, int(DescentStatus.CONVERGED), int(DescentStatus.OUT_OF_STEPS))
        return gradient, norm, code

    none = jnp.zeros((), int)
    value = cost.value(W)
    gradient, norm, code = judged(W, value)
    start = Descent(W, value, norm, none, none, none, code)
    return lax.while_loop(going, step, _State(start, gradient, jnp.asarray(first_step, float))).now
