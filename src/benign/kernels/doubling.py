"""h, its gradient and its Hessian for three and more states.

With L = A − BW, M = R + B'PB, G = M W − B'PA, and E a direction (a dot is the derivative along it):

    ∇C = 2 G Σ                                    P = L'PL + Q + W'RW,     Σ = LΣL' + S0,
    ∇²C[E] = 2 (Ġ Σ + G Σ̇),                       Ṗ = L'ṖL + E'G + G'E,    Ġ = M E − B'ṖL,
                                                  Σ̇ = LΣ̇L' − BEΣL' − LΣE'B'.

∇h needs ∇²g only along v, the adjoint that travels back over the shots; ∇²h[E] needs besides the
derivative of ∇²g[v] along Ẇ, the tangent that travels forward: `Doubling._turned`, the formulas above
once more differentiated. Each is two more equations with the powers of L that are there.
"""

from __future__ import annotations

from dataclasses import dataclass

from benign.kernels.lanes import INT, LANES, Cell, Code, Int, Place, Vector
from benign.kernels.matrices import (
    ADD,
    MOST_POWERS,
    SUBTRACT,
    Matrix,
    copy,
    each,
    inner,
    matrix,
    powers,
    product,
    solve,
    symmetric_sum,
)
from benign.kernels.order import Order

SQUARES = ("P", "Sigma", "Pc", "Sc", "dP", "dSigma")
"""n × n: cost-to-go and moments; their derivatives along c, which v becomes, and along Ẇ."""

GAINS = ("W", "G", "D", "u", "BP", "v", "c", "Gc", "Hc", "dG", "dW", "H")
"""m × n: the gain, G, ∇C, ∇C/‖∇C‖, B'P; v, c, the derivative of G along c, ∇²C[c]; Ġ, Ẇ, ∇²C[Ẇ]."""


@dataclass(frozen=True)
class Plant:
    """A, B, Q, R, S0 and T of a task, and the units of its norms, which are vectors."""

    A: Matrix
    B: Matrix
    Q: Matrix
    R: Matrix
    S0: Matrix
    T: Matrix | None
    units: Place


