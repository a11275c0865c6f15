"""Near the rim: bounds from below against costs, the lemma against gains that stay in the domain."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from flint import arb, arb_mat, ctx

from benign.balls.lqr import BallPlant, ClosedLoop, LqrObjective, NotStabilising, optimum
from benign.balls.matrices import Unproved
from benign.floats import rim
from benign.floats.frames import frame_of
from benign.floats.rim import Rim, as_fractions, least_costs
from helpers import plant_error
from several import random_problem

CASES = {
    "n2": (2, 1, 1, math.inf),
    "n2 level": (2, 1, 1, 30.0),
    "n2 two shots": (2, 1, 2, math.inf),
    "m2 level": (1, 2, 1, 30.0),
    "n2 m2 level": (2, 2, 1, 500.0),
}


def cost(plant, W) -> float:
    try:
        with ctx.workprec(128):
            return float(ClosedLoop(BallPlant.of(plant), W).cost)
    except (NotStabilising, Unproved):
        return math.inf


def check(name, eta="0.05", boxes=250, cross=0.0) -> tuple[int, int]:
    """How many boxes were excluded, and how many gains were in the domain below the level."""
    n, m, shots, level = CASES[name]
    rng = np.random.default_rng(5)
    problem = random_problem(rng, n, m, eta=eta, shots=shots, split=True, rho=0.9, cross=cross)
    p = n * m
    frame = frame_of(np.zeros(p), np.eye(p))
    witness = as_fractions(np.zeros((m, n)).tolist())
    least = least_costs(problem, [witness, witness])
    made = Rim(problem, frame, level, least, [witness, witness])
    y0 = rng.normal(size=(p, boxes)) * rng.uniform(0, 1.5, boxes)
    r = np.full((p, boxes), 1e-3) * rng.uniform(size=boxes)
    W = made.gains(y0, r)
    threshold = made.threshold(W)
    objective, out, inside = LqrObjective(problem), 0, 0
    bounds = [(made.least_g(W, t), made.least_f(W, t)) for t in range(2)]
    for b in range(boxes):
        gain = arb_mat((y0[:, b] + r[:, b] * rng.uniform(-1, 1, p)).reshape(m, n).tolist())
        excluded = False
        for task in range(2):
            g, f = cost(problem.tasks[task].g, gain), cost(problem.tasks[task].f, gain)
            assert bounds[task][0][b] <= g * (1 + 1e-12)
            assert bounds[task][1][b] <= f * (1 + 1e-12)
            assert least[task] <= f
            excluded |= bool(bounds[task][0][b] > threshold[task, b])
        out += excluded
        try:
            with ctx.workprec(128):
                value = float(objective.value(gain))
        except (NotStabilising, Unproved):
            value = math.inf
        inside += value <= level and value < math.inf
        assert not (excluded and value <= level and value < math.inf)
        # W was to be excluded wherever g exceeds the threshold, not only where a box shows it.
        for task in range(2):
            if value <= level and value < math.inf:
                assert not cost(problem.tasks[task].g, gain) > threshold[task, b]
    return out, inside


@pytest.mark.parametrize("name", CASES)
def test_no_gain_of_the_domain_is_excluded(name):
    out, inside = check(name)
    assert inside > 5
    assert out > 50


@pytest.mark.parametrize(("name", "size"), [("n2", 1.0), ("n2 level", 1.0), ("m2 level", 0.3)])
def test_no_gain_of_the_domain_is_excluded_with_cross_terms(name, size):
    out, inside = check(name, cross=size)
    assert inside > 5
    assert out > 50


def test_horizons_are_nearly_the_cost():
    problem = random_problem(np.random.default_rng(5), 2, 1)
    frame = frame_of(np.zeros(2), np.eye(2))
    witness = as_fractions([[0.0, 0.0]])
    made = Rim(problem, frame, math.inf, np.zeros(2), [witness, witness])
    point = made.gains(np.zeros((2, 1)), np.zeros((2, 1)))
    exact = cost(problem.tasks[0].g, arb_mat(1, 2))
    assert made.least_g(point, 0)[0] == pytest.approx(exact, rel=1e-9)
    with ctx.workprec(128):
        best = float(optimum(BallPlant.of(problem.tasks[0].f), arb_mat(1, 2)).cost)
    assert least_costs(problem, [witness, witness])[0] == pytest.approx(best, rel=1e-9)


def test_a_witness_that_does_not_stabilise_excludes_nothing():
    problem = random_problem(np.random.default_rng(5), 2, 1)
    bad = as_fractions([[50.0, 50.0]])
    made = Rim(problem, frame_of(np.zeros(2), np.eye(2)), math.inf, np.zeros(2), [bad, bad])
    threshold = made.threshold(made.gains(np.zeros((2, 3)), np.full((2, 3), 0.1)))
    assert not np.isfinite(threshold).any()
    assert (least_costs(problem, [bad, bad]) == 0).all()


def test_norms_below_a_cost():
    plant = random_problem(np.random.default_rng(1), 1, 2).tasks[0].f
    rng = np.random.default_rng(0)
    for _ in range(50):
        F = rng.normal(size=(2, 1))
        value = cost(plant, arb_mat(F.tolist()))
        if value < math.inf:
            assert np.linalg.norm(F) <= rim._largest_norm(plant, arb(value * (1 + 1e-12)))
    assert rim.least_eigenvalue(
        ((Fraction(2), Fraction(1)), (Fraction(1), Fraction(2)))
    ) == pytest.approx(1)
    assert rim.least_eigenvalue(((Fraction(1), Fraction(1)), (Fraction(1), Fraction(1)))) == 0
    assert arb(rim.least_eigenvalue(((Fraction(1, 3),),))) <= arb(1) / 3


@pytest.mark.parametrize(
    ("owner", "name", "old", "new"),
    [
        (rim._Horizon, "bound", "L = _product(L, L)", "L = L"),
        (rim.Rim, "threshold", "self.factor[:, None] * first", "0.0 * first"),
        (rim.Rim, "_farthest", "corner + spread", "spread"),
    ],
)
def test_planted_errors_are_caught(monkeypatch, owner, name, old, new):
    plant_error(monkeypatch, owner, name, old, new)

    def both():
        check("n2", eta="0.02")
        test_horizons_are_nearly_the_cost()

    with pytest.raises(AssertionError):
        both()
