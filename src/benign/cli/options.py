"""The options and arguments that several subcommands share, and what the shell completes them with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from benign.cli.choices import STEPS, one_of

MOST_FILES = 200
"""Files that the shell is told of, at most."""


def files(incomplete: str, *suffixes: str) -> list[str]:
    """The files of some suffixes, and the directories, whose path begins so."""
    folder = incomplete[: incomplete.rfind("/") + 1]
    start = incomplete[len(folder) :]
    found = []
    try:
        for path in sorted(Path(folder or ".").iterdir()):
            if path.name.startswith(start) and (start or not path.name.startswith(".")):
                if path.is_dir():
                    found.append(f"{folder}{path.name}/")
                elif path.suffix.lower() in suffixes:
                    found.append(f"{folder}{path.name}")
    except (OSError, ValueError):
        return []
    return found[:MOST_FILES]


def bundled(incomplete: str) -> list[str]:
    """Bundled families."""
    from benign.tasks.files import bundled_names

    return [name for name in bundled_names() if name.startswith(incomplete)]


def families(incomplete: str) -> list[str]:
    """Bundled families and family files."""
    return bundled(incomplete) + files(incomplete, ".toml", ".json")


def documents(incomplete: str) -> list[str]:
    """Certificates and results."""
    return files(incomplete, ".json")


FAMILY = "A family file (TOML or JSON), or the name of a bundled family."

FamilyArgument = Annotated[str, typer.Argument(help=FAMILY, autocompletion=families)]
StepOption = Annotated[
    str | None,
    one_of(
        "step",
        STEPS,
        "--step",
        help="gradient or normalized.",
        show_default="the file's, else gradient",
    ),
]
ShotsOption = Annotated[
    int | None,
    typer.Option(
        "--shots",
        help="Shots: steps of adaptation, one after another.",
        show_default="the file's, else 1",
    ),
]
NormalizeOption = Annotated[
    bool,
    typer.Option(
        "--normalize-costs", help="Scale each task's Q and R so that all optima cost the same."
    ),
]


def _cached(unwanted: bool) -> None:
    """Keep no compiled code, if that is unwanted."""
    if unwanted:
        from benign.caching import move

        move(None)


NoCacheOption = Annotated[
    bool,
    typer.Option(
        "--no-cache",
        callback=_cached,
        help="Keep no compiled code for the next run, and use none.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
OneEtaOption = Annotated[
    str | None,
    typer.Option("--eta", help="Adaptation step size.", show_default="the file's first, else 0.1"),
]
BudgetOption = Annotated[
    str | None,
    typer.Option(
        "--budget",
        help="Time for the whole command, e.g. 30s, 5m, 1h.",
        show_default="no limit; 5m for a proof that is tried",
    ),
]
