"""Proofs on the line that time cuts off anywhere: less is said, and what is said is proved."""

import numpy as np
import pytest
from tests.clocks import Looks

from benign import check
from benign.clock import Clock
from benign.errors import BudgetError
from benign.exact.problem import Problem, make_step
from benign.prove.line.enumeration import analyze
from benign.tasks.files import bundled_path, load


def problem(name: str, eta: str, shots: int, kind: str = "gradient") -> Problem:
    return Problem(load(bundled_path(name)).family, make_step(kind, eta, shots))


@pytest.mark.parametrize(
    ("name", "eta", "shots"), [("paper-figure-3b", "0.05", 1), ("cruise-control", "0.05", 3)]
)
def test_a_list_that_is_cut_anywhere_is_sound(name, eta, shots):
    """Whatever the looks at the clock: each point is one of the full list, and the checker agrees."""
    whole = analyze(problem(name, eta, shots))
    clock = Looks(10**9)
    assert analyze(problem(name, eta, shots), clock=clock) == whole
    full = [(p.at.lo, p.at.hi, p.kind) for p in whole.stationary_points]
    said = set()
    for looks in [0, *np.unique(np.geomspace(1, clock.looks, 40).astype(int)).tolist()]:
        try:
            found = analyze(problem(name, eta, shots), clock=Looks(looks))
        except BudgetError:
            said.add("too little")
            continue
        said.add("whole" if found.is_complete else "cut")
        assert check(found.certificate), str(check(found.certificate))
        assert found.epsilon.lo <= whole.epsilon.lo
        assert found.epsilon.hi >= whole.epsilon.hi
        assert found.minimum.lo <= whole.minimum.lo
        assert found.minimum.hi >= whole.minimum.hi
        for point in found.stationary_points:
            held = [
                e for e in full if e[2] == point.kind and point.at.lo <= e[1] and e[0] <= point.at.hi
            ]
            assert len(held) == 1
        if not found.is_complete:
            assert "in the time given" in str(found.verdict) or found.verdict.status == "refuted"
    assert said == {"too little", "cut", "whole"}


def test_a_normalised_step_is_all_or_nothing():
    one = problem("paper-figure-3b", "0.05", 3, "normalized")
    clock = Looks(10**9)
    whole = analyze(one, clock=clock)
    assert whole.is_complete
    for looks in np.unique(np.geomspace(1, clock.looks - 1, 12).astype(int)).tolist():
        with pytest.raises(BudgetError, match="give more"):
            analyze(one, clock=Looks(looks))


def test_shots_without_end_take_no_more_than_the_time():
    """A thousand shots, the most there may be: not one look at the line is done in so short a time."""
    clock = Clock(0.005)
    with pytest.raises(BudgetError, match="give more"):
        analyze(problem("cruise-control", "0.05", 1000), clock=clock)
    assert clock.used < 5
