"""A tree of boxes, in two to four parameters, none of which holds a minimiser of h.

Coordinates, tree and leaves are those of `benign.certificates.below`, without leaves `m`. Let c be the
level, infinite for none.

If the root box holds every gain that stabilises all adaptation plants ("bounded"), then h > c at every
gain: otherwise h would attain its least value over the leaves `g`, `s` and `n` at a local minimiser, as
is shown there, and none of them holds one. If it need not, the leaves `u`, `o`, `r` and `l` still say
that h > c in the root box; with others only that no local minimiser with h ≤ c is in it.
"""

from __future__ import annotations

import math
from typing import Any

from flint import arb, arb_mat, ctx

from benign.balls.box_tests import BoxTests
from benign.balls.boxes import BoxObjective
from benign.balls.lqr import BallPlant, NotStabilising, least_cost, optimum
from benign.balls.matrices import Unproved, to_ball_matrix
from benign.balls.rim import Box, Rim
from benign.certificates.below import (
    DEPTH,
    LEAF_SECONDS,
    MAX_ENTRIES,
    MAX_SHOTS,
    MEANING,
    PRECISION,
    read_frame,
    require_bounded,
    require_semicontinuous,
)
from benign.certificates.below_tree import leaves, read_tree
from benign.certificates.claim import Cost, Progress
from benign.certificates.gains import gain_rows, require_well_posed
from benign.certificates.reading import Refused
from benign.exact.numbers import exact
from benign.exact.problem import Problem
from benign.exact.rounding import at_least

TREE = "tree"

SLOPED = frozenset("gsn")
"""Leaves in which h may be finite and at or below the level, without a local minimiser."""


def prove_tree(
    proof: dict[str, Any], problem: Problem, level: float, progress: Progress | None = None
) -> str:
    """Prove a tree again; the statement proved.

    Args:
        proof: frame, bounded, tree, and for each task a gain near the optimum of its adaptation cost,
            from which lower bounds are sought; no gain can make them wrong.
        problem: the problem of the document.
        level: c > 0.
        progress: called now and then with the leaves done and their number.

    Raises:
        Refused: it is no proof; the message says where.
    """
    p = problem.family.n * problem.family.m
    if problem.step.kind != "gradient":
        raise Refused("problem: a tree is for the gradient step")
    if not 2 <= p <= MAX_ENTRIES or problem.step.shots > MAX_SHOTS:
        raise Refused(f"problem: gains of 2 to {MAX_ENTRIES} entries and {MAX_SHOTS} shots at most")
    require_well_posed(problem)
    tree = read_tree(proof["tree"], p)
    bounded = proof["bounded"]
    if not isinstance(bounded, bool):
        raise Refused("bounded: expected true or false")
    with ctx.workprec(PRECISION):
        try:
            objective = BoxObjective(problem, read_frame(proof["frame"], problem, p))
        except Unproved as error:
            raise Refused(f"frame: {error}") from None
        if bounded:
            require_bounded(objective)
            if "s" in tree:
                require_semicontinuous(problem)
        ceiling = None if level == math.inf else arb(level)
        tests = _tests(proof["witnesses"], problem, objective, ceiling)
    count = sum(not letter.isdigit() for letter in tree)
    for done, (place, letter, (lo, hi)) in enumerate(leaves(tree, p)):
        if progress is not None and done % 64 == 0:
            progress(done, count)
        if letter == "m" or not tests.shown(letter, Box.between(lo, hi), DEPTH):
            box = ", ".join(f"[{a!r}, {b!r}]" for a, b in zip(lo, hi, strict=True))
            raise Refused(f"tree: the leaf at {place} is not {letter!r} ({MEANING[letter]}): {box}")
    if progress is not None:
        progress(count, count)
    return _statement(level, bounded=bounded, sloped=not SLOPED.isdisjoint(tree))


def _statement(level: float, *, bounded: bool, sloped: bool) -> str:
    place = "" if bounded else " in the box of gains that was searched"
    if sloped and not bounded:
        height = "" if level == math.inf else f" with h ≤ {at_least(level, 17)}"
        return f"no gain{place} is a local minimiser of h{height}"
    if level != math.inf:
        return f"h exceeds {at_least(level, 17)} at every gain{place}"
    return f"no gain{place} is feasible: each fails to stabilise some task, before or after adaptation"


def _tests(witnesses: Any, problem: Problem, objective: BoxObjective, level: arb | None) -> BoxTests:
    """The tests of leaves, with lower bounds of each task's f and the bounds of g at its rim."""
    starts = _read_witnesses(witnesses, problem)
    f, g = ([BallPlant.of(getattr(task, which)) for task in problem.tasks] for which in "fg")
    least = [_least(plant, start) for plant, start in zip(f, starts, strict=True)]
    weights = objective.weights
    total = sum((w * x for w, x in zip(weights, least, strict=True)), arb(0))
    rims: list[Rim | None] = []
    for task, start in enumerate(starts):
        highest = None
        if level is not None:
            # ω f ≤ c − Σ of the others' ω f*.
            highest = ((level - total) / weights[task] + least[task]).upper()
        try:
            witness = optimum(g[task], start).gain.mid()
        except (Unproved, NotStabilising):
            witness = start
        try:
            rims.append(Rim(objective, task, witness, highest))
        except (Unproved, NotStabilising):
            rims.append(None)
    return BoxTests(objective, level, least, rims)


def _least(plant: BallPlant, start: arb_mat) -> arb:
    try:
        return least_cost(plant, start)
    except (Unproved, NotStabilising):
        return arb(0)


def _read_witnesses(value: Any, problem: Problem) -> list[arb_mat]:
    if not isinstance(value, list) or len(value) != len(problem.tasks):
        raise Refused("proof.witnesses: expected a gain for each task")
    rows = [gain_rows(problem, gain) for gain in value]
    return [to_ball_matrix([[exact(x) for x in row] for row in gain]) for gain in rows]


def tree_cost(proof: dict[str, Any], problem: Problem) -> Cost:
    """Each leaf is tested with every task, and halved now and then; the polynomials are made once."""
    n, m, k = problem.family.n, problem.family.m, len(problem.tasks)
    tree = proof["tree"]
    count = len(tree) / 2 if isinstance(tree, str) else 0
    work = k * problem.step.shots * LEAF_SECONDS.get(n * m, 1.0)
    symbols = k * 1e-5 * problem.digits * n**4
    return Cost(seconds=count * work + symbols * (1 + n * m) ** 4, megabytes=symbols)
