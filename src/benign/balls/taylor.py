"""Functions on the box [−1, 1]^p as polynomials with ball coefficients: Taylor models.

A `Model` encloses a function φ as Σ c_α x^α with balls c_α: for each x of the box there are members of
the balls for which the sum is φ(x). What a truncation drops, bounded by the sum of the absolute values
of its coefficients, goes into the ball of c_0; the remainders of factors then travel by ball
arithmetic alone.

Polynomials in p variables of total degree ≤ K are univariate ones (flint's) by the substitution

    x^α ↦ t^(D|α| + Σ_{i≥2} w_i α_i),

where the weights w tell all exponents of one degree apart and D exceeds their sums: it respects
products, no two monomials of degree ≤ K meet, and those above K land above t^(D(K+1) − 1), where they
are cut off. The sum of the absolute values of coefficients is the value at the ball t = [−1, 1].
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import combinations_with_replacement

from flint import arb, arb_poly

from benign.balls.matrices import UNIT, Unproved
from benign.balls.polynomials import Exponents, monomials

ONE = arb(1)


class Ring:
    """The exponents of one number of variables and one truncation degree; make it by `ring`.

    Attributes:
        p, degree: number of variables, and the total degree K that models keep.
        exponents: of the monomials kept, by degree.
        places: where each stands in the univariate polynomial.
        units, squares: the places of the x_i, and of the x_i² if K > 1.
    """

    def __init__(self, p: int, degree: int) -> None:
        self.p, self.degree = p, degree
        weights = _telling_weights(p, degree)
        self.block = degree * weights[-1] + 1
        self.length = self.block * (degree + 1)
        self.exponents = monomials(p, degree)
        self.places = [
            self.block * sum(e) + sum(w * k for w, k in zip(weights, e, strict=True))
            for e in self.exponents
        ]
        self.units = [self.places[1 + i] for i in range(p)]
        place = dict(zip(self.exponents, self.places, strict=True))
        self.squares = (
            [place[(0,) * i + (2,) + (0,) * (p - 1 - i)] for i in range(p)] if degree > 1 else []
        )
        assert [self.exponents[1 + i].index(1) for i in range(p)] == list(range(p))

    def model(self, terms: Iterable[tuple[int, arb]]) -> Model:
        """The model with these (place, coefficient); others are zero."""
        coefficients: list[arb | int] = [0] * self.length
        for place, x in terms:
            coefficients[place] = x
        return Model(arb_poly(coefficients), self)

    def constant(self, x: arb) -> Model:
        """A constant."""
        return Model(arb_poly([x]), self)


@cache
def ring(p: int, degree: int) -> Ring:
    """The ring of models in p variables that keep total degree K."""
    return Ring(p, degree)


def _telling_weights(p: int, degree: int) -> list[int]:
    """0 = w_1 < … < w_p, found in turn, the least with different sums for all exponents of a degree.

    It is enough that sums of K weights differ for different choices: fewer are K with zeros.
    """
    weights = [0]
    while len(weights) < p:
        trial = weights[-1] + 1
        while True:
            sums = [sum(c) for c in combinations_with_replacement([*weights, trial], degree)]
            if len(set(sums)) == len(sums):
                break
            trial += 1
        weights.append(trial)
    return weights


class Model:
    """An enclosure of one function on [−1, 1]^p: see the module's text."""

    __slots__ = ("_norms", "poly", "ring")

    def __init__(self, poly: arb_poly, of: Ring) -> None:
        self.poly, self.ring = poly, of
        self._norms: arb_poly | None = None

    @property
    def norms(self) -> arb_poly:
        """Σ_k ν_k s^k, where ν_k bounds the sum of the |c_α| with |α| = k."""
        if self._norms is None:
            block = self.ring.block
            parts, rest = [], self.poly
            while rest.length() > 0:
                parts.append(rest.truncate(block)(UNIT).abs_upper())
                rest = rest.right_shift(block)
            self._norms = arb_poly(parts)
        return self._norms

    @property
    def range(self) -> arb:
        """A ball that holds all values; its middle is that of c_0."""
        return self.poly(UNIT)

    @property
    def size(self) -> arb:
        """An upper bound of the absolute value, exact."""
        return self.poly(UNIT).abs_upper()

    @property
    def centre(self) -> arb:
        """The value at x = 0."""
        return self.poly[0]

    def slope(self, i: int) -> arb:
        """The coefficient of x_i."""
        return self.poly[self.ring.units[i]]

    @property
    def is_positive(self) -> bool:
        """φ > 0 on the box."""
        return bool(self.range > 0) or (bool(self.centre > 0) and bool(self.least > 0))

    @property
    def is_negative(self) -> bool:
        """φ < 0 on the box."""
        return self.times(-1).is_positive

    @property
    def least(self) -> arb:
        """A lower bound: of a_i x_i + b_i x_i² exactly, of all other terms by absolute values."""
        of = self.ring
        parts: list[arb | int] = [0] * of.length
        least = arb(0)
        for i, place in enumerate(of.units):
            a, b = self.poly[place].mid(), arb(0)
            parts[place] = a
            if of.degree > 1:
                b = self.poly[of.squares[i]].mid()
                parts[of.squares[i]] = b
            size = abs(a)
            least += b - size if size >= 2 * b else -a * a / (4 * b)
        return (self.poly - arb_poly(parts))(UNIT) + least

    def __add__(self, other: Model) -> Model:
        return Model(self.poly + other.poly, self.ring)

    def __sub__(self, other: Model) -> Model:
        return Model(self.poly - other.poly, self.ring)

    def plus(self, x: arb) -> Model:
        """The model plus a number."""
        return Model(self.poly + x, self.ring)

    def times(self, x: arb | int) -> Model:
        """The model times a number."""
        return Model(self.poly * x, self.ring)

    def __mul__(self, other: Model) -> Model:
        return dot([(self, other, 1)])


