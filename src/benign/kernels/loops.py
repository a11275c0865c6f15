"""LQR costs of a few gains and their derivatives in NumPy: where nothing is worth compiling or loading.

    P = Q + W'RW + L'PL,   Σ = S0 + LΣL',   C = tr(P S0),   ∇C = 2 G Σ,   G = R W − B'P L,

L = A − BW, by doubling: X ← X + Kʲ X Kʲ', K ← K². Where costs have a T (`batch.Costs`), W − T stands
for W in W'RW and R W. It knows where it is good, in loops whose powers neither grow much nor decay
slowly, and leaves the others to arithmetic that is made for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float

from benign.kernels.batch import Batched, Costs

Array = np.ndarray

DOUBLINGS = 20
"""Squarings after which the powers of a loop are nothing, or it is one to be careful with: ρ is then
within 1e-4 of 1."""

GROWN, LOST = 1e3, 1e60
"""Powers that grow beyond the first before they decay cost digits; beyond the second nothing is left,
and the loop is unstable or no float64 can tell."""

NOTHING = 1e-20
"""A power so small adds nothing to any sum."""


@dataclass(frozen=True)
class Loops:
    """k closed loops, each far from the rim of stability.

    Attributes:
        costs: the k problems.  W: (k, m, n) the gains.
        stable: (k,) which loops are stable; all numbers of the others are finite and mean nothing.
        powers: L, L², L⁴, …, each (k, n, n), until they are nothing.
    """

    costs: Costs
    W: Float[Array, "k m n"]
    stable: Bool[Array, " k"]
    powers: tuple[Float[Array, "k n n"], ...]

    @property
    def L(self) -> Float[Array, "k n n"]:
        """A − BW."""
        return self.powers[0]

    @property
    def paid(self) -> Float[Array, "k m n"]:
        """W − T."""
        return self.W if self.costs.T is None else self.W - self.costs.T

    @cached_property
    def P(self) -> Float[Array, "k n n"]:
        """The cost-to-go."""
        return self._backward(self.costs.Q + self.paid.swapaxes(1, 2) @ self.costs.R @ self.paid)

    @cached_property
    def Sigma(self) -> Float[Array, "k n n"]:
        """The sum of second moments."""
        return self._forward(self.costs.S0)

    @cached_property
    def G(self) -> Float[Array, "k m n"]:
        """R (W − T) − B'P L."""
        return self.costs.R @ self.paid - self.costs.B.swapaxes(1, 2) @ self.P @ self.L

    @cached_property
    def value(self) -> Float[Array, " k"]:
        """C(W), +∞ where unstable."""
        return np.where(self.stable, np.sum(self.P * self.costs.S0, axis=(1, 2)), np.inf)

    @cached_property
    def gradient(self) -> Float[Array, "k m n"]:
        """∇C(W), zeros where unstable."""
        return self._masked(2 * self.G @ self.Sigma)

    def hessian_product(self, E: Float[Array, "k m n"]) -> Float[Array, "k m n"]:
        """∇²C(W)[E] = 2 (M E − B'P'L) Σ + 2 G Σ', M = R + B'PB; zeros where unstable."""
        B, turned = self.costs.B, self.costs.B.swapaxes(1, 2)
        along = E.swapaxes(1, 2) @ self.G
        dP = self._backward(along + along.swapaxes(1, 2))
        moved = B @ E @ self.Sigma @ self.L.swapaxes(1, 2)
        dSigma = self._forward(-moved - moved.swapaxes(1, 2))
        dG = (self.costs.R + turned @ self.P @ B) @ E - turned @ dP @ self.L
        return self._masked(2 * dG @ self.Sigma + 2 * self.G @ dSigma)

    def _masked(self, X: Array) -> Array:
        return np.where(self.stable[:, None, None], X, 0.0)

    def _forward(self, X: Array) -> Array:
        for power in self.powers:
            X = X + power @ X @ power.swapaxes(1, 2)
        return X

    def _backward(self, X: Array) -> Array:
        for power in self.powers:
            X = X + power.swapaxes(1, 2) @ X @ power
        return X


