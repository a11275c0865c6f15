"""Enclosures and numbers in JSON: an infinite end is a string, a number that does not exist is null."""

from __future__ import annotations

import math
from typing import Any

from benign.results.enclosure import Enclosure


def to_json(value: Enclosure) -> list[float | str] | None:
    """[lo, hi], an infinite end as "inf"; None for a number that does not exist."""
    if math.isnan(value.lo) or math.isnan(value.hi):
        return None
    return [number(value.lo), number(value.hi)]


def from_json(record: Any) -> Enclosure:
    """What `to_json` wrote."""
    if record is None:
        return Enclosure(math.nan, math.nan)
    lo, hi = (float(x) for x in record)
    return Enclosure(lo, hi)


def number(x: float) -> float | str:
    """A number, or "inf" or "-inf"."""
    return x if math.isfinite(x) else ("inf" if x > 0 else "-inf")
