"""What excludes a box, against gains sampled from it; the lemma, against numbers."""

import math

import numpy as np
import pytest
from flint import arb, arb_mat, ctx

from benign.balls import rim as rim_balls
from benign.balls.box_tests import BoxTests
from benign.balls.boxes import BoxObjective
from benign.balls.lqr import BallPlant, ClosedLoop, LqrObjective, NotStabilising
from benign.balls.matrices import Unproved
from benign.balls.polynomials import Frame
from benign.balls.rim import Box, Rim, horizon_bound, stage_bound
from benign.certificates.below import _prepared
from benign.certificates.below_points import Point
from benign.exact.problem import Problem, Task, make_family, make_step
from helpers import plant_error
from several import balls, definite, exact, random_frame, random_plant, random_problem


@pytest.fixture(autouse=True)
def _precision():
    with ctx.workprec(128):
        yield


def matrix(W) -> arb_mat:
    return arb_mat(np.asarray(W, float).tolist())


@pytest.mark.parametrize("shape", [(2, 1), (1, 2), (3, 1), (2, 2)])
def test_the_lemma_bounds_the_adaptation_cost(shape):
    """g(W) ≤ g(V) + ‖(W − V)Σ_V‖_S ‖W − F‖_S/η in floats, with F = W − η∇g(W)."""
    n, m = shape
    rng = np.random.default_rng(n + 5 * m)
    tried = 0
    while tried < 60:
        plant = random_plant(rng, n, m)
        balls_of = BallPlant.of(plant)
        V, W = 0.1 * rng.normal(size=(m, n)), 0.5 * rng.normal(size=(m, n))
        try:
            first, second = ClosedLoop(balls_of, matrix(V)), ClosedLoop(balls_of, matrix(W))
        except (NotStabilising, Unproved):
            continue
        tried += 1
        eta = 10.0 ** rng.uniform(-4, 0)
        F = W - eta * np.array(second.gradient.tolist(), float)
        S = np.linalg.inv(np.array(plant.S0, float))
        X, Y = (W - V) @ np.array(first.Sigma.tolist(), float), W - F
        size = math.sqrt(np.trace(X @ S @ X.T) * np.trace(Y @ S @ Y.T))
        assert float(second.cost) <= float(first.cost) + size / eta + 1e-9


@pytest.mark.parametrize("shape", [(2, 1), (1, 3), (2, 2), (4, 1)])
def test_finite_horizons_are_below_the_cost(shape):
    n, m = shape
    rng = np.random.default_rng(n)
    sharp = []
    for _ in range(40):
        plant = BallPlant.of(random_plant(rng, n, m))
        centre, size = 0.2 * rng.normal(size=(m, n)), 10.0 ** rng.uniform(-6, 0)
        W = arb_mat([[arb(float(x), size) for x in row] for row in centre])
        bound, stage = horizon_bound(plant, W, arb(1e9)), stage_bound(plant, W)
        assert bound >= stage
        for _ in range(5):
            inside = matrix(centre + size * rng.uniform(-1, 1, (m, n)))
            first = plant.Q + inside.transpose() * plant.R * inside
            assert stage <= rim_balls.inner(first, plant.S)
            try:
                cost = ClosedLoop(plant, inside).cost
            except (NotStabilising, Unproved):
                continue
            assert bound <= cost
            if size < 1e-4:
                sharp.append(float(bound / cost))
    assert np.median(sharp) > 0.99


def test_the_first_step_is_bounded_sharply():
    """Against a fine grid: the least value over the balls, not only a tangent's."""
    rng = np.random.default_rng(3)
    for _ in range(20):
        plant = BallPlant.of(random_plant(rng, 2, 1))
        centre, size = rng.normal(size=2), rng.uniform(0.1, 1)
        W = arb_mat([[arb(float(x), float(size)) for x in centre]])
        grid = centre + size * np.stack(np.meshgrid(*[np.linspace(-1, 1, 41)] * 2), -1).reshape(-1, 2)
        R, S, Q = (np.array(M.tolist(), float) for M in (plant.R, plant.S, plant.Q))
        values = np.trace(S @ Q) + R[0, 0] * np.einsum("ki,ij,kj->k", grid, S, grid)
        assert values.min() * (1 - 0.02) - 1e-6 <= float(stage_bound(plant, W)) + 0.01
        assert float(stage_bound(plant, W)) <= values.min() + 1e-9


