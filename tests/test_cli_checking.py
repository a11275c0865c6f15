"""`benign check`: what a certificate is about, whether that was meant, and what was not checked."""

import json

import pytest

from command import benign

FAMILY = """
benign = 1
title = "two plants"
[step]
eta = [{etas}]
[[tasks]]
name = "{first}"
A = 1
B = 1
Q = {price}
R = 2
[[tasks]]
name = "heavy"
A = 1
B = 1
Q = 2
R = 1
"""


def written(path, etas="0.05", first="light", price=1):
    path.write_text(FAMILY.format(etas=etas, first=first, price=price))
    return path


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A directory with a family and its certificate."""
    place = tmp_path_factory.mktemp("check")
    family = written(place / "plants.toml")
    status, out, err = benign("analyze", family, "--out", place)
    assert status == 0, out + err
    return place


def test_the_problem_is_said_before_the_sentence(place):
    status, out, _ = benign("check", place / "certificate.json")
    assert status == 0
    assert out.split("\n") == [
        f"{place / 'certificate.json'}",
        "  tasks: 2 (`light`, `heavy`); 1 state, 1 input",
        "  step: gradient, eta = 0.05, 1 shot",
        "  claim: complete enumeration",
        "  epsilon asked about: 0",
        f"{place / 'certificate.json'}: accepted: proved: not every local minimum of h is global; the "
        "list of them is complete (complete enumeration)",
        "",
    ]


def test_the_family_that_was_meant(place):
    status, out, _ = benign("check", place / "certificate.json", "--family", place / "plants.toml")
    assert status == 0
    assert "the same problem" in out


def test_one_of_several_step_sizes_will_do(place, tmp_path):
    family = written(tmp_path / "several.toml", etas="0.01, 0.05", first="other name")
    status, out, _ = benign("check", place / "certificate.json", "--family", family)
    assert status == 0
    assert "names differ: task 0 is `light` in the certificate, `other name` in the family" in out


@pytest.mark.parametrize(
    ("options", "where"),
    [
        (["--eta", "0.051"], "eta: 0.05 in the certificate, 0.051 in the family"),
        (["--shots", "2"], "shots: 1 in the certificate, 2 in the family"),
        (["--step", "normalized"], "step: gradient in the certificate, normalized in the family"),
        (["--normalize-costs"], "task 0 `light`: Q[0,0]"),
    ],
)
def test_another_step_is_another_problem(place, options, where):
    status, out, _ = benign(
        "check", place / "certificate.json", "--family", place / "plants.toml", *options
    )
    assert status == 1
    assert "ANOTHER PROBLEM" in out
    assert where in out


def test_another_price_is_another_problem(place, tmp_path):
    family = written(tmp_path / "other.toml", price="1.0000000001")
    status, out, _ = benign("check", place / "certificate.json", "--family", family)
    assert status == 1
    assert "task 0 `light`: Q[0,0] 1 in the certificate, 1.0000000001 in the family" in out


def test_what_is_too_dear_is_not_checked_and_that_is_said(place):
    status, out, _ = benign("check", place / "certificate.json", "--limit", "1ms")
    assert status == 3
    assert "certificate.json: NOT CHECKED: it would take about" in out
    assert "accepted" not in out
    assert benign("check", place / "certificate.json", "--limit", "1h")[0] == 0


def test_several_files_are_each_named_and_none_stops_the_others(place, tmp_path):
    good, bad, none = place / "certificate.json", tmp_path / "bad.json", tmp_path / "none.json"
    document = json.loads(good.read_text())
    document["points"].pop()
    bad.write_text(json.dumps(document))
    status, out, err = benign("check", none, bad, good)
    assert status == 1
    assert f"{bad}: REJECTED" in out
    assert f"{good}: accepted" in out
    assert str(none) in err
    status, out, err = benign("check", none, good)
    assert status == 2
    assert f"{good}: accepted" in out


def test_options_about_a_family_need_one(place):
    status, _, err = benign("check", place / "certificate.json", "--eta", "0.1")
    assert status == 2
    assert "--family" in err
    assert benign("check", place / "certificate.json", "--limit", "soon")[0] == 2
