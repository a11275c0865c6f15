"""Family files: what is read is exact, what is refused is refused with place, cause and cure."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest
from scipy.linalg import expm
from scipy.signal import cont2discrete

from benign.errors import BenignError, FileFormatError, OutputError, ProblemError
from benign.exact.problem import Plant, Task, make_family
from benign.tasks import files
from benign.tasks.files import FamilyFile, SuggestedStep, bundled, bundled_path, load, loads
from benign.tasks.sampling import MAX_NORM, zero_order_hold
from benign.tasks.saving import save_family
from benign.tasks.wellposed import definite, require_stabilisable

F = Fraction
SCALAR = "benign = 1\n[[tasks]]\nA = 1\nB = 1\nQ = 2\nR = 2\n"
TWO = """\
benign = 1
[defaults]
A = [[1, 0.1], [0, 1]]
B = [[0], [0.1]]
Q = [[1, 0], [0, 1]]
R = 1
[[tasks]]
name = "pitch"
"""


def one(**fields: str) -> str:
    """A file of one scalar task named `pitch`, with fields changed or added."""
    table = {"A": "1", "B": "1", "Q": "2", "R": "2"} | fields
    return 'benign = 1\n[[tasks]]\nname = "pitch"\n' + "".join(
        f"{key} = {value}\n" for key, value in table.items()
    )


def two(**fields: str) -> str:
    return TWO + "".join(f"{key} = {value}\n" for key, value in fields.items())


def refused(text: str, format: files.Format = "toml") -> str:
    """The message, after checking what every message must be."""
    with pytest.raises(BenignError) as caught:
        loads(text, format, "fleet.toml")
    assert type(caught.value) in (FileFormatError, ProblemError)
    message = str(caught.value)
    assert message.startswith("fleet.toml: ")
    assert len(message) < 300
    assert message.count("\n") <= 1
    return message


# --- what is read ----------------------------------------------------------------------------


def test_a_minimal_file_has_the_documented_defaults():
    found = loads(SCALAR)
    one_ = ((F(1),),)
    plant = Plant(one_, one_, ((F(2),),), ((F(2),),), one_)
    assert found == FamilyFile(make_family([Task("task 0", plant)]))


@pytest.mark.parametrize("number", ["0.1", '"0.1"', '"1/10"', "1e-1", '"10e-2"', "0.1000"])
@pytest.mark.parametrize("format", ["toml", "json"])
def test_numbers_are_what_they_print(number, format):
    text = one(Q=number)
    if format == "json":
        task = f'{{"A": 1, "B": 1, "Q": {number}, "R": [[2]]}}'
        text = f'{{"benign": 1, "tasks": [{task}]}}'
    assert ((F(1, 10),),) == loads(text, format).family.tasks[0].f.Q


def test_defaults_are_shared_and_overridden_and_weights_normalised():
    text = """
