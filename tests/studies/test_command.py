"""`benign study`: what it prints and draws, and that other verbs pay nothing for it."""

import os
import subprocess
import sys

import numpy as np
import pytest
from tests.command import benign
from tests.studies.study_cases import small

from benign.errors import ProblemError
from benign.studies.run import run_study
from benign.studies.store import Store
from benign.views.studies import draw_study

STUDY = """
format = "benign-study-1"
name = "ours"
[axes]
eta = [0.02, 0.04, 0.06]
tasks = [1, 2, 4]
seed = 8
"""


def test_run_status_export_plot(tmp_path):
    (tmp_path / "s.toml").write_text(STUDY)
    out = tmp_path / "out"
    status, told, _ = benign("study", "run", tmp_path / "s.toml", "--out", out)
    assert (status, "72 of 72 cells are done" in told) == (0, True)
    status, told, _ = benign("study", "status", out)
    assert status == 0
    assert "ours: 72 of 72 cells are done" in told
    status, told, _ = benign("study", "export", out, "--out", tmp_path / "t.csv")
    assert (status, "72 rows" in told) == (0, True)
    assert len((tmp_path / "t.csv").read_text().splitlines()) == 73
    assert benign("study", "export", out, "--out", tmp_path / "t.csv")[0] == 2
    assert benign("study", "plot", out, "--out", tmp_path / "p.png")[0] == 0
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    assert benign("study", "run", tmp_path / "s.toml", "--out", tmp_path / "x", "--budget", "0")[0] == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "none-such", "--out", "x"), "neither a file nor a bundled study; those are"),
        (("status", "none-such"), "no such directory"),
        (("plot", ".", "--out", "p.jpg"), "a picture is .png or .svg"),
        (("status", "."), "holds no study"),
    ],
)
def test_bad_input_is_a_sentence(arguments, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, _, said = benign("study", *arguments)
    assert status == 2
    assert words in said


def test_pictures_show_what_is_stored(tmp_path):
    run_study(small(axes={"eta": [0.02, 0.04, 0.06], "tasks": [1, 2, 4], "seed": 9}), tmp_path / "a")
    store = Store(tmp_path / "a")
    figure = draw_study(store, {"kind": "phase", "x": "eta", "y": "tasks", "value": "minimisers"})
    mesh = figure.axes[0].collections[0]
    mean = store.whole("minimisers").mean(axis=2).T
    np.testing.assert_allclose(np.asarray(mesh.get_array()).reshape(3, 3), mean)
    figure = draw_study(store, {"kind": "lines", "x": "tasks", "by": "eta", "value": "benign"})
    for i, line in enumerate(figure.axes[0].lines):
        share = (store.whole("verdict") == 1).mean(axis=2)[i]
        np.testing.assert_allclose(line.get_ydata(), share)
    with pytest.raises(ProblemError, match="value: `beauty` is none of"):
        draw_study(store, {"value": "beauty"})
    with pytest.raises(ProblemError, match="x: `n` is none of the axes"):
        draw_study(store, {"x": "n"})
    with pytest.raises(ProblemError, match="one axis is named twice"):
        draw_study(store, {"kind": "phase", "x": "eta", "y": "eta"})


HIDDEN = """
import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("zarr", "dask", "distributed"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Hidden())
sys.argv = ["benign", *sys.argv[1:]]
from benign.cli import main
main()
"""


def test_a_missing_extra_is_a_sentence_with_its_cure(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", HIDDEN, "study", "run", "more-tasks", "--out", str(tmp_path / "a")],
        capture_output=True, text=True, check=False, env=os.environ,
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr == 'benign: error: study: zarr is not installed; pip install "benign[studies]"\n'


def test_other_verbs_load_nothing_of_it():
    code = "import benign.cli.application, sys; print(*{m.split('.')[0] for m in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"zarr", "dask", "distributed", "xarray", "pandas", "numpy"} & set(done.stdout.split())
