"""One LQR task: simulation and autodiff as second routes, the rim, exact numbers, messages."""

from decimal import Decimal
from fractions import Fraction

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg

from benign.errors import BenignError, ProblemError
from benign.exact.problem import Plant
from benign.tasks import lqr_by_jax as module
from benign.tasks.lqr import LQR, Status

GOLDEN = (1 + 5**0.5) / 2


def random_task(seed: int, n: int, m: int, **settings) -> LQR:
    rng = np.random.default_rng(seed)

    def positive(size):
        X = rng.normal(size=(size, size))
        return X @ X.T / size + 0.2 * np.eye(size)

    A = 1.1 * rng.normal(size=(n, n)) / np.sqrt(n)
    return LQR(A, rng.normal(size=(n, m)), positive(n), positive(m), positive(n), **settings)


def simulated_cost(task: LQR, W: np.ndarray, steps: int) -> float:
    """Σ γᵗ E[s'Qs + a'Ra], the second moment carried forward one step at a time."""
    A, B, Q, R, moment = (np.asarray(x) for x in (task.A, task.B, task.Q, task.R, task.S0))
    noise = 0 if task.noise is None else np.asarray(task.noise)
    gamma, total = float(task.discount), 0.0
    for t in range(steps):
        total += gamma**t * np.trace((Q + W.T @ R @ W) @ moment)
        moment = (A - B @ W) @ moment @ (A - B @ W).T + noise
    return total


@pytest.mark.parametrize("settings", [{}, {"discount": 0.9}, {"discount": 0.9, "noise": "given"}])
@pytest.mark.parametrize(("n", "m"), [(1, 1), (2, 1), (3, 2)])
def test_cost_is_the_simulated_sum(n, m, settings):
    if "noise" in settings:
        settings = settings | {"noise": 0.3 * np.eye(n) + 0.1}
    task = random_task(n, n, m, **settings)
    W = np.asarray(task.optimum().W) * 0.9
    assert int(task.status(W)) == Status.STABILISING
    assert float(task.cost(W)) == pytest.approx(simulated_cost(task, W, 4000), rel=1e-11)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (3, 2)])
def test_average_cost_is_the_mean_over_a_long_run_and_the_limit_of_the_discount(n, m):
    task = random_task(n, n, m)
    N = 0.3 * np.eye(n) + 0.1
    data = task.A, task.B, task.Q, task.R
    average = LQR.average_cost(*data, N)
    W = np.asarray(task.optimum().W) * 0.9
    # From the stationary second moment on, each step pays the average.
    S, L = np.zeros((n, n)), np.asarray(task.A - task.B @ W)
    for _ in range(4000):
        S = L @ S @ L.T + N
    stage = np.trace((task.Q + W.T @ task.R @ W) @ S)
    assert float(average.cost(W)) == pytest.approx(float(stage), rel=1e-11)
    limits = [float(LQR(*data, task.S0, noise=N, discount=1 - x).cost(W)) * x for x in (1e-4, 1e-6)]
    errors = [abs(limit / float(average.cost(W)) - 1) for limit in limits]
    assert errors[1] < 1e-4
    assert errors[0] / errors[1] == pytest.approx(100, rel=0.1)


def test_discount_lets_an_unstable_loop_have_a_finite_cost():
    task = LQR(1.05, 1, 1, 1, discount=0.5)
    assert float(task.cost(0.0)) == pytest.approx(1 / (1 - 0.5 * 1.05**2), rel=1e-14)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (2, 2), (3, 2)])
def test_optimum(n, m):
    task = random_task(5, n, m)
    found = task.optimum()
    P = scipy.linalg.solve_discrete_are(*(np.asarray(x) for x in (task.A, task.B, task.Q, task.R)))
    assert np.asarray(found.P) == pytest.approx(P, rel=1e-10)
    assert float(found.cost) == pytest.approx(float(task.cost(found.W)), rel=1e-12)
    assert np.abs(task.gradient(found.W)).max() < 1e-10 * float(found.cost)
    nearby = np.asarray(found.W) + 1e-2 * np.random.default_rng(0).normal(size=(20, m, n))
    assert (jax.vmap(task.cost)(nearby) > found.cost).all()


