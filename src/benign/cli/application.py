"""The subcommands, registered: importing this makes the application whole."""

from __future__ import annotations

from typing import Annotated

import typer

from benign.cli import (
    adapting,
    analyzing,
    bifurcation,
    certifying,
    checking,
    examples,
    exploring,
    radius,
    recommending,
    reporting,
    reproducing,
    studying,
    training,
)
from benign.cli.common import app as app
from benign.version import __version__


def _version(wanted: bool) -> None:
    if wanted:
        print(f"benign {__version__}")
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


for _verb in (
    analyzing,
    certifying,
    checking,
    training,
    adapting,
    bifurcation,
    recommending,
    radius,
    reporting,
    exploring,
    reproducing,
    studying,
    examples,
):
    _verb.register()
