"""Polynomials of a gain about the centres of boxes, in compiled code: see `benign.floats.polynomials`.

Rounding is counted as there, and where it matters the shift is made in pairs of floats. With a fused
product-and-sum the rounding e of a product p = fl(ab) is fl(ab − p), exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from benign.floats import polynomials, taylor, twofold
from benign.floats.compiled.models import Model, added, size_of
from benign.floats.taylor import Basis
from benign.kernels.lanes import Cell, Code, Int, Place, Vector


@dataclass(frozen=True)
class Expansion:
    """A polynomial in x, y = y₀ + r∘x: coefficients, and bounds of their errors summed by degree."""

    basis: Basis
    c: Sequence[Vector]
    error: Sequence[Vector]

    def model(self, degree: int) -> Model:
        """As a model of that degree."""
        found = Model(self.basis, self.c, added(self.error) * taylor.GROWN)
        return found.truncated(degree).padded(degree)


def shifted(B: Basis, to: Place, numbers: Place, y0: Sequence[Vector], r: Sequence[Vector]) -> None:
    """The polynomial whose numbers are there, about y₀: coefficients, then errors by degree."""
    code = to.code
    growth = code.fill(1.0)
    if B.degree:
        widest = _largest([abs(y) for y in y0], 1.0)
        for _ in range(B.degree):
            growth = growth * widest
    terms = [numbers.number(2 * B.size + d) * growth for d in range(B.degree + 1)]
    steps = B.p * (2 * B.degree + 2)
    _once(B, to, numbers, y0)
    for d, x in enumerate(terms):
        to.store(x * (taylor.UNIT * steps), B.size + d)
    code.call(f"scaled{B.degree}_{B.p}", _scaled(B), to, *r)
    if not B.degree:
        return
    size = abs(to.load(0))
    change = size_of([to.load(i) for i in range(1, B.size)]) / size
    fourth = (change * change) * (change * change)
    matters = to.load(B.size) / size > polynomials.MATTERS * fourth
    with code.when(matters.bits().compared("!=", 0)):
        exact = code.vectors_in_stack(B.size + B.degree + 1)
        code.call(f"twice{B.degree}_{B.p}", _twice(B), exact, numbers, growth, *y0)
        code.call(f"scaled{B.degree}_{B.p}", _scaled(B), exact, *r)
        with code.loop(B.size + B.degree + 1) as i:
            to.store(matters.choose(exact.load(i), to.load(i)), i)


WRITTEN_OUT = 40
"""Monomials up to which a shift is written out; beyond, it is a loop over a table of its steps."""


def _once(B: Basis, to: Place, numbers: Place, y0: Sequence[Vector]) -> None:
    """The coefficients about y₀."""
    code = to.code
    if B.size <= WRITTEN_OUT:
        c = [numbers.number(i) for i in range(B.size)]
        for axis in range(B.p):
            for i, j in _steps(B, axis):
                c[i] = c[i] + y0[axis] * c[j]
        for i, x in enumerate(c):
            to.store(x, i)
        return
    with code.loop(B.size) as i:
        to.store(numbers.number(i), i)
    for axis in range(B.p):
        with _each_step(code, B, axis) as (i, j):
            to.store(to.load(i) + y0[axis] * to.load(j), i)


def _steps(B: Basis, axis: int) -> list[tuple[int, int]]:
    """Horner's shift along an axis: c[i] += y₀ c[j], in this order."""
    return [
        pair
        for low, high in polynomials._shift_steps(B.p, B.degree, axis)
        for pair in zip(low.tolist(), high.tolist(), strict=True)
    ]


@contextmanager
def _each_step(code: Code, B: Basis, axis: int) -> Iterator[tuple[Int, Int]]:
    """A loop over these steps."""
    steps = _steps(B, axis)
    read = code.table(f"steps{B.degree}_{B.p}_{axis}", [x for pair in steps for x in pair])
    with code.loop(2 * len(steps), step=2) as s:
        yield read(s), read(s + 1)


def _largest(numbers: Sequence[Vector], least: float) -> Vector:
    """The largest, or `least` where that is more; NaN where one is none."""
    found = numbers[0].code.fill(least)
    for x in numbers:
        found = (found > x).choose(found, x)
    return found if len(numbers) == 1 else found + 0.0 * added(numbers)


