"""For all families of a neighbourhood: no local minimum exceeds another by more than ε.

A stretch of a cover (`benign.prove.line.nearby`) that may hold minima is compared with every other
one, by the rules of `benign.certificates.radius`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benign.exact.cover import Cover
from benign.floats.centred import Centred
from benign.floats.intervals import Floats, Interval
from benign.floats.nearby import least
from benign.floats.neighbours import NearbyObjective, Over, Pieces
from benign.prove.line.outside import Families, corner_of

DEPTH, MOST_PAIRS = 8, 4_000
"""How often a pair of boxes is cut, and pairs looked at altogether."""

SAMPLES = 33
"""Gains of a stretch without a minimum of the middle family that are looked at for the lowest."""


@dataclass(frozen=True)
class Stretch:
    """Boxes i to j − 1 of a cover, neighbours of one tag, `v` or `c`."""

    tag: str
    boxes: tuple[int, int]


def stretches(cover: Cover) -> list[Stretch]:
    """The stretches of a cover that may hold minima, from left to right."""
    found: list[Stretch] = []
    start = 0
    for i in range(1, len(cover.tags) + 1):
        if i == len(cover.tags) or cover.tags[i] != cover.tags[start]:
            if cover.tags[start] in "vc":
                found.append(Stretch(cover.tags[start], (start, i)))
            start = i
    return found


def compared(
    objective: NearbyObjective, cover: Cover, families: Families, delta: float, epsilon: float
) -> list[list[list[list[float]] | None]] | None:
    """Cells of the i-th stretch against the j-th, as a certificate has them; None if it is not shown.

    Raises:
        BudgetError: the time of the objective's clock is over.
    """
    found = stretches(cover)
    gains = _gains(found, cover, families, delta)
    pairs: list[tuple[Floats, ...]] = []
    ends = np.array(cover.points)
    for i, one in enumerate(found):
        for j, other in enumerate(found):
            lo, hi = ends[slice(*other.boxes)], ends[other.boxes[0] + 1 : other.boxes[1] + 1]
            if one.tag == "v" and i != j:
                u = np.full(lo.size, gains[i][j])
                pairs.append((lo, hi, u, u))
            elif one.tag == "c":
                first, last = ends[slice(*one.boxes)], ends[one.boxes[0] + 1 : one.boxes[1] + 1]
                many = len(first)
                pairs.append((np.tile(lo, many), np.tile(hi, many),
                              np.repeat(first, lo.size), np.repeat(last, lo.size)))  # fmt: skip
    if not pairs:
        return _cells(found, cover, gains)
    lo, hi, first, last = (np.concatenate(column) for column in zip(*pairs, strict=True))
    if not _exceeded(objective, (lo, hi), (first, last), epsilon):
        return None
    return _cells(found, cover, gains)


def _cells(
    found: list[Stretch], cover: Cover, gains: list[list[float | None]]
) -> list[list[list[list[float]] | None]]:
    """One cell a run, from end to end."""
    rows = []
    for one, row in zip(found, gains, strict=True):
        ends = cover.points[one.boxes[0]], cover.points[one.boxes[1]]
        rows.append([None if u is None else [[ends[0], u, ends[1], 0.0, 0.0]] for u in row])
    return rows


def _exceeded(
    objective: NearbyObjective,
    W: tuple[Floats, Floats],
    u: tuple[Floats, Floats],
    epsilon: float,
) -> bool:
    """Whether h(u) − h(W) < ε for all pairs of boxes."""
    looked = 0
    for _ in range(DEPTH):
        left = np.zeros(W[0].size, bool)
        looked += W[0].size
        if looked > MOST_PAIRS:
            return False
        for part in objective.chunks(W[0].size):
            shown, met = _shown(objective, [x[part] for x in W], [x[part] for x in u], epsilon)
            if (met <= -epsilon).any():
                return False
            left[part] = ~shown
        if not left.any():
            return True
        W, u = _cut([x[left] for x in W], [x[left] for x in u])
    return False


def _shown(
    objective: NearbyObjective, W: list[Floats], u: list[Floats], epsilon: float
) -> tuple[np.ndarray, Floats]:
    def part(pieces: Pieces) -> tuple[Centred, Over]:
        found = objective.excess((W[0], W[1]), (u[0], u[1]), pieces)
        assert found.excess is not None
        return found.excess, found

    halves = []
    for lo, hi in (W, u):
        box = Interval(lo, hi)
        halves.append(box - Interval.point(np.clip(box.mid, lo, hi)))
    return least(objective, halves, part, W[0].size, np.full(W[0].size, -epsilon))


def _cut(W: list[Floats], u: list[Floats]) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
    """Each pair of boxes halved along the wider one."""
    wide = (W[1] - W[0]) >= (u[1] - u[0])
    middles = [x[0] + 0.5 * (x[1] - x[0]) for x in (W, u)]
    made = []
    for x, middle, cut in zip((W, u), middles, (wide, ~wide), strict=True):
        lo = np.concatenate([x[0], np.where(cut, middle, x[0])])
        hi = np.concatenate([np.where(cut, middle, x[1]), x[1]])
        made.append((lo, hi))
    return made[0], made[1]


def _gains(
    found: list[Stretch], cover: Cover, families: Families, delta: float
) -> list[list[float | None]]:
    """For each run of `v` the minimiser where its gap to another stretch is about greatest."""
    shape = families.centre.shape[0], 4
    middle = families.observed(np.zeros((1, *shape)))
    ends = [(cover.points[s.boxes[0]], cover.points[s.boxes[1]]) for s in found]
    own = [_lowest(families, *end, middle.W, middle.value) for end in ends]
    rows: list[list[float | None]] = []
    for i, one in enumerate(found):
        row: list[float | None] = []
        for j in range(len(found)):
            if one.tag != "v" or i == j:
                row.append(None)
                continue
            corner = corner_of(families, own[i], own[j])
            there = families.observed(delta * corner[None])
            within = [w for w in there.W if ends[i][0] <= w <= ends[i][1]]
            row.append(float(min(within, key=lambda w: abs(w - own[i]), default=own[i])))
        rows.append(row)
    return rows


def _lowest(families: Families, lo: float, hi: float, W: Floats, value: Floats) -> float:
    """The lowest minimiser of the middle family in a stretch, or the lowest gain of a few."""
    inside = (lo <= W) & (hi >= W)
    if inside.any():
        return float(W[inside][value[inside].argmin()])
    grid = np.linspace(lo, hi, SAMPLES)
    heights = families.heights(grid)
    return float(grid[heights.argmin()])
