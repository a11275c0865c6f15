"""What `benign analyze` does for each step size: a result, or the reason why there is none."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from benign.cli.bars import searching
from benign.cli.began import working
from benign.cli.common import USAGE, is_proved
from benign.cli.keeping import kept_proof, save, tell_written
from benign.cli.ranges import names_of
from benign.errors import BudgetError, OutputError, ProblemError
from benign.interrupts import keeping
from benign.text import clean_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from benign.clock import Clock
    from benign.exact.problem import Problem


SHORTEST = 8.0
"""Seconds that a step size may use at least, if they are left: with less none of several is done."""


@dataclass
class Outcome:
    """What came of the step sizes: results and their files, what is not saved, why there is none."""

    results: list[Any] = field(default_factory=list)
    written: list[Path] = field(default_factory=list)
    unsaved: list[str] = field(default_factory=list)
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
    tell: Callable[[Any], None],
    settings: dict[str, Any],
) -> Outcome:
    """The results for the step sizes, each told and then saved; one that will not do costs no other."""
    from benign.verbs.analyze import analyze

    done, whole = Outcome(), clock
    names = names_of([float(problem.step.eta) for problem in problems])
    places = [out if out is None or len(problems) == 1 else out / f"eta-{name}" for name in names]
    _require(out, places, problems)
    clock = working(clock, draws=out is not None)
    ways = zip(problems, _means(problems, proof), names, places, strict=True)
    for number, (problem, how, name, where) in enumerate(ways):
        checkpoint = None if where is None else where / "unfinished-proof.npz"
        with _alone(where, problem), keeping(partial(_kept, done, checkpoint)):
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
                _keep(partial(kept_proof, error, where), done, checkpoint)
                if len(problems) == 1:
                    _give_up(error, done, as_json=as_json)
                reason = f"{error} (proved)" if is_proved(error) else str(error)
                done.refused[name] = reason
                continue
            done.results.append(found)
            tell(found)
            if where is not None:  # at once: who interrupts the next step size keeps this one
                left = getattr(found, "left", 0)
                _keep(partial(_saved, found, where, whole), done, checkpoint, unfinished=bool(left))
        if getattr(found, "interrupted", False):
            break
    if not done.results:
        tell_written(done.written if not as_json else [])
        causes = set(done.refused.values())
        kind = BudgetError if done.late else ProblemError
        none = "no step size was done in time" if done.late else "no step size will do"
        raise kind(causes.pop() if len(causes) == 1 else f"{none}{done.reasons}")
    return done


def _saved(found: Any, where: Path, clock: Clock) -> list[Path]:
    """The files of a result; the picture among them if there is time to draw it."""
    written = save(found, where, clock)
    if clock.late:
        name = clean_lines(str(where))
        print(f"benign: note: no time was left to draw {name}; a longer --budget does", file=sys.stderr)
    return written


def _share(clock: Clock, among: int) -> Clock:
    """A clock for the next step size; what is compiled for the first serves the others too."""
    return clock.capped(max(clock.left / among, min(clock.left, SHORTEST)))


def _require(out: Path | None, places: Sequence[Path | None], problems: Sequence[Problem]) -> None:
    """Refuse places that cannot be written to, or are taken, before any work."""
    if out is None:
        return
    from benign.files import require_directory
    from benign.folders import require_place
    from benign.results.documents import about_landscape

    require_directory(out)
    for where, problem in zip(places, problems, strict=True):
        assert where is not None
        require_place(where, about_landscape(problem))


def _alone(where: Path | None, problem: Problem) -> AbstractContextManager[Any]:
    """The place of a result to oneself."""
    if where is None:
        return nullcontext()
    from benign.folders import claimed
    from benign.results.documents import about_landscape

    return claimed(where, about_landscape(problem))


def _keep(
    write: Callable[[], list[Path]],
    done: Outcome,
    checkpoint: Path | None,
    *,
    unfinished: bool = False,
) -> None:
    """Save what there is; then the state of a finished proof is not needed any more."""
    from benign.opening import exists

    try:
        done.written += write()
        if checkpoint is not None and not unfinished and exists(checkpoint):
            from benign.prove.boxes import state

            state.discard(checkpoint)
    except OutputError as error:
        done.written += error.written
        done.unsaved.append(str(error))
    if checkpoint is not None and exists(checkpoint):
        done.written.append(checkpoint)


def _kept(done: Outcome, checkpoint: Path | None) -> str:
    """What an interrupt leaves behind, and how to go on."""
    if checkpoint is None:
        return "nothing was to be kept; with --out a proof goes on from where it was"
    finished = sum(not getattr(result, "interrupted", False) for result in done.results)
    saved = f"results of other step sizes are saved ({finished}), and " if finished else ""
    if checkpoint.exists():
        return f"{saved}the proof so far is in {checkpoint}; the same command goes on from there"
    return f"{saved}no proof was under way; the same command begins {'the rest' if saved else 'anew'}"


def _give_up(error: ProblemError | BudgetError, done: Outcome, *, as_json: bool) -> None:
    """There is but one step size, and it has no result."""
    if as_json or not is_proved(error):
        raise error
    print(f"PROVED: {clean_lines(str(error))}")
    tell_written(done.written)
    for reason in done.unsaved:
        print(f"benign: error: {clean_lines(reason)}", file=sys.stderr)
    raise typer.Exit(USAGE)


def _means(problems: Sequence[Problem], proof: str) -> list[Any]:
    """How each problem is to be looked at: as asked, or by a search where no list is ever proved."""
    scalar = problems[0].family.is_scalar
    if scalar and proof != "off":
        return [proof] * len(problems)
    from benign.prove.boxes.below import applies

    return ["try" if proof == "required" and applies(one) else proof for one in problems]
