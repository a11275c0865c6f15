"""Taylor models of one box a lane: the rules of `benign.floats.taylor`, written into compiled code.

A `Model` with coefficients c and error e stands for every function f on the cube with

    |f(x) − Σ_k c_k xᵏ| ≤ e    for all x ∈ [−1, 1]ᵖ.

Each rule counts what the rule of the same name there counts. A product and a sum that the compiler
fuses are rounded once where two roundings are counted. NaN in a coefficient comes into the error by the
same operation, and a NaN error fails every comparison.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

from benign.floats import taylor
from benign.floats.taylor import Basis, basis
from benign.kernels.lanes import Cell, Code, Place, Vector


@dataclass(frozen=True)
class Model:
    """Numbers of LANES boxes: the coefficients of the basis, and a bound of what they leave out."""

    basis: Basis
    c: Sequence[Vector]
    e: Vector

    def __add__(self, other: Model) -> Model:
        return self._with(other, [a + b for a, b in zip(self.c, other.c, strict=True)])

    def __sub__(self, other: Model) -> Model:
        return self._with(other, [a - b for a, b in zip(self.c, other.c, strict=True)])

    def _with(self, other: Model, c: list[Vector]) -> Model:
        lost = taylor.UNIT * size_of(c) + taylor.TINY
        return Model(self.basis, c, (self.e + other.e + lost) * taylor.GROWN)

    def __mul__(self, other: Model) -> Model:
        return multiply(self, other)

    def times(self, factor: Vector, error: float = 0.0) -> Model:
        """Times a number known up to a relative error."""
        c = [x * factor for x in self.c]
        slack = taylor.UNIT + 1.01 * error
        e = self.e * abs(factor) * (1.0 + 2.0 * error) + slack * size_of(c) + taylor.TINY
        return Model(self.basis, c, e * taylor.GROWN)

    def truncated(self, degree: int) -> Model:
        """The same function with a polynomial of lower degree."""
        if degree >= self.basis.degree:
            return self
        small = basis(self.basis.p, degree)
        lost = size_of(self.c[small.size :]) + taylor.TINY
        return Model(small, self.c[: small.size], (self.e + lost) * taylor.GROWN)

    def padded(self, degree: int) -> Model:
        """The same with a basis of a higher degree."""
        if degree <= self.basis.degree:
            return self
        large = basis(self.basis.p, degree)
        zero = self.e.code.fill(0.0)
        return Model(large, [*self.c, *[zero] * (large.size - self.basis.size)], self.e)

    def reach(self) -> Vector:
        """A bound of |f|."""
        return (size_of(self.c) + self.e) * taylor.GROWN

    def bounds(self) -> tuple[Vector, Vector]:
        """Lower and upper bounds over the cube; xᵏ ∈ [0, 1] for squares, else [−1, 1]."""
        even = self.basis.even
        squares = [x for x, is_even in zip(self.c[1:], even[1:], strict=True) if is_even]
        others = [x for x, is_even in zip(self.c[1:], even[1:], strict=True) if not is_even]
        rest = self.e + taylor.TINY
        if others:
            rest = size_of(others) + rest
        low = high = rest
        if squares:
            # (|x| − x)/2 is exactly −x or 0, and NaN where x is.
            low = added([abs(x) - x for x in squares]) * 0.5 + rest
            high = added([abs(x) + x for x in squares]) * 0.5 + rest
        low, high, middle = low * taylor.GROWN, high * taylor.GROWN, abs(self.c[0])
        slack = taylor.UNIT * 4.0
        return (
            self.c[0] - low - slack * (middle + low),
            self.c[0] + high + slack * (middle + high),
        )

    def degrees(self) -> list[Vector]:
        """Σ_{|k| = d} |c_k| for d = 0, …, degree."""
        starts = self.basis.starts
        return [size_of(self.c[a:b]) for a, b in zip(starts[:-1], starts[1:], strict=True)]


def added(terms: Sequence[Vector]) -> Vector:
    """Their sum."""
    return reduce(lambda x, y: x + y, terms)


def size_of(c: Sequence[Vector]) -> Vector:
    """Σ|c_k|."""
    return added([abs(x) for x in c])


def dotted(left: Sequence[Vector], right: Sequence[Vector]) -> Vector:
    """Σ left·right."""
    return added([a * b for a, b in zip(left, right, strict=True)])


def multiply(a: Model, b: Model) -> Model:
    """The product: terms beyond the degree are bounded by Σ_{d + d' > degree} A_d B_d'."""
    B = a.basis
    A_d, B_d = a.degrees(), b.degrees()
    ends = [*B.first.tolist()[1:], len(B.left)]
    c = [
        dotted([a.c[i] for i in B.left[first:end]], [b.c[j] for j in B.right[first:end]])
        for first, end in zip(B.first.tolist(), ends, strict=True)
    ]
    size_a, size_b = added(A_d), added(B_d)
    e = a.e * (size_b + b.e) + size_a * b.e
    high = None
    for d in range(1, B.degree + 1):
        high = B_d[B.degree + 1 - d] if high is None else high + B_d[B.degree + 1 - d]
        e = e + A_d[d] * high
    rounding = taylor.UNIT * (B.most + 2) * size_a * size_b
    return Model(B, c, (e + rounding + taylor.TINY) * taylor.GROWN)


def combine(models: Sequence[Model], weights: Sequence[Vector], error: float = 0.0) -> Model:
    """Σ_i w_i f_i; `error` bounds the relative errors of the weights, of |w| + TINY."""
    terms = len(models)
    c = [dotted(row, weights) for row in zip(*(f.c for f in models), strict=True)]
    weighed = [abs(w) if error == 0 else abs(w) + taylor.TINY for w in weights]
    size = dotted([size_of(f.c) for f in models], weighed)
    inherited = dotted([f.e for f in models], weighed)
    slack = taylor.UNIT * (terms + 1) + 1.01 * error
    e = inherited * (1.0 + 2.0 * error) + slack * size + taylor.TINY
    return Model(models[0].basis, c, e * taylor.grown(terms))


def total(models: Sequence[Model]) -> Model:
    """Their sum."""
    terms = len(models)
    c = [added(row) for row in zip(*(f.c for f in models), strict=True)]
    size = added([size_of(f.c) for f in models])
    e = added([f.e for f in models]) + taylor.UNIT * terms * size + taylor.TINY
    return Model(models[0].basis, c, e * taylor.grown(terms))


def inverse(d: Model) -> Model:
    """1/d, where d > 0 is shown; infinite errors elsewhere. See `taylor.inverse`."""
    B, code = d.basis, d.e.code
    P: list[Vector] = []
    reciprocal = 1.0 / d.c[0]
    for left, right in taylor.division_rows(B.p, B.degree, B.degree):
        if len(left):
            P.append(-dotted([d.c[i] for i in left], [P[j] for j in right]) * reciprocal)
        else:
            P.append(reciprocal)
    sizes, parts = d.degrees(), Model(B, P, d.e).degrees()
    size = added(parts)
    beyond = [
        sizes[a] * parts[b]
        for a in range(1, B.degree + 1)
        for b in range(B.degree - a + 1, B.degree + 1)
    ]
    rounding = taylor.UNIT * (B.most + 5) * (added(sizes) * size + 1.0)
    least = d.bounds()[0]
    sure = least > 0.0
    bound = (added([*beyond, rounding]) + d.e * size + taylor.TINY) / sure.choose(least, 1.0)
    e = sure.choose(bound * taylor.GROWN + taylor.TINY, code.fill(float("inf")))
    return Model(B, P, e)


def derivative(source: Basis, c: Sequence[Vector], error: Vector, order: tuple[int, ...], target: int):
    """∂^order of Σ c_k xᵏ, plus an error, as a model of degree `target`."""
    sources, targets, factors, lost, lost_factors = taylor._derivative_table(
        source.p, source.degree, order, target
    )
    small, code = basis(source.p, target), error.code
    found = [code.fill(0.0)] * small.size
    for i, j, factor in zip(sources, targets, factors, strict=True):
        found[j] = c[i] * float(factor) if factor != 1 else c[i]
    e = error + taylor.UNIT * size_of(found) + taylor.TINY
    if len(lost):
        e = e + size_of([c[i] * float(x) for i, x in zip(lost, lost_factors, strict=True)])
    return Model(small, found, e * taylor.GROWN)


def substitute(code: Code, f: Place, powers: Place, B: Basis) -> Model:
    """f(z) for |z_i| ≤ 1, f and the zᵏ in memory: each zᵏ with its Σ|c| after its error."""
    size, zero = B.size, code.fill(0.0)
    c = [Cell(code, zero) for _ in range(size)]
    weighted, reached = Cell(code, zero), Cell(code, zero)
    with code.loop(size) as k:
        x, power = f.load(k), powers + k * (size + 2)
        for i, cell in enumerate(c):
            cell.set(cell.get() + x * power.load(i))
        weighted.set(weighted.get() + abs(x) * power.load(size))
        reached.set(reached.get() + abs(x) * power.load(size + 1))
    lost = taylor.UNIT * (size + 2) * reached.get() + taylor.TINY
    e = (f.load(size) + weighted.get() + lost) * taylor.GROWN
    return Model(B, [cell.get() for cell in c], e)
