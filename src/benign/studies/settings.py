"""What a cell of a study is given: the settings, their kinds, and how lists of them are written."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from benign.errors import ProblemError
from benign.text import clean

Kind = Literal["number", "whole", "word", "flag"]

LARGEST_AXIS = 100_000_000


@dataclass(frozen=True)
class Setting:
    """One thing that can be fixed, or be an axis.

    Attributes:
        kind: of its values.
        default: where it is neither fixed nor an axis.
        unit, meaning: for the store and the docs.
        words: that it may be, of a word.
        low, high: bounds of a number.
    """

    kind: Kind
    default: Any
    meaning: str
    unit: str = "1"
    words: tuple[str, ...] = ()
    low: float = -math.inf
    high: float = math.inf


ALGORITHMS = (
    "maml", "first-order", "hf-maml", "reptile", "imaml", "minibatch-prox", "ftml", "normalized-maml",
)  # fmt: skip

SETTINGS = {
    "eta": Setting(
        "number", 0.05, "step size of adaptation", "gain per gradient", low=1e-12, high=1e12
    ),
    "shots": Setting("whole", 1, "steps of adaptation", low=1, high=100),
    "step": Setting("word", "gradient", "rule of adaptation", words=("gradient", "normalized")),
    "tasks": Setting("whole", 5, "number of tasks k", low=1, high=100_000),
    "n": Setting("whole", 1, "states", low=1, high=16),
    "m": Setting("whole", 1, "inputs", low=1, high=16),
    "seed": Setting("whole", 0, "which of the random families", low=0, high=2**63 - 1),
    "normalize": Setting("flag", False, "whether the costs of the tasks are scaled to one least cost"),
    "proof": Setting("number", 0.0, "share of the cells that are proved as well", low=0, high=1),
    "beta": Setting(
        "number",
        0.0,
        "meta-step of training; 0: by Armijo's rule, or BETA / the mean curvature",
        unit="gain per gradient",
        low=0,
        high=1e12,
    ),
    "algorithm": Setting("word", "", "algorithm of training", words=ALGORITHMS),
}
"""All but the numbers of a generator."""


def values_of(name: str, given: Any, setting: Setting) -> list[Any] | range:
    """The values of an axis: a list; {from, to, count[, log]}; for a whole number a count N.

    Raises:
        ProblemError: something else, or a value that the setting cannot have.
    """
    if isinstance(given, dict):
        found: list[Any] | range = _range(name, given, setting)
    elif isinstance(given, (list, tuple, range)):
        found = list(given)
    elif setting.kind == "whole" and isinstance(given, int) and not isinstance(given, bool):
        if not 1 <= given <= LARGEST_AXIS:
            raise ProblemError(f"axes: {name}: a count from 1 to {LARGEST_AXIS} is needed, got {given}")
        found = range(given)
    else:
        raise ProblemError(
            f"axes: {name}: expected a list, or {{from, to, count}}, got {clean(repr(given), 60)}"
        )
    if not found:
        raise ProblemError(f"axes: {name}: has no value; give one at least")
    # Counted from nought: all are right if the last one is.
    ends = found if not isinstance(given, int) else found[-1:]
    checked = [value_of(f"axes: {name}", x, setting) for x in ends]
    if isinstance(given, int):
        return found
    if len(set(checked)) != len(checked):
        raise ProblemError(f"axes: {name}: a value comes twice; name each once")
    return checked


def value_of(place: str, value: Any, setting: Setting) -> Any:
    """A value as its setting has it.

    Raises:
        ProblemError: it cannot.
    """
    shown = clean(repr(value), 60)
    if setting.kind == "flag":
        if not isinstance(value, bool):
            raise ProblemError(f"{place}: expected true or false, got {shown}")
        return value
    if setting.kind == "word":
        if value not in setting.words:
            raise ProblemError(f"{place}: expected one of {', '.join(setting.words)}, got {shown}")
        return value
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or (setting.kind == "whole" and value != int(value if math.isfinite(value) else 0.5)):
        raise ProblemError(
            f"{place}: expected a {'whole ' if setting.kind == 'whole' else ''}number, got {shown}"
        )
    if not setting.low <= value <= setting.high:
        raise ProblemError(f"{place}: must be from {setting.low:g} to {setting.high:g}, got {shown}")
    return int(value) if setting.kind == "whole" else float(value)


def _range(name: str, given: dict[str, Any], setting: Setting) -> list[Any]:
    usage = (
        f"axes: {name}: a range is {{ from = 0.01, to = 0.1, count = 10 }}, "
        "with log = true for equal ratios"
    )
    if not {"from", "to", "count"} <= set(given) <= {"from", "to", "count", "log"}:
        raise ProblemError(usage)
    low, high, count, log = given["from"], given["to"], given["count"], given.get("log", False)
    if not (
        all(isinstance(x, (int, float)) and not isinstance(x, bool) for x in (low, high))
        and isinstance(count, int) and 2 <= count <= LARGEST_AXIS and isinstance(log, bool)
        and low < high and (not log or low > 0)
    ):  # fmt: skip
        raise ProblemError(usage)
    steps = [i / (count - 1) for i in range(count)]
    if log:
        found = [low * (high / low) ** t for t in steps]
    else:
        found = [low + (high - low) * t for t in steps]
    found[0], found[-1] = low, high
    if setting.kind == "whole":
        return sorted({round(x) for x in found})
    # Numbers that a person can read; the ends are as they were given.
    return [low, *(float(f"{x:.6g}") for x in found[1:-1]), high]
