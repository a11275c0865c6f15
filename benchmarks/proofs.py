"""Complete proofs in a few parameters: how many random families are decided in which time."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from scipy.linalg import solve_discrete_are

from benchmarks.progress import say
from benchmarks.report import Section
from benign.rigorous.problem import Matrix, Plant, Problem, Task, make_family, make_step


@dataclass(frozen=True)
class Outcome:
    """What a prover made of a problem.

    Attributes:
        decided: Whether the list of minimisers below the level is proved complete.
        boxes: How many boxes it looked at.
    """

    decided: bool
    boxes: int


Prover = Callable[[Problem, float], Outcome]
"""From a problem and the seconds it may take to an outcome."""


@dataclass(frozen=True)
class Trial:
    """A prover's outcome and the seconds it took."""

    outcome: Outcome
    seconds: float


def exact(X: np.ndarray, digits: int = 3) -> Matrix:
    """Short decimal fractions: the numbers a user would type."""
    scale = 10**digits
    return tuple(tuple(Fraction(round(float(x) * scale), scale) for x in row) for row in X)


def random_problem(n: int, m: int, k: int, eta: str, seed: int, apart: float = 0.1) -> Problem:
    """k tasks within a relative `apart` of a random plant with spectral radius 0.8 … 1.2.

    A family whose tasks the nominal optimum does not stabilise is drawn again.
    """
    for attempt in range(100):
        rng = np.random.default_rng([seed, attempt, n, m, k])
        A, B = rng.standard_normal((n, n)), rng.standard_normal((n, m))
        A *= rng.uniform(0.8, 1.2) / np.abs(np.linalg.eigvals(A)).max()
        P = solve_discrete_are(A, B, np.eye(n), np.eye(m))
        W = np.linalg.solve(np.eye(m) + B.T @ P @ B, B.T @ P @ A)
        tasks, radius = [], 0.0
        for i in range(k):
            a, b = (X * (1 + apart * rng.standard_normal(X.shape)) for X in (A, B))
            q, r = (np.diag(np.exp(rng.uniform(-0.5, 0.5, size))) for size in (n, m))
            tasks.append(Task(f"task {i}", Plant(*map(exact, (a, b, q, r, np.eye(n))))))
            radius = max(radius, np.abs(np.linalg.eigvals(a - b @ W)).max())
        if radius < 0.95:
            return Problem(make_family(tasks), make_step("gradient", eta))
    raise ValueError(f"no family of ({n}, {m}) with {k} tasks in 100 draws; lower `apart`")


def trials(prove: Prover, problems: Sequence[Problem], seconds: float) -> list[Trial]:
    """Every problem, each with the time it may take."""
    found = []
    for problem in problems:
        started = time.perf_counter()
        outcome = prove(problem, seconds)
        found.append(Trial(outcome, time.perf_counter() - started))
    return found


def share(
    section: Section, case: str, found: Sequence[Trial], within: float, target: float | None
) -> None:
    """The share decided within a time, the median time and boxes of those that were."""
    decided = [t for t in found if t.outcome.decided and t.seconds <= within]
    section.add(case, f"decided within {within:g} s, %", 100 * len(decided) / len(found), target)
    if decided:
        section.add(case, "median s", statistics.median(t.seconds for t in decided))
        section.add(case, "median boxes", statistics.median(t.outcome.boxes for t in decided))
