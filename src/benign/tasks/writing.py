"""The text of a family file: every number written as exactly the number it is."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fractions import Fraction

    from benign.exact.problem import Family, Plant, Task


def tables(family: Family) -> list[dict[str, Any]]:
    """The [[tasks]] of a family, each written out in full."""
    # Whole numbers in the same proportion: normalised weights would be long fractions.
    scale = math.lcm(*(weight.denominator for weight in family.weights))
    return [
        _task_table(task, weight * scale)
        for task, weight in zip(family.tasks, family.weights, strict=True)
    ]


def _task_table(task: Task, weight: Fraction) -> dict[str, Any]:
    table = {"name": task.name, "weight": plain(weight)} | _plant_table(task.f)
    if task.adaptation is not None:
        # Written out in full: what it does not change is repeated, never inherited by accident.
        table["adaptation"] = _plant_table(task.g)
        if task.g.noise is None and task.f.noise is not None:
            table["adaptation"]["noise"] = [[0] * task.f.n for _ in range(task.f.n)]
    return table


def _plant_table(plant: Plant) -> dict[str, Any]:
    table: dict[str, Any] = {
        key: [[plain(x) for x in row] for row in getattr(plant, key)]
        for key in ("A", "B", "Q", "R", "S0")
    }
    table["discount"] = plain(plant.discount)
    if plant.noise is not None:
        table["noise"] = [[plain(x) for x in row] for row in plant.noise]
    return table


def plain(value: Fraction) -> int | str:
    """A whole number, a short decimal as text, or a fraction as text: each exactly the value."""
    if value.denominator == 1 and abs(value.numerator) < 2**53:
        return value.numerator
    twos = (value.denominator & -value.denominator).bit_length() - 1
    fives = 0
    while value.denominator % 5 ** (fives + 1) == 0 and fives < 20:
        fives += 1
    places = max(twos, fives)
    if places <= 20 and 2**twos * 5**fives == value.denominator:
        return f"{Decimal(value.numerator * 10**places // value.denominator).scaleb(-places):f}"
    return str(value)


def toml(document: dict[str, Any]) -> str:
    """The document as TOML, its tables after its keys."""
    lines = [f"{key} = {_toml_value(v)}" for key, v in document.items() if key not in _TABLES]
    if "step" in document:
        lines += ["", "[step]"]
        lines += [f"{key} = {_toml_value(value)}" for key, value in document["step"].items()]
    for table in document["tasks"]:
        for header, fields in (
            ("[[tasks]]", table),
            ("[tasks.adaptation]", table.get("adaptation")),
        ):
            if fields is not None:
                lines += ["", header]
                lines += [f"{k} = {_toml_value(v)}" for k, v in fields.items() if k not in _TABLES]
    return "\n".join(lines) + "\n"


_TABLES = ("step", "tasks", "adaptation")


def _toml_value(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml_value, value)) + "]"
    if isinstance(value, str):
        # A JSON string is a TOML string but for the one control character that JSON leaves bare.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return str(value)
