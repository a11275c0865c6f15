"""Minimisers of h: guessed in floating point, each proved alone in a box on which h is convex."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benign.clock import NO_LIMIT, Clock
from benign.floats import box_signs
from benign.floats.fractions_of_gain import Frame
from benign.floats.intervals import Interval
from benign.floats.looks import Looker, Second
from benign.floats.taylor import Floats
from benign.results.enclosure import Enclosure

WIDEST_CONVEX = 24
"""The convex box around a minimiser is sought among radii 2⁻¹ … 2⁻ᵂᴵᴰᴱˢᵀ of the root's."""

NEWTON = 12
"""Newton steps for a minimiser."""

NEAR = 1e-3
"""Descents from the grid end after a step so short: Newton's method does the rest."""

TINY_BOX = 2.0**-40
"""Radius of the boxes whose centres stand for points, where nothing is proved."""

ROOM = 1.0 + 1e-12
"""A minimiser's box is made wider by this, so that the checker's own test may be a little weaker."""

AT_ONCE = 512
"""Points looked at in one call."""


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


class Minimisers:
    """The minimisers found so far, by increasing value.

    Args:
        look: looks at boxes of gains in the coordinates of the frame; the root box is [−1, 1]ᵖ.
        frame: the coordinates.
        clock: when it is over no more are looked for.
    """

    def __init__(self, look: Looker, frame: Frame, clock: Clock = NO_LIMIT) -> None:
        self.look, self.frame, self.p, self.clock = look, frame, frame.p, clock
        self.known: list[Minimiser] = []

    def add(self, starts: Floats, within: Floats | None = None) -> None:
        """Newton's method from (N, p), and a proof of each minimiser that was not known.

        Args:
            starts: where to begin.
            within: (N, p), how far from there an end may be at most; none farther away is added.
        """
        # A box on which h is convex holds no second one.
        new = np.array([not self._is_known(y) for y in starts], bool)
        starts = starts[new]
        if len(starts) == 0:
            return
        ends = self._newton(starts)
        good = np.isfinite(ends).all(axis=1)
        if within is not None:
            good &= (np.abs(ends - starts) <= within[new]).all(axis=1)
        for y in ends[good]:
            if self.clock.late:
                break
            if self._is_known(y):
                continue
            found = self.enclosed(y)
            # Boxes that overlap may hold one point twice.
            if found is not None and not any(_meet(found.y, m.y) for m in self.known):
                self.known = sorted([*self.known, found], key=lambda point: point.value.lo)

    def _is_known(self, y: Floats) -> bool:
        """Whether y lies in the convex box of a minimiser that is known."""
        return any((np.abs(y - m.centre) <= m.radius).all() for m in self.known)

    def _newton(self, starts: Floats) -> Floats:
        """Stationary points near (N, p) in floating point, NaN where there is none: values at the
        centres of tiny boxes.
        """
        y, before = starts.copy(), np.full(len(starts), np.inf)
        moving = np.arange(len(y))
        for _ in range(NEWTON):
            if len(moving) == 0 or self.clock.late:
                break
            step = np.concatenate([self._newton_step(y[moving[i]]) for i in self._chunks(len(moving))])
            y[moving] -= step
            lost = ~(np.abs(y[moving]) <= 1).all(axis=1)
            y[moving[lost]] = np.nan
            length = np.abs(step).max(axis=1)
            # From 10⁻⁹ on a step that is no shorter than half the last one is rounding.
            ended = (length <= 2.0**-48) | ((length <= 1e-9) & (length >= 0.5 * before[moving]))
            before[moving] = length
            moving = moving[~lost & ~ended]
        return y

    def _newton_step(self, y: Floats) -> Floats:
        """(∇²h)⁻¹∇h at (N, p); NaN where that is not known."""
        at = self._second(y.T, self._tiny(y.T))
        gradient = at.gradient.c[0].T
        dense = box_signs.dense(at.hessian.c[0], self.p)
        known = np.isfinite(gradient).all(axis=1) & np.isfinite(dense).all(axis=(1, 2))
        known &= np.linalg.det(np.where(known[:, None, None], dense, 0.0)) != 0
        dense[~known] = np.eye(self.p)
        step = np.linalg.solve(dense, gradient[:, :, None])[:, :, 0]
        return np.where(known[:, None], step, np.nan)

    def guesses(self, per_axis: int) -> Floats:
        """(N, p) gains near which minimisers are to be expected: descents from the lows of a grid.

        Floating point only: values at the centres of tiny boxes.
        """
        ticks = (np.arange(per_axis) + 0.5) * 2 / per_axis - 1
        grid = np.stack(np.meshgrid(*[ticks] * self.p, indexing="ij")).reshape(self.p, -1)
        values = np.full(grid.shape[1], np.inf)
        for i in self._chunks(grid.shape[1]):
            if self.clock.late:
                break
            values[i] = self._values(grid[:, i])
        shape = (per_axis,) * self.p
        values = np.pad(values.reshape(shape), 1, constant_values=np.inf)
        inner = tuple(slice(1, -1) for _ in range(self.p))
        low = np.isfinite(values[inner])
        for axis in range(self.p):
            for shift in (-1, 1):
                low &= values[inner] <= np.roll(values, shift, axis=axis)[inner]
        return self._descended(grid[:, low.ravel()]).T

    def _chunks(self, count: int) -> list[slice]:
        return [slice(i, i + AT_ONCE) for i in range(0, count, AT_ONCE)]

    def _tiny(self, y: Floats) -> Floats:
        return np.full_like(y, TINY_BOX)

    def _values(self, y: Floats) -> Floats:
        model, inside = self.look(y, self._tiny(y)).value()
        value = model.c[0]
        return np.where(inside & np.isfinite(value), value, np.inf)

    def _descended(self, y: Floats, steps: int = 15) -> Floats:
        """Newton's method where ∇²h ≻ 0, else the gradient; a step that does not lower h is cut."""
        y = y.copy()
        value, cut = self._values(y), np.ones(y.shape[1])
        moving = np.arange(y.shape[1])
        for _ in range(steps):
            if len(moving) == 0 or self.clock.late:
                break
            part = y[:, moving]
            at = self._second(part, self._tiny(part))
            gradient = np.nan_to_num(at.gradient.c[0].T)
            dense = np.nan_to_num(box_signs.dense(at.hessian.c[0], self.p))
            lam, V = np.linalg.eigh(dense)
            along = np.einsum("bij,bi->bj", V, gradient)
            step = -np.einsum("bij,bj->bi", V, along / np.maximum(np.abs(lam), 1e-8))
            length = np.linalg.norm(step, axis=1)
            step *= np.minimum(1.0, 0.1 / np.maximum(length, 1e-300))[:, None]
            tried = np.clip(part + (cut[moving, None] * step).T, -1, 1)
            new = self._values(tried)
            better = new <= value[moving]
            y[:, moving[better]], value[moving[better]] = tried[:, better], new[better]
            cut[moving] = np.where(better, np.minimum(1.0, 4 * cut[moving]), 0.25 * cut[moving])
            moving = moving[np.where(better, length > NEAR, cut[moving] > NEAR)]
        return y

    def enclosed(self, y: Floats) -> Minimiser | None:
        """The box around y on which h is convex, and a tiny one with a stationary point in it."""
        radii = 2.0 ** -np.arange(1.0, WIDEST_CONVEX + 1)
        # Only radii with a few bits, within the root.
        room = 1.0 - np.abs(y).max()
        radii = radii[radii <= room]
        if len(radii) == 0:
            return None
        many = np.repeat(y[:, None], len(radii), axis=1)
        r = np.broadcast_to(radii, (self.p, len(radii))).copy()
        at = self._second(many, r)
        convex = box_signs.convex(at.inside, at.hessian)
        if not convex.any():
            return None
        first = int(np.argmax(convex))
        radius = np.full(self.p, radii[first])
        tiny = 2.0 ** -np.arange(50.0, 9.0, -2.0)
        tiny = tiny[tiny < radii[first]]
        many = np.repeat(y[:, None], len(tiny), axis=1)
        r = np.broadcast_to(tiny, (self.p, len(tiny))).copy()
        at = self._second(many, r)
        reach = box_signs.krawczyk(at.gradient, at.hessian, r)
        inside = (reach < r).all(axis=0) & at.inside
        if not inside.any():
            return None
        i = int(np.argmax(inside))
        half = np.maximum(reach[:, i] * ROOM, 2.0**-52)
        box = np.stack([np.nextafter(y - half, -np.inf), np.nextafter(y + half, np.inf)])
        # The value over the box of the test, which holds the point and is a little larger.
        low, high = at.value.bounds()
        value = Enclosure(float(low[i]), float(high[i]))
        return Minimiser(box, gain_bounds(self.frame, box), value, y.copy(), radius)

    def _second(self, y: Floats, r: Floats) -> Second:
        return self.look(y, r).second()


def _meet(first: Floats, second: Floats) -> bool:
    """Whether two boxes, (2, p) each, have a point in common."""
    return bool(((first[0] <= second[1]) & (second[0] <= first[1])).all())


def gain_bounds(frame: Frame, box: Floats) -> Floats:
    """(2, p) bounds of W's entries over a box of y, (2, p)."""
    bounds = []
    for centre, row in zip(frame.centre, frame.axes, strict=True):
        entry = Interval.enclose([centre])
        for axis, low, high in zip(row, *box, strict=True):
            entry = entry + Interval.enclose([axis]) * Interval(np.array([low]), np.array([high]))
        bounds.append((entry.lo[0], entry.hi[0]))
    return np.array(bounds).T