benign = 1
title = "t"
source = "s"
license = "CC0"
notes = "n"
[step]
eta = [0.1, "1/20"]
step = "normalized"
shots = 2
[defaults]
A = 1.01
B = 1
Q = 1
R = 1
discount = 0.9
noise = 0.5
[[tasks]]
name = "first"
weight = 3
[[tasks]]
Q = 2
weight = 1
[tasks.adaptation]
R = 4
noise = 0
"""
    found = loads(text)
    assert (found.title, found.source, found.licence, found.notes) == ("t", "s", "CC0", "n")
    assert found.step is not None
    assert found.step == SuggestedStep("normalized", (F(1, 10), F(1, 20)), 2)
    assert [s.eta for s in found.step.steps if s.shots == 2] == [F(1, 10), F(1, 20)]
    family = found.family
    assert family.weights == (F(3, 4), F(1, 4))
    assert [task.name for task in family.tasks] == ["first", "task 1"]
    assert family.tasks[0].adaptation is None
    second = family.tasks[1]
    assert ((F(2),),) == second.f.Q
    assert second.f.noise == ((F(1, 2),),)
    assert second.g == replace(second.f, R=((F(4),),), noise=None)


def test_rounding_asymmetry_is_averaged_exactly():
    found = loads(two(Q="[[1, 0.1], [0.1000000000001, 1]]"))
    Q = found.family.tasks[0].f.Q
    assert Q[0][1] == Q[1][0] == (F("0.1") + F("0.1000000000001")) / 2


def test_a_singular_stage_cost_is_accepted_exactly():
    assert loads(two(Q="[[0.01, 0.03], [0.03, 0.09]]"))
    assert "semidefinite" in refused(two(Q="[[0.01, 0.03], [0.03, 0.0899999999]]"))


def test_a_stage_cost_indefinite_by_a_rounding_is_raised_and_that_is_said():
    file = loads(two(Q="[[0.01, 0.03], [0.03, 0.0899999999999999999999]]"))
    Q = file.family.tasks[0].f.Q
    assert Q[0][0] - F("0.01") == Q[1][1] - F("0.0899999999999999999999") == F(1, 2**56)
    assert Q[0][0] * Q[1][1] >= Q[0][1] ** 2
    assert len(file.remarks) == 1
    assert (
        "task 0 `pitch`: `Q` was indefinite by a rounding; up to 1.4e-17 was added" in file.remarks[0]
    )
    assert loads(two(Q="[[0.01, 0.03], [0.03, 0.09]]")).remarks == ()


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path):
    path = tmp_path / "family.toml"
    path.write_bytes(b"\xef\xbb\xbf" + SCALAR.replace("\n", "\r\n").encode())
    assert load(path) == loads(SCALAR)


def test_the_reader_is_light():
    code = (
        "import sys, benign.tasks.files as f; f.load(f.bundled_path('paper-figure-1'));"
        "assert not {'jax', 'equinox', 'scipy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


# --- round trips -----------------------------------------------------------------------------


def awkward_family():
    third, binary = F(1, 3), F(0.1)
    plant = Plant(
        ((F("1.01"), binary), (F(0), third)),
        ((F(1),), (F(5, 1024),)),
        ((F(1), F(-1)), (F(-1), F(1))),
        ((F("1e-300"),),),
        ((F(2), F(0)), (F(0), F(2**60))),
        F("0.97"),
        ((third, F(0)), (F(0), third)),
    )
    other = replace(plant, noise=None, discount=F(1))
    tasks = [Task('quote " and é \\', plant, other), Task("b", other)]
    return make_family(tasks, [F(1, 7), F(22, 9)])


@pytest.mark.parametrize("suffix", ["toml", "json"])
def test_save_then_load_is_exact(tmp_path, suffix):
    path = tmp_path / f"family.{suffix}"
    step = SuggestedStep("normalized", (F(1, 3), F("0.1")), 3)
    texts: dict[str, Any] = {"title": "a \x7f\t\n ü", "source": "s", "licence": "l", "notes": "n"}
    assert save_family(awkward_family(), path, step=step, **texts) == path
    assert load(path) == FamilyFile(awkward_family(), step=step, **texts)


def test_weights_are_written_in_whole_numbers():
    plant = loads(SCALAR).family.tasks[0].f
    family = make_family([Task("a", plant), Task("b", plant)], [F("0.3"), F("0.1")])
    text = files.dumps(family)
    assert "weight = 3\n" in text
    assert "weight = 1\n" in text


@pytest.mark.parametrize("name", [name for name, _ in bundled()])
@pytest.mark.parametrize("format", ["toml", "json"])
def test_bundled_families_are_read_and_survive_a_round_trip(name, format):
    found = load(bundled_path(name))
    assert found.title
    assert found.source
    assert found.licence
    assert found.step is not None
    assert loads(files.dumps(found.family, format), format).family == found.family


def test_bundled_names():
    names = [name for name, _ in bundled()]
    assert {f"paper-figure-{k}" for k in ("1", "2", "3a", "3b", "3c", "3d")} < set(names)
    assert {"cruise-control", "dc-motor-speed", "boeing-747", "jonckheere"} < set(names)
    assert bundled_path("cruise-control").is_file()
    with pytest.raises(FileFormatError, match="did you mean cruise-control"):
        bundled_path("cruise")
    with pytest.raises(FileFormatError, match="are: boeing-747"):
        bundled_path("../../errors")


def test_the_paper_families_hold_the_numbers_of_the_appendix():
    family = load(bundled_path("paper-figure-3a")).family
    printed = [("1.01", 1, 1, 1, 1), (1, "1.01", 1, 1, 1), (1, 1, "1.01", 1, 1)]
    for task, numbers in zip(family.tasks, printed, strict=True):
        found = [getattr(task.f, key)[0][0] for key in ("A", "B", "Q", "R", "S0")]
        assert found == [F(x) for x in numbers]
    assert [(t.f.Q[0][0], t.f.R[0][0]) for t in load(bundled_path("paper-figure-3d")).family.tasks] == [
        *[(1, 1), (1, 2), (2, 1), (2, 3), (3, 2), (3, 1), (1, 3), (4, 1), (1, 4), (5, 3), (3, 5)]
    ]


def test_saving_refuses_what_could_not_be_read_back(tmp_path):
    bad = replace(awkward_family().tasks[1].f, R=((F(-1),),))
    with pytest.raises(ProblemError, match="`R` must be positive"):
        save_family(make_family([Task("b", bad)]), tmp_path / "x.toml")
    with pytest.raises(OutputError, match="cannot be written"):
        save_family(awkward_family(), tmp_path / "no" / "x.toml")
    with pytest.raises(FileFormatError, match=r"name the file \.toml or \.json"):
        save_family(awkward_family(), tmp_path / "x.mat")


# --- zero-order hold -------------------------------------------------------------------------


def rational(rows):
    return tuple(tuple(F(x) for x in row) for row in rows)


SAMPLED: dict[str, tuple[Any, Any, str]] = {
    "cruise": ([["-1/20"]], [["1/10"]], "1"),
    "unstable": ([["3.7"]], [["1e200"]], "2.5"),
    "stiff": ([["-1e4", "1"], ["0", "-0.1"]], [["0"], ["1"]], "0.05"),
    "rotation": ([["0", "1"], ["-1", "0"]], [["0"], ["1"]], "0.1"),
    "cart": (
        [[0, 1, 0, 0], [0, "-0.18", "2.67", 0], [0, 0, 0, 1], [0, "-0.45", "31.18", 0]],
        [[0], ["1.82"], [0], ["4.55"]],
        "0.02",
    ),
}


@pytest.mark.parametrize("name", SAMPLED)
def test_zero_order_hold_is_correctly_rounded(name):
    A, B, dt = SAMPLED[name]
    n, m = len(A), len(B[0])
    found_A, found_B = zero_order_hold(rational(A), rational(B), F(dt))
    with mpmath.workdps(400):  # far beyond 50 digits: the stiff and the huge case cancel
        M = mpmath.zeros(n + m)
        for i in range(n):
            for j, x in enumerate([*A[i], *B[i]]):
                M[i, j] = mpmath.mpf(F(x).numerator) / F(x).denominator
        E: Any = mpmath.expm(M * mpmath.mpf(F(dt).numerator) / F(dt).denominator)
        for i in range(n):
            for j in range(n + m):
                got = float(found_A[i][j] if j < n else found_B[i][j - n])
                true: Any = E[i, j]
                if abs(true) < mpmath.mpf(10) ** -340:
                    assert got == 0
                    continue
                neighbours = [np.nextafter(got, np.inf), np.nextafter(got, -np.inf)]
                for other in neighbours:
                    assert abs(true - mpmath.mpf(got)) <= abs(true - mpmath.mpf(float(other)))


@pytest.mark.parametrize("name", ["cruise", "rotation", "cart"])
def test_zero_order_hold_agrees_with_scipy(name):
    A, B, dt = SAMPLED[name]
    found = zero_order_hold(rational(A), rational(B), F(dt))
    A_, B_ = (np.array([[float(F(x)) for x in row] for row in M]) for M in (A, B))
    n, m = len(A), len(B[0])
    want: Any = cont2discrete((A_, B_, np.eye(n), np.zeros((n, m))), float(F(dt)), method="zoh")
    for got, expected in zip(found, want[:2], strict=True):
        np.testing.assert_allclose(np.array(got, float), expected, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(np.array(found[0], float), expm(A_ * float(F(dt))), 1e-12)


def test_chains_of_integrators_are_sampled_exactly_even_on_a_tie():
    dt = 1 + F(1, 2**53)  # halfway between two float64 numbers: rounds to even, which is 1
    A, B = zero_order_hold(rational([[0, 1], [0, 0]]), rational([[0], [1]]), dt)
    assert rational([[1, 1], [0, 1]]) == A
    assert rational([[F(1, 2) + F(1, 2**53)], [1]]) == B


def test_a_continuous_task_is_the_sampled_task():
    text = one(A="-0.05", B='"1/10"', time='"continuous"', dt="1")
    found = loads(text)
    assert found.sampled
    A, B = zero_order_hold(rational([["-1/20"]]), rational([["1/10"]]), F(1))
    assert (found.family.tasks[0].f.A, found.family.tasks[0].f.B) == (A, B)
    assert ((F(float(A[0][0])),),) == A
    assert not loads(SCALAR).sampled


# --- what is refused: tasks --------------------------------------------------------------------

BAD_TASKS = {
    "ragged": (two(A="[[1, 0], [1]]"), "task 0 `pitch`: `A`: row 2 has 1 entries|same length"),
    "flat list": (two(B="[0, 1]"), "`B`: expected a number or a list of rows, such as"),
    "empty matrix": (two(B="[]"), "`B`: expected a number or a list of rows"),
    "empty row": (two(B="[[], []]"), "`B`: row 1 is empty"),
    "A not square": (two(A="[[1, 0]]"), "`A` is 1 × 2; it must be 1 × 1"),
    "B too short": (two(B="[[1]]"), "`B` is 1 × 1; it must be 2 × 1"),
    "Q scalar": (two(Q="1"), "`Q` is 1 × 1; it must be 2 × 2, for 2 states and 1 input"),
    "R too large": (two(R="[[1, 0], [0, 1]]"), "`R` is 2 × 2; it must be 1 × 1"),
    "nan": (one(A="nan"), "task 0 `pitch`: `A`: expected a finite number, got NaN"),
    "inf": (one(Q="-inf"), "`Q`: expected a finite number"),
    "nan in a matrix": (two(Q="[[1, 0], [0, nan]]"), "`Q`: row 2, column 2: expected a finite"),
    "nan as text": (one(A='"nan"'), "`A`: expected a finite number"),
    "word": (one(A='"one"'), "`A`: expected a number such as 0.1, \"101/100\" or 1e-3, got 'one'"),
    "bool": (one(A="true"), "`A`: expected a number .* got true or false"),
    "date": (one(A="2020-01-01"), "`A`: expected a number .* got a date or time"),
    "table": (one(A="{x = 1}"), "`A`: expected a number or a list of rows, got a table"),
    "division by zero": (one(A='"1/0"'), "`A`: the fraction '1/0' divides by zero"),
    "huge exponent": (one(A="1e999999999"), "`A`: .* beyond the range of a float64"),
    "absurd exponent": (one(A="1e99999999999999999999"), "beyond the range of a float64"),
    "overflow": (one(A="2e308"), "`A`: .* beyond the range of a float64"),
    "underflow": (one(A="1e-329"), "`A`: .* beyond the range of a float64"),
    "fraction overflow": (one(A='"1e300/1e-300"'), "`A`: .* beyond the range"),
    "huge integer": (one(A="1" + "0" * 400), "`A`: .* beyond the range"),
    "absurd integer": (one(A="1" * 5000), "a number cannot be read"),
    "absurd hexadecimal": (one(A="0x" + "f" * 9000), "`A`: .* beyond the range"),
    "long number": (one(A="0." + "1" * 500), "`A`: .* more than 400 characters"),
    "asymmetric": (
        two(Q="[[1, 0.5], [0.25, 1]]"),
        "`Q` must be symmetric; row 2, column 1 is 0.25 but row 1, column 2 is 0.5",
    ),
    "Q indefinite": (
        two(Q="[[1, 2], [2, 1]]"),
        "`Q` must be positive semidefinite; its smallest eigenvalue is -1 .*diagonal",
    ),
    "Q negative": (one(Q="-1e-3"), "`Q` must be zero or positive, got -0.001"),
    "R zero": (one(R="0"), "task 0 `pitch`: `R` must be positive, got 0"),
    "R singular": (
        "benign=1\n[[tasks]]\nA=1\nB=[[1,1]]\nQ=1\nR=[[1,1],[1,1]]",
        "task 0: `R` must be positive definite; its smallest eigenvalue is zero or below",
    ),
    "S0 negative": (one(S0="-1"), "`S0` must be zero or positive, got -1"),
    "noise without discount": (one(noise="1"), "`noise` .* give a `discount` below 1"),
    "noise negative": (one(noise="-1", discount="0.5"), "`noise` must be zero or positive"),
    "discount 0": (one(discount="0"), "`discount`: must lie above 0 and at most at 1, got 0"),
    "discount 2": (one(discount="2"), "`discount`: must lie above 0 and at most at 1, got 2"),
    "weight 0": (one(weight="0"), "task 0 `pitch`: `weight`: must be positive, got 0"),
    "weight negative": (one(weight="-2.5"), "`weight`: must be positive, got -2.5"),
    "not stabilisable": (one(B="0"), "no gain stabilises the plant: B is 0 .*`discount`"),
    "not stabilisable, 2 states": (two(A="[[1, 0], [0, 1]]"), r"\(A, B\) is not stabilisable"),
    "missing A": ("benign=1\n[[tasks]]\nB=1\nQ=1\nR=1", r"task 0: the key `A` is missing; give it"),
    "unknown key": (one(Qq="1"), "task 0 `pitch`: unknown key `Qq`; did you mean `Q`?"),
    "unknown key, case": (one(s0="1"), "unknown key `s0`; did you mean `S0`?"),
    "unknown key, nothing near": (one(zzzzz="1"), "unknown key `zzzzz`; the keys here are A, B"),
    "unknown key in adaptation": (
        one() + "[tasks.adaptation]\ndiscuont = 1",
        "task 0 `pitch`, adaptation: unknown key `discuont`; did you mean `discount`?",
    ),
    "bad value in adaptation": (
        one() + "[tasks.adaptation]\nR = -1",
        "task 0 `pitch`, adaptation: `R` must be positive, got -1",
    ),
    "adaptation no table": (one(adaptation="1"), "`adaptation`: expected a table, got a number"),
    "unknown key in defaults": (
        SCALAR + "[defaults]\nname='x'",
        r"\[defaults\]: unknown key `name`",
    ),
    "bad value in defaults": (
        SCALAR + "[defaults]\nR='x'",
        r"\[defaults\]: `R`: expected a number",
    ),
    "name no text": ("benign=1\n[[tasks]]\nname=1", "task 0: `name`: expected text, got a number"),
    "name empty": ("benign=1\n[[tasks]]\nname=''", "`name`: a name must not be empty"),
    "name too long": (f"benign=1\n[[tasks]]\nname='{'x' * 500}'", "`name`: a name must not exceed"),
    "name with line break": ('benign=1\n[[tasks]]\nname="a\\nb"', "`name`: .* line breaks"),
    "time": (one(time='"hybrid"'), "`time`: expected 'discrete' or 'continuous', got 'hybrid'"),
    "continuous without dt": (one(time='"continuous"'), "needs the sampling time `dt`"),
    "dt without time": (one(dt="1"), '`dt` is given without `time`; say time = "continuous"'),
    "dt zero": (one(time='"continuous"', dt="0"), "`dt`: must be positive, got 0"),
    "sampled overflow": (
        one(A="1000", time='"continuous"', dt="1"),
        "task 0 `pitch`: the sampled plant is beyond the range of a float64.*smaller dt",
    ),
    "too fast": (one(A="1e9", time='"continuous"', dt="1"), "far too fast for this dt; check"),
    "mixed shapes": (
        TWO + "[[tasks]]\nA=1\nB=1\nQ=1\nR=1",
        "task 1 .*it has 1 states and 1 inputs|one family holds one shape",
    ),
    "the second task": (
        SCALAR + "[[tasks]]\nname='roll'\nA=1\nB=1\nQ=1\nR=-1",
        "task 1 `roll`: `R` must be positive, got -1",
    ),
}


@pytest.mark.parametrize("name", BAD_TASKS)
def test_bad_tasks_are_refused_with_place_and_cure(name):
    text, expected = BAD_TASKS[name]
    message = refused(text)
    for part in expected.split("|"):
        assert re.search(part, message), message


# --- what is refused: files --------------------------------------------------------------------

BAD_DOCUMENTS: dict[str, tuple[str, files.Format, str]] = {
    "empty": ("", "toml", "the key `benign` is missing; .* begins with benign = 1"),
    "version": ("benign = 2", "toml", "version 2 of the format, this library reads version 1"),
    "version text": ("benign = '1'", "toml", "`benign`: expected the version, 1, got text"),
    "version bool": ("benign = true", "toml", "`benign`: expected the version"),
    "no tasks key": ("benign = 1", "toml", "the key `tasks` is missing"),
    "no task": ("benign = 1\ntasks = []", "toml", "the family has no task; give at least one"),
    "tasks a table": ("benign = 1\n[tasks]\nA = 1", "toml", r"`tasks`: expected .*\[\[tasks\]\]"),
    "tasks of numbers": ("benign = 1\ntasks = [1]", "toml", r"`tasks\[0\]`: expected a table"),
    "task for tasks": ("benign = 1\n[[task]]\nA = 1", "toml", "unknown key `task`; did you mean"),
    "TOML syntax": ("benign = 1\nA = [", "toml", "not valid TOML: .*(line|end)"),
    "TOML line": ("benign = 1\nA == 1", "toml", "line 2, column 4"),
    "TOML key twice": ("benign = 1\nbenign = 1", "toml", "not valid TOML: Cannot overwrite"),
    "TOML nesting": ("a = " + "[" * 100_000, "toml", "nested far too deep"),
    "TOML dotted key": ("benign = 1\n" + "a." * 10**6 + "a = 1", "toml", "16 dotted parts"),
    "TOML dotted header": ("[ 'a' ." + ' "b,\\"" .' * 10**5 + "a]", "toml", "16 dotted parts"),
    "JSON syntax": ('{"benign": 1,\n "a" 1}', "json", "not valid JSON: .* at line 2, column 6"),
    "JSON list": ("[1]", "json", "expected a table with `benign` and `tasks`, got a list"),
    "JSON key twice": ('{"benign": 1, "benign": 1}', "json", "`benign` is given twice"),
    "JSON NaN": ('{"benign": NaN}', "json", "NaN is not a number that a task can have"),
    "JSON nesting": ("[" * 200_000, "json", "nested far too deep"),
    "JSON null": ('{"benign": 1, "tasks": [{"A": null}]}', "json", "`A`: expected .* got null"),
    "JSON surrogate": (
        '{"benign": 1, "title": "\\ud800", "tasks": [{"A":1,"B":1,"Q":1,"R":1}]}',
        "json",
        "`title`: the text is not valid Unicode",
    ),
    "too many tasks": (
        '{"benign":1,"tasks":[' + "1," * 100_001 + "1]}",
        "json",
        "100002 tasks, more than the 100000",
    ),
    "licence twice": ("licence='a'\nlicense='b'\n" + SCALAR, "toml", "keep one of them"),
    "title a number": ("title = 1.5\n" + SCALAR, "toml", "`title`: expected text, got a number"),
    "eta missing": (SCALAR + "[step]\nshots = 1", "toml", r"\[step\]: the key `eta` is missing"),
    "eta zero": (SCALAR + "[step]\neta = [0.1, 0]", "toml", r"\[step\]: `eta`: must be positive"),
    "eta empty": (SCALAR + "[step]\neta = []", "toml", "got an empty list"),
    "shots zero": (SCALAR + "[step]\neta=1\nshots=0", "toml", "`shots`: expected a whole number"),
    "shots 1.5": (SCALAR + "[step]\neta=1\nshots=1.5", "toml", "`shots`: expected a whole number"),
    "step kind": (SCALAR + "[step]\neta=1\nstep='x'", "toml", "`step`: expected 'gradient' or"),
}


@pytest.mark.parametrize("name", BAD_DOCUMENTS)
def test_bad_documents_are_refused(name):
    text, format, expected = BAD_DOCUMENTS[name]
    message = refused(text, format)
    assert re.search(expected, message), message


def make_big(path: Path) -> None:
    path.write_bytes(b"#" * 10_000_000)


BAD_PATHS = {
    "missing": ("x.toml", lambda path: None, "no such file; check the path"),
    "directory": ("x.toml", lambda path: path.mkdir(), "this is a directory"),
    "suffix": ("x.mat", lambda path: path.write_text(SCALAR), "name the file .toml or .json"),
    "10 MB": ("x.toml", make_big, "the file has 10.0 MB, more than the 5 MB"),
    "latin-1": (
        "x.toml",
        lambda path: path.write_bytes(b"# \xe9"),
        "not UTF-8 text .byte 2 is 0xe9",
    ),
    "a pipe": ("x.toml", lambda path: os.mkfifo(path), "not a regular file"),
    "long name": ("x" * 3000 + ".toml", lambda path: None, "cannot be read: file name too long"),
    "null byte": ("x\0.toml", lambda path: None, "cannot be read"),
}


@pytest.mark.parametrize("name", BAD_PATHS)
def test_bad_paths_are_refused(tmp_path, name):
    file, make, expected = BAD_PATHS[name]
    path = tmp_path / file
    make(path)
    with pytest.raises(FileFormatError, match=expected) as caught:
        load(path)
    assert len(str(caught.value)) < 300
    assert str(caught.value).isprintable()


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_refused(tmp_path):
    path = tmp_path / "x.toml"
    path.write_text(SCALAR)
    path.chmod(0)
    with pytest.raises(FileFormatError, match="permission denied; make the file readable"):
        load(path)


def test_permission_errors_are_explained(tmp_path, monkeypatch):
    path = tmp_path / "x.toml"
    path.write_text(SCALAR)

    def denied(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", denied)
    with pytest.raises(FileFormatError, match="permission denied; make the file readable"):
        load(path)


# --- well-posedness, beyond the table ----------------------------------------------------------


def test_definiteness_agrees_with_eigenvalues():
    rng = np.random.default_rng(0)
    for n in (1, 2, 3, 5, 14):
        for rank in (n, max(n - 1, 1)):
            factor = rng.integers(-3, 4, (n, rank)).astype(int)
            M = factor @ factor.T
            semidefinite = rational([[int(x) for x in row] for row in M])
            definite(semidefinite, strict=False)
            lowered = rational(
                [[int(x) - (i == j) * F("1e-6") for j, x in enumerate(r)] for i, r in enumerate(M)]
            )
            singular = np.linalg.matrix_rank(M) < n
            if singular:
                with pytest.raises(ProblemError, match=r"semidefinite|zero or positive"):
                    definite(lowered, strict=False)
                with pytest.raises(ProblemError):
                    definite(semidefinite, strict=True)


@pytest.mark.parametrize(
    ("A", "B", "discount", "good"),
    [
        ([[2]], [[0]], "0.2", True),
        ([[2]], [[0]], "0.25", False),
        ([[1]], [[0, 1]], "1", True),
        ([[2, 0], [0, "0.999"]], [[1], [0]], "1", True),
        ([[2, 0], [0, 1]], [[1], [0]], "1", False),
        ([[2, 0], [0, 1]], [[1], [0]], "0.99", True),
        ([[2, 0], [0, "-1.001"]], [[1], [0]], "1", False),
        ([[0, 1, 0], [0, 0, 1], [0, 0, 0]], [[0], [0], [0]], "1", True),
        ([[2, 0, 0], [0, 0, 1], [0, -1, 0]], [[1], [0], [0]], "1", False),
        ([[2, 0, 0], [0, 0, "0.9"], [0, "-0.9", 0]], [[1], [0], [0]], "1", True),
    ],
)
@pytest.mark.parametrize("exact", [True, False])
def test_stabilisability(A, B, discount, good, exact, monkeypatch):
    if not exact:
        monkeypatch.setattr("benign.tasks.wellposed.EXACT_SIZE", 0)
    arguments = rational(A), rational(B), F(discount)
    if good:
        require_stabilisable(*arguments)
    else:
        with pytest.raises(ProblemError, match=r"not stabilisable|no gain stabilises"):
            require_stabilisable(*arguments)


def test_zero_order_hold_refuses_a_silly_step():
    one_ = rational([[1]])
    with pytest.raises(ProblemError, match="must be positive"):
        zero_order_hold(one_, one_, F(0))
    with pytest.raises(ProblemError, match="too large to be sampled"):
        zero_order_hold(rational(np.eye(100, dtype=int).tolist()), rational([[1]] * 100), F(1))
    A, B = zero_order_hold(rational([[-MAX_NORM]]), one_, F(1))
    assert ((F(0),),) == A
    assert ((F(1 / MAX_NORM),),) == B


def test_a_large_family_is_read_in_seconds():
    tasks = [{"Q": f"1.{i}"} for i in range(20_000)]
    document = {"benign": 1, "defaults": {"A": 1, "B": 1, "R": 1}, "tasks": tasks}
    family = loads(json.dumps(document), "json").family
    assert len(family.tasks) == 20_000
    assert ((F("1.7"),),) == family.tasks[7].f.Q
    assert family.tasks[7].name == "task 7"