# --- tests of boxes, against samples ---------------------------------------------------------


def setting(rng, n, m, level, **settings):
    """A problem near the rim, its tests for a multiple of the value at the centre, and h."""
    p = n * m
    while True:
        problem = random_problem(rng, n, m, **settings)
        frame = Frame.of(*random_frame(rng, p, size=1.0), m, n)
        objective, reference = BoxObjective(problem, frame), LqrObjective(problem)
        start = frame.gain(balls(np.zeros(p)))
        try:
            value = reference.value(start)
        except (NotStabilising, Unproved):
            continue
        ceiling = None if level is None else (value * level).upper()
        point = Point(start, (0.0, 1.0), (), ())
        return objective, reference, ceiling, _prepared(problem, objective, [point], ceiling)


def holds_at(letter, objective, reference, ceiling, y) -> bool:
    W = objective.frame.gain(y)
    try:
        value = reference.value(W)
    except NotStabilising:
        return letter in "uorls"
    except Unproved:
        return True
    if letter in "uo":
        return False
    if letter in "rl":
        return ceiling is not None and bool(value > ceiling)
    slope = reference.gradient(W).entries()
    return letter in "gsn" and (letter == "n" or any(x > 0 or x < 0 for x in slope))


def check_letters(rng, shapes, level, boxes=60, **settings):
    """Random boxes: at the gains sampled what was shown is true; how often each letter was shown."""
    counts = dict.fromkeys("uorlgs", 0)
    for n, m in shapes:
        objective, reference, ceiling, tests = setting(rng, n, m, level, **settings)
        p = n * m
        for _ in range(boxes):
            # Near the start, where h is finite, or anywhere.
            spread = float(rng.choice([0.05, 0.3, 2.0]))
            centre, size = rng.uniform(-spread, spread, p), 10.0 ** rng.uniform(-3, -0.3)
            box = Box(balls(centre), balls(size * rng.uniform(0.2, 1, p)))
            for letter in counts:
                if not tests.shown(letter, box, 0):
                    continue
                counts[letter] += 1
                for _ in range(6):
                    x = balls(rng.uniform(-1, 1, p))
                    y = [c + r * t for c, r, t in zip(box.centre, box.radius, x, strict=True)]
                    if not holds_at(letter, objective, reference, ceiling, y):
                        return letter, counts
    return None, counts


@pytest.mark.parametrize("shots", [1, 2])
@pytest.mark.parametrize("level", [None, 3.0])
def test_what_is_shown_of_boxes_holds_at_their_gains(shots, level):
    rng = np.random.default_rng(shots + 10 * (level is None))
    wrong, counts = check_letters(
        rng, [(2, 1), (1, 2)], level, boxes=40, shots=shots, split=True, eta="0.02"
    )
    assert wrong is None
    assert all(counts[letter] > 0 for letter in "uog"), counts
    assert level is None or counts["l"] > 0


def test_what_is_shown_of_boxes_with_more_entries_holds():
    wrong, counts = check_letters(
        np.random.default_rng(4), [(3, 1), (2, 2)], 2.0, boxes=8, eta="0.02", tasks=1
    )
    assert wrong is None
    assert sum(counts.values()) > 5


def test_the_rim_excludes_boxes_where_a_simplex_or_a_level_confines_the_next_gain():
    rng = np.random.default_rng(6)
    shown = 0
    for n, m in ((2, 1), (1, 2)):
        for _ in range(6):
            objective, reference, ceiling, tests = setting(rng, n, m, 2.0, eta="0.1", tasks=1)
            for _ in range(60):
                centre = rng.uniform(-3, 3, n * m)
                box = Box(balls(centre), balls(np.full(n * m, 0.03)))
                if not tests.is_beyond_rim(box):
                    continue
                y = [
                    c + r * t
                    for c, r, t in zip(
                        box.centre, box.radius, balls(rng.uniform(-1, 1, n * m)), strict=True
                    )
                ]
                assert holds_at("r", objective, reference, ceiling, y)
                try:
                    ClosedLoop(objective.g[0].balls, objective.frame.gain(y))
                except (NotStabilising, Unproved):
                    continue
                shown += 1  # a gain that stabilises and is excluded all the same
    assert shown > 0


