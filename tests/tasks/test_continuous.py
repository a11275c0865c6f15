"""Continuous plants made in Python: the numbers of a family file, and models of other libraries."""

from __future__ import annotations

import json
from fractions import Fraction

import jax
import numpy as np
import pytest
import scipy.signal
from scipy.signal import cont2discrete

import benign
from benign.errors import BenignError, ProblemError
from benign.tasks.files import loads
from benign.tasks.sampling import is_sampled

CART = ([["0", "1"], ["0", "-0.1"]], [["0"], ["0.5"]], "0.1")
PLANTS = {
    "cart": CART,
    "integrators": ([[0, 1], [0, 0]], [[0], [1]], "1/3"),
    "scalar": ([["-1/20"]], [["1/1000"]], 1),
    "binary": ([[-0.3, 0.7], [0.1, 0.2]], [[1.0, 0.1], [0.0, 0.3]], 0.25),
}


def exact(M):
    return [[Fraction(x) for x in row] for row in M]


@pytest.mark.parametrize("name", PLANTS)
def test_the_numbers_are_those_of_the_file(name):
    A, B, dt = PLANTS[name]
    n, m = len(A), len(B[0])
    Q, R = np.eye(n), np.eye(m)
    table = {"name": "x", "Q": Q.tolist(), "R": R.tolist(), "time": "continuous", "dt": f"{dt}"}
    table |= {key: [[f"{x}" for x in row] for row in exact(M)] for key, M in (("A", A), ("B", B))}
    file = loads(json.dumps({"benign": 1, "tasks": [table]}), "json")
    task = benign.LQR(A, B, Q, R, time="continuous", dt=dt, name="x")
    assert benign.TaskFamily([task]).exact() == file.family
    floats = [np.array(exact(M), float) for M in (A, B)]
    Ad, Bd, *_ = cont2discrete((*floats, np.eye(n), np.zeros((n, m))), float(Fraction(dt)))
    np.testing.assert_allclose(task.A, Ad, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(task.B, Bd, rtol=1e-12, atol=1e-15)


def test_the_rest_of_the_task_is_as_for_a_discrete_plant():
    A, B, dt = CART
    rest = {"discount": "0.9", "noise": np.eye(2), "name": "x"}
    task = benign.LQR(A, B, np.eye(2), "0.1", time="continuous", dt=dt, **rest)
    same = benign.LQR(task.A, task.B, np.eye(2), "0.1", **rest)
    assert task.exact_plant() == same.exact_plant()
    average = benign.LQR.average_cost(A, B, np.eye(2), 1, np.eye(2), time="continuous", dt=dt)
    assert (average.A == task.A).all()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"dt": 1}, "`dt` is given without `time`"),
        ({"time": "continuous"}, "needs the sampling time `dt`"),
        ({"time": "continuous", "dt": 0}, "must be positive"),
        ({"time": "continuous", "dt": np.nan}, "expected a finite number"),
        ({"time": "continuous", "dt": 1e9}, "too fast"),
    ],
)
def test_what_cannot_be_sampled_is_refused(given, words):
    with pytest.raises(ProblemError, match=words) as caught:
        benign.LQR(-1, 1, 1, 1, name="x", **given)
    assert str(caught.value).startswith("task `x`: ")


def test_another_word_for_time_is_refused():
    with pytest.raises(ProblemError, match='expected "discrete" or "continuous", got \'often\''):
        is_sampled("often", 1)


def test_a_plant_that_only_sampling_makes_unstabilisable_is_refused():
    # Half a turn between two samples: the input cannot tell the two states apart.
    A, B = [[0, 1], [-1, 0]], [[0], [1]]
    benign.LQR(A, B, np.eye(2), 1, time="continuous", dt=1)
    with pytest.raises(ProblemError, match="no input in `B` reaches"):
        benign.LQR(A, B, np.eye(2), 1, time="continuous", dt=2 * np.pi)


def test_a_traced_plant_is_not_sampled():
    def cost(a):
        return benign.LQR(a, 1, 1, 1, time="continuous", dt=0.1).cost(0.5)

    with pytest.raises(BenignError, match="a plant is sampled from known numbers"):
        jax.grad(cost)(-1.0)


# --- models of other libraries -----------------------------------------------------------------

A, B = np.array([[0.0, 1.0], [-2.0, -0.3]]), np.array([[0.0], [1.5]])
Q = np.diag([1.0, 0.5])


def scipy_model(dt):
    model = (A, B, np.eye(2), np.zeros((2, 1)))
    return scipy.signal.lti(*model) if not dt else scipy.signal.dlti(*model, dt=dt)


def control_model(dt):
    control = pytest.importorskip("control")
    return control.ss(A, B, np.eye(2), np.zeros((2, 1)), dt)


@pytest.fixture(params=[scipy_model, control_model])
def model(request):
    return request.param


def same(a, b):
    return a.exact_plant() == b.exact_plant() and a.name == b.name


@pytest.mark.parametrize("dt", [None, 0])
def test_a_continuous_model_is_sampled(model, dt):
    rest = {"discount": "0.9", "noise": np.eye(2), "name": "x"}
    task = benign.LQR.from_state_space(model(dt), Q, 1, 2 * np.eye(2), dt="0.1", **rest)
    assert same(task, benign.LQR(A, B, Q, 1, 2 * np.eye(2), time="continuous", dt="0.1", **rest))
    with pytest.raises(ProblemError, match=r"continuous time \(its dt is (None|0)\); give `dt`"):
        benign.LQR.from_state_space(model(dt), Q, 1)


@pytest.mark.parametrize("dt", [True, 0.1, 1])
def test_a_discrete_model_is_taken_as_it_is(model, dt):
    g = benign.LQR(A, B, Q, 2)
    task = benign.LQR.from_state_space(model(dt), Q, 1, adaptation=g)
    assert same(task, benign.LQR(A, B, Q, 1))
    assert same(task.g, g)
    with pytest.raises(ProblemError, match="`x`: the model is sampled already"):
        benign.LQR.from_state_space(model(dt), Q, 1, dt=0.2, name="x")
    if dt is not True:
        assert same(task, benign.LQR.from_state_space(model(dt), Q, 1, dt=dt))


def test_what_is_no_state_space_model_is_refused():
    for wrong in (3, (A, B), scipy.signal.lti([1], [1, 2]), benign.LQR(1, 1, 1, 1)):
        with pytest.raises(ProblemError, match="expected a state-space model with A, B and dt, got a"):
            benign.LQR.from_state_space(wrong, Q, 1)
    with pytest.raises(ProblemError, match="`Q` must have shape"):
        benign.LQR.from_state_space(scipy_model(0.1), 1, 1)
