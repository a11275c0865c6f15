"""Value and gradient of h at many starts: microseconds per start and task, and what the peers take."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks import one_core, ours, reference
from benchmarks.agreement import compare_both
from benchmarks.peers import naive_jax, numpy_batched
from benchmarks.problems import SIZES, Bench, random_bench
from benchmarks.timing import Contestant, interleave

Answer = tuple[np.ndarray, np.ndarray]


@dataclass(frozen=True)
class Peer:
    """A contestant.

    Attributes:
        answer: Value and gradient at the starts of a `Bench`.
        starts: How many starts it is timed at, by n; a size that is missing is not timed.
        target: The multiple of our time aimed at, by n.
        judges: Whether it decides itself which starts are feasible.
    """

    answer: Callable[[Bench], Answer]
    starts: dict[int, int]
    target: dict[int, float]
    judges: bool = True


def peers() -> dict[str, Peer]:
    """Everyone who is installed."""
    found = {
        "NumPy": Peer(
            numpy_batched.value_and_gradient,
            {1: 4096, 2: 1024, 4: 1024, 8: 512, 16: 128, 32: 64},
            {1: 80, 2: 200, 4: 6, 8: 2.2, 16: 1.8, 32: 1},
        ),
        "naive JAX": Peer(
            naive_jax.value_and_gradient,
            {1: 4096, 2: 2048, 4: 512, 8: 32},
            {1: 80, 2: 57, 4: 8, 8: 42},
            judges=False,
        ),
    }
    if reference.compiler() is not None:
        found["C++"] = Peer(
            reference.value_and_gradient,
            {1: 4096, 2: 4096, 4: 4096, 8: 4096, 16: 1024, 32: 128},
            {1: 0.7, 2: 0.6, 4: 0.6, 8: 0.7, 16: 0.85, 32: 1},
        )
    return found


def measure(bench: Bench, chosen: dict[str, Peer], budget: float) -> dict[str, object]:
    """One size: our microseconds, multiples, the largest disagreement, the share of the limit."""
    h = ours.objective(bench)
    exact = ours.value_and_gradient(h, bench.gains)
    contestants = {"ours": Contestant(lambda: ours.value_and_gradient(h, bench.gains), bench.work)}
    worst = 0.0
    for name, peer in chosen.items():
        if bench.n not in peer.starts:
            continue
        part = bench.first(peer.starts[bench.n])
        worst = max(worst, compare_both(name, peer.answer(part), exact, peer.judges))
        contestants[name] = Contestant(lambda p=peer, b=part: p.answer(b), part.work)
    times = interleave(contestants, budget)
    row: dict[str, object] = {
        "(n, m)": bench.size,
        "ours µs": 1e6 * times.median("ours"),
        "feasible": float(np.isfinite(exact[0]).mean()),
        "largest difference": worst,
    }
    if "C++" in contestants:
        limit = reference.least_seconds(bench)
        row["% of limit"] = 100 * limit / times.median("ours")
        row["C++ % of limit"] = 100 * limit / times.median("C++")
    for name in contestants:
        if name != "ours":
            row[name] = times.ratio(name, "ours")
    return row


def measure_all(starts: int = 4096, k: int = 16, budget: float = 10.0):
    """Every size."""
    chosen = peers()
    for n, m in SIZES:
        print(f"  value and gradient, ({n}, {m}) …", file=sys.stderr, flush=True)
        yield measure(random_bench(n, m, k, starts), chosen, budget)


if __name__ == "__main__":
    one_core()
    for row in measure_all():
        print({key: f"{x:.3g}" if isinstance(x, float) else x for key, x in row.items()}, flush=True)
