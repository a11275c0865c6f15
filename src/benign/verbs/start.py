"""Where a descent would begin, and what it can lose from there at most: for every landscape."""

from __future__ import annotations

from typing import Any

import numpy as np

from benign.clock import Clock
from benign.errors import BudgetError, ProblemError
from benign.exact.plants import scalar_plants
from benign.exact.problem import Problem
from benign.exact.surd import optimum
from benign.prove.start import start_at
from benign.results.start import Start
from benign.tasks.given import as_task_family
from benign.tasks.numbers import floats_of

MEAN = "the mean of the optima"


def read_start(problem: Problem, start: Any) -> np.ndarray | None:
    """The gain where a descent would begin; None for the mean of the optima.

    Raises:
        ProblemError: it is neither.
    """
    if isinstance(start, str) and start == "mean":
        return None
    if isinstance(start, str):
        raise ProblemError(f'start: expected "mean" or a gain, got {start[:40]!r}')
    m, n = problem.family.m, problem.family.n
    W = floats_of(start, "start")
    W = W.reshape(m, n) if W.shape == () and m == n == 1 else W
    if W.shape != (m, n) or not np.isfinite(W).all():
        raise ProblemError(f"start: expected a finite gain of shape ({m}, {n}), got {W.shape}")
    return W


def start_from(problem: Problem, W: np.ndarray | None, clock: Clock) -> Start:
    """The bound at a gain, or at the mean of the optima."""
    if W is not None:
        return start_at(problem, W, "the gain given", clock)
    try:
        mean = mean_of_optima(problem, clock)
    except BudgetError:
        return Start(None, MEAN, remark="there was no time for it")
    if mean is None:
        return Start(None, MEAN, remark="a task has no optimal gain")
    return start_at(problem, mean, MEAN, clock)


def mean_of_optima(problem: Problem, clock: Clock) -> np.ndarray | None:
    """Σ ω_τ W*_τ in floats; None if a task has no optimum. Nothing is proved of it.

    Raises:
        BudgetError: time ran out.
    """
    weights = [float(weight) for weight in problem.weights]
    if problem.family.is_scalar:
        best = [optimum(plant) for plant in scalar_plants(problem)[0]]
        if any(one is None for one in best):
            return None
        middles = [sum(one.bounds) / 2 for one in best if one is not None]
        return np.array([[float(np.dot(weights, middles))]])
    from benign.tasks.optima import optima

    gains, costs = optima(as_task_family(problem.family, "analyze").tasks, clock)
    if not np.isfinite(costs).all():
        return None
    return np.tensordot(np.array(weights), gains, 1)
