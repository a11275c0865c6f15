"""The proof in a few parameters as a user meets it: lists, levels, budgets, states, pictures."""

import json
import os
import signal
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from benchmarks.proofs import random_problem

from benign.certificates.check import check
from benign.errors import ClaimError, FileFormatError, ProblemError
from benign.exact.problem import Plant, Problem, Task, make_family, make_step
from benign.meta.given import meta_objective
from benign.prove.boxes import below as few_parameters
from benign.prove.boxes.below import prove
from benign.results.documents import landscape_document
from benign.searches.search import search
from benign.verbs.analyze import analyze
from benign.verdict import Status, Verdict
from benign.views.below import below_report, below_scene, coverage


def exact(rows):
    return tuple(tuple(Fraction(str(x)) for x in row) for row in rows)


def plant(A, B, Q=((1, 0), (0, 1)), R=((1,),), **more):
    return Plant(exact(A), exact(B), exact(Q), exact(R), exact(np.eye(len(A)).tolist()), **more)


def problem(*plants, eta="0.02", shots=1, kind="gradient"):
    tasks = [Task(f"task {i}", one) for i, one in enumerate(plants)]
    return Problem(make_family(tasks), make_step(kind, eta, shots))


SPURIOUS = random_problem(2, 1, 2, "0.02", 5)
"""Two tasks, three minima below ten times the least."""

BENIGN = random_problem(2, 1, 2, "0.02", 4)
"""Two tasks, one minimum."""


@pytest.fixture(scope="module")
def spurious():
    return prove(SPURIOUS)


def test_the_list_is_that_of_a_grid_of_descents(spurious):
    """An independent route: BFGS of SciPy from a grid, on the JAX objective."""
    from scipy.optimize import minimize

    h = meta_objective(SPURIOUS)
    value, gradient = h.value, h.gradient
    found: list[tuple[float, np.ndarray]] = []
    lo, hi = spurious.region.reshape(2, -1)
    for a in np.linspace(lo[0], hi[0], 12)[1:-1]:
        for b in np.linspace(lo[1], hi[1], 12)[1:-1]:
            start = np.array([a, b])
            if not np.isfinite(value(start[None])):
                continue
            end = minimize(
                lambda x: float(value(x[None])), start, jac=lambda x: np.asarray(gradient(x[None]))[0]
            )
            if np.linalg.norm(end.jac) > 1e-4 or end.fun > spurious.level:
                continue
            if all(np.abs(end.x - x).max() > 1e-3 for _, x in found):
                found.append((end.fun, end.x))
    assert spurious.left == 0
    assert len(found) >= 2
    for fun, x in found:
        nearest = min(spurious.minimizers, key=lambda p: np.abs(p.W.ravel() - x).max())
        np.testing.assert_allclose(nearest.W.ravel(), x, atol=1e-3)
        assert nearest.value.lo - 1e-6 <= fun
    for point in spurious.minimizers:
        assert np.linalg.norm(gradient(point.W)) < 1e-6 * point.value.mid
        assert np.linalg.eigvalsh(np.asarray(h.hessian(point.W)).reshape(2, 2))[0] > 0
        assert point.value.lo <= float(value(point.W)) * (1 + 1e-12)
        assert float(value(point.W)) * (1 - 1e-9) <= point.value.hi


def test_a_refutation_needs_two_minima(spurious):
    assert spurious.verdict.status == "refuted"
    assert spurious.epsilon.lo > 0
    assert spurious.bounded
    assert spurious.level == spurious.asked >= 10 * spurious.minimum.lo


def test_one_minimum_is_proved_and_the_checker_accepts_it():
    found = prove(BENIGN)
    assert found.verdict.status == "proved"
    assert tuple(found.epsilon) == (0.0, 0.0)
    assert check(json.loads(json.dumps(found.certificate)))


def test_a_budget_of_nothing_is_an_honest_partial_result():
    found = prove(BENIGN, budget=0.0)
    assert found.left > 0
    assert found.certificate is None
    assert found.epsilon.hi == np.inf
    assert found.verdict.status == "undecided"
    assert " left; " in str(found)


