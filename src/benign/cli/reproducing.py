"""`benign reproduce`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benign.cli.bars import counting
from benign.cli.choices import FIGURES, choose, listed
from benign.cli.common import app
from benign.cli.screen import Screen
from benign.errors import OutputError
from benign.text import clean


def register() -> None:
    """Add the subcommand to the application."""
    app.command(short_help="The figures of the source paper, and what it claims of them.")(reproduce)


def reproduce(
    figure: Annotated[
        list[str] | None,
        typer.Option(
            help=f"A figure of the paper: {listed(FIGURES)}; may be given again.",
            show_default="all",
            autocompletion=lambda incomplete: [x for x in FIGURES if x.startswith(incomplete)],
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Directory for results and pictures.")] = Path(
        "reproduction"
    ),
) -> None:
    """Reproduce the figures of the source paper and judge every claim made of them."""
    chosen = None if figure is None else [choose("figure", name, FIGURES) for name in figure]
    from benign.paper import claims_table, minimisers_table
    from benign.paper import reproduce as run

    with counting("figures") as report:
        result = run(out, chosen, progress=report)
    screen = Screen()
    screen.show(minimisers_table(result))
    screen.show(claims_table(result))
    screen.explain()
    print(f"\nPictures, results and certificates: {clean(str(out))}")
    if result.unsaved:
        raise OutputError("\n".join(result.unsaved), written=result.files)
