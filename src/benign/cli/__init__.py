"""The command `benign`: its subcommands mirror the verbs of the library, one in each file.

Results go to stdout, progress and errors to stderr. Exit status: 0 done, 1 an assertion that the user
asked for failed, 2 wrong usage or bad input (also: no gain is feasible, proved or not), 3 undecided
where a proof was required, or nothing to tell when the time given was over. What is heavy is imported
by the verb that needs it, when it runs.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated, NoReturn

import typer

from benign.cli import (
    adapting,
    analyzing,
    bifurcation,
    certifying,
    checking,
    examples,
    recommending,
    reproducing,
    training,
)
from benign.cli.common import UNDECIDED, USAGE, app
from benign.errors import BenignError, BudgetError, InfeasibleError
from benign.text import clean_lines
from benign.version import __version__


def main() -> None:
    """Run the command, and end the process even where a compiler is still at work in it."""
    try:
        _run()
    except SystemExit as end:
        clock = sys.modules.get("benign.clock")
        if clock is not None and clock.unfinished():
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(end.code if isinstance(end.code, int) else int(end.code is not None))
        raise


def _run() -> None:
    """Every error raised on purpose becomes one message and exit status 2; 3 if time ran out."""
    try:
        app(prog_name="benign")
    except InfeasibleError as error:
        if error.certificate is None:
            _fail(str(error))
        print(f"benign: PROVED: {clean_lines(str(error))}", file=sys.stderr)
        sys.exit(USAGE)
    except BudgetError as error:
        _fail(str(error), UNDECIDED)
    except BenignError as error:
        _fail(str(error))
    except BrokenPipeError:  # the reader of a pipe went away: nobody is left to tell
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except KeyboardInterrupt:
        print("benign: interrupted", file=sys.stderr)
        sys.exit(130)


def _fail(message: str, status: int = USAGE) -> NoReturn:
    print(f"benign: error: {clean_lines(message)}", file=sys.stderr)
    sys.exit(status)


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
    reproducing,
    examples,
):
    _verb.register()
