"""Pairs of floats against exact fractions."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from benign.floats import twofold


def exact(*floats):
    return sum((Fraction(float(x)) for x in floats), Fraction(0))


def numbers(rng, size=2000):
    return rng.standard_normal(size) * 2.0 ** rng.integers(-40, 40, size)


def test_sums_and_halves_are_exact():
    rng = np.random.default_rng(0)
    a, b = numbers(rng), numbers(rng)
    for x, y, s, t in zip(a, b, *twofold.two_sum(a, b), strict=True):
        assert exact(s, t) == exact(x, y)
    for x, high, low in zip(a, *twofold.split(a), strict=True):
        assert exact(high, low) == exact(x)
        for half in (high, low):
            assert np.ldexp(np.frexp(half)[0], 26).is_integer()


def test_multiply_add_errs_by_less_than_its_bound():
    """Also where the terms cancel, all but for their last digits."""
    rng = np.random.default_rng(1)
    factor, high = numbers(rng), twofold.two_sum(numbers(rng), np.zeros(2000))
    high = twofold.two_sum(high[0], high[0] * 2.0**-54 * rng.uniform(-1, 1, 2000))
    low = twofold.two_sum(-factor * high[0], numbers(rng) * 2.0 ** rng.integers(-80, 0, 2000))
    found = twofold.multiply_add(low, factor, twofold.split(factor), high)
    worst = Fraction(0)
    for i in range(2000):
        product = exact(factor[i]) * exact(high[0][i], high[1][i])
        error = abs(exact(low[0][i], low[1][i]) + product - exact(found[0][i], found[1][i]))
        size = abs(exact(low[0][i], low[1][i])) + abs(product)
        worst = max(worst, error / size)
        assert abs(found[1][i]) <= 2.0**-52 * abs(found[0][i])
    assert 0 < worst <= Fraction(twofold.LOST)
