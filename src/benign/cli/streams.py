"""What is written to when a result is told: streams that lose no result, whatever becomes of them.

A reader that goes away, a full disk behind a redirection and a terminal that knows no Greek are no
reason to end: the verb goes on and saves what it has. What a terminal cannot show is spelled.
"""

from __future__ import annotations

import codecs
import errno
import io
import os
import select
import sys
import unicodedata
from typing import Any

SPELLED = "benign.spelled"
"""The name under which Python knows how characters are spelled that an encoding lacks."""

_SPELLINGS = {
    "−": "-", "–": "-", "—": "-", "…": "...", "≤": "<=", "≥": ">=", "≠": "!=", "≈": "~", "×": "x",
    "·": "*", "‖": "||", "∞": "inf", "→": "->", "←": "<-", "√": "sqrt ", "±": "+-", "∇": "grad ",
    "Σ": "sum ", "≻": ">", "⪰": ">=", "’": "'", "‘": "'", "“": '"', "”": '"', "•": "*",
    "─": "-", "━": "-", "═": "=", "│": "|", "┃": "|", "╸": "-", "╺": "-", "┼": "+", "┬": "+",
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "epsilon", "η": "eta", "θ": "theta",
    "κ": "kappa", "λ": "lambda", "μ": "mu", "ρ": "rho", "σ": "sigma", "τ": "tau", "φ": "phi",
    "ω": "omega", "Δ": "Delta",
}  # fmt: skip


def spell(error: UnicodeError) -> tuple[str, int]:
    """For `codecs.register_error`: letters without their marks, signs in ASCII, else the code."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    part = error.object[error.start : error.end]
    return "".join(map(_spelled, part)), error.end


def _spelled(character: str) -> str:
    if character in _SPELLINGS:
        return _SPELLINGS[character]
    plain = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return plain or character.encode("ascii", "backslashreplace").decode()


class Forgiving(io.RawIOBase):
    """A file descriptor to write to; when that fails, what follows is let go, and `lost` says why."""

    def __init__(self, handle: int) -> None:
        super().__init__()
        self.handle = handle
        self.lost: OSError | None = None

    def writable(self) -> bool:
        """It is."""
        return True

    def fileno(self) -> int:
        """The file descriptor."""
        return self.handle

    def isatty(self) -> bool:
        """Whether that is a terminal."""
        return os.isatty(self.handle)

    def write(self, data: Any) -> int:
        """Write what can be written at once; how much that was."""
        while self.lost is None:
            try:
                return os.write(self.handle, data)
            except BlockingIOError:
                select.select([], [self.handle], [])
            except OSError as error:
                self.lost = error
        return len(data)

    @property
    def gone(self) -> bool:
        """Whether there is nobody to tell: the reader of a pipe went away."""
        return self.lost is not None and self.lost.errno in (errno.EPIPE, errno.ECONNRESET)


def prepare() -> Forgiving | None:
    """Make stdout and stderr such streams; that of stdout, if it is one of a process."""
    codecs.register_error(SPELLED, spell)
    _fill()
    out = _forgiving(sys.stdout, sys.__stdout__, 1)
    err = _forgiving(sys.stderr, sys.__stderr__, 2)
    if err is not None:
        sys.stderr = err[0]
    if out is None:
        return None
    sys.stdout = out[0]
    return out[1]


def _fill() -> None:
    """Where a stream was closed by the caller no file of ours takes its number."""
    for handle, name in ((0, "stdin"), (1, "stdout"), (2, "stderr")):
        try:
            os.fstat(handle)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number: this one
            if getattr(sys, name) is None:
                mode = "r" if handle == 0 else "w"
                setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115


def _forgiving(stream: Any, original: Any, handle: int) -> tuple[io.TextIOWrapper, Forgiving] | None:
    if stream is None or stream is not original:
        return None  # somebody catches it already, as a test does
    stream.flush()
    raw = Forgiving(handle)
    text = io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=stream.encoding,
        errors=SPELLED,
        line_buffering=stream.line_buffering,
    )
    return text, raw
