"""Families near a scalar family: every entry of A, B, Q, R of every task within δ times its scale.

    { tasks (a', b', q', r') : |a' − a| ≤ δ d_a, …, |r' − r| ≤ δ d_r, q' ≥ 0, r' > 0 },  every d ≥ 0.

S0, noise, discount, weights and η stay as they are. The scales d are one by default; zero keeps an
entry as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from benign.errors import ProblemError
from benign.exact.numbers import exact, read_written, written
from benign.exact.plants import ScalarPlant, scalar_plants
from benign.exact.problem import Plant, Problem, Task, make_family
from benign.exact.words import NAMED
from benign.text import clean, quoted

ENTRIES = ("A", "B", "Q", "R")
"""What may vary."""

Bounds = tuple[Fraction, Fraction]


@dataclass(frozen=True)
class Around:
    """One task's numbers: each anywhere between two bounds; s and the discount are fixed."""

    a: Bounds
    b: Bounds
    q: Bounds
    r: Bounds
    s: Fraction
    discount: Fraction


Scales = tuple[tuple[Fraction, Fraction, Fraction, Fraction], ...]
"""By task: the scales of A, B, Q and R."""


def require_line(problem: Problem) -> list[ScalarPlant]:
    """The plants of a problem whose neighbourhood can be looked at.

    Raises:
        ProblemError: more than one state or input, another step than one gradient shot, f ≠ g, a
            static plant, a cost that vanishes, or one with a cross term.
    """
    f, g = scalar_plants(problem)
    if problem.step.kind != "gradient" or problem.step.shots != 1:
        raise ProblemError(f"radius: it is for one shot of the gradient step, not {problem.step}")
    if f != g:
        raise ProblemError("radius: it needs f = g; a task of this family adapts on another cost")
    for task, plant in zip(problem.tasks, f, strict=True):
        if plant.b == 0 or plant.s <= 0 or plant.n != 0:
            what = "B = 0" if plant.b == 0 else "S0 = 0" if plant.s <= 0 else "a cross term N"
            raise ProblemError(
                f"radius: task {quoted(task.name)} has {what}, which no proof covers; leave it out"
            )
    return f


def around(problem: Problem, scales: Scales, delta: Fraction) -> list[Around]:
    """Between which bounds the numbers of each task lie.

    Raises:
        ProblemError: B may vanish, or Q (so that the infimum of a cost may not be attained).
    """
    found = []
    for task, plant, scale in zip(problem.tasks, require_line(problem), scales, strict=True):
        a, b, q, r = (
            (x - delta * d, x + delta * d)
            for x, d in zip((plant.a, plant.b, plant.q, plant.r), scale, strict=True)
        )
        q, r = (max(q[0], Fraction(0)), q[1]), (max(r[0], Fraction(0)), r[1])
        if b[0] <= 0 <= b[1]:
            raise ProblemError(
                f"radius: B of task {quoted(task.name)} may vanish within {float(delta):g}"
            )
        found.append(Around(a, b, q, r, plant.s, plant.discount))
    return found


def member(problem: Problem, scales: Scales, steps: Sequence[Sequence[Fraction]]) -> Problem:
    """The family whose entries are moved by `steps` times their scales, task by task."""
    tasks = []
    for task, scale, step in zip(problem.tasks, scales, steps, strict=True):
        plant = task.f
        A, B, Q, R = (
            ((getattr(plant, key)[0][0] + d * t,),)
            for key, d, t in zip(ENTRIES, scale, step, strict=True)
        )
        tasks.append(Task(task.name, Plant(A, B, Q, R, plant.S0, plant.discount, plant.noise)))
    return Problem(make_family(tasks, problem.weights), problem.step)


# --- reading and writing ---------------------------------------------------------------------


def all_ones(problem: Problem, entries: Sequence[str] = ENTRIES) -> Scales:
    """Scale one for some entries of every task, zero for the others."""
    row = tuple(Fraction(int(key in entries)) for key in ENTRIES)
    return (row,) * len(problem.tasks)  # type: ignore[return-value]


def scales_to_json(scales: Scales) -> list[list[str]]:
    """Rows of numbers as text."""
    return [[written(x) for x in row] for row in scales]


def scales_from_json(value: Any, tasks: int) -> Scales:
    """What `scales_to_json` wrote.

    Raises:
        ProblemError: a row or a number is missing or negative.
    """
    if not isinstance(value, list) or len(value) != tasks:
        raise ProblemError(f"vary: expected {tasks} rows of scales")
    rows = []
    for row in value:
        if not isinstance(row, list) or len(row) != len(ENTRIES):
            raise ProblemError("vary: expected the scales of A, B, Q and R in each row")
        if not all(isinstance(x, str) for x in row):
            raise ProblemError("vary: expected numbers as text")
        rows.append(tuple(read_written(x) for x in row))
        if min(rows[-1]) < 0:
            raise ProblemError("vary: a scale must not be negative")
    return tuple(rows)


def in_words(problem: Problem, scales: Scales) -> str:
    """What may vary, in a sentence: "A, B, Q, R of every task", or which entries of which."""
    rows = set(scales)
    if len(rows) == 1 and set(scales[0]) <= {Fraction(0), Fraction(1)}:
        return f"{_entries(scales[0])} of every task"
    moving = [
        f"{_entries(row)} of `{clean(task.name, NAMED)}`"
        for task, row in zip(problem.tasks, scales, strict=True)
        if any(row)
    ]
    if all(set(row) <= {Fraction(0), Fraction(1)} for row in scales) and len(moving) <= FEW:
        return " and ".join(moving)
    return "entries, divided by the scales of the document,"


def _entries(row: Sequence[Fraction]) -> str:
    return ", ".join(key for key, scale in zip(ENTRIES, row, strict=True) if scale)


FEW = 4
"""Tasks that a sentence spells out."""


def scales_of(problem: Problem, vary: Any) -> Scales:
    """The scales that a user asks for; see `benign.radius`.

    Raises:
        ProblemError: an entry or a task that there is not, or nothing that varies.
    """
    if vary is None:
        return all_ones(problem)
    if isinstance(vary, Mapping):
        scales = _of_table(problem, vary)
    else:
        names = vary.split(",") if isinstance(vary, str) else list(vary)
        names = [str(name).strip() for name in names]
        if not set(names) <= set(ENTRIES):
            raise ProblemError(
                f"vary: expected some of {', '.join(ENTRIES)}, got {clean(str(vary), 60)!r}"
            )
        scales = all_ones(problem, names)
    if not any(any(row) for row in scales):
        raise ProblemError("vary: nothing varies; give at least one entry a positive scale")
    return scales


def _of_table(problem: Problem, vary: Mapping[str, Any]) -> Scales:
    """Scales by task and entry: {"task": {"A": 1, "Q": 0.5}}; what is not named is kept."""
    names = [task.name for task in problem.tasks]
    rows = {name: [Fraction(0)] * len(ENTRIES) for name in names}
    for name, entries in vary.items():
        if name not in rows:
            raise ProblemError(
                f"vary: no task {clean(str(name), 60)!r}; there are {', '.join(names[:FEW])}"
            )
        if not isinstance(entries, Mapping) or not set(entries) <= set(ENTRIES):
            raise ProblemError(f"vary: task `{name}`: expected scales of some of {', '.join(ENTRIES)}")
        for key, scale in entries.items():
            value = exact(scale)
            if value < 0:
                raise ProblemError(f"vary: task `{name}`: the scale of {key} must not be negative")
            rows[name][ENTRIES.index(key)] = value
    return tuple(tuple(rows[name]) for name in names)  # type: ignore[return-value]
