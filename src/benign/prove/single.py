"""Theorem S (`benign.certificates.single`): the gains it speaks of, and the one stationary point there.

All is found in floating point, and shown in balls.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from flint import arb, ctx

from benign.balls.scalar import BallCost, BallObjective, Span
from benign.certificates.check import PRECISION
from benign.certificates.reading import Bounds, Refused
from benign.certificates.single import THEOREM_S, THETA, inside, optima, prove_single, require_single
from benign.exact.problem import Problem
from benign.exact.rounding import at_least, enclosing_floats, exactly, to_ball

HALVINGS = 40
"""Of the way from an optimum to a rim: what is left of it is not missed."""

MARGIN = 1e-9
"""By how much θ is undercut, relatively, so that balls show what floats have found."""


def single(problem: Problem, W: float | None = None) -> dict[str, Any]:
    """Claim, gains and point for a certificate: where h is strictly convex, and its minimiser there.

    Args:
        problem: the problem.
        W: a gain that is to be among those where h is shown to be convex; None for any.

    Raises:
        Refused: the theorem does not apply; the message says why.
    """
    with ctx.workprec(PRECISION):
        u, v = _convex(problem)
        if W is not None and not u <= W <= v:
            raise Refused(
                f"{THEOREM_S} speaks of the gains in [{u!r}, {v!r}]; W = {W!r} is none of them"
            )
        lo, hi = _point(problem, u, v)
        prove_single(problem, (u, v), (lo, hi))
    return {"claim": THEOREM_S, "W": [lo, hi], "convex": [u, v]}


def _convex(problem: Problem) -> Bounds:
    """About all of S_θ: from beside the least optimum to beside the greatest, as far as ηC'' ≤ θ."""
    plants = {*require_single(problem)}
    best = [W.bounds for W in optima([*plants])]
    costs, eta = [BallCost(plant) for plant in plants], to_ball(problem.step.eta)
    limit = to_ball(THETA) * (1 - MARGIN)

    def is_safe(w: float) -> bool:
        for cost in costs:
            slopes = cost.slopes(Span(arb(w), arb(w)))
            if not slopes.inside or not eta * slopes.d2.hi <= limit:
                return False
        return True

    first, last = min(low for low, _ in best), max(high for _, high in best)
    if not (is_safe(first) and is_safe(last)):
        raise Refused(
            f"{THEOREM_S} needs ηC'' ≤ {exactly(THETA)} for every task at every task's optimum: "
            f"{_largest_eta(costs, (first, last))}; it is {float(problem.step.eta):g}"
        )
    return _furthest(is_safe, first, -1), _furthest(is_safe, last, 1)


def _largest_eta(costs: list[BallCost], ends: Bounds) -> str:
    """Up to which η the theorem applies, in words; C'' is convex, so that two gains tell."""
    slopes = [cost.slopes(Span(arb(w), arb(w))) for cost in costs for w in ends]
    if not all(s.inside for s in slopes):
        return "an optimum of one does not stabilise another, whatever eta is"
    most = max(enclosing_floats(s.d2.hi)[1] for s in slopes)
    return f"eta up to {at_least(float(THETA) / most * (1 - MARGIN), 4)}"


def _furthest(is_safe: Callable[[float], bool], start: float, side: int) -> float:
    """About the last gain on one side up to which all are safe."""
    reach = 1e-3 * (1 + abs(start))
    while is_safe(start + side * reach) and reach < 1e30:
        reach *= 2
    near, far = 0.0, reach
    for _ in range(HALVINGS):
        middle = 0.5 * (near + far)
        near, far = (middle, far) if is_safe(start + side * middle) else (near, middle)
    return start + side * near


def _point(problem: Problem, u: float, v: float) -> Bounds:
    """A short interval in which h' changes sign; h' rises all over [u, v]."""
    objective = BallObjective(problem)

    def slope(w: float) -> int:
        d1 = objective.point(arb(w)).d1
        return 1 if d1.is_positive else -1 if d1.is_negative else 0

    if slope(u) >= 0 or slope(v) <= 0:
        raise Refused(f"{THEOREM_S}: the tasks' optima lie too near where ηC'' = {exactly(THETA)}")
    lo, hi = u, v
    while (middle := 0.5 * (lo + hi)) not in (lo, hi):
        side = slope(middle)
        if side == 0:
            break
        lo, hi = (middle, hi) if side < 0 else (lo, middle)
    if slope(middle) != 0:
        return lo, hi
    reach = math.ulp(middle)
    while not (slope(max(middle - reach, u)) < 0 < slope(min(middle + reach, v))):
        reach *= 4
    return max(middle - reach, u), min(middle + reach, v)


def reason(problem: Problem) -> str:
    """What the theorem says of a problem, in a sentence for people; empty where it does not apply."""
    try:
        found = single(problem)
    except Refused:
        return ""
    among = inside(*found["convex"], digits=4)
    return (
        f"Proved (Theorem S): among the gains with ηC'' ≤ {exactly(THETA)} for every task, {among} and "
        "all the tasks' optima among them, h is strictly convex and has one minimum: a descent that "
        "stays there ends in it, wherever it starts."
    )
