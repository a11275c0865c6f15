"""Observed landscapes of many scalar families at once: every minimiser that a grid shows, and ε.

    h(W) = Σ ω_τ C_τ(W after the shots) of each family on a grid of its own, families side by side.

A minimiser lies where h' changes from − to +; Illinois' method shrinks each such cell. Where h' comes
near zero between two points without a change of sign, a second grid looks closer: two stationary points
may hide there. What no grid shows is not seen: nothing here is a proof.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from benign.kernels import machine
from benign.kernels.order import Order

GRID, FINER, CHUNK, PACES = 512, 32, 512, 14
"""Points of the grid, and of a second one in two of its cells; families at once; steps of Illinois."""

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


def observe(tasks: Float[np.ndarray, "F k 6"], eta: float, shots: int = 1, grid: int = GRID) -> Lines:
    """Minimisers of h for gradient steps.

    Args:
        tasks: A, B, Q, R, S0 and weight of each task, undiscounted; B is not zero.
        eta, shots: the adaptation rule.
        grid: points between the rims of a family.
    """
    tasks = np.ascontiguousarray(tasks, float)
    families = np.arange(len(tasks))
    ends = (tasks[:, :, :1] + np.array([-1.0, 1.0])) / tasks[:, :, 1:2]
    low, high = ends.min(axis=2).max(axis=1), ends.max(axis=2).min(axis=1)
    low, high = np.where(low < high, low, np.nan), np.where(low < high, high, np.nan)
    rule = (eta, shots)
    sure, doubtful = _cells(tasks, families, low, high, rule, grid)
    if len(doubtful[0]):
        more, _ = _cells(tasks, *doubtful, rule, FINER)
        sure = tuple(np.concatenate(both) for both in zip(sure, more, strict=True))
    order = np.lexsort((sure[1], sure[0]))
    family, left, right = (x[order] for x in sure)
    W, value = _shrunk(tasks[family], left, right, rule)
    minimum = np.full(len(tasks), np.inf)
    worst = np.full(len(tasks), -np.inf)
    np.minimum.at(minimum, family, value)
    np.maximum.at(worst, family, value)
    with np.errstate(invalid="ignore"):
        return Lines(family, W, value, minimum, np.where(worst >= minimum, worst - minimum, np.nan))


Cells = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Families, left ends, right ends."""


def _cells(
    tasks: np.ndarray, family: np.ndarray, low: np.ndarray, high: np.ndarray, rule: tuple, grid: int
) -> tuple[Cells, Cells]:
    """Cells in which h' changes from − to +, and pairs of cells in which it may do so unseen."""
    sure, doubtful = [], []
    for i in range(0, len(family), CHUNK):
        mine, a, b = family[i : i + CHUNK], low[i : i + CHUNK], high[i : i + CHUNK]
        pace = (b - a) / (grid + 1)
        codes = _evaluate(tasks[mine], a + pace, pace, rule, grid)[2]
        which, place = np.nonzero(codes)
        for code, back, to in ((1.0, 1, sure), (2.0, 2, doubtful)):
            chosen = codes[which, place] == code
            f, p = which[chosen], place[chosen]
            to.append((mine[f], a[f] + (p + 1 - back) * pace[f], a[f] + (p + 1) * pace[f]))
    nothing = (np.empty(0, int), np.empty(0), np.empty(0))
    joined = [
        tuple(np.concatenate(x) for x in zip(*to, strict=True)) if to else nothing
        for to in (sure, doubtful)
    ]
    return joined[0], joined[1]  # type: ignore[return-value]


def _shrunk(
    tasks: np.ndarray, a: np.ndarray, b: np.ndarray, rule: tuple
) -> tuple[np.ndarray, np.ndarray]:
    """The zeros of h' in cells where it changes sign, and h there."""

    def at(W: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        value, slope, _ = _evaluate(tasks, W, np.zeros(len(W)), rule, 1)
        return value[:, 0], slope[:, 0]

    (_, fa), (_, fb) = at(a), at(b)
    side = np.zeros(len(a))
    with np.errstate(all="ignore"):
        for _ in range(PACES):
            c = b - fb * (b - a) / (fb - fa)
            c = np.where((c > a) & (c < b), c, (a + b) / 2)
            _, fc = at(c)
            up = fc > 0
            fa = np.where(up, np.where(side > 0, fa / 2, fa), fc)
            fb = np.where(up, fc, np.where(side < 0, fb / 2, fb))
            a, b = np.where(up, a, c), np.where(up, c, b)
            side = np.where(up, 1.0, -1.0)
        W = np.where(np.abs(fa) < np.abs(fb), a, b)
    return W, at(W)[0]


def _evaluate(
    tasks: np.ndarray, start: np.ndarray, pace: np.ndarray, rule: tuple, grid: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """h, h' and a code at start, start + pace, …, (F, grid): 1 where h' has changed from − to +
    since the point before, 2 where it may have come to zero and back about the point before.

    Of a grid the codes alone are kept, of a single point h and h' alone.
    """
    from benign.kernels.lanes import LANES

    F, k = tasks.shape[:2]
    groups, (eta, shots) = -(-F // LANES), rule
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
    _function(shots)(groups, k, grid, *(x.ctypes.data for x in arrays))
    by_family = np.moveaxis(codes.reshape(groups, grid, LANES), 1, 2).reshape(-1, grid)
    return value[:F, None], slope[:F, None], by_family[:F]


def _function(shots: int):
    """Compiled for a number of shots: groups, tasks, grid, and addresses."""
    from llvmlite import ir

    from benign.kernels.lanes import INT, POINTER, VOID, Code

    name = f"lines_{shots}"

    def write(module: ir.Module) -> None:
        kinds = [INT] * 3 + [POINTER] * 7
        code = Code(ir.Function(module, ir.FunctionType(VOID, kinds), name))
        _write(code, Order(1, 1, "gradient", True, "gradient", shots))
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
            codes.store(changed.choose(1.0, hidden.choose(2.0, code.fill(0.0))), group * grid + i)
            before.set(one)
            last.set(now)
            W.set(W.get() + paces.load(group))
            values.store(value.get(), group)
            slopes.store(now, group)
