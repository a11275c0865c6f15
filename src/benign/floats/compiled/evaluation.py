"""What is wanted of boxes, asked of compiled code: arrays in, arrays and models out.

Boxes come in groups of LANES side by side, so that no stride is a power of two; the last group is
filled up with its first box. Calls hold no lock of the interpreter: threads that evaluate boxes run at
the same time, each in room of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benign.floats import taylor
from benign.floats.boxes import BoxObjective
from benign.floats.compiled.numbers import Shape, rows
from benign.floats.looks import After, Before, Flags, Indices, Second, Slopes
from benign.floats.taylor import Floats, Model, basis
from benign.kernels import batch

MOST_SHOTS = 3
"""Shots up to which code is compiled: they are written out."""


BEFORE, AFTER, SLOPES = ("rim", "before"), ("after",), ("slope", "steep")
VALUE, HESSIAN = ("value", "after"), ("value", "gradient", "hessian", "after")

KINDS = (BEFORE, AFTER, SLOPES, VALUE, HESSIAN)
"""What proofs ask for."""


SECONDS = {2: 3.0, 3: 8.0, 4: 25.0}
"""What compiling takes, by the number of parameters; on a busy machine."""


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

    @property
    def is_ready(self) -> bool:
        """Whether the code is there already."""
        from benign.floats.compiled.kernels import name_of
        from benign.kernels import machine

        return machine.is_ready(name_of(self.shape, self.kinds))

    @property
    def seconds(self) -> float:
        """What compiling may take."""
        return SECONDS[self.p]

    def compile(self) -> None:
        """Make the code, or fetch it."""
        from benign.floats.compiled.kernels import function_of

        function_of(self.shape, self.kinds)

    def look(self, y0: Floats, r: Floats) -> InCompiled:
        """A look at boxes."""
        return InCompiled(self, y0, r)

    def before(self, y0: Floats, r: Floats) -> Before:
        """What is shown of the gains themselves."""
        found = self._run(BEFORE, y0, r)
        sign, thrown, least = found["before"]
        return Before(sign.astype(np.int8), thrown > 0.5, least, found["rim"])

    def after(self, y0: Floats, r: Floats) -> After:
        """What is shown of the adapted gains."""
        return self._after(self._run(AFTER, y0, r)["after"])

    def slopes(self, y0: Floats, r: Floats) -> Slopes:
        """∇h and s∇h, on boxes whose gains before the last all stabilise."""
        found = self._run(SLOPES, y0, r)
        return Slopes(found["slope"][0] > 0.5, found["steep"][0] > 0.5, found["steep"][1:])

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
            count, degree = self._wanted(kind).models(part)
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

        return Wanted(self.shape, tuple(parts))

    def _run(self, parts: Sequence[str], y0: Floats, r: Floats) -> dict[str, Floats]:
        """Each part of the results: (vectors, boxes), or (vectors, k, boxes) if each task has it."""
        from benign.floats.compiled.kernels import PER_TASK, function_of, kept_for_tasks

        wanted, kind = self._wanted(parts), self.kinds.index(tuple(parts))
        function = function_of(self.shape, self.kinds)
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


@dataclass(frozen=True)
class InCompiled:
    """A look through compiled code: each question is asked anew, which costs less than to remember."""

    compiled: Compiled
    y0: Floats
    r: Floats

    def __getitem__(self, boxes: Indices) -> InCompiled:
        return InCompiled(self.compiled, self.y0[:, boxes], self.r[:, boxes])

    def before(self) -> Before:
        """The gains themselves."""
        return self.compiled.before(self.y0, self.r)

    def after(self) -> After:
        """The adapted gains."""
        return self.compiled.after(self.y0, self.r)

    def slopes(self, wanted: Flags) -> Slopes:
        """∇h and s∇h."""
        return self.compiled.slopes(self.y0, self.r)

    def value(self) -> tuple[Model, Flags]:
        """h, and whether a whole box is in the domain."""
        found, after = self.compiled.models(self.y0, self.r, VALUE)
        return found["value"], after.inside

    def second(self) -> Second:
        """h, ∇h and ∇²h."""
        found, after = self.compiled.models(self.y0, self.r, HESSIAN)
        return Second(found["value"], found["gradient"], found["hessian"], after.inside)
