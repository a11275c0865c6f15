"""Every exception that the library raises on purpose, in one tree.

A message names the place (file, task, field), the value, the cause and the cure, in a line or two.
The command line prints it and exits with status 2; it never shows a traceback for one of these.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any


class BenignError(Exception):
    """Base of all errors raised on purpose by `benign`."""


class ProblemError(BenignError, ValueError):
    """A task, family or step is not a well-posed problem (shape, sign, definiteness, NaN …)."""


class UsageError(BenignError, TypeError):
    """An argument is of a type that the call does not take; the message names the call and the cure."""


class AmbiguousError(BenignError, ValueError):
    """Two enclosures overlap, so that it is not known which of the numbers is the larger."""


class FileFormatError(BenignError, ValueError):
    """A family file cannot be read: syntax, unknown or missing key, a number that is none."""


class Cause(StrEnum):
    """Why h is finite at no gain."""

    CONFLICT = "conflict"
    """No gain stabilises the adaptation plants of all tasks."""
    STEP = "step"
    """The adaptation step throws out every gain that does, or nearly so: a smaller η may do."""
    LEVEL = "level"
    """h exceeds the level that was asked for wherever it is finite."""
    SLOPE = "slope"
    """Among the gains searched h has no local minimiser below the level: it falls towards the side."""
    UNKNOWN = "unknown"
    """None was found, in the time given."""


class InfeasibleError(ProblemError):
    """h is finite at no gain, or at none below a level: proved, or as far as a search could tell.

    Attributes:
        cause: why.
        tasks: names of the tasks that conflict already, where they are known.
        certificate: the document that `benign.check` proves again; None if it is not proved.
    """

    def __init__(
        self,
        message: str,
        *,
        cause: Cause,
        tasks: Sequence[str] = (),
        certificate: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.cause, self.tasks, self.certificate = cause, tuple(tasks), certificate


class NotScalarError(ProblemError):
    """A proof that exists for one state and one input was asked for a larger problem."""


class ClaimError(BenignError, ValueError):
    """A claim was asked for a problem that does not meet the claim's conditions."""


class CertificateError(BenignError, ValueError):
    """A certificate is malformed, altered, or does not prove what it claims."""


class BudgetError(BenignError, TimeoutError):
    """The budget was used up before there was anything to tell; the message says what it went on."""


class OutputError(BenignError, OSError):
    """A result could not be written.

    Attributes:
        written: the files that were written, each whole, before or although others could not be.
    """

    def __init__(self, message: str, *, written: Sequence[Path] = ()) -> None:
        super().__init__(message)
        self.written = tuple(written)


class OutputWarning(UserWarning):
    """What only saves work, such as the state of a proof, could not be written; the work goes on."""


class RoundingWarning(UserWarning):
    """A matrix that was indefinite by a rounding was raised to one that is semidefinite exactly."""
