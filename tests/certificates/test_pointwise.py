"""Claims about one gain: when they are made, when they are refused, and that they are true."""

from __future__ import annotations

import json

import numpy as np
import pytest

from benign.certificates.check import check
from benign.certificates.document import sealed
from benign.certificates.pointwise import (
    CLAIMS,
    NON_SINGULAR,
    PROPOSITION_1,
    PROPOSITION_2,
    THEOREM_1,
    THEOREM_2,
    THEOREM_3,
)
from benign.certificates.regret import REGRET
from benign.errors import ClaimError
from benign.prove.certify import certify
from benign.prove.line.enumeration import analyze
from benign.results.landscape import Kind
from helpers import Reference, feasible_problem, paper_problem, scalar_plant, scalar_problem

GOLDEN = (5**0.5 - 1) / 2

ONE = paper_problem("1", "0.1")
SMALL = paper_problem("1", "0.02")
SPLIT = scalar_problem([scalar_plant(1)], eta="0.02", adaptation=[scalar_plant("0.95", q=2)])
TURNED = paper_problem("1", "0.1", "normalized")
ALIKE = paper_problem("2", "0.1", "normalized")
MANY = paper_problem("3b", "0.1")


@pytest.mark.parametrize("claim", [THEOREM_2, THEOREM_1, PROPOSITION_1, NON_SINGULAR])
def test_the_optimum_of_one_task_is_a_global_minimiser(claim):
    document = certify(SMALL, GOLDEN, claim)
    assert (document["claim"], document["gap"]) == (claim, 0.0)
    lo, hi = document["W"]
    assert lo <= GOLDEN <= hi
    assert hi - lo < 1e-12
    verdict = check(json.loads(json.dumps(document)))
    assert verdict
    assert "is a global minimiser of h" in verdict.statement


def test_a_global_minimum_beyond_the_reach_of_the_theorems_needs_the_sharper_form():
    """Figure 1 at half the step: three minima of one value; at the outer ones ηC'' > 1."""
    problem = paper_problem("1", "0.05")
    outer = [p.at.mid for p in analyze(problem).minima][2]
    with pytest.raises(ClaimError, match="η‖∇²g‖ < 1"):
        certify(problem, outer, THEOREM_2)
    document = certify(problem, outer)
    assert document["claim"] == NON_SINGULAR
    assert check(document)


def test_the_spurious_minimum_of_figure_1_gets_no_claim_but_a_bound():
    spurious = [p.at.mid for p in analyze(ONE).minima][1]
    assert abs(spurious - 0.873963) < 1e-6
    for claim in (THEOREM_1, THEOREM_2, PROPOSITION_1, NON_SINGULAR):
        with pytest.raises(ClaimError):
            certify(ONE, spurious, claim)
    document = certify(ONE, spurious)
    assert document["claim"] == REGRET
    landscape = analyze(ONE)
    assert document["gap"] >= landscape.epsilon.lo > 0


def test_another_adaptation_cost_is_theorem_1_and_not_2():
    at = analyze(SPLIT).minima[1].at.mid  # the one next to the optimum of f, where ηg'' < 1
    assert certify(SPLIT, at)["claim"] == THEOREM_1
    with pytest.raises(ClaimError, match="theorem 2 needs f = g"):
        certify(SPLIT, at, THEOREM_2)


@pytest.mark.parametrize(
    ("problem", "claim"), [(TURNED, THEOREM_3), (ALIKE, THEOREM_3), (TURNED, PROPOSITION_2)]
)
def test_the_normalised_step(problem, claim):
    for point in analyze(problem).minima:
        document = certify(problem, point.at.mid, claim)
        assert document["claim"] == claim
        assert check(document)
    with pytest.raises(
        ClaimError, match=r"touches a gain where ∇g = 0|does not change sign|no stationary"
    ):
        certify(problem, GOLDEN, claim)


