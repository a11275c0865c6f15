"""MAML at one gain: a run of a thousand steps, many tasks, and a cold process; by us and by others."""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks import ours
from benchmarks.agreement import compare_both
from benchmarks.peers import load
from benchmarks.problems import Bench, random_bench
from benchmarks.progress import say
from benchmarks.report import Section
from benchmarks.timing import Contestant, interleave
from benign.meta.adaptation import GradientStep
from benign.meta.algorithms import MAML
from benign.meta.train import Course
from benign.tasks.stack import TaskStack

PEERS = {
    "naive JAX": ("naive_jax", None),
    "NumPy doubling": ("numpy_batched", None),
    "PyTorch bmm": ("torch_batched", None),
    "torch.func": ("torch_functional", 160),
    "SciPy loop": ("scipy_loop", None),
    "python-control loop": ("control_loop", None),
    "learn2learn's way": ("learn2learn_style", 500),
    "TorchOpt": ("torchopt_loop", 500),
}
"""Modules, and how many times longer than ours a step is aimed to take them."""

MANY = {"NumPy doubling": ("numpy_batched", 5), "PyTorch bmm": ("torch_batched", 9)}


def run(steps: int = 1000, many: int = 4096, budget: float = 8.0, repeat: int = 5) -> Section:
    """(4, 2), one gradient shot."""
    section = Section(
        "Training",
        f"MAML, (n, m) = (4, 2), one shot. `a step`: one of {steps:,} steps of `benign.train`'s loop "
        "on 16 tasks, trace and feasibility included; the peers' value and gradient at one gain, which "
        "is all that a step of theirs would need. The peers are multiples of our time.",
    )
    one_step(section, steps, budget)
    many_tasks(section, many, budget)
    cold(section, steps, repeat)
    return section


def one_step(section: Section, steps: int, budget: float) -> None:
    """A run of the loop against single steps of the peers."""
    say("one step of MAML")
    bench = random_bench(4, 2, 16, 1)
    h = ours.objective(bench)
    exact = ours.value_and_gradient(h, bench.gains)
    start = bench.gains[0]
    course = Course(TaskStack.of(h.family), MAML(GradientStep(bench.eta)), start, beta=1e-4)

    def train() -> None:
        course.run(start, steps=steps)

    train()
    contestants = {
        "in a run": Contestant(train, steps),
        "a call from Python": Contestant(lambda: ours.value_and_gradient(h, bench.gains)),
    }
    for name, (module, _) in PEERS.items():
        if (peer := load(module)) is not None:
            compare_both(name, peer.value_and_gradient(bench), exact, judges=False)
            contestants[name] = Contestant(lambda p=peer: p.value_and_gradient(bench))
    times = interleave(contestants, budget, most=50)
    for name in contestants:
        section.add("µs a step, 16 tasks", name, 1e6 * times.median(name))
    for name, (_, target) in PEERS.items():
        if name in contestants:
            section.add("multiple of a step, 16 tasks", name, times.ratio(name, "in a run"), target)


def many_tasks(section: Section, k: int, budget: float) -> None:
    """Value and gradient of h at one gain over thousands of tasks."""
    say(f"{k:,} tasks")
    bench = random_bench(4, 2, k, 1)
    h = ours.objective(bench)
    exact = ours.value_and_gradient(h, bench.gains)
    contestants = {"ours": Contestant(lambda: ours.value_and_gradient(h, bench.gains))}
    for name, (module, _) in MANY.items():
        if (peer := load(module)) is not None:
            compare_both(name, peer.value_and_gradient(bench), exact, judges=False)
            contestants[name] = Contestant(lambda p=peer: p.value_and_gradient(bench))
    times = interleave(contestants, budget)
    section.add(f"µs, {k:,} tasks", "a call from Python", 1e6 * times.median("ours"))
    for name, (_, target) in MANY.items():
        if name in contestants:
            section.add(f"multiple, {k:,} tasks", name, times.ratio(name, "ours"), target)


def cold(section: Section, steps: int, repeat: int) -> None:
    """Whole processes that import, compile and train, without and with compiled code kept."""
    say("cold processes")
    with tempfile.TemporaryDirectory() as folder:
        problem, cache = Path(folder) / "problem.npz", Path(folder) / "cache"
        save(random_bench(4, 2, 16, 1), problem)
        for row, target, more in (("cold process", 1.5, ()), ("with the cache", 0.8, (str(cache),))):
            command = [sys.executable, "-m", "benchmarks.cold", str(problem), str(steps), *more]
            child(command)  # fills the cache, and the file system's
            taken = [child(command) for _ in range(repeat)]
            section.add(row, "s of processor", median(t[0] for t in taken), target, at_most=True)
            section.add(row, "s on the clock", median(t[1] for t in taken))


def save(bench: Bench, path: Path) -> None:
    """The problem for a process of its own."""
    arrays = {field: getattr(bench, field) for field in ("A", "B", "Q", "R", "S0")}
    np.savez(path, eta=np.asarray(bench.eta), start=bench.gains[0], **arrays)


def child(command: list[str]) -> tuple[float, float]:
    """Processor seconds and seconds on the clock of a process."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return used, time.perf_counter() - began
