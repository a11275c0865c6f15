"""A cover of the line for all families of a neighbourhood: a tag and a slant for each box of gains.

What the tags say, and what follows, is in `benign.certificates.radius`. Which tag a box may get is
guessed from h' and h'' of the families at the corners of the neighbourhood; then it is shown, or the
box is cut.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benign.exact.cover import Cover
from benign.floats.centred import Centred
from benign.floats.intervals import Floats, Interval
from benign.floats.nearby import least
from benign.floats.neighbours import NearbyObjective, Over, Pieces
from benign.prove.line.paving import root_interval

FIRST, MOST_BOXES = 96, 800
"""Boxes at first, and boxes looked at altogether; an honest cover has some hundreds."""

NARROW = 2.0**-13
"""A box narrower than this, relative to the line, is not cut again."""

ANGLES = 129
"""Directions (cos θ, sin θ) in the plane of h'' and h' that are tried; odd, so that θ = 0 is one."""

PLAIN = 0.02
"""A sign of h' with this margin, relative to its size, is taken before any slant."""


@dataclass(frozen=True)
class NearbyCover:
    """A cover for all families; a box of `v` or `^` has h'' + λh' of that sign, λ its slant."""

    cover: Cover
    slants: tuple[float, ...]


def cover_nearby(objective: NearbyObjective) -> NearbyCover | None:
    """A cover of the line with a tag for every box, or None where a box stays undecided.

    Raises:
        BudgetError: the time of the objective's clock is over.
    """
    low, high = root_interval(objective)
    points = np.linspace(low, high, FIRST + 1)
    lo, hi = points[:-1], points[1:]
    done: list[tuple[np.ndarray, ...]] = []
    looked = 0
    while lo.size:
        looked += lo.size
        tags, slants = _tagged(objective, lo, hi)
        if ((tags == " ") & (hi - lo < NARROW * (high - low))).any() or looked > MOST_BOXES:
            return None
        decided = tags != " "
        done.append((lo[decided], hi[decided], tags[decided], slants[decided]))
        lo, hi = lo[~decided], hi[~decided]
        middle = lo + 0.5 * (hi - lo)
        lo, hi = np.concatenate([lo, middle]), np.concatenate([middle, hi])
    lo, hi, tags, slants = (np.concatenate(column) for column in zip(*done, strict=True))
    order = np.argsort(lo, kind="stable")
    ends = np.append(lo[order], hi[order[-1]])
    cover = Cover(tuple(ends.tolist()), "".join(tags[order]))
    return NearbyCover(cover, tuple(slants[order].tolist()))


def _tagged(objective: NearbyObjective, lo: Floats, hi: Floats) -> tuple[np.ndarray, Floats]:
    """Tags and slants; " " where there is none yet."""
    bounds = objective.bounds(lo, hi)
    tags = np.full(lo.shape, " ")
    tags[bounds.inside & (bounds.d2.lo > 0)] = "v"
    tags[bounds.inside & (bounds.d2.hi < 0)] = "^"
    tags[bounds.d1.lo > 0] = "+"
    tags[bounds.d1.hi < 0] = "-"
    tags[bounds.outside] = "O"
    slants = np.zeros(lo.shape)
    # A box of `v` has to be compared with others: where h' seems to have a sign, that is shown instead.
    left = np.flatnonzero(np.isin(tags, [" ", "v"]) & ~bounds.outside)
    for part in objective.chunks(left.size):
        which = left[part]
        if which.size:
            first = tags[which] == "v"
            tags[which], slants[which] = _closer(
                objective, lo[which], hi[which], bounds.inside[which], first
            )
    return tags, slants


def _closer(
    objective: NearbyObjective, lo: Floats, hi: Floats, inside: np.ndarray, convex: np.ndarray
) -> tuple[np.ndarray, Floats]:
    """The tags that the corners allow, as far as they are shown; "c" where they allow none.

    Where h'' > 0 is known (`convex`) only a sign of h' is better.
    """
    guessed, slants = _guessed(objective, lo, hi, inside)
    known = convex & ~np.isin(guessed, ["+", "-"])
    guessed = np.where(known, "c", guessed)
    first = np.isin(guessed, ["v", "^"]).astype(float)  # the part of h'' in what is to be positive
    sign = np.where(np.isin(guessed, ["v", "+"]), 1.0, -1.0)
    second = np.where(first > 0, slants, 1.0)

    def part(pieces: Pieces) -> tuple[Centred, Over]:
        found = objective.slopes(lo, hi, pieces)
        one, other = (Interval.point((sign * x)[pieces.box]) for x in (first, second))
        assert found.d1 is not None
        assert found.d2 is not None
        return found.d2.times(one) + found.d1.times(other), found

    box = Interval(lo, hi)
    half = box - Interval.point(np.clip(box.mid, lo, hi))
    shown, _ = least(objective, [half], part, lo.size, np.where(guessed == "c", np.inf, 0.0))
    tags = np.where(shown, guessed, np.where((guessed == "c") & inside, "c", " "))
    return np.where(known, "v", tags), np.where(first > 0, slants, 0.0)


