"""h and its derivatives for one or two states over a batch of gains: loops around `closed`.

Two layouts of one arithmetic. *Wide*: the gains of a tile side by side, one small tile of tasks after
another, whose numbers are then scalars in registers. *Deep*, for few gains and many tasks: the tasks of
a tile side by side, gain after gain. Neither holds more than a tile times the numbers of a result.
"""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from benign.exact.problem import StepKind
from benign.linalg.powers import unknown_truth
from benign.meta.kernels.closed import (
    Scalars,
    Stages,
    Task,
    at,
    combine,
    cost,
    flat,
    matrix,
    move,
    pack,
    pull,
    scalars,
    unpack,
)
from benign.meta.kernels.order import Order, Tasks, tiles_of
from benign.tasks.regulator import Regulator


def _gains(kind: StepKind, shots: int, eta: Array, g: Task, W: Scalars, stage: Stages) -> list[Scalars]:
    """W and the gain after each shot."""
    gains = [W]
    for _ in range(shots):
        gains.append(stage(lambda W: move(kind, eta, at(g, W), W), gains[-1]))
    return gains


def task_results(order: Order, eta: Array, f: Task, g: Task, W: Scalars, stage: Stages) -> list[Array]:
    """f(F(W)), +∞ where infeasible, and, if asked for, the entries of ∇(f∘F)(W)."""
    kind, shots = order.kind, order.shots
    *before, adapted = _gains(kind, shots, eta, g, W, stage)
    value = cost(f, adapted)
    if order.results == "value":
        return [value]
    v = stage(lambda W: at(f, W).gradient(), adapted)
    for gain in before[:0:-1]:
        v = stage(lambda W, v: pull(kind, eta, at(g, W), v), gain, v)
    return [value, *flat(pull(kind, eta, at(g, before[0]), v))]


def task_derivatives(
    order: Order, eta: Array, f: Task, g: Task, W: Scalars, E: Scalars, stage: Stages
) -> list[Array]:
    """f(F(W)) as above, and ∇²(f∘F)(W)[E] by forward differentiation of the gradient."""

    def gradient(*entries: Array) -> list[Array]:
        return task_results(order, eta, f, g, matrix(entries, len(W)), stage)

    results, moved = jax.jvp(gradient, tuple(flat(W)), tuple(flat(E)))
    return [results[0], *moved[1:]]


# --- over the tasks ---------------------------------------------------------------------------


