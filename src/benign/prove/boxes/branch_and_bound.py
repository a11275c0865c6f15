"""Branch and bound: every local minimiser of h below a level, proved, for two to four parameters.

A root box that holds the domain is halved again and again. A box is done with when one of these is
shown of it (the letter is its tag in the certificate, see `benign.certificates.below`):

    u   none of its gains stabilises some task before adaptation;
    o   for some task the first shot leads from all of its stabilising gains to none that stabilises;
    r   it lies so near a rim of the stabilising set that no next gain can stabilise (`floats.rim`);
    l   h exceeds the level, or is infinite, all over it;
    g   it is in the domain of h, and ∇h ≠ 0 all over it;
    s   its gains stabilise before adaptation, and where h is finite s∇h ≠ 0 for a factor s > 0;
    n   ∇²h has a direction of negative curvature all over it;
    m   it lies in a box around a listed minimiser on which h is strictly convex.

What floating point finds (a minimiser by Newton's method, directions to test along) is a guess that a
test in outward-rounded arithmetic then confirms or not. When time runs out the boxes that are left
lower the level: h exceeds the least of their lower bounds on all of them, so that below it the list is
complete. So that this is worth something, low levels come first: boxes whose bound exceeds a stage wait
until all below it are decided.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benign.clock import NO_LIMIT, Clock
from benign.exact.problem import Matrix, Problem
from benign.floats import box_signs
from benign.floats.bounds import Bounds, weights_below
from benign.floats.boxes import BoxObjective
from benign.floats.fractions_of_gain import Frame
from benign.floats.looks import After, Look, looker
from benign.floats.rim import Rim, least_costs
from benign.floats.taylor import GROWN, TINY, UNIT, Floats
from benign.interrupts import Request
from benign.prove.boxes.minimisers import Minimiser, Minimisers
from benign.prove.boxes.tree import LEAF_TAGS, Boxes, Tree

ITEMS = 8192
"""Boxes times tasks evaluated at once by a thread: some ten MB of models for two parameters."""

LEAST = 4
"""Boxes tested at once by a thread, at least."""

MOST_TASKS = ITEMS // LEAST
"""Tasks up to which no more than ITEMS are evaluated at once."""

THIN = 2.0**-10
"""A side shorter than this share of the longest is not halved, whatever it seems to matter: along an
edge of the stabilising set it would be for ever."""

FEWEST = 2048
"""Boxes that are worth a thread of their own. With fewer NumPy's calls are so short that threads wait
for the interpreter's lock: shares of 128 boxes in two threads took 3.6 s where one thread takes 2.0."""

STAGES = (1.2, 2.0, 5.0, 10.0)
"""The stages, in multiples of the least value found; the last one is the level itself."""

DEEPEST = 48
"""Halvings of one side at most, as in `benign.certificates.below_tree`: centres and radii of boxes stay
exact floats."""


ROOM = 1e-9
"""The level reached lies below the least bound of what is left by this share of it, so that the
checker, whose bounds are others, can show as well that h exceeds it there. (A choice.)"""


