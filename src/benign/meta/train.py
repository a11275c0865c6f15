"""The loop of training: sample a batch, adapt, take a meta-step, again; one for all algorithms.

Segments of meta-steps run compiled (`benign.meta.ticks`); between two of them Python looks at the
clock, draws the next batches and hands out a snapshot, from which a run goes on bit for bit.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from benign.clock import NO_LIMIT, Clock, beside
from benign.errors import BudgetError, ProblemError
from benign.interrupts import deferred
from benign.linalg import in_float64
from benign.meta.algorithms import Algorithm, Contribution
from benign.meta.optimizers import make_rule
from benign.meta.points import Layout
from benign.meta.ticks import (
    SEGMENT,
    Draw,
    InfeasibleStartError,
    Limits,
    State,
    Stop,
    host_mean,
    run_segment,
    run_segments,
    summary,
)
from benign.tasks.stack import TaskStack

Sampler = Callable[[np.random.Generator, int], Any]
"""A law of tasks: a generator and a number of tasks to a family or stack of so many."""


@dataclass(frozen=True, eq=False)
class Trace:
    """A run, meta-step by meta-step: entry i belongs to W after i steps (steps + 1 entries).

    Attributes:
        value: Σ ω f after adaptation, of the batch.
        norm: ‖Σ ω d‖, of the batch.
        length: t by which the step from here was scaled (0 for the last entry).
        halvings: how often that step was halved.
    """

    value: Float[np.ndarray, " s"]
    norm: Float[np.ndarray, " s"]
    length: Float[np.ndarray, " s"]
    halvings: Int[np.ndarray, " s"]


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A run at a moment, complete: resumed from here it goes on bit for bit.

    Attributes:
        leaves: the arrays of the `State`, in the order of its tree.
        rows: the trace so far, four rows a tick as in `Row`, without the last entry of `Trace`.
    """

    leaves: tuple[np.ndarray, ...]
    rows: Float[np.ndarray, "4 s"]


@dataclass(frozen=True, eq=False)
class Ended:
    """What the loop returns.

    Attributes:
        W: the parameters, in the structure of the start.
        value: Σ ω f after adaptation, over the whole family (or reference family).
        norm: ‖Σ ω d‖ over it.  merit: the algorithm's own objective over it, NaN without.
        task_values: (k,) f after adaptation, task by task.
        stop: why it ended.
        steps, backtracks, skipped: counts; see `State`.
        trace: the run.  snapshot: to go on from.
        seconds: of this call.
    """

    W: Any
    value: float
    norm: float
    merit: float
    task_values: Float[np.ndarray, " k"]
    stop: Stop
    steps: int
    backtracks: int
    skipped: int
    trace: Trace
    snapshot: Snapshot
    seconds: float = field(compare=False)