def test_a_state_on_disk_goes_on_where_it_stopped(tmp_path, spurious, monkeypatch):
    state = tmp_path / "proof.npz"
    rounds = iter([0.0, 1e9])
    run = few_parameters.Pavement.run
    monkeypatch.setattr(few_parameters.Pavement, "run", lambda self, **k: stopped(run, self, k))

    def stopped(run, self, settings):
        # The first run ends after some batches, as Ctrl-C would end it.
        limit = next(rounds, 1e9)
        if limit == 0.0:
            count = 0

            def progress(done, waiting):
                nonlocal count
                count += 1
                self.request.number = 2 * (count >= 3)

            settings = {**settings, "progress": progress}
        return run(self, **settings)

    first = prove(SPURIOUS, checkpoint=state)
    assert first.interrupted
    assert first.left > 0
    assert state.exists()
    second = prove(SPURIOUS, checkpoint=state)
    assert state.exists()  # until the result is saved
    assert second.left == 0
    assert second.boxes == spurious.boxes
    assert [p.value for p in second.minimizers] == [p.value for p in spurious.minimizers]
    assert second.certificate["tree"] == spurious.certificate["tree"]


def test_a_foreign_state_is_not_used_and_a_broken_one_is_named(tmp_path):
    state = tmp_path / "proof.npz"
    prove(BENIGN, budget=0.0, checkpoint=state)
    assert state.exists()
    before = state.read_bytes()
    with pytest.raises(FileFormatError, match="another problem"):
        prove(SPURIOUS, checkpoint=state)
    assert state.read_bytes() == before
    state.write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(FileFormatError, match="begin anew"):
        prove(SPURIOUS, checkpoint=state)


def test_ctrl_c_ends_the_proof_with_what_it_has(tmp_path):
    state = tmp_path / "proof.npz"
    sent = []

    def interrupt(done, waiting, found):
        if not sent:
            sent.append(done)
            os.kill(os.getpid(), signal.SIGINT)  # what Ctrl-C sends

    before = signal.getsignal(signal.SIGINT)
    found = prove(problem(*PAIR_OF_TRIPLES), checkpoint=state, progress=interrupt)
    assert found.interrupted
    assert found.left > 0
    assert state.exists()
    assert signal.getsignal(signal.SIGINT) is before


PAIR_OF_TRIPLES = [
    plant(
        [[0.9, 0.3, 0], [0, 0.8, 0.2], [0.1, 0, 0.7]],
        [[b], [0.5], [1]],
        Q=np.eye(3).tolist(),
    )
    for b in (0.1, 0.15)
]


def test_a_family_without_a_common_gain_is_refused_with_proof():
    pushes = plant([[1.3, 0.2], [0, 1.2]], [[0.1], [1]])
    pulls = plant([[1.3, 0.2], [0, 1.2]], [[-0.1], [-1]])
    with pytest.raises(ProblemError, match="no gain is feasible"):
        prove(problem(pushes, pulls))


def test_bad_levels_are_refused():
    with pytest.raises(ProblemError, match="level"):
        prove(SPURIOUS, level=-1)
    with pytest.raises(ProblemError, match="below every minimum"):
        prove(SPURIOUS, level=1e-3)


def test_what_the_proof_is_not_for():
    with pytest.raises(ClaimError, match="gradient step"):
        prove(problem(plant([[1, 0.2], [0, 0.9]], [[0.1], [1]]), kind="normalized"))
    five = np.eye(5)
    big = Plant(*(exact(X.tolist()) for X in (0.5 * five, five[:, :1], five, five[:1, :1], five)))
    with pytest.raises(ClaimError, match="at most 4"):
        prove(Problem(make_family([Task("big", big)]), make_step("gradient", "0.01")))


def test_lost_coercivity_is_not_leaned_on():
    """S0 singular: no tag s, no lemma at the rim; whatever is said is checked again."""
    blind = Plant(
        exact([[1, 0.2], [0, 0.9]]),
        exact([[0.1], [1]]),
        exact([[1, 0], [0, 1]]),
        exact([[1]]),
        exact([[1, 0], [0, 0]]),
    )
    found = prove(problem(blind), budget=3.0)
    assert found.facts.get("leaves s", 0) == 0
    if found.certificate is not None:
        assert check(json.loads(json.dumps(found.certificate)))


