"""Reading the parts of a certificate, suspiciously."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

Bounds = tuple[float, float]


class Refused(Exception):  # noqa: N818 - it is an answer, not a fault
    """The document does not prove what it claims; the message says where and why."""


def number(value: Any, place: str) -> float:
    """A float of the document; infinities are the strings "inf" and "-inf".

    Raises:
        Refused: it is none.
    """
    if value in ("inf", "-inf"):
        return float(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Refused(f"{place}: expected a number, got {str(value)[:40]!r}")
    try:
        x = float(value)
    except OverflowError:
        x = math.nan
    if not math.isfinite(x) or (isinstance(value, int) and int(x) != value):
        raise Refused(f"{place}: expected a float64, got {str(value)[:40]}")
    return x


def pair(entry: Mapping[str, Any], key: str) -> Bounds:
    """A pair [lo, hi] with lo ≤ hi.

    Raises:
        Refused: it is none.
    """
    value = entry.get(key)
    if not isinstance(value, list) or len(value) != 2:
        raise Refused(f"{key}: expected a pair of bounds")
    lo, hi = number(value[0], key), number(value[1], key)
    if not lo <= hi:
        raise Refused(f"{key}: the bounds {lo!r}, {hi!r} are reversed")
    return lo, hi


def interval(entry: Mapping[str, Any], key: str) -> Bounds:
    """A pair of finite bounds lo ≤ hi: where a gain is.

    Raises:
        Refused: it is none.
    """
    lo, hi = pair(entry, key)
    if not (math.isfinite(lo) and math.isfinite(hi)):
        raise Refused(f"{key}: expected finite bounds")
    return lo, hi


def records(document: Mapping[str, Any], key: str, fields: set[str]) -> list[dict[str, Any]]:
    """A list of objects that have no other keys than `fields`: what is not checked is not claimed.

    Raises:
        Refused: it is none.
    """
    value = document.get(key)
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise Refused(f"{key}: expected a list of objects")
    for entry in value:
        if set(entry) - fields:
            raise Refused(f"{key}: unknown key {str(sorted(set(entry) - fields)[0])[:40]!r}")
    return value
