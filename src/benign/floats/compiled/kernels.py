"""What is wanted of boxes, as compiled functions: LANES boxes at once, task after task.

A group of boxes is y₀ and r, 2p vectors. What comes out of a group are the parts that are wanted: first
those of the box, then for each task those of `PER_TASK`. Functions for several lists of parts are made
together: what they call is the same.
"""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from llvmlite import ir

from benign.floats import boxes as reference
from benign.floats import taylor
from benign.floats.boxes import DEGREE, HESSIAN_DEGREE
from benign.floats.compiled import adapting, effects
from benign.floats.compiled.adapting import Adapted
from benign.floats.compiled.costs import OnBox, Task
from benign.floats.compiled.models import Model
from benign.floats.compiled.numbers import Shape
from benign.floats.compiled.storing import Stored, Writer
from benign.floats.taylor import basis
from benign.kernels import machine
from benign.kernels.lanes import INT, POINTER, VOID, Code, Int, Place, Value

Part = str
"""Models of h, ∇h, s∇h and ∇²h: "value", "gradient", "scaled", "hessian"; whether ∇h ≠ 0: "slope", and
s∇h ≠ 0 with what moves it: "steep"; how much each side moves the rim: "rim"; what is shown of the gains
of a box, "before", and of the adapted ones, "after"; models of these: "F"."""

SUMS: dict[str, str] = {
    "value": "value", "gradient": "gradient", "slope": "gradient", "scaled": "scaled",
    "steep": "scaled", "hessian": "hessian",
}  # fmt: skip
"""The sum over the tasks that a part is made from."""

ORDER = {"gradient": 1, "scaled": 1, "hessian": 2}
"""The derivatives of F that a sum needs."""

VARIANT = ""
"""Comes into the names of kernels: tests that change a rule change it as well."""


