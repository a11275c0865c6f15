"""Families as arrays: F families of k tasks, and what is known of each task alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
from jaxtyping import Float

Array = np.ndarray


@dataclass(frozen=True)
class Families:
    """F families of k undiscounted LQR tasks of one size, of equal weight each.

    Attributes:
        A, Q, S0: (F, k, n, n).  B: (F, k, n, m).  R: (F, k, m, m).
    """

    A: Float[Array, "F k n n"]
    B: Float[Array, "F k n m"]
    Q: Float[Array, "F k n n"]
    R: Float[Array, "F k m m"]
    S0: Float[Array, "F k n n"]

    def __len__(self) -> int:
        return len(self.A)

    @property
    def k(self) -> int:
        """Tasks of each."""
        return self.A.shape[1]

    @property
    def n(self) -> int:
        """States."""
        return self.A.shape[2]

    @property
    def m(self) -> int:
        """Inputs."""
        return self.B.shape[3]

    @property
    def is_scalar(self) -> bool:
        """One state and one input."""
        return self.n == self.m == 1

    def __getitem__(self, which: Any) -> Families:
        return Families(*(X[which] for X in (self.A, self.B, self.Q, self.R, self.S0)))

    @property
    def numbers(self) -> Float[Array, "F k 6"]:
        """A, B, Q, R, S0 and the weight of each task of scalar families."""
        parts = [X.reshape(len(self), self.k, 1) for X in (self.A, self.B, self.Q, self.R, self.S0)]
        return np.concatenate([*parts, np.full((len(self), self.k, 1), 1 / self.k)], axis=2)

    def scaled(self, factors: Float[Array, "F k"]) -> Families:
        """The same with the costs of each task multiplied."""
        size = factors[:, :, None, None]
        return replace(self, Q=self.Q * size, R=self.R * size)

    def exact(self, i: int) -> Any:
        """Family i, in exact numbers: the floats as they are."""
        from benign.exact.problem import Plant, Task, make_family

        def fractions(X: Array) -> tuple[tuple[Fraction, ...], ...]:
            return tuple(tuple(map(Fraction, row)) for row in X.tolist())

        def plant(j: int) -> Plant:
            A, B, Q, R, S0 = (fractions(getattr(self, name)[i, j]) for name in FIELDS)
            return Plant(A, B, Q, R, S0)

        return make_family([Task(f"{j + 1}", plant(j)) for j in range(self.k)])


def stacked(families: list[Families]) -> Families:
    """Families of one size and number of tasks, one after another."""
    return Families(*(np.concatenate([getattr(x, name) for x in families]) for name in FIELDS))


FIELDS = ("A", "B", "Q", "R", "S0")


@dataclass(frozen=True)
class Optima:
    """Each task by itself: W* (F, k, m, n), C* (F, k), and ‖∇²C(W*)‖ (F, k)."""

    W: Float[Array, "F k m n"]
    cost: Float[Array, "F k"]
    curvature: Float[Array, "F k"]


def optima(families: Families) -> Optima:
    """W* = (R + B'PB)⁻¹B'PA, C* = tr(P S0), ∇²C(W*) = 2 (R + B'PB) ⊗ Σ*; NaN where there is none."""
    return _scalar(families) if families.is_scalar else _one_by_one(families)


def _scalar(families: Families) -> Optima:
    """P is the positive root of b²P² + (r(1 − a²) − q b²) P − q r = 0."""
    a, b, q, r, s = (getattr(families, name)[:, :, 0, 0] for name in FIELDS)
    half = (q * b * b - r * (1 - a * a)) / 2
    root = np.sqrt(half * half + q * r * b * b)
    with np.errstate(all="ignore"):
        # The smaller root is a quotient: no difference of equal numbers.
        P = np.where(half >= 0, half + root, q * r * b * b / (root - half)) / (b * b)
        M = r + b * b * P
        W = a * b * P / M
        sigma = s / (1 - (a - b * W) ** 2)
    return Optima(W[:, :, None, None], P * s, 2 * M * sigma)


def _one_by_one(families: Families) -> Optima:
    from scipy.linalg import solve_discrete_are, solve_discrete_lyapunov

    F, k, n, m = len(families), families.k, families.n, families.m
    W, cost, curvature = np.full((F, k, m, n), np.nan), np.full((F, k), np.nan), np.full((F, k), np.nan)
    for i, j in _pairs(F, k):
        A, B, Q, R, S0 = (getattr(families, name)[i, j] for name in FIELDS)
        try:
            P = solve_discrete_are(A, B, Q, R)
            M = R + B.T @ P @ B
            W[i, j] = np.linalg.solve(M, B.T @ P @ A)
            sigma = solve_discrete_lyapunov(A - B @ W[i, j], S0)
        except (np.linalg.LinAlgError, ValueError):
            continue
        cost[i, j] = np.sum(P * S0)
        # The norm of a Kronecker product is the product of the norms.
        curvature[i, j] = 2 * np.linalg.norm(M, 2) * np.linalg.norm(sigma, 2)
    return Optima(W, cost, curvature)


def _pairs(F: int, k: int) -> Iterator[tuple[int, int]]:
    for i in range(F):
        for j in range(k):
            yield i, j


def normalised(families: Families) -> Families:
    """(Q_τ, R_τ) ← (c/C_τ*)(Q_τ, R_τ), c the mean of the C_τ*, as `tasks.normalizing` does it."""
    cost = optima(families).cost
    return families.scaled(cost.mean(axis=1, keepdims=True) / cost)
