"""Proofs that no gain is feasible: linear inequalities in the gain, and what a line's rims say.

What is found in floating point is only which inequalities contradict one another; their weights are
then solved for, and their sum looked at, in exact numbers.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations, islice
from math import gcd, lcm

import numpy as np
from flint import fmpq, fmpq_mat

from benign.certificates.infeasible import listed_names, rims_apart, thrown_out
from benign.clock import NO_LIMIT, Clock
from benign.errors import Cause, InfeasibleError
from benign.exact.cover import Cover, runs
from benign.exact.plants import scalar_plants
from benign.exact.problem import Plant, Problem
from benign.exact.simplex import stability_rows
from benign.exact.surd import stabilising_set
from benign.floats.taylor import Floats
from benign.prove.documents import infeasible_certificate

MOST_WORK, A_MINUTE = 1e11, 60.0
"""Largest k n⁵ times digits for which the inequalities are set up, and what that takes, in seconds."""

TOUCHING = 1e-7
"""A least sum Σ y h above this, for inequalities scaled to 1, is not looked at: gains meet them all."""

THRESHOLDS = (1e-9, 1e-12, 1e-6)
"""Weights below this, of a sum of one, are taken for zero; tried in turn."""

MOST_SUBSETS = 400
"""Sets of fewer tasks that are looked at, for the fewest that conflict."""

Weights = list[tuple[int, int, int]]
"""(task, inequality, weight)."""


def conflict(problem: Problem, clock: Clock = NO_LIMIT) -> InfeasibleError | None:
    """A proof that no gain stabilises the adaptation plants of all tasks, if this one shows it.

    For one input: n + 1 inequalities a task, of which a non-negative combination is a contradiction
    (`benign.certificates.infeasible`). A vertex of the set of all combinations whose gains cancel has
    n + 1 positive weights at most: found by linear programming, solved for exactly.
    """
    weights = _farkas(problem, clock)
    if weights is None:
        return None
    names = [problem.tasks[i].name for i in _tasks(weights)]
    if len(names) == 1:
        why = f"none stabilises the adaptation plant of {listed_names(names)}; leave the task out"
    else:
        why = f"{listed_names(names)} conflict already, no gain stabilises them all: split the family"
    return InfeasibleError(
        f"no gain is feasible: {why}",
        cause=Cause.CONFLICT,
        tasks=names,
        certificate=infeasible_certificate(
            problem, proof={"kind": "farkas", "weights": [[i, row, str(y)] for i, row, y in weights]}
        ),
    )


def _farkas(problem: Problem, clock: Clock) -> Weights | None:
    """The weights, or None if no contradiction was found or there is no time to look.

    Of several contradictions one of as few tasks as were found: more name less to the user.
    """
    n, tasks = problem.family.n, problem.tasks
    work = len(tasks) * n**5 * (problem.digits + 20)
    if problem.family.m != 1 or work > MOST_WORK or A_MINUTE * work / MOST_WORK > clock.left:
        return None
    first: dict[Plant, int] = {}
    for i, task in enumerate(tasks):
        first.setdefault(task.g, i)
    rows = {i: stability_rows(plant).tolist() for plant, i in first.items()}
    found = _contradiction(rows)
    return None if found is None else _of_fewest(rows, found, clock)


def _of_fewest(rows: dict[int, list[list[fmpq]]], found: Weights, clock: Clock) -> Weights:
    """The contradiction without the tasks that it can do without, then of the smallest set that is met.

    By Helly's theorem n + 1 tasks conflict if all do, and a vertex has no more; often two suffice.
    """
    for task in _tasks(found):
        fewer = [i for i in _tasks(found) if i != task]
        if clock.late or not fewer:
            break
        found = _contradiction({i: rows[i] for i in fewer}) or found
    looked = 0
    for size in range(1, len(_tasks(found))):
        for subset in islice(combinations(rows, size), MOST_SUBSETS - looked):
            if clock.late:
                return found
            looked += 1
            if (smaller := _contradiction({i: rows[i] for i in subset})) is not None:
                return smaller
    return found


def _tasks(weights: Weights) -> list[int]:
    return sorted({task for task, _, _ in weights})


def _contradiction(rows: dict[int, list[list[fmpq]]]) -> Weights | None:
    """Whole weights of inequalities, by task, whose sum is a contradiction; None if none was found."""
    from scipy.optimize import linprog

    owners = [(i, row) for i, own in rows.items() for row in range(len(own))]
    every = [row for own in rows.values() for row in own]
    G = np.array([_scaled(row) for row in every])
    n = G.shape[1] - 1
    size = np.abs(G[:, :n]).max(axis=0)
    G[:, :n] /= np.where(size > 0, size, 1.0)
    found = linprog(
        G[:, n],
        A_eq=np.vstack([G[:, :n].T, np.ones(len(G))]),
        b_eq=np.append(np.zeros(n), 1.0),
        bounds=(0, None),
        method="highs-ds",
    )
    if found.status != 0 or not found.fun <= TOUCHING:
        return None
    for threshold in THRESHOLDS:
        chosen = np.flatnonzero(found.x > threshold)
        weights = _solved([every[i] for i in chosen])
        if weights is not None:
            return [(*owners[i], y) for i, y in zip(chosen.tolist(), weights, strict=True) if y]
    return None


def _scaled(row: list[fmpq]) -> Floats:
    """A row as floats, its largest entry 1 in modulus."""
    exact = [Fraction(int(x.p), int(x.q)) for x in row]
    size = max(map(abs, exact)) or Fraction(1)
    return np.array([float(x / size) for x in exact])


def _solved(rows: list[list[fmpq]]) -> list[int] | None:
    """Whole y ≥ 0, y ≠ 0, with Σ y (g, h) = (0, −t), t ≥ 0, if they are unique but for a factor."""
    if not rows:
        return None
    columns = fmpq_mat([row[:-1] for row in rows]).transpose()
    reduced, rank = columns.rref()
    if rank != len(rows) - 1:
        return None
    pivots = [next(j for j in range(len(rows)) if reduced[i, j] != 0) for i in range(rank)]
    free = next(j for j in range(len(rows)) if j not in pivots)
    y = [fmpq(0)] * len(rows)
    y[free] = fmpq(1)
    for i, j in enumerate(pivots):
        y[j] = -reduced[i, free]
    if any(x < 0 for x in y) or not sum((x * row[-1] for x, row in zip(y, rows, strict=True))) <= 0:
        return None
    common = lcm(*(int(x.q) for x in y))
    whole = [int(x.p) * (common // int(x.q)) for x in y]
    return [x // gcd(*whole) for x in whole]


def empty_line(problem: Problem, cover: Cover | None) -> InfeasibleError:
    """That no gain is feasible for one state and one input: before adaptation already, or by the step.

    Args:
        problem: one whose domain was found to be empty.
        cover: for the gradient step, tags that leave nothing of the domain; not needed where the
            stabilising gains of two tasks lie apart.
    """
    rims = [
        (rims, task)
        for task, plant in enumerate(scalar_plants(problem)[1])
        if (rims := stabilising_set(plant)) is not None
    ]
    (low, _), right = max(rims, key=lambda entry: entry[0][0])
    (_, high), left = min(rims, key=lambda entry: entry[0][1])
    if low >= high:
        return InfeasibleError(
            f"no gain is feasible: {rims_apart(problem, right, left)}; split the family",
            cause=Cause.CONFLICT,
            tasks=[problem.tasks[i].name for i in (right, left)],
            certificate=infeasible_certificate(problem, proof={"kind": "rims", "tasks": [right, left]}),
        )
    proof: dict[str, object] = {"kind": "pieces"}
    if cover is not None:
        assert all(run.tag == "O" for run in runs(cover))
        tags = {"points": list(cover.points), "tags": cover.tags}
        proof = {"kind": "cover", "cover": tags}
    return InfeasibleError(
        f"no gain is feasible: {thrown_out(problem)}; lower eta (it is {float(problem.step.eta):g})",
        cause=Cause.STEP,
        certificate=infeasible_certificate(problem, proof=proof),
    )
