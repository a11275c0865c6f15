"""Equations in tiles: both layouts against SciPy, the verdict on stability, the conditioning limit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from benign.linalg import dare, dlyap, is_stable, optimal_gain
from benign.linalg.powers import FEWEST, LAST, Layout, in_tiles, lanes, solve, unknown_truth


def loops(n: int, radius, count: int, seed: int = 0) -> np.ndarray:
    """Random matrices of given spectral radii."""
    L = np.random.default_rng(seed).normal(size=(count, n, n))
    scale = np.broadcast_to(radius, count) / np.abs(np.linalg.eigvals(L)).max(axis=1)
    return scale[:, None, None] * L


def in_layout(layout: Layout, X: np.ndarray) -> jax.Array:
    return jnp.asarray(np.moveaxis(X, 0, -1) if layout.last else X)


def back(layout: Layout, X: jax.Array) -> np.ndarray:
    return np.moveaxis(np.asarray(X), -1, 0) if layout.last else np.asarray(X)


@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("n", [3, 5])
def test_both_equations_in_both_layouts(last, n):
    layout, L = Layout(last), loops(n, [0.3, 0.9, 0.999, 1.001, 2.0], 5)
    L = np.concatenate([L, np.full((1, n, n), np.nan), np.full((1, n, n), 1e200)])
    S = np.random.default_rng(1).normal(size=L.shape)
    S = S + S.swapaxes(1, 2)
    run = jax.jit(lambda L, S: solve(layout, (False, True), unknown_truth(S[0, 0, 0]), L, (S, S)))
    stable, _, solutions = run(in_layout(layout, L), in_layout(layout, S))
    assert stable.tolist() == [True] * 3 + [False] * 4
    assert stable.tolist() == np.asarray(is_stable(L)).tolist()
    for X, turned in zip(solutions, (False, True), strict=True):
        X = back(layout, X)
        assert (X[3:] == 0).all()
        for i in range(3):
            K = L[i].T if turned else L[i]
            expected = scipy.linalg.solve_discrete_lyapunov(K, S[i], method="direct")
            assert np.abs(X[i] - expected).max() <= 1e-11 * np.abs(expected).max()


def test_the_verdict_is_that_of_is_stable_on_non_normal_loops():
    rng = np.random.default_rng(5)
    n, count = 6, 400
    T = np.triu(rng.normal(size=(count, n, n)) * 10 ** rng.uniform(-1, 3, (count, 1, 1)), 1)
    T[:, range(n), range(n)] = rng.uniform(-1.02, 1.02, (count, n))
    run = jax.jit(lambda L: solve(Layout(True), (False,), unknown_truth(L[0, 0, 0]), L, (L,))[0])
    verdict, expected = np.asarray(run(jnp.moveaxis(T, 0, -1))), np.asarray(is_stable(T))
    assert 100 < expected.sum() < 380
    assert (verdict == expected).all()


@pytest.mark.parametrize("gap", [1e-1, 1e-3, 1e-6])
def test_the_error_is_that_of_the_conditioning(gap):
    """Orthogonal times ρ with S = I: X = I/(1 − ρ²) exactly. Relative error ≤ 3e-15/(1 − ρ)."""
    rho, n = 1 - gap, 4
    L = rho * np.linalg.qr(np.random.default_rng(2).normal(size=(2 * FEWEST, n, n)))[0]
    exact = np.eye(n) / ((1 - rho) * (1 + rho))
    X = np.asarray(dlyap(L, np.eye(n)))
    assert np.abs(X - exact).max() <= 3e-15 / gap * exact.max()


@pytest.mark.parametrize("n", [3, 4, LAST])
def test_many_equations_are_those_of_one(n):
    L = loops(n, np.linspace(0.1, 1.2, 2 * lanes(n) + 3), 2 * lanes(n) + 3)
    L[5] = np.nan
    S = np.random.default_rng(3).normal(size=L.shape)  # not symmetric
    many = np.asarray(dlyap(L, S))
    finite = np.isfinite(many).all(axis=(1, 2))
    assert (finite == np.asarray(is_stable(L))).all()
    assert np.isposinf(many[~finite]).all()
    one = np.stack([np.asarray(dlyap(L[i : i + 1], S[i : i + 1]))[0] for i in range(0, len(L), 17)])
    for mine, other in zip(many[::17], one, strict=True):
        if np.isfinite(other).all():
            assert np.abs(mine - other).max() <= 1e-11 * np.abs(other).max()


def test_derivatives_of_many():
    """Reverse, forward, and forward over reverse, against a dense Kronecker solve; zeros outside."""
    n, count = 3, FEWEST
    L = loops(n, np.r_[np.full(count - 1, 0.8), 1.3], count)
    rng = np.random.default_rng(4)
    S, weight, E = (rng.normal(size=L.shape) for _ in range(3))
    inside = np.arange(count) < count - 1

    def kron(L, S):
        system = jnp.eye(n * n) - jax.vmap(jnp.kron)(L, L)
        return jnp.linalg.solve(system, S.reshape(count, -1, 1)).reshape(S.shape)

    def total(solver):
        def value(L, S):
            X = solver(L, S)
            return jnp.sum(jnp.where(jnp.isfinite(X), weight * X, 0.0) * inside[:, None, None])

        gradient = jax.grad(value, argnums=(0, 1))
        return jax.jit(lambda L, S: jax.jvp(gradient, (L, S), (E, E)))(jnp.asarray(L), jnp.asarray(S))

    for mine, other in zip(jax.tree.leaves(total(dlyap)), jax.tree.leaves(total(kron)), strict=True):
        assert np.abs(mine - other)[inside].max() <= 1e-10 * np.abs(other[inside]).max()
        assert (np.asarray(mine)[~inside] == 0).all()


def test_tiles_fill_up_and_take_any_batch():
    X = np.arange(2 * 3 * 3, dtype=float).reshape(2, 3, 3, 1)
    (doubled,) = in_tiles(lambda X: (2 * X,), jnp.asarray(X), width=4)
    assert (np.asarray(doubled) == 2 * X).all()


@pytest.mark.parametrize(("n", "m"), [(2, 1), (4, 2), (8, 3)])
def test_many_riccati_equations(n, m):
    rng = np.random.default_rng(n)
    count = 64 + 9
    A, B = 1.5 / np.sqrt(n) * rng.normal(size=(count, n, n)), rng.normal(size=(count, n, m))
    Q, R = np.diag(rng.uniform(0, 2, n)), np.diag(rng.uniform(0.5, 2, m))
    P = np.asarray(dare(A, B, Q, R))
    L = A - B @ np.asarray(optimal_gain(A, B, R, P))
    residual = Q + A.swapaxes(1, 2) @ P @ L - P
    size = np.abs(P).max(axis=(1, 2))
    assert (np.abs(residual).max(axis=(1, 2)) <= 1e-11 * size).all()
    assert (np.abs(np.linalg.eigvals(L)).max(axis=1) < 1).all()
    for i in range(0, count, 11):
        expected = scipy.linalg.solve_discrete_are(A[i], B[i], Q, R)
        assert np.abs(P[i] - expected).max() <= 1e-9 * size[i]


def test_a_tile_that_needs_pivots_is_done_again():
    """The first pivot of I + GH, 1 + (GH)₁₁, is zero: elimination without pivots divides by it."""
    G, H = np.array([[1.0, -1.0], [-1.0, 2.0]]), np.array([[1.0, 2.0], [2.0, 5.0]])
    assert 1 + (G @ H)[0, 0] == 0
    count = FEWEST
    A = np.tile(np.array([[1.0, 0.3], [0.2, 0.9]]), (count, 1, 1))
    B = np.tile(np.linalg.cholesky(G), (count, 1, 1))
    P = np.asarray(dare(A, B, H, np.eye(2)))
    expected = scipy.linalg.solve_discrete_are(A[0], B[0], H, np.eye(2))
    assert np.abs(P - expected).max() <= 1e-12 * np.abs(expected).max()
    A[3] = 2 * np.eye(2)  # beside one that nothing stabilises
    B[3] = 0.0
    mixed = np.asarray(dare(A, B, H, np.eye(2)))
    assert np.isposinf(mixed[3]).all()
    assert np.abs(np.delete(mixed, 3, axis=0) - expected).max() <= 1e-12 * np.abs(expected).max()
