"""Whether search and proof agree on random families.

    python -m scripts.agreement N M TASKS FAMILIES [--seconds 60] [--eta 0.02] [--starts 64]

Every local minimiser that the search met below the level of the proof (and, with several inputs, in the
box of gains that it searched) has to be in the proved list, and at every proved minimiser ∇h has to
vanish and ∇²h to be positive in floating point. The families are those of
`benchmarks.proofs.random_problem`. Prints a line a family and a summary; the exit status is 1 if the
two disagree anywhere.
"""

from __future__ import annotations

import argparse
import sys
import time

import jax
import numpy as np
from benchmarks.proofs import random_problem

from benign.errors import ProblemError
from benign.meta.given import meta_objective
from benign.prove.boxes.below import prove
from benign.searches.search import search

SAME = 1e-6
"""Gains that differ by less, relatively, are one."""


def main() -> int:
    """Run, print, compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name in ("n", "m", "tasks", "families"):
        parser.add_argument(name, type=int)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--first", type=int, default=0, help="seed of the first family")
    parser.add_argument("--eta", default="0.02")
    parser.add_argument("--starts", type=int, default=64)
    asked = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    quarrels, decided, times, empty = [], 0, [], 0
    for seed in range(asked.first, asked.first + asked.families):
        problem = random_problem(asked.n, asked.m, asked.tasks, asked.eta, seed)
        began = time.perf_counter()
        try:
            proved = prove(problem, budget=asked.seconds)
        except ProblemError as error:
            proved, reason = None, str(error)
        seconds = time.perf_counter() - began
        objective = meta_objective(problem)
        try:
            met = search(objective, starts=asked.starts, seed=seed).minimizers
        except ProblemError:
            met = ()
        if proved is None:
            empty += 1
            decided += 1
            said = f"{reason[:44]} …"
            wrong = [f"the search met a minimum of {met[0].value:.6g}"] if met else []
        else:
            decided += proved.left == 0
            wrong = differences(proved, met, objective)
            said = (
                f"{proved.verdict.status:9} {len(proved.minimizers)} minima, {proved.left} boxes left"
            )
        times.append(seconds)
        quarrels += [f"family {seed}: {text}" for text in wrong]
        print(
            f"{seed:4} {seconds:7.2f} s  {said}; search met {len(met)} {'; '.join(wrong)}", flush=True
        )
    share = 100 * decided / asked.families
    print(
        f"\n{asked.families} families of n = {asked.n}, m = {asked.m}, {asked.tasks} tasks, "
        f"eta = {asked.eta}: {share:.0f} % decided within {asked.seconds:g} s (median "
        f"{np.median(times):.2f} s, 90 % within {np.quantile(times, 0.9):.2f} s); {empty} proved "
        f"infeasible; disagreements: {len(quarrels)}"
    )
    for text in quarrels:
        print(text)
    return 1 if quarrels else 0


def differences(proved, met, objective) -> list[str]:
    """Where the list that was proved and that which was met contradict one another."""
    found = []
    for point in met:
        lower, upper = proved.region
        inside = proved.bounded or bool(np.all((lower <= point.W) & (upper >= point.W)))
        if point.value > proved.level * (1 - 1e-9) or not inside:
            continue
        near = [np.abs(point.W - other.W).max() for other in proved.minimizers]
        if not near or min(near) > SAME * (1 + np.abs(point.W).max()):
            found.append(f"the search met {point.value:.9g}, which the proof lacks")
    for point in proved.minimizers:
        gradient = np.linalg.norm(np.asarray(objective.gradient(point.W)))
        p = point.W.size
        lowest = np.linalg.eigvalsh(np.asarray(objective.hessian(point.W)).reshape(p, p))[0]
        if gradient > 1e-4 * point.value.mid or not lowest > 0:
            found.append(f"the proved minimum of {point.value.mid:.9g} is none for the search")
    return found


if __name__ == "__main__":
    sys.exit(main())
