"""Algorithm 1 on rollouts alone ends near what the model gives; the plants are the Boeing 747's."""

import jax
import numpy as np
import pytest
from examples import model_free

import benign
from benign.tasks.family import TaskFamily
from benign.tasks.files import bundled_path, load
from benign.tasks.lqr import LQR
from benign.tasks.sampled import SampledCost, Sampling


def airframes(count):
    whole = TaskFamily.from_exact(load(bundled_path("boeing-747-ten")).family)
    return TaskFamily([whole[i] for i in range(count)])


def costs(family, directions, horizon, steps, seed):
    """h at the start, at the model-based end and at the model-free end; and the last."""
    h = benign.MetaObjective(family, benign.GradientStep(model_free.ETA))
    start = model_free.cautious(family[0])
    sampling = Sampling(horizon=horizon, radius=model_free.RADIUS, directions=directions)
    free = model_free.train_without_model(family, start, sampling, steps=steps, seed=seed)
    model = benign.train(family, "maml", eta=model_free.ETA, steps=5000)
    return [float(h.value(W)) for W in (start, model.W, free.W)], free


def test_two_airframes():
    (start, best, found), _ = costs(airframes(2), directions=8, horizon=60, steps=150, seed=3)
    assert start > 1.3 * best
    assert best < found < 1.05 * best


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_the_whole_family_as_the_example_has_it(seed):
    (start, best, found), free = costs(airframes(10), 16, model_free.HORIZON, 400, seed)
    assert start > 1.3 * best
    assert best < found < 1.05 * best
    sampling = Sampling(horizon=model_free.HORIZON, radius=model_free.RADIUS, directions=16)
    assert model_free.rollouts_of(free, sampling) < 1e6
    again = model_free.train_without_model(
        airframes(10), model_free.cautious(airframes(10)[0]), sampling, steps=400, seed=seed
    )
    np.testing.assert_array_equal(again.W, free.W)


def test_the_count_is_of_the_rollouts_that_were_played(monkeypatch):
    """Every simulation reports where it was played and from which states: those that differ are
    counted."""
    played, paid = set(), SampledCost._paid

    def reporting(self, W, start, noise=None):
        def heard(W, start):
            # Value and feasibility ask for the same rollouts, which are played once.
            played.update((W.tobytes(), s.tobytes()) for s in start)

        jax.debug.callback(heard, W, start)
        return paid(self, W, start, noise)

    monkeypatch.setattr(SampledCost, "_paid", reporting)
    family = TaskFamily(
        [LQR([[0.9, 0.3], [a, 0.8]], [[0.1], [1.0]], np.eye(2), 1.0) for a in (0.0, 0.1)]
    )
    sampling = Sampling(horizon=7, radius=0.02, directions=3, rollouts=2)
    start = np.array([[0.1, 0.4]])
    result = model_free.train_without_model(family, start, sampling, eta=1e-3, beta=1e-3, steps=4)
    jax.effects_barrier()
    assert len(played) == model_free.rollouts_of(result, sampling)
