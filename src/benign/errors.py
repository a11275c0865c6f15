"""Every exception that the library raises on purpose, in one tree.

A message names the place (file, task, field), the value, the cause and the cure, in a line or two.
The command line prints it and exits with status 2; it never shows a traceback for one of these.
"""

from __future__ import annotations


class BenignError(Exception):
    """Base of all errors raised on purpose by `benign`."""


class ProblemError(BenignError, ValueError):
    """A task, family or step is not a well-posed problem (shape, sign, definiteness, NaN …)."""


class FileFormatError(BenignError, ValueError):
    """A family file cannot be read: syntax, unknown or missing key, a number that is none."""


class NotScalarError(ProblemError):
    """A proof that exists for one state and one input was asked for a larger problem."""


class ClaimError(BenignError, ValueError):
    """A claim was asked for a problem that does not meet the claim's conditions."""


class CertificateError(BenignError, ValueError):
    """A certificate is malformed, altered, or does not prove what it claims."""


class OutputError(BenignError, OSError):
    """A result could not be written."""


class RoundingWarning(UserWarning):
    """A matrix that was indefinite by a rounding was raised to one that is semidefinite exactly."""
