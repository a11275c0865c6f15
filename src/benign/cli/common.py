"""What the subcommands share: the application, reading a family, and the console."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from benign.cli.choices import nearest
from benign.cli.guard import LEAST_WITH_JAX, require_memory
from benign.cli.ranges import step_sizes
from benign.errors import BenignError, FileFormatError, InfeasibleError, OutputError
from benign.text import clean, clean_json, clean_lines

if TYPE_CHECKING:
    from rich.console import Console

    from benign.clock import Clock
    from benign.exact.problem import Step
    from benign.folders import About
    from benign.tasks.files import FamilyFile

FAILED, USAGE, UNDECIDED = 1, 2, 3

NARROWEST = 80
"""Columns that are written at least; a narrower terminal breaks the lines itself."""

app = typer.Typer(
    help="When does the MAML objective have a benign landscape? Answered for your tasks, with proof.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Plain help: Rich would read what stands in brackets as markup, and costs a fifth of a second.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


READING = "reading the family"

A_BYTE = 1.5e-6
"""Seconds to read a byte of a family file, on an idle machine: 1.5 to 4 millionths, the most for many
small tasks."""


def read(
    family: str,
    eta: str | None,
    step: str | None,
    shots: int | None,
    clock: Clock | None = None,
) -> tuple[FamilyFile, list[Step]]:
    """The family, and the steps that are asked for: from the options, else from the file.

    Raises:
        BudgetError: the file is so large that it would not be read in time.
    """
    from benign.clock import NO_LIMIT, beside
    from benign.exact.problem import make_step
    from benign.tasks.files import MAX_BYTES, load

    path, clock = _path(family), clock or NO_LIMIT
    if clock.limited and path.is_file():
        clock.require(A_BYTE * min(path.stat().st_size, MAX_BYTES), READING)
    file = beside(clock, READING, lambda: load(path))
    for remark in file.remarks:
        print(f"benign: note: {remark}", file=sys.stderr)
    suggested = file.step
    sizes = step_sizes(eta) if eta is not None else list(suggested.eta) if suggested else ["0.1"]
    kind = step or (suggested.kind if suggested else "gradient")
    number = shots if shots is not None else (suggested.shots if suggested else 1)
    return file, [make_step(kind, size, number) for size in sizes]


def _path(family: str) -> Path:
    """The file of a family, or of the bundled one of that name."""
    from benign.opening import exists, shortened
    from benign.tasks.files import bundled_names, bundled_path

    path = Path(family)
    if exists(path) or path.suffix != "" or os.sep in family:
        return path
    names = bundled_names()
    if family in names:
        return bundled_path(family)
    close = nearest(family, names)
    hint = f"did you mean {close}?" if close else "`benign examples` lists those"
    raise FileFormatError(f"{shortened(family)}: neither a file nor a bundled family; {hint}")


def normalized(file: FamilyFile) -> FamilyFile:
    """The file with the costs of its tasks normalised.

    Raises:
        ProblemError: a task has no positive least cost to divide by.
    """
    from dataclasses import replace

    from benign.tasks.normalizing import normalize

    return replace(file, family=normalize(file.family))


def console(*, stderr: bool = False, record: bool = False) -> Console:
    """Where a subcommand prints."""
    from rich.console import Console

    # What is printed are names and numbers: brackets and colons in them are no markup.
    return Console(
        stderr=stderr, record=record, highlight=False, soft_wrap=False, markup=False, emoji=False,
        width=columns(), height=100,  # without a height a dumb terminal has 80 columns, whatever it is
    )  # fmt: skip


def columns() -> int:
    """Columns of the terminal, or enough to read."""
    import shutil

    return max(shutil.get_terminal_size().columns, NARROWEST)


def is_proved(error: BenignError) -> bool:
    """Whether an error says that no gain is feasible, and that is proved."""
    return isinstance(error, InfeasibleError) and error.certificate is not None


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


def set_up_jax(clock: Clock | None = None) -> None:
    """Double precision.

    Raises:
        BudgetError: JAX was not loaded in time.
    """
    require_memory(LEAST_WITH_JAX)
    from benign.clock import NO_LIMIT, loaded

    loaded(clock or NO_LIMIT, "jax")
    import jax

    jax.config.update("jax_enable_x64", True)


def move_cache(to: Path) -> None:
    """Keep compiled code in a directory of the user's choice, and say so if that cannot be."""
    from benign import caching

    caching.move(to)
    place = caching.directory("xla")
    if place is None or not caching.is_usable(place):
        name = clean_lines(str(to))
        print(f"benign: note: {name}: no compiled code can be kept there", file=sys.stderr)
