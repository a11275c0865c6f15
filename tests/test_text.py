"""Names that try to be more than names."""

import json
import sys
import unicodedata

import pytest

from benign.text import LONGEST, clean, clean_json, clean_lines, for_picture, quoted

HOSTILE = {
    "terminal colour": "\x1b[31mred\x1b[0m",
    "title of the window": "\x1b]0;owned\x07",
    "C1 control": "\x9b2J",
    "back over it": "proved\b\b\b\b\b\brefuted",
    "lines": "a\nPROVED: b\r\nc\u2028d",
    "turned around": "\u202eabc\u202c \u2066x\u2069",
    "no width": "li\u200bght\ufeff\u00ad",
    "surrogate": "\udc80",
    "tags": "a\U000e0041",
    "null": "a\0b",
}


@pytest.mark.parametrize("what", HOSTILE)
def test_nothing_that_is_not_printable_is_left_and_nothing_is_lost(what):
    shown = clean(HOSTILE[what])
    assert shown.isprintable()
    assert len(shown) >= len(HOSTILE[what])


def test_what_is_shown():
    assert clean("\x1b[31mred") == r"\x1b[31mred"
    assert clean("\u202e") == r"\u202e"
    assert clean("\U000e0041") == r"\U000e0041"
    assert clean("a\u00a0b") == "a b"
    assert clean("Motor für Züge, 加热器") == "Motor für Züge, 加热器"
    assert clean("abcdef", 4) == "abc…"
    assert clean_lines("a\nb\r") == "a\nb\\x0d"
    assert quoted("x" * 100) == f"`{'x' * (LONGEST - 1)}…`"


def test_every_character_of_unicode_comes_out_printable():
    every = "".join(map(chr, range(sys.maxunicode + 1)))
    assert clean(every).isprintable()
    assert not {unicodedata.category(c) for c in clean(every)} & {"Cc", "Cf", "Cs", "Zl", "Zp"}


def test_json_says_the_same_and_holds_no_control_character():
    document = {name: [value, {value: 1.5}] for name, value in HOSTILE.items()}
    text = clean_json(json.dumps(document, indent=1, ensure_ascii=False))
    assert json.loads(text) == document
    assert all(line.isprintable() for line in text.split("\n"))
    every = "".join(chr(i) for i in range(sys.maxunicode + 1) if not 0xD800 <= i < 0xE000)
    assert json.loads(clean_json(json.dumps(every, ensure_ascii=False))) == every


def test_a_formula_is_no_formula_in_a_picture():
    from matplotlib.text import Text

    for name in ("$x^2$", "$\\frac{", "a\\$b$c$", "$", "$$", "\\$$"):
        shown, is_formula = Text(0, 0, "")._preprocess_math(for_picture(name))
        assert is_formula is False
        assert shown.count("$") == name.count("$")
