"""`benign examples`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benign.cli.common import app
from benign.cli.options import bundled
from benign.errors import OutputError
from benign.text import clean


def register() -> None:
    """Add the subcommand to the application."""
    app.command(short_help="The bundled families: list them, or copy one.")(examples)


def examples(
    name: Annotated[
        str | None,
        typer.Argument(
            help="A bundled family to copy.", show_default="all are listed", autocompletion=bundled
        ),
    ] = None,
    to: Annotated[
        Path, typer.Option(help="Where to copy it.", show_default="the working directory")
    ] = Path(),
) -> None:
    """List the bundled families, or copy one to start a file of your own from."""
    from benign.files import write_atomically
    from benign.opening import exists, is_directory
    from benign.tasks.files import bundled as known_families
    from benign.tasks.files import bundled_path

    if name is None:
        width = max(len(known) for known, _ in known_families())
        for known, title in known_families():
            print(f"{known:{width}}  {clean(title)}")
        print("\n`benign analyze NAME` reads one in place; `benign examples NAME` copies it.")
        return
    source = bundled_path(name)
    target = to / source.name if is_directory(to) else to
    if exists(target):
        raise OutputError(f"{target}: exists already; give another place with --to")
    write_atomically(target, source.read_text(encoding="utf-8"))
    print(f"Copied to {clean(str(target))}")