def processors() -> int:
    """Those that this process may use: so many threads test boxes."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True)
class Tested:
    """What was shown of some boxes.

    Attributes:
        letters: (boxes,), the codes of their tags; 0 for those that are left.
        axes: (boxes,), where to halve them.
        around: indices of boxes with tag m, with the minimiser in whose convex box they lie.
        guesses: centres of convex boxes in which ∇h may vanish, and how far from there.
    """

    letters: NDArray[np.uint8]
    axes: NDArray[np.int64]
    around: list[tuple[NDArray[np.int64], Minimiser]]
    guesses: list[tuple[Floats, Floats]]


class Pavement:
    """The state of a proof: what is done, what waits, and the minimisers so far.

    Args:
        problem: a gradient step; two to four parameters.
        frame: coordinates; the root box is [−1, 1]ᵖ.
        level: c; infinite for the whole domain.
        witnesses: for each task a gain that stabilises it, near its optimum.
        clock: the time there is to set it up, and to look for minimisers.

    Attributes:
        found: the minimisers, and the search for them.
        floor: a lower bound of h anywhere.
        allows_steep: whether boxes may be excluded by s∇h ≠ 0, across the rim of the domain.
        around: the nodes with tag m, and the minimiser in whose convex box they lie.
        request: made from outside, it ends a run after the boxes that are being tested.
    """

    def __init__(
        self,
        problem: Problem,
        frame: Frame,
        level: float,
        witnesses: Sequence[Matrix],
        clock: Clock = NO_LIMIT,
    ) -> None:
        self.clock = clock
        self.objective = BoxObjective(problem, frame, clock)
        self.look = looker(self.objective, clock)
        self.problem, self.frame, self.level = problem, frame, level
        self.p, self.k = frame.p, self.objective.k
        self.least = least_costs(problem, witnesses, clock)
        self._witnesses = witnesses
        self.rim = Rim(problem, frame, level, self.least, witnesses, clock)
        self.weights = weights_below(problem.weights)
        self.tree = Tree()
        self.found = Minimisers(self.look, frame, clock)
        everywhere = float(self._total(self.least[:, None])[0])
        ones = np.ones((self.p, 1))
        self.waiting = Boxes(0.0 * ones, ones, np.zeros(1, np.int64), np.full(1, everywhere))
        self.stuck: list[Boxes] = []
        self.around: list[tuple[NDArray[np.int64], Minimiser]] = []
        self.boxes = 0
        self.floor = everywhere
        self.allows_steep = False
        self.request = Request()

    def set_level(self, level: float) -> None:
        """Another level, before anything was tested."""
        self.level = level
        self.rim = Rim(self.problem, self.frame, level, self.least, self._witnesses, self.clock)

    @property
    def minimisers(self) -> list[Minimiser]:
        """Those proved so far, by increasing value."""
        return self.found.known

    @property
    def is_done(self) -> bool:
        """Whether every box is decided."""
        return not len(self.waiting) and not self.stuck

    def left(self) -> Boxes:
        """The boxes that are not decided."""
        return Boxes.joined([self.waiting, *self.stuck])

    def reached(self) -> tuple[float, int]:
        """The level below which all is decided, and the number of boxes left."""
        left = self.left()
        if not len(left):
            return self.level, 0
        lowest = float(left.bound.min())
        return min(self.level, lowest * (1.0 - ROOM)), len(left)

    def tree_text(self) -> str:
        """The tree of a certificate for the level that was reached: on what is left h is above it."""
        saved = self.tree.tags.copy()
        self.tree.tags[self.left().node] = ord("l")
        text = self.tree.text()
        self.tree.tags = saved
        return text

    def needed(self, level: float) -> list[Minimiser]:
        """The minimisers that a certificate names: not above the level, or with leaves around them."""
        around = {id(point) for nodes, point in self.around if len(nodes)}
        return [p for p in self.minimisers if p.value.lo <= level or id(p) in around]

    def leaves(self) -> dict[str, int]:
        """How many leaves have each tag."""
        return {tag: n for tag, n in self.tree.counts().items() if tag in LEAF_TAGS}

    # --- the loop ----------------------------------------------------------------------------

    def tested(self, boxes: Boxes) -> Tested:
        """Test boxes and raise their bounds; nothing else is changed, so that threads can share it."""
        letters = np.zeros(len(boxes), np.uint8)
        around: list[tuple[NDArray[np.int64], Minimiser]] = []
        guesses: list[tuple[Floats, Floats]] = []

        def close(index: NDArray[np.int64], letter: str) -> None:
            letters[index] = ord(letter)

        y, r = boxes.y, boxes.r
        effect = r / r.max(axis=0)  # the longest side, where nothing better is known
        with np.errstate(all="ignore"):
            for known in self.minimisers:
                gap = (np.abs(y - known.centre[:, None]) + r) * GROWN  # two roundings
                held = np.flatnonzero((letters == 0) & (gap <= known.radius[:, None]).all(axis=0))
                if len(held):
                    around.append((held, known))
                    close(held, "m")
            left = np.flatnonzero(letters == 0)
            if len(left):
                left, look = self._before(boxes, left, close, effect)
                self._adapted(boxes, left, look, close, effect, guesses)
        sides = r / r.max(axis=0)
        effect = np.where(np.isfinite(effect).all(axis=0), effect, sides)
        axes = np.argmax(np.where(sides > THIN, effect, -1.0), axis=0)
        return Tested(letters, axes, around, guesses)

    def _before(
        self,
        boxes: Boxes,
        left: NDArray[np.int64],
        close: Callable[[NDArray[np.int64], str], None],
        effect: Floats,
    ) -> tuple[NDArray[np.int64], Look]:
        """The tests of the gains themselves; which boxes are left, and a look at them."""
        y, r = boxes.y, boxes.r
        look = self.look(y[:, left], r[:, left])
        before = look.before()
        effect[:, left] = before.effect
        out = np.any(before.signs < 0, axis=0)
        close(left[out], "u")
        thrown = before.thrown_out.any(axis=0) & ~out
        close(left[thrown], "o")
        keep = np.flatnonzero(~out & ~thrown)
        W = self.rim.gains(y[:, left[keep]], r[:, left[keep]])
        threshold = self.rim.threshold(W)
        out = np.asarray(np.any(before.least[:, keep] > threshold, axis=0))
        for task in range(self.k):
            near = np.flatnonzero(~out & (before.signs[task, keep] == 0) & np.isfinite(threshold[task]))
            if len(near):
                part = Bounds(W.mid[..., near], W.rad[..., near])
                out[near] |= self.rim.least_g(part, task) > threshold[task, near]
        close(left[keep[out]], "r")
        keep = keep[~out]
        return left[keep], look[keep]

    def _adapted(
        self,
        boxes: Boxes,
        left: NDArray[np.int64],
        look: Look,
        close: Callable[[NDArray[np.int64], str], None],
        effect: Floats,
        guesses: list[tuple[Floats, Floats]],
    ) -> None:
        """The tests that need the adapted gains."""
        y, r = boxes.y, boxes.r
        if len(left) == 0:
            return
        at = look.after()
        value = np.where(at.along, np.fmax(at.least, self.least[:, None]), self.least[:, None])
        bound = self._total(value)
        lost = (at.along & (at.signs < 0)).any(axis=0)
        for task in range(self.k):
            # At the corners of a stabilising set N and D both vanish; a finite horizon still tells.
            near = np.flatnonzero(
                ~lost & (bound <= self.level) & at.along[task] & (at.signs[task] == 0)
            )
            if len(near):
                F = self._range(at, task, near)
                value[task, near] = np.fmax(value[task, near], self.rim.least_f(F, task))
                bound[near] = self._total(value[:, near])
        boxes.bound[left] = np.fmax(boxes.bound[left], bound)
        out = lost | (bound > self.level)
        close(left[out], "l")
        keep = np.flatnonzero(at.along.all(axis=0) & ~out)
        if len(keep) == 0:
            return
        left, look, inside = left[keep], look[keep], at.inside[keep]
        # Near the rim, where ∇h has a pole, times what clears it.
        found = look.slopes(np.full(len(left), self.allows_steep))
        out = found.slope & inside
        close(left[out], "g")
        if self.allows_steep:
            steep = found.steep & ~out
            close(left[steep], "s")
            fine = np.isfinite(found.moved).all(axis=0) & (found.moved.max(axis=0) > 0) & ~out
            effect[:, left[fine]] = found.moved[:, fine]
            out = out | steep
        keep = np.flatnonzero(~out & inside)
        left = left[keep]
        if len(left) == 0:
            return
        second = look[keep].second()
        out = box_signs.falls(second.hessian)
        close(left[out], "n")
        convex = box_signs.convex(second.inside, second.hessian) & ~out
        # Convex boxes whose gradient may vanish: there may be minimisers that are not known.
        guesses.extend((y[:, i], 1.5 * r[:, i]) for i in left[convex])

    def _range(self, at: After, task: int, boxes: NDArray[np.int64]) -> Bounds:
        """The range of one task's adapted gains as entries of W, (m, n, boxes)."""
        ends = at.low[:, task, boxes], at.high[:, task, boxes]
        shape = (self.p, self.k, len(boxes))
        rows = self.objective.f.gains(*(np.broadcast_to(x[:, None], shape) for x in ends))
        lo, hi = np.stack([row.lo[task] for row in rows]), np.stack([row.hi[task] for row in rows])
        mid = 0.5 * (lo + hi)
        rad = np.maximum(hi - mid, mid - lo) * GROWN + TINY
        shape = (self.problem.family.m, self.problem.family.n, len(boxes))
        return Bounds(mid.reshape(shape), rad.reshape(shape))

    def _total(self, value: Floats) -> Floats:
        """Σ ω value ≥ 0 over the tasks, rounded down: k products and sums err by ku of it at most."""
        total = (self.weights[:, None] * value).sum(axis=0) * (1.0 - (self.k + 8) * 2.0 * UNIT)
        return np.maximum(total - self.k * TINY, 0.0)

    def advance(self, boxes: Boxes, tested: Tested) -> tuple[Boxes, NDArray[np.int64]]:
        """Tag what was shown of boxes; those that are left, and where to halve them."""
        self.boxes += len(boxes)
        for index, known in tested.around:
            self.around.append((boxes.node[index], known))
        done = tested.letters > 0
        self.tree.tags[boxes.node[done]] = tested.letters[done]
        if tested.guesses:
            starts, within = (np.array(side) for side in zip(*tested.guesses, strict=True))
            self.found.add(starts, within=within)
        return boxes[~done], tested.axes[~done]

    def halve(self, boxes: Boxes, axes: NDArray[np.int64]) -> Boxes:
        """Both halves of every box."""
        if len(boxes) == 0:
            return boxes
        lower = self.tree.split(boxes.node, axes)
        index = np.arange(len(boxes))
        r = boxes.r.copy()
        r[axes, index] *= 0.5
        shift = np.zeros_like(r)
        shift[axes, index] = r[axes, index]
        return Boxes.joined(
            [
                Boxes(boxes.y - shift, r, lower, boxes.bound),
                Boxes(boxes.y + shift, r, lower + 1, boxes.bound.copy()),
            ]
        )

    def run(
        self,
        *,
        seconds: float = np.inf,
        progress: Callable[[int, int], None] | None = None,
    ) -> bool:
        """Go on until nothing waits, the time is up or there is a `request`; whether all is done.

        The boxes with the lowest bounds come first. An interrupt leaves a state that can go on.
        """
        end = time.perf_counter() + seconds
        threads = processors()
        with ThreadPoolExecutor(threads) as pool:
            while len(self.waiting):
                # A round takes all that waits now below a stage, the lowest first. Until it is over all
                # of it counts as waiting: an interrupt at any place cannot make a box pass for done.
                self.waiting = self.waiting[np.argsort(self.waiting.bound, kind="stable")]
                if not self._round(end, progress, pool, threads):
                    return False
        return not self.stuck

    def stage(self) -> float:
        """The least of the stages that some bound of what waits does not exceed; ∞ beyond them all."""
        least = self.minimisers[0].value.hi if self.minimisers else np.inf
        lowest = float(self.waiting.bound.min())
        return min((x * least for x in STAGES if lowest <= x * least), default=np.inf)

    def _round(
        self,
        end: float,
        progress: Callable[[int, int], None] | None,
        pool: ThreadPoolExecutor,
        threads: int,
    ) -> bool:
        """Test all that waits below the stage, once; whether there was time for it."""
        count = int(np.searchsorted(self.waiting.bound, self.stage(), side="right"))
        batch, later = self.waiting[np.arange(count)], self.waiting[count:]
        size = max(LEAST, min(ITEMS // self.k, max(FEWEST, -(-len(batch) // threads))))
        done: list[Boxes] = []
        start, stuck = 0, len(self.stuck)
        try:
            while start < len(batch) and not self.request and time.perf_counter() <= end:
                ends = [min(start + (i + 1) * size, len(batch)) for i in range(threads)]
                starts = [start, *ends[:-1]]
                chunks = [batch[np.arange(a, b)] for a, b in zip(starts, ends, strict=True) if a < b]
                for chunk, tested in zip(chunks, pool.map(self.tested, chunks), strict=True):
                    stuck = len(self.stuck)
                    rest, axes = self.advance(chunk, tested)
                    deep = np.any(rest.r <= 2.0**-DEEPEST, axis=0)
                    halves = self.halve(rest[~deep], axes[~deep])
                    if deep.any():
                        self.stuck.append(rest[deep])
                    done.append(halves)
                    start += len(chunk)
                    if progress is not None:
                        progress(self.boxes, len(batch) - start + sum(map(len, done)) + len(later))
        except BaseException:
            # The boxes of the chunk that was interrupted wait again, unless they have a letter.
            del self.stuck[stuck:]
            again = batch[np.arange(start, len(batch))]
            again = again[~self.tree.reopened(again.node)]
            self.waiting = Boxes.joined([*done, again, later])
            raise
        self.waiting = Boxes.joined([*done, batch[np.arange(start, len(batch))], later])
        return start == len(batch)