def test_without_a_moment_or_a_bound_of_the_next_gain_the_lemma_is_not_used():
    plant = random_plant(np.random.default_rng(0), 1, 2)
    objective = BoxObjective(make_problem(plant), Frame.of([0.0, 0.0], [[1.0, 0.0], [0.0, 1.0]], 2, 1))
    with pytest.raises(Unproved, match="adapted gain"):
        Rim(objective, 0, matrix([[0.0], [0.0]]), None)
    singular = random_plant(np.random.default_rng(0), 2, 1)
    singular = type(singular)(
        singular.A, singular.B, singular.Q, singular.R, exact([[1, 0], [0, 0]]), singular.discount
    )
    objective = BoxObjective(
        make_problem(singular), Frame.of([0.0, 0.0], [[1.0, 0.0], [0.0, 1.0]], 1, 2)
    )
    with pytest.raises(Unproved, match="S0"):
        Rim(objective, 0, matrix([[0.0, 0.0]]), arb(1))


def make_problem(plant):
    return Problem(make_family([Task("one", plant)]), make_step("gradient", "0.1"))


def test_convexity_and_negative_curvature_are_told_by_eigenvalues():
    """On tiny boxes the two tests agree with the Hessian's eigenvalues at the centre."""
    rng = np.random.default_rng(8)
    seen = {"convex": 0, "n": 0}
    for _ in range(8):
        objective, _, _, tests = setting(rng, 2, 1, None, eta="0.05", discount=1)
        assert isinstance(tests, BoxTests)
        for _ in range(25):
            box = Box(balls(rng.uniform(-0.5, 0.5, 2)), balls([1e-5, 1e-5]))
            try:
                bend = objective.hessian(objective.box(box.centre, [arb(0)] * 2, 1))
            except (Unproved, NotStabilising):
                continue
            H = np.array([[float(bend[min(i, j), max(i, j)].centre) for j in (0, 1)] for i in (0, 1)])
            low = np.linalg.eigvalsh(H)[0]
            for test, right in (("convex", low > 0), ("n", low < 0)):
                shown = tests.shown(test, box, 0)
                seen[test] += shown
                assert not shown or right
                assert shown or not right or abs(low) < 0.1 * np.abs(H).max()
    assert min(seen.values()) > 2


@pytest.mark.parametrize(
    ("owner", "name", "old", "new"),
    [
        (rim_balls.Rim, "_bound", "first * second / self.eta", "first * second * 0"),
        (
            rim_balls.Rim,
            "excludes",
            "_exceeds(self.plant, box, bound)",
            "_exceeds(self.plant, box, -bound)",
        ),
        (rim_balls.Thrown, "excludes", "at.models[i], 1)", "at.models[i], -1)"),
        (BoxTests, "_exceeds", "(n - d.times(t)).is_positive", "(n - d.times(t)).is_negative"),
        (BoxTests, "is_above", "if plant.is_unstable(adapted)", "if not plant.is_unstable(adapted)"),
    ],
)
def test_a_planted_error_is_caught(monkeypatch, owner, name, old, new):
    plant_error(monkeypatch, owner, name, old, new)
    wrong = None
    for seed in range(6):
        level = 3.0 if seed % 2 else None
        wrong, _ = check_letters(
            np.random.default_rng(seed), [(2, 1), (1, 2)], level, boxes=40, eta="0.05", tasks=1
        )
        if wrong is not None:
            break
    assert wrong is not None


def test_definite_matrices_of_the_tests_are_definite():
    rng = np.random.default_rng(0)
    assert all(np.linalg.eigvalsh(definite(rng, n))[0] > 0.1 for n in (1, 2, 3) for _ in range(20))
