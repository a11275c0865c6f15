"""Proving a complete enumeration again, from its document alone and in ball arithmetic.

Gradient step: every tag of the cover is proved anew; what the tags imply (`benign.rigorous.cover`)
is compared with the list that is claimed; for one shot and few tasks the list is compared with the
real roots of an integer polynomial as well. Normalised step: the pieces follow exactly from the
problem, and the signs of h' at their ends are proved anew.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from flint import arb

from benign.certificates.reading import Refused, interval, number, pair, records
from benign.rigorous import globality, rational
from benign.rigorous.balls import BallCost, BallObjective, Span
from benign.rigorous.cover import TAGS, Cover, Run, domain_pieces, known_signs, runs
from benign.rigorous.likeness import is_one_task, is_proportional
from benign.rigorous.pieces import End, Piece, is_trap, limits_agree, pieces, sign_at_rest
from benign.rigorous.problem import Problem, exact
from benign.rigorous.scalar import scalar_plants
from benign.rigorous.surd import Surd, enclosing_floats, stabilising_set, to_ball

Bounds = tuple[float, float]

DEPTH = 12
"""How often a box may be halved when its tag is not proved at once."""

RESOLUTION = Fraction(1, 2**60)
"""To what part of the line real roots are narrowed before they are compared."""


@dataclass(frozen=True)
class Found:
    """A point that the checker derived itself, to be compared with the one claimed."""

    W: Bounds
    kind: str
    value: Bounds
    limits: tuple[Bounds | None, Bounds | None] | None = None


def prove_enumeration(document: dict[str, Any], problem: Problem) -> str:
    """Prove the claim again; the statement proved.

    Raises:
        Refused: the document does not prove what it claims; the message says where.
    """
    claimed = records(document, "points", {"kind", "W", "value", "limits"})
    stretches = records(document, "undecided", {"W", "value"})
    doubtful = [(interval(entry, "W"), pair(entry, "value")) for entry in stretches]
    if problem.step.kind == "gradient":
        found, jacobians = _gradient(document, problem, claimed, [w for w, _ in doubtful])
        _compare_values_of_doubt(BallObjective(problem), doubtful)
        regular = is_one_task(problem.family) and all(jacobians)
    else:
        if document.get("cover") is not None:
            raise Refused("cover: a normalised step has none")
        found = _normalized(document, problem, claimed, doubtful)
        alike = is_one_task(problem.family) or is_proportional(problem.family)
        regular = alike and all(f.kind == "minimum" for f in found if "minimum" in f.kind)
    minima = [f.value for f in found if "minimum" in f.kind]
    if not minima and not doubtful:
        raise Refused("points: there is no minimum, so nothing is claimed")
    values = [value for _, value in doubtful]
    exactly = not doubtful and (len(minima) == 1 or regular)
    epsilon = (0.0, 0.0) if exactly else globality.epsilon(minima, values)
    _within(globality.infimum(minima, values), pair(document, "minimum"), "minimum")
    _within(epsilon, pair(document, "epsilon"), "epsilon")
    return _status(document, epsilon, len(doubtful))


def _status(document: dict[str, Any], epsilon: Bounds, doubts: int) -> str:
    asked = exact(document["asked"]) if isinstance(document.get("asked"), str) else None
    if asked is None or not 0 <= asked < 2**1000:
        raise Refused("asked: expected a number that is not negative nor huge, as a string")
    status = document.get("status")
    holds = epsilon[1] != float("inf") and Fraction(epsilon[1]) <= asked
    fails = Fraction(epsilon[0]) > asked
    if (status == "proved" and not holds) or (status == "refuted" and not fails):
        raise Refused(f"status: {status!r} does not follow from epsilon in {list(epsilon)}")
    if status not in ("proved", "refuted", "undecided"):
        raise Refused(f"status: {status!r} is no verdict")
    what = "global" if asked == 0 else f"within {float(asked):g} of the global one"
    complete = f"complete but for {doubts} undecided stretches" if doubts else "complete"
    return f"{status} that every local minimum of h is {what}; the list of them is {complete}"


def _within(own: Bounds, claimed: Bounds, place: str) -> None:
    """The checker's own bounds must lie within those claimed."""
    if not (claimed[0] <= own[0] and own[1] <= claimed[1]):
        raise Refused(f"{place}: {list(claimed)} is not what was found, {list(own)}")


