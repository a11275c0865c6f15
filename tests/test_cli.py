"""The command as a user meets it: a real process, real files, real exit statuses."""

import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

BENIGN = Path(sys.executable).parent / "benign"

GOOD = """
benign = 1
title = "two plants"
[[tasks]]
name = "light"
A = 1
B = 1
Q = 1
R = 2
[[tasks]]
name = "heavy"
A = 1
B = 1
Q = 2
R = 1
"""


def benign(*arguments, cwd=None, **environment):
    return subprocess.run(
        [str(BENIGN), *map(str, arguments)],
        capture_output=True, text=True, check=False, cwd=cwd, timeout=120,
        env={**os.environ, "COLUMNS": "100", **environment},
    )  # fmt: skip


@pytest.fixture
def family(tmp_path):
    path = tmp_path / "plants.toml"
    path.write_text(GOOD)
    return path


def test_version_and_help():
    assert re.fullmatch(r"benign \d+\.\d+\.\d+\n", benign("--version").stdout)
    out = benign("--help").stdout
    for verb in ("analyze", "check", "certify", "reproduce", "examples"):
        assert verb in out


def test_analyze_says_the_verdict_first_and_writes_what_it_says(family, tmp_path):
    out = tmp_path / "out"
    done = benign("analyze", family, "--eta", "0.05", "--out", out)
    assert done.returncode == 0, done.stderr
    assert done.stdout.lower().index("refuted") < done.stdout.index("light")
    assert "0.3277" in done.stdout
    assert {path.name for path in out.iterdir()} == {
        "landscape.json", "landscape.png", "landscape.svg", "certificate.json",
        "certificate-start.json", "manifest.json",
    }  # fmt: skip
    assert (out / "landscape.png").read_bytes().startswith(b"\x89PNG")
    checked = benign("check", out / "certificate.json")
    assert checked.returncode == 0
    assert "accepted: proved" in checked.stdout


def test_analyze_says_what_a_start_can_lose(family):
    done = benign("analyze", family, "--eta", "0.05")
    assert "A priori, proved: a method that never raises h and starts at the mean of the" in done.stdout
    own = benign("analyze", family, "--eta", "0.05", "--start", "[[0.58]]")
    assert "starts at the gain given" in " ".join(own.stdout.split())
    done = benign("analyze", family, "--eta", "0.05", "--start", "[[1, 2]]")
    assert done.returncode == 2
    assert "start: expected a finite gain of shape (1, 1), got (1, 2)" in done.stderr


def test_several_step_sizes_get_a_directory_each(family, tmp_path):
    done = benign("analyze", family, "--eta", "0.05,0.1", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"eta-0.05", "eta-0.1"}


def test_a_step_size_that_will_not_do_costs_the_others_nothing(tmp_path):
    done = benign("analyze", "paper-figure-3b", "--eta", "0.05,9", "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "W" in done.stdout
    assert "eta = 9: no gain is feasible" in done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "out" / "eta-0.05" / "certificate.json").exists()
    nothing = benign("analyze", "paper-figure-3b", "--eta", "9,10", "--out", tmp_path / "none")
    assert nothing.returncode == 2
    for size in ("9", "10"):  # that nothing is feasible is proved, and its certificate is kept
        assert (tmp_path / "none" / f"eta-{size}" / "certificate.json").exists()
    assert nothing.stderr.count("no gain is feasible") == 2


def test_json_is_json_and_agrees_with_the_library(family):
    from benign.exact.problem import Problem, make_step
    from benign.prove.line.enumeration import analyze
    from benign.tasks.files import load

    done = benign("analyze", family, "--eta", "0.05", "--json")
    document = json.loads(done.stdout)
    landscape = analyze(Problem(load(family).family, make_step("gradient", "0.05")))
    assert document["verdict"]["status"] == landscape.verdict.status.value == "refuted"
    minima = [p for p in document["coverage"]["stationary_points"] if p["kind"] == "minimum"]
    assert [p["W"] for p in minima] == [list(p.at) for p in landscape.minima]


@pytest.mark.parametrize(("epsilon", "status"), [("0", 1), ("0.01", 1), ("0.03", 0)])
def test_an_assertion_on_epsilon_sets_the_exit_status(family, epsilon, status):
    done = benign("analyze", family, "--eta", "0.05", "--epsilon", epsilon)
    assert done.returncode == status, done.stdout + done.stderr


