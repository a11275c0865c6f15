"""The judge: what `analyze` says of a scalar family against what the oracle is sure of.

`facts` returns sentences, one for each thing said that is false: none is the only right number. A
minimum that the oracle is sure of must be listed, or lie in an undecided stretch; a listed one must be
one; each enclosure must hold the oracle's number; "proved" and "refuted" must be true.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import inf
from typing import Any

import numpy as np
import oracle_gradient
import oracle_normalized
from flint import arb, ctx, fmpq
from oracle_costs import BITS, TIE, Found, Minimum, Objective, ball

from benign.exact.problem import Problem
from benign.results.enclosure import Enclosure
from benign.results.landscape import Kind
from benign.results.line import LineLandscape, StationaryPoint, Undecided

SAMPLES = 24
"""Gains at which the domain, and h within undecided stretches, is compared."""


@dataclass(frozen=True)
class Judgement:
    """What is false, and how much was compared."""

    wrong: tuple[str, ...]
    minima: int
    complete: bool


def holds(bounds: Enclosure, x: arb) -> bool:
    """False where x is surely outside."""
    return not (x < arb(bounds.lo) or x > arb(bounds.hi))


def minima(problem: Problem, h: Objective, hints: Sequence[arb] = ()) -> Found:
    """What the oracle is sure of."""
    if problem.step.kind == "gradient":
        return oracle_gradient.minima(problem, h, hints)
    try:
        return oracle_normalized.minima(h)
    except (oracle_normalized.Unsure, ArithmeticError):
        return Found((), False)


def judge(landscape: LineLandscape, hints: Sequence[Fraction] = ()) -> Judgement:
    """Everything that `analyze` said, judged."""
    with ctx.workprec(BITS):
        h = Objective(landscape.problem)
        found = minima(landscape.problem, h, [ball(at) for at in hints])
        wrong = [
            *_nothing_missing(landscape, found),
            *_nothing_too_much(landscape, found, h),
            *_numbers(landscape, found, h),
            *_domain(landscape, h),
            *_stretches(landscape, h),
        ]
        return Judgement(tuple(wrong), len(found.minima), found.complete)


def infeasible(problem: Problem) -> list[str]:
    """Gains that are feasible, where it is said that none is."""
    with ctx.workprec(BITS):
        h = Objective(problem)
        low, high = oracle_gradient.span(h)
        if not low < high:
            return []
        inner = [low + (high - low) * arb(i) / 401 for i in range(1, 401)]
        return [f"{float(w)!r} is feasible" for w in inner if h.at(w.mid()) is not None][:1]


# --- the list --------------------------------------------------------------------------------


def _place(point: Minimum) -> str:
    return f"the {point.kind} at {float(point.lo)!r} of value {float(point.value)!r}"


def _meets(bounds: Enclosure, point: Minimum) -> bool:
    return not (point.hi < arb(bounds.lo) or point.lo > arb(bounds.hi))


def _nothing_missing(landscape: LineLandscape, found: Found) -> list[str]:
    """Each minimum has a listed one of its own kind, or lies in an undecided stretch."""
    free = list(landscape.minima)
    wrong = []
    for point in found.minima:
        own = next((p for p in free if p.kind == point.kind and _meets(p.at, point)), None)
        if own is None:
            if not any(_meets(u.W, point) for u in landscape.undecided):
                wrong.append(f"{_place(point)} is missing")
            continue
        free.remove(own)
        if not holds(own.value, point.value):
            wrong.append(f"{_place(point)} has not a value in {own.value}")
    if found.complete:
        wrong += [f"{p.kind} at {p.at}: there is none" for p in free]
    return wrong


def _nothing_too_much(landscape: LineLandscape, found: Found, h: Objective) -> list[str]:
    """Where the oracle's list is not complete, signs of h' at both ends of each enclosure."""
    wrong = []
    jumps = [p.at for p in landscape.stationary_points if p.limits is not None]

    def beside(x: float) -> Any:
        # An end within a jump may lie on its other side, where h' is that of another piece.
        return None if any(at.lo <= x <= at.hi for at in jumps) else h.at(arb(x))

    for point in landscape.stationary_points:
        if point.kind not in (Kind.MINIMUM, Kind.MAXIMUM):
            continue
        rise = 1 if point.kind is Kind.MINIMUM else -1
        left, right = beside(point.at.lo), beside(point.at.hi)
        if (left is not None and left[1] * rise > 0) or (right is not None and right[1] * rise < 0):
            wrong.append(f"{point.kind} at {point.at}: h' does not change sign as it should")
        middle = h.at(arb(point.at.mid))
        if middle is not None and middle[0] < arb(point.value.lo) and point.kind is Kind.MINIMUM:
            wrong.append(f"{point.kind} at {point.at}: h is lower than {point.value}")
    return wrong


# --- the numbers -----------------------------------------------------------------------------


def _values(landscape: LineLandscape, found: Found, h: Objective) -> list[arb]:
    """Values of minima that there surely are: the oracle's, or refined within listed enclosures."""
    values = [point.value for point in found.minima]
    if found.complete:
        return values
    for point in landscape.minima:
        if any(_meets(point.at, known) for known in found.minima):
            continue
        if point.kind is Kind.MINIMUM:
            sides = oracle_gradient.narrowed(h, arb(point.at.lo), arb(point.at.hi))
            values += [sides.value] if sides is not None else []
    return values


