"""`benign bifurcate`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from benign.cli.bars import counting
from benign.cli.began import clock as clock_of
from benign.cli.began import working
from benign.cli.common import app
from benign.cli.families import read
from benign.cli.keeping import UNFINISHED, discard, kept_sweep, place, save_and_tell, tell_json
from benign.cli.options import FamilyArgument, JsonOption, ShotsOption, StepOption
from benign.cli.ranges import FORMS, step_sizes, tell_spacing
from benign.cli.screen import Screen
from benign.interrupts import keeping
from benign.text import clean_lines


def register() -> None:
    """Add the subcommand to the application."""
    app.command(short_help="The local minima as the step size grows.")(bifurcate)


def bifurcate(
    family: FamilyArgument,
    eta: Annotated[str, typer.Option(help=f"Step sizes, e.g. {FORMS}.")] = "0.005:0.1:40",
    step: StepOption = None,
    shots: ShotsOption = None,
    budget: Annotated[
        str | None, typer.Option(help="Time for the whole command, e.g. 30s.", show_default="no limit")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Directory for the picture and the result.")] = None,
    json: JsonOption = False,
) -> None:
    """Follow the minimisers of h as the step size grows, with proof at each step size looked at."""
    clock = clock_of(budget)
    clock = working(clock, draws=out is not None)
    sizes = step_sizes(eta)
    file, steps = read(family, "1", step, shots, clock)
    from benign.results.documents import about_sweep
    from benign.sweeps.bifurcate import bifurcate as run
    from benign.sweeps.bifurcation import bifurcation_document

    kind, number = steps[0].kind, steps[0].shots
    unfinished = None if out is None else out / UNFINISHED
    with (
        keeping(partial(kept_sweep, unfinished)),
        place(out, lambda: about_sweep("bifurcation", file.family, kind, number)),
    ):
        with counting("landscapes") as report:
            found = run(
                file.family,
                sizes,
                step=kind,
                shots=number,
                budget=clock,
                checkpoint=unfinished,
                progress=report,
            )
        if json:
            tell_json(bifurcation_document(found))
        else:
            screen = Screen()
            screen.say(clean_lines(str(found)))
            tell_spacing(eta)
            screen.explain()
        save_and_tell(found, out, quiet=json)
        discard(unfinished)
