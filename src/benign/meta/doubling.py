"""The closed loop of a gain for training: one doubling for stability, cost-to-go and moments together.

`Regulator.at` solves each Lyapunov equation on its own, by rules that can be differentiated again.
Training needs the gradient and Hessian products only, whose formulas are known, so that here the three
loops that square the same matrix (is it stable? Σ Lᵏ S L'ᵏ? Σ L'ᵏ T Lᵏ?) are one.

Many tasks are computed in tiles, by the kernel of batches of gains. Microseconds a task in a meta-step
(one thread with AVX2), as one array and in tiles:

    n           3            4            8
    tasks   16    256    16    256    16    256
    array  2.9     11   2.6     13    96     64
    tiles  2.7    1.2   3.6    2.0    14    8.1
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jax.custom_batching import custom_vmap
from jaxtyping import Array, Bool, Float

from benign.linalg import matmul, transpose, unit_weights
from benign.linalg.powers import LAST, Layout, in_tiles, unknown_truth
from benign.linalg.products import norm_squared
from benign.linalg.stability import DECAYED, DIVERGED, MAX_SQUARINGS
from benign.meta.kernels.doubling import Arithmetic, Loop
from benign.tasks.regulator import ClosedLoop, Regulator

WORTH = 768
"""Numbers in all matrices of a batch from which on tiles are worth it."""


def _of_batches(function: Callable[..., tuple[Array, ...]]) -> Callable[..., tuple[Array, ...]]:
    """The function of stacks of matrices, which `vmap` calls with one stack more.

    The rule that `vmap` would make runs each member with a loop condition of its own, and selects
    between old and new after every squaring.
    """
    mapped = custom_vmap(function)

    @mapped.def_vmap
    def rule(axis_size: int, batched: list[bool], *arrays: Any):
        full = [
            array if own else jnp.broadcast_to(array, (axis_size, *array.shape))
            for array, own in zip(arrays, batched, strict=True)
        ]
        results = mapped(*full)
        return results, (True,) * len(results)

    return mapped


def _arithmetic(L: Array) -> Arithmetic | None:
    """That of tiles, if so many matrices are worth them."""
    n = L.shape[-1]
    if n > LAST or math.prod(L.shape[:-2]) * n * n < WORTH:
        return None
    layout = Layout(last=True, barriers=jax.default_backend() == "cpu")
    return Arithmetic(layout, unknown_truth(L.ravel()[0]))


def _sums(L: Array, S: Array, T: Array, weights: Array) -> tuple[Array, Array, Array, Array]:
    """X = L X L' + S, Y = L' Y L + T, whether ρ(L) < 1, and the number of squarings, which is one.

    Where L is not stable X and Y are rubbish. The test is that of `linalg.is_stable`: ‖L^(2^k)‖ falls
    below one, and growth³ · steps · ε < 1.
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
        size = norm_squared(power, weights)
        return k + 1, power, X, Y, size, jnp.maximum(growth, size), steps

    size = norm_squared(L, weights)
    start = (jnp.zeros((), jnp.int32), L, S, T, size, jnp.maximum(size, 1.0), jnp.ones_like(size))
    k, _, X, Y, size, growth, steps = lax.while_loop(unfinished, double, start)
    # `growth` is squared here, hence the power 1.5; a NaN, from a loop that diverged, is not stable.
    return X, Y, (size <= 1) & (eps * growth**1.5 * steps < 1), k


def _where(mask: Bool[Array, "*batch"], X: Float[Array, "*batch i j"]) -> Array:
    return jnp.where(mask[..., None, None], X, 0.0)


@_of_batches
def _at(A: Array, B: Array, Q: Array, R: Array, S0: Array, T: Array, W: Array) -> tuple[Array, ...]:
    """What `ClosedLoop` holds, B apart, and how many squarings its equations take."""
    if (arithmetic := _arithmetic(A)) is not None:

        def tile(
            A: Array, B: Array, Q: Array, R: Array, S0: Array, T: Array, W: Array
        ) -> tuple[Array, ...]:
            loop = arithmetic.at(Regulator(A, B, Q, R, S0, T), W)
            steps = jnp.broadcast_to(loop.steps, loop.stable.shape)
            return loop.stable, loop.L, loop.P, loop.Sigma, loop.M, loop.G, steps

        return in_tiles(tile, A, B, Q, R, S0, T, W)
    L = A - matmul(B, W)
    weights = unit_weights(L, S0)
    paid = W - T
    Sigma, P, stable, k = _sums(L, S0, Q + matmul(transpose(paid), R, paid), weights)
    # No derivative is taken of this, so that masking afterwards is enough.
    Sigma, P, L, paid = (_where(stable, X) for X in (Sigma, P, L, paid))
    BP = matmul(transpose(B), P)
    G = matmul(R, paid) - matmul(BP, L)
    return stable, L, P, Sigma, R + matmul(BP, B), G, jnp.broadcast_to(k, stable.shape)


@_of_batches
def _hessian_product(
    B: Array,
    L: Array,
    Sigma: Array,
    M: Array,
    G: Array,
    weights: Array,
    steps: Array,
    E: Array,
) -> tuple[Array, ...]:
    """∇²C[E], by the formula of `ClosedLoop.hessian_product`; `steps` (…, 1, 1) as `_at` found."""
    if (arithmetic := _arithmetic(L)) is not None:

        def tile(
            L: Array, B: Array, Sigma: Array, M: Array, G: Array, steps: Array, E: Array
        ) -> tuple[Array]:
            # Of a `Loop` neither `stable` nor P is asked here.
            loop = Loop(steps[0, 0] > 0, jnp.max(steps), L, L, Sigma, M, G)
            return (arithmetic.hessian_product(B, loop, E),)

        return in_tiles(tile, L, B, Sigma, M, G, steps, E)
    EG = matmul(transpose(E), G)
    moved = matmul(B, E, Sigma, transpose(L))
    dSigma, dP, _, _ = _sums(L, -moved - transpose(moved), EG + transpose(EG), weights)
    dG = matmul(M, E) - matmul(transpose(B), dP, L)
    return (2 * matmul(dG, Sigma) + 2 * matmul(G, dSigma),)


class TrainedLoop(eqx.Module):
    """A `ClosedLoop` that came from one doubling, and whose Hessian products take one more.

    Attributes:
        loop: the closed loop.
        steps: how many squarings that took; enough for a Hessian product, in tiles or not.
    """

    loop: ClosedLoop
    steps: Array

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
        """∇²C[E]; zeros where the gain does not stabilise."""
        c = self.loop
        steps = self.steps[..., None, None]
        (H,) = _hessian_product(c.B, c.L, c.Sigma, c.M, c.G, c.weights, steps, E)
        return _where(c.stable, H)


def closed_loop(regulator: Regulator, W: Float[Array, "m n"]) -> ClosedLoop | TrainedLoop:
    """The closed loop under W; closed forms need no loop to share, up to two states."""
    if W.shape[-1] <= 2:
        return regulator.at(W)
    r = regulator
    T = jnp.zeros_like(W) if r.T is None else r.T
    stable, L, P, Sigma, M, G, steps = _at(r.A, r.B, r.Q, r.R, r.S0, T, W)
    weights = unit_weights(L, r.S0)
    return TrainedLoop(ClosedLoop(stable, r.B, L, P, Sigma, M, G, weights), steps)
