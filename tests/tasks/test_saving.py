"""Saved families: what is written is read back as the same family, number for number."""

from __future__ import annotations

import os
import sys
import tomllib
from dataclasses import replace
from fractions import Fraction
from math import ceil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import benign
from benign.errors import OutputError, ProblemError, UsageError
from benign.exact.problem import Plant, Step, Task, make_family
from benign.tasks.files import (
    FamilyFile,
    SuggestedStep,
    bundled_names,
    bundled_path,
    dumps,
    load,
    loads,
)
from helpers import scalar_plant

F = Fraction

often = settings(
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
)

digits = st.integers(-(10**40), 10**40)
numbers = st.one_of(
    st.fractions(-5, 5),
    st.floats(-1e3, 1e3).map(Fraction),
    st.builds(lambda x, k: F(x, 10**k), digits, st.integers(0, 45)),
    st.builds(lambda x, k: F(x, 2**k), digits, st.integers(100, 140)),
)
positive = st.one_of(
    st.fractions(F(1, 1000), 1000),
    st.floats(1e-6, 1e6).map(Fraction),
    st.builds(lambda x, k: F(x, 10**k), st.integers(1, 10**30), st.integers(0, 30)),
)
names = st.text(min_size=1, max_size=80).filter(str.isprintable) | st.sampled_from(
    ['"', "\\", "'''", "é ü", "a # b", "[[tasks]]", "= 1", "[1, 2, ]"]
)
texts = st.text(st.characters(exclude_categories=["Cs"]))


@st.composite
def definite(draw, n, *, strict=True):
    """X X' in rational numbers, with a diagonal that is added where it must be ≻ 0."""
    entry = st.fractions(-3, 3, max_denominator=50) | st.integers(-3, 3).map(Fraction)
    X = draw(st.lists(st.lists(entry, min_size=n, max_size=n), min_size=n, max_size=n))
    more = draw(positive) if strict else F(0)
    return tuple(
        tuple(sum((x * y for x, y in zip(u, v, strict=True)), more * (i == j)) for j, v in enumerate(X))
        for i, u in enumerate(X)
    )


@st.composite
def plants(draw, n, m):
    def rows(i, j):
        row = st.lists(numbers, min_size=j, max_size=j).map(tuple)
        return draw(st.lists(row, min_size=i, max_size=i).map(tuple))

    B = list(rows(n, m))
    A, discount = rows(n, n), F(1)
    if any(x == 0 for row in B for x in row) or n > 1:
        # Whatever B reaches, the loop without it is stable: so much discount is a matter of size.
        largest = max(1, *(ceil(sum(map(abs, row))) for row in A))
        discount = F(1, largest**2 * 2)
    return Plant(
        A,
        tuple(B),
        draw(definite(n, strict=False)),
        draw(definite(m)),
        draw(definite(n)),
        discount,
        draw(st.none() | definite(n)) if discount < 1 else None,
    )


@st.composite
def families(draw):
    n, m = draw(st.sampled_from([(1, 1), (1, 1), (2, 1), (1, 2), (3, 2)]))
    tasks = draw(
        st.lists(st.builds(Task, names, plants(n, m), st.none() | plants(n, m)), min_size=1, max_size=4)
    )
    weights = [draw(positive) for _ in tasks] if draw(st.booleans()) else None
    return make_family(tasks, weights)


steps = st.builds(
    SuggestedStep,
    st.sampled_from(["gradient", "normalized"]),
    st.lists(positive, min_size=1, max_size=3).map(tuple),
    st.integers(1, 20),
)


@often
@given(
    families(),
    st.none() | steps,
    st.tuples(texts, texts, texts, texts),
    st.sampled_from(["toml", "json"]),
)
def test_any_family_is_read_back_as_it_was(family, step, said, format):
    texts = dict(zip(("title", "source", "licence", "notes"), said, strict=True))
    text = dumps(family, format, step=step, **texts)
    assert loads(text, format) == FamilyFile(family, step=step, **texts)


@pytest.mark.parametrize("suffix", ["toml", "json"])
@pytest.mark.parametrize("name", bundled_names())
def test_bundled_families_keep_their_numbers_step_and_texts(name, suffix, tmp_path):
    path = benign.save_family(name, tmp_path / f"copy.{suffix}")
    assert path == tmp_path / f"copy.{suffix}"
    assert benign.load(path) == replace(load(bundled_path(name)), sampled=False)
    assert os.listdir(tmp_path) == [path.name]


