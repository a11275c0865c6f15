"""Complete proofs in a few parameters: how many random families are decided in which time.

`run` takes the prover, a function of a problem, a level and the seconds it may take, so that provers
can be compared on the same families.
"""

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
from benchmarks.run import every_processor
from benign.errors import ProblemError
from benign.exact.problem import Matrix, Plant, Problem, Task, make_family, make_step
from benign.prove.boxes import below as few_parameters


@dataclass(frozen=True)
class Outcome:
    """What a prover made of a problem.

    Attributes:
        decided: Whether the list of minimisers below the level is proved complete.
        boxes: How many boxes it looked at.
    """

    decided: bool
    boxes: int


Prover = Callable[[Problem, float, float], Outcome]
"""From a problem, a level (a multiple of the least h found) and the seconds it may take."""


@dataclass(frozen=True)
class Trial:
    """A prover's outcome and the seconds it took."""

    outcome: Outcome
    seconds: float


@dataclass(frozen=True)
class Row:
    """A row of the table: families of one kind, and what is aimed at.

    Attributes:
        n, m, k, eta, level: The kind.
        families: How many are tried.
        within: Seconds that count as decided; no family gets more.
        target: The share aimed at, in percent, or None.
    """

    n: int
    m: int
    k: int
    eta: str
    level: float
    families: int
    within: float
    target: float | None = None

    @property
    def case(self) -> str:
        return f"({self.n}, {self.m}), {self.k} tasks, η = {self.eta}, below {self.level:g} min h"


TARGETS = (
    Row(2, 1, 2, "0.02", 10, 20, 5, 90),
    Row(2, 1, 5, "0.02", 10, 8, 30, 90),
    Row(3, 1, 2, "0.02", 2, 3, 600, 50),
)
"""Two tasks within 5 s and five within 30 s, in 90 % of random families; three parameters within ten
minutes in half of them."""

SCALING = tuple(
    Row(n, m, k, eta, level, 1, 20)
    for n, m, k, eta, level in (
        (2, 1, 1, "0.02", 10),
        (2, 1, 3, "0.02", 10),
        (2, 1, 2, "0.005", 10),
        (2, 1, 2, "0.05", 10),
        (2, 1, 2, "0.02", 2),
        (2, 1, 2, "0.02", 100),
        (1, 2, 2, "0.02", 10),
        (1, 3, 2, "0.02", 2),
    )
)
"""Boxes and time against n·m, k, η and the level: one thing changed at a time."""


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


def trials(prove: Prover, row: Row, seed: int = 0) -> list[Trial]:
    """Every family of a row, each with the time it may take."""
    found = []
    for i in range(row.families):
        problem = random_problem(row.n, row.m, row.k, row.eta, seed + i)
        started = time.perf_counter()
        outcome = prove(problem, row.level, row.within)
        found.append(Trial(outcome, time.perf_counter() - started))
    return found


def summarise(section: Section, row: Row, found: Sequence[Trial]) -> None:
    """The share decided in time; the median time and boxes of all, decided or not."""
    decided = [t for t in found if t.outcome.decided and t.seconds <= row.within]
    section.add(row.case, "families", len(found))
    section.add(row.case, "seconds given", row.within)
    section.add(row.case, "decided, %", 100 * len(decided) / len(found), row.target)
    section.add(row.case, "median s", statistics.median(t.seconds for t in found))
    section.add(row.case, "median boxes", statistics.median(t.outcome.boxes for t in found))


def branch_and_bound(problem: Problem, level: float, seconds: float) -> Outcome:
    """The library's own proof; `level` is a multiple of the least value that it finds."""
    asked = None
    try:
        if level != few_parameters.TIMES[problem.family.n * problem.family.m]:
            lowest = few_parameters.prove(problem, budget=0.0).minimum.hi
            asked = level * lowest if np.isfinite(lowest) else None
        found = few_parameters.prove(problem, level=asked, budget=seconds)
    except ProblemError:
        return Outcome(True, 0)  # proved that no gain is feasible
    return Outcome(found.left == 0, found.boxes)


def run(prove: Prover = branch_and_bound, rows: Sequence[Row] = TARGETS + SCALING) -> Section:
    """Every row."""
    section = Section(
        "Complete proofs in a few parameters",
        "Random families of the kind named. Decided: the list of all local minimisers below the level "
        "is proved complete within the seconds given, on the clock and with every processor. Medians "
        "are over all families, undecided too.",
    )
    with every_processor():
        for row in rows:
            say(row.case)
            summarise(section, row, trials(prove, row))
    return section
