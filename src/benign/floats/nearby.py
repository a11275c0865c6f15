"""The least of Σ_τ ω_τ G_τ(W, u, p_τ) over boxes of gains W, u and all numbers p_τ of the tasks.

The tasks' numbers move independently, so that the least of the sum is the sum of the least values, one
search of four variables for each task. A piece of a task's numbers is bounded by a mean-value form;
where G is monotone in a number, that number is put to the end where G is least; pieces that are low are
halved, along the number that blurs most. The gains are the same for all tasks: their share is added up
before it is bounded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np

from benign.floats.centred import Centred, total
from benign.floats.intervals import Floats, Interval, weighted_sum
from benign.floats.neighbours import NearbyObjective, Over, Pieces

Part = Callable[[Pieces], tuple[Centred, Over]]
"""G for each piece, and where it lies; the gains are those of its box."""

GAINS = 2
"""Variables before the numbers: W and u."""

ROUNDS, MOST_PIECES = 9, 20_000
"""Halvings of a piece at most, and pieces at once."""


@dataclass
class _Bounds:
    """Of each piece, (M,): the least by its numbers, by all, a value, how the numbers blur (4, M);
    lower and upper bounds (2, M) of the derivatives in the gains.
    """

    numbers: Floats
    whole: Floats
    met: Floats
    blur: Floats
    first: Floats
    last: Floats

    def __getitem__(self, which: np.ndarray) -> _Bounds:
        return _Bounds(*(getattr(self, f.name)[..., which] for f in fields(self)))


def least(
    objective: NearbyObjective,
    halves: list[Interval],
    part: Part,
    boxes: int,
    need: Floats,
    rounds: int = ROUNDS,
) -> tuple[np.ndarray, Floats]:
    """Whether Σ ω G > need all over each box, and about the least that was met at its middle.

    Args:
        objective: gives the tasks.
        halves: W and u less the middles of their boxes, (boxes,) each.
        part: G.
        boxes: their number.
        need: (boxes,) what has to be exceeded.
        rounds: of halving.
    """
    shape = (boxes, len(objective.weights))
    shown, met = np.zeros(boxes, bool), np.full(shape, np.inf)
    pieces, bounds = _bounded(part, objective.pieces(boxes))
    for turn in range(rounds):
        at = pieces.box, pieces.task
        np.minimum.at(met, at, bounds.met)
        here = np.unique(pieces.box)
        shown[here] |= _sums(objective, halves, pieces, bounds, shape)[here] > need[here]
        if turn == rounds - 1 or pieces.box.size > MOST_PIECES:
            break
        open_ = ~shown & (met @ objective.weights > need)
        keep = open_[pieces.box]
        if not keep.any():
            break
        pieces, bounds = pieces[keep], bounds[keep]
        cut = _to_cut(bounds, met[pieces.box, pieces.task])
        if not cut.any():
            break
        new, made = _bounded(part, _halves(pieces[cut], bounds[cut]))
        pieces, bounds = _joined(pieces[~cut], new), _together(bounds[~cut], made)
    return shown, met @ objective.weights


def _sums(
    objective: NearbyObjective,
    halves: list[Interval],
    pieces: Pieces,
    bounds: _Bounds,
    shape: tuple[int, int],
) -> Floats:
    """Lower bounds of the sums, by two routes."""
    weights, at = objective.weights, (pieces.box, pieces.task)

    def over(values: Floats, start: float, reduce: np.ufunc) -> Floats:
        found = np.full(shape, start)
        reduce.at(found, at, values)
        return found

    with np.errstate(all="ignore"):
        low = over(bounds.numbers, np.inf, np.minimum)
        mean = weighted_sum(Interval(low, low), weights)
        for v, half in enumerate(halves):
            slope = Interval(
                over(bounds.first[v], np.inf, np.minimum), over(bounds.last[v], -np.inf, np.maximum)
            )
            mean = mean + weighted_sum(slope, weights) * half
        whole = over(bounds.whole, np.inf, np.minimum)
        return np.fmax(mean.lo, weighted_sum(Interval(whole, whole), weights).lo)


def _bounded(part: Part, pieces: Pieces) -> tuple[Pieces, _Bounds]:
    """The pieces, numbers at their ends where G is monotone, and their bounds.

    Only where all of a piece is in the domain: else the end may be outside, while G is least inside.
    """
    with np.errstate(all="ignore"):
        found, place = part(pieces)
        inside = place.inside
        numbers = []
        for v, x in enumerate(pieces.numbers, start=GAINS):
            rises, falls = inside & (found.grad.lo[v] >= 0), inside & (found.grad.hi[v] <= 0)
            lo = np.where(falls & ~rises, x.hi, x.lo)
            numbers.append(Interval(lo, np.where(rises, x.lo, x.hi)))
        pieces = Pieces(pieces.box, pieces.task, tuple(numbers))  # type: ignore[arg-type]
        found, place = part(pieces)
        inside, outside = place.inside, place.outside
        moved = found.grad[GAINS:] * found.offset[GAINS:]
        by_numbers = (found.mid + total(moved)).lo
        by_numbers = np.where(inside, _known(by_numbers, -np.inf), -np.inf)
        met = np.where(inside, _known(found.mid.hi, np.inf), np.inf)
        blur = moved.hi - moved.lo
        widths = np.stack([x.hi - x.lo for x in pieces.numbers])
        for other in (place.reach, widths):
            blur = np.where(np.isfinite(blur).all(axis=0), blur, other)
        gone = np.where(outside, np.inf, -np.inf)  # no gain of it is in the domain: no bound is needed
        return pieces, _Bounds(
            np.maximum(by_numbers, gone),
            np.maximum(_known(found.box.lo, -np.inf), gone),
            met,
            np.where(outside, 0.0, blur),
            np.where(outside, np.inf, _known(found.grad.lo[:GAINS], -np.inf)),
            np.where(outside, -np.inf, _known(found.grad.hi[:GAINS], np.inf)),
        )


def _known(x: Floats, otherwise: float) -> Floats:
    return np.where(np.isnan(x), otherwise, x)


def _to_cut(bounds: _Bounds, met: Floats) -> np.ndarray:
    """Pieces that may hold less than was met."""
    return (bounds.blur.max(axis=0) > 0) & ~(np.maximum(bounds.numbers, bounds.whole) > met)


def _halves(pieces: Pieces, bounds: _Bounds) -> Pieces:
    along = bounds.blur.argmax(axis=0)
    numbers = []
    for v, x in enumerate(pieces.numbers):
        middle = np.where(along == v, x.lo + 0.5 * (x.hi - x.lo), np.nan)
        first = Interval(x.lo, np.where(along == v, middle, x.hi))
        second = Interval(np.where(along == v, middle, x.lo), x.hi)
        numbers.append(_both(first, second))
    box, task = (np.concatenate([x, x]) for x in (pieces.box, pieces.task))
    return Pieces(box, task, tuple(numbers))  # type: ignore[arg-type]


def _both(x: Interval, y: Interval) -> Interval:
    return Interval(np.concatenate([x.lo, y.lo]), np.concatenate([x.hi, y.hi]))


def _joined(x: Pieces, y: Pieces) -> Pieces:
    numbers = tuple(_both(a, b) for a, b in zip(x.numbers, y.numbers, strict=True))
    box, task = np.concatenate([x.box, y.box]), np.concatenate([x.task, y.task])
    return Pieces(box, task, numbers)  # type: ignore[arg-type]


def _together(x: _Bounds, y: _Bounds) -> _Bounds:
    pairs = ((getattr(x, f.name), getattr(y, f.name)) for f in fields(x))
    return _Bounds(*(np.concatenate(pair, axis=-1) for pair in pairs))
