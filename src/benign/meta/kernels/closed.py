"""One and two states: closed forms in scalars, one array a scalar, gains along its only axis.

A 2 × 2 product of arrays is a loop over four entries that no compiler keeps in registers. Written out
in scalars the cost of a gain is a few hundred multiplications and a division, which XLA compiles into
one vectorised loop over gains, if it is asked for one result: the value alone. It compiles each result
into a loop of its own, and computes again in each what they share. Two measures against that
(nanoseconds per gain and task, value and gradient, one thread with AVX2):

                                                    n = 1        n = 2
    shots                                           1     3      1     3
    a loop for each result                        6.3    47     54   148
    two real numbers as the parts of a complex    6.2    42     46   127
    and the shots kept apart by `Stages`            8    48     48    88

so that pairs are always worth it, and stages for two states from the second shot on. A variadic
reduction is one loop as well, but not a vectorised one (68 for n = 2). XLA's own fusion for several
results (an extra option of its backend) makes all of it slower by half.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array

from benign.exact.problem import StepKind

Scalars = list[list[Array]]
"""A matrix, entry by entry; the arrays broadcast against each other."""


# --- matrices of scalars ----------------------------------------------------------------------


def product(*factors: Scalars) -> Scalars:
    """The product of the matrices, from left to right."""
    X = factors[0]
    for Y in factors[1:]:
        columns = transpose(Y)
        X = [[_dot(row, column) for column in columns] for row in X]
    return X


def _dot(row: Sequence[Array], column: Sequence[Array]) -> Array:
    return reduce(jnp.add, [a * b for a, b in zip(row, column, strict=True)])


def transpose(X: Scalars) -> Scalars:
    """X'."""
    return [list(column) for column in zip(*X, strict=True)]


def combine(f: Callable[..., Array], *matrices: Scalars) -> Scalars:
    """The function of corresponding entries, entry by entry."""
    m = len(matrices[0])
    return matrix([f(*entries) for entries in zip(*map(flat, matrices), strict=True)], m)


def inner(X: Scalars, Y: Scalars) -> Array:
    """tr(X'Y)."""
    return _dot(flat(X), flat(Y))


def scalars(X: Array, first: int = 0) -> Scalars:
    """The entries of an array whose axes `first` and `first` + 1 are a matrix."""
    X = jnp.moveaxis(X, (first, first + 1), (0, 1))
    return [[X[i, j] for j in range(X.shape[1])] for i in range(X.shape[0])]


def flat(X: Scalars) -> list[Array]:
    """The entries, row by row."""
    return [entry for row in X for entry in row]


def matrix(entries: Sequence[Array], m: int) -> Scalars:
    """The matrix of m rows with these entries."""
    n = len(entries) // m
    return [list(entries[i * n : (i + 1) * n]) for i in range(m)]


# --- the closed loop --------------------------------------------------------------------------


class Lyapunov:
    """X = L X L' + S in closed form, by L² = t L − d I on both sides of the series.

    For unstable L the factors are zero: the solution is then zero, and means nothing. Rounding costs
    ε/(1 − ρ) as it must, but ε/(1 − ρ)² where both eigenvalues meet at the rim, in sums that cancel.
    """

    def __init__(self, L: Scalars):
        self.L = L
        if len(L) == 1:
            (c,) = L[0]
            self.stable = jnp.abs(c) < 1
            self.inverse = jnp.where(self.stable, 1 / ((1 - c) * (1 + c)), 0.0)
            return
        (a, b), (c, e) = L
        t, d = a + e, a * e - b * c
        self.stable = (jnp.abs(d) < 1) & (jnp.abs(t) < 1 + d)
        inverse = jnp.where(self.stable, 1 / ((1 - d) * (1 + d - t) * (1 + d + t)), 0.0)
        self.direct = ((1 + d) - t * t * (1 - d)) * inverse
        self.twice = (1 + d) * inverse
        self.mixed = t * d * inverse

    def solve(self, S: Scalars, *, adjoint: bool = False) -> Scalars:
        """X for a symmetric S; of X = L'XL + S if `adjoint`."""
        if len(S) == 1:
            return [[S[0][0] * self.inverse]]
        L = transpose(self.L) if adjoint else self.L
        LS = product(L, S)
        LSL = product(LS, transpose(L))

        def entry(i: int, j: int) -> Array:
            mixed = LS[i][j] + LS[j][i] if i != j else 2 * LS[i][i]
            return self.direct * S[i][j] + self.twice * LSL[i][j] - self.mixed * mixed

        across = entry(0, 1)
        return [[entry(0, 0), across], [across, entry(1, 1)]]


class Task(NamedTuple):
    """An undiscounted LQR problem; see `Regulator`, of T too."""

    A: Scalars
    B: Scalars
    Q: Scalars
    R: Scalars
    S0: Scalars
    T: Scalars | None = None

    def paid(self, W: Scalars) -> Scalars:
        """W − T."""
        return W if self.T is None else combine(jnp.subtract, W, self.T)


