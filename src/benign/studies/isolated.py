"""Cells in a process of their own, which is ended where one takes longer than it may.

What computes cannot be interrupted from within: a factorisation, a compiler, a loop of somebody's
generator. The process is asked for one cell after another, in JSON, and is kept for the next batch.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import subprocess
import sys
import time
from importlib import import_module
from typing import Any

import numpy as np

from benign.errors import BenignError
from benign.studies.columns import FAILED, LATE
from benign.studies.study import Study
from benign.studies.work import Found, measured

BEGINNING = 60.0
"""Seconds for the process to begin and to read the study; imports of a generator count."""

ENDED = "the process ended by itself (signal or lack of memory)"


class Helper:
    """The process, for one study."""

    def __init__(self, study: Study) -> None:
        self.digest = study.digest
        path = os.pathsep.join(x for x in sys.path if x)
        self.process = subprocess.Popen(
            [sys.executable, "-c", "from benign.studies.isolated import serve; serve()"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": path},
            start_new_session=True,
        )  # fmt: skip
        self.rest = b""
        self.say({"study": study.document()})
        answer = self.hear(BEGINNING)
        if answer is None or "error" in answer:
            self.end()
            raise BenignError((answer or {}).get("error", "the process of a cell did not begin"))

    def say(self, document: Any) -> None:
        """Send it a line."""
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it is gone: `hear` will say so
            self.process.stdin.write(json.dumps(document).encode() + b"\n")
            self.process.stdin.flush()

    def hear(self, seconds: float) -> dict[str, Any] | None:
        """Its next line; None where it does not come in time; {} where the process is gone."""
        assert self.process.stdout is not None
        until, handle = time.monotonic() + seconds, self.process.stdout.fileno()
        with selectors.DefaultSelector() as ready:
            ready.register(handle, selectors.EVENT_READ)
            while b"\n" not in self.rest:
                left = until - time.monotonic()
                if left <= 0 or not ready.select(left):
                    return None
                got = os.read(handle, 1 << 16)
                if not got:
                    return {}
                self.rest += got
        line, _, self.rest = self.rest.partition(b"\n")
        return json.loads(line)

    def end(self) -> None:
        """End it, whatever it does."""
        self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


_helpers: list[Helper] = []
"""The one of this process, kept between batches."""


def measure_within(study: Study, cells: np.ndarray, limit: float) -> Found:
    """What is measured of some cells, each within `limit` seconds.

    The first cell of a process may take BEGINNING longer: it compiles what the others use.
    """
    found, fresh = Found.nothing(study, len(cells)), False
    for i, cell in enumerate(cells.tolist()):
        one = Found.nothing(study, 1)
        fresh = not _helpers or _helpers[0].digest != study.digest
        if fresh:
            _forget()
            _helpers.append(Helper(study))
        _helpers[0].say({"cell": cell})
        answer = _helpers[0].hear(limit + (BEGINNING if fresh and limit >= 1 else 0.0))
        if answer is None:
            one.status[0], one.reasons[0] = LATE, f"stopped after {limit:g} s"
            _forget()
        elif not answer:
            one.status[0], one.reasons[0] = FAILED, ENDED
            _forget()
        else:
            for name, value in answer["values"].items():
                one.values[name][0] = np.nan if value is None else value
            one.status[0] = answer["status"]
            if answer["reason"]:
                one.reasons[0] = answer["reason"]
        found.put(np.array([i]), one)
    return found


def _forget() -> None:
    while _helpers:
        _helpers.pop().end()


def serve() -> None:
    """The process: a study first, then cells, one a line, until its input ends."""
    from benign.studies.definition import function_at, study_of
    from benign.studies.generators import GENERATORS

    lines, out = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a generator prints is no answer

    def answer(document: Any) -> None:
        out.write(json.dumps(document).encode() + b"\n")
        out.flush()

    try:
        document = json.loads(lines.readline())["study"]
        kind = document["generator"]["kind"]
        study = study_of(document, None if kind in GENERATORS else function_at(kind))
    except BenignError as error:
        answer({"error": str(error)})
        return
    if study.kind is None or study.trains:
        import_module("jax")  # the first of the cells is not to wait for it
    answer({"ready": True})
    for line in lines:
        found = measured(study, np.array([json.loads(line)["cell"]]))
        values = {name: _plain(column[0]) for name, column in found.values.items()}
        answer({"values": values, "status": int(found.status[0]), "reason": found.reasons.get(0, "")})


def _plain(value: Any) -> Any:
    number = value.item()
    return None if number != number else number
