"""Proving again that some local minimum of h is not global: it lies above another gain.

Two points are enough, whatever else is not known: a strict local minimiser W, and a gain V with
h(V) < h(W). Then the smallest ε for which h is ε-global is h(W) − h(V) at least. How the two are
shown is the proof's kind; each gives bounds of h(V) and of h(W).

`boxes`
    Two to four parameters, gradient step: two entries as in `benign.certificates.below_points`, both
    minimisers, each proved by the operator of Krawczyk and in a box on which h is strictly convex.
`points`
    Any number of states and inputs, both kinds of step, where h is smooth: two strict minimisers, each
    proved by the operator of Krawczyk in a tiny box (`benign.certificates.points`).
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import isfinite
from typing import Any

from flint import arb, ctx

from benign.balls.box_tests import BoxTests
from benign.balls.boxes import BoxObjective
from benign.balls.matrices import Unproved
from benign.certificates.below import (
    LEAF_SECONDS,
    MAX_ENTRIES,
    MAX_SHOTS,
    PRECISION,
    read_frame,
)
from benign.certificates.below_points import prove_points
from benign.certificates.claim import Claim, Cost, Document, Progress
from benign.certificates.gains import require_well_posed
from benign.certificates.points import points_cost, prove_entry
from benign.certificates.reading import Bounds, Refused, number, records
from benign.exact.numbers import exact
from benign.exact.problem import Problem
from benign.exact.rounding import at_least, between, enclosing_floats, exactly

SPURIOUS = "spurious minimum"

FIELDS = frozenset({"proof", "epsilon", "asked"})
"""What a document of this claim holds: the two points, a lower bound of ε, and the ε asked about."""

POINT_TESTS = 2_000
"""What a point takes: so many times what a leaf of a tree does, its convex box being halved for it."""


def prove_spurious(document: Document, problem: Problem, progress: Progress | None = None) -> str:
    """Prove the claim again; the statement proved.

    Raises:
        Refused: the document does not prove what it claims; the message says where.
    """
    low, high = values_of(document, problem)
    epsilon = number(document["epsilon"], "epsilon")
    if not (isfinite(epsilon) and epsilon > 0):
        raise Refused("epsilon: must be positive and finite")
    if not Fraction(high[0]) - Fraction(low[1]) >= Fraction(epsilon):
        raise Refused(
            f"epsilon: a gap of {epsilon!r} does not follow from values in {list(low)} and {list(high)}"
        )
    asked = exact(document["asked"]) if isinstance(document["asked"], str) else None
    if asked is None or not 0 <= asked < 2**1000:
        raise Refused("asked: expected a number that is not negative nor huge, as a string")
    if not Fraction(epsilon) > asked:
        raise Refused(f"asked: {document['asked'][:40]} is not refuted by a gap of {epsilon!r}")
    what = "is global" if asked == 0 else f"is within {exactly(asked)} of the global one"
    return (
        f"not every local minimum of h {what}: one of value in {between(*high)} lies at least "
        f"{at_least(epsilon)} above another gain"
    )


def values_of(document: Document, problem: Problem) -> tuple[Bounds, Bounds]:
    """Bounds of h at the two gains, the lower one first, proved again."""
    proof = document.get("proof")
    kind = proof.get("kind") if isinstance(proof, dict) else None
    if not isinstance(proof, dict) or not isinstance(kind, str) or kind not in _KINDS:
        raise Refused(f"proof: expected one of the kinds {', '.join(_KINDS)}")
    return _KINDS[kind](proof, problem)


def _prove_boxes(proof: dict[str, Any], problem: Problem) -> tuple[Bounds, Bounds]:
    """Bounds of h at two minimisers in a frame, the lower one first."""
    p = problem.family.n * problem.family.m
    if set(proof) != {"kind", "frame", "minimisers"}:
        raise Refused("proof: expected a frame and minimisers")
    if problem.step.kind != "gradient":
        raise Refused("problem: these points are of the gradient step")
    if not 2 <= p <= MAX_ENTRIES or problem.step.shots > MAX_SHOTS:
        raise Refused(f"problem: gains of 2 to {MAX_ENTRIES} entries and {MAX_SHOTS} shots at most")
    require_well_posed(problem)
    if not isinstance(proof["minimisers"], list) or len(proof["minimisers"]) != 2:
        raise Refused("proof.minimisers: expected two")
    with ctx.workprec(PRECISION):
        try:
            objective = BoxObjective(problem, read_frame(proof["frame"], problem, p))
        except Unproved as error:
            raise Refused(f"frame: {error}") from None
        tests = BoxTests(objective, None, [arb(0)] * len(problem.tasks), [])
        low, high = prove_points(proof, objective, tests)
    return low.value, high.value


def _prove_points(proof: dict[str, Any], problem: Problem) -> tuple[Bounds, Bounds]:
    """Bounds of h at two strict minimisers next to gains that are given, the lower one first."""
    if set(proof) != {"kind", "minimisers"}:
        raise Refused("proof: expected minimisers")
    require_well_posed(problem)
    entries = records(proof, "minimisers", {"W", "value"})
    if len(entries) != 2:
        raise Refused("proof.minimisers: expected two")
    low, high = (
        _prove_minimiser(entry, f"minimisers[{i}]", problem) for i, entry in enumerate(entries)
    )
    return low, high


def _prove_minimiser(entry: dict[str, Any], place: str, problem: Problem) -> Bounds:
    found = prove_entry(entry, place, problem)
    if not found.minimum:
        raise Refused(f"{place}: ∇²h ≻ 0 could not be shown at the stationary point")
    return enclosing_floats(found.value)


_KINDS: dict[str, Callable[[dict[str, Any], Problem], tuple[Bounds, Bounds]]] = {
    "boxes": _prove_boxes,
    "points": _prove_points,
}


def _cost(document: Document, problem: Problem) -> Cost:
    n, m, k = problem.family.n, problem.family.m, len(problem.tasks)
    proof = document.get("proof")
    if isinstance(proof, dict) and proof.get("kind") == "points":
        one = points_cost(problem)
        return Cost(2 * one.seconds, one.megabytes)
    work = k * problem.step.shots * LEAF_SECONDS.get(n * m, 1.0)
    symbols = k * 1e-5 * problem.digits * n**4
    return Cost(2 * POINT_TESTS * work + symbols * (1 + n * m) ** 4, megabytes=symbols)


CLAIM = Claim(SPURIOUS, FIELDS, _cost, prove_spurious)
