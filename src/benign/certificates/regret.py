"""The regret bound: how far h(W) can be above inf h, for any gain, any tasks and any number of states.

Every f_τ(F_τ(V)) is at least inf f_τ, whatever V; so inf h ≥ Σ ω_τ inf f_τ and

    h(W) − inf h ≤ Σ ω_τ (f_τ(F_τ(W)) − inf f_τ).

Where the lower bound of inf h is positive the excess is at most so much of it, in proportion: the
optional "relative" of a document. As h(V) ≤ h(W) wherever a method that starts at W and never raises h
ends, the bound is one of what such a method loses, before it has run.

For one state and one input the optima are exact numbers. Otherwise inf f_τ is bounded from below by a
sub-solution of the Riccati equation (`benign.balls.lqr.least_cost`); neither a Riccati solution nor an
optimal gain is taken from the document. The bound is ours.
"""

from __future__ import annotations

from fractions import Fraction
from math import isfinite

from flint import arb, arb_mat, ctx

from benign.balls.lqr import ClosedLoop, LqrObjective, gain_matrix, least_cost
from benign.balls.matrices import Unproved
from benign.balls.scalar import BallCost, BallObjective, Span
from benign.certificates.claim import Claim, Cost, Document, Progress
from benign.certificates.gains import (
    Rows,
    at_enough_bits,
    gain_cost,
    gain_rows,
    listed,
    require_well_posed,
)
from benign.certificates.pointwise import Proved, piece_of, scalar_cost
from benign.certificates.reading import Refused, interval, number
from benign.exact.pieces import pieces
from benign.exact.plants import scalar_plants
from benign.exact.problem import Plant, Problem
from benign.exact.rounding import at_most, enclosing_floats, to_ball
from benign.exact.surd import optimum
from benign.text import quoted

REGRET = "regret bound"


def _prove(document: Document, problem: Problem, progress: Progress | None) -> str:
    asked = "relative" in document
    if problem.family.is_scalar:
        scalar_plants(problem)  # refuses what is of the wrong sign or out of range
        lo, hi = interval(document, "W")
        if lo != hi:
            raise Refused("W: the regret bound is for one gain, not for an interval")
        proved = prove_scalar(problem, lo, relative=asked)
    else:
        require_well_posed(problem)
        proved = prove_rows(problem, gain_rows(problem, document["W"]), relative=asked)
    gap = number(document["gap"], "gap")
    if not gap >= proved.gap:
        raise Refused(f"gap: {gap!r} is less than what is proved, {proved.gap!r}")
    if proved.relative is None:
        return proved.statement
    share = number(document["relative"], "relative")
    if not share >= proved.relative:
        raise Refused(f"relative: {share!r} is less than what is proved, {proved.relative!r}")
    return (
        f"{proved.statement}, which is at most {percent(proved.relative)} % of it; so it does wherever "
        "a method ends that starts there and never raises h"
    )


def percent(relative: float) -> str:
    """An upper bound of a proportion in per cent, in a few digits."""
    return at_most(100 * Fraction(relative) if isfinite(relative) else relative, 3)


def _cost(document: Document, problem: Problem) -> Cost:
    return scalar_cost(document, problem) if problem.family.is_scalar else gain_cost(problem)


CLAIM = Claim(REGRET, frozenset({"W", "gap"}), _cost, _prove, optional=frozenset({"relative"}))


def prove_rows(problem: Problem, W: Rows, *, relative: bool = False) -> Proved:
    """The bound at a gain (m, n), for a problem that is well posed.

    Raises:
        Refused: h is not finite there, or that could not be shown; a relative bound was asked for and
            inf h could not be shown to be positive.
    """
    gap = at_enough_bits(lambda: _regret(problem, gain_matrix(W))[0])
    share = at_enough_bits(lambda: _share(*_regret(problem, gain_matrix(W)))) if relative else None
    statement = f"h at the gain {listed(W)} exceeds the infimum of h by at most {at_most(gap)}"
    return Proved(statement, gap, share)


def _regret(problem: Problem, W: arb_mat) -> tuple[arb, arb]:
    """Σ ω_τ (f_τ(F_τ(W)) − f_τ*) and Σ ω_τ f_τ*, f_τ* a lower bound of inf f_τ."""
    objective = LqrObjective(problem)
    total, floor = arb(0), arb(0)
    for task, weight in enumerate(objective.weights):
        last = objective.visit(task, W).last
        # F_τ(W) stabilises: the search for the sub-solution may begin there.
        least = _least(problem.tasks[task].f, last)
        total += weight * (last.cost - least)
        floor += weight * least
    return total, floor


def _share(regret: arb, floor: arb) -> arb:
    """(h − inf h)/inf h is at most regret/floor, as inf h ≥ floor."""
    if not floor > 0:
        raise Unproved("the infimum of h could not be shown to be positive")
    return regret / floor


MOST_KNOWN = 1024
"""Plants whose least cost is remembered, at most."""

_known: dict[tuple[Plant, int], arb] = {}
"""Lower bounds that were proved, by the exact numbers of a plant and the bits of the balls: the bound
holds for every gain, and a landscape asks for it at each of its minima."""


def _least(plant: Plant, loop: ClosedLoop) -> arb:
    """inf f of a task from below, from a gain that stabilises."""
    key = plant, ctx.prec
    bound = _known.get(key)
    if bound is None:
        bound = least_cost(loop.plant, loop.W)
        if bound > 0:  # zero is what is left where no sub-solution was found: another gain may do
            if len(_known) >= MOST_KNOWN:
                _known.clear()
            _known[key] = bound
    return bound


def prove_scalar(problem: Problem, w: float, *, relative: bool = False) -> Proved:
    """The bound at a gain, for one state and one input; at the working precision.

    Raises:
        Refused: h is not finite there, or a task's optimum is not attained; a relative bound was asked
            for and inf h could not be shown to be positive.
    """
    f, _ = scalar_plants(problem)
    adapted = _adapted(problem, w)
    regret, floor = arb(0), arb(0)
    for task, plant, weight, gain in zip(problem.tasks, f, problem.weights, adapted, strict=True):
        cost, best = BallCost(plant), optimum(plant)
        if best is None:
            raise Refused(f"task {quoted(task.name)}: its optimal cost is not attained")
        star = best.ball()
        least = cost.slopes(Span(star, star)).value
        regret += to_ball(weight) * (cost.slopes(gain).value - least).hi
        floor += to_ball(weight) * least.lo
    gap, share = max(enclosing_floats(regret)[1], 0.0), None
    if relative:
        try:
            share = max(enclosing_floats(_share(regret, floor))[1], 0.0)
        except Unproved as error:
            raise Refused(str(error)) from None
    return Proved(f"h({w!r}) exceeds min h by at most {at_most(gap)}", gap, share)


def _adapted(problem: Problem, w: float) -> tuple[Span, ...]:
    if problem.step.kind == "gradient":
        point = BallObjective(problem).point(arb(w))
        if not point.inside:
            raise Refused(f"W = {w!r} is not in the domain of h")
        return point.adapted
    piece = piece_of(*pieces(problem), w, w)
    eta = to_ball(problem.step.eta)
    moved = [arb(w) + int(shift) * eta for shift in piece.shifts]
    return tuple(Span(x, x) for x in moved)
