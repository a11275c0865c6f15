"""How far the numbers of a family may move before it is no longer ε-global: from below and from above.

From above a family is sought that is not ε-global (`benign.prove.line.outside`), and that is proved by
an ordinary enumeration; from below neighbourhoods are tried until a large one is shown to hold ε-global
families only (`benign.certificates.radius`).
"""

from __future__ import annotations

import time
from fractions import Fraction
from typing import Any

import numpy as np

from benign.certificates.check import check
from benign.certificates.document import sealed
from benign.certificates.radius import RADIUS
from benign.clock import NO_LIMIT, Clock
from benign.errors import BudgetError, InfeasibleError, ProblemError
from benign.exact.documents import problem_to_json
from benign.exact.neighbourhood import (
    Scales,
    around,
    member,
    require_line,
    scales_to_json,
)
from benign.exact.numbers import written
from benign.exact.problem import Problem
from benign.exact.rounding import at_least, at_most
from benign.floats.neighbours import NearbyObjective, TooMuch
from benign.prove.line.compare import compared
from benign.prove.line.enumeration import analyze, asked
from benign.prove.line.nearby import cover_nearby
from benign.prove.line.outside import Families, outside
from benign.results.radius import Radius
from benign.verdict import Status

SHARES = (
    1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55,
    0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98,
)  # fmt: skip
"""Of what was reached from above: the neighbourhoods that are tried, by bisection."""

SEEKING, PROVING = 0.3, 0.9
"""Shares of a budget: for the family outside; for neighbourhoods, after which nothing is begun."""

ROOM = Fraction(99, 100)
"""How near δ may come to where B or Q would vanish."""

BEYOND = (Fraction("1.00001"), Fraction("1.001"), Fraction("1.01"), Fraction("1.05"))
"""How far beyond the δ that floats found the family outside is placed, in turn, until it is proved."""


def radius(
    problem: Problem,
    epsilon: Any,
    scales: Scales,
    *,
    seed: int = 0,
    clock: Clock = NO_LIMIT,
) -> Radius:
    """Bounds of the largest δ for which every family within δ is ε-global.

    Args:
        problem: one state, one input, one shot of the gradient step, f = g.
        epsilon: ε > 0, exact.
        scales: how far each entry moves, in multiples of δ.
        seed: of the random corners.
        clock: when it is over, what was reached is returned.

    Raises:
        ProblemError: the problem is not such, or is not ε-global itself.
        BudgetError: the time was over before anything was known.
    """
    started = time.perf_counter()
    wanted = asked(epsilon)
    if wanted <= 0:
        raise ProblemError("epsilon: a radius is for an epsilon above zero: at zero it is zero, mostly")
    require_line(problem)
    problem.require_writable()
    _require_global(problem, wanted, clock)
    largest = _largest(problem, scales)
    from_above = _outside(problem, scales, wanted, largest, seed, clock.part(SEEKING))
    top = largest if from_above is None else from_above[0]
    found = _inside(problem, scales, wanted, top, clock.part(PROVING))
    if found is None and from_above is None:
        raise BudgetError("budget: no radius was found in the time given; give more")
    return Radius(
        problem=problem,
        epsilon=wanted,
        scales=scales,
        delta=Fraction(0) if found is None else found[0],
        certificate=None if found is None else found[1],
        above=None if from_above is None else from_above[0],
        outside=None if from_above is None else from_above[1],
        facts={"seconds": time.perf_counter() - started},
    )


def _require_global(problem: Problem, wanted: Fraction, clock: Clock) -> None:
    landscape = analyze(problem, epsilon=wanted, clock=clock)
    if landscape.verdict.status is not Status.PROVED:
        bounds = landscape.epsilon
        raise ProblemError(
            f"epsilon: the family itself is not within it: its own is in [{at_least(bounds.lo, 4)}, "
            f"{at_most(bounds.hi, 4)}]; ask about a larger one"
        )


def _largest(problem: Problem, scales: Scales) -> Fraction:
    """The δ up to which B and Q keep away from zero (Q needs to, for costs to be coercive)."""
    rooms = []
    for plant, (_, b, q, _) in zip(require_line(problem), scales, strict=True):
        rooms += [abs(plant.b) / b] if b else []
        rooms += [plant.q / q] if q else []
        if not plant.is_coercive:
            raise ProblemError("radius: Q = 0 and |A| = 1 in a task: its cost is not coercive")
    most = min(rooms, default=Fraction(1000)) * ROOM
    if not most > 0:
        raise ProblemError("radius: Q = 0 in a task: leave Q out of what varies, or give it a value")
    return most


# --- from above --------------------------------------------------------------------------------


def _outside(
    problem: Problem, scales: Scales, wanted: Fraction, largest: Fraction, seed: int, clock: Clock
) -> tuple[Fraction, dict[str, Any]] | None:
    """δ and the certificate of a family within it that is proved not to be ε-global."""
    met = outside(problem, scales, float(wanted), float(largest), seed, clock)
    if met is None:
        return None
    size, corner = met
    signs = [[Fraction(int(x)) for x in row] for row in corner]
    for factor in BEYOND:
        delta = Fraction(at_most(Fraction(size) * factor, 4))
        if clock.late or delta > largest / ROOM:
            return None
        family = member(problem, scales, [[x * delta for x in row] for row in signs])
        try:
            landscape = analyze(family, epsilon=wanted, clock=clock)
        except (InfeasibleError, BudgetError):
            return None
        document = landscape.certificate
        if landscape.verdict.status is Status.REFUTED and document is not None and check(document):
            return delta, document
    return None


# --- from below --------------------------------------------------------------------------------


def _inside(
    problem: Problem, scales: Scales, wanted: Fraction, top: Fraction, clock: Clock
) -> tuple[Fraction, dict[str, Any]] | None:
    """δ and a certificate, which the checker has accepted.

    What holds for a neighbourhood holds for a smaller one; that its proof comes out as well is likely.
    """
    best = None
    first, last = 0, len(SHARES)
    while first < last and not clock.late:
        middle = (first + last) // 2
        delta = Fraction(at_least(top * Fraction(SHARES[middle]), 4))
        try:
            document = certificate_for(problem, scales, wanted, delta, clock)
        except BudgetError:
            break
        if document is not None and check(document):
            best, first = (delta, document), middle + 1
        else:
            last = middle
    return best


def certificate_for(
    problem: Problem, scales: Scales, wanted: Fraction, delta: Fraction, clock: Clock = NO_LIMIT
) -> dict[str, Any] | None:
    """A certificate that every family within δ is ε-global; None if the proof does not come out.

    Raises:
        ProblemError: B may vanish within δ.
        BudgetError: the time is over.
    """
    objective = NearbyObjective(problem, around(problem, scales, delta), clock)
    try:
        with np.errstate(all="ignore"):
            found = cover_nearby(objective)
            if found is None:
                return None
            families = Families.of(problem, scales)
            cells = compared(objective, found.cover, families, float(delta), float(wanted))
    except (TooMuch, InfeasibleError):
        return None
    if cells is None:
        return None
    return sealed(
        {
            "claim": RADIUS,
            "problem": problem_to_json(problem),
            "asked": written(wanted),
            "delta": written(delta),
            "vary": scales_to_json(scales),
            "cover": {"points": list(found.cover.points), "tags": found.cover.tags},
            "slants": list(found.slants),
            "cells": cells,
        }
    )
