"""The minimisers listed in a certificate: each is proved to exist, alone in its convex box.

Newton's method from the middle of the box "y" finds the point z closely; the operator of Krawczyk,

    K(X) = z − M∇h(z) + (I − M∇²h(X))(X − z) ⊆ X,

maps a tiny box X around z into itself, so that X holds a zero of ∇h (Brouwer; M non-singular). X, its
gains and values have to lie within what is claimed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from flint import arb, arb_mat, ctx

from benign.balls.box_tests import BoxTests
from benign.balls.boxes import BoxObjective
from benign.balls.lqr import NotStabilising
from benign.balls.matrices import Unproved, identity
from benign.balls.rim import Box
from benign.certificates.claim import Document
from benign.certificates.reading import Bounds, Refused, number, pair, records
from benign.exact.rounding import enclosing_floats

PRECISION = 256
"""Bits with which a point is enclosed."""

TINY = (80, 60, 48)
"""Half the sides of X are 2^(−this), the least first."""

STEPS = 60
"""Most steps of Newton's method."""

HALVINGS = 10
"""How often a convex box may be halved."""

MAX_POINTS = 2_000
"""Most minimisers that are read."""


@dataclass(frozen=True)
class Point:
    """A minimiser that was proved.

    Attributes:
        gain: (m, n), balls that hold it.
        value: bounds of h there, in float64.
        lo, hi: float64 ends of the convex box: a box lies in it if and only if it lies between these.
    """

    gain: arb_mat
    value: Bounds
    lo: tuple[float, ...]
    hi: tuple[float, ...]

    def holds(self, lo: Sequence[float], hi: Sequence[float]) -> bool:
        """Whether the convex box holds another box; exact."""
        return all(a <= x for a, x in zip(self.lo, lo, strict=True)) and all(
            x <= b for x, b in zip(hi, self.hi, strict=True)
        )


def prove_points(document: Document, objective: BoxObjective, tests: BoxTests) -> list[Point]:
    """The minimisers of a document, proved, in its order.

    Raises:
        Refused: one is not what is claimed, or two of them may be one.
    """
    entries = records(document, "minimisers", {"y", "W", "value", "convex"})
    if not entries:
        raise Refused("minimisers: none is listed, so nothing is claimed")
    if len(entries) > MAX_POINTS:
        raise Refused(f"minimisers: more than {MAX_POINTS}")
    sides = [
        read_sides(entry.get("y"), objective.p, f"minimisers[{i}].y") for i, entry in enumerate(entries)
    ]
    _require_apart(sides)
    points = []
    for i, (entry, y) in enumerate(zip(entries, sides, strict=True)):
        place = f"minimisers[{i}]"
        points.append(_prove(entry, y, place, objective, tests))
        if i and points[-2].value[0] > points[-1].value[1]:
            raise Refused(f"{place}: the values do not increase")
    return points


def read_sides(value: Any, p: int, place: str) -> list[Bounds]:
    """A list of p finite pairs of bounds.

    Raises:
        Refused: it is none.
    """
    if not isinstance(value, list) or len(value) != p:
        raise Refused(f"{place}: expected {p} pairs of bounds")
    found = [pair({place: side}, place) for side in value]
    if not all(math.isfinite(x) for side in found for x in side):
        raise Refused(f"{place}: expected finite bounds")
    return found


def _require_apart(sides: list[list[Bounds]]) -> None:
    for i, first in enumerate(sides):
        for j, second in enumerate(sides[:i]):
            if all(a <= d and c <= b for (a, b), (c, d) in zip(first, second, strict=True)):
                raise Refused(f"minimisers: the boxes of {j} and {i} overlap; they may be one point")


def _prove(
    entry: dict[str, Any], y: list[Bounds], place: str, objective: BoxObjective, tests: BoxTests
) -> Point:
    claimed = read_sides(entry.get("W"), objective.p, f"{place}.W")
    value = pair(entry, "value")
    lo, hi = _convex_ends(entry, place, objective.p)
    for d, (a, b) in enumerate(y):
        if not (a >= -1.0 and b <= 1.0):
            raise Refused(f"{place}.y[{d}]: beyond the root box")
        if not (lo[d] <= a and b <= hi[d]):
            raise Refused(f"{place}.y[{d}]: not within the convex box")
    own, gain, h = _enclosed(y, place, objective)
    for d, (x, side) in enumerate(zip(own, y, strict=True)):
        require_within(x, side, f"{place}.y[{d}]")
    for d, (x, side) in enumerate(zip(gain.entries(), claimed, strict=True)):
        require_within(x, side, f"{place}.W[{d}]")
    require_within(h, value, f"{place}.value")
    if not tests.shown("convex", Box.between(lo, hi), HALVINGS):
        raise Refused(f"{place}.convex: ∇²h ≻ 0 could not be shown on all of that box")
    return Point(gain, enclosing_floats(h), lo, hi)