def _numbers(landscape: LineLandscape, found: Found, h: Objective) -> list[str]:
    """min h, ε and the verdict."""
    values = _values(landscape, found, h)
    if not values:
        return []
    least, most = values[0], values[0]
    for value in values[1:]:
        least = value if value < least else least
        most = value if value > most else most
    spread = most - least
    level = abs(spread) <= TIE * (abs(most) + abs(least))
    sure = found.complete or bool(landscape.is_complete and len(values) == len(landscape.minima))
    wrong = []
    if least < arb(landscape.minimum.lo) or (sure and least > arb(landscape.minimum.hi)):
        wrong.append(f"min h = {float(least)!r} is not in {landscape.minimum}")
    epsilon = landscape.epsilon
    if not level and spread > arb(epsilon.hi):
        wrong.append(f"epsilon is at least {float(spread)!r}, not in {epsilon}")
    if sure and (epsilon.lo > 0 if level else spread < arb(epsilon.lo)):
        wrong.append(f"epsilon is {float(spread)!r}, not in {epsilon}")
    asked = ball(Fraction(landscape.certificate["asked"]))
    status = landscape.verdict.status.value
    if status == "proved" and not level and spread > asked:
        wrong.append(f"proved, but epsilon is at least {float(spread)!r}: {landscape.verdict}")
    if status == "refuted" and sure and (level or spread <= asked):
        wrong.append(f"refuted, but epsilon is {float(spread)!r}: {landscape.verdict}")
    return wrong


# --- the domain ------------------------------------------------------------------------------


def _domain(landscape: LineLandscape, h: Objective) -> list[str]:
    """Gains drawn on the line are in the domain if and only if it is said."""
    low, high = oracle_gradient.span(h)
    rng = np.random.default_rng(0)
    drawn = [float(low + (high - low) * arb(float(u))) for u in rng.uniform(-0.02, 1.02, SAMPLES)]
    wrong = []
    for w in drawn:
        x = arb(w)
        inside = h.at(x) is not None
        if not inside and not h.outside(x):
            continue
        unknown = any(u.W.lo <= w <= u.W.hi for u in landscape.undecided) or any(
            end.lo <= w <= end.hi for piece in landscape.domain for end in (piece.lo, piece.hi)
        )
        said = any(piece.lo.hi < w < piece.hi.lo for piece in landscape.domain)
        if not unknown and said != inside:
            wrong.append(f"{w!r} is {'' if inside else 'not '}in the domain")
    return wrong


def _bounds(p: Undecided | StationaryPoint) -> Enclosure:
    return p.W if isinstance(p, Undecided) else p.at


def _stretches(landscape: LineLandscape, h: Objective) -> list[str]:
    """h at a few gains of each undecided stretch: where stretches overlap, in what one of them says."""
    wrong = []
    for stretch in landscape.undecided:
        for i in range(1, 6):
            w = arb(stretch.W.lo) + (arb(stretch.W.hi) - arb(stretch.W.lo)) * fmpq(i, 6)
            jet = h.at(w)
            here = [p for p in (*landscape.undecided, *landscape.stationary_points)
                    if not (w < arb(_bounds(p).lo) or w > arb(_bounds(p).hi))]  # fmt: skip
            if jet is None or any(p.value.hi == inf for p in here):
                continue
            low, high = min(p.value.lo for p in here), max(_highest(p) for p in here)
            if not holds(Enclosure(low, high), jet[0]):
                wrong.append(
                    f"h is {float(jet[0])!r} in {stretch.W}, said to be in [{low!r}, {high!r}]"
                )
    return wrong


def _highest(point: StationaryPoint | Undecided) -> float:
    """The most that h is said to be near there: at a jump, the upper limit."""
    if isinstance(point, StationaryPoint) and point.limits is not None:
        return max(x.hi for x in point.limits if x is not None)
    return inf if isinstance(point, Undecided) and "jump" in point.reason else point.value.hi
