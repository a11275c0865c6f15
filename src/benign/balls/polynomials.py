"""The cost of one plant as a quotient of exact polynomials in the gain, and where it is finite.

    C(W) = tr(P S) = N(W)/D(W),   D = det(X ↦ X − γL'XL) = ∏_{i≤j} (1 − γλ_iλ_j),   L = A − BW,

X symmetric, λ the eigenvalues of L, S the initial second moment with the noise folded in. With the
stage cost q = Q − NW − W'N' + W'RW and P = Σ_k P_k e_k in a basis of the symmetric matrices, TP = q is
the Lyapunov equation and C = s'T⁻¹q, so that D = det T and N = −det [[T, q], [s', 0]], found by
fraction-free elimination in polynomials.

The polynomials are in coordinates y of the gain, W = centre + axes·y (a `Frame`). Three facts tell
where ρ(√γL) < 1, each true wherever the plant is stable:

- D > 0, and D has the sign it has there on all of any connected set on which it has no zero;
- E = D/det(I − γL²) = ∏_{i<j} (1 − γλ_iλ_j) > 0;
- the weights of det(zI − √γL) in the basis (z − 1)^i (z + 1)^(n−i), which sum to one, are not negative:
  real roots give z − z_k = (1 − z_k)/2·(z + 1) + (1 + z_k)/2·(z − 1), complex pairs the triangle of
  stable quadratics, and products of such sums are such sums (Fam and Meditch, IEEE Trans. Automatic
  Control 23 (1978)); and so |tr √γL| ≤ n.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import product
from math import comb

from flint import Ordering, arb, arb_mat, arb_poly, fmpq, fmpq_mat, fmpq_mpoly, fmpq_mpoly_ctx

from benign.balls.matrices import Unproved
from benign.exact.problem import Matrix, Plant

Exponents = tuple[int, ...]
Terms = Mapping[Exponents, fmpq] | Mapping[Exponents, arb]
"""A polynomial: its coefficients by their exponents."""

Polys = list[list[fmpq_mpoly]]


def rational(x: Fraction | float) -> fmpq:
    """The number itself."""
    x = Fraction(x)
    return fmpq(x.numerator, x.denominator)


@dataclass(frozen=True)
class Frame:
    """Coordinates of the gain: its entries, row by row, are centre + axes·y.

    Attributes:
        centre: p exact numbers.
        axes: (p, p), exact.
        m, n: shape of the gain, p = mn.

    Raises:
        Unproved: axes is singular.
    """

    centre: tuple[fmpq, ...]
    axes: fmpq_mat
    m: int
    n: int

    @staticmethod
    def of(centre: Sequence[float], axes: Sequence[Sequence[float]], m: int, n: int) -> Frame:
        """From floats, which are the binary numbers they are."""
        made = Frame(
            tuple(rational(x) for x in centre),
            fmpq_mat([[rational(x) for x in row] for row in axes]),
            m,
            n,
        )
        if made.axes.det() == 0:
            raise Unproved("the axes of the frame are linearly dependent")
        return made

    @property
    def p(self) -> int:
        """Number of entries of the gain."""
        return self.m * self.n

    @cached_property
    def inverse(self) -> fmpq_mat:
        """axes⁻¹, exact."""
        return self.axes.inv()

    @cached_property
    def metric(self) -> fmpq_mat:
        """(axes' axes)⁻¹: ∇_W g, as a step in y, is this times ∇_y g."""
        return self.inverse * self.inverse.transpose()

    @cached_property
    def _balls(self) -> tuple[arb_mat, arb_mat]:
        p = self.p
        return arb_mat(self.axes), arb_mat([[arb(self.centre[i])] for i in range(p)])

    def gain(self, y: Sequence[arb]) -> arb_mat:
        """The gain (m, n) at y."""
        axes, centre = self._balls
        W = (centre + axes * arb_mat([[x] for x in y])).entries()
        return arb_mat([[W[i * self.n + j] for j in range(self.n)] for i in range(self.m)])

    def polynomials(self, ring: fmpq_mpoly_ctx) -> list[fmpq_mpoly]:
        """The entries of the gain, row by row, as polynomials in y."""
        ys = ring.gens()
        return [
            sum((self.axes[i, j] * ys[j] for j in range(self.p)), ring.constant(self.centre[i]))
            for i in range(self.p)
        ]


@dataclass(frozen=True)
class RationalCost:
    """One plant in the coordinates of a frame.

    Attributes:
        N, D, E: as above, exact.
        weights: of det(zI − √γL) in the basis (z − 1)^i (z + 1)^(n−i), i = 0 … n; for several inputs
            and states, where these are not affine, n ± tr √γL as well.
        vertices: for one input and a controllable plant, the n + 1 points y (each of p balls) whose
            convex hull holds every gain that stabilises; None otherwise.
    """

    N: Mapping[Exponents, fmpq]
    D: Mapping[Exponents, fmpq]
    E: Mapping[Exponents, fmpq]
    weights: tuple[Mapping[Exponents, arb], ...]
    vertices: tuple[tuple[arb, ...], ...] | None

    @staticmethod
    def of(plant: Plant, frame: Frame) -> RationalCost:
        """The polynomials of a plant; balls at the working precision.

        Raises:
            Unproved: D vanishes identically, so that no gain stabilises.
        """
        # In the entries of W first, where the numbers are short, then in y.
        ring = fmpq_mpoly_ctx.get([f"w{i}" for i in range(frame.p)], Ordering.lex)
        W = [[ring.gens()[i * plant.n + j] for j in range(plant.n)] for i in range(plant.m)]
        N, D = _quotient(plant, W, ring)
        # An eigenvalue pair of product 1/γ that no gain moves, say; then so is ρ ≥ 1.
        if D.is_zero():
            raise Unproved("no gain stabilises the plant: a mode that costs is out of reach")
        a = _characteristic(_closed_loop(plant, W, ring), ring)
        g = rational(plant.discount)
        even = sum((g ** (j // 2) * x for j, x in enumerate(a) if j % 2 == 0), ring.constant(0))
        odd = sum((g ** (j // 2) * x for j, x in enumerate(a) if j % 2 == 1), ring.constant(0))
        E = D / (even * even - g * odd * odd)
        into = frame.polynomials(ring)
        a = [x.compose(*into) for x in a]
        return RationalCost(
            *(x.compose(*into).to_dict() for x in (N, D, E)),
            weights=_weights(a, plant),
            vertices=_vertices(a, plant, frame) if plant.m == 1 else None,
        )


# --- exact algebra ---------------------------------------------------------------------------


def _closed_loop(plant: Plant, W: Polys, ring: fmpq_mpoly_ctx) -> Polys:
    """L = A − BW."""
    n, m = plant.n, plant.m
    A, B = _numbers(plant.A), _numbers(plant.B)
    return [
        [ring.constant(A[i][j]) - sum(B[i][k] * W[k][j] for k in range(m)) for j in range(n)]
        for i in range(n)
    ]


def _numbers(M: Matrix) -> list[list[fmpq]]:
    return [[rational(x) for x in row] for row in M]


def _quotient(plant: Plant, W: Polys, ring: fmpq_mpoly_ctx) -> tuple[fmpq_mpoly, fmpq_mpoly]:
    """N and D, in the entries of W."""
    n, m = plant.n, plant.m
    L = _closed_loop(plant, W, ring)
    Q, R, S = _numbers(plant.Q), _numbers(plant.R), _numbers(plant.moment)
    cross = None if plant.N is None else _numbers(plant.N)
    g = rational(plant.discount)
    pairs = [(i, j) for i in range(n) for j in range(i, n)]
    rows = []
    for i, j in pairs:
        row = []
        for k, l in pairs:
            moved = L[k][i] * L[l][j] + (L[l][i] * L[k][j] if k != l else 0)
            row.append(ring.constant(int((i, j) == (k, l))) - g * moved)
        price = sum(W[k][i] * R[k][l] * W[l][j] for k in range(m) for l in range(m))
        if cross is not None:
            price -= sum(cross[i][k] * W[k][j] + cross[j][k] * W[k][i] for k in range(m))
        rows.append([*row, ring.constant(Q[i][j]) + price])
    rows.append([ring.constant(S[k][l] * (1 if k == l else 2)) for k, l in pairs] + [ring.constant(0)])
    return _eliminated(rows, ring)


def _eliminated(rows: Polys, ring: fmpq_mpoly_ctx) -> tuple[fmpq_mpoly, fmpq_mpoly]:
    """−det [[T, q], [s', 0]] and det T, by Bareiss' elimination: every division is exact."""
    size = len(rows) - 1
    previous, sign = ring.constant(1), 1
    for k in range(size):
        at = next((i for i in range(k, size) if not rows[i][k].is_zero()), None)
        if at is None:
            return ring.constant(0), ring.constant(0)
        if at != k:
            rows[k], rows[at], sign = rows[at], rows[k], -sign
        pivot = rows[k]
        for i in range(k + 1, size + 1):
            row, head = rows[i], rows[i][k]
            for j in range(k + 1, size + 1):
                row[j] = (pivot[k] * row[j] - head * pivot[j]) / previous
        previous = pivot[k]
    return -sign * rows[size][size], sign * previous


def _characteristic(L: Polys, ring: fmpq_mpoly_ctx) -> list[fmpq_mpoly]:
    """1, a_1, …, a_n of det(zI − L) = Σ a_j z^(n−j), by the recursion of Faddeev and LeVerrier."""
    n = len(L)
    found = [ring.constant(1)]
    M = [[ring.constant(int(i == j)) for j in range(n)] for i in range(n)]
    for k in range(1, n + 1):
        M = [[sum(L[i][l] * M[l][j] for l in range(n)) for j in range(n)] for i in range(n)]
        trace = sum((M[i][i] for i in range(n)), ring.constant(0))
        found.append(ring.constant(fmpq(-1, k)) * trace)
        for i in range(n):
            M[i][i] += found[-1]
    return found


def _basis(n: int) -> list[list[int]]:
    """The coefficients of (z − 1)^i (z + 1)^(n−i), highest power first, i = 0 … n."""
    return [
        [sum(comb(i, k) * (-1) ** k * comb(n - i, j - k) for k in range(j + 1)) for j in range(n + 1)]
        for i in range(n + 1)
    ]


def _weights(a: Sequence[fmpq_mpoly], plant: Plant) -> tuple[dict[Exponents, arb], ...]:
    n = plant.n
    inverse = fmpq_mat(_basis(n)).transpose().inv()
    root = arb(rational(plant.discount)).sqrt()
    found = []
    for i in range(n + 1):
        terms: dict[Exponents, arb] = {}
        for j, polynomial in enumerate(a):
            for exponents, x in polynomial.to_dict().items():
                terms[exponents] = terms.get(exponents, arb(0)) + arb(inverse[i, j] * x) * root**j
        found.append(terms)
    if plant.m > 1 and n > 1:
        for sign in (1, -1):
            terms = {e: sign * arb(x) * root for e, x in a[1].to_dict().items()}
            origin = (0,) * len(next(iter(terms), (0,)))
            terms[origin] = terms.get(origin, arb(0)) + n
            found.append(terms)
    return tuple(found)


def _vertices(
    a: Sequence[fmpq_mpoly], plant: Plant, frame: Frame
) -> tuple[tuple[arb, ...], ...] | None:
    """Where a_j(y) γ^(j/2) are the coefficients of (z − 1)^i (z + 1)^(n−i): a_j is affine for m = 1."""
    p = frame.p
    units = [tuple(int(i == j) for j in range(p)) for i in range(p)]
    terms = [x.to_dict() for x in a[1:]]
    slopes = fmpq_mat([[t.get(u, fmpq(0)) for u in units] for t in terms])
    if slopes.det() == 0:
        return None
    inverse = arb_mat(slopes.inv())
    root = arb(rational(plant.discount)).sqrt()
    found = []
    for corner in _basis(plant.n):
        column = [[corner[j] / root**j - arb(t.get((0,) * p, fmpq(0)))] for j, t in enumerate(terms, 1)]
        found.append(tuple((inverse * arb_mat(column)).entries()))
    return tuple(found)


# --- expansion about a point -----------------------------------------------------------------


def monomials(p: int, degree: int) -> list[Exponents]:
    """The exponents of total degree ≤ degree, by degree."""
    every = product(range(degree + 1), repeat=p)
    return sorted((x for x in every if sum(x) <= degree), key=lambda x: (sum(x), x[::-1]))


class Expansion:
    """Several polynomials expanded about a point: c_α of Σ c_α δ^α = f(y + δ), for all of them at once.

    c_α = Σ_β f_{α+β} (α+β choose α) y^β: one product of a fixed matrix with the powers of y.

    Args:
        polynomials: each with coefficients that are rational numbers or balls.
        p: number of variables.
    """

    def __init__(self, polynomials: Sequence[Terms], p: int) -> None:
        self.p = p
        self.degree = max((sum(e) for terms in polynomials for e in terms), default=0)
        self.exponents = monomials(p, self.degree)
        place = {e: i for i, e in enumerate(self.exponents)}
        self._factors = _factors(self.exponents, place)
        rows = []
        for terms in polynomials:
            for alpha in self.exponents:
                row = [arb(0)] * len(self.exponents)
                for total, x in terms.items():
                    beta = tuple(t - s for t, s in zip(total, alpha, strict=True))
                    if min(beta) >= 0:
                        times = 1
                        for t, s in zip(total, alpha, strict=True):
                            times *= comb(t, s)
                        row[place[beta]] = arb(x) * times
                rows.append(row)
        self._matrix = arb_mat(rows)
        self.count = len(polynomials)

    def powers(self, y: Sequence[arb]) -> list[arb]:
        """y^β for all exponents, in their order."""
        found = [arb(1)]
        for source, variable in self._factors[1:]:
            found.append(found[source] * y[variable])
        return found

    def at(self, y: Sequence[arb]) -> list[list[arb]]:
        """For each polynomial its coefficients c_α about y, in the order of `exponents`."""
        flat = (self._matrix * arb_mat([[x] for x in self.powers(y)])).entries()
        size = len(self.exponents)
        return [flat[k * size : (k + 1) * size] for k in range(self.count)]


def _factors(exponents: Sequence[Exponents], place: Mapping[Exponents, int]) -> list[tuple[int, int]]:
    """How each power is made: from which other one, times which variable."""
    found = [(0, 0)]
    for e in exponents[1:]:
        variable = next(i for i, x in enumerate(e) if x)
        lower = tuple(x - (i == variable) for i, x in enumerate(e))
        found.append((place[lower], variable))
    return found


# --- stability of one gain -------------------------------------------------------------------


def is_stable(loop: arb_mat) -> bool | None:
    """Whether ρ < 1, by the recursion of Schur and Cohn; None where the balls do not tell.

    A polynomial a_0 + … + a_k z^k has all roots in the open unit disc if and only if |a_0| < |a_k|
    and (a_k p(z) − a_0 z^k p(1/z))/z has.
    """
    a: list[arb] = list(arb_poly(loop.charpoly()).coeffs())
    while len(a) > 1:
        low, high = abs(a[0]), abs(a[-1])
        if low >= high:
            return False
        if not low < high:
            return None
        a = [a[-1] * x - a[0] * y for x, y in zip(a[1:], reversed(a[:-1]), strict=True)]
    return True
