"""What is seen of models of a whole box: whether a gradient vanishes nowhere, and what a side moves.

What a side of a box moves is a guess for where to halve it, and proves nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from benign.floats import taylor
from benign.floats.boxes import DEGREE
from benign.floats.compiled import models as rules
from benign.floats.compiled.models import Model
from benign.floats.compiled.storing import Stored, Writer
from benign.floats.taylor import basis
from benign.kernels.lanes import Code, Flags, Place, Vector


def effects(f: Model) -> list[Vector]:
    """How much each x_i moves a model, relative to its size."""
    sizes = [abs(x) for x in f.c]
    whole = rules.added(sizes) + taylor.TINY
    found = []
    for i in range(f.basis.p):
        powers = f.basis.exponents[:, i].tolist()
        found.append(
            rules.added([x * float(k) for x, k in zip(sizes, powers, strict=True) if k]) / whole
        )
    return found


class Nearest:
    """The effects on D of the task that is nearest to its rim."""

    def __init__(self, w: Writer) -> None:
        self.w, self.p = w, w.p
        self.least, self.found = w.vectors(1), w.vectors(w.p)

    def clear(self) -> None:
        """No task yet."""
        self.least.store(float("inf"))
        for i in range(self.p):
            self.found.store(0.0, i)

    def see(self, d: Stored) -> None:
        """One task's."""
        B, p = d.basis, self.p

        def write(code: Code, least: Place, found: Place, place: Place) -> None:
            f = Stored(place, B).load()
            low, high = f.bounds()
            share = low / abs(high)
            share = (abs(share) < float("inf")).choose(share, code.fill(-float("inf")))
            before = least.load()
            nearer = share < before
            least.store(nearer.choose(share, before))
            for i, x in enumerate(effects(f)):
                found.store(nearer.choose(x, found.load(i)), i)

        self.w.code.call(f"nearest_{p}", write, self.least, self.found, d.place)

    def finish(self, out: Place) -> None:
        """Put them where they are wanted."""
        for i in range(self.p):
            out.store(self.found.load(i), i)


def is_known(w: Writer, f: Stored, share: float) -> Flags:
    """Whether the error is at most a share of the polynomial's size."""
    to, B = w.vectors(1), basis(w.p, DEGREE)

    def write(code: Code, to: Place, place: Place) -> None:
        found = Stored(place, B).load()
        to.store((found.e <= share * rules.size_of(found.c)).choose(1.0, 0.0))

    w.code.call(f"known_{w.p}", write, to, f.place)
    return to.load() > 0.5


def slopes(w: Writer, gradient: Sequence[Stored]) -> Flags:
    """∇h ≠ 0 all over a box: some combination u'∇h is bounded away from zero.

    u runs over the axes, the gradient at the centre, and the rows of the adjugate of the linear part:
    multiples of those of its inverse, which make u'∇h nearly u'∇h(y) + x_i. See `box_signs.slopes`.
    """
    to, B, p = w.vectors(1), gradient[0].basis, w.p

    def write(code: Code, to: Place, *places: Place) -> None:
        models = [Stored(at, B).load() for at in places]
        found = _away(models[0])
        for f in models[1:]:
            found = found | _away(f)
        size = rules.size_of([f.c[1 + j] for f in models for j in range(p)])
        share = 1.0 / (size + taylor.TINY)
        linear = [[f.c[1 + j] * share for j in range(p)] for f in models]
        for u in [*_adjugate(linear), [f.c[0] for f in models]]:
            found = found | _away(rules.combine(models, u))
        to.store(found.choose(1.0, 0.0))

    w.code.call(f"slopes_{p}", write, to, *(f.place for f in gradient))
    return to.load() > 0.5


def _away(f: Model) -> Flags:
    """Whether f has no zero."""
    low, high = f.bounds()
    return (low > 0.0) | (high < 0.0)


def _adjugate(M: Sequence[Sequence[Vector]]) -> list[list[Vector]]:
    """M's inverse times its determinant, by minors."""
    p = len(M)

    @cache
    def minor(rows: tuple[int, ...], columns: tuple[int, ...]) -> Vector:
        if len(rows) == 1:
            return M[rows[0]][columns[0]]
        terms = [
            M[rows[0]][j] * minor(rows[1:], (*columns[:a], *columns[a + 1 :])) * (-1.0) ** a
            for a, j in enumerate(columns)
        ]
        return rules.added(terms)

    def without(i: int) -> tuple[int, ...]:
        return tuple(j for j in range(p) if j != i)

    return [[minor(without(j), without(i)) * (-1.0) ** (i + j) for j in range(p)] for i in range(p)]


def moved(w: Writer, models: Sequence[Stored], out: Place) -> None:
    """How much each side moves some models, all together."""
    B, p = models[0].basis, w.p

    def write(code: Code, out: Place, *places: Place) -> None:
        every = [effects(Stored(at, B).load()) for at in places]
        for i, x in enumerate(zip(*every, strict=True)):
            out.store(rules.added(x), i)

    w.code.call(f"moved_all_{p}", write, out, *(f.place for f in models))
