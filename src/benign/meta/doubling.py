"""The closed loop of a gain for training: one doubling for stability, cost-to-go and moments together.

`Regulator.at` solves each Lyapunov equation on its own, by rules that can be differentiated again.
Training needs the gradient and Hessian products only, whose formulas are known, so that here the three
loops that square the same matrix (is it stable? Σ Lᵏ S L'ᵏ? Σ L'ᵏ T Lᵏ?) are one.
"""

from __future__ import annotations

import equinox as eqx
import jax.numpy as jnp
from jax import lax
from jax.custom_batching import custom_vmap
from jaxtyping import Array, Bool, Float

from benign.linalg import matmul, transpose
from benign.linalg.stability import DECAYED, DIVERGED, MAX_SQUARINGS
from benign.tasks.regulator import ClosedLoop, Regulator


@custom_vmap
def _sums(L: Array, S: Array, T: Array) -> tuple[Array, Array, Array]:
    """X = L X L' + S, Y = L' Y L + T, and whether ρ(L) < 1; where not, X and Y are rubbish.

    The test is that of `linalg.is_stable`: ‖L^(2^k)‖ falls below one, and growth³ · steps · ε < 1.
    """
    eps = jnp.finfo(L.dtype).eps

    def unfinished(state):
        k, _, _, _, size, _, _ = state
        return (k < 2 * MAX_SQUARINGS) & jnp.any((size > DECAYED**2) & (size < DIVERGED**2))

    def double(state):
        k, power, X, Y, size, growth, steps = state
        back = transpose(power)
        X = X + matmul(power, X, back)
        Y = Y + matmul(back, Y, power)
        steps = jnp.where(size >= 1, 2 * steps, steps)
        power = matmul(power, power)
        size = jnp.sum(power * power, axis=(-1, -2))
        return k + 1, power, X, Y, size, jnp.maximum(growth, size), steps

    size = jnp.sum(L * L, axis=(-1, -2))
    start = (jnp.zeros((), jnp.int32), L, S, T, size, jnp.maximum(size, 1.0), jnp.ones_like(size))
    _, _, X, Y, size, growth, steps = lax.while_loop(unfinished, double, start)
    # `growth` is squared here, hence the power 1.5; a NaN, from a loop that diverged, is not stable.
    return X, Y, (size <= 1) & (eps * growth**1.5 * steps < 1)


@_sums.def_vmap
def _batched_sums(axis_size: int, batched: list[bool], *arrays: Array):
    """One loop for the whole batch, which ends with its slowest member.

    The rule that `vmap` would make runs each member with a loop condition of its own, and selects
    between old and new after every squaring.
    """
    full = [
        array if own else jnp.broadcast_to(array, (axis_size, *array.shape))
        for array, own in zip(arrays, batched, strict=True)
    ]
    return _sums(*full), (True, True, True)


def _where(mask: Bool[Array, "*batch"], X: Float[Array, "*batch i j"]) -> Array:
    return jnp.where(mask[..., None, None], X, 0.0)


class TrainedLoop(eqx.Module):
    """A `ClosedLoop` that came from one doubling, and whose Hessian products take one more."""

    loop: ClosedLoop

    @property
    def stable(self) -> Bool[Array, ""]:
        """Whether the gain stabilises."""
        return self.loop.stable

    @property
    def P(self) -> Float[Array, "n n"]:
        """Cost-to-go."""
        return self.loop.P

    def gradient(self) -> Float[Array, "m n"]:
        """2 G Σ."""
        return self.loop.gradient()

    def hessian_product(self, E: Float[Array, "m n"]) -> Float[Array, "m n"]:
        """∇²C[E], by the formula of `ClosedLoop.hessian_product`."""
        c = self.loop
        EG = matmul(transpose(E), c.G)
        moved = matmul(c.B, E, c.Sigma, transpose(c.L))
        dSigma, dP, _ = _sums(c.L, -moved - transpose(moved), EG + transpose(EG))
        dG = matmul(c.M, E) - matmul(transpose(c.B), dP, c.L)
        return _where(c.stable, 2 * matmul(dG, c.Sigma) + 2 * matmul(c.G, dSigma))


def closed_loop(regulator: Regulator, W: Float[Array, "m n"]) -> ClosedLoop | TrainedLoop:
    """The closed loop under W; closed forms need no loop to share, up to two states."""
    if W.shape[-1] <= 2:
        return regulator.at(W)
    r = regulator
    L = r.A - matmul(r.B, W)
    Sigma, P, stable = _sums(L, r.S0, r.Q + matmul(transpose(W), r.R, W))
    # No derivative is taken of this, so that masking afterwards is enough.
    Sigma, P, L, W = (_where(stable, X) for X in (Sigma, P, L, W))
    BP = matmul(transpose(r.B), P)
    G = matmul(r.R, W) - matmul(BP, L)
    return TrainedLoop(ClosedLoop(stable, r.B, L, P, Sigma, r.R + matmul(BP, r.B), G))
