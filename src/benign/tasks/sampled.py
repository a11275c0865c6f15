"""LQR through rollouts: unbiased zeroth-order estimates of the cost, its gradient and its Hessian.

A rollout plays a = −W s for T steps from a random s0 and adds up what it pays. Its mean is the
*truncated* cost C_T(W) = E Σ_{t<T} γᵗ(s'Qs + 2s'N a + a'Ra): a polynomial, finite even where W does not
stabilise, and below C by what the steps after T would cost. Derivatives are estimated from costs at
nearby gains. What they are unbiased for is the derivatives of one *smoothed* truncated cost,

    C_r(W) = ∫ C_T(W + X) κ(X) dX,    κ(X) ∝ (r² − ‖X‖²)₊,

the average over a ball of radius r in the d = mn dimensional space of gains, in the Frobenius norm,
under a weight that falls to zero at its surface. Let U be uniform on the unit sphere and V in the
unit ball.

*Gradient.* With ∫κ = 1, κ = (d + 2)/(2r²·vol) · (r² − ‖X‖²) and ∇κ = −(d + 2)/(r²·vol) X inside, where
vol is the volume of the ball. Integration by parts (κ is zero on the surface) gives

    ∇C_r(W) = −∫ C_T(W + X) ∇κ dX = (d + 2)/r · E[C_T(W + rV) V].

*Hessian.* Differentiate once more, by parts again; now the surface counts, of area d·vol/r:

    ∂_j ∫_ball C_T(W + X) X_i dX = ∫_surface C_T(W + X) X_iX_j/r − δ_ij ∫_ball C_T(W + X) dX,
    ∇²C_r(W) = (d + 2)/r² · (d E[C_T(W + rU) UU'] − E[C_T(W + rV)] I).

(Check: for C_T = x'Hx/2 the means are r²(2H + I tr H)/(2d(d + 2)) and r² tr H/(2(d + 2)), so that the
right side is H, whatever r.) Both are symmetrised, X and −X, and in the Hessian C_T(W) is subtracted
from each cost, which leaves the mean alone since d E[UU'] = I:

    ĝ = (d + 2)/(2r) · [C(W + rV) − C(W − rV)] V,
    Ĥ[E] = (d + 2)/(2r²) · (d δ(U) ⟨U, E⟩ U − δ(V) E),    δ(X) = C(W + rX) + C(W − rX) − 2C(W),

with U = V/‖V‖. The costs within a bracket are rollouts under the same random numbers, which makes their
difference small and leaves its mean as it is.
"""

from __future__ import annotations

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Bool, Float, PRNGKeyArray

from benign.errors import ProblemError
from benign.linalg import in_float64, matmul, transpose
from benign.tasks.finite_horizon import FiniteHorizon
from benign.tasks.lqr import LQR
from benign.tasks.lqr_given import as_gain
from benign.tasks.task import AbstractCost, AbstractTask, alone


class Sampling(eqx.Module):
    """How a cost is sampled.

    Args:
        horizon: T ≥ 1, the steps of a rollout.
        radius: r > 0, how far from W costs are looked at for a derivative (Frobenius norm).
        directions: How many directions a derivative is averaged over.
        rollouts: How many rollouts a cost is averaged over, for each direction.

    Raises:
        ProblemError: a number that is not positive, or not an integer where it must be one.
    """

    radius: Float[Array, ""]
    horizon: int = eqx.field(static=True)
    directions: int = eqx.field(static=True)
    rollouts: int = eqx.field(static=True)

    @in_float64
    def __init__(self, *, horizon: int, radius: float = 0.05, directions: int = 100, rollouts: int = 1):
        for name, value in (("horizon", horizon), ("directions", directions), ("rollouts", rollouts)):
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
                raise ProblemError(
                    f"Sampling: `{name}` must be an integer of at least 1, got {value!r}"
                )
        if not isinstance(radius, Tracer) and not (np.ndim(radius) == 0 and 0 < radius < np.inf):
            raise ProblemError(f"Sampling: `radius` must be one positive number, got {radius!r}")
        self.radius = jnp.asarray(radius, float)
        self.horizon, self.directions, self.rollouts = int(horizon), int(directions), int(rollouts)

    @property
    def rollouts_for_value(self) -> int:
        """Rollouts behind one value: all directions' worth of them, at W itself."""
        return self.directions * self.rollouts

    @property
    def rollouts_for_gradient(self) -> int:
        """Rollouts behind one gradient: two points a direction."""
        return 2 * self.directions * self.rollouts

    @property
    def rollouts_for_hessian_product(self) -> int:
        """Rollouts behind one Hessian product: five points a direction."""
        return 5 * self.directions * self.rollouts