# --- the gradient step -----------------------------------------------------------------------


def _gradient(
    document: dict[str, Any],
    problem: Problem,
    claimed: Sequence[dict[str, Any]],
    doubtful: Sequence[Bounds],
) -> tuple[list[Found], list[bool]]:
    cover = _read_cover(document)
    _prove_root_interval(problem, cover)
    objective = BallObjective(problem)
    for i, tag in enumerate(cover.tags):
        lo, hi = cover.points[i], cover.points[i + 1]
        if not _tag_holds(objective, lo, hi, tag, DEPTH):
            raise Refused(f"cover: box {i} [{lo!r}, {hi!r}] is not {tag!r}")
    joined = runs(cover)
    signs = known_signs(joined)
    for i, sign in enumerate(signs):
        if sign == 0:
            signs[i] = _sign(objective, joined[i].lo if i < len(joined) else joined[-1].hi)
    found, jacobians = [], []
    points = iter(claimed)
    for i, run in enumerate(joined):
        if run.tag in "v^" and signs[i] and signs[i + 1]:
            if signs[i] != signs[i + 1]:
                point, regular = _stationary(objective, run, next(points, None))
                found.append(point)
                if point.kind == "minimum":
                    jacobians.append(regular)
        elif run.tag in "v^?" and not any(a <= run.lo and run.hi <= b for a, b in doubtful):
            raise Refused(f"undecided: [{run.lo!r}, {run.hi!r}] is missing")
    if next(points, None) is not None:
        raise Refused("points: more are claimed than there are")
    _compare_domain(objective, document, joined)
    if problem.step.shots == 1 and len(problem.tasks) <= rational.MAX_TASKS and not doubtful:
        _compare_algebra(objective, problem, cover, found)
    return found, jacobians


def _read_cover(document: dict[str, Any]) -> Cover:
    entry = document.get("cover")
    if not isinstance(entry, dict) or set(entry) != {"points", "tags"}:
        raise Refused("cover: missing or malformed")
    raw = entry.get("points")
    if not isinstance(raw, list):
        raise Refused("cover.points: expected a list")
    points = tuple(number(x, "cover.points") for x in raw)
    tags = entry["tags"]
    if not isinstance(tags, str) or not all(map(math.isfinite, points)):
        raise Refused("cover: a tag is no letter or a point is not finite")
    if len(points) != len(tags) + 1 or not tags or set(tags) - set(TAGS):
        raise Refused("cover: a box or a tag is missing or unknown")
    if any(not a < b for a, b in zip(points, points[1:], strict=False)):
        raise Refused("cover.points: not increasing")
    return Cover(points, tags)


def _prove_root_interval(problem: Problem, cover: Cover) -> None:
    """Beyond the cover, some task is unstable before it adapts."""
    _, g = scalar_plants(problem)
    rims = [rim for rim in map(stabilising_set, g) if rim is not None]
    first, last = (Surd(Fraction(cover.points[i])) for i in (0, -1))
    if not (max(low for low, _ in rims) >= first and min(high for _, high in rims) <= last):
        raise Refused("cover: it does not reach from rim to rim")


def _tag_holds(objective: BallObjective, lo: float, hi: float, tag: str, depth: int) -> bool:
    if tag == "?":
        return True
    bounds = objective.box(lo, hi)
    usable = bounds.inside or objective.is_coercive
    if (
        (tag == "O" and bounds.outside)
        or (tag in "+-" and bounds.outside and objective.is_coercive)
        or (tag == "+" and usable and bounds.d1.is_positive)
        or (tag == "-" and usable and bounds.d1.is_negative)
        or (tag == "v" and bounds.inside and bounds.d2.is_positive)
        or (tag == "^" and bounds.inside and bounds.d2.is_negative)
    ):
        return True
    mid = lo + 0.5 * (hi - lo)
    if depth == 0 or not lo < mid < hi:
        return False
    return _tag_holds(objective, lo, mid, tag, depth - 1) and _tag_holds(
        objective, mid, hi, tag, depth - 1
    )


