"""What makes an LQR task well posed: symmetry, definiteness, stabilisability.

Definiteness is decided exactly up to `LARGEST_EXACT` rows and stabilisability up to `EXACT_SIZE`
states, in rational arithmetic; beyond, by float64 eigenvalues with a tolerance, which is a heuristic.
Messages carry the value and the cure; the caller adds the place.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from benign.errors import ProblemError
from benign.exact.definite import is_semidefinite, least_weight, raised
from benign.exact.linear import difference

if TYPE_CHECKING:
    from benign.exact.problem import Matrix

EXACT_SIZE = 12
"""Largest plant whose stabilisability is decided exactly."""

LARGEST_EXACT = 64
"""Largest matrix whose definiteness is decided exactly: a tenth of a second at most."""

ASYMMETRY = Fraction(1, 10**9)
"""Largest |M − M'| relative to max |M| that is taken for rounding and averaged away."""

WHY_STRICT = "where an input is free, the cost may stay bounded in an unstable loop"
"""Why R ⪰ 0 is not enough, nor R + B'PB ≻ 0: a zero of the plant on or outside the unit circle becomes
a mode of the loop that no price sees, and proofs near the rim rest on the growth of the cost."""

_FLOAT_TOLERANCE = 1e-12  # a few hundred roundings of float64, for matrices of more than 12 rows


def show(value: Fraction) -> str:
    """The number in a few digits, also where a float64 would overflow."""
    try:
        return f"{float(value):.6g}"
    except OverflowError:
        return "-inf" if value < 0 else "inf"


def symmetrised(M: Matrix) -> Matrix:
    """(M + M')/2 exactly, for an M that is symmetric up to rounding.

    Raises:
        ProblemError: |M − M'| exceeds `ASYMMETRY` relative to max |M|.
    """
    n = len(M)
    largest = max(abs(x) for row in M for x in row)
    for i in range(n):
        for j in range(i):
            if abs(M[i][j] - M[j][i]) > ASYMMETRY * largest:
                raise ProblemError(
                    f"must be symmetric; row {i + 1}, column {j + 1} is {show(M[i][j])} but row "
                    f"{j + 1}, column {i + 1} is {show(M[j][i])}"
                )
    if all(M[i][j] == M[j][i] for i in range(n) for j in range(i)):
        return M
    return tuple(tuple((M[i][j] + M[j][i]) / 2 for j in range(n)) for i in range(n))


def definite(M: Matrix, *, strict: bool) -> Matrix:
    """M if M ≻ 0 (strict) or M ⪰ 0, for a symmetric M; raised if only a rounding is in the way of ⪰ 0.

    The rule is that of `benign.exact.definite.raised`, as for tasks made of floats.

    Raises:
        ProblemError: it is not; the message gives the smallest eigenvalue.
    """
    if len(M) > LARGEST_EXACT:
        smallest, scale = _smallest_eigenvalue(M)
        tolerance = _FLOAT_TOLERANCE * scale
        found = M if (smallest > tolerance if strict else smallest >= -tolerance) else None
    elif strict:
        found = M if is_semidefinite(M, strict=True) else None
    else:
        found = raised(M) if len(M) != 1 or M[0][0] >= 0 else None
    if found is None:
        raise _indefinite(M, strict=strict)
    return found


def definite_beside(Q: Matrix, R: Matrix, N: Matrix) -> Matrix:
    """Q if [[Q, N], [N', R]] ⪰ 0, for Q ⪰ 0 and R ≻ 0; raised if only a rounding is in the way.

    That is Q ⪰ NR⁻¹N', decided as `definite` decides Q ⪰ 0.

    Raises:
        ProblemError: it is not, by more than rounding.
    """
    least = least_weight(N, R)
    if len(Q) > LARGEST_EXACT:
        smallest, scale = _smallest_eigenvalue(difference(Q, least))
        found = Q if smallest >= -1e-9 * max(scale, float(max(map(max, Q)))) else None
    else:
        found = raised(Q, above=least)
    if found is None:
        smallest, _ = _smallest_eigenvalue(difference(Q, least))
        raise ProblemError(TOO_CROSSED.format(show(Fraction(smallest))))
    return found


TOO_CROSSED = (
    "`N` is too large: [[Q, N], [N', R]] must be positive semidefinite, and the smallest eigenvalue of "
    "Q − NR⁻¹N' is {}; give a smaller `N`, or a larger `Q` or `R`"
)
"""What is said of a cross term beyond the cone."""


def _indefinite(M: Matrix, *, strict: bool) -> ProblemError:
    singular = strict and len(M) <= LARGEST_EXACT and is_semidefinite(M, strict=False)
    why = f"; {WHY_STRICT}" if singular else ""
    if len(M) == 1:
        return ProblemError(
            f"must be {'positive' if strict else 'zero or positive'}, got {show(M[0][0])}{why}"
        )
    kind = "definite" if strict else "semidefinite"
    smallest, scale = _smallest_eigenvalue(M)
    if smallest > 0 or (not strict and smallest == 0) or abs(smallest) < 1e-14 * scale:
        # Decided exactly, yet below the resolution of float64: the sign is known, the digits not.
        about = "zero or below by less than a rounding" if strict else "below zero by a rounding"
        found = f"its smallest eigenvalue is {about}"
    else:
        found = f"its smallest eigenvalue is {smallest:.3g}"
    cure = f"adding {max(-smallest, scale * 1e-12) * 1.1:.2g} to its diagonal would do"
    return ProblemError(f"must be positive {kind}; {found} ({cure}){why}")


