"""∇²h in balls against differences of ∇h, and stationary points proved by it."""

from fractions import Fraction

import numpy as np
import pytest
from flint import arb, arb_mat, ctx

from benign.balls import curvature
from benign.balls.curvature import Curved, CurvedObjective, stationary_point
from benign.balls.lqr import LqrObjective, NotStabilising, gain_matrix
from benign.balls.matrices import Unproved, negative_eigenvalues
from benign.exact.problem import Problem, make_step
from several import random_problem

STEP = arb(2) ** -60


@pytest.fixture(autouse=True)
def _precision():
    with ctx.workprec(256):
        yield


def entry(m, n, i):
    return arb_mat(m, n, [int(i == j) for j in range(m * n)])


def differences(gradient, W, i):
    """Along entry i; the error is STEP² times a fourth derivative."""
    m, n = W.nrows(), W.ncols()
    E = entry(m, n, i) * STEP
    return ((gradient(W + E) - gradient(W - E)) * (1 / (2 * STEP))).entries()


def near(x, y, size):
    return float(abs((x - y).mid())) <= 1e-25 * size


KINDS = [("gradient", "0.002", 1), ("gradient", "0.001", 3), ("normalized", "0.02", 2)]


@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize(("kind", "eta", "shots"), KINDS)
@pytest.mark.parametrize(("n", "m"), [(1, 1), (2, 1), (3, 2), (2, 3)])
def test_the_hessian_is_the_derivative_of_the_gradient(n, m, kind, eta, shots, split):
    rng = np.random.default_rng([n, m, shots, split])
    discount = Fraction(9, 10) if split else 1
    problem = random_problem(rng, n, m, 2, split=split, noise=split, discount=discount, rho=0.4)
    h = CurvedObjective(Problem(problem.family, make_step(kind, eta, shots)))
    W = gain_matrix(tuple(map(tuple, 0.02 * rng.normal(size=(m, n)))))
    jet = h.jet(W)
    plain = LqrObjective(Problem(problem.family, make_step(kind, eta, shots)))
    assert near(jet.value, plain.value(W), float(jet.value.mid()))
    H = jet.hessian
    size = max(float(abs(x.mid())) for x in H.entries())
    slope = plain.gradient(W).entries()
    assert all(near(x, y, size) for x, y in zip(jet.gradient.entries(), slope, strict=True))
    for i in range(m * n):
        found = differences(plain.gradient, W, i)
        assert all(near(H[j, i], x, size) for j, x in enumerate(found))


def test_the_third_derivative_is_that_of_the_hessian():
    rng = np.random.default_rng(0)
    plant = CurvedObjective(random_problem(rng, 3, 2)).f[0]
    W = gain_matrix(tuple(map(tuple, 0.1 * rng.normal(size=(2, 3)))))
    v = gain_matrix(tuple(map(tuple, rng.normal(size=(2, 3)))))
    loops = [Curved(plant, W + v * (STEP * sign)) for sign in (1, -1)]
    slope = (loops[0].hessian() - loops[1].hessian()) * (1 / (2 * STEP))
    found = Curved(plant, W).curvature_slope(v)
    size = max(float(abs(x.mid())) for x in found.entries())
    assert all(near(x, y, size) for x, y in zip(found.entries(), slope.entries(), strict=True))


def test_the_optimum_of_a_task_is_found_and_proved():
    """One task: its optimum is the minimum of h for a short step, and h there is its least cost."""
    from scipy.linalg import solve_discrete_are

    rng = np.random.default_rng(3)
    problem = random_problem(rng, 3, 2, 1, eta="0.001")
    plant = problem.tasks[0].f
    A, B, Q, R = (np.array(M, float) for M in (plant.A, plant.B, plant.Q, plant.R))
    P = solve_discrete_are(A, B, Q, R)
    optimum = np.linalg.solve(R + B.T @ P @ B, B.T @ P @ A)
    begin = optimum + 1e-3 * rng.normal(size=optimum.shape)
    found = stationary_point(CurvedObjective(problem), gain_matrix(tuple(map(tuple, begin))))
    assert found.minimum
    assert not found.saddle
    for x, y in zip(found.gain.entries(), optimum.reshape(-1), strict=True):
        assert float(x.rad()) < 1e-20
        assert float(x.mid()) == pytest.approx(y, rel=1e-9, abs=1e-12)
    assert float(found.value.mid()) == pytest.approx(
        np.trace(P @ np.array(plant.moment, float)), rel=1e-12
    )


def test_what_is_not_shown_is_not_proved(monkeypatch):
    h = CurvedObjective(random_problem(np.random.default_rng(5), 3, 1, eta="0.001", rho=0.4))
    with pytest.raises(NotStabilising):
        stationary_point(h, gain_matrix(((50.0, 50.0, 50.0),)))
    # In a box as large as the units of h its balls are too wide for the operator to contract.
    monkeypatch.setattr(curvature, "SIDES", (1,))
    with pytest.raises(Unproved):
        stationary_point(h, gain_matrix(((0.0, 0.0, 0.0),)))


@pytest.mark.parametrize(
    ("rows", "negative"),
    [
        ([[1, 0], [0, -1]], 1),
        ([[2, 1], [1, 2]], 0),
        ([[-2, 1], [1, -2]], 2),
        ([[1, 2], [2, 1]], 1),
        ([[1, 1], [1, 1]], None),
        ([[0, 1], [1, 0]], None),  # indefinite, and its first pivot does not tell
    ],
)
def test_negative_eigenvalues(rows, negative):
    assert negative_eigenvalues(arb_mat(rows)) == negative


def test_negative_eigenvalues_are_counted_as_numpy_counts_them():
    rng = np.random.default_rng(1)
    for _ in range(40):
        p = int(rng.integers(1, 8))
        M = rng.normal(size=(p, p))
        M = M + M.T
        found = negative_eigenvalues(arb_mat(M.tolist()))
        assert found == int((np.linalg.eigvalsh(M) < 0).sum())
    wide = arb_mat([[arb(1, 2), 0], [0, 1]])
    assert negative_eigenvalues(wide) is None
