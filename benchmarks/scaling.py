"""How time grows with the number of tasks, and what memory a batch takes."""

from __future__ import annotations

from benchmarks import ours
from benchmarks.problems import random_bench
from benchmarks.progress import say
from benchmarks.report import Section
from benchmarks.timing import Contestant, interleave

TASKS = (256, 1024, 4096, 16_384, 65_536)


def tasks(section: Section, counts: tuple[int, ...], budget: float) -> None:
    """Microseconds a task of value and gradient at one gain."""
    contestants = {}
    for k in counts:
        say(f"{k:,} tasks")
        bench = random_bench(4, 2, k, 1)
        h = ours.objective(bench)
        # The small ones are repeated so that each contestant works for a like time.
        repeat = max(1, 4096 // k)

        def call(h=h, gains=bench.gains, repeat=repeat) -> None:
            for _ in range(repeat):
                ours.value_and_gradient(h, gains)

        call()
        contestants[f"{k:,} tasks"] = Contestant(call, k * repeat)
    times = interleave(contestants, budget)
    medians = {name: times.median(name) for name in contestants}
    for name, median in medians.items():
        section.add("(4, 2), one gain", f"{name}, µs a task", 1e6 * median)
    spread = max(medians.values()) / min(medians.values())
    section.add("(4, 2), one gain", "dearest over cheapest", spread, 1.3, at_most=True)


def memory(section: Section, starts: int) -> None:
    """What XLA sets aside for a batch, besides arguments and results."""
    say("temporary memory")
    for n, m in ((8, 4), (32, 8)):
        bench = random_bench(n, m, 16, starts)
        megabytes = ours.temporary_bytes(ours.objective(bench), bench.gains) / 2**20
        target = 32.0 if n == 8 else None
        section.add(f"({n}, {m}), {starts:,} starts, 16 tasks", "temporary MB", megabytes, target, True)


def run(counts: tuple[int, ...] = TASKS, starts: int = 4096, budget: float = 10.0) -> Section:
    """Tasks, then memory."""
    section = Section(
        "Scaling",
        "Value and gradient of h. Temporary memory is XLA's own account of the compiled call "
        "(`memory_analysis`), arguments and results apart.",
    )
    tasks(section, counts, budget)
    memory(section, starts)
    return section
