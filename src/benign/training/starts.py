"""Where training may begin: the mean of the task optima, or a random gain at which h is finite."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Float

from benign.errors import Cause, InfeasibleError
from benign.linalg import in_float64
from benign.meta.adaptation import AdaptationStep, GradientStep
from benign.meta.objective import MetaObjective
from benign.searches.descent import Field
from benign.searches.sampling import make_sampler
from benign.tasks.family import TaskFamily
from benign.tasks.optima import optima

BISECTIONS = 40
"""Halvings of the interval of η in which the largest feasible one is sought."""


@in_float64
def mean_of_optima(family: TaskFamily) -> Float[np.ndarray, "m n"]:
    """Σ ω_τ W*_τ."""
    return np.tensordot(np.asarray(family.weights), optima(family.tasks)[0], 1)


@in_float64
def random_start(family: TaskFamily, step: AdaptationStep | None, seed: int) -> Any:
    """A random gain at which h is finite; see `landscape.sampling.Sampler.draw` for its law.

    Without a step (the proximal rules) the gain only has to stabilise every task.

    Raises:
        InfeasibleError: none was found; the message names tasks that conflict, or says the largest η
            for which one was found.
    """
    key, drawing = jax.random.split(jax.random.key(seed))
    # A step this short throws no gain anywhere: feasible means stabilising.
    rule = _short_step() if step is None else step
    objective = MetaObjective(family, rule)
    try:
        sampler = make_sampler(objective, key)
    except InfeasibleError as error:
        if step is None or error.cause is not Cause.STEP:
            raise
        raise InfeasibleError(
            f"{error}; {largest_eta(objective, key)}",
            cause=error.cause,
            certificate=error.certificate,
        ) from error
    return sampler.draw(drawing, 1)[0].reshape(family.m, family.n)


def _short_step() -> AdaptationStep:
    kind: Any = GradientStep  # type checkers take a module for a dataclass
    return kind("1e-12")


@in_float64
def largest_eta(objective: MetaObjective, key: Any) -> str:
    """What is known of the largest η for which some gain is feasible, in words."""
    found = largest_feasible_eta(objective, key)
    if found is None:
        return "no smaller eta was found to do"
    return f"the largest eta for which a feasible gain was found is {found:.4g}"


@in_float64
def largest_feasible_eta(objective: MetaObjective, key: Any) -> float | None:
    """The largest η, up to that of the objective, for which a feasible gain was found.

    For some gains that stabilise every task (random ones, and the optima) the η at which adaptation
    throws out the last of them is found by bisection. That is a search: a larger η may do for other
    gains.

    Returns:
        η, or None if no gain does for an η that is next to nothing.

    Raises:
        InfeasibleError: no gain was found that stabilises every task.
    """
    family, eta = objective.family, float(objective.step.eta)
    still = eqx.tree_at(lambda h: h.step.eta, objective, objective.step.eta * 0 + 1e-12 * eta)
    sampler = make_sampler(still, key)
    x = np.concatenate([sampler.anchors, sampler.draw(key, 64)])

    def feasible(size: float) -> bool:
        relaxed = eqx.tree_at(lambda h: h.step.eta, objective, objective.step.eta * 0 + size)
        return bool(replace(Field(relaxed)).feasible(x).any())

    low, high = 1e-12 * eta, eta
    if family.m * family.n == 0 or not feasible(low):
        return None
    if feasible(high):
        return high
    for _ in range(BISECTIONS):
        middle = float(np.sqrt(low * high))
        low, high = (middle, high) if feasible(middle) else (low, middle)
    return low
