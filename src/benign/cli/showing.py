"""What `benign analyze` prints of its results, and the exit status that they call for."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from benign.cli import recommending
from benign.cli.common import FAILED, UNDECIDED, console
from benign.cli.keeping import tell_json
from benign.cli.screen import Screen
from benign.text import clean, clean_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from benign.clock import Clock
    from benign.exact.problem import Problem
    from benign.tasks.files import FamilyFile

FEW = 16
"""Random starts in each cell of a recommendation that comes with an analysis."""


class Showing:
    """Results on stdout, each as soon as it is there: as text, or together as one JSON document."""

    def __init__(self, file: FamilyFile, family: str, count: int, *, as_json: bool) -> None:
        self.file, self.title = file, file.title or Path(family).stem
        self.count, self.as_json = count, as_json
        self.documents: list[Any] = []
        self.screen = Screen()

    def tell(self, result: Any) -> None:
        """Show a result, before it is saved."""
        if not self.as_json:
            self.screen.show(_report(result, self.title))
            return
        self.documents.append(result.to_dict())
        if self.count == 1:
            tell_json(self.documents[0])

    def finish(self) -> None:
        """What is said once, of all of them."""
        if self.as_json:
            if self.count > 1:
                tell_json(self.documents[0] if len(self.documents) == 1 else self.documents)
            return
        if self.screen.shown:
            self.screen.explain()
        if self.file.sampled:
            console().print(
                "Continuous-time plants were sampled by zero-order hold; what is said is about the "
                "sampled numbers, rounded to float64."
            )


def _report(result: Any, title: str) -> RenderableType:
    from benign.results.below import LandscapeBelow
    from benign.results.line import LineLandscape
    from benign.views.below import below_report
    from benign.views.observed import observed_report
    from benign.views.report import report

    if isinstance(result, LineLandscape):
        return report(result, title=title)
    if isinstance(result, LandscapeBelow):
        return below_report(result, title=title)
    return observed_report(result, title=title)


def advise(
    file: FamilyFile,
    family: str,
    problem: Problem,
    results: Sequence[Any],
    *,
    wanted: bool,
    clock: Clock,
) -> None:
    """Which variant and step size do better, if that is asked for; else where to ask, if refuted."""
    step = problem.step
    if wanted:
        present = step.eta if step.kind == "gradient" else None
        found = recommending.recommended(
            file,
            eta=present,
            shots=step.shots,
            own_eta=False,
            starts=FEW,
            budget=clock if clock.limited else None,
        )
        Screen().show(f"\n{clean_lines(str(found))}")
    elif any(result.verdict.status == "refuted" for result in results):
        # Not a recommendation: that is a grid of landscapes, and takes its time.
        print(f"Another step size or variant may do better: benign recommend {clean(family)}")


def say_what_was_checked(results: Sequence[Any]) -> None:
    """Whether the certificates were proved again before they were written."""
    own = ("certificate", "listed")
    proofs = [one for one in results if any(getattr(one, name, None) is not None for name in own)]
    unchecked = sum(not result.checked for result in proofs)
    if proofs and not unchecked:
        console().print("Checked: the checker has proved what the certificate says again.")
    elif proofs:
        console().print(
            f"Not checked again: {unchecked} of {len(proofs)}, which takes more than a moment; "
            "`benign check` does it."
        )


def leave(problems: Sequence[Problem], results: Sequence[Any], *, asserted: bool, proof: str) -> None:
    """Exit with the status that the results and what was asked of them call for."""
    from benign.results.observed import ObservedLandscape

    required = proof == "required"
    searched = [isinstance(result, ObservedLandscape) for result in results]
    if required and any(searched):
        from benign.prove.boxes.below import applies

        reason = next(filter(None, map(applies, problems)))
        print(f"benign: no proof, an observation: {reason}", file=sys.stderr)
        raise typer.Exit(UNDECIDED)
    # A search that ends with two proved minima has an answer, though not a list.
    observed = [seen and one.certificate is None for one, seen in zip(results, searched, strict=True)]
    statuses = {
        result.verdict.status.value for result, seen in zip(results, observed, strict=True) if not seen
    }
    if asserted and "refuted" in statuses:
        raise typer.Exit(FAILED)
    # A list that is not complete is not the proof that was required, whatever it refutes.
    if required and any(getattr(result, "left", 0) for result in results):
        raise typer.Exit(UNDECIDED)
    if (asserted or required) and ("undecided" in statuses or (asserted and any(observed))):
        raise typer.Exit(UNDECIDED)
