"""A spurious minimum proved in any dimension: eight parameters, ten tasks; and a normalised step."""

import copy
import json

import numpy as np
import pytest

from benign import MetaObjective, NormalizedStep, analyze, check, read
from benign.certificates.document import sealed
from benign.prove.apart import refutation
from benign.searches.search import search
from benign.verdict import Status


@pytest.fixture(scope="module")
def landscape():
    return analyze("boeing-747-ten", eta=5e-4, starts=16)


def test_what_was_observed_is_refuted_with_proof(landscape, tmp_path):
    assert landscape.verdict.status is Status.REFUTED
    heights = [point.height for point in landscape.minimizers]
    assert landscape.epsilon.lo <= max(heights) - min(heights)
    assert landscape.epsilon.lo == pytest.approx(max(heights) - min(heights), rel=1e-6)
    assert landscape.minimum.hi == pytest.approx(min(heights), rel=1e-9)
    told = check(json.loads(json.dumps(landscape.certificate)))
    assert told
    assert "not every local minimum of h is global" in told.statement
    landscape.save(tmp_path)
    again = read(tmp_path / "landscape.json")
    assert again == landscape
    assert again.verdict.status is Status.REFUTED
    assert again.certificate == landscape.certificate


def test_without_proof_nothing_is_refuted():
    found = analyze("boeing-747-ten", eta=5e-4, starts=16, proof="off")
    assert found.verdict.status is Status.OBSERVED
    assert found.certificate is None


def altered(landscape, change):
    body = copy.deepcopy(landscape.certificate)
    body.pop("digest")
    change(body["proof"]["minimisers"], body)
    return check(sealed(body))


def test_what_is_not_shown_is_refused(landscape):
    saddle = next(p for p in landscape.points if p.kind.value == "saddle")

    def at_a_saddle(points, _):
        points[1]["W"] = [[[x - 1e-3, x + 1e-3] for x in row] for row in saddle.W.tolist()]
        points[1]["value"] = [saddle.height - 1, saddle.height + 1]

    def exchanged(points, _):
        points.reverse()

    def twice_the_same(points, _):
        points[0] = copy.deepcopy(points[1])

    def beside(points, _):
        points[1]["W"] = [[[a + 1e-6, b + 1e-6] for a, b in row] for row in points[1]["W"]]

    def lower(points, _):
        points[0]["value"] = [x - 1.0 for x in points[0]["value"]]

    def larger(_, body):
        body["epsilon"] *= 1.0001

    def flat(points, _):
        points[1]["W"] = [side for row in points[1]["W"] for side in row]

    def other_step(_, body):
        body["problem"]["step"]["eta"] = "1/10000"

    changes = (at_a_saddle, exchanged, twice_the_same, beside, lower, larger, flat, other_step)
    for change in changes:
        assert not altered(landscape, change), change.__name__
    assert altered(landscape, lambda *_: None)


def test_equal_minima_refute_nothing(landscape):
    best = landscape.minimizers[0]
    assert refutation(landscape.problem, [(best.W, best.height), (best.W, best.height)]) is None
    # Said to be higher, it is not: the proof says what it is.
    assert refutation(landscape.problem, [(best.W, best.height), (best.W, best.height + 1)]) is None


def test_the_normalised_step():
    rng = np.random.default_rng(0)
    for eta in (0.3, 0.5, 0.2):
        h = MetaObjective("boeing-747-ten", NormalizedStep(eta))
        found = search(h, starts=24, seed=int(rng.integers(100)))
        minima = [(p.W, p.height) for p in found.minimizers]
        document = refutation(h.problem, minima)
        if document is not None:
            assert check(json.loads(json.dumps(document)))
            return
    pytest.skip("no two smooth minima were met")
