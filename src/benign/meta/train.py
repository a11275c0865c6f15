"""The loop of training: sample a batch of tasks, adapt, take a meta-step, again. One for all algorithms.

A tick is one meta-step w ← w + t·u, u what the optimiser makes of Σ ω_τ d_τ(w). The trial point is
evaluated at once with the next batch, and what was found there is the next tick's direction, so that a
step costs one evaluation. t is halved until every task of the family is feasible at the trial point (and,
with Armijo's rule, until the objective falls enough); nothing infinite is ever stepped on. Whole segments
of ticks run in one `lax.scan` under one `jit`; between segments Python looks at the clock.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from functools import lru_cache, partial
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float, Int

from benign.errors import ProblemError
from benign.meta.algorithms import Algorithm, Contribution, over_tasks
from benign.meta.points import Layout, Site, site
from benign.meta.proximal import dot
from benign.tasks.stack import TaskStack

SEGMENT = 128
"""Ticks of one compiled call. The clock is read and a checkpoint can be written between two."""

HALVINGS = 60
"""Halvings of a step before the run counts as stuck: 2⁻⁶⁰ of it is below rounding."""

ARMIJO = 1e-4
"""The share of the predicted decrease that Armijo's rule asks for."""

ROUNDING = 1e-12
"""A change below this multiple of the objective may be rounding; near the minimum the slope at the trial
point decides instead (W. Hager and H. Zhang, SIAM J. Optim. 16 (2005) 170–192, "approximate Wolfe")."""

CHUNK = 2048
"""Tasks evaluated at once; more go one chunk after another, in memory that does not grow with them."""


class InfeasibleStart(ProblemError):
    """Some task has no finite cost at the start, before or after adaptation."""


class Stop(IntEnum):
    """Why a run ended."""

    RUNNING = 0
    GRADIENT = 1
    GAP = 2
    STEPS = 3
    TIME = 4
    STUCK = 5

    @property
    def message(self) -> str:
        """The reason in words."""
        return _MESSAGES[self]


_MESSAGES = {
    Stop.RUNNING: "it has not ended",
    Stop.GRADIENT: "the norm of the update direction is within the tolerance",
    Stop.GAP: "the gap to the optimum is within the tolerance",
    Stop.STEPS: "all meta-steps were taken",
    Stop.TIME: "the time is up",
    Stop.STUCK: "no step, however short, is feasible and lowers the objective enough: a rim or a jump",
}


class State(eqx.Module):
    """Everything the next tick depends on.

    Attributes:
        W: the parameters, one array.
        parts: what each task of the current batch contributes at W.
        weights: (b,) of the batch.
        memory: the state of the optimiser.
        length: the first t that Armijo's rule tries next.
        step: meta-steps taken; −1 before the first look at the start.  backtracks: halvings so far.
        skipped: tasks of batches left out because they are infeasible at W (samplers only).
        reason: a code of `Stop`.
    """

    W: Float[Array, "*p"]
    parts: Contribution
    weights: Float[Array, " b"]
    memory: Any
    length: Float[Array, ""]
    step: Int[Array, ""]
    backtracks: Int[Array, ""]
    skipped: Int[Array, ""]
    reason: Int[Array, ""]


class Row(NamedTuple):
    """What is recorded of a tick: Σ ω f, ‖Σ ω d‖ (both of the batch, at W), t and halvings of t."""

    value: Array
    norm: Array
    length: Array
    halvings: Array


class Draw(NamedTuple):
    """The tick's number, and the batch that the next one uses: positions, or tasks of a sampler."""

    number: Array
    index: Array | None
    weights: Array | None
    tasks: tuple[Site, Site] | None


class Limits(NamedTuple):
    """Where a run is to end; numbers that compile nothing anew."""

    tolerance: Array
    target: Array
    steps: Array
    rate: Array


@dataclass(frozen=True)
class Rule:
    """What is compiled in: how a step is made of a direction, and which batches there are.

    Attributes:
        optimizer: an Optax transformation, or None for u = −βd.
        scaled: whether the optimiser's output is multiplied by −β (it is, for those chosen by name).
        armijo: whether t is found by Armijo's rule.
        full: whether every batch holds all tasks of the family, in their order.
        stochastic: whether the costs are sampled anew in every tick.
    """

    optimizer: Any
    scaled: bool
    armijo: bool
    full: bool
    stochastic: bool

    @property
    def exact(self) -> bool:
        """Whether the directions of the batch are those of the whole family."""
        return self.full and not self.stochastic


