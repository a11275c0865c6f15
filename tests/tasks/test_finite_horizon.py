"""Finite horizon: simulation, autodiff and differences as other routes; the Riccati recursion."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from task_reference import assert_derivatives, assert_never_nan, positive

from benign.errors import ProblemError
from benign.tasks.finite_horizon import FiniteHorizon
from benign.tasks.lqr import LQR
from benign.tasks.task import Task


def random_data(seed: int, T: int, n: int, m: int) -> dict[str, np.ndarray]:
    """Non-stationary data with noise and a terminal cost."""
    rng = np.random.default_rng(seed)
    return {
        "A": 1.1 * rng.normal(size=(T, n, n)) / np.sqrt(n),
        "B": rng.normal(size=(T, n, m)),
        "Q": np.stack([positive(rng, n) for _ in range(T)]),
        "R": np.stack([positive(rng, m) for _ in range(T)]),
        "Qf": positive(rng, n),
        "S0": positive(rng, n),
        "noise": np.stack([positive(rng, n) for _ in range(T)]),
    }


def simulated(data, W, gamma=1.0) -> float:
    """The second moment carried forward, the stage costs summed."""
    T, moment, total = len(data["A"]), data["S0"], 0.0
    for t in range(T):
        gain = W[t] if np.ndim(W) == 3 else W
        total += gamma**t * np.trace((data["Q"][t] + gain.T @ data["R"][t] @ gain) @ moment)
        L = data["A"][t] - data["B"][t] @ gain
        moment = L @ moment @ L.T + data["noise"][t]
    return total + gamma**T * np.trace(data["Qf"] @ moment)


@pytest.mark.parametrize("per_step", [False, True])
@pytest.mark.parametrize(("T", "n", "m", "gamma"), [(1, 1, 1, 1.0), (7, 3, 2, 1.0), (5, 2, 1, 0.8)])
def test_cost_and_derivatives(T, n, m, gamma, per_step):
    data = random_data(T, T, n, m)
    cost = FiniteHorizon(**data, horizon=T, per_step=per_step, discount=gamma)
    rng = np.random.default_rng(3)
    W, E = (jnp.asarray(0.5 * rng.normal(size=cost.shape)) for _ in range(2))
    assert cost.shape == ((T, m, n) if per_step else (m, n))
    assert float(Task(cost).value(W)) == pytest.approx(simulated(data, np.asarray(W), gamma), rel=1e-13)
    assert_derivatives(cost, W, E)


def test_the_cost_is_the_mean_over_simulated_paths():
    data = random_data(8, 3, 2, 1)
    W = np.array([[0.3, -0.2]])
    rng = np.random.default_rng(0)
    paths = 200_000

    def draw(S):
        return rng.multivariate_normal(np.zeros(2), S, paths)

    s, totals = draw(data["S0"]), np.zeros(paths)
    for t in range(3):
        a = -s @ W.T
        totals += np.einsum("pi,ij,pj->p", s, data["Q"][t], s)
        totals += np.einsum("pi,ij,pj->p", a, data["R"][t], a)
        s = s @ data["A"][t].T + a @ data["B"][t].T + draw(data["noise"][t])
    totals += np.einsum("pi,ij,pj->p", s, data["Qf"], s)
    error = totals.std() / np.sqrt(paths)
    exact = float(Task(FiniteHorizon(**data, horizon=3)).value(W))
    assert error < 0.01 * exact
    assert abs(totals.mean() - exact) < 4 * error


def test_the_optimum_of_a_gain_a_step():
    T, n, m = 6, 3, 2
    data = random_data(1, T, n, m)
    cost = Task(FiniteHorizon(**data, horizon=T, per_step=True))
    found = cost.optimum()
    # Dynamic programming by completing the square, in NumPy; the value is quadratic in the state.
    P, offset = data["Qf"], 0.0
    for t in reversed(range(T)):
        A, B, Q, R = (data[x][t] for x in "ABQR")
        offset += np.trace(P @ data["noise"][t])
        cross = B.T @ P @ A
        P = Q + A.T @ P @ A - cross.T @ np.linalg.inv(R + B.T @ P @ B) @ cross
    assert float(found.value) == pytest.approx(np.trace(P @ data["S0"]) + offset, rel=1e-12)
    assert float(found.value) == pytest.approx(float(cost.value(found.W)), rel=1e-13)
    assert np.abs(cost.gradient(found.W)).max() < 1e-11 * float(found.value)
    nearby = found.W + 1e-2 * np.random.default_rng(0).normal(size=(20, T, m, n))
    assert (jax.vmap(cost.value)(nearby) > found.value).all()
    fixed = Task(FiniteHorizon(**data, horizon=T))
    assert fixed.optimum() is None
    gains = np.random.default_rng(1).normal(size=(200, m, n))
    assert (jax.vmap(fixed.value)(gains) > found.value).all()


def test_a_repeated_gain_is_the_fixed_gain():
    data = random_data(2, 4, 2, 1)
    fixed, free = (Task(FiniteHorizon(**data, horizon=4, per_step=x)) for x in (False, True))
    W, E = np.array([[0.2, 0.1]]), np.array([[1.0, -2.0]])
    policy, along = np.stack([W] * 4), np.stack([E] * 4)
    assert float(fixed.value(W)) == float(free.value(policy))
    for ours, theirs in [
        (fixed.gradient(W), free.gradient(policy)),
        (fixed.hessian_product(W, E), free.hessian_product(policy, along)),
    ]:
        assert np.asarray(ours) == pytest.approx(np.asarray(theirs).sum(axis=0), rel=1e-12)


@pytest.mark.parametrize("settings", [{}, {"discount": 0.9, "noise": 0.3 * np.eye(2)}])
def test_a_long_horizon_is_the_infinite_one(settings):
    A, B, Q, R = [[1.0, 0.1], [0.0, 0.9]], [[0.0], [1.0]], np.eye(2), 1.0
    lqr = LQR(A, B, Q, R, **settings)
    W = np.array([[0.2, 0.4]])
    cost = Task(FiniteHorizon(A, B, Q, R, horizon=400, **settings))
    assert float(cost.value(W)) == pytest.approx(float(lqr.cost(W)), rel=1e-12)
    assert np.asarray(cost.gradient(W)) == pytest.approx(np.asarray(lqr.gradient(W)), rel=1e-11)
    # The first gain of the optimal policy is the stationary one; its cost is that of the LQR.
    policy = FiniteHorizon(A, B, Q, R, horizon=400, per_step=True, **settings).optimum()
    best = lqr.optimum()
    assert np.asarray(policy.W[0]) == pytest.approx(np.asarray(best.W), rel=1e-12)
    assert float(policy.value) == pytest.approx(float(best.cost), rel=1e-12)


def test_it_is_finite_where_no_gain_stabilises_and_infinite_where_float64_ends():
    cost = Task(FiniteHorizon(2.0, 0.0, 1.0, 1.0, horizon=3))
    # 1 + w² at each step, times 1, 4, 16.
    assert float(cost.value(2.0)) == pytest.approx(5 * 21, rel=1e-15)
    assert float(cost.gradient(2.0)) == pytest.approx(4 * 21, rel=1e-15)
    long = FiniteHorizon(1.0, 1.0, 1.0, 1.0, horizon=200)
    assert_never_nan(long, jnp.array(1e3))
    assert_never_nan(long, jnp.array(np.nan))


def test_a_discount_is_absorbed_and_scalars_may_be_scalars():
    by_hand = Task(FiniteHorizon(1, 1, [1, 0.5, 0.25], [2, 1, 0.5], 3 / 8, horizon=3))
    discounted = Task(FiniteHorizon(1, 1, 1, 2, 3, horizon=3, discount=0.5))
    W = 0.4
    assert float(by_hand.value(W)) == pytest.approx(float(discounted.value(W)), rel=1e-15)
    assert discounted.gradient(W).shape == ()
    assert discounted.gradient(jnp.array([[W]])).shape == (1, 1)


def test_stacked_tasks_run_under_vmap():
    costs = [FiniteHorizon(**random_data(seed, 4, 2, 1), horizon=4, per_step=True) for seed in range(3)]
    stacked = jax.tree.map(lambda *x: jnp.stack(x), *costs)
    W = 0.1 * np.ones((4, 1, 2))
    run = jax.jit(lambda c: (c.value(W), c.hessian_product(W, W), c.optimum().value))
    together = jax.jit(jax.vmap(run))(stacked)
    for i, cost in enumerate(costs):
        for x, y in zip(together, run(cost), strict=True):
            assert np.asarray(x[i]) == pytest.approx(np.asarray(y), rel=1e-12)


I2 = np.eye(2)


@pytest.mark.parametrize(
    ("arguments", "settings", "message"),
    [
        ((1, 1, 1, 1), {"horizon": 0}, "`horizon` must be an integer of at least 1, got 0"),
        ((1, 1, 1, 1), {"horizon": 2.5}, "`horizon` must be an integer of at least 1, got 2.5"),
        ((1, 1, 1, 1), {"horizon": True}, "`horizon` must be an integer"),
        ((1, 1, 1, 0), {"horizon": 3, "name": "pitch"}, r"task `pitch`: `R` must be positive definite"),
        ((1, 1, [1, 1, -2], 1), {"horizon": 3}, "step 2: `Q` must be positive semidefinite; its "
         "smallest eigenvalue is -2"),
        ((1, 1, [1, 1], 1), {"horizon": 3}, r"`Q` must have shape \(3, 1, 1\), a matrix a step, or"),
        ((1, 1, 1, 1, -1), {"horizon": 3}, "`Qf` must be positive semidefinite"),
        ((1, 1, 1, 1, 1, -1), {"horizon": 3}, "`S0` must be positive semidefinite"),
        ((I2, I2, [[1, 2], [0, 1]], I2), {"horizon": 2}, "`Q` must be symmetric"),
        ((I2, np.ones((3, 1)), I2, 1), {"horizon": 2}, r"`B` must have a row for each of the 2 states"),
        ((np.ones((2, 3)), 1, 1, 1), {"horizon": 2}, r"`A` must be a square matrix, got shape"),
        ((1, 1, 1, np.nan), {"horizon": 2}, "`R` holds a NaN or an infinity"),
        ((1, 1, 1, 1), {"horizon": 2, "noise": -1}, "`noise` must be positive semidefinite"),
        ((1, 1, 1, 1), {"horizon": 2, "discount": 1.5}, r"`discount` must lie in \(0, 1\], got 1.5"),
        ((1, 1, 1, 1), {"horizon": 2, "discount": [1, 1]}, "`discount` must be one number"),
        ((I2, I2, I2, I2), {"horizon": 2, "noise": 1}, r"`noise` must have shape \(2, 2, 2\)"),
    ],
)  # fmt: skip
def test_what_is_not_well_posed_is_refused(arguments, settings, message):
    with pytest.raises(ProblemError, match=message):
        FiniteHorizon(*arguments, **settings)


def test_gains_of_another_shape_are_refused():
    cost = FiniteHorizon(1, 1, 1, 1, horizon=3, per_step=True)
    with pytest.raises(ProblemError, match=r"`W`: expected gains of shape \(3, 1, 1\), got \(1, 1\)"):
        cost.value(np.ones((1, 1)))
