"""No forged certificate is accepted that is false, and no honest one is refused."""

from __future__ import annotations

import copy
import json
import signal
from collections import Counter
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from alterations import FORM, WEIRD, pick, places
from counting import record
from forger import FORGERIES, accepted, forgeries, tried
from honest import SOURCES
from jury import JUDGES, falsehood

from benign.certificates import covered, enumeration, pieced
from benign.certificates.below import BELOW
from benign.certificates.check import check
from benign.certificates.document import sealed
from benign.certificates.enumeration import ENUMERATION
from benign.certificates.infeasible import INFEASIBLE
from benign.certificates.points import STATIONARY_POINTS
from benign.certificates.radius import RADIUS
from benign.certificates.registry import CLAIMS
from benign.certificates.spurious import SPURIOUS
from benign.errors import CertificateError
from benign.verdict import Verdict

SHARES = {ENUMERATION: 120, BELOW: 24, SPURIOUS: 14, STATIONARY_POINTS: 24, INFEASIBLE: 22, RADIUS: 12}
"""Forgeries of a claim in a short run, 300 in all; of each other claim OTHERS."""

OTHERS = 15

CHUNKS = 20
"""Parts of a long run, 10,000 forgeries in all."""

MANY = {ENUMERATION: 200, BELOW: 24, SPURIOUS: 24, INFEASIBLE: 28}
"""Forgeries of a claim in each part of a long run."""

MANY_HONEST = {ENUMERATION: 65, BELOW: 4, SPURIOUS: 5}
"""Honest certificates of a claim in each of ten parts of a long run, 2,000 in all."""

HONEST = {ENUMERATION: 30, BELOW: 2, SPURIOUS: 2, STATIONARY_POINTS: 4, RADIUS: 1}
"""Honest certificates of a claim in a short run, 100 in all."""


def share(claim: str) -> int:
    return SHARES.get(claim, OTHERS)


def test_every_claim_can_be_forged_and_judged():
    assert set(FORGERIES) == set(CLAIMS), "a row of forger.FORGERIES for each claim"
    assert set(SOURCES) == set(CLAIMS), "a row of honest.SOURCES for each claim"
    falsehood({})
    assert set(JUDGES) == set(CLAIMS), "a judge for each claim"


# --- forgeries --------------------------------------------------------------------------------------


def stand(claim: str, count: int, seed: int, record_property) -> Counter[str]:
    """The trial of some forgeries; none that is false is accepted."""
    trial = tried(forgeries(claim, count, seed))
    record(record_property, "forged certificates", claim, trial.counts)
    assert sum(trial.counts.values()) == count
    assert not trial.wrong, "\n".join(
        f"{' and '.join(forgery.changes)}: {why}\n{json.dumps(forgery.document)}"
        for forgery, why in trial.wrong
    )
    return trial.counts


@pytest.mark.parametrize("claim", FORGERIES)
def test_no_false_certificate_is_accepted(claim, record_property):
    counts = stand(claim, share(claim), 0, record_property)
    # The trial is one: much of what is forged is false.
    assert counts["false, refused"] > 0.2 * share(claim)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(CHUNKS))
@pytest.mark.parametrize("claim", FORGERIES)
def test_no_false_certificate_of_many_is_accepted(claim, part, record_property):
    stand(claim, MANY.get(claim, 28), 100 + part, record_property)


# --- honest ones ------------------------------------------------------------------------------------


def honest(claim: str, count: int, seed: int, record_property) -> None:
    """Certificates as the verbs write them: each is accepted, and nothing in it is false."""
    refused = []
    for i in range(count):
        document = SOURCES[claim](np.random.default_rng([seed, i]))
        verdict = check(document)
        if not verdict:
            refused.append(f"{verdict.reason}\n{json.dumps(document)}")
        assert not falsehood(document), f"{falsehood(document)}\n{json.dumps(document)}"
    counts = {"accepted": count - len(refused), "refused": len(refused)}
    record(record_property, "own certificates", claim, counts)
    assert not refused, "\n".join(refused)


@pytest.mark.parametrize("claim", SOURCES)
def test_no_certificate_of_our_own_is_refused(claim, record_property):
    honest(claim, HONEST.get(claim, 8), 0, record_property)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
@pytest.mark.parametrize("claim", SOURCES)
def test_no_certificate_of_many_of_our_own_is_refused(claim, part, record_property):
    honest(claim, MANY_HONEST.get(claim, 14), 100 + part, record_property)


