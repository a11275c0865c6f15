"""A refutation of a list that is not complete: two points, each proved, and their values."""

import copy
import json
from pathlib import Path

import pytest

from benign.certificates.check import check
from benign.certificates.document import sealed
from benign.certificates.spurious import SPURIOUS
from benign.exact.problem import Problem, make_step
from benign.prove.boxes.below import prove
from benign.tasks.files import load
from benign.verdict import Status

CASES = Path(__file__).parents[1] / "cases"


@pytest.fixture(scope="module")
def refuted():
    """Seven minima are known at once; nothing is complete before time is up."""
    problem = Problem(load(CASES / "above_the_level.toml").family, make_step("gradient", "0.01"))
    return prove(problem, budget=0.0)


@pytest.fixture
def document(refuted):
    return json.loads(json.dumps(refuted.certificate))


def test_an_incomplete_list_that_refutes_has_a_certificate(refuted, document):
    assert refuted.left
    assert refuted.verdict.status is Status.REFUTED
    assert document["claim"] == SPURIOUS
    verdict = check(document)
    assert verdict, verdict
    values = [point.value for point in refuted.minimizers]
    assert document["epsilon"] <= max(v.hi for v in values) - min(v.lo for v in values)


def changes():
    def moved(d):
        for entry in d["proof"]["minimisers"][:1]:
            entry["y"] = [[a + 1e-3, b + 1e-3] for a, b in entry["y"]]

    def swapped(d):
        d["proof"]["minimisers"].reverse()

    def twice(d):
        d["proof"]["minimisers"][1] = copy.deepcopy(d["proof"]["minimisers"][0])

    def value(d):
        d["proof"]["minimisers"][-1]["value"] = [
            x * 1.01 for x in d["proof"]["minimisers"][-1]["value"]
        ]

    def epsilon(d):
        d["epsilon"] = 2.0 * d["epsilon"] + 1.0

    def asked(d):
        d["asked"] = str(int(d["epsilon"]) + 1000)

    def eta(d):
        d["problem"]["step"]["eta"] = "1/150"

    def dropped(d):
        d["problem"]["tasks"] = [{**d["problem"]["tasks"][0], "weight": "1"}]

    return [moved, swapped, twice, value, epsilon, asked, eta, dropped]


@pytest.mark.parametrize("change", changes(), ids=lambda f: f.__name__)
def test_false_ones_are_refused(document, change):
    change(document)
    assert not check(sealed(document))
