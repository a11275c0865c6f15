"""`benign explore`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from benign.cli.common import app
from benign.cli.families import read
from benign.cli.options import FAMILY, families
from benign.cli.ranges import one_step_size
from benign.errors import ProblemError

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def register() -> None:
    """Add the subcommand to the application."""
    app.command(short_help="A landscape in the browser that follows your hand.")(explore)


def explore(
    family: Annotated[str, typer.Argument(help=FAMILY, autocompletion=families)] = "cruise-control",
    eta: Annotated[
        str | None,
        typer.Option("--eta", help="Adaptation step size.", show_default="the file's first, else 0.1"),
    ] = None,
    budget: Annotated[str | None, typer.Option(help="Time of each proof.", show_default="20s")] = None,
    address: Annotated[str, typer.Option(help="Address to serve at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 for any that is free.")] = 5006,
    prefix: Annotated[
        str, typer.Option(help="Path that the page is served below.", show_default="none")
    ] = "",
    origin: Annotated[
        list[str] | None,
        typer.Option(
            help="HOST:PORT that browsers see, where a proxy stands before it.", show_default="its own"
        ),
    ] = None,
) -> None:
    """Serve a page on this machine: sliders for numbers, the landscape that follows, proofs at rest.

    Everyone who opens the page has a family of their own. Only this machine can open it, unless
    --address says otherwise. Ctrl-C ends it.
    """
    from benign.durations import parse_duration
    from benign.explorer.serve import require_panel, serve, server, url_of

    require_panel()
    if not 0 <= port < 65536:
        raise ProblemError(f"port: expected a number from 0 to 65535, got {port}")
    if eta is not None:
        one_step_size("explore", eta)
    file, steps = read(family, eta, None, None)
    from benign.explorer.draft import draft_of

    draft_of(file)
    seconds = None if budget is None else parse_duration(budget, "budget")
    made = server(
        file, eta=steps[0].eta, budget=seconds, address=address, port=port, prefix=prefix,
        origins=origin or (),
    )  # fmt: skip
    if address not in LOOPBACK:
        print("benign: note: others who reach this address can open the page too", file=sys.stderr)
    print(f"Open {url_of(made)}   (Ctrl-C ends it)", flush=True)
    serve(made)