def test_several_inputs_are_proved_within_a_named_box():
    one = Plant(*(exact(X) for X in ([[0.9]], [[1, 0.5]], [[1]], [[1, 0], [0, 2]], [[1]])))
    two = Plant(*(exact(X) for X in ([[0.7]], [[0.8, 0.6]], [[1]], [[1, 0], [0, 1]], [[1]])))
    found = prove(problem(one, two, eta="0.05"), level=5)
    assert not found.bounded
    assert found.left == 0
    assert "among the gains searched" in found.verdict.statement
    assert check(json.loads(json.dumps(found.certificate)))


def test_the_verb_chooses():
    proved = analyze(SPURIOUS, proof="required")
    assert type(proved).__name__ == "LandscapeBelow"
    assert proved.observed is None
    guided = analyze(SPURIOUS, starts=16)
    assert guided.observed is not None
    assert len(guided.minimizers) == len(proved.minimizers)
    assert type(analyze(SPURIOUS, proof="off", starts=16)).__name__ == "ObservedLandscape"
    with pytest.raises(ClaimError):
        analyze(problem(plant([[1, 0.2], [0, 0.9]], [[0.1], [1]]), kind="normalized"), proof="required")


def test_search_meets_nothing_that_the_proof_lacks(spurious):
    met = search(meta_objective(SPURIOUS), starts=64).minimizers
    assert met
    for point in met:
        if point.value < spurious.level:
            assert min(np.abs(point.W - p.W).max() for p in spurious.minimizers) < 1e-6


def test_files_and_words(tmp_path, spurious):
    paths = spurious.save(tmp_path)
    assert {path.name for path in paths} == {
        "landscape.json", "certificate.json", "landscape.png", "landscape.svg", "manifest.json",
    }  # fmt: skip
    document = json.loads((tmp_path / "landscape.json").read_text())
    assert document == json.loads(json.dumps(landscape_document(spurious)))
    assert document["verdict"]["status"] == "refuted"
    assert len(document["minimizers"]) == len(spurious.minimizers)
    assert check(tmp_path / "certificate.json")
    from rich.console import Console

    console = Console(width=80, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(below_report(spurious, title="One task"))
    console.file.close()
    text = console.export_text()
    assert "REFUTED" in text
    assert max(map(len, text.splitlines())) <= 80


def test_nothing_is_left_of_a_proof_that_the_checker_refuses(spurious):
    verdict = Verdict(Status.UNDECIDED, spurious.verdict.statement, "the checker does not confirm it")
    found = spurious.withdrawn(verdict)
    assert (found.minimizers, found.certificates, found.is_complete) == ((), (), False)
    assert tuple(found.epsilon) == tuple(found.minimum) == (0.0, np.inf)
    assert str(found.coverage) == "nothing for certain: boxes of gains were left"


def test_a_gap_needs_a_list_that_is_complete(spurious):
    assert all(point.gap <= spurious.epsilon.hi for point in spurious.minimizers)
    for partial in (replace(spurious, level=-np.inf), replace(spurious, bounded=False)):
        assert {point.gap for point in partial.minimizers} == {np.inf}


def test_a_list_that_may_lack_lower_minima_calls_none_the_lowest(spurious):
    """Nothing below a level is proved, and the least minimum is missing from the list."""
    partial = replace(spurious, level=-np.inf, left=7, proved=spurious.proved[1:])
    assert {mark.role for mark in below_scene(partial).minima} == {"unranked"}
    assert below_scene(spurious).minima[0].role == "lowest"
    met = search(meta_objective(SPURIOUS), starts=64)
    with_search = replace(partial, observed=met)
    marks = below_scene(with_search).minima
    assert len(marks) == len({mark.value for mark in marks}) >= len(spurious.minimizers)
    assert marks[0].role == "lowest"
    assert marks[0].value == pytest.approx(spurious.minimizers[0].value.mid, rel=1e-9)
    assert {mark.role for mark in marks[1:]} == {"higher"}
    assert "met 1 minimum more, the least with h = 2.8536" in " ".join(coverage(with_search))
    assert "met lower minima" not in " ".join(coverage(replace(spurious, observed=met)))