def test_the_golden_ratio():
    """a = b = q = r = 1: p² = p + 1 and W* = p/(1 + p) = 1/p."""
    found = LQR(1, 1, 1, 1).optimum()
    assert float(found.cost) == pytest.approx(GOLDEN, rel=1e-15)
    assert float(found.W[0, 0]) == pytest.approx(1 / GOLDEN, rel=1e-15)
    assert str(found).startswith("cost 1.618")


@pytest.mark.parametrize(("n", "m"), [(1, 1), (2, 1), (3, 2)])
def test_formulas_are_the_derivatives_of_the_cost(n, m):
    task = random_task(9, n, m, discount=0.95)
    rng = np.random.default_rng(1)
    W = np.asarray(task.optimum().W) + 0.05 * rng.normal(size=(m, n))
    E = rng.normal(size=(m, n))
    gradient, hessian, third = jax.jit(
        lambda W: (
            jax.grad(task.cost)(W),
            jax.hessian(task.cost)(W),
            jax.jvp(jax.hessian(task.cost), (W,), (E,))[1],
        )
    )(W)
    assert np.asarray(task.gradient(W)) == pytest.approx(np.asarray(gradient), rel=1e-10)
    size = np.abs(hessian).max()
    assert np.asarray(task.hessian(W)) == pytest.approx(np.asarray(hessian), abs=1e-11 * size)
    product = np.einsum("ijkl,kl->ij", hessian, E)
    assert np.asarray(task.hessian_product(W, E)) == pytest.approx(product, abs=1e-11 * size)
    step = 1e-5
    difference = (task.hessian(W + step * E) - task.hessian(W - step * E)) / (2 * step)
    # The error of the difference is of the order step² times two more derivatives.
    assert np.asarray(third) == pytest.approx(np.asarray(difference), abs=1e-5 * np.abs(third).max())
    assert float(jax.jvp(task.cost, (W,), (E,))[1]) == pytest.approx(
        float(np.sum(gradient * E)), rel=1e-10
    )


def test_the_cost_is_differentiable_in_the_numbers_of_the_task():
    task = random_task(4, 2, 1)
    W = task.optimum().W
    slope = jax.grad(lambda t: t.cost(W))(task)
    step = 1e-6
    for field in ("A", "B", "Q", "R", "S0"):
        where = (0, 0)

        def moved(by, field=field):
            value = getattr(task, field)
            return eqx.tree_at(lambda t: getattr(t, field), task, jnp.asarray(value).at[0, 0].add(by))

        difference = (moved(step).cost(W) - moved(-step).cost(W)) / (2 * step)
        assert float(getattr(slope, field)[where]) == pytest.approx(float(difference), rel=1e-6)


@pytest.mark.parametrize(("n", "m"), [(1, 1), (2, 1), (3, 2)])
def test_outside_the_stabilising_set(n, m):
    task = random_task(2, n, m)
    for W in (1e3 * np.ones((m, n)), 1e200 * np.ones((m, n)), np.full((m, n), np.nan)):
        assert task.cost(W) == np.inf
        assert int(task.status(W)) == Status.NOT_STABILISING
        derivatives = jax.jit(lambda W: (jax.grad(task.cost)(W), jax.hessian(task.cost)(W)))(W)
        ours = task.gradient(W), task.hessian(W), task.hessian_product(W, W)
        assert all((np.asarray(x) == 0).all() for x in (*derivatives, *ours))
    third = jax.jit(jax.jacfwd(jax.hessian(task.cost)))(1e3 * jnp.ones((m, n)))
    assert np.isfinite(third).all()


