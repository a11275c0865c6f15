"""The gradient step: proving a cover anew and comparing its list with the one claimed.

Every tag is proved in balls; what the tags imply is said in `benign.exact.cover`. For one shot and
few tasks the list is compared with the real roots of an integer polynomial as well.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cached_property
from typing import Any

from flint import arb

from benign.balls.scalar import BallObjective
from benign.certificates.claim import Cost, Document
from benign.certificates.comparing import Bounds, Found, floats, holds_doubt, within
from benign.certificates.reading import Refused, interval, number, pair
from benign.exact import algebra
from benign.exact.cover import TAGS, Cover, Run, domain_pieces, known_signs, runs
from benign.exact.plants import scalar_plants
from benign.exact.problem import Problem
from benign.exact.rounding import to_ball
from benign.exact.surd import Surd, stabilising_set

DEPTH = 12
"""How often a box may be halved when its tag is not proved at once."""

FINER = (0, 40)
"""Bits by which the bounds of a root are narrowed, in turn, to see that it is outside of the domain."""

SPARE_HALVINGS, HALVINGS_A_BOX = 4096, 8
"""What the boxes of a cover may be halved in all, besides `DEPTH` for each."""


def prove_gradient(
    document: Document,
    problem: Problem,
    claimed: Sequence[dict[str, Any]],
    doubtful: Sequence[Bounds],
) -> tuple[list[Found], list[bool]]:
    """The points found, and of each minimum whether every task's F' is non-zero there.

    Raises:
        Refused: a tag does not hold, or the list is not the one that follows from the cover.
    """
    objective = BallObjective(problem)
    cover = prove_cover(document, problem, objective)
    joined = runs(cover)
    signs = known_signs(joined)
    for i, sign in enumerate(signs):
        if sign == 0:
            signs[i] = _sign(objective, joined[i].lo if i < len(joined) else joined[-1].hi)
    roots = _Roots(problem, cover)
    found, jacobians = [], []
    points = iter(claimed)
    for i, run in enumerate(joined):
        if run.tag not in "v^a?" or any(a <= run.lo and run.hi <= b for a, b in doubtful):
            continue  # nothing is here, or it is left out of the list, whatever could be shown
        if run.tag == "?" or not (signs[i] and signs[i + 1]):
            raise Refused(f"undecided: [{run.lo!r}, {run.hi!r}] is missing")
        if run.tag == "a":
            made = _multiple(objective, run, roots.within(run), signs[i], signs[i + 1], points)
        elif signs[i] != signs[i + 1]:
            made = _stationary(objective, run, next(points, None))
        else:
            continue
        if made is not None:
            found.append(made[0])
            if made[0].kind == "minimum":
                jacobians.append(made[1])
    if next(points, None) is not None:
        raise Refused("points: more are claimed than there are")
    _compare_domain(objective, document, joined)
    if roots.are_known and not doubtful:
        _compare_algebra(objective, roots, found)
    return found, jacobians


class _Allowance:
    """How often boxes may be halved in all: a few times each, so that a hostile cover cannot cost
    thousands of evaluations a byte. An honest one needs next to none.
    """

    def __init__(self, boxes: int) -> None:
        self.left = SPARE_HALVINGS + HALVINGS_A_BOX * boxes

    def spend(self) -> bool:
        """Whether one more halving is allowed."""
        self.left -= 1
        return self.left >= 0


class _Roots:
    """The real roots of the numerator of h', where exact algebra reaches: one shot and few tasks."""

    def __init__(self, problem: Problem, cover: Cover) -> None:
        self.problem, self._cover = problem, cover
        self.are_known = problem.step.shots == 1 and len(problem.tasks) <= algebra.MAX_TASKS

    @cached_property
    def every(self) -> list[algebra.RealRoot]:
        """All between the ends of the cover, narrowed.

        Raises:
            Refused: out of reach of exact algebra.
        """
        if not self.are_known:
            raise Refused(f"cover: boxes 'a' are for one shot and at most {algebra.MAX_TASKS} tasks")
        first, last = (Fraction(self._cover.points[i]) for i in (0, -1))
        return algebra.narrowed_roots(self.problem, first, last)

    def within(self, run: Run) -> algebra.RealRoot | None:
        """The one root in a run; None if there is none.

        Raises:
            Refused: there are more.
        """
        lo, hi = Fraction(run.lo), Fraction(run.hi)
        inside = [root for root in self.every if root.is_within(lo, hi)]
        if len(inside) > 1:
            raise Refused(f"cover: h' has {len(inside)} zeros in [{run.lo!r}, {run.hi!r}]")
        return inside[0] if inside else None


def prove_cover(document: Document, problem: Problem, objective: BallObjective) -> Cover:
    """The cover of a document, every tag of it proved.

    Raises:
        Refused: it does not reach from rim to rim, or a tag does not hold.
    """
    cover = read_cover(document)
    _prove_root_interval(problem, cover)
    allowance = _Allowance(len(cover.tags))
    for i, tag in enumerate(cover.tags):
        lo, hi = cover.points[i], cover.points[i + 1]
        if not _tag_holds(objective, lo, hi, tag, DEPTH, allowance):
            raise Refused(f"cover: box {i} [{lo!r}, {hi!r}] is not {tag!r}")
    return cover


