"""Matrices of balls: definiteness, stability, norms and discrete Lyapunov equations, proved.

Every function speaks of all the real matrices that its balls hold, and a comparison of balls is true
only when it is certain, so that a ball that is not a number proves nothing. Approximations (made of
midpoints, without error bounds) appear as witnesses only: whatever they are, what is returned follows
from an inequality that was shown in balls.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from flint import acb_mat, arb, arb_mat, ctx

from benign.exact.rounding import to_ball

SQUARINGS = 8
"""How often `spectral_norm` squares M'M: it overestimates by n^(1/1024) at most, 0.5 % for n = 100."""

UNIT = arb(0, 1)
"""The ball [−1, 1]."""


class Unproved(ArithmeticError):  # noqa: N818 - it is an answer, not a fault
    """Not shown with the balls at hand: they are too wide, or it is false."""


# --- exact matrices --------------------------------------------------------------------------


def to_ball_matrix(M: Sequence[Sequence[Fraction]]) -> arb_mat:
    """Balls around exact numbers, at the working precision."""
    return arb_mat([[to_ball(x) for x in row] for row in M])


# --- small tools -----------------------------------------------------------------------------


def identity(n: int) -> arb_mat:
    """The n × n identity."""
    return arb_mat([[int(i == j) for j in range(n)] for i in range(n)])


def blocks(rows: Sequence[Sequence[arb_mat]]) -> arb_mat:
    """The matrix made of blocks."""
    return arb_mat(
        [[x for block in row for x in block.tolist()[i]] for row in rows for i in range(row[0].nrows())]
    )


def symmetrised_middle(M: arb_mat) -> arb_mat:
    """An exactly symmetric matrix next to the middle of M; without error bounds."""
    return ((M + M.transpose()) * arb(0.5)).mid()


def inner(M: arb_mat, N: arb_mat) -> arb:
    """Σ M_ij N_ij = tr(M'N)."""
    return sum((x * y for x, y in zip(M.entries(), N.entries(), strict=True)), arb(0))


# --- definiteness and norms ------------------------------------------------------------------


def is_positive_definite(M: arb_mat) -> bool:
    """M ≻ 0, for all the symmetric matrices within the balls of the lower triangle."""
    return all(bool(pivot > 0) for pivot in _pivots(M))


def negative_eigenvalues(M: arb_mat) -> int | None:
    """How many eigenvalues of each of those matrices are negative, if all others are positive.

    M = LDL' is a congruence, so that the eigenvalues have the signs of D (Sylvester's law of inertia).

    Returns:
        The number; None if the sign of a pivot is not certain.
    """
    negative = 0
    for pivot in _pivots(M):
        if pivot < 0:
            negative += 1
        elif not pivot > 0:
            return None
    return negative


def _pivots(M: arb_mat) -> Iterator[arb]:
    """D of M = LDL', by symmetric elimination, up to the first pivot whose sign is not certain.

    The balls hold the pivots of every symmetric matrix within the balls of the lower triangle.
    """
    n = M.nrows()
    rows = [[M[i, j] for j in range(i + 1)] for i in range(n)]
    for k in range(n):
        pivot = rows[k][k]
        yield pivot
        if not (pivot > 0 or pivot < 0):
            return
        column = [rows[i][k] for i in range(n) if i > k]
        for i, x in enumerate(column, k + 1):
            factor, row = x / pivot, rows[i]
            for j in range(k + 1, i + 1):
                row[j] -= factor * column[j - k - 1]


def frobenius_norm(M: arb_mat) -> arb:
    """An upper bound of ‖M‖_F = √Σ M_ij², as an exact number."""
    return sum((x.abs_upper() ** 2 for x in M.entries()), arb(0)).sqrt().upper()


def spectral_norm(M: arb_mat) -> arb:
    """An upper bound of ‖M‖₂ = λ_max(M'M)^½ ≤ ‖(M'M)^N‖_F^(1/2N), N = 2^SQUARINGS, exact."""
    power = M.transpose() * M
    for _ in range(SQUARINGS):
        power = power * power
    bound = frobenius_norm(power)
    for _ in range(SQUARINGS + 1):
        bound = bound.sqrt()
    # Squaring widens the balls: for wide ones the plain Frobenius norm may be the better bound.
    plain = frobenius_norm(M)
    return bound.upper() if bound < plain else plain


