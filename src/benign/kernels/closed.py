"""h, its gradient and its Hessian for one and two states: closed forms, everything in registers.

    X = L X L' + S:   n = 1   X = S / ((1 − c)(1 + c)),
                      n = 2   L² = t L − d I on both sides of the series, with one quotient.

Stability is that of Schur and Cohn: |c| < 1; |d| < 1 and |t| < 1 + d. Second derivatives are forward
derivatives (`jets`) of the gradient's program. Up to UNROLLED shots are written out with what their
closed loops share; more are a loop that comes to each loop again on its way back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benign.kernels.jets import (
    Jet,
    Scalars,
    bare,
    by_rows,
    choose,
    combine,
    flat,
    inner,
    product,
    transpose,
)
from benign.kernels.lanes import LANES, Cell, Code, Flags, Int, Place, Vector
from benign.kernels.order import Order


@dataclass(frozen=True)
class Plant:
    """An undiscounted LQR problem; T as in `batch.Costs`."""

    A: Scalars
    B: Scalars
    Q: Scalars
    R: Scalars
    S0: Scalars
    T: Scalars | None = None

    def paid(self, W: Scalars) -> Scalars:
        """W − T."""
        return W if self.T is None else combine(lambda w, t: w - t, W, self.T)


def plant_at(p: Place, order: Order) -> Plant:
    """The plant whose numbers begin here."""
    found, at = [], 0
    n, m = order.n, order.m
    shapes = [(n, n), (n, m), (n, n), (m, m), (n, n), *([(m, n)] if order.shifted else [])]
    for rows, columns in shapes:
        entries = [p.number(at + e) for e in range(rows * columns)]
        found.append(by_rows(entries, columns))
        at += rows * columns
    return Plant(*found)


class Lyapunov:
    """X = L X L' + S. Where L is not stable the solution means nothing."""

    def __init__(self, L: Scalars):
        self.L = L
        if len(L) == 1:
            c = L[0][0]
            self.stable: Flags = abs(bare(c)) < 1.0
            self.inverse = 1.0 / ((1.0 - c) * (1.0 + c))
            return
        (a, b), (c, e) = L
        t, d = a + e, a * e - b * c
        self.stable = (abs(bare(d)) < 1.0) & (abs(bare(t)) < 1.0 + bare(d))
        up, down = 1.0 + d, 1.0 - d
        inverse = 1.0 / (down * (up - t) * (up + t))
        self.direct = (up - t * t * down) * inverse
        self.twice, self.mixed = up * inverse, t * d * inverse

    def solve(self, S: Scalars, *, adjoint: bool = False) -> Scalars:
        """X for a symmetric S; of X = L'XL + S if `adjoint`."""
        if len(S) == 1:
            return [[S[0][0] * self.inverse]]
        L = transpose(self.L) if adjoint else self.L
        LS = product(L, S)

        def entry(i: int, j: int) -> Any:
            LSL = LS[i][0] * L[j][0] + LS[i][1] * L[j][1]
            mixed = LS[i][j] + LS[j][i]
            return self.direct * S[i][j] + self.twice * LSL - self.mixed * mixed

        across = entry(0, 1)
        return [[entry(0, 0), across], [across, entry(1, 1)]]


@dataclass(frozen=True)
class Loop:
    """A closed loop: see `tasks.regulator.ClosedLoop`."""

    equation: Lyapunov
    B: Scalars
    P: Scalars
    Sigma: Scalars
    M: Scalars
    G: Scalars

    def gradient(self) -> Scalars:
        """∇C = 2 G Σ."""
        return combine(lambda x: x + x, product(self.G, self.Sigma))

    def hessian_product(self, E: Scalars) -> Scalars:
        """∇²C[E] = 2 (M E − B'ṖL) Σ + 2 G Σ̇."""
        L = self.equation.L
        EG = product(transpose(E), self.G)
        dP = self.equation.solve(combine(lambda x, y: x + y, EG, transpose(EG)), adjoint=True)
        moved = product(self.B, E, product(self.Sigma, transpose(L)))
        dSigma = self.equation.solve(combine(lambda x, y: -(x + y), moved, transpose(moved)))
        dG = combine(lambda x, y: x - y, product(self.M, E), product(transpose(self.B), dP, L))
        both = combine(lambda x, y: x + y, product(dG, self.Sigma), product(self.G, dSigma))
        return combine(lambda x: x + x, both)


