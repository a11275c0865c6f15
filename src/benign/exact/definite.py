"""Definiteness of symmetric matrices, decided in rational numbers."""

from __future__ import annotations

from flint import fmpq, fmpq_mat

from benign.exact.problem import Matrix


def is_semidefinite(M: Matrix, *, strict: bool = False) -> bool:
    """M ⪰ 0, or M ≻ 0 if strict, decided exactly for a symmetric matrix of rational numbers.

    det(xI − M) = Σ c_k xᵏ has real roots only. If (−1)ⁿ⁻ᵏ c_k ≥ 0 for all k then no x < 0 is a root,
    all terms having one sign there; and if M ⪰ 0 then |c_k| are the elementary symmetric functions
    of its eigenvalues, with just these signs. M is singular iff c_0 = 0.
    """
    rows = [[fmpq(x.numerator, x.denominator) for x in row] for row in M]
    coefficients = fmpq_mat(rows).charpoly().coeffs()
    n = len(M)
    signed = [c if (n - k) % 2 == 0 else -c for k, c in enumerate(coefficients)]
    return all(c >= 0 for c in signed) and not (strict and signed[0] == 0)
