"""Exact numbers and the JSON form of a problem: what goes in comes out, and what is bad is named."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benign.errors import ProblemError
from benign.exact.documents import problem_from_json, problem_to_json
from benign.exact.numbers import exact
from benign.exact.problem import Plant, Problem, Task, make_family, make_step
from helpers import paper_problem, random_problem, scalar_plant, scalar_problem


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("0.1", Fraction(1, 10)),
        (0.1, Fraction(0.1)),
        ("101/100", Fraction(101, 100)),
        (" 1e-3 ", Fraction(1, 1000)),
        ("0.5/0.25", Fraction(2)),
        (3, Fraction(3)),
        (Decimal("1.5"), Fraction(3, 2)),
        (Fraction(2, 3), Fraction(2, 3)),
    ],
)
def test_numbers_are_read_exactly(value, number):
    assert exact(value) == number


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (True, "expected a number, got True"),
        (float("nan"), "expected a finite number"),
        (float("inf"), "expected a finite number"),
        ("nan", "expected a finite number"),
        ("sNaN", "expected a finite number"),
        ("Infinity", "expected a finite number"),
        ("1/0", "divides by zero"),
        ("1/2/3", "expected a number such as"),
        ("", "expected a number such as"),
        ("0x10", "expected a number such as"),
        ("1e400", "beyond the range"),
        ("1e-400", "beyond the range"),
        ("9" * 500, "more than 400 characters"),
        (Decimal("1e999999"), "beyond the range"),
        (10**400, "expected a finite number"),
        (None, "expected a finite number"),
    ],
)
def test_what_is_no_number_is_refused(value, message):
    with pytest.raises(ProblemError, match=message):
        exact(value)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_survives_the_way_through_text(x):
    assert exact(str(exact(x))) == Fraction(x) if len(str(Fraction(x))) <= 400 else True
    assert exact(x) == Fraction(x)


@pytest.mark.parametrize("seed", range(30))
def test_the_json_form_gives_the_problem_back(seed):
    problem = random_problem(np.random.default_rng(seed))
    document = json.loads(json.dumps(problem_to_json(problem)))
    assert problem_from_json(document) == problem


def test_noise_and_several_states_survive_json():
    eye = ((Fraction(1), Fraction(1, 3)), (Fraction(1, 3), Fraction(1)))
    column = ((Fraction(1),), (Fraction(2, 7),))
    plant = Plant(eye, column, eye, ((Fraction(1),),), eye, Fraction(9, 10), eye)
    problem = Problem(make_family([Task("wide", plant, plant)]), make_step("normalized", "0.1", 2))
    assert problem_from_json(problem_to_json(problem)) == problem
    assert plant.moment[0][1] == Fraction(1, 3) + 9 * Fraction(1, 3)


def edited(path: str, value: object) -> dict:
    """The document of a figure with one place set; the last step `-key` takes a key away."""
    document = json.loads(json.dumps(problem_to_json(paper_problem("2", "0.1"))))
    at: object = document
    *steps, last = path.split(".")
    for step in steps:
        at = at[int(step) if step.isdigit() else step]  # type: ignore[index]
    if last.startswith("-"):
        del at[last[1:]]  # type: ignore[attr-defined]
    else:
        at[int(last) if last.isdigit() else last] = value  # type: ignore[index]
    return document


BAD = {
    "no tasks": ("-tasks", None, "problem: lacks 'tasks'"),
    "unknown key": ("extra", 1, "problem: has the unknown key 'extra'"),
    "tasks no list": ("tasks", {}, "problem.tasks: expected list, got dict"),
    "empty family": ("tasks", [], "do not sum to one"),
    "task no object": ("tasks.0", 7, r"tasks\[0\]: expected dict, got int"),
    "task without cost": ("tasks.1.-cost", None, r"tasks\[1\]: lacks 'cost'"),
    "name a number": ("tasks.0.name", 3, r"tasks\[0\].name: expected str, got int"),
    "weight a number": ("tasks.0.weight", 0.5, r"tasks\[0\].weight: expected str, got float"),
    "weights off": ("tasks.0.weight", "1/3", "do not sum to one"),
    "weight negative": ("tasks.0.weight", "-1/2", "do not sum to one"),
    "matrix a number": ("tasks.0.cost.A", "1", "cost.A: expected list, got str"),
    "matrix of numbers": ("tasks.0.cost.A", [["1", 2]], "cost.A: expected str, got int"),
    "matrix empty": ("tasks.0.cost.A", [], "cost.A: wrong shape"),
    "matrix ragged": ("tasks.0.cost.A", [["1", "0"], ["1"]], "cost.A: wrong shape"),
    "A not square": ("tasks.0.cost.A", [["1", "0"]], "cost.A: must be square"),
    "Q too large": ("tasks.0.cost.Q", [["1", "0"], ["0", "1"]], "cost.Q: wrong shape"),
    "discount 0": ("tasks.0.cost.discount", "0", r"discount: must lie in \(0, 1\]"),
    "noise without discount": ("tasks.0.cost.noise", [["1"]], "noise: needs a discount below 1"),
    "no number": ("tasks.0.cost.R", [["one"]], "expected a number such as"),
    "kind": ("step.kind", "prox", "expected 'gradient' or 'normalized'"),
    "eta a number": ("step.eta", 0.1, "problem.step.eta: expected str, got float"),
    "eta zero": ("step.eta", "0", "eta: the step size must be positive"),
    "shots zero": ("step.shots", 0, "shots: expected a positive integer"),
    "shots true": ("step.shots", True, "shots: expected a positive integer"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_document_is_refused_with_its_place(name):
    path, value, message = BAD[name]
    with pytest.raises(ProblemError, match=message):
        problem_from_json(edited(path, value))


def test_a_matrix_that_is_not_symmetric_is_refused():
    document = problem_to_json(scalar_problem([scalar_plant(1)]))
    square = [["1", "0"], ["0", "1"]]
    cost = {"A": square, "B": [["1"], ["0"]], "Q": [["1", "1"], ["0", "1"]], "R": [["1"]], "S0": square}
    document["tasks"][0]["cost"] = cost
    with pytest.raises(ProblemError, match=r"cost\.Q: must be symmetric"):
        problem_from_json(document)


def test_families_are_checked():
    wide = ((Fraction(1), Fraction(0)), (Fraction(0), Fraction(1)))
    other = Plant(wide, wide, wide, wide, wide)
    with pytest.raises(ProblemError, match="has no task"):
        make_family([])
    with pytest.raises(ProblemError, match="task 1 `wide`: it has 2 states"):
        make_family([Task("one", scalar_plant(1)), Task("wide", other)])
    with pytest.raises(ProblemError, match="2 weights for 1 tasks"):
        make_family([Task("one", scalar_plant(1))], [Fraction(1), Fraction(1)])
    with pytest.raises(ProblemError, match="task 0 `one`: its weight must be positive"):
        make_family([Task("one", scalar_plant(1))], [Fraction(0)])