def test_statuses():
    task = LQR(1, 1, 1, 1)
    codes = jax.vmap(task.status)(jnp.array([0.5, 3.0]))
    assert codes.tolist() == [Status.STABILISING, Status.NOT_STABILISING]
    assert "spectral radius" in Status(int(codes[1])).message
    shift = 1e4 * np.eye(6, k=1) + 0.5 * np.eye(6)  # stable, powers up to 1e20
    stiff = LQR(shift, np.ones((6, 1)), np.eye(6), 1)
    assert int(stiff.status(np.zeros((1, 6)))) == Status.ILL_CONDITIONED
    assert stiff.cost(np.zeros((1, 6))) == np.inf


def test_a_scalar_gain_may_be_a_scalar():
    task = LQR(1, 1, 1, 1)
    for W in (0.6, jnp.array(0.6), np.array([[0.6]])):
        for result in (task.gradient(W), task.hessian_product(W, W)):
            assert result.shape == np.shape(W)
        assert task.hessian(W).shape == np.shape(W) * 2
        assert task.cost(W).shape == ()
    assert float(task.gradient(0.6)) == pytest.approx(float(jax.grad(task.cost)(0.6)), rel=1e-13)
    # C = (1 + w²)/(1 − (1 − w)²) = (1 + w²)/(w(2 − w)), by hand.
    assert float(task.cost(0.6)) == pytest.approx(1.36 / 0.84, rel=1e-15)
    with pytest.raises(ProblemError, match=r"`W`: expected a gain of shape \(1, 1\)"):
        task.cost(jnp.ones(3))


def test_another_task_of_the_same_shape_compiles_nothing():
    LQR("0.1", 1, 1, 1, name="first").cost(0.1)
    before = module.cost.__wrapped__._cache_size()
    LQR(Fraction(1, 7), 2, "3", 1, name="second").cost(0.2)
    assert module.cost.__wrapped__._cache_size() == before


# --- exact numbers ---------------------------------------------------------------------------


def test_exact_numbers_are_kept_and_floats_are_the_binary_numbers_they_are():
    task = LQR("0.1", 0.1, Decimal("0.3"), Fraction(1, 3), "2")
    expected = [Fraction(1, 10), Fraction(0.1), Fraction(3, 10), Fraction(1, 3), Fraction(2)]
    plant = task.exact_plant()
    assert [plant.A[0][0], plant.B[0][0], plant.Q[0][0], plant.R[0][0], plant.S0[0][0]] == expected
    assert LQR.from_exact(plant).exact_plant() == plant
    moved = eqx.tree_at(lambda t: t.Q, task, jnp.array([[0.25]]))
    assert moved.exact_plant().A[0][0] == Fraction(0.1)
    assert moved.exact_plant().Q[0][0] == Fraction(1, 4)


def test_exact_numbers_survive_the_pytree_and_carry_discount_and_noise():
    task = LQR([["0.1", 0], [1, "1/3"]], [0, 1], np.eye(2), 1, discount="0.9", noise=np.eye(2))
    leaves, treedef = jax.tree.flatten(task)
    again = jax.tree.unflatten(treedef, leaves)
    assert again.exact_plant() == task.exact_plant()
    assert again.exact_plant().discount == Fraction(9, 10)
    assert LQR.from_exact(again.exact_plant()).exact_plant() == task.exact_plant()
    one = ((Fraction(1),),)
    assert LQR(1, 1, 1, 1).exact_plant() == Plant(one, one, one, one, one)


def test_tracing_skips_the_checks_of_unknown_values():
    cost = jax.jit(lambda a: LQR(a, 1, [[a]], 1).cost(0.6))
    assert float(cost(1.0)) == pytest.approx(float(LQR(1, 1, 1, 1).cost(0.6)), rel=1e-15)
    assert np.isfinite(jax.grad(cost)(1.0))


def test_nearly_symmetric_is_symmetrised():
    Q = np.array([[1.0, 0.5], [0.5 + 1e-12, 1.0]])
    task = LQR(np.eye(2), np.eye(2), Q, np.eye(2))
    assert (task.Q == task.Q.T).all()
    assert task.exact_plant().Q[0][1] == task.exact_plant().Q[1][0]


# --- messages --------------------------------------------------------------------------------

I2 = np.eye(2)


