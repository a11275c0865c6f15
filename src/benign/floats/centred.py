"""Mean-value forms on NumPy arrays: a quantity over a box of variables, at its middle, its derivatives.

A quantity x of V variables is held as an enclosure over the box, an enclosure at a point of the box
(the middle), and enclosures of its V derivatives over the box. After each operation

    x(box) ⊂ x(box) ∩ ( x(middle) + Σ_v ∂x/∂v(box) (v − middle_v) ),

so that what is lost to dependency shrinks with the square of the box. All intervals are rounded
outward (`benign.floats.intervals`); a NaN tells nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benign.floats.intervals import EPS, TINY, Floats, Interval, down, up


@dataclass(frozen=True)
class Centred:
    """Enclosures over boxes, at their middles, and of the derivatives.

    Attributes:
        mid, box: of the shape of the boxes.
        grad: (V, …) derivatives over the boxes.
        offset: (V, …) the variables less their middles.
    """

    mid: Interval
    box: Interval
    grad: Interval
    offset: Interval

    def _made(self, mid: Interval, box: Interval, grad: Interval) -> Centred:
        return Centred(mid, box.intersect(mid + total(grad * self.offset)), grad, self.offset)

    def __add__(self, other: Centred | float) -> Centred:
        if not isinstance(other, Centred):
            return Centred(self.mid + other, self.box + other, self.grad, self.offset)
        return self._made(self.mid + other.mid, self.box + other.box, self.grad + other.grad)

    __radd__ = __add__

    def __sub__(self, other: Centred) -> Centred:
        return self._made(self.mid - other.mid, self.box - other.box, self.grad - other.grad)

    def __neg__(self) -> Centred:
        return Centred(-self.mid, -self.box, -self.grad, self.offset)

    def __rsub__(self, other: float) -> Centred:
        return (-self) + other

    def __mul__(self, other: Centred) -> Centred:
        return self._made(
            self.mid * other.mid,
            self.box * other.box,
            self.box * other.grad + other.box * self.grad,
        )

    def times(self, factor: Interval | float) -> Centred:
        """Times a constant, which may have one value for each task."""
        return Centred(self.mid * factor, self.box * factor, self.grad * factor, self.offset)

    def reciprocal(self) -> Centred:
        """1/x over the part of the box where x > 0; the derivatives are infinite where x may vanish."""
        low, high = np.maximum(self.box.lo, 0.0), self.box.hi
        box = Interval(
            np.where(high > 0, down(1.0 / high), np.inf), np.where(low > 0, up(1.0 / low), np.inf)
        )
        return self._made(self.mid.reciprocal(), box, -(box.square() * self.grad))

    def square(self) -> Centred:
        """x²."""
        return self._made(self.mid.square(), self.box.square(), self.box * self.grad * 2.0)


def variables(lo: list[Floats], hi: list[Floats]) -> list[Centred]:
    """The variables themselves over boxes [lo_v, hi_v], arrays of one shape."""
    boxes = [Interval(a, b) for a, b in zip(lo, hi, strict=True)]
    mids = [Interval.point(np.clip(x.mid, x.lo, x.hi)) for x in boxes]
    offsets = [x - m for x, m in zip(boxes, mids, strict=True)]
    offset = Interval(np.stack([x.lo for x in offsets]), np.stack([x.hi for x in offsets]))
    found = []
    for v, (mid, box) in enumerate(zip(mids, boxes, strict=True)):
        unit = np.zeros_like(offset.lo)
        unit[v] = 1.0
        found.append(Centred(mid, box, Interval.point(unit), offset))
    return found


def total(x: Interval) -> Interval:
    """The sum over the first axis; n terms cost n − 1 roundings, in whatever order."""
    n = x.lo.shape[0]
    bounds = []
    for side, sign in ((x.lo, -1.0), (x.hi, 1.0)):
        slack = (n * EPS) * np.abs(side).sum(axis=0) + n * TINY
        bounds.append(side.sum(axis=0) + sign * slack)
    return Interval(bounds[0], bounds[1])