def together(k: int, shape: tuple[int, int]) -> int:
    """How many of k tasks share a loop over gains: the fewest passes, the last one being padded.

    For a gain of one number a pass costs as much as a third of a task's arithmetic besides, and four
    tasks in one take 0.85 of the time. For more numbers it is not worth what it takes to compile.
    """
    if shape != (1, 1):
        return 1
    return min(range(1, MOST_TOGETHER + 1), key=lambda g: -(-k // g) * (g + 0.3))


MOST_TOGETHER = 6
"""Beyond that a loop gains nothing more and takes longer to compile."""


def _layout(order: Order, shape: tuple[int, int], eta: Array) -> tuple[bool, Stages]:
    """Whether results go in pairs, and what keeps the shots apart; see `closed`."""
    pairs = order.results != "value"
    apart = pairs and order.barriers and order.shots > 1 and shape[1] == 2
    return pairs, Stages(unknown_truth(eta), apart=apart)


def _weighted(weight: Array, results: Sequence[Array]) -> list[Array]:
    """ω times each result; a weight of zero does not make an infeasible task feasible."""
    value = results[0]
    first = jnp.where(value < jnp.inf, weight * value, jnp.inf)
    return [first, *(weight * x for x in results[1:])]


def _masked(total: Sequence[Array]) -> tuple[Array, Array]:
    """The value, and the rest stacked first, zeros where the value is infinite."""
    value = total[0]
    feasible = value < jnp.inf
    rest = [jnp.where(feasible, x, 0.0) for x in total[1:]]
    value = jnp.where(feasible, value, jnp.inf)
    return value, jnp.stack(rest) if rest else jnp.zeros((0, *value.shape))


def _tile(order: Order, tasks: Tasks, weights: Array, W: Array, E: Array | None):
    """Values (T,) and further results (r, T) for gains W and directions E, (m, n, T) each.

    Weights are (tiles, tile) or (tiles, tile, T).
    """
    m, n, T = W.shape
    count = order.count((m, n))
    pairs, stage = _layout(order, (m, n), tasks.eta)

    def several(packed: tuple[Array, ...], numbers):
        total = unpack(packed, count)
        for i in range(weights.shape[1]):
            f, g, weight = jax.tree.map(lambda X: X[i], numbers)  # noqa: B023
            results = _one(order, tasks.eta, f, g, scalars(W), E, stage, first=0)
            total = list(map(jnp.add, total, _weighted(weight, results)))
        return pack(total, pairs=pairs), None

    start = pack([jnp.zeros(T)] * count, pairs=pairs)
    total = _passes(several, start, (tasks.f, tasks.g, weights), tasks.eta)
    return _masked(unpack(total, count))


def _one_gain(order: Order, tasks: Tasks, weights: Array, W: Array, E: Array | None):
    """The value and further results (r,) of one gain (m, n); the tasks of a tile side by side."""
    m, n = W.shape
    count = order.count((m, n))
    pairs, stage = _layout(order, (m, n), tasks.eta)
    if E is not None:
        E = E[..., None]

    def tile(total: tuple[Array, ...], numbers):
        f, g, weight = numbers
        spread = [[jnp.broadcast_to(x, weight.shape) for x in row] for row in scalars(W)]
        results = _one(order, tasks.eta, f, g, spread, E, stage, first=1)
        return tuple(map(jnp.add, total, pack(_weighted(weight, results), pairs=pairs))), None

    start = pack([jnp.zeros(weights.shape[1:])] * count, pairs=pairs)
    total = _passes(tile, start, (tasks.f, tasks.g, weights), tasks.eta)
    return _masked([jnp.sum(x) for x in unpack(total, count)])


def _one(
    order: Order, eta: Array, f: Regulator, g: Regulator | None, W: Scalars, E: Array | None,
    stage: Stages, first: int,
) -> list[Array]:  # fmt: skip
    """The results of one task, or of a tile of them along the axis before `first`."""

    def task(r: Regulator) -> Task:
        A, B, Q, R, S0 = (scalars(X, first) for X in (r.A, r.B, r.Q, r.R, r.S0))
        return Task(A, B, Q, R, S0, None if r.T is None else scalars(r.T, first))

    F = task(f)
    G = F if g is None else task(g)
    if E is None:
        return task_results(order, eta, F, G, W, stage)
    direction = combine(lambda e, w: jnp.broadcast_to(e, w.shape), scalars(E), W)
    return task_derivatives(order, eta, F, G, W, direction, stage)


def _passes(body, start: tuple[Array, ...], numbers, eta: Array) -> tuple[Array, ...]:
    """The first result of `lax.scan(body, start, numbers)`.

    XLA writes out a loop of a single pass and fuses it with what is around it: the Hessian of one task
    with four numbers in a gain then compiles for minutes, where as a loop it takes four seconds.
    """
    if jax.tree.leaves(numbers)[0].shape[0] > 1:
        return lax.scan(body, start, numbers)[0]
    first = jax.tree.map(lambda X: X[0], numbers)
    once = jnp.where(unknown_truth(eta), 1, 0)  # XLA cannot know that it is
    return lax.fori_loop(0, once, lambda i, total: body(total, first)[0], start)


# --- over the gains ---------------------------------------------------------------------------


def _all_directions(order: Order, run, W: Array, shape: tuple[int, ...]):
    """`run` with E = each unit matrix in turn: the value, and the Hessian's rows one after another."""
    if order.results != "hessian":
        return run(W, None)
    basis = jnp.eye(shape[0] * shape[1]).reshape(-1, *shape)
    values, rows = lax.map(lambda E: run(W, E), basis)
    return values[0], rows.reshape(-1, *rows.shape[2:])


def lay_out_wide(order: Order, eta: Array, f: Regulator, g: Regulator | None, weights: Array) -> Tasks:
    """k stacked tasks for `wide`, a few together."""
    k, n, m = f.B.shape
    return tiles_of(eta, f, g, weights, together(k, (m, n)))


def wide(
    order: Order, tasks: Tasks, own: Array | None, W: Array, E: Array | None, count: Array
) -> tuple[Array, Array]:
    """Values (C,) and further results (C, r) of the first `count` of the gains W, (C, m, n).

    Args:
        order: what is wanted; its tile divides C.
        tasks: as `lay_out_wide` leaves them.
        own: (C, k), if every gain has weights of its own.
        W, E: gains and, for Hessian products, directions.
        count: how many of them there are; the rest is padding and is not computed.
    """
    (C, m, n), T = W.shape, order.tile

    def tiles(X: Array) -> Array:
        return jnp.moveaxis(X.reshape(C // T, T, *X.shape[1:]), 1, -1)

    weights = None if own is None else tiles(tasks.given(own))
    inputs = (tiles(W), None if E is None else tiles(E), weights)

    def tile(i: Array, out: tuple[Array, Array]) -> tuple[Array, Array]:
        W, E, w = jax.tree.map(lambda X: X[i], inputs)

        def run(W: Array, unit: Array | None):
            direction = E if unit is None else unit[..., None]
            return _tile(order, tasks, tasks.weights if own is None else w, W, direction)

        results = _all_directions(order, run, W, (m, n))
        return out[0].at[i].set(results[0]), out[1].at[i].set(results[1])

    rest = order.rest((m, n))
    out = (jnp.full((C // T, T), jnp.inf), jnp.zeros((C // T, rest, T)))
    values, results = lax.fori_loop(0, (count + T - 1) // T, tile, out)
    return values.reshape(C), jnp.moveaxis(results, 1, -1).reshape(C, rest)


def lay_out_deep(order: Order, eta: Array, f: Regulator, g: Regulator | None, weights: Array) -> Tasks:
    """k stacked tasks for `deep`, a tile side by side."""
    return tiles_of(eta, f, g, weights, order.tile)


def deep(
    order: Order, tasks: Tasks, own: Array | None, W: Array, E: Array | None, count: Array
) -> tuple[Array, Array]:
    """As `wide`, for few gains and many tasks: the tile is one of tasks."""
    C, m, n = W.shape
    weights = tasks.given(own)

    def gain(i: Array, out: tuple[Array, Array]) -> tuple[Array, Array]:
        direction = None if E is None else E[i]
        w = weights if own is None else weights[i]

        def run(W: Array, unit: Array | None):
            return _one_gain(order, tasks, w, W, direction if unit is None else unit)

        results = _all_directions(order, run, W[i], (m, n))
        return out[0].at[i].set(results[0]), out[1].at[i].set(results[1])

    out = (jnp.full(C, jnp.inf), jnp.zeros((C, order.rest((m, n)))))
    return lax.fori_loop(0, count, gain, out)
