"""Observed landscapes of many scalar families at once: every minimiser that a grid shows, and ε.

    h(W) = Σ ω_τ C_τ(W − η∇C_τ(W)) of each family on a grid of its own, families side by side.

A minimiser lies where h' changes from − to +; Illinois' method shrinks each such cell. Where h' comes
near zero between two points without a change of sign, a second grid looks closer: two stationary points
may hide there. So it does at a rim that h' does not fall away from, for h is infinite beyond it. What
no grid shows is not seen: nothing here is a proof. Pieces of the feasible set thinner than a cell are
missed altogether. Several shots make such pieces next to the rims, with minima in them that may even be
the best ones, so that one shot is all that is done here.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from benign.kernels import machine
from benign.kernels.order import Order

GRID, FINER, LEVELS, CHUNK = 512, 32, 3, 512
"""Points of the grid, and of finer ones in its cells; how often; families at once."""

PACES, SMALL = 60, 1e-13
"""Steps of Illinois' method at most, and the relative width of a cell that ends it."""

NUMBERS = 6
"""Of a task: A, B, Q, R, S0 and its weight."""


@dataclass(frozen=True)
class Lines:
    """What was observed of F families.

    Attributes:
        family: which family each minimiser is one of, ascending.
        W, value: the minimisers, from left to right in a family, and h there.
        minimum, epsilon: (F,) the least h that was met, and by how much the worst minimiser exceeds
            it; +∞ and NaN for a family without a minimiser.
    """

    family: Int[np.ndarray, " N"]
    W: Float[np.ndarray, " N"]
    value: Float[np.ndarray, " N"]
    minimum: Float[np.ndarray, " F"]
    epsilon: Float[np.ndarray, " F"]


def observe(tasks: Float[np.ndarray, "F k 6"], eta: float, grid: int = GRID) -> Lines:
    """Minimisers of h for gradient steps.

    Args:
        tasks: A, B, Q, R, S0 and weight of each task, undiscounted, no cross term; B is not zero.
        eta: the step size.
        grid: points between the rims of a family.
    """
    tasks = np.ascontiguousarray(tasks, float)
    families = np.arange(len(tasks))
    ends = (tasks[:, :, :1] + np.array([-1.0, 1.0])) / tasks[:, :, 1:2]
    low, high = ends.min(axis=2).max(axis=1), ends.max(axis=2).min(axis=1)
    low, high = np.where(low < high, low, np.nan), np.where(low < high, high, np.nan)
    pace = (high - low) / (grid + 1)
    sure, left = _cells(tasks, families, low + pace, high, eta, grid + 1)
    for _ in range(LEVELS):
        if not len(left[0]):
            break
        more, left = _cells(tasks, *left, eta, FINER, inside=True)
        sure = tuple(np.concatenate(both) for both in zip(sure, more, strict=True))
    order = np.lexsort((sure[1], sure[0]))
    family, left, right = (x[order] for x in sure)
    W, value = _shrunk(tasks[family], left, right, eta)
    minimum = np.full(len(tasks), np.inf)
    worst = np.full(len(tasks), -np.inf)
    np.minimum.at(minimum, family, value)
    np.maximum.at(worst, family, value)
    with np.errstate(invalid="ignore"):
        return Lines(family, W, value, minimum, np.where(worst >= minimum, worst - minimum, np.nan))


