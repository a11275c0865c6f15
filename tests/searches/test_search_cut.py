"""A search that time cuts off: its list is that of fewer starts, and the verdict says so."""

import numpy as np
import pytest
from tests.clocks import Looks

from benign import LQR, MetaObjective, TaskFamily
from benign.errors import BudgetError
from benign.searches.search import search

STARTS, SEED = 96, 3


@pytest.fixture(scope="module")
def objective() -> MetaObjective:
    tasks = [LQR([[1, 0.2], [0, 0.9]], [0.1, b], np.eye(2), 1) for b in (1, 0.4)]
    return MetaObjective(TaskFamily(tasks), 0.02)


def ends(found, starts: int):
    """Where descents from the first random starts ended, and the anchors' ends."""
    runs = [r for r in found.runs if r.method in ("anchor", "random")]
    kept, random = [], 0
    for run in runs:
        random += run.method == "random"
        if random <= starts:
            kept.append((run.method, run.start.tobytes(), found.points[run.point].W.tobytes()))
    return kept


def test_time_cuts_the_number_of_starts_and_nothing_else(objective):
    clock = Looks(10**9)
    whole = search(objective, starts=STARTS, seed=SEED, budget=clock)
    assert whole == search(objective, starts=STARTS, seed=SEED)
    assert "time ended it" not in str(whole.verdict)
    cut = set()
    for looks in np.linspace(1, clock.looks, 25).astype(int).tolist():
        try:
            found = search(objective, starts=STARTS, seed=SEED, budget=Looks(looks))
        except BudgetError:
            continue
        if found.starts in (0, STARTS) or found.starts in cut:
            continue
        cut.add(found.starts)
        assert f"time ended it after {found.starts} of {STARTS} starts" in str(found.verdict)
        fewer = search(objective, starts=found.starts, seed=SEED)
        assert ends(found, found.starts) == ends(fewer, found.starts)
        assert (found.converged, found.missing_mass) == (fewer.converged, fewer.missing_mass)
    assert cut


def test_too_little_time_is_an_error_that_names_the_cure(objective):
    with pytest.raises(BudgetError, match=r"budget: .* give more, such as 10 s"):
        search(objective, budget=0)
    with pytest.raises(BudgetError, match="give more"):
        search(objective, budget=Looks(2))
