import io
import math

import pytest
from rich.console import Console
from view_problems import PROBLEMS

from benign.results.enclosure import Enclosure
from benign.views.numbers import bounds, distinct, fixed, width
from benign.views.report import report


def text(landscape, columns=80, **options):
    console = Console(width=columns, file=io.StringIO(), highlight=False, **options)
    console.print(report(landscape, title="a title [bold]"))
    return console.file.getvalue()


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_screenful_at_eighty_columns_without_colour(landscapes, name):
    lines = text(landscapes[name]).splitlines()
    assert lines[0] == "a title [bold]"
    assert lines[1].split(":")[0] in ("PROVED", "REFUTED", "UNDECIDED")
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 60
    assert "\x1b" not in "".join(lines)


def test_a_terminal_gets_colour(landscapes):
    assert "\x1b[1;31mREFUTED" in text(
        landscapes["one task"], force_terminal=True, color_system="standard"
    )


def test_minima_that_differ_are_printed_differently(landscapes):
    shown = text(landscapes["one task"])
    assert "3.236068" in shown
    assert "3.236414" in shown
    assert "W* (7e-3)" in shown
    assert "0.000345617" in shown


def test_all_tasks_reached_is_said(landscapes):
    lines = [line for line in text(landscapes["equal minima"]).splitlines() if "global  " in line]
    assert len(lines) == 3
    assert all("W*" in line for line in lines)


def test_long_lists_are_abbreviated(landscapes):
    assert "… 990 more" in text(landscapes["many tasks"])


def test_undecided_stretches_are_listed(landscapes):
    shown = text(landscapes["narrow and undecided"])
    assert "Undecided stretches: 2" in shown
    assert "no bound" in shown


def test_digits_grow_until_values_differ():
    a, b = Enclosure(1.0, 1.0), Enclosure(1.0000000003, 1.0000000003)
    assert distinct([a, b]) == ["1.0000000000", "1.0000000003"]
    assert distinct([a, a]) == ["1.000000", "1.000000"]


def test_bounds_are_rounded_outward():
    assert bounds(Enclosure(0.0, 0.0)) == "0"
    assert bounds(Enclosure(0.0, 1.234e-13)) == "at most 1.24e-13"
    assert bounds(Enclosure(0.5, math.inf)) == "at least 0.5"
    assert bounds(Enclosure(0.12345, 0.45678)) == "[0.123, 0.457]"
    assert fixed(0.0, 7) == "0"
    assert width(Enclosure(2.0, 2.0)) == "exact"
