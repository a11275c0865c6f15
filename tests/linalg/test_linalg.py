"""Lyapunov and Riccati: residuals of the equations, SciPy as second route, derivatives, the rim."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from benign.errors import BenignError
from benign.linalg import dare, dlyap, is_stable, optimal_gain, spectral_radius

SIZES = [1, 2, 3, 5, 20]


def loops(n: int, radius: float, count: int = 4, seed: int = 0) -> np.ndarray:
    """Random matrices of one spectral radius."""
    L = np.random.default_rng(seed).normal(size=(count, n, n))
    return radius * L / np.abs(np.linalg.eigvals(L)).max(axis=1)[:, None, None]


def close(actual, expected, relative):
    error = np.abs(np.asarray(actual) - np.asarray(expected)).max()
    assert error <= relative * np.abs(np.asarray(expected)).max()


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("radius", [0.0, 0.5, 0.99])
def test_dlyap_solves_its_equation(n, radius):
    L = loops(n, radius)
    S = np.random.default_rng(1).normal(size=(n, n))  # not symmetric, broadcast over L
    X = np.asarray(dlyap(L, S))
    close(X - L @ X @ L.swapaxes(1, 2), np.broadcast_to(S, L.shape), 1e-12 * np.abs(X).max())
    for one, solution in zip(L, X, strict=True):
        close(solution, scipy.linalg.solve_discrete_lyapunov(one, S, method="direct"), 1e-11)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_dlyap_near_the_rim(n):
    """A condition number of 1/(1 − ρ)² = 1e12 costs twelve of sixteen digits, not more."""
    L, S = loops(n, 1 - 1e-6), np.eye(n)
    direct = [scipy.linalg.solve_discrete_lyapunov(one, S, method="direct") for one in L]
    close(dlyap(L, S), direct, 1e-4)
    assert np.asarray(is_stable(L)).all()
    assert not np.asarray(is_stable(loops(n, 1 + 1e-6))).any()
    assert not np.asarray(is_stable(np.eye(n)))


@pytest.mark.parametrize("n", SIZES)
def test_dlyap_outside_is_infinite_with_zero_derivatives(n):
    L, S = jnp.asarray(loops(n, 1.2)), jnp.eye(n)
    assert (dlyap(L, S) == jnp.inf).all()
    assert (dlyap(L.at[0].set(jnp.nan), S) == jnp.inf).all()

    def trace(L):
        return jnp.trace(dlyap(L, S))

    assert (jax.jit(jax.grad(trace))(L[0]) == 0).all()
    if n <= 3:
        assert (jax.jit(jax.hessian(trace))(L[0]) == 0).all()


def test_dlyap_of_a_mixed_batch_keeps_lanes_apart():
    L = jnp.concatenate([jnp.asarray(loops(3, 0.9)), jnp.asarray(loops(3, 1.1))])
    gradients = jax.vmap(jax.grad(lambda L: jnp.trace(dlyap(L, jnp.eye(3)))))(L)
    assert np.isfinite(gradients).all()
    assert (np.abs(gradients[:4]).max(axis=(1, 2)) > 0).all()
    assert (gradients[4:] == 0).all()


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_dlyap_derivatives_of_three_orders(n):
    """Against jax's own derivatives of a dense Kronecker solve, a route that shares nothing."""
    L, S = jnp.asarray(loops(n, 0.8)[0]), jnp.asarray(loops(n, 1.0, seed=3)[0])
    E, K = jnp.asarray(loops(n, 1.0, seed=5)[:2])

    def by_kronecker(L, S):
        system = jnp.eye(n * n) - jnp.kron(L, L)
        return jnp.linalg.solve(system, S.reshape(-1)).reshape(n, n)

    def orders(solve):
        """(solution, first, second, third derivative along E; gradient of a functional)."""

        def along(t):
            return solve(L + t * E, S + t * K)

        first = jax.jacfwd(along)
        second = jax.jacfwd(first)
        gradient = jax.grad(lambda L, S: jnp.sum(K * solve(L, S)), argnums=(0, 1))
        mixed = jax.jvp(gradient, (L, S), (E, K))[1]
        return along(0.0), first(0.0), second(0.0), jax.jacfwd(second)(0.0), gradient(L, S), mixed

    ours = jax.tree.leaves(jax.jit(lambda: orders(dlyap))())
    theirs = jax.tree.leaves(jax.jit(lambda: orders(by_kronecker))())
    for mine, other in zip(ours, theirs, strict=True):
        close(mine, other, 1e-10)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (1, 2), (2, 1), (3, 2), (6, 2), (20, 3)])
def test_dare_solves_its_equation(n, m):
    rng = np.random.default_rng(n)
    # Spectral radii about 1.5: unstable, yet a P whose conditioning leaves the digits asked for.
    A, B = 1.5 / np.sqrt(n) * rng.normal(size=(4, n, n)), rng.normal(size=(4, n, m))
    Q, R = np.diag(rng.uniform(0, 2, n)), np.diag(rng.uniform(0.5, 2, m))
    P = np.asarray(dare(A, B, Q, R))
    W = np.asarray(optimal_gain(A, B, R, P))
    residual = Q + A.swapaxes(1, 2) @ P @ (A - B @ W) - P
    assert np.abs(residual).max() <= 1e-11 * np.abs(P).max()
    assert (spectral_radius(A - B @ W) < 1).all()
    close(P, [scipy.linalg.solve_discrete_are(a, b, Q, R) for a, b in zip(A, B, strict=True)], 1e-9)


