"""A problem in a few words, for its `repr`."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from benign.text import clean

NAMED = 20
"""Characters of a task's name that are shown where the task is one of many things."""

LISTED = 3
"""Names of tasks that are shown where there may be many."""


def size_in_words(n: int, m: int) -> str:
    """4 states, 2 inputs."""
    return f"{n} state{'s' if n > 1 else ''}, {m} input{'s' if m > 1 else ''}"


def tasks_in_words(names: Sequence[str]) -> str:
    """10 tasks: the first, the second, the third, and dots for more."""
    shown = ", ".join(clean(name, NAMED) for name in names[:LISTED])
    more = ", …" if len(names) > LISTED else ""
    return f"{len(names)} task{'s' if len(names) > 1 else ''}: {shown}{more}"


def step_in_words(kind: str, eta: Any, shots: int) -> str:
    """Gradient step, eta = 0.05, 2 shots."""
    size = eta if not isinstance(eta, Fraction) else _short(eta)
    word = "normalised" if kind == "normalized" else kind
    return f"{word} step, eta = {size}, {shots} shot{'s' if shots > 1 else ''}"


def _short(x: Fraction) -> str:
    """A number as it was typed, or next to it."""
    near = f"{float(x):.6g}"
    return near if float(near) == float(x) else f"≈ {near}"
