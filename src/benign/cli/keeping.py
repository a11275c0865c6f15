"""What the subcommands do with results: a place for them, saving, and what is said of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from benign.cli.common import FAILED, UNDECIDED, USAGE
from benign.errors import BenignError, InfeasibleError, OutputError
from benign.text import clean, clean_json, clean_lines

if TYPE_CHECKING:
    from benign.clock import Clock
    from benign.folders import About


def kept_proof(error: BenignError, folder: Path | None) -> list[Path]:
    """The certificate of a proof that no gain is feasible, written to a directory; where it is."""
    if folder is None or not isinstance(error, InfeasibleError) or error.certificate is None:
        return []
    from benign.exact.documents import problem_from_json
    from benign.files import to_text
    from benign.folders import save_all
    from benign.results.documents import about_landscape

    about = about_landscape(problem_from_json(error.certificate["problem"]))
    return save_all(folder, about, {"certificate.json": to_text(error.certificate)})


def place(out: Path | None, about: Callable[[], About] | None = None) -> AbstractContextManager[Any]:
    """A directory of results to oneself, refused before any work if it is not to be had."""
    if out is None:
        return nullcontext()
    from benign.folders import claimed

    return claimed(out, None if about is None else about())


UNFINISHED = "unfinished-sweep.json"
"""The file of a directory in which a sweep that is not done is kept."""


def kept_sweep(unfinished: Path | None) -> str:
    """What an interrupt leaves of a sweep, and how to go on."""
    if unfinished is None:
        return "nothing was to be kept; with --out the same command goes on from where it was"
    if not unfinished.exists():
        return "nothing was done yet; the same command begins anew"
    return f"what was done so far is in {unfinished}; the same command goes on from there"


def discard(unfinished: Path | None) -> None:
    """Remove what was kept of a sweep that is done, and saved."""
    if unfinished is not None:
        unfinished.unlink(missing_ok=True)


def save_and_tell(result: Any, out: Path | None, *, quiet: bool) -> None:
    """Save a result that was shown already, and say where.

    Raises:
        OutputError: as `save`; what was written is said all the same.
    """
    if out is None:
        return
    try:
        written = save(result, out)
    except OutputError as error:
        if not quiet:
            tell_written(error.written)
        raise
    if not quiet:
        tell_written(written)


def save(result: Any, where: Path, clock: Clock | None = None) -> list[Path]:
    """A result saved, or what could not be saved there to a directory for temporary files.

    Raises:
        OutputError: not all of it is where it was to be; the message says where it is, or how to have
            it again.
    """

    def write(directory: Any) -> list[Path]:
        if clock is None:
            return result.save(directory)
        from benign.views.save import save_landscape

        return save_landscape(result, directory, clock)

    try:
        return write(where)
    except OutputError as error:
        import shutil
        import tempfile

        spare = None
        try:
            spare = tempfile.mkdtemp(prefix="benign-")
            written = write(spare)
        except (OSError, ValueError):
            if spare is not None:
                shutil.rmtree(spare, ignore_errors=True)
            raise OutputError(
                f"{error}; what is not written is printed above as far as it can be, and the same "
                "command with another --out makes all of it again",
                written=error.written,
            ) from error
        raise OutputError(
            f"{error}; all of the result is in {spare} instead", written=[*error.written, *written]
        ) from error


def tell_json(document: Any) -> None:
    """A JSON document on stdout; what the terminal cannot show is escaped, so that it says the same."""
    text = clean_json(json.dumps(document, indent=1, ensure_ascii=False))
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except (UnicodeError, LookupError):
        text = json.dumps(document, indent=1)
    print(text)


def tell_error(name: str, error: BaseException) -> None:
    """An error about one of several files, on stderr, with the name of the file."""
    from benign.opening import shortened

    text, name = str(error), shortened(name)
    text = text if text.startswith(name) else f"{name}: {text}"
    print(f"benign: error: {clean_lines(text)}", file=sys.stderr)


def leave_with(found: set[int]) -> None:
    """Exit with the worst of several statuses: a false claim, then bad input, then undecided."""
    for status in (FAILED, USAGE, UNDECIDED):
        if status in found:
            raise typer.Exit(status)


def tell_written(paths: Sequence[Path]) -> None:
    """The files that were written."""
    if paths:
        print("\nWritten:", *(f"  {clean(str(path))}" for path in paths), sep="\n")
