"""Taylor models on NumPy arrays: a polynomial in x ∈ [−1, 1]ᵖ and a bound of what it leaves out.

A `Model` with coefficients c and error e stands for every function f on the cube with

    |f(x) − Σ_k c_k xᵏ| ≤ e    for all x ∈ [−1, 1]ᵖ.

Many models are held at once: c has shape (monomials, *batch) and e shape (*batch). Coefficients are
rounded to nearest; what rounding can have cost goes into e. With u = 2⁻⁵³, a sum of q products, in any
order, errs by at most (q + 1)u Σ|products| (1 + qu), and sums of non-negative floats, such as all error
bounds here, are at most GROWN times too small as long as fewer than 500 roundings enter
((1 + u)^500 < 1 + 2⁻⁴³ = GROWN); sums over tasks, which may be many, use `grown`.

Underflow costs at most 2⁻¹⁰⁷⁵ a product or quotient, and TINY = 2⁻¹⁰⁰⁰ stands for 2⁷⁵ of them: more
than enter a bound, also after factors up to 2⁵⁰ (what is multiplied by more has a term of its own).
An exact number x that becomes a weight errs by u|x| or, if it is subnormal, by 2⁻¹⁰⁷⁵ < u TINY, so
that u(|x| + TINY) bounds its error whatever its size.

A NaN or an infinity in e means that nothing is known; every test of a proof is a strict comparison,
which it fails.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

UNIT = 2.0**-53
GROWN = 1.0 + 2.0**-43
TINY = 2.0**-1000


def grown(terms: int) -> float:
    """GROWN for a sum of so many terms besides: (1 + u)^(500 + terms) < GROWN (1 + 2u terms)."""
    return GROWN * (1.0 + 2.0 * UNIT * terms)


@dataclass(frozen=True)
class Basis:
    """The monomials xᵏ, |k| ≤ degree, in p variables, by degree; tables for their products.

    Attributes:
        exponents: (monomials, p).
        totals: (monomials,), |k|.
        starts: where the monomials of each degree begin; one more than degrees.
        rows: for each monomial i the monomials j with |k_i| + |k_j| ≤ degree (always the first ones)
            and the positions of their products.
        left, right: all these pairs (i, j), by the monomial that is their product.
        first: where the pairs of each monomial begin.
        even: the monomials other than 1 that are squares, and hence never negative.
        most: the largest number of pairs whose product is one monomial.
    """

    p: int
    degree: int
    exponents: NDArray[np.int64]
    totals: NDArray[np.int64]
    starts: tuple[int, ...]
    rows: tuple[NDArray[np.int64], ...]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    first: NDArray[np.int64]
    even: NDArray[np.bool_]
    most: int

    @property
    def size(self) -> int:
        """Number of monomials."""
        return len(self.exponents)

    def degrees(self, c: Floats) -> list[Floats]:
        """Σ_{|k| = d} |c_k| for d = 0, …, degree."""
        size = np.abs(c)
        pairs = zip(self.starts[:-1], self.starts[1:], strict=True)
        return [size[a:b].sum(axis=0) for a, b in pairs]


@cache
def basis(p: int, degree: int) -> Basis:
    """The basis of p variables up to a degree."""
    every = [k for k in product(range(degree + 1), repeat=p) if sum(k) <= degree]
    every.sort(key=lambda k: (sum(k), tuple(-x for x in k)))
    where = {k: i for i, k in enumerate(every)}
    totals = np.array([sum(k) for k in every])
    starts = tuple(int(np.searchsorted(totals, d)) for d in range(degree + 2))
    rows, counts = [], np.zeros(len(every), int)
    for k in every:
        reach = starts[degree - sum(k) + 1]
        targets = np.array([where[tuple(map(sum, zip(k, j, strict=True)))] for j in every[:reach]])
        np.add.at(counts, targets, 1)
        rows.append(targets)
    pairs = sorted(
        (int(target), i, j) for i, targets in enumerate(rows) for j, target in enumerate(targets)
    )
    products, left, right = (np.array(column) for column in zip(*pairs, strict=True))
    first = np.searchsorted(products, np.arange(len(every)))
    exponents = np.array(every).reshape(len(every), p)
    even = (exponents % 2 == 0).all(axis=1) & (totals > 0)
    most = int(counts.max())
    return Basis(p, degree, exponents, totals, starts, tuple(rows), left, right, first, even, most)


@cache
def _derivative_table(
    p: int, degree: int, order: tuple[int, ...], target: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats, NDArray[np.int64], Floats]:
    """∂^order of monomials: sources, targets, factors; and those beyond `target`, with factors."""
    source, small = basis(p, degree), basis(p, target)
    where = {tuple(k): i for i, k in enumerate(small.exponents.tolist())}
    kept: tuple[list[int], list[int], list[float]] = ([], [], [])
    lost: tuple[list[int], list[float]] = ([], [])
    for i, k in enumerate(source.exponents.tolist()):
        factor, left = 1, list(k)
        for axis in order:
            factor *= left[axis]
            left[axis] -= 1
        if factor == 0:
            continue
        if sum(left) <= target:
            kept[0].append(i)
            kept[1].append(where[tuple(left)])
            kept[2].append(float(factor))
        else:
            lost[0].append(i)
            lost[1].append(float(factor))
    return (
        np.array(kept[0], int),
        np.array(kept[1], int),
        np.array(kept[2]),
        np.array(lost[0], int),
        np.array(lost[1]),
    )


@dataclass(frozen=True)
class Model:
    """Taylor models of one basis: c (monomials, *batch), e (*batch)."""

    basis: Basis
    c: Floats
    e: Floats

    def __getitem__(self, index: object) -> Model:
        """The models at an index of the batch."""
        return Model(self.basis, self.c[(slice(None), *_tuple(index))], self.e[index])  # type: ignore[index]

    def __add__(self, other: Model) -> Model:
        c = self.c + other.c
        return Model(self.basis, c, (self.e + other.e + UNIT * self.size_of(c) + TINY) * GROWN)

    def __sub__(self, other: Model) -> Model:
        c = self.c - other.c
        return Model(self.basis, c, (self.e + other.e + UNIT * self.size_of(c) + TINY) * GROWN)

    def __mul__(self, other: Model) -> Model:
        return multiply(self, other)

    def times(self, factor: Floats | float, error: float = 0.0) -> Model:
        """Times a number known up to a relative error; the factor has the shape of the batch."""
        c = self.c * factor
        size = self.size_of(c)
        slack = UNIT + 1.01 * error
        e = self.e * np.abs(factor) * (1.0 + 2.0 * error) + slack * size + TINY
        return Model(self.basis, c, e * GROWN)

    @staticmethod
    def size_of(c: Floats) -> Floats:
        """Σ|c_k|, rounded to nearest."""
        return np.abs(c).sum(axis=0)

    def truncated(self, degree: int) -> Model:
        """The same functions with a polynomial of lower degree."""
        if degree >= self.basis.degree:
            return self
        small = basis(self.basis.p, degree)
        rest = np.abs(self.c[small.size :]).sum(axis=0)
        return Model(small, self.c[: small.size], (self.e + rest + TINY) * GROWN)

    def padded(self, degree: int) -> Model:
        """The same with a basis of a higher degree."""
        if degree <= self.basis.degree:
            return self
        large = basis(self.basis.p, degree)
        c = np.zeros((large.size, *self.c.shape[1:]))
        c[: len(self.c)] = self.c  # monomials come by degree, and in one order within each
        return Model(large, c, self.e)

    def bounds(self) -> tuple[Floats, Floats]:
        """Lower and upper bounds over the cube; xᵏ ∈ [0, 1] for squares, else [−1, 1]."""
        tail, even = self.c[1:], self.basis.even[1:]
        odd = np.abs(tail[~even]).sum(axis=0)
        below = np.minimum(tail[even], 0.0).sum(axis=0)
        above = np.maximum(tail[even], 0.0).sum(axis=0)
        low = (odd - below + self.e + TINY) * GROWN
        high = (odd + above + self.e + TINY) * GROWN
        # One subtraction from c₀ is left, and the slack for it.
        return (
            self.c[0] - low - UNIT * 4.0 * (np.abs(self.c[0]) + low),
            self.c[0] + high + UNIT * 4.0 * (np.abs(self.c[0]) + high),
        )


def _tuple(index: object) -> tuple[object, ...]:
    return index if isinstance(index, tuple) else (index,)


FEW = 500
"""Up to so many models a product is three NumPy calls on all pairs of monomials; beyond, a call a pair
keeps to the cache and is three times faster (measured, p = 2 and 3)."""


def _products(B: Basis, a: Floats, b: Floats) -> Floats:
    """Σ a_i b_j over the pairs of each monomial."""
    shape = np.broadcast_shapes(a.shape, b.shape)
    if int(np.prod(shape[1:])) <= FEW:
        return np.add.reduceat(a[B.left] * b[B.right], B.first, axis=0)
    c = np.zeros(shape)
    for i, targets in enumerate(B.rows):
        for j, product_ in zip(targets, a[i] * b[: len(targets)], strict=True):
            c[j] += product_
    return c


def multiply(a: Model, b: Model) -> Model:
    """The product: terms beyond the degree are bounded by Σ_{d + d' > degree} A_d B_d'."""
    B = a.basis
    A_d, B_d = B.degrees(a.c), B.degrees(b.c)
    c = _products(B, a.c, b.c)
    beyond = np.zeros(c.shape[1:])
    cumulative = np.cumsum(np.array(B_d[::-1]), axis=0)
    for d in range(1, B.degree + 1):
        beyond += A_d[d] * cumulative[d - 1]  # Σ_{d' > degree − d} B_d'
    size_a, size_b = sum(A_d), sum(B_d)
    e = (
        a.e * (size_b + b.e) + size_a * b.e + beyond + UNIT * (B.most + 2) * size_a * size_b + TINY
    ) * GROWN
    return Model(B, c, e)


def combine(models: Model, weights: Floats, error: float = 0.0) -> Model:
    """Σ_i w_i f_i over the first axis of the batch; w has shape (terms, *batch) or broadcasts to it.

    `error` bounds the relative errors of the weights, of |w| + TINY: see the module.
    """
    terms = models.c.shape[1]
    c = np.einsum("kt...,t...->k...", models.c, np.broadcast_to(weights, models.c.shape[1:]))
    weighed = np.abs(weights) if error == 0 else np.abs(weights) + TINY
    size = (np.abs(models.c).sum(axis=0) * weighed).sum(axis=0)
    inherited = (models.e * weighed).sum(axis=0)
    slack = UNIT * (terms + 1) + 1.01 * error
    e = (inherited * (1.0 + 2.0 * error) + slack * size + TINY) * grown(terms)
    return Model(models.basis, c, e)


def stack(models: list[Model]) -> Model:
    """Models of one basis and batch with a new first axis of the batch."""
    return Model(
        models[0].basis,
        np.stack([m.c for m in models], axis=1),
        np.stack([m.e for m in models], axis=0),
    )


def derivative(
    p: int, degree: int, c: Floats, error: Floats, order: tuple[int, ...], target: int
) -> Model:
    """∂^order of Σ c_k xᵏ (|k| ≤ degree), plus an error, as a model of degree `target`."""
    source, targets, factors, lost, lost_factors = _derivative_table(p, degree, order, target)
    small = basis(p, target)
    shape = (-1,) + (1,) * (c.ndim - 1)
    found = np.zeros((small.size, *c.shape[1:]))
    found[targets] = c[source] * factors.reshape(shape)
    beyond = np.abs(c[lost] * lost_factors.reshape(shape)).sum(axis=0) if len(lost) else 0.0
    e = (error + beyond + UNIT * np.abs(found).sum(axis=0) + TINY) * GROWN
    return Model(small, found, e)


def inverse(d: Model) -> Model:
    """1/d, where d > 0 is shown; infinite errors elsewhere.

    The power series P of 1/d, from d₀P_k = [k = 0] − Σ_{i≠0} d_iP_{k−i} in floating point, leaves
    1/d − P = (1 − dP)/d: its numerator is rounding up to the degree, −Σ d_iP_j beyond it, and eP where
    d is known up to e.
    """
    B = d.basis
    P = np.zeros_like(d.c)
    reciprocal = 1.0 / d.c[0]
    for k, (left, right) in enumerate(division_rows(B.p, B.degree, B.degree)):
        top = (d.c[left] * P[right]).sum(axis=0) if len(left) else -1.0
        P[k] = -top * reciprocal
    sizes, parts = B.degrees(d.c), B.degrees(P)
    size = sum(parts)
    beyond = sum(
        sizes[a] * parts[b]
        for a in range(1, B.degree + 1)
        for b in range(B.degree - a + 1, B.degree + 1)
    )
    rounding = UNIT * (B.most + 5) * (sum(sizes) * size + 1.0)
    least = d.bounds()[0]
    sure = least > 0
    bound = (beyond + rounding + d.e * size + TINY) / np.where(sure, least, 1.0)
    return Model(B, P, np.where(sure, bound * GROWN + TINY, np.inf))


@cache
def division_rows(
    p: int, divisor: int, degree: int
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """For each monomial k of a quotient: the i ≠ 0 of the divisor with i ≤ k, and the k − i."""
    D, P = basis(p, divisor), basis(p, degree)
    where = {tuple(k): i for i, k in enumerate(P.exponents.tolist())}
    rows = []
    for k in P.exponents.tolist():
        left, right = [], []
        for i, e in enumerate(D.exponents.tolist()):
            if i and all(a >= b for a, b in zip(k, e, strict=True)):
                left.append(i)
                right.append(where[tuple(a - b for a, b in zip(k, e, strict=True))])
        rows.append((np.array(left, int), np.array(right, int)))
    return rows


def monomials(z: Model) -> Model:
    """All zᵏ, |k| ≤ degree, for p models z (the first axis of the batch), on a new first axis."""
    B = z.basis
    one = np.zeros((B.size, *z.c.shape[2:]))
    one[0] = 1.0
    found = [Model(B, one, np.zeros(z.e.shape[1:]))]
    where = {tuple(k): i for i, k in enumerate(B.exponents.tolist())}
    for k in B.exponents.tolist()[1:]:
        axis = next(i for i, power in enumerate(k) if power)
        lower = (*k[:axis], k[axis] - 1, *k[axis + 1 :])
        before = found[where[lower]]
        found.append(z[axis] if sum(k) == 1 else before * z[axis])
    return stack(found)


def substitute(f: Model, powers: Model) -> Model:
    """f_q(z) for |z_i| ≤ 1: f of the batch (q, *batch), the zᵏ of `monomials` (monomials, *batch)."""
    c = np.einsum("kq...,xk...->xq...", f.c, powers.c)
    size = np.abs(powers.c).sum(axis=0)
    coefficients = np.abs(f.c)
    weighted = np.einsum("kq...,k...->q...", coefficients, powers.e)
    reached = np.einsum("kq...,k...->q...", coefficients, size)
    e = (f.e + weighted + UNIT * (len(f.c) + 2) * reached + TINY) * GROWN
    return Model(f.basis, c, e)


def spread(models: Model, axis: int) -> Model:
    """A new axis of the batch."""
    return Model(models.basis, np.expand_dims(models.c, axis + 1), np.expand_dims(models.e, axis))


def total(models: Model, axis: int) -> Model:
    """The sum over an axis of the batch."""
    terms = models.e.shape[axis]
    c = models.c.sum(axis=axis + 1)
    size = np.abs(models.c).sum(axis=0).sum(axis=axis)
    e = (models.e.sum(axis=axis) + UNIT * terms * size + TINY) * grown(terms)
    return Model(models.basis, c, e)
