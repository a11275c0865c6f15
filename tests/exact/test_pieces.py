"""The pieces of the normalised step: shifts, windows, breaks and traps, against stepping by hand."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from benign.errors import ProblemError
from benign.exact.pieces import is_trap, limits_agree, moves, pieces, sign_at_rest
from benign.exact.plants import scalar_plants
from benign.exact.surd import optimum
from helpers import Reference, paper_problem, random_problem, scalar_plant, scalar_problem


@pytest.mark.parametrize("shots", [1, 2, 3, 4])
def test_moves_are_those_of_a_gain_that_steps_towards_its_optimum(shots):
    for region in range(2 * shots):
        # A gain between the breaks (region − shots)η and (region − shots + 1)η, the optimum at 0.
        w = Fraction(2 * (region - shots) + 1, 2)
        path = [w]
        for _ in range(shots):
            path.append(path[-1] - (1 if path[-1] > 0 else -1))
        assert moves(region, shots) == [int(x - w) for x in path]


@pytest.mark.parametrize("seed", range(40))
def test_pieces_are_the_domain_and_their_shifts_the_steps(seed):
    rng = np.random.default_rng(seed)
    problem = random_problem(rng, kind="normalized", shots=1 + seed % 3)
    reference = Reference(problem)
    _, g = scalar_plants(problem)
    eta = problem.step.eta
    turns, parts = pieces(problem)
    assert [t.at for t in turns] == sorted(t.at for t in turns)
    for first, second in zip(parts, parts[1:], strict=False):
        assert first.right.at <= second.left.at
    for w in rng.uniform(-3, 3, 60).tolist() + [float(t.at.bounds[1]) + 1e-9 for t in turns]:
        holder = [p for p in parts if p.left.at.bounds[1] < w < p.right.at.bounds[0]]
        value = reference(w, 0)
        if any(t.at.bounds[0] <= w <= t.at.bounds[1] for t in turns):
            continue
        assert (len(holder) == 1) == (value is not None)
        for piece in holder:
            for task, shift in enumerate(piece.shifts):
                best, gain = optimum(g[task]), Fraction(w)
                assert best is not None
                for _ in range(problem.step.shots):
                    lo, hi = best.bounds
                    assert not lo < gain < hi
                    gain -= eta if gain >= hi else -eta
                assert gain == Fraction(w) + int(shift) * eta


def test_steep_ends_are_those_where_h_grows_without_bound():
    rng = np.random.default_rng(8)
    for _ in range(25):
        problem = random_problem(rng, kind="normalized")
        reference = Reference(problem)
        for piece in pieces(problem)[1]:
            for end, inward in ((piece.left, 1), (piece.right, -1)):
                near = Fraction(end.at.bounds[0 if inward < 0 else 1])
                steps = [reference(near + inward * Fraction(1, 10**n), 0) for n in (20, 22)]
                if end.steep and None not in steps:
                    assert steps[1][0] > 50 * steps[0][0] or steps[1][0] > 1e10
                if not end.steep and None not in steps:
                    assert abs(steps[1][0] - steps[0][0]) < 1e-9 * steps[0][0]


def test_a_jump_that_two_shots_remove_is_no_end_of_a_piece():
    turns, parts = pieces(paper_problem("1", "0.1", "normalized", shots=2))
    inner = turns[1].at
    assert len(turns) == 3
    assert any(piece.left.at < inner < piece.right.at for piece in parts)
    assert all(piece.left.turn != 1 and piece.right.turn != 1 for piece in parts)


low, high, same = (1.0, 1.1), (2.0, 2.1), (1.05, 1.2)


@pytest.mark.parametrize(
    ("left", "right", "equal", "answer"),
    [
        ((low, True), (high, True), False, True),
        ((low, True), (high, False), False, True),
        ((low, False), (high, True), False, False),
        ((high, True), (low, False), False, False),
        ((high, False), (low, True), False, True),
        ((low, None), (high, True), False, None),
        ((low, True), (high, None), False, True),
        ((None, None), (low, True), False, True),
        ((low, False), (None, None), False, False),
        ((low, None), (None, None), False, None),
        ((low, True), (same, True), False, True),
        ((low, False), (same, False), False, False),
        ((low, True), (same, False), False, None),
        ((low, None), (same, None), False, None),
        ((low, True), (same, False), True, False),
        ((low, None), (same, False), True, False),
        ((low, True), (same, True), True, True),
        ((low, None), (same, True), True, None),
    ],
)
def test_a_trap_is_an_arrival_at_the_lower_side(left, right, equal, answer):
    assert is_trap(left, right, equal=equal) is answer


def test_equal_limits_of_a_static_task_are_decided_exactly():
    """Without input the gain turns at 0 and goes to ±η, where an even cost is the same."""
    wide = scalar_problem([scalar_plant("0.9"), scalar_plant("0.5", b=0)], "normalized", "0.06")
    f, _ = scalar_plants(wide)
    turns, parts = pieces(wide)
    at = next(i for i, turn in enumerate(turns) if turn.tasks == (1,))
    left = next(p for p in parts if p.right.turn == at)
    right = next(p for p in parts if p.left.turn == at)
    assert limits_agree(f, wide.weights, wide.step.eta, left, right)
    moving = next(i for i, turn in enumerate(turns) if turn.tasks == (0,))
    left = next(p for p in parts if p.right.turn == moving)
    right = next(p for p in parts if p.left.turn == moving)
    assert not limits_agree(f, wide.weights, wide.step.eta, left, right)


def test_a_slope_that_is_zero_at_an_end_is_decided_exactly():
    """Two shots from just left of W* come back to it; right of W* the first shot leaves the domain."""
    plant = scalar_plant("1.011", b="1.136", q="4.2", r="8.55", s="6.59", discount="0.909")
    problem = scalar_problem([plant], "normalized", "0.5044", shots=2)
    f, _ = scalar_plants(problem)
    turns, parts = pieces(problem)
    assert parts[0].right.at == turns[1].at == optimum(f[0])
    assert sign_at_rest(f, problem.step.eta, parts[0], 1) == -1
    assert sign_at_rest(f, problem.step.eta, parts[0], 0) == 0
    assert sign_at_rest(f, problem.step.eta, parts[1], 0) == 0


def test_a_cost_that_vanishes_has_no_direction():
    with pytest.raises(ProblemError, match="`t1`: S0 = 0 makes its adaptation cost vanish"):
        pieces(scalar_problem([scalar_plant(1), scalar_plant(1, s=0)], "normalized"))
    with pytest.raises(ProblemError, match="every cost vanishes"):
        pieces(scalar_problem([scalar_plant(1, s=0)], "normalized", adaptation=[scalar_plant(1)]))
    with pytest.raises(ProblemError, match="has no optimum"):
        pieces(scalar_problem([scalar_plant(1, q=0)], "normalized"))
