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
from typing import Literal

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


def observe(
    tasks: Float[np.ndarray, "F k 6"], eta: float | Float[np.ndarray, " F"], grid: int = GRID
) -> Lines:
    """Minimisers of h for gradient steps.

    Args:
        tasks: A, B, Q, R, S0 and weight of each task, undiscounted, no cross term; B is not zero.
        eta: the step size, or one of each family.
        grid: points between the rims of a family.
    """
    tasks, eta = _given(tasks, eta)
    families = np.arange(len(tasks))
    low, high = rims(tasks)
    pace = (high - low) / (grid + 1)
    sure, left = _cells(tasks, families, low + pace, high, eta, grid + 1)
    for _ in range(LEVELS):
        if not len(left[0]):
            break
        more, left = _cells(tasks, *left, eta, FINER, inside=True)
        sure = tuple(np.concatenate(both) for both in zip(sure, more, strict=True))
    order = np.lexsort((sure[1], sure[0]))
    family, left, right = (x[order] for x in sure)
    W, value = _shrunk(tasks[family], left, right, eta[family])
    minimum = np.full(len(tasks), np.inf)
    worst = np.full(len(tasks), -np.inf)
    np.minimum.at(minimum, family, value)
    np.maximum.at(worst, family, value)
    with np.errstate(invalid="ignore"):
        return Lines(family, W, value, minimum, np.where(worst >= minimum, worst - minimum, np.nan))


def slopes(
    tasks: Float[np.ndarray, "F k 6"],
    eta: float | Float[np.ndarray, " F"],
    start: Float[np.ndarray, " F"],
    pace: Float[np.ndarray, " F"],
    count: int,
) -> Float[np.ndarray, "F count"]:
    """h' at start, start + pace, …, of each family; NaN where h is not finite."""
    tasks, eta = _given(tasks, eta)
    return _evaluate(tasks, start, pace, eta, count, kept="slopes")[2]


def rims(
    tasks: Float[np.ndarray, "F k 6"],
) -> tuple[Float[np.ndarray, " F"], Float[np.ndarray, " F"]]:
    """The gains between which all tasks of a family are stable; NaN where there are none."""
    one, other = (tasks[:, :, 0] - 1.0) / tasks[:, :, 1], (tasks[:, :, 0] + 1.0) / tasks[:, :, 1]
    low, high = np.minimum(one, other).max(axis=1), np.maximum(one, other).min(axis=1)
    return np.where(low < high, low, np.nan), np.where(low < high, high, np.nan)


