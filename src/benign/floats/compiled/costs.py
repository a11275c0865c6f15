"""Costs along models of a gain, one task at a time, in compiled code: see `benign.floats.along`.

f = N u,   f_i = (N_i − D_i f) u,   f_ij = (N_ij − D_ij f − D_i f_j − D_j f_i) u,   …
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

from benign.floats import polynomials, taylor
from benign.floats.along import orders, place
from benign.floats.compiled import models as rules
from benign.floats.compiled import shifting
from benign.floats.compiled.models import Model
from benign.floats.compiled.numbers import Shape, count
from benign.floats.compiled.stabilising import Interval, beyond, down, gains, stabilises, up
from benign.floats.compiled.storing import Stored, Writer
from benign.floats.taylor import Basis, basis
from benign.kernels.lanes import Code, Flags, Place, Vector


@dataclass(frozen=True)
class Task:
    """The row of one task."""

    w: Writer
    shape: Shape
    row: Place

    def __getitem__(self, name: str) -> Place:
        return self.row.numbers_on(self.shape.places[name])


class Along:
    """The cost f or g of a task along the models F of a gain.

    Args:
        task: its numbers.
        name: "f" or "g".
        F: p models.
        of: one of a higher degree along the same models.
    """

    def __init__(self, task: Task, name: str, F: Sequence[Stored], of: Along | None = None) -> None:
        self.task, self.name, self.F = task, name, list(F)
        self.w, self.shape, self.p = task.w, task.shape, task.shape.p
        self.degree = F[0].basis.degree
        self._kept: dict[str, list[Stored]] = {}
        self._begin(of)

    def _begin(self, of: Along | None) -> None:
        w = self.w
        degrees = self.shape.along["gf".index(self.name)]
        self.bases = {which: basis(self.p, d) for which, d in zip("ND", degrees, strict=True)}
        if of is not None:
            self._radius, self._parts = of._radius, of._parts
            self._powers = w.truncated_powers(of._powers, self.degree)
            return
        self._radius = w.vectors(self.p)
        centre, z = w.vectors(self.p), [w.new(self.degree) for _ in range(self.p)]
        for i, f in enumerate(self.F):
            _centred(w, f, centre + i, self._radius + i, z[i])
        self._powers = w.powers(z)
        self._parts = {which: self._shifted(which, centre) for which in "ND"}

    def truncated(self, degree: int) -> Along:
        """The same with models of a lower degree."""
        return Along(self.task, self.name, [self.w.truncated(f, degree) for f in self.F], self)

    def _shifted(self, which: str, centre: Place) -> Place:
        """N or D about the centre: coefficients, and errors by degree."""
        return _shift(
            self.w, self.bases[which], self.task[f"{self.name} {which}"], centre, self._radius
        )

    # --- numerator and denominator -----------------------------------------------------------

    def _keep(self, key: str, make: Callable[[], list[Stored]]) -> list[Stored]:
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    def polynomials(self, which: str, order: int) -> list[Stored]:
        """∂^order N or D at F, by the orders of `orders`."""
        return self._keep(f"{which}{order}", lambda: self._substituted(which, order))

    def _substituted(self, which: str, order: int) -> list[Stored]:
        return [
            self.w.substitute(self._derivative(which, axes), self._powers)
            for axes in orders(self.p, order)
        ]

    def _derivative(self, which: str, axes: tuple[int, ...]) -> Stored:
        B, order, degree = self.bases[which], len(axes), self.degree

        def rule(parts: Place, radius: Place) -> Model:
            c = [parts.load(i) for i in range(B.size)]
            errors = [parts.load(B.size + d) for d in range(B.degree + 1)]
            falling = [polynomials._falling(d, order) for d in range(B.degree + 1)]
            lost = [x * e for x, e in zip(falling, errors, strict=True) if x]
            error = rules.added(lost) * taylor.GROWN if lost else parts.code.fill(0.0)
            found = rules.derivative(B, c, error, axes, degree)
            if order == 0:
                return found
            scale = radius.load(axes[0])
            for i in axes[1:]:
                scale = scale * radius.load(i)
            return found.times(1.0 / scale, 2 * order * taylor.UNIT)

        name = f"derivative{B.degree}_" + "".join(map(str, axes))
        return self.w.apart(name, degree, rule, self._parts[which], self._radius)

    @property
    def n(self) -> Stored:
        """N(F)."""
        return self.polynomials("N", 0)[0]

    @property
    def d(self) -> Stored:
        """D(F)."""
        return self.polynomials("D", 0)[0]

    def signs(self) -> tuple[Flags, Flags]:
        """Where F(x) stabilises for all x, and where for none."""
        below, above = self.w.bounds(self.d)
        to = self.w.vectors(3)
        task, name, p, shape = self.task, self.name, self.p, self.shape
        faces = shape.faces["gf".index(name)]
        B = self.F[0].basis

        def write(code: Code, to: Place, numbers: Place, loops: Place, rows: Place, *F: Place) -> None:
            y = []
            for at in F:
                middle, e = at.load(0), at.load(B.size)
                y.append(Interval(down(middle - e), up(middle + e)))
            inside, outside = stabilises(loops, shape.n, shape.m, gains(numbers, p, y))
            to.store(inside.choose(1.0, 0.0), 0)
            to.store(outside.choose(1.0, 0.0), 1)
            top = [Stored(at, B).load() for at in F]
            zero = code.fill(0.0)
            one = Model(B, [code.fill(1.0), *[zero] * (B.size - 1)], zero)
            to.store(beyond(rows, faces, top, one).choose(1.0, 0.0), 2)

        self.w.code.call(
            f"signs_{shape.n}_{shape.m}_{B.degree}_{faces}",
            write,
            to,
            task[f"{name} gains"],
            task[f"{name} loops"],
            task[f"{name} faces"],
            *(f.place for f in self.F),
        )
        inside, outside, out = (to.load(i) > 0.5 for i in range(3))
        # D < 0 at no stabilising gain; and where D has no zero all gains are as the one at x = 0 is.
        none = (above < 0.0) | out | ((below > 0.0) & outside)
        return (below > 0.0) & inside & ~none, none

    def least(self) -> Vector:
        """A lower bound of f where F stabilises."""
        code = self.w.code
        by_model = self.w.bounds(self.value)[0]
        finite = abs(by_model) < float("inf")
        top, bottom = self.w.bounds(self.n)[0], self.w.bounds(self.d)[1]
        good = (bottom > 0.0) & (top > 0.0)
        quotient = top / good.choose(bottom, 1.0) * (1.0 - 4.0 * taylor.UNIT) - taylor.TINY
        quotient = (good & (quotient > 0.0)).choose(quotient, 0.0)
        return code.of_lanes("maxnum", finite.choose(by_model, 0.0), quotient)

    def cleared(self) -> list[Stored]:
        """D²∂_if = N_iD − ND_i: it has no pole."""
        every = zip(self.polynomials("N", 1), self.polynomials("D", 1), strict=True)
        return [self.w.less(self.w.multiply(N_i, self.d), self.n, D_i) for N_i, D_i in every]

    # --- the quotient ------------------------------------------------------------------------

    @property
    def inverse(self) -> Stored:
        """1/D(F)."""
        return self._keep("1/D", lambda: [self.w.inverse(self.d)])[0]

    @property
    def value(self) -> Stored:
        """f(F)."""
        return self.derivatives(0)[0]

    def derivatives(self, order: int) -> list[Stored]:
        """The partial derivatives of f of one order at F, by `orders`."""
        return self._keep(f"f{order}", lambda: self._quotients(order))

    def _quotients(self, order: int) -> list[Stored]:
        if order == 0:
            return [self.w.multiply(self.n, self.inverse)]
        tops = [self.derivatives(i) for i in range(order)]
        bottoms = [self.polynomials("D", i) for i in range(order + 1)]
        found = []
        for top, axes in zip(self.polynomials("N", order), orders(self.p, order), strict=True):
            left = self.w.new(self.degree)
            source = top
            for size in range(1, order + 1):
                for chosen in combinations(range(order), size):
                    taken = place(self.p, [axes[i] for i in chosen])
                    others = place(self.p, [axes[i] for i in range(order) if i not in chosen])
                    bottom, known = bottoms[size][taken], tops[order - size][others]
                    source = self.w.less(source, bottom, known, into=left)
            found.append(self.w.multiply(left, self.inverse))
        return found

    def first(self) -> list[Stored]:
        """The gradient."""
        return self.derivatives(1)

    def second(self) -> list[list[Stored]]:
        """The Hessian."""
        found, size = self.derivatives(2), range(self.p)
        return [[found[place(self.p, [i, j])] for j in size] for i in size]

    def third(self, *axes: int) -> Stored:
        """A third derivative."""
        return self.derivatives(3)[place(self.p, axes)]


class OnBox(Along):
    """The cost g along a box y₀ ± r itself: N and D are polynomials in y as well.

    Args:
        task: its numbers.
        z: y in the task's own coordinates.
        y0, r: the box.
    """

    def __init__(self, task: Task, z: Sequence[Stored], y0: Place, r: Place) -> None:
        self._y0, self._r = y0, r
        self._of: OnBox | None = None
        super().__init__(task, "g", z)

    def _begin(self, of: Along | None) -> None:
        pass

    def truncated(self, degree: int) -> OnBox:
        """The same with models of a lower degree."""
        made = OnBox(self.task, [self.w.truncated(f, degree) for f in self.F], self._y0, self._r)
        made._of = self
        return made

    def _substituted(self, which: str, order: int) -> list[Stored]:
        if self._of is not None:
            return [self.w.truncated(f, self.degree) for f in self._of.polynomials(which, order)]
        B = basis(self.p, self.shape.on_boxes["ND".index(which)][order])
        size, degree, w = count(B), self.degree, self.w
        numbers, found = self.task[f"{which}{order}"], []

        def rule(parts: Place) -> Model:
            c = [parts.load(i) for i in range(B.size)]
            error = [parts.load(B.size + d) for d in range(B.degree + 1)]
            return shifting.Expansion(B, c, error).model(degree)

        for i in range(len(orders(self.p, order))):
            to = w.new(degree)
            mark = w.mark
            parts = _shift(w, B, numbers.numbers_on(i * size), self._y0, self._r)
            w.apart(f"expand{B.degree}", degree, rule, parts, into=to)
            w.release(mark)
            found.append(to)
        return found


def _shift(w: Writer, B: Basis, numbers: Place, centre: Place, radius: Place) -> Place:
    """A polynomial about a centre: coefficients, and errors by degree."""
    to, p = w.vectors(B.size + B.degree + 1), B.p

    def write(code: Code, to: Place, numbers: Place, centre: Place, radius: Place) -> None:
        y0, r = ([x.load(i) for i in range(p)] for x in (centre, radius))
        shifting.shifted(B, to, numbers, y0, r)

    w.code.call(f"shift{B.degree}_{p}", write, to, numbers, centre, radius)
    return to


def _centred(w: Writer, f: Stored, centre: Place, radius: Place, z: Stored) -> None:
    """z = (f − centre)/radius, which lies in the cube."""

    def write(code: Code, centre: Place, radius: Place, z: Place, f_: Place) -> None:
        f = Stored(f_, B).load()
        size = (rules.size_of(f.c[1:]) + f.e + taylor.TINY) * taylor.GROWN
        least = 2.0**-60 * (1.0 + abs(f.c[0]))
        size = (least > size).choose(least, size)
        centre.store(f.c[0])
        radius.store(size)
        rest = Model(B, [code.fill(0.0), *f.c[1:]], f.e)
        Stored(z, B).store(rest.times(1.0 / size, taylor.UNIT))

    B = f.basis
    w.code.call(f"centred_{w.p}_{B.degree}", write, centre, radius, z.place, f.place)
