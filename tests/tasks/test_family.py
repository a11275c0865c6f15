"""Families: weights, stacking, mixed adaptation costs, exact numbers, thousands of tasks."""

import time
from fractions import Fraction

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benign.errors import ProblemError
from benign.exact.problem import Task, make_family
from benign.tasks.family import TaskFamily
from benign.tasks.lqr import LQR


def three_tasks() -> list[LQR]:
    """Unlike in everything a task can differ in: names, adaptation, discount, noise, exactness."""
    return [
        LQR("1.1", 1, 1, 1, name="a"),
        LQR(0.9, 1, "1/3", 2, adaptation=LQR(1, "0.7", 1, 1)),
        LQR(1.2, 0.5, 1, 1, discount="0.9", noise=0.1, name="c"),
    ]


def test_weights_are_normalised():
    family = TaskFamily(three_tasks(), [1, 2, 1])
    assert family.weights.tolist() == [0.25, 0.5, 0.25]
    assert TaskFamily(three_tasks()).weights.tolist() == [1 / 3] * 3
    exact = TaskFamily(three_tasks(), ["0.1", "0.2", Fraction(3, 10)]).exact()
    assert exact.weights == (Fraction(1, 6), Fraction(1, 3), Fraction(1, 2))
    assert TaskFamily(three_tasks()).exact().weights == (Fraction(1, 3),) * 3


def test_a_family_is_a_sequence_of_its_tasks():
    tasks = three_tasks()
    family = TaskFamily(tasks)
    assert len(family) == 3
    assert family.names == ("a", "task1", "c")
    for given, kept in zip(tasks, family, strict=True):
        assert kept.exact_plant() == given.exact_plant()
        assert (kept.adaptation is None) == (given.adaptation is None)
        assert kept.cost(0.8) == given.cost(0.8)
        assert kept.g.gradient(0.8) == given.g.gradient(0.8)
    assert family[-1].name == "c"
    assert family[1].adaptation.exact_plant() == tasks[1].adaptation.exact_plant()
    with pytest.raises(IndexError):
        family[3]


def test_stacked_tasks_evaluate_under_vmap():
    tasks = three_tasks()
    family = TaskFamily(tasks)
    f = jax.vmap(lambda task: task.cost(0.8))(family.tasks)
    g = jax.vmap(lambda task: task.g.cost(0.8))(family.tasks)
    assert f == pytest.approx([float(task.cost(0.8)) for task in tasks], rel=1e-15)
    assert g == pytest.approx([float(task.g.cost(0.8)) for task in tasks], rel=1e-15)


def test_exact_family_round_trip():
    tasks = three_tasks()
    exact = TaskFamily(tasks, ["0.1", "0.2", "0.7"]).exact()
    assert exact.weights == (Fraction(1, 10), Fraction(1, 5), Fraction(7, 10))
    assert [task.evaluation for task in exact.tasks] == [task.exact_plant() for task in tasks]
    assert exact.tasks[0].adaptation is None
    assert exact.tasks[1].adaptation == tasks[1].adaptation.exact_plant()
    assert TaskFamily.from_exact(exact).exact() == exact
    assert TaskFamily(list(TaskFamily.from_exact(exact)), exact.weights).exact() == exact


def test_replaced_arrays_have_the_exact_numbers_of_the_arrays():
    family = TaskFamily(three_tasks(), ["0.1", "0.2", "0.7"])
    moved = eqx.tree_at(lambda f: f.tasks.A, family, family.tasks.A.at[0].set(0.5))
    assert moved.exact().tasks[0].evaluation.A[0][0] == Fraction(1, 2)
    assert moved.exact().tasks[1] == family.exact().tasks[1]
    weighted = eqx.tree_at(lambda f: f.weights, family, jnp.array([0.25, 0.25, 0.5]))
    assert weighted.exact().weights == (Fraction(1, 4), Fraction(1, 4), Fraction(1, 2))


