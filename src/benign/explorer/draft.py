"""A family under the hand, in exact numbers: frozen, and each change makes another."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from benign.errors import FileFormatError, ProblemError
from benign.exact.numbers import exact
from benign.exact.problem import Matrix, Problem, Task, make_family, make_step

if TYPE_CHECKING:
    from benign.exact.problem import StepKind
    from benign.tasks.files import FamilyFile

MOST_TASKS, MOST_SHOTS = 24, 5
"""Of a family that is drawn while a slider moves."""

MOST_BYTES = 200_000
"""Of a family file that is taken."""

MATRICES = ("A", "B", "Q", "R")
"""Those whose entries have sliders."""


@dataclass(frozen=True)
class Draft:
    """Tasks, weights up to a common factor, and the step."""

    title: str
    tasks: tuple[Task, ...]
    weights: tuple[Fraction, ...]
    kind: StepKind
    eta: Fraction
    shots: int

    @property
    def problem(self) -> Problem:
        """What a proof is about.

        Raises:
            ProblemError: the numbers are none of a problem.
        """
        return Problem(
            make_family(self.tasks, self.weights), make_step(self.kind, self.eta, self.shots)
        )

    @property
    def shape(self) -> tuple[int, int]:
        """(n, m): states and inputs."""
        return self.tasks[0].f.n, self.tasks[0].f.m

    @property
    def parameters(self) -> int:
        """Entries of the gain."""
        return self.shape[0] * self.shape[1]

    def with_weight(self, i: int, weight: Any) -> Draft:
        """Another weight of one task."""
        weights = [*self.weights]
        weights[i] = decimal(weight)
        return replace(self, weights=tuple(weights))

    def with_entry(self, i: int, name: str, row: int, column: int, value: Any) -> Draft:
        """Another entry of A, B, Q or R of one task; Q and R stay symmetric."""
        number = decimal(value)
        matrix = [list(entries) for entries in getattr(self.tasks[i].f, name)]
        matrix[row][column] = number
        if name in ("Q", "R"):
            matrix[column][row] = number
        return self._with_plant(i, **{name: tuple(map(tuple, matrix))})

    def scaled(self, i: int, factor: Any) -> Draft:
        """The cost of one task multiplied: Q, R and N."""
        by, plant = decimal(factor), self.tasks[i].f

        def times(matrix: Matrix) -> Matrix:
            return tuple(tuple(by * x for x in row) for row in matrix)

        changed = {"Q": times(plant.Q), "R": times(plant.R)}
        if plant.N is not None:
            changed["N"] = times(plant.N)
        return self._with_plant(i, **changed)

    def added(self, like: int) -> Draft:
        """One more task, a copy of one to begin with.

        Raises:
            ProblemError: there are MOST_TASKS.
        """
        if len(self.tasks) >= MOST_TASKS:
            raise ProblemError(f"{MOST_TASKS} tasks are the most that are drawn here")
        names, number = {task.name for task in self.tasks}, len(self.tasks) + 1
        while f"task {number}" in names:
            number += 1
        one = replace(self.tasks[like], name=f"task {number}")
        return replace(self, tasks=(*self.tasks, one), weights=(*self.weights, self.weights[like]))

    def removed(self, i: int) -> Draft:
        """One task less.

        Raises:
            ProblemError: it is the only one.
        """
        if len(self.tasks) == 1:
            raise ProblemError("a family keeps one task at least")
        return replace(
            self,
            tasks=self.tasks[:i] + self.tasks[i + 1 :],
            weights=self.weights[:i] + self.weights[i + 1 :],
        )

    def _with_plant(self, i: int, **changed: Matrix) -> Draft:
        """One task with other matrices; the cost it adapts on, where it is another one, stays."""
        task, plant = self.tasks[i], self.tasks[i].f
        made = replace(plant, **changed)
        tasks = (*self.tasks[:i], replace(task, evaluation=made), *self.tasks[i + 1 :])
        return replace(self, tasks=tasks)


def decimal(value: Any) -> Fraction:
    """A slider's number as the decimal that it shows: of six digits."""
    return exact(f"{value:.6g}") if isinstance(value, float) else exact(value)


def draft_of(file: FamilyFile, eta: Any = None) -> Draft:
    """The family of a file.

    Raises:
        ProblemError: it is larger than what is drawn here.
    """
    family, step = file.family, file.step
    if len(family.tasks) > MOST_TASKS:
        raise ProblemError(
            f"the family has {len(family.tasks)} tasks; {MOST_TASKS} are the most that are drawn here, "
            "`benign analyze` takes more"
        )
    if family.n * family.m > 2:
        raise ProblemError(
            f"the gain has {family.n * family.m} entries; families of one or two are drawn here, "
            "`benign analyze --report` draws cuts through larger ones"
        )
    kind = step.kind if step else "gradient"
    size = exact(eta) if eta is not None else step.eta[0] if step else Fraction(1, 10)
    shots = min(step.shots if step else 1, MOST_SHOTS)
    # Weights are shown as multiples of the equal one.
    weights = tuple(w * len(family.tasks) for w in family.weights)
    return Draft(file.title, family.tasks, weights, kind, size, shots)


def uploaded(name: str, data: bytes) -> Draft:
    """The family in a file that somebody sends: TOML or JSON, read as data and never run.

    Raises:
        FileFormatError, ProblemError: what is none, in one sentence.
    """
    from pathlib import PurePath

    from benign.tasks.files import format_of, loads

    if len(data) > MOST_BYTES:
        raise FileFormatError(
            f"the file has {len(data) / 1e3:.0f} kB; {MOST_BYTES / 1e3:.0f} kB are the most that are "
            "taken here"
        )
    plain = PurePath(name.replace("\\", "/")).name or "family"
    kind = format_of(PurePath(plain))  # type: ignore[arg-type]
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FileFormatError(f"{plain[:60]}: not UTF-8 text; save it as UTF-8") from None
    return draft_of(loads(text, kind, plain))