class SampledCost(AbstractCost):
    """The cost of an `LQR` seen through rollouts only; see the top of this file.

    s0 is normal with second moment S0 and mean zero, the process noise normal with covariance V; both
    depend on the key and not on W. Value, gradient and Hessian product use independent samples. With
    one key all three are fixed functions of W, but the gradient is not the derivative of the value.

    Args:
        lqr: The plant that is run. Nothing but the rollouts looks at its matrices.
        sampling: Horizon, radius and numbers.
        key: From ``jax.random.key(seed)``.

    Raises:
        ProblemError: the key is not one.
    """

    lqr: LQR
    sampling: Sampling
    roots: tuple[Float[Array, "*batch n n"], Float[Array, "*batch n n"] | None]
    key: PRNGKeyArray

    def __init__(self, lqr: LQR, sampling: Sampling, key: PRNGKeyArray):
        if not isinstance(key, jax.Array) or not jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
            raise ProblemError(f"SampledCost: `key` must come from jax.random.key(seed), got {key!r}")
        self.lqr = lqr
        self.sampling = sampling
        self.roots = _root(lqr.S0), None if lqr.noise is None else _root(lqr.noise)
        self.key = key

    @in_float64
    def truncated(self) -> FiniteHorizon:
        """C_T, the mean of a rollout: what a model would say, for comparison."""
        lqr = self.lqr
        return FiniteHorizon(
            lqr.A, lqr.B, lqr.Q, lqr.R, None, lqr.S0,
            horizon=self.sampling.horizon, noise=lqr.noise, discount=lqr.discount, N=lqr.N,
        )  # fmt: skip

    def value(self, W: ArrayLike) -> Float[Array, ""]:
        """The mean of directions × rollouts rollouts: unbiased for C_T(W), without smoothing."""
        gain = self._gain(W)
        count = self.sampling.rollouts_for_value
        chance = self._normal(0, (self._numbers(count),))
        value = self._paid(gain, *self._chance(chance, count))
        return jnp.where(jnp.isfinite(value), value, jnp.inf)

    def gradient(self, W: ArrayLike) -> Float[Array, "*gain"]:
        """The mean of ĝ over the directions: unbiased for ∇C_r(W); zeros if a cost overflowed."""
        gain = self._gain(W)
        r = self.sampling.radius

        def one(normal: Array) -> Array:
            _, V, chance = self._direction(normal, gain)
            ahead, behind = self._paid_around(gain, jnp.stack([r * V, -r * V]), chance)
            return (ahead - behind) * V

        factor = (gain.size + 2) / (2 * r)
        return self._averaged(one, 1, factor, W)

    def hessian_product(self, W: ArrayLike, E: ArrayLike) -> Float[Array, "*gain"]:
        """The mean of Ĥ[E] over the directions: unbiased for ∇²C_r(W)[E]; zeros if one overflowed.

        With one key it is a symmetric linear map of E.
        """
        gain, E = self._gain(W), self._gain(E, "E")
        r, d = self.sampling.radius, gain.size

        def one(normal: Array) -> Array:
            U, V, chance = self._direction(normal, gain)
            offsets = jnp.stack([jnp.zeros_like(U), r * U, -r * U, r * V, -r * V])
            centre, ahead, behind, near, far = self._paid_around(gain, offsets, chance)
            on_sphere, in_ball = ahead + behind - 2 * centre, near + far - 2 * centre
            return d * on_sphere * jnp.sum(U * E) * U - in_ball * E

        return self._averaged(one, 2, (d + 2) / (2 * r**2), W)

    def feasible(self, W: ArrayLike) -> Bool[Array, ""]:
        """Whether the rollouts stayed within float64: all that can be seen without a model."""
        return jnp.isfinite(self.value(W))

    def optimum(self) -> None:
        """None: rollouts do not know it."""
        return

    def resample(self, key: PRNGKeyArray) -> SampledCost:
        """The same plant under other rollouts."""
        return eqx.tree_at(lambda cost: cost.key, self, key)

    def _gain(self, W: ArrayLike, what: str = "W") -> Float[Array, "m n"]:
        return as_gain(W, self.lqr.m, self.lqr.n, what)

    def _normal(self, stream: int, shape: tuple[int, ...]) -> Array:
        # One draw for everything: each further call to the generator compiles for most of a second.
        return jax.random.normal(jax.random.fold_in(self.key, stream), shape, float)

    def _numbers(self, count: int) -> int:
        """How many normal numbers some rollouts use up."""
        steps = 0 if self.roots[1] is None else self.sampling.horizon
        return count * self.lqr.n * (1 + steps)

    def _direction(self, normal: Array, gain: Array) -> tuple[Array, Array, tuple[Array, ...]]:
        """V in the ball, U on the sphere, and the chance of the rollouts, from normal numbers.

        The first d coordinates of a uniform point on the sphere in d + 2 dimensions are uniform in the
        ball (Archimedes' theorem, for d = 1).
        """
        d = gain.size
        point = normal[:d].reshape(gain.shape)
        V = point / jnp.sqrt(jnp.sum(normal[: d + 2] ** 2))
        U = point / jnp.sqrt(jnp.sum(point * point))
        return U, V, self._chance(normal[d + 2 :], self.sampling.rollouts)

    def _chance(self, normal: Array, count: int) -> tuple[Array, ...]:
        """What chance does in some rollouts: s0, (count, n), and the noise, (T, count, n)."""
        n = self.lqr.n
        start = _apply(self.roots[0], normal[: count * n].reshape(count, n))
        if self.roots[1] is None:
            return (start,)
        shape = (self.sampling.horizon, count, n)
        return start, _apply(self.roots[1], normal[count * n :].reshape(shape))

    def _paid(self, W: Array, start: Array, noise: Array | None = None) -> Float[Array, ""]:
        """The mean cost of the rollouts under W.

        The simulation folds a = −W s into s' = L s + v and the stage cost s'(Q + W'RW)s: the same
        numbers as playing the actions, for two products a step. (With a cross term, less NW + W'N'.)
        """
        lqr = self.lqr
        L = lqr.A - matmul(lqr.B, W)
        S = lqr.Q + matmul(transpose(W), lqr.R, W)
        if lqr.N is not None:
            NW = matmul(lqr.N, W)
            S = S - NW - transpose(NW)

        def step(state: tuple[Array, Array], v: Array | None) -> tuple[tuple[Array, Array], Array]:
            s, fading = state
            stage = jnp.mean(jnp.sum(_apply(S, s) * s, axis=-1))
            after = _apply(L, s) if v is None else _apply(L, s) + v
            return (after, fading * lqr.discount), fading * stage

        first = (start, jnp.ones(()))
        _, stages = lax.scan(step, first, noise, length=self.sampling.horizon)
        return jnp.sum(stages)

    def _paid_around(
        self, gain: Array, offsets: Float[Array, "p m n"], chance: tuple[Array, ...]
    ) -> Float[Array, " p"]:
        """The cost at W plus each offset, under the same random numbers."""
        return jax.vmap(lambda X: self._paid(gain + X, *chance))(offsets)

    def _averaged(self, one: Any, stream: int, factor: Array, W: ArrayLike) -> Array:
        d = self.lqr.m * self.lqr.n
        numbers = d + 2 + self._numbers(self.sampling.rollouts)
        normal = self._normal(stream, (self.sampling.directions, numbers))
        mean = factor * jnp.mean(jax.vmap(one)(normal), axis=0)
        return jnp.where(jnp.all(jnp.isfinite(mean)), mean, 0.0).reshape(np.shape(W))


