"""The normalised step: deriving its convex pieces anew and comparing their list with the one claimed.

The pieces follow exactly from the problem (`benign.exact.pieces`); the signs of h' at their ends are
proved in balls.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
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


def piece_cost(document: Document, problem: Problem) -> Cost:
    """2m − 1 breaks a task and 2m paths of m shots; between breaks, a piece with every task's shift.

    Each piece may be compared with all that a document lists.
    """
    k, shots = len(problem.tasks), problem.step.shots
    windows = k * 2.0 * shots * (shots + 1)
    parts = k * 2.0 * shots
    listed = sum(len(document[key]) for key in ("points", "undecided") if _is_list(document, key))
    return Cost(
        seconds=2e-5 * windows + 1e-4 * k * parts + 1e-6 * parts * listed,
        megabytes=5e-4 * windows + 1e-5 * k * parts,
    )


def _is_list(document: Document, key: str) -> bool:
    return isinstance(document.get(key), list)


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
    """The minima, jumps and edge minima that follow from the pieces and are listed.

    Each of them has to be listed, or to lie in an undecided stretch that allows for its value.

    Raises:
        Refused: the list claimed is not that one.
    """
    own, doubts = _Pieces(problem), _Doubts(doubtful)
    ends = [(own.end(piece, 0), own.end(piece, 1)) for piece in own.parts]
    minima = [claim for claim in claimed if claim.get("kind") == "minimum"]
    found = []
    queue = iter(minima)
    for piece, ((_, left), (_, right)) in zip(own.parts, ends, strict=True):
        inside = left < 0 < right
        if not inside and 0 not in (left, right):
            continue  # h' has one sign on the piece
        if doubts.allow_piece(own, piece):
            continue
        if not inside:
            raise Refused(f"undecided: the piece from {piece.left.at.bounds[0]!r} is missing")
        found.append(_inside(own, piece, next(queue, None)))
    if next(queue, None) is not None:
        raise Refused("points: more minima are claimed than there are")
    others = [claim for claim in claimed if claim.get("kind") != "minimum"]
    found += _matched(others, _ends(own, ends), doubts)
    _compare_pieces_domain(document, own.parts)
    return found


class _Doubts:
    """The undecided stretches of a document: what lies in one may be left out of the list.

    Whatever local minimum may be there, the value claimed for the stretch has to allow for it. A
    stretch in which there is nothing claims less than is true, and does no harm.
    """

    def __init__(self, doubtful: Sequence[tuple[Bounds, Bounds]]) -> None:
        entries = sorted(doubtful)
        self._entries = [(Surd(Fraction(lo)), Surd(Fraction(hi)), v) for (lo, hi), v in entries]

    def allow_piece(self, own: _Pieces, piece: Piece) -> bool:
        """Whether a whole piece lies in a stretch, all values of h on it within those claimed.

        Raises:
            Refused: it lies in stretches, none of which allows for its values.
        """
        first, last = piece.left.at, piece.right.at
        bounds = own.at(piece, Span(first.ball(), last.ball()))[0]
        refusal: Refused | None = None
        for value in self._around(first, last):
            try:
                holds_doubt(bounds, value, f"[{first.bounds[0]!r}, {last.bounds[1]!r}]")
            except Refused as error:
                refusal = error
            else:
                return True
        if refusal is not None:
            raise refusal
        return False

    def allow_end(self, at: Surd, value: Bounds) -> bool:
        """Whether a break or a rim lies in a stretch whose values hold the lower of its limits."""
        return any(
            claimed[0] <= max(value[0], 0.0) and value[1] <= claimed[1]
            for claimed in self._around(at, at)
        )

    def _around(self, first: Surd, last: Surd) -> Iterator[Bounds]:
        return (value for lo, hi, value in self._entries if lo <= first and last <= hi)


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


def _ends(
    own: _Pieces, ends: Sequence[tuple[tuple[Bounds | None, int], tuple[Bounds | None, int]]]
) -> list[tuple[Surd, Found]]:
    """What is at the ends of pieces: jumps and edge minima, from left to right, each at its own place.

    A jump of which it is not known whether a descent ends there has the kind "?". Two breaks may lie
    within one float64 interval: they are two, each with its own limits.
    """
    begins = {p.left.turn: i for i, p in enumerate(own.parts) if p.left.turn is not None}
    finishes = {p.right.turn: i for i, p in enumerate(own.parts) if p.right.turn is not None}
    found: list[tuple[Surd, Found]] = []
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
        kind = "?" if stop is None else "jump minimum" if stop else "jump"
        found.append((at.at, Found(at.at.bounds, kind, value, limits)))
    for piece, sides_of in zip(own.parts, ends, strict=True):
        for side, end in enumerate((piece.left, piece.right)):
            limit, sign = sides_of[side]
            if end.turn is None and limit is not None and sign == (1 if side == 0 else -1):
                limits = (None, limit) if side == 0 else (limit, None)
                found.append((end.at, Found(end.at.bounds, "edge minimum", limit, limits)))
    return sorted(found, key=lambda entry: entry[0])


def _matched(
    claimed: Sequence[dict[str, Any]], expected: Sequence[tuple[Surd, Found]], doubts: _Doubts
) -> list[Found]:
    """The ends that are listed; each that is not has to lie in an undecided stretch."""
    waiting = sorted(((interval(claim, "W"), claim) for claim in claimed), key=lambda entry: entry[0])
    found: list[Found] = []
    near: list[tuple[Bounds, dict[str, Any]]] = []
    following = 0
    for at, point in expected:
        while following < len(waiting) and waiting[following][0][0] <= point.W[0]:
            near.append(waiting[following])
            following += 1
        _require_none_passed(near, point.W[0])
        fitting = next((i for i, (_, c) in enumerate(near) if not _mismatch(c, point)), None)
        if fitting is not None:
            del near[fitting]
            found.append(point)
        elif not doubts.allow_end(at, point.value):
            if point.kind == "?":
                raise Refused(f"undecided: the jump at {point.W[0]!r} is missing")
            reason = _mismatch(near[0][1], point) if near else ""
            raise Refused(reason or f"points: the {point.kind} at {point.W[0]!r} is missing")
    _require_none_passed([*near, *waiting[following:]], math.inf)
    return found


def _require_none_passed(near: Sequence[tuple[Bounds, dict[str, Any]]], w: float) -> None:
    for (_, hi), claim in near:
        if hi < w:
            kind = str(claim.get("kind"))[:40]
            raise Refused(f"points: there is no {kind!r} at {interval(claim, 'W')[0]!r}")


def _mismatch(claim: dict[str, Any], point: Found) -> str:
    """Why a claim does not say what was found; empty if it does."""
    try:
        _compare_end(claim, point)
    except Refused as error:
        return str(error)
    return ""


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
