"""Generated supervised tasks: what the data are, and that a start trained by MAML adapts better."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from task_reference import assert_derivatives, flat

from benign.errors import ProblemError
from benign.tasks.supervised import (
    accuracy,
    cross_entropy,
    few_shot,
    network,
    predict,
    sinusoids,
    squared_error,
)


def test_sinusoids_are_sinusoids_on_two_samples():
    stack = sinusoids(jax.random.key(0), 20, shots=7, held=40)
    amplitudes = []
    for task in stack:
        (x, y), (few_x, few_y) = task.f.data, task.g.data
        assert (x.shape, few_x.shape) == ((40, 1), (7, 1))
        assert np.abs(np.concatenate([x, few_x])).max() <= 5
        assert not np.isin(few_x, x).any()
        # a sin(x + p) is a combination of sin x and cos x, the same one on both samples.
        basis = np.hstack([np.sin(x), np.cos(x)])
        found, residual, *_ = np.linalg.lstsq(basis, y, rcond=None)
        assert residual.max() < 1e-20
        np.testing.assert_allclose(np.hstack([np.sin(few_x), np.cos(few_x)]) @ found, few_y, atol=1e-12)
        amplitudes.append(np.linalg.norm(found))
    assert min(amplitudes) >= 0.1
    assert max(amplitudes) <= 5
    assert np.std(amplitudes) > 0.5


def test_few_shot_has_every_class_in_both_samples():
    stack = few_shot(jax.random.key(0), 3, ways=4, shots=2, held=6, dimension=5)
    assert len(stack) == 3
    for task in stack:
        (x, labels), (few_x, few_labels) = task.f.data, task.g.data
        assert (x.shape, few_x.shape) == ((24, 5), (8, 5))
        assert np.bincount(labels).tolist() == [6] * 4
        assert np.bincount(few_labels).tolist() == [2] * 4


def test_costs_by_definition():
    W = network(jax.random.key(1), (2, 3, 4))
    rng = np.random.default_rng(0)
    x, y, labels = rng.normal(size=(6, 2)), rng.normal(size=(6, 4)), rng.integers(0, 4, 6)
    hidden = np.tanh(x @ np.asarray(W[0]["weight"]) + np.asarray(W[0]["bias"]))
    out = hidden @ np.asarray(W[1]["weight"]) + np.asarray(W[1]["bias"])
    np.testing.assert_allclose(predict(W, x), out, rtol=1e-13)
    assert float(squared_error(W, (x, y))) == pytest.approx(((out - y) ** 2).sum() / 6, rel=1e-13)
    p = np.exp(out) / np.exp(out).sum(axis=1, keepdims=True)
    expected = -np.log(p[np.arange(6), labels]).mean()
    assert float(cross_entropy(W, (x, labels))) == pytest.approx(expected, rel=1e-13)
    assert float(accuracy(W, (x, labels))) == pytest.approx((out.argmax(1) == labels).mean())


def test_derivatives_over_a_network():
    task = few_shot(jax.random.key(2), 1, ways=3, shots=2, held=4, dimension=4)[0]
    W, E = (network(jax.random.key(k), (4, 5, 3)) for k in (0, 1))
    assert_derivatives(task.g, W, E)


def test_a_key_makes_one_family():
    first, again, other = (sinusoids(jax.random.key(k), 2, shots=2, held=2) for k in (0, 0, 1))
    same = jax.tree.map(lambda x, y: (x == y).all(), first.tasks, again.tasks)
    assert all(jax.tree.leaves(same))
    assert not (first.tasks.f.data[1] == other.tasks.f.data[1]).any()


def test_the_meta_gradient_through_the_protocol():
    """(I − η∇²g)∇f(F(W)), averaged over tasks, against autodiff of the definition of h."""
    stack = sinusoids(jax.random.key(0), 5, held=30)
    eta, W = 0.02, network(jax.random.key(1), (1, 6, 1))

    def one(task):
        F = jax.tree.map(lambda w, g: w - eta * g, W, task.adaptation_gradient(W))
        v = task.gradient(F)
        product = task.adaptation_hessian_product(W, v)
        return jax.tree.map(lambda x, p: x - eta * p, v, product)

    def h(W):
        def f(large, small):
            inner = jax.grad(squared_error)(W, small)
            return squared_error(jax.tree.map(lambda w, g: w - eta * g, W, inner), large)

        return jnp.mean(jax.vmap(f)(stack.tasks.f.data, stack.tasks.g.data))

    ours, theirs = jax.jit(lambda: (jax.vmap(one)(stack.tasks), jax.grad(h)(W)))()
    mean = flat(jax.tree.map(lambda g: jnp.mean(g, axis=0), ours))
    np.testing.assert_allclose(mean, flat(theirs), rtol=0, atol=1e-11 * np.abs(mean).max())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda key: sinusoids(key, 0), "sinusoids: `tasks` must be an integer of at least 1, got 0"),
        (lambda key: sinusoids(key, 1, shots=0), "`shots` must be an integer of at least 1"),
        (lambda key: few_shot(key, 1, ways=1), "`ways` must be at least 2"),
        (lambda key: network(key, (3,)), "`widths` must hold two positive numbers"),
    ],
)
def test_bad_numbers_are_refused(make, message):
    with pytest.raises(ProblemError, match=message):
        make(jax.random.key(0))