def at(p: Plant, W: Scalars) -> Loop:
    """The closed loop under the gain W."""
    L = combine(lambda x, y: -(x - y), product(p.B, W), p.A)
    equation = Lyapunov(L)
    paid = p.paid(W)
    RW = product(p.R, paid)
    P = equation.solve(combine(lambda x, y: x + y, product(transpose(paid), RW), p.Q), adjoint=True)
    BP = product(transpose(p.B), P)
    M = combine(lambda x, y: x + y, product(BP, p.B), p.R)
    G = combine(lambda x, y: x - y, RW, product(BP, L))
    return Loop(equation, p.B, P, equation.solve(p.S0), M, G)


def cost(p: Plant, W: Scalars) -> tuple[Flags, Any]:
    """Whether W stabilises, and C(W) = tr(Σ (Q + W'RW)): one equation instead of two."""
    paid = p.paid(W)
    equation = Lyapunov(combine(lambda x, y: -(x - y), product(p.B, W), p.A))
    each = combine(lambda x, y: x + y, product(transpose(paid), product(p.R, paid)), p.Q)
    return equation.stable, inner(equation.solve(p.S0), each)


# --- shots ------------------------------------------------------------------------------------


def _direction(gradient: Scalars) -> tuple[Any, Scalars]:
    """1/‖∇g‖ and ∇g/‖∇g‖, both zero where ∇g = 0, without under- or overflow."""
    entries = flat(gradient)
    scale = abs(bare(entries[0]))
    for entry in entries[1:]:
        size = abs(bare(entry))
        scale = (scale < size).choose(size, scale)
    moving = scale > 0.0
    safe = moving.choose(scale, 1.0)
    scaled = combine(lambda x: choose(moving, x / safe, 1.0), gradient)
    norm = inner(scaled, scaled).root()
    unit = combine(lambda x: choose(moving, x / norm, 0.0), scaled)
    return choose(moving, 1.0 / (norm * safe), 0.0), unit


def move(order: Order, eta: Vector, loop: Loop, W: Scalars) -> Scalars:
    """One shot from W."""
    u = loop.gradient()
    if order.kind == "normalized":
        u = _direction(u)[1]
    return combine(lambda w, x: w - x * eta, W, u)


def pull(order: Order, eta: Vector, loop: Loop, v: Scalars) -> Scalars:
    """The adjoint of the derivative of one shot, applied to v."""
    if order.kind == "gradient":
        return combine(lambda x, y: x - y * eta, v, loop.hessian_product(v))
    inverse, u = _direction(loop.gradient())
    along = inner(u, v)
    across = combine(lambda x, y: x - y * along, v, u)
    size = inverse * eta
    return combine(lambda x, y: x - y * size, v, loop.hessian_product(across))


# --- one task ---------------------------------------------------------------------------------


def _written_out(
    order: Order, eta: Vector, f: Plant, g: Plant, W: Scalars
) -> tuple[Flags, Any, list[Any]]:
    """Whether a task is feasible at W, f(F(W)), and the entries of ∇(f∘F)(W) if they are wanted."""
    loops, feasible = [], None
    for _ in range(order.unrolled):
        loop = at(g, W)
        W = move(order, eta, loop, W)
        loops.append(loop)
        feasible = loop.equation.stable if feasible is None else feasible & loop.equation.stable
    assert feasible is not None
    if order.results == "value":
        stable, value = cost(f, W)
        return feasible & stable, value, []
    last = at(f, W)
    v = last.gradient()
    for loop in reversed(loops):
        v = pull(order, eta, loop, v)
    return feasible & last.equation.stable, inner(last.P, f.S0), flat(v)


def _numbers(X: Scalars) -> list[Vector]:
    """All vectors of a matrix of vectors or jets."""
    return [y for x in flat(X) for y in ((x.x, *x.d) if isinstance(x, Jet) else (x,))]


def _from_numbers(numbers: list[Vector], jets: int, n: int) -> Scalars:
    """The matrix again; `jets` is the number of directions."""
    size = jets + 1
    parts = [numbers[i : i + size] for i in range(0, len(numbers), size)]
    return by_rows([Jet(x, tuple(d)) if d else x for x, *d in parts], n)


