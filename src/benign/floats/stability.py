"""Whether a gain stabilises, decided in interval arithmetic for many gains at once.

The characteristic polynomial zⁿ + a₁zⁿ⁻¹ + … of √γ(A − BW) comes from the recursion of Faddeev and
LeVerrier; all its roots lie in the open unit disc iff in the Schur–Cohn recursion
b_i = a₀a_i − a_ra_{r−i} (r the degree, from n down to 1) every |a_r| < |a₀|. A step with |a_r| > |a₀|,
the steps before it having passed, shows a root outside the closed disc: a passed step takes exactly one
root inside away, and the product of the roots that are left has modulus |a_r/a₀|.

Source: E. I. Jury, Theory and Application of the z-Transform Method (1964), section 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from benign.exact.problem import Plant
from benign.floats.intervals import Floats, Interval


class Loops:
    """The closed loops of several plants of one shape, √γ(A − BW), as intervals."""

    def __init__(self, plants: Sequence[Plant]) -> None:
        self.n, self.m = plants[0].n, plants[0].m
        gamma = Interval.enclose([plant.discount for plant in plants])
        root = gamma.sqrt()
        one = np.array([plant.discount == 1 for plant in plants])
        root = Interval(np.where(one, 1.0, root.lo), np.where(one, 1.0, root.hi))
        self.A = _entries([plant.A for plant in plants], root)
        self.B = _entries([plant.B for plant in plants], root)

    def closed(self, W: Sequence[Interval]) -> list[list[Interval]]:
        """√γ(A − BW) for the entries of W, row by row, each (k or 1, boxes)."""
        n, m = self.n, self.m
        loop = []
        for i in range(n):
            row = []
            for j in range(n):
                entry = self.A[i][j]
                for a in range(m):
                    entry = entry - self.B[i][a] * W[a * n + j]
                row.append(entry)
            loop.append(row)
        return loop

    def signs(self, W: Sequence[Interval]) -> NDArray[np.int8]:
        """1 where all gains in the intervals are shown to stabilise, −1 where none does, else 0."""
        with np.errstate(all="ignore"):
            return _schur_cohn(_characteristic(self.closed(W)))


def _entries(matrices: Sequence[Sequence[Sequence[Fraction]]], root: Interval) -> list[list[Interval]]:
    rows, columns = len(matrices[0]), len(matrices[0][0])
    return [
        [
            (Interval.enclose([M[i][j] for M in matrices]) * root)[:, None]
            if not _all_one(root)
            else Interval.enclose([M[i][j] for M in matrices])[:, None]
            for j in range(columns)
        ]
        for i in range(rows)
    ]


def _all_one(root: Interval) -> bool:
    return bool((root.lo == 1).all() and (root.hi == 1).all())


def _characteristic(L: list[list[Interval]]) -> list[Interval]:
    """a_0 = 1, a_1, …, a_n: M_1 = I, a_k = −tr(L M_k)/k, M_{k+1} = L M_k + a_k I."""
    n = len(L)
    one = Interval.point(np.ones(1))
    zero = Interval.point(np.zeros(1))
    M = [[one if i == j else zero for j in range(n)] for i in range(n)]
    coefficients = [one]
    for k in range(1, n + 1):
        LM = [[_dot(L[i], [M[a][j] for a in range(n)]) for j in range(n)] for i in range(n)]
        trace = LM[0][0]
        for i in range(1, n):
            trace = trace + LM[i][i]
        a = -(trace * Interval.enclose([Fraction(1, k)]))
        coefficients.append(a)
        M = [[LM[i][j] + a if i == j else LM[i][j] for j in range(n)] for i in range(n)]
    return coefficients


def _dot(row: list[Interval], column: list[Interval]) -> Interval:
    total = row[0] * column[0]
    for x, y in zip(row[1:], column[1:], strict=True):
        total = total + x * y
    return total


def _schur_cohn(a: list[Interval]) -> NDArray[np.int8]:
    shape = np.broadcast_shapes(*(x.lo.shape for x in a))
    sign = np.ones(shape, np.int8)
    going = np.ones(shape, bool)
    while len(a) > 1:
        last, first = a[-1], a[0]
        last_least, last_most = _moduli(last)
        first_least, first_most = _moduli(first)
        passed = last_most < first_least
        failed = last_least > first_most
        sign = np.where(going & ~passed, np.where(failed, -1, 0), sign).astype(np.int8)
        going = going & passed
        degree = len(a) - 1
        a = [first * a[i] - last * a[degree - i] for i in range(degree)]
    return sign


def _moduli(x: Interval) -> tuple[Floats, Floats]:
    """The least and the largest |x|."""
    most = np.maximum(np.abs(x.lo), np.abs(x.hi))
    least = np.maximum(np.maximum(x.lo, -x.hi), 0.0)
    return least, most
