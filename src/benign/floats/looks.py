"""What is seen of boxes of gains: by compiled code, or by NumPy where there is none.

A `Look` at boxes answers one question after another, each for those of them that are still of interest.
Both kinds count every rounding, in models of one form; they differ in speed, and in what rounding makes
of a bound.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from benign.clock import NO_LIMIT, Clock, beside
from benign.errors import BudgetError
from benign.floats import box_signs
from benign.floats.along import Along
from benign.floats.boxes import Adapted, BoxObjective
from benign.floats.taylor import TINY, Floats, Model

Flags = NDArray[np.bool_]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Before:
    """What is shown of the gains of boxes themselves, (k, boxes).

    Attributes:
        signs: 1 where all gains of a box stabilise, −1 where none does, else 0.
        thrown_out: whether the first shot leads to no gain that can stabilise.
        least: lower bounds of g.
        effect: (p, boxes), how much each side moves D of the task that is nearest to its rim.
    """

    signs: NDArray[np.int8]
    thrown_out: Flags
    least: Floats
    effect: Floats


@dataclass(frozen=True)
class After:
    """What is shown of adapted gains, (k, boxes).

    Attributes:
        along: whether every gain before the last is shown to stabilise.
        signs: those of the last one.
        least: lower bounds of f.
        low, high: (p, k, boxes), bounds of the last gain in the task's own coordinates.
    """

    along: Flags
    signs: NDArray[np.int8]
    least: Floats
    low: Floats
    high: Floats

    @property
    def inside(self) -> Flags:
        """Whether a whole box is in the domain of h, (boxes,)."""
        return np.all(self.along & (self.signs > 0), axis=0)


@dataclass(frozen=True)
class Slopes:
    """Whether a gradient vanishes nowhere on a box, (boxes,).

    Attributes:
        slope: whether ∇h ≠ 0, for a box in the domain.
        steep: whether s∇h ≠ 0, a factor s > 0 clearing the poles; not looked for everywhere.
        moved: (p, boxes), how much each side moves s∇h; NaN where it was not looked for.
    """

    slope: Flags
    steep: Flags
    moved: Floats


@dataclass(frozen=True)
class Second:
    """Models of h, ∇h and ∇²h, and whether a whole box is in the domain."""

    value: Model
    gradient: Model
    hessian: Model
    inside: Flags


class Look(Protocol):
    """Boxes that are looked at."""

    def __getitem__(self, boxes: Indices) -> Look:
        """Some of them."""
        ...

    def before(self) -> Before:
        """The gains themselves."""
        ...

    def after(self) -> After:
        """The adapted gains."""
        ...

    def slopes(self, wanted: Flags) -> Slopes:
        """∇h, and s∇h at least where it is wanted."""
        ...

    def value(self) -> tuple[Model, Flags]:
        """h, and whether a whole box is in the domain."""
        ...

    def second(self) -> Second:
        """h, ∇h and ∇²h."""
        ...


Looker = Callable[[Floats, Floats], Look]
"""From boxes y ± r, (p, boxes) each, to a look at them."""


class InNumPy:
    """A look through `BoxObjective`; what was found of the boxes is kept for the next question."""

    def __init__(self, objective: BoxObjective, start: Along, at: Adapted | None = None) -> None:
        self.objective, self.start = objective, start
        if at is not None:
            self.__dict__["at"] = at

    @staticmethod
    def of(objective: BoxObjective) -> Looker:
        """What looks at boxes in this way."""
        return lambda y, r: InNumPy(objective, objective.before(y, r))

    def __getitem__(self, boxes: Indices) -> InNumPy:
        at = self.__dict__.get("at")
        return InNumPy(self.objective, self.start[boxes], None if at is None else at[boxes])

    @cached_property
    def at(self) -> Adapted:
        """The adapted gains and their first derivatives."""
        return self.objective.adapt(self.start, 1)

    def before(self) -> Before:
        """The gains themselves."""
        signs, thrown = self.start.signs, self.objective.thrown_out(self.start)
        low, high = self.start.d.bounds()
        nearest = np.argmin(np.where(np.isfinite(low), low / np.abs(high), -np.inf), axis=0)
        c = np.take_along_axis(self.start.d.c, nearest[None, None], axis=1)[:, 0]
        d = Model(self.start.d.basis, c[:, None], self.start.d.e[:1])
        return Before(signs, thrown, self.start.least, _effects(d))

    def after(self) -> After:
        """The adapted gains."""
        return After(self.at.along, self.at.signs, self.at.f.least, *self.at.F.bounds())

    def slopes(self, wanted: Flags) -> Slopes:
        """∇h, and s∇h where it is wanted and ∇h says nothing."""
        at = self.at
        slope = box_signs.slopes(self.objective.gradient(at))
        steep, moved = np.zeros_like(slope), np.full((at.F.basis.p, len(slope)), np.nan)
        left = np.flatnonzero(wanted & ~(slope & box_signs.inside(at)))
        if len(left):
            scaled = self.objective.scaled_gradient(at[left])
            steep[left], moved[:, left] = box_signs.slopes(scaled), _effects(scaled)
        return Slopes(slope, steep, moved)

    def value(self) -> tuple[Model, Flags]:
        """h, and whether a whole box is in the domain."""
        at = self.objective.adapt(self.start, 0)
        return self.objective.value(at), box_signs.inside(at)

    def second(self) -> Second:
        """h, ∇h and ∇²h."""
        h = self.objective
        at = h.adapt(self.start, 2)
        return Second(h.value(at), h.gradient(at), h.hessian(at), box_signs.inside(at))


def _effects(models: Model) -> Floats:
    """(p, boxes): Σ over the first axis of how much each x_i moves a model, relative to its size."""
    size = np.abs(models.c)
    share = size / (size.sum(axis=0) + TINY)
    return np.einsum("ki,kqb->ib", models.basis.exponents.astype(float), share)


def looker(objective: BoxObjective, clock: Clock = NO_LIMIT) -> Looker:
    """The fastest way to look at boxes that there is time to make.

    Code that was made before is there at once. Otherwise it is made if that takes a small part of the
    time; a compiler that takes longer is not waited for.
    """
    from benign.floats.compiled.evaluation import Compiled

    if not Compiled.available(objective):
        return InNumPy.of(objective)
    made = Compiled(objective)
    if not made.is_ready:
        if clock.left < WORTH * made.seconds:
            return InNumPy.of(objective)
        try:
            beside(clock.part(1 / WORTH), "compiling", made.compile)
        except BudgetError:
            return InNumPy.of(objective)
    return made.look


WORTH = 8
"""Times as long as compiling takes that there have to be for a proof, if code is to be compiled."""
