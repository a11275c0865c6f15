"""Rollouts: means against exact derivatives of the smoothed cost, with confidence intervals.

Every test of a mean also shows that it could have failed: the smoothed and the plain derivative, or
the truncated and the whole cost, differ by many standard errors.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benign.errors import ProblemError
from benign.tasks.lqr import LQR
from benign.tasks.sampled import SampledCost, SampledLQR, Sampling
from benign.tasks.stack import TaskStack
from benign.tasks.task import Task

SCALAR = LQR(1.0, 1.0, 1.0, 0.5, 2.0)
PLANE = LQR([[1.0, 0.3], [0.0, 0.8]], [[0.0], [1.0]], [[1.0, 0.2], [0.2, 0.5]], 0.3,
            [[1.0, 0.4], [0.4, 0.6]], discount=0.95, noise=[[0.1, 0.0], [0.0, 0.2]])  # fmt: skip
CASES = {
    "one gain": (SCALAR, np.array([[0.5]]), np.array([[1.5]])),
    "two gains": (PLANE, np.array([[0.4, 0.5]]), np.array([[1.0, -0.6]])),
}
KEYS = 400


def ball(r: float, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Points X and weights κ(X) dX of a quadrature over a ball in one or two dimensions."""
    x, w = np.polynomial.legendre.leggauss(12)
    if d == 1:
        points, weights = r * x[:, None], w * (1 - x**2)
    else:
        rho, w = (x + 1) / 2, w / 2
        angle = 2 * np.pi * np.arange(32) / 32
        unit = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
        points = (r * rho[:, None, None] * unit).reshape(-1, 2)
        weights = np.repeat(w * rho * (1 - rho**2), 32)
    return points, weights / weights.sum()


def smoothed(cost, W, E, r):
    """∇C_r and ∇²C_r[E]: exact derivatives of the truncated cost, averaged by quadrature."""
    points, weights = ball(r, W.size)
    exact = Task(cost.truncated())

    def at(X):
        return exact.gradient(W + X.reshape(W.shape)), exact.hessian_product(W + X.reshape(W.shape), E)

    gradients, products = jax.vmap(at)(jnp.asarray(points))
    return np.tensordot(weights, gradients, 1), np.tensordot(weights, products, 1)


def over_keys(cost, function, seed=7):
    """Mean and standard error of an estimate over independent keys."""
    keys = jax.random.split(jax.random.key(seed), KEYS)
    found = np.asarray(jax.jit(jax.vmap(lambda key: function(cost.resample(key))))(keys))
    return found.mean(axis=0), found.std(axis=0, ddof=1) / np.sqrt(KEYS)


@pytest.mark.parametrize("case", CASES)
def test_means_are_the_derivatives_of_the_smoothed_cost(case):
    lqr, W, E = CASES[case]
    r = 0.3
    cost = SampledCost(lqr, Sampling(horizon=6, radius=r, directions=1500), jax.random.key(0))
    gradient, product = smoothed(cost, W, E, r)
    plain = Task(cost.truncated())
    for function, exact, other in [
        (lambda c: c.gradient(W), gradient, plain.gradient(W)),
        (lambda c: c.hessian_product(W, E), product, plain.hessian_product(W, E)),
    ]:
        mean, error = over_keys(cost, function)
        # 4.4 standard errors are passed by chance once in 1e5.
        assert (np.abs(mean - exact) < 4.4 * error).all()
        assert (error < 0.02 * np.abs(exact).max()).all()
        assert np.abs((np.asarray(other) - exact) / error).max() > 10


@pytest.mark.parametrize("case", CASES)
def test_a_small_radius_gives_the_exact_derivatives(case):
    """With r = 1e-3 the bias, of order r², is far below the confidence interval."""
    lqr, W, E = CASES[case]
    cost = SampledCost(lqr, Sampling(horizon=20, radius=1e-3, directions=500), jax.random.key(0))
    plain = Task(cost.truncated())
    for function in (lambda c: c.gradient(W), lambda c: c.hessian_product(W, E)):
        mean, error = over_keys(cost, function)
        exact = np.asarray(function(plain))
        assert (np.abs(mean - exact) < 4.4 * error).all()
        assert (error < 0.02 * np.abs(exact).max()).all()


@pytest.mark.parametrize("case", CASES)
def test_the_value_is_unbiased_for_the_truncated_cost(case):
    lqr, W, _ = CASES[case]
    cost = SampledCost(lqr, Sampling(horizon=2, directions=300, rollouts=2), jax.random.key(0))
    mean, error = over_keys(cost, lambda c: c.value(W))
    exact = float(Task(cost.truncated()).value(W))
    assert abs(mean - exact) < 4.4 * error < 0.02 * exact
    assert abs(float(lqr.cost(W)) - exact) > 10 * error


