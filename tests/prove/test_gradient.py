"""The enumeration for the gradient step: what it lists and what it leaves undecided."""

from __future__ import annotations

import time
from fractions import Fraction

import numpy as np
import pytest

from benign.errors import ProblemError
from benign.floats.scalar import GradientObjective
from benign.prove.line import gradient
from benign.prove.line.gradient import enumerate_gradient, newton, shrink
from benign.prove.line.paving import pave, root_interval
from benign.results.landscape import Kind
from helpers import Reference, paper_problem, random_problem, scalar_plant, scalar_problem

SECONDS = 5.0


@pytest.mark.parametrize("seed", range(30))
def test_stationary_points_alternate_and_h_changes_direction_at_them(seed):
    problem = random_problem(np.random.default_rng(seed), kind="gradient")
    found, reference = enumerate_gradient(problem), Reference(problem)
    assert not found.undecided
    for point in found.points:
        left, right = reference(point.at.lo, 1), reference(point.at.hi, 1)
        assert left is not None
        assert right is not None
        rise = 1 if point.kind is Kind.MINIMUM else -1
        assert left[1] * rise < 0 < right[1] * rise
        assert point.curvature is not None
        assert point.curvature.lo * rise > 0 or point.curvature.hi * rise > 0
        assert point.at.width <= 1e-6 * (1.0 + abs(point.at.mid))
    for piece in found.domain:
        kinds = [p.kind for p in found.points if piece.lo.hi < p.at.mid < piece.hi.lo]
        assert kinds[::2] == [Kind.MINIMUM] * (len(kinds) // 2 + 1)  # h → ∞ at both rims
        assert kinds[1::2] == [Kind.MAXIMUM] * (len(kinds) // 2)
        for end, outward in ((piece.lo, -1), (piece.hi, 1)):
            inner, outer = (end.hi, end.lo) if outward < 0 else (end.lo, end.hi)
            assert reference(inner, 0) is not None or end.width == 0
            assert reference(outer, 0) is None or end.width == 0
    assert len(found.points) >= len(found.domain)


def test_a_cover_reaches_from_rim_to_rim_without_a_gap():
    objective = GradientObjective(paper_problem("3b", "0.1"))
    cover = pave(objective)
    low, high = root_interval(objective)
    assert (cover.points[0], cover.points[-1]) == (low, high)
    assert low <= 0
    assert high >= 2
    assert all(a < b for a, b in zip(cover.points, cover.points[1:], strict=False))
    assert len(cover.tags) == len(cover.points) - 1
    assert "?" not in cover.tags


def fold() -> Fraction:
    """η at which two stationary points of Figure 3b merge, by bisection on how many there are."""
    few, many = Fraction("0.1"), Fraction("0.05")
    assert len(enumerate_gradient(paper_problem("3b", str(few))).points) == 3
    assert len(enumerate_gradient(paper_problem("3b", str(many))).points) == 5
    for _ in range(60):
        middle = (few + many) / 2
        found = enumerate_gradient(paper_problem("3b", str(middle)))
        if found.undecided:
            return middle
        if len(found.points) == 3:
            few = middle
        else:
            many = middle
    return many


def test_next_to_a_double_root_the_stretch_is_undecided_without_algebra_and_soon(monkeypatch):
    monkeypatch.setattr(gradient.Algebra, "of", lambda *_: None)
    started = time.perf_counter()
    problem = paper_problem("3b", str(fold()))
    once = time.perf_counter()
    found = enumerate_gradient(problem)
    assert time.perf_counter() - once < SECONDS
    assert time.perf_counter() - started < 60 * SECONDS
    assert found.undecided
    reference = Reference(problem)
    for stretch in found.undecided:
        assert stretch.W.width < 1e-4
        heights = [reference(w, 0)[0] for w in (stretch.W.lo, stretch.W.mid, stretch.W.hi)]
        assert all(stretch.value.lo <= height <= stretch.value.hi for height in heights)
    # What is far from the fold is decided all the same.
    assert sum(p.kind is Kind.MINIMUM for p in found.points) >= 2


def test_next_to_a_double_root_algebra_decides():
    problem = paper_problem("3b", str(fold()))
    found = enumerate_gradient(problem)
    assert not found.undecided
    reference = Reference(problem)
    for point in found.points:
        low, high = (reference(w, 1)[1] for w in (point.at.lo - 1e-9, point.at.hi + 1e-9))
        if point.multiplicity == 1 and point.curvature.lo > 1e-3:
            assert low < 0 < high


FLAT = {
    "no cost at all": scalar_problem([scalar_plant("1.01", s=0)]),
    "no cost, three shots": scalar_problem([scalar_plant("1.01", s=0)], shots=3),
    "judged by nothing": scalar_problem([scalar_plant("1.01", s=0)], adaptation=[scalar_plant("1.01")]),
    "the infimum is at a rim": scalar_problem([scalar_plant(1, q=0)]),
    "the infimum is at a rim, with another task": scalar_problem(
        [scalar_plant(1, q=0), scalar_plant("0.9")]
    ),
    "one task costs nothing": scalar_problem([scalar_plant("1.01", s=0), scalar_plant("0.9")], shots=2),
}


@pytest.mark.parametrize("name", FLAT)
def test_degenerate_problems_end_soon_and_claim_nothing_false(name):
    problem = FLAT[name]
    started = time.perf_counter()
    found = enumerate_gradient(problem)
    assert time.perf_counter() - started < SECONDS
    assert found.undecided
    reference, low_high = Reference(problem), GradientObjective(problem)
    low, high = root_interval(low_high)
    for w in np.random.default_rng(3).uniform(low, high, 60):
        unknown = any(u.W.lo <= w <= u.W.hi for u in found.undecided)
        value = reference(float(w), 0)
        for stretch in found.undecided:
            if value is not None and stretch.W.lo <= w <= stretch.W.hi:
                assert stretch.value.lo <= value[0] <= stretch.value.hi
        near = any(end.lo <= w <= end.hi for p in found.domain for end in (p.lo, p.hi))
        inside = any(p.lo.hi < w < p.hi.lo for p in found.domain)
        assert unknown or near or inside == (value is not None)
    for piece in found.domain:
        # An end is enclosed by stretches that no gain of the domain lies beyond.
        assert piece.lo.lo <= piece.hi.hi
    for point in found.points:
        assert reference(point.at.lo, 1)[1] * reference(point.at.hi, 1)[1] < 0


def test_no_common_gain_names_both_tasks():
    objective = GradientObjective(scalar_problem([scalar_plant(5), scalar_plant(0), scalar_plant(-5)]))
    with pytest.raises(ProblemError, match="no gain stabilises both `t0` and `t2`"):
        root_interval(objective)


def test_a_line_of_a_few_floats_is_covered():
    near = scalar_problem([scalar_plant(1), scalar_plant("-0.999999999999999")], eta="1e-30")
    cover = pave(GradientObjective(near))
    assert all(a < b for a, b in zip(cover.points, cover.points[1:], strict=False))


def test_an_interval_that_is_not_proved_stays_as_wide_as_it_was():
    lo, hi, guess = np.array([0.0]), np.array([1.0]), np.array([0.5])
    left, right = shrink(lambda x: np.zeros_like(x), guess, lo, hi)
    assert (left, right) == (lo, hi)
    left, right = shrink(lambda x: np.sign(x - 0.3), guess, lo, hi)  # the guess is off
    assert left < 0.3 < right


def test_newton_finds_the_root_of_a_monotone_function():
    root = newton(lambda x: (x**3 - 2.0, 3.0 * x**2), np.array([1.0]), np.array([2.0]), np.array([1.0]))
    assert root == pytest.approx(2.0 ** (1 / 3), rel=1e-12)
