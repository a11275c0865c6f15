"""Theorem S: the bound of its proof, its conditions, and that each of them is needed."""

from __future__ import annotations

import copy
import json
from fractions import Fraction

import mpmath
import numpy as np
import pytest

from benign.certificates.check import check
from benign.certificates.document import sealed
from benign.certificates.single import THEOREM_S, THETA
from benign.errors import ClaimError
from benign.prove.certify import certify
from benign.prove.line.enumeration import analyze
from benign.results.landscape import Kind
from benign.sweeps.recommend import recommend
from helpers import FloatObjective, paper_problem, scalar_plant, scalar_problem


def distinct(eta: str = "0.008"):
    """Tasks whose optima differ by half of their size."""
    plants = [scalar_plant(1, 1, "0.3", 1), scalar_plant("0.8", 1, 2, "0.5"), scalar_plant("1.1")]
    return scalar_problem(plants, eta=eta)


def document(problem, W=0.6):
    return json.loads(json.dumps(certify(problem, W, THEOREM_S)))


def second_derivative(alpha, beta, c, eta):
    """(C∘F)''/C'' and ηC'' for C = α/(1−c) + β/(1+c), b = −1, by mpmath's own differentiation."""

    def cost(x):
        return alpha / (1 - x) + beta / (1 + x)

    def adapted(x):
        return cost(x - eta * mpmath.diff(cost, x))

    curvature = mpmath.diff(cost, c, 2)
    return mpmath.diff(adapted, c, 2) / curvature, eta * curvature


def test_the_bound_of_the_proof_holds_for_random_costs():
    """(C∘F)'' ≥ C''[(1−s)²/(1+s/2)³ − (3/2)s(1 − s/(1+s/2)³)], s = ηC'', where W* is safe."""
    rng = np.random.default_rng(0)
    tried = 0
    with mpmath.workdps(40):
        while tried < 150:
            alpha, beta = (mpmath.mpf(float(x)) for x in 10.0 ** rng.uniform(-2, 2, 2))
            c = mpmath.mpf(float(rng.uniform(-0.98, 0.98)))
            t = mpmath.sqrt(beta / alpha)
            star = (t - 1) / (t + 1)  # α(1+c)² = β(1−c)²
            curvature = [2 * alpha / (1 - x) ** 3 + 2 * beta / (1 + x) ** 3 for x in (c, star)]
            eta = mpmath.mpf(float(rng.uniform(0.02, 1))) * float(THETA) / max(curvature)
            ratio, s = second_derivative(alpha, beta, c, eta)
            bend = (1 + s / 2) ** 3
            assert ratio >= (1 - s) ** 2 / bend - mpmath.mpf(1.5) * s * (1 - s / bend) - 1e-12
            assert ratio > 0
            tried += 1


def test_the_bound_is_positive_up_to_theta_and_not_much_further():
    def bound(s: Fraction) -> Fraction:
        bend = (1 + s / 2) ** 3
        return (1 - s) ** 2 / bend - Fraction(3, 2) * s * (1 - s / bend)

    values = [bound(THETA * i / 100) for i in range(101)]
    assert all(a > b for a, b in zip(values, values[1:], strict=False))
    assert values[-1] > 0
    assert bound(Fraction("0.285")) < 0


def test_one_minimum_is_proved_and_is_the_one_of_the_complete_list():
    problem = distinct()
    made = document(problem)
    verdict = check(made)
    assert verdict, verdict
    assert "exactly one stationary point" in verdict.statement
    u, v = made["convex"]
    inside = [p for p in analyze(problem).stationary_points if u <= p.at.mid <= v]
    assert [p.kind for p in inside] == [Kind.MINIMUM]
    assert made["W"][0] <= inside[0].at.hi
    assert inside[0].at.lo <= made["W"][1]
    slopes = np.diff(FloatObjective(problem)(np.linspace(u, v, 400)))
    assert np.all(np.diff(slopes) > 0)


