"""Mixed H2/H∞ state feedback: the least H2 cost among the gains that attenuate disturbances below γ.

Under s' = A s + B a + D v and a = −W s (minus!), with L = A − BW, θ = γ⁻² and, from
`benign.tasks.bounded_real`, P = Q + W'RW + L'P̃L, P̃ = (I − θPDD')⁻¹P and L̃ = (I − θDD'P)⁻¹L,

    J(W) = −γ² log det(I − γ⁻² P D D'),
    ∇J = 2 G Δ,    G = (R + B'P̃B) W − B'P̃A,
    Δ = L̃ΔL̃' + Θ,    Θ = D (I − θD'PD)⁻¹ D'.

It is finite on the W with ρ(L) < 1 whose H∞ norm from v to (Q^½ s, R^½ a) is below γ. J is *not*
coercive: on the rim where the norm reaches γ it tends to a finite number. Descent must therefore test
feasibility and not only the value, which `value` makes one test by being +∞ outside.

Source: K. Zhang, B. Hu and T. Başar, arXiv 1910.09496.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Bool, Float, Int, PRNGKeyArray

from benign.errors import ProblemError
from benign.linalg import dlyap_stable, is_stable, matmul, transpose
from benign.tasks.bounded_real import (
    bounded_real,
    game_riccati,
    inflated,
    log_det,
    worst_gain,
    worst_loop,
)
from benign.tasks.checks import check_stabilisable
from benign.tasks.fields import gains, matrix, sizes
from benign.tasks.numbers import Unseen, read, show
from benign.tasks.task import AbstractCost, Minimum
from benign.text import quoted


class RobustStatus(IntEnum):
    """What a gain does; an integer, so that it can be computed under `vmap`."""

    FEASIBLE = 0
    NOT_STABILISING = 1
    LEVEL_EXCEEDED = 2

    @property
    def message(self) -> str:
        """The status in words."""
        return _MESSAGES[self]


_MESSAGES = {
    RobustStatus.FEASIBLE: "the gain stabilises and its H∞ norm is below γ; the cost is finite",
    RobustStatus.NOT_STABILISING: "the spectral radius of A − BW is 1 or more (the cost is +inf); "
    "move the gain towards the task's optimum",
    RobustStatus.LEVEL_EXCEEDED: "the gain stabilises, but its H∞ norm reaches γ, or comes too close "
    "for float64 to tell (the cost is +inf); raise γ or move the gain towards the task's optimum",
}


class MixedH2Hinf(AbstractCost):
    """J(W) = −γ² log det(I − γ⁻² P D D'), +∞ unless ρ(A − BW) < 1 and the H∞ norm is below γ.

    An upper bound of the H2 cost tr(P₂DD'), which it tends to as γ → ∞. The optimum is known from the
    modified Riccati equation P = Q + A'P̃A − A'P̃B(R + B'P̃B)⁻¹B'P̃A.

    Args:
        A: (n, n) dynamics.  B: (n, m) inputs.  D: (n, d) how the disturbance enters.
        Q: (n, n) state cost, symmetric, ⪰ 0.  R: (m, m) input cost, symmetric, ≻ 0.
        gamma: Level γ > 0 of attenuation, finite.
        name: How messages call the task.

        A scalar stands for a 1 × 1 matrix.

    Raises:
        ProblemError: a field of the wrong shape, symmetry or sign, or not finite; (A, B) cannot be
            stabilised; no gain attains γ, and the message says which level some gain does attain.
            Only what is concrete is tested: nothing while JAX traces.
    """

    A: Float[Array, "*batch n n"]
    B: Float[Array, "*batch n m"]
    D: Float[Array, "*batch n d"]
    Q: Float[Array, "*batch n n"]
    R: Float[Array, "*batch m m"]
    gamma: Float[Array, "*batch"]
    label: Unseen[str | None] = eqx.field(static=True, repr=False)

    def __init__(self, A: Any, B: Any, D: Any, Q: Any, R: Any, *, gamma: Any, name: str | None = None):
        place = "MixedH2Hinf" if name is None else f"task {quoted(name)}"
        n, m = sizes(place, A, B)
        self.A = matrix(place, "A", A, (n, n))
        self.B = matrix(place, "B", B, (n, m))
        self.D = matrix(place, "D", D, (n, _columns(place, D, n)))
        self.Q = matrix(place, "Q", Q, (n, n), "semidefinite")
        self.R = matrix(place, "R", R, (m, m), "definite")
        level = read(gamma, place, "gamma").floats
        if np.shape(level) != ():
            raise ProblemError(f"{place}: `gamma` must be one number, got {gamma!r}")
        if isinstance(level, np.ndarray) and not 0 < level < np.inf:
            raise ProblemError(
                f"{place}: `gamma` must be positive and finite, got {gamma}; for γ = ∞ use "
                "LQR.average_cost with the noise D D'"
            )
        self.gamma = jnp.asarray(level, float)
        self.label = Unseen(name)
        if not any(isinstance(x, Tracer) for x in jax.tree.leaves(self)):
            _check_attainable(place, self)

    @property
    def shape(self) -> tuple[int, int]:
        """(m, n), the shape of a gain."""
        n, m = self.B.shape[-2:]
        return m, n

    def value(self, W: ArrayLike) -> Float[Array, ""]:
        """J(W), +∞ where infeasible. Differentiable by JAX to any order."""
        loop = self._at(W)
        cost, _ = log_det(loop.theta * matmul(transpose(self.D), loop.P, self.D))
        return jnp.where(loop.feasible, cost / loop.theta, jnp.inf)

    def gradient(self, W: ArrayLike) -> Float[Array, "*gain"]:
        """2 G Δ, in the shape of W.

        dJ = tr(dP Θ), since d(−log det(I − θPDD')) = θ tr((I − θPDD')⁻¹ dP DD'). Along E,
        dP = L̃'dP L̃ + E'G + G'E, and the adjoint of that equation is the one for Δ.
        """
        loop = self._at(W)
        parts = loop.derivative_parts()
        return self._masked(2 * matmul(parts.G, parts.Delta), loop.feasible, W)

    def hessian_product(self, W: ArrayLike, E: ArrayLike) -> Float[Array, "*gain"]:
        """2 dG Δ + 2 G dΔ, in the shape of W.

        With M = (I − θDD'P)⁻¹, dM = θΘ dP M because M D D' = Θ. Hence, as ML = L̃ and dL = −BE,

            dP = L̃'dP L̃ + E'G + G'E,           dG = (R + B'P̃B) E − B'M'dP L̃,
            dL̃ = θΘ dP L̃ − M B E,              dΘ = θ Θ dP Θ,
            dΔ = L̃ dΔ L̃' + dL̃ Δ L̃' + L̃ Δ dL̃' + dΘ.
        """
        loop = self._at(W)
        parts = loop.derivative_parts()
        E = gains(E, self.shape, "E")
        EG = matmul(transpose(E), parts.G)
        dP = dlyap_stable(transpose(parts.loop), EG + transpose(EG))
        Bt = transpose(self.B)
        dPL = matmul(dP, parts.loop)
        dG = matmul(self.R + matmul(Bt, parts.P, self.B), E) - matmul(Bt, transpose(parts.M), dPL)
        dloop = loop.theta * matmul(parts.Theta, dPL) - matmul(parts.M, self.B, E)
        cross = matmul(dloop, parts.Delta, transpose(parts.loop))
        dTheta = loop.theta * matmul(parts.Theta, dP, parts.Theta)
        dDelta = dlyap_stable(parts.loop, cross + transpose(cross) + dTheta)
        product = 2 * matmul(dG, parts.Delta) + 2 * matmul(parts.G, dDelta)
        return self._masked(product, loop.feasible, W)

    def feasible(self, W: ArrayLike) -> Bool[Array, ""]:
        """Whether ρ(A − BW) < 1 and the H∞ norm is below γ, as far as float64 can tell."""
        return self._at(W).feasible

    def status(self, W: ArrayLike) -> Int[Array, ""]:
        """A code of `RobustStatus`; ``RobustStatus(int(cost.status(W))).message`` says it in words."""
        loop = self._at(W)
        outside = jnp.where(
            loop.stable, int(RobustStatus.LEVEL_EXCEEDED), int(RobustStatus.NOT_STABILISING)
        )
        return jnp.where(loop.feasible, int(RobustStatus.FEASIBLE), outside)

    def optimum(self) -> Minimum:
        """W* = (R + B'P̃B)⁻¹B'P̃A from the modified Riccati equation; +∞ and zeros if none is found."""
        W, _, found = game_riccati(self.A, self.B, self.D, self.Q, self.R, self.gamma**-2)
        return Minimum(W, jnp.where(found, self.value(W), jnp.inf))

    def resample(self, key: PRNGKeyArray) -> MixedH2Hinf:
        """Itself."""
        return self

    def _at(self, W: ArrayLike) -> _Loop:
        W = gains(W, self.shape)
        L = self.A - matmul(self.B, W)
        stable = is_stable(L)
        W, L = jnp.where(stable, W, 0.0), jnp.where(stable, L, 0.0)
        theta = self.gamma**-2
        P = bounded_real(L, self.D, self.Q + matmul(transpose(W), self.R, W), theta)
        feasible = stable & jnp.isfinite(P[0, 0])
        P = jnp.where(feasible, P, 0.0)
        return _Loop(self, feasible, stable, W, L, P, theta)

    def _masked(self, X: Array, feasible: Array, W: ArrayLike) -> Array:
        return jnp.where(feasible, X, 0.0).reshape(np.shape(W))


class _Parts(eqx.Module):
    """What gradient and Hessian share: P̃, G, M, Θ, L̃ and Δ."""

    P: Array
    G: Array
    M: Array
    Theta: Array
    loop: Array
    Delta: Array


class _Loop(eqx.Module):
    """One gain: zeros for W, L and P where it is infeasible."""

    cost: MixedH2Hinf
    feasible: Array
    stable: Array
    W: Array
    L: Array
    P: Array
    theta: Array

    def derivative_parts(self) -> _Parts:
        cost, theta = self.cost, self.theta
        D = cost.D
        n, d = D.shape
        L = jnp.where(self.feasible, self.L, 0.0)
        P = inflated(self.P, D, theta)
        G = matmul(cost.R, self.W) - matmul(transpose(cost.B), P, L)
        M = jnp.eye(n) + theta * matmul(D, worst_gain(self.P, D, theta))
        room = jnp.eye(d) - theta * matmul(transpose(D), self.P, D)
        Theta = matmul(D, jnp.linalg.solve(room, transpose(D)))
        loop = worst_loop(L, self.P, D, theta)
        return _Parts(P, G, M, Theta, loop, dlyap_stable(loop, Theta))


# --- construction ------------------------------------------------------------------------------


def _columns(place: str, D: Any, n: int) -> int:
    shape = np.shape(read(D, place, "D").floats)
    if shape == () and n == 1:
        return 1
    *_, rows, columns = (0, 0, *shape)
    if len(shape) != 2 or rows != n or columns == 0:
        raise ProblemError(
            f"{place}: `D` must have a row for each of the {n} states and a column a disturbance, "
            f"got shape {shape}"
        )
    return columns


_game = jax.jit(game_riccati)


def _check_attainable(place: str, cost: MixedH2Hinf) -> None:
    A, B = np.asarray(cost.A)[None], np.asarray(cost.B)[None]
    check_stabilisable(lambda _: place, A, B, np.ones(1))

    def attains(gamma: float) -> bool:
        return bool(_game(cost.A, cost.B, cost.D, cost.Q, cost.R, jnp.asarray(gamma**-2))[2])

    low = float(cost.gamma)
    if attains(low):
        return
    # Bracket the least level by doubling, then bisect: only a message depends on it.
    high = low
    for _ in range(60):
        low, high = high, 2 * high
        if attains(high):
            break
    else:
        raise ProblemError(
            f"{place}: `gamma` = {show(float(cost.gamma))}: no gain with a finite H∞ norm was found; "
            "see that every unstable mode of `A` has a cost in `Q`"
        )
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (low, middle) if attains(middle) else (middle, high)
    raise ProblemError(
        f"{place}: `gamma` = {show(float(cost.gamma))} is too small: no gain attains it; the least "
        f"level is about {show(high)}, so give a `gamma` above {show(1.01 * high)}"
    )
