"""h, ∇h and ∇²h for whole batches of gains, by code compiled for this processor and without XLA.

What is compiled is a size (n, m), a kind of step and what is wanted of h, within a second or two and
once for a machine (`machine`). Tasks, shots and gains are numbers to it. It runs in one thread, without
the interpreter's lock.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from jaxtyping import Float

from benign.exact.problem import StepKind
from benign.kernels.order import ARGUMENTS, WHOLE, Order, Results
from benign.kernels.units import squared_ratios

Array = np.ndarray

LARGEST = 64
"""States up to which these kernels are meant: beyond, a matrix leaves the cache, and BLAS is better."""

MOST_ROOM = 1 << 27
"""Numbers of scratch, at most."""

SCALARS = 6
"""The most numbers in a gain that are held in registers, for one and two states."""

WRITTEN_OUT = 3
"""Shots up to which those of one and two states are written out."""


@cache
def available() -> bool:
    """Whether code can be compiled here at all; tried once, on something small."""
    try:
        function_of(Order(1, 1, "gradient", True, "value", 1))
    except (ImportError, OSError, RuntimeError):
        return False
    return True


@dataclass(frozen=True)
class Costs:
    """k undiscounted, noise-free LQR costs, stacked: A, Q, S0 (k, n, n), B (k, n, m), R (k, m, m).

    With T (k, m, n) the stage cost is Q + (W − T)'R(W − T), as of a cross term (`LQR`); None is zero.
    """

    A: Float[Array, "k n n"]
    B: Float[Array, "k n m"]
    Q: Float[Array, "k n n"]
    R: Float[Array, "k m m"]
    S0: Float[Array, "k n n"]
    T: Float[Array, "k m n"] | None = None

    def rows(self, *, shifted: bool = False) -> Float[Array, "k numbers"]:
        """The numbers of each task, one after another; T among them if shifted."""
        parts = (self.A, self.B, self.Q, self.R, self.S0)
        if shifted:
            parts = (*parts, np.zeros(self.B.swapaxes(1, 2).shape) if self.T is None else self.T)
        return np.concatenate([np.asarray(X, float).reshape(len(X), -1) for X in parts], axis=1)


def in_registers(n: int, m: int) -> bool:
    """Whether a size has closed forms that fit into registers."""
    return n <= 2 and n * m <= SCALARS


@dataclass(frozen=True)
class Batched:
    """h of a family, ready to be asked for many gains.

    Args:
        f, g: evaluation and adaptation costs; g is None where they are the same.
        weights: (k,).
        kind, eta, shots: the adaptation rule.
    """

    f: Costs
    g: Costs | None
    weights: Float[Array, " k"]
    kind: StepKind
    eta: float
    shots: int
    _rows: list[Array] = field(init=False, default_factory=list, repr=False)
    _rooms: list[Array] = field(init=False, default_factory=list, repr=False)

    def __post_init__(self) -> None:
        for costs in (self.f, self.f if self.g is None else self.g):
            rows = costs.rows(shifted=self.shifted)
            if not in_registers(self.n, self.m):
                rows = np.concatenate(
                    [rows, squared_ratios(costs.A, costs.B, costs.Q, costs.R, costs.T)], axis=1
                )
            self._rows.append(np.ascontiguousarray(rows))

    @property
    def shifted(self) -> bool:
        """Whether some task has a T."""
        return self.f.T is not None or (self.g is not None and self.g.T is not None)

    @property
    def n(self) -> int:
        """States."""
        return self.f.A.shape[-1]

    @property
    def m(self) -> int:
        """Inputs."""
        return self.f.B.shape[-1]

    @property
    def fits(self) -> bool:
        """Whether these kernels are meant for the size."""
        return self.n <= LARGEST and self._numbers(self._order("hessian")) <= MOST_ROOM

    def values(self, W: Float[Array, "N m n"]) -> Float[Array, " N"]:
        """h, +∞ where infeasible."""
        return self.run("value", W)[0]

    def value_and_gradient(
        self, W: Float[Array, "N m n"], weights: Float[Array, "N k"] | None = None
    ) -> tuple[Float[Array, " N"], Float[Array, "N m n"]]:
        """h and ∇h, +∞ and zeros where infeasible; for weights of every gain's own, if given."""
        values, rest = self.run("gradient", W, weights=weights)
        return values, rest.reshape(W.shape)

    def hessian_products(
        self, W: Float[Array, "N m n"], E: Float[Array, "N m n"]
    ) -> Float[Array, "N m n"]:
        """∇²h[E]; zeros where infeasible."""
        return self.run("product", W, E)[1].reshape(W.shape)

    def hessians(self, W: Float[Array, "N m n"]) -> Float[Array, "N m n m n"]:
        """∇²h; zeros where infeasible."""
        return self.run("hessian", W)[1].reshape(W.shape + W.shape[1:])

    def run(
        self,
        results: Results,
        W: Float[Array, "N m n"],
        E: Float[Array, "N m n"] | None = None,
        weights: Float[Array, "N k"] | None = None,
    ) -> tuple[Float[Array, " N"], Float[Array, "N r"]]:
        """Values, and the numbers besides that are wanted of each gain."""
        from benign.kernels.lanes import LANES

        order, N, p = self._order(results), len(W), self.n * self.m
        gains = np.ascontiguousarray(W, float).reshape(N, p)
        along = gains if E is None else np.ascontiguousarray(E, float).reshape(N, p)
        own = self.weights[None] if weights is None else np.ascontiguousarray(weights, float)
        values, rest = np.empty(N), np.empty((N, order.rest))
        whole = N // LANES * LANES
        room = self._room(order)
        stride = 0 if weights is None else len(self.weights)
        if whole:
            self._call(order, whole, stride, own, gains, along, values, rest, room)
        if whole < N:
            some = np.minimum(np.arange(whole, whole + LANES), N - 1)
            last, more = np.empty(LANES), np.empty((LANES, order.rest))
            mine = own if weights is None else own[some]
            self._call(order, LANES, stride, mine, gains[some], along[some], last, more, room)
            values[whole:], rest[whole:] = last[: N - whole], more[: N - whole]
        self._rooms.append(room)
        return values, rest

    def _order(self, results: Results) -> Order:
        written_out = in_registers(self.n, self.m) and self.shots <= WRITTEN_OUT
        unrolled = self.shots if written_out else 0
        return Order(self.n, self.m, self.kind, self.g is None, results, unrolled, self.shifted)

    def _numbers(self, order: Order) -> int:
        """Numbers of scratch that a kernel works in."""
        from benign.kernels.lanes import LANES

        p = self.n * self.m
        if in_registers(self.n, self.m):
            return (self.shots + 1) * p * (p + 1) * LANES
        from benign.kernels.doubling import Doubling

        sizes = Doubling(order)
        return (p * p + 2 * p + 2 * self.n**2 + sizes.room + (self.shots + 1) * sizes.slot) * LANES

    def _room(self, order: Order) -> Array:
        """Scratch that no other thread works in."""
        wanted = self._numbers(order)
        try:
            room = self._rooms.pop()
        except IndexError:
            return np.empty(wanted)
        return room if len(room) >= wanted else np.empty(wanted)

    def _call(
        self, order: Order, N: int, stride: int, weights: Array, W: Array, E: Array, values: Array,
        rest: Array, room: Array,
    ) -> None:  # fmt: skip
        eta, weights = np.array([self.eta]), np.ascontiguousarray(weights)
        f, g = self._rows
        arrays = (f, g, weights, W, E, values, rest, room)
        pointers = [x.ctypes.data for x in arrays]
        function_of(order)(N, len(f), self.shots, eta.ctypes.data, stride, *pointers)


def function_of(order: Order):
    """The compiled function; its arguments are `order.ARGUMENTS`."""
    from llvmlite import ir

    from benign.kernels import closed, doubling, machine
    from benign.kernels.lanes import INT, POINTER, VOID, Code

    def write(module: ir.Module) -> None:
        kinds = [INT if name in WHOLE else POINTER for name in ARGUMENTS]
        code = Code(ir.Function(module, ir.FunctionType(VOID, kinds), order.name))
        evaluate = closed.evaluate if in_registers(order.n, order.m) else doubling.evaluate
        evaluate(code, order)
        code.builder.ret_void()

    kinds = tuple(ctypes.c_int64 if name in WHOLE else ctypes.c_void_p for name in ARGUMENTS)
    return machine.function(order.name, write, kinds)
