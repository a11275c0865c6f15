"""The words in which every answer is given."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """Proved, refuted or undecided, of a statement; observed, of what a search met: no proof."""

    PROVED = "proved"
    REFUTED = "refuted"
    UNDECIDED = "undecided"
    OBSERVED = "observed"


@dataclass(frozen=True)
class Verdict:
    """An answer.

    Attributes:
        status: the word.
        statement: what was asked, as a sentence that may be true or false; of a search, what it met.
        reason: why, or what is left.
    """

    status: Status
    statement: str
    reason: str = ""

    @property
    def finding(self) -> str:
        """What was found, as a sentence that is true: the statement, its denial, or that it is open."""
        if self.status in (Status.PROVED, Status.OBSERVED):
            return self.statement
        if self.status is Status.UNDECIDED:
            return f"whether {self.statement} is left open"
        is_general = self.statement.startswith("every ")
        return f"not {self.statement}" if is_general else f"it is not true that {self.statement}"

    def __str__(self) -> str:
        if self.status is Status.OBSERVED:
            return f"{self.status}: {self.finding}; {self.reason}"
        tail = f" ({self.reason})" if self.reason else ""
        return f"{self.status}: {self.finding}{tail}"

    def __bool__(self) -> bool:
        return self.status is Status.PROVED
