"""Proofs beside a picture: in processes with a budget, one at a time for each user, few in all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benign.exact.documents import problem_to_json
from benign.text import clean

if TYPE_CHECKING:
    from collections.abc import Callable

    from benign.exact.problem import Problem

BUDGET = 20.0
"""Seconds of a proof by default."""

GRACE = 10.0
"""Seconds beyond the budget after which a process is ended."""

AT_ONCE = max(1, (os.cpu_count() or 2) - 1)
"""Proofs of all users together that run at once: a core is left for those who draw."""

_PLACES = threading.BoundedSemaphore(AT_ONCE)


@dataclass(frozen=True)
class Proof:
    """What came of one.

    Attributes:
        status: "proved", "refuted", "undecided", "observed"; "none" if there is no result.
        words: what was found, in a sentence.
        certificates: the documents that `benign check` proves again.
        rows: (W, h, gap) of the minima, as text.
    """

    status: str
    words: str
    certificates: tuple[dict[str, Any], ...] = ()
    rows: tuple[tuple[str, str, str], ...] = ()


class Prover:
    """The proofs of one user: a new one ends the one before, and waits its turn behind other users'."""

    def __init__(self, budget: float = BUDGET) -> None:
        self.budget = budget
        self._lock = threading.Lock()
        self._turn, self._process = 0, None

    def start(self, problem: Problem, tell: Callable[[Proof], None]) -> None:
        """Prove it in the background; `tell` is called from another thread, unless it is replaced."""
        turn = self.cancel()
        given = json.dumps({"problem": problem_to_json(problem), "budget": self.budget})
        threading.Thread(target=self._run, args=(turn, given, tell), daemon=True).start()

    def cancel(self) -> int:
        """End what runs; the number of the next turn."""
        with self._lock:
            self._turn += 1
            if self._process is not None:
                self._process.kill()
                self._process = None
            return self._turn

    def _run(self, turn: int, given: str, tell: Callable[[Proof], None]) -> None:
        with _PLACES:
            with self._lock:
                if turn != self._turn:
                    return
                process = self._process = subprocess.Popen(
                    [sys.executable, "-m", "benign.explorer.worker"],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    text=True,
                )
            try:
                text, _ = process.communicate(given, timeout=self.budget + GRACE)
            except (subprocess.TimeoutExpired, OSError, ValueError):
                text = ""
            finally:
                process.kill()
                process.wait()
        with self._lock:
            if turn != self._turn:
                return
            self._process = None
        tell(read(text))


def read(text: str) -> Proof:
    """What the process wrote."""
    try:
        document = json.loads(text)
        return _read(document)
    except (ValueError, KeyError, TypeError):
        return Proof("none", "The proof came to no end in the time there is.")


def _read(document: dict[str, Any]) -> Proof:
    from benign.results.documents import landscape_from_document
    from benign.views.numbers import distinct, near, outward

    own = tuple(document["certificates"])
    if "error" in document:
        status = "proved" if own else "none"
        return Proof(status, clean(document["error"], 400), own)

    def certificate(number: int, digest: str | None) -> dict[str, Any] | None:
        return next((c for c in own if c["digest"] == digest), None)

    found = landscape_from_document(document["landscape"], certificate)
    points = found.minimizers
    h = distinct([p.value for p in points]) if points else []
    rows = []
    for point, value in zip(points, h, strict=True):
        gain = near(point.at, 9) if hasattr(point, "at") else _gain(point)
        gap = outward(point.gap, 3, down=False) if point.gap < float("inf") else "no bound"
        rows.append((gain, value, gap))
    verdict = found.verdict
    words = ". ".join(x[:1].upper() + x[1:] for x in (verdict.finding, verdict.reason) if x)
    return Proof(verdict.status.value, clean(words, 400), own, tuple(rows))


def _gain(point: Any) -> str:
    if hasattr(point, "rows"):
        return point.rows(7)
    return "; ".join(" ".join(f"{x:.7g}" for x in row) for row in point.W)
