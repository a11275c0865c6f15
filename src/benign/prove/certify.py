"""The verb `certify`: the strongest claim about one gain that can be proved, as a certificate."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from flint import arb, ctx

from benign.balls.scalar import BallObjective
from benign.certificates import pointwise, quantitative, regret
from benign.certificates.anywhere import require_condition
from benign.certificates.check import PRECISION
from benign.certificates.document import sealed
from benign.certificates.gains import Rows, gain_rows, require_well_posed
from benign.certificates.pointwise import Proved, piece_of, piece_slope, prove_point, require_family
from benign.certificates.quantitative import QUANTITATIVE
from benign.certificates.reading import Bounds, Refused
from benign.certificates.regret import REGRET, prove_scalar
from benign.certificates.single import THEOREM_S
from benign.errors import ClaimError, ProblemError
from benign.exact.documents import problem_from_json, problem_to_json
from benign.exact.numbers import exact
from benign.exact.pieces import pieces
from benign.exact.problem import Problem
from benign.prove.near import NEAR, Near
from benign.prove.single import single

STATIONARY = pointwise.CLAIMS
"""The claims about a stationary point, strongest first."""

BOUNDS: dict[str, Callable[[Problem, Rows], Proved]] = {
    REGRET: regret.prove_rows,
    QUANTITATIVE: quantitative.prove_rows,
}
"""The claims for more than one state or input."""

CLAIMS = (*STATIONARY, REGRET, QUANTITATIVE, THEOREM_S)
"""All claims about one gain; the last speaks of the gains around it as well."""

LONGEST = 40
"""Characters of a name that are looked at."""

SLACK = 2.0**-40
"""Relative room between the gap that is proved and the one that is claimed, so that a python-flint
that rounds differently still proves it."""


def certify(objective: Any, W: Any, claim: str | None = None) -> dict[str, Any]:
    """A certificate about one gain: the strongest claim that applies, or the one asked for.

    Args:
        objective: a `MetaObjective` or an exact `Problem`.
        W: for one state and one input the gain, or a float near the stationary point that is meant;
            otherwise the gain, (m, n), as an array or a list of rows.
        claim: one of `CLAIMS`, in letters of either case. None tries them, strongest first, but not
            the quantitative form nor theorem S. The regret bound comes last and applies to any gain of
            the domain.

    Raises:
        ClaimError: the conditions are not met; the message gives each claim's reason.
        ProblemError: the problem is not one that a proof covers.

    Source: Theorems 1 to 3 and Propositions 1 and 2 of arXiv 2006.00453; the non-singular form,
    the regret bound, the quantitative form and theorem S are ours.
    """
    problem: Problem = objective if isinstance(objective, Problem) else objective.problem
    claim = None if claim is None else _named(claim)
    document = problem_to_json(problem)
    problem = problem_from_json(document)  # as the checker will read it
    if problem.family.is_scalar and claim != QUANTITATIVE:
        found = _about_scalar(problem, W, claim)
    else:
        found = _about_rows(problem, W, claim)
    return sealed({"problem": document, **found})


def _about_scalar(problem: Problem, W: Any, claim: str | None) -> dict[str, Any]:
    """The claim, the gain's bounds and the gap, for one state and one input."""
    gain = _number(W)
    reasons: dict[str, str] = {}
    for name in (*STATIONARY, REGRET) if claim is None else (claim,):
        try:
            with ctx.workprec(PRECISION):
                if name == THEOREM_S:
                    return single(problem, gain)
                if name == REGRET:
                    return {"claim": name, "W": [gain, gain], "gap": prove_scalar(problem, gain).gap}
                require_family(problem, name)
                lo, hi = _bracket(problem, gain)
                return {"claim": name, "W": [lo, hi], "gap": prove_point(problem, name, lo, hi).gap}
        except Refused as error:
            reasons.setdefault(str(error), name)
    raise ClaimError("; ".join(f"{name}: {reason}" for reason, name in reasons.items()))


def _named(claim: Any) -> str:
    """The claim that is meant, read without regard to case and spaces.

    Raises:
        ClaimError: there is none of that name.
    """
    if isinstance(claim, str):
        given = " ".join(claim[:LONGEST].split()).casefold()
        for name in CLAIMS:
            if given == name.casefold():
                return name
        raise ClaimError(f"unknown claim {claim[:LONGEST]!r}; there are: {', '.join(CLAIMS)}")
    raise ClaimError(f"unknown claim of type {type(claim).__name__}; there are: {', '.join(CLAIMS)}")


