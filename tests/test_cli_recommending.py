"""The command recommend, and costs normalised on the command line."""

import json

import pytest

from benign.tasks.files import load
from command import benign

FAMILY = "paper-figure-2"
QUICK = ("--etas", "0.02,0.05", "--starts", "8")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("recommendation")
    status, text, _ = benign("recommend", FAMILY, "--eta", "0.05", *QUICK, "--out", out)
    assert status == 0
    return out, text


def test_the_advice_comes_first_and_every_cell_is_listed(run):
    out, text = run
    lines = text.splitlines()
    assert lines[1].startswith(
        "Normalise the costs: the gradient step on normalised costs at eta = 0.05"
    )
    assert text.count("8/8") + text.count("/8 (") >= 6
    assert "original costs" in text
    assert max(map(len, lines)) <= 80
    assert {path.name for path in out.iterdir()} == {
        "recommendation.json", "recommendation.png", "recommendation.svg", "family.toml",
        "manifest.json",
    }  # fmt: skip


def test_the_family_file_is_the_advice(run):
    out, _ = run
    status, text, _ = benign("analyze", out / "family.toml")
    assert status == 0
    assert "PROVED: every local minimum of h is global" in text
    assert "benign recommend" not in text
    Q = [task.f.Q[0][0] for task in load(out / "family.toml").family.tasks]
    assert Q[0] == Q[1]


def test_json_is_the_document_that_is_saved(run):
    out, _ = run
    status, text, _ = benign("recommend", FAMILY, "--eta", "0.05", *QUICK, "--json")
    assert status == 0
    document = json.loads(text)
    assert document == json.loads((out / "recommendation.json").read_text())
    chosen = document["cells"][document["chosen"]]
    assert (chosen["variant"], chosen["epsilon_is"], chosen["eta"]) == (
        "normalized-costs", "proved", "1/20",
    )  # fmt: skip


def test_the_step_size_in_use_is_the_files_first():
    status, text, _ = benign("recommend", FAMILY, "--etas", "0.05", "--starts", "4", "--json")
    assert status == 0
    document = json.loads(text)
    assert document["cells"][document["present"]]["eta"] == "1/10"


def test_analyze_normalises_points_and_recommends():
    status, text, _ = benign("analyze", FAMILY, "--eta", "0.05")
    assert status == 0
    assert text.rstrip().endswith(
        "Another step size or variant may do better: benign recommend " + FAMILY
    )
    status, text, _ = benign("analyze", FAMILY, "--eta", "0.05", "--normalize-costs")
    assert status == 0
    assert "PROVED" in text
    assert "benign recommend" not in text
    status, text, _ = benign("analyze", FAMILY, "--eta", "0.05", "--recommend")
    assert status == 0
    assert "normalise the costs: the gradient step on normalised costs at eta = 0.05" in text


def test_training_on_normalised_costs_is_training_on_the_normalised_family(run):
    out, _ = run
    settings = ("--eta", "0.05", "--start", "1.4", "--steps", "50", "--json")
    status, text, _ = benign("train", FAMILY, "--normalize-costs", *settings)
    assert status == 0
    plain = json.loads(text)
    status, text, _ = benign("train", out / "family.toml", *settings)
    assert json.loads(text)["W"] == plain["W"]
    status, text, _ = benign("train", FAMILY, *settings)
    assert json.loads(text)["W"] != plain["W"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--etas", "0.1,"), "etas: expected numbers with commas"),
        (("--etas", "0.1:0.2"), "etas: expected lo:hi:count"),
        (("--etas", "0.1:0.2:3:4"), "etas: expected lo:hi:count"),
        (("--etas", "0.2:0.1:3"), "0 < lo < hi"),
        (("--etas", "0:0.1:3"), "0 < lo < hi"),
        (("--etas", "0.1:0.2:1"), "count from 2"),
        (("--etas", "zero"), "eta: expected a number"),
        (("--etas", "-0.1"), "eta: the step size must be positive"),
        (("--eta", "none"), "eta: expected a number"),
        (("--eta", "0.1,0.2"), "eta: recommend uses one step size"),
        (("--starts", "0"), "starts: at least one"),
        (("--seed", "-1"), "seed: expected a whole number"),
        (("--shots", "0"), "shots: expected a positive integer"),
        (("--variants", "quick"), "variants: expected some of"),
        (("--budget", "soon"), "budget"),
        (("--budget", "0s"), "budget"),
    ],
)
def test_bad_input_is_one_clear_line(arguments, message):
    status, _, error = benign("recommend", FAMILY, "--starts", "2", *arguments)
    assert status == 2
    assert message in error
    assert "\n" not in error


def test_what_cannot_be_is_refused(tmp_path):
    status, _, error = benign("recommend", "no-such-family")
    assert status == 2
    assert "bundled" in error
    status, _, error = benign("analyze", FAMILY, "--recommend", "--json")
    assert status == 2
    assert "benign recommend --json" in error
    file = tmp_path / "free.toml"
    file.write_text('benign = 1\n[[tasks]]\nname = "free"\nA = 0.5\nB = 1\nQ = 0\nR = 1\n')
    for command in ("analyze", "train"):
        status, _, error = benign(command, file, "--normalize-costs", "--eta", "0.1")
        assert status == 2
        assert "`free`: its least cost is zero" in error
