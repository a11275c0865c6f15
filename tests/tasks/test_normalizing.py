"""Cost normalisation: sizes by other routes, exactness, and what must not change."""

from fractions import Fraction

import numpy as np
import pytest
from scipy.linalg import solve_discrete_are, solve_discrete_lyapunov

import benign
from benign.errors import ProblemError
from benign.exact.likeness import is_one_task
from benign.exact.problem import Task, make_family
from benign.tasks.family import TaskFamily
from benign.tasks.files import bundled, bundled_path, dumps, load, loads
from benign.tasks.lqr import LQR
from benign.tasks.normalizing import mean_size, normalize
from helpers import paper_problem, scalar_plant


def matrix(X):
    return np.array([[float(x) for x in row] for row in X])


def two_states():
    A = np.array([[0.9, 0.3], [-0.1, 0.8]])
    B = np.array([[0.1], [1.0]])
    return TaskFamily(
        [
            LQR(A, B, np.eye(2), [[1.0]], discount=0.95, noise=0.1 * np.eye(2), name="light"),
            LQR(A + 0.05, B, np.diag([30.0, 7.0]), [[9.0]], name="heavy"),
        ],
        weights=[1, 3],
    )


def optimum_of(plant):
    """C* by SciPy's Riccati solver on the discounted plant."""
    root = float(plant.discount) ** 0.5
    P = solve_discrete_are(
        root * matrix(plant.A), root * matrix(plant.B), matrix(plant.Q), matrix(plant.R)
    )
    return float(np.trace(P @ matrix(plant.moment)))


@pytest.mark.parametrize("name", [name for name, _ in bundled()])
def test_every_optimum_costs_the_mean_and_nothing_else_changes(name):
    family = load(bundled_path(name)).family
    done = normalize(family)
    before = [optimum_of(task.f) for task in family.tasks]
    mean = sum(float(w) * c for w, c in zip(family.weights, before, strict=True))
    assert done.weights == family.weights
    for old, new in zip(family.tasks, done.tasks, strict=True):
        assert optimum_of(new.f) == pytest.approx(mean, rel=1e-6)
        assert (new.name, new.f.A, new.f.B, new.f.S0) == (old.name, old.f.A, old.f.B, old.f.S0)
        assert (new.f.discount, new.f.noise) == (old.f.discount, old.f.noise)
        ratio = new.f.R[0][0] / old.f.R[0][0]
        assert tuple(tuple(ratio * x for x in row) for row in old.f.Q) == new.f.Q
        assert tuple(tuple(ratio * x for x in row) for row in old.f.R) == new.f.R
    assert normalize(done) == done
    assert loads(dumps(done)).family == done


@pytest.mark.parametrize("factor", [20, "0.05", 0.3, "7/3", 1e-9, 12345.678])
def test_multiples_of_one_cost_become_one_task_exactly(factor):
    t = Fraction(factor)
    plant = scalar_plant("1.01", "0.7", "0.3", "1/3")
    other = scalar_plant("1.01", "0.7", Fraction("0.3") * t, t / 3)
    family = make_family([Task("one", plant), Task("other", other)])
    assert not is_one_task(family)
    assert is_one_task(normalize(family))
    assert is_one_task(normalize(family, by="curvature"))


def curvature_of(plant):
    """λ_max(∇²C(W*)), by second differences of the cost."""
    root = float(plant.discount) ** 0.5
    A, B, Q, R = root * matrix(plant.A), root * matrix(plant.B), matrix(plant.Q), matrix(plant.R)
    P = solve_discrete_are(A, B, Q, R)
    best = np.linalg.solve(R + B.T @ P @ B, B.T @ P @ A)

    def cost(x):
        W = best + x.reshape(best.shape)
        return np.trace(solve_discrete_lyapunov((A - B @ W).T, Q + W.T @ R @ W) @ matrix(plant.moment))

    e = 1e-3 * np.eye(best.size)
    H = [[cost(a + b) - cost(a - b) - cost(b - a) + cost(-a - b) for a in e] for b in e]
    return np.linalg.eigvalsh(np.array(H) / 4e-6)[-1]


