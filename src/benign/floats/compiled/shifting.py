"""Polynomials of a gain about the centres of boxes, in compiled code: see `benign.floats.polynomials`.

Rounding is counted as there, and where it matters the shift is made in pairs of floats. With a fused
product-and-sum the rounding e of a product p = fl(ab) is fl(ab − p), exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benign.floats import polynomials, taylor, twofold
from benign.floats.compiled.models import Model, added, size_of
from benign.floats.taylor import Basis
from benign.kernels.lanes import Code, Place, Vector

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

    def store(self, to: Place) -> None:
        """Put it there."""
        for i, x in enumerate([*self.c, *self.error]):
            to.store(x, i)


def count(B: Basis) -> int:
    """Numbers that stand for one polynomial: c, rest and spread of `Polynomials`."""
    return 2 * B.size + B.degree + 1


def shifted(
    B: Basis, to: Place, numbers: Place, y0: Sequence[Vector], r: Sequence[Vector]
) -> None:
    """The polynomial whose numbers are there, about y₀: coefficients, then errors by degree."""
    code = y0[0].code
    c = [numbers.number(i) for i in range(B.size)]
    spread = [numbers.number(2 * B.size + d) for d in range(B.degree + 1)]
    growth = code.fill(1.0)
    if B.degree:
        widest = _largest([abs(y) for y in y0], 1.0)
        for _ in range(B.degree):
            growth = growth * widest
    terms = [x * growth for x in spread]
    steps = B.p * (2 * B.degree + 2)
    error = [x * (taylor.UNIT * steps) for x in terms]
    for axis in range(B.p):
        for low, high in polynomials._shift_steps(B.p, B.degree, axis):
            for i, j in zip(low, high, strict=True):
                c[i] = c[i] + y0[axis] * c[j]
    found = _scaled(B, c, error, r)
    found.store(to)
    if not B.degree:
        return
    size = abs(found.c[0])
    change = size_of(found.c[1:]) / size
    fourth = (change * change) * (change * change)
    matters = found.error[0] / size > polynomials.MATTERS * fourth
    with code.when(matters.bits().compared("!=", 0)):
        exact = _scaled(B, *_twice(B, numbers, y0, terms, growth), r)
        for i, x in enumerate([*exact.c, *exact.error]):
            to.store(matters.choose(x, to.load(i)), i)


def _largest(numbers: Sequence[Vector], least: float) -> Vector:
    """The largest, or `least` where that is more; NaN where one is none."""
    found = numbers[0].code.fill(least)
    for x in numbers:
        found = (found > x).choose(found, x)
    return found if len(numbers) == 1 else found + 0.0 * added(numbers)


def _scaled(B: Basis, c: Sequence[Vector], error: Sequence[Vector], r: Sequence[Vector]) -> Expansion:
    """The coefficients in x from those in y − y₀ = r∘x."""
    code, c = r[0].code, list(c)
    for axis in range(B.p):
        power = r[axis]
        for order in range(1, B.degree + 1):
            for i in polynomials._with_exponent(B.p, B.degree, axis, order):
                c[i] = c[i] * power
            power = power * r[axis]
    widest = _largest(r, 0.0)
    tiny, larger = code.fill(taylor.TINY), (widest > 1.0).choose(widest, 1.0)
    for _ in range(B.degree):
        tiny = tiny * larger
    scale, found = code.fill(1.0), []
    sizes = Model(B, c, tiny).degrees()
    for size, lost in zip(sizes, error, strict=True):
        rounded = taylor.UNIT * (2 * B.degree + 6) * size
        found.append((lost * scale + rounded + tiny) * taylor.GROWN)
        scale = scale * widest
    return Expansion(B, c, found)


def _twice(
    B: Basis, numbers: Place, y0: Sequence[Vector], terms: Sequence[Vector], growth: Vector
) -> tuple[list[Vector], list[Vector]]:
    """The polynomial about y₀ in pairs of floats, rounded to floats at the end; errors by degree."""
    code = growth.code
    pairs = code.vectors_in_stack(2 * B.size)
    for i in range(B.size):
        pairs.store(numbers.number(i), 2 * i)
        pairs.store(numbers.number(B.size + i), 2 * i + 1)
    for axis in range(B.p):
        for low, high in polynomials._shift_steps(B.p, B.degree, axis):
            for i, j in zip(low.tolist(), high.tolist(), strict=True):
                code.call("multiply_add", _multiply_add, pairs + 2 * i, y0[axis], pairs + 2 * j)
    c = [pairs.load(2 * i) + pairs.load(2 * i + 1) for i in range(B.size)]
    steps = B.p * (2 * B.degree + 2)
    rounded = Model(B, c, growth).degrees()
    lost = taylor.TINY * growth
    error = [
        taylor.UNIT * size + term * (twofold.LOST * steps) + lost
        for size, term in zip(rounded, terms, strict=True)
    ]
    return c, error


def _multiply_add(code: Code, low: Place, factor: Vector, high: Place) -> None:
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
