"""Branch and bound: every local minimiser of h below a level, proved, for two to four parameters.

A root box that holds the domain is halved again and again. A box is done with when one of these is
shown of it (the letter is its tag in the certificate, see `benign.certificates.below`):

    u   none of its gains stabilises some task before adaptation;
    o   for some task the first shot leads from all of its stabilising gains out of the next stabilising set;
    r   it lies so near a rim of the stabilising set that no next gain can stabilise (`rigorous.rim`);
    l   h exceeds the level, or is infinite, all over it;
    g   it is in the domain of h, and ∇h ≠ 0 all over it;
    s   its gains stabilise before adaptation, and where h is finite s∇h ≠ 0 for a factor s > 0;
    n   ∇²h has a direction of negative curvature all over it;
    m   it lies in a box around a listed minimiser on which h is strictly convex.

What floating point finds (a minimiser by Newton's method, directions to test along) is a guess that a
test in outward-rounded arithmetic then confirms or not. When time runs out the boxes that are left lower
the level: h exceeds the least of their lower bounds on all of them, so that below it the list is complete.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benign.landscape.landscape import Enclosure
from benign.rigorous.along import Along
from benign.rigorous.bounds import Bounds
from benign.rigorous.boxes import Adapted, BoxObjective
from benign.rigorous.fractions_of_gain import Frame
from benign.rigorous.intervals import Interval
from benign.rigorous.problem import Matrix, Problem
from benign.rigorous.rim import Rim, least_costs
from benign.rigorous.taylor import GROWN, TINY, Floats, Model, combine

ITEMS = 4096
"""Boxes times tasks evaluated at once: a few MB of models for two parameters."""

DEEPEST = 48
"""Halvings of one side at most: centres and radii of boxes stay exact floats."""

WIDEST_CONVEX = 24
"""The convex box around a minimiser is sought among radii 2⁻¹ … 2⁻ᵂᴵᴰᴱˢᵀ of the root's."""

NEWTON = 30
"""Newton steps for a minimiser."""

LEAF_TAGS = "uorlgsnm"


@dataclass(frozen=True, eq=False)
class Minimiser:
    """A strict local minimiser of h, enclosed.

    Attributes:
        y: (2, p) bounds in the frame.
        W: (2, p) bounds of the gain's entries, row by row.
        value: bounds of h there.
        centre, radius: (p,), the box on which h is strictly convex; it holds y.
    """

    y: Floats
    W: Floats
    value: Enclosure
    centre: Floats
    radius: Floats


