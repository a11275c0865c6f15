"""Exact numbers x ± √y: equality, order, bounds, and what they stand for."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import mpmath
import numpy as np
import pytest
from flint import arb
from hypothesis import given, settings
from hypothesis import strategies as st

from benign.exact.plants import scalar_plants
from benign.exact.rounding import enclosing_floats
from benign.exact.surd import Surd, optimum, stabilising_set
from helpers import DIGITS, Reference, random_problem, scalar_plant, scalar_problem, to_mpf

small = st.fractions(-5, 5, max_denominator=12)
positive = st.fractions(0, 30, max_denominator=9)
surds = st.builds(Surd.of, small, st.sampled_from([-1, 1]), positive)


def value(surd: Surd) -> mpmath.mpf:
    return to_mpf(surd.x) + surd.sign * mpmath.sqrt(to_mpf(surd.y))


@settings(max_examples=400, deadline=None, derandomize=True)
@given(surds, surds)
def test_order_and_equality_are_those_of_the_numbers(first, second):
    with mpmath.workdps(DIGITS):
        difference = value(first) - value(second)
        equal = abs(difference) < mpmath.mpf(10) ** -40  # numbers of this size differ by more, or not
    assert (first == second) == equal
    assert (first < second) == (difference < 0 and not equal)
    assert (first >= second) == (difference > 0 or equal)
    if first == second:
        assert hash(first) == hash(second)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(surds, small)
def test_bounds_are_neighbouring_floats_around_the_number(surd, shift):
    moved = surd + shift
    lo, hi = moved.bounds
    with mpmath.workdps(DIGITS):
        exact = value(surd) + to_mpf(shift)
        assert to_mpf(lo) <= exact <= to_mpf(hi)
    assert hi in (lo, np.nextafter(lo, np.inf))
    assert (lo == hi) == (moved.sign == 0 and Fraction(lo) == moved.x)


def test_a_square_root_that_is_rational_is_a_rational_number():
    assert Surd.of(Fraction(1), -1, Fraction(9, 4)) == Surd(Fraction(-1, 2))
    assert Surd.of(Fraction(1, 3), 1, Fraction(0)) == Surd(Fraction(1, 3))
    assert Surd.of(Fraction(0), 1, Fraction(2)) != Surd.of(Fraction(0), -1, Fraction(2))
    assert Surd(Fraction(1)) != "1"


def test_numbers_that_agree_in_a_hundred_digits_are_told_apart():
    near = Fraction(10**120 + 1, 10**120)
    first, second = Surd.of(Fraction(0), 1, Fraction(2)), Surd.of(Fraction(0), 1, 2 * near)
    assert first.bounds == second.bounds
    assert first < second
    assert not second < first


@pytest.mark.parametrize("exponent", [-1070, -300, -30, 0, 30, 300, 1000])
def test_floats_around_a_ball_hold_it(exponent):
    for digit in (1, 3, -7):
        x = arb(digit) * arb(2) ** exponent / 3
        lo, hi = enclosing_floats(x)
        assert arb(lo) <= x <= arb(hi)


def test_optimum_is_the_one_zero_of_the_slope_that_stabilises():
    rng = np.random.default_rng(4)
    for i in range(60):
        problem = random_problem(rng, cross=i >= 40)
        reference = Reference(problem)
        for task, plant in enumerate(scalar_plants(problem)[0]):
            best = optimum(plant)
            assert best is not None
            with mpmath.workdps(DIGITS):
                a, b, q, r, _, y, n = reference.f[task]
                w = value(best)
                loop = a - b * w
                assert y * loop**2 < 1
                paid = q - 2 * n * w + r * w**2
                slope = (r * w - n) * (1 - y * loop**2) - y * b * loop * paid
                assert abs(slope) < mpmath.mpf(10) ** -50 * (1 + abs(w)) ** 3


@pytest.mark.parametrize(
    ("plant", "exact"),
    [
        (scalar_plant(1), Surd.of(Fraction(-1, 2), 1, Fraction(5, 4))),  # the golden section
        (scalar_plant(0), Surd(Fraction(0))),
        (scalar_plant("0.5", b=0), Surd(Fraction(0))),
        (scalar_plant("0.5", q=0), Surd(Fraction(0))),
        (scalar_plant(2, q=0), Surd(Fraction(3, 2))),
        (scalar_plant(1, q=0), None),
        (scalar_plant(2, q=0, discount="1/4"), None),
    ],
)
def test_known_optima(plant, exact):
    assert optimum(scalar_plants(scalar_problem([scalar_plant(1), plant]))[0][1]) == exact


def test_rims_are_where_the_loop_is_marginal():
    for a, b, y in product(("1.01", "-3/7"), ("2", "-1/3"), ("1", "1/4", "0.9")):
        plant = scalar_plants(scalar_problem([scalar_plant(a, b=b, discount=y)]))[0][0]
        rims = stabilising_set(plant)
        assert rims is not None
        assert rims[0] < rims[1]
        with mpmath.workdps(DIGITS):
            for rim in rims:
                loop = to_mpf(plant.a) - to_mpf(plant.b) * value(rim)
                assert abs(to_mpf(plant.discount) * loop**2 - 1) < mpmath.mpf(10) ** -50
    static = scalar_plants(scalar_problem([scalar_plant(1), scalar_plant("0.5", b=0)]))[0][1]
    assert stabilising_set(static) is None
