"""Terminals and limits: everything is printed, whatever it is printed to; failures are a sentence."""

import json
import os

import pytest
from processes import a_place, run

from benign.cli.guard import explained
from benign.cli.streams import spell

ANALYZE = ("analyze", "paper-figure-3b", "--eta", "0.05")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_terminal_without_greek_gets_all_in_other_letters(encoding):
    with a_place() as folder:
        status, told, errors = run(*ANALYZE, cwd=folder, PYTHONIOENCODING=encoding)
        assert (status, errors) == (0, "")
        assert "REFUTED" in told
        assert "(|F-W*|)" in told
        family = "benign = 1\n[[tasks]]\nname = 'Zoë ≤ η'\nA = 1\nB = 1\nQ = 1\nR = 1\n"
        (folder / "f.toml").write_text(family, encoding="utf-8")
        command = ("analyze", "f.toml", "--eta", "0.05", "--json")
        status, told, _ = run(*command, cwd=folder, PYTHONIOENCODING=encoding)
        assert status == 0
        assert json.loads(told)["problem"]["tasks"][0]["name"] == "Zoë ≤ η"


def test_letters_are_spelled():
    error = UnicodeEncodeError("ascii", "−η é ≤ 💥", 0, 8, "")
    assert spell(error) == ("-eta e <= \\U0001f4a5", 8)


def test_no_columns_and_a_dumb_terminal_print_everything():
    with a_place() as folder:
        wide = run(*ANALYZE, cwd=folder, COLUMNS="80")
        assert run(*ANALYZE, cwd=folder, COLUMNS="0") == wide
        assert run(*ANALYZE, cwd=folder, COLUMNS="80", TERM="dumb") == wide
        _, narrow, _ = run(*ANALYZE, cwd=folder, COLUMNS="3")
        for number in ("0.3277411", "1.547161", "2.383462"):
            assert number in narrow


def test_too_little_memory_is_a_sentence_and_status_2():
    with a_place() as folder:
        for arguments, megabytes in ((ANALYZE, 150), (("train", "paper-figure-3b"), 900)):
            status, told, errors = run(*arguments, cwd=folder, memory=megabytes * 10**6)
            assert (status, told) == (2, "")
            assert "not enough memory" in errors
            assert len(errors.splitlines()) == 1


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (MemoryError(), "not enough memory"),
        (RecursionError("deep"), "nested too deep"),
        (UnicodeEncodeError("ascii", "é", 0, 1, "no"), "LC_ALL"),
        (ImportError("no x"), "cannot be loaded"),
        (OSError(28, "No space left on device", "x"), "x: no space left"),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory"), "not enough memory"),
        (RuntimeError("can't start new thread"), "no thread"),
        (KeyError("ours"), ""),
    ],
)
def test_what_the_machine_lacks_is_a_sentence_and_what_is_ours_is_not_hidden(error, words):
    assert words in explained(error)
    assert bool(words) == bool(explained(error))
    assert os.linesep not in explained(error)
