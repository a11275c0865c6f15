"""Lists of proved points: what is on them is right, and what is altered is refused."""

import copy
import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from benign import analyze, check
from benign.certificates.check import cost
from benign.certificates.document import sealed
from benign.certificates.points import STATIONARY_POINTS
from benign.clock import Clock
from benign.exact.problem import Problem, Task, make_family, make_step
from benign.prove.points import NO_TIME, Prover
from benign.results.documents import landscape_from_document
from benign.results.landscape import Kind
from benign.verdict import Status
from several import random_problem


@pytest.fixture(scope="module")
def landscape():
    return analyze("boeing-747", starts=16)


def test_each_minimum_that_a_search_met_is_proved(landscape):
    minima = landscape.minimizers
    assert minima
    for point in minima:
        assert point.is_proved
        assert point.kind is Kind.MINIMUM
        assert point.radius.shape == point.W.shape
        assert 0 < point.radius.max() < 1e-14
        assert point.value.lo <= point.height <= point.value.hi
    assert landscape.minimum.hi == minima[0].value.hi
    assert landscape.listed["claim"] == STATIONARY_POINTS
    assert landscape.listed in landscape.certificates
    verdict = check(json.loads(json.dumps(landscape.listed)))
    assert verdict
    assert f"{len(minima)} strict local minimiser" in verdict.statement
    assert "that there are no others is not claimed" in verdict.statement


def test_it_is_the_same_when_it_is_read(landscape):
    document = json.loads(json.dumps(landscape.to_dict()))
    known = {one["digest"]: one for one in landscape.certificates}
    again = landscape_from_document(document, lambda _, digest: known.get(digest))
    assert again == landscape
    assert again.listed == landscape.listed
    assert [p.is_proved for p in again.points] == [p.is_proved for p in landscape.points]
    assert [p.value for p in again.points] == [p.value for p in landscape.points]
    assert [p.radius.tolist() for p in again.minimizers] == [
        p.radius.tolist() for p in landscape.minimizers
    ]


def test_only_points_are_proved_and_not_the_list(landscape):
    assert landscape.verdict.status in (Status.OBSERVED, Status.REFUTED)
    assert "proved" in landscape.verdict.reason
    assert "searched for" in landscape.verdict.reason or "no other is not" in landscape.verdict.reason


def test_without_proof_nothing_is_proved():
    found = analyze("boeing-747", starts=8, proof="off")
    assert found.listed is None
    assert not any(point.is_proved or point.doubt for point in found.points)


def altered(landscape, change):
    body = copy.deepcopy(landscape.listed)
    body.pop("digest")
    change(body["points"], body)
    return check(sealed(body))


def another_kind(points, _):
    points[0]["kind"] = "saddle"


def no_kind(points, _):
    points[0]["kind"] = ["minimum"]


def beside(points, _):
    points[0]["W"] = [[[a + 1e-9, b + 1e-9] for a, b in row] for row in points[0]["W"]]


def lower(points, _):
    points[0]["value"] = [x * (1 - 1e-12) for x in points[0]["value"]]


def twice(points, _):
    points.append(copy.deepcopy(points[0]))


def flat(points, _):
    points[0]["W"] = [side for row in points[0]["W"] for side in row]


def endless(points, _):
    points[0]["W"][0][0] = ["-inf", "inf"]


def nothing(points, _):
    points.clear()


def another_word(points, _):
    points[0]["index"] = 0


def another_step(_, body):
    body["problem"]["step"]["eta"] = "1/1000000"


@pytest.mark.parametrize(
    "change",
    [another_kind, no_kind, beside, lower, twice, flat, endless, nothing, another_word, another_step],
)
def test_what_is_altered_is_refused(landscape, change):
    verdict = altered(landscape, change)
    assert verdict.status is Status.REFUTED
    assert altered(landscape, lambda *_: None)


def test_wide_bounds_hold_as_well(landscape):
    """A box that is larger than need be holds the point."""

    def wide(points, _):
        points[:] = points[:1]
        points[0]["W"] = [[[a - 1e-9, b + 1e-9] for a, b in row] for row in points[0]["W"]]

    assert altered(landscape, wide)


def test_what_a_check_costs_is_told_before_it_is_begun(landscape):
    body = copy.deepcopy(landscape.listed)
    one = cost(body).seconds
    body["points"] *= 1000
    assert cost(body).seconds > 900 * one / len(landscape.listed["points"])
    assert check(sealed(body), limit=1.0).status is Status.UNDECIDED


def test_a_degenerate_point_is_not_proved_and_it_is_said_why():
    """A = 0 and S0 = diag(1, 0): the second entry of W = 0 is of no account, and ∇²h is singular."""
    problem = random_problem(np.random.default_rng(0), 2, 1, tasks=1, rho=0.5)
    plant = replace(
        problem.tasks[0].f,
        A=((Fraction(0),) * 2,) * 2,
        S0=((Fraction(1), Fraction(0)), (Fraction(0), Fraction(0))),
    )
    h = Problem(make_family([Task("flat", plant)]), make_step("gradient", "0.01"))
    prover = Prover(h, [np.zeros((1, 2))])
    assert prover.at(0) is None
    assert prover.certificate() is None
    assert "∇²h" in prover.doubts[0]


def test_time_that_is_over_leaves_points_observed(landscape):
    gains = [point.W for point in landscape.points]
    prover = Prover(landscape.problem, gains, Clock(0.0))
    assert prover.at(0) is None
    assert prover.doubts[0] == NO_TIME
    assert prover.certificate() is None


def test_one_point_met_twice_is_proved_once(landscape):
    best = landscape.minimizers[0]
    prover = Prover(landscape.problem, [best.W, best.W * (1 + 1e-9)])
    assert prover.at(0)
    assert prover.at(1) is None
    assert "another point" in prover.doubts[1]
    assert len(prover.certificate()["points"]) == 1
