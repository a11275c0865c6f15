"""Observed scalar landscapes by the thousand: against proofs, one family after another."""

import numpy as np
import pytest

import benign
from benign.kernels.lines import NUMBERS, observe, rims, slopes
from benign.tasks.family import TaskFamily


def random_tasks(F: int, k: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    tasks = np.ones((F, k, NUMBERS))
    tasks[..., 0] = rng.uniform(0.5, 1.3, (F, k))
    tasks[..., 1] = rng.choice([-1.0, 1.0, 0.5], (F, 1))
    tasks[..., 2:4] = rng.uniform(0.1, 3, (F, k, 2))
    tasks[..., 5] = 1 / k
    return tasks


def proofs(tasks: np.ndarray, eta: float):
    """Proved landscapes of every fifth family."""
    for i in range(0, len(tasks), 5):
        family = TaskFamily.stack(*tasks[i, :, :5].T)
        yield i, benign.analyze(family, eta=eta)


def places(landscape) -> np.ndarray:
    return np.sort([np.asarray(p.W).item() for p in landscape.minimizers])


@pytest.mark.parametrize(("k", "eta"), [(2, 0.05), (5, 0.02)])
def test_every_proved_minimum_is_seen(k, eta):
    tasks = random_tasks(40, k, k)
    seen = observe(tasks, eta)
    for i, landscape in proofs(tasks, eta):
        np.testing.assert_allclose(seen.W[seen.family == i], places(landscape), rtol=1e-9)
        assert seen.minimum[i] == pytest.approx(float(landscape.minimum), rel=1e-12)
        assert seen.epsilon[i] == pytest.approx(float(landscape.epsilon), rel=1e-9, abs=1e-12)


def test_a_coarse_grid_sees_what_a_fine_one_does():
    """The second grid finds minima that hide between two points of the first."""
    tasks = random_tasks(2000, 5, 7)
    coarse, fine = observe(tasks, 0.03, grid=96), observe(tasks, 0.03, grid=4096)
    apart = np.bincount(coarse.family, minlength=2000) != np.bincount(fine.family, minlength=2000)
    assert apart.mean() < 0.01
    alike = ~apart
    np.testing.assert_allclose(coarse.epsilon[alike], fine.epsilon[alike], rtol=1e-7, atol=1e-11)


def test_families_without_a_common_gain_have_no_minimiser():
    tasks = random_tasks(9, 2, 1)
    tasks[:, 1, 0] = tasks[:, 0, 0] + 2.5
    tasks[::2] = random_tasks(5, 2, 2)
    found = observe(tasks, 1e-3)
    assert np.isfinite(found.minimum).tolist() == [i % 2 == 0 for i in range(9)]
    assert np.isnan(found.epsilon[1::2]).all()
    assert len(observe(tasks[:0], 0.01).W) == 0


def test_a_step_size_of_each_family_is_that_of_a_call_of_its_own():
    tasks = random_tasks(30, 3, 11)
    eta = np.linspace(0.01, 0.08, 30)
    together = observe(tasks, eta)
    for i in (0, 7, 29):
        alone = observe(tasks[i : i + 1], float(eta[i]))
        np.testing.assert_array_equal(together.W[together.family == i], alone.W)
        np.testing.assert_array_equal(together.epsilon[i], alone.epsilon[0])


def test_slopes_are_differences_of_h():
    tasks, eta = random_tasks(20, 3, 5), 0.02
    low, high = rims(tasks)
    start, pace = low + 0.45 * (high - low), 0.01 * (high - low)
    found = slopes(tasks, eta, start, pace, 5)
    for i in range(20):
        family = TaskFamily.stack(*tasks[i, :, :5].T)
        h = benign.MetaObjective(family, eta=eta)
        for j in range(5):
            w = start[i] + j * pace[i]
            step = 1e-6 * (high[i] - low[i])
            ahead, behind = float(h.value(w + step)), float(h.value(w - step))
            if np.isfinite(ahead - behind):
                assert found[i, j] == pytest.approx((ahead - behind) / (2 * step), rel=1e-4, abs=1e-6)
            else:
                assert not np.isfinite(found[i, j]) or abs(found[i, j]) > 1e3
