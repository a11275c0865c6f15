"""Signs of stability against eigenvalues, of points and of whole intervals."""

from fractions import Fraction

import numpy as np
import pytest

from benign.floats import stability
from benign.floats.intervals import Interval
from benign.floats.stability import Loops
from helpers import plant_error
from several import random_plant


def check(n, m, seed=0) -> tuple[int, int]:
    rng = np.random.default_rng(seed)
    plants = [random_plant(rng, n, m, rho=0.95, discount=d) for d in (1, Fraction(9, 10))]
    loops = Loops(plants)
    count = 600
    W = rng.uniform(0.1, 3) * rng.normal(size=(n * m, 1, count)) * rng.uniform(size=count)
    r = rng.choice([0.0, 1e-9, 0.01, 0.1], count)
    signs = loops.signs([Interval(w - r, w + r) for w in W])
    assert signs.shape == (2, count)
    for task, plant in enumerate(plants):
        A, B = np.array(plant.A, float), np.array(plant.B, float)
        root = float(plant.discount) ** 0.5
        for _ in range(8):
            inside = W[:, 0] + r * rng.uniform(-1, 1, W[:, 0].shape)
            gains = inside.T.reshape(count, m, n)
            rho = root * np.abs(np.linalg.eigvals(A - B @ gains)).max(axis=1)
            assert (rho[signs[task] > 0] < 1 + 1e-12).all()
            assert (rho[signs[task] < 0] > 1 - 1e-12).all()
            point = (r == 0) & (np.abs(rho - 1) > 1e-6)
            assert (signs[task][point] != 0).all()
    return int((signs > 0).sum()), int((signs < 0).sum())


@pytest.mark.parametrize(("n", "m"), [(1, 1), (2, 1), (3, 1), (4, 1), (1, 3), (2, 2)])
def test_signs_agree_with_eigenvalues(n, m):
    stable, unstable = check(n, m)
    assert stable > 30
    assert unstable > 30


def test_nothing_is_said_of_what_is_not_known():
    loops = Loops([random_plant(np.random.default_rng(0), 2, 1)])
    bad = np.array([[np.nan, -np.inf, np.inf]])
    other = np.zeros((1, 3))
    assert (loops.signs([Interval(bad, np.abs(bad)), Interval(other, other)]) == 0).all()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("passed = last_most < first_least", "passed = last_least < first_least"),
        ("first * a[i] - last * a[degree - i]", "first * a[i] + last * a[degree - i]"),
    ],
)
def test_planted_errors_are_caught(monkeypatch, old, new):
    plant_error(monkeypatch, stability, "_schur_cohn", old, new)
    with pytest.raises(AssertionError):
        check(3, 1)