def test_random_families_have_one_minimum_among_the_safe_gains():
    """The other route: the complete enumeration, at the largest η that the theorem covers."""
    rng = np.random.default_rng(1)
    applied = 0
    for _ in range(60):
        plants = [
            scalar_plant(
                *(float(x) for x in (rng.uniform(0.3, 1.3), 1, *10.0 ** rng.uniform(-1, 1, 2)))
            )
            for _ in range(int(rng.integers(2, 5)))
        ]
        try:
            made = document(scalar_problem(plants, eta="0.01"), 0.5)
        except ClaimError:
            continue
        applied += 1
        assert check(made)
        u, v = made["convex"]
        points = analyze(scalar_problem(plants, eta="0.01")).stationary_points
        assert sum(u <= p.at.mid <= v for p in points) == 1
    assert applied >= 10


@pytest.mark.parametrize(
    ("problem", "why"),
    [
        (paper_problem("3a", "0.05"), "eta up to"),
        (paper_problem("3a", "0.01", "normalized"), "gradient step"),
        (paper_problem("3a", "0.01", shots=2), "one shot"),
        (
            scalar_problem([scalar_plant(1)], eta="0.01", adaptation=[scalar_plant(1, q=2)]),
            "adapts on another cost",
        ),
        (scalar_problem([scalar_plant(1, s=0), scalar_plant(1)], eta="0.01"), "S0 > 0"),
        (scalar_problem([scalar_plant(1, q=0), scalar_plant(1)], eta="0.01"), "not attained"),
        (scalar_problem([scalar_plant(2, 1), scalar_plant(2, 5)], eta="0.01"), "whatever eta is"),
    ],
)
def test_what_it_is_not_about_is_refused_with_the_reason(problem, why):
    with pytest.raises(ClaimError, match=why):
        certify(problem, 0.6, THEOREM_S)


def test_the_largest_step_that_the_message_names_does():
    with pytest.raises(ClaimError) as caught:
        certify(distinct("0.1"), 0.6, THEOREM_S)
    eta = str(caught.value).split("eta up to ")[1].split(";")[0]
    assert check(document(distinct(eta)))
    with pytest.raises(ClaimError):
        certify(distinct(str(Fraction(eta) * Fraction("1.01"))), 0.6, THEOREM_S)


@pytest.mark.parametrize("name", ["theorem S", "Theorem s", " theorem  s "])
def test_the_claim_is_named_in_letters_of_either_case(name):
    assert certify(distinct(), 0.6, name)["claim"] == THEOREM_S


def test_a_gain_that_is_not_safe_is_refused():
    with pytest.raises(ClaimError, match="none of them"):
        certify(distinct(), 1.9, THEOREM_S)


@pytest.mark.parametrize("change", ["wider", "narrower", "point", "step", "weights", "task"])
def test_forged_documents_prove_nothing(change):
    made = document(distinct())
    (u, v), (lo, hi) = made["convex"], made["W"]
    forged = copy.deepcopy(made)
    if change == "wider":
        forged["convex"] = [u, v + 1e-6]
    elif change == "narrower":  # it no longer holds the tasks' optima
        forged["convex"] = [lo, hi]
    elif change == "point":
        forged["W"] = [hi + 1e-9, v]
    elif change == "step":
        forged["problem"]["step"]["eta"] = "0.0080001"
    elif change == "weights":
        forged["problem"]["tasks"][0]["weight"] = "1/2"
        forged["problem"]["tasks"][1]["weight"] = "1/6"
    else:
        forged["problem"]["tasks"][1]["cost"]["R"] = [["5"]]
    assert not check(sealed(forged)), change


def test_recommend_names_the_theorem_only_where_it_applies():
    applies = recommend(
        paper_problem("3a", "0.01").family, etas=["0.01"], variants=["gradient"], starts=4
    )
    assert "Theorem S" in applies.reason
    does_not = recommend(
        paper_problem("3a", "0.05").family, etas=["0.05"], variants=["gradient"], starts=4
    )
    assert "Theorem S" not in does_not.reason
