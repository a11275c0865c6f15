"""Definiteness of symmetric matrices, decided in rational numbers."""

from __future__ import annotations

from fractions import Fraction
from math import inf, nextafter

from flint import fmpq, fmpq_mat

from benign.exact.linear import difference, product, solved, transposed
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


ROUNDING_BITS = 40
"""M counts as semidefinite but for rounding if M + 2⁻⁴⁰ s I ⪰ 0, s the power of two just above max |M|:
some thousand roundings of its largest entry. Beyond that a sign is meant, or wrong."""


def raised(M: Matrix, *, floats: bool = False, above: Matrix | None = None) -> Matrix | None:
    """M itself if M ⪰ 0 exactly, else M + δI for the least δ ∈ s{2⁻⁵³, 2⁻⁵², …, 2⁻⁴⁰} that makes it so.

    Any product C'C that is rounded to float64 may lie an ulp outside the cone; this is the one rule
    for what becomes of it. s is the power of two just above max |M|, so that 2⁻⁵³s is one ulp of
    its largest entry.

    Args:
        M: symmetric.
        floats: the entries are float64 numbers and have to stay so: M_ii + δ is rounded up to one,
            which adds something ≥ 0 to the diagonal and leaves the matrix in the cone.
        above: a symmetric X ⪰ 0: M ⪰ X is asked instead. Of Q with a cross term it is NR⁻¹N'.

    Returns:
        None if no such δ does: M is indefinite by more than rounding.
    """

    def lies_in(cone: Matrix) -> bool:
        return is_semidefinite(cone if above is None else difference(cone, above))

    if lies_in(M):
        return M
    largest = max(abs(x) for row in M for x in row)
    if largest == 0:
        return None  # nothing was rounded here
    scale = Fraction(2) ** (largest.numerator.bit_length() - largest.denominator.bit_length())
    while scale <= largest:
        scale *= 2
    for bits in range(53, ROUNDING_BITS - 1, -1):
        delta = scale / 2**bits
        try:
            lifted = tuple(
                tuple(
                    x if i != j else _float_above(x + delta) if floats else x + delta
                    for j, x in enumerate(row)
                )
                for i, row in enumerate(M)
            )
        except OverflowError:
            return None
        if lies_in(lifted):
            return lifted
    return None


def _float_above(x: Fraction) -> Fraction:
    """The least float64 that is not below x."""
    nearest = float(x)
    return Fraction(nearest if nearest >= x else nextafter(nearest, inf))


def said_of_raised(field: str, before: Matrix, after: Matrix, *, crossed: bool = False) -> str:
    """What was done to a matrix, in one sentence."""
    most = max(new[i] - old[i] for i, (new, old) in enumerate(zip(after, before, strict=True)))
    what, whose = (f"{CROSSED} of `N`", f"the diagonal of `{field}`") if crossed else (
        f"`{field}`", "its diagonal"
    )  # fmt: skip
    return (
        f"{what} was indefinite by a rounding; up to {float(most):.2g} was added to {whose}, "
        "so that it is positive semidefinite exactly"
    )


CROSSED = "[[Q, N], [N', R]]"
"""The weight of a state and an input together; for R ≻ 0 it is ⪰ 0 if and only if Q ⪰ NR⁻¹N'."""


def least_weight(N: Matrix, R: Matrix) -> Matrix:
    """NR⁻¹N', (n, n): what Q has to be at least, R ≻ 0.

    Raises:
        ZeroDivisionError: R is singular.
    """
    return product(N, solved(R, transposed(N)))