def _given(tasks: np.ndarray, eta: float | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    tasks = np.ascontiguousarray(tasks, float)
    return tasks, np.broadcast_to(np.asarray(eta, float), len(tasks))


Cells = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Families, left ends, right ends."""


def _cells(
    tasks: np.ndarray, family: np.ndarray, low: np.ndarray, high: np.ndarray, eta: np.ndarray,
    grid: int, *, inside: bool = False,
) -> tuple[Cells, Cells]:  # fmt: skip
    """Cells in which h' changes from − to +, and those in which it may do so unseen.

    Points are low, …, high; what is before the first one is no rim if `inside`.
    """
    sure, doubtful = [], []
    for i in range(0, len(family), CHUNK):
        mine, a, b = family[i : i + CHUNK], low[i : i + CHUNK], high[i : i + CHUNK]
        pace = (b - a) / (grid - 1)
        codes = _evaluate(tasks[mine], a, pace, eta[mine], grid)[2]
        if inside:
            codes[:, 0] = 0.0
        which, place = np.divmod(np.flatnonzero(codes.ravel() != 0.0), grid)
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
    tasks: np.ndarray, a: np.ndarray, b: np.ndarray, eta: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The zeros of h' in cells where it changes sign, and h there; every third step is a halving."""
    F, k = tasks.shape[:2]
    W, value = np.empty(F), np.empty(F)
    for i in range(0, F, CHUNK):
        part = slice(i, i + CHUNK)
        groups, (size, numbers, left, right) = _in_lanes(eta[part], tasks[part], a[part], b[part])
        found = np.empty((2, groups, numbers.shape[2]))
        arrays = (size, numbers, left, right, found[0], found[1])
        _function("zeros")(groups, k, PACES, *(x.ctypes.data for x in arrays))
        count = len(tasks[part])
        W[part], value[part] = found.reshape(2, -1)[:, :count]
    return W, value


def _evaluate(
    tasks: np.ndarray,
    start: np.ndarray,
    pace: np.ndarray,
    eta: np.ndarray,
    grid: int,
    kept: Kept = "codes",
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """h, h' and a code at start, start + pace, …, (F, grid): 1 where h' has changed from − to +
    since the point before, 2 where it may have come to zero and back about the point before, 3 where
    there is a rim since then that it does not fall away from.

    Of a grid the codes alone are kept, or h' in their place, of a single point h and h' alone.
    """
    F, k = tasks.shape[:2]
    if F == 0:
        return np.empty((0, grid)), np.empty((0, grid)), np.empty((0, grid))
    groups, (size, numbers, begin, step) = _in_lanes(eta, tasks, start, pace)
    lanes = numbers.shape[2]
    value, slope = np.empty((2, groups * lanes))
    codes = np.empty(groups * lanes * grid)
    arrays = (size, numbers, begin, step, value, slope, codes)
    _function(kept)(groups, k, grid, *(x.ctypes.data for x in arrays))
    by_family = np.moveaxis(codes.reshape(groups, grid, lanes), 1, 2).reshape(-1, grid)
    return value[:F, None], slope[:F, None], by_family[:F]


def _in_lanes(*arrays: np.ndarray) -> tuple[int, list[np.ndarray]]:
    """The number of groups, and arrays of what each family has: (groups, numbers, LANES)."""
    from benign.kernels.lanes import LANES

    F = len(arrays[0])
    groups = -(-F // LANES)
    made = []
    for X in arrays:
        full = np.empty((groups * LANES, *X.shape[1:]))
        full[:F], full[F:] = X, X[-1:]
        made.append(np.ascontiguousarray(np.moveaxis(full.reshape(groups, LANES, -1), 1, 2)))
    return groups, made


Kept = Literal["codes", "slopes"]


def _function(what: Literal["codes", "slopes", "zeros"]):
    """Compiled: of groups, tasks, points or paces, and addresses."""
    from llvmlite import ir

    from benign.kernels.lanes import INT, POINTER, VOID, Code

    name, addresses = f"lines_{what}", 6 if what == "zeros" else 7

    def write(module: ir.Module) -> None:
        kinds = [INT] * 3 + [POINTER] * addresses
        code = Code(ir.Function(module, ir.FunctionType(VOID, kinds), name))
        if what == "zeros":
            _write_zeros(code)
        else:
            _write(code, what)
        code.builder.ret_void()

    return machine.function(name, write, (ctypes.c_int64,) * 3 + (ctypes.c_void_p,) * addresses)


def _at(code, eta, mine, k, W) -> tuple:
    """h and h' of a family in each lane at W; NaN where a task is not feasible."""
    from benign.kernels.closed import Plant, _written_out
    from benign.kernels.lanes import Cell

    order = Order(1, 1, "gradient", True, "gradient", 1)
    value, slope = Cell(code, code.fill(0.0)), Cell(code, code.fill(0.0))
    with code.loop(k) as task:
        a, b, q, r, s, omega = (mine.load(task * NUMBERS + e) for e in range(NUMBERS))
        plant = Plant(*([[x]] for x in (a, b, q, r, s)))
        feasible, h, v = _written_out(order, eta, plant, plant, [[W]])
        value.set(value.get() + omega * h)
        slope.set(feasible.choose(slope.get() + omega * v[0], float("nan")))
    return value.get(), slope.get()


def _write(code, kept: Kept) -> None:
    from benign.kernels.lanes import Cell

    groups, k, grid, etas, tasks, starts, paces, values, slopes, codes = code.given
    nothing = code.fill(float("nan"))
    with code.loop(groups) as group:
        eta, mine = etas.load(group), tasks + group * k * NUMBERS
        W = Cell(code, starts.load(group))
        before, last = Cell(code, nothing), Cell(code, nothing)
        with code.loop(grid) as i:
            value, now = _at(code, eta, mine, k, W.get())
            one, two = last.get(), before.get()
            changed = (one < 0.0) & (now > 0.0)
            # The parabola through three points: has its top come three quarters of the way to zero?
            curve, rise = two - 2.0 * one + now, 0.5 * (now - two)
            top = one - rise * rise / (2.0 * curve)
            hidden = (one * now > 0.0) & (one * two > 0.0) & (top * one < 0.25 * one * one)
            hidden = hidden & (abs(one) <= abs(now)) & (abs(one) <= abs(two))
            # No number is equal to none: so a rim is told from a point.
            enters, leaves = ~(one <= one) & (now > 0.0), (one < 0.0) & ~(now <= now)
            doubt = (enters | leaves).choose(3.0, hidden.choose(2.0, code.fill(0.0)))
            told = changed.choose(1.0, doubt) if kept == "codes" else now
            codes.store(told, group * grid + i)
            before.set(one)
            last.set(now)
            W.set(W.get() + paces.load(group))
            values.store(value, group)
            slopes.store(now, group)


def _write_zeros(code) -> None:
    from benign.kernels.lanes import Cell

    groups, k, most, etas, tasks, lefts, rights, places, values = code.given
    with code.loop(groups) as group:
        eta, mine = etas.load(group), tasks + group * k * NUMBERS
        a, b = Cell(code, lefts.load(group)), Cell(code, rights.load(group))
        fa, fb = (Cell(code, _at(code, eta, mine, k, x.get())[1]) for x in (a, b))
        side, turn = Cell(code, code.fill(0.0)), Cell(code, code.fill(0.0))
        paces = Cell(code, code.int(0))
        with code.forever() as leave:
            left, right, low, high = a.get(), b.get(), fa.get(), fb.get()
            size = (abs(left) < abs(right)).choose(abs(right), abs(left))
            on = right - left > SMALL * size
            leave(on.bits().compared("==", 0))
            leave(paces.get().compared(">=", most))
            c = right - high * (right - left) / (high - low)
            inside = (turn.get() < 1.5) & (c > left) & (c < right)
            c = inside.choose(c, 0.5 * (left + right))
            now = _at(code, eta, mine, k, c)[1]
            up, was = now > 0.0, side.get()
            rise, fall = on & up, on & ~up
            fa.set(fall.choose(now, (rise & (was > 0.0)).choose(0.5 * low, low)))
            fb.set(rise.choose(now, (fall & (was < 0.0)).choose(0.5 * high, high)))
            a.set(fall.choose(c, left))
            b.set(rise.choose(c, right))
            side.set(up.choose(code.fill(1.0), -1.0))
            turn.set((turn.get() > 1.5).choose(code.fill(0.0), turn.get() + 1.0))
            paces.set(paces.get() + 1)
        W = 0.5 * (a.get() + b.get())
        places.store(W, group)
        values.store(_at(code, eta, mine, k, W)[0], group)
