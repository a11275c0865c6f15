"""When the command began: a budget counts from there, the interpreter's start and imports included."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benign.clock import Clock

_IMPORTED = time.perf_counter()

TELLING, DRAWING, AT_MOST = 0.3, 2.0, 0.2
"""Seconds of a budget that are left for showing results, and for drawing and saving them as well; the
latter no more than this share of it."""

_SLOWEST = 30.0
"""Seconds from the start of a process to the import of this, at most; more is another clock's."""


def began() -> float:
    """When the process started, by `time.perf_counter`; where none tells, when this was imported."""
    try:
        ticks = float(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, AttributeError):
        return _IMPORTED
    started = time.perf_counter() - age
    return started if 0 <= _IMPORTED - started <= _SLOWEST else _IMPORTED


def clock(budget: str | None, name: str = "budget") -> Clock:
    """The clock of the command: no limit, or the budget from the start of the process on.

    Raises:
        ProblemError: the text is no duration.
    """
    from benign.clock import Clock
    from benign.durations import parse_duration

    return Clock() if budget is None else Clock(parse_duration(budget, name), began=began())


def working(clock: Clock, *, draws: bool) -> Clock:
    """The clock of a verb, which leaves time to show its result, and to draw and save it."""
    rest = min(DRAWING, AT_MOST * max(clock.left, 0.0)) if draws else TELLING
    return clock.capped(clock.left - rest)
