"""The matrix equations behind mixed H2/H∞ control: the bounded real lemma, and the game it comes from.

With a disturbance v that enters as s' = L s + D v and the stage cost s'S s, the worst v against
γ²v'v gives the cost-to-go

    P = S + L'P̃L,    P̃ = P + P D (γ²I − D'PD)⁻¹ D'P = (I − θ P D D')⁻¹ P,    θ = γ⁻²,

and the H∞ norm from v to the stage cost is below γ exactly when ρ(L) < 1 and a P ⪰ 0 exists with
γ²I − D'PD ≻ 0 and a stable L̃ = (I − θ D D'P)⁻¹ L, the loop under the worst disturbance.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from benign.linalg import dlyap_stable, is_stable, matmul, optimal_gain, symmetric, transpose

MAX_ROUNDS = 60
"""Policy iteration converges quadratically, or by halves where γ is the H∞ norm to 16 digits."""

CONVERGED = 1e-13
"""Relative change of P after which one more round, which squares it, changes nothing."""

MAX_STEPS = 20_000
"""Steps of value iteration: enough for an optimal loop of spectral radius 0.999."""


def log_det(Y: Float[Array, "d d"]) -> tuple[Float[Array, ""], Bool[Array, ""]]:
    """−log det(I − Y) for a symmetric Y, and whether I − Y ≻ 0.

    Elimination that keeps Y and never forms I − Y: a pivot is 1 − y with y on the diagonal, and what
    is left is Y + yy'/(1 − y). For Y ⪰ 0 every term is positive, so nothing cancels, and a Y of 1e-18
    gives its trace to full precision; a Cholesky factor of I − Y would give zero.

    The value is zero where I − Y is not definite, and its derivatives are.
    """

    def eliminate(
        state: tuple[Array, Array, Array], k: Array
    ) -> tuple[tuple[Array, Array, Array], None]:
        Y, total, good = state
        column = Y[:, k]
        pivot = column[k]
        good = good & (pivot < 1)
        # Selected twice, before and after, so that no infinity stands behind the mask.
        safe = jnp.where(good, pivot, 0.0)
        Y = Y + jnp.outer(column, column) / (1 - safe)
        return (jnp.where(good, Y, 0.0), jnp.where(good, total - jnp.log1p(-safe), 0.0), good), None

    start = (Y, jnp.zeros(()), jnp.array(True))
    (_, total, good), _ = lax.scan(eliminate, start, jnp.arange(Y.shape[-1]))
    return total, good


def below_level(P: Array, D: Array, theta: Array) -> Bool[Array, ""]:
    """Whether γ²I − D'PD ≻ 0."""
    return log_det(theta * matmul(transpose(D), P, D))[1]


def worst_gain(P: Array, D: Array, theta: Array) -> Float[Array, "d n"]:
    """(I − θ D'PD)⁻¹ D'P: the worst disturbance is v = θ · this · (the next state without v)."""
    DP = matmul(transpose(D), P)
    return jnp.linalg.solve(jnp.eye(D.shape[-1]) - theta * matmul(DP, D), DP)


def inflated(P: Array, D: Array, theta: Array) -> Float[Array, "n n"]:
    """P̃ = P + θ P D (I − θ D'PD)⁻¹ D'P."""
    return symmetric(P + theta * matmul(transpose(P), D, worst_gain(P, D, theta)))


def worst_loop(L: Array, P: Array, D: Array, theta: Array) -> Float[Array, "n n"]:
    """L̃ = (I + θ D (I − θ D'PD)⁻¹ D'P) L = (I − θ D D'P)⁻¹ L."""
    return L + theta * matmul(D, worst_gain(P, D, theta), L)


@jax.custom_jvp
def bounded_real(L: Array, D: Array, S: Array, theta: Array) -> Float[Array, "n n"]:
    """P = S + L'P̃L; +∞ in every entry where the level is exceeded, derivatives are zero there.

    Policy iteration for the disturbance, from v = 0: the cost-to-go of a fixed v = K s is a Lyapunov
    equation, and its K is improved. The P of the rounds increase towards the solution, so that it
    exists only if each of them satisfies γ²I − D'PD ≻ 0 with a stable loop: the level is exceeded as
    soon as one does not. (Newton's method for the equation, seen as a game.)

    Args:
        L: (n, n), ρ(L) < 1.  D: (n, d).  S: (n, n) ⪰ 0.  theta: θ = γ⁻².
    """

    def going(state: tuple[Array, ...]) -> Array:
        k, _, _, good, change = state
        return (k < MAX_ROUNDS) & good & (change > CONVERGED)

    def improve(state: tuple[Array, ...]) -> tuple[Array, ...]:
        k, P, K, _, _ = state
        loop = L + theta * matmul(D, K)
        stable = is_stable(loop)
        loop = jnp.where(stable, loop, 0.0)
        # The cost of v = θ K s is S − γ²v'v = S − θ K'K a step.
        new = symmetric(dlyap_stable(transpose(loop), S - theta * matmul(transpose(K), K)))
        good = stable & below_level(new, D, theta)
        new = jnp.where(good, new, 0.0)
        change = jnp.sqrt(jnp.sum((new - P) ** 2) / jnp.maximum(jnp.sum(new**2), 1e-300))
        return k + 1, new, matmul(worst_gain(new, D, theta), L), good, change

    K = jnp.zeros((D.shape[-1], L.shape[-1]))
    start = (jnp.zeros((), jnp.int32), jnp.zeros_like(S), K, is_stable(L), jnp.array(jnp.inf))
    _, P, _, good, change = lax.while_loop(going, improve, start)
    found = good & (change <= CONVERGED) & is_stable(worst_loop(L, P, D, theta))
    return jnp.where(found, P, jnp.inf)


