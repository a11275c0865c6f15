"""Random families: their numbers, and that they depend on (seed, cell) alone."""

import numpy as np
import pytest
from scipy.stats import kstest

from benign.studies.draws import MOST, normal, uniform
from benign.studies.generators import GENERATORS
from benign.studies.study import Measure, Study
from benign.studies.tasks import Families, normalised, optima
from benign.studies.work import families_of


def drawn(study, cells):
    return families_of(study, study.columns_of(np.asarray(cells)))


def test_numbers_are_uniform_and_independent_of_one_another():
    u = uniform(3, np.arange(400), 5, 20)
    assert kstest(u.ravel(), "uniform").pvalue > 1e-3
    assert kstest(normal(3, np.arange(400), 5, 20).ravel(), "norm").pvalue > 1e-3
    for axis in range(3):  # neighbours along keys, tasks and numbers
        ahead, behind = np.delete(u, 0, axis), np.delete(u, -1, axis)
        r = np.corrcoef(ahead.ravel(), behind.ravel())[0, 1]
        assert abs(r) < 4 / np.sqrt(ahead.size)
    assert len(np.unique(u)) == u.size
    assert abs(np.corrcoef(u.ravel(), uniform(4, np.arange(400), 5, 20).ravel())[0, 1]) < 0.02


def test_numbers_of_a_key_are_those_of_any_order_and_of_fewer_tasks():
    keys = np.array([5, 2**62, 7, 0])
    all_of_them = uniform(1, keys, 6, 9)
    np.testing.assert_array_equal(uniform(1, keys[::-1], 6, 9)[::-1], all_of_them)
    np.testing.assert_array_equal(uniform(1, keys[1:2], 2, 9), all_of_them[1:2, :2])
    np.testing.assert_array_equal(uniform(1, keys, 6, 4, first=5), all_of_them[:, :, 5:])
    with pytest.raises(ValueError, match="random numbers of a task"):
        uniform(1, keys, 1, 2, first=MOST - 1)


@pytest.mark.parametrize("kind", list(GENERATORS))
def test_a_cell_is_the_same_in_any_batch(kind):
    needs = GENERATORS[kind].needs_base
    fixed = {"tasks": 3} if needs else {"tasks": 3, "n": 3, "m": 2}
    study = Study("x", {"eta": [0.1, 0.2], "seed": 12}, generator=kind, fixed=fixed)
    together, alone = drawn(study, range(12)), drawn(study, [7])
    for name in ("A", "B", "Q", "R", "S0"):
        np.testing.assert_array_equal(getattr(together, name)[7], getattr(alone, name)[0])
        # The step size is no part of a family.
        np.testing.assert_array_equal(getattr(drawn(study, [19]), name), getattr(alone, name))
    for X in (together.Q, together.R, together.S0):
        assert (np.linalg.eigvalsh(X) > 0).all()
        np.testing.assert_array_equal(X, np.swapaxes(X, -1, -2))


def test_spread_is_what_it_says():
    study = Study("x", {"spread": [0.0, 0.25], "seed": 300}, generator="perturbed", plant={"A": 1.1})
    none, some = drawn(study, range(300)), drawn(study, range(300, 600))
    assert (none.A == 1.1).all()
    assert (none.Q == 1).all()
    for X, nominal in ((some.A, 1.1), (some.B, 1), (some.Q, 1), (some.R, 1)):
        share = np.abs(X / nominal - 1)
        assert 0.24 < share.max() <= 0.25 + 1e-12
    scaled = Study("x", {"spread": [9.0], "seed": 300}, generator="scaled-costs")
    family = drawn(scaled, range(300))
    assert 0.1 - 1e-12 <= family.Q.min() < 0.11
    assert 9 < family.Q.max() <= 10 + 1e-12
    np.testing.assert_allclose(family.Q, family.R, rtol=1e-15)
    assert np.ptp(optima(normalised(family)).cost, axis=1).max() < 1e-12


@pytest.mark.parametrize("kind", ["perturbed", "random-costs", "random-systems"])
def test_optima_are_those_of_the_riccati_equation(kind):
    """The closed form of one state against SciPy; larger ones by the gradient, which vanishes."""
    from benign.studies.tasks import _one_by_one
    from benign.studies.variance import _derivatives

    study = Study("x", {"seed": 20}, generator=kind, fixed={"tasks": 3})
    families = drawn(study, range(20))
    closed, solved = optima(families), _one_by_one(families)
    np.testing.assert_allclose(closed.W, solved.W, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(closed.cost, solved.cost, rtol=1e-9)
    np.testing.assert_allclose(closed.curvature, solved.curvature, rtol=1e-8)
    larger = Study("x", {"seed": 3}, generator="random-systems", fixed={"n": 3, "m": 2, "tasks": 1})
    families = drawn(larger, range(3))
    found = optima(families)
    for i in range(3):
        numbers = [getattr(families, name)[i, 0] for name in ("A", "B", "Q", "R", "S0")]
        slope, bend = _derivatives(*numbers, found.W[i, 0])
        assert np.abs(slope).max() < 1e-8 * found.cost[i, 0]
        assert np.linalg.norm(bend, 2) == pytest.approx(found.curvature[i, 0], rel=1e-6)


def test_exact_families_are_the_floats():
    families = drawn(Study("x", {"seed": 2}, fixed={"tasks": 2}), range(2))
    exact = families.exact(1)
    assert float(exact.tasks[1].f.R[0][0]) == families.R[1, 1, 0, 0]
    assert sum(exact.weights) == 1
    np.testing.assert_array_equal(
        families.numbers[1, 1, :5], [1, 1, families.Q[1, 1, 0, 0], families.R[1, 1, 0, 0], 1]
    )
    assert isinstance(families[:1], Families)


def test_relative_steps_are_in_units_of_the_curvature():
    from benign.studies.work import etas_of

    study = Study("x", {"eta": [0.3], "seed": 4}, measure=Measure(relative=True))
    columns = study.columns_of(np.arange(4))
    families = families_of(study, columns)
    eta = etas_of(study, columns, families)
    np.testing.assert_allclose(eta * optima(families).curvature[:, 0], 0.3, rtol=1e-14)
