"""The three words in which every answer is given."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """The three words for a verdict, and no others."""

    PROVED = "proved"
    REFUTED = "refuted"
    UNDECIDED = "undecided"


@dataclass(frozen=True)
class Verdict:
    """An answer: the status, the statement it is about, and why."""

    status: Status
    statement: str
    reason: str = ""

    def __str__(self) -> str:
        tail = f" ({self.reason})" if self.reason else ""
        return f"{self.status}: {self.statement}{tail}"

    def __bool__(self) -> bool:
        return self.status is Status.PROVED
