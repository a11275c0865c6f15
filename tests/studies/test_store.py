"""The store: what it holds, what it refuses, and that it is never half written."""

import json

import numpy as np
import pytest
import xarray
from tests.studies.study_cases import assert_equal, small, strange, values

from benign.errors import FileFormatError, OutputError, ProblemError
from benign.studies.columns import DONE, FAILED, LATE, columns
from benign.studies.definition import bundled_names, read_study, study_of
from benign.studies.grid import Grid
from benign.studies.run import run_study
from benign.studies.store import Store
from benign.studies.study import Measure, Study
from benign.studies.summary import frame, means, status_of
from benign.studies.work import measured, run_batch


def test_a_run_is_whole_and_reads_as_a_dataset(tmp_path):
    study, told = small(), []
    found = run_study(study, tmp_path / "a", progress=lambda done, most: told.append((done, most)))
    assert (found.done, found.missing, found.failed) == (240, 0, 0)
    assert told[0] == (0, 240)
    assert told[-1] == (240, 240)
    data = xarray.open_zarr(tmp_path / "a", consolidated=False, chunks=None)
    assert dict(data.sizes) | {"letter": 160} == {"eta": 2, "tasks": 2, "seed": 60, "letter": 160}
    assert data.epsilon.attrs["units"] == "cost"
    assert data.attrs["study"]["seed"] == 0
    assert data.attrs["benign"]
    one = data.sel(eta=0.05, tasks=3, seed=7)
    alone = measured(study, np.array([int(np.ravel_multi_index((1, 1, 7), study.shape))]))
    for column in columns(trains=False):
        if column.name != "seconds":
            assert float(one[column.name]) == pytest.approx(
                alone.values[column.name][0], nan_ok=True, abs=0
            )
    assert status_of(Store(tmp_path / "a"))["proofs that agree"] == 1


def test_the_schedule_does_not_matter(tmp_path):
    """Backwards, in larger batches, or in pieces: the same numbers."""
    study = small()
    run_study(study, tmp_path / "a")
    store = Store(tmp_path / "b")
    store.prepare(study)
    for number in reversed(range(0, len(Grid(study)), 2)):
        run_batch(study, store, number)
    assert store.counts().tolist() == [120, 120, 0, 0]
    assert run_study(study, tmp_path / "b").done == 240
    assert_equal(tmp_path / "a", tmp_path / "b")
    one = small(measure=Measure(starts=8))
    run_study(one, tmp_path / "c")
    assert_equal(tmp_path / "a", tmp_path / "c")


def test_nothing_is_done_twice(tmp_path, monkeypatch):
    study = small()
    run_study(study, tmp_path / "a")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "a").rglob("*") if path.is_file()}
    assert run_study(study, tmp_path / "a").done == 240
    assert before == {p: p.stat().st_mtime_ns for p in (tmp_path / "a").rglob("*") if p.is_file()}


def test_a_batch_without_its_status_is_done_again(tmp_path):
    """What a process that was killed between two chunks leaves."""
    study = small()
    run_study(study, tmp_path / "a")
    run_study(study, tmp_path / "b")
    (tmp_path / "b" / "status" / "c" / "1" / "0" / "2").unlink()
    (tmp_path / "b" / "epsilon" / "c" / "1" / "0" / "2").unlink()
    (tmp_path / "b" / "status" / "c" / "0" / "0" / "1.123.partial").write_bytes(b"half")
    assert Store(tmp_path / "b").counts()[0] == 20
    run_study(study, tmp_path / "b")
    assert_equal(tmp_path / "a", tmp_path / "b")


def test_cells_that_raise_hang_or_kill_are_kept_apart_and_can_be_tried_again(tmp_path, monkeypatch):
    study = small(axes={"seed": 5}, fixed={}, generator=strange, measure=Measure(limit=3, chunk=5))
    found = run_study(study, tmp_path / "a")
    assert (found.done, found.failed, found.late) == (2, 2, 1)
    status = status_of(Store(tmp_path / "a"))
    said = {one["cell"]["seed"]: one["reason"] for one in status["reasons"]}
    assert said[1] == "RuntimeError: a planted error"
    assert said[2] == "stopped after 3 s"
    assert "ended by itself" in said[3]
    assert values(tmp_path / "a")["status"].tolist() == [DONE, FAILED, LATE, FAILED, DONE]
    monkeypatch.setenv("STUDY_CASES_HEALED", "1")
    from benign.studies.isolated import _forget

    _forget()
    kept = values(tmp_path / "a")["epsilon"]
    again = run_study(study, tmp_path / "a", retry=True)
    assert (again.done, again.failed, again.late) == (4, 1, 0)
    after = values(tmp_path / "a")
    assert after["epsilon"][[0, 4]].tolist() == kept[[0, 4]].tolist()
    assert np.isfinite(after["epsilon"][[2, 3]]).all()
    assert not after["reason"][2].any()
    assert bytes(after["reason"][1]).startswith(b"RuntimeError")


