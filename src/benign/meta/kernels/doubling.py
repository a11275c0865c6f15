"""h and its derivatives for three and more states: tiles of pairs of a gain and a task.

Value and gradient of a pair are two equations at W for the first shot, two at F(W), and two more at W
for the Hessian product, each pair of equations sharing its powers (`linalg.powers`). Everything else
is a few products. A tile holds every task, or a tile of them, for as many gains as make it wide enough
for the processor and narrow enough for its cache.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from benign.exact.problem import StepKind
from benign.linalg.powers import LAST, Layout, solve, solve_again, unknown_truth
from benign.meta.kernels.order import Order, Tasks, tiles_of
from benign.tasks.regulator import Regulator

CHUNK = 256
"""Gains given to the compiled code at once."""


class Loop(NamedTuple):
    """What `ClosedLoop` holds, for a tile, and how many squarings its equations take."""

    stable: Array
    steps: Array
    L: Array
    P: Array
    Sigma: Array
    M: Array
    G: Array


@dataclass(frozen=True)
class Arithmetic:
    """LQR costs of a tile, in a layout.

    The factors of a product are computed `apart`, or XLA would compute them for every entry again.
    """

    layout: Layout
    always: Array

    def _apart(self, function, *given: Array):
        return self.layout.apart(self.always, function, *given)

    def _set_up(self, task: Regulator, W: Array) -> tuple[Array, Array]:
        """L and Q + W'RW, W − T in the place of W where it is paid for."""
        product, transpose = self.layout.product, self.layout.transpose

        def both(W: Array) -> tuple[Array, Array]:
            paid = task.paid(W)
            price = product(transpose(paid), product(task.R, paid))
            return task.A - product(task.B, W), task.Q + price

        L, cost = self._apart(both, W)
        return L, cost

    def at(self, task: Regulator, W: Array) -> Loop:
        """The closed loop under the gain W; zeros for L, P and Σ where it does not stabilise."""
        product, transpose = self.layout.product, self.layout.transpose
        L, cost = self._set_up(task, W)
        weights = self.layout.unit_weights(L, task.S0)
        stable, steps, (P, Sigma) = solve(
            self.layout, (True, False), self.always, L, (cost, task.S0), weights
        )
        mask = self.layout.each(stable)
        L = jnp.where(mask, L, 0.0)
        (BP,) = self._apart(lambda P: (product(transpose(task.B), P),), P)

        def rest(W: Array, L: Array, BP: Array) -> tuple[Array, Array]:
            return task.R + product(BP, task.B), product(task.R, task.paid(W)) - product(BP, L)

        M, G = self._apart(rest, jnp.where(mask, W, 0.0), L, BP)
        return Loop(stable, steps, L, P, Sigma, M, G)

    def cost(self, task: Regulator, W: Array) -> tuple[Array, Array]:
        """Whether W stabilises, and C(W) = tr(P S0)."""
        L, right = self._set_up(task, W)
        weights = self.layout.unit_weights(L, task.S0)
        stable, _, (P,) = solve(self.layout, (True,), self.always, L, (right,), weights)
        return stable, self.layout.inner(P, task.S0)

    def gradient(self, loop: Loop) -> Array:
        """∇C = 2 G Σ."""
        return self._apart(lambda G, S: (2 * self.layout.product(G, S),), loop.G, loop.Sigma)[0]

    def hessian_product(self, B: Array, loop: Loop, E: Array) -> Array:
        """∇²C[E], as `ClosedLoop.hessian_product`."""
        product, transpose = self.layout.product, self.layout.transpose

        def first(E: Array, G: Array, Sigma: Array) -> tuple[Array, Array]:
            return product(transpose(E), G), product(E, Sigma)

        def then(EG: Array, ES: Array, L: Array) -> tuple[Array, Array]:
            return EG + transpose(EG), product(ES, transpose(L))

        def last(ESL: Array) -> tuple[Array]:
            return (product(B, ESL),)

        EG, ES = self._apart(first, E, loop.G, loop.Sigma)
        right, ESL = self._apart(then, EG, ES, loop.L)
        (moved,) = self._apart(last, ESL)
        rights = (right, -moved - transpose(moved))
        dP, dSigma = solve_again(self.layout, (True, False), self.always, loop.steps, loop.L, rights)
        (BP,) = self._apart(lambda dP: (product(transpose(B), dP),), dP)
        (dG,) = self._apart(
            lambda M, E, BP, L: (product(M, E) - product(BP, L),), loop.M, E, BP, loop.L
        )
        (H,) = self._apart(
            lambda dG, S, G, dS: (2 * (product(dG, S) + product(G, dS)),),
            dG, loop.Sigma, loop.G, dSigma,
        )  # fmt: skip
        return H

    def direction(self, gradient: Array) -> tuple[Array, Array]:
        """1/‖∇g‖ and ∇g/‖∇g‖ as in `meta.adaptation`: zeros where ∇g = 0."""
        each = self.layout.each
        scale = lax.stop_gradient(self.layout.largest(gradient))
        moving = scale > 0
        safe = jnp.where(moving, scale, 1.0)
        scaled = jnp.where(each(moving), gradient / each(safe), 1.0)
        norm = jnp.sqrt(self.layout.inner(scaled, scaled))
        unit = jnp.where(each(moving), scaled / each(norm), 0.0)
        return jnp.where(moving, 1 / (norm * safe), 0.0), unit

    def move(self, kind: StepKind, eta: Array, loop: Loop, W: Array) -> Array:
        """One shot from W."""
        gradient = self.gradient(loop)
        return W - eta * (gradient if kind == "gradient" else self.direction(gradient)[1])

    def pull(self, kind: StepKind, eta: Array, task: Regulator, loop: Loop, v: Array) -> Array:
        """The adjoint of the derivative of one shot, applied to v."""
        if kind == "gradient":
            return v - eta * self.hessian_product(task.B, loop, v)
        each = self.layout.each
        inverse, u = self.direction(self.gradient(loop))
        across = v - u * each(self.layout.inner(u, v))
        return v - eta * each(inverse) * self.hessian_product(task.B, loop, across)