def test_stack_is_the_constructor_task_by_task():
    rng = np.random.default_rng(0)
    A, B = rng.normal(size=(5, 2, 2)), rng.normal(size=(5, 2, 1))
    other = TaskFamily.stack(A, B, 2 * np.eye(2), 1)
    family = TaskFamily.stack(A, B, np.eye(2), [[3.0]], adaptation=other, discount=0.9)
    one_by_one = TaskFamily(
        [
            LQR(a, b, np.eye(2), 3, discount=0.9, adaptation=LQR(a, b, 2 * np.eye(2), 1))
            for a, b in zip(A, B, strict=True)
        ]
    )
    assert family.exact() == one_by_one.exact()
    assert all((x == y).all() for x, y in zip(
        jax.tree.leaves(family), jax.tree.leaves(one_by_one), strict=True))  # fmt: skip


def test_thousands_of_scalar_tasks():
    """One vectorised check: a loop over the tasks would take seconds."""
    rng = np.random.default_rng(1)
    began = time.perf_counter()
    family = TaskFamily.stack(rng.uniform(0.5, 1.5, 10_000), 1.0, 1.0, 1.0)
    assert time.perf_counter() - began < 2
    optima = jax.vmap(lambda task: task.optimum().cost)(family.tasks)
    assert np.isfinite(optima).all()
    assert optima[7] == family[7].optimum().cost


def test_of_many_tasks_the_wrong_one_is_named():
    R = np.ones(1000)
    R[700] = -2
    with pytest.raises(ProblemError, match=r"task 700 `task700`: `R` must be positive definite"):
        TaskFamily.stack(np.ones(1000), 1.0, 1.0, R)
    B = np.ones(1000)
    B[3] = 0
    with pytest.raises(ProblemError, match=r"task 3 `task3`: \(A, B\) cannot be stabilised"):
        TaskFamily.stack(np.ones(1000), B, 1.0, 1.0)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TaskFamily([]), "no task"),
        (lambda: TaskFamily([*three_tasks(), LQR(np.eye(2), np.eye(2), np.eye(2), np.eye(2))]),
         r"task 3 `task3`: it has 2 states and 2 inputs, task 0 `a` has 1 and 1"),
        (lambda: TaskFamily(three_tasks(), [1, 2]), "weights: 2 weights for 3 tasks"),
        (lambda: TaskFamily(three_tasks(), [1, 2, 0]), "task 2 `c`: its weight must be positive"),
        (lambda: TaskFamily(three_tasks(), [1, np.nan, 1]), "task 1 `task1`: its weight: .*finite"),
        (lambda: TaskFamily.stack(np.ones((2, 2)), 1.0, 1.0, 1.0), r"`A` must have shape \(k"),
        (lambda: TaskFamily.stack(np.ones(3), np.ones(2), 1.0, 1.0), r"`B` must have shape \(3"),
        (lambda: TaskFamily.stack(["x"], 1.0, 1.0, 1.0), "`A`: expected real numbers, got list"),
        (lambda: TaskFamily.stack(np.ones(3), 1.0, 1.0, 1.0, names=["a"]), "1 names for 3 tasks"),
        (lambda: TaskFamily.stack(np.ones(3), 1.0, 1.0, 1.0,
                                  adaptation=TaskFamily(three_tasks()[:2])), "`adaptation` holds"),
    ],
)  # fmt: skip
def test_what_is_no_family_is_refused(make, message):
    with pytest.raises(ProblemError, match=message):
        make()


def test_from_exact_checks_its_tasks():
    good = LQR(1, 1, 1, 1).exact_plant()
    bad = type(good)(good.A, good.B, good.Q, ((Fraction(-1),),), good.S0)
    family = make_family([Task("good", good), Task("bad", bad)])
    with pytest.raises(ProblemError, match="task 1 `bad`: `R` must be positive definite"):
        TaskFamily.from_exact(family)
