"""The stationary points, jumps and edges of h for the normalised step, from its convex pieces."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benign.clock import NO_LIMIT, Clock
from benign.exact.pieces import (
    Break,
    End,
    Piece,
    is_trap,
    joined_domain,
    limits_agree,
    pieces,
    sign_at_rest,
)
from benign.exact.plants import scalar_plants
from benign.exact.problem import Problem
from benign.floats.intervals import Floats, Interval, weighted_sum
from benign.floats.scalar import CHUNK, Costs
from benign.prove.line.gradient import Enumeration, newton, shrink
from benign.results.enclosure import Enclosure
from benign.results.landscape import Kind
from benign.results.line import OpenInterval, StationaryPoint, Undecided


class PieceObjective:
    """h, h' and h'' of given pieces over boxes, by outward-rounded interval arithmetic."""

    def __init__(self, problem: Problem, parts: list[Piece], clock: Clock = NO_LIMIT) -> None:
        self.clock = clock
        f, _ = scalar_plants(problem)
        self.costs = Costs(f)
        self.weights = np.array([float(w) for w in problem.weights])
        self.eta = Interval.enclose([problem.step.eta])
        self.shifts = np.array([piece.shifts for piece in parts], dtype=float).reshape(-1, len(f))
        self.chunk = max(1, CHUNK // len(f))

    def __call__(self, which: np.ndarray, w: Interval) -> tuple[Interval, Interval, Interval]:
        """(h, h', h'') of the pieces numbered `which` over the boxes w, in bounded memory."""
        rows = []
        with np.errstate(all="ignore"):
            for start in range(0, max(which.size, 1), self.chunk):
                self.clock.check("the list of pieces")
                part = slice(start, start + self.chunk)
                shift = self.eta * Interval.point(self.shifts[which[part]])
                moved = w[part][:, None] + shift
                slopes = self.costs.slopes(moved)
                sums = (self.costs.value(moved), slopes.d1, slopes.d2)
                rows.append([weighted_sum(x, self.weights) for x in sums])
        value, d1, d2 = (
            Interval(np.concatenate([x.lo for x in column]), np.concatenate([x.hi for x in column]))
            for column in zip(*rows, strict=True)
        )
        return value, d1, d2


def enumerate_normalized(problem: Problem, clock: Clock = NO_LIMIT) -> Enumeration:
    """All local minima, jumps and edge minima of h for the normalised step, each enclosed.

    Raises:
        NotScalarError: more than one state or input.
        ProblemError: a number out of range, a vanishing cost, or a domain that is empty.
        BudgetError: time ran out; a list of pieces in part says nothing of h.
    """
    turns, parts = pieces(problem, lambda: clock.check("the list of pieces"))
    if not parts:
        return Enumeration((), (), (), None)
    objective = PieceObjective(problem, parts, clock)
    every = np.arange(len(parts))
    left, right = _ends([p.left for p in parts]), _ends([p.right for p in parts])
    value_left, slope_left, _ = objective(every, left)
    value_right, slope_right, _ = objective(every, right)
    sign_left = _signs(slope_left, np.array([p.left.steep for p in parts]), -1)
    sign_right = _signs(slope_right, np.array([p.right.steep for p in parts]), 1)

    f, _ = scalar_plants(problem)
    for side, signs in enumerate((sign_left, sign_right)):
        for i in np.flatnonzero(signs == 0):
            signs[i] = sign_at_rest(f, problem.step.eta, parts[i], side)

    undecided = []
    # Between two breaks that no float64 separates a minimum cannot be told from the breaks.
    narrow = (left.hi >= right.lo) & (sign_left < 0) & (sign_right > 0)
    for i in np.flatnonzero((sign_left == 0) | (sign_right == 0) | narrow):
        undecided.append(_whole(objective, int(i), float(left.lo[i]), float(right.hi[i])))
        sign_left[i] = sign_right[i] = 0
    points = _interior(objective, np.flatnonzero((sign_left < 0) & (sign_right > 0)), left, right)
    ends = _Ends(parts, value_left, value_right, sign_left, sign_right)
    jumps, doubts = _jumps(
        turns, ends, lambda a, b: limits_agree(f, problem.weights, problem.step.eta, a, b)
    )
    points += jumps + _edges(ends)
    points.sort(key=lambda point: point.at.mid)
    undecided += doubts
    undecided.sort(key=lambda stretch: stretch.W.lo)
    return Enumeration(_domain(parts), tuple(points), tuple(undecided), None)


def _ends(ends: list[End]) -> Interval:
    bounds = np.array([end.at.bounds for end in ends])
    return Interval(bounds[:, 0], bounds[:, 1])


def _signs(slope: Interval, steep: np.ndarray, outward: int) -> np.ndarray:
    signs = np.where(slope.lo > 0, 1, np.where(slope.hi < 0, -1, 0))
    return np.where(steep, outward, signs)


def _whole(objective: PieceObjective, i: int, lo: float, hi: float) -> Undecided:
    value, _, _ = objective(np.array([i]), Interval(np.array([lo]), np.array([hi])))
    low, high = float(value.lo[0]), float(value.hi[0])
    return Undecided(
        Enclosure(lo, hi),
        Enclosure(max(low, 0.0) if low == low else 0.0, high if high == high else float("inf")),
        "the sign of h' at an end of this piece could not be decided",
    )


def _interior(
    objective: PieceObjective, which: np.ndarray, left: Interval, right: Interval
) -> list[StationaryPoint]:
    """The minima inside pieces whose slope falls in at the left and rises out at the right."""
    if not which.size:
        return []
    # A hair inside: at a steep end itself nothing is finite.
    lo, hi = np.nextafter(left.hi[which], np.inf), np.nextafter(right.lo[which], -np.inf)

    def derivatives(x: Floats) -> tuple[Floats, Floats]:
        _, d1, d2 = objective(which, Interval.point(x))
        return d1.mid, d2.mid

    def sides(x: Floats) -> Floats:
        copies = x.size // which.size
        _, d1, _ = objective(np.tile(which, copies), Interval.point(x))
        return np.where(d1.lo > 0, 1.0, np.where(d1.hi < 0, -1.0, 0.0))

    guess = newton(derivatives, lo, hi, np.ones(which.size))
    lo, hi = shrink(sides, guess, left.lo[which], right.hi[which])
    box = Interval(lo, hi)
    value, d1, d2 = objective(which, box)
    centred = objective(which, Interval.point(box.mid))[0] + d1 * (box - Interval.point(box.mid))
    value = value.intersect(centred).known()
    return [
        StationaryPoint(
            Enclosure(float(lo[i]), float(hi[i])),
            Enclosure(float(value.lo[i]), float(value.hi[i])),
            Kind.MINIMUM,
            Enclosure(float(d2.lo[i]), float(d2.hi[i])),
        )
        for i in range(which.size)
    ]


class _Ends:
    """What is known at the ends of the pieces, found by break number or as a rim."""

    def __init__(
        self,
        parts: list[Piece],
        value_left: Interval,
        value_right: Interval,
        sign_left: np.ndarray,
        sign_right: np.ndarray,
    ) -> None:
        self.parts = parts
        self.value = (value_left, value_right)
        self.sign = (sign_left, sign_right)
        self.begins = {p.left.turn: i for i, p in enumerate(parts) if p.left.turn is not None}
        self.finishes = {p.right.turn: i for i, p in enumerate(parts) if p.right.turn is not None}

    def limit(self, piece: int, side: int) -> Enclosure | None:
        """The limit of h at an end of a piece; None where it is infinite."""
        end = self.parts[piece].left if side == 0 else self.parts[piece].right
        if end.steep:
            return None
        value = self.value[side]
        return Enclosure(float(value.lo[piece]), float(value.hi[piece]))

    def arrives(self, piece: int, side: int) -> bool | None:
        """Whether a descent within the piece ends at this end; None where that is not known."""
        sign = int(self.sign[side][piece])
        return None if sign == 0 else sign == (1 if side == 0 else -1)


def _jumps(
    turns: list[Break], ends: _Ends, agree: Callable[[Piece, Piece], bool]
) -> tuple[list[StationaryPoint], list[Undecided]]:
    """The breaks that border the domain: jumps, and those at which a descent can end."""
    jumps, doubts = [], []
    for number, turn in enumerate(turns):
        below, above = ends.finishes.get(number), ends.begins.get(number)
        left = None if below is None else ends.limit(below, 1)
        right = None if above is None else ends.limit(above, 0)
        if left is None and right is None:
            continue
        place = Enclosure(*turn.at.bounds)
        lower = [x for x in (left, right) if x is not None]
        value = Enclosure(min(x.lo for x in lower), min(x.hi for x in lower))
        sides = (
            (left, None if below is None else ends.arrives(below, 1)),
            (right, None if above is None else ends.arrives(above, 0)),
        )
        stop = is_trap(*sides)
        if stop is None and below is not None and above is not None:
            stop = is_trap(*sides, equal=agree(ends.parts[below], ends.parts[above]))
        if stop is None:
            doubts.append(
                Undecided(place, value, "whether a descent ends at this jump could not be decided")
            )
            continue
        kind = Kind.JUMP_MINIMUM if stop else Kind.JUMP
        jumps.append(StationaryPoint(place, value, kind, limits=(left, right)))
    return jumps, doubts


def _edges(ends: _Ends) -> list[StationaryPoint]:
    """Rims at which h stays finite and which a descent runs into."""
    edges = []
    for i, piece in enumerate(ends.parts):
        for side, end in enumerate((piece.left, piece.right)):
            limit = ends.limit(i, side)
            if end.turn is None and limit is not None and ends.arrives(i, side):
                limits = (None, limit) if side == 0 else (limit, None)
                place = Enclosure(*end.at.bounds)
                edges.append(StationaryPoint(place, limit, Kind.EDGE_MINIMUM, limits=limits))
    return edges


def _domain(parts: list[Piece]) -> tuple[OpenInterval, ...]:
    return tuple(
        OpenInterval(Enclosure(*a.at.bounds), Enclosure(*b.at.bounds)) for a, b in joined_domain(parts)
    )
