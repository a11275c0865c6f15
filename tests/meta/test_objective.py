"""The meta-objective: against its definition step by step, autodiff, the rim, compilation counts."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benign.errors import BenignError, ProblemError
from benign.exact.problem import Problem, Step
from benign.meta import objective_by_jax as module
from benign.meta.adaptation import GradientStep, NormalizedStep
from benign.meta.objective import MetaObjective
from benign.tasks.family import TaskFamily
from benign.tasks.lqr import LQR

STEPS = [GradientStep(0.02), GradientStep("0.01", 3), NormalizedStep(0.05), NormalizedStep("0.03", 2)]


def scalar_family() -> TaskFamily:
    other = LQR(1.1, 1, 2, 1)
    return TaskFamily([LQR(1, 1, 1, 1), LQR("1.05", 1, 1, 2, adaptation=other)], ["1/3", "2/3"])


def planar_family() -> TaskFamily:
    rng = np.random.default_rng(3)
    A, B = np.array([[1.0, 0.2], [0.0, 0.9]]), np.array([[0.1], [1.0]])
    return TaskFamily([
        LQR(A + 0.02 * rng.normal(size=(2, 2)), B, np.eye(2), 1, discount=0.95, noise=0.1 * np.eye(2))
        for _ in range(3)
    ])  # fmt: skip


def start(family: TaskFamily) -> jax.Array:
    return 0.9 * family[0].optimum().W + 0.02


FAMILIES = [scalar_family, planar_family]
CASES = [
    *((scalar_family, step) for step in STEPS),
    (planar_family, STEPS[1]),
    (planar_family, STEPS[3]),
]


@jax.jit
def autodiff(objective: MetaObjective, W) -> tuple[jax.Array, jax.Array]:
    """∇h and ∇²h from the value alone."""
    return jax.grad(objective.value)(W), jax.hessian(objective.value)(W)


def defined(objective: MetaObjective, W) -> tuple[float, list, list]:
    """h, the task values and adapted gains as the definition says them, task by task."""
    step, values, gains = objective.step, [], []
    for task in objective.family:
        gain = np.asarray(W)
        for _ in range(step.shots):
            gradient = np.asarray(task.g.gradient(gain))
            length = np.linalg.norm(gradient) if isinstance(step, NormalizedStep) else 1.0
            gain = gain - float(step.eta) * gradient / length
        gains.append(gain)
        values.append(float(task.cost(gain)))
    return float(np.dot(objective.family.weights, values)), values, gains


@pytest.mark.parametrize(("family", "step"), CASES)
def test_it_reads_like_the_definition(family, step):
    objective = MetaObjective(family(), step)
    W = start(objective.family)
    value, values, gains = defined(objective, W)
    assert np.isfinite(value)
    assert float(objective.value(W)) == pytest.approx(value, rel=1e-13)
    assert np.asarray(objective.task_values(W)) == pytest.approx(values, rel=1e-13)
    assert np.asarray(objective.adapted(W)) == pytest.approx(np.array(gains), rel=1e-12)
    assert bool(objective.feasible(W))
    first = objective.family[0]
    assert np.asarray(step.adapt(first, W)) == pytest.approx(gains[0], rel=1e-12)


@pytest.mark.parametrize(("family", "step"), CASES)
def test_derivatives_are_those_of_the_value(family, step):
    objective = MetaObjective(family(), step)
    W = start(objective.family)
    E = jnp.asarray(np.random.default_rng(0).normal(size=W.shape))
    gradient, hessian = (np.asarray(x) for x in autodiff(objective, W))
    assert np.asarray(objective.gradient(W)) == pytest.approx(gradient, rel=1e-10)
    dense = np.asarray(objective.hessian(W))
    assert dense == pytest.approx(hessian, abs=1e-10 * np.abs(hessian).max())
    product = np.einsum("ijkl,kl->ij", dense, E)
    assert np.asarray(objective.hessian_product(W, E)) == pytest.approx(product, rel=1e-9)


@pytest.mark.parametrize("step", [GradientStep(0.02, 2), NormalizedStep(0.05, 2)])
@pytest.mark.parametrize("family", FAMILIES)
def test_outside_it_is_infinite_and_flat(family, step):
    objective = MetaObjective(family(), step)
    for W in (50 * start(objective.family), jnp.full_like(start(objective.family), jnp.nan)):
        assert objective.value(W) == jnp.inf
        assert not objective.feasible(W)
        assert (objective.task_values(W) == jnp.inf).all()
        derivatives = [objective.gradient(W), objective.hessian(W), objective.hessian_product(W, W)]
        derivatives += autodiff(objective, W)
        assert all((np.asarray(x) == 0).all() for x in derivatives)


def test_one_infeasible_task_makes_h_infinite():
    objective = MetaObjective(TaskFamily([LQR(1, 1, 1, 1), LQR(3, 1, 1, 1)]), GradientStep(0.001))
    W = 1.5  # 1 − W stabilises the first task, 3 − W = 1.5 not the second
    assert np.isfinite(objective.task_values(W)).tolist() == [True, False]
    assert objective.value(W) == jnp.inf
    assert objective.gradient(W) == 0
    assert jax.grad(objective.value)(W) == 0


def test_an_intermediate_gain_outside_counts_even_if_f_is_finite_everywhere_after():
    """f discounts, g does not: at W = 0 the loop of g is unstable, the one of f is not."""
    task = LQR(1.1, 1, 1, 1, discount=0.5, adaptation=LQR(1.1, 1, 1, 1))
    objective = MetaObjective(TaskFamily([task]), GradientStep(0.01))
    assert np.isfinite(task.cost(0.0))
    assert objective.value(0.0) == jnp.inf
    assert not objective.feasible(0.0)


def test_the_normalised_step_rests_where_the_gradient_vanishes():
    """u = 0 there: F(W) = W, finite derivatives. a = 0 has its optimum at W = 0 exactly."""
    objective = MetaObjective(TaskFamily([LQR(0, 1, 1, 1)]), NormalizedStep(0.1))
    assert objective.adapted(0.0).tolist() == [0.0]
    assert float(objective.value(0.0)) == 1.0
    results = [objective.gradient(0.0), objective.hessian(0.0)]
    results += autodiff(objective, 0.0)
    assert np.isfinite(results).all()


@pytest.mark.parametrize("scale", [1e-180, 1.0, 1e180])
def test_the_normalised_step_has_length_eta_whatever_the_size_of_the_gradient(scale):
    task = LQR(1, 1, scale, scale)
    moved = NormalizedStep(0.125).adapt(task, 0.9)
    assert float(moved) == pytest.approx(0.775, rel=1e-14)
    gradient = MetaObjective(TaskFamily([task]), NormalizedStep(0.125)).gradient(0.9)
    # In one dimension F is a shift, so ∇h(W) = f'(W − η).
    assert float(gradient) == pytest.approx(float(task.gradient(0.775)), rel=1e-12)


def test_gains_map_under_vmap_and_scalars_stay_scalars():
    objective = MetaObjective(scalar_family(), GradientStep(0.02))
    W = jnp.linspace(0.3, 4.0, 25)
    values, gradients = jax.vmap(objective.value)(W), jax.vmap(objective.gradient)(W)
    assert values.shape == gradients.shape == (25,)
    for i in (0, 7, 24):
        # The same arithmetic, vectorised in another order.
        assert float(values[i]) == pytest.approx(float(objective.value(W[i])), rel=1e-14)
        assert float(gradients[i]) == pytest.approx(float(objective.gradient(W[i])), rel=1e-13)
    assert np.isinf(values[-1])
    assert objective.adapted(0.6).shape == (2,)
    assert objective.adapted(np.array([[0.6]])).shape == (2, 1, 1)
    assert objective.hessian(0.6).shape == ()
    assert objective.hessian(np.array([[0.6]])).shape == (1, 1, 1, 1)
    with pytest.raises(ProblemError, match="`W`: expected a gain of shape"):
        objective.value(np.array([0.6, 0.7]))


def test_figure_1_of_the_paper():
    """The two local minima of h at the printed η = 0.1, to the six digits they were enclosed to."""
    objective = MetaObjective(TaskFamily([LQR(1, 1, 2, 2)]), GradientStep("0.1"))
    for W, h in ((0.618034, 3.236068), (0.873963, 3.236414)):
        assert float(objective.value(W)) == pytest.approx(h, abs=5e-7)
        assert float(objective.hessian(W)) > 0
        # W is off by half a unit of its last digit at most.
        assert abs(float(objective.gradient(W))) < 5.1e-7 * float(objective.hessian(W))


def test_the_order_of_the_tasks_does_not_matter():
    family = planar_family()
    turned = TaskFamily(list(family)[::-1], [1, 1, 1])
    W, step = start(family), GradientStep(0.02, 2)
    one, other = MetaObjective(family, step), MetaObjective(turned, step)
    assert float(one.value(W)) == pytest.approx(float(other.value(W)), rel=1e-14)
    assert np.asarray(one.gradient(W)) == pytest.approx(np.asarray(other.gradient(W)), rel=1e-11)


def test_another_eta_or_family_compiles_nothing():
    verbs = [getattr(module, name).__wrapped__ for name in ("value", "gradient", "hessian")]
    outside = jax.jit(lambda objective, W: objective.value(W))

    def run(objective):
        objective.value(0.6), objective.gradient(0.6), objective.hessian(0.6), outside(objective, 0.6)

    run(MetaObjective(scalar_family(), GradientStep(0.02)))
    before = [verb._cache_size() for verb in verbs]
    for eta in (0.01, "1/70", Fraction(1, 30)):
        run(MetaObjective(scalar_family(), GradientStep(eta)))
    run(MetaObjective(TaskFamily([LQR(1, 1, 1, 1), LQR(1, 2, 1, 1, adaptation=LQR(1, 1, 1, 1))]),
                      GradientStep(0.03)))  # fmt: skip
    assert [verb._cache_size() for verb in verbs] == before
    assert outside._cache_size() == 1


def test_the_exact_problem():
    objective = MetaObjective(scalar_family(), NormalizedStep("0.1", 2))
    assert objective.problem == Problem(scalar_family().exact(), Step("normalized", Fraction(1, 10), 2))
    assert GradientStep(0.1).exact() == Step("gradient", Fraction(0.1), 1)
    moved = jax.tree.map(lambda x: x / 2, GradientStep("0.1"))
    assert moved.exact().eta == Fraction(0.05)


@pytest.mark.parametrize("step", [GradientStep, NormalizedStep])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0,), "eta: the step size must be positive"),
        ((np.inf,), "eta: expected a finite number"),
        (("0.1x",), "eta: expected a number"),
        ((0.1, 0), "shots: expected a positive integer, got 0"),
        ((0.1, True), "shots: expected a positive integer, got True"),
    ],
)
def test_steps_that_are_none(step, arguments, message):
    with pytest.raises(ProblemError, match=message):
        step(*arguments)


def test_with_jax_in_32_bits_the_numbers_have_64(single_precision):
    objective = MetaObjective(scalar_family(), GradientStep(0.1))
    assert float(objective.step.eta) == 0.1
    found = objective.gradient(0.6)
    assert found.dtype == np.float64
    with jax.enable_x64(True):
        assert found == objective.gradient(0.6)
    with pytest.raises(BenignError, match="64-bit"):
        jax.grad(objective.value)(0.6)
