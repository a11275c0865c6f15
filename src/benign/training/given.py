"""What `train` is given: tasks in any form, a step in pieces, and where to begin."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import jax
import numpy as np

from benign.clock import Clock
from benign.errors import ProblemError, UsageError
from benign.exact.problem import Step
from benign.meta.adaptation import AdaptationStep
from benign.meta.algorithms import Algorithm, NormalizedMAML
from benign.meta.given import is_objective, require_alone, settings_of
from benign.meta.ticks import InfeasibleStartError
from benign.meta.train import Sampler
from benign.tasks.family import TaskFamily
from benign.tasks.given import FAMILIES, as_task_family, described, is_family, several
from benign.tasks.numbers import floats_of
from benign.tasks.stack import TaskStack
from benign.training.starts import mean_of_optima, random_start

REFERENCE = 64
"""Tasks drawn from a sampler for the reference family, on which a run is watched and judged."""


def pieces_of(
    objective: Any, algorithm: str | Algorithm, eta: Any, step: Any, shots: Any
) -> tuple[Any, Any, Any, Any]:
    """The tasks, η, the kind of step and its shots: as given, of the objective, or of a file."""
    used = None
    if is_objective(objective):
        require_alone("train", eta, step, shots)
        objective, used = settings_of(objective, "train")
        if algorithm == NormalizedMAML.name and used is not None and used.kind != "normalized":
            raise UsageError(
                f"train: {algorithm} takes a normalised step and the objective has a gradient step; "
                "give its family and eta, or another algorithm"
            )
    elif is_family(objective):
        objective, used = settings_of(objective, "train")
    if isinstance(step, AdaptationStep):
        step = step.exact()
    if not (step is None or isinstance(step, (str, Step))):
        raise UsageError(f"train: step: expected a step or its kind, got {described(step)}")
    if isinstance(step, Step):
        return objective, step.eta, step.kind, step.shots
    if used is not None:
        eta = used.eta if eta is None else eta
        step = used.kind if step is None else step
        shots = used.shots if shots is None else shots
    return objective, eta, "gradient" if step is None else step, 1 if shots is None else shots


def tasks_of(tasks: Any, seed: int) -> tuple[Sampler | None, TaskStack, TaskFamily | None]:
    """The sampler, if it is one; the tasks; and the family, if they are plain LQR tasks."""
    sampler = None
    if callable(tasks) and not isinstance(tasks, (TaskFamily, TaskStack, type)):
        sampler = tasks
        # A stream of its own, so that the batches do not depend on the size of the reference family.
        tasks = tasks(np.random.default_rng([seed, 2**31]), REFERENCE)
    if is_family(tasks):
        tasks = as_task_family(tasks, "train")
    elif not isinstance(tasks, TaskStack):
        if not isinstance(tasks, Iterable):
            raise UsageError(
                f"train: expected an objective, a family or tasks, got {described(tasks)}; "
                f"give {FAMILIES}"
            )
        tasks = TaskStack(several(tasks, "tasks", "train"))
    family = tasks if isinstance(tasks, TaskFamily) else None
    return sampler, TaskStack.of(tasks), family


def start_of(start: Any, family: TaskFamily | None, rule: Algorithm, seed: int, clock: Clock) -> Any:
    """Where the run begins: parameters as given, the mean of the optima, or a random gain.

    Raises:
        ProblemError: of another shape, no such start, or one that these tasks do not have.
    """
    if not isinstance(start, str):
        if family is not None:
            W = floats_of(start, "start")
            if W.shape == () and family.m == family.n == 1:
                W = W.reshape(1, 1)
            if W.shape != (family.m, family.n):
                raise ProblemError(
                    f"start: expected a gain of shape ({family.m}, {family.n}), got {W.shape}"
                )
            return W
        return jax.tree.map(lambda x: np.asarray(x, float), start)
    if start not in ("mean", "random"):
        raise ProblemError(f"start: expected parameters, mean or random, got {start!r}")
    if family is None:
        raise ProblemError(
            f"start: {start!r} is for families of LQR tasks; give parameters for tasks of another kind"
        )
    step = getattr(rule, "step", None)
    if start == "random":
        return random_start(family, step, seed, clock)
    return mean_of_optima(family, clock)


def explained(
    error: InfeasibleStartError, start: Any, family: TaskFamily, rule: Algorithm
) -> ProblemError:
    """Why the run could not begin where it was to, and what would do."""
    if not isinstance(start, str):
        return error
    # If no gain at all is feasible this raises, and says which tasks conflict or which eta would do.
    random_start(family, getattr(rule, "step", None), 0)
    what = "the mean of the task optima" if start == "mean" else "what was drawn"
    return ProblemError(
        f"start: {what} is infeasible for some task, before or after adaptation; use a random start "
        "(--start random), or a smaller eta"
    )
