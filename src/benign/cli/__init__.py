"""The command `benign`: its subcommands mirror the verbs of the library, one in each file.

Results go to stdout, progress and errors to stderr. Exit status: 0 done, 1 an assertion that the user
asked for failed, 2 wrong usage or bad input (also: no gain is feasible, proved or not), 3 undecided
where a proof was required, or nothing to tell when the time given was over, 130 and 143 interrupted by
SIGINT and SIGTERM. What is heavy is imported by the verb that needs it, when it runs.
"""

from __future__ import annotations

import os


def main() -> None:
    """Run the command; every error becomes one message and exit status 2."""
    from benign.interrupts import take_over

    take_over()  # first of all: an interrupt of an import is one as well
    from benign.cli.guard import guarded

    guarded(_run)


def _run() -> None:
    # Here, where an import that fails, for lack of memory, is told as any other error is.
    from benign.caching import keep_xla
    from benign.cli.application import app

    os.environ["JAX_ENABLE_X64"] = "1"  # JAX is loaded by who needs it, most often nobody
    keep_xla()

    app(prog_name="benign")
