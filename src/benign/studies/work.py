"""One batch: its families, what is measured of them, and what becomes of a cell that fails."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benign.errors import BenignError, OutputError
from benign.opening import cause_of
from benign.studies.columns import DONE, FAILED, LATE, columns
from benign.studies.draws import uniform
from benign.studies.generators import Draw
from benign.studies.grid import Grid
from benign.studies.store import Store
from benign.studies.study import Study
from benign.studies.tasks import Families, normalised, optima
from benign.text import clean

Array = np.ndarray


@dataclass
class Found:
    """What is known of some cells.

    Attributes:
        values: of each column, one a cell.
        status: one a cell.
        reasons: of those that failed, by their place.
    """

    values: dict[str, Array]
    status: Array
    reasons: dict[int, str] = field(default_factory=dict)

    @classmethod
    def nothing(cls, study: Study, count: int) -> Found:
        """All cells as they are before they are looked at."""
        empty = {c.name: np.full(count, c.fill, np.dtype(c.kind)) for c in columns(study.trains)}
        return cls(empty, np.zeros(count, np.int8))

    def put(self, where: Array, other: Found) -> None:
        """Take over what is known of the cells at these places."""
        for name, column in self.values.items():
            column[where] = other.values[name]
        self.status[where] = other.status
        if self.reasons:
            for i in where.tolist():
                self.reasons.pop(i, None)
        self.reasons |= {int(where[i]): text for i, text in other.reasons.items()}


@dataclass(frozen=True)
class Told:
    """What a worker says of a batch: its number, cells done, failed and late, seconds."""

    number: int
    done: int
    failed: int
    late: int
    seconds: float


def run_batch(study: Study, store: Store, number: int, *, retry: bool = False) -> Told:
    """Look at a batch and write it.

    Args:
        retry: leave the cells alone that are done.

    Raises:
        OutputError: it cannot be written.
    """
    began = time.perf_counter()
    batch = Grid(study).batch(number)
    found = Found.nothing(study, len(batch.cells))
    todo = np.arange(len(batch.cells))
    if retry:
        found.status = store.read(batch, "status")
        found.values = {name: store.read(batch, name) for name in found.values}
        todo = np.flatnonzero(found.status != DONE)
    if len(todo):
        found.put(todo, measure(study, batch.cells[todo]))
        store.write(batch, found.values, found.status, found.reasons)
    counts = np.bincount(found.status, minlength=4)
    seconds = time.perf_counter() - began
    return Told(number, int(counts[DONE]), int(counts[FAILED]), int(counts[LATE]), seconds)


def measure(study: Study, cells: Array) -> Found:
    """What is measured of some cells of one batch; those that fail have a reason."""
    if study.measure.limit is not None and not _is_batched(study, cells):
        from benign.studies.isolated import measure_within

        return measure_within(study, cells, study.measure.limit)
    return measured(study, cells)


def measured(study: Study, cells: Array) -> Found:
    """The same, in this process and without a limit."""
    began = time.perf_counter()
    found = Found.nothing(study, len(cells))
    if _is_batched(study, cells):
        try:
            values = _together(study, cells)
        except OutputError:
            raise
        except Exception as error:
            if len(cells) == 1:
                return _failed(found, error)
            for i in range(len(cells)):  # one of them is to blame
                found.put(np.array([i]), measured(study, cells[i : i + 1]))
            return found
        _fill(found, values, began)
        return found
    for i in range(len(cells)):
        one, began = Found.nothing(study, 1), time.perf_counter()
        try:
            _fill(one, _alone(study, cells[i]), began)
        except OutputError:
            raise
        except Exception as error:
            _failed(one, error)
        found.put(np.array([i]), one)
    return found


def _fill(found: Found, values: dict[str, Any], began: float) -> None:
    for name, value in values.items():
        found.values[name][...] = value
    found.values["seconds"][...] = (time.perf_counter() - began) / len(found.status)
    found.status[...] = DONE


def _failed(found: Found, error: Exception) -> Found:
    kind = "" if isinstance(error, BenignError) else f"{type(error).__name__}: "
    found.status[...] = FAILED
    found.reasons[0] = clean(f"{kind}{cause_of(error)}", 160)
    return found


def _is_batched(study: Study, cells: Array) -> bool:
    """Whether cells are looked at together; those of a batch are of one size."""
    if study.trains or study.kind is None:
        return False
    first = study.columns_of(cells[:1])
    n, m = study.base.B.shape if study.base is not None else (first["n"][0], first["m"][0])
    return n == m == 1 and first["shots"][0] == 1


# --- families ---------------------------------------------------------------------------------


def families_of(study: Study, columns: dict[str, Array]) -> Families:
    """The families of cells that differ in no axis of `grid.APART`."""
    kind = study.kind
    assert kind is not None
    numbers = {name: columns[name].astype(float) for name in kind.numbers}
    draw = Draw(
        study.seed, columns["seed"].astype(np.uint64), int(columns["tasks"][0]), int(columns["n"][0]),
        int(columns["m"][0]), study.base, numbers,
    )  # fmt: skip
    families = kind.make(draw)
    return normalised(families) if columns["normalize"][0] else families


def etas_of(study: Study, columns: dict[str, Array], families: Families) -> Array:
    """The step size of each cell; if relative, in units of 1/‖∇²C(W*)‖ of the first task."""
    eta = columns["eta"].astype(float)
    return eta / optima(families).curvature[:, 0] if study.measure.relative else eta


def _together(study: Study, cells: Array) -> dict[str, Array]:
    from benign.studies.scalar import measured as observed
    from benign.studies.scalar import shifts

    columns = study.columns_of(cells)
    families = families_of(study, columns)
    eta, step = etas_of(study, columns, families), str(columns["step"][0])
    shift = shifts(study.seed, columns["seed"])
    values = observed(families, eta, step, study.measure.grid, study.measure.starts, shift)
    asked = np.flatnonzero(_wants_proof(study, cells, columns["proof"]))
    if len(asked):
        from benign.studies.proving import prove_scalar

        proofs = prove_scalar(families, eta, step, asked, values)
        for name, few in proofs.items():
            column = np.full(len(cells), NOT_PROVED[name])
            column[asked] = few
            values[name] = column
    return values


NOT_PROVED = {"proved": 0, "epsilon_low": np.nan, "epsilon_high": np.nan, "agrees": -1}


def _wants_proof(study: Study, cells: Array, share: Array) -> Array:
    """A random sample, by (seed, cell) as all is."""
    u = uniform(study.seed ^ 0x9400F, cells.astype(np.uint64), 1, 1)[:, 0, 0]
    return u < share.astype(float)


def _alone(study: Study, cell: int) -> dict[str, Any]:
    columns = study.columns_of(np.array([cell]))
    if study.trains:
        from benign.studies.trained import trained

        return trained(study, columns)
    from benign.studies.searched import searched

    proof = bool(_wants_proof(study, np.array([cell]), columns["proof"])[0])
    return searched(study, columns, proof=proof)