def loops(costs: Costs, W: Float[Array, "k m n"]) -> Loops | None:
    """The closed loops under k gains, or None where one of them is to be left to others."""
    if not np.isfinite(W).all():
        return None
    stable = np.ones(len(W), bool)
    power = costs.A - costs.B @ W
    powers: list[Array] = []
    with np.errstate(all="ignore"):
        for _ in range(DOUBLINGS):
            powers.append(power)
            size = np.linalg.norm(power, axis=(1, 2))
            lost = ~(size <= LOST)  # no number counts as lost
            if lost.any():
                stable &= ~lost
                W = np.where(lost[:, None, None], 0.0, W)
                powers = [np.where(lost[:, None, None], 0.0, one) for one in powers]
                size = np.where(lost, 0.0, size)
            if (size <= NOTHING).all():
                largest = np.max([np.linalg.norm(one, axis=(1, 2)) for one in powers], axis=0)
                return Loops(costs, W, stable, tuple(powers)) if (largest <= GROWN).all() else None
            power = powers[-1] @ powers[-1]
    return None


@dataclass(frozen=True)
class Walked:
    """Where adaptation leads from one gain, task by task.

    Attributes:
        gains: (k, m, n) F_τ(W); a gain that leaves its stabilising set stays there.
        shots: the loops that a gradient was taken at, first to last.  last: those after the last.
    """

    h: Batched
    gains: Float[Array, "k m n"]
    shots: tuple[Loops, ...]
    last: Loops

    @property
    def values(self) -> Float[Array, " k"]:
        """f_τ(F_τ(W)), +∞ for a task that is infeasible."""
        stable = np.all([loops.stable for loops in self.shots], axis=0)
        return np.where(stable, self.last.value, np.inf)

    @property
    def value(self) -> np.float64:
        """h(W), +∞ where infeasible."""
        return np.float64(self.h.weights @ self.values)

    @property
    def gradient(self) -> Float[Array, "m n"]:
        """∇h(W), zeros where infeasible: the adjoint of each shot, last to first."""
        v = self.last.gradient
        if not np.isfinite(self.values).all():
            return np.zeros(v.shape[1:])
        for loops in reversed(self.shots):
            if self.h.kind == "normalized":
                inverse, u = _direction(loops.gradient)
                across = v - u * np.sum(u * v, axis=(1, 2), keepdims=True)
                v = v - self.h.eta * inverse * loops.hessian_product(across)
            else:
                v = v - self.h.eta * loops.hessian_product(v)
        return np.tensordot(self.h.weights, v, 1)


def walk(h: Batched, W: Float[Array, "m n"]) -> Walked | None:
    """All shots from W, or None where a loop is to be left to others."""
    costs = h.f if h.g is None else h.g
    gains = np.array(np.broadcast_to(W, (len(costs.A), h.m, h.n)))
    shots: list[Loops] = []
    for _ in range(h.shots):
        if (found := loops(costs, gains)) is None:
            return None
        shots.append(found)
        step = _direction(found.gradient)[1] if h.kind == "normalized" else found.gradient
        gains = gains - h.eta * step
    last = loops(h.f, gains)
    return None if last is None else Walked(h, gains, tuple(shots), last)


def _direction(gradient: Array) -> tuple[Array, Array]:
    """1/‖∇g‖ and ∇g/‖∇g‖, both zero where ∇g = 0."""
    scale = np.max(np.abs(gradient), axis=(1, 2), keepdims=True)
    safe = np.where(scale > 0, scale, 1.0)
    norm = np.linalg.norm(gradient / safe, axis=(1, 2), keepdims=True)
    moving = scale > 0
    inverse = np.where(moving, 1 / np.where(moving, norm * safe, 1.0), 0.0)
    return inverse, np.where(moving, gradient / safe / np.where(moving, norm, 1.0), 0.0)
