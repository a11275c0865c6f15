"""Polynomials of a gain on boxes: shifted to a centre and scaled to a size, with error bounds.

The coefficients of N and D belong to all of the stabilising set, on which N may range over six powers
of ten: where a plant is sampled fast, its best gains lie in a corner of that set, and there the terms
of N cancel. Where rounding would matter, the shift is therefore made in pairs of floats.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import comb

import numpy as np
from numpy.typing import NDArray

from benign.floats import twofold
from benign.floats.bounds import nearest
from benign.floats.fractions_of_gain import Exponents
from benign.floats.taylor import GROWN, TINY, UNIT, Basis, Floats, Model, basis, derivative

MATTERS = 2.0**-4
"""Rounding matters where it exceeds this multiple of what models of degree 3 leave out of 1/D or N/D:
the fourth power of a polynomial's relative change over the box."""


class Polynomials:
    """One polynomial a task, exact coefficients rounded to float64.

    Attributes:
        c, rest: (monomials, k, 1); the coefficients are c + rest, but for 2u² of them.
        spread: (degree + 1, k, 1), Σ_{|j| = l} Σ_i |c_i| ∏ binom(i, j): coefficients of degree l of
            the polynomial shifted by |y₀| ≤ 1 have this sum of absolute values, and so do the terms
            that are summed for them.
    """

    def __init__(self, polynomials: Sequence[dict[Exponents, Fraction]], p: int) -> None:
        degree = max((sum(k) for each in polynomials for k in each), default=0)
        self.basis = basis(p, degree)
        exponents = [tuple(k) for k in self.basis.exponents.tolist()]
        exact = [[Fraction(each.get(k, 0)) for each in polynomials] for k in exponents]
        high = [[nearest(x, "a coefficient of a task's cost") for x in row] for row in exact]
        # What is left of a coefficient, but for 2⁻¹⁰⁶ of it, or 2⁻¹⁰⁷⁵ where that is more.
        low = [
            [float(x - Fraction(y)) for x, y in zip(*rows, strict=True)]
            for rows in zip(exact, high, strict=True)
        ]
        shape = (len(exponents), len(polynomials), 1)
        self.c, self.rest = np.array(high).reshape(shape), np.array(low).reshape(shape)
        size = np.abs(self.c)
        self.spread = np.zeros((degree + 1, len(polynomials), 1))
        for i, k in enumerate(exponents):
            for j in exponents:
                if all(a >= b for a, b in zip(k, j, strict=True)):
                    weight = 1
                    for a, b in zip(k, j, strict=True):
                        weight *= comb(a, b)
                    self.spread[sum(j)] += weight * size[i]
        # Sums of at most size² terms, whose c_i were rounded; TINY is for those that are subnormal.
        self.spread = self.spread * (1.0 + len(exponents) ** 2 * 2.0 * UNIT) + TINY

    def shifted(self, y0: Floats, r: Floats) -> tuple[Floats, Floats]:
        """The coefficients in x, y = y₀ + r∘x, and bounds of their errors summed by degree.

        Args:
            y0, r: (p, k or 1, boxes).

        Returns:
            (monomials, k, boxes) and (degree + 1, k, boxes).
        """
        shape = np.broadcast_shapes(self.c.shape[1:], y0.shape[1:])
        c, error = self._scaled(*self._once(y0, shape), r)
        with np.errstate(all="ignore"):
            rounding = error[0] / np.abs(c[0])
            change = np.abs(c[1:]).sum(axis=0) / np.abs(c[0])
            matters = (rounding > MATTERS * change**4).any(axis=0)
        boxes = np.flatnonzero(matters)
        if len(boxes):
            some = y0[..., boxes]
            pairs = self._twice(some, (*shape[:-1], len(boxes)))
            c[..., boxes], error[..., boxes] = self._scaled(*pairs, r[..., boxes])
        return c, error

    def _once(self, y0: Floats, shape: tuple[int, ...]) -> tuple[Floats, Floats]:
        """The polynomial about y₀, (monomials, k, boxes), and its errors summed by degree.

        Each term c_i ∏ binom(i, j) y₀^(i−j) comes out of at most p (2 degree + 2) roundings (the sums
        of a shift are nested and add their depth), c_i's own among them.
        """
        B = self.basis
        c = np.broadcast_to(self.c, (B.size, *shape)).copy()
        for axis in range(B.p):
            for low, high in _shift_steps(B.p, B.degree, axis):
                c[low] += y0[axis] * c[high]
        return c, self._terms(y0) * (UNIT * self._steps)

    def _twice(self, y0: Floats, shape: tuple[int, ...]) -> tuple[Floats, Floats]:
        """The same in pairs of floats, rounded to floats at the end."""
        B = self.basis
        hi = np.broadcast_to(self.c, (B.size, *shape)).copy()
        lo = np.broadcast_to(self.rest, (B.size, *shape)).copy()
        with np.errstate(all="ignore"):
            for axis in range(B.p):
                halves = twofold.split(y0[axis])
                for low, high in _shift_steps(B.p, B.degree, axis):
                    pairs = (hi[low], lo[low]), y0[axis], halves, (hi[high], lo[high])
                    hi[low], lo[low] = twofold.multiply_add(*pairs)
            c = twofold.nearest((hi, lo))
        rounded = UNIT * np.stack(B.degrees(c))
        # What underflows in the low parts, among them the rounding of `rest`, grows with the shift.
        lost = TINY * self._growth(y0)
        return c, rounded + self._terms(y0) * (twofold.LOST * self._steps) + lost

    @property
    def _steps(self) -> int:
        """Roundings on the way of a term of a shift."""
        return self.basis.p * (2 * self.basis.degree + 2)

    def _terms(self, y0: Floats) -> Floats:
        """Bounds of the sizes of the terms that are summed for the coefficients of each degree."""
        return self.spread * self._growth(y0)

    def _growth(self, y0: Floats) -> Floats:
        """The largest power of y₀ that multiplies a coefficient."""
        return np.maximum(np.abs(y0).max(axis=0), 1.0) ** self.basis.degree

    def _scaled(self, c: Floats, error: Floats, r: Floats) -> tuple[Floats, Floats]:
        """The coefficients in x from those in y − y₀ = r∘x, in place; 2 degree + 4 roundings."""
        B = self.basis
        for axis in range(B.p):
            power = r[axis]
            for order in range(1, B.degree + 1):
                c[_with_exponent(B.p, B.degree, axis, order)] *= power
                power = power * r[axis]
        widest, scale = r.max(axis=0), np.ones_like(r[0])
        sizes = B.degrees(c)
        # What underflowed by one axis's powers may be multiplied by another's.
        tiny = TINY * np.maximum(widest, 1.0) ** B.degree
        for degree in range(B.degree + 1):
            rounded = UNIT * (2 * B.degree + 6) * sizes[degree]
            error[degree] = (error[degree] * scale + rounded + tiny) * GROWN
            scale = scale * widest
        return c, error


