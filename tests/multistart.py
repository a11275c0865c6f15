"""Random families of several entries, h and ∇h by SciPy alone, and descents from many starts.

A second opinion for what is proved of single points: Lyapunov equations by `solve_discrete_lyapunov`,
Hessian products by differences of ∇C, descents by SciPy's BFGS, ∇²h by differences of ∇h.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from scipy.linalg import solve_discrete_are, solve_discrete_lyapunov
from scipy.optimize import minimize

from benign.exact.problem import Problem, make_step
from several import random_problem

SHAPES = [
    (5, 1), (3, 2), (2, 3), (6, 1), (7, 1), (4, 2), (2, 4), (3, 3), (5, 2), (4, 3), (6, 2), (5, 3),
    (4, 4),
]  # fmt: skip
"""(n, m) with n·m from 5 to 16."""

APART = 1e-6
"""Gains nearer than this are one end."""


@dataclass(frozen=True)
class Plain:
    """A family in floats: (A, B, Q, R, S) of each task, its weight, and the step."""

    problem: Problem
    plants: list[tuple[np.ndarray, ...]]
    weights: list[float]
    eta: float
    normalized: bool
    shots: int


def random_family(seed: int) -> Plain:
    """Two or three tasks near one another; η such that adaptation matters, every third normalised."""
    rng = np.random.default_rng([77, seed])
    n, m = SHAPES[seed % len(SHAPES)]
    discount, tasks = Fraction(int(rng.integers(6, 10)), 10), int(rng.integers(2, 4))
    problem = random_problem(rng, n, m, tasks, rho=0.8, discount=discount, shots=1 + seed % 5 // 4)
    plants = [plain(task.f) for task in problem.tasks]
    curve = max(_largest(plant) for plant in plants)
    normalized = seed % 3 == 2
    eta = 10.0 ** rng.uniform(-1.3, -0.3) / (1.0 if normalized else curve)
    kind = "normalized" if normalized else "gradient"
    problem = Problem(problem.family, make_step(kind, f"{eta:.2g}", problem.step.shots))
    step = problem.step
    return Plain(
        problem, plants, [float(w) for w in problem.weights], float(step.eta), normalized, step.shots
    )


def plain(plant) -> tuple[np.ndarray, ...]:
    """A, B, Q, R and S with the discount in A and B."""
    root = float(plant.discount) ** 0.5
    A, B, Q, R, S = (
        np.array([[float(x) for x in row] for row in M])
        for M in (plant.A, plant.B, plant.Q, plant.R, plant.moment)
    )
    return root * A, root * B, Q, R, S


def _largest(plant) -> float:
    """About the largest eigenvalue of ∇²C at the optimum, 2(R + B'PB) ⊗ Σ."""
    A, B, Q, R, S = plant
    P = solve_discrete_are(A, B, Q, R)
    L = A - B @ np.linalg.solve(R + B.T @ P @ B, B.T @ P @ A)
    Sigma = solve_discrete_lyapunov(L, S)
    return 2 * np.linalg.norm(R + B.T @ P @ B, 2) * np.linalg.norm(Sigma, 2)


def cost(plant, W) -> tuple[float, np.ndarray]:
    """C and ∇C; ∞ and zeros where W does not stabilise."""
    A, B, Q, R, S = plant
    L = A - B @ W
    if not np.isfinite(L).all() or np.abs(np.linalg.eigvals(L)).max() >= 1 - 1e-9:
        return np.inf, np.zeros_like(W)
    P = solve_discrete_lyapunov(L.T, Q + W.T @ R @ W)
    Sigma = solve_discrete_lyapunov(L, S)
    return float(np.sum(P * S)), 2 * (R @ W - B.T @ P @ L) @ Sigma


def product(plant, W, v) -> np.ndarray:
    """∇²C(W)[v], by differences."""
    t = 1e-5 * (1 + np.abs(W).max()) / max(np.abs(v).max(), 1e-300)
    ends = [cost(plant, W + s * t * v)[1] for s in (1, -1, 0.5, -0.5)]
    whole, half = (ends[0] - ends[1]) / (2 * t), (ends[2] - ends[3]) / t
    return (4 * half - whole) / 3


def h_and_slope(family: Plain, W: np.ndarray) -> tuple[float, np.ndarray]:
    """h and ∇h."""
    total, slope = 0.0, np.zeros_like(W)
    for plant, weight in zip(family.plants, family.weights, strict=True):
        V, visited = W, []
        for _ in range(family.shots):
            value, g = cost(plant, V)
            if not np.isfinite(value):
                return np.inf, slope
            pace = family.eta / np.linalg.norm(g) if family.normalized else family.eta
            visited.append((V, g, pace))
            V = V - pace * g
        value, v = cost(plant, V)
        if not np.isfinite(value):
            return np.inf, slope
        for at, g, pace in reversed(visited):
            across = v - g * np.sum(g * v) / np.sum(g * g) if family.normalized else v
            v = v - pace * product(plant, at, across)
        total, slope = total + weight * value, slope + weight * v
    return total, slope


def values(family: Plain, W: np.ndarray) -> float:
    """h."""
    return h_and_slope(family, W)[0]


def curvature(family: Plain, W: np.ndarray) -> np.ndarray:
    """∇²h by differences of ∇h, extrapolated once, and made symmetric."""
    p, H = W.size, []
    t = 1e-4 * (1 + np.abs(W).max())
    for i in range(p):
        E = np.zeros(p)
        E[i] = t
        E = E.reshape(W.shape)
        ends = [h_and_slope(family, W + s * E)[1].reshape(-1) for s in (1, -1, 0.5, -0.5)]
        H.append((4 * (ends[2] - ends[3]) / t - (ends[0] - ends[1]) / (2 * t)) / 3)
    H = np.array(H)
    return (H + H.T) / 2


def descend(family: Plain, starts: int, seed: int = 0) -> list[np.ndarray]:
    """Where BFGS and a few steps of Newton's method end, each end once."""
    rng = np.random.default_rng(seed)
    middle = np.mean([best(plant) for plant in family.plants], axis=0)
    ends: list[np.ndarray] = []
    for i in range(starts):
        W = middle + (i > 0) * 0.3 * rng.normal(size=middle.shape) * (0.3 + np.abs(middle))
        for _ in range(20):
            if np.isfinite(values(family, W)):
                break
            W = (W + middle) / 2
        end = _polished(family, _bfgs(family, W))
        if end is not None and not any(np.abs(end - other).max() < APART for other in ends):
            ends.append(end)
    return sorted(ends, key=lambda W: values(family, W))


def best(plant) -> np.ndarray:
    """The optimal gain."""
    A, B, Q, R, _ = plant
    P = solve_discrete_are(A, B, Q, R)
    return np.linalg.solve(R + B.T @ P @ B, B.T @ P @ A)


def _bfgs(family: Plain, W: np.ndarray) -> np.ndarray:
    def at(x: np.ndarray) -> tuple[float, np.ndarray]:
        value, slope = h_and_slope(family, x.reshape(W.shape))
        return (value if np.isfinite(value) else 1e30), slope.reshape(-1)

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # SciPy warns where a line search gives up, as at a jump
        found = minimize(at, W.reshape(-1), jac=True, method="BFGS", options={"maxiter": 300})
    return found.x.reshape(W.shape)


def _polished(family: Plain, W: np.ndarray) -> np.ndarray | None:
    """A zero of ∇h; None if Newton's method does not settle."""
    for _ in range(6):
        value, slope = h_and_slope(family, W)
        if not np.isfinite(value):
            return None
        H = curvature(family, W)
        step = np.linalg.lstsq(H, slope.reshape(-1), rcond=None)[0].reshape(W.shape)
        if np.abs(step).max() < 1e-8 * (1 + np.abs(W).max()):
            return W - step
        W = W - step
    return None