@pytest.mark.parametrize(
    ("arguments", "settings", "message"),
    [
        ((1, 1, 1, -3e-4), {"name": "pitch"}, r"task `pitch`: `R` must be positive definite; its "
         r"smallest eigenvalue is -3e-4"),
        ((1, 1, 1, 0), {}, "LQR: `R` must be positive definite; its smallest eigenvalue is 0"),
        ((I2, I2, I2, np.ones((2, 2))), {}, "`R` must be positive definite"),
        ((1, 1, -1, 1), {}, "`Q` must be positive semidefinite; its smallest eigenvalue is -1"),
        ((1, 1, 1, 1, -1), {}, "`S0` must be positive semidefinite"),
        ((1, 1, 1, 1), {"noise": -1, "discount": 0.5}, "`noise` must be positive semidefinite"),
        ((1, 1, 1, 1), {"noise": 1}, "`noise` needs a discount below 1"),
        ((1, 1, 1, 1), {"discount": 0}, r"`discount` must lie in \(0, 1\], got 0"),
        ((1, 1, 1, 1), {"discount": "1.5"}, r"`discount` must lie in \(0, 1\], got 1.5"),
        ((1, 1, 1, 1), {"discount": [0.5, 0.5]}, "`discount` must be one number"),
        ((np.ones((2, 3)), 1, 1, 1), {}, r"`A` must be a square matrix, got shape \(2, 3\)"),
        ((I2, np.ones((3, 1)), I2, 1), {}, r"`B` must have a row for each of the 2 states"),
        ((I2, I2, np.eye(3), I2), {}, r"`Q` must have shape \(2, 2\), got \(3, 3\)"),
        ((I2, I2, I2, 1), {}, r"`R` must have shape \(2, 2\), got \(\)"),
        ((I2, I2, [[1, 2], [0, 1]], I2), {}, "`Q` must be symmetric; it differs .* by 2"),
        ((np.nan, 1, 1, 1), {}, "`A` holds a NaN or an infinity"),
        ((1, 1, np.inf, 1), {}, "`Q` holds a NaN or an infinity"),
        (([[1, 2], [3]], 1, 1, 1), {}, "`A` has rows of different lengths"),
        (("one", 1, 1, 1), {}, "`A`: expected a number such as"),
        ((None, 1, 1, 1), {}, "`A`: expected a number, got None"),
        (("1e320", 1, 1, 1), {}, "`A` holds a number beyond the range of a float64"),
        ((1.2, 0, 1, 1), {}, r"\(A, B\) cannot be stabilised: .* eigenvalue 1.2;"),
        ((np.diag([0.5, 1.0]), [1, 0], I2, 1), {}, "eigenvalue 1;"),
        ((1.2, 0, 1, 1), {"discount": 0.9}, r"\(√γ A, √γ B\) cannot be stabilised"),
        ((1, 1, 1, 1), {"adaptation": LQR(I2, I2, I2, I2)}, "`adaptation` has 2 states"),
    ],
)  # fmt: skip
def test_what_is_not_well_posed_is_refused(arguments, settings, message):
    with pytest.raises(ProblemError, match=message):
        LQR(*arguments, **settings)


def test_with_jax_in_32_bits_the_numbers_have_64(single_precision):
    task = LQR("0.1", 1, 1, 1)
    assert task.A.dtype == np.float64
    assert task.A.item() == 0.1
    assert isinstance(task.optimum().W, np.ndarray)
    assert task.gradient(0.5).dtype == np.float64
    with pytest.raises(BenignError, match=r"^LQR.cost: .* within `with jax.enable_x64\(True\):`"):
        jax.jit(task.cost)(0.5)
    with pytest.raises(BenignError, match=r"^LQR: needs 64-bit floats"):
        jax.grad(lambda a: LQR(a, 1, 1, 1).A.sum())(0.5)


def test_a_discount_can_make_an_unreachable_mode_harmless():
    task = LQR(1.05, 0, 1, 1, discount=0.9)
    assert float(task.optimum().cost) == pytest.approx(1 / (1 - 0.9 * 1.05**2), rel=1e-13)
