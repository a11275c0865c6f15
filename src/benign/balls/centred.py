"""Mean-value forms in balls: a quantity over a box of variables, at its middle, and its derivatives.

After each operation x(box) ⊂ x(box) ∩ (x(middle) + Σ_v ∂x/∂v(box)(v − middle_v)). A ball that is not
finite tells nothing, and a derivative that is None is zero. Nothing is shared with
`benign.floats.centred`.
"""

from __future__ import annotations

from collections.abc import Sequence

from flint import arb

Gradient = tuple[arb | None, ...]


class Form:
    """A quantity as a mean-value form.

    Attributes:
        mid: a ball around its value at the middle of the box.
        box: a ball around all its values in the box.
        grad: balls around its derivatives in the box.
        offset: the variables less their middles.
    """

    __slots__ = ("box", "grad", "mid", "offset")

    def __init__(self, mid: arb, box: arb, grad: Gradient, offset: Sequence[arb]) -> None:
        self.mid, self.grad, self.offset = mid, grad, offset
        mean = mid
        for slope, by in zip(grad, offset, strict=True):
            if slope is not None:
                mean = mean + slope * by
        self.box = _met(box, mean)

    def __add__(self, other: Form | arb | int) -> Form:
        if isinstance(other, Form):
            grad = tuple(map(_sum, self.grad, other.grad))
            return Form(self.mid + other.mid, self.box + other.box, grad, self.offset)
        return Form(self.mid + other, self.box + other, self.grad, self.offset)

    def __neg__(self) -> Form:
        return self.times(arb(-1))

    def __sub__(self, other: Form) -> Form:
        return self + (-other)

    def __mul__(self, other: Form) -> Form:
        a, b = self.box, other.box
        grad = tuple(
            _sum(None if y is None else a * y, None if x is None else b * x)
            for x, y in zip(self.grad, other.grad, strict=True)
        )
        return Form(self.mid * other.mid, a * b, grad, self.offset)

    def times(self, factor: arb) -> Form:
        """Times a constant."""
        grad = tuple(None if x is None else factor * x for x in self.grad)
        return Form(self.mid * factor, self.box * factor, grad, self.offset)

    def square(self) -> Form:
        """x²."""
        twice = 2 * self.box
        grad = tuple(None if x is None else twice * x for x in self.grad)
        return Form(self.mid * self.mid, square(self.box), grad, self.offset)

    def reciprocal(self) -> Form:
        """1/x; not finite where x may vanish."""
        box = 1 / self.box
        slope = -square(box)
        grad = tuple(None if x is None else slope * x for x in self.grad)
        return Form(1 / self.mid, box, grad, self.offset)


def variables(boxes: Sequence[arb]) -> list[Form]:
    """The variables themselves, each in its box."""
    mids = [box.mid() for box in boxes]
    offset = [box - mid for box, mid in zip(boxes, mids, strict=True)]
    one = arb(1)
    return [
        Form(mid, box, tuple(one if v == w else None for w in range(len(boxes))), offset)
        for v, (mid, box) in enumerate(zip(mids, boxes, strict=True))
    ]


def square(x: arb) -> arb:
    """x², not below zero but for the rounding of a ball; `x**2` is no number where x may vanish."""
    size = abs(x)
    return size * size


def _sum(x: arb | None, y: arb | None) -> arb | None:
    if x is None or y is None:
        return y if x is None else x
    return x + y


def _met(x: arb, y: arb) -> arb:
    """What both contain; a ball that is not finite tells nothing."""
    if not x.is_finite():
        return y
    return x.intersection(y) if y.is_finite() else x