def two_inputs():
    A = np.array([[0.9, 0.3], [-0.1, 0.8]])
    light = LQR(A, np.eye(2), np.eye(2), np.diag([1.0, 5.0]), np.diag([1.0, 0.2]))
    return TaskFamily([light, LQR(A, np.eye(2), 9 * np.eye(2), 20 * np.eye(2))], weights=[1, 3])


@pytest.mark.parametrize("make", [two_states, two_inputs])
def test_curvature_is_the_largest_eigenvalue_of_the_hessian(make):
    family = make().exact()
    before = [curvature_of(task.f) for task in family.tasks]
    assert before[1] > 3 * before[0]
    for task in normalize(family, by="curvature").tasks:
        assert curvature_of(task.f) == pytest.approx(0.25 * before[0] + 0.75 * before[1], rel=1e-4)


def test_a_family_of_arrays_and_an_exact_one_agree():
    family = two_states()
    assert benign.normalize(family).exact() == normalize(family.exact()) == family.normalized().exact()
    assert np.allclose(family.normalized().tasks.optimum().W, family.tasks.optimum().W, atol=1e-10)


def test_given_numbers_divide_exactly():
    family = paper_problem("3b", "0.05").family
    done = normalize(family, by=[2, "1/2"], to=1)
    assert [task.f.R for task in done.tasks] == [((Fraction(1),),), ((Fraction(2),),)]
    assert [task.f.Q for task in done.tasks] == [((Fraction(1, 2),),), ((Fraction(4),),)]


def test_a_new_task_joins_a_normalised_family():
    family = paper_problem("3b", "0.05").family
    size = mean_size(family)
    assert float(size) == pytest.approx(np.mean([optimum_of(task.f) for task in family.tasks]))
    late = normalize(make_family([Task("late", scalar_plant(1, 1, 50, 3))]), to=size)
    assert optimum_of(late.tasks[0].f) == pytest.approx(float(size), rel=1e-12)
    alone = make_family([Task("late", scalar_plant(1, 1, 50, 3))])
    assert normalize(alone) is alone


def test_adaptation_costs_are_normalised_among_themselves():
    f = [scalar_plant(1, 1, 1, 2), scalar_plant(1, 1, 20, 10)]
    g = [scalar_plant(1, 1, 300, 100), None]
    family = make_family([Task(f"t{i}", x, y) for i, (x, y) in enumerate(zip(f, g, strict=True))])
    done = normalize(family)
    for of in ("f", "g"):
        mean = np.mean([optimum_of(getattr(task, of)) for task in family.tasks])
        for task in done.tasks:
            assert optimum_of(getattr(task, of)) == pytest.approx(mean, rel=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"by": "mean"}, "expected optimum or curvature"),
        ({"by": [1]}, "1 numbers for 2 tasks"),
        ({"by": [1, -2]}, "task 1: expected a positive number"),
        ({"by": [1, "x"]}, "task 1: expected a number"),
        ({"to": 0}, "to: expected a positive number"),
    ],
)
def test_bad_settings_are_refused(change, message):
    with pytest.raises(ProblemError, match=message):
        normalize(paper_problem("3b", "0.05").family, **change)


def test_a_task_that_costs_nothing_is_named():
    free = make_family([Task("paid", scalar_plant(1)), Task("free", scalar_plant("0.5", 1, 0, 1))])
    with pytest.raises(ProblemError, match=r"`free`: its least cost is zero.*curvature"):
        normalize(free)
    assert normalize(free, by="curvature").tasks[1].f.R != free.tasks[1].f.R
    with pytest.raises(ProblemError, match="`lost`: its optimum is not attained"):
        normalize(make_family([Task("lost", scalar_plant(2, 0))]))
