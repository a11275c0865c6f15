"""Certificates: what was proved, as small JSON documents.

A certificate holds the problem in exact numbers, the claim, and what a checker needs to prove the
claim again (`benign.certificates.check`). Floats stand for the binary numbers they are; an infinite
bound is the string "inf". The digest guards against accidents, not against forgers: the checker
never trusts it, it proves.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from flint import arb, ctx

from benign.certificates.gaps import QUANTITATIVE, gap_claim
from benign.certificates.pointwise import (
    CLAIMS,
    REGRET,
    piece_of,
    piece_slope,
    prove_point,
    require_family,
)
from benign.certificates.reading import Refused
from benign.errors import ClaimError
from benign.rigorous.balls import BallObjective
from benign.rigorous.cover import Cover
from benign.rigorous.pieces import pieces
from benign.rigorous.problem import Problem, problem_to_json

if TYPE_CHECKING:
    from collections.abc import Callable

VERSION = 1
ENUMERATION = "complete enumeration"

Bounds = tuple[float, float]


def enumeration_certificate(
    problem: Problem,
    *,
    cover: Cover | None,
    domain: Sequence[tuple[Bounds, Bounds]],
    points: Sequence[Mapping[str, Any]],
    undecided: Sequence[tuple[Bounds, Bounds]],
    minimum: Bounds,
    epsilon: Bounds,
    asked: Fraction,
    status: str,
) -> dict[str, Any]:
    """The claim that a list of stationary points is complete, and what follows for ε."""
    document: dict[str, Any] = {
        "claim": ENUMERATION,
        "problem": problem_to_json(problem),
        "domain": plain(domain),
        "points": plain(points),
        "undecided": [{"W": plain(w), "value": plain(v)} for w, v in undecided],
        "minimum": plain(minimum),
        "epsilon": plain(epsilon),
        "asked": str(asked),
        "status": status,
    }
    if cover is not None:
        document["cover"] = {"points": list(cover.points), "tags": cover.tags}
    return sealed(document)


def sealed(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with its format, version and digest."""
    body = {"benign": "certificate", "version": VERSION, **document}
    body.pop("digest", None)
    return {**body, "digest": digest(body)}


def digest(document: Mapping[str, Any]) -> str:
    """SHA-256 of the document without its digest, keys sorted."""
    body = {key: value for key, value in document.items() if key != "digest"}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "sha256:" + hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def plain(value: Any) -> Any:
    """Tuples as lists, infinities as strings: what JSON can hold."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, float) and math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return value


# --- claims about one gain -------------------------------------------------------------------

NEAR = 1e-6
"""How far, relative to 1 + |W|, a gain may lie from the stationary point it is taken for."""


def certify(objective: Any, W: Any, claim: str | None = None) -> dict[str, Any]:
    """A certificate about one gain: the strongest claim that applies, or the one asked for.

    Args:
        objective: a `MetaObjective` or an exact `Problem`.
        W: for one state and one input the gain, or a float near the stationary point that is meant;
            otherwise the gain, (m, n), as an array or a list of rows.
        claim: one of `benign.certificates.pointwise.CLAIMS`, or of `benign.certificates.gaps.GAPS`
            (the only ones in more dimensions); None tries the former, strongest first, but not the
            quantitative form. The regret bound comes last and applies to any gain of the domain.

    Raises:
        ClaimError: the conditions are not met; the message gives each claim's reason.

    Source: Theorems 1 to 3 and Propositions 1 and 2 of arXiv 2006.00453; the non-singular form,
    the regret bound and the quantitative form are ours.
    """
    problem: Problem = objective if isinstance(objective, Problem) else objective.problem
    known = (*CLAIMS, QUANTITATIVE)
    if claim is not None and claim not in known:
        raise ClaimError(f"unknown claim {claim!r}; there are: {', '.join(known)}")
    if claim == QUANTITATIVE or not problem.family.is_scalar:
        return sealed(gap_claim(problem, W, claim))
    gain = _number(W)
    reasons: dict[str, str] = {}
    for name in CLAIMS if claim is None else (claim,):
        try:
            with ctx.workprec(128):
                require_family(problem, name)
                lo, hi = (gain, gain) if name == REGRET else _bracket(problem, gain)
                proved = prove_point(problem, name, lo, hi)
        except Refused as error:
            reasons.setdefault(str(error), name)
            continue
        return sealed(
            {
                "claim": name,
                "problem": problem_to_json(problem),
                "W": [lo, hi],
                "gap": proved.gap,
            }
        )
    raise ClaimError("; ".join(f"{name}: {reason}" for reason, name in reasons.items()))


def _number(W: Any) -> float:
    """A scalar gain, also as an array or rows that hold just one number."""
    value = W.tolist() if hasattr(W, "tolist") else W
    while isinstance(value, (list, tuple)) and len(value) == 1:
        value = value[0]
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise ClaimError(f"W must be one finite number, got {str(W)[:60]}")
    return float(value)


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