def least_singular_value(M: arb_mat) -> arb:
    """A lower bound of σ_min(M) = 1/‖M⁻¹‖₂ > 0, as an exact number.

    Raises:
        Unproved: M could not be shown to be non-singular.
    """
    try:
        # Succeeds only if every matrix within the balls has an inverse; encloses all of these.
        bound = (1 / spectral_norm(M.inv())).lower()
    except ZeroDivisionError:
        raise Unproved("the matrix could not be shown to be non-singular") from None
    if not bound > 0:
        raise Unproved("the matrix could not be shown to be non-singular")
    return bound


# --- stability -------------------------------------------------------------------------------


def is_unstable(L: arb_mat) -> bool:
    """ρ(L) ≥ 1, certainly: an enclosure of an eigenvalue lies outside the open unit disc."""
    try:
        values = acb_mat(L).eig(multiple=True)
    except ValueError:  # clustered eigenvalues that could not be enclosed
        return False
    return any(bool(abs(value) >= 1) for value in values)


class Lyapunov:
    """X = L X L' + S for any symmetric S, solved with proof; L is shown to be stable first.

    Making one finds Y ≈ Σ LᵏL'ᵏ from midpoints, by doubling: X ← X + L X L', L ← L². Then it shows
    Y ≻ 0 and D = Y − L Y L' ⪰ δI with δ = 1 − ‖D − I‖_F > 0. So ρ(L) < 1: a left eigenvector,
    v*L = λv*, has (1 − |λ|²) v*Yv = v*Dv > 0.

    L is a matrix of balls: everything holds for each matrix within, and L enters just once, so that
    wide balls do not pile up.

    Args:
        L: (n, n).

    Raises:
        Unproved: ρ(L) < 1 could not be shown.
    """

    def __init__(self, L: arb_mat) -> None:
        self.L = L
        self._powers = _squares(L.mid())
        one = identity(L.nrows())
        self._Y = symmetrised_middle(self._approximate(one))
        D = self._Y - L * self._Y * L.transpose()
        self._delta = (1 - frobenius_norm(D - one)).lower()
        if not self._delta > 0 or not is_positive_definite(self._Y):
            raise Unproved("√γ ρ(A − BW) < 1 could not be shown")

    def solve(self, S: arb_mat) -> arb_mat:
        """The balls of X = Σ Lᵏ S L'ᵏ.

        With X̃ from midpoints, X − X̃ solves the equation for E = S − X̃ + L X̃ L'. As the solution
        grows with the right-hand side, and −eI ⪯ E ⪯ eI for e = ‖E‖_F, I ⪯ D/δ, and the solution
        for D is Y, we have −Z ⪯ X − X̃ ⪯ Z with Z = (e/δ)Y; and then |(X − X̃)_ij| ≤ √(Z_ii Z_jj)
        (see `widened`).
        """
        X = symmetrised_middle(self._approximate(S))
        error = frobenius_norm(S - X + self.L * X * self.L.transpose())
        return widened(X, self._Y * (error / self._delta))

    def _approximate(self, S: arb_mat) -> arb_mat:
        X = S.mid()
        for power in self._powers:
            X = (X + power * X * power.transpose()).mid()
        return X


def widened(X: arb_mat, Z: arb_mat) -> arb_mat:
    """Balls that hold every symmetric X + Δ with −Z ⪯ Δ ⪯ Z, where Z ⪰ 0.

    For all vectors, 4u'Δv = (u + v)'Δ(u + v) − (u − v)'Δ(u − v) ≤ 2(u'Zu + v'Zv); with tu and v/t for
    the best t > 0 this is |u'Δv| ≤ √(u'Zu v'Zv), so |Δ_ij| ≤ √(Z_ii Z_jj).
    """
    n = X.nrows()
    roots = [Z[i, i].abs_upper().sqrt() for i in range(n)]
    return arb_mat([[X[i, j] + roots[i] * roots[j] * UNIT for j in range(n)] for i in range(n)])


def _squares(L: arb_mat) -> list[arb_mat]:
    """L, L², L⁴ … until a power is negligible at the working precision; midpoints only."""
    bits = ctx.prec
    powers = [L]
    while len(powers) <= bits:
        size = frobenius_norm(powers[-1])
        if size < arb(2) ** (-bits):
            return powers
        if not size < arb(2) ** bits:
            break
        powers.append((powers[-1] * powers[-1]).mid())
    raise Unproved("√γ ρ(A − BW) < 1 could not be shown")
