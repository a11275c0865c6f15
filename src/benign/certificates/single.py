"""Theorem S: one stationary point where every task's step is small, however much the tasks differ.

Of one state and one input, one gradient step, f = g, S0 > 0. Let θ = 0.28 and let [u, v] hold the
optimum W_i* of every task, with ηC_i'' ≤ θ at u and at v for every i. Then h is strictly convex on

    S_θ = {W : ηC_i''(W) ≤ θ for every i},

an interval that holds [u, v], and has exactly one stationary point there: a local minimiser between the
least and the greatest W_i*. The proof is in docs/theory.md; here its conditions are shown:

*   C_i'' is convex, so that it is at most θ/η all over [u, v] if it is at u and at v;
*   u ≤ W_i* ≤ v, in exact numbers;
*   h' < 0 at the lower end of the interval that is claimed for the point, h' > 0 at the upper one.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from flint import arb

from benign.balls.scalar import BallCost, BallObjective, Span
from benign.certificates.claim import Claim, Document, Progress
from benign.certificates.pointwise import scalar_cost
from benign.certificates.reading import Bounds, Refused, interval
from benign.exact.plants import ScalarPlant, scalar_plants
from benign.exact.problem import Problem
from benign.exact.rounding import at_least, at_most, between, exactly, to_ball
from benign.exact.surd import Surd, optimum

THEOREM_S = "theorem S"

THETA = Fraction(7, 25)
"""The largest ηC'' for which the proof holds is 0.28377…; the theorem fails from some 0.2918 on."""


def require_single(problem: Problem) -> list[ScalarPlant]:
    """The plants of a problem that the theorem speaks of.

    Raises:
        Refused: it does not; the message says why.
    """
    f, g = scalar_plants(problem)  # refuses what is not scalar, of the wrong sign or out of range
    if problem.step.kind != "gradient" or problem.step.shots != 1:
        raise Refused(f"{THEOREM_S} is about one shot of the gradient step, not {problem.step}")
    if f != g:
        raise Refused(f"{THEOREM_S} needs f = g; a task of this family adapts on another cost")
    if any(plant.s <= 0 for plant in f):
        raise Refused(f"{THEOREM_S} needs S0 > 0: otherwise a cost is not strictly convex")
    return f


def optima(plants: Sequence[ScalarPlant]) -> list[Surd]:
    """Every W_i*, exactly.

    Raises:
        Refused: an infimum is not attained.
    """
    found = {plant: optimum(plant) for plant in {*plants}}
    if any(W is None for W in found.values()):
        raise Refused(f"{THEOREM_S} needs every task's optimum; the infimum of a cost is not attained")
    return [W for W in found.values() if W is not None]


def prove_single(problem: Problem, convex: Bounds, W: Bounds) -> str:
    """Prove the theorem's conditions on `convex`, and where the stationary point is.

    Raises:
        Refused: one is not met or could not be shown; the message says which.
    """
    plants = require_single(problem)
    (u, v), (lo, hi) = convex, W
    first, last = Surd(Fraction(u)), Surd(Fraction(v))
    if not all(first <= best <= last for best in optima(plants)):
        raise Refused(f"convex: [{u!r}, {v!r}] does not hold the optimum of every task")
    eta = to_ball(problem.step.eta)
    theta = to_ball(THETA)
    for plant in {*plants}:
        cost = BallCost(plant)
        for end in (u, v):
            slopes = cost.slopes(Span(arb(end), arb(end)))
            if not slopes.inside or not eta * slopes.d2.hi <= theta:
                raise Refused(
                    f"convex: ηC'' ≤ {exactly(THETA)} could not be shown of every task at {end!r}"
                )
    if not u <= lo <= hi <= v:
        raise Refused(f"W: [{lo!r}, {hi!r}] is not within [{u!r}, {v!r}]")
    objective = BallObjective(problem)
    if not (objective.point(arb(lo)).d1.is_negative and objective.point(arb(hi)).d1.is_positive):
        raise Refused(f"W: h' does not change sign between {lo!r} and {hi!r}")
    return (
        f"where ηC'' ≤ {exactly(THETA)} for every task, gains that hold all of {inside(u, v)}, h is "
        f"strictly convex and has exactly one stationary point, a local minimiser in {between(lo, hi)}"
    )


def inside(u: float, v: float, digits: int = 17) -> str:
    """[u, v] in decimals, both rounded inward: what is said of it holds of all that is shown."""
    return f"[{at_most(u, digits)}, {at_least(v, digits)}]"


def _prove(document: Document, problem: Problem, progress: Progress | None) -> str:
    return prove_single(problem, interval(document, "convex"), interval(document, "W"))


CLAIM = Claim(THEOREM_S, frozenset({"W", "convex"}), scalar_cost, _prove)
