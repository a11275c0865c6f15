"""Minimisers of h at several step sizes, joined to branches where nothing can be mistaken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from benign.results.enclosure import Enclosure
from benign.results.landscape import Kind
from benign.results.line import LineLandscape, StationaryPoint

CLOSE = 0.5
"""A minimiser that moves by less than this share of its distance to any other stationary point has
not changed places with one."""


@dataclass(frozen=True)
class Sample:
    """The landscape at one step size.

    Attributes:
        eta: η, exact.
        landscape: proved; None where no gain is feasible.
    """

    eta: Fraction
    landscape: LineLandscape | None

    @property
    def minimizers(self) -> tuple[StationaryPoint, ...]:
        """Where a descent can end, from left to right."""
        return () if self.landscape is None else self.landscape.minima

    @property
    def decided(self) -> bool:
        """Whether the list is proved complete."""
        return self.landscape is None or self.landscape.is_complete


@dataclass(frozen=True)
class BranchPoint:
    """A branch at one step size.

    Attributes:
        sample: the position of the step size in `Bifurcation.samples`.
        at, value, kind: of the minimiser.
        spurious: whether it is proved to lie above the global minimum.
    """

    sample: int
    at: Enclosure
    value: Enclosure
    kind: Kind
    spurious: bool


@dataclass(frozen=True)
class Event:
    """A minimiser that is born or dies as η grows.

    Attributes:
        birth: born, or else it dies.
        eta: between which two step sizes; at both the list of minimisers is proved complete.
        W: where it is at the end of the interval at which it is there.
        branch: its branch.
    """

    birth: bool
    eta: tuple[float, float]
    W: float
    branch: int


def same(a: Sample, b: Sample) -> bool:
    """Whether the minimisers at two step sizes are the same ones, moved."""
    if len(a.minimizers) != len(b.minimizers) or not (a.decided and b.decided):
        return False
    room = [min(x, y) for x, y in zip(_room(a), _room(b), strict=True)]
    moved = [abs(p.at.mid - q.at.mid) for p, q in zip(a.minimizers, b.minimizers, strict=True)]
    return all(shift < CLOSE * free for shift, free in zip(moved, room, strict=True))


def _room(sample: Sample) -> list[float]:
    """The distance from each minimiser to the nearest other stationary point."""
    if sample.landscape is None:
        return []
    every = [point.at.mid for point in sample.landscape.stationary_points]
    return [
        min((abs(w - point.at.mid) for w in every if w != point.at.mid), default=float("inf"))
        for point in sample.minimizers
    ]


def pairs_of(a: Sequence[float], b: Sequence[float]) -> list[tuple[int, int]]:
    """Which of a is which of b: in order, as many as possible, moved as little as possible in all.

    (Branches on a line keep their order: to change places two minimisers would have to meet.)
    """
    n, m = len(a), len(b)
    # (unmatched, distance moved, pairs) for the first i of a and the first j of b.
    best: list[list[tuple[int, float, tuple[tuple[int, int], ...]]]]
    best = [[(i + j, 0.0, ()) for j in range(m + 1)] for i in range(n + 1)]
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            lost, moved, pairs = best[i - 1][j - 1]
            joined = (lost, moved + abs(a[i - 1] - b[j - 1]), (*pairs, (i - 1, j - 1)))
            skipped = min(best[i - 1][j], best[i][j - 1])
            best[i][j] = min(joined, (skipped[0] + 1, skipped[1], skipped[2]))
    return list(best[n][m][2])


def joined(
    samples: tuple[Sample, ...],
) -> tuple[tuple[tuple[BranchPoint, ...], ...], tuple[Event, ...]]:
    """The branches, each a run of consecutive samples, and their births and deaths."""
    branches: list[list[BranchPoint]] = []
    events: list[Event] = []
    open_now: list[int] = []  # the branch of each minimiser of the sample before
    for i, sample in enumerate(samples):
        points = [_point(i, sample, p) for p in sample.minimizers]
        before = samples[i - 1] if i else None
        pairs: list[tuple[int, int]] = []
        if before is not None:
            pairs = pairs_of([p.at.mid for p in before.minimizers], [p.at.mid for p in points])
        owner = {j: open_now[k] for k, j in pairs}
        between = (float(before.eta), float(sample.eta)) if before is not None else (0.0, 0.0)
        for k, branch in enumerate(open_now):
            if before is not None and k not in {k for k, _ in pairs}:
                events.append(Event(False, between, before.minimizers[k].at.mid, branch))
        following = []
        for j, point in enumerate(points):
            if j not in owner:
                owner[j] = len(branches)
                branches.append([])
                if before is not None:
                    events.append(Event(True, between, point.at.mid, owner[j]))
            branches[owner[j]].append(point)
            following.append(owner[j])
        open_now = following
    return tuple(tuple(branch) for branch in branches), tuple(events)


def _point(i: int, sample: Sample, point: StationaryPoint) -> BranchPoint:
    assert sample.landscape is not None
    spurious = point.value.lo > sample.landscape.minimum.hi
    return BranchPoint(i, point.at, point.value, point.kind, spurious)
