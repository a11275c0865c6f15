"""Matrix equations of discrete time: Lyapunov, Riccati, spectral radius.

Every function takes stacks of matrices (leading dimensions broadcast), works under `jit` and
`vmap`, and is computed in float64. The two solvers carry hand-written derivatives that nest, so
that gradients, Hessians and third derivatives are those of the equation and not of the loop that
solved it. Outside the set where an answer exists the answer is +∞ and every derivative is zero,
never NaN.
"""

from __future__ import annotations

from functools import reduce

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float

from benign.errors import BenignError

Matrices = Float[Array | np.ndarray, "... _ _"]
"""A stack of matrices of any shape; NumPy's are welcome wherever JAX's are."""

SMALL = 16
"""Up to this size a product is a broadcast sum: on a CPU XLA's batched product of such matrices is
three times slower (measured, n = 4). Not for 2×2: there the closed forms have no loop between
products, XLA fuses the sums into one another and computes them again and again."""

MAX_SQUARINGS = 50
"""L^(2^50) has to have started to decay: a spectral radius within 1e-14 of one counts as one."""

DIVERGED = 1e100
"""A power of L of this norm never comes back; stopping here keeps its square finite."""

DECAYED = 1e-9
"""Once ‖Lᵏ‖ is this small the next term, of relative size ‖Lᵏ‖² = 1e-18, is below rounding."""


def require_x64(call: str) -> None:
    """Refuse to compute in single precision.

    Raises:
        BenignError: JAX's 64-bit mode is off; the message says how to enable it.
    """
    if not jax.config.jax_enable_x64:  # pyright: ignore[reportAttributeAccessIssue]
        raise BenignError(
            f"{call}: needs 64-bit floats and JAX's are off; call "
            '`jax.config.update("jax_enable_x64", True)` first, or set JAX_ENABLE_X64=1'
        )


def matmul(*factors: Matrices) -> Float[Array, "... _ _"]:
    """The product of the matrices, from left to right; leading dimensions broadcast."""
    return reduce(_product, map(jnp.asarray, factors))


def _product(X: Float[Array, "... _ _"], Y: Float[Array, "... _ _"]) -> Array:
    largest = max(*X.shape[-2:], Y.shape[-1])
    if largest == 2 or largest > SMALL:
        return jnp.matmul(X, Y)
    return jnp.sum(X[..., :, :, None] * Y[..., None, :, :], axis=-2)


def transpose(X: Float[Array | np.ndarray, "*batch i j"]) -> Float[Array, "*batch j i"]:
    """X', matrix by matrix."""
    return jnp.swapaxes(X, -1, -2)


def symmetric(X: Float[Array, "*batch n n"]) -> Float[Array, "*batch n n"]:
    """(X + X')/2, which is symmetric to the last bit."""
    return 0.5 * (X + transpose(X))


def _norm_squared(X: Float[Array, "*batch n n"]) -> Float[Array, "*batch"]:
    return jnp.sum(X * X, axis=(-1, -2))


# --- stability -------------------------------------------------------------------------------


def spectral_radius(L: Float[Array | np.ndarray, "*batch n n"]) -> Float[Array, "*batch"]:
    """ρ(L) = max |λ(L)|.

    Closed form for n ≤ 2, eigenvalues (LAPACK, on a CPU) otherwise. For a diagnosis, not for a
    derivative: ρ has none where eigenvalues meet. `is_stable` is the fast test of ρ(L) < 1.

    Args:
        L: Square matrices.

    Returns:
        One number a matrix.

    Raises:
        BenignError: JAX's 64-bit mode is off.
    """
    require_x64("spectral_radius")
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


