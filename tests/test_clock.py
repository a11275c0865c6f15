"""The clock of a verb: how budgets are given, asked, shared, and what is said when they are over."""

import threading
import time

import numpy as np
import pytest

from benign.clock import NO_LIMIT, Clock, beside, clock_of, unfinished
from benign.errors import BenignError, BudgetError, ProblemError


@pytest.mark.parametrize(
    ("budget", "seconds"), [(5, 5.0), ("5s", 5.0), ("1m30s", 90.0), (np.float64(2), 2.0), ("0.5", 0.5)]
)
def test_a_budget_is_a_number_or_a_text(budget, seconds):
    clock = clock_of(budget)
    assert clock.limited
    assert clock.total == pytest.approx(seconds)
    assert seconds - 1 < clock.left <= seconds


def test_no_budget_is_no_limit():
    for none in (None, float("inf"), "inf"):
        clock = clock_of(none)
        assert not clock.limited
        assert not clock.late
        clock.check("anything")
        clock.require(1e9, "anything")
    assert not NO_LIMIT.part(0.1).limited


def test_a_clock_that_runs_is_taken_as_it_is():
    clock = Clock(3.0)
    assert clock_of(clock) is clock


@pytest.mark.parametrize("bad", [-1, "soon", "-3s", float("nan"), "5d", True, [5], object()])
def test_what_is_no_budget_is_refused_by_name(bad):
    with pytest.raises(BenignError, match="budget"):
        clock_of(bad)


def test_a_stage_is_refused_before_it_begins():
    clock = Clock(5.0)
    clock.require(1.0, "a proof")
    with pytest.raises(BudgetError, match=r"a proof would take about 60 s more and 5 s are left; give"):
        clock.require(60.0, "a proof")


def test_parts_end_with_the_whole_and_speak_of_it():
    whole = Clock(10.0, began=time.perf_counter() - 4.0)
    part = whole.part(0.5)
    assert part.left <= 3.0
    assert part.end < whole.end
    assert whole.capped(100.0).end <= whole.end + 1e-3
    late = Clock(10.0, began=time.perf_counter() - 11.0).part(0.5)
    with pytest.raises(BudgetError, match="10 s were used up by the list; give more"):
        late.check("the list")


def test_a_stage_with_a_limit_of_its_own_speaks_of_that():
    stage = NO_LIMIT.capped(0.0)
    with pytest.raises(BudgetError, match="0 s were used up by the search; give more, such as 10 s"):
        stage.check("the search")
    with pytest.raises(BudgetError, match="give more, such as 20 s"):
        stage.part(0.5).require(11.0, "the search")


def test_what_cannot_be_cut_is_not_waited_for():
    go = threading.Event()
    began = time.perf_counter()
    with pytest.raises(BudgetError, match="the compiler"):
        beside(Clock(0.2), "the compiler", lambda: go.wait(30))
    assert time.perf_counter() - began < 5
    assert unfinished()
    go.set()
    for _ in range(100):
        if not unfinished():
            break
        time.sleep(0.05)
    assert not unfinished()


def test_what_is_done_beside_gives_its_result_or_its_error():
    assert beside(Clock(60.0), "a sum", lambda: 1 + 1) == 2
    assert beside(NO_LIMIT, "a thread", threading.current_thread) is threading.current_thread()
    with pytest.raises(ProblemError, match="its own"):
        beside(Clock(60.0), "an error", _refuse)
    with pytest.raises(TimeoutError, match="another"):
        beside(Clock(60.0), "an error", _time_out)


def _refuse():
    raise ProblemError("its own")


def _time_out():
    raise TimeoutError("another")
