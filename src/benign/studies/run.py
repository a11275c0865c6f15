"""The verb: run a study, here or on a cluster; what is done is kept, and what is missing is done."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from benign.clock import clock_of
from benign.errors import UsageError
from benign.studies.columns import DONE, FAILED, LATE, MISSING
from benign.studies.grid import Grid
from benign.studies.store import Store
from benign.studies.study import Study
from benign.studies.work import Told, run_batch

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Run:
    """What became of a study.

    Attributes:
        cells, done, failed, late, missing: how many there are.
        seconds: that this run took.
    """

    address: str
    cells: int
    done: int
    failed: int
    late: int
    missing: int
    seconds: float

    @property
    def is_complete(self) -> bool:
        """Whether no cell is missing; some may have failed."""
        return self.missing == 0

    def __str__(self) -> str:
        text = f"{self.done:,} of {self.cells:,} cells are done"
        if self.failed or self.late:
            text += (
                f"; {self.failed:,} failed and {self.late:,} were stopped (--retry tries them again)"
            )
        if self.missing:
            text += f"; {self.missing:,} are missing, and the same command goes on"
        return text


def run_study(
    study: Study,
    out: str | os.PathLike[str],
    *,
    workers: int = 0,
    scheduler: str | None = None,
    retry: bool = False,
    budget: Any = None,
    progress: Progress | None = None,
) -> Run:
    """Measure the cells of a study that are not measured yet.

    Args:
        study: which cells, and what is measured.
        out: a directory, or an address of fsspec (s3://…). A cluster's workers write there themselves.
        workers: processes of this machine; none: this process.
        scheduler: the address of a running Dask cluster, instead.
        retry: also the cells that failed or were stopped.
        budget: seconds, or "10m", after which no batch is begun.
        progress: called with (cells done, cells) now and then.

    Raises:
        UsageError: no study, or something is not installed.
        OutputError: the store cannot be had or written.
        ClusterError: the cluster cannot be had, or went away.
    """
    if not isinstance(study, Study):
        raise UsageError(f"run_study: expected a Study, got {type(study).__name__}")
    clock = clock_of(budget)
    store = Store(out)
    store.prepare(study)
    grid, done = Grid(study), store.done(study)
    again = store.unfinished(study) if retry else set()
    # Two clients on one store begin at different places, and seldom do the same.
    first = secrets.randbelow(len(grid)) if done else 0
    todo = grid.missing(done - again, first)
    known = sum(len(grid.batch(number).cells) for number in map(grid_number(grid), done - again))
    if progress is not None:
        progress(known, study.cells)

    def late(numbers: Iterable[int]) -> Iterator[int]:
        for number in numbers:
            if clock.late:
                return
            yield number

    def do(number: int) -> Told:
        is_known = grid.place(number) in again
        return run_batch(study, store, number, retry=is_known)

    if workers or scheduler:
        from benign.studies.cluster import spread

        told = spread(study, out, late(todo), again, workers=workers, scheduler=scheduler)
    else:
        told = map(do, late(todo))
    for one in told:
        known += one.done + one.failed + one.late
        if progress is not None:
            progress(known, study.cells)
    counts = store.counts()
    return Run(
        str(out), study.cells, int(counts[DONE]), int(counts[FAILED]), int(counts[LATE]),
        int(counts[MISSING]), clock.used,
    )  # fmt: skip


def grid_number(grid: Grid) -> Callable[[tuple[int, ...]], int]:
    """From the place of a batch to its number."""
    return lambda place: int(np.ravel_multi_index(place, grid.counts)) if place else 0
