"""What a sweep has found so far, on disk: one that ends early goes on from there.

A journal is a JSON document of entries by name, for one question; that of another question is refused.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from benign.errors import FileFormatError
from benign.files import to_text, write_own
from benign.folders import digest_of
from benign.opening import exists, path_of, read_json

MAX_BYTES = 200_000_000
"""Largest journal that is read."""

EVERY = 1.0
"""Seconds between two writings, at least; the last entries are written by `keep`."""

KIND = "unfinished sweep"


class Journal:
    """Entries, found before or now.

    Args:
        path: where it lies; None keeps nothing.
        question: what the sweep is about, in JSON.

    Raises:
        FileFormatError: what lies there is no journal, or one of another sweep.
    """

    def __init__(self, path: str | os.PathLike[str] | None, question: Any):
        self.path = None if path is None else Path(path_of(path, "checkpoint"))
        self.question = digest_of(question)
        self.entries: dict[str, Any] = {}
        self._written = 0.0
        if self.path is None or not exists(self.path):
            return
        document = read_json(self.path, MAX_BYTES, "an unfinished sweep")
        if document.get("benign") != KIND or not isinstance(document.get("entries"), dict):
            raise FileFormatError(f"{self.path}: not an unfinished sweep; name another file")
        if document.get("question") != self.question:
            raise FileFormatError(
                f"{self.path}: the unfinished sweep of another question (other tasks, shots, starts or "
                "seed); remove the file to begin anew"
            )
        if document.get("digest") != digest_of(document["entries"]):
            raise FileFormatError(f"{self.path}: was altered; remove the file to begin anew")
        self.entries = document["entries"]

    def add(self, name: str, entry: Any) -> None:
        """Enter what was found, and write it now and then."""
        self.entries[name] = entry
        if self.path is not None and time.monotonic() - self._written > EVERY:
            self.keep()

    def keep(self) -> None:
        """Write the entries, whole or not at all.

        Raises:
            OutputError: they cannot be written.
        """
        if self.path is None:
            return
        document = {
            "benign": KIND,
            "question": self.question,
            "digest": digest_of(self.entries),
            "entries": self.entries,
        }
        write_own(self.path, to_text(document), KIND)
        self._written = time.monotonic()
