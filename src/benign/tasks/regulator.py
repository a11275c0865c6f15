"""The LQR cost of a fixed gain and its derivatives, on bare arrays: the arithmetic of a task.

Notation as in the source, with a = −W s (minus!), L = A − BW and G = (R + B'PB) W − B'PA:

    P = Q + W'RW + L'PL,    Σ = S0 + LΣL',    C(W) = tr(P S0),    ∇C = 2 G Σ,

whenever ρ(L) < 1, and C = +∞ otherwise. Mind the 2: by C(W + E) = C(W) + tr(∇C'E) + … it is there.
Of a cost with a cross term 2 s'N a the square is completed: W − T, T = R⁻¹N', stands in the place of W
where an input is paid for, in W'RW and R W, and Q − NT in that of Q.
"""

from __future__ import annotations

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from benign.linalg import dare, dlyap_stable, is_stable, matmul, optimal_gain, transpose, unit_weights


def _where(mask: Bool[Array, "*batch"], X: Float[Array, "*batch i j"]) -> Array:
    """X where the mask holds, zeros elsewhere."""
    return jnp.where(mask[..., None, None], X, 0.0)


class ClosedLoop(eqx.Module):
    """Everything about one gain that its gradient and Hessian share.

    Attributes:
        stable: Whether the gain stabilises. Where not, the rest is finite and means nothing.
        B: (n, m) input matrix.  L: (n, n) closed loop A − BW.
        P: (n, n) cost-to-go.  Sigma: (n, n) sum of second moments.
        M: (m, m) R + B'PB.  G: (m, n) R (W − T) − B'PL.
        weights: (n, n) of the norm by which powers of L are judged; see `linalg.unit_weights`.
    """

    stable: Bool[Array, "*batch"]
    B: Float[Array, "*batch n m"]
    L: Float[Array, "*batch n n"]
    P: Float[Array, "*batch n n"]
    Sigma: Float[Array, "*batch n n"]
    M: Float[Array, "*batch m m"]
    G: Float[Array, "*batch m n"]
    weights: Float[Array, "*batch n n"]

    def gradient(self) -> Float[Array, "*batch m n"]:
        """∇C = 2 G Σ; zeros where the gain does not stabilise."""
        return _where(self.stable, 2 * matmul(self.G, self.Sigma))

    def hessian_product(self, E: Float[Array, "*batch m n"]) -> Float[Array, "*batch m n"]:
        """∇²C[E] = 2 (M E − B'P'L) Σ + 2 G Σ'; zeros where the gain does not stabilise.

        P' and Σ' are the derivatives along E. Because ∂P/∂W enters C only through G,
        P' = L'P'L + E'G + G'E, and Σ' = LΣ'L' − BEΣL' − LΣE'B' since L' = −BE.
        """
        EG = matmul(transpose(E), self.G)
        dP = dlyap_stable(transpose(self.L), EG + transpose(EG), transpose(self.weights))
        moved = matmul(self.B, E, self.Sigma, transpose(self.L))
        dSigma = dlyap_stable(self.L, -moved - transpose(moved), self.weights)
        dG = matmul(self.M, E) - matmul(transpose(self.B), dP, self.L)
        return _where(self.stable, 2 * matmul(dG, self.Sigma) + 2 * matmul(self.G, dSigma))


class Regulator(eqx.Module):
    """An undiscounted, noise-free LQR problem: what remains of a task when it is computed with.

    Attributes:
        A: (n, n).  B: (n, m).  Q: (n, n).  R: (m, m).  S0: (n, n).  T: (m, n), or None for zero: the
            stage cost is Q + (W − T)'R(W − T). Leading dimensions are tasks.
    """

    A: Float[Array, "*batch n n"]
    B: Float[Array, "*batch n m"]
    Q: Float[Array, "*batch n n"]
    R: Float[Array, "*batch m m"]
    S0: Float[Array, "*batch n n"]
    T: Float[Array, "*batch m n"] | None = None

    def paid(self, W: Array) -> Array:
        """W − T."""
        return W if self.T is None else W - self.T

    def _loop(self, W: Array) -> tuple[Bool[Array, "*batch"], Array, Array, Array]:
        """Whether W stabilises, W, and L = A − BW, zeros where it does not; the weights of ‖L‖.

        The mask comes before the arithmetic, so that nothing behind a later mask is infinite: zero
        times infinity is how NaN enters a reverse-mode derivative.
        """
        L = self.A - matmul(self.B, W)
        weights = unit_weights(L, self.S0)
        stable = is_stable(L, weights)
        return stable, _where(stable, W), _where(stable, L), weights

    def _cost_to_go(self, W: Array, L: Array, weights: Array) -> Float[Array, "*batch n n"]:
        paid = self.paid(W)
        price = self.Q + matmul(transpose(paid), self.R, paid)
        return dlyap_stable(transpose(L), price, transpose(weights))

    def at(self, W: Float[Array, "*batch m n"]) -> ClosedLoop:
        """The closed loop under the gain W."""
        stable, W, L, weights = self._loop(W)
        P = self._cost_to_go(W, L, weights)
        Sigma = dlyap_stable(L, self.S0, weights)
        # G = R (W − T) − B'P(A − BW): the form without the difference of two large products.
        BP = matmul(transpose(self.B), P)
        G = matmul(self.R, self.paid(W)) - matmul(BP, L)
        return ClosedLoop(stable, self.B, L, P, Sigma, self.R + matmul(BP, self.B), G, weights)

    def stabilises(self, W: Float[Array, "*batch m n"]) -> Bool[Array, "*batch"]:
        """Whether ρ(A − BW) < 1."""
        L = self.A - matmul(self.B, W)
        return is_stable(L, unit_weights(L, self.S0))

    def cost(self, W: Float[Array, "*batch m n"]) -> Float[Array, "*batch"]:
        """C(W) = tr(P S0), +∞ where W does not stabilise.

        Derivatives by JAX go through `dlyap_stable`, whose adjoint solve for S0 is Σ itself: what
        `jax.grad` computes is 2 G Σ, at the price of the two equations the formula has.
        """
        stable, W, L, weights = self._loop(W)
        value = jnp.sum(self._cost_to_go(W, L, weights) * self.S0, axis=(-1, -2))
        return jnp.where(stable, value, jnp.inf)

    def hessian(self, W: Float[Array, "m n"]) -> Float[Array, "m n m n"]:
        """∇²C(W) as an array: entry [i, j, k, l] is ∂²C / ∂W_ij ∂W_kl. For one W."""
        m, n = W.shape
        basis = jnp.eye(m * n).reshape(m * n, m, n)
        columns = jax.vmap(self.at(W).hessian_product)(basis)
        return columns.reshape(m, n, m, n).transpose(2, 3, 0, 1)

    def optimum(self) -> tuple[Array, Array, Array]:
        """(W*, P*, C*) by the Riccati equation; (0, +∞, +∞) where no stabilising gain was found."""
        A = self.A if self.T is None else self.A - matmul(self.B, self.T)
        P = dare(A, self.B, self.Q, self.R)
        found = jnp.isfinite(P[..., 0, 0])
        finite = _where(found, P)
        gain = optimal_gain(A, self.B, self.R, finite)
        W = _where(found, gain if self.T is None else gain + self.T)
        cost = jnp.where(found, jnp.sum(finite * self.S0, axis=(-1, -2)), jnp.inf)
        return W, P, cost
