"""The post-factum report against dense eigenvalues, where those can still be formed."""

import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np
import pytest

from benign.errors import ProblemError
from benign.training.postfactum import postfactum


def network(seed=0):
    """A trained-ish little network on twenty points, its parameters and its loss on two halves."""
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(20, 2)), rng.normal(size=20)
    W = {"a": rng.normal(size=(2, 8)), "b": rng.normal(size=8), "c": rng.normal(size=8)}

    def loss(W, x, y):
        return jnp.mean((jnp.tanh(x @ W["a"] + W["b"]) @ W["c"] - y) ** 2) + 0.01 * sum(
            jnp.sum(leaf**2) for leaf in W.values()
        )

    return W, lambda W: loss(W, x, y), lambda W: loss(W, x[:10], y[:10])


@pytest.mark.parametrize("eta", [0.01, 0.4])
def test_the_eigenvalues_are_those_of_the_dense_matrices(eta):
    W, f, g = network()
    x, unravel = jax.flatten_util.ravel_pytree(W)
    H = np.asarray(jax.jit(jax.hessian(lambda x: g(unravel(x))))(x))
    own = np.linalg.eigvalsh(H)
    J = np.linalg.eigvalsh(np.eye(len(x)) - eta * H)

    def h(x):
        return f(unravel(x - eta * jax.grad(lambda x: g(unravel(x)))(x)))

    found = postfactum(W, f, g, eta, tolerance=1e-9)
    assert found.adaptation.value == pytest.approx(own[np.abs(own).argmax()], rel=1e-6)
    assert found.curvature.value == pytest.approx(
        np.linalg.eigvalsh(jax.jit(jax.hessian(h))(x))[0], rel=1e-5
    )
    # Inside the spectrum the one nearest to zero is any that lies as near as the residual allows.
    assert abs(found.jacobian.value) <= np.abs(J).min() + found.jacobian.residual + 1e-9
    assert np.abs(J - found.jacobian.value).min() <= found.jacobian.residual + 1e-9
    assert found.value == pytest.approx(float(h(x)))
    assert found.gradient_norm == pytest.approx(float(np.linalg.norm(jax.grad(h)(x))))
    assert found.products > 0


def test_a_good_point_meets_the_conditions_and_a_long_step_does_not():
    A = np.diag(np.linspace(1.0, 5.0, 30))

    def f(W):
        return 0.5 * W @ A @ W

    good, bad = postfactum(np.zeros(30), f, eta=0.1), postfactum(np.zeros(30), f, eta=0.3)
    assert good.meets_theorem_2
    assert not bad.meets_theorem_2
    assert good.jacobian.value == pytest.approx(0.5, rel=1e-3)
    assert str(good).startswith("observed")
    assert "proof" in str(good)


def test_a_saddle_does_not():
    signs = np.ones(12)
    signs[3] = -1
    assert not postfactum(np.zeros(12), lambda W: 0.5 * (signs * W) @ W, eta=0.1).meets_theorem_2


def test_bad_input():
    with pytest.raises(ProblemError, match="eta"):
        postfactum(np.zeros(5), lambda W: W @ W, eta=0.0)
    with pytest.raises(ProblemError, match="three"):
        postfactum(np.zeros(2), lambda W: W @ W)
    mixed = {"a": np.zeros(5, np.float32), "b": np.zeros(5)}
    with pytest.raises(ProblemError, match=r"float32, float64"):
        postfactum(mixed, lambda W: jnp.sum(W["a"] ** 2) + jnp.sum(W["b"] ** 2))
    with pytest.raises(ProblemError, match="finite"):
        postfactum(np.zeros(5), lambda W: jnp.log(W).sum())
