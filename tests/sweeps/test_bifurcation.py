"""The bifurcation diagram: each sample is a landscape of its own, events are where they belong."""

from fractions import Fraction

import numpy as np
import pytest
from scipy.optimize import brentq

from benign.errors import NotScalarError, ProblemError
from benign.exact.problem import Problem, make_step
from benign.prove.line.enumeration import analyze
from benign.sweeps.bifurcate import bifurcate
from benign.sweeps.bifurcation import bifurcation_document
from benign.sweeps.branches import pairs_of
from benign.tasks.family import TaskFamily
from benign.tasks.lqr import LQR
from helpers import paper_problem, scalar_plant, scalar_problem

ETAS = [Fraction(1, 100) + Fraction(i, 100) for i in range(12)]


@pytest.fixture(scope="module")
def figure_1():
    return bifurcate(paper_problem("1", "0.05").family, ETAS)


def test_a_sample_is_the_landscape_at_its_step(figure_1):
    for sample in figure_1.samples[::9]:
        alone = analyze(Problem(figure_1.family, make_step("gradient", sample.eta, 1)))
        assert [p.at for p in alone.minima] == [p.at for p in sample.minimizers]
        on_branches = [p for branch in figure_1.branches for p in branch
                       if figure_1.samples[p.sample] is sample]  # fmt: skip
        assert sorted(p.at for p in on_branches) == [p.at for p in alone.minima]


def test_the_preimages_of_the_optimum_die_where_they_meet(figure_1):
    """W − ηC'(W) = W* has two more roots until η is so large that they meet: a fold, by calculus."""

    def d1(w):
        room = 1 - (1 - w) ** 2
        return (4 * w * room - 2 * (1 - w) * (2 + 2 * w**2)) / room**2

    star = (np.sqrt(5) - 1) / 2

    def roots(eta):
        w = np.linspace(0.65, 1.95, 200_001)
        return np.count_nonzero(np.diff(np.sign(w - eta * d1(w) - star)))

    low, high = 0.09, 0.11  # two roots beyond W* at the one end, none at the other
    assert (roots(low), roots(high)) == (2, 0)
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if roots(middle) == 2 else (low, middle)
    deaths = [event for event in figure_1.events if not event.birth]
    assert any(event.eta[0] <= low + 1e-7 and high - 1e-7 <= event.eta[1] for event in deaths)
    resolution = 1e-3 * (0.12 - 0.01)
    assert all(event.eta[1] - event.eta[0] <= resolution * 1.0001 for event in figure_1.events)
    assert not any(event.birth for event in figure_1.events)
    assert brentq(d1, 0.3, 0.9) == pytest.approx(star)


def test_counts_of_minimisers_change_at_events_only(figure_1):
    count = len(figure_1.samples[0].minimizers)
    events = list(figure_1.events)
    for before, after in zip(figure_1.samples[:-1], figure_1.samples[1:], strict=True):
        here = [e for e in events if e.eta == (float(before.eta), float(after.eta))]
        count += sum(1 if event.birth else -1 for event in here)
        assert count == len(after.minimizers)


def test_branches_are_followed_without_leaps(figure_1):
    for branch in figure_1.branches:
        assert [p.sample for p in branch] == list(
            range(branch[0].sample, branch[0].sample + len(branch))
        )
        W = np.array([p.at.mid for p in branch])
        assert np.abs(np.diff(W)).max(initial=0) < 0.15


def test_a_gap_of_infeasible_steps_is_shown_not_hidden():
    far = scalar_problem([scalar_plant(1, 1, 1, 10), scalar_plant("1.9", 1, 10, "0.1")]).family
    found = bifurcate(far, ["0.001", "1"])
    assert any(sample.landscape is None for sample in found.samples)
    assert "no gain is feasible" in str(found)
    assert found.events
    document = bifurcation_document(found)
    assert {s["status"] for s in document["samples"]} > {"infeasible"}


def test_nothing_feasible_at_all():
    far = scalar_problem([scalar_plant(1, 1, 1, 10), scalar_plant("1.9", 1, 10, "0.1")]).family
    with pytest.raises(ProblemError, match="smaller"):
        bifurcate(far, ["5", "6"])


def test_the_normalised_step_has_a_diagram():
    found = bifurcate(paper_problem("3b", "0.05").family, ["0.05", "0.3", "0.8"], step="normalized")
    assert len({len(sample.minimizers) for sample in found.samples}) > 1
    assert found.events


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([0.0, 1.0], [0.1, 1.1], [(0, 0), (1, 1)]),
        ([0.0, 1.0, 2.0], [0.9], [(1, 0)]),
        ([], [1.0], []),
        ([1.0], [0.0, 0.9, 5.0], [(0, 1)]),
        ([0.0, 1.0], [0.95, 5.0], [(0, 0), (1, 1)]),
    ],
)
def test_pairs_keep_the_order_and_move_least(a, b, expected):
    assert pairs_of(a, b) == expected


def test_bad_input_is_refused():
    with pytest.raises(ProblemError, match="two different"):
        bifurcate(paper_problem("1", "0.05").family, ["0.05", "0.05"])
    with pytest.raises(ProblemError, match="eta"):
        bifurcate(paper_problem("1", "0.05").family, ["0.05", "-1"])
    plane = TaskFamily([LQR(0.5 * np.eye(2), np.eye(2), np.eye(2), np.eye(2))])
    with pytest.raises(NotScalarError):
        bifurcate(plane, ["0.05", "0.06"])