def is_stable(L: Float[Array | np.ndarray, "*batch n n"]) -> Bool[Array, "*batch"]:
    """Whether ρ(L) < 1 and float64 can sum the powers of L; a NaN is not stable.

    n ≤ 2: the Schur–Cohn conditions |det L| < 1, |tr L| < 1 + det L. Otherwise L is squared until a
    power has norm below one, which proves ρ(L) < 1, or grows without end. That is as fast as one
    matrix equation, where eigenvalues would cost ten times as much.

    Squaring commits an error ε‖Lᵏ‖² that strong non-normality multiplies by up to ‖Lᵏ‖ again. So a
    verdict after N steps is trusted while ε·max‖Lᵏ‖³·N < 1 (a heuristic, tried on random triangular
    loops of up to 16 states). A stable loop beyond that counts as unstable: squaring can no longer
    tell, and the solution would have few correct digits. `spectral_radius` tells the two apart.
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
        power = jnp.where(going[..., None, None], _product(power, power), power)
        norm = jnp.sqrt(_norm_squared(power))
        return k + 1, power, norm, jnp.maximum(growth, norm), jnp.where(going, 2 * steps, steps)

    norm = jnp.sqrt(_norm_squared(L))
    start = (jnp.zeros((), jnp.int32), L, norm, jnp.maximum(norm, 1.0), jnp.ones_like(norm))
    _, _, norm, growth, steps = lax.while_loop(undecided, square, start)
    return (norm < 1) & (jnp.finfo(L.dtype).eps * growth**3 * steps < 1)


# --- the Lyapunov equation ---------------------------------------------------------------------


def dlyap(
    L: Float[Array | np.ndarray, "*#batch n n"], S: Float[Array | np.ndarray, "*#batch n n"]
) -> Float[Array, "... n n"]:
    """X = L X L' + S.

    Args:
        L: Square matrices with ρ(L) < 1.
        S: Right-hand sides, symmetric or not.

    Returns:
        X, exactly as symmetric as the arithmetic allows; +∞ in every entry where ρ(L) ≥ 1 (there
        the sum Σ Lᵏ S L'ᵏ diverges, while the linear system would still give some finite matrix).
        Derivatives of every order are zero there.

    Raises:
        BenignError: JAX's 64-bit mode is off.
    """
    require_x64("dlyap")
    L, S = jnp.asarray(L, float), jnp.asarray(S, float)
    stable = is_stable(L)[..., None, None]
    # Select twice: on the way in, so that no infinity arises behind the mask, and on the way out.
    X = dlyap_stable(jnp.where(stable, L, 0.0), jnp.where(stable, S, 0.0))
    return jnp.where(stable, X, jnp.inf)


def dlyap_stable(
    L: Float[Array | np.ndarray, "*#batch n n"], S: Float[Array | np.ndarray, "*#batch n n"]
) -> Float[Array, "... n n"]:
    """As `dlyap` for L known to satisfy `is_stable`, which saves the test.

    Derivative. Perturbing X = L X L' + S gives the same equation again,

        Ẋ = L Ẋ L' + (Ṡ + L̇ X L' + L X L̇'),

    and the adjoint of 𝓛(X) = X − L X L' in the inner product tr(X'Y) is Y − L' Y L, the equation
    for L'. `custom_linear_solve` is told 𝓛 and the two solvers and makes both rules of them; as the
    rules solve by `custom_linear_solve` themselves they nest to any order.
    """
    batch = jnp.broadcast_shapes(L.shape, S.shape)
    L, S = jnp.broadcast_to(L, batch), jnp.broadcast_to(S, batch)
    return lax.custom_linear_solve(
        lambda X: X - matmul(L, X, transpose(L)),
        S,
        solve=lambda _, right: _sum_of_powers(L, right),
        transpose_solve=lambda _, right: _sum_of_powers(transpose(L), right),
    )


def _sum_of_powers(L: Float[Array, "*batch n n"], S: Float[Array, "*batch n n"]) -> Array:
    """Σ Lᵏ S L'ᵏ: in closed form for n ≤ 2, by doubling the number of terms otherwise."""
    n = L.shape[-1]
    if n == 1:
        return S / ((1 - L) * (1 + L))
    if n == 2:
        trace = (L[..., 0, 0] + L[..., 1, 1])[..., None, None]
        det = (L[..., 0, 0] * L[..., 1, 1] - L[..., 0, 1] * L[..., 1, 0])[..., None, None]
        LS = matmul(L, S)
        # Cayley–Hamilton, L² = t L − d I, applied on both sides of the series.
        top = (
            ((1 + det) - trace * trace * (1 - det)) * S
            + (1 + det) * matmul(LS, transpose(L))
            - trace * det * (LS + matmul(S, transpose(L)))
        )
        return top / ((1 - det) * (1 + det - trace) * (1 + det + trace))

    def unfinished(state):
        k, power, _ = state
        # `is_stable` left a power of norm below one; twenty squarings more bring 1 − ε to nothing.
        return (k < 2 * MAX_SQUARINGS) & jnp.any(_norm_squared(power) > DECAYED**2)

    def double(state):
        k, power, X = state
        X = X + matmul(power, X, transpose(power))
        return k + 1, _product(power, power), X

    return lax.while_loop(unfinished, double, (jnp.zeros((), jnp.int32), L, S))[2]


# --- the Riccati equation ----------------------------------------------------------------------


def optimal_gain(
    A: Float[Array | np.ndarray, "*#batch n n"],
    B: Float[Array | np.ndarray, "*#batch n m"],
    R: Float[Array | np.ndarray, "*#batch m m"],
    P: Float[Array | np.ndarray, "*#batch n n"],
) -> Float[Array, "... m n"]:
    """(R + B'PB)⁻¹ B'PA: the gain of a = −W s that is optimal against the cost-to-go P."""
    PB = matmul(P, B)
    return _solve(jnp.asarray(R) + matmul(transpose(B), PB), matmul(transpose(PB), A))


