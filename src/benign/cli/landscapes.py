"""What `benign analyze` does for each step size: a result, or the reason why there is none."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from benign.cli.bars import searching
from benign.cli.began import working
from benign.cli.common import USAGE, is_proved, kept_proof, tell_written
from benign.errors import BudgetError, ProblemError
from benign.text import clean_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benign.clock import Clock
    from benign.exact.problem import Problem


SHORTEST = 8.0
"""Seconds that a step size may use at least, if they are left: with less none of several is done."""


@dataclass
class Outcome:
    """What came of the step sizes: results and their files, and why there is none."""

    results: list[Any] = field(default_factory=list)
    written: list[Path] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    late: bool = False

    @property
    def reasons(self) -> str:
        """Why there is no result, a line for each step size."""
        return "".join(f"\n  eta = {size}: {reason}" for size, reason in self.refused.items())


def run(
    problems: Sequence[Problem],
    proof: str,
    out: Path | None,
    clock: Clock,
    *,
    as_json: bool,
    settings: dict[str, Any],
) -> Outcome:
    """The results for the step sizes; a step size that will not do costs the others nothing."""
    from benign.verbs.analyze import analyze

    done, whole = Outcome(), clock
    clock = working(clock, draws=out is not None)
    ways = zip(problems, _means(problems, proof), _names(problems), strict=True)
    for number, (problem, how, name) in enumerate(ways):
        where = out if out is None or len(problems) == 1 else out / f"eta-{name}"
        checkpoint = None if where is None else where / "unfinished-proof.npz"
        try:
            with searching() as report:
                found: Any = analyze(
                    problem,
                    proof=how,
                    budget=_share(clock, len(problems) - number),
                    checkpoint=checkpoint,
                    progress=report,
                    **settings,
                )
        except (ProblemError, BudgetError) as error:
            done.late = done.late or isinstance(error, BudgetError)
            done.written += kept_proof(error, where)
            if len(problems) == 1:
                _give_up(error, done.written, as_json=as_json)
            reason = f"{error} (proved)" if is_proved(error) else str(error)
            done.refused[name] = reason
            continue
        done.results.append(found)
        if where is not None:  # at once: who interrupts the next step size keeps this one
            done.written += _saved(found, where, whole)
        if getattr(found, "interrupted", False):
            break
    if not done.results:
        tell_written(done.written if not as_json else [])
        causes = set(done.refused.values())
        kind = BudgetError if done.late else ProblemError
        raise kind(causes.pop() if len(causes) == 1 else f"no step size will do{done.reasons}")
    return done


def _saved(found: Any, where: Path, clock: Clock) -> list[Path]:
    """The files of a result; the picture among them if there is time to draw it."""
    from benign.views.save import save_landscape

    written = save_landscape(found, where, clock)
    if clock.late:
        name = clean_lines(str(where))
        print(f"benign: note: no time was left to draw {name}; a longer --budget does", file=sys.stderr)
    return written


def _share(clock: Clock, among: int) -> Clock:
    """A clock for the next step size; what is compiled for the first serves the others too."""
    return clock.capped(max(clock.left / among, min(clock.left, SHORTEST)))


def _give_up(error: ProblemError | BudgetError, written: list[Path], *, as_json: bool) -> None:
    """There is but one step size, and it has no result."""
    if as_json or not is_proved(error):
        raise error
    print(f"PROVED: {clean_lines(str(error))}")
    tell_written(written)
    raise typer.Exit(USAGE)


def _means(problems: Sequence[Problem], proof: str) -> list[Any]:
    """How each problem is to be looked at: as asked, or by a search where no proof is known."""
    scalar = problems[0].family.is_scalar
    if scalar and proof != "off":
        return [proof] * len(problems)
    if "jax" not in sys.modules:  # it may never be loaded: a proof does without, or there is no time
        os.environ["JAX_ENABLE_X64"] = "1"
    from benign.prove.boxes.below import applies

    return ["off" if applies(one) and not scalar else proof for one in problems]


def _names(problems: Sequence[Problem]) -> list[str]:
    """A name for each step size, as short as tells them apart: no result lies on another's files."""
    sizes = [float(problem.step.eta) for problem in problems]
    for digits in range(6, 18):
        names = [f"{size:.{digits}g}" for size in sizes]
        if len(set(names)) == len(set(sizes)):
            return names
    return [str(size) for size in sizes]