# --- a checker with a hole ---------------------------------------------------------------------------


HOLES = {
    "values are not compared": ((covered, pieced), "within", lambda *_: None),
    "tags are not proved": ((covered,), "_tag_holds", lambda *_: True),
    "values of undecided pieces are not": ((pieced,), "holds_doubt", lambda *_: None),
    "nor those of undecided stretches": ((enumeration,), "compare_values_of_doubt", lambda *_: None),
}


RARE = ("values of undecided pieces are not", "nor those of undecided stretches")
"""Holes that it takes some hundred forgeries to find."""


@pytest.mark.parametrize(
    "hole", [pytest.param(x, marks=[pytest.mark.slow] if x in RARE else []) for x in HOLES]
)
def test_a_checker_with_a_hole_is_found_out(monkeypatch, hole):
    """The forger is sharp: a checker that leaves out one comparison accepts what is false."""
    modules, name, broken = HOLES[hole]
    for module in modules:
        monkeypatch.setattr(module, name, broken)
    trials = (f.document for f in forgeries(ENUMERATION, 2000, 0))
    assert any(accepted(document) and falsehood(document) for document in trials)


def test_breaks_in_one_float_are_not_pooled():
    path = Path(__file__).parents[1] / "cases" / "forged_jump.json"
    document = json.loads(path.read_text())
    assert falsehood(document)
    assert not accepted(document)


# --- whatever is written ------------------------------------------------------------------------

AT_MOST = 10
"""Seconds after which a check counts as one that never ends."""


@contextmanager
def at_most(seconds: int):
    def ring(*_):
        raise TimeoutError(f"no end after {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def anything(rng: np.random.Generator, depth: int = 0):
    """A value of JSON."""
    kind = rng.random()
    if depth > 3 or kind < 0.5:
        return copy.deepcopy(pick(rng, WEIRD))
    if kind < 0.75:
        return [anything(rng, depth + 1) for _ in range(int(rng.integers(0, 4)))]
    keys = ["W", "gap", "value", "points", "tags", "cost", "A", "weight", "eta", "centre", "y", "x"]
    return {pick(rng, keys): anything(rng, depth + 1) for _ in range(int(rng.integers(0, 4)))}


def shuffled(document, rng: np.random.Generator):
    """A document with a few places that hold anything, or what stands somewhere else."""
    body = copy.deepcopy(document)
    for _ in range(int(rng.integers(1, 5))):
        holder, key = pick(rng, list(places(body)))
        if rng.random() < 0.3:
            other, there = pick(rng, list(places(body)))
            holder[key] = copy.deepcopy(other[there])
        elif rng.random() < 0.5:
            holder[key] = anything(rng)
        else:
            FORM["weird"](body, rng)
    return body


def answer(document) -> str:
    """How a check ends: an answer, or the one error that it may raise."""
    try:
        with at_most(AT_MOST):
            verdict = check(document, limit=1.0)
    except CertificateError:
        return "no certificate"
    assert isinstance(verdict, Verdict)
    return verdict.status.value


def fuzzed(claim: str, count: int, seed: int, record_property, folder: Path) -> None:
    counts: Counter[str] = Counter()
    base = SOURCES[claim](np.random.default_rng(seed))
    for i in range(count):
        rng = np.random.default_rng([seed, i])
        body = shuffled(base, rng) if rng.random() < 0.9 else anything(rng)
        if not isinstance(body, dict):
            body = {**base, pick(rng, list(base)): body}
        if rng.random() < 0.9:
            body = sealed({key: value for key, value in body.items() if isinstance(key, str)})
        counts[answer(body)] += 1
        if i % 10 == 0:
            path = folder / "certificate.json"
            path.write_text(json.dumps(body))
            counts["from a file, " + answer(path)] += 1
    record(record_property, "documents that hold anything", claim, counts)


@pytest.mark.parametrize("claim", SOURCES)
def test_whatever_a_document_holds_there_is_an_answer(claim, record_property, tmp_path):
    fuzzed(claim, 60, 0, record_property, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(5))
@pytest.mark.parametrize("claim", SOURCES)
def test_whatever_many_documents_hold_there_is_an_answer(claim, part, record_property, tmp_path):
    fuzzed(claim, 2000, 1 + part, record_property, tmp_path)