class Loop(NamedTuple):
    """What `ClosedLoop` holds, in scalars."""

    equation: Lyapunov
    B: Scalars
    Sigma: Scalars
    M: Scalars
    G: Scalars

    def gradient(self) -> Scalars:
        """∇C = 2 G Σ."""
        return combine(lambda x: 2 * x, product(self.G, self.Sigma))

    def hessian_product(self, E: Scalars) -> Scalars:
        """∇²C[E], as `ClosedLoop.hessian_product`."""
        L = self.equation.L
        EG = product(transpose(E), self.G)
        dP = self.equation.solve(combine(jnp.add, EG, transpose(EG)), adjoint=True)
        moved = product(self.B, E, product(self.Sigma, transpose(L)))
        dSigma = self.equation.solve(combine(lambda x, y: -x - y, moved, transpose(moved)))
        dG = combine(jnp.subtract, product(self.M, E), product(transpose(self.B), dP, L))
        return combine(lambda x, y: 2 * (x + y), product(dG, self.Sigma), product(self.G, dSigma))


def at(task: Task, W: Scalars) -> Loop:
    """The closed loop under the gain W."""
    A, B, Q, R, S0, _ = task
    L = combine(jnp.subtract, A, product(B, W))
    equation = Lyapunov(L)
    paid = task.paid(W)
    RW = product(R, paid)
    P = equation.solve(combine(jnp.add, Q, product(transpose(paid), RW)), adjoint=True)
    BP = product(transpose(B), P)
    M = combine(jnp.add, R, product(BP, B))
    return Loop(equation, B, equation.solve(S0), M, combine(jnp.subtract, RW, product(BP, L)))


def cost(task: Task, W: Scalars) -> Array:
    """C(W) = tr(Σ (Q + W'RW)), +∞ where W does not stabilise: one equation instead of two."""
    A, B, Q, R, S0, _ = task
    equation = Lyapunov(combine(jnp.subtract, A, product(B, W)))
    paid = task.paid(W)
    stage_cost = combine(jnp.add, Q, product(transpose(paid), R, paid))
    return jnp.where(equation.stable, inner(equation.solve(S0), stage_cost), jnp.inf)


# --- one shot ---------------------------------------------------------------------------------


def _direction(gradient: Scalars) -> tuple[Array, Scalars]:
    """1/‖∇g‖ and ∇g/‖∇g‖ as in `meta.adaptation`: zeros where ∇g = 0."""
    scale = jnp.abs(gradient[0][0])
    for entry in flat(gradient)[1:]:
        scale = jnp.maximum(scale, jnp.abs(entry))
    scale = lax.stop_gradient(scale)
    moving = scale > 0
    safe = jnp.where(moving, scale, 1.0)
    scaled = combine(lambda x: jnp.where(moving, x / safe, 1.0), gradient)
    norm = jnp.sqrt(inner(scaled, scaled))
    unit = combine(lambda x: jnp.where(moving, x / norm, 0.0), scaled)
    return jnp.where(moving, 1 / (norm * safe), 0.0), unit


def move(kind: StepKind, eta: Array, loop: Loop, W: Scalars) -> Scalars:
    """One shot from W, NaN where W does not stabilise: no gain after it will be feasible."""
    u = loop.gradient()
    if kind == "normalized":
        u = _direction(u)[1]
    stable = loop.equation.stable
    return combine(lambda w, x: jnp.where(stable, w - eta * x, jnp.nan), W, u)


def pull(kind: StepKind, eta: Array, loop: Loop, v: Scalars) -> Scalars:
    """The adjoint of the derivative of one shot, applied to v."""
    if kind == "gradient":
        return combine(lambda x, y: x - eta * y, v, loop.hessian_product(v))
    inverse, u = _direction(loop.gradient())
    along = inner(u, v)
    across = combine(lambda x, y: x - y * along, v, u)
    turned = loop.hessian_product(across)
    return combine(lambda x, y: x - eta * inverse * y, v, turned)


# --- results of one loop ----------------------------------------------------------------------


def pack(entries: Sequence[Array], *, pairs: bool = True) -> tuple[Array, ...]:
    """Real numbers as the parts of half as many complex ones, or as they are if not `pairs`."""
    if not pairs:
        return tuple(entries)
    padded = [*entries, jnp.zeros_like(entries[0])] if len(entries) % 2 else list(entries)
    return tuple(lax.complex(x, y) for x, y in zip(padded[::2], padded[1::2], strict=True))


def unpack(packed: Sequence[Array], count: int) -> list[Array]:
    """The real numbers again."""
    if not jnp.iscomplexobj(packed[0]):
        return list(packed)
    parts = [part for z in packed for part in (jnp.real(z), jnp.imag(z))]
    return parts[:count]


class Stages:
    """Keeps XLA from computing one part of a kernel again inside each result of the next.

    A branch is compiled by itself. Which branch is taken is known at run time only, to XLA at least.
    """

    def __init__(self, always: Array, *, apart: bool):
        self.always, self.apart = always, apart

    def __call__(self, function: Callable[..., Scalars], *matrices: Scalars) -> Scalars:
        """The function's value, a matrix of scalars."""
        if not self.apart:
            return function(*matrices)
        sizes = [len(X) for X in matrices]
        shape = {}

        def inside(*packed: tuple[Array, ...]) -> tuple[Array, ...]:
            given = [matrix(unpack(z, c), m) for z, c, m in zip(packed, counts, sizes, strict=True)]
            result = function(*given)
            shape["rows"], shape["count"] = len(result), len(flat(result))
            return pack(flat(result))

        counts = [len(flat(X)) for X in matrices]
        packed = [pack(flat(X)) for X in matrices]
        struct = jax.eval_shape(inside, *packed)
        empty = tuple(jnp.zeros(s.shape, s.dtype) for s in struct)
        out = lax.cond(self.always, inside, lambda *_: empty, *packed)
        return matrix(unpack(out, shape["count"]), shape["rows"])
