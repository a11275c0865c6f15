"""Value and gradient of h at many starts: microseconds per start and task, and what the peers take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks import ours, reference
from benchmarks.agreement import compare_both
from benchmarks.peers import load
from benchmarks.problems import SIZES, Bench, random_bench
from benchmarks.progress import say
from benchmarks.report import Section
from benchmarks.timing import Contestant, interleave

Answer = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Peer:
    """A contestant.

    Attributes:
        answer: Value and gradient at the starts of a `Bench`.
        starts: How many starts it is timed at, by n: some 0.1 s of work. A size that is missing is
            not timed.
        target: The multiple of our time aimed at, by n.
        judges: Whether it decides itself which starts are feasible.
    """

    answer: Callable[[Bench], Answer]
    starts: dict[int, int]
    target: dict[int, float]
    judges: bool = False


CPLUSPLUS = "C++"

COLUMNS: dict[str, tuple[str, dict[int, int], dict[int, float], bool]] = {
    "through XLA": (
        "xla_kernels",
        {1: 4096, 2: 4096, 4: 2048, 8: 512, 16: 128, 32: 32},
        {},
        True,
    ),
    "NumPy doubling": (
        "numpy_batched",
        {1: 4096, 2: 1024, 4: 512, 8: 256, 16: 64, 32: 16},
        {1: 80, 2: 200, 4: 6, 8: 2.2, 16: 1.8, 32: 1},
        True,
    ),
    "PyTorch bmm": (
        "torch_batched",
        {1: 4096, 2: 1024, 4: 512, 8: 256, 16: 64, 32: 16},
        {},
        True,
    ),
    "torch.func": (
        "torch_functional",
        {1: 2048, 2: 512, 4: 128, 8: 8},
        {1: 200, 2: 200, 4: 35, 8: 65},
        False,
    ),
    "SciPy loop": ("scipy_loop", {1: 8, 2: 4, 4: 4, 8: 4, 16: 4, 32: 1}, {}, False),
    "python-control loop": (
        "control_loop",
        {1: 8, 2: 4, 4: 4, 8: 4, 16: 4, 32: 1},
        {1: 10_000, 2: 5000, 4: 120, 8: 33, 16: 14, 32: 5},
        False,
    ),
    "naive JAX": ("naive_jax", {1: 4096, 2: 1024, 4: 128, 8: 8}, {1: 80, 2: 57, 4: 8, 8: 42}, False),
}
"""Column: the module, starts and targets by n, whether it judges feasibility."""


def peers() -> dict[str, Peer]:
    """Everyone who is installed."""
    found = {
        column: Peer(module.value_and_gradient, starts, target, judges)
        for column, (name, starts, target, judges) in COLUMNS.items()
        if (module := load(name)) is not None
    }
    if reference.compiler() is not None:
        found[CPLUSPLUS] = Peer(
            reference.value_and_gradient,
            {1: 4096, 2: 4096, 4: 4096, 8: 2048, 16: 256, 32: 32},
            {1: 0.7, 2: 0.6, 4: 0.6, 8: 0.7, 16: 0.85, 32: 1},
            judges=True,
        )
    return found


def measure(section: Section, bench: Bench, chosen: dict[str, Peer], budget: float) -> None:
    """One size: our time, the share of the limit, multiples. All answers are compared first."""
    h = ours.objective(bench)
    exact = ours.value_and_gradient(h, bench.gains)
    contestants = {"ours": Contestant(lambda: ours.value_and_gradient(h, bench.gains), bench.work)}
    worst = 0.0
    for name, peer in chosen.items():
        if bench.n in peer.starts:
            part = bench.first(peer.starts[bench.n])
            worst = max(worst, compare_both(name, peer.answer(part), exact, peer.judges))
            contestants[name] = Contestant(lambda p=peer, b=part: p.answer(b), part.work)
    times = interleave(contestants, budget)
    section.add(bench.size, "ours, µs", 1e6 * times.median("ours"))
    if CPLUSPLUS in contestants:
        limit = reference.least_seconds(bench)
        section.add(bench.size, "% of the limit", 100 * limit / times.median("ours"))
        section.add(bench.size, "C++, % of the limit", 100 * limit / times.median(CPLUSPLUS))
    for name in contestants:
        if name != "ours":
            section.add(bench.size, name, times.ratio(name, "ours"), chosen[name].target.get(bench.n))
    section.add(bench.size, "largest difference", worst)
    section.add(bench.size, "feasible, %", 100 * float(np.isfinite(exact[0]).mean()))


LARGE = 32
"""From this many states a quarter of the starts are timed: a chunk's time does not depend on how many
chunks there are, and they would take half of the whole run."""


def run(starts: int = 4096, k: int = 16, budget: float = 12.0, sizes=SIZES) -> Section:
    """Every size."""
    section = Section(
        "Value and gradient of h",
        f"One gradient shot, {starts:,} starts (a quarter at n = {LARGE}), {k} tasks. `ours` is "
        "microseconds per start and task, the peers are multiples of it (C++ below 1 is faster than we "
        "are). The limit is the time one core needs for the operations that the C++ reference counts, "
        "at its measured peak of multiply-adds or of quotients, whichever is longer. `largest "
        "difference` is the largest relative difference of any answer from ours.",
    )
    chosen = peers()
    for n, m in sizes:
        say(f"value and gradient, ({n}, {m})")
        count = starts // 4 if n >= LARGE else starts
        measure(section, random_bench(n, m, k, count), chosen, budget)
    return section
