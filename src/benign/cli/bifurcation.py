"""`benign bifurcate`."""

from __future__ import annotations

import json as json_module
from fractions import Fraction
from pathlib import Path
from typing import Annotated

import typer

from benign.cli.bars import counting
from benign.cli.common import FamilyArgument, ShotsOption, StepOption, app, read, tell_written
from benign.errors import ProblemError
from benign.text import clean_json, clean_lines

MOST = 1000


def register() -> None:
    """Add the subcommand to the application."""
    app.command()(bifurcate)


def bifurcate(
    family: FamilyArgument,
    eta: Annotated[
        str, typer.Option(help="Step sizes as lo:hi:count, e.g. 0.01:0.1:40.")
    ] = "0.005:0.1:40",
    step: StepOption = None,
    shots: ShotsOption = None,
    out: Annotated[Path | None, typer.Option(help="Directory for the picture and the result.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Follow the minimisers of h as the step size grows, with proof at each step size looked at."""
    from benign.landscape.bifurcation import bifurcate as run
    from benign.landscape.bifurcation import bifurcation_document

    sizes = _range(eta)
    file, steps = read(family, "1", step, shots)
    with counting("landscapes") as report:
        found = run(file.family, sizes, step=steps[0].kind, shots=steps[0].shots, progress=report)
    if json:
        print(clean_json(json_module.dumps(bifurcation_document(found), indent=1, ensure_ascii=False)))
    else:
        print(clean_lines(str(found)))
    if out is not None:
        written = found.save(out)
        if not json:
            tell_written(written)


def _range(text: str) -> list[Fraction]:
    """The step sizes of lo:hi:count, evenly spaced, exact."""
    usage = f"eta: expected lo:hi:count such as 0.01:0.1:40, got {text!r}"
    parts = text.split(":")
    if len(parts) != 3:
        raise ProblemError(usage)
    try:
        low, high, count = Fraction(parts[0]), Fraction(parts[1]), int(parts[2])
    except (ValueError, ZeroDivisionError):
        raise ProblemError(usage) from None
    if not 0 < low < high:
        raise ProblemError(f"eta: lo:hi:count needs 0 < lo < hi, got {text!r}")
    if not 2 <= count <= MOST:
        raise ProblemError(f"eta: the count must be between 2 and {MOST}, got {count}")
    return [low + (high - low) * i / (count - 1) for i in range(count)]
