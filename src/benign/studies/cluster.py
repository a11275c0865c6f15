"""A study on a cluster of Dask's: few batches under way at a time, and workers write what they measure.

The client holds the batches that are under way and nothing else; so does the scheduler. A study of ten
million cells therefore begins at once, and memory does not grow with the cells.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from benign.errors import BenignError, OutputError
from benign.studies.extras import need
from benign.studies.grid import Grid
from benign.studies.store import Store
from benign.studies.study import Study
from benign.studies.work import Told, run_batch

UNDER_WAY = 4
"""Batches under way for each thread of a worker: one is computed, the others wait beside it."""

DEATHS = 3
"""Workers that may die over a batch before its cells count as failed."""

CONNECTING, WORKERS = 10.0, 600.0
"""Seconds that a scheduler is waited for, and its first worker: one may stand in a queue."""

LOGGERS = ("distributed", "distributed.client", "distributed.scheduler", "distributed.core", "tornado")
"""What is told of a cluster is told once, by us."""


class ClusterError(BenignError, OSError):
    """A cluster cannot be had, or went away; what is done is kept."""


def spread(
    study: Study,
    out: str | os.PathLike[str],
    todo: Iterator[int],
    again: set[tuple[int, ...]],
    *,
    workers: int = 0,
    scheduler: str | None = None,
) -> Iterator[Told]:
    """Do batches on a cluster, in no order.

    Args:
        todo: their numbers; no more of them are asked for than are under way.
        again: places of batches in which cells are done already.
        workers: processes of this machine, unless there is a scheduler.

    Raises:
        OutputError: a worker cannot write.
        ClusterError: no cluster, or it went away.
    """
    grid = Grid(study)
    with _client(workers, scheduler) as (client, distributed):
        pending: dict[Any, int] = {}
        lost: dict[int, int] = {}

        def submit(number: int) -> Any:
            future = client.submit(
                _do, study, str(out), number, grid.place(number) in again,
                key=f"benign-{study.digest[:12]}-{number}-{time.monotonic_ns()}", pure=False,
            )  # fmt: skip
            pending[future] = number
            return future

        most = UNDER_WAY * max(1, sum(client.nthreads().values()))
        first = [submit(number) for _, number in zip(range(most), todo, strict=False)]
        coming = distributed.as_completed(first, loop=client.loop)
        try:
            for future in coming:
                number = pending.pop(future)
                try:
                    told = future.result()
                except distributed.KilledWorker:
                    told = _given_up(study, out, number)
                except (distributed.client.FutureCancelledError, OSError) as error:
                    if isinstance(error, OutputError):
                        raise
                    lost[number] = lost.get(number, 0) + 1
                    if lost[number] > DEATHS or client.status != "running":
                        raise _gone(scheduler) from error
                    coming.add(submit(number))
                    continue
                yield told
                future.release()
                if (number := next(todo, None)) is not None:
                    coming.add(submit(number))
        finally:
            for future in pending:
                future.release()


def _do(study: Study, out: str, number: int, retry: bool) -> Told:
    """On a worker."""
    return run_batch(study, _opened(out), number, retry=retry)


@cache
def _opened(out: str) -> Store:
    return Store(out)


def _given_up(study: Study, out: str | os.PathLike[str], number: int) -> Told:
    """A batch over which worker after worker died: its cells failed."""
    import numpy as np

    from benign.studies.columns import FAILED
    from benign.studies.work import Found

    batch = Grid(study).batch(number)
    found = Found.nothing(study, len(batch.cells))
    found.status[...] = FAILED
    reasons = dict.fromkeys(range(len(batch.cells)), f"{DEATHS} workers died over this batch")
    Store(out).write(batch, found.values, np.asarray(found.status), reasons)
    return Told(number, 0, len(batch.cells), 0, 0.0)


@contextmanager
def _client(workers: int, scheduler: str | None) -> Iterator[tuple[Any, Any]]:
    """A client of the cluster, and the module that it is of."""
    dask, distributed = need("dask"), need("distributed")

    path = os.pathsep.join(x for x in sys.path if x)
    settings = {
        "distributed.scheduler.allowed-failures": DEATHS - 1,
        "distributed.worker.daemon": False,  # a cell with a limit has a process of its own
        "distributed.client.scheduler-info-interval": "10s",
        "distributed.nanny.environ": {"PYTHONPATH": path},
    }
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    with dask.config.set(settings):
        cluster = None
        try:
            if scheduler is None:
                _hush()
                cluster = distributed.LocalCluster(
                    n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None,
                    memory_limit=0, silence_logs=50, host="127.0.0.1",
                )  # fmt: skip
            client = distributed.Client(cluster or scheduler, timeout=CONNECTING, set_as_default=False)
        except (OSError, ValueError, TimeoutError) as error:
            if cluster is not None:
                cluster.close()
            raise ClusterError(
                f"scheduler: no cluster answers at {scheduler or 'this machine'}; is it running?"
            ) from error
        try:
            if scheduler is not None:
                _await_workers(client, scheduler)
            yield client, distributed
        except distributed.comm.CommClosedError as error:
            raise _gone(scheduler) from error
        finally:
            client.close(timeout=5)
            if cluster is not None:
                cluster.close(timeout=10)


def _hush() -> None:
    """An interrupt ends this process at once: what tidies up after it is not to tell of semaphores."""
    said = "ignore::UserWarning:multiprocessing.resource_tracker"
    rest = os.environ.get("PYTHONWARNINGS", "")
    if said not in rest:
        os.environ["PYTHONWARNINGS"] = f"{rest},{said}".lstrip(",")


def _await_workers(client: Any, scheduler: str) -> None:
    try:
        client.wait_for_workers(1, timeout=WORKERS)
    except TimeoutError:
        raise ClusterError(f"scheduler: the cluster at {scheduler} has no worker; start some") from None


def _gone(scheduler: str | None) -> ClusterError:
    return ClusterError(
        f"scheduler: the cluster at {scheduler or 'this machine'} went away; what is done is kept, and "
        "the same command goes on, with another cluster as well"
    )
