"""Three and more states in other units: the same costs and derivatives, to the last bit.

In units s̃ = d s with powers of two d a plant (A, B, Q, R, S0) is (dAd⁻¹, dB, d⁻¹Qd⁻¹, R, dS0d), a gain
W is Wd⁻¹, and nothing is rounded on the way.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benign import LQR, GradientStep, MetaObjective
from benign.linalg import in_float64
from benign.meta.doubling import closed_loop

SCALES = {3: [2.0**30, 1, 2.0**-4], 4: [2.0**30, 1, 2.0**12, 1], 14: [2.0**30, *[1] * 13]}


def plants(n, m):
    rng = np.random.default_rng([n, m])
    A, B = 0.8 * np.eye(n) + 0.1 * rng.normal(size=(n, n)), rng.normal(size=(n, m))
    for factor in (1.0, 0.99):
        yield factor * A, B, np.eye(n), 10 * np.eye(m), np.eye(n)


def in_units(plant, d):
    A, B, Q, R, S0 = plant
    across = np.outer(d, 1 / d)
    return A * across, B * d[:, None], Q / np.outer(d, d), R, S0 * np.outer(d, d)


def exactly(x, y):
    np.testing.assert_array_equal(np.asarray(x), np.asarray(y))


@pytest.fixture(params=[(3, 1), (4, 2), (14, 2)], ids=str)
def pair(request):
    """Two tasks, the same in other units, a gain that stabilises both, and the units."""
    n, m = request.param
    d = np.array(SCALES[n])
    plain = [LQR(*plant) for plant in plants(n, m)]
    scaled = [LQR(*in_units(plant, d)) for plant in plants(n, m)]
    W = np.asarray(plain[0].optimum().W)
    return plain, scaled, W, d


def test_a_task_in_other_units(pair):
    plain, scaled, W, d = pair
    for one, other in zip(plain, scaled, strict=True):
        assert np.isfinite(one.cost(W))
        exactly(one.cost(W), other.cost(W / d))
        exactly(one.gradient(W), other.gradient(W / d) / d)
        exactly(one.hessian_product(W, W), other.hessian_product(W / d, W / d) / d)
        assert int(other.status(W / d)) == 0


def test_many_gains_in_other_units(pair):
    plain, scaled, W, d = pair
    one, other = (MetaObjective(x, GradientStep(eta=1e-40)) for x in (plain, scaled))
    # A step moves gains in another direction in other units; this one is below their last bit.
    gains = W * np.linspace(0.9, 1.1, 5)[:, None, None]
    values = one.values(gains)
    assert np.isfinite(values).all()
    exactly(other.values(gains / d), values)


def test_the_loop_of_training_in_other_units(pair):
    plain, scaled, W, d = pair

    def found(task, W):
        loop = in_float64(jax.jit(closed_loop))(task.regulator, W)
        return loop.stable, loop.gradient(), loop.hessian_product(jnp.asarray(W))

    for one, other in zip(plain, scaled, strict=True):
        stable, gradient, product = found(one, W)
        assert bool(stable)
        again, moved, product_moved = found(other, W / d)
        assert bool(again)
        exactly(gradient, np.asarray(moved) / d)
        exactly(product, np.asarray(product_moved) / d)
