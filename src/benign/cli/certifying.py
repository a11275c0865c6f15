"""`benign certify`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from benign.cli.choices import CLAIMS, one_of
from benign.cli.common import USAGE, app
from benign.cli.families import read
from benign.cli.keeping import leave_with, tell_error
from benign.cli.options import FAMILY, OneEtaOption, ShotsOption, StepOption, families
from benign.cli.ranges import one_step_size
from benign.cli.screen import Screen
from benign.errors import BenignError, ProblemError
from benign.text import clean

FamiliesArgument = Annotated[
    list[str],
    typer.Argument(help=f"{FAMILY} Or several.", autocompletion=families),
]
GainArgument = Annotated[
    str,
    typer.Argument(
        metavar="W", help='The gain: a number (after "--" if negative), or rows such as "[[1, 2]]".'
    ),
]
ClaimOption = Annotated[
    str | None,
    one_of(
        "claim", CLAIMS, "--claim", help=f"One of {', '.join(CLAIMS)}.", show_default="the strongest"
    ),
]
OutOption = Annotated[
    Path | None,
    typer.Option(help="File for the certificate; of several families, a directory for theirs."),
]


def register() -> None:
    """Add the subcommand to the application."""
    app.command(short_help="A certificate about one gain.")(certify)


def certify(
    family: FamiliesArgument,
    gain: GainArgument,
    eta: OneEtaOption = None,
    step: StepOption = None,
    shots: ShotsOption = None,
    claim: ClaimOption = None,
    out: OutOption = None,
) -> None:
    """Certify one gain: the strongest claim that applies to it, or the claim asked for.

    Of several families each is named, and one that fails does not stop the others; the exit status is
    then 2.
    """
    if eta is not None:
        one_step_size("certify", eta)
    W = _gain(gain)
    places = _places(family, out)
    _require(places)
    screen = Screen()
    if len(family) == 1:
        _certify(family[0], W, eta, step, shots, claim, places[0], "", screen)
        screen.explain()
        return
    found = set()
    for one, place in zip(family, places, strict=True):
        try:
            _certify(one, W, eta, step, shots, claim, place, f"{clean(one)}: ", screen)
        except BenignError as error:
            tell_error(one, error)
            found.add(USAGE)
    screen.explain()
    leave_with(found)


def _certify(
    family: str,
    W: Any,
    eta: str | None,
    step: str | None,
    shots: int | None,
    claim: str | None,
    out: Path | None,
    name: str,
    screen: Screen,
) -> None:
    """Certify the gain for one family."""
    file, steps = read(family, eta, step, shots)
    from benign.certificates.check import check as prove
    from benign.exact.problem import Problem
    from benign.exact.rounding import named
    from benign.files import make_directory, write_own
    from benign.prove.certify import certify as run

    document = run(Problem(file.family, steps[0]), W, claim)
    screen.say(f"{name}eta = {named(steps[0].eta)}: {clean(str(prove(document)))}")
    if out is not None:
        if name:
            make_directory(out.parent)
        write_own(out, json.dumps(document, indent=1) + "\n", "certificate")
        print(f"Written: {clean(str(out))}")


def _gain(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise ProblemError(f"W: expected a number or rows such as [[1, 2]], got {text!r}") from None


def _require(places: list[Path | None]) -> None:
    """Refuse places that cannot be written to, or are taken, before any work."""
    from benign.files import require_file

    for place in places:
        if place is not None:
            require_file(place, "certificate")


def _places(families: list[str], out: Path | None) -> list[Path | None]:
    """The file for the certificate of each family."""
    if out is None or len(families) == 1:
        return [out] * len(families)
    names = [f"{Path(family).stem}.json" for family in families]
    if len(set(names)) < len(names):
        raise ProblemError("out: two of the families have one name; certify them one at a time")
    return [out / name for name in names]