@dataclass(frozen=True)
class Wanted:
    """What is wanted of boxes, and where it is in a group."""

    shape: Shape
    parts: tuple[Part, ...]

    def models(self, part: Part) -> tuple[int, int]:
        """How many models a part is, and of which degree."""
        p = self.shape.p
        return {
            "value": (1, DEGREE),
            "gradient": (p, DEGREE),
            "scaled": (p, DEGREE),
            "hessian": (p * (p + 1) // 2, HESSIAN_DEGREE),
            "F": (p, DEGREE),
        }[part]

    def vectors(self, part: Part) -> int:
        """How many vectors a part is: of a group, or of each task."""
        if part in PER_TASK and part != "F":
            return PER_TASK[part](self.shape.p)
        if part in BOX:
            return BOX[part](self.shape.p)
        count, degree = self.models(part)
        return count * (basis(self.shape.p, degree).size + 1)

    def places(self) -> tuple[dict[str, int], int, int]:
        """Where each part begins; how many vectors are of the group, and of each task."""
        found, sizes = {}, [0, 0]
        for part in self.parts:
            side = int(part in PER_TASK)
            found[part] = sizes[side]
            sizes[side] += self.vectors(part)
        return found, sizes[0], sizes[1]

    @property
    def order(self) -> int:
        """The derivatives of F that are needed."""
        return max([ORDER.get(total, 0) for total in self.sums], default=0)

    @property
    def sums(self) -> list[str]:
        """The sums over the tasks that are needed."""
        return list(dict.fromkeys(SUMS[part] for part in self.parts if part in SUMS))


BOX: dict[str, Callable[[int], int]] = {
    "rim": lambda p: p,
    "slope": lambda p: 1,
    "steep": lambda p: 1 + p,
}
"""Parts of a box that are no models, and their vectors."""

PER_TASK: dict[str, Callable[[int], int]] = {
    "before": lambda p: 3,  # sign, whether thrown out, the least g
    "after": lambda p: 3 + 2 * p,  # along, sign, the least f, bounds of F
    "F": lambda p: 0,
}
"""Parts that each task has, and their vectors."""


@cache
def _sources() -> str:
    """A digest of all that kernels of boxes are written by, besides what `machine` looks at."""
    folder, digest = Path(__file__).parent, hashlib.sha256()
    for path in sorted([*folder.glob("*.py"), *folder.parent.glob("*.py")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def name_of(shape: Shape, kinds: Sequence[tuple[Part, ...]]) -> str:
    """Says what functions were made for, and from which sources."""
    about = f"{shape} {tuple(kinds)} {_sources()} {VARIANT}"
    return "boxes_" + hashlib.sha256(about.encode()).hexdigest()[:40]


def function_of(shape: Shape, kinds: Sequence[tuple[Part, ...]]) -> Any:
    """The compiled function of (kind, groups, tasks, rows, sums, boxes, results, room).

    `kind` is the place of a list of parts in `kinds`. `sums` are what rounding costs in a sum over
    tasks: a share of the terms, and a factor. For no groups at all the results are how many vectors of
    room it works in, besides those of each task.
    """
    name = name_of(shape, kinds)

    def write(module: ir.Module) -> None:
        code = Code(ir.Function(module, ir.FunctionType(VOID, [*[INT] * 3, *[POINTER] * 5]), name))
        which, *given = code.given
        for kind, parts in enumerate(kinds):

            def kernel(code: Code, *_: Value, parts: tuple[Part, ...] = parts) -> None:
                _Kernel(Wanted(shape, parts), code).write()

            with code.when(which.compared("==", kind)):
                code.call(f"kernel{kind}", kernel, *given)
        code.builder.ret_void()

    return machine.function(name, write, (*[ctypes.c_int64] * 3, *[ctypes.c_void_p] * 5))


def kept_for_tasks(wanted: Wanted) -> int:
    """Vectors of room that each task needs of its own."""
    if "scaled" not in wanted.sums:
        return 0
    return (wanted.shape.p + 2) * (basis(wanted.shape.p, DEGREE).size + 1)


class _Kernel:
    """One kernel while it is written."""

    def __init__(self, wanted: Wanted, code: Code) -> None:
        self.wanted, self.code, self.shape = wanted, code, wanted.shape
        self.p = wanted.shape.p
        self.groups, self.tasks, self.rows, self.sums, self.boxes, self.results, room = code.given
        self.mine = kept_for_tasks(wanted)
        self.own = room
        self.w = Writer(code, room + self.tasks * self.mine, self.p)
        self.places, self.shared, self.each = wanted.places()

    def write(self) -> None:
        """All of it."""
        totals = {name: self._total(name) for name in self.wanted.sums}
        rim = effects.Nearest(self.w) if "rim" in self.wanted.parts else None
        with self.code.loop(self.groups) as group:
            box = self.boxes + group * (2 * self.p)
            out = self.results + group * (self.tasks * self.each + self.shared)
            for total in totals.values():
                total.clear()
            if rim is not None:
                rim.clear()
            with self.code.loop(self.tasks) as t:
                mark = self.w.mark
                task = Task(self.w, self.shape, self.rows.numbers_on(t * self.shape.places[""]))
                self._task(task, t, box, out + (t * self.each + self.shared), totals, rim)
                self.w.release(mark)
            if "scaled" in totals:
                self._others(totals["scaled"])
            for name, total in totals.items():
                total.finish(self.sums)
                self._put(name, total.sums, out)
            if rim is not None:
                rim.finish(out + self.places["rim"])
        with self.code.when(self.groups.compared("==", 0)):
            self.results.store(float(self.w.most))

    def _total(self, name: Any) -> _Total:
        return _Total(self.w, *self.wanted.models(name))

    def _put(self, name: str, sums: Sequence[Stored], out: Place) -> None:
        """What is wanted of a sum, where it is wanted."""
        for part in self.wanted.parts:
            if SUMS.get(part) != name:
                continue
            to = out + self.places[part]
            if part in BOX:
                to.store(effects.slopes(self.w, sums).choose(1.0, 0.0))
                if part == "steep":
                    effects.moved(self.w, sums, to + 1)
                continue
            for i, f in enumerate(sums):
                Stored(to + i * (f.basis.size + 1), f.basis).store(f.load())

    def _task(
        self, task: Task, t: Int, box: Place, out: Place, totals: dict[str, _Total], rim: Any
    ) -> None:
        parts, places = self.wanted.parts, self.places
        start = adapting.start(task, box, box + self.p)
        if rim is not None:
            rim.see(start.d)
        if "before" in parts:
            self._before(task, start, out + places["before"])
        if not totals and not {"after", "F"} & set(parts):
            return
        at = adapting.adapt(task, start, self.wanted.order)
        if "after" in parts:
            self._after(at, out + places["after"])
        if "F" in parts:
            size = at.f.F[0].basis.size + 1
            for i, f in enumerate(at.f.F):
                Stored(out + (places["F"] + i * size), f.basis).store(f.load())
        weight = task["weight"]
        if "value" in totals:
            totals["value"].add([at.f.value], weight)
        if "gradient" in totals:
            totals["gradient"].add(adapting.gradient(self.w, at.J, at.f.first()), weight)
        if "hessian" in totals:
            totals["hessian"].add(adapting.hessian(self.w, at), weight)
        if "scaled" in totals:
            self._scaled(at, t)

    def _before(self, task: Task, start: OnBox, out: Place) -> None:
        inside, outside = start.signs()
        out.store(outside.choose(-1.0, inside.choose(1.0, 0.0)), 0)
        out.store(adapting.thrown_out(task, start).choose(1.0, 0.0), 1)
        out.store(start.least(), 2)

    def _after(self, at: Adapted, out: Place) -> None:
        inside, outside = at.f.signs()
        out.store(at.along.choose(1.0, 0.0), 0)
        out.store(outside.choose(-1.0, inside.choose(1.0, 0.0)), 1)
        out.store(at.f.least(), 2)
        for i, f in enumerate(at.f.F):
            low, high = self.w.bounds(f)
            out.store(low, 3 + i)
            out.store(high, 3 + self.p + i)

    # --- s∇h ---------------------------------------------------------------------------------

    def _slot(self, t: Int, index: int) -> Stored:
        B = basis(self.p, DEGREE)
        return Stored(self.own + (t * self.mine + index * (B.size + 1)), B)

    def _scaled(self, at: Adapted, t: Int) -> None:
        """One task's J' times its slopes, and its factor of s; into memory of its own."""
        w, plain = self.w, at.f.first()
        known = at.f.signs()[0]
        for f in plain:
            known = known & effects.is_known(w, f, reference.CLEARED)
        square = w.multiply(at.f.d, at.f.d)
        one = w.constant(1.0, DEGREE)
        cleared = at.f.cleared()
        slopes = [adapting.chosen(w, known, *both) for both in zip(plain, cleared, strict=True)]
        pulled = adapting.gradient(w, at.J, slopes)
        for i, f in enumerate([*pulled, adapting.chosen(w, known, one, square)]):
            self._slot(t, i).store(f.load())

    def _others(self, total: _Total) -> None:
        """Each task's part times the product of the others' factors: those before times those after."""
        w, p = self.w, self.p
        mark = w.mark
        running, other = w.constant(1.0, DEGREE), w.new(DEGREE)

        def multiply(a: Stored, b: Stored, into: Stored) -> None:
            w.apart("multiply", DEGREE, lambda x, y: x * y, a, b, into=into)

        with self.code.loop(self.tasks) as t:
            self._slot(t, p + 1).store(running.load())
            multiply(running, self._slot(t, p), running)
        running.store(w.constant(1.0, DEGREE).load())
        parts = [w.new(DEGREE) for _ in range(p)]
        with self.code.loop(self.tasks) as up:
            t = self.tasks - 1 - up
            multiply(self._slot(t, p + 1), running, other)
            for i, part in enumerate(parts):
                multiply(self._slot(t, i), other, part)
            total.add(parts, self.rows.numbers_on(t * self.shape.places[""]))
            multiply(running, self._slot(t, p), running)
        w.release(mark)


class _Total:
    """Σ_τ ω_τ of models, one task after another: `taylor.combine` with weights rounded to nearest."""

    def __init__(self, w: Writer, count: int, degree: int) -> None:
        self.w, self.sums = w, [w.new(degree) for _ in range(count)]
        self.sizes = [w.vectors(1) for _ in range(count)]

    def clear(self) -> None:
        """Nothing yet."""
        zero = self.w.code.fill(0.0)
        for f, size in zip(self.sums, self.sizes, strict=True):
            f.store(Model(f.basis, [zero] * f.basis.size, zero))
            size.store(zero)

    def add(self, models: Sequence[Stored], weight: Place) -> None:
        """One task's."""

        def write(code: Code, f_: Place, size: Place, weight: Place, given_: Place) -> None:
            f, given = Stored(f_, B).load(), Stored(given_, B).load()
            w = weight.number()
            weighed = abs(w) + taylor.TINY
            c = [x + w * y for x, y in zip(f.c, given.c, strict=True)]
            Stored(f_, B).store(Model(B, c, f.e + given.e * weighed))
            size.store(size.load() + sum((abs(x) for x in given.c), code.fill(0.0)) * weighed)

        for f, size, given in zip(self.sums, self.sizes, models, strict=True):
            B = f.basis
            self.w.code.call(f"weigh_{B.p}_{B.degree}", write, f.place, size, weight, given.place)

    def finish(self, sums: Place) -> None:
        """Count what rounding has cost."""
        slack, factor = sums.number(0), sums.number(1)
        for f, size in zip(self.sums, self.sizes, strict=True):
            e = f.place.load(f.basis.size) * (1.0 + 2.0 * taylor.UNIT)
            f.place.store((e + slack * size.load() + taylor.TINY) * factor, f.basis.size)
