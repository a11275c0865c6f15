"""A study: named axes, where the families come from, and what is measured in each cell."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

import numpy as np

from benign.durations import parse_duration
from benign.errors import ProblemError, UsageError
from benign.folders import digest_of
from benign.studies.generators import GENERATORS, Base, Generator, base_of
from benign.studies.settings import SETTINGS, Setting, value_of, values_of
from benign.studies.tasks import FIELDS
from benign.text import clean, quoted

FORMAT = "benign-study-1"

MOST_CELLS = 2_000_000_000


@dataclass(frozen=True)
class Measure:
    """How cells are looked at.

    Attributes:
        starts: of each family, from which the share of global successes is counted.
        grid: points between the rims of a scalar family.
        proof: share of the cells, drawn at random, that are proved as well.
        limit: seconds that a cell may take, or None.
        relative: whether eta is in units of 1/‖∇²C(W*)‖ of a family's first task.
        steps: meta-steps of a training run.
    """

    starts: int = 32
    grid: int = 512
    limit: float | None = None
    relative: bool = False
    steps: int = 500
    chunk: int | None = None


@dataclass(frozen=True)
class Study:
    """Cells over named axes, each a family and a step, measured as a function of (seed, cell).

    Args:
        name: of the study.
        axes: name → values; the first axis varies slowest. A whole number N stands for 0 … N − 1,
            {"from": a, "to": b, "count": N, "log": True} for a range.
        generator: the kind of families: a name in `generators.GENERATORS`, or a function of
            (settings, rng) that gives one family, in any form that `benign.analyze` takes.
        plant: of a generator that varies one: a bundled name, or {"A": …, "B": …, "Q": …, "R": …,
            "S0": …}, all 1 by default.
        fixed: the settings that are no axis, where they are not the default ones.
        seed: of all random numbers.
        measure: see `Measure`.
        picture: what `benign study plot` draws by default: {"kind", "x", "y", "value", "by"}.
        title: for pictures.

    Raises:
        ProblemError, UsageError: an axis, a setting or a value that there is not; the message names it.
    """

    name: str
    axes: dict[str, Any]
    generator: str | Callable[..., Any] = "random-costs"
    plant: Any = None
    fixed: dict[str, Any] = field(default_factory=dict)
    seed: int = 0
    measure: Measure = field(default_factory=Measure)
    picture: dict[str, str] = field(default_factory=dict)
    title: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise UsageError("Study: name: expected text")
        if not isinstance(self.axes, dict) or not isinstance(self.fixed, dict):
            raise UsageError("Study: axes and fixed: expected tables of names and values")
        if isinstance(self.generator, str) and self.generator not in GENERATORS:
            names = ", ".join(GENERATORS)
            raise ProblemError(f"generator: kind: {quoted(self.generator)} is none of {names}")
        object.__setattr__(self, "_given", {**self.axes})
        object.__setattr__(self, "axes", {name: self._axis(name, x) for name, x in self.axes.items()})
        object.__setattr__(
            self, "fixed", {name: self._fixed(name, x) for name, x in self.fixed.items()}
        )
        if twice := set(self.axes) & set(self.fixed):
            raise ProblemError(f"fixed: {sorted(twice)[0]} is an axis already; name it once")
        if not isinstance(self.seed, int) or not 0 <= self.seed < 2**63:
            raise ProblemError(f"seed: a whole number from 0 to 2^63 − 1 is needed, got {self.seed!r}")
        if not 0 < self.cells <= MOST_CELLS:
            raise ProblemError(f"axes: {self.cells} cells; a study has from 1 to {MOST_CELLS}")
        self._check_together()

    # --- settings ------------------------------------------------------------------------------

    @cached_property
    def settings(self) -> dict[str, Setting]:
        """All settings there are, those of the generator with them."""
        known = dict(SETTINGS)
        if isinstance(self.generator, str):
            for name, default in GENERATORS[self.generator].numbers.items():
                known[name] = Setting("number", default, f"`{name}` of the generator")
        return known

    def _known(self, place: str, name: str) -> Setting:
        if name in self.settings:
            return self.settings[name]
        if not isinstance(self.generator, str):  # a function knows its own fields
            return Setting("number", 0.0, f"`{clean(name, 40)}` of the generator")
        raise ProblemError(f"{place}: {quoted(name)} is none of {', '.join(self.settings)}")

    def __getstate__(self) -> dict[str, Any]:
        # To workers goes what it was made from; a million seeds are a range.
        return {name: x for name, x in vars(self).items() if name in (*_FIELDS, "_given")}

    @cached_property
    def _lines(self) -> dict[str, np.ndarray]:
        return {name: np.asarray(values) for name, values in self.axes.items()}

    def _axis(self, name: str, given: Any) -> list[Any] | range:
        return values_of(name, given, self._known("axes", name))

    def _fixed(self, name: str, given: Any) -> Any:
        return value_of(f"fixed: {name}", given, self._known("fixed", name))

    def _check_together(self) -> None:
        if self.kind is not None and self.kind.needs_base:
            if {"n", "m"} & {*self.axes, *self.fixed}:
                raise ProblemError(
                    f"n, m: the plant of {quoted(self.kind.name)} has its own; leave them"
                )
            _ = self.base
        elif self.plant is not None:
            raise ProblemError("generator: plant: this generator draws its own plants; leave it")
        if self.kind is not None:
            for corner in (0, -1):
                numbers = {
                    name: self.axes[name][corner] if name in self.axes else self.value(name)
                    for name in self.kind.numbers
                }
                if wrong := self.kind.check(numbers):
                    raise ProblemError(f"generator: {wrong}")
        if "algorithm" in self.fixed or "algorithm" in self.axes:
            for name in ("step", "proof"):
                if name in self.axes:
                    raise ProblemError(
                        f"axes: {name}: a study of training has none; the algorithms differ"
                    )

    def value(self, name: str) -> Any:
        """What a setting is that is no axis."""
        return self.fixed.get(name, self.settings[name].default if name in self.settings else 0.0)

    @property
    def kind(self) -> Generator | None:
        """The generator, or None for a function."""
        return GENERATORS[self.generator] if isinstance(self.generator, str) else None

    @cached_property
    def base(self) -> Base | None:
        """The plant that tasks are variations of, if they are."""
        if self.kind is None or not self.kind.needs_base:
            return None
        if isinstance(self.plant, str):
            return base_of(self.plant)
        return _written_out(self.plant or {})

    @property
    def trains(self) -> bool:
        """Whether cells are runs of training."""
        return "algorithm" in self.axes or "algorithm" in self.fixed

    # --- cells ---------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """Values of each axis."""
        return tuple(map(len, self.axes.values()))

    @property
    def cells(self) -> int:
        """How many there are."""
        return math.prod(self.shape)

    def columns_of(self, cells: np.ndarray) -> dict[str, np.ndarray]:
        """The settings of some cells, by their numbers in C order: name → one value a cell."""
        places = np.unravel_index(cells, self.shape) if self.axes else ()
        made = {
            name: values[at] for (name, values), at in zip(self._lines.items(), places, strict=True)
        }
        for name in (*self.settings, *self.fixed):
            if name not in made:
                made[name] = np.full(len(cells), self.value(name))
        return made

    # --- documents -----------------------------------------------------------------------------

    def document(self) -> dict[str, Any]:
        """All that decides what is measured, and how it is shown; for the store."""
        generator, given = self.generator, vars(self)["_given"]
        if not isinstance(generator, str):
            generator = f"{generator.__module__}.{generator.__qualname__}"
        measure = {name: x for name, x in vars(self.measure).items() if x is not None}
        return {
            "format": FORMAT,
            "name": self.name,
            "title": self.title,
            "seed": self.seed,
            "generator": {"kind": generator} | ({} if self.plant is None else {"plant": self.plant}),
            "axes": {k: list(x) if isinstance(x, (range, tuple)) else x for k, x in given.items()},
            "fixed": self.fixed,
            "measure": measure,
            "picture": self.picture,
        }

    @cached_property
    def digest(self) -> str:
        """Of what decides the values in the cells."""
        document = {k: x for k, x in self.document().items() if k not in ("title", "picture")}
        document["measure"] = {k: x for k, x in document["measure"].items() if k != "limit"}
        return digest_of(document)


_FIELDS = tuple(field.name for field in fields(Study))


def _written_out(plant: Any) -> Base:
    if not isinstance(plant, dict) or not set(plant) <= set(FIELDS):
        raise ProblemError(
            f"generator: plant: a bundled name, or {', '.join(FIELDS)}, got {clean(repr(plant), 60)}"
        )
    try:
        made = {k: np.atleast_2d(np.array(plant.get(k, 1.0), dtype=float)) for k in FIELDS}
    except (TypeError, ValueError) as error:
        raise ProblemError(f"generator: plant: {clean(str(error), 80)}") from None
    n, m = made["A"].shape[0], made["B"].shape[1]
    shapes = {"A": (n, n), "B": (n, m), "Q": (n, n), "R": (m, m), "S0": (n, n)}
    for name, shape in shapes.items():
        if name not in plant and shape[0] == shape[1]:
            made[name] = np.eye(shape[0])
        if made[name].shape != shape:
            raise ProblemError(f"generator: plant: {name} is {made[name].shape}, {shape} is needed")
        if not np.isfinite(made[name]).all():
            raise ProblemError(f"generator: plant: {name}: a number is not finite")
        if name in ("Q", "R", "S0") and np.linalg.eigvalsh(made[name]).min() <= 0:
            raise ProblemError(f"generator: plant: {name} must be positive definite")
    return Base(**made)


def measure_of(given: dict[str, Any]) -> Measure:
    """The table `measure` of a file.

    Raises:
        ProblemError: an entry that there is not, or cannot be.
    """
    whole = {
        "starts": (0, 100_000),
        "grid": (16, 65_536),
        "steps": (1, 10_000_000),
        "chunk": (1, 10_000_000),
    }
    made: dict[str, Any] = {}
    for name, value in given.items():
        place = f"measure: {clean(name, 40)}"
        if name in whole:
            low, high = whole[name]
            made[name] = value_of(place, value, Setting("whole", 0, "", low=low, high=high))
        elif name == "relative":
            made[name] = value_of(place, value, Setting("flag", False, ""))
        elif name == "limit":
            made[name] = parse_duration(str(value), "limit")
            if not made[name] > 0:
                raise ProblemError("measure: limit: must be positive")
        else:
            raise ProblemError(f"{place} is none of starts, grid, limit, relative, steps, chunk")
    return Measure(**made)
