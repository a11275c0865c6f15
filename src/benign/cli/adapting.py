"""`benign adapt`."""

from __future__ import annotations

import json as json_module
import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benign.cli.common import FamilyArgument, app, console, read, set_up_jax
from benign.errors import ProblemError
from benign.text import clean_json

if TYPE_CHECKING:
    from benign.landscape.adapting import MetaTest


def register() -> None:
    """Add the subcommand to the application."""
    app.command()(adapt)


def adapt(
    run: Annotated[
        Path, typer.Argument(help="A directory that `benign train --out` wrote, or its training.json.")
    ],
    family: FamilyArgument,
    task: Annotated[
        list[str] | None, typer.Option(help="A task of the family; all by default.")
    ] = None,
    shots: Annotated[
        int | None, typer.Option(help="Shots of adaptation [default: as in training]")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Adapt a trained gain to the tasks of a family: cost after each shot, against the optimum.

    The family may be another one than was trained on; tasks seen in training are marked.
    """
    set_up_jax()
    from benign.landscape.adapting import meta_test
    from benign.landscape.trained import read_training
    from benign.tasks.family import TaskFamily
    from benign.views.adaptation import adaptation_report

    file, _ = read(family, None, None, None)
    trained = read_training(run / "training.json" if run.is_dir() else run)
    tasks = TaskFamily.from_exact(file.family)
    if (tasks.m, tasks.n) != trained.W.shape:
        raise ProblemError(
            f"{family}: its gains have shape ({tasks.m}, {tasks.n}), the trained one {trained.W.shape}"
        )
    unknown = [name for name in task or () if name not in tasks.names]
    if unknown:
        raise ProblemError(
            f"task: no {unknown[0]!r} in {family}; there are {', '.join(tasks.names[:8])}"
        )
    chosen = tasks if not task else TaskFamily([tasks[tasks.names.index(name)] for name in task])
    found = meta_test(trained, chosen, shots)
    if json:
        print(clean_json(json_module.dumps(_document(found), indent=1, ensure_ascii=False)))
    else:
        console().print(adaptation_report(found, title=file.title or Path(family).stem))


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
