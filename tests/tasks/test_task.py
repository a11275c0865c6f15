"""The protocol: every kind of task keeps it, alone, stacked, and against the meta-objective."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benign.errors import ProblemError
from benign.meta.adaptation import GradientStep
from benign.meta.objective import MetaObjective
from benign.tasks.differentiable import DifferentiableTask
from benign.tasks.family import TaskFamily
from benign.tasks.finite_horizon import FiniteHorizon
from benign.tasks.lqr import LQR
from benign.tasks.robust import MixedH2Hinf
from benign.tasks.sampled import SampledLQR, Sampling
from benign.tasks.stack import TaskStack
from benign.tasks.task import AbstractCost, AbstractTask, LQRCost, Task, as_task


def quartic(W, data):
    return jnp.sum((W["a"] - data) ** 4) + jnp.sum(W["b"] ** 2)


def sampled(q):
    return SampledLQR(LQR(1, 1, q, 1), key=jax.random.key(0), f=Sampling(horizon=4, directions=2))


KINDS = {
    "LQR": (lambda q: LQR(1, 1, q, 1), 0.6),
    "LQR, f and g": (lambda q: LQR(1, 1, q, 1, adaptation=LQR(1, 1, 1, q)), 0.6),
    "finite horizon": (lambda q: FiniteHorizon(1, 1, q, 1, horizon=3), 0.6),
    "a gain a step": (lambda q: FiniteHorizon(1, 1, q, 1, horizon=3, per_step=True),
                      0.6 * np.ones((3, 1, 1))),
    "mixed H2/Hinf": (lambda q: MixedH2Hinf(1, 1, 1, q, 1, gamma=5), 0.7),
    "any function": (lambda q: DifferentiableTask(quartic, data=q), {"a": 1.0, "b": np.ones(2)}),
    "rollouts": (sampled, 0.6),
}  # fmt: skip


def test_every_cost_has_a_kind_here():
    """A new final class of the protocol cannot go untested."""
    made = [as_task(make(1.5)) for make, _ in KINDS.values()]
    costs = {c for c in AbstractCost.__subclasses__() if c.__module__.startswith("benign.")}
    tasks = {t for t in AbstractTask.__subclasses__() if t.__module__.startswith("benign.")}
    assert {type(x) for task in made for x in (task.f, task.g)} == costs
    assert {type(task) for task in made} == tasks


@pytest.mark.parametrize("kind", KINDS)
def test_the_protocol(kind):
    make, W = KINDS[kind]
    tasks = [as_task(make(q)) for q in (1.0, 2.5)]
    shape = jax.tree.map(np.shape, W)
    for task in tasks:
        for value in (task.value(W), task.adaptation_value(W)):
            assert value.shape == ()
            assert value.dtype == float
            assert np.isfinite(value)
        assert bool(task.feasible(W))
        assert bool(task.adaptation_feasible(W))
        for x in (task.gradient(W), task.adaptation_gradient(W), task.hessian_product(W, W),
                  task.adaptation_hessian_product(W, W)):  # fmt: skip
            assert jax.tree.map(np.shape, x) == shape
        known = task.optimum()
        assert known is None or np.isfinite(known.value)
        fresh = task.resample(jax.random.key(5))
        changed = float(fresh.value(W)) != float(task.value(W))
        assert changed == (kind == "rollouts")
    stack = TaskStack(tasks, weights=[1, 3])

    @jax.jit
    def all_of(tasks):
        return jax.vmap(lambda t: (t.value(W), t.gradient(W), t.adaptation_hessian_product(W, W)))(
            tasks
        )

    together = all_of(stack.tasks)
    reversed_ = all_of(stack.take(jnp.array([1, 0])))
    for i, task in enumerate(tasks):
        alone = task.value(W), task.gradient(W), task.adaptation_hessian_product(W, W)
        for x, y, z in zip(*map(jax.tree.leaves, (together, alone, reversed_)), strict=True):
            np.testing.assert_allclose(x[i], y, rtol=1e-12)
            np.testing.assert_allclose(z[1 - i], y, rtol=1e-12)
    assert np.asarray(stack.weights).tolist() == [0.25, 0.75]
    assert float(stack[-1].value(W)) == pytest.approx(float(tasks[1].value(W)), rel=1e-13)
    assert len(list(stack)) == len(stack) == 2


def test_a_family_of_lqr_tasks_is_a_stack_and_gives_the_meta_gradient():
    """One step of the protocol, written out, against `MetaObjective`."""
    rng = np.random.default_rng(0)
    A = [[1.0, 0.2], [0.0, 0.9]]
    other = LQR(A, np.eye(2), 2 * np.eye(2), np.eye(2))
    family = TaskFamily([LQR(A, np.eye(2), np.eye(2), np.eye(2), adaptation=other, name="split"),
                         LQR(A, np.eye(2), 3 * np.eye(2), np.eye(2))], weights=[1, 2])  # fmt: skip
    h = MetaObjective(family, GradientStep(0.02))
    W = 0.5 * np.eye(2) + 0.05 * rng.normal(size=(2, 2))
    stack = TaskStack.of(family)
    assert stack.names == family.names == ("split", "task1")
    assert TaskStack.of(stack) is stack

    def one(task):
        F = W - 0.02 * task.adaptation_gradient(W)
        v = task.gradient(F)
        return task.value(F), v - 0.02 * task.adaptation_hessian_product(W, v)

    values, gradients = jax.jit(jax.vmap(one))(stack.tasks)
    assert float(stack.weights @ values) == pytest.approx(float(h.value(W)), rel=1e-13)
    total = jnp.tensordot(stack.weights, gradients, 1)
    assert np.asarray(total) == pytest.approx(np.asarray(h.gradient(W)), rel=1e-12)
    optima = jax.vmap(lambda task: task.optimum())(stack.tasks)
    assert float(optima.value[0]) == pytest.approx(float(family[0].optimum().cost), rel=1e-13)


def test_methods_of_a_task_compile_once_per_shape():
    from benign.tasks import task as module

    as_task(LQR(1, 1, 1, 1)).value(0.5)
    before = module._value._cache_size()
    as_task(LQR(0.9, 2, 3, 1, name="another")).value(0.4)
    assert module._value._cache_size() == before


def test_a_cost_without_all_methods_cannot_be_made():
    class Half(AbstractCost):
        def value(self, W):
            return W

    with pytest.raises(TypeError, match="abstract"):
        Half()
    assert not eqx.is_array(LQRCost(LQR(1, 1, 1, 1)))


@pytest.mark.parametrize(
    ("tasks", "settings", "message"),
    [
        ([], {}, "the stack has no task"),
        ([LQR(1, 1, 1, 1), FiniteHorizon(1, 1, 1, 1, horizon=2)], {},
         "task 1 `task1`: it is not of the kind of task 0 `task0`: another class"),
        ([DifferentiableTask(lambda w: w), DifferentiableTask(lambda w: w)], {}, "another function"),
        ([FiniteHorizon(1, 1, 1, 1, horizon=2), FiniteHorizon(1, 1, 1, 1, horizon=3)],
         {"names": ["x", "y"]},
         r"task 1 `y`: it has an array of shape \(3, 1, 1\) where task 0 `x` has \(2, 1, 1\)"),
        ([LQR(1, 1, 1, 1)], {"weights": [0]}, "task 0 `task0`: its weight must be positive, got 0"),
        ([LQR(1, 1, 1, 1)], {"weights": [1, 2]}, r"weights: shape \(2,\) for 1 tasks"),
        ([LQR(1, 1, 1, 1)], {"names": []}, "names: 0 names for 1 tasks"),
    ],
)  # fmt: skip
def test_what_does_not_stack_is_refused(tasks, settings, message):
    with pytest.raises(ProblemError, match=message):
        TaskStack(tasks, **settings)


def test_a_stack_from_stacked_arrays():
    task = DifferentiableTask(quartic, data=np.arange(3.0))
    stack = TaskStack.stacked(task, weights=[1, 1, 2], names="abc")
    W = {"a": 1.0, "b": np.zeros(1)}
    assert [float(t.value(W)) for t in stack] == [1, 0, 1]
    assert stack.names == ("a", "b", "c")
    with pytest.raises(ProblemError, match="agree in their first dimension"):
        TaskStack.stacked(DifferentiableTask(quartic, data=np.ones(3), adaptation_data=np.ones(2)))
    with pytest.raises(ProblemError, match="2 names for 3 tasks"):
        TaskStack.stacked(task, names="ab")


def test_there_is_no_task_beyond_the_last():
    stack = TaskStack([Task(FiniteHorizon(1, 1, 1, 1, horizon=2))])
    with pytest.raises(IndexError, match="task 1 of a stack of 1"):
        stack[1]