def _sign(objective: BallObjective, w: float) -> int:
    bounds = objective.point(arb(w))
    if not bounds.inside:
        return 0
    return 1 if bounds.d1.is_positive else -1 if bounds.d1.is_negative else 0


def _stationary(objective: BallObjective, run: Run, claim: dict[str, Any] | None) -> tuple[Found, bool]:
    """The one stationary point of a run, confined to the interval that is claimed for it."""
    if claim is None:
        raise Refused(f"points: the one in [{run.lo!r}, {run.hi!r}] is missing")
    lo, hi = interval(claim, "W")
    kind = "minimum" if run.tag == "v" else "maximum"
    rise = 1 if kind == "minimum" else -1
    if claim.get("kind") != kind or not run.lo <= lo <= hi <= run.hi:
        raise Refused(f"points: [{lo!r}, {hi!r}] is not a {kind} in [{run.lo!r}, {run.hi!r}]")
    left = -rise if lo == run.lo else _sign(objective, lo)
    right = rise if hi == run.hi else _sign(objective, hi)
    if left != -rise or right != rise:
        raise Refused(f"points: h' does not change sign between {lo!r} and {hi!r}")
    bounds = objective.box(lo, hi)
    value = _floats(bounds.value)
    _within(value, pair(claim, "value"), f"points: value at W = {lo!r}")
    if "limits" in claim:
        raise Refused("points: a stationary point has no one-sided limits")
    regular = all(J.is_positive or J.is_negative for J in bounds.jacobians)
    return Found((lo, hi), kind, value), regular


def _floats(span: Span) -> Bounds:
    return enclosing_floats(span.lo)[0], enclosing_floats(span.hi)[1]


def _compare_domain(objective: BallObjective, document: dict[str, Any], joined: Sequence[Run]) -> None:
    claimed = document.get("domain")
    own = domain_pieces(joined)
    if not isinstance(claimed, list) or len(claimed) != len(own):
        raise Refused(f"domain: there are {len(own)} intervals")
    for entry, (first, last) in zip(claimed, own, strict=True):
        if not isinstance(entry, list) or len(entry) != 2:
            raise Refused("domain: expected pairs of enclosed ends")
        for ends, run, inward in ((entry[0], first, 1), (entry[1], last, 0)):
            lo, hi = interval({"end": ends}, "end")
            inner, outer = (hi, lo) if inward else (lo, hi)
            if lo <= first.lo and last.hi <= hi:
                continue  # the whole piece: no more is claimed than that it is not elsewhere
            if not run.lo <= lo <= hi <= run.hi:
                raise Refused(f"domain: no end lies in [{lo!r}, {hi!r}]")
            # Within a run of one sign there is one rim: between a point inside and a point outside.
            # Within an undecided run there may be several: it has to be claimed as a whole.
            if not objective.point(arb(inner)).inside:
                raise Refused(f"domain: {inner!r} is not inside")
            if outer == (run.lo if inward else run.hi):
                continue
            if run.tag == "?" or not objective.point(arb(outer)).outside:
                raise Refused(f"domain: {outer!r} is not outside")


def _compare_values_of_doubt(
    objective: BallObjective, doubtful: Sequence[tuple[Bounds, Bounds]]
) -> None:
    for (lo, hi), value in doubtful:
        own = objective.box(lo, hi).value
        _holds_doubt(own, value, f"[{lo!r}, {hi!r}]")