def _scaled(B: Basis) -> Callable[..., None]:
    """The coefficients in x from those in y − y₀ = r∘x, and their errors, in place."""

    def write(code: Code, at: Place, *r: Vector) -> None:
        powers = code.vectors_in_stack(B.p * B.degree) if B.degree else at
        for axis, first in enumerate(r):
            power = first
            for order in range(1, B.degree + 1):
                powers.store(power, axis * B.degree + order - 1)
                power = power * first
        factors = [
            (i, axis * B.degree + k - 1)
            for i, exponents in enumerate(B.exponents.tolist())
            for axis, k in enumerate(exponents)
            if k
        ]
        if B.size <= WRITTEN_OUT:
            c = [at.load(i) for i in range(B.size)]
            for i, k in factors:
                c[i] = c[i] * powers.load(k)
            for i, x in enumerate(c):
                at.store(x, i)
        else:
            read = code.table(f"factors{B.degree}_{B.p}", [x for pair in factors for x in pair])
            with code.loop(2 * len(factors), step=2) as s:
                at.store(at.load(read(s)) * powers.load(read(s + 1)), read(s))
        widest = _largest(r, 0.0)
        tiny, larger = code.fill(taylor.TINY), (widest > 1.0).choose(widest, 1.0)
        for _ in range(B.degree):
            tiny = tiny * larger
        scale = code.fill(1.0)
        for d, size in enumerate(_degrees(B, at)):
            rounded = taylor.UNIT * (2 * B.degree + 6) * size
            lost = at.load(B.size + d) * scale
            at.store((lost + rounded + tiny) * taylor.GROWN, B.size + d)
            scale = scale * widest

    return write


def _degrees(B: Basis, at: Place) -> list[Vector]:
    """Σ_{|k| = d} |c_k| of coefficients in memory."""
    if B.size <= WRITTEN_OUT:
        return Model(B, [at.load(i) for i in range(B.size)], at.load(0)).degrees()
    found = []
    for first, end in zip(B.starts[:-1], B.starts[1:], strict=True):
        size = Cell(at.code, at.code.fill(0.0))
        with at.code.loop(end, first) as i:
            size.set(size.get() + abs(at.load(i)))
        found.append(size.get())
    return found


def _twice(B: Basis) -> Callable[..., None]:
    """The polynomial about y₀ in pairs of floats, rounded to floats at the end; errors by degree."""

    def write(code: Code, to: Place, numbers: Place, growth: Vector, *y0: Vector) -> None:
        pairs = code.vectors_in_stack(2 * B.size)
        with code.loop(B.size) as i:
            pairs.store(numbers.number(i), 2 * i)
            pairs.store(numbers.number(i + B.size), 2 * i + 1)
        for axis in range(B.p):
            with _each_step(code, B, axis) as (i, j):
                multiply_add(code, pairs + 2 * i, y0[axis], pairs + 2 * j)
        with code.loop(B.size) as i:
            to.store(pairs.load(2 * i) + pairs.load(2 * i + 1), i)
        steps = B.p * (2 * B.degree + 2)
        for d, size in enumerate(_degrees(B, to)):
            term = numbers.number(2 * B.size + d) * growth
            lost = term * (twofold.LOST * steps) + taylor.TINY * growth
            to.store(taylor.UNIT * size + lost, B.size + d)

    return write


def multiply_add(code: Code, low: Place, factor: Vector, high: Place) -> None:
    """low + factor·high for pairs low and high, into low: nothing is fused but where it says so."""
    first, rest = high.load(0), high.load(1)
    product = code.alone("fmul", factor, first)
    e = code.fused(factor, first, -product)
    e = code.alone("fadd", e, code.alone("fmul", factor, rest))
    s, t = _two_sum(low.load(0), product)
    s, t = _two_sum(s, code.alone("fadd", t, code.alone("fadd", e, low.load(1))))
    low.store(s, 0)
    low.store(t, 1)


def _two_sum(a: Vector, b: Vector) -> tuple[Vector, Vector]:
    """s and t with s + t = a + b."""
    code = a.code
    s = code.alone("fadd", a, b)
    back = code.alone("fsub", s, a)
    first = code.alone("fsub", a, code.alone("fsub", s, back))
    return s, code.alone("fadd", first, code.alone("fsub", b, back))
