"""What a certificate is about, in a few lines, and whether that is the problem that somebody means.

A proof of another problem proves nothing of one's own. The numbers of the document are compared with
those of a family exactly; names are labels and may differ.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from benign.certificates.anywhere import shown as shown_box
from benign.certificates.below_points import numbers
from benign.certificates.claim import Document
from benign.certificates.gains import gain_rows, listed
from benign.certificates.points import STATIONARY_POINTS, WORDS, read_box
from benign.certificates.reading import Refused, number
from benign.errors import ProblemError
from benign.exact.numbers import exact
from benign.exact.problem import Matrix, Plant, Problem, Step, Task
from benign.exact.rounding import between, named, shown
from benign.text import clean, quoted

FEW = 4
"""Names and weights that are spelt out."""

MOST_DIFFERENCES = 6
"""Differences that are named; the rest is counted."""

LONGEST = 60
"""Characters of an exact number; a longer one is shown from its beginning."""


# --- in words --------------------------------------------------------------------------------


def describe(problem: Problem) -> list[str]:
    """The problem: tasks, gain, weights, adaptation."""
    family, step = problem.family, problem.step
    k = len(problem.tasks)
    names = ", ".join(quoted(task.name) for task in problem.tasks[:FEW])
    more = f" and {k - FEW} more" if k > FEW else ""
    lines = [
        f"tasks: {k} ({names}{more}); {_count(family.n, 'state')}, {_count(family.m, 'input')}",
        f"step: {step.kind}, eta = {_number(step.eta)}, {_count(step.shots, 'shot')}",
    ]
    if len(set(problem.weights)) > 1:
        lines.insert(1, f"weights: {_weights(problem.weights)}")
    extras = list(_extras(problem.tasks))
    if extras:
        lines.insert(1, f"costs: {'; '.join(extras)}")
    return lines


def describe_claim(document: Document, problem: Problem) -> list[str]:
    """What is claimed of the problem: the ε asked about, the level, the gains, the box.

    What the document does not say properly is left out: whether it is well formed, the proof decides.
    """
    lines = [f"claim: {clean(str(document.get('claim')), LONGEST)}"]
    for key, word in (("asked", "epsilon asked about"), ("level", "level"), ("delta", "radius")):
        if key in document:
            value = _read(document[key])
            if value:
                lines.append(f"{word}: {value}")
    if "W" in document:
        gain = _gain(document["W"], problem)
        lines += [f"gain: {gain}"] if gain else []
    if isinstance(document.get("points"), list) and document.get("claim") == STATIONARY_POINTS:
        counted = _points(document["points"])
        lines += [f"points: {counted}"] if counted else []
    proof = document.get("proof")
    place = proof if isinstance(proof, dict) else document
    if isinstance(place.get("frame"), dict) and isinstance(place.get("bounded"), bool):
        if place["bounded"]:
            lines.append("gains searched: all that stabilise the tasks before adaptation")
        else:
            box = _box(place["frame"], problem)
            lines += [f"gains searched: those of a box with entries in {box}"] if box else []
    return lines


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'s' if n != 1 else ''}"


def _number(x: Fraction) -> str:
    text = named(x)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}… (about {shown(x, 6)})"


def _weights(weights: tuple[Fraction, ...]) -> str:
    if len(weights) <= FEW:
        return ", ".join(map(_number, weights))
    return f"from {_number(min(weights))} to {_number(max(weights))}"


def _extras(tasks: tuple[Task, ...]) -> Iterator[str]:
    """What is out of the ordinary: other adaptation costs, discounts, noise, cross terms."""
    k = len(tasks)
    other = sum(task.f != task.g for task in tasks)
    if other:
        yield f"{other} of {k} adapt on another cost than they are judged by"
    discounts = {task.f.discount for task in tasks} | {task.g.discount for task in tasks}
    if discounts != {1}:
        least, most = min(discounts), max(discounts)
        yield f"discount {_number(least)}" + (f" to {_number(most)}" if most != least else "")
    noisy = sum(task.f.noise is not None for task in tasks)
    if noisy:
        yield f"{noisy} of {k} with noise"
    crossed = sum(task.f.N is not None or task.g.N is not None for task in tasks)
    if crossed:
        yield f"{crossed} of {k} with a cross term N"


def _read(value: Any) -> str:
    """ε or a level, which a document holds as a float, or as text that is exact."""
    if value == "inf":
        return "none"
    try:
        return _number(exact(value)) if isinstance(value, str) else named(Fraction(number(value, "")))
    except (ProblemError, Refused, OverflowError, ValueError):
        return ""


def _gain(value: Any, problem: Problem) -> str:
    """A gain as rows, or, for one state and one input, between two bounds."""
    try:
        flat = isinstance(value, list) and len(value) == 2 and not isinstance(value[0], list)
        if problem.family.is_scalar and flat:
            lo, hi = number(value[0], "W"), number(value[1], "W")
            return repr(lo) if lo == hi else between(lo, hi)
        if _is_box(value):
            return f"in {shown_box(read_box({'W': value}, 'W', problem), problem)}"
        return listed(gain_rows(problem, value))
    except Refused:
        return ""


def _is_box(value: Any) -> bool:
    """Whether a gain is given by bounds of its entries, row by row."""
    for _ in range(2):
        value = value[0] if isinstance(value, list) and value else None
    return isinstance(value, list)


def _points(value: Any) -> str:
    """How many points of each kind are listed."""
    kinds = [entry.get("kind") for entry in value if isinstance(entry, dict)]
    counts = ((kinds.count(kind), kind) for kind in WORDS)
    return ", ".join(f"{count} {WORDS[kind][count > 1]}" for count, kind in counts if count)


def _box(frame: dict[str, Any], problem: Problem) -> str:
    """Bounds of each entry of centre + axes·y, |y| ≤ 1, row by row."""
    p = problem.family.m * problem.family.n
    try:
        centre = numbers(frame.get("centre"), p, "centre")
        axes = frame.get("axes")
        rows = [numbers(row, p, "axes") for row in axes] if isinstance(axes, list) else []
    except Refused:
        return ""
    if len(rows) != p:
        return ""
    reach = [sum((abs(Fraction(x)) for x in row), Fraction(0)) for row in rows]
    middle = map(Fraction, centre)
    return ", ".join(between(c - r, c + r, 4) for c, r in zip(middle, reach, strict=True))


# --- the same problem or another one ---------------------------------------------------------


@dataclass(frozen=True)
class Comparison:
    """How the problem of a certificate and another differ.

    Attributes:
        differences: of the numbers; empty if the proof is about the other problem.
        remarks: on what does not count, such as names.
    """

    differences: tuple[str, ...]
    remarks: tuple[str, ...]

    def __bool__(self) -> bool:
        return not self.differences


def compare(own: Problem, other: Problem) -> Comparison:
    """The problem of a certificate (`own`) with one of a family, number for number.

    The order of the tasks does not count, as h is a sum; zero noise is none.
    """
    differences = [*_steps(own.step, other.step)]
    first, second = len(own.tasks), len(other.tasks)
    if (own.family.n, own.family.m) != (other.family.n, other.family.m):
        differences.append(
            f"shape: {own.family.n} states and {own.family.m} inputs in the certificate, "
            f"{other.family.n} and {other.family.m} in the family"
        )
    elif first != second:
        differences.append(f"tasks: {first} in the certificate, {second} in the family")
    else:
        tasks = [_key(*entry) for entry in zip(own.tasks, own.weights, strict=True)]
        others = [_key(*entry) for entry in zip(other.tasks, other.weights, strict=True)]
        if tasks != others and sorted(tasks) == sorted(others):
            return Comparison(tuple(differences), ("the tasks are in another order",))
        for i in range(first):
            if tasks[i] != others[i]:
                place = f"task {i} {quoted(own.tasks[i].name)}"
                differences += [f"{place}: {x}" for x in _tasks(own, other, i)]
    if len(differences) > MOST_DIFFERENCES:
        rest = len(differences) - MOST_DIFFERENCES
        differences = [*differences[:MOST_DIFFERENCES], f"and {rest} more"]
    return Comparison(tuple(differences), tuple(_remarks(own, other)))


def _steps(own: Step, other: Step) -> Iterator[str]:
    if own.kind != other.kind:
        yield f"step: {own.kind} in the certificate, {other.kind} in the family"
    if own.eta != other.eta:
        yield f"eta: {_pair(own.eta, other.eta)}"
    if own.shots != other.shots:
        yield f"shots: {own.shots} in the certificate, {other.shots} in the family"


def _pair(own: Fraction, other: Fraction) -> str:
    return f"{_number(own)} in the certificate, {_number(other)} in the family"


def _key(task: Task, weight: Fraction) -> tuple[Any, ...]:
    return weight, _plant(task.f), _plant(task.g)


def _noise(plant: Plant) -> Matrix:
    if plant.noise is None:
        return tuple((Fraction(0),) * plant.n for _ in range(plant.n))
    return plant.noise


def _plant(plant: Plant) -> tuple[Any, ...]:
    numbers = (plant.A, plant.B, plant.Q, plant.R, _cross_term(plant), plant.S0)
    return (*numbers, plant.discount, _noise(plant))


def _cross_term(plant: Plant) -> Matrix:
    if plant.N is None:
        return tuple((Fraction(0),) * plant.m for _ in range(plant.n))
    return plant.N


def _tasks(own: Problem, other: Problem, i: int) -> Iterator[str]:
    if own.weights[i] != other.weights[i]:
        yield f"weight {_pair(own.weights[i], other.weights[i])}"
    for which in "fg":
        a: Plant = getattr(own.tasks[i], which)
        b: Plant = getattr(other.tasks[i], which)
        if which == "g" and own.tasks[i].adaptation is None and other.tasks[i].adaptation is None:
            return
        cost = "" if which == "f" else "adaptation, "
        if a.discount != b.discount:
            yield f"{cost}discount {_pair(a.discount, b.discount)}"
        own_form = {"noise": _noise, "N": _cross_term}
        for key in ("A", "B", "Q", "R", "N", "S0", "noise"):
            left, right = (own_form[key](x) if key in own_form else getattr(x, key) for x in (a, b))
            for row, (xs, ys) in enumerate(zip(left, right, strict=True)):
                for column, (x, y) in enumerate(zip(xs, ys, strict=True)):
                    if x != y:
                        yield f"{cost}{key}[{row},{column}] {_pair(x, y)}"


def _remarks(own: Problem, other: Problem) -> Iterator[str]:
    for i, (a, b) in enumerate(zip(own.tasks, other.tasks, strict=False)):
        if a.name != b.name:
            yield (
                f"names differ: task {i} is {quoted(a.name)} in the certificate, {quoted(b.name)} in "
                "the family"
            )
            return