Cells = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Families, left ends, right ends."""


def _cells(
    tasks: np.ndarray, family: np.ndarray, low: np.ndarray, high: np.ndarray, eta: float, grid: int,
    *, inside: bool = False,
) -> tuple[Cells, Cells]:  # fmt: skip
    """Cells in which h' changes from − to +, and those in which it may do so unseen.

    Points are low, …, high; what is before the first one is no rim if `inside`.
    """
    sure, doubtful = [], []
    for i in range(0, len(family), CHUNK):
        mine, a, b = family[i : i + CHUNK], low[i : i + CHUNK], high[i : i + CHUNK]
        pace = (b - a) / (grid - 1)
        codes = _evaluate(tasks[mine], a, pace, eta, grid)[2]
        if inside:
            codes[:, 0] = 0.0
        which, place = np.nonzero(codes)
        for code, back, to in ((1.0, 1, sure), (2.0, 2, doubtful), (3.0, 1, doubtful)):
            chosen = codes[which, place] == code
            f, p = which[chosen], place[chosen]
            to.append((mine[f], a[f] + (p - back) * pace[f], a[f] + p * pace[f]))
    nothing = (np.empty(0, int), np.empty(0), np.empty(0))
    joined = [
        tuple(np.concatenate(x) for x in zip(*to, strict=True)) if to else nothing
        for to in (sure, doubtful)
    ]
    return joined[0], joined[1]  # type: ignore[return-value]


def _shrunk(
    tasks: np.ndarray, a: np.ndarray, b: np.ndarray, eta: float
) -> tuple[np.ndarray, np.ndarray]:
    """The zeros of h' in cells where it changes sign, and h there; every third step is a halving."""

    def at(W: np.ndarray, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        value, slope, _ = _evaluate(tasks[which], W, np.zeros(len(W)), eta, 1)
        return value[:, 0], slope[:, 0]

    a, b, on = a.copy(), b.copy(), np.arange(len(a))
    fa, fb, side = at(a, on)[1], at(b, on)[1], np.zeros(len(a))
    with np.errstate(all="ignore"):
        for i in range(PACES):
            on = on[b[on] - a[on] > SMALL * np.maximum(np.abs(a[on]), np.abs(b[on]))]
            if not len(on):
                break
            c = b[on] - fb[on] * (b[on] - a[on]) / (fb[on] - fa[on])
            c = np.where((i % 3 < 2) & (c > a[on]) & (c < b[on]), c, (a[on] + b[on]) / 2)
            fc = at(c, on)[1]
            up = fc > 0
            right, left = on[up], on[~up]
            fa[right[side[right] > 0]] /= 2
            fb[left[side[left] < 0]] /= 2
            b[right], fb[right], side[right] = c[up], fc[up], 1.0
            a[left], fa[left], side[left] = c[~up], fc[~up], -1.0
    W = (a + b) / 2
    return W, at(W, np.arange(len(W)))[0]


def _evaluate(
    tasks: np.ndarray, start: np.ndarray, pace: np.ndarray, eta: float, grid: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """h, h' and a code at start, start + pace, …, (F, grid): 1 where h' has changed from − to +
    since the point before, 2 where it may have come to zero and back about the point before, 3 where
    there is a rim since then that it does not fall away from.

    Of a grid the codes alone are kept, of a single point h and h' alone.
    """
    from benign.kernels.lanes import LANES

    F, k = tasks.shape[:2]
    groups = -(-F // LANES)
    index = np.minimum(np.arange(groups * LANES), max(F - 1, 0))
    if F == 0:
        return np.empty((0, grid)), np.empty((0, grid)), np.empty((0, grid))

    def in_lanes(X: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(np.moveaxis(X[index].reshape(groups, LANES, -1), 1, 2))

    numbers, begin, step = in_lanes(tasks), in_lanes(start), in_lanes(pace)
    kept = groups * LANES * grid
    value, slope = np.empty((2, groups * LANES))
    codes, size = np.empty(kept), np.array([eta])
    arrays = (size, numbers, begin, step, value, slope, codes)
    _function()(groups, k, grid, *(x.ctypes.data for x in arrays))
    by_family = np.moveaxis(codes.reshape(groups, grid, LANES), 1, 2).reshape(-1, grid)
    return value[:F, None], slope[:F, None], by_family[:F]


def _function():
    """Compiled: of groups, tasks, points, and addresses."""
    from llvmlite import ir

    from benign.kernels.lanes import INT, POINTER, VOID, Code

    name = "lines"

    def write(module: ir.Module) -> None:
        kinds = [INT] * 3 + [POINTER] * 7
        code = Code(ir.Function(module, ir.FunctionType(VOID, kinds), name))
        _write(code, Order(1, 1, "gradient", True, "gradient", 1))
        code.builder.ret_void()

    return machine.function(name, write, (ctypes.c_int64,) * 3 + (ctypes.c_void_p,) * 7)


def _write(code, order: Order) -> None:
    from benign.kernels.closed import Plant, _written_out
    from benign.kernels.lanes import Cell

    groups, k, grid, eta_, tasks, starts, paces, values, slopes, codes = code.given
    eta, nothing = eta_.number(), code.fill(float("nan"))
    with code.loop(groups) as group:
        mine = tasks + group * k * NUMBERS
        W = Cell(code, starts.load(group))
        before, last = Cell(code, nothing), Cell(code, nothing)
        with code.loop(grid) as i:
            value, slope = Cell(code, code.fill(0.0)), Cell(code, code.fill(0.0))
            with code.loop(k) as task:
                a, b, q, r, s, omega = (mine.load(task * NUMBERS + e) for e in range(NUMBERS))
                plant = Plant(*([[x]] for x in (a, b, q, r, s)))
                feasible, h, v = _written_out(order, eta, plant, plant, [[W.get()]])
                value.set(value.get() + omega * h)
                slope.set(feasible.choose(slope.get() + omega * v[0], float("nan")))
            now, one, two = slope.get(), last.get(), before.get()
            changed = (one < 0.0) & (now > 0.0)
            # The parabola through three points: has its top come three quarters of the way to zero?
            curve, rise = two - 2.0 * one + now, 0.5 * (now - two)
            top = one - rise * rise / (2.0 * curve)
            hidden = (one * now > 0.0) & (one * two > 0.0) & (top * one < 0.25 * one * one)
            hidden = hidden & (abs(one) <= abs(now)) & (abs(one) <= abs(two))
            # No number is equal to none: so a rim is told from a point.
            enters, leaves = ~(one <= one) & (now > 0.0), (one < 0.0) & ~(now <= now)
            doubt = (enters | leaves).choose(3.0, hidden.choose(2.0, code.fill(0.0)))
            codes.store(changed.choose(1.0, doubt), group * grid + i)
            before.set(one)
            last.set(now)
            W.set(W.get() + paces.load(group))
            values.store(value.get(), group)
            slopes.store(now, group)
