"""Durations as people write them: "30s", "5m", "1h", "1h30m", "0"."""

from __future__ import annotations

import math
import re

from benign.errors import ProblemError

SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d+)?|\.\d+)\s*([a-z]*)\s*", re.ASCII)

LONGEST = 30 * 24 * 3600.0
"""A month; what is longer is a slip of the pen."""


def parse_duration(text: str, what: str = "duration") -> float:
    """The seconds that a text says: a number with a unit (ms, s, m or min, h), or several in a row.

    A bare number is seconds. `what` names the option in messages.

    Raises:
        ProblemError: not a duration, negative, or longer than a month.
    """
    expected = f"{what}: expected a duration such as 30s, 5m or 1h30m"
    clean = text.strip().lower()
    if clean.startswith("-"):
        raise ProblemError(f"{expected}, zero or more, got {text[:40]!r}")
    parts = list(_PART.finditer(clean))
    if not parts or "".join(part.group(0) for part in parts) != clean:
        raise ProblemError(f"{expected}, got {text[:40]!r}")
    total = 0.0
    for part in parts:
        number, unit = part.groups()
        if unit == "" and len(parts) > 1:
            raise ProblemError(f"{expected}; in {text[:40]!r} the number {number} has no unit")
        if unit and unit not in SECONDS:
            raise ProblemError(f"{expected}; the unit {unit!r} is none of {', '.join(SECONDS)}")
        total += float(number) * SECONDS[unit or "s"]
    if not math.isfinite(total) or total > LONGEST:
        raise ProblemError(f"{what}: {text[:40]!r} is longer than 30 days; is the unit right?")
    return total
