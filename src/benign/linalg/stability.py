"""Spectral radii and the test of stability."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float

from benign.linalg.products import norm_squared, pair_product
from benign.precision import in_float64

MAX_SQUARINGS = 50
"""L^(2^50) has to have started to decay: a spectral radius within 1e-14 of one counts as one."""

DIVERGED = 1e100
"""A power of L of this norm never comes back; stopping here keeps its square finite."""

DECAYED = 1e-9
"""Once ‖Lᵏ‖ is this small the next term, of relative size ‖Lᵏ‖² = 1e-18, is below rounding."""


def unit_weights(
    L: Float[Array, "*batch n n"], S0: Float[Array, "*batch n n"]
) -> Float[Array, "*batch n n"]:
    """w with Σ w_ij L_ij² = ‖D L D⁻¹‖², the square of a norm in which units of the states cancel.

    D⁻² = diag S0, so that the initial state has unit moments in the units D, if L is smaller in them
    than as it stands: a metre and a nanometre change ‖L‖ by 10⁹ and with it every verdict by a norm,
    but a moment of 10⁻¹² in a plant of ordinary size should not. A state of moment zero keeps its unit.

    Args:
        L: Loops.
        S0: Second moments of the initial state.
    """
    moments = jnp.diagonal(lax.stop_gradient(S0), axis1=-2, axis2=-1)
    s = jnp.where(moments > 0, moments, 1.0)
    weights = s[..., None, :] / s[..., :, None]
    squares = lax.stop_gradient(L) ** 2
    smaller = jnp.sum(weights * squares, axis=(-1, -2)) < jnp.sum(squares, axis=(-1, -2))
    return jnp.where(smaller[..., None, None], weights, 1.0)


@in_float64
def spectral_radius(L: Float[Array | np.ndarray, "*batch n n"]) -> Float[Array, "*batch"]:
    """ρ(L) = max |λ(L)|.

    Closed form for n ≤ 2, eigenvalues (LAPACK, on a CPU) otherwise. For a diagnosis, not for a
    derivative: ρ has none where eigenvalues meet. `is_stable` is the fast test of ρ(L) < 1.

    Args:
        L: Square matrices.

    Returns:
        One number a matrix.
    """
    L = jnp.asarray(L, float)
    n = L.shape[-1]
    if n == 1:
        return jnp.abs(L[..., 0, 0])
    if n == 2:
        half = 0.5 * (L[..., 0, 0] + L[..., 1, 1])
        # (trace/2)² − det, written as a sum so that equal eigenvalues do not cancel.
        gap = 0.25 * (L[..., 0, 0] - L[..., 1, 1]) ** 2 + L[..., 0, 1] * L[..., 1, 0]
        modulus = jnp.sqrt(jnp.maximum(half * half - gap, 0.0))
        return jnp.where(gap >= 0, jnp.abs(half) + jnp.sqrt(jnp.maximum(gap, 0.0)), modulus)
    return jnp.max(jnp.abs(jnp.linalg.eigvals(L)), axis=-1)


@in_float64
def is_stable(
    L: Float[Array | np.ndarray, "*batch n n"],
    weights: Float[Array, "*batch n n"] | None = None,
) -> Bool[Array, "*batch"]:
    """Whether ρ(L) < 1 and float64 can sum the powers of L; a NaN is not stable.

    n ≤ 2: the Schur–Cohn conditions |det L| < 1, |tr L| < 1 + det L. Otherwise L is squared until a
    power has norm below one, which proves ρ(L) < 1, or grows without end. That is as fast as one
    matrix equation, where eigenvalues would cost ten times as much.

    Squaring commits an error ε‖Lᵏ‖² that strong non-normality multiplies by up to ‖Lᵏ‖ again. So a
    verdict after N steps is trusted while ε·max‖Lᵏ‖³·N < 1 (a heuristic, tried on random triangular
    loops of up to 16 states). A stable loop beyond that counts as unstable: squaring can no longer
    tell, and the solution would have few correct digits. `spectral_radius` tells the two apart.

    Args:
        L: Square matrices.
        weights: Those of the norm, as `unit_weights` chooses them; ones by default.
    """
    L = lax.stop_gradient(jnp.asarray(L))
    n = L.shape[-1]
    if n == 1:
        return jnp.abs(L[..., 0, 0]) < 1
    if n == 2:
        trace = L[..., 0, 0] + L[..., 1, 1]
        det = L[..., 0, 0] * L[..., 1, 1] - L[..., 0, 1] * L[..., 1, 0]
        return (jnp.abs(det) < 1) & (jnp.abs(trace) < 1 + det)

    def undecided(state):
        k, _, norm, _, _ = state
        return (k < MAX_SQUARINGS) & jnp.any((norm >= 1) & (norm < DIVERGED))

    def square(state):
        k, power, norm, growth, steps = state
        going = (norm >= 1) & (norm < DIVERGED)
        power = jnp.where(going[..., None, None], pair_product(power, power), power)
        norm = jnp.sqrt(norm_squared(power, weights))
        return k + 1, power, norm, jnp.maximum(growth, norm), jnp.where(going, 2 * steps, steps)

    norm = jnp.sqrt(norm_squared(L, weights))
    start = (jnp.zeros((), jnp.int32), L, norm, jnp.maximum(norm, 1.0), jnp.ones_like(norm))
    _, _, norm, growth, steps = lax.while_loop(undecided, square, start)
    return (norm < 1) & (jnp.finfo(L.dtype).eps * growth**3 * steps < 1)
