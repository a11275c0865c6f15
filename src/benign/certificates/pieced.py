"""The normalised step: deriving its convex pieces anew and comparing their list with the one claimed.

The pieces follow exactly from the problem (`benign.exact.pieces`); the signs of h' at their ends are
proved in balls.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from flint import arb

from benign.balls.scalar import BallCost, Span
from benign.certificates.claim import Cost, Document
from benign.certificates.comparing import Bounds, Found, floats, holds_doubt, within
from benign.certificates.reading import Refused, interval, pair
from benign.exact.pieces import End, Piece, is_trap, joined_domain, limits_agree, pieces, sign_at_rest
from benign.exact.plants import scalar_plants
from benign.exact.problem import Problem
from benign.exact.rounding import to_ball
from benign.exact.surd import Surd


def piece_cost(problem: Problem) -> Cost:
    """2m − 1 breaks a task and 2m paths of m shots; between breaks, a piece with every task's shift."""
    k, shots = len(problem.tasks), problem.step.shots
    windows = k * 2.0 * shots * (shots + 1)
    pieces_at_most = k * 2.0 * shots
    return Cost(
        seconds=2e-5 * windows + 1e-4 * k * pieces_at_most,
        megabytes=5e-4 * windows + 1e-5 * k * pieces_at_most,
    )


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
        return floats(value), sign or sign_at_rest(self.f, self.problem.step.eta, piece, side)

    def agree(self, left: Piece, right: Piece) -> bool:
        """Whether the limits at the break between two pieces are equal."""
        eta, weights = self.problem.step.eta, self.problem.weights
        return limits_agree(self.f, weights, eta, left, right)


def prove_normalized(
    document: Document,
    problem: Problem,
    claimed: Sequence[dict[str, Any]],
    doubtful: Sequence[tuple[Bounds, Bounds]],
) -> list[Found]:
    """The minima, jumps and edge minima that follow from the pieces.

    Raises:
        Refused: the list claimed is not that one.
    """
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
                holds_doubt(own.at(piece, Span(left.ball(), right.ball()))[0], value, place)
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
    bounds = floats(value.meet(centre + slope * Span(arb(lo) - mid, arb(hi) - mid)))
    within(bounds, pair(claim, "value"), f"points: value at W = {lo!r}")
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
    within(point.value, pair(claim, "value"), f"points: value at W = {W[0]!r}")
    limits = claim.get("limits")
    if not isinstance(limits, list) or len(limits) != 2 or point.limits is None:
        raise Refused("points: a jump or an edge has two one-sided limits")
    for side, own in zip(limits, point.limits, strict=True):
        if (side is None) != (own is None):
            raise Refused(f"points: a one-sided limit at {W[0]!r} is not what is claimed")
        if own is not None:
            within(own, pair({"limit": side}, "limit"), f"points: limit at W = {W[0]!r}")


def _compare_pieces_domain(document: Document, parts: Sequence[Piece]) -> None:
    intervals = joined_domain(parts)
    claimed = document.get("domain")
    if not isinstance(claimed, list) or len(claimed) != len(intervals):
        raise Refused(f"domain: there are {len(intervals)} intervals")
    for entry, (left, right) in zip(claimed, intervals, strict=True):
        if not isinstance(entry, list) or len(entry) != 2:
            raise Refused("domain: expected pairs of enclosed ends")
        for ends, own in zip(entry, (left, right), strict=True):
            within(own.at.bounds, interval({"end": ends}, "end"), "domain")
