"""What `LQR` computes, by JAX: differentiable, under every transformation, and near the rim as well.

    √γ(A, B) and S0 + γ/(1 − γ) V, V the noise; T = R⁻¹N' and Q − NT,

the undiscounted problem, is handed to `benign.tasks.regulator`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
from jaxtyping import Array

from benign.linalg import in_float64, matmul, spectral_radius, transpose
from benign.tasks.lqr import Status
from benign.tasks.regulator import Regulator

if TYPE_CHECKING:
    from benign.tasks.lqr import LQR


@in_float64
def regulator(task: LQR) -> Regulator:
    """The equivalent problem without discount, noise and cross term."""
    root = jnp.sqrt(task.discount)[..., None, None]
    S0 = task.S0
    if task.noise is not None:
        # γ = 1 goes with V = 0 (the constructor sees to that) and must not divide by zero.
        room = jnp.where(task.discount < 1, 1 - task.discount, 1.0)
        factor = jnp.where(task.discount < 1, task.discount / room, 0.0)
        S0 = S0 + factor[..., None, None] * task.noise
    Q, T = task.Q, None
    if task.N is not None:
        T = jnp.linalg.solve(task.R, transpose(task.N))
        NT = matmul(task.N, T)
        Q = Q - (NT + transpose(NT)) / 2
    return Regulator(root * task.A, root * task.B, Q, task.R, S0, T)


@in_float64
@jax.jit
def cost(task: LQR, W: Array) -> Array:
    """C(W)."""
    return task.regulator.cost(W)


@in_float64
@jax.jit
def gradient(task: LQR, W: Array) -> Array:
    """∇C(W)."""
    return task.regulator.at(W).gradient()


@in_float64
@jax.jit
def hessian_product(task: LQR, W: Array, E: Array) -> Array:
    """∇²C(W)[E]."""
    return task.regulator.at(W).hessian_product(E)


@in_float64
@jax.jit
def hessian(task: LQR, W: Array) -> Array:
    """∇²C(W)."""
    return task.regulator.hessian(W)


@in_float64
@jax.jit
def optimum(task: LQR) -> tuple[Array, Array, Array]:
    """W*, P* and C*."""
    return task.regulator.optimum()


@in_float64
@jax.jit
def status(task: LQR, W: Array) -> Array:
    """A code of `Status`."""
    regulator = task.regulator
    solvable = regulator.stabilises(W)
    finite = jnp.where(jnp.isfinite(W), W, 0.0)  # LAPACK refuses a NaN; the mask below restores it
    radius = spectral_radius(regulator.A - regulator.B @ finite)
    stable = jnp.all(jnp.isfinite(W)) & (radius < 1)
    unsolved = jnp.where(stable, int(Status.ILL_CONDITIONED), int(Status.NOT_STABILISING))
    return jnp.where(solvable, int(Status.STABILISING), unsolved)
