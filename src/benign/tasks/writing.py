"""The text of a family file: every number written as exactly the number it is."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from benign.exact.numbers import written

if TYPE_CHECKING:
    from fractions import Fraction

    from benign.exact.problem import Family, Plant, Task

_PLACES = 20
"""Most decimal places of a number that is written as a decimal and not as a fraction."""


def tables(family: Family) -> list[dict[str, Any]]:
    """The [[tasks]] of a family, each written out in full.

    Raises:
        ProblemError: a number has more digits than a certificate holds.
    """
    weights = _weights(family.weights)
    return [_task_table(task, weight) for task, weight in zip(family.tasks, weights, strict=True)]


def _weights(weights: tuple[Fraction, ...]) -> list[Fraction]:
    """Shorter numbers in the same proportion: normalised weights are long fractions."""
    scale = math.lcm(*(weight.denominator for weight in weights))
    if scale.bit_length() <= 53:
        return [weight * scale for weight in weights]
    # Quotients of what was given: their length does not grow with the number of tasks.
    return [weight / max(weights) for weight in weights]


def _task_table(task: Task, weight: Fraction) -> dict[str, Any]:
    table = {"name": task.name, "weight": plain(weight)} | _plant_table(task.f)
    if task.adaptation is not None:
        # Written out in full: what it does not change is repeated, never inherited by accident.
        table["adaptation"] = _plant_table(task.g)
        if task.g.noise is None and task.f.noise is not None:
            table["adaptation"]["noise"] = [[0] * task.f.n for _ in range(task.f.n)]
        if task.g.N is None and task.f.N is not None:
            table["adaptation"]["N"] = [[0] * task.f.m for _ in range(task.f.n)]
    return table


def _plant_table(plant: Plant) -> dict[str, Any]:
    table: dict[str, Any] = {
        key: [[plain(x) for x in row] for row in getattr(plant, key)]
        for key in ("A", "B", "Q", "R", "S0")
    }
    table["discount"] = plain(plant.discount)
    if plant.noise is not None:
        table["noise"] = [[plain(x) for x in row] for row in plant.noise]
    if plant.N is not None:
        table["N"] = [[plain(x) for x in row] for row in plant.N]
    return table


def plain(value: Fraction) -> int | str:
    """A whole number, a short decimal as text, or a fraction as text: each exactly the value.

    Raises:
        ProblemError: it has more digits than a certificate holds.
    """
    if value.denominator == 1 and abs(value.numerator) < 2**53:
        return value.numerator
    fraction = written(value)
    twos = (value.denominator & -value.denominator).bit_length() - 1
    fives = 0
    while value.denominator % 5 ** (fives + 1) == 0 and fives < _PLACES:
        fives += 1
    places = max(twos, fives)
    if not 0 < places <= _PLACES or 2**twos * 5**fives != value.denominator:
        return fraction
    whole, rest = divmod(abs(value.numerator) * 10**places // value.denominator, 10**places)
    return f"{'-' * (value < 0)}{whole}.{rest:0{places}d}"


def toml(document: dict[str, Any]) -> str:
    """The document as TOML, its tables after its keys."""
    import tomli_w

    text = tomli_w.dumps(document)
    # An array is written over many lines, a matrix reads better in one. No string holds a line break
    # (it is escaped), so that what begins with a blank or a bracket on the next line is in an array.
    for broken, joined in ((r"\[\n +", "["), (r",\n *\]", "]"), (r",\n +", ", ")):
        text = re.sub(broken, joined, text)
    return text