class Doubling:
    """The functions of a kernel for n states and m inputs.

    Args:
        order: what it is for.
    """

    def __init__(self, order: Order):
        self.order, self.n, self.m = order, order.n, order.m
        n, m = self.n, self.m
        self.gain = m * n
        place = 0
        self.places: dict[str, int] = {}
        for names, size in ((SQUARES, n * n), (GAINS, m * n), (("M",), m * m), (("inverse",), 1)):
            for name in names:
                self.places[name] = place
                place += size
        self.places["steps"] = place
        self.places["L"] = place + 1
        self.slot = place + 1 + MOST_POWERS * n * n
        self.plant = order.numbers
        """Numbers of a plant, before the n² squares of the ratios of its units."""
        self.room = 6 * n * n + 4 * m * n + m * m + n + 8
        """Vectors of scratch."""

    # where things are

    def _plant(self, p: Place, units: Place) -> Plant:
        n, m = self.n, self.m
        places, at = [], 0
        for rows, columns in ((n, n), (n, m), (n, n), (m, m), (n, n)):
            places.append(matrix(p.numbers_on(at), rows, columns, same=True))
            at += rows * columns
        A, B, Q, R, S0 = places
        T = matrix(p.numbers_on(at), m, n, same=True) if self.order.shifted else None
        return Plant(A, B, Q, R, S0, T, units)

    def _get(self, q: Place, *names: str) -> list[Matrix]:
        n, m = self.n, self.m
        found = []
        for name in names:
            rows, columns = (n, n) if name in SQUARES or name == "L" else (m, n)
            if name == "M":
                rows, columns = m, m
            found.append(matrix(q + self.places[name], rows, columns))
        return found

    def place(self, q: Place, name: str) -> Place:
        """Of a gain in a slot."""
        return q + self.places[name]

    def _steps(self, q: Place) -> Int:
        """How many powers of L there are: a whole number where others are vectors."""
        code = q.code
        where = code.builder.bitcast((q + self.places["steps"]).value, INT.as_pointer())
        return Int(code, code.builder.load(where))

    # a closed loop

    def at(
        self, code: Code, p: Place, units: Place, q: Place, alive: Int, t: Place, *, whole: bool
    ) -> Int:
        """Everything at the gain of a slot; of the lanes alive those that are stable."""

        def write(code: Code, p: Place, units: Place, q: Place, alive: Int, t: Place) -> Int:
            n, plant = self.n, self._plant(p, units)
            W, L = self._get(q, "W", "L")
            copy(code, L.place, plant.A)
            product(code, L, plant.B, W, SUBTRACT)
            steps = powers(code, L.place, units, alive, t, t + 3, n)
            where = code.builder.bitcast((q + self.places["steps"]).value, INT.as_pointer())
            code.builder.store(steps.value, where)
            stable = (t.load(0) > 0.5).bits() & alive
            with code.when(stable.compared("!=", 0)):
                self._solved(code, plant, q, steps, t, whole)
            return stable

        return code.call(f"at {whole}", write, p, units, q, alive, t)

    def _solved(self, code: Code, plant: Plant, q: Place, steps: Int, t: Place, whole: bool) -> None:
        W, L, P, Sigma, M, G, BP, D = self._get(q, "W", "L", "P", "Sigma", "M", "G", "BP", "D")
        n = self.n
        if plant.T is not None:  # what is paid for, W − T, until D has a use of its own
            copy(code, D.place, plant.T)
            for e in each(code, self.gain):
                D.place.store(W.place.load(e) - D.place.load(e), e)
            W = D
        copy(code, P.place, plant.Q)
        product(code, G, plant.R, W)
        product(code, P, W.T, G, ADD)
        solve(code, P.place, L.place, steps, t, n, adjoint=True)
        if not whole:
            return
        copy(code, Sigma.place, plant.S0)
        solve(code, Sigma.place, L.place, steps, t, n)
        product(code, BP, plant.B.T, P)
        copy(code, M.place, plant.R)
        product(code, M, BP, plant.B, ADD)
        product(code, G, BP, L, SUBTRACT)
        product(code, D, G, Sigma)
        for e in each(code, self.gain):
            x = D.place.load(e)
            D.place.store(x + x, e)

    def value(self, code: Code, p: Place, units: Place, q: Place) -> Vector:
        """tr(P S0)."""
        (P,) = self._get(q, "P")
        return inner(code, P, self._plant(p, units).S0)

    def _along(
        self, code: Code, p: Place, q: Place, t: Place, E: str, dP: str, dS: str, dG: str, H: str
    ) -> None:  # fmt: skip
        """∇²C[E], with Ṗ, Σ̇ and Ġ, all by their names in the slot."""

        def write(code: Code, p: Place, q: Place, t: Place) -> None:
            n, m, B = self.n, self.m, self._plant(p, p).B
            steps = self._steps(q)
            L, Sigma, M, G = self._get(q, "L", "Sigma", "M", "G")
            e, dp, ds, dg, h = self._get(q, E, dP, dS, dG, H)
            T, U, V = matrix(t, n, n), matrix(t + n * n, n, n), matrix(t + 2 * n * n, m, n)
            product(code, T, e.T, G)
            symmetric_sum(code, dp.place, T.place, n)
            solve(code, dp.place, L.place, steps, t, n, adjoint=True)
            product(code, V, e, Sigma)
            product(code, U, B, V)
            product(code, T, U, L.T)
            symmetric_sum(code, ds.place, T.place, n, -1.0)
            solve(code, ds.place, L.place, steps, t, n)
            product(code, dg, M, e)
            product(code, V, B.T, dp)
            product(code, dg, V, L, SUBTRACT)
            product(code, h, dg, Sigma)
            product(code, h, G, ds, ADD)
            for i in each(code, self.gain):
                x = h.place.load(i)
                h.place.store(x + x, i)

        code.call(f"along {E} {H}", write, p, q, t)

    def _turned(self, code: Code, p: Place, q: Place, dc: Place, out: Place, t: Place) -> None:
        """∇²C[ċ] and the derivative of ∇²C[c] along Ẇ, added, from what the slot holds along both.

        With X and Y the derivatives of P_c and Σ_c, and L̇ = −BẆ:
            X = L'XL + sym(ċ'G + c'Ġ + L̇'P_c L),     sym(Z) = Z + Z',
            Y = LYL' + sym(L̇Σ_c L' − B(ċΣ + cΣ̇)L' − BcΣL̇'),
            Ġ_c = Mċ + B'ṖB c − B'XL − B'P_c L̇.
        """

        def write(code: Code, p: Place, q: Place, dc_: Place, out: Place, t: Place) -> None:
            n, m, nn, B = self.n, self.m, self.n**2, self._plant(p, p).B
            steps = self._steps(q)
            L, Sigma, M, G, Pc, Sc = self._get(q, "L", "Sigma", "M", "G", "Pc", "Sc")
            dP, dS, c, Gc, dG, dW = self._get(q, "dP", "dSigma", "c", "Gc", "dG", "dW")
            dL, X, Y, T, U = (matrix(t + i * nn, n, n) for i in range(5))
            V, V2 = (matrix(t + 5 * nn + i * self.gain, m, n) for i in range(2))
            S = matrix(t + 5 * nn + 2 * self.gain, m, m)
            dc, result = matrix(dc_, m, n), matrix(out, m, n)
            for i in each(code, nn):
                dL.place.store(0.0, i)
            product(code, dL, B, dW, SUBTRACT)
            product(code, U, Pc, L)
            product(code, T, dL.T, U)
            product(code, T, dc.T, G, ADD)
            product(code, T, c.T, dG, ADD)
            symmetric_sum(code, X.place, T.place, n)
            solve(code, X.place, L.place, steps, T.place, n, adjoint=True)
            product(code, V, dc, Sigma)
            product(code, V, c, dS, ADD)
            product(code, U, dL, Sc)
            product(code, U, B, V, SUBTRACT)
            product(code, T, U, L.T)
            product(code, V, c, Sigma)
            product(code, U, B, V)
            product(code, T, U, dL.T, SUBTRACT)
            symmetric_sum(code, Y.place, T.place, n)
            solve(code, Y.place, L.place, steps, T.place, n)
            product(code, V, M, dc)
            product(code, V2, B.T, dP)
            product(code, S, V2, B)
            product(code, V, S, c, ADD)
            product(code, V2, B.T, X)
            product(code, V, V2, L, SUBTRACT)
            product(code, V2, B.T, Pc)
            product(code, V, V2, dL, SUBTRACT)
            product(code, result, V, Sigma)
            product(code, result, Gc, dS, ADD)
            product(code, result, dG, Sc, ADD)
            product(code, result, G, Y, ADD)
            for i in each(code, self.gain):
                x = out.load(i)
                out.store(x + x, i)

        code.call("turned", write, p, q, dc, out, t)

    # shots

    def shot(self, code: Code, q: Place, to: Place, eta: Vector) -> None:
        """The next gain, put at `to`."""
        D, W = (self.place(q, name) for name in ("D", "W"))
        if self.order.kind == "normalized":
            self._set_direction(code, q)
            D = self.place(q, "u")
        for e in each(code, self.gain):
            to.store(W.load(e) - eta * D.load(e), e)

    def _set_direction(self, code: Code, q: Place) -> None:
        """1/‖∇g‖ and u = ∇g/‖∇g‖, both zero where ∇g = 0, without under- or overflow."""
        D, u, inverse = (self.place(q, name) for name in ("D", "u", "inverse"))
        scale, total = Cell(code, code.fill(0.0)), Cell(code, code.fill(0.0))
        for e in each(code, self.gain):
            x = abs(D.load(e))
            scale.set((scale.get() < x).choose(x, scale.get()))
        moving = scale.get() > 0.0
        safe = moving.choose(scale.get(), 1.0)
        for e in each(code, self.gain):
            x = D.load(e) / safe
            total.set(total.get() + x * x)
        norm = moving.choose(total.get(), 1.0).root()
        inverse.store(moving.choose(1.0 / (norm * safe), 0.0))
        for e in each(code, self.gain):
            u.store(moving.choose(D.load(e) / safe / norm, 0.0), e)

    def _dot(self, code: Code, x: Place, y: Place) -> Vector:
        m, n = self.m, self.n
        return inner(code, matrix(x, m, n), matrix(y, m, n))

    def pull(self, code: Code, p: Place, q: Place, v: Place, eta: Vector, t: Place) -> None:
        """The adjoint of the derivative of the shot from a slot, applied to v in place."""
        u, kept, c, H = (self.place(q, name) for name in ("u", "v", "c", "Hc"))
        normalized = self.order.kind == "normalized"
        along = self._dot(code, u, v) if normalized else None
        for e in each(code, self.gain):
            x = v.load(e)
            kept.store(x, e)
            c.store(x if along is None else x - u.load(e) * along, e)
        self._along(code, p, q, t, "c", "Pc", "Sc", "Gc", "Hc")
        step = eta * self.place(q, "inverse").load() if normalized else eta
        for e in each(code, self.gain):
            v.store(v.load(e) - step * H.load(e), e)

    def push(self, code: Code, p: Place, q: Place, to: Place, eta: Vector, t: Place) -> None:
        """The derivative of the shot from a slot, applied to its Ẇ, put at `to`."""
        self._along(code, p, q, t, "dW", "dP", "dSigma", "dG", "H")
        u, dW, H = (self.place(q, name) for name in ("u", "dW", "H"))
        normalized = self.order.kind == "normalized"
        along = self._dot(code, u, H) if normalized else None
        step = eta * self.place(q, "inverse").load() if normalized else eta
        for e in each(code, self.gain):
            moved = H.load(e) if along is None else H.load(e) - u.load(e) * along
            to.store(dW.load(e) - step * moved, e)

    def end(self, code: Code, p: Place, q: Place, to: Place, t: Place) -> None:
        """∇²f[Ẇ] at the last gain."""
        self._along(code, p, q, t, "dW", "dP", "dSigma", "dG", "H")
        copy(code, to, matrix(self.place(q, "H"), 1, self.gain))

    def turn_back(self, code: Code, p: Place, q: Place, dv: Place, eta: Vector, t: Place) -> None:
        """v̇ before the shot from a slot, in place of v̇ after it."""
        u, v, Hc, H, inverse = (self.place(q, name) for name in ("u", "v", "Hc", "H", "inverse"))
        dc, moved, rest = t, t + self.gain, t + 2 * self.gain
        if self.order.kind == "gradient":
            self._turned(code, p, q, dv, moved, rest)
            for e in each(code, self.gain):
                dv.store(dv.load(e) - eta * moved.load(e), e)
            return
        # r = 1/‖∇g‖ and u = r∇g change by ṙ = −r² u·q and u̇ = r (q − u u·q), q = ∇²g[Ẇ].
        r, uq, uv = inverse.load(), self._dot(code, u, H), self._dot(code, u, v)
        total = Cell(code, code.fill(0.0))
        for e in each(code, self.gain):
            du = r * (H.load(e) - u.load(e) * uq)
            total.set(total.get() + du * v.load(e) + u.load(e) * dv.load(e))
        change = total.get()
        for e in each(code, self.gain):
            du = r * (H.load(e) - u.load(e) * uq)
            dc.store(dv.load(e) - du * uv - u.load(e) * change, e)
        self._turned(code, p, q, dc, moved, rest)
        dr = -(r * r * uq)
        for e in each(code, self.gain):
            dv.store(dv.load(e) - eta * (dr * Hc.load(e) + r * moved.load(e)), e)