def _about_rows(problem: Problem, W: Any, claim: str | None) -> dict[str, Any]:
    """The claim, the gain's rows or a box of gains, and the gap."""
    reasons: dict[str, str] = {}
    try:
        rows = gain_rows(problem, _rows(problem, W))
        require_well_posed(problem)
    except Refused as error:
        raise ClaimError(str(error) if claim is None else f"{claim}: {error}") from error
    point = Near(problem, rows, quick=claim is None)
    for name in (*STATIONARY, REGRET) if claim is None else (claim,):
        try:
            if name in BOUNDS:
                gap = BOUNDS[name](problem, rows).gap * (1.0 + SLACK)
                return {"claim": name, "W": [list(row) for row in rows], "gap": gap}
            require_family(problem, name)
            require_condition(problem, name, point.found)
            return {"claim": name, "W": point.box, "gap": 0.0}
        except Refused as error:
            reasons.setdefault(str(error), name)
    raise ClaimError("; ".join(f"{name}: {reason}" for reason, name in reasons.items()))


DEEPEST = 3
"""Lists around a scalar gain, at most."""


def _listed(W: Any) -> Any:
    """An array as lists; masked numbers are none."""
    if hasattr(W, "mask"):
        raise ClaimError("W: a masked array; give numbers for what is masked (W.filled(...))")
    return W.tolist() if hasattr(W, "tolist") else W


def _number(W: Any) -> float:
    """A scalar gain, also as an array or rows that hold just one number."""
    value = _listed(W)
    for _ in range(DEEPEST):
        if isinstance(value, (list, tuple)) and len(value) == 1:
            value = value[0]
    try:
        return float(exact(value))
    except ProblemError:
        raise ClaimError(f"W must be one finite number, got {str(W)[:60]}") from None


def _rows(problem: Problem, W: Any) -> Any:
    """A gain as rows of floats, from rows or a flat list of numbers of any kind; else as it is."""
    m, n = problem.family.m, problem.family.n
    given = _listed(W)
    if not isinstance(given, (list, tuple)):
        given = [given]
    if len(given) == m * n and not any(isinstance(row, (list, tuple)) for row in given):
        given = [list(given[i * n : (i + 1) * n]) for i in range(m)]
    if not all(isinstance(row, (list, tuple)) for row in given):
        return given
    try:
        return [[float(exact(x)) for x in row] for row in given]
    except ProblemError as error:
        raise ClaimError(f"W: {error}") from None


def _bracket(problem: Problem, w: float) -> Bounds:
    """A short interval around the stationary point next to w in which h' changes sign.

    Found by Newton's method in floating point; that it holds a stationary point is proved later.
    """
    slope = _slope_at(problem, w)
    x = w
    step = 1e-7 * (1.0 + abs(w))
    for _ in range(50):
        here, there = slope(x), slope(x + step)
        rate = (there - here) / step
        if not math.isfinite(rate) or rate == 0:
            raise Refused(f"h' is not finite near W = {w!r}")
        following = x - here / rate
        if abs(following - w) > NEAR * (1.0 + abs(w)):
            raise Refused(
                f"W = {w!r} is no stationary point: h' is {slope(w):.3g} there, and none lies near"
            )
        if abs(following - x) <= 2.0**-50 * abs(x):
            break
        x = following
    reach = math.ulp(x)
    while reach < NEAR * (1.0 + abs(w)):
        if slope(x - reach) < 0 < slope(x + reach):
            return x - reach, x + reach
        reach *= 4.0
    raise Refused(f"h' does not rise through zero near W = {w!r}: no minimum there")


def _slope_at(problem: Problem, w: float) -> Callable[[float], float]:
    """h' as a float function near w."""
    if problem.step.kind == "gradient":
        objective = BallObjective(problem)

        def gradient(x: float) -> float:
            point = objective.point(arb(x))
            if not point.inside:
                raise Refused(f"W = {x!r} is not in the domain of h")
            return float(point.d1.lo.mid())

        return gradient
    piece = piece_of(*pieces(problem), w, w)
    return lambda x: float(piece_slope(problem, piece, arb(x)).lo.mid())
