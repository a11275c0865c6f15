"""Units do not matter: a family and the same family in other units have the same landscape.

In units s̃ = d s, ã = u a, c̃ = c · cost a plant (a, b, q, r, S0) is (a, b d/u, c q/d², c r/u², d² S0),
a gain W is W u/d, and a step η is η (u/d)²/c; a normalised one is η u/d.
"""

from fractions import Fraction

import numpy as np
import pytest

from benign.certificates.check import check
from benign.errors import InfeasibleError
from benign.prove.line.enumeration import analyze
from helpers import scalar_plant, scalar_problem


def drawn(rng):
    """A family, its step, and the family in other units."""
    k = int(rng.integers(1, 5))
    d, u, c = (Fraction(2) ** int(x) for x in rng.integers(-20, 21, size=3))
    kind = "gradient" if rng.random() < 0.6 else "normalized"
    eta = Fraction(round(float(10 ** rng.uniform(-3, -0.5)), 5)).limit_denominator(10**5)
    shots = int(rng.integers(1, 4))
    plain, scaled = [], []
    for _ in range(k):
        a, b, q, r = (Fraction(round(float(x), 3)).limit_denominator(1000) for x in (
            rng.uniform(0.3, 1.3), rng.uniform(0.3, 2), rng.uniform(0.1, 3), rng.uniform(0.1, 3)
        ))  # fmt: skip
        plain.append(scalar_plant(a, b, q, r))
        scaled.append(scalar_plant(a, b * d / u, c * q / d**2, c * r / u**2, d**2))
    other = eta * (u / d) ** 2 / c if kind == "gradient" else eta * u / d
    return (
        scalar_problem(plain, kind, eta, shots),
        scalar_problem(scaled, kind, other, shots),
        u / d,
        c,
    )


def listed(problem):
    try:
        return analyze(problem)
    except InfeasibleError as error:
        return error.cause


def meets(x, y, factor):
    """Whether an enclosure and one in other units may hold the same number."""
    return Fraction(x.lo) * factor <= Fraction(y.hi) and Fraction(y.lo) <= Fraction(x.hi) * factor


@pytest.mark.parametrize("part", [0, *(pytest.param(i, marks=pytest.mark.slow) for i in range(1, 34))])
def test_families_in_other_units(part):
    rng = np.random.default_rng([29, part])
    for _ in range(15):
        plain, scaled, gain, cost = drawn(rng)
        one, other = listed(plain), listed(scaled)
        if isinstance(one, str):
            assert one == other
            continue
        assert one.verdict.status == other.verdict.status
        assert [p.kind for p in one.stationary_points] == [p.kind for p in other.stationary_points]
        for mine, theirs in zip(one.stationary_points, other.stationary_points, strict=True):
            assert meets(mine.at, theirs.at, gain)
            assert meets(mine.value, theirs.value, cost)
        if np.isfinite(one.epsilon.hi):
            assert meets(one.epsilon, other.epsilon, cost)
        assert check(other.certificate)
