"""Step sizes as they are written: 0.05,0.1 or 0.01:0.1:40 or 0.01:0.1:40:log, for every verb."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from benign.errors import ProblemError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction

MOST = 1000
"""Step sizes in a list, at most."""

FORMS = "0.05,0.1; a range lo:hi:count is evenly spaced, lo:hi:count:log has equal ratios"
"""What may be written, for the help."""

DIGITS = 3
"""Digits of the numbers inside a range of equal ratios, if so many tell them apart."""


def step_sizes(text: str, what: str = "eta", most: int = MOST) -> list[Any]:
    """The step sizes of a list with commas, of which each may be a range; what is exact stays so.

    Raises:
        ProblemError: the text is no such list. (Whether each item is a number shows later.)
    """
    found: list[Any] = []
    for item in text.split(","):
        item = item.strip()
        if item == "":
            raise ProblemError(f"{what}: expected numbers with commas between them, got {text!r}")
        found += _range(item, what, most) if ":" in item else [item]
    if len(found) > most:
        raise ProblemError(f"{what}: at most {most} step sizes, got {len(found)}")
    return found


def one_step_size(verb: str, text: str) -> None:
    """Refuse several step sizes where a verb uses one.

    Raises:
        ProblemError: there are several.
    """
    count = len(step_sizes(text))
    if count != 1:
        raise ProblemError(f"eta: {verb} uses one step size, and {text!r} gives {count}; choose one")


def tell_spacing(text: str | None) -> None:
    """Say how the ranges in a list are spaced."""
    for item in (text or "").split(","):
        if ":" in item:
            log = item.strip().endswith(":log")
            how = "in equal ratios (log)" if log else "evenly (linear)"
            print(f"The step sizes {item.strip()} are spaced {how}.")


def _range(text: str, what: str, most: int) -> list[Fraction]:
    from benign.exact.numbers import exact

    usage = f"{what}: expected lo:hi:count such as 0.01:0.1:40, or lo:hi:count:log, got {text!r}"
    parts = [part.strip() for part in text.split(":")]
    log = len(parts) == 4 and parts[3].casefold() == "log"
    if len(parts) != 3 + log:
        raise ProblemError(usage)
    try:
        low, high, count = exact(parts[0]), exact(parts[1]), int(parts[2])
    except ValueError:
        raise ProblemError(usage) from None
    if not (0 < low < high and 2 <= count <= most):
        raise ProblemError(
            f"{what}: lo:hi:count needs 0 < lo < hi and a count from 2 to {most}, got {text!r}"
        )
    if log:
        return _ratios(low, high, count, what)
    return [low + (high - low) * i / (count - 1) for i in range(count)]


def _ratios(low: Fraction, high: Fraction, count: int, what: str) -> list[Fraction]:
    """Equal ratios between two numbers, in as few digits as tell them apart."""
    from fractions import Fraction

    start, end = math.log(low), math.log(high)
    inner = [math.exp(start + (end - start) * i / (count - 1)) for i in range(1, count - 1)]
    for digits in range(DIGITS, 18):
        sizes = [low, *(Fraction(f"{x:.{digits}g}") for x in inner), high]
        if all(a < b for a, b in zip(sizes[:-1], sizes[1:], strict=True)):
            return sizes
    raise ProblemError(f"{what}: {count} step sizes do not fit between {float(low)} and {float(high)}")


def names_of(sizes: Sequence[float]) -> list[str]:
    """A name for each step size, as short as tells them apart: no result lies on another's files."""
    for digits in range(6, 18):
        names = [f"{size:.{digits}g}" for size in sizes]
        if len(set(names)) == len(set(sizes)):
            return names
    return [str(size) for size in sizes]
