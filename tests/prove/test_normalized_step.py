"""The enumeration for the normalised step: minima, jumps, edges, against sixty digits."""

from __future__ import annotations

import math
import time
from fractions import Fraction

import numpy as np
import pytest

from benign.prove.line.normalized import enumerate_normalized
from benign.results.enclosure import Enclosure
from benign.results.landscape import Kind
from helpers import Reference, paper_problem, random_problem, scalar_plant, scalar_problem

BESIDE = Fraction(1, 10**25)


def limit(reference: Reference, W: Enclosure, side: int) -> list | None:
    """h and h' next to a jump or an edge."""
    return reference(Fraction(W.lo) - BESIDE if side < 0 else Fraction(W.hi) + BESIDE, 1)


@pytest.mark.parametrize(
    ("seed", "cross"), [*((i, False) for i in range(40)), *((i, True) for i in range(100, 120))]
)
def test_points_are_what_they_are_called(seed, cross):
    rng = np.random.default_rng(seed)
    problem = random_problem(rng, kind="normalized", shots=1 + seed % 3, cross=cross)
    reference = Reference(problem)
    found = enumerate_normalized(problem)
    assert [p.at.mid for p in found.points] == sorted(p.at.mid for p in found.points)
    for point in found.points:
        if point.kind is Kind.MINIMUM:
            left, right = reference(point.at.lo, 1), reference(point.at.hi, 1)
            assert left is not None
            assert right is not None
            assert left[1] < 0 < right[1]
            continue
        sides = [limit(reference, point.at, -1), limit(reference, point.at, 1)]
        assert point.limits is not None
        for own, claimed, sign in zip(sides, point.limits, (-1, 1), strict=True):
            if claimed is None:
                assert own is None or own[0] > 1e6 or own[1] * sign > 1e6
            else:
                assert own is not None
                # Beside the break by 1e-25, and by the width of its enclosure.
                room = 1e-9 * (1 + abs(own[1])) * max(1.0, float(abs(own[0])))
                assert claimed.lo - room <= own[0] <= claimed.hi + room
        heights = [math.inf if side is None else side[0] for side in sides]
        lower = 0 if heights[0] < heights[1] else 1
        arrives = sides[lower] is not None and sides[lower][1] * (1 if lower == 0 else -1) < 0
        if heights[0] != heights[1] and point.kind is not Kind.EDGE_MINIMUM:
            assert arrives == (point.kind is Kind.JUMP_MINIMUM)
        if point.kind is Kind.EDGE_MINIMUM:
            assert math.inf in heights
            assert arrives


def test_one_task_has_its_minima_one_step_from_its_optimum():
    golden = (5**0.5 - 1) / 2
    found = enumerate_normalized(paper_problem("1", "0.1", "normalized"))
    assert [p.kind for p in found.points] == [Kind.MINIMUM, Kind.JUMP, Kind.MINIMUM]
    for point, exact in zip(found.points, (golden - 0.1, golden, golden + 0.1), strict=True):
        assert point.at.lo - 1e-15 <= exact <= point.at.hi + 1e-15


@pytest.mark.parametrize("shots", [1, 2, 3])
def test_a_task_without_input_makes_no_trap_at_its_turns(shots):
    """Its cost is even, so that h is continuous there; decided exactly, as no enclosure could."""
    problem = scalar_problem(
        [scalar_plant("0.9"), scalar_plant("0.8", q=2), scalar_plant("0.5", b=0)],
        "normalized", "0.06", shots,
    )  # fmt: skip
    found = enumerate_normalized(problem)
    assert not found.undecided
    jumps = [p for p in found.points if abs(p.at.mid / 0.06 - round(p.at.mid / 0.06)) < 1e-9]
    assert jumps
    assert all(p.kind is Kind.JUMP for p in jumps)


def test_an_optimum_at_the_end_of_its_piece_is_a_trap():
    plant = scalar_plant("1.011", b="1.136", q="4.2", r="8.55", s="6.59", discount="0.909")
    found = enumerate_normalized(scalar_problem([plant], "normalized", "0.5044", shots=2))
    assert not found.undecided
    assert found.points[0].kind is Kind.JUMP_MINIMUM


def test_a_slope_next_to_zero_at_a_break_stays_undecided_and_ends_soon():
    """Tune a weight until h' vanishes at a break, too nearly for any enclosure."""
    plants = [scalar_plant(1), scalar_plant("1.2", q=3)]

    def slope(weight: Fraction) -> float:
        problem = scalar_problem(plants, "normalized", "0.05", weights=[weight, 1 - weight])
        at = (5**0.5 - 1) / 2
        return float(Reference(problem)(Fraction(at) - Fraction(1, 10**15), 1)[1])

    low, high = Fraction(1, 1000), Fraction(999, 1000)
    assert slope(low) * slope(high) < 0
    for _ in range(60):
        middle = (low + high) / 2
        if slope(middle) * slope(low) > 0:
            low = middle
        else:
            high = middle
    problem = scalar_problem(plants, "normalized", "0.05", weights=[low, 1 - low])
    started = time.perf_counter()
    found = enumerate_normalized(problem)
    assert time.perf_counter() - started < 5.0
    reference = Reference(problem)
    for stretch in found.undecided:
        for w in np.linspace(stretch.W.lo, stretch.W.hi, 9)[1:-1]:
            value = reference(float(w), 0)
            assert value is None or stretch.value.lo <= value[0]
            # At a jump the value is the lower limit, at which a descent would end.
            jump = stretch.W.width < 1e-12
            assert value is None or jump or value[0] <= stretch.value.hi
    golden = (5**0.5 - 1) / 2
    assert any(u.W.lo - 1e-15 <= golden <= u.W.hi + 1e-15 for u in found.undecided)


def test_an_empty_domain_lists_nothing():
    found = enumerate_normalized(paper_problem("1", "1000", "normalized"))
    assert (found.domain, found.points, found.undecided) == ((), (), ())
