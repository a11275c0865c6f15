"""A proof that ends below one of the minima that refute the statement: its certificate is accepted."""

import json
from pathlib import Path

from benign.certificates.check import check
from benign.exact.documents import problem_from_json
from benign.prove.boxes.below import prove
from benign.verdict import Status

CASE = Path(__file__).parent.parent / "cases" / "refuted_above_level.json"


def test_the_witness_is_named_though_it_lies_above_the_level(monkeypatch):
    problem = problem_from_json(json.loads(CASE.read_text())["problem"])
    from benign.prove.boxes import below

    run, met = below.Pavement.run, 0
    for rounds in range(12, 26):

        def stopped(self, *, rounds=rounds, **settings):
            seen = 0

            def progress(*_):
                nonlocal seen
                seen += 1
                self.request.number = 2 * (seen >= rounds)

            return run(self, **{**settings, "progress": progress})

        monkeypatch.setattr(below.Pavement, "run", stopped)
        found = prove(problem)
        assert found.verdict.status is Status.REFUTED
        assert check(found.certificate), rounds
        tops = [m["value"][0] for m in found.certificate.get("minimisers", [])]
        met += bool(tops) and 0 < found.level < tops[-1]
        if met:
            break
    assert met, "no stop fell between the two minima: this test shows nothing"
