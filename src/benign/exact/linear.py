"""Linear equations and products in rational numbers."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from flint import fmpq, fmpq_mat

if TYPE_CHECKING:
    from benign.exact.problem import Matrix


def solved(M: Matrix, X: Matrix) -> Matrix:
    """M⁻¹X.

    Raises:
        ZeroDivisionError: M is singular.
    """
    if len(M) == 1:
        return tuple(tuple(x / M[0][0] for x in row) for row in X)
    return _rows(_flint(M).solve(_flint(X)))


def product(X: Matrix, Y: Matrix) -> Matrix:
    """XY."""
    if len(X) == len(Y) == len(Y[0]) == 1:
        return ((X[0][0] * Y[0][0],),)
    return _rows(_flint(X) * _flint(Y))


def transposed(X: Matrix) -> Matrix:
    """X'."""
    return tuple(zip(*X, strict=True))


def difference(X: Matrix, Y: Matrix) -> Matrix:
    """X − Y."""
    return tuple(
        tuple(x - y for x, y in zip(left, right, strict=True)) for left, right in zip(X, Y, strict=True)
    )


def _flint(X: Matrix) -> fmpq_mat:
    return fmpq_mat([[fmpq(x.numerator, x.denominator) for x in row] for row in X])


def _rows(X: fmpq_mat) -> Matrix:
    return tuple(tuple(Fraction(int(x.p), int(x.q)) for x in row) for row in X.tolist())
