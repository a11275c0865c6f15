"""The algebraic route: isolation of real roots against SymPy, and its list against the enumeration."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy
from flint import fmpq, fmpq_poly, fmpz_poly

from benign.errors import ClaimError
from benign.exact.algebra import Quotient, cost_at, isolate, real_roots, slope
from benign.exact.plants import scalar_plants
from benign.exact.problem import Problem, make_step
from benign.prove.line.gradient import enumerate_gradient
from helpers import (
    DIGITS,
    Reference,
    paper_problem,
    random_problem,
    scalar_plant,
    scalar_problem,
    to_mpf,
)

x = sympy.Symbol("x")

POLYNOMIALS = {
    "linear": [-1, 2],
    "roots at points of bisection": sympy.Poly(x * (x - 1) * (2 * x - 1) * (4 * x - 1)).all_coeffs()[
        ::-1
    ],
    "no real root": [1, 0, 1],
    "Wilkinson": sympy.Poly(sympy.prod(x - i for i in range(1, 11))).all_coeffs()[::-1],
    "close": sympy.Poly((1000 * x - 501) * (1000 * x - 502) * (1000 * x - 503)).all_coeffs()[::-1],
    "Mignotte": sympy.Poly(x**9 - 2 * (50 * x - 1) ** 2).all_coeffs()[::-1],
    "the ends are roots": sympy.Poly((x + 4) * (x - 12) * (x**2 - 2)).all_coeffs()[::-1],
    "irrational": sympy.Poly((x**2 - 2) * (x**2 - 3) * (x - 4)).all_coeffs()[::-1],
}
LO, HI = Fraction(-4), Fraction(12)


def as_sympy(q: Fraction) -> sympy.Rational:
    return sympy.Rational(q.numerator, q.denominator)


def roots_between(coefficients: list[int]) -> list[sympy.Expr]:
    """Every real root strictly between, in order, by SymPy's own isolation."""
    poly = sympy.Poly([int(c) for c in coefficients[::-1]], x)
    found = sorted(set(sympy.real_roots(poly)), key=lambda r: r.evalf(60))
    return [r for r in found if as_sympy(LO) < r < as_sympy(HI)]


def assert_isolated(coefficients: list[int]) -> None:
    poly = fmpz_poly([int(c) for c in coefficients])
    found = sorted(isolate(poly, LO, HI))
    roots = roots_between(coefficients)
    assert len(found) == len(roots)
    for (a, b), root in zip(found, roots, strict=True):
        assert (a == b and root == as_sympy(a)) or as_sympy(a) < root < as_sympy(b)


@pytest.mark.parametrize("name", POLYNOMIALS)
def test_roots_are_isolated(name):
    assert_isolated(POLYNOMIALS[name])


@pytest.mark.parametrize("seed", range(25))
def test_roots_of_random_square_free_polynomials_are_isolated(seed):
    rng = np.random.default_rng(seed)
    coefficients = [int(c) for c in rng.integers(-20, 21, int(rng.integers(2, 8)))] + [1]
    poly = fmpz_poly(coefficients)
    for factor, _ in poly.factor_squarefree()[1]:
        assert_isolated([int(c) for c in factor.coeffs()])


def test_multiple_roots_are_found_once_with_their_multiplicity():
    poly = fmpz_poly([-1, 2]) ** 3 * fmpz_poly([1, 1]) ** 2 * fmpz_poly([-3, 1])
    expected = {1: Fraction(3), 2: Fraction(-1), 3: Fraction(1, 2)}
    found = {int(multiplicity): factor for factor, multiplicity in poly.factor_squarefree()[1]}
    assert found.keys() == expected.keys()
    for multiplicity, factor in found.items():
        ((lo, hi),) = isolate(factor, LO, HI)
        assert lo <= expected[multiplicity] <= hi


@pytest.mark.parametrize("width", [Fraction(1, 2**20), Fraction(1, 2**200)])
def test_narrowed_roots_stay_isolated(width):
    problem = paper_problem("3b", "0.1")
    for root in real_roots(problem, Fraction(0), Fraction(2)):
        closer = root.narrowed(width)
        assert closer.hi - closer.lo <= width
        assert root.lo <= closer.lo <= closer.hi <= root.hi
        lo, hi = (root.factor(_q(end)) for end in (closer.lo, closer.hi))
        assert lo == 0 or hi == 0 or (lo > 0) != (hi > 0)


def _q(q: Fraction):
    return fmpq(q.numerator, q.denominator)


@pytest.mark.parametrize("seed", range(6))
def test_slope_is_the_derivative_of_h(seed):
    rng = np.random.default_rng(seed)
    problem = random_problem(rng, kind="gradient", shots=1, tasks=1 + seed % 3)
    problem = Problem(problem.family, make_step("gradient", "1e-3"))
    reference, exact = Reference(problem), slope(problem)
    found = enumerate_gradient(problem)
    for piece in found.domain:
        w = Fraction(piece.lo.hi + (piece.hi.lo - piece.lo.hi) * rng.random())
        derivatives = reference(w, 1)
        assert derivatives is not None
        value = exact.numerator(_q(w)) / exact.denominator(_q(w))
        with mpmath.workdps(DIGITS):
            error = to_mpf(Fraction(int(value.p), int(value.q))) - derivatives[1]
            assert abs(error) <= mpmath.mpf(10) ** -40 * (1 + abs(derivatives[1]))
    assert found.domain


@pytest.mark.parametrize("eta", ["0.1", "0.05"])
@pytest.mark.parametrize("figure", ["1", "2", "3a", "3b", "3c"])
def test_algebra_and_enumeration_find_the_same_points(figure, eta):
    problem = paper_problem(figure, eta)
    found = enumerate_gradient(problem)
    assert not found.undecided
    low, high = Fraction(found.cover.points[0]), Fraction(found.cover.points[-1])
    domain = [(Fraction(p.lo.hi), Fraction(p.hi.lo)) for p in found.domain]
    narrow = [root.narrowed(Fraction(1, 2**60)) for root in real_roots(problem, low, high)]
    inside = [root for root in narrow if any(a < root.lo and root.hi < b for a, b in domain)]
    assert len(inside) == len(found.points)
    for root, point in zip(inside, found.points, strict=True):
        assert root.lo <= Fraction(point.at.hi)
        assert Fraction(point.at.lo) <= root.hi
        assert root.multiplicity == 1


def test_out_of_reach_is_said():
    with pytest.raises(ClaimError, match="one shot"):
        slope(paper_problem("1", "0.1", shots=2))
    with pytest.raises(ClaimError, match="one shot"):
        slope(paper_problem("1", "0.1", "normalized"))
    with pytest.raises(ClaimError, match="h is constant"):
        real_roots(scalar_problem([scalar_plant(1, s=0)]), Fraction(0), Fraction(2))


def test_cost_of_a_number_is_the_cost():
    plant = scalar_plants(
        scalar_problem([scalar_plant("1.01", b="0.5", q=2, r=3, s=4, discount="0.9")])
    )[0][0]
    quotient = cost_at(plant, Quotient(fmpq_poly([1]), fmpq_poly([2])))
    exact = (
        4
        * (2 + 3 * Fraction(1, 4))
        / (1 - Fraction(9, 10) * (Fraction(101, 100) - Fraction(1, 4)) ** 2)
    )
    value = quotient.numerator[0] / quotient.denominator[0]
    assert Fraction(int(value.p), int(value.q)) == exact
