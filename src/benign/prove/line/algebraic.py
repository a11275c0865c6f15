"""Where bisection stalls: stretches of a scalar h settled by the real roots of a polynomial.

Towards a multiple zero of h' every bound on h' and h'' shrinks faster than rounding, so that a cover
made in floating point keeps boxes `?` around it. For one shot and few tasks h' is a quotient of integer
polynomials (`benign.exact.algebra`), whose real roots are isolated exactly, with their multiplicity: a
box in the domain that holds one of them or none is tagged `a`.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import ceil, floor, inf, nextafter

from flint import arb, ctx

from benign.balls.scalar import BallObjective
from benign.clock import NO_LIMIT, Clock
from benign.errors import ClaimError
from benign.exact import algebra
from benign.exact.algebra import RealRoot
from benign.exact.cover import Cover, Run
from benign.exact.problem import Problem

BITS = 128
"""Of the balls with which the domain and signs of h' are looked at."""

HALVINGS = 6
"""How often a box may be halved before it is shown to be in the domain."""


class Algebra:
    """The stationary points of a one-shot h by exact algebra, and signs of h' in balls."""

    def __init__(self, problem: Problem, cover: Cover) -> None:
        with ctx.workprec(BITS):
            self._objective = BallObjective(problem)
        first, last = (Fraction(cover.points[i]) for i in (0, -1))
        self.roots = algebra.narrowed_roots(problem, first, last)

    @staticmethod
    def of(problem: Problem, cover: Cover, clock: Clock = NO_LIMIT) -> Algebra | None:
        """None where the route is too long, also for the time there is, or h is constant."""
        if problem.step.shots > 1 or len(problem.tasks) > algebra.MAX_TASKS:
            return None
        if clock.left < algebra.seconds(problem):
            return None
        try:
            return Algebra(problem, cover)
        except ClaimError:
            return None

    def settled(self, cover: Cover) -> Cover:
        """The cover with its undecided boxes tagged `a`, where they are in the domain."""
        points, tags = [cover.points[0]], []
        for run in _joined(cover):
            cuts = self._cuts(run) if run.tag == "?" and self._is_inside(run.lo, run.hi) else None
            inner = [run.hi] if cuts is None else cuts
            tags += (run.tag if cuts is None else "a") * len(inner)
            points += inner
        return Cover(tuple(points), "".join(tags))

    def sign(self, w: float) -> int:
        """The sign of h' at a gain; 0 where it is not known, or the gain is outside the domain."""
        with ctx.workprec(BITS):
            at = self._objective.point(arb(w))
        return 0 if not at.inside else 1 if at.d1.is_positive else -1 if at.d1.is_negative else 0

    def within(self, run: Run) -> RealRoot | None:
        """The zero of h' in a run `a`, if it has one."""
        lo, hi = Fraction(run.lo), Fraction(run.hi)
        return next((root for root in self.roots if root.is_within(lo, hi)), None)

    def _cuts(self, run: Run) -> list[float] | None:
        """The upper ends of boxes that hold one root each; None where no float64 tells two apart."""
        lo, hi = Fraction(run.lo), Fraction(run.hi)
        inside = [root for root in self.roots if root.is_within(lo, hi)]
        cuts = []
        for left, right in zip(inside, inside[1:], strict=False):
            middle = float((left.hi + right.lo) / 2)
            if not (left.side(Fraction(middle)) > 0 > right.side(Fraction(middle))):
                return None  # no float64 lies between them
            cuts.append(middle)
        return [*cuts, run.hi]

    def _is_inside(self, lo: float, hi: float, depth: int = HALVINGS) -> bool:
        with ctx.workprec(BITS):
            if self._objective.box(lo, hi).inside:
                return True
        middle = lo + 0.5 * (hi - lo)
        if depth == 0 or not lo < middle < hi:
            return False
        return self._is_inside(lo, middle, depth - 1) and self._is_inside(middle, hi, depth - 1)


def floats_around(root: RealRoot) -> tuple[float, float]:
    """Neighbouring float64 that hold the root between them, or it twice."""
    lo, hi = _float(root.lo, floor), _float(root.hi, ceil)
    return lo, hi


def _float(x: Fraction, rounding: object) -> float:
    nearest = float(x)
    if rounding is floor:
        return nearest if Fraction(nearest) <= x else nextafter(nearest, -inf)
    return nearest if Fraction(nearest) >= x else nextafter(nearest, inf)


def _joined(cover: Cover) -> Iterator[Run]:
    """The boxes, undecided ones that touch as one."""
    last: Run | None = None
    for i, tag in enumerate(cover.tags):
        box = Run(tag, cover.points[i], cover.points[i + 1])
        if last is not None and last.tag == tag == "?":
            last = Run(tag, last.lo, box.hi)
            continue
        if last is not None:
            yield last
        last = box
    if last is not None:
        yield last
