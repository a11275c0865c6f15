"""What is wanted of boxes, asked of compiled code: arrays in, arrays and models out.

Boxes come in groups of LANES side by side, so that no stride is a power of two; the last group is
filled up with its first box. Calls hold no lock of the interpreter: threads that evaluate boxes run at
the same time, each in room of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benign.floats import taylor
from benign.floats.boxes import BoxObjective
from benign.floats.compiled.numbers import Shape, rows
from benign.floats.taylor import Floats, Model, basis
from benign.kernels import batch

MOST_SHOTS = 3
"""Shots up to which code is compiled: they are written out."""


BEFORE, AFTER, SLOPES = ("rim", "before"), ("after",), ("slope", "steep")
VALUE, HESSIAN = ("value", "after"), ("value", "gradient", "hessian", "after")

KINDS = (BEFORE, AFTER, SLOPES, VALUE, HESSIAN)
"""What proofs ask for."""


@dataclass(frozen=True)
class Before:
    """What is shown of the gains of boxes themselves, (k, boxes).

    Attributes:
        signs: 1 where g is stabilised on all of the box, −1 where nowhere, else 0.
        thrown_out: whether the first shot leads to no gain that can stabilise.
        least: lower bounds of g.
        effect: (p, boxes), how much each side moves D of the task that is nearest to its rim.
    """

    signs: NDArray[np.int8]
    thrown_out: NDArray[np.bool_]
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

    along: NDArray[np.bool_]
    signs: NDArray[np.int8]
    least: Floats
    low: Floats
    high: Floats

    @property
    def inside(self) -> NDArray[np.bool_]:
        """Whether a whole box is in the domain of h, (boxes,)."""
        return np.all(self.along & (self.signs > 0), axis=0)


class Compiled:
    """An objective over boxes, in compiled code; see `available`.

    Args:
        objective: the same in NumPy, whose numbers are taken.
        kinds: lists of parts that are asked for together (`kernels.Part`).
    """

    def __init__(self, objective: BoxObjective, kinds: Sequence[tuple[str, ...]] = KINDS) -> None:
        from benign.kernels.lanes import LANES

        self.kinds = list(kinds)
        self.objective, self.lanes = objective, LANES
        self.p, self.k = objective.p, objective.k
        self.shape = Shape.of(objective)
        self._rows = rows(objective, self.shape)
        # What `_Total` needs to know of the number of tasks.
        slack = taylor.UNIT * (self.k + 1) + 1.01 * taylor.UNIT
        self._sums = np.array([slack, taylor.grown(self.k)])
        self._rooms: list[Floats] = []

    @staticmethod
    def available(objective: BoxObjective) -> bool:
        """Whether code can be compiled here, and is meant for such an objective."""
        return objective.shots <= MOST_SHOTS and batch.available()

    def before(self, y0: Floats, r: Floats) -> Before:
        """What is shown of the gains themselves."""
        found = self._run(BEFORE, y0, r)
        sign, thrown, least = found["before"]
        return Before(sign.astype(np.int8), thrown > 0.5, least, found["rim"])

    def after(self, y0: Floats, r: Floats) -> After:
        """What is shown of the adapted gains."""
        return self._after(self._run(AFTER, y0, r)["after"])

    def slopes(self, y0: Floats, r: Floats) -> tuple[NDArray[np.bool_], NDArray[np.bool_], Floats]:
        """(boxes,) whether ∇h ≠ 0 all over a box in the domain, whether s∇h ≠ 0; and (p, boxes), how
        much each side moves s∇h.
        """
        found = self._run(SLOPES, y0, r)
        return found["slope"][0] > 0.5, found["steep"][0] > 0.5, found["steep"][1:]

    def models(self, y0: Floats, r: Floats, kind: tuple[str, ...]) -> tuple[dict[str, Model], After]:
        """Some of "value" (boxes,), "gradient" and "scaled" (p, boxes), "hessian" (pairs, boxes) and
        "F" (p, k, boxes), as of `BoxObjective`, and what is shown of the adapted gains.

        Args:
            y0, r: the boxes.
            kind: one of `kinds`, with "after" in it.
        """
        found, made = self._run(kind, y0, r), {}
        for part in kind:
            if part == "after":
                continue
            count, degree = self._wanted(kind).models(part)  # type: ignore[arg-type]
            B, x = basis(self.p, degree), found[part]
            x = x.reshape(count, B.size + 1, *x.shape[1:])
            model = Model(B, np.moveaxis(x[:, : B.size], 1, 0), x[:, B.size])
            made[part] = model[0] if part == "value" else model
        return made, self._after(found["after"])

    def _after(self, x: Floats) -> After:
        p = self.p
        return After(x[0] > 0.5, x[1].astype(np.int8), x[2], x[3 : 3 + p], x[3 + p :])

    # --- calls -------------------------------------------------------------------------------

    def _wanted(self, parts: Sequence[str]):
        from benign.floats.compiled.kernels import Wanted

        return Wanted(self.shape, tuple(parts))  # type: ignore[arg-type]

    def _run(self, parts: Sequence[str], y0: Floats, r: Floats) -> dict[str, Floats]:
        """Each part of the results: (vectors, boxes), or (vectors, k, boxes) if each task has it."""
        from benign.floats.compiled.kernels import PER_TASK, function_of, kept_for_tasks

        wanted, kind = self._wanted(parts), self.kinds.index(tuple(parts))
        function = function_of(self.shape, self.kinds)  # type: ignore[arg-type]
        places, shared, each = wanted.places()
        boxes, L = y0.shape[1], self.lanes
        groups = -(-boxes // L)
        box = np.empty((2 * self.p, groups * L))
        box[: self.p, :boxes], box[self.p :, :boxes] = y0, r
        box[:, boxes:] = box[:, :1]
        given = np.ascontiguousarray(box.reshape(2 * self.p, groups, L).swapaxes(0, 1))
        size = shared + self.k * each
        results = np.empty((groups, size, L))
        if groups:
            room = self._room(function, kind, kept_for_tasks(wanted))
            arrays = (self._rows, self._sums, given, results, room)
            function(kind, groups, self.k, *(x.ctypes.data for x in arrays))
            self._rooms.append(room)
        found = {}
        for part, at in places.items():
            count = wanted.vectors(part)
            if part in PER_TASK:
                tasks = results[:, shared:].reshape(groups, self.k, each, L)[:, :, at : at + count]
                found[part] = tasks.transpose(2, 1, 0, 3).reshape(count, self.k, -1)[..., :boxes]
            else:
                mine = results[:, at : at + count]
                found[part] = mine.swapaxes(0, 1).reshape(count, -1)[:, :boxes]
        return found

    def _room(self, function, kind: int, own: int) -> Floats:
        """Memory that no other thread works in."""
        asked, nothing = np.empty(self.lanes), np.empty(1)
        arrays = (nothing, nothing, nothing, asked, nothing)
        function(kind, 0, 0, *(x.ctypes.data for x in arrays))
        needed = (int(asked[0]) + self.k * own) * self.lanes
        try:
            room = self._rooms.pop()
        except IndexError:
            return np.empty(needed)
        return room if len(room) >= needed else np.empty(needed)
