"""One meta-step, and whole segments of them under one `jit`.

A tick is one meta-step w ← w + t·u, u what the optimiser makes of Σ ω_τ d_τ(w). The trial point is
evaluated at once with the next batch, and what was found there is the next tick's direction, so that
a step costs one evaluation. t is halved until every task of the family is feasible at the trial point
(and, with Armijo's rule, until the objective falls enough); nothing infinite is ever stepped on.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import partial
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
from benign.tasks.task import AbstractTask

SEGMENT = 128
"""Ticks of one compiled call. The clock is read and a checkpoint can be written between two."""

ARMIJO = 1e-4
"""The share of the predicted decrease that Armijo's rule asks for."""

ROUNDING = 1e-12
"""A change below this multiple of the objective may be rounding; near the minimum the slope at the
trial point decides instead (W. Hager, H. Zhang, SIAM J. Optim. 16 (2005) 170–192, "approximate Wolfe").
"""

CHUNK = 2048
"""Tasks evaluated at once; more go one chunk after another, in memory that does not grow with them."""


class InfeasibleStartError(ProblemError):
    """Some task has no finite cost at the start, before or after adaptation."""


class Stop(IntEnum):
    """Why a run ended."""

    RUNNING = 0
    GRADIENT = 1
    GAP = 2
    STEPS = 3
    TIME = 4
    STUCK = 5
    INTERRUPTED = 6

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
    Stop.INTERRUPTED: "it was interrupted",
    Stop.STUCK: (
        "no step along the update, however short, is feasible and lowers the objective enough: a "
        "minimum to rounding, a rim or a jump, or an update of the optimizer that points uphill"
    ),
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

    value: Any
    norm: Any
    length: Any
    halvings: Any


class Draw(NamedTuple):
    """The tick's number, and the batch that the next one uses: positions, or tasks of a sampler."""

    number: Any
    index: Any
    weights: Any
    tasks: Any


class Limits(NamedTuple):
    """Where a run is to end; numbers that compile nothing anew."""

    tolerance: Any
    target: Any
    steps: Any
    rate: Any


@dataclass(frozen=True)
class Rule:
    """What is compiled in: how a step is made of a direction, and which batches there are.

    Attributes:
        layout: how the parameters lie in one array.
        optimizer: an Optax transformation, or None for u = −βd.
        scaled: whether the optimiser's output is multiplied by −β (it is, for those chosen by name).
        armijo: whether t is found by Armijo's rule.
        full: whether every batch holds all tasks of the family, in their order.
        stochastic: whether the costs are sampled anew in every tick.
    """

    layout: Layout
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


def _sites(rule: Rule, tasks: AbstractTask) -> tuple[Site, Site]:
    """The costs of stacked tasks as the algorithms see them; under `jit`, for the sake of speed."""
    return site(tasks.f, rule.layout), site(tasks.g, rule.layout)