def test_dare_picks_the_stabilising_root_when_the_state_costs_nothing():
    """a = 2, b = r = 1, q = 0: p = 0 solves the equation too, but leaves the loop unstable."""
    one = np.ones((1, 1))
    assert float(dare(2 * one, one, 0 * one, one)[0, 0]) == pytest.approx(3, rel=1e-14)
    assert float(dare(0.5 * one, one, 0 * one, one)[0, 0]) == 0


@pytest.mark.parametrize("n", [1, 2])
def test_dare_without_a_stabilising_gain_is_infinite(n):
    A, B = 2 * jnp.eye(n), jnp.zeros((n, 1))
    P, derivative = jax.jvp(lambda A: dare(A, B, jnp.eye(n), jnp.eye(1)), (A,), (A,))
    assert jnp.isposinf(P).all()
    assert (derivative == 0).all()


@pytest.mark.parametrize(("n", "m"), [(1, 1), (3, 2)])
def test_dare_derivatives(n, m):
    """First and second, by central differences of the one below."""
    rng = np.random.default_rng(7)
    arguments = (rng.normal(size=(n, n)), rng.normal(size=(n, m)), np.eye(n), np.eye(m))
    direction = tuple(
        0.5 * (X + X.T) if i > 1 else X
        for i, X in enumerate(rng.normal(size=X.shape) for X in arguments)
    )

    def along(t):
        moved = [x + t * d for x, d in zip(arguments, direction, strict=True)]
        return jnp.sum(dare(*moved) ** 2)

    slope = jax.jit(jax.grad(along))
    step = 1e-5
    difference = (along(step) - along(-step)) / (2 * step)
    # Truncation is of the order step² = 1e-10 relative, rounding 1e-16/step = 1e-11.
    assert float(slope(0.0)) == pytest.approx(float(difference), rel=1e-7)
    curvature = float(jax.jit(jax.grad(slope))(0.0))
    difference = (slope(step) - slope(-step)) / (2 * step)
    assert curvature == pytest.approx(float(difference), rel=1e-7)


@pytest.mark.parametrize("n", SIZES)
def test_spectral_radius(n):
    L = np.concatenate([loops(n, 0.3), loops(n, 7.0)])
    close(spectral_radius(L), [0.3] * 4 + [7.0] * 4, 1e-13)


def test_strong_non_normality_is_never_taken_for_stability():
    """Whatever the squaring says "stable" of, LAPACK's eigenvalues agree."""
    rng = np.random.default_rng(11)
    agreed = 0
    for growth in (0.3, 1.0, 3.0):
        T = growth * np.triu(rng.normal(size=(60, 16, 16)), 1)
        T[:, range(16), range(16)] = rng.uniform(-1, 1, (60, 16)) * rng.choice([0.99, 1.05], (60, 1))
        U = np.linalg.qr(rng.normal(size=(60, 16, 16)))[0]
        L = U @ T @ U.swapaxes(1, 2)
        stable = np.asarray(is_stable(L))
        truth = np.abs(T[:, range(16), range(16)]).max(axis=1) < 1
        assert not (stable & ~truth).any()
        agreed += int((stable == truth).sum())
    assert agreed >= 120  # the two milder thirds


@pytest.mark.parametrize(
    "verb", [dlyap, lambda L, S: dare(L, S, S, S), lambda L, S: spectral_radius(L)]
)
def test_with_jax_in_32_bits_the_answers_have_64(single_precision, verb):
    L, S = np.full((1, 1), 1 / 3), np.eye(1)
    found = verb(L, S)
    assert found.dtype == np.float64
    with jax.enable_x64(True):
        np.testing.assert_array_equal(found, verb(L, S))
    for transformed in (jax.jit(verb), jax.vmap(verb)):
        with pytest.raises(BenignError, match="64-bit"):
            transformed(L[None], S[None])


def test_an_unstable_mode_of_price_zero_has_its_optimum():
    """A = [[2, 1], [0, 1.5]], B = e₂, Q = 0, R = 1: W = [2, 7/3], cost 20, by hand."""
    A, B = np.array([[2.0, 1.0], [0.0, 1.5]]), np.array([[0.0], [1.0]])
    P = dare(A, B, np.zeros((2, 2)), np.eye(1))
    assert np.asarray(P) == pytest.approx(np.array([[12.0, 9.0], [9.0, 8.0]]), rel=1e-12)
    W = np.asarray(optimal_gain(A, B, np.eye(1), P))
    assert pytest.approx(np.array([[2.0, 7 / 3]]), rel=1e-12) == W
    # The closed loop has the mirror images of the unstable modes.
    assert sorted(np.linalg.eigvals(A - B @ W).real) == pytest.approx([0.5, 2 / 3])


@pytest.mark.parametrize("exponent", [(0, 0, 0), (30, 0, -5), (-20, 14, 3), (0, -40, 0)])
def test_the_riccati_equation_does_not_mind_units(exponent):
    """s̃ = D s with powers of two: P̃ = D⁻¹ P D⁻¹ to the last bit."""
    rng = np.random.default_rng(11)
    A, B = rng.normal(size=(3, 3)), rng.normal(size=(3, 1))
    D = np.diag(2.0 ** np.array(exponent))
    E = np.diag(2.0 ** -np.array(exponent))
    plain = np.asarray(dare(A, B, np.eye(3), np.eye(1)))
    scaled = np.asarray(dare(D @ A @ E, D @ B, E @ E, np.eye(1)))
    assert np.isfinite(plain).all()
    assert D @ scaled @ D == pytest.approx(plain, rel=1e-9)
