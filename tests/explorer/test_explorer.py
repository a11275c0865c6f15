"""What the explorer draws and proves, without a browser."""

import threading
from fractions import Fraction

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

from benign.certificates.check import check
from benign.errors import FileFormatError, ProblemError
from benign.explorer import proofs
from benign.explorer.app import Explorer
from benign.explorer.draft import MOST_BYTES, MOST_TASKS, draft_of, uploaded
from benign.explorer.looks import look, path
from benign.explorer.panels import table, verdict
from benign.explorer.proofs import Proof, Prover
from benign.prove.line.enumeration import analyze
from benign.results.landscape import Kind
from benign.searches import glance
from benign.tasks.files import load
from command import benign


@pytest.fixture(scope="module")
def cars():
    return draft_of(load("cruise-control"))


@pytest.mark.parametrize("name", ["cruise-control", "paper-figure-3b", "paper-figure-3d"])
@pytest.mark.parametrize("change", [{}, {"shots": 2}, {"kind": "normalized"}])
def test_a_glance_at_a_line_is_what_the_proof_lists(name, change):
    from dataclasses import replace

    draft = replace(draft_of(load(name)), **change)
    proved = analyze(draft.problem)
    smooth = [p for p in proved.stationary_points if p.kind is Kind.MINIMUM and p.multiplicity == 1]
    now = look(draft)
    met = {float(W): h for W, h in now.minima}
    lo, hi = glance.stabilising(draft.problem)
    wide = [p for p in smooth if min(abs(p.at.mid - lo), abs(p.at.mid - hi)) > 2e-2 * (hi - lo)]
    assert wide
    for point in wide:
        W, h = min(met.items(), key=lambda item: abs(item[0] - point.at.mid))
        assert abs(W - point.at.mid) < 1e-4 * (hi - lo)
        assert abs(h - point.value.mid) < 1e-9 * point.value.mid
    inside = [W for W in met if min(abs(W - lo), abs(W - hi)) > 2e-2 * (hi - lo)]
    assert len(inside) == len(wide)


def test_a_glance_at_a_plane_meets_stationary_points_and_the_known_minima():
    draft = draft_of(load("four-masses"))
    now = look(draft)
    assert len(now.minima) == 3
    met = glance.on_a_plane(now.objective, now.view.x, now.view.y)
    assert {p.kind for p in met} == {Kind.MINIMUM, Kind.SADDLE}
    for point in met:
        W = point.W.reshape(1, 2)
        assert np.abs(np.asarray(now.objective.gradient(W))).max() < 1e-6 * point.value
        lam = np.linalg.eigvalsh(np.asarray(now.objective.hessian(W)).reshape(2, 2))
        assert (lam > 0).all() == (point.kind is Kind.MINIMUM)


def test_a_path_descends_and_ends_at_a_minimum(cars):
    now = look(cars)
    track = path(now, (0.9, 0.0))
    assert track[0][0] == 0.9
    assert (np.diff(track[:, 1]) < 0).all()
    assert min(abs(track[-1][1] - h) for _, h in now.minima) < 1e-8
    assert len(path(now, (50.0, 0.0))) == 0  # no gain there is feasible


def test_changes_are_exact_and_make_another_draft(cars):
    moved = cars.with_entry(0, "A", 0, 0, 0.9)
    assert ((Fraction(9, 10),),) == moved.tasks[0].f.A
    assert cars.tasks[0].f.A != moved.tasks[0].f.A
    assert ((Fraction(1, 2),),) == cars.scaled(1, "0.5").tasks[1].f.R
    assert cars.with_weight(0, 3.0).problem.weights[0] == Fraction(1, 2)
    more = cars.added(0)
    assert len({task.name for task in more.tasks}) == 5
    assert more.removed(4) == cars
    plane = draft_of(load("four-masses")).with_entry(0, "Q", 0, 1, 0.25).tasks[0].f.Q
    assert plane[0][1] == plane[1][0] == Fraction(1, 4)
    with pytest.raises(ProblemError, match="one task at least"):
        cars.removed(0).removed(0).removed(0).removed(0)
    for _ in range(MOST_TASKS - 4):
        cars = cars.added(0)
    with pytest.raises(ProblemError, match=str(MOST_TASKS)):
        cars.added(0)


def test_what_is_too_large_is_refused():
    with pytest.raises(ProblemError, match="8 entries"):
        draft_of(load("boeing-747-ten"))
    with pytest.raises(FileFormatError, match="kB"):
        uploaded("a.toml", b"#" * (MOST_BYTES + 1))
    status, _, err = benign("explore", "boeing-747-ten", "--port", "0")
    assert status == 2
    assert "8 entries" in err
    assert benign("explore", "cruise-control", "--port", "70000")[0] == 2


def proved_by(prover, problem):
    done, found = threading.Event(), []
    prover.start(problem, lambda proof: (found.append(proof), done.set()))
    return done, found


def test_a_proof_comes_from_a_process_and_its_certificate_holds(cars):
    done, found = proved_by(Prover(20.0), cars.problem)
    assert done.wait(60)
    (proof,) = found
    assert proof.status == "refuted"
    assert check(proof.certificates[0])
    assert len(proof.rows) == 2


def test_a_new_proof_ends_the_one_before(cars, monkeypatch):
    monkeypatch.setattr(proofs, "_PLACES", threading.BoundedSemaphore(1))
    prover = Prover(20.0)
    slow = draft_of(load("four-masses"))
    first, told = proved_by(prover, slow.problem)
    second, found = proved_by(prover, cars.problem)
    assert second.wait(60)
    assert not first.is_set()
    assert told == []
    assert found[0].status == "refuted"


def test_text_of_others_is_escaped():
    hostile = "<img src=x onerror=alert(1)>"
    proof = Proof("undecided", hostile, rows=((hostile, hostile, hostile),))
    for text in (verdict(None, proof, waiting=False), table(None, proof),
                 verdict(None, None, waiting=False, error=hostile)):  # fmt: skip
        assert "<img" not in text
        assert "&lt;img" in text


def test_what_a_worker_writes_that_is_no_result_is_no_proof():
    for text in ("", "{", '{"landscape": {}}', '{"landscape": 1, "certificates": []}', "[]"):
        assert proofs.read(text).status == "none"


def test_two_explorers_share_nothing():
    one, two = Explorer("cruise-control"), Explorer("cruise-control")
    one.w["add"].clicks += 1
    one.w["shots"].value = 2
    assert len(one.draft.tasks) == 5
    assert one.draft.shots == 2
    assert len(two.draft.tasks) == 4
    assert two.draft.shots == 1
    one.close()
    two.close()


def test_it_shows_in_a_notebook():
    cell = nbformat.v4.new_code_cell("import benign\nbenign.explore('cruise-control')")
    notebook = nbformat.v4.new_notebook(cells=[cell])
    NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    outputs = notebook.cells[0].outputs
    shown = [o.data for o in outputs if o.output_type in ("display_data", "execute_result")]
    assert "power of ten" in "".join(data.get("text/html", "") for data in shown)