def _smallest_eigenvalue(M: Matrix) -> tuple[float, float]:
    """(smallest eigenvalue, max |M|) in float64; scaled first, so that squares cannot overflow."""
    import numpy as np

    largest = max(abs(x) for row in M for x in row)
    if largest == 0:
        return 0.0, 0.0
    scaled = np.array([[float(x / largest) for x in row] for row in M])
    scale = float(largest)
    return float(np.linalg.eigvalsh(scaled)[0]) * scale, scale


def require_stabilisable(A: Matrix, B: Matrix, discount: Fraction) -> None:
    """Some W makes √γ (A − B W) stable: every mode with √γ|λ| ≥ 1 is reached by B.

    Raises:
        ProblemError: no stabilising gain exists.
    """
    if not is_stabilisable(A, B, discount):
        if len(A) == 1:
            a = A[0][0]
            raise ProblemError(
                f"no gain stabilises the plant: B is 0 and |√discount·A| is "
                f"{math.sqrt(discount) * abs(float(a)):.4g}; give a nonzero `B`, an |A| below 1, "
                "or a smaller `discount`"
            )
        raise ProblemError(
            "(A, B) is not stabilisable: `B` does not reach a mode of `A` that fails to decay; "
            "add an input, remove that mode, or give a smaller `discount`"
        )


def is_stabilisable(A: Matrix, B: Matrix, discount: Fraction) -> bool:
    """Whether some gain stabilises √γ (A, B): the one rule for files, tasks and proofs.

    One state is decided by b ≠ 0 or γa² < 1. More are split by Kalman's decomposition in rational
    numbers; the part U that B does not reach must satisfy γ U X U' − X = −I for some X ≻ 0. Beyond
    `EXACT_SIZE` states float64 decides, and accepts where it cannot tell.
    """
    if len(A) == 1:
        a = A[0][0]
        return any(b != 0 for b in B[0]) or discount * a * a < 1
    if len(A) <= EXACT_SIZE:
        return _is_stabilisable_exactly(A, B, discount)
    return _is_stabilisable_in_floats(A, B, discount)


def _is_stabilisable_exactly(A: Matrix, B: Matrix, discount: Fraction) -> bool:
    import flint

    def rational(M: Matrix) -> Any:
        return flint.fmpq_mat([[flint.fmpq(x.numerator, x.denominator) for x in r] for r in M])

    n = len(A)
    F, block = rational(A), rational(B)
    columns: list[list[Any]] = []  # B, AB, …, Aⁿ⁻¹B, transposed: rows that span what B reaches
    for _ in range(n):
        columns += block.transpose().tolist()
        block = F * block
    reduced, rank = flint.fmpq_mat(columns).rref()
    if rank == n:
        return True
    reached = [[reduced[i, j] for j in range(n)] for i in range(rank)]
    pivots = {next(j for j in range(n) if row[j] != 0) for row in reached}
    others = [[flint.fmpq(int(i == j)) for i in range(n)] for j in range(n) if j not in pivots]
    T = flint.fmpq_mat(reached + others).transpose()
    moved = T.solve(F * T)
    k = n - rank
    U = [[moved[rank + i, rank + j] for j in range(k)] for i in range(k)]
    gamma = flint.fmpq(discount.numerator, discount.denominator)
    # vec X solves (I − γ U ⊗ U) vec X = vec I; U is stable iff that X exists and is definite.
    system = flint.fmpq_mat(
        [
            [
                flint.fmpq(int((i, j) == (p, q))) - gamma * U[i][p] * U[j][q]
                for p in range(k)
                for q in range(k)
            ]
            for i in range(k)
            for j in range(k)
        ]
    )
    right = flint.fmpq_mat([[flint.fmpq(int(i == j))] for i in range(k) for j in range(k)])
    try:
        X = system.solve(right)
    except ZeroDivisionError:
        return False
    entries = [Fraction(int(x.p), int(x.q)) for x in X.entries()]
    return is_semidefinite(
        tuple(tuple(entries[i * k + j] for j in range(k)) for i in range(k)), strict=True
    )


def _is_stabilisable_in_floats(A: Matrix, B: Matrix, discount: Fraction) -> bool:
    """The Popov–Belevitch–Hautus test; a heuristic that accepts where float64 cannot tell."""
    import numpy as np

    # Each matrix is scaled to max |M| = 1 first, so that nothing overflows; the rank stays.
    scales = [max(abs(x) for row in M for x in row) or Fraction(1) for M in (A, B)]
    F, G = (
        np.array([[float(x / scale) for x in row] for row in M])
        for M, scale in zip((A, B), scales, strict=True)
    )
    for mode in np.linalg.eigvals(F):
        if math.sqrt(discount) * abs(complex(mode)) * float(scales[0]) >= 1:
            pencil = np.hstack([mode * np.eye(len(A)) - F, G])
            if np.linalg.svd(pencil, compute_uv=False)[-1] <= _FLOAT_TOLERANCE:
                return False
    return True