def _guessed(
    objective: NearbyObjective, lo: Floats, hi: Floats, inside: np.ndarray
) -> tuple[np.ndarray, Floats]:
    """The tag and slant with the largest margin over the corners, at the middle of each box.

    Over the families at the corners, the least of cos θ h'' + sin θ h' is a sum over the tasks. If no
    direction makes it positive, nor its greatest negative, no tag can be shown: "c". Beside a rim `v`
    is of no use.
    """
    x, y = corners(objective, lo + 0.5 * (hi - lo))
    weights = objective.weights[:, None]
    x, y = x * weights, y * weights
    known = ~np.isnan(x) & ~np.isnan(y)
    none = ~known.any(axis=2)
    scale = [np.where(known, np.abs(z), 0.0).max(axis=2).sum(axis=1) for z in (x, y)]
    scale = [np.where((z > 0) & np.isfinite(z), z, 1.0)[:, None, None] for z in scale]
    x, y = (np.where(known, z / size, 0.0) for z, size in zip((x, y), scale, strict=True))
    angles = np.linspace(-0.5, 0.5, ANGLES) * np.pi
    margins = []
    for sign in (1.0, -1.0):
        for angle in angles:
            mixed = sign * (np.cos(angle) * y + np.sin(angle) * x)
            least_of = np.where(known, mixed, np.inf).min(axis=2)
            margins.append(np.where(none, -np.inf, least_of).sum(axis=1))
    margin = np.array(margins).reshape(2, ANGLES, -1)
    rising = np.maximum(margin[0, -1], margin[1, 0])
    falling = np.maximum(margin[0, 0], margin[1, -1])
    margin[0, :, ~inside] = -np.inf
    best = margin[:, 1:-1].reshape(2 * (ANGLES - 2), -1).argmax(axis=0)
    which, place = best // (ANGLES - 2), best % (ANGLES - 2) + 1
    most = margin[which, place, np.arange(lo.size)]
    slants = np.tan(angles[place]) * (scale[1] / scale[0])[:, 0, 0]
    tags = np.where(which == 0, "v", "^")
    tags = np.where((rising > PLAIN) | (rising >= most), "+", tags)
    tags = np.where((falling > PLAIN) | (falling >= most), "-", tags)
    possible = np.maximum(np.maximum(rising, falling), most) > 0
    return np.where(possible, tags, "c"), slants


def corners(objective: NearbyObjective, w: Floats) -> tuple[Floats, Floats]:
    """Each task's h' and h'' at gains, its numbers at all corners and in the middle; (gains, k, 17)."""
    sides = np.array(np.meshgrid(*[[0.0, 1.0]] * 4)).reshape(4, -1)
    sides = np.concatenate([sides, np.full((4, 1), 0.5)], axis=1)
    a, b, q, r = (
        (x.lo[:, None] + (x.hi - x.lo)[:, None] * side)[None]
        for x, side in zip(objective.numbers, sides, strict=True)
    )
    s, eta, W = objective.s.mid[None, :, None], float(objective.eta.mid[0]), w[:, None, None]
    with np.errstate(all="ignore"):
        alpha, beta = (0.5 * s * (q + r * ((1.0 + side * a) / b) ** 2) for side in (-1, 1))

        def slopes(gain: Floats) -> tuple[Floats, Floats, Floats]:
            x, y = 1.0 / (1.0 - a + b * gain), 1.0 / (1.0 + a - b * gain)
            return (
                b * (beta * y**2 - alpha * x**2),
                2.0 * b**2 * (alpha * x**3 + beta * y**3),
                6.0 * b**3 * (beta * y**4 - alpha * x**4),
            )

        g1, g2, g3 = slopes(W)
        F = W - eta * g1
        f1, f2, _ = slopes(F)
        J = 1.0 - eta * g2
        stable = (abs(a - b * W) < 1) & (abs(a - b * F) < 1)
        return np.where(stable, f1 * J, np.nan), np.where(stable, f2 * J**2 - eta * g3 * f1, np.nan)