# --- evaluation ------------------------------------------------------------------------------


def _everywhere(algorithm: Algorithm, tasks: tuple[Site, Site], W: Array) -> Contribution:
    """The contributions of all tasks, in chunks if they are many."""
    count = jax.tree.leaves(tasks)[0].shape[0]
    if count <= CHUNK:
        return over_tasks(algorithm, *tasks, W)
    chunks = -(-count // CHUNK)
    # Pad with the last task: a remainder would be compiled as a program of its own.
    index = np.minimum(np.arange(chunks * CHUNK), count - 1).reshape(chunks, CHUNK)
    parts = lax.map(
        lambda i: over_tasks(algorithm, *jax.tree.map(lambda x: jnp.take(x, i, axis=0), tasks), W),
        jnp.asarray(index),
    )
    return jax.tree.map(lambda x: x.reshape(chunks * CHUNK, *x.shape[2:])[:count], parts)


def _mean(weights: Array, parts: Contribution) -> tuple[Array, Array, Array]:
    """Σ ω d, Σ ω f and Σ ω merit over the feasible tasks, the weights of which are rescaled."""
    there = jnp.where(parts.feasible, weights, 0.0)
    share = there * (jnp.sum(weights) / jnp.maximum(jnp.sum(there), jnp.finfo(float).tiny))

    def mean(values: Array) -> Array:
        shaped = share.reshape(-1, *(1,) * (values.ndim - 1))
        # A weight of zero must not meet an infinity.
        return jnp.sum(shaped * jnp.where(shaped > 0, values, 0.0), axis=0)

    return mean(parts.direction), mean(parts.value), mean(parts.merit)


def _resampled(tasks: tuple[Site, Site], step: Array, seed: Array) -> tuple[Site, Site]:
    count = jax.tree.leaves(tasks)[0].shape[0]
    keys = jax.random.split(jax.random.fold_in(seed, step), 2 * count)
    f, g = tasks
    again = jax.vmap(lambda cost, key: cost.resample(key))
    return again(f, keys[:count]), again(g, keys[count:])


def _evaluate(
    rule: Rule, algorithm: Algorithm, tasks: tuple[Site, Site], seed: Array, draw: Draw, W: Array
) -> tuple[Contribution, Bool[Array, ""]]:
    """The next batch at W, and whether every task of the family is feasible there."""
    batch = tasks
    if draw.tasks is not None:
        batch = draw.tasks
    elif not rule.full:
        batch = jax.tree.map(lambda x: jnp.take(x, draw.index, axis=0), tasks)
    if rule.stochastic:
        batch = _resampled(batch, draw.number + 1, seed)
    parts = _everywhere(algorithm, batch, W)
    # Nothing but feasibility is used of this second evaluation, so that nothing else is computed.
    watched = parts if rule.full else _everywhere(algorithm, tasks, W)
    return parts, jnp.all(watched.feasible)


# --- a tick, a segment -----------------------------------------------------------------------


def _tick(
    rule: Rule,
    algorithm: Algorithm,
    tasks: tuple[Site, Site],
    omega: Array,
    seed: Array,
    limits: Limits,
    state: State,
    draw: Draw,
) -> tuple[State, Row]:
    # Before the first look nothing is known: the step is zero, and only feasibility is asked for.
    looking = state.step < 0
    direction, value, merit = _mean(state.weights, state.parts)
    norm = jnp.sqrt(dot(direction, direction))
    if rule.exact:
        complete = jnp.all(state.weights > 0) & ~looking
        reason = jnp.where(value <= limits.target, int(Stop.GAP), int(Stop.RUNNING))
        reason = jnp.where(norm <= limits.tolerance, int(Stop.GRADIENT), reason)
        reason = jnp.where(complete, reason, int(Stop.RUNNING)).astype(jnp.int32)
    else:
        reason = jnp.zeros((), jnp.int32)
    update, memory = direction, state.memory
    if rule.optimizer is not None:
        update, memory = rule.optimizer.update(direction, state.memory, state.W)
        memory = jax.tree.map(partial(jnp.where, looking), state.memory, memory)
        update = jnp.where(looking, 0.0, update)
    if rule.scaled:
        update = -limits.rate * update
    slope = dot(direction, update)

    def good(t: Array, trial: Contribution, feasible: Array) -> Array:
        if not rule.armijo:
            return feasible
        new_direction, _, new_merit = _mean(state.weights, trial)
        falls = (new_merit < merit) & (new_merit <= merit + ARMIJO * t * slope)
        level = new_merit <= merit + ROUNDING * jnp.abs(merit)
        flat = dot(new_direction, update) <= (2 * ARMIJO - 1) * slope
        return feasible & (looking | ((slope < 0) & (falls | (level & flat))))

    def trying(search):
        _, halvings, _, _, found = search
        return ~found & (halvings <= HALVINGS)

    def attempt(search):
        t, halvings, _, _, _ = search
        W = state.W + t * update
        parts, feasible = _evaluate(rule, algorithm, tasks, seed, draw, W)
        found = good(t, parts, feasible)
        return jnp.where(found, t, 0.5 * t), halvings + ~found, W, parts, found

    def move(state: State) -> tuple[State, Row]:
        first = jnp.where(looking, 1.0, state.length) if rule.armijo else jnp.ones(())
        search = (first, jnp.zeros((), jnp.int32), state.W, state.parts, jnp.asarray(False))
        t, halvings, W, parts, found = lax.while_loop(trying, attempt, search)
        weights = draw.weights
        if weights is None:
            weights = algorithm.arrived(state.step + 1, omega) if rule.full else state.weights
        moved = State(
            W,
            parts,
            weights,
            memory,
            # After a step that was not halved the next one may be twice as long.
            jnp.where(halvings == 0, jnp.minimum(2 * t, 1.0), t),
            state.step + 1,
            state.backtracks + halvings,
            state.skipped + jnp.sum(~parts.feasible, dtype=jnp.int32),
            state.reason,
        )
        stuck = eqx.tree_at(
            lambda s: (s.reason, s.backtracks),
            state,
            (jnp.full((), int(Stop.STUCK), jnp.int32), state.backtracks + halvings),
        )
        after = jax.tree.map(lambda a, b: jnp.where(found, a, b), moved, stuck)
        return after, Row(value, norm, t, halvings)

    def end(state: State) -> tuple[State, Row]:
        nothing = jnp.zeros((), jnp.int32)
        return eqx.tree_at(lambda s: s.reason, state, reason), Row(value, norm, jnp.zeros(()), nothing)

    return lax.cond(reason == 0, move, end, state)


def _segment(
    rule: Rule,
    algorithm: Algorithm,
    tasks: tuple[Site, Site],
    omega: Array,
    seed: Array,
    limits: Limits,
    state: State,
    draws: Draw,
) -> tuple[State, Row]:
    """Up to SEGMENT ticks; rows of ticks that were not taken hold rubbish."""

    def one(state: State, draw: Draw) -> tuple[State, Row]:
        # After a stop, and before the place where a run is resumed, a tick is passed over.
        due = (state.reason == 0) & (state.step == draw.number) & (draw.number < limits.steps)
        tick = partial(_tick, rule, algorithm, tasks, omega, seed, limits)
        zero = jnp.zeros(())
        passed = Row(zero, zero, zero, jnp.zeros((), jnp.int32))
        return lax.cond(due, tick, lambda state, _: (state, passed), state, draw)

    return lax.scan(one, state, draws)


_run_segment = jax.jit(_segment, static_argnums=0)


@partial(jax.jit, static_argnums=0)
def _run_segments(
    rule: Rule,
    algorithm: Algorithm,
    tasks: tuple[Site, Site],
    omega: Array,
    seed: Array,
    limits: Limits,
    states: State,
    draws: Draw,
) -> tuple[State, Row]:
    """The same from many points at once, all with the same batches."""
    return jax.vmap(lambda state: _segment(rule, algorithm, tasks, omega, seed, limits, state, draws))(
        states
    )


@jax.jit
def _summary(
    algorithm: Algorithm, tasks: tuple[Site, Site], omega: Array, W: Array
) -> tuple[Array, Array, Array, Array]:
    """Σ ω f, ‖Σ ω d‖ and the merit over the whole family at W, and f task by task."""
    parts = _everywhere(algorithm, tasks, W)
    direction, value, merit = _mean(omega, parts)
    infinite = ~jnp.all(parts.feasible)
    value = jnp.where(infinite, jnp.inf, value)
    return value, jnp.sqrt(dot(direction, direction)), merit, parts.value


# --- the optimiser ---------------------------------------------------------------------------

OPTIMIZERS = ("sgd", "momentum", "adam", "rmsprop", "adagrad", "lion")
"""Names understood for the outer optimiser; any other Optax transformation can be given as an object."""


@lru_cache
def _named(name: str) -> Any:
    """An Optax transformation without its learning rate; one object a name, so that jit knows it."""
    import optax

    return {
        "momentum": partial(optax.trace, decay=0.9),
        "adam": optax.scale_by_adam,
        "rmsprop": optax.scale_by_rms,
        "adagrad": optax.scale_by_rss,
        "lion": optax.scale_by_lion,
    }[name]()


def _rule(optimizer: Any, *, armijo: bool, full: bool, stochastic: bool) -> Rule:
    if isinstance(optimizer, str):
        if optimizer not in OPTIMIZERS:
            raise ProblemError(f"optimizer: no {optimizer!r}; there are {', '.join(OPTIMIZERS)}")
        # A constant step needs no optimiser, and the import of Optax would cost a tenth of a second.
        made = None if optimizer == "sgd" else _named(optimizer)
        return Rule(made, True, armijo, full, stochastic)
    if not (hasattr(optimizer, "init") and hasattr(optimizer, "update")):
        raise ProblemError(
            f"optimizer: expected a name ({', '.join(OPTIMIZERS)}) or an Optax transformation, got "
            f"{type(optimizer).__name__}"
        )
    return Rule(optimizer, False, armijo, full, stochastic)


# --- the course ------------------------------------------------------------------------------

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
        one = tasks[0]
        key = jax.random.key(seed) if _is_sampled(one) else None
        stochastic = key is not None
        self.rule = _rule(optimizer, armijo=armijo, full=full, stochastic=stochastic)
        if armijo and not algorithm.has_merit:
            raise ProblemError(
                f"armijo: the directions of {algorithm.name} are the gradient of no function, so there is "
                "nothing to search along; use a constant step"
            )
        if armijo and not self.rule.exact:
            raise ProblemError(
                "armijo: it compares the objective at two points, which needs the same tasks and samples "
                "at both; leave out the batch, or use a constant step"
            )
        if getattr(algorithm, "every", None) is not None and not full:
            raise ProblemError("batch: FTML uses all tasks that have arrived; leave out the batch")
        self.tasks = self._sites(tasks)
        self.omega = tasks.weights
        self.key = jnp.zeros(()) if key is None else key
        self.rate = jnp.asarray(float(beta))

    def _sites(self, tasks: TaskStack) -> tuple[Site, Site]:
        return site(tasks.tasks.f, self.layout), site(tasks.tasks.g, self.layout)

    def before(self, start: Any) -> State:
        """The state before the first tick, which looks at the start and moves nothing.

        Raises:
            ProblemError: the start has another shape, or numbers that are not finite.
        """
        W, b = self._array(start), self.batch
        zeros, yes = np.zeros(b), np.ones(b, bool)
        parts = Contribution(np.zeros((b, *W.shape)), zeros, zeros, yes)
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
            ProblemError: the snapshot is of another run.
        """
        like, structure = jax.tree.flatten(self.before(start))
        alike = len(like) == len(snapshot.leaves) and all(
            np.shape(a) == b.shape and np.asarray(a).dtype == b.dtype
            for a, b in zip(like, snapshot.leaves, strict=True)
        )
        if not alike:
            raise ProblemError("resume: the checkpoint holds arrays of other shapes than this run")
        return jax.tree.unflatten(structure, [jnp.asarray(leaf) for leaf in snapshot.leaves])

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
            tasks = jax.tree.map(lambda x: x.reshape(*shape, *x.shape[1:]), self._sites(stack))
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
        value, norm, merit, each = _summary(self.algorithm, self.tasks, self.omega, W)
        return float(value), float(norm), float(merit), np.asarray(each)

    def run(
        self,
        start: Any,
        *,
        steps: int,
        tolerance: float = 0.0,
        seconds: float | None = None,
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
            seconds: end at the first segment after so many seconds.
            gap: a certified upper bound of h(W) − inf h, asked for where value − floor suggests
                that it is within `gap_tolerance`.
            floor: a lower bound of the value, in floating point.
            gap_tolerance: end where the gap is at most this.
            resume: a snapshot of a run of the same settings.
            save: called with a snapshot after every segment.
            progress: called with (steps, value, norm, backtracks) after every segment.
        """
        began = time.perf_counter()
        if steps < 0:
            raise ProblemError(f"steps: must not be negative, got {steps}")
        state = self.before(start) if resume is None else self.resume(resume, start)
        rows = [] if resume is None else [resume.rows]
        target = floor + gap_tolerance if gap is not None else -float("inf")
        reason = Stop(int(state.reason))
        while reason is Stop.RUNNING:
            before = int(state.step)
            if before >= steps:
                reason = Stop.STEPS
                break
            state, found = _run_segment(
                self.rule, self.algorithm, self.tasks, self.omega, self.key,
                self._limits(steps, tolerance, target), state, self._draw((before + 1) // SEGMENT),
            )  # fmt: skip
            after, reason = int(state.step), Stop(int(state.reason))
            if after < 0:
                raise InfeasibleStart(
                    "start: some task is infeasible there, before or after adaptation; give another "
                    "start, or a smaller eta"
                )
            first = (before + 1) % SEGMENT
            taken = slice(first + (before < 0), first + after - before)
            rows.append(np.stack([np.asarray(x, float) for x in found])[:, taken])
            if reason is Stop.GAP and gap is not None:
                if not gap(self.layout.unravel(state.W)) <= gap_tolerance:
                    # The bound in floating point was too hopeful: ask again a little further down.
                    target -= 0.1 * abs(gap_tolerance)
                    reason = Stop.RUNNING
                    state = eqx.tree_at(lambda s: s.reason, state, jnp.zeros((), jnp.int32))
            elif reason is Stop.RUNNING and not self.rule.exact and tolerance > 0:
                reason = Stop.GRADIENT if self.summary(state.W)[1] <= tolerance else reason
            if progress is not None and rows[-1].size:
                value, norm = rows[-1][:2, -1]
                progress(after, float(value), float(norm), int(state.backtracks))
            if save is not None:
                save(_snapshot(state, rows))
            late = seconds is not None and time.perf_counter() - began > seconds
            if reason is Stop.RUNNING and late:
                reason = Stop.TIME
        return self._ended(state, rows, reason, time.perf_counter() - began)

    def _ended(self, state: State, rows: list[np.ndarray], reason: Stop, seconds: float) -> Ended:
        direction, last, merit = (np.asarray(x) for x in _host_mean(state))
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
        self, starts: Float[np.ndarray, N *p], *, steps: int, tolerance: float = 0.0
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Train from many starts at once: where each ends, ‖Σ ω d‖ of its batch there, and its `Stop`.

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
            states, _ = _run_segments(
                self.rule, self.algorithm, self.tasks, self.omega, self.key, limits, states,
                self._draw(block),
            )  # fmt: skip
        weights, each = np.asarray(states.weights), np.asarray(states.parts.direction)
        directions = (weights.reshape(*weights.shape, *(1,) * (each.ndim - 2)) * each).sum(axis=1)
        norms = np.linalg.norm(np.asarray(directions).reshape(len(starts), -1), axis=1)
        reason = np.asarray(states.reason)
        reason = np.where(reason == Stop.RUNNING, int(Stop.STEPS), reason)
        return np.asarray(states.W), norms, reason


def _host_mean(state: State) -> tuple[Any, Any, Any]:
    """`_mean` without compiling anything."""
    parts = jax.tree.map(np.asarray, state.parts)
    there = np.where(parts.feasible, np.asarray(state.weights), 0.0)
    share = there * (np.sum(state.weights) / max(np.sum(there), np.finfo(float).tiny))

    def mean(values: np.ndarray) -> np.ndarray:
        return np.tensordot(
            share, np.where(share.reshape(-1, *(1,) * (values.ndim - 1)) > 0, values, 0.0), 1
        )

    return mean(parts.direction), mean(parts.value), mean(parts.merit)


def _snapshot(state: State, rows: list[np.ndarray]) -> Snapshot:
    leaves = tuple(np.asarray(leaf) for leaf in jax.tree.leaves(state))
    return Snapshot(leaves, np.concatenate([np.zeros((4, 0)), *rows], axis=1))


def _is_sampled(task: Any) -> bool:
    """Whether there is chance in a cost: one without it gives itself back for another key."""
    key = jax.random.key(0)
    return any(cost.resample(key) is not cost for cost in (task.f, task.g))
