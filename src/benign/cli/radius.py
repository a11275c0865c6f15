"""`benign radius`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from benign.cli.began import clock as clock_of
from benign.cli.common import UNDECIDED, app
from benign.cli.families import read
from benign.cli.keeping import place, save_and_tell, tell_json
from benign.cli.options import FamilyArgument, JsonOption, OneEtaOption
from benign.cli.ranges import one_step_size
from benign.cli.screen import Screen
from benign.text import clean_lines

MAX_BYTES = 1_000_000
"""Of a file of directions."""


def register() -> None:
    """Add the subcommand to the application."""
    app.command(short_help="How far the tasks may move before minima differ by more than epsilon.")(
        radius
    )


def radius(
    family: FamilyArgument,
    epsilon: Annotated[str, typer.Option(help="What minima may differ by.")],
    eta: OneEtaOption = None,
    vary: Annotated[
        str | None,
        typer.Option(
            help='What moves: some of A,B,Q,R; or a JSON file, {"task": {"A": 1}}, of multiples.',
            show_default="A,B,Q,R of every task",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the families that are tried.")] = 0,
    budget: Annotated[
        str | None, typer.Option(help="Time for the whole command, e.g. 30s.", show_default="no limit")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Directory for the result and certificates.")] = None,
    json: JsonOption = False,
) -> None:
    """Find how far every entry of every task may move, proved, before local minima differ by more.

    One state and one input, one gradient step. A radius below which every family is proved to be within
    epsilon, and a family just beyond that is proved not to be. The exit status is 3 if none is proved.
    """
    if eta is not None:
        one_step_size("radius", eta)
    clock = clock_of(budget)
    file, steps = read(family, eta, None, None, clock)
    from benign.exact.neighbourhood import require_line, scales_of
    from benign.exact.numbers import seed_of
    from benign.exact.problem import Problem
    from benign.results.documents import about_radius

    problem = Problem(file.family, steps[0])
    require_line(problem)
    scales = scales_of(problem, _directions(vary))
    with place(out, lambda: about_radius(problem)):
        from benign.prove.radius import radius as run

        found = run(problem, epsilon, scales, seed=seed_of(seed), clock=clock)
        if json:
            tell_json(found.to_dict())
        else:
            screen = Screen()
            screen.say(clean_lines(str(found)))
            screen.explain()
        save_and_tell(found, out, quiet=json)
    if found.certificate is None:
        raise typer.Exit(UNDECIDED)


def _directions(vary: str | None) -> Any:
    """Entries, or what a JSON file says."""
    if vary is None or not vary.endswith(".json"):
        return vary
    from benign.opening import read_json

    return read_json(vary, MAX_BYTES, "a table of directions")