def dare(
    A: Float[Array | np.ndarray, "*#batch n n"],
    B: Float[Array | np.ndarray, "*#batch n m"],
    Q: Float[Array | np.ndarray, "*#batch n n"],
    R: Float[Array | np.ndarray, "*#batch m m"],
) -> Float[Array, "... n n"]:
    """P = Q + A'PA − A'PB (R + B'PB)⁻¹ B'PA, the stabilising solution.

    A closed form for n = 1. Otherwise the structured doubling algorithm (Chu, Fan, Lin and Wang,
    Int. J. Control 77 (2004) 767–788, algorithm SDA) with pivoted solves, and one Newton step
    (Kleinman 1968), whose Lyapunov equation both restores the digits that forming B R⁻¹B' lost and
    shows whether the gain stabilises.

    Args:
        A, B: Dynamics s' = A s + B a.
        Q, R: Stage cost s'Qs + a'Ra with Q ⪰ 0, R ≻ 0, symmetric.

    Returns:
        P; +∞ in every entry where no stabilising gain was found. For n ≥ 2 that includes problems
        with an unstable mode that costs nothing (undetectable in Q), where the doubling converges
        to the smallest solution and not to the stabilising one. Derivatives are zero there.

    Raises:
        BenignError: JAX's 64-bit mode is off.
    """
    require_x64("dare")
    A, B, Q, R = (jnp.asarray(X, float) for X in (A, B, Q, R))
    batch = jnp.broadcast_shapes(*(X.shape[:-2] for X in (A, B, Q, R)))
    return _dare(*(jnp.broadcast_to(X, batch + X.shape[-2:]) for X in (A, B, Q, R)))


@jax.custom_jvp
def _dare(A: Array, B: Array, Q: Array, R: Array) -> Array:
    G = matmul(B, _solve(R, transpose(B)))
    rough = _scalar_riccati(A, G, Q) if A.shape[-1] == 1 else _doubled_riccati(A, G, Q)
    W = optimal_gain(A, B, R, jnp.where(jnp.isfinite(rough), rough, 0.0))
    return symmetric(dlyap(transpose(A - matmul(B, W)), Q + matmul(transpose(W), R, W)))


@_dare.defjvp
def _dare_jvp(primals, tangents):
    """Ṗ = L'ṖL + Q̇ + W'ṘW + M + M', M = (Ȧ − ḂW)'PL.

    Here W is the optimal gain and L = A − BW. P is stationary in W, so Ẇ drops out. The rule calls
    `_dare` and `dlyap_stable`, hence it nests.
    """
    A, B, _, R = primals
    dA, dB, dQ, dR = tangents
    P = _dare(*primals)
    found = jnp.isfinite(P)
    finite = jnp.where(found, P, 0.0)
    W = optimal_gain(A, B, R, finite)
    L = jnp.where(found, A - matmul(B, W), 0.0)
    M = matmul(transpose(dA - matmul(dB, W)), finite, L)
    right = dQ + matmul(transpose(W), dR, W) + M + transpose(M)
    dP = dlyap_stable(transpose(L), right)
    return P, jnp.where(found, dP, 0.0)


def _solve(M: Float[Array, "*#batch i i"], right: Float[Array, "*#batch i j"]) -> Array:
    return right / M if M.shape[-1] == 1 else jnp.linalg.solve(M, right)


def _scalar_riccati(A: Array, G: Array, Q: Array) -> Array:
    """The positive root of G p² + c p − Q = 0, c = 1 − A² − Q G, without cancellation."""
    c = 1 - A * A - Q * G
    root = jnp.sqrt(c * c + 4 * G * Q)
    positive = c > 0
    by_sum = 2 * Q / jnp.where(positive, c + root, 1.0)
    by_difference = (root - c) / jnp.where(positive | (G == 0), 1.0, 2 * G)
    return jnp.where(positive, by_sum, jnp.where(G == 0, jnp.inf, by_difference))


def _doubled_riccati(A: Array, G: Array, Q: Array) -> Array:
    identity = jnp.eye(A.shape[-1])

    def unfinished(state):
        k, _, _, H, change = state
        scale = _norm_squared(H)
        return (k < MAX_SQUARINGS) & jnp.any((change > 1e-30 * scale) & (scale < DIVERGED))

    def double(state):
        k, A, G, H, _ = state
        W = identity + matmul(G, H)
        right = jnp.concatenate([A, G], axis=-1)
        WA, WG = jnp.split(_solve(W, right), 2, axis=-1)
        step = symmetric(matmul(transpose(A), H, WA))
        G = G + symmetric(matmul(A, WG, transpose(A)))
        return k + 1, matmul(A, WA), G, H + step, _norm_squared(step)

    start = (jnp.zeros((), jnp.int32), A, G, Q, jnp.full(A.shape[:-2], jnp.inf))
    return lax.while_loop(unfinished, double, start)[3]
