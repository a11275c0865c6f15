"""Whatever text arrives, the reader gives a `FamilyFile` or raises `BenignError`, nothing else."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Literal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benign.errors import BenignError, FileFormatError, ProblemError
from benign.exact.problem import Plant, Task, make_family
from benign.tasks.files import FamilyFile, bundled, bundled_path, dumps, loads

fuzz = settings(
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=400,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)

VALID = [bundled_path(name).read_text(encoding="utf-8") for name, _ in bundled()]
VALID_JSON = [dumps(loads(text).family, "json") for text in VALID]


def read(text: str, format: Literal["toml", "json"]) -> None:
    found, refusal = None, None
    try:
        found = loads(text, format, "some/where.toml")
    except BenignError as error:
        refusal = error
    if found is not None:
        assert isinstance(found, FamilyFile)
        assert sum(found.family.weights) == 1
        return
    assert type(refusal) in (FileFormatError, ProblemError)
    message = str(refusal)
    assert message.startswith("some/where.toml: ")
    assert len(message) < 300
    assert message.isprintable()


@fuzz
@given(st.text(), st.sampled_from(["toml", "json"]))
def test_any_text(text, format):
    read(text, format)


@fuzz
@given(st.text(max_size=80), st.sampled_from(["toml", "json"]))
def test_any_text_after_a_valid_beginning(text, format):
    beginning = {
        "toml": "benign = 1\n[[tasks]]\nA = 1\nB = 1\nQ = 1\nR = 1\n",
        "json": '{"benign": 1, "tasks": [{"A": 1, "B": 1, "Q": 1, ',
    }
    read(beginning[format] + text, format)


PIECES = (
    *(
        "nan",
        "-1",
        "0",
        "1e400",
        "1e-400",
        "[",
        "]",
        "{",
        "}",
        '"',
        "\n",
        "=",
        "null",
        "true",
        "\x00",
    ),
    *(
        "[[1, 2], [3]]",
        "[[]]",
        '"1/0"',
        '"1/3"',
        "2020-01-01",
        "[[tasks]]",
        "A",
        "noise = 1",
        "1e308",
    ),
    *('time = "continuous"', "dt = 0.1", "dt = 1e300", "discount = 0.5", "9" * 401, "\ud800", "é"),
)


@fuzz
@given(st.data())
def test_mutated_valid_documents(data):
    """Cut a piece out of a valid document, put another in its place, up to three times."""
    format = data.draw(st.sampled_from(["toml", "json"]))
    text = data.draw(st.sampled_from(VALID if format == "toml" else VALID_JSON))
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        stop = min(len(text), start + data.draw(st.integers(0, 12)))
        text = text[:start] + data.draw(st.sampled_from(PIECES) | st.text(max_size=4)) + text[stop:]
    read(text, format)


numbers = (
    st.integers()
    | st.floats(allow_nan=True, allow_infinity=True)
    | st.sampled_from([0, 1, -1, 0.5, 1e300, -1e300, 1e-300, 5e-324, "1/3", "0.1", "1e999", "x", None])
)
matrices = numbers | st.lists(st.lists(numbers, max_size=3), max_size=3) | st.lists(numbers, max_size=2)
anything = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


def table(**fields):
    return st.fixed_dictionaries({}, optional=fields)


PLANT = dict.fromkeys(("A", "B", "Q", "R", "S0", "noise", "N"), matrices | anything) | {
    "discount": numbers,
    "time": st.sampled_from(["continuous", "discrete", "other"]),
    "dt": numbers,
}
documents = st.fixed_dictionaries(
    {
        "benign": st.just(1) | anything,
        "tasks": st.lists(
            table(**PLANT, name=st.text() | anything, weight=numbers, adaptation=table(**PLANT)),
            max_size=3,
        )
        | anything,
    },
    optional={
        "defaults": table(**PLANT) | anything,
        "step": table(eta=matrices, step=anything, shots=numbers) | anything,
        "title": anything,
    },
)


@fuzz
@given(documents | anything)
def test_json_of_any_structure(document):
    read(json.dumps(document), "json")


def square(n):
    """Exact n × n matrices over many magnitudes: the structure is right, the numbers are not."""
    entry = st.fractions(-3, 3, max_denominator=7).map(str) | st.sampled_from(
        ["0", "1", "-1", "1e300", "-1e300", "1e-300", "0.3333333333333333"]
    )
    return st.lists(st.lists(entry, min_size=n, max_size=n), min_size=n, max_size=n)


@fuzz
@given(st.integers(1, 3).flatmap(lambda n: st.tuples(*[square(n)] * 3)), st.data())
def test_well_formed_tasks_of_wild_numbers(matrices, data):
    A, B, Q = matrices
    n = len(A)
    task = {"A": A, "B": B, "Q": Q, "R": [[int(i == j) for i in range(n)] for j in range(n)]}
    if data.draw(st.booleans()):
        # Symmetric at least: the definiteness test is reached.
        task["Q"] = [[Q[max(i, j)][min(i, j)] for i in range(n)] for j in range(n)]
    if data.draw(st.booleans()):
        task |= {"time": "continuous", "dt": data.draw(st.sampled_from(["0.1", "10", "1e-9"]))}
    read(json.dumps({"benign": 1, "tasks": [task]}), "json")


positive = st.fractions(min_value=Fraction(1, 1000), max_value=1000, max_denominator=10**6)
anything_exact = st.floats(-1e3, 1e3, allow_subnormal=False).map(Fraction) | st.fractions(-5, 5)


@fuzz
@given(
    st.lists(
        st.tuples(anything_exact, positive, positive, positive, st.text()), min_size=1, max_size=4
    ),
    st.sampled_from(["toml", "json"]),
)
def test_what_is_written_is_read_back_exactly(rows, format):
    tasks = []
    for a, b, q, r, name in rows:
        # Names are text without control characters, at most 80 characters; others are refused.
        name = "".join(c for c in name if c.isprintable())[:80] or "x"
        plant = Plant(((a,),), ((b,),), ((q,),), ((r,),), ((Fraction(1),),), 1 / (1 + q))
        tasks.append(Task(name, plant))
    family = make_family(tasks, [row[3] for row in rows])
    text = dumps(family, format)
    assert loads(text, format).family == family
