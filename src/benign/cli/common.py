"""What the subcommands share: the application, the console, JAX and its cache."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from benign.cli.guard import LEAST_WITH_JAX, require_memory
from benign.errors import BenignError, InfeasibleError
from benign.text import clean_lines

if TYPE_CHECKING:
    from rich.console import Console

    from benign.clock import Clock

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
