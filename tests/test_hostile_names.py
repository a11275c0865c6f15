"""Names, titles and paths that try to be more than text, through every command that shows them."""

from __future__ import annotations

import io
import json
import warnings
import xml.etree.ElementTree as ET

import pytest

from benign.cli.common import console
from benign.errors import BenignError
from benign.exact.problem import Problem, Task, make_family, make_step
from benign.prove.line.enumeration import analyze
from benign.tasks.files import load
from benign.views.report import report
from command import benign
from helpers import scalar_plant

NAMES = (
    "\x1b[31mred\x1b[0m\x1b]0;title\x07",
    "a\nREFUTED: b\r\b\b",
    "\u202eabc\u2066x\u2069",
    "li\u200bght",
    "[bold red]x[/bold red] [link=http://x.y]z[/link] [/]",
    "$x^2$ $\\frac{",
    "<b>&lt;!-- --></svg>",
    "_hidden",
    "\x9b2J\udc80",
    ":smile:",
)
TITLE = "\x1b[2J[bold]title[/bold]\u202e$\\alpha$\nPROVED: all"

FAMILY = """
benign = 1
title = '''{title}'''
[[tasks]]
name = '''{first}'''
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
PRINTABLE = [name for name in NAMES if name.isprintable()]


def is_harmless(text):
    """Nothing but printable characters and line breaks."""
    return all(line.isprintable() for line in text.split("\n"))


def family_of(names):
    return make_family([Task(name, scalar_plant(1, q=1 + i, r=2)) for i, name in enumerate(names)])


@pytest.fixture(scope="module")
def landscape():
    return analyze(Problem(family_of(NAMES), make_step("gradient", "0.02")))


@pytest.fixture
def certificate(landscape, tmp_path):
    path = tmp_path / "certificate.json"
    path.write_text(json.dumps(landscape.certificate))
    return path


def printed(renderable):
    screen = io.StringIO()
    own = console()
    own.file = screen
    own.width = 160
    own.print(renderable)
    return screen.getvalue()


def test_a_report_shows_names_as_they_are(landscape):
    text = printed(report(landscape, title=TITLE))
    assert is_harmless(text)
    assert r"\x1b[31mred" in text
    assert "[bold]title[/bold]" in text
    assert ":smile:" in text
    assert not any(line.startswith(("REFUTED: b", "PROVED: all")) for line in text.split("\n"))
    # Printed on a console that does read markup, the names are still names.
    from rich.console import Console

    screen = io.StringIO()
    Console(file=screen, width=160).print(report(landscape, title=TITLE))
    assert "[bold red]x[/bold red]" in screen.getvalue()
    assert ":smile:" in screen.getvalue()


def test_pictures_draw_and_read_no_formula(landscape, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        landscape.save(tmp_path)
    tree = ET.parse(tmp_path / "landscape.svg")
    assert len(list(tree.iter())) > 100
    assert "</svg>" not in (tmp_path / "landscape.svg").read_text().removesuffix("</svg>\n")
    for name in ("landscape.json", "certificate.json"):
        text = (tmp_path / name).read_text()
        assert is_harmless(text)
        assert json.loads(text)["problem"]["tasks"][0]["name"] == NAMES[0]


def test_check_says_what_it_is_about_without_harm(certificate):
    status, out, err = benign("check", certificate)
    assert status == 0, out + err
    assert is_harmless(out + err)
    assert r"\x1b[31mred" in out
    assert r"\nREFUTED: b" in out or r"\x0aREFUTED: b" in out


def test_paths_are_escaped(tmp_path, landscape):
    path = tmp_path / "\x1b[31mx\n[bold]y.json"
    path.write_text(json.dumps(landscape.certificate))
    status, out, _ = benign("check", path)
    assert status == 0
    assert is_harmless(out)
    assert r"\x1b[31mx\x0a[bold]y.json: accepted" in out


@pytest.mark.parametrize("name", PRINTABLE)
@pytest.mark.parametrize("verb", ["analyze", "certify", "train"])
def test_the_verbs_show_a_printable_name_as_it_is(name, verb, tmp_path):
    path = tmp_path / "family.toml"
    path.write_text(FAMILY.format(title="[bold]t[/bold] $x$", first=name))
    gain = ["0.5"] if verb == "certify" else []
    place = tmp_path / "out"
    target = place / "c.json" if verb == "certify" else place
    place.mkdir()
    short = ["--steps", "3"] if verb == "train" else []
    status, out, err = benign(verb, path, *gain, "--eta", "0.05", "--out", target, *short)
    assert status == 0, out + err
    assert is_harmless(out + err)
    if verb == "analyze":
        assert name[:14] in out
        assert "[bold]t[/bold]" in out
    for picture in place.glob("*.svg"):
        ET.parse(picture)


@pytest.mark.parametrize("name", [name for name in NAMES if not name.isprintable()])
def test_a_file_with_an_unprintable_name_is_refused_in_one_harmless_line(name, tmp_path):
    text = json.dumps(
        {"benign": 1, "tasks": [{"name": name, "A": 1, "B": 1, "Q": 1, "R": 1}]}, ensure_ascii=True
    )
    path = tmp_path / "family.json"
    path.write_text(text)
    for verb in (["analyze", path], ["train", path], ["certify", path, "0.5"], ["examples", name]):
        status, out, err = benign(*verb)
        assert status == 2
        assert "Traceback" not in err
        # `main` prints the message through the same function.
        from benign.text import clean_lines

        assert is_harmless(clean_lines(err) + out)


def test_a_hostile_title_of_a_file_is_shown_as_text(tmp_path):
    path = tmp_path / "family.json"
    body = {"benign": 1, "title": TITLE, "tasks": [{"A": 1, "B": 1, "Q": 1, "R": 1}]}
    path.write_text(json.dumps(body))
    assert load(path).title == TITLE  # a title may hold anything
    for verb in ("analyze", "recommend"):
        options = ["--etas", "0.05,0.1", "--starts", "2"] if verb == "recommend" else ["--eta", "0.05"]
        status, out, err = benign(verb, path, *options)
        assert status == 0, out + err
        assert is_harmless(out + err)


@pytest.mark.parametrize("name", NAMES)
def test_an_error_about_a_task_names_it_in_one_harmless_line(name):
    family = make_family([Task(name, scalar_plant("1e40"))])
    with pytest.raises(BenignError, match="is outside") as caught:
        analyze(Problem(family, make_step("gradient", "0.1")))
    assert str(caught.value).isprintable()
