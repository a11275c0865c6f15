"""Theorems 1 to 3, Propositions 1 and 2 and the sharper form for several states or inputs."""

import copy
import json
from fractions import Fraction
from importlib.resources import files

import numpy as np
import pytest

from benign import analyze, check
from benign.certificates.document import sealed
from benign.certificates.pointwise import (
    NON_SINGULAR,
    PROPOSITION_1,
    PROPOSITION_2,
    THEOREM_1,
    THEOREM_2,
    THEOREM_3,
)
from benign.certificates.regret import REGRET
from benign.errors import ClaimError
from benign.exact.problem import Plant, Problem, Task, make_family, make_step
from benign.prove.certify import CLAIMS, _named, certify
from benign.tasks.files import load
from benign.verdict import Status
from multistart import best, cost, plain, product
from several import random_problem


def one_of(name, eta, kind="gradient", shots=1):
    """The first task of a bundled family."""
    family = load(str(files("benign.data") / f"{name}.toml")).family
    return Problem(make_family(family.tasks[:1]), make_step(kind, eta, shots))


def optimum(problem):
    return best(plain(problem.tasks[0].f))


def at_the_top(problem, eta, sign):
    """A gain a normalised step of length η away from the optimum, along the top eigenvector of ∇²g."""
    plant = plain(problem.tasks[0].g)
    W = best(plain(problem.tasks[0].f))
    H = [product(plant, W, E.reshape(W.shape)).reshape(-1) for E in np.eye(W.size)]
    top = np.linalg.eigh(np.array(H))[1][:, -1].reshape(W.shape)
    W = W + sign * eta * top
    goal = best(plain(problem.tasks[0].f))
    for _ in range(200):  # W = W* + η∇g(W)/‖∇g(W)‖
        g = cost(plant, W)[1]
        W = goal + eta * g / np.linalg.norm(g)
    return W


BOEING = one_of("boeing-747", "1e-4")


@pytest.mark.parametrize("claim", [THEOREM_2, THEOREM_1, PROPOSITION_1, NON_SINGULAR])
def test_the_optimum_of_one_task_is_a_global_minimiser(claim):
    document = certify(BOEING, optimum(BOEING), claim)
    assert (document["claim"], document["gap"]) == (claim, 0.0)
    sides = np.array(document["W"])
    assert sides.shape == (2, 4, 2)
    assert (sides[..., 1] - sides[..., 0]).max() < 1e-14
    assert (np.abs(sides.mean(axis=2) - optimum(BOEING)) < 1e-9).all()
    verdict = check(json.loads(json.dumps(document)))
    assert verdict
    assert "is a global minimiser of h" in verdict.statement


def test_the_strongest_claim_is_made_where_none_is_named():
    assert certify(BOEING, optimum(BOEING))["claim"] == THEOREM_2
    aside = certify(BOEING, optimum(BOEING) * 1.01)
    assert aside["claim"] == REGRET
    assert aside["gap"] > 0
    with pytest.raises(ClaimError, match="no stationary point"):
        certify(BOEING, optimum(BOEING) * 1.01, THEOREM_2)


@pytest.mark.parametrize("name", ["Theorem 2", "THEOREM  2", " theorem 2"])
def test_claims_are_read_without_regard_to_case(name):
    assert certify(BOEING, optimum(BOEING), name)["claim"] == THEOREM_2
    with pytest.raises(ClaimError, match="unknown claim 'Theorem 9'"):
        certify(BOEING, optimum(BOEING), "Theorem 9")


@pytest.mark.parametrize("name", CLAIMS)
def test_every_claim_is_found_by_its_own_name_and_in_capitals(name):
    assert _named(name) == _named(name.upper()) == name


def test_the_condition_is_shown_and_not_assumed():
    """η‖∇²g‖ > 1 at the optimum: Theorem 2 does not apply, the sharper form does."""
    plant = plain(BOEING.tasks[0].f)
    W = optimum(BOEING)
    H = np.array([product(plant, W, E.reshape(W.shape)).reshape(-1) for E in np.eye(W.size)])
    spectrum = np.linalg.eigvalsh((H + H.T) / 2)
    eta = 1.5 / spectrum[-1]
    assert np.abs(1 - eta * spectrum).min() > 1e-3
    problem = Problem(BOEING.family, make_step("gradient", f"{eta:.6g}"))
    with pytest.raises(ClaimError, match="needs η‖∇²g‖ < 1"):
        certify(problem, W, THEOREM_2)
    document = certify(problem, W)
    assert document["claim"] == NON_SINGULAR
    assert check(document)
    # The same document under the theorem's name is refused.
    assert check(sealed({**without_digest(document), "claim": THEOREM_2})).status is Status.REFUTED