def test_whatever_is_taken_for_a_family_is_saved(tmp_path):
    a = benign.LQR("1/3", 1, 0.1, "0.1", name="a")
    b = benign.LQR(1, 1, 1, 2, adaptation=benign.LQR(1, 1, 1, "1/7"), name='b "quoted"')
    family = benign.TaskFamily([a, b], weights=["1/3", 0.1])
    for i, value in enumerate((family, family.exact(), [*family])):
        back = load(benign.save_family(value, tmp_path / f"{i}.toml", title="t")).family
        assert back == (family.exact() if i < 2 else make_family(family.exact().tasks))
    again = benign.save_family(str(tmp_path / "0.toml"), tmp_path / "again.toml", notes="n")
    assert (load(again).title, load(again).notes) == ("t", "n")


@pytest.mark.parametrize(
    "step",
    [
        benign.NormalizedStep("1/3", 2),
        Step("normalized", F(1, 3), 2),
        SuggestedStep("normalized", (F(1, 3),), 2),
    ],
)
def test_a_step_is_suggested(step, tmp_path):
    path = benign.save_family("paper-figure-2", tmp_path / "x.toml", step=step)
    assert load(path).step == SuggestedStep("normalized", (F(1, 3),), 2)
    with pytest.raises(UsageError, match=r"save_family: step: expected a step, got 'gradient'|a str"):
        benign.save_family("paper-figure-2", path, step="gradient")


def test_the_text_is_that_of_a_person():
    family = make_family(
        [Task("a, ]", scalar_plant("-0.05", q="1/3")), Task("b", scalar_plant(1), scalar_plant(1, r=2))]
    )
    text = dumps(family, title="two\n , ]\n  [", step=SuggestedStep("gradient", (F(1, 10), F(1, 3))))
    assert text.startswith('benign = 1\ntitle = "two\\n , ]\\n  ["\n\n[step]\n')
    assert 'eta = ["0.1", "1/3"]\n' in text
    assert '[[tasks]]\nname = "a, ]"\nweight = 1\nA = [["-0.05"]]\nB = [[1]]\nQ = [["1/3"]]\n' in text
    assert "\n[tasks.adaptation]\n" in text
    assert tomllib.loads(text)["title"] == "two\n , ]\n  ["


def test_weights_stay_short_however_many_there_are():
    weights = [F(1, 1_000_003 + 2 * k) for k in range(60)]
    tasks = [Task(f"t{k}", scalar_plant(1)) for k in range(60)]
    family = make_family(tasks, weights)
    text = dumps(family)
    assert loads(text).family == family
    assert max(map(len, text.split("\n"))) < 30


def test_what_cannot_be_read_back_is_refused_and_nothing_is_written(tmp_path):
    path = tmp_path / "x.toml"
    path.write_text("mine")
    plant = scalar_plant(1)
    cases = [
        (make_family([Task("a\nb", plant)]), "must not hold line breaks"),
        (make_family([Task("", plant)]), "must not be empty"),
        (make_family([Task("a", replace(plant, Q=((F(1, 3**900),),)))]), "characters"),
        (make_family([Task("a", replace(plant, Q=((F(1, 3**9999),),)))]), "4000 digits"),
        (make_family([Task("a", replace(plant, R=((F(0),),)))]), "`R` must be positive"),
    ]
    for family, words in cases:
        with pytest.raises(ProblemError, match=words):
            benign.save_family(family, path)
    with pytest.raises(UsageError, match="save_family: expected a family, got 3"):
        benign.save_family(3, path)
    with pytest.raises(OutputError, match="its directory does not exist"):
        benign.save_family("paper-figure-2", tmp_path / "no" / "x.toml")
    assert path.read_text() == "mine"
    assert os.listdir(tmp_path) == ["x.toml"]


def test_saving_loads_no_jax(tmp_path):
    import subprocess

    code = f"import benign, sys; benign.save_family('jonckheere', {str(tmp_path / 'x.toml')!r});"
    code += "assert not {'jax', 'scipy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
