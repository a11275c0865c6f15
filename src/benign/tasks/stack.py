"""Tasks of one kind and shape with weights, stacked: the general form of a `TaskFamily`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, PRNGKeyArray

from benign.errors import ProblemError
from benign.linalg import in_float64
from benign.tasks.family import TaskFamily
from benign.tasks.given import several
from benign.tasks.lqr import LQR
from benign.tasks.numbers import Unseen, floats_of, name_of
from benign.tasks.task import AbstractCost, AbstractTask, as_task
from benign.text import quoted


class TaskStack(eqx.Module):
    """Tasks τ with weights ω_τ > 0, Σ ω_τ = 1; ``stack.tasks`` is one task with a leading axis.

    ``jax.vmap(lambda task: task.value(W))(stack.tasks)`` evaluates all of them at once.

    Args:
        tasks: Tasks, costs (f = g) or `LQR`s, of one class and shape.
        weights: One positive number a task, normalised to sum to one; uniform by default.
        names: One a task; "task0", "task1", … by default.

    Raises:
        ProblemError: no task; tasks that differ in class, shape or anything static; weights or names of
            the wrong number; a weight that is not positive.
    """

    tasks: AbstractTask
    weights: Float[Array, " k"]
    label: Unseen[tuple[str, ...]] = eqx.field(static=True, repr=False)

    @in_float64
    def __init__(
        self,
        tasks: Sequence[AbstractTask | AbstractCost | LQR],
        weights: Sequence[float] | None = None,
        names: Sequence[str] | None = None,
    ):
        tasks = several(tasks, "tasks", "TaskStack")
        if not tasks:
            raise ProblemError("the stack has no task; give at least one")
        titles = tuple(f"task{i}" for i in range(len(tasks)))
        if names is not None:
            given = several(names, "names", "TaskStack")
            titles = tuple(str(name_of(name, "names") or "") for name in given)
        if len(titles) != len(tasks):
            raise ProblemError(f"names: {len(titles)} names for {len(tasks)} tasks")
        self.tasks = _stacked([as_task(task) for task in tasks], titles)
        self.weights = _normalised(weights, titles)
        self.label = Unseen(titles)

    @classmethod
    @in_float64
    def stacked(
        cls,
        tasks: AbstractTask,
        weights: Sequence[float] | None = None,
        names: Sequence[str] | None = None,
    ) -> TaskStack:
        """A stack from a task whose arrays have a leading axis already: for thousands of tasks.

        Raises:
            ProblemError: the arrays differ in their first dimension; weights or names as above.
        """
        sizes = {np.shape(x)[:1] for x in jax.tree.leaves(tasks)}
        if len(sizes) != 1 or sizes == {()}:
            raise ProblemError(
                f"the arrays of stacked tasks must agree in their first dimension, got {sorted(sizes)}"
            )
        ((k,),) = sizes
        titles = tuple(f"task{i}" for i in range(k)) if names is None else tuple(names)
        if len(titles) != k:
            raise ProblemError(f"names: {len(titles)} names for {k} tasks")
        return cls._made(tasks, _normalised(weights, titles), titles)

    @classmethod
    def _made(cls, tasks: AbstractTask, weights: Array, names: tuple[str, ...]) -> TaskStack:
        stack = object.__new__(cls)
        object.__setattr__(stack, "tasks", tasks)
        object.__setattr__(stack, "weights", weights)
        object.__setattr__(stack, "label", Unseen(names))
        return stack

    @classmethod
    def of(cls, family: TaskFamily | TaskStack) -> TaskStack:
        """A family of LQR tasks as a stack; no number is copied or changed."""
        if isinstance(family, TaskStack):
            return family
        return cls._made(as_task(family.tasks), family.weights, family.names)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the tasks."""
        return self.label.value

    def __len__(self) -> int:
        return self.weights.shape[0]

    @in_float64
    def __getitem__(self, i: int) -> AbstractTask:
        """Task i on its own."""
        if not -len(self) <= i < len(self):
            raise IndexError(f"task {i} of a stack of {len(self)}")
        return jax.tree.map(lambda x: x[i], self.tasks)

    def __iter__(self) -> Iterator[AbstractTask]:
        return (self[i] for i in range(len(self)))

    @in_float64
    def take(self, which: ArrayLike) -> AbstractTask:
        """The stacked tasks at the positions `which`, (b,): a batch. Positions may be traced."""
        return jax.tree.map(lambda x: jnp.take(x, jnp.asarray(which), axis=0), self.tasks)

    @in_float64
    def resample(self, key: PRNGKeyArray) -> AbstractTask:
        """The stacked tasks under fresh samples, independent from task to task."""
        return resample(self.tasks, key, len(self))


@in_float64
def resample(tasks: AbstractTask, key: PRNGKeyArray, k: int) -> AbstractTask:
    """k stacked tasks under fresh samples, independent from task to task."""
    return jax.vmap(lambda task, one: task.resample(one))(tasks, jax.random.split(key, k))


def _stacked(tasks: list[AbstractTask], names: tuple[str, ...]) -> AbstractTask:
    first = jax.tree.structure(tasks[0])
    shapes = [np.shape(x) for x in jax.tree.leaves(tasks[0])]
    for i, task in enumerate(tasks):
        place = f"task {i} {quoted(names[i])}"
        if jax.tree.structure(task) != first:
            raise ProblemError(
                f"{place}: it is not of the kind of task 0 {quoted(names[0])}: another class, or "
                "another function or setting in it; tasks of one stack share these and differ in "
                "arrays only"
            )
        mine = [np.shape(x) for x in jax.tree.leaves(task)]
        for own, other in zip(mine, shapes, strict=True):
            if own != other:
                raise ProblemError(
                    f"{place}: it has an array of shape {own} where task 0 {quoted(names[0])} has "
                    f"{other}; one stack holds one shape"
                )
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *tasks)


def _normalised(weights: Any, names: tuple[str, ...]) -> Float[Array, " k"]:
    if weights is None:
        return jnp.full(len(names), 1 / len(names))
    given = floats_of(weights, "weights")
    if given.shape != (len(names),):
        raise ProblemError(f"weights: shape {given.shape} for {len(names)} tasks; give one a task")
    bad = np.flatnonzero(~(np.isfinite(given) & (given > 0)))
    if bad.size:
        i = int(bad[0])
        raise ProblemError(f"task {i} {quoted(names[i])}: its weight must be positive, got {given[i]}")
    return jnp.asarray(given / given.sum())
