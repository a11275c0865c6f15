"""`benign recommend`."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from benign.cli.bars import naming
from benign.cli.common import FamilyArgument, ShotsOption, app, console, read, set_up_jax, tell_written
from benign.errors import ProblemError
from benign.text import clean_json

if TYPE_CHECKING:
    from benign.landscape.recommended import Recommendation
    from benign.tasks.files import FamilyFile

MOST = 100


def register() -> None:
    """Add the subcommand to the application."""
    app.command()(recommend)


def recommend(
    family: FamilyArgument,
    eta: Annotated[
        str | None,
        typer.Option(help="The step size in use, of the gradient step [default: the file's first]"),
    ] = None,
    etas: Annotated[
        str | None,
        typer.Option(
            help="Step sizes to look at: 0.02,0.05,0.1, or lo:hi:count for a geometric grid "
            "[default: up to the largest that is feasible and sensible]"
        ),
    ] = None,
    variants: Annotated[
        str | None,
        typer.Option(help="Some of gradient,normalized-costs,normalized-step [default: all]"),
    ] = None,
    shots: ShotsOption = None,
    starts: Annotated[int, typer.Option(help="Random starts in each cell.")] = 64,
    seed: Annotated[int, typer.Option(help="Of the starts and of the searches.")] = 0,
    budget: Annotated[
        str | None,
        typer.Option(
            help="Time for the whole grid, e.g. 30s, 5m [default: 2m; for one parameter no limit]"
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Directory for the picture and the result.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Which variant, which step size: ε, attained cost, share of good starts, and an advice.

    Costs are compared in the original ones. The advice rests on the grid that was looked at.
    """
    from benign.durations import parse_duration
    from benign.files import make_directory
    from benign.landscape.recommended import recommendation_document
    from benign.views.recommendation import recommendation_report

    if not 0 <= seed < 2**63:
        raise ProblemError(f"seed: expected a whole number from 0 to 2^63 - 1, got {seed}")
    if out is not None:
        make_directory(out)
    file, _ = read(family, eta or "1", None, shots)
    found = recommended(
        file,
        eta=eta,
        etas=None if etas is None else _etas(etas),
        variants=None if variants is None else [name.strip() for name in variants.split(",")],
        shots=shots,
        starts=starts,
        seed=seed,
        budget=None if budget is None else parse_duration(budget, "budget"),
    )
    if json:
        print(
            clean_json(json_module.dumps(recommendation_document(found), indent=1, ensure_ascii=False))
        )
    else:
        console().print(recommendation_report(found, title=file.title or Path(family).stem))
    if out is not None:
        written = found.save(out)
        if not json:
            tell_written(written)


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
    set_up_jax()
    from benign.landscape.recommend import recommend as run

    suggested = file.step
    if eta is None and own_eta and suggested is not None and suggested.kind == "gradient":
        eta = suggested.eta[0]
    if shots is None:
        shots = suggested.shots if suggested else 1
    with naming() as report:
        return run(file.family, eta=eta, shots=shots, progress=report, **settings)


def _etas(text: str) -> list[Any]:
    """A list with commas, or lo:hi:count with equal ratios, to three digits."""
    if ":" not in text:
        sizes = [size.strip() for size in text.split(",")]
        if "" in sizes:
            raise ProblemError(f"etas: expected numbers with commas between them, got {text!r}")
        if len(sizes) > MOST:
            raise ProblemError(f"etas: at most {MOST} step sizes, got {len(sizes)}")
        return list(sizes)
    parts = text.split(":")
    try:
        low, high, count = float(parts[0]), float(parts[1]), int(parts[2])
        if len(parts) != 3:
            raise ValueError
    except (ValueError, IndexError):
        raise ProblemError(f"etas: expected lo:hi:count such as 0.01:0.1:8, got {text!r}") from None
    if not (0 < low < high < float("inf") and 2 <= count <= MOST):
        raise ProblemError(
            f"etas: lo:hi:count needs 0 < lo < hi and a count from 2 to {MOST}, got {text!r}"
        )
    return [f"{low * (high / low) ** (i / (count - 1)):.3g}" for i in range(count)]