def _holds_doubt(own: Span, value: Bounds, place: str) -> None:
    """The bounds claimed for h over an undecided stretch must hold; a cost is never negative."""
    low = own.lo.lower() if not own.lo.is_nan() else arb(0)
    high = own.hi.upper() if own.hi.is_finite() else arb("inf")
    if not (arb(value[0]) <= low or value[0] <= 0):
        raise Refused(f"undecided: h falls below {value[0]!r} in {place}")
    if value[1] != float("inf") and not high <= arb(value[1]):
        raise Refused(f"undecided: h may exceed {value[1]!r} in {place}")


def _compare_algebra(
    objective: BallObjective, problem: Problem, cover: Cover, found: Sequence[Found]
) -> None:
    """The second route: the real roots of the numerator of h', one for each point found."""
    # A little more than the cover, between short dyadic numbers, which keeps the integers small.
    unit = Fraction(2) ** (math.frexp(cover.points[-1] - cover.points[0])[1] - 5)
    first = math.floor(Fraction(cover.points[0]) / unit) * unit
    last = math.ceil(Fraction(cover.points[-1]) / unit) * unit
    roots = [
        root.narrowed(RESOLUTION * (last - first)) for root in rational.real_roots(problem, first, last)
    ]
    intervals = [(Fraction(p.W[0]), Fraction(p.W[1])) for p in found]
    for lo, hi in intervals:
        if sum(root.lo <= hi and lo <= root.hi for root in roots) != 1:
            raise Refused(f"points: not one root of the numerator of h' near {float(lo)!r}")
    for root in roots:
        listed = any(root.lo <= hi and lo <= root.hi for lo, hi in intervals)
        if not listed and not objective.box(to_ball(root.lo), to_ball(root.hi)).outside:
            raise Refused(f"points: the root near {float(root.lo)!r} is missing")


# --- the normalised step ---------------------------------------------------------------------