@bounded_real.defjvp
def _bounded_real_jvp(primals, tangents):
    """Ṗ = L̃'ṖL̃ + Ṡ + L̇'P̃L + L'P̃L̇ + L'P̃ (θDD')˙ P̃L.

    From P̃⁻¹ = P⁻¹ − θDD' comes dP̃ = M'Ṗ M + P̃ (θDD')˙ P̃ with M = (I − θDD'P)⁻¹, and ML = L̃. (For
    a singular P by continuity.) The rule calls `bounded_real` and `dlyap_stable`, hence it nests.
    """
    L, D, _, theta = primals
    dL, dD, dS, dtheta = tangents
    P = bounded_real(*primals)
    found = jnp.isfinite(P)
    finite = jnp.where(found, P, 0.0)
    L = jnp.where(found, L, 0.0)
    PL = matmul(inflated(finite, D, theta), L)
    cross = matmul(transpose(dL), PL)
    spread = theta * matmul(dD, transpose(D))
    dX = dtheta * matmul(D, transpose(D)) + spread + transpose(spread)
    right = dS + cross + transpose(cross) + matmul(transpose(PL), dX, PL)
    dP = dlyap_stable(transpose(worst_loop(L, finite, D, theta)), right)
    return P, jnp.where(found, dP, 0.0)


def game_riccati(
    A: Array, B: Array, D: Array, Q: Array, R: Array, theta: Array
) -> tuple[Float[Array, "m n"], Float[Array, "n n"], Bool[Array, ""]]:
    """P = Q + A'P̃A − A'P̃B (R + B'P̃B)⁻¹ B'P̃A and W = (R + B'P̃B)⁻¹ B'P̃A.

    Value iteration from P = 0, whose P increase towards the solution, so that none exists once one of
    them violates γ²I − D'PD ≻ 0; then four rounds of policy iteration, W ← (R + B'P̃B)⁻¹B'P̃A with P
    from `bounded_real`, each of which doubles the correct digits. As with `linalg.dare`, an unstable
    mode that costs nothing (undetectable in Q) leads to a P that is not the stabilising one.

    Returns:
        W, P, and whether they were found; zeros where not.
    """

    def going(state: tuple[Array, ...]) -> Array:
        k, _, good, change = state
        return (k < MAX_STEPS) & good & (change > 1e-10)

    def step(state: tuple[Array, ...]) -> tuple[Array, ...]:
        k, P, _, _ = state
        W = optimal_gain(A, B, R, inflated(P, D, theta))
        new = symmetric(
            Q
            + matmul(transpose(W), R, W)
            + matmul(transpose(A - matmul(B, W)), inflated(P, D, theta), A - matmul(B, W))
        )
        good = below_level(new, D, theta) & jnp.all(jnp.isfinite(new))
        new = jnp.where(good, new, 0.0)
        change = jnp.sqrt(jnp.sum((new - P) ** 2) / jnp.maximum(jnp.sum(new**2), 1e-300))
        return k + 1, new, good, change

    start = (jnp.zeros((), jnp.int32), jnp.zeros_like(Q), jnp.array(True), jnp.array(jnp.inf))
    _, P, good, _ = lax.while_loop(going, step, start)

    def polish(_: int, state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        W, P, good = state
        exact = bounded_real(A - matmul(B, W), D, Q + matmul(transpose(W), R, W), theta)
        good = good & jnp.isfinite(exact[0, 0])
        P = jnp.where(good, exact, 0.0)
        return optimal_gain(A, B, R, inflated(P, D, theta)), P, good

    W = optimal_gain(A, B, R, inflated(P, D, theta))
    W, P, good = lax.fori_loop(0, 4, polish, (W, P, good))
    return jnp.where(good, W, 0.0), P, good
