"""Whether gains stabilise, in compiled code: see `benign.floats.stability` and `benign.floats.facets`.

Intervals are rounded outward as in `benign.floats.intervals`. Where the product or sum that gave a
bound is fused with the step outward, that step starts from the exact number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce

from benign.floats import intervals
from benign.floats.compiled.models import Model, added, combine
from benign.floats.taylor import GROWN
from benign.kernels.lanes import Cell, Code, Flags, Place, Vector


@dataclass(frozen=True)
class Interval:
    """[lo, hi] in every lane; the operators round outward."""

    lo: Vector
    hi: Vector

    def __neg__(self) -> Interval:
        return Interval(-self.hi, -self.lo)

    def __add__(self, other: Interval) -> Interval:
        return self._with(other, "sum_of_intervals", _sum)

    def __sub__(self, other: Interval) -> Interval:
        return self + -other

    def __mul__(self, other: Interval) -> Interval:
        return self._with(other, "product_of_intervals", _product)

    def _with(self, other: Interval, name: str, write: Callable[..., None]) -> Interval:
        code = self.lo.code
        to = code.vectors_in_stack(2)
        code.call(name, write, to, self.lo, self.hi, other.lo, other.hi)
        return Interval(to.load(0), to.load(1))

    def moduli(self) -> tuple[Vector, Vector]:
        """The least and the largest |x|."""
        code = self.lo.code
        most = code.of_lanes("maximum", abs(self.lo), abs(self.hi))
        least = code.of_lanes("maximum", self.lo, -self.hi)
        return code.of_lanes("maximum", least, 0.0), most


def _sum(code: Code, to: Place, a: Vector, b: Vector, c: Vector, d: Vector) -> None:
    """[a, b] plus [c, d]."""
    to.store(down(a + c), 0)
    to.store(up(b + d), 1)


def _product(code: Code, to: Place, a: Vector, b: Vector, c: Vector, d: Vector) -> None:
    """[a, b] times [c, d]."""
    ends = [x * y for x in (a, b) for y in (c, d)]
    to.store(down(reduce(lambda x, y: code.of_lanes("minimum", x, y), ends)), 0)
    to.store(up(reduce(lambda x, y: code.of_lanes("maximum", x, y), ends)), 1)


def down(x: Vector) -> Vector:
    """A lower bound of what was rounded to x."""
    x = x.code.of_lanes("minimum", x, intervals.HUGE)
    return x - (intervals.EPS * abs(x) + intervals.TINY)


def up(x: Vector) -> Vector:
    """An upper bound of what was rounded to x."""
    x = x.code.of_lanes("maximum", x, -intervals.HUGE)
    return x + (intervals.EPS * abs(x) + intervals.TINY)


def interval(numbers: Place, index: int) -> Interval:
    """An interval of a task, its ends side by side in memory."""
    return Interval(numbers.number(2 * index), numbers.number(2 * index + 1))


def gains(numbers: Place, p: int, y: Sequence[Interval]) -> list[Interval]:
    """The entries of W = centre + axes·y; the numbers are the centre's, then the axes'."""
    found = []
    for i in range(p):
        entry = interval(numbers, i)
        for j in range(p):
            entry = entry + interval(numbers, p + i * p + j) * y[j]
        found.append(entry)
    return found


def stabilises(numbers: Place, n: int, m: int, W: Sequence[Interval]) -> tuple[Flags, Flags]:
    """Where all gains in the intervals stabilise, and where none does; A and then B in memory."""
    loop = []
    for i in range(n):
        row = []
        for j in range(n):
            entry = interval(numbers, i * n + j)
            for a in range(m):
                entry = entry - interval(numbers, n * n + i * m + a) * W[a * n + j]
            row.append(entry)
        loop.append(row)
    return _schur_cohn(_characteristic(loop))


def _point(x: Vector, value: float) -> Interval:
    return Interval(x.code.fill(value), x.code.fill(value))


def _characteristic(L: list[list[Interval]]) -> list[Interval]:
    """a_0 = 1, a_1, …, a_n: M_1 = I, a_k = −tr(L M_k)/k, M_{k+1} = L M_k + a_k I."""
    n, some = len(L), L[0][0].lo
    coefficients = [_point(some, 1.0)]
    LM = L
    for k in range(1, n + 1):
        trace = reduce(lambda x, y: x + y, [LM[i][i] for i in range(n)])
        # Exact for powers of two; otherwise 1/k errs by u of itself.
        share, slack = 1.0 / k, 0.0 if k & (k - 1) == 0 else 2.0**-52
        lo, hi = share * (1.0 - slack), share * (1.0 + slack)
        a = -(trace * Interval(some.code.fill(lo), some.code.fill(hi)))
        coefficients.append(a)
        if k == n:
            break
        M = [[LM[i][j] + a if i == j else LM[i][j] for j in range(n)] for i in range(n)]
        LM = [
            [reduce(lambda x, y: x + y, [L[i][q] * M[q][j] for q in range(n)]) for j in range(n)]
            for i in range(n)
        ]
    return coefficients


def _schur_cohn(a: list[Interval]) -> tuple[Flags, Flags]:
    zero = a[0].lo.code.fill(0.0)
    going, outside = zero <= zero, zero < zero
    while len(a) > 1:
        last_least, last_most = a[-1].moduli()
        first_least, first_most = a[0].moduli()
        passed = last_most < first_least
        outside = outside | (going & ~passed & (last_least > first_most))
        going = going & passed
        degree = len(a) - 1
        a = [a[0] * a[i] - a[-1] * a[degree - i] for i in range(degree)]
    return going, outside


def beyond(numbers: Place, rows: int, top: Sequence[Model], bottom: Model) -> Flags:
    """Whether the gains top/bottom, wherever the bottom is positive, lie beyond one of the faces.

    A face is a row of p + 1 numbers and then a row of their errors; a row of zeros is none.
    """
    models = [*top, bottom]
    reach, q = [f.reach() for f in models], len(models)
    code = bottom.e.code
    found = Cell(code, code.fill(0.0))
    with code.loop(rows) as row:
        face = numbers.numbers_on(row * (2 * q))
        high = combine(models, [face.number(i) for i in range(q)]).bounds()[1]
        slack = added([face.number(q + i) * x for i, x in enumerate(reach)])
        found.set((high < -(slack * GROWN)).choose(1.0, found.get()))
    return found.get() > 0.5