class _Pieces:
    """h and h' of the convex pieces at exact gains, in balls."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.f, _ = scalar_plants(problem)
        self.turns, self.parts = pieces(problem)
        self.costs = [BallCost(plant) for plant in self.f]
        self.weights = [to_ball(weight) for weight in problem.weights]
        self.eta = to_ball(problem.step.eta)

    def at(self, piece: Piece, w: Span) -> tuple[Span, Span]:
        """(h, h') over a span of gains, by the formula of one piece."""
        value = slope = Span(arb(0), arb(0))
        for cost, weight, shift in zip(self.costs, self.weights, piece.shifts, strict=True):
            move = int(shift) * self.eta
            s = cost.slopes(Span(w.lo + move, w.hi + move))
            value += s.value.times(weight)
            slope += s.d1.times(weight)
        return value, slope

    def end(self, piece: Piece, side: int) -> tuple[Bounds | None, int]:
        """The limit at an end (None if infinite) and the sign of h' there (0 unknown)."""
        end: End = piece.left if side == 0 else piece.right
        if end.steep:
            return None, (-1 if side == 0 else 1)
        ball = end.at.ball()
        value, slope = self.at(piece, Span(ball, ball))
        sign = 1 if slope.is_positive else -1 if slope.is_negative else 0
        return _floats(value), sign or sign_at_rest(self.f, self.problem.step.eta, piece, side)

    def agree(self, left: Piece, right: Piece) -> bool:
        """Whether the limits at the break between two pieces are equal."""
        eta, weights = self.problem.step.eta, self.problem.weights
        return limits_agree(self.f, weights, eta, left, right)


def _normalized(
    document: dict[str, Any],
    problem: Problem,
    claimed: Sequence[dict[str, Any]],
    doubtful: Sequence[tuple[Bounds, Bounds]],
) -> list[Found]:
    own = _Pieces(problem)
    ends = [(own.end(piece, 0), own.end(piece, 1)) for piece in own.parts]
    _compare_values_of_doubtful_pieces(own, ends, doubtful)
    minima = [claim for claim in claimed if claim.get("kind") == "minimum"]
    found = []
    queue = iter(minima)
    for piece, ((_, left), (_, right)) in zip(own.parts, ends, strict=True):
        if left < 0 < right:
            if _is_doubtful(piece, doubtful):
                continue
            found.append(_inside(own, piece, next(queue, None)))
        elif 0 in (left, right) and not _is_doubtful(piece, doubtful):
            raise Refused(f"undecided: the piece from {piece.left.at.bounds[0]!r} is missing")
    if next(queue, None) is not None:
        raise Refused("points: more minima are claimed than there are")
    found += _turns(own, ends, doubtful)
    others = [claim for claim in claimed if claim.get("kind") != "minimum"]
    expected = sorted((f for f in found if f.kind != "minimum"), key=lambda f: f.W)
    if len(others) != len(expected):
        raise Refused(f"points: there are {len(expected)} jumps and edges")
    for claim, point in zip(sorted(others, key=lambda c: interval(c, "W")), expected, strict=True):
        _compare_end(claim, point)
    _compare_pieces_domain(document, own.parts)
    return found


def _compare_values_of_doubtful_pieces(
    own: _Pieces,
    ends: Sequence[tuple[tuple[Bounds | None, int], tuple[Bounds | None, int]]],
    doubtful: Sequence[tuple[Bounds, Bounds]],
) -> None:
    """Over a stretch, h is bounded piece by piece; at a break that is listed by itself, by the
    lower of its two limits, at which a descent would end.
    """
    breaks = {turn.at.bounds for turn in own.turns}
    for (lo, hi), value in doubtful:
        place = f"[{lo!r}, {hi!r}]"
        first, last = Surd(Fraction(lo)), Surd(Fraction(hi))
        limits = []
        for piece, sides in zip(own.parts, ends, strict=True):
            left, right = max(first, piece.left.at), min(last, piece.right.at)
            whole = left == piece.left.at and right == piece.right.at
            if left <= right and (whole or (lo, hi) not in breaks):
                _holds_doubt(own.at(piece, Span(left.ball(), right.ball()))[0], value, place)
            limits += [
                limit
                for end, (limit, _) in zip((piece.left, piece.right), sides, strict=True)
                if end.turn is not None and own.turns[end.turn].at.bounds == (lo, hi) and limit
            ]
        if limits and not (
            value[0] <= max(min(low for low, _ in limits), 0.0)
            and min(high for _, high in limits) <= value[1]
        ):
            raise Refused(
                f"undecided: h falls below {value[0]!r} or ends above {value[1]!r} in {place}"
            )


def _is_doubtful(piece: Piece, doubtful: Sequence[tuple[Bounds, Bounds]]) -> bool:
    lo, hi = piece.left.at.bounds[0], piece.right.at.bounds[1]
    return any(a <= lo and hi <= b for (a, b), _ in doubtful)


def _inside(own: _Pieces, piece: Piece, claim: dict[str, Any] | None) -> Found:
    if claim is None:
        raise Refused(f"points: the minimum right of {piece.left.at.bounds[0]!r} is missing")
    lo, hi = interval(claim, "W")
    for end, inner, sign in ((lo, piece.left.at, -1), (hi, piece.right.at, 1)):
        at = Surd(Fraction(end))
        if not (piece.left.at < at < piece.right.at):
            # An end of the piece itself bounds the minimum as well as a point just inside it.
            if not inner.bounds[0] <= end <= inner.bounds[1]:
                raise Refused(f"points: {end!r} is not in the piece of its minimum")
            continue
        ball = arb(end)
        _, slope = own.at(piece, Span(ball, ball))
        if not (slope.is_negative if sign < 0 else slope.is_positive):
            raise Refused(f"points: h' does not change sign between {lo!r} and {hi!r}")
    value, slope = own.at(piece, Span(arb(lo), arb(hi)))
    mid = arb(lo) + (arb(hi) - arb(lo)) / 2
    centre, _ = own.at(piece, Span(mid, mid))
    bounds = _floats(value.meet(centre + slope * Span(arb(lo) - mid, arb(hi) - mid)))
    _within(bounds, pair(claim, "value"), f"points: value at W = {lo!r}")
    if "limits" in claim:
        raise Refused("points: a minimum inside a piece has no one-sided limits")
    return Found((lo, hi), "minimum", bounds)


def _turns(
    own: _Pieces,
    ends: Sequence[tuple[tuple[Bounds | None, int], tuple[Bounds | None, int]]],
    doubtful: Sequence[tuple[Bounds, Bounds]],
) -> list[Found]:
    """The jumps and edge minima that follow from the limits and signs at the ends of pieces."""
    begins = {p.left.turn: i for i, p in enumerate(own.parts) if p.left.turn is not None}
    finishes = {p.right.turn: i for i, p in enumerate(own.parts) if p.right.turn is not None}
    found = []
    for turn, at in enumerate(own.turns):
        sides: list[tuple[Bounds | None, bool | None]] = []
        for which, side, inward in ((finishes, 1, -1), (begins, 0, 1)):
            index = which.get(turn)
            limit, sign = (None, 0) if index is None else ends[index][side]
            sides.append((limit, None if sign == 0 else sign == inward))
        limits = (sides[0][0], sides[1][0])
        lower = [limit for limit in limits if limit is not None]
        if not lower:
            continue
        value = (min(x[0] for x in lower), min(x[1] for x in lower))
        stop = is_trap(sides[0], sides[1])
        if stop is None and turn in finishes and turn in begins:
            equal = own.agree(own.parts[finishes[turn]], own.parts[begins[turn]])
            stop = is_trap(sides[0], sides[1], equal=equal)
        place = at.at.bounds
        if any(a <= place[0] and place[1] <= b and (a, b) == place for (a, b), _ in doubtful):
            continue
        if stop is None:
            raise Refused(f"undecided: the jump at {place[0]!r} is missing")
        found.append(Found(place, "jump minimum" if stop else "jump", value, limits))
    for piece, sides_of in zip(own.parts, ends, strict=True):
        for side, end in enumerate((piece.left, piece.right)):
            limit, sign = sides_of[side]
            if end.turn is None and limit is not None and sign == (1 if side == 0 else -1):
                limits = (None, limit) if side == 0 else (limit, None)
                found.append(Found(end.at.bounds, "edge minimum", limit, limits))
    return found


def _compare_end(claim: dict[str, Any], point: Found) -> None:
    W = interval(claim, "W")
    if claim.get("kind") != point.kind or not (W[0] <= point.W[0] and point.W[1] <= W[1]):
        raise Refused(f"points: there is a {point.kind} at {point.W[0]!r}, not what is claimed")
    _within(point.value, pair(claim, "value"), f"points: value at W = {W[0]!r}")
    limits = claim.get("limits")
    if not isinstance(limits, list) or len(limits) != 2 or point.limits is None:
        raise Refused("points: a jump or an edge has two one-sided limits")
    for side, own in zip(limits, point.limits, strict=True):
        if (side is None) != (own is None):
            raise Refused(f"points: a one-sided limit at {W[0]!r} is not what is claimed")
        if own is not None:
            _within(own, pair({"limit": side}, "limit"), f"points: limit at W = {W[0]!r}")


def _compare_pieces_domain(document: dict[str, Any], parts: Sequence[Piece]) -> None:
    intervals: list[tuple[End, End]] = []
    for piece in parts:
        if intervals and intervals[-1][1].at == piece.left.at:
            intervals[-1] = (intervals[-1][0], piece.right)
        else:
            intervals.append((piece.left, piece.right))
    claimed = document.get("domain")
    if not isinstance(claimed, list) or len(claimed) != len(intervals):
        raise Refused(f"domain: there are {len(intervals)} intervals")
    for entry, (left, right) in zip(claimed, intervals, strict=True):
        if not isinstance(entry, list) or len(entry) != 2:
            raise Refused("domain: expected pairs of enclosed ends")
        for ends, own in zip(entry, (left, right), strict=True):
            _within(own.at.bounds, interval({"end": ends}, "end"), "domain")
