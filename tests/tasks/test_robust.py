"""Mixed H2/H∞: the definition iterated, the norm over frequencies, SciPy's game, and the limit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from task_reference import assert_derivatives, assert_never_nan, flat, positive

from benign.errors import ProblemError
from benign.tasks.bounded_real import log_det
from benign.tasks.descent import DescentStatus, descend
from benign.tasks.lqr import LQR
from benign.tasks.robust import MixedH2Hinf, RobustStatus
from benign.tasks.task import Task

_status = jax.jit(lambda cost, W: cost.status(W))
_optimum = jax.jit(lambda cost: cost.optimum())

SIZES = [(1, 1, 1), (3, 2, 2)]


def random_data(seed: int, n: int, m: int, d: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "A": 1.1 * rng.normal(size=(n, n)) / np.sqrt(n),
        "B": rng.normal(size=(n, m)),
        "D": 0.5 * rng.normal(size=(n, d)),
        "Q": positive(rng, n),
        "R": positive(rng, m),
    }


def norm_over_frequencies(data, W, points: int = 20_001) -> float:
    """max σ(C (zI − L)⁻¹ D) on the unit circle, C'C = Q + W'RW."""
    A, B, D, Q, R = (data[x] for x in "ABDQR")
    L, C = A - B @ W, scipy.linalg.cholesky(Q + W.T @ R @ W)
    z = np.exp(1j * np.linspace(0, np.pi, points))[:, None, None]
    transfer = C @ np.linalg.solve(z * np.eye(len(L)) - L, np.broadcast_to(D, (points, *D.shape)))
    return float(np.linalg.norm(transfer, 2, axis=(1, 2)).max())


def game_by_scipy(data, gamma):
    """P* of the game: a Riccati equation with the disturbance as an input of negative cost."""
    A, B, D, Q, R = (data[x] for x in "ABDQR")
    indefinite = scipy.linalg.block_diag(R, -(gamma**2) * np.eye(D.shape[1]))
    P = scipy.linalg.solve_discrete_are(A, np.hstack([B, D]), Q, indefinite)
    d = D.shape[1]
    inflated = P + P @ D @ np.linalg.inv(gamma**2 * np.eye(d) - D.T @ P @ D) @ D.T @ P
    return np.linalg.solve(R + B.T @ inflated @ B, B.T @ inflated @ A), P


def by_definition(data, gamma, W, rounds: int = 300):
    """J with P from iterating its equation, in the form of the theory, under plain autodiff."""
    A, B, D, Q, R = (jnp.asarray(data[x]) for x in "ABDQR")
    L, n, d = A - B @ W, len(A), D.shape[1]

    def once(P, _):
        inner = gamma**2 * jnp.eye(d) - D.T @ P @ D
        return Q + W.T @ R @ W + L.T @ (P + P @ D @ jnp.linalg.solve(inner, D.T @ P)) @ L, None

    P, _ = jax.lax.scan(once, jnp.zeros((n, n)), length=rounds)
    return -(gamma**2) * jnp.linalg.slogdet(jnp.eye(n) - P @ D @ D.T / gamma**2)[1]


def near_the_optimum(seed, n, m, d, gamma_by=1.5):
    """Data, a level that is tight but attainable, and a feasible gain."""
    data = random_data(seed, n, m, d)
    W, _ = game_by_scipy(data, 1e3)
    gamma = gamma_by * norm_over_frequencies(data, W)
    rng = np.random.default_rng(seed)
    return data, gamma, W + 0.02 * rng.normal(size=W.shape)


@pytest.mark.parametrize(("n", "m", "d"), SIZES)
def test_cost_and_derivatives(n, m, d):
    data, gamma, W = near_the_optimum(n, n, m, d)
    cost = MixedH2Hinf(**data, gamma=gamma)
    E = np.random.default_rng(5).normal(size=W.shape)
    assert_derivatives(cost, jnp.asarray(W), jnp.asarray(E), rel=1e-8)
    value, slope = jax.jit(jax.value_and_grad(lambda W: by_definition(data, gamma, W)))(W)
    assert float(Task(cost).value(W)) == pytest.approx(float(value), rel=1e-11)
    gradient = np.asarray(Task(cost).gradient(W))
    assert gradient == pytest.approx(np.asarray(slope), abs=1e-9 * np.abs(gradient).max())


@pytest.mark.parametrize(("n", "m", "d"), SIZES)
def test_feasible_exactly_where_the_norm_is_below_the_level(n, m, d):
    data, _, W = near_the_optimum(7, n, m, d)
    norm = norm_over_frequencies(data, W)
    loose = MixedH2Hinf(**data, gamma=100 * norm)

    @jax.jit
    def status(gamma):
        cost = MixedH2Hinf(*(data[x] for x in "ABDQR"), gamma=gamma)
        return cost.status(W), cost.value(W)

    # The grid of frequencies misses the peak by less than 1e-6 of it.
    for factor in (1 + 1e-5, 1 - 1e-5, 2, 0.5):
        code, value = status(factor * norm)
        assert int(code) == (RobustStatus.FEASIBLE if factor > 1 else RobustStatus.LEVEL_EXCEEDED)
        assert np.isfinite(value) == (factor > 1)
    assert int(_status(loose, 1e3 * np.ones((m, n)))) == RobustStatus.NOT_STABILISING
    assert "spectral radius" in RobustStatus(1).message


@pytest.mark.parametrize(("n", "m", "d"), SIZES)
def test_a_large_level_gives_the_h2_cost(n, m, d):
    data, _, W = near_the_optimum(3, n, m, d)
    lqr = LQR(*(data[x] for x in "ABQR"), data["D"] @ data["D"].T)
    relative = []
    for gamma in (1e2, 1e3, 1e8):
        task = Task(MixedH2Hinf(**data, gamma=gamma))
        assert float(task.value(W)) >= float(lqr.cost(W)) * (1 - 1e-14)
        relative.append(float(task.value(W)) / float(lqr.cost(W)) - 1)
        error = np.abs(np.asarray(task.gradient(W)) - np.asarray(lqr.gradient(W))).max()
        assert error <= 10 * abs(relative[-1]) * np.abs(lqr.gradient(W)).max() + 1e-11
    # The difference falls as γ⁻², and no digit is lost when γ⁻² is at the size of a rounding.
    assert relative[0] / relative[1] == pytest.approx(100, rel=0.05)
    assert abs(relative[2]) < 1e-12


@pytest.mark.parametrize(("n", "m", "d"), SIZES)
def test_the_optimum_is_that_of_the_game(n, m, d):
    data, gamma, W = near_the_optimum(11, n, m, d, 1.2)
    task = Task(MixedH2Hinf(**data, gamma=gamma))
    found = _optimum(task)
    expected, P = game_by_scipy(data, gamma)
    assert np.asarray(found.W) == pytest.approx(expected, rel=1e-8, abs=1e-9)
    spread = P @ data["D"] @ data["D"].T
    J = -(gamma**2) * np.linalg.slogdet(np.eye(n) - spread / gamma**2)[1]
    assert float(found.value) == pytest.approx(J, rel=1e-10)
    assert np.abs(task.gradient(found.W)).max() < 1e-9 * float(found.value)
    nearby = found.W + 1e-2 * np.random.default_rng(0).normal(size=(20, m, n))
    assert (jax.vmap(task.value)(nearby) > found.value).all()
    end = descend(task.f, W, steps=3000)
    assert end.status is not DescentStatus.STALLED
    # Plain descent is slow where J is ill-conditioned; it must close the gap by far the most part.
    gap, left = (float(x - found.value) for x in (task.value(W), end.value))
    assert -1e-12 * float(found.value) <= left < 0.01 * gap


def test_the_cost_is_finite_on_the_rim_and_descent_does_not_cross_it():
    """n = 1, closed form: norm = D√(q + rw²)/(1 − |a − w|)."""
    cost = MixedH2Hinf(1.0, 1.0, 1.0, 1.0, 1.0, gamma=2.2)
    w = np.linspace(0.05, 1.95, 2001)
    values = np.asarray(jax.vmap(Task(cost).value)(w))
    norm = np.sqrt(1 + w**2) / (1 - np.abs(1 - w))
    np.testing.assert_array_equal(np.isfinite(values), norm < 2.2)
    inside = np.flatnonzero(np.isfinite(values))
    assert values[inside[[0, -1]]].max() < 4 * values[inside].min()
    # A first step so long that it leaves the set on the other side.
    start = w[inside[1]]
    end = descend(cost, start, first_step=10.0)
    assert end.status is DescentStatus.CONVERGED
    assert int(end.infeasible) > 0
    assert float(end.W) == pytest.approx(float(_optimum(cost).W[0, 0]), abs=1e-6)
    assert "infeasible" in str(end)


@pytest.mark.parametrize(("n", "m", "d"), SIZES)
def test_outside(n, m, d):
    data, gamma, W = near_the_optimum(2, n, m, d)
    cost = MixedH2Hinf(**data, gamma=gamma)
    assert_never_nan(cost, jnp.full((m, n), 1e3))
    assert_never_nan(cost, jnp.full((m, n), jnp.nan))
    assert_never_nan(cost, jnp.full((m, n), 1e200))
    exceeded = _first_exceeding(cost, W)
    assert int(_status(cost, exceeded)) == RobustStatus.LEVEL_EXCEEDED
    assert_never_nan(cost, exceeded)


def _first_exceeding(cost, W):
    """A gain on a ray that stabilises but exceeds the level."""
    E = np.random.default_rng(1).normal(size=W.shape)
    ray = jnp.asarray(W + np.linspace(0, 5, 400)[:, None, None] * E)
    codes = np.asarray(jax.vmap(_status, in_axes=(None, 0))(cost, ray))
    return ray[np.flatnonzero(codes == RobustStatus.LEVEL_EXCEEDED)[0]]


def test_log_det():
    rng = np.random.default_rng(0)
    Y = positive(rng, 4)
    Y *= 0.9 / np.linalg.eigvalsh(Y)[-1]
    run = jax.jit(log_det)
    assert float(run(Y)[0]) == pytest.approx(-np.linalg.slogdet(np.eye(4) - Y)[1], rel=1e-13)
    assert float(run(1e-18 * Y)[0]) == pytest.approx(1e-18 * np.trace(Y), rel=1e-14)
    assert bool(run(Y)[1])
    assert not bool(run(Y / 0.8)[1])
    assert np.isfinite(jax.jit(jax.hessian(lambda Y: log_det(Y)[0]))(Y / 0.8)).all()
    slope = jax.jit(jax.grad(lambda Y: log_det(Y)[0]))(Y)
    # The derivative of −log det(I − Y) is (I − Y)⁻¹, up to what symmetry identifies.
    assert flat(slope + slope.T) == pytest.approx(flat(2 * np.linalg.inv(np.eye(4) - Y)), rel=1e-11)


def test_stacked_tasks_run_under_vmap():
    made = [near_the_optimum(seed, 2, 1, 1) for seed in range(3)]
    costs = [MixedH2Hinf(**data, gamma=gamma) for data, gamma, _ in made]
    gains = jnp.stack([W for _, _, W in made])
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *costs)
    run = jax.jit(lambda c, W: (c.value(W), c.gradient(W), c.optimum().value, c.status(W)))
    together = jax.jit(jax.vmap(run))(stacked, gains)
    for i, cost in enumerate(costs):
        for x, y in zip(together, run(cost, gains[i]), strict=True):
            assert np.asarray(x[i]) == pytest.approx(np.asarray(y), rel=1e-10)


I2 = np.eye(2)


@pytest.mark.parametrize(
    ("arguments", "gamma", "message"),
    [
        ((1, 1, 1, 1, 1), 1.0, r"`gamma` = 1 is too small: no gain attains it; the least level is "
         r"about 1\.\d+, so give a `gamma` above"),
        ((1, 1, 1, 1, 1), 0, "`gamma` must be positive and finite, got 0"),
        ((1, 1, 1, 1, 1), np.inf, "`gamma` holds an infinity|`gamma` must be positive and finite"),
        ((1, 1, 1, 1, 1), [1, 2], "`gamma` must be one number"),
        ((1, 1, 1, 1, 0), 5, "`R` must be positive definite"),
        ((1, 1, 1, -1, 1), 5, "`Q` must be positive semidefinite"),
        ((I2, I2, 1, I2, I2), 5, "`D` must have a row for each of the 2 states"),
        ((I2, I2, I2, 1, I2), 5, r"`Q` must have shape \(2, 2\)"),
        ((1.2, 0, 1, 1, 1), 5, r"\(A, B\) cannot be stabilised"),
        ((1, 1, np.nan, 1, 1), 5, "`D` holds a NaN or an infinity"),
    ],
)  # fmt: skip
def test_what_is_not_well_posed_is_refused(arguments, gamma, message):
    with pytest.raises(ProblemError, match=message):
        MixedH2Hinf(*arguments, gamma=gamma)


def test_the_least_level_of_the_message_is_the_least_level():
    """n = 1, a = b = d = q = r = 1: the least norm over all gains, by a fine grid."""
    w = np.linspace(0.01, 1.99, 200_001)
    least = (np.sqrt(1 + w**2) / (1 - np.abs(1 - w))).min()
    with pytest.raises(ProblemError, match=f"about {least:.3g}"):
        MixedH2Hinf(1, 1, 1, 1, 1, gamma=0.3)
    assert Task(MixedH2Hinf(1, 1, 1, 1, 1, gamma=1.001 * least)).feasible(w[len(w) // 2])


def test_descent_refuses_what_it_cannot_start_from():
    cost = MixedH2Hinf(1, 1, 1, 1, 1, gamma=4)
    with pytest.raises(ProblemError, match=r"the cost is \+inf at the start"):
        descend(cost, 5.0)
    with pytest.raises(ProblemError, match="`steps` must be positive, got 0"):
        descend(cost, 0.7, steps=0)
    short = descend(cost, 0.3, steps=1)
    assert short.status is DescentStatus.OUT_OF_STEPS
    assert int(short.steps) == 1