def test_the_hessian_is_symmetric_and_one_key_is_one_function():
    lqr, W, _ = CASES["two gains"]
    task = SampledLQR(lqr, key=jax.random.key(3), f=Sampling(horizon=5, directions=3))
    columns = [np.ravel(task.hessian_product(W, E.reshape(1, 2))) for E in np.eye(2)]
    assert columns[0][1] == pytest.approx(columns[1][0], rel=1e-9)
    assert (task.gradient(W) == task.gradient(W)).all()
    other = task.resample(jax.random.key(4))
    assert (np.asarray(other.gradient(W)) != np.asarray(task.gradient(W))).all()
    assert (np.asarray(task.adaptation_gradient(W)) != np.asarray(task.gradient(W))).all()
    assert task.optimum() is None


def test_the_estimate_is_what_the_formula_says_for_a_quadratic_cost():
    """T = 1 and Q = 0: C = tr(W'RW s0s0'), so that ĝ is one dimensional algebra for each direction.

    With one gain, d = 1: V = ρU and ĝ = 3/(2r)·[(W + rV)² − (W − rV)²] R s0² V = 6 R s0² W V², of mean
    2 R S0 W since E V² = 1/3.
    """
    cost = SampledCost(LQR(0.0, 1.0, 0.0, 1.0), Sampling(horizon=1, directions=1, radius=0.2),
                       jax.random.key(1))  # fmt: skip
    W = 0.7
    s0_squared = float(cost.value(W)) / W**2
    assert s0_squared > 0
    single = [float(cost.resample(jax.random.key(k)).gradient(W)) for k in range(5)]
    assert len(set(single)) == 5
    assert all(g > 0 for g in single)
    mean, error = over_keys(
        SampledCost(cost.lqr, Sampling(horizon=1, directions=400), jax.random.key(0)),
        lambda c: c.gradient(W),
    )
    assert abs(mean - 2 * W) < 4.4 * error < 0.05


def test_rollouts_are_counted():
    sampling = Sampling(horizon=5, directions=30, rollouts=2)
    assert sampling.rollouts_for_value == 60
    assert sampling.rollouts_for_gradient == 120
    assert sampling.rollouts_for_hessian_product == 300


def test_an_unstable_gain_is_large_and_an_overflow_is_infinite():
    cost = SampledCost(LQR(1.0, 1.0, 1.0, 1.0), Sampling(horizon=400, directions=5), jax.random.key(0))
    task = Task(cost)
    assert float(task.value(3.0)) > 1e100
    assert task.value(1e3) == np.inf
    assert not task.feasible(1e3)
    assert float(task.gradient(1e3)) == 0
    assert float(task.hessian_product(1e3, 1.0)) == 0
    assert float(task.gradient(np.nan)) == 0


def test_stacked_and_taken_and_resampled():
    sampling = Sampling(horizon=5, directions=4)
    stack = TaskStack([SampledLQR(LQR(1.0, 1.0, q, 1.0), key=jax.random.key(0), f=sampling)
                       for q in (1.0, 2.0)])  # fmt: skip
    batch = stack.take(jnp.array([1, 0, 1]))
    values = jax.vmap(lambda task: task.value(0.5))(batch)
    assert values[0] == values[2] == pytest.approx(float(stack[1].value(0.5)), rel=1e-12)
    fresh = stack.resample(jax.random.key(9))
    values = jax.vmap(lambda task: task.value(0.5))(fresh)
    assert len({*np.asarray(values).tolist()}) == 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"horizon": 0}, "`horizon` must be an integer of at least 1, got 0"),
        ({"horizon": 5, "directions": 0}, "`directions` must be an integer of at least 1"),
        ({"horizon": 5, "rollouts": 1.5}, "`rollouts` must be an integer"),
        ({"horizon": 5, "radius": 0}, "`radius` must be one positive number, got 0"),
        ({"horizon": 5, "radius": np.nan}, "`radius` must be one positive number"),
    ],
)
def test_what_cannot_be_sampled_is_refused(settings, message):
    with pytest.raises(ProblemError, match=message):
        Sampling(**settings)


def test_a_key_must_be_a_key():
    with pytest.raises(ProblemError, match=r"`key` must come from jax.random.key"):
        SampledLQR(SCALAR, key=3, f=Sampling(horizon=5))
