"""Costs with a cross term in balls and in exact polynomials, against the equation that defines them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from flint import arb, arb_mat, ctx
from scipy.linalg import solve_discrete_are, solve_discrete_lyapunov

from benign.balls.boxes import BoxObjective
from benign.balls.curvature import CurvedObjective, stationary_point
from benign.balls.lqr import BallPlant, ClosedLoop, least_cost, optimum
from benign.balls.matrices import inner, to_ball_matrix
from benign.balls.polynomials import Frame as BallFrame
from benign.balls.polynomials import RationalCost
from benign.balls.rim import Rim, horizon_bound, stage_bound
from benign.exact.problem import Plant, Problem, Task, make_family, make_step
from benign.floats.fractions_of_gain import Frame, cost_polynomials
from helpers import plant_error
from several import random_plant, random_problem


@pytest.fixture(autouse=True)
def _precision():
    with ctx.workprec(128):
        yield


def floats(plant: Plant) -> tuple[np.ndarray, ...]:
    root = float(plant.discount) ** 0.5
    assert plant.N is not None
    A, B, Q, R, N, S = (
        np.array(X, float) for X in (plant.A, plant.B, plant.Q, plant.R, plant.N, plant.moment)
    )
    return root * A, root * B, Q, R, N, S


def cost(plant: Plant, W: np.ndarray) -> float:
    """tr(P S) for P = Q − NW − W'N' + W'RW + L'PL, by SciPy; +∞ where unstable."""
    A, B, Q, R, N, S = floats(plant)
    L = A - B @ W
    if np.abs(np.linalg.eigvals(L)).max() >= 1:
        return np.inf
    P = solve_discrete_lyapunov(L.T, Q - N @ W - W.T @ N.T + W.T @ R @ W)
    return float(np.trace(P @ S))


def ball(W) -> arb_mat:
    return to_ball_matrix([[Fraction(float(x)) for x in row] for row in np.atleast_2d(W)])


@pytest.mark.parametrize("shape", [(1, 1), (2, 1), (2, 2), (3, 2)])
def test_cost_gradient_and_hessian(shape):
    n, m = shape
    rng = np.random.default_rng(n + 7 * m)
    plant = random_plant(rng, n, m, discount=Fraction(9, 10), noise=True, cross=0.5)
    W = 0.1 * rng.normal(size=(m, n))
    loop = ClosedLoop(BallPlant.of(plant), ball(W))
    assert float(loop.cost) == pytest.approx(cost(plant, W), rel=1e-12)
    slope, bend = np.array(loop.gradient.tolist(), float), np.array(loop.hessian().tolist(), float)
    for k in range(m * n):
        E = np.zeros(m * n)
        E[k] = 1e-4
        E = E.reshape(m, n)
        rise = (cost(plant, W + E) - cost(plant, W - E)) / 2e-4
        assert slope.ravel()[k] == pytest.approx(rise, rel=1e-6, abs=1e-5)
        beside = [
            np.array(ClosedLoop(loop.plant, ball(W + s * E)).gradient.tolist(), float) for s in (1, -1)
        ]
        assert bend[k] == pytest.approx(((beside[0] - beside[1]) / 2e-4).ravel(), rel=1e-5, abs=1e-4)


@pytest.mark.parametrize("shape", [(2, 1), (2, 2), (4, 2)])
def test_the_optimum_is_that_of_the_riccati_equation_with_s(shape):
    n, m = shape
    rng = np.random.default_rng(3 * n + m)
    plant = random_plant(rng, n, m, rho=1.2 if m > 1 else 0.9, cross=0.5)
    A, B, Q, R, N, S = floats(plant)
    P = solve_discrete_are(A, B, Q, R, s=N)
    W = np.linalg.solve(R + B.T @ P @ B, B.T @ P @ A + N.T)
    made = BallPlant.of(plant)
    star = optimum(made, ball(W))
    assert np.array(star.gain.tolist(), float) == pytest.approx(W, rel=1e-8, abs=1e-10)
    assert float(star.cost) == pytest.approx(np.trace(P @ S), rel=1e-10)
    least = least_cost(made, ball(W + 1e-3))
    assert float(least) <= float(star.cost) * (1 + 1e-15)
    assert float(least) == pytest.approx(np.trace(P @ S), rel=1e-9)


def polynomials_are_the_cost(shape) -> None:
    n, m = shape
    rng = np.random.default_rng(11 * n + m)
    plant = random_plant(rng, n, m, discount=Fraction(4, 5), cross=0.5)
    p = n * m
    centre = [float(x) for x in 0.1 * rng.normal(size=p)]
    axes = np.eye(p) + 0.2 * rng.normal(size=(p, p))
    frame = Frame(
        tuple(map(Fraction, centre)), tuple(tuple(Fraction(float(x)) for x in row) for row in axes)
    )
    N, D = cost_polynomials(plant, frame)
    other = RationalCost.of(plant, BallFrame.of(centre, axes.tolist(), m, n))
    y = [Fraction(float(x)) for x in 0.1 * rng.normal(size=p)]
    values = []
    for terms in (N, D, other.N, other.D):
        total = Fraction(0)
        for exponents, c in terms.items():
            one = c if isinstance(c, Fraction) else Fraction(int(c.p), int(c.q))
            for x, k in zip(y, exponents, strict=True):
                one *= x ** int(k)
            total += one
        values.append(total)
    W = np.array([float(x) for x in frame.gain(y)]).reshape(m, n)
    assert values[0] / values[1] == values[2] / values[3]
    assert float(values[0] / values[1]) == pytest.approx(cost(plant, W), rel=1e-9)


@pytest.mark.parametrize("shape", [(1, 1), (2, 1), (3, 1), (1, 2), (2, 2)])
def test_both_quotients_of_polynomials_are_the_cost(shape):
    polynomials_are_the_cost(shape)


def bounds_hold(shape) -> None:
    n, m = shape
    rng = np.random.default_rng(n + 3 * m)
    sharp = []
    for _ in range(15):
        plant = random_plant(rng, n, m, cross=1.0)
        made = BallPlant.of(plant)
        centre, size = 0.5 * rng.normal(size=(m, n)), 10.0 ** rng.uniform(-6, -0.3)
        W = arb_mat([[arb(float(x), size) for x in row] for row in centre])
        bound, stage = horizon_bound(made, W, arb(1e9)), stage_bound(made, W)
        assert bound >= stage
        Q, R, N, S = floats(plant)[2:]
        for _ in range(5):
            V = centre + size * rng.uniform(-1, 1, (m, n))
            first = float(np.trace(S @ (Q - N @ V - V.T @ N.T + V.T @ R @ V)))
            assert float(stage) <= first * (1 + 1e-12)
            assert float(bound) <= cost(plant, V) * (1 + 1e-12)
            sharp.append(float(stage) / first)
    assert max(sharp) > 0.99


@pytest.mark.parametrize("shape", [(2, 1), (2, 2)])
def test_finite_horizons_are_below_the_cost(shape):
    bounds_hold(shape)


def test_a_reach_holds_the_gains_below_a_level():
    rng = np.random.default_rng(0)
    problem = random_problem(rng, 2, 1, eta="0.05", cross=2.0)
    frame = BallFrame.of([0.0, 0.0], np.eye(2).tolist(), 1, 2)
    plant, highest, met = problem.tasks[0].f, arb(30), 0
    rim = Rim(BoxObjective(problem, frame), 0, ball(np.zeros((1, 2))), highest)
    assert rim._reach is not None
    for _ in range(400):
        F = rng.normal(size=(1, 2)) * 2
        if cost(plant, F) <= 30:
            met += 1
            assert rim._norm(ball(F)) <= rim._reach
    assert met > 20


PLANTED = {
    "W itself is paid for": (BallPlant, "paid", "W - self.T", "W"),
    "N where Q − NT is meant": (BallPlant, "of", "plant.completed.Q", "plant.Q"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_planted_errors_are_detected(monkeypatch, name):
    plant_error(monkeypatch, *PLANTED[name])
    with pytest.raises(AssertionError):
        bounds_hold((2, 1))


def test_a_stationary_point_is_proved():
    """Newton's point of h, three states and two inputs, of tasks with different T; f ≠ g."""
    rng = np.random.default_rng(4)
    first = random_plant(rng, 3, 2, rho=0.5, cross=0.3)
    plants = [random_plant(rng, 3, 2, near=first, spread=0.02, cross=0.3) for _ in range(3)]
    tasks = [Task("a", plants[0], plants[2]), Task("b", plants[1])]
    problem = Problem(make_family(tasks), make_step("gradient", "0.001"))
    objective = CurvedObjective(problem)
    W = optimum(BallPlant.of(plants[0]), ball(np.zeros((2, 3)))).gain
    found = stationary_point(objective, W)
    assert found.minimum

    def h(V: np.ndarray) -> float:
        total = 0.0
        for task in tasks:
            slope = ClosedLoop(BallPlant.of(task.g), ball(V)).gradient
            total += cost(task.f, V - 0.001 * np.array(slope.tolist(), float)) / 2
        return total

    V = np.array(found.gain.tolist(), float)
    assert float(found.value) == pytest.approx(h(V), rel=1e-10)
    for _ in range(10):
        assert h(V + 1e-3 * rng.normal(size=V.shape)) > h(V)
    assert inner(objective.gradient(ball(V)), objective.gradient(ball(V))) < 1e-16
