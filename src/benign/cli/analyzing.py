"""`benign analyze`."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import Annotated, Any

import typer

from benign.cli import showing
from benign.cli.began import clock as clock_of
from benign.cli.choices import PROOFS, one_of
from benign.cli.common import app
from benign.cli.families import normalized, read
from benign.cli.keeping import tell_written
from benign.cli.landscapes import run
from benign.cli.options import (
    BudgetOption,
    FamilyArgument,
    JsonOption,
    NoCacheOption,
    NormalizeOption,
    ShotsOption,
    StepOption,
)
from benign.cli.ranges import FORMS, one_step_size, tell_spacing
from benign.clock import NO_LIMIT
from benign.errors import BudgetError, OutputError, ProblemError

EtaOption = Annotated[
    str | None,
    typer.Option(help=f"Adaptation step sizes, e.g. {FORMS}.", show_default="the file's, else 0.1"),
]
EpsilonOption = Annotated[
    str | None,
    typer.Option(
        help="Assert that every local minimum is within this of the global one.",
        show_default="nothing is asserted",
    ),
]
OutOption = Annotated[
    Path | None,
    typer.Option(
        help="Directory for the picture, the result, the certificate.",
        show_default="nothing is written",
    ),
]
ProofOption = Annotated[
    str,
    one_of(
        "proof", PROOFS, "--proof",
        help="required (exit status 3 without one), try, or off (search only).",
    ),
]  # fmt: skip
LevelOption = Annotated[
    str | None,
    typer.Option(
        help="Two to four parameters: list the minima up to this h, the level; inf for all.",
        show_default="some times the least h",
    ),
]
StartsOption = Annotated[
    int | None,
    typer.Option(help="Random starts of a search, at most.", show_default="by size"),
]
StartOption = Annotated[
    str,
    typer.Option(
        help='Where a method would start, to bound what it loses: mean, or a gain such as "[[1, 2]]".'
    ),
]
RecommendOption = Annotated[
    bool, typer.Option("--recommend", help="Say as well which variant and step size do better.")
]

ReportOption = Annotated[
    bool, typer.Option("--report", help="Write report.html to --out as well: one page, for people.")
]


def register() -> None:
    """Add the subcommand to the application."""
    app.command(short_help="The local minima of a family, with proof where it can be.")(analyze)


def analyze(
    family: FamilyArgument,
    eta: EtaOption = None,
    step: StepOption = None,
    shots: ShotsOption = None,
    epsilon: EpsilonOption = None,
    out: OutOption = None,
    json: JsonOption = False,
    no_cache: NoCacheOption = False,
    proof: ProofOption = "try",
    budget: BudgetOption = None,
    level: LevelOption = None,
    starts: StartsOption = None,
    seed: Annotated[int, typer.Option(help="Seed of a search.")] = 0,
    start: StartOption = "mean",
    normalize_costs: NormalizeOption = False,
    recommend: RecommendOption = False,
    report: ReportOption = False,
) -> None:
    """Find the local minima of a family, proved where that can be; the verdict, the smallest epsilon.

    One state and one input: every stationary point, proved. Two to four parameters: every local
    minimum below a level, proved, with a search as guide. Else a search, with a certified gap for
    each minimum. With --epsilon the exit status is 1 if that is refuted and 3 if it is undecided. Where
    it is proved that no gain is feasible, --out gets the certificate, and the status is 2 as for bad
    input. A proof that is interrupted (Ctrl-C) writes what it has to --out, goes on from there when it
    is called again, and exits with 130. A budget
    is shared among the step sizes; where it is used up before there is a result the status is 3.
    """
    if not 0 <= seed < 2**63:
        raise ProblemError(f"seed: expected a whole number from 0 to 2^63 - 1, got {seed}")
    clock = clock_of(budget)
    settings = {
        "epsilon": epsilon or 0,
        "level": None if level is None else _level(level),
        "starts": starts,
        "seed": seed,
        "start": _start(start),
    }
    if report:
        _require_report(out)
    if recommend and json:
        raise ProblemError("--recommend prints text; `benign recommend --json` is for machines")
    if recommend and eta is not None:
        one_step_size("--recommend", eta)
    from benign.exact.problem import Problem

    file, steps = read(family, eta, step, shots, clock)
    if normalize_costs:
        file = normalized(file)
    problems = [Problem(file.family, one) for one in steps]
    shown = showing.Showing(file, family, len(problems), as_json=json)
    outcome = run(problems, proof, out, clock, as_json=json, tell=shown.tell, settings=settings)
    shown.finish()
    if not json:
        tell_spacing(eta)
        showing.advise(file, family, problems[0], outcome.results, wanted=recommend, clock=clock)
    if report and out is not None and outcome.results:
        from benign.cli import reporting

        outcome.written.append(reporting.write(out, None, still=False, clock=NO_LIMIT))
    if not json and outcome.written:
        tell_written(outcome.written)
        showing.say_what_was_checked(outcome.results)
    if outcome.unsaved:
        raise OutputError("\n".join(outcome.unsaved), written=outcome.written)
    if outcome.refused:
        kind = BudgetError if outcome.late else ProblemError
        raise kind(f"no result for {len(outcome.refused)} of the step sizes{outcome.reasons}")
    showing.leave(problems, outcome.results, asserted=epsilon is not None, proof=proof)


# --- details ---------------------------------------------------------------------------------


def _start(text: str) -> Any:
    """Where a method would start: a name, or a gain."""
    try:
        return json_module.loads(text)
    except ValueError:
        return text.strip().casefold()


def _require_report(out: Path | None) -> None:
    """Refuse, before any work, a page that could not be made."""
    if out is None:
        raise ProblemError("--report needs --out, the directory that the page is about")
    from benign.report.page import template

    template()


def _level(text: str) -> float:
    """The level of a proof; "inf" is the whole domain."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not value > 0:
        raise ProblemError(f'level: expected a positive number or "inf", got {text!r}')
    return value
