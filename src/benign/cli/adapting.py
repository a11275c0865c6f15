"""`benign adapt`."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benign.cli.choices import nearest
from benign.cli.common import app, set_up_jax
from benign.cli.families import read
from benign.cli.keeping import tell_json
from benign.cli.options import FamilyArgument, JsonOption, NoCacheOption, documents
from benign.cli.screen import Screen
from benign.errors import ProblemError

if TYPE_CHECKING:
    from benign.training.adapt import MetaTest


def register() -> None:
    """Add the subcommand to the application."""
    app.command(short_help="Adapt a trained gain to the tasks of a family.")(adapt)


def adapt(
    run: Annotated[
        Path,
        typer.Argument(
            help="A directory that `benign train --out` wrote, or its training.json.",
            autocompletion=documents,
        ),
    ],
    family: FamilyArgument,
    task: Annotated[
        list[str] | None,
        typer.Option(help="A task of the family; may be given again.", show_default="all"),
    ] = None,
    shots: Annotated[
        int | None,
        typer.Option(
            help="Shots: steps of adaptation, one after another.", show_default="as in training"
        ),
    ] = None,
    json: JsonOption = False,
    no_cache: NoCacheOption = False,
) -> None:
    """Adapt a trained gain to the tasks of a family: cost after each shot, against the optimum.

    The family may be another one than was trained on; tasks seen in training are marked.
    """
    file, _ = read(family, None, None, None)
    names = [one.name for one in file.family.tasks]
    for name in task or ():
        _require_task(name, names, family)
    set_up_jax()
    from benign.opening import is_directory
    from benign.tasks.family import TaskFamily
    from benign.training.adapt import meta_test
    from benign.training.result import read_training
    from benign.views.adaptation import adaptation_report

    trained = read_training(run / "training.json" if is_directory(run) else run)
    tasks = TaskFamily.from_exact(file.family)
    if (tasks.m, tasks.n) != trained.W.shape:
        raise ProblemError(
            f"{family}: its gains have shape ({tasks.m}, {tasks.n}), the trained one {trained.W.shape}"
        )
    chosen = tasks if not task else TaskFamily([tasks[names.index(name)] for name in task])
    found = meta_test(trained, chosen, shots)
    if json:
        tell_json(_document(found))
    else:
        screen = Screen()
        screen.show(adaptation_report(found, title=file.title or Path(family).stem))
        screen.explain()


def _require_task(name: str, names: list[str], family: str) -> None:
    """Refuse a name that no task of the family has."""
    if name not in names:
        close = nearest(name, names)
        hint = f"did you mean {close}?" if close else f"there are {', '.join(names[:8])}"
        raise ProblemError(f"task: no {name!r} in {family}; {hint}")


def _document(found: MetaTest) -> dict[str, Any]:
    def number(x: float) -> float | str | None:
        return None if math.isnan(x) else x if math.isfinite(x) else "inf"

    return {
        "benign": "adaptation",
        "tasks": [
            {
                "name": task.name,
                "seen": task.seen,
                "costs": [number(float(x)) for x in task.costs],
                "optimum": number(task.optimum),
                "W": task.W.tolist(),
            }
            for task in found.tasks
        ],
        "of": "(f - f*)/f*" if found.relative else "f",
        "quantiles": {
            f"{level:g}": [number(float(x)) for x in row]
            for level, row in zip(found.levels, found.quantiles, strict=True)
        },
    }
