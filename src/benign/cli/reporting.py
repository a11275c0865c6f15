"""`benign report`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benign.cli.began import clock as clock_of
from benign.cli.common import app
from benign.cli.keeping import tell_written
from benign.cli.options import BudgetOption

if TYPE_CHECKING:
    from benign.clock import Clock

NAME = "report.html"
"""The file of a directory of results that the report is."""


def register() -> None:
    """Add the subcommand to the application."""
    app.command(short_help="One page about a directory of results, to read, print and send.")(report)


def report(
    directory: Annotated[Path, typer.Argument(help="A directory that --out wrote.")],
    out: Annotated[
        Path | None, typer.Option(help="The file.", show_default=f"{NAME} in the directory")
    ] = None,
    still: Annotated[
        bool, typer.Option("--still", help="Without a program in the page: pictures do not zoom.")
    ] = False,
    budget: BudgetOption = None,
) -> None:
    """Write one HTML file about the results in a directory, and in those directly below it.

    It opens offline and asks nobody for anything. Certificates are proved again for it where that is
    short, and the page says what came of that.
    """
    tell_written([write(directory, out, still=still, clock=clock_of(budget))])


def write(directory: Path, out: Path | None, *, still: bool, clock: Clock) -> Path:
    """Make the page, and put it among the results or where it is wanted.

    Raises:
        UsageError, FileFormatError: as `benign.report.page.report`.
        OutputError: it cannot be written; what is there and is no report stays.
    """
    from benign.files import require_file, write_atomically
    from benign.folders import MANIFEST, add
    from benign.opening import exists
    from benign.report.page import is_report
    from benign.report.page import report as make

    inside = out is None and exists(directory / MANIFEST)
    target = directory / NAME if out is None else out
    if not (inside or is_report(target)):
        require_file(target)
    text = make(directory, interactive=False if still else None, clock=clock)
    return add(directory, NAME, text) if inside else write_atomically(target, text)
