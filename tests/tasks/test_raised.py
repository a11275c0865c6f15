"""One rule for what is semidefinite: within a rounding of the cone it is raised, and that is said.

What the checker demands, exactly, is what every task that can be made fulfils.
"""

import warnings
from fractions import Fraction

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from benign import LQR, GradientStep, MetaObjective, TaskFamily, analyze, certify, check
from benign.errors import ProblemError, RoundingWarning
from benign.exact.definite import is_semidefinite, raised
from benign.exact.documents import problem_to_json
from benign.exact.problem import Family, Plant, Task
from benign.tasks.numbers import fractions_of

A, B, R = [[0.9, 0.1], [0, 0.8]], [[0], [1.0]], 1.0


def outside(seed: int = 0, n: int = 2, rank: int = 1) -> np.ndarray:
    """C'C in floats that is exactly indefinite."""
    rng = np.random.default_rng(seed)
    while True:
        C = np.round(rng.uniform(0.2, 2, (rank, n)), 2)
        Q = C.T @ C
        Q = (Q + Q.T) / 2
        if not is_semidefinite(fractions_of(Q)):
            return Q


@pytest.mark.parametrize(("n", "rank"), [(2, 1), (3, 1), (4, 2), (7, 3), (20, 5)])
def test_a_product_in_floats_is_raised_by_a_few_ulps_of_its_largest_entry(n, rank):
    Q = outside(n, n, rank)
    found = raised(fractions_of(Q), floats=True)
    assert found is not None
    assert is_semidefinite(found)
    values = np.array(found, dtype=object).astype(float)
    assert fractions_of(values) == found  # float64 numbers still
    change = values - Q
    assert np.all(change[~np.eye(n, dtype=bool)] == 0)
    assert np.all(np.diag(change) > 0)
    assert np.max(np.diag(change)) <= 2 * n * np.finfo(float).eps * np.abs(Q).max()


def test_the_least_power_of_two_is_added_and_nothing_to_what_is_in_the_cone():
    inside = ((Fraction(1, 100), Fraction(3, 100)), (Fraction(3, 100), Fraction(9, 100)))
    assert raised(inside) is inside
    Q = fractions_of(outside())
    found = raised(Q)
    assert found is not None
    delta = found[0][0] - Q[0][0]
    half = tuple(tuple(x + (i == j) * delta / 2 for j, x in enumerate(r)) for i, r in enumerate(Q))
    largest = max(abs(x) for row in Q for x in row)
    assert not is_semidefinite(half) or delta <= largest / 2**52
    assert raised(((Fraction(1), Fraction(0)), (Fraction(0), Fraction(-1, 10**9)))) is None


@pytest.mark.parametrize("exponent", [-1040, -600, 0, 600, 1010])
def test_the_rule_has_no_scale(exponent):
    found = raised(fractions_of(outside() * 2.0**exponent), floats=True)
    assert found is not None
    assert is_semidefinite(found)


@pytest.mark.parametrize("field", ["Q", "S0", "noise"])
def test_a_task_says_what_it_raised_and_its_arrays_are_its_exact_numbers(field):
    given = {"Q": np.eye(2), "S0": np.eye(2), "discount": 0.9, field: outside()}
    with pytest.warns(RoundingWarning, match=rf"task `x`: `{field}` was indefinite by a rounding"):
        task = LQR(A, B, R=R, name="x", **given)
    exact = getattr(task.exact_plant(), field)
    assert is_semidefinite(exact)
    assert fractions_of(np.asarray(getattr(task, field))) == exact


def test_exact_numbers_are_raised_as_exact_numbers():
    Q = [["0.01", "0.03"], ["0.03", "0.0899999999999999999999"]]
    with pytest.warns(RoundingWarning):
        task = LQR([["0.9", "0.1"], [0, "0.8"]], [[0], [1]], Q, 1)
    plant = task.exact_plant()
    assert is_semidefinite(plant.Q)
    assert plant.A[0][0] == Fraction(9, 10)
    assert plant.Q[0][1] == Fraction(3, 100)


def test_what_is_semidefinite_is_left_as_it_is():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        task = LQR(A, B, [[0.25, 0.5], [0.5, 1.0]], R, [[0.0, 0.0], [0.0, 3.0]])
    assert task.exact_plant().Q[0][0] == Fraction(1, 4)


def test_beyond_rounding_a_task_is_refused():
    with pytest.raises(ProblemError, match="positive semidefinite"):
        LQR(A, B, outside() - 1e-9 * np.eye(2), R)


def test_a_stack_raises_only_the_tasks_that_need_it():
    Q = np.stack([np.eye(2), outside(), np.eye(2)])
    with pytest.warns(RoundingWarning, match="task 1 `task1`") as caught:
        family = TaskFamily.stack(np.stack([A] * 3), B, Q, R)
    assert len(caught) == 1
    assert np.array_equal(np.asarray(family.tasks.Q)[[0, 2]], Q[[0, 2]])
    for task in family.exact().tasks:
        assert is_semidefinite(task.f.Q)


def test_an_exact_family_made_by_hand_is_raised_too():
    eye = fractions_of(np.eye(2))
    bad = Plant(fractions_of(A), fractions_of(B), fractions_of(outside()), ((Fraction(1),),), eye)
    good = Plant(bad.A, bad.B, eye, bad.R, eye)
    exact = Family((Task("one", good), Task("two", good, bad)), (Fraction(1, 2), Fraction(1, 2)))
    with pytest.warns(RoundingWarning, match="task 1 `two`"):
        family = TaskFamily.from_exact(exact)
    found = family.exact()
    assert found.tasks[0] == exact.tasks[0]
    assert found.tasks[1].adaptation is not None
    assert is_semidefinite(found.tasks[1].adaptation.Q)


def test_an_array_that_was_replaced_is_raised_where_it_becomes_exact():
    task = eqx.tree_at(lambda t: t.Q, LQR(A, B, np.eye(2), R), jnp.asarray(outside()))
    with pytest.warns(RoundingWarning):
        assert is_semidefinite(task.exact_plant().Q)
    worse = eqx.tree_at(lambda t: t.Q, task, jnp.asarray(-np.eye(2)))
    with pytest.raises(ProblemError, match="positive semidefinite"):
        worse.exact_plant()


def test_a_price_that_is_singular_by_a_rounding_is_refused():
    singular = np.array([[1.21, 0.77], [0.77, 0.49]]) + 0.0
    with pytest.raises(ProblemError, match="`R` must be positive definite"):
        LQR([[0.5]], [[1.0, 1.0]], 1.0, singular)


def test_a_certificate_about_an_output_price_is_accepted():
    with pytest.warns(RoundingWarning):
        task = LQR(A, B, outside(), R)
    h = MetaObjective(TaskFamily([task]), GradientStep(eta=1e-3))
    found = certify(h, np.asarray(task.optimum().W))
    assert found["problem"] == problem_to_json(h.problem)
    assert check(found)


@pytest.mark.slow
def test_a_proof_about_an_output_price_is_accepted():
    with pytest.warns(RoundingWarning):
        task = LQR(A, B, outside(), R)
    h = MetaObjective(TaskFamily([task]), GradientStep(eta=1e-3))
    found = analyze(h, proof="required", level=1.1 * float(task.optimum().cost), budget=60)
    assert found.certificate is not None
    assert check(found.certificate)
