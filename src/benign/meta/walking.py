"""The shots of an adaptation rule, one after another, in JAX."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from benign.linalg import in_float64
from benign.tasks.regulator import ClosedLoop, Regulator

if TYPE_CHECKING:
    from benign.meta.adaptation import AdaptationStep
    from benign.tasks.lqr import LQR


def walk(
    step: AdaptationStep, g: Regulator, W: Float[Array, "m n"]
) -> tuple[Float[Array, "m n"], Bool[Array, ""], ClosedLoop]:
    """All shots from W.

    Returns:
        F(W), whether every gain that a gradient was taken at stabilises, and the closed loops there
        with a leading axis of shots.
    """

    def shot(W: Array, _: None) -> tuple[Array, ClosedLoop]:
        loop = g.at(W)
        return step.move(loop, W), loop

    W, loops = lax.scan(shot, W, None, length=step.shots, unroll=unrolled(W))
    return W, jnp.all(loops.stable), loops


def unrolled(W: Float[Array, "m n"]) -> bool:
    """Whether to write the shots out one by one.

    For one state a shot is a few operations, which XLA fuses over a grid of gains if no loop stands
    between them (twice as fast, measured). For more states a loop keeps the compilation short.
    """
    return W.shape[-1] == 1


@in_float64
@jax.jit
def adapt(step: AdaptationStep, task: LQR, W: Array) -> Array:
    """F_τ(W)."""
    return walk(step, task.g.regulator, W)[0]
