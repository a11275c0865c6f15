"""Problems that every algorithm is trained on, and references in NumPy and SciPy that share no code.

`Plain` knows the cost and its gradient of each task by formulas of its own (SciPy's Lyapunov solver);
every other derivative is a central difference.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np
from scipy.linalg import solve_discrete_lyapunov

from benign.tasks.family import TaskFamily
from benign.tasks.lqr import LQR
from benign.tasks.stack import TaskStack
from benign.tasks.task import AbstractCost, Task


def plane_family() -> TaskFamily:
    """Three plants of two states and one input, with weights."""
    A = np.array([[0.9, 0.3], [-0.1, 0.8]])
    tasks = [
        LQR(A + shift, [[0.1], [1.0]], np.diag([1.0, 0.5 + i]), [[1.0 + 0.5 * i]], name=f"plant {i}")
        for i, shift in enumerate((0.0, 0.05, -0.05))
    ]
    return TaskFamily(tasks, weights=[1, 2, 1])


def split_family() -> TaskFamily:
    """Two scalar plants that adapt on another cost than they are judged by."""
    return TaskFamily(
        [
            LQR(1.0, 1.0, q, r, adaptation=LQR(1.0, 1.0, q + 0.5, r), name=f"q = {q}")
            for q, r in ((1.0, 2.0), (2.0, 1.0))
        ]
    )


class Valley(AbstractCost):
    """Σ (1 − x)⁴/4 + (1 − x)²/2 + (y − x²)'C(y − x²) in {"x": …, "y": …}: not convex."""

    centre: jnp.ndarray
    C: jnp.ndarray

    def value(self, W):
        x, y = W["x"], W["y"]
        rest = y - x**2
        return (
            jnp.sum((self.centre - x) ** 4) / 4
            + jnp.sum((self.centre - x) ** 2) / 2
            + rest @ self.C @ rest
        )

    def gradient(self, W):
        x, y = W["x"], W["y"]
        pull = 2 * self.C @ (y - x**2)
        away = self.centre - x
        return {"x": -(away**3) - away - 2 * x * pull, "y": pull}

    def hessian_product(self, W, E):
        import jax

        return jax.jvp(self.gradient, (W,), (E,))[1]

    def feasible(self, W):
        return jnp.isfinite(self.value(W))

    def optimum(self):
        return None

    def resample(self, key):
        return self


def valley_stack() -> TaskStack:
    """Three tasks with a pytree for parameters and f ≠ g."""
    C = np.array([[1.0, 0.2], [0.2, 0.6]])
    return TaskStack(
        [
            Task(
                Valley(jnp.asarray(centre), jnp.asarray(C)),
                Valley(jnp.asarray(centre) + 0.1, jnp.asarray(0.8 * C)),
            )
            for centre in ([0.5, 0.2], [0.7, -0.1], [0.4, 0.1])
        ]
    )


class Plain:
    """The tasks of a stack as NumPy functions of a vector."""

    def __init__(self, family):
        self.stack = TaskStack.of(family)
        self.weights = np.asarray(self.stack.weights)
        first = self.stack[0].f
        if isinstance(first, Valley):
            self.f = [self._valley(task.f) for task in self.stack]
            self.g = [self._valley(task.g) for task in self.stack]
        else:
            self.f = [self._lqr(task.f.lqr) for task in self.stack]
            self.g = [self._lqr(task.g.lqr) for task in self.stack]

    @staticmethod
    def _valley(cost):
        centre, C = np.asarray(cost.centre), np.asarray(cost.C)

        def value(w):
            x, rest = w[:2], w[2:] - w[:2] ** 2
            return ((centre - x) ** 4).sum() / 4 + ((centre - x) ** 2).sum() / 2 + rest @ C @ rest

        def gradient(w):
            # Of a polynomial of degree four a five-point difference is exact but for rounding.
            h, basis = 1e-2, np.eye(4)
            return np.array(
                [
                    (
                        8 * (value(w + h * e) - value(w - h * e))
                        - (value(w + 2 * h * e) - value(w - 2 * h * e))
                    )
                    / (12 * h)
                    for e in basis
                ]
            )

        return value, gradient

    @staticmethod
    def _lqr(lqr):
        A, B, Q, R, S0 = (np.asarray(x) for x in (lqr.A, lqr.B, lqr.Q, lqr.R, lqr.S0))
        m, n = B.shape[1], B.shape[0]

        def solved(w):
            W = w.reshape(m, n)
            L = A - B @ W
            if max(abs(np.linalg.eigvals(L))) >= 1:
                return W, L, np.full_like(A, np.inf)
            return W, L, solve_discrete_lyapunov(L.T, Q + W.T @ R @ W)

        def value(w):
            return float((solved(w)[2] * S0).sum()) if np.isfinite(solved(w)[2]).all() else np.inf

        def gradient(w):
            W, L, P = solved(w)
            Sigma = solve_discrete_lyapunov(L, S0)
            return (2 * ((R + B.T @ P @ B) @ W - B.T @ P @ A) @ Sigma).reshape(-1)

        return value, gradient

    def shots(self, task, w, eta, shots, normalized=False):
        for _ in range(shots):
            d = self.g[task][1](w)
            w = w - eta * (d / np.linalg.norm(d) if normalized else d)
        return w

    def mean(self, function):
        return sum(omega * function(i) for i, omega in enumerate(self.weights))


def difference(function, w, h=1e-4):
    """The gradient (or, for a vector-valued function, the Jacobian) by differences of fourth order."""
    columns = []
    for e in np.eye(len(w)):
        one, two = h * e, 2 * h * e
        columns.append(
            (
                8 * (function(w + one) - function(w - one)) - (function(w + two) - function(w - two))
            ) / (12 * h)
        )  # fmt: skip
    return np.array(columns).T