def test_another_study_and_other_files_are_refused(tmp_path):
    run_study(small(), tmp_path / "a", budget=0)
    with pytest.raises(OutputError, match="another study"):
        run_study(small(seed=1), tmp_path / "a")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="something else is there"):
        run_study(small(), tmp_path / "b")
    assert [p.name for p in (tmp_path / "b").iterdir()] == ["mine.txt"]
    (tmp_path / "c").write_text("a file")
    with pytest.raises(OutputError, match="in the way"):
        run_study(small(), tmp_path / "c")
    with pytest.raises(FileFormatError, match="holds no study"):
        Store(tmp_path / "b").dataset()
    meta = tmp_path / "a" / "zarr.json"
    document = json.loads(meta.read_text())
    document["attributes"]["study"]["axes"]["eta"] = [-1]
    meta.write_text(json.dumps(document))
    with pytest.raises(FileFormatError, match="axes: eta"):
        Store(tmp_path / "a").study()


def test_ten_million_cells_begin_at_once(tmp_path):
    study = small(axes={"eta": {"from": 0.01, "to": 0.1, "count": 10}, "seed": 1_000_000},
                  measure=Measure(starts=0), fixed={})  # fmt: skip
    assert study.cells == 10_000_000
    found = run_study(study, tmp_path / "a", budget=3)
    assert 0 < found.done < 1_000_000
    assert found.missing == study.cells - found.done
    assert found.seconds < 20
    assert sum(p.stat().st_size for p in (tmp_path / "a" / "seed").rglob("*")) < 10e6
    assert (tmp_path / "a" / "zarr.json").stat().st_size < 5000


def test_tables(tmp_path):
    run_study(small(), tmp_path / "a")
    store = Store(tmp_path / "a")
    table = frame(store)
    assert len(table) == 240
    assert set(table["verdict"]) <= {"benign", "spurious", "none"}
    by = means(store, ["eta"])
    mine = table[table["eta"] == 0.05]
    assert by.loc[by["eta"] == 0.05, "epsilon mean"].item() == pytest.approx(mine["epsilon"].mean())
    share = (mine["verdict"] == "benign").sum() / (mine["verdict"] != "none").sum()
    assert by.loc[by["eta"] == 0.05, "benign mean"].item() == pytest.approx(share)
    assert table["agrees"].dropna().isin([0, 1]).all()
    with pytest.raises(ProblemError, match="by: n is none of the axes"):
        means(store, ["n"])


@pytest.mark.parametrize("name", bundled_names())
def test_bundled_studies_are_read_and_one_cell_of_each_is_measured(name):
    study = read_study(name)
    assert study_of(json.loads(json.dumps(study.document()))).digest == study.digest
    if study.trains:
        return
    found = measured(study, np.array([study.cells // 3]) if study.base else np.array([0]))
    assert found.status.tolist() == [DONE], found.reasons


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"axes": {"etta": [1]}}, "axes: `etta` is none of"),
        ({"axes": {"eta": []}}, "axes: eta: has no value"),
        ({"axes": {"eta": [0.1, 0.1]}}, "a value comes twice"),
        ({"axes": {"eta": [0.1, "x"]}}, "axes: eta: expected a number, got 'x'"),
        ({"axes": {"eta": [float("nan")]}}, "axes: eta: must be from"),
        ({"axes": {"eta": {"from": 0.2, "to": 0.1, "count": 3}}}, "a range is"),
        ({"axes": {"tasks": 0}}, "axes: tasks: a count from 1"),
        ({"axes": {"seed": 10**9}}, "axes: seed: a count from 1"),
        ({"axes": {"step": ["sideways"]}}, "expected one of gradient, normalized"),
        ({"fixed": {"eta": 0.1}}, "fixed: eta is an axis already"),
        ({"generator": {"kind": "none-such"}}, "generator: kind: `none-such` is none of"),
        ({"generator": {"plant": "none-such"}}, "neither a bundled family nor a bundled plant"),
        ({"generator": {"plant": {"A": [[1, 2]]}}}, "generator: plant: "),
        ({"generator": {"plant": {"Q": -1}}}, "generator: plant: Q must be positive definite"),
        ({"generator": {"kind": "perturbed"}, "fixed": {"spread": 1.5}}, "spread: must be from 0"),
        ({"fixed": {"n": 3}}, "n, m: the plant of `random-costs` has its own"),
        ({"measure": {"limit": "soon"}}, "limit: expected a duration"),
        ({"measure": {"stars": 3}}, "measure: stars is none of"),
        ({"seed": -1}, "seed: a whole number"),
        ({"extra": 1}, "`extra` is none of"),
        ({"format": "2"}, "no study"),
    ],
)
def test_a_wrong_entry_is_named(tmp_path, change, words):
    document = {"format": "benign-study-1", "name": "x", "axes": {"eta": [0.1]}} | change
    with pytest.raises(ProblemError, match=words):
        study_of(document)
    with pytest.raises(ProblemError, match="axes: m: must be from 1 to 16"):
        Study("x", {"m": [17]}, generator="random-systems")
