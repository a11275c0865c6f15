"""Inequalities, linear in the gain, that every stabilising gain of a plant with one input meets; exact.

The characteristic polynomial of the closed loop is affine in the gain, as B has one column:

    p(z) = det(zI − A + BW) = det(zI − A) + W adj(zI − A)B.

Let R ≥ 1/√γ. W stabilises only if p has all zeros in |z| < R, and with z = R(1 + s)/(1 − s)

    q(s) = (1 − s)ⁿ p(z) = Σ_j p_j Rʲ(1 + s)ʲ(1 − s)ⁿ⁻ʲ

has the same zeros, in Re s < 0; there are n of them, as the coefficient of sⁿ is (−1)ⁿp(−R) ≠ 0. So q
is a multiple of a product of factors s + a and s² + as + b, a, b > 0, and all its n + 1 coefficients
have one sign. It is positive: they sum to q(1) = (2R)ⁿ. So each coefficient gives one inequality
g'W + h > 0. (Times (2R)⁻ⁿ they are the barycentric coordinates of p in the simplex with the corners
(z − R)ᵏ(z + R)ⁿ⁻ᵏ, as z − R = 2Rs/(1 − s) and z + R = 2R/(1 − s).)

Source: A. T. Fam and J. S. Meditch, IEEE Trans. Automatic Control 23 (1978), for the simplex.
"""

from __future__ import annotations

from fractions import Fraction
from math import isqrt

from flint import fmpq, fmpq_mat, fmpq_poly

from benign.exact.problem import Plant

RADIUS_BITS = 64
"""Where 1/√γ is irrational a multiple of 2^(−this), next above it, takes its place."""


def outer_radius(discount: Fraction) -> Fraction:
    """1/√γ, or a rational number above it."""
    top, bottom = isqrt(discount.denominator), isqrt(discount.numerator)
    if top**2 == discount.denominator and bottom**2 == discount.numerator:
        return Fraction(top, bottom)
    below = isqrt((discount.denominator << 2 * RADIUS_BITS) // discount.numerator)
    return Fraction(below + 1, 1 << RADIUS_BITS)


def stability_rows(plant: Plant) -> fmpq_mat:
    """(n + 1, n + 1): a row (g, h) for each coefficient of q, with g'W + h > 0 where W stabilises.

    Args:
        plant: one input.
    """
    n = plant.n
    A = _matrix(plant.A)
    b = _matrix(plant.B)
    p = A.charpoly().coeffs()
    # adj(zI − A) = Σ zʲM_j with M_{n−1} = I and M_{j−1} = A M_j + p_j I.
    slopes = [fmpq_mat(n, 1), b]
    for j in range(n - 1, 0, -1):
        slopes.append(A * slopes[-1] + b * p[j])
    affine = fmpq_mat([[*v.entries(), c] for v, c in zip(reversed(slopes), p, strict=True)])
    return _turned(n, outer_radius(plant.discount)) * affine


def _turned(n: int, R: Fraction) -> fmpq_mat:
    """(n + 1, n + 1): column j holds the coefficients of Rʲ(1 + s)ʲ(1 − s)ⁿ⁻ʲ."""
    up, down = fmpq_poly([1, 1]), fmpq_poly([1, -1])
    radius = fmpq(R.numerator, R.denominator)
    columns = [(radius**j * up**j * down ** (n - j)).coeffs() for j in range(n + 1)]
    return fmpq_mat(columns).transpose()


def _matrix(rows: tuple[tuple[Fraction, ...], ...]) -> fmpq_mat:
    return fmpq_mat([[fmpq(x.numerator, x.denominator) for x in row] for row in rows])