class SampledLQR(AbstractTask):
    """A task known through rollouts: f and g are two approximations of one cost, or of two.

    The rollouts of f and of g are independent. So the meta-gradient (I − η∇²g(W))∇f(F(W)) made of
    them has, given the adapted gain F(W), the product of the means as its mean. F(W) is random itself,
    as it would be for an agent that adapts from a few trials.

    Args:
        lqr: The plant; if it has an adaptation cost of its own, g samples that one.
        key: From ``jax.random.key(seed)``.
        f: How the evaluation cost is sampled.
        g: How the adaptation cost is sampled; as f by default.
    """

    f: AbstractCost
    g: AbstractCost

    def __init__(self, lqr: LQR, *, key: PRNGKeyArray, f: Sampling, g: Sampling | None = None):
        both = SampledCost(lqr, f, key)
        for_f, for_g = jax.random.split(both.key)
        self.f = SampledCost(alone(lqr), f, for_f)
        self.g = SampledCost(alone(lqr.g), f if g is None else g, for_g)


def _apply(M: Float[Array, "i j"], s: Float[Array, "*batch j"]) -> Float[Array, "*batch i"]:
    """M s for each s, as a sum that XLA fuses: its product of many small batches is far slower."""
    return jnp.sum(M * s[..., None, :], axis=-1)


def _root(S: Float[Array, "*batch n n"]) -> Float[Array, "*batch n n"]:
    """The symmetric square root, of a singular matrix too."""
    values, vectors = jnp.linalg.eigh(S)
    scaled = vectors * jnp.sqrt(jnp.maximum(values, 0.0))[..., None, :]
    return matmul(scaled, transpose(vectors))
