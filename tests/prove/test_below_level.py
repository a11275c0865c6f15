"""The proof for few parameters: its certificates are proved again, altered ones are refused."""

from __future__ import annotations

import copy
import math
from fractions import Fraction

import numpy as np
import pytest

from benign.certificates.check import check
from benign.certificates.document import sealed
from benign.errors import ClaimError, ProblemError
from benign.exact.documents import problem_from_json
from benign.exact.problem import Problem, make_step
from benign.floats.frames import frame_of
from benign.meta.given import meta_objective
from benign.prove.boxes import below as few_parameters
from benign.prove.boxes.below import applies, prove
from benign.searches.search import search
from benign.verdict import Status
from several import random_problem


def family(tasks, seed=2, n=2, m=1, eta="0.1", **settings):
    return random_problem(
        np.random.default_rng(seed),
        n,
        m,
        tasks=tasks,
        eta=eta,
        rho=0.5,
        discount=Fraction(1, 2),
        **settings,
    )


@pytest.fixture(scope="module")
def document():
    result = prove(family(1))
    assert result.is_complete
    assert result.bounded
    return result.certificate


@pytest.mark.parametrize("tasks", [1, 2])
def test_its_certificate_is_proved_again(tasks):
    result = prove(family(tasks))
    verdict = check(result.certificate)
    assert verdict.status is Status.PROVED, verdict
    assert result.verdict.status.value == "proved"
    assert result.minimum.lo <= result.minimizers[0].value.lo
    assert "complete for h ≤" in str(result)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 3])
def test_certificates_of_more_families(seed):
    assert check(prove(family(2, seed)).certificate).status is Status.PROVED


def retag(old, new, which=0):
    def change(d):
        places = [i for i, letter in enumerate(d["tree"]) if letter == old]
        i = places[which]
        d["tree"] = d["tree"][:i] + new + d["tree"][i + 1 :]

    return change


def move(key, by):
    def change(d):
        d["minimisers"][0][key] = [[a + by, b + by] for a, b in d["minimisers"][0][key]]

    return change


def scale_radius(factor):
    def change(d):
        box = d["minimisers"][0]["convex"]
        box["radius"] = [factor * r for r in box["radius"]]

    return change


def in_cost(key, factor):
    def change(d):
        M = d["problem"]["tasks"][0]["cost"][key]
        M[0][0] = str(Fraction(M[0][0]) * Fraction(factor))

    return change


FALSE = {
    "m for g": retag("m", "g"),
    "m for s": retag("m", "s"),
    "m for n": retag("m", "n"),
    "m for l": retag("m", "l"),
    "m for u": retag("m", "u"),
    "m for o": retag("m", "o"),
    "m for r": retag("m", "r"),
    "g for m": retag("g", "m"),
    "g for u": retag("g", "u", 20),
    "g for o": retag("g", "o", 20),
    "g for l": retag("g", "l", 60),
    "u for g": retag("u", "g"),
    "u for m": retag("u", "m", 2),
    "o for g": retag("o", "g", 5),
    "o for m": retag("o", "m", 5),
    "a leaf removed": lambda d: d.update(tree=d["tree"][:-1]),
    "a leaf added": lambda d: d.update(tree=d["tree"] + "u"),
    "sides exchanged": lambda d: d.update(tree=d["tree"].translate({48: 49, 49: 48})),
    "one leaf": lambda d: d.update(tree="g"),
    "y moved": move("y", 1e-6),
    "W moved": move("W", 1e-6),
    "convex box enlarged": scale_radius(64.0),
    "convex box shrunk": scale_radius(0.1),
    "value higher": lambda d: d["minimisers"][0].update(
        value=[x + 1e-6 for x in d["minimisers"][0]["value"]]
    ),
    "minimum lower": lambda d: d.update(minimum=[x - 1e-6 for x in d["minimum"]]),
    "level higher": lambda d: d.update(level="inf", tree=d["tree"].replace("r", "l")),
    "level below all": lambda d: d.update(level=0.5 * d["minimum"][0]),
    "refuted": lambda d: d.update(status="refuted"),
    "smaller frame": lambda d: d["frame"].update(
        axes=[[0.9 * x for x in row] for row in d["frame"]["axes"]]
    ),
    "another Q": in_cost("Q", "1.01"),
    "another A": in_cost("A", "1.01"),
    "another S0": in_cost("S0", "1.01"),
    "two shots": lambda d: d["problem"]["step"].update(shots=2),
    "no minimiser": lambda d: d.update(minimisers=[]),
}


@pytest.mark.parametrize("name", FALSE)
def test_altered_certificates_are_refused(document, name):
    body = copy.deepcopy(document)
    body.pop("digest")
    FALSE[name](body)
    assert check(sealed(body)).status is Status.REFUTED


def test_another_step_size_is_a_true_claim_for_a_lone_task_until_the_domain_changes(document):
    """Its optimum is a minimum for every η; a search at the other η meets no second one."""
    body = copy.deepcopy(document)
    body.pop("digest")
    body["problem"]["step"].update(eta="0.11")
    assert check(sealed(body)).status is Status.PROVED
    met = search(meta_objective(problem_from_json(body["problem"])), starts=64, seed=0).minimizers
    (listed,) = body["minimisers"]
    below = [point for point in met if point.value < body["level"]]
    assert below
    for point in below:
        np.testing.assert_allclose(point.W.reshape(-1), np.mean(listed["W"], axis=1), atol=1e-7)
    body["problem"]["step"].update(eta="1")
    assert check(sealed(body)).status is Status.REFUTED


# --- what is said ----------------------------------------------------------------------------


def test_what_it_is_not_for():
    problem = family(1)
    normalized = Problem(problem.family, make_step("normalized", "0.1"))
    assert "gradient" in applies(normalized)
    with pytest.raises(ClaimError, match="gradient step"):
        prove(normalized)
    assert "5" in applies(family(1, n=1, m=5))
    with pytest.raises(ProblemError, match="positive"):
        prove(problem, level=math.nan)
    with pytest.raises(ProblemError, match="below every minimum"):
        prove(problem, level=1e-3)


def test_no_budget_proves_nothing():
    result = prove(family(1), budget=0.0)
    assert result.left == 1
    assert result.certificate is None
    assert result.verdict.status is Status.UNDECIDED
    assert result.epsilon.hi == math.inf


def test_no_feasible_gain_is_told_from_no_minimiser_in_the_box(monkeypatch):
    """Two inputs, so that no simplex bounds the gains; and a box on a slope of h."""
    with pytest.raises(ProblemError, match="no gain is feasible"):
        prove(family(2, eta="1e6"))
    problem = family(1, n=1, m=2, eta="0.01")
    small = frame_of(np.array([0.3, 0.3]), 0.05 * np.eye(2)), False
    monkeypatch.setattr(few_parameters, "_frame", lambda *_: small)
    with pytest.raises(ProblemError, match="is a local minimiser"):
        prove(problem)


def test_a_root_box_that_is_not_shown_to_hold_the_domain_is_no_bound(monkeypatch):
    monkeypatch.setattr(few_parameters, "holds_all", lambda *_: False)
    result = prove(family(1))
    assert not result.bounded
    assert result.certificate["bounded"] is False
    assert "among the gains searched" in result.verdict.statement