def dot(products: Sequence[tuple[Model, Model, int]], start: Model | None = None) -> Model:
    """start + Σ c·a·b, truncated once: what is cut off counts as Σ |c| Σ_{i+j>K} ν_i(a) ν_j(b)."""
    first = products[0][0]
    of = first.ring
    total, norms = arb_poly([]) if start is None else start.poly, arb_poly([])
    for a, b, times in products:
        if times == 1:
            total += a.poly * b.poly
        else:
            total += a.poly * b.poly * times
        norms += a.norms * b.norms * abs(times)
    if norms.length() <= of.degree + 1:
        return Model(total, of)
    lost = norms.right_shift(of.degree + 1)(ONE)
    return Model(total.truncate(of.length) + lost * UNIT, of)


def combination(terms: Sequence[tuple[arb, Model]]) -> Model:
    """Σ c·a with numbers c."""
    total = arb_poly([])
    for x, a in terms:
        total += a.poly * x
    return Model(total, terms[0][1].ring)


def reciprocal(d: Model) -> Model:
    """1/d, for d > 0 on the box.

    With any q, 1/d = q + (1 − dq)/d, so the error is at most ‖1 − dq‖/min d. Here q is the truncated
    geometric series of 1/(c(1 − e)), e = 1 − d/c; only the bound is relied on.

    Raises:
        Unproved: d > 0 could not be shown.
    """
    least = d.range.lower()
    if not least > 0:
        least = d.least.lower()
    if not least > 0:
        raise Unproved("the denominator may vanish on the box")
    c = d.centre.mid()
    e = (d.poly * (-1 / c) + 1).truncate(d.ring.length)
    series = e + 1
    for _ in range(d.ring.degree - 1):
        series = (series * e).truncate(d.ring.length) + 1
    q = Model(series * (1 / c), d.ring)
    error = dot([(d, q, -1)]).plus(ONE).size / least
    return q.plus(error * UNIT)


def powers(factors: Sequence[Model], exponents: Sequence[Exponents]) -> list[Model]:
    """The products δ^α of models, for exponents that come by degree and hold all smaller ones."""
    place = {e: i for i, e in enumerate(exponents)}
    found: list[Model] = [factors[0].ring.constant(ONE)]
    for e in exponents[1:]:
        i = next(j for j, k in enumerate(e) if k)
        lower = place[tuple(k - (j == i) for j, k in enumerate(e))]
        found.append(factors[i] if lower == 0 else found[lower] * factors[i])
    return found
