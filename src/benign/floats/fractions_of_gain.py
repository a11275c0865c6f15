"""The cost of a gain as a quotient of two polynomials, C = N/D, in exact numbers.

With L = A − BW and K(W) the matrix of X ↦ X − γL'XL on symmetric matrices of size d = n(n + 1)/2,

    P = K⁻¹(Q + W'RW),    C(W) = ⟨S0, P⟩ = N/D,    D = det K = ∏_{i ≤ j} (1 − γλ_iλ_j),

the λ_i being the eigenvalues of L, and N = det [[K, q], [−s', 0]] for the vectors q of Q + W'RW (less
NW + W'N' where the stage cost has a cross term, also an N) and s of S0. So D > 0 where √γρ(L) < 1, and
D can only pass through zero where a product of eigenvalues of √γL is one: on a connected set without
zeros of D all gains stabilise or none does.

Degrees. For one input both have degree at most n + 1 in W. D is det(I − M)·det(I + M) times the
product over i < j, M = √γL; in the coefficients of the characteristic polynomial, which are affine
in W, the three factors have degrees 1, 1 and n − 1. And by Parseval C is a sum of integrals of
|c(z)|²/|p(z)|² over the circle, p the characteristic polynomial and each c affine in W, that is
(Åström, Introduction to Stochastic Control Theory, section 5.2) a quadratic form in the
coefficients of c times cofactors of degree n − 1 in those of p, over D. In general the entries of K
and q are quadratic: the degree is at most 2d.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import factorial

from flint import fmpq, fmpq_mat

from benign.exact.problem import Matrix, Plant

Exponents = tuple[int, ...]
Polynomial = dict[Exponents, Fraction]
"""Coefficients by exponents; those that are zero are left out."""


@dataclass(frozen=True)
class Frame:
    """Coordinates y of a gain, W = centre + axes·y with the gain's entries row by row.

    Attributes:
        centre: (p,), p = mn.
        axes: (p, p), non-singular.
    """

    centre: tuple[Fraction, ...]
    axes: Matrix

    @property
    def p(self) -> int:
        """Numbers in a gain."""
        return len(self.centre)

    def gain(self, y: Sequence[Fraction]) -> list[Fraction]:
        """W, row by row."""
        return [
            c + sum((a * x for a, x in zip(row, y, strict=True)), Fraction(0))
            for c, row in zip(self.centre, self.axes, strict=True)
        ]

    def step(self, eta: Fraction) -> list[list[Fraction]]:
        """G = η axes⁻¹ axes⁻ᵀ: the gradient step is y − G ∇_y in these coordinates."""
        axes = _matrix(self.axes)
        G = _fmpq(eta) * (axes.transpose() * axes).inv()
        return [[_fraction(G[i, j]) for j in range(self.p)] for i in range(self.p)]


def degree_bound(n: int, m: int) -> int:
    """The largest degree that N and D can have; see the module."""
    return n + 1 if m == 1 else n * (n + 1)


def cost_polynomials(plant: Plant, frame: Frame) -> tuple[Polynomial, Polynomial]:
    """N and D of the plant's cost as polynomials in y, coefficients by exponents.

    Both are interpolated at the points y ∈ ℕᵖ, Σ y_i ≤ degree, which determine them.
    """
    degree = degree_bound(plant.n, plant.m)
    points = [y for y in product(range(degree + 1), repeat=frame.p) if sum(y) <= degree]
    tops: dict[Exponents, fmpq] = {}
    bottoms: dict[Exponents, fmpq] = {}
    for y in points:
        tops[y], bottoms[y] = _at(plant, frame.gain([Fraction(x) for x in y]))
    return _interpolated(tops, degree), _interpolated(bottoms, degree)


def _at(plant: Plant, gain: Sequence[Fraction]) -> tuple[fmpq, fmpq]:
    """N and D at one gain, as determinants."""
    n, m = plant.n, plant.m
    W = fmpq_mat(m, n, [_fmpq(x) for x in gain])
    L = _matrix(plant.A) - _matrix(plant.B) * W
    stage = _matrix(plant.Q) + W.transpose() * _matrix(plant.R) * W
    if plant.N is not None:
        cross = _matrix(plant.N) * W
        stage -= cross + cross.transpose()
    pairs = [(i, j) for i in range(n) for j in range(i + 1)]
    gamma = _fmpq(plant.discount)
    rows = []
    for i, j in pairs:
        # Entry (i, j) of X − γL'XL as a linear form in the lower triangle of X.
        row = []
        for a, b in pairs:
            factor = L[a, i] * L[b, j]
            if a != b:
                factor += L[b, i] * L[a, j]
            row.append(fmpq(int((i, j) == (a, b))) - gamma * factor)
        rows.append(row)
    moment = plant.moment
    s = [_fmpq(moment[i][j]) * (1 if i == j else 2) for i, j in pairs]
    bordered = [[*row, stage[i, j]] for row, (i, j) in zip(rows, pairs, strict=True)]
    bordered.append([*(-x for x in s), fmpq(0)])
    return fmpq_mat(bordered).det(), fmpq_mat(rows).det()


def _interpolated(values: dict[Exponents, fmpq], degree: int) -> Polynomial:
    """The polynomial through values at {y ∈ ℕᵖ, Σy_i ≤ degree}: Newton's forward differences.

    f(y) = Σ_k Δᵏf(0) ∏ binom(y_i, k_i), and k! binom(y, k) = Σ_j s(k, j) yʲ, Stirling numbers of the
    first kind; both steps are taken axis by axis.
    """
    p = len(next(iter(values)))
    coefficients = dict(values)
    for axis in range(p):
        for order in range(1, degree + 1):
            for k in sorted(coefficients, key=lambda k: -k[axis]):
                if k[axis] >= order:
                    before = (*k[:axis], k[axis] - 1, *k[axis + 1 :])
                    coefficients[k] -= coefficients[before]
    stirling = [[_stirling(k, j) for j in range(k + 1)] for k in range(degree + 1)]
    for axis in range(p):
        turned: dict[Exponents, fmpq] = {}
        for k, value in coefficients.items():
            for j, s in enumerate(stirling[k[axis]]):
                if s != 0:
                    target = (*k[:axis], j, *k[axis + 1 :])
                    turned[target] = turned.get(target, fmpq(0)) + value * fmpq(s, factorial(k[axis]))
        coefficients = turned
    return {k: _fraction(c) for k, c in coefficients.items() if c != 0}


def _stirling(k: int, j: int) -> int:
    """s(k, j): the coefficient of yʲ in y(y − 1)…(y − k + 1)."""
    row = [1]
    for i in range(k):
        row = [
            (row[a - 1] if a else 0) - i * (row[a] if a < len(row) else 0) for a in range(len(row) + 1)
        ]
    return row[j]


# --- where stabilising gains can be, for one input --------------------------------------------


def stable_simplex(plant: Plant) -> list[list[tuple[Fraction, int]]] | None:
    """The corners of a simplex of gains that holds every stabilising one; None where there is none.

    The monic polynomials with all roots in the unit disc lie in the convex hull of the n + 1
    polynomials (z − 1)ⁱ(z + 1)ⁿ⁻ⁱ (Fam and Meditch, IEEE Trans. Automatic Control 23 (1978) 454).
    For one input the coefficients of the characteristic polynomial of A − bW are affine in W, and
    for a controllable pair this can be inverted. Under a discount γ they are those of √γ(A − bW)
    times γ^(−j/2): see the return value.

    Returns:
        For each corner the coefficients a_1 … a_n of zⁿ + a_1zⁿ⁻¹ + …, each as (number, j): its value
        is number · γ^(−j/2).
    """
    if plant.m != 1:
        return None
    corners = []
    for i in range(plant.n + 1):
        polynomial = [1]
        for root in [1] * i + [-1] * (plant.n - i):
            polynomial = [
                (polynomial[a] if a < len(polynomial) else 0) - root * (polynomial[a - 1] if a else 0)
                for a in range(len(polynomial) + 1)
            ]
        corners.append([(Fraction(c), j) for j, c in enumerate(polynomial)][1:])
    return corners


def gain_of_polynomial(plant: Plant) -> tuple[list[Fraction], list[list[Fraction]]] | None:
    """w₀ (n,) and M (n, n) with W = w₀ + M a, a the characteristic coefficients of A − bW.

    None where (A, b) is not controllable. The map a(W) is affine: a = a(0) + J W; it is evaluated at
    W = 0 and at the unit gains.
    """
    n = plant.n
    if plant.m != 1:
        return None
    base = _characteristic(plant, [Fraction(0)] * n)
    columns = []
    for j in range(n):
        unit = [Fraction(int(i == j)) for i in range(n)]
        columns.append([x - y for x, y in zip(_characteristic(plant, unit), base, strict=True)])
    J = fmpq_mat([[_fmpq(columns[j][i]) for j in range(n)] for i in range(n)])
    if J.det() == 0:
        return None
    M = J.inv()
    inverse = [[_fraction(M[i, j]) for j in range(n)] for i in range(n)]
    origin = [-sum((x * y for x, y in zip(row, base, strict=True)), Fraction(0)) for row in inverse]
    return origin, inverse


def _characteristic(plant: Plant, gain: Sequence[Fraction]) -> list[Fraction]:
    """a_1 … a_n of det(zI − A + bW)."""
    n = plant.n
    L = _matrix(plant.A) - _matrix(plant.B) * fmpq_mat(1, n, [_fmpq(x) for x in gain])
    coefficients = L.charpoly().coeffs()
    return [_fraction(c) for c in reversed(coefficients[:n])]


# --- calculus --------------------------------------------------------------------------------


def directional(f: Polynomial, along: Sequence[Fraction]) -> Polynomial:
    """Σ_j along_j ∂f/∂y_j."""
    found: Polynomial = {}
    for k, c in f.items():
        for j, weight in enumerate(along):
            if k[j] and weight:
                lower = (*k[:j], k[j] - 1, *k[j + 1 :])
                found[lower] = found.get(lower, Fraction(0)) + weight * k[j] * c
    return found


def inverse_turn(source: Frame, target: Frame) -> list[list[Fraction]]:
    """∂y/∂z for the coordinates y of the one frame and z of the other: axes_source⁻¹ axes_target."""
    M = _matrix(source.axes).inv() * _matrix(target.axes)
    return [[_fraction(M[i, j]) for j in range(source.p)] for i in range(source.p)]


def _fmpq(x: Fraction) -> fmpq:
    return fmpq(x.numerator, x.denominator)


def _fraction(x: fmpq) -> Fraction:
    return Fraction(int(x.p), int(x.q))


def _matrix(M: Matrix) -> fmpq_mat:
    return fmpq_mat([[_fmpq(x) for x in row] for row in M])