def without_digest(document):
    return {key: value for key, value in copy.deepcopy(document).items() if key != "digest"}


def test_where_a_shot_is_singular_nothing_is_claimed():
    """B = (1, 0): ∇²g is known, and η is 1 over an eigenvalue of it, so that F is singular at W*."""
    zero, one = Fraction(0), Fraction(1)
    plant = Plant(((zero,),), ((one, zero),), ((one,),), ((one, zero), (zero, one)), ((one,),))
    # A = 0: W* = 0, P = 1, Σ = 1, ∇²g = 2(R + B'PB) = diag(4, 2).
    problem = Problem(make_family([Task("t", plant)]), make_step("gradient", "1/4"))
    for claim in (THEOREM_2, NON_SINGULAR):
        with pytest.raises(ClaimError):
            certify(problem, [[0.0], [0.0]], claim)
    apart = Problem(problem.family, make_step("gradient", "1/5"))
    assert check(certify(apart, [[0.0], [0.0]], THEOREM_2))


def test_normalised_steps():
    """The points a step away from the optimum, on either side: global, by the sharper form at least."""
    told = []
    for seed in range(4):
        problem = random_problem(np.random.default_rng([5, seed]), 2, 1, 1)
        step = make_step("normalized", "0.1")
        problem = Problem(problem.family, step)
        twice = [Task(f"t{t}", scaled(problem.tasks[0].f, Fraction(t, 2))) for t in (1, 3)]
        alike = Problem(make_family(twice), step)
        for sign in (1, -1):
            W = at_the_top(problem, 0.1, sign)
            for which, claim in ((problem, PROPOSITION_2), (alike, THEOREM_3)):
                try:
                    document = certify(which, W, claim)
                except ClaimError as error:
                    assert "needs η‖∇²g‖ < ‖∇g‖" in str(error)  # noqa: PT017
                    document = certify(which, W, NON_SINGULAR)
                told.append(document["claim"])
                assert check(json.loads(json.dumps(document)))
            with pytest.raises(ClaimError, match="is about one task"):
                certify(alike, W, PROPOSITION_2)
    assert set(told) == {PROPOSITION_2, THEOREM_3, NON_SINGULAR}


def scaled(plant, t):
    Q, R = (tuple(tuple(t * x for x in row) for row in M) for M in (plant.Q, plant.R))
    return Plant(plant.A, plant.B, Q, R, plant.S0, plant.discount, plant.noise)


def test_a_spurious_minimum_is_not_certified():
    """One task whose step is long: what a search meets above the least value has a singular shot."""
    problem = one_of("boeing-747", "2e-3")
    found = analyze(problem, starts=16)
    least = cost(plain(problem.tasks[0].f), optimum(problem))[0]
    above = [p for p in found.minimizers if p.height > least * (1 + 1e-6)]
    for point in found.minimizers:
        try:
            document = certify(problem, point.W, NON_SINGULAR)
        except ClaimError:
            continue
        assert check(document)
        assert point.height == pytest.approx(least, rel=1e-9)
    assert all(not point.gap < 1e-6 * least for point in above)


def alter(change):
    document = without_digest(certify(BOEING, optimum(BOEING), THEOREM_2))
    change(document)
    return check(sealed(document))


def moved(d):
    d["W"][0][0] = [x + 1e-9 for x in d["W"][0][0]]


def gap(d):
    d["gap"] = 1e-300


def one_row(d):
    d["W"] = d["W"][:1]


def numbers(d):
    d["W"] = [[side[0] for side in row] for row in d["W"]]


def longer_step(d):
    d["problem"]["step"]["eta"] = "1/100"


def other_task(d):
    task = copy.deepcopy(d["problem"]["tasks"][0])
    task["cost"]["Q"][0][0] = "3"
    task["weight"] = d["problem"]["tasks"][0]["weight"] = "1/2"
    d["problem"]["tasks"].append(task)


@pytest.mark.parametrize("change", [moved, gap, one_row, numbers, longer_step, other_task])
def test_what_is_altered_is_refused(change):
    assert alter(change).status is Status.REFUTED


def test_families_of_different_tasks_get_nothing():
    family = load(str(files("benign.data") / "boeing-747.toml")).family
    problem = Problem(family, make_step("gradient", "1e-4"))
    for claim in (THEOREM_2, THEOREM_1, PROPOSITION_1, NON_SINGULAR):
        with pytest.raises(ClaimError, match="is about one task"):
            certify(problem, optimum(problem), claim)
    assert certify(problem, optimum(problem))["claim"] == REGRET
