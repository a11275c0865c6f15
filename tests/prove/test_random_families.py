"""Random families against an independent search: nothing is missing, nothing is too much.

The search knows h as a float64 function and a reference in 60 digits (`tests/helpers.py`). Two facts
need no tolerance. If h(x) < h(x₋) and h(x) < h(x₊) for x₋ < x < x₊, with h = +∞ outside the domain,
then the closure of h has a local minimum in [x₋, x₊]: one has to be listed there. And a listed
minimum must be one: h' changes sign over its enclosure, or h falls towards the jump or the edge.
"""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from benign.errors import ProblemError
from benign.prove.line.enumeration import analyze
from benign.results.landscape import Kind
from benign.results.line import LineLandscape, StationaryPoint
from helpers import FloatObjective, Reference, random_problem

GRID = 4001
SEED = 20_240_517


def grid(h: FloatObjective) -> np.ndarray:
    """Evenly over the line, and ever denser towards the rims of the domain and the jumps of h."""
    low, high = h.span
    x = np.linspace(low, high, GRID)
    for _ in range(3):
        y = h(x)
        finite = np.isfinite(y)
        rim = finite[1:] != finite[:-1]
        with np.errstate(all="ignore"):
            rise = np.abs(np.diff(y))
        steep = np.zeros_like(rim)
        known = finite[1:] & finite[:-1]
        if known.any():
            steep[known] = rise[known] > 20.0 * np.median(rise[known])
        cut = np.flatnonzero(rim | steep)[:2000]
        inner = x[cut, None] + (x[cut + 1] - x[cut])[:, None] * np.linspace(0, 1, 9)[1:-1]
        x = np.unique(np.concatenate([x, inner.ravel()]))
    return x


def valleys(h: FloatObjective) -> list[tuple[float, float, float]]:
    """(x₋, x, x₊) with h lower at x than at both others, x polished between its neighbours."""
    x = grid(h)
    y = h(x)
    low = np.flatnonzero((y[1:-1] < np.inf) & (y[1:-1] < y[:-2]) & (y[1:-1] <= y[2:])) + 1
    found = []
    for i in low:
        best = minimize_scalar(
            lambda w: float(min(h(w), 1e300)), bounds=(x[i - 1], x[i + 1]), method="bounded"
        )
        at = float(best.x) if best.fun < y[i] else float(x[i])
        found.append((float(x[i - 1]), at, float(x[i + 1])))
    return found


def height(reference: Reference, w: float | Fraction) -> float:
    value = reference(w, 0)
    return math.inf if value is None else value[0]


def assert_nothing_is_missing(
    landscape: LineLandscape, reference: Reference, h: FloatObjective
) -> None:
    for left, at, right in valleys(h):
        listed = any(p.at.lo <= right and left <= p.at.hi for p in landscape.minima)
        doubted = any(u.W.lo <= right and left <= u.W.hi for u in landscape.undecided)
        if not (listed or doubted):
            # Float64 may see a valley in its own noise; sixty digits do not.
            middle = height(reference, at)
            assert not (middle < height(reference, left) and middle < height(reference, right)), (
                f"a minimum near {at!r} is missing: {landscape.problem}"
            )


def assert_is_minimum(point: StationaryPoint, reference: Reference) -> None:
    if point.kind is Kind.MINIMUM:
        left, right = reference(point.at.lo, 1), reference(point.at.hi, 1)
        assert left is not None
        assert right is not None
        assert left[1] < 0 < right[1]
        assert point.value.lo <= min(left[0], right[0])
        return
    beside = Fraction(1, 10**25)  # the reference takes exact gains, however close to the break
    ends = (Fraction(point.at.lo) - beside, Fraction(point.at.hi) + beside)
    sides = [reference(end, 1) for end in ends]
    falls = [side is not None and side[1] * sign < 0 for side, sign in zip(sides, (1, -1), strict=True)]
    heights = [math.inf if side is None else side[0] for side in sides]
    lower = 0 if heights[0] < heights[1] else 1
    assert falls[lower], f"no descent ends at the {point.kind} {point.at}"
    if point.kind is Kind.EDGE_MINIMUM:
        assert math.inf in heights


def assert_domain(landscape: LineLandscape, reference: Reference, rng: np.random.Generator) -> None:
    """Points drawn on the line are in the domain if and only if its list says so."""
    low, high = FloatObjective(landscape.problem).span
    for w in rng.uniform(low, high, 15):
        unknown = any(u.W.lo <= w <= u.W.hi for u in landscape.undecided) or any(
            end.lo <= w <= end.hi for piece in landscape.domain for end in (piece.lo, piece.hi)
        )
        inside = any(piece.lo.hi < w < piece.hi.lo for piece in landscape.domain)
        assert unknown or inside == (reference(w, 0) is not None), (w, landscape.problem)


def survey(families: int, seed: int) -> Counter[str]:
    """Compare so many random families; what was seen, counted."""
    rng = np.random.default_rng(seed)
    seen: Counter[str] = Counter()
    for _ in range(families):
        problem = random_problem(rng)
        reference, h = Reference(problem), FloatObjective(problem)
        try:
            landscape = analyze(problem)
        except ProblemError as error:
            assert "no gain is feasible" in str(error)  # noqa: PT017 - and that is then tested
            low, high = h.span
            assert all(reference(w, 0) is None for w in rng.uniform(low, high, 5))
            assert np.isinf(h(grid(h))).all()
            seen["infeasible"] += 1
            continue
        assert_nothing_is_missing(landscape, reference, h)
        for point in landscape.minima:
            assert_is_minimum(point, reference)
        assert_domain(landscape, reference, rng)
        assert landscape.minimum.lo <= landscape.minimum.hi
        seen["analysed"] += 1
        seen["incomplete"] += bool(landscape.undecided)
        seen["minima"] += len(landscape.minima)
        seen["traps"] += sum(p.kind is not Kind.MINIMUM for p in landscape.minima)
        seen[str(landscape.verdict.status)] += 1
    return seen


@pytest.mark.parametrize("part", range(4))
def test_enumeration_agrees_with_an_independent_search(part):
    seen = survey(50, SEED + part)
    print(dict(seen))
    assert seen["incomplete"] <= 0.01 * seen["analysed"]
    assert seen["undecided"] <= 0.01 * seen["analysed"]  # complete, but two values are too close


@pytest.mark.slow
@pytest.mark.parametrize("part", range(8))
def test_enumeration_agrees_with_an_independent_search_on_two_thousand(part):
    seen = survey(250, SEED + 100 + part)
    print(dict(seen))
    assert seen["incomplete"] <= 0.01 * seen["analysed"]
    assert seen["undecided"] <= 0.01 * seen["analysed"]  # complete, but two values are too close
