"""The closed loops of training, as one array and in tiles, against equations solved one by one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benign.meta import doubling
from benign.meta.doubling import closed_loop
from benign.tasks.regulator import Regulator

MANY = 200


def regulators(n: int, m: int, k: int) -> tuple[Regulator, jax.Array, jax.Array]:
    """k random problems, gains of which some do not stabilise, and directions."""
    rng = np.random.default_rng([n, m, k])
    A = rng.normal(size=(k, n, n))
    A *= (rng.uniform(0.3, 1.1, size=k) / np.abs(np.linalg.eigvals(A)).max(axis=1))[:, None, None]

    def definite(size: int) -> np.ndarray:
        X = rng.normal(size=(k, size, size)) / size
        return np.eye(size) + X @ X.transpose(0, 2, 1)

    B = 0.3 * rng.normal(size=(k, n, m))
    W, E = 0.1 * rng.normal(size=(2, k, m, n))
    return Regulator(*map(jnp.asarray, (A, B, definite(n), definite(m), definite(n)))), W, E


def results(loop, E):
    return loop.stable, loop.P, loop.gradient(), loop.hessian_product(E)


def trained(regulator, W, E):
    return results(closed_loop(regulator, W), E)


def alone(regulator, W, E):
    return results(regulator.at(W), E)


def assert_alike(found, expected):
    stable = np.asarray(expected[0])
    assert (np.asarray(found[0]) == stable).all()
    assert 0 < stable.mean() < 1
    for X, Y in zip(found[1:], expected[1:], strict=True):
        X, Y = (np.asarray(Z)[stable] for Z in (X, Y))
        scale = np.abs(Y).max(axis=(-1, -2), keepdims=True)
        assert (np.abs(X - Y) <= 1e-9 * scale).all()
    for X in found[2:]:
        assert not np.asarray(X)[~stable].any()


@pytest.mark.parametrize(
    ("n", "m", "k"), [(3, 1, 20), (3, 1, MANY), (4, 2, MANY), (8, 3, 40), (13, 2, 40)]
)
def test_many_loops(n, m, k):
    given = regulators(n, m, k)
    assert_alike(jax.jit(jax.vmap(trained))(*given), jax.vmap(alone)(*given))


def test_starts_times_tasks():
    """Two `vmap`s, the inner one over tasks: gains have both axes, problems one."""
    regulator, W, E = regulators(3, 1, MANY)
    scales = jnp.linspace(0.5, 2.0, 3)

    def over_tasks(one):
        return jax.vmap(one, in_axes=(0, 0, 0))

    def starts(one):
        return jax.vmap(lambda s: over_tasks(one)(regulator, s * W, E))(scales)

    assert_alike(jax.jit(lambda: starts(trained))(), starts(alone))


@pytest.mark.parametrize("k", [4, MANY])
def test_directions_times_tasks(k):
    """Few loops and many directions: the loops come as one array, their Hessian products in tiles."""
    regulator, W, _ = regulators(3, 1, k)
    E = np.random.default_rng(0).normal(size=(60, 1, 3))

    def over_directions(closed):
        def task(r, W):
            loop = closed(r, W)
            return loop.stable, jax.vmap(loop.hessian_product)(E)

        return jax.jit(jax.vmap(task))(regulator, W)

    (stable, found), (_, expected) = over_directions(closed_loop), over_directions(Regulator.at)
    assert stable.any()
    found, expected = (np.asarray(X)[stable] for X in (found, expected))
    assert (np.abs(found - expected) <= 1e-9 * np.abs(expected).max(axis=(-1, -2), keepdims=True)).all()


def test_tiles_are_used_where_they_are_worth_it():
    assert doubling._arithmetic(jnp.zeros((MANY, 3, 3))) is not None
    assert doubling._arithmetic(jnp.zeros((4, 3, 3))) is None
    assert doubling._arithmetic(jnp.zeros((MANY, 13, 13))) is None
