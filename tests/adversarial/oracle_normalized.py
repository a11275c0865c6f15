"""The normalised step: the minima of the closure of h, from breaks W* + jη and the signs beside them.

What a piece's tasks do is not counted but played: the step is taken from a gain in the middle of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from flint import arb
from oracle_costs import TIE, Found, Minimum, Objective, sign


class Unsure(Exception):
    """Two numbers that the precision does not tell apart, and that are not called equal."""


@dataclass(frozen=True)
class Side:
    """h beside an end of a piece: its limit (None if infinite), whether a descent arrives there."""

    limit: arb | None
    arrives: bool


@dataclass(frozen=True)
class Stretch:
    """An interval of the domain without jumps: its ends, and the multiples of η each task moves."""

    left: arb
    right: arb
    shifts: tuple[int, ...]


def order(x: arb, y: arb) -> int:
    """Sign of x − y; equal if they agree in a hundred digits."""
    if x < y:
        return -1
    if x > y:
        return 1
    if abs(x - y) <= TIE * (abs(x) + abs(y)) + arb(2) ** -700:
        return 0
    raise Unsure


def minima(h: Objective) -> Found:
    """Every minimum, jump minimum and edge minimum.

    Raises:
        Unsure: a comparison was not decided.
    """
    turns = _turns(h)
    parts = _stretches(h, turns)
    sides = [(_side(h, part, 0), _side(h, part, 1)) for part in parts]
    found = []
    for i, (part, (left, right)) in enumerate(zip(parts, sides, strict=True)):
        if not left.arrives and not right.arrives:
            found.append(_inside(h, part))
        before = parts[i - 1] if i and order(parts[i - 1].right, part.left) == 0 else None
        after = (
            parts[i + 1] if i + 1 < len(parts) and order(part.right, parts[i + 1].left) == 0 else None
        )
        if any(order(part.left, turn) == 0 for turn in turns):
            found += _at_break(part.left, sides[i - 1][1] if before else None, left)
        elif left.arrives and left.limit is not None:
            found.append(Minimum("edge minimum", part.left, part.left, left.limit))
        if after is not None:
            continue  # seen from the stretch on the right
        if any(order(part.right, turn) == 0 for turn in turns):
            found += _at_break(part.right, right, None)
        elif right.arrives and right.limit is not None:
            found.append(Minimum("edge minimum", part.right, part.right, right.limit))
    return Found(tuple(found), True)


def _turns(h: Objective) -> list[arb]:
    """The breaks from left to right, equal ones once."""
    made: list[arb] = []
    for g in h.g:
        for j in range(1 - h.shots, h.shots):
            at = g.optimum + j * h.eta
            place = 0
            while place < len(made) and order(made[place], at) < 0:
                place += 1
            if place == len(made) or order(made[place], at):
                made.insert(place, at)
    return made


def _played(h: Objective, w: arb, task: int) -> list[int]:
    """The multiples of η by which a gain has moved before each shot and at last."""
    centre, moved = h.g[task].optimum, [0]
    for _ in range(h.shots):
        moved.append(moved[-1] - order(w + moved[-1] * h.eta, centre))
    return moved


def _stretches(h: Objective, turns: list[arb]) -> list[Stretch]:
    parts: list[Stretch] = []
    for i in range(len(turns) + 1):
        low, high = turns[i - 1] if i else None, turns[i] if i < len(turns) else None
        if low is None:
            assert high is not None
            inner = high - h.eta
        else:
            inner = low + h.eta if high is None else (low + high) / 2
        shifts = []
        for task, (f, g) in enumerate(zip(h.f, h.g, strict=True)):
            path = _played(h, inner, task)
            shifts.append(path[-1])
            for stage, s in enumerate(path):
                rims = (f if stage == h.shots else g).rims
                if rims is not None:
                    left, right = (rim - s * h.eta for rim in rims)
                    low = left if low is None or order(low, left) < 0 else low
                    high = right if high is None or order(high, right) > 0 else high
        assert low is not None
        assert high is not None
        if order(low, high) >= 0:
            continue
        last = parts[-1] if parts else None
        # A jump that every task steps over and back again is none.
        if (
            last
            and last.shifts == tuple(shifts)
            and order(last.right, low) == 0
            and not _steep(h, last, 1)
        ):
            parts[-1] = Stretch(last.left, high, last.shifts)
        else:
            parts.append(Stretch(low, high, tuple(shifts)))
    return parts


def _steep(h: Objective, part: Stretch, side: int) -> bool:
    """Whether h → ∞ at this end: an evaluation cost that is coercive arrives at its rim."""
    at = part.right if side else part.left
    for f, s in zip(h.f, part.shifts, strict=True):
        rims = f.rims
        if rims is not None and f.coercive and order(at + s * h.eta, rims[side]) == 0:
            return True
    return False


def _formula(h: Objective, part: Stretch, w: arb) -> tuple[arb, arb, arb, arb]:
    """h, h', h'' of a stretch, and the size of the terms of h'."""
    value, d1, d2, size = arb(0), arb(0), arb(0), arb(0)
    for f, weight, s in zip(h.f, h.weights, part.shifts, strict=True):
        C, C1, C2, _ = f.jet(w + s * h.eta)
        value += weight * C
        d1 += weight * C1
        d2 += weight * C2
        size += weight * (abs(C1) + abs(C2) * (part.right - part.left))
    return value, d1, d2, size


def _side(h: Objective, part: Stretch, side: int) -> Side:
    if _steep(h, part, side):
        return Side(None, False)
    value, d1, _, size = _formula(h, part, part.right if side else part.left)
    if not value.is_finite():
        raise Unsure
    falls = sign(d1)
    if not falls:
        if not abs(d1) <= TIE * size:
            raise Unsure
        return Side(value, True)  # at rest; as h is strictly convex it rises from there
    return Side(value, falls < 0 if side else falls > 0)


def _inside(h: Objective, part: Stretch) -> Minimum:
    """The one zero of h' in a stretch, by halving and Newton's method."""
    lo, hi = part.left.mid(), part.right.mid()
    x = (lo + hi) / 2
    for _ in range(400):
        _, d1, d2, _ = _formula(h, part, x)
        if abs(d1 / d2) < TIE * (abs(x) + (part.right - part.left)):
            break
        lo, hi = (x, hi) if d1 < 0 else (lo, x)
        step = (x - d1 / d2).mid()
        x = step if lo < step < hi else ((lo + hi) / 2).mid()
    wide = (part.right - part.left).mid() * arb(2) ** -250
    for _ in range(100):
        left, right = (x - wide).mid(), (x + wide).mid()
        left = left if left > part.left else part.left
        right = right if right < part.right else part.right
        slopes = _formula(h, part, left)[1], _formula(h, part, right)[1]
        if (left is part.left or slopes[0] < 0) and (right is part.right or slopes[1] > 0):
            return Minimum.near(left, right, _formula(h, part, x)[0], slopes)
        wide = wide * 256
    raise Unsure


def _at_break(at: arb, left: Side | None, right: Side | None) -> list[Minimum]:
    """A jump at which a descent must end: on the lower side, or on both where they are level."""
    low = None if left is None or left.limit is None else left
    high = None if right is None or right.limit is None else right
    if low is None or high is None:
        only = low or high
        if only is None or not only.arrives:
            return []
        assert only.limit is not None
        return [Minimum("jump minimum", at, at, only.limit)]
    assert low.limit is not None
    assert high.limit is not None
    above = order(low.limit, high.limit)
    ending = (low.arrives if above < 0 else high.arrives) if above else low.arrives and high.arrives
    value = high.limit if above > 0 else low.limit
    return [Minimum("jump minimum", at, at, value)] if ending else []