def cover_cost(document: Document, problem: Problem) -> Cost:
    """Each box is evaluated with every task and shot, some boxes in parts."""
    cover = document.get("cover")
    tags = cover.get("tags") if isinstance(cover, dict) else None
    boxes = len(tags) if isinstance(tags, str) else 0
    k, shots = len(problem.tasks), problem.step.shots
    exactly = 0.0
    if shots == 1 and k <= algebra.MAX_TASKS:
        exactly = algebra.seconds(problem)
    doubts = document.get("undecided")
    stretches = len(doubts) if isinstance(doubts, list) else 0
    return Cost(
        seconds=1e-4 * (2 * boxes + 2 * stretches + 40) * k * shots
        + 1e-7 * boxes * stretches
        + exactly,
        megabytes=1e-3 * k * shots,
    )


def read_cover(document: Document, known: str = TAGS) -> Cover:
    """The cover of a document, its tags among those that are known.

    Raises:
        Refused: it is malformed.
    """
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
    if len(points) != len(tags) + 1 or not tags or set(tags) - set(known):
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


def _tag_holds(
    objective: BallObjective, lo: float, hi: float, tag: str, depth: int, allowance: _Allowance
) -> bool:
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
        or (tag == "a" and bounds.inside)
    ):
        return True
    mid = lo + 0.5 * (hi - lo)
    if depth == 0 or not lo < mid < hi or not allowance.spend():
        return False
    return all(
        _tag_holds(objective, a, b, tag, depth - 1, allowance) for a, b in ((lo, mid), (mid, hi))
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
    if claim.get("multiplicity", 1) != 1:
        raise Refused(f"points: h'' ≠ 0 at {lo!r}, so that the zero of h' is simple")
    return _compared(objective, claim, lo, hi, kind)


def _multiple(
    objective: BallObjective,
    run: Run,
    root: algebra.RealRoot | None,
    left: int,
    right: int,
    points: Iterator[dict[str, Any]],
) -> tuple[Found, bool] | None:
    """The stationary point in a box `a`, if there is one; its place is that of the root."""
    if root is None:
        return None
    claim = next(points, None)
    if claim is None:
        raise Refused(f"points: the one in [{run.lo!r}, {run.hi!r}] is missing")
    kind = "inflection" if left == right else "minimum" if left < 0 else "maximum"
    lo, hi = interval(claim, "W")
    if claim.get("kind") != kind or not run.lo <= lo <= hi <= run.hi:
        raise Refused(f"points: [{lo!r}, {hi!r}] is not a {kind} in [{run.lo!r}, {run.hi!r}]")
    if not root.is_within(Fraction(lo), Fraction(hi)):
        raise Refused(f"points: the zero of h' is not between {lo!r} and {hi!r}")
    if claim.get("multiplicity", 1) != root.multiplicity:
        raise Refused(f"points: the zero of h' near {lo!r} has multiplicity {root.multiplicity}")
    return _compared(objective, claim, lo, hi, kind)


def _compared(
    objective: BallObjective, claim: dict[str, Any], lo: float, hi: float, kind: str
) -> tuple[Found, bool]:
    """A point that is where it is claimed to be, its value compared; whether F' ≠ 0 for every task."""
    bounds = objective.box(lo, hi)
    value = floats(bounds.value)
    within(value, pair(claim, "value"), f"points: value at W = {lo!r}")
    if "limits" in claim:
        raise Refused("points: a stationary point has no one-sided limits")
    regular = all(J.is_positive or J.is_negative for J in bounds.jacobians)
    return Found((lo, hi), kind, value), regular


def _compare_domain(objective: BallObjective, document: Document, joined: Sequence[Run]) -> None:
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


def compare_values_of_doubt(
    objective: BallObjective, doubtful: Sequence[tuple[Bounds, Bounds]]
) -> None:
    """Prove the bounds of h that are claimed over undecided stretches."""
    for (lo, hi), value in doubtful:
        own = objective.box(lo, hi).value
        holds_doubt(own, value, f"[{lo!r}, {hi!r}]")


def _compare_algebra(objective: BallObjective, roots: _Roots, found: Sequence[Found]) -> None:
    """The second route: the real roots of the numerator of h', one for each point found."""
    intervals = [(Fraction(p.W[0]), Fraction(p.W[1])) for p in found]
    for lo, hi in intervals:
        if sum(root.is_within(lo, hi) for root in roots.every) != 1:
            raise Refused(f"points: not one root of the numerator of h' near {float(lo)!r}")
    for root in roots.every:
        listed = any(root.is_within(lo, hi) for lo, hi in intervals)
        if not (listed or _is_outside(objective, roots, root)):
            raise Refused(f"points: the root near {float(root.lo)!r} is missing")


def _is_outside(objective: BallObjective, roots: _Roots, root: algebra.RealRoot) -> bool:
    """Whether a zero of h' is not in the domain: next to a rim by closer bounds, on one by algebra."""
    for bits in FINER:
        root = root.narrowed((root.hi - root.lo) / 2**bits)
        if objective.box(to_ball(root.lo), to_ball(root.hi)).outside:
            return True
    return algebra.is_on_a_rim(roots.problem, root)
