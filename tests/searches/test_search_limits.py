"""The search where it is hard put to it: prices that see nothing, rounding, size, time."""

import time

import jax
import numpy as np
import pytest
from scipy.linalg import solve_discrete_are

from benign import LQR, GradientStep, MetaObjective, TaskFamily
from benign.errors import ProblemError
from benign.results.landscape import Kind
from benign.searches import descent
from benign.searches.sampling import MOST_PAIRS, _likely_pairs, make_sampler
from benign.searches.search import search
from benign.tasks.plants import prepare, record


def one(task: LQR, eta: str) -> MetaObjective:
    return MetaObjective(TaskFamily([task]), GradientStep(eta))


def test_an_unstable_plant_whose_state_costs_nothing():
    """Q = 0: doubling finds no optimum from there; SciPy's eigenvectors do, and so does the search."""
    A, B, R = np.array([[2, 0.1], [0, 1.5]]), np.array([[1.0], [1.0]]), np.eye(1)
    task = LQR(A, B, np.zeros((2, 2)), R)
    P = solve_discrete_are(A, B, np.zeros((2, 2)), R)
    best = np.linalg.solve(R + B.T @ P @ B, B.T @ P @ A)
    found = search(one(task, "1e-5"), starts=32)
    assert found.minimizers[0].height == pytest.approx(np.trace(P), rel=1e-8)
    assert any(np.allclose(point.W, best, rtol=1e-5) for point in found.minimizers)


def test_no_state_to_begin_with_means_no_cost_and_one_valley():
    """S0 = 0: h = 0 at every feasible gain: one degenerate minimiser, not many minima."""
    task = LQR([[1, 0.2], [0, 0.9]], [0.1, 1], np.eye(2), 1, np.zeros((2, 2)))
    found = search(one(task, "0.01"), starts=32)
    (point,) = found.minimizers
    assert point.kind is Kind.DEGENERATE
    assert point.height == 0.0
    assert found.spread == 0.0


def test_rounding_near_the_rim_is_not_taken_for_minima():
    """A mode at 1 − 1e-9 that no input reaches: h = 5e8 with an error of 1e-7 of it, and flat."""
    task = LQR([[1 - 1e-9, 0], [0, 0.5]], [[0], [1]], np.eye(2), 1)
    found = search(one(task, "0.001"), starts=32)
    assert len(found.minimizers) == 1
    assert found.minimizers[0].height == pytest.approx(5e8, rel=1e-5)
    assert found.minimizers[0].rounding == pytest.approx(1e-6, rel=0.1)
    assert "almost unstable" in str(found.verdict)


def test_the_rounding_of_an_ordinary_plant_is_small_and_not_told():
    found = search(one(LQR([[1, 0.2], [0, 0.9]], [0.1, 1], np.eye(2), 1), "0.01"), starts=32)
    assert 0 < found.minimizers[0].rounding < 1e-13
    assert "unstable" not in str(found.verdict)


def test_a_slow_mode_does_not_keep_a_minimum_from_being_seen():
    """ρ = 0.99998, curvatures from 2 to 8e5: ‖∇h‖ ℓ stays at 2e-6 h at the optimum itself."""
    task = LQR.from_exact(prepare(record("darex_1_7_lulin")).plant)
    optimum = np.asarray(task.optimum().W)
    field = make_sampler(one(task, "1e-7"), jax.random.key(0)).field
    ended = descent.polish(field, optimum.reshape(1, -1), ticks=25)
    assert ended.settled.all()
    assert ended.gradient[0] * field.length > descent.SETTLED_GRADIENT * ended.value[0]
    np.testing.assert_allclose(ended.x.reshape(4, 4), optimum, atol=1e-6)
    # A place that is no stationary point is not called one for that.
    away = descent.polish(field, 1.001 * optimum.reshape(1, -1), ticks=1)
    assert not away.settled.any()


def test_the_likely_pairs_of_a_large_family_are_few_and_far_apart():
    rng = np.random.default_rng(0)
    optima = rng.normal(size=(20_000, 2))
    optima[123], optima[4567] = [50, 0], [-50, 1]
    began = time.perf_counter()
    pairs = _likely_pairs(optima)
    assert time.perf_counter() - began < 5
    assert 1 <= len(pairs) <= MOST_PAIRS
    assert set(pairs[0]) == {123, 4567}


def test_a_family_without_a_common_gain_names_the_pair():
    A = [[1.2, 0.2], [0, 0.9]]
    tasks = [
        LQR(A, [0.1, 1], np.eye(2), 1, name="pushes"),
        LQR([[1, 0.2], [0, 0.9]], [0.1, 1], np.eye(2), 1, name="third"),
        LQR(A, [-0.1, -1], np.eye(2), 1, name="pulls"),
    ]
    with pytest.raises(ProblemError, match="`pushes` and `pulls` conflict already"):
        search(MetaObjective(TaskFamily(tasks), GradientStep("0.001")))


def test_one_task_alone_is_not_told_to_split():
    """A throw that no gain survives: the step is to blame, and no family is spoken of."""
    with pytest.raises(ProblemError, match="lower eta") as refused:
        search(one(LQR([[1, 0.2], [0, 0.9]], [0.1, 1], np.eye(2), 1e18), "0.001"))
    assert "split" not in str(refused.value)


def test_a_budget_bounds_the_search(monkeypatch):
    """Without its other stopping rule the search would go on for 100,000 starts."""
    monkeypatch.setattr("benign.searches.search.ENOUGH", -1.0)
    objective = one(LQR([[1, 0.2], [0, 0.9]], [0.1, 1], np.eye(2), 1), "0.01")
    search(objective, starts=1)  # compiles
    began = time.perf_counter()
    found = search(objective, starts=100_000, budget=2.0)
    assert time.perf_counter() - began < 10  # on a machine that others use as well
    assert 0 < found.starts < 100_000
    assert found.minimizers
    with pytest.raises(ProblemError, match="budget: seconds, zero or more"):
        search(objective, budget=-1.0)
