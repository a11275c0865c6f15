"""The commands train, adapt and bifurcate: exit statuses, messages, files."""

import json
import subprocess
import sys

import numpy as np
import pytest

from command import benign

FAMILY = "paper-figure-3b"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("run")
    status, text, _ = benign("train", FAMILY, "--eta", "0.05", "--out", out)
    assert status == 0
    return out, text


def test_train_says_the_verdict_first_and_writes_what_it_says(run):
    out, text = run
    assert text.startswith("proved: h(W) is within")
    document = json.loads((out / "training.json").read_text())
    assert document["verdict"] == text.splitlines()[0]
    assert {path.name for path in out.iterdir()} == {
        "training.json", "checkpoint.npz", "certificate-1.json", "certificate-start.json",
        "training.png", "training.svg", "manifest.json",
    }  # fmt: skip
    status, text, _ = benign("check", out / "certificate-1.json")
    assert status == 0
    assert "accepted" in text


def test_train_again_resumes_and_changes_no_byte(run):
    out, _ = run
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    status, _, error = benign("train", FAMILY, "--eta", "0.05", "--out", out, "--resume")
    assert status == 0, error
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    status, _, error = benign("train", FAMILY, "--eta", "0.04", "--out", out, "--resume")
    assert status == 2
    assert "another run" in error


def test_train_prints_json(run):
    status, text, _ = benign("train", FAMILY, "--eta", "0.05", "--json")
    assert status == 0
    W = json.loads(text)["W"]
    assert np.shape(W) == (1, 1, 1)
    assert W[0][0][0] == pytest.approx(0.5837789, abs=1e-6)


def test_a_gap_that_is_not_reached_sets_the_exit_status():
    arguments = ("train", FAMILY, "--eta", "0.05", "--steps", "60")
    assert benign(*arguments, "--gap", "1e-9")[0] == 1
    assert benign(*arguments, "--gap", "0.1")[0] == 0


def test_adapt_tells_seen_from_unseen_tasks(run):
    out, _ = run
    status, text, _ = benign("adapt", out, FAMILY, "--shots", "2", "--json")
    assert status == 0
    document = json.loads(text)
    assert [task["seen"] for task in document["tasks"]] == [True, True]
    assert all(len(task["costs"]) == 3 for task in document["tasks"])
    assert all(cost > task["optimum"] for task in document["tasks"] for cost in task["costs"])
    status, text, _ = benign("adapt", out, "cruise-control", "--task", "1000 kg")
    assert status == 0
    assert "(unseen)" in text


BAD = {
    "no such algorithm": (["--algorithm", "newton"], "algorithm"),
    "lambda missing": (["--algorithm", "imaml"], "lambda"),
    "lambda zero": (["--algorithm", "imaml", "--lambda", "0"], "λ > 0"),
    "batch too large": (["--batch", "9", "--beta", "0.1"], "family has 2"),
    "eta too large": (["--eta", "5"], "largest eta"),
    "eta negative": (["--eta", "-1"], "eta"),
    "beta negative": (["--beta", "-1"], "beta"),
    "start of another shape": (["--start", "[[1, 2]]"], "shape"),
    "start in words": (["--start", "somewhere"], "start"),
    "infeasible start": (["--start", "3"], "start"),
    "resume nowhere": (["--resume"], "--out"),
    "steps": (["--steps", "-1"], "steps"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_gets_one_clear_message(case):
    options, word = BAD[case]
    status, _, error = benign("train", FAMILY, "--eta", "0.05", *options)
    assert status == 2
    assert word in error
    assert "\n" not in error.strip()


def test_bad_input_to_adapt(run, tmp_path):
    out, _ = run
    assert benign("adapt", tmp_path, FAMILY)[0] == 2
    status, _, error = benign("adapt", out, "boeing-747")
    assert (status, "shape" in error) == (2, True)
    status, _, error = benign("adapt", out, FAMILY, "--task", "nobody")
    assert (status, "nobody" in error) == (2, True)


def test_bifurcate(tmp_path):
    out = tmp_path / "out"
    status, text, error = benign("bifurcate", FAMILY, "--eta", "0.055:0.065:3", "--out", out)
    assert status == 0, error
    assert "dies" in text
    document = json.loads((out / "bifurcation.json").read_text())
    assert [event["event"] for event in document["events"]] == ["death"]
    assert (out / "bifurcation.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "text", ["0.1", "0.1:0.2", "0:1:5", "2:1:5", "a:b:c", "0.1:0.2:1", "1:2:1e9", "1/0:2:3"]
)
def test_a_range_that_is_none(text):
    status, _, error = benign("bifurcate", FAMILY, "--eta", text)
    assert status == 2
    assert "eta" in error


def test_a_real_process_exits_with_two_and_no_traceback():
    done = subprocess.run(
        [sys.executable, "-m", "benign.cli", "train", FAMILY, "--algorithm", "imaml", "--lambda", "0"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("benign: error: lambda")