def test_certify_makes_a_certificate_that_check_accepts(tmp_path):
    target = tmp_path / "c.json"
    done = benign("certify", "paper-figure-1", "0.6180339887", "--eta", "0.05", "--out", target)
    assert done.returncode == 0, done.stderr
    assert "theorem 2" in done.stdout
    assert benign("check", target).returncode == 0


def test_certify_refuses_theorem_2_for_several_tasks_with_the_reason():
    done = benign("certify", "paper-figure-3b", "0.5837789", "--eta", "0.05", "--claim", "theorem 2")
    assert done.returncode == 2
    assert "one task" in done.stderr


def test_check_rejects_an_altered_certificate_with_status_1(family, tmp_path):
    benign("analyze", family, "--eta", "0.05", "--out", tmp_path)
    path = tmp_path / "certificate.json"
    document = json.loads(path.read_text())
    document["points"].pop()
    path.write_text(json.dumps(document))
    done = benign("check", path)
    assert done.returncode == 1
    assert "REJECTED" in done.stdout


def test_examples_lists_copies_and_does_not_overwrite(tmp_path):
    listed = benign("examples")
    assert "cruise-control" in listed.stdout
    assert "paper-figure-3d" in listed.stdout
    first = benign("examples", "cruise-control", cwd=tmp_path)
    assert first.returncode == 0, first.stderr
    assert benign("analyze", "cruise-control.toml", cwd=tmp_path).returncode == 0
    again = benign("examples", "cruise-control", cwd=tmp_path)
    assert again.returncode == 2
    assert "exists" in again.stderr


BAD = {
    "malformed TOML": ("benign = 1\n[[tasks\n", "line"),
    "missing field": ("benign = 1\n[[tasks]]\nname = 'x'\nA = 1\nB = 1\nQ = 1\n", "`R`"),
    "ragged matrix": ("benign=1\n[[tasks]]\nA=[[1,0],[0]]\nB=[[1],[1]]\nQ=1\nR=1\n", "`A`"),
    "wrong shape": ("benign=1\n[[tasks]]\nA=[[1,0],[0,1]]\nB=[[1]]\nQ=[[1,0],[0,1]]\nR=1\n", "`B`"),
    "NaN": (GOOD.replace("A = 1", "A = nan", 1), "A"),
    "infinity": (GOOD.replace("Q = 1", "Q = inf", 1), "Q"),
    "indefinite R": (GOOD.replace("R = 2", "R = -2"), "R"),
    "asymmetric Q": (
        "benign=1\n[[tasks]]\nA=[[0.5,0],[0,0.5]]\nB=[[1],[1]]\nQ=[[1,0.5],[0,1]]\nR=1\n", "Q",
    ),
    "unstabilisable": (GOOD.replace("A = 1\nB = 1", "A = 2\nB = 0", 1), "stabilis"),
    "negative weight": (GOOD.replace("R = 2", "R = 2\nweight = -1"), "weight"),
    "unknown key": (GOOD.replace("R = 2", "R = 2\nweigth = 1"), "weight"),
    "empty family": ("benign = 1\n", "task"),
    "not text": ("\x00\x01", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_gets_one_clear_message_and_status_2(name, tmp_path):
    text, word = BAD[name]
    path = tmp_path / "bad.toml"
    path.write_text(text)
    out = tmp_path / "out"
    done = benign("analyze", path, "--out", out)
    assert done.returncode == 2, done.stdout
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2
    assert "bad.toml" in done.stderr
    assert word in done.stderr
    assert not out.exists()


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--eta", "0"], "eta"),
        (["--eta", "-0.1"], "eta"),
        (["--eta", "nan"], "eta"),
        (["--eta", "0.1,,0.2"], "eta"),
        (["--eta", "a tenth"], "eta"),
        (["--shots", "0"], "shots"),
        (["--step", "newton"], "step"),
        (["--epsilon", "-1"], "epsilon"),
        (["--eta", "1e31"], "eta"),
        (["--budget", "soon"], "budget"),
        (["--budget", "-5s"], "budget"),
        (["--budget", "5d"], "budget"),
        (["--proof", "maybe"], "proof"),
        (["--proof", "off", "--starts", "0"], "starts"),
        (["--seed", "-1"], "seed"),
    ],
)
def test_a_bad_option_gets_one_clear_message_and_status_2(family, options, word):
    done = benign("analyze", family, *options)
    assert done.returncode == 2, done.stdout
    assert "Traceback" not in done.stderr
    assert word in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2


