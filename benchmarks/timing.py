"""Medians of interleaved rounds.

Contestants take turns within one process, so that whatever else the machine does hits all of them; a
ratio is taken within a round, and the median is over rounds. What is measured is the processor time of
the process: for one thread on a core of its own that is the time on the clock, and where other
processes want the core too it leaves out the time that they had it.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Call = Callable[[], object]


@dataclass(frozen=True)
class Contestant:
    """A call and the amount of work it does, the unit its time is divided by."""

    call: Call
    work: float = 1.0


@dataclass(frozen=True)
class Times:
    """Processor seconds per unit of work, round by round, for each contestant."""

    rounds: dict[str, list[float]]

    def median(self, name: str) -> float:
        return statistics.median(self.rounds[name])

    def ratio(self, name: str, to: str) -> float:
        """How many times longer `name` takes than `to`: the median over the rounds."""
        pairs = zip(self.rounds[name], self.rounds[to], strict=True)
        return statistics.median(a / b for a, b in pairs)


def processor_seconds(call: Call) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


def seconds(call: Call) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def median(call: Call, repeat: int, warm: int = 1) -> float:
    """Median seconds on the clock of one call alone, after warming up."""
    for _ in range(warm):
        call()
    return statistics.median(seconds(call) for _ in range(repeat))


def interleave(
    contestants: Mapping[str, Contestant], budget: float, most: int = 15, least: int = 3
) -> Times:
    """As many rounds as fit into `budget` seconds, between `least` and `most`.

    Every call should have been made before, since the first may compile, and should take long enough
    (a millisecond, say) for the clock not to matter.
    """
    rounds: dict[str, list[float]] = {name: [] for name in contestants}
    deadline = time.perf_counter() + budget
    for done in range(most):
        if done >= least and time.perf_counter() > deadline:
            break
        for name, contestant in contestants.items():
            rounds[name].append(processor_seconds(contestant.call) / contestant.work)
    return Times(rounds)