class Course:
    """A training run that is set up: the tasks as the algorithm sees them, the batches, the rule.

    Args:
        tasks: the tasks; for a sampler the reference family, which is watched for feasibility.
        algorithm: the update rule.
        like: parameters, for their structure and shapes.
        beta: step size β of the optimisers known by name; with Armijo's rule the longest step.
        optimizer: a name of `OPTIMIZERS` or an Optax transformation.
        armijo: find the step size by Armijo's rule instead.
        batch: tasks in a batch; all by default.
        seed: of the batches and of sampled costs.
        sampler: a law of tasks that batches are drawn from.

    Raises:
        ProblemError: a setting is out of range or does not go with another.
    """

    def __init__(
        self,
        tasks: TaskStack,
        algorithm: Algorithm,
        like: Any,
        *,
        beta: float,
        optimizer: Any = "sgd",
        armijo: bool = False,
        batch: int | None = None,
        seed: int = 0,
        sampler: Sampler | None = None,
    ):
        k = len(tasks)
        if not (0 < float(beta) < float("inf")):
            raise ProblemError(f"beta: the meta-step size must be positive and finite, got {beta}")
        if sampler is not None and batch is None:
            raise ProblemError("batch: a sampler needs a number of tasks for each batch")
        if batch is not None and batch < 1:
            raise ProblemError(f"batch: at least one task is needed, got {batch}")
        if batch is not None and batch > k and sampler is None:
            raise ProblemError(
                f"batch: {batch} tasks are asked for and the family has {k}; give at most {k}, or a "
                "sampler of tasks"
            )
        if seed < 0:
            raise ProblemError(f"seed: must not be negative, got {seed}")
        self.layout = Layout.of(like)
        self.algorithm, self.seed, self.sampler, self.k = algorithm, seed, sampler, k
        self.batch = k if batch is None else batch
        full = sampler is None and self.batch == k
        key = jax.random.key(seed) if _is_sampled(tasks) else None
        stochastic = key is not None
        self.rule = make_rule(self.layout, optimizer, armijo=armijo, full=full, stochastic=stochastic)
        if armijo and not algorithm.has_merit:
            raise ProblemError(
                f"armijo: the directions of {algorithm.name} are the gradient of no function, so there "
                "is nothing to search along; use a constant step"
            )
        if armijo and not self.rule.exact:
            raise ProblemError(
                "armijo: it compares the objective at two points, which needs the same tasks and "
                "samples at both; leave out the batch, or use a constant step"
            )
        if getattr(algorithm, "every", None) is not None and not full:
            raise ProblemError("batch: FTML uses all tasks that have arrived; leave out the batch")
        self.tasks = tasks.tasks
        self.omega = tasks.weights
        self.key = np.zeros(()) if key is None else key
        self.rate = jnp.asarray(float(beta))

    def before(self, start: Any) -> State:
        """The state before the first tick, which looks at the start and moves nothing.

        Raises:
            ProblemError: the start has another shape, or numbers that are not finite.
        """
        W, b = self._array(start), self.batch
        zeros, yes = np.zeros(b), np.ones(b, bool)
        parts: Any = (np.zeros((b, *W.shape)), zeros, zeros, yes)
        parts = Contribution(*parts)
        memory = None if self.rule.optimizer is None else self.rule.optimizer.init(W)
        number = partial(np.asarray, dtype=np.int32)
        zero = number(0)
        state = (W, parts, np.full(b, 1 / b), memory, np.ones(()), number(-1), zero, zero, zero)
        return State(*jax.tree.map(jnp.asarray, state))

    def _array(self, W: Any) -> Array:
        if Layout.of(W) != self.layout:
            raise ProblemError("start: it has not the structure and shapes of the parameters")
        array = self.layout.ravel(W)
        if not bool(np.isfinite(np.asarray(array)).all()):
            raise ProblemError("start: it holds numbers that are not finite")
        return array

    def resume(self, snapshot: Snapshot, start: Any) -> State:
        """The state that a snapshot holds; `start` says nothing but the shapes.

        Raises:
            ProblemError: the snapshot is of another run, or of no moment of one.
        """
        like, structure = jax.tree.flatten(self.before(start))
        alike = len(like) == len(snapshot.leaves) and all(
            np.shape(a) == b.shape and np.asarray(a).dtype == b.dtype
            for a, b in zip(like, snapshot.leaves, strict=True)
        )
        if not alike:
            raise ProblemError("resume: the checkpoint holds arrays of other shapes than this run")
        state = jax.tree.unflatten(structure, list(snapshot.leaves))
        if why := _not_a_moment(state, snapshot.rows):
            raise ProblemError(
                f"resume: the checkpoint is not that of a run: {why}; train without resuming"
            )
        return jax.tree.map(jnp.asarray, state)

    # --- batches

    def _draw(self, block: int) -> Draw:
        """The batches of a block of SEGMENT ticks; tick −1, the first look, is the first of block 0."""
        rng = np.random.default_rng([self.seed, block])
        numbers = np.arange(SEGMENT) + block * SEGMENT - 1
        count = SEGMENT
        index = weights = tasks = None
        if self.sampler is not None:
            stack = TaskStack.of(self.sampler(rng, count * self.batch))
            if len(stack) != count * self.batch:
                raise ProblemError(
                    f"sampler: it was asked for {count * self.batch} tasks and gave {len(stack)}"
                )
            shape = (count, self.batch)
            tasks = jax.tree.map(lambda x: x.reshape(*shape, *x.shape[1:]), stack.tasks)
            given = np.asarray(stack.weights).reshape(shape)
            weights = given / given.sum(axis=1, keepdims=True)
        elif not self.rule.full:
            # Without replacement, each task equally likely; then k/b ω makes Σ over the batch unbiased.
            order = rng.random((count, self.k)).argpartition(self.batch - 1, axis=1)
            index = np.sort(order[:, : self.batch], axis=1).astype(np.int32)
            weights = np.asarray(self.omega)[index] * (self.k / self.batch)
        return Draw(numbers.astype(np.int32), index, weights, tasks)

    # --- running

    def _limits(self, steps: int, tolerance: float, target: float) -> Limits:
        return Limits(
            np.asarray(float(tolerance)),
            np.asarray(float(target)),
            np.asarray(steps, np.int32),
            self.rate,
        )

    def summary(self, W: Any) -> tuple[float, float, float, np.ndarray]:
        """Σ ω f, ‖Σ ω d‖, the merit over the family, and f task by task, at the array W."""
        W = jnp.asarray(W)
        value, norm, merit, each = summary(self.rule, self.algorithm, self.tasks, self.omega, W)
        return float(value), float(norm), float(merit), np.asarray(each)

    def run(
        self,
        start: Any,
        *,
        steps: int,
        tolerance: float = 0.0,
        clock: Clock = NO_LIMIT,
        gap: Callable[[Any], float] | None = None,
        floor: float = -float("inf"),
        gap_tolerance: float = 0.0,
        resume: Snapshot | None = None,
        save: Callable[[Snapshot], None] | None = None,
        progress: Callable[[int, float, float, int], None] | None = None,
    ) -> Ended:
        """Train from a start, or from where a snapshot was taken.

        Args:
            start: the parameters to begin at.
            steps: meta-steps in all, those before a resumption included.
            tolerance: end where ‖Σ ω d‖ over the family is at most this.
            clock: end when it is over.
            gap: a certified upper bound of h(W) − inf h, asked for where value − floor suggests
                that it is within `gap_tolerance`.
            floor: a lower bound of the value, in floating point.
            gap_tolerance: end where the gap is at most this.
            resume: a snapshot of a run of the same settings.
            save: called with a snapshot after every segment.
            progress: called with (steps, value, norm, backtracks) after every segment.

        Raises:
            BudgetError: time ran out before the first segment was compiled and run.
        """
        began = time.perf_counter()
        if steps < 0:
            raise ProblemError(f"steps: must not be negative, got {steps}")
        state = self.before(start) if resume is None else self.resume(resume, start)
        rows = [] if resume is None else [resume.rows]
        target = floor + gap_tolerance if gap is not None else -float("inf")
        reason = Stop(int(state.reason))
        with deferred() as request:
            while reason is Stop.RUNNING:
                before = int(state.step)
                if before >= steps:
                    reason = Stop.STEPS
                    break
                try:
                    state, found = self._segment(state, steps, tolerance, target, before, clock)
                except BudgetError:
                    if before < 0:
                        raise
                    reason = Stop.TIME
                    break
                after, reason = int(state.step), Stop(int(state.reason))
                if after < 0:
                    raise InfeasibleStartError(
                        "start: some task is infeasible there, before or after adaptation; give "
                        "another start, or a smaller eta"
                    )
                first = (before + 1) % SEGMENT
                taken = slice(first + (before < 0), first + after - before)
                rows.append(np.stack([np.asarray(x, float) for x in found])[:, taken])
                if reason is Stop.GAP and not self._within(gap, state, gap_tolerance):
                    # The bound in floating point was too hopeful: ask again a little further down.
                    target -= 0.1 * abs(gap_tolerance)
                    reason = Stop.RUNNING
                    state = eqx.tree_at(lambda s: s.reason, state, jnp.zeros((), jnp.int32))
                if progress is not None and rows[-1].size:
                    value, norm = rows[-1][:2, -1]
                    progress(after, float(value), float(norm), int(state.backtracks))
                if save is not None:
                    save(_snapshot(state, rows))
                if reason is Stop.RUNNING:
                    reason = self._seen(state, tolerance, clock, interrupted=bool(request))
        return self._ended(state, rows, reason, time.perf_counter() - began)

    def _within(self, gap: Callable[[Any], float] | None, state: State, tolerance: float) -> bool:
        """Whether the certified gap is as small as it is to be."""
        return gap is None or gap(self.layout.unravel(state.W)) <= tolerance

    def _seen(self, state: State, tolerance: float, clock: Clock, *, interrupted: bool) -> Stop:
        """Why a run ends after a segment that did not end it."""
        # A batch knows nothing of the family's gradient: look at all of it.
        if not self.rule.exact and tolerance > 0 and self.summary(state.W)[1] <= tolerance:
            return Stop.GRADIENT
        if clock.late:
            return Stop.TIME
        return Stop.INTERRUPTED if interrupted else Stop.RUNNING

    def _segment(
        self, state: State, steps: int, tolerance: float, target: float, before: int, clock: Clock
    ) -> tuple[State, Any]:
        limits, draw = self._limits(steps, tolerance, target), self._draw((before + 1) // SEGMENT)

        @in_float64  # the scope is of one thread
        def run() -> tuple[State, Any]:
            return run_segment(
                self.rule, self.algorithm, self.tasks, self.omega, self.key, limits, state, draw
            )

        return beside(clock, "the first meta-steps", run)

    def _ended(self, state: State, rows: list[np.ndarray], reason: Stop, seconds: float) -> Ended:
        direction, last, merit = (np.asarray(x) for x in host_mean(state))
        norm = float(np.linalg.norm(direction))
        final = np.array([[float(last)], [norm], [0.0], [0.0]])
        value, each = float(last), np.asarray(state.parts.value)
        # FTML may end before all tasks have arrived, a batch is not the family: look at all of it.
        if not self.rule.exact or not np.array_equal(state.weights, self.omega):
            value, norm, merit, each = self.summary(state.W)
        taken = np.concatenate([np.zeros((4, 0)), *rows], axis=1)
        full = np.concatenate([taken, final], axis=1)
        return Ended(
            W=jax.tree.map(np.asarray, self.layout.unravel(state.W)),
            value=value,
            norm=norm,
            merit=float(merit),
            task_values=each,
            stop=reason,
            steps=int(state.step),
            backtracks=int(state.backtracks),
            skipped=int(state.skipped),
            trace=Trace(full[0], full[1], full[2], full[3].astype(int)),
            snapshot=_snapshot(state, rows),
            seconds=seconds,
        )

    def run_many(
        self, starts: np.ndarray, *, steps: int, tolerance: float = 0.0
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Train from many starts at once: where each ends, ‖Σ ω d‖ of its batch there, and its `Stop`.

        Starts and ends have a leading axis.
        A start that is infeasible ends where it began, as stuck.
        """
        one = self.before(self.layout.unravel(jnp.asarray(starts[0])))
        count = len(starts)
        states = jax.tree.map(lambda x: np.broadcast_to(x, (count, *np.shape(x))), one)
        states = eqx.tree_at(lambda s: s.W, states, jnp.asarray(starts))
        limits = self._limits(steps, tolerance, -float("inf"))
        for block in range(-(-(steps + 1) // SEGMENT)):
            if not bool((np.asarray(states.reason) == Stop.RUNNING).any()):
                break
            states, _ = run_segments(
                self.rule, self.algorithm, self.tasks, self.omega, self.key, limits, states,
                self._draw(block),
            )  # fmt: skip
        weights, each = np.asarray(states.weights), np.asarray(states.parts.direction)
        directions = (weights.reshape(*weights.shape, *(1,) * (each.ndim - 2)) * each).sum(axis=1)
        norms = np.linalg.norm(np.asarray(directions).reshape(len(starts), -1), axis=1)
        reason = np.asarray(states.reason)
        reason = np.where(reason == Stop.RUNNING, int(Stop.STEPS), reason)
        return np.asarray(states.W), norms, reason


def _snapshot(state: State, rows: list[np.ndarray]) -> Snapshot:
    leaves = tuple(np.asarray(leaf) for leaf in jax.tree.leaves(state))
    return Snapshot(leaves, np.concatenate([np.zeros((4, 0)), *rows], axis=1))


def _not_a_moment(state: State, rows: np.ndarray) -> str:
    """Why these numbers are no moment of a run; empty if they may be."""
    taken = int(state.step)
    parts = state.parts
    known = np.asarray(parts.feasible)
    finite = [state.W, parts.direction, *jax.tree.leaves(state.memory)]
    if not all(np.isfinite(x).all() for x in finite) or not np.isfinite(parts.value[known]).all():
        return "it holds numbers that are not finite"
    if np.isnan(rows).any() or np.isnan(parts.value).any():
        return "it holds numbers that are none"
    if not ((state.weights >= 0) & (state.weights < np.inf)).all():
        return "its weights are none"
    if not 0 < float(state.length) <= 1:
        return "the length of its step is none"
    if taken < -1 or rows.shape[1] != max(taken, 0):
        return "its trace is of another length"
    if not int(state.backtracks) >= 0 or not int(state.skipped) >= 0:
        return "its counts are none"
    return "" if int(state.reason) in set(Stop) else "it ended in no way that is known"


def _is_sampled(tasks: TaskStack) -> bool:
    """Whether there is chance in a cost: one without it gives itself back for another key."""
    task = jax.tree.map(lambda x: (x if is_key(x) else np.asarray(x))[0], tasks.tasks)
    # The words of a key: to make a key of them would compile something, for nothing in most cases.
    key = jnp.asarray(np.zeros(2, np.uint32))
    return any(cost.resample(key) is not cost for cost in (task.f, task.g))


def is_key(x: Any) -> bool:
    """Whether an array holds random keys, which are no numbers."""
    return jnp.issubdtype(x.dtype, jax.dtypes.prng_key)