def _everywhere(algorithm: Algorithm, tasks: tuple[Site, Site], W: Array) -> Contribution:
    """The contributions of all tasks, in chunks if they are many."""
    count = jax.tree.leaves(tasks)[0].shape[0]
    if count <= CHUNK:
        return over_tasks(algorithm, *tasks, W)
    chunks = -(-count // CHUNK)
    # Pad with the last task: a remainder would be compiled as a program of its own.
    index = np.minimum(np.arange(chunks * CHUNK), count - 1).reshape(chunks, CHUNK)

    def chunk(i: Array) -> Contribution:
        f, g = jax.tree.map(lambda x: jnp.take(x, i, axis=0), tasks)
        return over_tasks(algorithm, f, g, W)

    parts = lax.map(chunk, jnp.asarray(index))
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
        batch = _sites(rule, draw.tasks)
    elif not rule.full:
        batch = jax.tree.map(lambda x: jnp.take(x, draw.index, axis=0), tasks)
    if rule.stochastic:
        batch = _resampled(batch, draw.number + 1, seed)
    parts = _everywhere(algorithm, batch, W)
    # Nothing but feasibility is used of this second evaluation, so that nothing else is computed.
    watched = parts if rule.full else _everywhere(algorithm, tasks, W)
    return parts, jnp.all(watched.feasible)


# --- a tick, a segment -----------------------------------------------------------------------


class _Step(NamedTuple):
    """A tick's step before its length is known.

    Attributes:
        update: u, of which W moves by t u.  slope: its product with the direction.
        value, norm, merit: Σ ω f, ‖Σ ω d‖ and the algorithm's own objective at W.
        memory: the state of the optimiser afterwards.
        looking: whether this is the first look: the step is zero, and only feasibility is asked for.
    """

    update: Array
    slope: Array
    value: Array
    norm: Array
    merit: Array
    memory: Any
    looking: Array


def _step(rule: Rule, limits: Limits, state: State) -> _Step:
    looking = state.step < 0
    direction, value, merit = _mean(state.weights, state.parts)
    update, memory = direction, state.memory
    if rule.optimizer is not None:
        update, memory = rule.optimizer.update(direction, state.memory, state.W)
        memory = jax.tree.map(partial(jnp.where, looking), state.memory, memory)
        update = jnp.where(looking, 0.0, update)
    if rule.scaled:
        update = -limits.rate * update
    norm = jnp.sqrt(dot(direction, direction))
    return _Step(update, dot(direction, update), value, norm, merit, memory, looking)


def _reason(rule: Rule, limits: Limits, state: State, step: _Step) -> Int[Array, ""]:
    """Why the run ends here, if it does."""
    if not rule.exact:
        return jnp.zeros((), jnp.int32)
    reason = jnp.where(step.value <= limits.target, int(Stop.GAP), int(Stop.RUNNING))
    reason = jnp.where(step.norm <= limits.tolerance, int(Stop.GRADIENT), reason)
    complete = jnp.all(state.weights > 0) & ~step.looking
    return jnp.where(complete, reason, int(Stop.RUNNING)).astype(jnp.int32)


def _accepted(
    rule: Rule, state: State, step: _Step, t: Array, trial: Contribution, feasible: Array
) -> Bool[Array, ""]:
    """Whether a step of length t does: it is feasible and, with Armijo's rule, lowers the merit."""
    if not rule.armijo:
        return feasible
    merit, slope = step.merit, step.slope
    new_direction, _, new_merit = _mean(state.weights, trial)
    falls = (new_merit < merit) & (new_merit <= merit + ARMIJO * t * slope)
    level = new_merit <= merit + ROUNDING * jnp.abs(merit)
    flat = dot(new_direction, step.update) <= (2 * ARMIJO - 1) * slope
    return feasible & (step.looking | ((slope < 0) & (falls | (level & flat))))


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
    step = _step(rule, limits, state)
    reason = _reason(rule, limits, state, step)

    def trying(search):
        t, halvings, _, _, found = search
        # Until the step is below the last bit of all of W: relative to the size the problem has.
        moves = (t > 0) & jnp.any(state.W + t * step.update != state.W)
        return ~found & ((halvings == 0) | moves)

    def attempt(search):
        t, halvings, _, _, _ = search
        W = state.W + t * step.update
        parts, feasible = _evaluate(rule, algorithm, tasks, seed, draw, W)
        found = _accepted(rule, state, step, t, parts, feasible)
        return jnp.where(found, t, 0.5 * t), halvings + ~found, W, parts, found

    def move(state: State) -> tuple[State, Row]:
        first = jnp.where(step.looking, 1.0, state.length) if rule.armijo else jnp.ones(())
        search = (first, jnp.zeros((), jnp.int32), state.W, state.parts, jnp.asarray(False))
        t, halvings, W, parts, found = lax.while_loop(trying, attempt, search)
        weights = draw.weights
        if weights is None:
            weights = algorithm.arrived(state.step + 1, omega) if rule.full else state.weights
        moved = State(
            W,
            parts,
            weights,
            step.memory,
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
        return after, Row(step.value, step.norm, t, halvings)

    def end(state: State) -> tuple[State, Row]:
        nothing = jnp.zeros((), jnp.int32)
        row = Row(step.value, step.norm, jnp.zeros(()), nothing)
        return eqx.tree_at(lambda s: s.reason, state, reason), row

    return lax.cond(reason == 0, move, end, state)


def _segment(
    rule: Rule,
    algorithm: Algorithm,
    tasks: AbstractTask,
    omega: Array,
    seed: Array,
    limits: Limits,
    state: State,
    draws: Draw,
) -> tuple[State, Row]:
    """Up to SEGMENT ticks; rows of ticks that were not taken hold rubbish."""
    sites = _sites(rule, tasks)

    def one(state: State, draw: Draw) -> tuple[State, Row]:
        # After a stop, and before the place where a run is resumed, a tick is passed over.
        due = (state.reason == 0) & (state.step == draw.number) & (draw.number < limits.steps)
        tick = partial(_tick, rule, algorithm, sites, omega, seed, limits)
        zero = jnp.zeros(())
        passed = Row(zero, zero, zero, jnp.zeros((), jnp.int32))
        return lax.cond(due, tick, lambda state, _: (state, passed), state, draw)

    return lax.scan(one, state, draws)


run_segment = jax.jit(_segment, static_argnums=0)


@partial(jax.jit, static_argnums=0)
def run_segments(
    rule: Rule,
    algorithm: Algorithm,
    tasks: AbstractTask,
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


@partial(jax.jit, static_argnums=0)
def summary(
    rule: Rule, algorithm: Algorithm, tasks: AbstractTask, omega: Array, W: Array
) -> tuple[Array, Array, Array, Array]:
    """Σ ω f, ‖Σ ω d‖ and the merit over the whole family at W, and f task by task."""
    parts = _everywhere(algorithm, _sites(rule, tasks), W)
    direction, value, merit = _mean(omega, parts)
    infinite = ~jnp.all(parts.feasible)
    value = jnp.where(infinite, jnp.inf, value)
    return value, jnp.sqrt(dot(direction, direction)), merit, parts.value


def host_mean(state: State) -> tuple[Any, Any, Any]:
    """`_mean` without compiling anything."""
    parts, weights = jax.tree.map(np.asarray, (state.parts, state.weights))
    there = np.where(parts.feasible, weights, 0.0)
    share = there * (np.sum(weights) / max(np.sum(there), np.finfo(float).tiny))

    def mean(values: np.ndarray) -> np.ndarray:
        return np.tensordot(
            share, np.where(share.reshape(-1, *(1,) * (values.ndim - 1)) > 0, values, 0.0), 1
        )

    return mean(parts.direction), mean(parts.value), mean(parts.merit)