def test_missing_directory_large_and_unreadable_inputs(tmp_path):
    large = tmp_path / "large.toml"
    large.write_text("# " + "x" * 10_000_000)
    for argument in (tmp_path / "none.toml", tmp_path, large, "no-such-family"):
        done = benign("analyze", argument)
        assert done.returncode == 2, argument
        assert "Traceback" not in done.stderr
        assert len(done.stderr.strip().splitlines()) <= 2
    for argument in (tmp_path / "none.json", tmp_path, large):
        done = benign("check", argument)
        assert done.returncode == 2, argument
        assert "Traceback" not in done.stderr


def test_an_output_that_cannot_be_written_is_said_and_nothing_is_left(family, tmp_path):
    in_the_way = tmp_path / "file"
    in_the_way.write_text("not a directory")
    done = benign("analyze", family, "--eta", "0.1", "--out", in_the_way)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert str(in_the_way) in done.stderr.replace("\n", "")
    assert in_the_way.read_text() == "not a directory"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_no_permission_to_write(family, tmp_path):
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(stat.S_IRUSR | stat.S_IXUSR)
    done = benign("analyze", family, "--eta", "0.1", "--out", locked / "out")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_a_plant_of_two_states_is_observed_with_certified_gaps(tmp_path):
    done = benign("analyze", "jonckheere", "--eta", "0.01", "--proof", "off", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert done.stdout.index("OBSERVED") < done.stdout.index("Local minima")
    for word in ("PROVED", "REFUTED"):
        assert word not in done.stdout
    assert (tmp_path / "out" / "landscape.png").read_bytes().startswith(b"\x89PNG")
    certificates = sorted((tmp_path / "out").glob("certificate-*.json"))
    assert len(certificates) >= 5
    assert benign("check", *certificates).returncode == 0


def test_a_plant_of_two_states_is_proved_below_a_level(tmp_path):
    out = tmp_path / "out"
    done = benign("analyze", "four-masses", "--eta", "0.01", "--proof", "required", "--out", out)
    assert done.returncode == 0, done.stderr
    assert "REFUTED" in done.stdout
    assert "Complete below h" in done.stdout
    assert sorted(path.name for path in out.iterdir()) == [
        "certificate-start.json", "certificate.json", "landscape.json", "landscape.png",
        "landscape.svg", "manifest.json",
    ]  # fmt: skip


def test_a_proof_that_is_required_and_not_reached_has_status_3(tmp_path):
    out = tmp_path / "out"
    done = benign(
        "analyze", "four-masses", "--eta", "0.01", "--proof", "required", "--budget", "0s", "--out", out
    )
    assert done.returncode == 3
    assert re.search("budget: .* 0 s are left; give more, such as", done.stderr)
    assert not done.stdout


def test_proof_and_budget_of_a_search():
    """A scalar family searched on demand; without a proof where one is required the status is 3."""
    searched = benign("analyze", "paper-figure-3b", "--eta", "0.05", "--proof", "off", "--starts", "32")
    assert searched.returncode == 0, searched.stderr
    assert "OBSERVED" in searched.stdout
    assert "32 starts" in searched.stdout
    nothing = benign("analyze", "four-masses", "--eta", "0.01", "--budget", "0s", "--proof", "off")
    assert nothing.returncode == 3
    assert re.search("budget: .* 0 s are left; give more, such as", nothing.stderr)
    assert not nothing.stdout


def test_tasks_that_no_gain_stabilises_are_named(tmp_path):
    path = tmp_path / "far.toml"
    path.write_text(GOOD.replace("A = 1", "A = 9", 1))
    done = benign("analyze", path)
    assert done.returncode == 2
    said = " ".join(done.stdout.split())
    assert "no gain stabilises every task" in said
    assert "`light` needs W > 8, `heavy` needs W < 2" in said
