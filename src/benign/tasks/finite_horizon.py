"""The linear-quadratic regulator over a finite horizon, with one gain or a gain a step.

Under a_t = −W_t s_t (minus!), with L_t = A_t − B_t W_t and t = 0 … T − 1,

    P_T = Q_f,    P_t = Q_t − N_tW_t − W_t'N_t' + W_t'R_tW_t + L_t'P_{t+1}L_t,
    Σ_0 = S0,     Σ_{t+1} = L_tΣ_tL_t' + V_t,
    C = tr(P_0 S0) + Σ_t tr(P_{t+1} V_t),
    ∂C/∂W_t = 2 G_t Σ_t,    G_t = (R_t + B_t'P_{t+1}B_t) W_t − B_t'P_{t+1}A_t − N_t'.

C is a polynomial in the gains: there is no stability to ask for, and it is finite everywhere (where
float64 can hold it). One gain for all steps is the policy W_t = W: its gradient is the sum over t.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, ArrayLike, Bool, Float, PRNGKeyArray

from benign.errors import ProblemError
from benign.linalg import matmul, optimal_gain, transpose
from benign.tasks.fields import gains, matrix, require_beside, sizes, steps
from benign.tasks.numbers import Unseen, read
from benign.tasks.task import AbstractCost, Minimum
from benign.text import quoted


class FiniteHorizon(AbstractCost):
    """C(W) = E[Σ_{t<T} γᵗ(s'Q_ts + 2s'N_ta + a'R_ta) + γᵀ s_T'Q_fs_T], s' = A_ts + B_ta + v_t, a = −W
    s.

    The v_t are independent, of covariance V_t. A gain W is (m, n), the same at every step,
    or (T, m, n), one a step, if `per_step`. A discount is absorbed into Q_t, R_t, N_t and Q_f, and the
    cost of T steps is a sum, not an average.

    The policy of a gain a step has the known optimum (R_t + B_t'P_{t+1}B_t)⁻¹(B_t'P_{t+1}A_t + N_t');
    one gain for all steps has none in closed form, and its cost may have several minima.

    Args:
        A: (n, n) dynamics, or (T, n, n), one a step; so B (n, m), Q (n, n), R (m, m), noise (n, n).
        B: Inputs.
        Q: State cost, symmetric, ⪰ 0.
        R: Input cost, symmetric, ≻ 0.
        Qf: (n, n) terminal cost, symmetric, ⪰ 0; zero by default.
        S0: (n, n) second moment E[s0 s0'] ⪰ 0; the identity by default.
        horizon: T ≥ 1.
        noise: Covariance V ⪰ 0 of v, none by default.
        discount: γ in (0, 1].
        per_step: Whether W holds a gain a step.
        name: How messages call the task.
        N: (n, m) cross term 2 s'N a of the stage cost, or (T, n, m); none by default. Every
            [[Q, N], [N', R]] must be ⪰ 0 up to rounding.

        A scalar stands for a 1 × 1 matrix, and T scalars for T of them.

    Raises:
        ProblemError: a horizon below 1 or not an integer, or a field of the wrong shape, symmetry or
            sign, or not finite.
    """

    A: Float[Array, "*batch T n n"]
    B: Float[Array, "*batch T n m"]
    Q: Float[Array, "*batch T n n"]
    R: Float[Array, "*batch T m m"]
    Qf: Float[Array, "*batch n n"]
    S0: Float[Array, "*batch n n"]
    noise: Float[Array, "*batch T n n"]
    N: Float[Array, "*batch T n m"]
    per_step: bool = eqx.field(static=True)
    label: Unseen[str | None] = eqx.field(static=True, repr=False)

    def __init__(
        self,
        A: Any,
        B: Any,
        Q: Any,
        R: Any,
        Qf: Any = None,
        S0: Any = None,
        *,
        horizon: int,
        noise: Any = None,
        discount: Any = 1,
        per_step: bool = False,
        name: str | None = None,
        N: Any = None,
    ):
        place = "FiniteHorizon" if name is None else f"task {quoted(name)}"
        if isinstance(horizon, bool) or not isinstance(horizon, int | np.integer) or horizon < 1:
            raise ProblemError(f"{place}: `horizon` must be an integer of at least 1, got {horizon!r}")
        T = int(horizon)
        n, m = sizes(place, A, B, stacked=True)
        gamma = _discount(place, discount)
        fading = (gamma ** jnp.arange(T))[:, None, None]
        self.A = steps(place, "A", A, (n, n), T)
        self.B = steps(place, "B", B, (n, m), T)
        self.Q = fading * steps(place, "Q", Q, (n, n), T, "semidefinite")
        self.R = fading * steps(place, "R", R, (m, m), T, "definite")
        zero, one = np.zeros((n, n)), np.eye(n)
        final = matrix(place, "Qf", zero if Qf is None else Qf, (n, n), "semidefinite")
        self.Qf = gamma**T * final
        self.S0 = matrix(place, "S0", one if S0 is None else S0, (n, n), "semidefinite")
        given = zero if noise is None else noise
        self.noise = steps(place, "noise", given, (n, n), T, "semidefinite")
        self.N = fading * steps(place, "N", np.zeros((n, m)) if N is None else N, (n, m), T)
        require_beside(place, self.Q, self.R, self.N)
        self.per_step = bool(per_step)
        self.label = Unseen(name)

    @property
    def horizon(self) -> int:
        """T."""
        return self.B.shape[-3]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of W: (m, n), or (T, m, n)."""
        T, n, m = self.B.shape[-3:]
        return (T, m, n) if self.per_step else (m, n)

    def value(self, W: ArrayLike) -> Float[Array, ""]:
        """C(W); +∞ where it exceeds the range of float64."""
        policy, finite = self._policy(W)
        return jnp.where(finite, self._cost(policy), jnp.inf)

    def gradient(self, W: ArrayLike) -> Float[Array, "*gain"]:
        """2 G_t Σ_t, a step or summed over the steps, in the shape of W."""
        policy, finite = self._policy(W)
        sweep = self._sweep(policy)
        return self._collect(2 * matmul(sweep.G, sweep.Sigma), finite, W)

    def hessian_product(self, W: ArrayLike, E: ArrayLike) -> Float[Array, "*gain"]:
        """2 [(R_t + B_t'P_{t+1}B_t)E_t − B_t'P'_{t+1}L_t]Σ_t + 2 G_tΣ'_t, a step or summed.

        Along E the recursions become P'_T = 0, P'_t = L_t'P'_{t+1}L_t + E_t'G_t + G_t'E_t and Σ'_0 = 0,
        Σ'_{t+1} = L_tΣ'_tL_t' − B_tE_tΣ_tL_t' − (·)', since L_t' = −B_tE_t.
        """
        policy, finite = self._policy(W)
        along = self._repeated(gains(E, self.shape, "E"))
        sweep = self._sweep(policy)

        def back(dP: Array, step: tuple[Array, ...]) -> tuple[Array, Array]:
            L, G, E = step
            EG = matmul(transpose(E), G)
            return matmul(transpose(L), dP, L) + EG + transpose(EG), dP

        def forth(dSigma: Array, step: tuple[Array, ...]) -> tuple[Array, Array]:
            L, B, E, Sigma = step
            moved = matmul(B, E, Sigma, transpose(L))
            return matmul(L, dSigma, transpose(L)) - moved - transpose(moved), dSigma

        zero = jnp.zeros_like(self.S0)
        _, dP = lax.scan(back, zero, (sweep.L, sweep.G, along), reverse=True)
        _, dSigma = lax.scan(forth, zero, (sweep.L, self.B, along, sweep.Sigma))
        Bt = transpose(self.B)
        dG = matmul(self.R + matmul(Bt, sweep.next_P, self.B), along) - matmul(Bt, dP, sweep.L)
        product = 2 * matmul(dG, sweep.Sigma) + 2 * matmul(sweep.G, dSigma)
        return self._collect(product, finite, W)

    def feasible(self, W: ArrayLike) -> Bool[Array, ""]:
        """Whether float64 can hold the cost."""
        return self._policy(W)[1]

    def optimum(self) -> Minimum | None:
        """The Riccati recursion backwards from Q_f, for a gain a step; None for one gain."""
        if not self.per_step:
            return None

        def back(P: Array, step: tuple[Array, ...]) -> tuple[Array, Array]:
            A, B, Q, R, N = step
            T = jnp.linalg.solve(R, transpose(N))
            W = T + optimal_gain(A - matmul(B, T), B, R, P)
            return _earlier(P, A - matmul(B, W), Q, R, N, W), W

        given = (self.A, self.B, self.Q, self.R, self.N)
        _, W = lax.scan(back, self.Qf, given, reverse=True)
        return Minimum(W, self._cost(W))

    def resample(self, key: PRNGKeyArray) -> FiniteHorizon:
        """Itself."""
        return self

    def _repeated(self, W: Array) -> Float[Array, "T m n"]:
        return W if self.per_step else jnp.broadcast_to(W, (self.horizon, *W.shape))

    def _policy(self, W: ArrayLike) -> tuple[Float[Array, "T m n"], Bool[Array, ""]]:
        """A gain a step, and whether its cost is finite; zeros instead where it is not.

        The mask comes before the arithmetic that is differentiated, so that no derivative is NaN.
        """
        W = gains(W, self.shape)
        finite = jnp.isfinite(self._cost(self._repeated(lax.stop_gradient(W))))
        return self._repeated(jnp.where(finite, W, 0.0)), finite

    def _cost(self, W: Float[Array, "T m n"]) -> Float[Array, ""]:
        first, after = self._costs_to_go(W)
        return jnp.sum(first * self.S0) + jnp.sum(after * self.noise)

    def _costs_to_go(self, W: Float[Array, "T m n"]) -> tuple[Array, Array]:
        """P_0, and P_{t+1} for each t."""

        def back(P: Array, step: tuple[Array, ...]) -> tuple[Array, Array]:
            return _earlier(P, *step), P

        L = self.A - matmul(self.B, W)
        return lax.scan(back, self.Qf, (L, self.Q, self.R, self.N, W), reverse=True)

    def _sweep(self, W: Float[Array, "T m n"]) -> _Sweep:
        L = self.A - matmul(self.B, W)
        _, P = self._costs_to_go(W)

        def forth(Sigma: Array, step: tuple[Array, ...]) -> tuple[Array, Array]:
            L, noise = step
            return matmul(L, Sigma, transpose(L)) + noise, Sigma

        _, Sigma = lax.scan(forth, self.S0, (L, self.noise))
        G = matmul(self.R, W) - transpose(self.N) - matmul(transpose(self.B), P, L)
        return _Sweep(L, P, Sigma, G)

    def _collect(self, X: Float[Array, "T m n"], finite: Bool[Array, ""], W: ArrayLike) -> Array:
        """The derivative in the shape of W: chain rule of W_t = W, a sum, for one gain."""
        X = X if self.per_step else jnp.sum(X, axis=0)
        return jnp.where(finite & jnp.all(jnp.isfinite(X)), X, 0.0).reshape(np.shape(W))


class _Sweep(eqx.Module):
    """Step by step: the loop L_t, P_{t+1}, the moment Σ_t, and G_t."""

    L: Float[Array, "T n n"]
    next_P: Float[Array, "T n n"]
    Sigma: Float[Array, "T n n"]
    G: Float[Array, "T m n"]


def _earlier(P: Array, L: Array, Q: Array, R: Array, N: Array, W: Array) -> Array:
    """Q − NW − W'N' + W'RW + L'PL, the cost-to-go one step earlier."""
    NW = matmul(N, W)
    return Q - NW - transpose(NW) + matmul(transpose(W), R, W) + matmul(transpose(L), P, L)


def _discount(place: str, discount: Any) -> Float[Array, ""]:
    given = read(discount, place, "discount").floats
    if np.shape(given) != ():
        raise ProblemError(f"{place}: `discount` must be one number, got {discount!r}")
    if isinstance(given, np.ndarray) and not 0 < given <= 1:
        raise ProblemError(f"{place}: `discount` must lie in (0, 1], got {discount}")
    return jnp.asarray(given, float)
