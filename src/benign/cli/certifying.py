"""`benign certify`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from benign.cli.common import FamilyArgument, ShotsOption, StepOption, app, read
from benign.errors import ProblemError
from benign.text import clean


def register() -> None:
    """Add the subcommand to the application."""
    app.command()(certify)


def certify(
    family: FamilyArgument,
    gain: Annotated[
        str, typer.Argument(metavar="W", help='The gain: a number, or rows such as "[[1, 2]]".')
    ],
    eta: Annotated[str | None, typer.Option(help="Adaptation step size.")] = None,
    step: StepOption = None,
    shots: ShotsOption = None,
    claim: Annotated[
        str | None, typer.Option(help='e.g. "theorem 2", "regret bound" [default: the strongest]')
    ] = None,
    out: Annotated[Path | None, typer.Option(help="File for the certificate.")] = None,
) -> None:
    """Certify one gain: the strongest claim that applies to it, or the claim asked for."""
    from benign.certificates.check import check as prove
    from benign.exact.problem import Problem
    from benign.exact.rounding import named
    from benign.files import write_atomically
    from benign.prove.certify import certify as run

    file, steps = read(family, eta, step, shots)
    try:
        W = json.loads(gain)
    except ValueError:
        raise ProblemError(f"W: expected a number or rows such as [[1, 2]], got {gain!r}") from None
    document = run(Problem(file.family, steps[0]), W, claim)
    print(f"eta = {named(steps[0].eta)}: {clean(str(prove(document)))}")
    if out is not None:
        write_atomically(out, json.dumps(document, indent=1) + "\n")
        print(f"Written: {clean(str(out))}")
