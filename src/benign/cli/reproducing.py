"""`benign reproduce`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benign.cli.bars import counting
from benign.cli.common import app, console
from benign.text import clean


def register() -> None:
    """Add the subcommand to the application."""
    app.command()(reproduce)


def reproduce(
    figure: Annotated[
        list[str] | None, typer.Option(help="A figure of the paper, e.g. 3b; all by default.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Directory for results and pictures.")] = Path(
        "reproduction"
    ),
) -> None:
    """Reproduce the figures of the source paper and judge every claim made of them."""
    from benign.paper import claims_table, minimisers_table
    from benign.paper import reproduce as run

    with counting("figures") as report:
        result = run(out, figure, progress=report)
    screen = console()
    screen.print(minimisers_table(result))
    screen.print(claims_table(result))
    screen.print(f"\nPictures, results and certificates: {clean(str(out))}")
