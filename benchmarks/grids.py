"""h on a grid of a million gains."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchmarks import ours
from benchmarks.agreement import compare
from benchmarks.peers import load, numpy_closed
from benchmarks.problems import Bench, random_bench
from benchmarks.progress import say
from benchmarks.report import Section
from benchmarks.timing import Contestant, interleave


def line(points: int, k: int) -> Bench:
    """Gains across the stabilising set of k scalar tasks, its rims included."""
    bench = random_bench(1, 1, k, 1)
    a, b = bench.A[:, 0, 0], bench.B[:, 0, 0]
    centre, reach = a / b, np.abs(1 / b)
    low, high = (centre - reach).max(), (centre + reach).min()
    margin = 0.05 * (high - low)
    return replace(bench, gains=np.linspace(low - margin, high + margin, points)[:, None, None])


def plane(points: int, k: int) -> Bench:
    """A square of gains around the optimum of k tasks with two states and one input."""
    bench = random_bench(2, 1, k, 1)
    side = round(np.sqrt(points))
    reach = np.linspace(-1, 1, side)
    x, y = np.meshgrid(reach, reach)
    moved = 0.6 * np.stack([x.ravel(), y.ravel()], axis=1)[:, None, :]
    return replace(bench, gains=bench.gains[0] + moved)


def measure(
    section: Section, case: str, bench: Bench, targets: dict[str, float], budget: float
) -> None:
    """Our nanoseconds per point and task, and multiples of our time."""
    h = ours.objective(bench)
    exact = ours.values(h, bench.gains)
    feasible = np.isfinite(exact)
    peers = {"NumPy closed form, chunked": numpy_closed.values}
    if bench.n == 1 and (numba := load("numba_grid")) is not None:
        peers["Numba"] = numba.values
    contestants = {"ours": Contestant(lambda: ours.values(h, bench.gains), bench.work)}
    for name, values in peers.items():
        answer = values(bench)
        # On the rim itself rounding decides; h is beyond any use there.
        differ = int((np.isfinite(answer) != feasible).sum())
        if differ > 1e-4 * len(feasible):
            raise AssertionError(f"{name}: {differ} points of {len(feasible)} judged differently")
        # Near the rim h is large and its relative error is its size times rounding.
        near = feasible & np.isfinite(answer) & (exact < 1e3 * exact.min())
        compare(name, answer, exact, near)
        contestants[name] = Contestant(lambda v=values: v(bench), bench.work)
    times = interleave(contestants, budget)
    section.add(case, "ours, ms", 1e3 * times.median("ours") * bench.work)
    section.add(case, "ours, ns per point and task", 1e9 * times.median("ours"))
    for name in peers:
        section.add(case, name, times.ratio(name, "ours"), targets.get(name))
    section.add(case, "feasible, %", 100 * feasible.mean())


def run(points: int = 1_000_000, budget: float = 8.0) -> Section:
    """One and two parameters."""
    section = Section("h on a grid", "Values only. The peers are multiples of our time.")
    say("grid, one parameter")
    targets = {"NumPy closed form, chunked": 11.0, "Numba": 4.0}
    measure(section, f"{points:,} points, 11 tasks, (1, 1)", line(points, 11), targets, budget)
    say("grid, two parameters")
    targets = {"NumPy closed form, chunked": 28.0}
    measure(section, f"{points:,} points, 5 tasks, (2, 1)", plane(points, 5), targets, budget)
    return section
