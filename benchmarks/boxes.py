"""Boxes a second of a proof in a few parameters: by compiled code, and by NumPy."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from benchmarks.progress import say
from benchmarks.proofs import random_problem
from benchmarks.report import Section
from benchmarks.run import every_processor
from benign.floats.looks import InNumPy
from benign.floats.rim import as_fractions
from benign.prove.boxes import below, branch_and_bound
from benign.prove.boxes.branch_and_bound import Pavement

CASES = (
    # n, m, tasks, the level in multiples of min h, and what is aimed at on one core
    (2, 1, 2, 10.0, None),
    (3, 1, 2, 2.0, 60_000.0),
)


def pavement(n: int, m: int, k: int, level: float, *, in_numpy: bool) -> Pavement:
    """A proof that has not begun, its minimisers found."""
    problem = random_problem(n, m, k, "0.02", 0)
    witnesses = [below.optimal_gain(task.g) for task in problem.tasks]
    frame, bounded = below._frame(problem, witnesses)
    made = Pavement(problem, frame, np.inf, [as_fractions(W.tolist()) for W in witnesses])
    made.allows_steep = not bounded or below.is_semicontinuous(problem)
    below._look_for_minimisers(made, [])
    made.set_level(level * made.minimisers[0].value.hi)
    if in_numpy:
        made.look = made.found.look = InNumPy.of(made.objective)
    return made


def rate(made: Pavement, seconds: float, threads: int, clock) -> float:
    """Boxes a second, of a clock, in the time given or until all are decided."""
    known = branch_and_bound.processors
    branch_and_bound.processors = lambda: threads
    try:
        began = clock()
        made.run(seconds=seconds)
        return made.boxes / (clock() - began)
    finally:
        branch_and_bound.processors = known


def run(cases: Sequence[tuple] = CASES, seconds: float = 10.0) -> Section:
    """Both routes, one thread by processor time and all of them on the clock."""
    section = Section(
        "Boxes a second",
        f"The first {seconds:g} s of proofs of random families, η = 0.02. One thread: a second of "
        "processor time; all threads: a second on the clock.",
    )
    with every_processor():
        threads = branch_and_bound.processors()
        for n, m, k, level, target in cases:
            case = f"({n}, {m}), {k} tasks, below {level:g} min h"
            say(case)
            found = {}
            for name, in_numpy in (("NumPy", True), ("compiled", False)):
                one, many = (pavement(n, m, k, level, in_numpy=in_numpy) for _ in range(2))
                found[name] = rate(one, seconds, 1, time.process_time)
                aimed = None if in_numpy else target
                section.add(case, f"{name}, one thread", found[name], aimed)
                clock = time.perf_counter
                section.add(case, f"{name}, {threads} threads", rate(many, seconds, threads, clock))
            section.add(case, "compiled / NumPy", found["compiled"] / found["NumPy"])
    return section
