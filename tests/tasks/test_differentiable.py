"""Any JAX cost on any pytree: derivatives, infinities, and an LQR written as one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from task_reference import assert_derivatives, assert_never_nan, flat

from benign.errors import ProblemError
from benign.tasks.differentiable import DifferentiableCost, DifferentiableTask
from benign.tasks.lqr import LQR
from benign.tasks.task import as_task


def network(W, data):
    """A cost on a pytree of several arrays."""
    x, y = data
    hidden = jnp.tanh(x @ W["in"] + W["shift"][0])
    return jnp.mean((hidden @ W["out"] - y) ** 2)


def random_parameters(seed):
    rng = np.random.default_rng(seed)
    return {
        "in": jnp.asarray(rng.normal(size=(2, 3))),
        "shift": [jnp.asarray(rng.normal(size=3))],
        "out": jnp.asarray(rng.normal(size=3)),
    }


def random_sample(seed, size):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(size, 2)), rng.normal(size=size)


def test_a_pytree_of_parameters():
    W, E = random_parameters(0), random_parameters(1)
    task = DifferentiableTask(network, data=random_sample(0, 50), adaptation_data=random_sample(1, 5))
    assert_derivatives(task.f, W, E)
    assert float(task.value(W)) == pytest.approx(float(network(W, random_sample(0, 50))), rel=1e-14)
    few = random_sample(1, 5)
    assert float(task.adaptation_value(W)) == pytest.approx(float(network(W, few)), rel=1e-14)
    dense = jax.jit(jax.hessian(lambda w: network(_unravel(W)(w), few)))(jnp.asarray(flat(W)))
    product = flat(task.adaptation_hessian_product(W, E))
    np.testing.assert_allclose(product, dense @ flat(E), atol=1e-12 * np.abs(product).max())
    assert jax.tree.structure(task.gradient(W)) == jax.tree.structure(W)
    assert task.optimum() is None


def _unravel(W):
    return ravel_pytree(W)[1]


def test_what_g_is():
    def f(W, data=0.0):
        return (W - data) ** 2

    def g(W, data=0.0):
        return 3 * (W - data) ** 4

    one = jnp.array(1.0)
    assert float(DifferentiableTask(f).adaptation_gradient(one)) == 2
    assert float(DifferentiableTask(f, g).adaptation_gradient(one)) == 12
    assert float(DifferentiableTask(f, g, data=3.0).adaptation_gradient(one)) == 12 * -8
    assert float(DifferentiableTask(f, data=1.0, adaptation_data=3.0).adaptation_gradient(one)) == -4
    assert float(DifferentiableTask(f, data=1.0, adaptation_data=3.0).gradient(one)) == 0


def test_an_lqr_cost_written_by_hand_is_the_lqr():
    def cost(w, data):
        a, b, q, r = data
        room = 1 - (a - b * w) ** 2
        return jnp.where(room > 0, (q + r * w**2) / jnp.where(room > 0, room, 1.0), jnp.inf)

    numbers = (1.1, 0.9, 1.0, 2.0)
    ours, theirs = DifferentiableTask(cost, data=numbers), as_task(LQR(*numbers))
    for W in (0.5, 0.9, 5.0):
        assert float(ours.value(W)) == pytest.approx(float(theirs.value(W)), rel=1e-13)
        assert float(ours.gradient(W)) == pytest.approx(float(theirs.gradient(W)), abs=1e-12)
        pair = [float(x.adaptation_hessian_product(W, 1.5)) for x in (ours, theirs)]
        assert pair[0] == pytest.approx(pair[1], rel=1e-12)
        assert bool(ours.feasible(W)) == bool(theirs.feasible(W))


def test_where_the_function_has_no_value():
    task = DifferentiableTask(lambda w: -jnp.sum(jnp.log(w)))
    outside = jnp.array([1.0, -1.0])
    assert task.value(outside) == np.inf
    assert not task.feasible(outside)
    assert (task.gradient(outside) == 0).all()
    assert (task.hessian_product(outside, outside) == 0).all()
    masked = DifferentiableCost(lambda w: jnp.where(w > 0, w, jnp.inf))
    assert_never_nan(masked, jnp.array(-1.0))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DifferentiableTask(3.0), "a cost must be a function of the parameters, got 3.0"),
        (lambda: DifferentiableTask(lambda w: w).value(jnp.ones(3)), r"number, got float64\[3\]"),
        (lambda: DifferentiableTask(jnp.isnan).value(1.0), "must return one real number, got bool"),
        (lambda: DifferentiableTask(jnp.sum).gradient(jnp.arange(3)), "an array of int64; give floats"),
        (lambda: DifferentiableTask(jnp.sum).hessian_product(jnp.ones(2), [jnp.ones(2)]),
         "`E` must have the structure of the parameters"),
    ],
)  # fmt: skip
def test_bad_functions_and_parameters(make, message):
    with pytest.raises(ProblemError, match=message):
        make()


def test_with_jax_in_32_bits_the_numbers_have_64(single_precision):
    task = DifferentiableTask(jnp.sum)
    for W in (1.0, jnp.ones(2)):  # the second is of float32
        assert task.value(W).dtype == task.gradient(W).dtype == np.float64
        assert task.f.value(W).dtype == np.float64
