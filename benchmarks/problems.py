"""The problems that are timed: a nominal plant of each size, perturbed; starts around its optimum."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.linalg import solve_discrete_are

SIZES = ((1, 1), (2, 1), (4, 2), (8, 4), (16, 4), (32, 8))


@dataclass(frozen=True)
class Bench:
    """k tasks of one size, a step and starts, as bare arrays that every peer can read.

    Attributes:
        A: (k, n, n).  B: (k, n, m).  Q: (k, n, n).  R: (k, m, m).  S0: (k, n, n).
        weights: (k,) summing to one.  eta: Step size.  gains: (N, m, n) starts.
    """

    A: np.ndarray
    B: np.ndarray
    Q: np.ndarray
    R: np.ndarray
    S0: np.ndarray
    weights: np.ndarray
    eta: float
    gains: np.ndarray

    @property
    def k(self) -> int:
        return self.A.shape[0]

    @property
    def n(self) -> int:
        return self.A.shape[1]

    @property
    def m(self) -> int:
        return self.B.shape[2]

    @property
    def size(self) -> str:
        return f"({self.n}, {self.m})"

    @property
    def work(self) -> int:
        """Pairs of a start and a task: what times are divided by."""
        return len(self.gains) * self.k

    def first(self, starts: int) -> Bench:
        """The same with the first starts only: for peers too slow for all of them."""
        return replace(self, gains=self.gains[:starts])


def spread(X: np.ndarray, by: float, rng: np.random.Generator, k: int) -> np.ndarray:
    """k copies of X, each entry moved by a relative `by`."""
    return X * (1 + by * rng.standard_normal((k, *X.shape)))


def definite(size: int, k: int, rng: np.random.Generator) -> np.ndarray:
    """k positive definite matrices near the identity."""
    X = 0.2 * rng.standard_normal((k, size, size)) / np.sqrt(size)
    return np.eye(size) + X + X.transpose(0, 2, 1) + X @ X.transpose(0, 2, 1)


def random_bench(
    n: int, m: int, k: int = 16, starts: int = 4096, eta: float = 1e-3, seed: int = 0
) -> Bench:
    """A plant with spectral radius 0.95, k tasks within 3 % of it, starts around its optimal gain.

    The starts are spread until a few of them no longer stabilise every task: what a search sees.
    """
    rng = np.random.default_rng([seed, n, m])
    A = rng.standard_normal((n, n))
    A *= 0.95 / np.abs(np.linalg.eigvals(A)).max()
    B = rng.standard_normal((n, m)) / np.sqrt(n)
    P = solve_discrete_are(A, B, np.eye(n), np.eye(m))
    optimum = np.linalg.solve(np.eye(m) + B.T @ P @ B, B.T @ P @ A)
    scale = 0.25 * np.linalg.norm(optimum) / np.sqrt(n * m)
    return Bench(
        spread(A, 0.03, rng, k),
        spread(B, 0.03, rng, k),
        definite(n, k, rng),
        definite(m, k, rng),
        definite(n, k, rng),
        np.full(k, 1 / k),
        eta,
        optimum + scale * rng.standard_normal((starts, m, n)),
    )