def _looped(
    code: Code, order: Order, eta: Vector, shots: Int, f: Plant, g: Plant, W: Scalars, room: Place
) -> tuple[Flags, Any, list[Any]]:
    """As `_written_out`, for any number of shots; gains before each are kept in `room`."""
    jets = len(flat(W)[0].d) if isinstance(flat(W)[0], Jet) else 0
    cells = [Cell(code, x) for x in _numbers(W)]
    one, zero = code.fill(1.0), code.fill(0.0)
    fine = Cell(code, one)

    def now() -> Scalars:
        return _from_numbers([cell.get() for cell in cells], jets, order.n)

    def become(X: Scalars) -> None:
        for cell, x in zip(cells, _numbers(X), strict=True):
            cell.set(x)

    with code.loop(shots) as i:
        W = now()
        for e, x in enumerate(_numbers(W)):
            room.store(x, i * len(cells) + e)
        loop = at(g, W)
        fine.set(loop.equation.stable.choose(fine.get(), zero))
        become(move(order, eta, loop, W))
    if order.results == "value":
        stable, value = cost(f, now())
        return stable & (fine.get() > 0.5), value, []
    last = at(f, now())
    become(last.gradient())
    with code.loop(shots) as i:
        place = (shots - i - 1) * len(cells)
        before = [room.load(place + e) for e in range(len(cells))]
        loop = at(g, _from_numbers(before, jets, order.n))
        become(pull(order, eta, loop, now()))
    feasible = last.equation.stable & (fine.get() > 0.5)
    return feasible, inner(last.P, f.S0), flat(now())


# --- all tasks --------------------------------------------------------------------------------


def _tangents(code: Code, order: Order, E: Place) -> list[tuple[Vector, ...]]:
    """The derivatives that each entry of W has along the directions wanted."""
    p = order.n * order.m
    if order.results == "product":
        return [(E.numbers_on(e).gathered(p),) for e in range(p)]
    return [tuple(code.fill(float(d == e)) for d in range(p)) for e in range(p)]


def evaluate(code: Code, order: Order) -> None:
    """The kernel: see `order.ARGUMENTS`."""
    n, m, rest = order.n, order.m, order.rest
    p, width = n * m, order.numbers
    N, k, shots, eta_, stride, f_, g_, omega_, W_, E_, values, out, room = code.given
    eta = eta_.number()
    curved = order.results in ("product", "hessian")
    with code.loop(N, step=LANES) as start:
        here = W_.numbers_on(start * p)
        entries: list[Any] = [here.numbers_on(e).gathered(p) for e in range(p)]
        if curved:
            tangents = _tangents(code, order, E_.numbers_on(start * p))
            entries = [Jet(x, d) for x, d in zip(entries, tangents, strict=True)]
        W = by_rows(entries, n)
        total = [Cell(code, code.fill(0.0)) for _ in range(1 + rest)]
        with code.loop(k) as task:
            f = plant_at(f_.numbers_on(task * width), order)
            g = f if order.same else plant_at(g_.numbers_on(task * width), order)
            if order.unrolled:
                feasible, value, v = _written_out(order, eta, f, g, W)
            else:
                feasible, value, v = _looped(code, order, eta, shots, f, g, W, room)
            omega = _weight(code, omega_, start, task, stride)
            more = [x.d[d] for d in range(len(v[0].d)) for x in v] if curved else v
            total[0].set(feasible.choose(total[0].get() + omega * bare(value), float("inf")))
            for cell, x in zip(total[1:], more, strict=True):
                cell.set(cell.get() + omega * x)
        value = total[0].get()
        fine = value < float("inf")
        values.numbers_on(start).scatter(fine.choose(value, float("inf")), 1)
        for e, cell in enumerate(total[1:]):
            out.numbers_on(start * rest + e).scatter(fine.choose(cell.get(), 0.0), rest)


def _weight(code: Code, weights: Place, start: Int, task: Int, stride: Int) -> Vector:
    """Of a task, for each gain; one number for all of them where the stride is none."""
    cell = Cell(code, weights.number(task))
    with code.when(stride.compared("!=", 0)):
        cell.set(weights.numbers_on(start * stride + task).gathered(stride))
    return cell.get()