@dataclass
class Tree:
    """The boxes, halved: node i has tag i; a digit d is a box halved along y_d, ' ' one not done.

    Attributes:
        tags: one character code a node.
        first: where the two halves of a node are, next to one another; 0 for a leaf.
    """

    tags: NDArray[np.uint8] = field(default_factory=lambda: np.full(1, ord(" "), np.uint8))
    first: NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, np.int64))
    count: int = 1

    def split(self, nodes: NDArray[np.int64], axes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Halve nodes along axes; the numbers of the lower halves."""
        needed = self.count + 2 * len(nodes)
        while needed > len(self.tags):
            self.tags = np.concatenate([self.tags, np.full_like(self.tags, ord(" "))])
            self.first = np.concatenate([self.first, np.zeros_like(self.first)])
        lower = self.count + 2 * np.arange(len(nodes))
        self.tags[nodes] = ord("0") + axes
        self.first[nodes] = lower
        self.count = needed
        return lower

    def text(self) -> str:
        """The tree in preorder, lower halves first."""
        tags, first = self.tags.tolist(), self.first.tolist()
        pieces, waiting = [], [0]
        while waiting:
            node = waiting.pop()
            pieces.append(chr(tags[node]))
            if first[node]:
                waiting.extend((first[node] + 1, first[node]))
        return "".join(pieces)

    def counts(self) -> dict[str, int]:
        """How many leaves have each tag."""
        codes, numbers = np.unique(self.tags[: self.count], return_counts=True)
        return {chr(c): int(n) for c, n in zip(codes, numbers, strict=True)}


@dataclass
class Boxes:
    """Boxes y ± r that wait: (p, N) each, their nodes, and lower bounds of h on them."""

    y: Floats
    r: Floats
    node: NDArray[np.int64]
    bound: Floats

    def __len__(self) -> int:
        return len(self.node)

    def __getitem__(self, index: Any) -> Boxes:
        return Boxes(self.y[:, index], self.r[:, index], self.node[index], self.bound[index])

    @staticmethod
    def joined(parts: Sequence[Boxes]) -> Boxes:
        """All of them."""
        return Boxes(
            np.concatenate([b.y for b in parts], axis=1),
            np.concatenate([b.r for b in parts], axis=1),
            np.concatenate([b.node for b in parts]),
            np.concatenate([b.bound for b in parts]),
        )


def _effects(models: Model) -> Floats:
    """(p, boxes): Σ over the first axis of how much each x_i moves a model, relative to its size."""
    size = np.abs(models.c)
    share = size / (size.sum(axis=0) + 1e-300)
    return np.einsum("ki,kqb->ib", models.basis.exponents.astype(float), share)


class Pavement:
    """The state of a proof: what is done, what waits, and the minimisers so far.

    Args:
        problem: a gradient step; two to four parameters.
        frame: coordinates; the root box is [−1, 1]ᵖ.
        level: c; infinite for the whole domain.
        witnesses: for each task a gain that stabilises it, near its optimum.
    """

    def __init__(
        self, problem: Problem, frame: Frame, level: float, witnesses: Sequence[Matrix]
    ) -> None:
        self.objective = BoxObjective(problem, frame)
        self.problem, self.frame, self.level = problem, frame, level
        self.p, self.k = frame.p, self.objective.k
        self.least = least_costs(problem, witnesses)
        self.rim = Rim(problem, frame, level, self.least, witnesses)
        self.weights = np.array([float(w) for w in problem.weights]) * (1.0 - 2.0**-50)
        self.tree = Tree()
        self.minimisers: list[Minimiser] = []
        everywhere = float(self.weights @ self.least) * (1.0 - 1e-14)
        ones = np.ones((self.p, 1))
        self.waiting = Boxes(0.0 * ones, ones, np.zeros(1, np.int64), np.full(1, everywhere))
        self.stuck: list[Boxes] = []
        self.boxes = 0

    # --- minimisers --------------------------------------------------------------------------

    def add_minimiser(self, y: Floats) -> bool:
        """Newton's method from y; whether a minimiser that was not known was proved."""
        y = self._newton(np.asarray(y, float))
        if y is None or self._known(y):
            return False
        found = self._enclosed(y)
        if found is None:
            return False
        self.minimisers.append(found)
        self.minimisers.sort(key=lambda point: point.value.lo)
        return True

    def _known(self, y: Floats) -> bool:
        return any(bool((np.abs(y - m.centre) <= m.radius).all()) for m in self.minimisers)

    def _at(self, y: Floats, r: Floats, order: int) -> Adapted:
        return self.objective.adapt(self.objective.before(y, r), order)

    def _newton(self, y: Floats) -> Floats | None:
        """A stationary point near y in floating point: values at the centres of tiny boxes."""
        tiny = np.full((self.p, 1), 2.0**-40)
        before = np.inf
        for _ in range(NEWTON):
            at = self._at(y[:, None], tiny, 2)
            gradient = self.objective.gradient(at).c[0][:, 0]
            hessian = self._dense(self.objective.hessian(at).c[0])[0]
            if not (np.isfinite(gradient).all() and np.isfinite(hessian).all()):
                return None
            try:
                step = np.linalg.solve(hessian, gradient)
            except np.linalg.LinAlgError:
                return None
            y = y - step
            if not (np.abs(y) <= 1).all():
                return None
            length = float(np.abs(step).max())
            if length <= 2.0**-48 or (length <= 1e-9 and length >= 0.5 * before):
                break  # rounding is all that is left
            before = length
        return y

    def guesses(self, per_axis: int) -> Floats:
        """(N, p) gains near which minimisers are to be expected: descents from the lows of a grid.

        Floating point only: values at the centres of tiny boxes.
        """
        ticks = (np.arange(per_axis) + 0.5) * 2 / per_axis - 1
        grid = np.stack(np.meshgrid(*[ticks] * self.p, indexing="ij")).reshape(self.p, -1)
        values = np.concatenate([self._values(grid[:, i]) for i in self._chunks(grid.shape[1])])
        shape = (per_axis,) * self.p
        values = np.pad(values.reshape(shape), 1, constant_values=np.inf)
        inner = tuple(slice(1, -1) for _ in range(self.p))
        low = np.isfinite(values[inner])
        for axis in range(self.p):
            for shift in (-1, 1):
                low &= values[inner] <= np.roll(values, shift, axis=axis)[inner]
        return self._descended(grid[:, low.ravel()]).T

    def _chunks(self, count: int) -> list[slice]:
        size = max(16, ITEMS // self.k)
        return [slice(i, i + size) for i in range(0, count, size)]

    def _tiny(self, y: Floats) -> Floats:
        return np.full_like(y, 2.0**-40)

    def _values(self, y: Floats) -> Floats:
        at = self._at(y, self._tiny(y), 0)
        value = self.objective.value(at).c[0]
        return np.where(self.inside(at) & np.isfinite(value), value, np.inf)

    def _descended(self, y: Floats, steps: int = 40) -> Floats:
        """Newton's method where ∇²h ≻ 0, else the gradient; a step that does not lower h is cut."""
        y = y.copy()
        if y.shape[1] == 0:
            return y
        value, cut = self._values(y), np.ones(y.shape[1])
        for _ in range(steps):
            at, hessian = self._hessian(y, self._tiny(y))
            gradient = np.nan_to_num(self.objective.gradient(at).c[0].T)
            dense = np.nan_to_num(self._dense(hessian.c[0]))
            lam, V = np.linalg.eigh(dense)
            along = np.einsum("bij,bi->bj", V, gradient)
            step = -np.einsum("bij,bj->bi", V, along / np.maximum(np.abs(lam), 1e-8))
            length = np.linalg.norm(step, axis=1)
            step *= np.minimum(1.0, 0.1 / np.maximum(length, 1e-300))[:, None]
            tried = y + (cut[:, None] * step).T
            new = self._values(np.clip(tried, -1, 1))
            better = new <= value
            if not (length[better] > 1e-7).any():
                break
            y[:, better], value[better] = np.clip(tried, -1, 1)[:, better], new[better]
            cut = np.where(better, np.minimum(1.0, 4 * cut), 0.25 * cut)
        return y

    def _enclosed(self, y: Floats) -> Minimiser | None:
        """The box around y on which h is convex, and a tiny one with a stationary point in it."""
        radii = 2.0 ** -np.arange(1.0, WIDEST_CONVEX + 1)
        # Only radii with a few bits, within the root.
        room = 1.0 - np.abs(y).max()
        radii = radii[radii <= room]
        many = np.repeat(y[:, None], len(radii), axis=1)
        r = np.broadcast_to(radii, (self.p, len(radii))).copy()
        convex = self.convex(*self._hessian(many, r))
        if not convex.any():
            return None
        first = int(np.argmax(convex))
        radius = np.full(self.p, radii[first])
        tiny = 2.0 ** -np.arange(50.0, 9.0, -2.0)
        tiny = tiny[tiny < radii[first]]
        many = np.repeat(y[:, None], len(tiny), axis=1)
        r = np.broadcast_to(tiny, (self.p, len(tiny))).copy()
        at, hessian = self._hessian(many, r)
        reach = self.krawczyk(self.objective.gradient(at), hessian, r)
        inside = (reach < r).all(axis=0) & self.inside(at)
        if not inside.any():
            return None
        i = int(np.argmax(inside))
        half = np.maximum(reach[:, i] * (1 + 1e-12), 2.0**-52)
        box = np.stack([np.nextafter(y - half, -np.inf), np.nextafter(y + half, np.inf)])
        # The value over the box of the test, which holds the point and is a little larger.
        low, high = self.objective.value(at).bounds()
        low, high = low[i : i + 1], high[i : i + 1]
        W = self._gain_bounds(box)
        return Minimiser(box, W, Enclosure(float(low[0]), float(high[0])), y.copy(), radius)

    def _gain_bounds(self, box: Floats) -> Floats:
        """(2, p) bounds of W over a box of y, (2, p)."""
        bounds = []
        for centre, row in zip(self.frame.centre, self.frame.axes, strict=True):
            entry = Interval.enclose([centre])
            for axis, low, high in zip(row, *box, strict=True):
                entry = entry + Interval.enclose([axis]) * Interval(np.array([low]), np.array([high]))
            bounds.append((entry.lo[0], entry.hi[0]))
        return np.array(bounds).T

    # --- tests -------------------------------------------------------------------------------

    def inside(self, at: Adapted) -> NDArray[np.bool_]:
        """Whether a whole box is in the domain of h."""
        return (at.along & (at.signs > 0)).all(axis=0)

    def _hessian(self, y: Floats, r: Floats) -> tuple[Adapted, Model]:
        at = self._at(y, r, 2)
        return at, self.objective.hessian(at)

    def _dense(self, pairs: Floats) -> Floats:
        """(boxes, p, p) from the pairs, (pairs, boxes)."""
        dense = np.empty((pairs.shape[1], self.p, self.p))
        for a, (j, l) in enumerate(self.objective.pairs):
            dense[:, j, l] = dense[:, l, j] = pairs[a]
        return dense

    def _form(self, hessian: Model, v: Floats, w: Floats) -> Model:
        """v'∇²h w as models, for v, w (p, boxes)."""
        weights = np.array(
            [v[j] * w[l] + (v[l] * w[j] if j != l else 0.0) for j, l in self.objective.pairs]
        )
        return combine(hessian, weights, 2.0**-50)

    def convex(self, at: Adapted, hessian: Model) -> NDArray[np.bool_]:
        """∇²h ≻ 0 all over a box in the domain: Gershgorin's discs of V'∇²hV, V ≈ eigenvectors.

        V'∇²hV ≻ 0 shows that V is regular, and so ∇²h ≻ 0 (Sylvester).
        """
        V = self._frames(hessian)
        good = self.inside(at)
        rows: dict[tuple[int, int], tuple[Floats, Floats]] = {}
        for a in range(self.p):
            for b in range(a, self.p):
                rows[a, b] = self._form_bounds(hessian, V[:, :, a].T, V[:, :, b].T)
        for a in range(self.p):
            others = np.zeros(len(good))
            for b in range(self.p):
                if b != a:
                    low, high = rows[min(a, b), max(a, b)]
                    others = others + np.maximum(np.abs(low), np.abs(high))
            good &= rows[a, a][0] > others * (1 + 1e-14)
        return good

    def _form_bounds(self, hessian: Model, v: Floats, w: Floats) -> tuple[Floats, Floats]:
        with np.errstate(all="ignore"):
            return self._form(hessian, v, w).bounds()

    def _frames(self, hessian: Model) -> Floats:
        """Eigenvectors at the centres, (boxes, p, p), smallest eigenvalue first."""
        dense = self._dense(hessian.c[0])
        dense = np.where(np.isfinite(dense).all(axis=(1, 2))[:, None, None], dense, np.eye(self.p))
        return np.linalg.eigh(dense)[1]

    def falls(self, hessian: Model) -> NDArray[np.bool_]:
        """v'∇²h v < 0 all over a box, v the eigenvector of the smallest eigenvalue at the centre."""
        v = self._frames(hessian)[:, :, 0].T
        return self._form_bounds(hessian, v, v)[1] < 0

    def krawczyk(self, gradient: Model, hessian: Model, r: Floats) -> Floats:
        """(p, boxes): if < r, the box y ± r holds one zero of ∇h, within y ± this.

        K = −Y∇h(y) + (I − Y∇²h(box))(box − y), Y an approximate inverse.
        """
        with np.errstate(all="ignore"):
            middle = self._dense(hessian.c[0])
            safe = np.isfinite(middle).all(axis=(1, 2))
            middle = np.where(safe[:, None, None], middle, np.eye(self.p))
            Y = np.linalg.inv(middle + 0.0)
            low, high = hessian.bounds()
            low, high = self._dense(low), self._dense(high)
            centre = gradient.c[0].T
            # ∇h(y) is within c₀ ± e of its model.
            moved = np.abs(np.einsum("bij,bj->bi", Y, centre))
            size = np.abs(Y)
            moved = moved + np.einsum("bij,bj->bi", size, gradient.e.T + 1e-15 * np.abs(centre))
            residual = np.abs(np.eye(self.p) - Y @ middle)
            residual = residual + 1e-15 * (size @ np.abs(middle) + np.eye(self.p))
            residual = residual + size @ np.maximum(high - middle, middle - low)
            reach = moved + np.einsum("bij,bj->bi", residual, r.T)
            return np.where(np.isfinite(reach) & safe[:, None], reach * (1 + 1e-12), np.inf).T

    def slopes(self, gradient: Model) -> NDArray[np.bool_]:
        """∇h ≠ 0 all over a box: some combination u'∇h is bounded away from zero.

        u runs over the axes, the gradient at the centre, and the rows of the inverse of the linear
        part, which makes u'∇h nearly u'∇h(y) + x_i.
        """
        with np.errstate(all="ignore"):
            low, high = gradient.bounds()
            found = ((low > 0) | (high < 0)).any(axis=0)
            left = np.flatnonzero(~found & np.isfinite(gradient.e).all(axis=0))
            if len(left) == 0:
                return found
            part = gradient[:, left]
            linear = np.moveaxis(part.c[1 : 1 + self.p], 2, 0).swapaxes(1, 2)  # [box, i, axis]
            scale = np.abs(linear).max(axis=(1, 2))[:, None, None]
            linear = linear + (1e-13 * scale + 1e-300) * np.eye(self.p)
            inverse = np.linalg.inv(linear)
            directions = [inverse[:, i, :].T for i in range(self.p)]
            directions.append(part.c[0])
            hit = np.zeros(len(left), bool)
            for u in directions:
                low, high = combine(part, u).bounds()
                hit |= (low > 0) | (high < 0)
            found[left[hit]] = True
            return found

    # --- the loop ----------------------------------------------------------------------------

    def advance(self, boxes: Boxes) -> tuple[Boxes, NDArray[np.int64]]:
        """Test boxes and tag what is decided; the boxes that are left, and where to halve them."""
        self.boxes += len(boxes)
        tags = self.tree.tags
        alive = np.ones(len(boxes), bool)

        def close(index: NDArray[np.int64], letter: str) -> None:
            tags[boxes.node[index]] = ord(letter)
            alive[index] = False

        y, r = boxes.y, boxes.r
        effect = r / r.max(axis=0)  # the longest side, where nothing better is known
        with np.errstate(all="ignore"):
            for known in self.minimisers:
                gap = np.abs(y - known.centre[:, None]) + r
                close(np.flatnonzero(alive & (gap * (1 + 1e-14) <= known.radius[:, None]).all(axis=0)), "m")
            left = np.flatnonzero(alive)
            if len(left) == 0:
                return boxes[left], np.zeros(0, np.int64)
            start = self.objective.before(y[:, left], r[:, left])
            out = (start.signs < 0).any(axis=0)
            close(left[out], "u")
            thrown = self.objective.thrown_out(start).any(axis=0) & ~out
            close(left[thrown], "o")
            keep = np.flatnonzero(~out & ~thrown)
            start, left = start[keep], left[keep]
            W = self.rim.gains(y[:, left], r[:, left])
            threshold = self.rim.threshold(W)
            out = (start.least > threshold).any(axis=0)
            for task in range(self.k):
                near = np.flatnonzero(~out & (start.signs[task] == 0) & np.isfinite(threshold[task]))
                if len(near):
                    part = Bounds(W.mid[..., near], W.rad[..., near])
                    out[near] |= self.rim.least_g(part, task) > threshold[task, near]
            close(left[out], "r")
            keep = np.flatnonzero(~out)
            left, start = left[keep], start[keep]
            effect[:, left] = self._effect_on_rim(start)
            self._adapted(boxes, left, start, close, effect)
        rest = np.flatnonzero(alive)
        return boxes[rest], np.argmax(effect[:, rest], axis=0)

    def _adapted(
        self,
        boxes: Boxes,
        left: NDArray[np.int64],
        start: Along,
        close: Callable[[NDArray[np.int64], str], None],
        effect: Floats,
    ) -> None:
        """The tests that need the adapted gains."""
        y, r = boxes.y, boxes.r
        if len(left) == 0:
            return
        at = self.objective.adapt(start, 1)
        value = np.where(at.along, np.fmax(at.f.least, self.least[:, None]), self.least[:, None])
        bound = self._total(value)
        lost = (at.along & (at.signs < 0)).any(axis=0)
        for task in range(self.k):
            # At the corners of a stabilising set N and D both vanish; a finite horizon still tells.
            near = np.flatnonzero(~lost & (bound <= self.level) & at.along[task] & (at.signs[task] == 0))
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
        left, at = left[keep], at[keep]
        inside = self.inside(at)
        out = self.slopes(self.objective.gradient(at)) & inside
        close(left[out], "g")
        # Near the rim, where ∇h has a pole, times what clears it.
        near = np.flatnonzero(~out)
        if len(near):
            scaled = self.objective.scaled_gradient(at[near])
            steep = self.slopes(scaled)
            close(left[near[steep]], "s")
            out[near[steep]] = True
            moved = _effects(scaled)
            fine = np.isfinite(moved).all(axis=0) & (moved.max(axis=0) > 0)
            effect[:, left[near[fine]]] = moved[:, fine]
        keep = keep[~out & inside]
        left = left[~out & inside]
        if len(left) == 0:
            return
        at = self.objective.adapt(start[keep], 2)
        hessian = self.objective.hessian(at)
        out = self.falls(hessian)
        close(left[out], "n")
        convex = self.convex(at, hessian) & ~out
        for i in np.flatnonzero(convex):
            self._look(y[:, left[i]], r[:, left[i]])

    def _range(self, at: Adapted, task: int, boxes: NDArray[np.int64]) -> Bounds:
        """The range of one task's adapted gains as entries of W, (m, n, boxes)."""
        ends = at.F[:, task, boxes].bounds()
        shape = (self.p, self.k, len(boxes))
        rows = self.objective.f.gains(*(np.broadcast_to(x[:, None], shape) for x in ends))
        lo, hi = np.stack([row.lo[task] for row in rows]), np.stack([row.hi[task] for row in rows])
        mid = 0.5 * (lo + hi)
        rad = np.maximum(hi - mid, mid - lo) * GROWN + TINY
        shape = (self.problem.family.m, self.problem.family.n, len(boxes))
        return Bounds(mid.reshape(shape), rad.reshape(shape))

    def _total(self, value: Floats) -> Floats:
        """Σ ω value over the tasks, rounded down."""
        return (self.weights[:, None] * value).sum(axis=0) * (1.0 - 1e-14)

    def _look(self, y: Floats, r: Floats) -> None:
        """A convex box whose gradient may vanish: is there a minimiser that is not known?"""
        found = self._newton(y)
        if found is not None and (np.abs(found - y) <= 1.5 * r).all():
            self.add_minimiser(found)

    def _effect_on_rim(self, start: Along) -> Floats:
        """(p, boxes): how much each side of a box moves D of the task nearest to its rim."""
        low, high = start.d.bounds()
        nearest = np.argmin(np.where(np.isfinite(low), low / np.abs(high), -np.inf), axis=0)
        c = np.take_along_axis(start.d.c, nearest[None, None], axis=1)[:, 0]
        return _effects(Model(start.d.basis, c[:, None], start.d.e[:1]))

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
        """Go on until nothing waits or the time is up; whether all is done.

        The boxes with the lowest bounds come first. An interrupt leaves a state that can go on.
        """
        began = time.perf_counter()
        size = max(16, ITEMS // self.k)
        while len(self.waiting):
            # A round takes all that waits now, the lowest first.
            order = np.argsort(self.waiting.bound, kind="stable")
            batch, self.waiting = self.waiting[order], self.waiting[order[:0]]
            done: list[Boxes] = []
            for start in range(0, len(batch), size):
                if time.perf_counter() - began > seconds:
                    done.append(batch[np.arange(start, len(batch))])
                    self.waiting = Boxes.joined(done)
                    return False
                rest, axes = self.advance(batch[np.arange(start, min(start + size, len(batch)))])
                deep = rest.r.min(axis=0) < 2.0**-DEEPEST if len(rest) else np.zeros(0, bool)
                if deep.any():
                    self.stuck.append(rest[deep])
                done.append(self.halve(rest[~deep], axes[~deep]))
                if progress is not None:
                    progress(self.boxes, len(batch) - start + sum(map(len, done)))
            self.waiting = Boxes.joined(done)
        return not self.stuck
