"""What is put on the screen: the words, the tables, the legend."""

from rich.console import Group
from rich.table import Table
from rich.text import Text

from benign.cli.screen import Screen, legend, spelled
from command import benign


def test_letters_are_words_on_a_screen_and_styles_stay(capsys):
    table = Table(title="η: 1")
    table.add_column("ε, %")
    table.add_row("ε of Ε")
    head = Text.assemble(("PROVED", "bold green"), ": ε = 0, η = 1; ", ("last", "red"))
    screen = Screen()
    screen.show(Group(head, table, Text("end of ε")))
    out = capsys.readouterr().out
    lines = [line.rstrip() for line in out.splitlines()]
    assert lines[0] == "PROVED: epsilon = 0, eta = 1; last"
    assert [lines[i] for i in (1, 2, 3, 5, 6, 7)] == [
        "", "eta: 1", "epsilon, %", "ε of Ε", "", "end of epsilon",
    ]  # fmt: skip
    assert set(lines[4]) == {"─"}
    assert spelled("ε η") == "epsilon eta"


def test_a_legend_explains_just_what_was_shown():
    assert legend("nothing of the kind, levelled or unboxed") == ""
    found = legend("spurious, jump\nin 3 shots; a regret\nbound; 5 boxes")
    assert found == (
        "Legend: shot: a step of adaptation; spurious: a local minimum that is not global; "
        "jump: a gain where h is discontinuous; box: a region of gains that is decided as a whole; "
        "regret bound: what h exceeds the mean of the tasks' own least costs by."
    )


def test_the_screen_of_an_analysis_has_one_word_for_epsilon_and_a_legend():
    status, out, _ = benign("analyze", "paper-figure-3c", "--step", "normalized", "--eta", "0.3")
    assert status == 0
    assert "ε" not in out
    said = " ".join(out.split())
    for word in ("h", "epsilon", "shot", "spurious", "jump", "F"):
        assert f" {word}: " in said.partition("Legend:")[2]
    assert max(map(len, out.splitlines())) <= 80
    assert "Legend" not in benign("analyze", "paper-figure-3b", "--eta", "0.05", "--json")[1]


def test_the_help_has_one_word_for_epsilon():
    for verb in ("analyze", "certify", "check", "train", "adapt", "bifurcate", "recommend"):
        assert "ε" not in benign(verb, "--help")[1]
