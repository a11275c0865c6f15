"""Running hard families through `analyze`, the oracle and the checker, and counting what came of it."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

import families
from oracle import infeasible, judge

from benign.certificates.check import check
from benign.errors import ProblemError
from benign.exact.problem import Problem
from benign.prove.line.enumeration import analyze
from benign.results.line import LineLandscape
from benign.verdict import Status

COLUMNS = ("families", "minima", "undecided", "refused", "wrong", "own certificates refused")
"""What is counted of each kind. `undecided`: families with a stretch, or a verdict, left open;
`refused`: families that `analyze` does not take, rightly."""


@dataclass
class Tally:
    """Counts by kind, and the sentences about what is false."""

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def survey(names: Iterable[tuple[str, int]]) -> Tally:
    """Judge all that is said of the families (kind, seed)."""
    tally = Tally()
    for kind, seed in names:
        counts = tally.counts.setdefault(kind, Counter())
        hard = families.make(kind, seed)
        counts["families"] += 1
        try:
            wrong = _analysed(hard, counts, tally)
        except ProblemError as error:
            counts["refused"] += 1
            wrong = refusal(hard.problem, str(error))
        counts["wrong"] += bool(wrong)
        tally.wrong += [f"{hard}: {sentence}" for sentence in wrong]
    return tally


def _analysed(hard: families.Hard, counts: Counter[str], tally: Tally) -> list[str]:
    landscape = analyze(hard.problem, epsilon=hard.epsilon)
    judgement = judge(landscape, hard.hints)
    counts["minima"] += judgement.minima
    undecided = landscape.undecided or landscape.verdict.status is Status.UNDECIDED
    counts["undecided"] += bool(undecided)
    reason = refused(landscape)
    if reason:
        counts["own certificates refused"] += 1
        tally.refused.append(f"{hard}: {reason}")
    wrong = list(judgement.wrong)
    if hard.seed % 8 == 0 and landscape.epsilon.lo > 0 and landscape.epsilon.hi < math.inf:
        # ε asked about where it is told from the truth by rounding alone.
        second = analyze(hard.problem, epsilon=landscape.epsilon.mid)
        wrong += [sentence for sentence in judge(second, hard.hints).wrong if sentence not in wrong]
    return wrong


def refused(landscape: LineLandscape) -> str:
    """Why the checker refuses the certificate, as a file would hold it; empty if it is accepted."""
    verdict = check(json.loads(json.dumps(landscape.certificate)))
    return "" if verdict.status is Status.PROVED else verdict.reason


def refusal(problem: Problem, message: str) -> list[str]:
    """What is wrong with a refusal: a feasible gain, or numbers that are in range."""
    if "no gain" in message:
        return infeasible(problem)
    if "outside 1e-30" in message or "below 1e-30" in message:
        return [] if not in_range(problem) else [f"in range, but: {message}"]
    if "no optimum" in message:
        return [] if any(_is_lossless(task.g) for task in problem.tasks) else [message]
    return [message]


def in_range(problem: Problem) -> bool:
    """Whether every number but 0 has a size between 1e-30 and 1e30."""
    plants = [plant for task in problem.tasks for plant in (task.f, task.g)]
    rows = [row for x in plants for M in (x.A, x.B, x.Q, x.R, x.moment) for row in M]
    numbers = [problem.step.eta, *problem.weights, *(x for row in rows for x in row)]
    return all(x == 0 or Fraction(1, 10**30) <= abs(x) <= 10**30 for x in numbers)


def _is_lossless(plant: families.Plant) -> bool:
    return plant.Q[0][0] == 0 and plant.discount * plant.A[0][0] ** 2 == 1
