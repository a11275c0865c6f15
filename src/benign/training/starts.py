"""Where training may begin: the mean of the task optima, or a random gain at which h is finite."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from benign.clock import NO_LIMIT, Clock
from benign.errors import BudgetError, Cause, InfeasibleError
from benign.meta.adaptation import AdaptationStep, GradientStep
from benign.meta.objective import MetaObjective
from benign.precision import in_float64
from benign.prove.start import start_at
from benign.results.start import Start
from benign.searches.keys import key_of, split
from benign.searches.sampling import make_sampler, with_eta
from benign.tasks.family import TaskFamily
from benign.tasks.optima import optima as tasks_optima

if TYPE_CHECKING:
    from benign.meta.algorithms import Algorithm

BISECTIONS = 40
"""Halvings of the interval of η in which the largest feasible one is sought."""


@in_float64
def mean_of_optima(family: TaskFamily, clock: Clock = NO_LIMIT) -> Float[np.ndarray, "m n"]:
    """Σ ω_τ W*_τ."""
    return np.tensordot(np.asarray(family.weights), optima(family, clock)[0], 1)


@in_float64
def optima(
    family: TaskFamily, clock: Clock = NO_LIMIT
) -> tuple[Float[np.ndarray, "k m n"], Float[np.ndarray, " k"]]:
    """W*_τ and f*_τ task by task; see `benign.tasks.optima`."""
    return tasks_optima(family.tasks, clock)


@in_float64
def random_start(
    family: TaskFamily, step: AdaptationStep | None, seed: int, clock: Clock = NO_LIMIT
) -> Any:
    """A random gain at which h is finite; see `landscape.sampling.Sampler.draw` for its law.

    Without a step (the proximal rules) the gain only has to stabilise every task.

    Raises:
        InfeasibleError: none was found; the message names tasks that conflict, or says the largest η
            for which one was found.
    """
    key, drawing = split(key_of(seed))
    # A step this short throws no gain anywhere: feasible means stabilising.
    rule = _short_step() if step is None else step
    objective = MetaObjective(family, rule)
    try:
        sampler = make_sampler(objective, key, clock=clock)
    except InfeasibleError as error:
        if step is None or error.cause is not Cause.STEP:
            raise
        raise InfeasibleError(
            f"{error}; {largest_eta(objective, key, clock)}",
            cause=error.cause,
            certificate=error.certificate,
        ) from error
    return sampler.draw(drawing, 1)[0].reshape(family.m, family.n)


PLACES = {"mean": "the mean of the optima", "random": "the random gain drawn"}
"""Where a run starts, in words."""


def a_priori(
    family: TaskFamily | None, rule: Algorithm, W: Any, start: Any, clock: Clock
) -> Start | None:
    """What a method loses at most that starts at W and never raises h; None where h is none of an LQR.

    Args:
        family: the tasks, if they are plain LQR tasks.
        rule: the algorithm; its step makes h.
        W: (m, n), the start.
        start: how it was asked for.
        clock: the time there is.
    """
    step = getattr(rule, "step", None)
    if family is None or step is None:
        return None
    where = PLACES.get(start, "") if isinstance(start, str) else ""
    problem = MetaObjective(family, step).problem
    return start_at(problem, np.asarray(W), where or "the gain given", clock)


def _short_step() -> AdaptationStep:
    kind: Any = GradientStep  # type checkers take a module for a dataclass
    return kind("1e-12")


@in_float64
def largest_eta(objective: MetaObjective, key: Any, clock: Clock = NO_LIMIT) -> str:
    """What is known of the largest η for which some gain is feasible, in words."""
    try:
        found = largest_feasible_eta(objective, key, clock)
    except BudgetError:
        return "for which eta one is was not found out in the time given"
    if found is None:
        return "no smaller eta was found to do"
    return f"the largest eta for which a feasible gain was found is {found:.4g}"


@in_float64
def largest_feasible_eta(objective: MetaObjective, key: Any, clock: Clock = NO_LIMIT) -> float | None:
    """The largest η, up to that of the objective, for which a feasible gain was found.

    For some gains that stabilise every task (random ones, and the optima) the η at which adaptation
    throws out the last of them is found by bisection. That is a search: a larger η may do for other
    gains.

    Returns:
        η, or None if no gain does for an η that is next to nothing.

    Raises:
        InfeasibleError: no gain was found that stabilises every task.
        BudgetError: time ran out.
    """
    family, eta = objective.family, float(objective.step.eta)
    still = with_eta(objective, 1e-12 * eta)
    sampler = make_sampler(still, key, clock=clock)
    x = np.concatenate([sampler.anchors, sampler.draw(key, 64)])

    def feasible(size: float) -> bool:
        relaxed = with_eta(objective, size)
        return bool(replace(sampler.field, objective=relaxed).feasible(x).any())

    low, high = 1e-12 * eta, eta
    if family.m * family.n == 0 or not feasible(low):
        return None
    if feasible(high):
        return high
    for _ in range(BISECTIONS):
        middle = float(np.sqrt(low * high))
        low, high = (middle, high) if feasible(middle) else (low, middle)
    return low
