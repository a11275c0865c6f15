"""Costs C = N/D on boxes of gains: verified Taylor polynomials, for many tasks and boxes at once.

On a box y = y₀ + r∘x, x ∈ [−1, 1]ᵖ, let n and d be N and D as polynomials in x, and P a polynomial of
degree M. What P leaves out of C is E = C − P with

    d E = S,   S = n − dP,

so that, ‖·‖ being the sum of absolute values of coefficients, indices partial derivatives in x, and
d ≥ d_min > 0 on the box,

    |E|    ≤ ‖S‖ / d_min,
    |E_i|  ≤ (‖S_i‖ + ‖d_i‖|E|) / d_min,
    |E_ij| ≤ (‖S_ij‖ + ‖d_i‖|E_j| + ‖d_j‖|E_i| + ‖d_ij‖|E|) / d_min,

and the third derivatives alike (Leibniz' rule). P comes from the recursion d₀P_k = n_k − Σ d_iP_{k−i} in
floating point: up to degree M all that S has is its rounding, and beyond it −Σ d_iP_j, |i| + |j| > M.
Nothing is divided but numbers, and no derivative of C is ever formed as an interval.

Arrays have the shape (monomials, tasks, boxes).
"""

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

LEAST_DIVISOR = 1e-14
"""Where D may be smaller than this multiple of ‖d‖ on a box, rounding is all there is."""


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


@cache
def _division_rows(
    p: int, divisor: int, degree: int
) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """For each monomial k of the quotient: the i ≠ 0 of the divisor with i ≤ k, and the k − i."""
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


@dataclass(frozen=True)
class Expansion:
    """A verified Taylor polynomial of C = N/D on boxes.

    Attributes:
        P: (monomials of degree M, k, boxes), coefficients in x.
        errors: bounds of |E|, |E_i|, |E_ij|, |E_ijk|, each (k, boxes); ∞ or NaN where D > 0 was not
            shown.
        divisor: (2, k, boxes), lower and upper bounds of D.
    """

    p: int
    degree: int
    P: Floats
    errors: tuple[Floats, ...]
    divisor: Floats

    def derivative(self, order: tuple[int, ...], target: int) -> Model:
        """∂^order C, in x, as a model of degree `target`."""
        error = self.errors[len(order)]
        return derivative(self.p, self.degree, self.P, error, order, target)


@dataclass(frozen=True)
class Parts:
    """N and D themselves on boxes, in x: coefficients and errors by degree, as from `shifted`."""

    N: Basis
    D: Basis
    n: Floats
    n_error: Floats
    d: Floats
    d_error: Floats

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


def divisor_bounds(D: Polynomials, d: Floats, error: Floats) -> Floats:
    """(2, k, boxes): lower and upper bounds of a shifted polynomial."""
    lo, hi = Model(D.basis, d, error.sum(axis=0) * GROWN).bounds()
    return np.stack([lo, hi])


def expand(N: Polynomials, D: Polynomials, y0: Floats, r: Floats, degree: int) -> Expansion:
    """The verified Taylor polynomial of N/D of a degree on the boxes y₀ ± r, (p, k or 1, boxes)."""
    p = D.basis.p
    n, n_error = N.shifted(y0, r)
    d, d_error = D.shifted(y0, r)
    divisor = divisor_bounds(D, d, d_error)
    target = basis(p, degree)
    P = np.zeros((target.size, *d.shape[1:]))
    inverse = 1.0 / d[0]
    longest = 0
    for k, (left, right) in enumerate(_division_rows(p, D.basis.degree, degree)):
        top = n[k] if k < len(n) else np.zeros_like(d[0])
        if len(left):
            top = top - (d[left] * P[right]).sum(axis=0)
            longest = max(longest, len(left))
        P[k] = top * inverse
    errors = _remainders(N.basis, D.basis, target, n, n_error, d, d_error, P, divisor[0], longest)
    return Expansion(p, degree, P, errors, divisor)


def _remainders(
    N: Basis,
    D: Basis,
    target: Basis,
    n: Floats,
    n_error: Floats,
    d: Floats,
    d_error: Floats,
    P: Floats,
    least: Floats,
    longest: int,
) -> tuple[Floats, ...]:
    """Bounds of |E| and its partial derivatives up to the third order; see the module.

    The recursion satisfies d₀P_k = n_k − Σ d_iP_{k−i} up to (q + 4)u(|n_k| + Σ|d_i||P_{k−i}|), the sum
    with i = 0 and q = `longest` other terms: q products and as many additions, a reciprocal, a product.
    """
    n_sizes = N.degrees(n)
    d_sizes = D.degrees(d)
    P_sizes = target.degrees(P)
    full = [size + error for size, error in zip(d_sizes, d_error, strict=True)]
    s: list[Floats] = []
    for total in range(target.degree + D.degree + 1):
        inside = total <= target.degree
        term = np.zeros_like(least)
        for a in range(max(0, total - target.degree), min(total, D.degree) + 1):
            # Below the degree only rounding and the errors of d are left, beyond it all of d P.
            factor = UNIT * (longest + 4) * d_sizes[a] + d_error[a] if inside else full[a]
            term = term + factor * P_sizes[total - a]
        if total <= N.degree:
            extra = n_error[total] if inside else n_sizes[total] + n_error[total]
            term = term + extra + UNIT * (longest + 4) * n_sizes[total]
        s.append(term + TINY)
    # Falling factorials bound the derivatives of monomials of one degree, in whatever directions.
    S = [sum(_falling(total, o) * term for total, term in enumerate(s)) for o in range(4)]
    d_parts = [
        sum(_falling(total, o) * size for total, size in enumerate(full)) for o in range(4)
    ]
    inverse = np.where(least > 0, 1.0 / np.where(least > 0, least, 1.0), np.inf)
    errors: list[Floats] = []
    for order in range(4):
        inherited = S[order]
        for lower in range(order):
            inherited = inherited + comb(order, lower) * d_parts[order - lower] * errors[lower]
        errors.append((inherited * inverse + TINY) * GROWN)
    return tuple(errors)


def _falling(total: int, order: int) -> float:
    value = 1
    for i in range(order):
        value *= max(total - i, 0)
    return float(value)