def pair_results(
    order: Order, arithmetic: Arithmetic, eta: Array, f: Regulator, g: Regulator, W: Array
) -> tuple[Array, Array, Array]:
    """Whether each pair of the tile is feasible, f(F(W)), and ∇(f∘F)(W)."""

    def shot(W: Array, _: None) -> tuple[Array, Loop]:
        loop = arithmetic.at(g, W)
        return arithmetic.move(order.kind, eta, loop, W), loop

    adapted, loops = lax.scan(shot, W, None, length=order.shots)
    feasible = jnp.all(loops.stable, axis=0)
    if order.results == "value":
        stable, value = arithmetic.cost(f, adapted)
        return feasible & stable, value, W[:0] if arithmetic.layout.last else W[:, :0]
    last = arithmetic.at(f, adapted)

    def pull(v: Array, loop: Loop) -> tuple[Array, None]:
        return arithmetic.pull(order.kind, eta, g, loop, v), None

    v, _ = lax.scan(pull, arithmetic.gradient(last), loops, reverse=True)
    return feasible & last.stable, arithmetic.layout.inner(last.P, f.S0), v


# --- tiles ------------------------------------------------------------------------------------


class Shape(NamedTuple):
    """A tile: gains × tasks."""

    gains: int
    tasks: int


def tile_shape(tile: int, k: int) -> Shape:
    """About `tile` pairs: all tasks of several gains, or an even share of the tasks of one."""
    if k > tile:
        return Shape(1, -(-k // -(-k // tile)))
    return Shape(1 << ((tile // k).bit_length() - 1), k)


def _spread(layout: Layout, X: Array, shape: Shape, over: str) -> Array:
    """Matrices (T, i, j) of the gains or the tasks of a tile, for each of its pairs, in the layout.

    Pairs are in the order of the tasks, all gains of a task together.
    """
    axis = 0 if over == "gains" else 1
    pairs = jnp.broadcast_to(jnp.expand_dims(X, axis), (shape.tasks, shape.gains, *X.shape[1:]))
    pairs = pairs.reshape(-1, *X.shape[1:])
    return jnp.moveaxis(pairs, 0, -1) if layout.last else pairs


def _sums(layout: Layout, X: Array, shape: Shape) -> Array:
    """Matrices of the pairs, added over the tasks: (gains, i, j)."""
    if layout.last:
        X = jnp.sum(X.reshape(*X.shape[:2], shape.tasks, shape.gains), axis=2)
        return jnp.moveaxis(X, -1, 0)
    return jnp.sum(X.reshape(shape.tasks, shape.gains, *X.shape[1:]), axis=0)


def lay_out(order: Order, eta: Array, f: Regulator, g: Regulator | None, weights: Array) -> Tasks:
    """k stacked tasks, in tiles, for each gain of a tile, and in the layout of its matrices."""
    k, n, _ = f.A.shape
    layout, shape = Layout(n <= LAST, order.barriers), tile_shape(order.tile, k)
    tasks = tiles_of(eta, f, g, weights, shape.tasks)
    spread = jax.vmap(lambda X: _spread(layout, X, shape, "tasks"))
    f, g = jax.tree.map(spread, (tasks.f, tasks.g))
    return tasks._replace(f=f, g=g)


def _over_tasks(
    order: Order,
    arithmetic: Arithmetic,
    shape: Shape,
    gain_shape: tuple[int, int],
    tasks: Tasks,
    W: Array,
    E: Array | None,
    weights: Array,
) -> tuple[Array, Array]:
    """Values (gains,) and further results (gains, m, n) of a tile of gains.

    Args:
        W, E: gains and directions in the layout, spread over the tasks.
        weights: (gains, tiles, tasks).
    """

    def tile(total, numbers):
        f, g, weight = numbers
        g = f if g is None else g

        def run(W: Array):
            feasible, value, gradient = pair_results(order, arithmetic, tasks.eta, f, g, W)
            return gradient, (feasible, value)

        if E is None:
            more, (feasible, value) = run(W)
        else:
            _, more, (feasible, value) = jax.jvp(run, (W,), (E,), has_aux=True)
        w = weight.reshape(-1)
        mask = feasible & jnp.isfinite(value)
        value = jnp.where(mask, w * jnp.where(mask, value, 0.0), jnp.inf)
        value = jnp.sum(value.reshape(shape.tasks, shape.gains), axis=0)
        more = jnp.where(arithmetic.layout.each(mask), arithmetic.layout.each(w) * more, 0.0)
        return (total[0] + value, total[1] + _sums(arithmetic.layout, more, shape)), None

    size = (shape.gains, *gain_shape) if order.rest(gain_shape) else (shape.gains, 0, gain_shape[1])
    start = (jnp.zeros(shape.gains), jnp.zeros(size))
    by_tile = weights.transpose(1, 2, 0)
    (value, more), _ = lax.scan(tile, start, (tasks.f, tasks.g, by_tile))
    feasible = value < jnp.inf
    return jnp.where(feasible, value, jnp.inf), jnp.where(feasible[:, None, None], more, 0.0)


def evaluate(
    order: Order, tasks: Tasks, own: Array | None, W: Array, E: Array | None, count: Array
) -> tuple[Array, Array]:
    """Values (C,) and further results (C, r) of the first `count` of the gains W, (C, m, n).

    Args:
        order: what is wanted.
        tasks: as `lay_out` leaves them.
        own: (C, k), if every gain has weights of its own.
        W, E: gains and, for Hessian products, directions.
        count: how many of them there are; the rest is padding and is not computed.
    """
    C, m, n = W.shape
    layout, weights = Layout(n <= LAST, order.barriers), tasks.given(own)
    # As many tasks as were laid out, and the gains beside each.
    side = tasks.f.A.shape[-1 if layout.last else 1]
    shape = Shape(side // weights.shape[-1], weights.shape[-1])
    arithmetic = Arithmetic(layout, unknown_truth(tasks.eta))
    rest = order.rest((m, n))
    over_tasks = partial(_over_tasks, order, arithmetic, shape, (m, n), tasks)

    def gains(i: Array, X: Array) -> Array:
        return lax.dynamic_slice_in_dim(X, i * shape.gains, shape.gains)

    def tile_of_gains(i: Array, out: tuple[Array, Array]) -> tuple[Array, Array]:
        given = _spread(layout, gains(i, W), shape, "gains")
        own = gains(i, weights) if weights.ndim == 3 else jnp.broadcast_to(
            weights, (shape.gains, *weights.shape)
        )  # fmt: skip
        if order.results == "hessian":
            basis = jnp.eye(m * n).reshape(-1, 1, m, n)

            def row(unit: Array):
                tangent = jnp.broadcast_to(unit, (shape.gains, m, n))
                return over_tasks(given, _spread(layout, tangent, shape, "gains"), own)

            values, rows = lax.map(row, basis)
            value, more = values[0], jnp.moveaxis(rows, 0, 1)
        else:
            tangent = None if E is None else _spread(layout, gains(i, E), shape, "gains")
            value, more = over_tasks(given, tangent, own)
        start = i * shape.gains
        return (
            lax.dynamic_update_slice_in_dim(out[0], value, start, 0),
            lax.dynamic_update_slice_in_dim(out[1], more.reshape(shape.gains, rest), start, 0),
        )

    out = (jnp.full(C, jnp.inf), jnp.zeros((C, rest)))
    return lax.fori_loop(0, (count + shape.gains - 1) // shape.gains, tile_of_gains, out)