def evaluate(code: Code, order: Order) -> None:
    """The kernel: see `order.ARGUMENTS`."""
    d = Doubling(order)
    n, gain, results = d.n, d.gain, order.results
    count, rest = (gain if results == "hessian" else 1), order.rest
    N, k, shots, eta_, stride, f_, g_, omega_, W_, E_, values, out, room = code.given
    eta = eta_.number()
    nn, width = n * n, d.plant + n * n
    total, v = room, room + count * gain
    dv, fu = v + gain, v + 2 * gain
    gu = fu + nn
    t, q0 = gu + nn, gu + nn + d.room
    last = q0 + shots * d.slot
    with code.loop(N, step=LANES) as start:
        W = W_.numbers_on(start * gain)
        for e in each(code, gain):
            d.place(q0, "W").store(W.numbers_on(e).gathered(gain), e)
        for e in each(code, count * gain):
            total.store(0.0, e)
        value, alive = Cell(code, code.fill(0.0)), Cell(code, code.int(2**LANES - 1))
        task = Cell(code, code.int(0))
        with code.forever() as leave:
            leave(task.get().compared(">=", k))
            leave(alive.get().compared("==", 0))
            f, g = f_.numbers_on(task.get() * width), g_.numbers_on(task.get() * width)
            for e in each(code, nn):
                fu.store(f.number(d.plant + e), e)
                if not order.same:
                    gu.store(g.number(d.plant + e), e)
            units = fu if order.same else gu
            with code.loop(shots) as i:
                q = q0 + i * d.slot
                alive.set(d.at(code, g, units, q, alive.get(), t, whole=True))
                d.shot(code, q, d.place(q + d.slot, "W"), eta)
            alive.set(d.at(code, f, fu, last, alive.get(), t, whole=results != "value"))
            omega = omega_.numbers_on(start * stride + task.get()).gathered(stride)
            value.set(value.get() + omega * d.value(code, f, fu, last))
            if results != "value":
                with code.when(alive.get().compared("!=", 0)):
                    copy(code, v, matrix(d.place(last, "D"), 1, gain))
                    with code.loop(shots) as i:
                        d.pull(code, g, q0 + (shots - i - 1) * d.slot, v, eta, t)
                    if results == "gradient":
                        for e in each(code, gain):
                            total.store(total.load(e) + omega * v.load(e), e)
                    else:
                        E = E_.numbers_on(start * gain)
                        slots = (q0, last, shots)
                        _along_directions(code, order, d, f, g, slots, total, dv, eta, omega, E, t)
            task.set(task.get() + 1)
        found = alive.get().flags().choose(value.get(), float("inf"))
        fine = found < float("inf")
        values.numbers_on(start).scatter(fine.choose(found, float("inf")), 1)
        for e in each(code, rest):
            out.numbers_on(start * rest + e).scatter(fine.choose(total.load(e), 0.0), rest)


def _along_directions(code, order, d, f, g, slots, total, dv, eta, omega, E, t) -> None:
    """∇²(f∘F)[E] for the directions wanted, weighted and added."""
    (q0, last, shots), gain = slots, d.gain
    dW = d.place(q0, "dW")

    def one(direction: Int | int) -> None:
        with code.loop(shots) as i:
            q = q0 + i * d.slot
            d.push(code, g, q, d.place(q + d.slot, "dW"), eta, t)
        d.end(code, f, last, dv, t)
        with code.loop(shots) as i:
            d.turn_back(code, g, q0 + (shots - i - 1) * d.slot, dv, eta, t)
        to = total + direction * gain
        for e in each(code, gain):
            to.store(to.load(e) + omega * dv.load(e), e)

    if order.results == "product":
        for e in each(code, gain):
            dW.store(E.numbers_on(e).gathered(gain), e)
        one(0)
        return
    with code.loop(gain) as direction:
        for e in each(code, gain):
            dW.store(0.0, e)
        dW.store(1.0, direction)
        one(direction)
