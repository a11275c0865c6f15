"""Polynomials of a gain on boxes: shifted to a box's centre and scaled to its size, with error bounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from math import comb

import numpy as np
from numpy.typing import NDArray

from benign.rigorous.fractions_of_gain import Exponents
from benign.rigorous.taylor import GROWN, TINY, UNIT, Basis, Floats, Model, basis, derivative


class Polynomials:
    """One polynomial a task, exact coefficients rounded to float64.

    Attributes:
        c: (monomials, k, 1).
        spread: (degree + 1, k, 1), Σ_{|j| = l} Σ_i |c_i| ∏ binom(i, j): coefficients of degree l of
            the polynomial shifted by |y₀| ≤ 1 have this sum of absolute values, and so do the terms
            that are summed for them.
    """

    def __init__(self, polynomials: Sequence[dict[Exponents, Fraction]], p: int) -> None:
        degree = max((sum(k) for each in polynomials for k in each), default=0)
        self.basis = basis(p, degree)
        exponents = [tuple(k) for k in self.basis.exponents.tolist()]
        self.c = np.array(
            [[float(each.get(k, 0)) for each in polynomials] for k in exponents]
        ).reshape(len(exponents), len(polynomials), 1)
        size = np.abs(self.c)
        self.spread = np.zeros((degree + 1, len(polynomials), 1))
        for i, k in enumerate(exponents):
            for j in exponents:
                if all(a >= b for a, b in zip(k, j, strict=True)):
                    weight = 1
                    for a, b in zip(k, j, strict=True):
                        weight *= comb(a, b)
                    self.spread[sum(j)] += weight * size[i]

    def shifted(self, y0: Floats, r: Floats) -> tuple[Floats, Floats]:
        """The coefficients in x, y = y₀ + r∘x, and bounds of their errors summed by degree.

        Args:
            y0, r: (p, k or 1, boxes).

        Returns:
            (monomials, k, boxes) and (degree + 1, k, boxes). Each term c_i ∏ binom(i, j) y₀^(i−j) r^j
            comes out of at most 3·degree + p + 2 roundings (the sums of a shift are nested and add
            their depth), c_i's own among them.
        """
        B = self.basis
        shape = np.broadcast_shapes(self.c.shape[1:], y0.shape[1:])
        c = np.broadcast_to(self.c, (B.size, *shape)).copy()
        for axis in range(B.p):
            for low, high in _shift_steps(B.p, B.degree, axis):
                c[low] += y0[axis] * c[high]
        for axis in range(B.p):
            power = r[axis]
            for order in range(1, B.degree + 1):
                c[_with_exponent(B.p, B.degree, axis, order)] *= power
                power = power * r[axis]
        reach = np.maximum(np.abs(y0).max(axis=0), 1.0) ** B.degree
        widest = r.max(axis=0)
        roundings = UNIT * (B.p * (2 * B.degree + 2) + 2 * B.degree + 4)
        error = np.empty((B.degree + 1, *shape))
        scale = np.ones_like(widest)
        for degree in range(B.degree + 1):
            error[degree] = (self.spread[degree] * reach * scale * roundings + TINY) * GROWN
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
        B, c, error = (
            (self.N, self.n, self.n_error) if which == "N" else (self.D, self.d, self.d_error)
        )
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