def require_within(own: arb, claimed: Bounds, place: str) -> None:
    """Refuse bounds that do not hold what was found."""
    if not (own >= arb(claimed[0]) and own <= arb(claimed[1])):
        raise Refused(f"{place}: {list(claimed)} does not hold what was found, {own.str(20)}")


def _convex_ends(
    entry: dict[str, Any], place: str, p: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The least float64 not below centre − radius and the greatest not above centre + radius."""
    box = entry.get("convex")
    if not isinstance(box, dict) or set(box) != {"centre", "radius"}:
        raise Refused(f"{place}.convex: expected a centre and a radius")
    centre = numbers(box["centre"], p, f"{place}.convex.centre")
    radius = numbers(box["radius"], p, f"{place}.convex.radius")
    if not all(r > 0 for r in radius):
        raise Refused(f"{place}.convex.radius: must be positive")
    lo, hi = [], []
    for c, r in zip(centre, radius, strict=True):
        if abs(c) + r > 1e6:
            raise Refused(f"{place}.convex: far beyond the root box")
        # Sums of two float64 are exact at 2,200 bits.
        with ctx.workprec(2200):
            low, high = arb(c) - arb(r), arb(c) + arb(r)
            a, b = c - r, c + r
            if arb(a) < low:
                a = math.nextafter(a, math.inf)
            if arb(b) > high:
                b = math.nextafter(b, -math.inf)
        lo.append(a)
        hi.append(b)
    return tuple(lo), tuple(hi)


def numbers(value: Any, count: int, place: str) -> list[float]:
    """A list of finite floats.

    Raises:
        Refused: it is none.
    """
    if not isinstance(value, list) or len(value) != count:
        raise Refused(f"{place}: expected {count} numbers")
    found = [number(x, place) for x in value]
    if not all(math.isfinite(x) for x in found):
        raise Refused(f"{place}: must be finite")
    return found


# --- one point -------------------------------------------------------------------------------


def _enclosed(y: list[Bounds], place: str, objective: BoxObjective) -> tuple[list[arb], arb_mat, arb]:
    """A zero of ∇h next to the middle of a box: balls of its coordinates, of the gain and of h."""
    with ctx.workprec(PRECISION):
        try:
            z, M = _newton([((arb(a) + arb(b)) / 2).mid() for a, b in y], objective)
            for bits in TINY:
                X = Box(z, [arb(2) ** -bits] * objective.p)
                if _maps_into_itself(X, M, objective):
                    at = objective.box(X.centre, X.radius, 1)
                    sides = X.sides()
                    return sides, objective.frame.gain(sides), objective.value(at).range
        except (Unproved, NotStabilising, ZeroDivisionError) as error:
            raise Refused(f"{place}: no stationary point was found there ({error})") from None
    raise Refused(f"{place}: no stationary point was found there")


def _newton(z: list[arb], objective: BoxObjective) -> tuple[list[arb], arb_mat]:
    """A point near a zero of ∇h, and the inverse of ∇²h there; without error bounds."""
    zero = [arb(0)] * objective.p
    M = identity(objective.p)
    last = arb("inf")
    for _ in range(STEPS):
        at = objective.box(z, zero, 1)
        slope = arb_mat([[x.centre] for x in objective.gradient(at)])
        M = _matrix(objective, at).mid().inv().mid()
        step = (M * slope).entries()
        size = sum((abs(x) for x in step), arb(0)).mid()
        z = [(x - dx).mid() for x, dx in zip(z, step, strict=True)]
        if size < arb(2) ** -(PRECISION // 2) or not size < last:
            break
        last = size
    return z, M


def _matrix(objective: BoxObjective, at: Any) -> arb_mat:
    p = range(objective.p)
    hessian = objective.hessian(at)
    return arb_mat([[hessian[min(i, j), max(i, j)].range for j in p] for i in p])


def _maps_into_itself(X: Box, M: arb_mat, objective: BoxObjective) -> bool:
    p = objective.p
    at = objective.box(X.centre, [arb(0)] * p, 1)
    slope = arb_mat([[x.centre] for x in objective.gradient(at)])
    inner = objective.box(X.centre, X.radius, 1)
    rest = identity(p) - M * _matrix(objective, inner)
    spread = arb_mat([[arb(0, 1) * r] for r in X.radius])
    moved = (rest * spread - M * slope).entries()
    # K(X) ⊂ X strictly: then I − M∇²h contracts, and M is regular.
    return all(x.abs_upper() < r for x, r in zip(moved, X.radius, strict=True))