@cache
def _shift_steps(p: int, degree: int, axis: int) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Horner's shift along one axis, all lines at once: c[low] += y₀ c[high], in this order."""
    B = basis(p, degree)
    where = {tuple(k): i for i, k in enumerate(B.exponents.tolist())}
    steps = []
    for first in range(degree):
        for exponent in range(degree - 1, first - 1, -1):
            low, high = [], []
            for k, i in where.items():
                above = (*k[:axis], k[axis] + 1, *k[axis + 1 :])
                if k[axis] == exponent and above in where:
                    low.append(i)
                    high.append(where[above])
            if low:
                steps.append((np.array(low), np.array(high)))
    return steps


@cache
def _with_exponent(p: int, degree: int, axis: int, order: int) -> NDArray[np.int64]:
    return np.flatnonzero(basis(p, degree).exponents[:, axis] == order)


@dataclass(frozen=True)
class Parts:
    """N and D themselves on boxes, in x: coefficients and errors by degree, as from `shifted`."""

    N: Basis
    D: Basis
    n: Floats
    n_error: Floats
    d: Floats
    d_error: Floats

    def __getitem__(self, boxes: NDArray[np.int64]) -> Parts:
        """Some of the boxes."""
        arrays = (self.n, self.n_error, self.d, self.d_error)
        return Parts(self.N, self.D, *(array[..., boxes] for array in arrays))

    def model(self, which: str, order: tuple[int, ...], degree: int) -> Model:
        """∂^order of N or D as a model."""
        B, c, error = (self.N, self.n, self.n_error) if which == "N" else (self.D, self.d, self.d_error)
        lost = sum(_falling(total, len(order)) * e for total, e in enumerate(error))
        return derivative(B.p, B.degree, c, np.asarray(lost) * GROWN, order, degree)


def parts(N: Polynomials, D: Polynomials, y0: Floats, r: Floats) -> Parts:
    """N and D on the boxes y₀ ± r."""
    return Parts(N.basis, D.basis, *N.shifted(y0, r), *D.shifted(y0, r))


def _falling(total: int, order: int) -> float:
    value = 1
    for i in range(order):
        value *= max(total - i, 0)
    return float(value)
