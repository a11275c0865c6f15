"""h, ∇h and ∇²h for whole batches of gains through XLA, chunk by chunk, in bounded memory.

The second route, and the first one on a GPU and for very large matrices; see `batched`. A chunk has a
fixed number of gains, and how many of them are padding is a number to the kernel and not a shape. So a
kernel is compiled once for a shape of family, a rule, a number of shots and a size of chunk, whatever
the numbers and the batch are, and never holds more than its inputs, its results and the intermediate
numbers of one tile of gains and tasks.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import numpy as np

from benign.exact.problem import StepKind
from benign.linalg import in_float64
from benign.linalg.powers import lanes
from benign.meta.kernels import doubling, small
from benign.meta.kernels.order import Order, Tasks
from benign.meta.ready import remembered

if TYPE_CHECKING:
    from benign.meta.objective import MetaObjective


@in_float64
def run(
    h: MetaObjective, results: Any, W: np.ndarray, E: np.ndarray | None, own: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Values (N,) and further results (N, r) of one of the kernels, a chunk at a time.

    Args:
        h: the meta-objective.
        results: "value", "gradient", "product" or "hessian".
        W, E: (N, m, n) gains and, for products, directions.
        own: (N, k) weights, if every gain has its own.
    """
    N = len(W)
    order, chunk, kernel = plan(h, results, N)
    tasks = _ready(h).tasks(h, order, kernel)
    found, rest = np.empty(N), np.empty((N, order.rest(W.shape[1:])))
    pending = []
    for i in range(0, N, chunk):
        part = slice(i, i + chunk)
        count = len(W[part])
        w = None if own is None else _padded(own[part], chunk)
        e = None if E is None else _padded(E[part], chunk)
        pending.append((part, count, kernel.run(order, tasks, w, _padded(W[part], chunk), e, count)))
        if len(pending) > 1:  # one chunk computes while the one before it is fetched
            _fetch(pending.pop(0), found, rest)
    for one in pending:
        _fetch(one, found, rest)
    return found, rest


def _fetch(pending: Any, found: np.ndarray, rest: np.ndarray) -> None:
    part, count, (value, more) = pending
    found[part] = np.asarray(value)[:count]
    rest[part] = np.asarray(more)[:count]


def _padded(rows: np.ndarray, size: int) -> np.ndarray:
    if len(rows) == size:
        return rows
    full = np.zeros((size, *rows.shape[1:]))
    full[: len(rows)] = rows
    return full


# --- an objective, made ready -----------------------------------------------------------------


class Kernel(NamedTuple):
    """How a kernel wants its tasks, and what it does with them, both compiled; see `kernels`."""

    lay_out: Any
    run: Any


class Ready:
    """What the kernels ask of an objective, and its tasks as they want them, once they want them."""

    def __init__(self, h: MetaObjective):
        family, step = h.family, h.step
        self.n, self.m, self.k = family.n, family.m, len(family)
        self.kind: StepKind = step.kind
        self.shots = step.shots
        self._tasks: dict[tuple[Kernel, int], Tasks] = {}

    def tasks(self, h: MetaObjective, order: Order, kernel: Kernel) -> Tasks:
        """The tasks of h, whose own this is."""
        key = kernel, order.tile
        if key not in self._tasks:
            self._tasks[key] = kernel.lay_out(order, h)
        return self._tasks[key]


_ready = remembered(Ready)


# --- which kernel -----------------------------------------------------------------------------


def plan(h: MetaObjective, results: Any, N: int) -> tuple[Order, int, Kernel]:
    """The order, the size of a chunk and the kernel for N gains.

    A kernel is compiled for a few sizes of chunk at most, so that few gains do not cost what many do.
    """
    ready = _ready(h)
    n, m, k = ready.n, ready.m, ready.k
    on_cpu = jax.default_backend() == "cpu"

    def order(tile: int) -> Order:
        return Order(ready.kind, ready.shots, results, tile, barriers=on_cpu)

    if n <= 2 and m * n <= SCALARS:
        if k >= DEEP and k >= N * DEEP:
            return order(DEEP), CHUNKS[0], _deep
        fits = [size for size in CHUNKS if size >= N] or [CHUNKS[-1]]
        tile = TILE if on_cpu else CHUNKS[-1]
        return order(min(tile, fits[0])), fits[0], _wide
    return order(lanes(n, on_cpu)), doubling.CHUNK, _doubling


SCALARS = 6
"""The most numbers in a gain that are written out as scalars; compiling takes longer with each."""

DEEP = 512
"""Tasks side by side, if there are at least so many for each gain."""

CHUNKS = (256, 4096, 65536)
"""Gains in a chunk of a small, a middling and a large batch: padding is copied, if not computed."""

TILE = 1024
"""Gains side by side. Fewer, and the calls of a loop begin to matter; with more, 300 gains would cost
what 4,096 do (nanoseconds a pair of (2, 1) at tiles of 512, 1024, 4096: 50, 48, 46)."""


OPTIONS = {"xla_cpu_prefer_vector_width": 512}
"""Where a processor has registers of 512 bits XLA uses half of them unless told to: (2, 1) takes 26 ns
a pair with all of them and 36 with half, other sizes 3 to 8 % less. Elsewhere it changes nothing."""


def _kernel(lay_out: Any, evaluate: Any) -> Kernel:
    @partial(jax.jit, static_argnums=0)
    def laid_out(order: Order, h: MetaObjective) -> Tasks:
        f = h.family.tasks
        g = None if f.adaptation is None else f.adaptation.regulator
        return lay_out(order, h.step.eta, f.regulator, g, h.family.weights)

    run = jax.jit(evaluate, static_argnums=0, compiler_options=dict(OPTIONS))
    return Kernel(laid_out, run)


_wide = _kernel(small.lay_out_wide, small.wide)
_deep = _kernel(small.lay_out_deep, small.deep)
_doubling = _kernel(doubling.lay_out, doubling.evaluate)