def test_a_minimum_at_a_gain_without_gradient_gets_no_claim():
    """Two shots step over W* and back: h is continuous there, but ∇g(W*) = 0."""
    problem = paper_problem("1", "0.1", "normalized", shots=2)
    middle = next(p for p in analyze(problem).minima if p.at.lo <= GOLDEN <= p.at.hi)
    assert middle.kind is Kind.MINIMUM
    for claim in (THEOREM_3, PROPOSITION_2):
        with pytest.raises(ClaimError, match="touches a gain where ∇g = 0"):
            certify(problem, middle.at.mid, claim)
    forged = certify(problem, analyze(problem).minima[0].at.mid, THEOREM_3)
    assert not check(sealed({**forged, "W": [middle.at.lo, middle.at.hi]}))


@pytest.mark.parametrize("claim", [c for c in CLAIMS if c != REGRET])
def test_several_tasks_get_nothing_from_the_theorems(claim):
    with pytest.raises(
        ClaimError, match=r"is about one task|is about the normalized step|needs equal A"
    ):
        certify(MANY, 0.562076, claim)


@pytest.mark.parametrize("seed", range(25))
def test_the_regret_bound_holds(seed):
    rng = np.random.default_rng(seed)
    problem = feasible_problem(rng)
    landscape, reference = analyze(problem), Reference(problem)
    for piece in landscape.domain:
        w = piece.lo.hi + (piece.hi.lo - piece.lo.hi) * rng.uniform(0.05, 0.95)
        value = reference(w, 0)
        if value is None or any(u.W.lo <= w <= u.W.hi for u in landscape.undecided):
            continue
        document = certify(problem, w, REGRET)
        assert document["gap"] >= value[0] - landscape.minimum.hi
        assert check(document)
        if document["gap"] > 0:
            assert not check(sealed({**document, "gap": np.nextafter(document["gap"], 0.0).item()}))
    assert landscape.domain


BAD = {
    "no claim of that name": ((ONE, GOLDEN, "theorem 9"), "unknown claim"),
    "not a number": ((ONE, float("nan")), "finite number, got nan"),
    "outside the domain": ((ONE, 5.0, REGRET), "is not in the domain"),
    "not stationary": ((SMALL, 0.7, THEOREM_1), "is no stationary point"),
    "a maximum": ((ONE, 0.732450829, NON_SINGULAR), "could not be shown|does not rise"),
    "no cost": ((scalar_problem([scalar_plant(1, s=0)]), GOLDEN, NON_SINGULAR), "needs S0 > 0"),
    "no optimum": (
        (scalar_problem([scalar_plant(1, q=0)], eta="1e-3"), 1.0, REGRET),
        "is not attained",
    ),
    "the wrong step": ((TURNED, GOLDEN, THEOREM_1), "is about the gradient step"),
    "at a jump": ((TURNED, GOLDEN, PROPOSITION_2), "is no stationary point"),
}


@pytest.mark.parametrize("name", BAD)
def test_conditions_that_are_not_met_are_named(name):
    arguments, message = BAD[name]
    with pytest.raises(ClaimError, match=message):
        certify(*arguments)


def test_altered_claims_are_refuted():
    document = certify(SMALL, GOLDEN)
    lo, hi = document["W"]
    wrong = {
        "an interval without the minimum": {"W": [hi, hi + 1e-6]},
        "an interval that is the minimum's half": {"W": [lo, lo]},
        "reversed": {"W": [hi, lo - 1e-9]},
        "a gap below zero": {"gap": -1e-300},
        "a claim for another step": {"claim": THEOREM_3},
        "a bound for an interval": {"claim": REGRET},
    }
    for what, change in wrong.items():
        assert not check(sealed({**document, **change})), what
    eta = json.loads(json.dumps(document))
    eta["problem"]["step"]["eta"] = "1/2"
    assert not check(sealed(eta))
    assert check(sealed({**document, "W": [lo - 1e-9, hi + 1e-9]}))  # wider, and still true
