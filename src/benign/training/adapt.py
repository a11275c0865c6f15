"""Adaptation of a trained starting point: the cost after each shot, on one task or a family."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from benign.errors import ProblemError, UsageError
from benign.exact.numbers import MAX_SHOTS, whole
from benign.linalg import in_float64
from benign.meta.algorithms import Algorithm
from benign.meta.points import Layout, Site, site
from benign.tasks.family import TaskFamily
from benign.tasks.given import FAMILIES, as_task_family, described, is_family
from benign.tasks.lqr import LQR
from benign.tasks.stack import TaskStack
from benign.tasks.task import as_task
from benign.text import clean, quoted
from benign.training.result import Trained, TrainingResult, task_digest

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Quantiles over the tasks that a meta-test reports."""


@dataclass(frozen=True, eq=False, repr=False)
class Adaptation:
    """What shots of adaptation do to one task.

    Attributes:
        name: of the task.
        costs: (shots + 1,) f before adaptation and after each shot, +∞ from where a shot destabilises.
        optimum: the least f can be, in floating point; NaN where it is not known.
        W: the parameters after the last shot.
        seen: whether the starting point was trained on this task; None if that is not known.
    """

    name: str
    costs: Float[np.ndarray, " s"]
    optimum: float
    W: Any
    seen: bool | None

    @property
    def excess(self) -> Float[np.ndarray, " s"]:
        """(f − f*)/f*, NaN where f* is unknown or zero."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.optimum > 0, (self.costs - self.optimum) / self.optimum, np.nan)

    def __repr__(self) -> str:
        return str(self)

    def __str__(self) -> str:
        steps = "  ".join(f"{cost:.6g}" for cost in self.costs)
        return f"{clean(self.name)}: {steps}  (optimum {self.optimum:.6g})"


@dataclass(frozen=True, eq=False)
class MetaTest:
    """Adaptation on every task of a family.

    Attributes:
        tasks: task by task.
        levels: the quantiles looked at.
        quantiles: (len(levels), shots + 1) of the excess (f − f*)/f* over the tasks, +∞ counted among
            them; of f itself where some optimum is unknown.
        relative: whether it is the excess.
    """

    tasks: tuple[Adaptation, ...]
    levels: tuple[float, ...]
    quantiles: Float[np.ndarray, "q s"]
    relative: bool


@in_float64
def adapt(result: TrainingResult | Trained, task: Any, shots: Any = None) -> Adaptation:
    """Adapt the trained point to one task: W ← W − η∇g(W), shot by shot (or to its proximal point).

    Args:
        result: what `train` returned, or `read_training` read.
        task: an `LQR`, a cost, or a task; seen in training or not.
        shots: how many; by default as in training.

    Raises:
        UsageError: a family, or what is no task.
        ProblemError: shots < 0, or a task on other parameters.
    """
    if is_family(task):
        raise UsageError("adapt: it takes one task; `benign.meta_test` takes a family")
    return meta_test(result, [task], shots).tasks[0]


@in_float64
def meta_test(result: TrainingResult | Trained, tasks: Any, shots: Any = None) -> MetaTest:
    """Adapt the trained point to every task of a family, held out or not, all at once.

    Args:
        result: what `train` returned, or `read_training` read.
        tasks: a family of any form, a `TaskStack`, or a list of tasks of one kind.
        shots: how many; by default as in training.

    Raises:
        UsageError: what is neither a family nor tasks.
        ProblemError: shots < 0, or tasks on other parameters.
    """
    if not isinstance(result, (TrainingResult, Trained)):
        raise UsageError(
            f"meta_test: expected what `train` or `read` returned, got {described(result)}"
        )
    algorithm = result.algorithm
    if shots is None:
        step = getattr(algorithm, "step", None)
        shots = 1 if step is None else step.shots
    shots = whole(shots, "shots", 0, MAX_SHOTS, "each is computed for every task")
    if is_family(tasks) and not (isinstance(tasks, (list, tuple)) and isinstance(tasks[0], LQR)):
        tasks = as_task_family(tasks, "meta_test")
    if isinstance(tasks, (TaskFamily, TaskStack)):
        stack = TaskStack.of(tasks)
    elif not isinstance(tasks, (list, tuple)):
        raise UsageError(f"meta_test: expected tasks, got {described(tasks)}; give {FAMILIES}")
    else:
        names = [getattr(task, "name", None) or f"task{i}" for i, task in enumerate(tasks)]
        stack = TaskStack([as_task(task) for task in tasks], names=names)
    layout = Layout.of(result.W)
    W = layout.ravel(result.W)
    f, g = site(stack.tasks.f, layout), site(stack.tasks.g, layout)
    try:
        costs, ends = _courses(algorithm, f, g, W, shots)
    except TypeError as error:  # shapes that do not fit one another
        raise ProblemError(
            f"task {quoted(stack.names[0])}: it is not on parameters of shape {layout.shape}"
        ) from error
    optimum = stack.tasks.optimum()
    best = np.full(len(stack), np.nan) if optimum is None else np.asarray(optimum.value)
    best = np.where(np.isfinite(best), best, np.nan)
    seen = _seen(result)
    outcomes = tuple(
        Adaptation(
            name=stack.names[i],
            costs=np.asarray(costs[i]),
            optimum=float(best[i]),
            W=jax.tree.map(np.asarray, layout.unravel(ends[i])),
            seen=None if seen is None else task_digest(stack[i]) in seen,
        )
        for i in range(len(stack))
    )
    relative = bool((best > 0).all())
    values = np.array([task.excess if relative else task.costs for task in outcomes])
    # Between a finite value and +∞ there is nothing to interpolate: take one that occurs.
    quantiles = np.quantile(values, QUANTILES, axis=0, method="inverted_cdf")
    return MetaTest(outcomes, QUANTILES, quantiles, relative)


def _seen(result: TrainingResult | Trained) -> frozenset[str] | None:
    if isinstance(result, Trained):
        return result.seen
    if result.settings["sampled"]:
        return None
    return frozenset(task_digest(task) for task in result.tasks)


@partial(jax.jit, static_argnames="shots")
def _courses(algorithm: Algorithm, f: Site, g: Site, W: Array, shots: int) -> tuple[Array, Array]:
    """f before and after each shot, (k, shots + 1), and where the last one ends, task by task."""

    def course(f: Site, g: Site) -> tuple[Array, Array]:
        def one(state: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], Array]:
            w, alive = state
            alive = alive & g.at(w).stable
            w = algorithm.shot(g, w)
            return (w, alive), jnp.where(alive, f.at(w).value(), jnp.inf)

        (w, _), after = lax.scan(one, (W, jnp.asarray(True)), None, length=shots)
        return jnp.concatenate([f.at(W).value()[None], after]), w

    return jax.vmap(course)(f, g)
