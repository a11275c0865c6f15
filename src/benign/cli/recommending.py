"""`benign recommend`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benign.cli.bars import naming
from benign.cli.began import clock as clock_of
from benign.cli.choices import VARIANTS, some_of
from benign.cli.common import app
from benign.cli.families import read
from benign.cli.keeping import UNFINISHED, discard, kept_sweep, place, save_and_tell, tell_json
from benign.cli.options import FamilyArgument, JsonOption, NoCacheOption, ShotsOption
from benign.cli.ranges import FORMS, one_step_size, step_sizes, tell_spacing
from benign.cli.screen import Screen
from benign.errors import ProblemError
from benign.interrupts import keeping

if TYPE_CHECKING:
    from benign.sweeps.recommendation import Recommendation
    from benign.tasks.files import FamilyFile

MOST = 100
"""Step sizes of a grid, at most."""


EtaOption = Annotated[
    str | None,
    typer.Option(
        help="The step size in use, of the gradient step.", show_default="the file's first, if any"
    ),
]
EtasOption = Annotated[
    str | None,
    typer.Option(
        help=f"Step sizes to look at: {FORMS}.",
        show_default="equal ratios up to the largest that is feasible and sensible",
    ),
]
VariantsOption = Annotated[
    str | None, typer.Option(help=f"Some of {','.join(VARIANTS)}.", show_default="all")
]
StartsOption = Annotated[int, typer.Option(help="Random starts in each cell.")]
SeedOption = Annotated[int, typer.Option(help="Of the starts and of the searches.")]
BudgetOption = Annotated[
    str | None,
    typer.Option(
        help="Time for the whole command, e.g. 30s, 5m.",
        show_default="2m; for one parameter no limit",
    ),
]


def register() -> None:
    """Add the subcommand to the application."""
    app.command(short_help="Which variant and which step size do best.")(recommend)


def recommend(
    family: FamilyArgument,
    eta: EtaOption = None,
    etas: EtasOption = None,
    variants: VariantsOption = None,
    shots: ShotsOption = None,
    starts: StartsOption = 64,
    seed: SeedOption = 0,
    budget: BudgetOption = None,
    out: Annotated[Path | None, typer.Option(help="Directory for the picture and the result.")] = None,
    json: JsonOption = False,
    no_cache: NoCacheOption = False,
) -> None:
    """Which variant, which step size: epsilon, attained cost, share of good starts, and an advice.

    Costs are compared in the original ones. The advice rests on the grid that was looked at.
    """
    if eta is not None:
        one_step_size("recommend", eta)
    sizes = None if etas is None else step_sizes(etas, "etas", MOST)
    chosen = None if variants is None else some_of("variants", variants, VARIANTS)
    if not 0 <= seed < 2**63:
        raise ProblemError(f"seed: expected a whole number from 0 to 2^63 - 1, got {seed}")
    clock = clock_of(budget)
    if budget is not None and not clock.total > 0:
        raise ProblemError("budget: a time above zero is needed")
    file, steps = read(family, eta or "1", None, shots, clock)
    from benign.results.documents import about_sweep

    unfinished = None if out is None else out / UNFINISHED
    with (
        keeping(partial(kept_sweep, unfinished)),
        place(out, lambda: about_sweep("recommendation", file.family, "gradient", steps[0].shots)),
    ):
        found = recommended(
            file,
            eta=eta,
            etas=sizes,
            variants=chosen,
            shots=shots,
            starts=starts,
            seed=seed,
            budget=clock if budget is not None else None,
            checkpoint=unfinished,
        )
        _show(found, file.title or Path(family).stem, etas, as_json=json)
        save_and_tell(found, out, quiet=json)
        discard(unfinished)


def _show(found: Recommendation, title: str, etas: str | None, *, as_json: bool) -> None:
    """The result on stdout."""
    from benign.sweeps.recommendation import recommendation_document
    from benign.views.recommendation import recommendation_report

    if as_json:
        tell_json(recommendation_document(found))
        return
    screen = Screen()
    screen.show(recommendation_report(found, title=title))
    screen.explain()
    tell_spacing(etas)


def recommended(
    file: FamilyFile,
    *,
    eta: Any = None,
    shots: int | None = None,
    own_eta: bool = True,
    **settings: Any,
) -> Recommendation:
    """Run the verb on a family file, with a bar on stderr where that is a terminal.

    Without `eta` the one in use is the first that the file suggests, if `own_eta`.
    """
    from benign.clock import NO_LIMIT, loaded
    from benign.searches.coming import require_time

    clock = settings.get("budget") or NO_LIMIT
    require_time(file.family, clock, "a recommendation")
    loaded(clock, "benign.sweeps.recommend")
    from benign.sweeps.recommend import recommend as run

    suggested = file.step
    if eta is None and own_eta and suggested is not None and suggested.kind == "gradient":
        eta = suggested.eta[0]
    if shots is None:
        shots = suggested.shots if suggested else 1
    with naming() as report:
        return run(file.family, eta=eta, shots=shots, progress=report, **settings)
