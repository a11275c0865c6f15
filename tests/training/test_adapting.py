"""Adaptation after training: costs are those of the gains, seen tasks are known."""

import numpy as np
import pytest

from benign.errors import ProblemError
from benign.tasks.family import TaskFamily
from benign.tasks.lqr import LQR
from benign.training.adapt import QUANTILES, adapt, meta_test
from benign.training.train import train
from helpers import paper_problem


@pytest.fixture(scope="module")
def trained():
    return train(paper_problem("3b", "0.05").family, eta="0.05")


def test_the_costs_after_each_shot_are_those_of_the_gains(trained):
    task = LQR(1.0, 1.0, 1.5, 1.0, name="between")
    found = adapt(trained, task, shots=4)
    W = trained.W
    for cost in found.costs:
        assert cost == pytest.approx(float(task.cost(W)), rel=1e-12)
        last, W = W, W - 0.05 * np.asarray(task.gradient(W))
    np.testing.assert_allclose(found.W, last, rtol=1e-12)
    assert found.optimum == pytest.approx(float(task.optimum().cost))
    assert found.name == "between"
    assert (np.diff(found.excess) < 0).all()
    assert found.seen is False


def test_the_tasks_of_training_are_known_again(trained):
    family = TaskFamily.from_exact(paper_problem("3b", "0.05").family)
    assert [task.seen for task in meta_test(trained, family).tasks] == [True, True]
    assert adapt(trained, family[1]).seen is True
    assert adapt(trained, family[1]).costs[-1] == pytest.approx(trained.task_values[1])


def test_a_shot_that_destabilises_counts_as_infinite(trained):
    near_rim = LQR(1.0, 3.3, 1.0, 1.0)  # 1 − 3.3 W = −0.93: stable, and very steep
    found = adapt(trained, near_rim, shots=3)
    assert np.isfinite(found.costs[0])
    assert np.isinf(found.costs).any()
    first = int(np.isinf(found.costs).argmax())
    assert np.isinf(found.costs[first:]).all()


def test_quantiles_over_a_held_out_family(trained):
    rng = np.random.default_rng(2)
    q, r = rng.uniform(1, 2, (2, 101))
    held_out = TaskFamily.stack(np.ones(101), np.ones(101), q, r)
    found = meta_test(trained, held_out, shots=2)
    assert found.relative
    assert found.quantiles.shape == (len(QUANTILES), 3)
    last = np.sort([task.excess[-1] for task in found.tasks])
    assert found.quantiles[QUANTILES.index(0.5), -1] == last[50]
    assert (np.diff(found.quantiles, axis=0) >= 0).all()


def test_proximal_adaptation():
    trained = train(paper_problem("3b", "0.05").family, "imaml", lam=20.0)
    found = adapt(trained, LQR(1.0, 1.0, 1.5, 1.0), shots=1)
    phi = float(found.W[0, 0])
    slope = float(LQR(1.0, 1.0, 1.5, 1.0).gradient(phi))
    assert slope + 20.0 * (phi - float(trained.W[0, 0])) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("shots", [-1, 1.5, True])
def test_shots_are_a_number(trained, shots):
    with pytest.raises(ProblemError, match="shots"):
        adapt(trained, LQR(1.0, 1.0, 1.0, 1.0), shots=shots)


def test_a_task_of_another_shape_is_refused(trained):
    with pytest.raises(ProblemError, match="task"):
        adapt(trained, LQR(np.eye(2), np.eye(2), np.eye(2), np.eye(2)))
