"""The result of `bifurcate`: the minimisers of h over a range of η, in words and as a document."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benign.exact.documents import problem_from_json, problem_to_json
from benign.exact.problem import Family, Problem, Step, make_step
from benign.exact.rounding import at_least, at_most, named
from benign.results.documents import (
    about_sweep,
    from_json,
    landscape_document,
    landscape_from_document,
    to_json,
)
from benign.results.landscape import Kind
from benign.results.line import LineLandscape
from benign.results.shown import Shown
from benign.sweeps.branches import BranchPoint, Event, Sample

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure

    from benign.exact.problem import StepKind

VERSION = 2


@dataclass(frozen=True, repr=False)
class Bifurcation(Shown):
    """The minimisers of h as η runs over a range.

    Attributes:
        family: the tasks.
        kind, shots: of the adaptation step.
        samples: the step sizes looked at, ascending, those of the bisections included.
        branches: minimisers followed, each a run of consecutive samples.
        events: births and deaths inside the range, by η.
    """

    family: Family
    kind: StepKind
    shots: int
    samples: tuple[Sample, ...]
    branches: tuple[tuple[BranchPoint, ...], ...]
    events: tuple[Event, ...]
    facts: dict[str, float] = field(default_factory=dict, repr=False)

    def plot(self) -> Figure:
        """The bifurcation diagram, a Matplotlib figure."""
        from benign.views.bifurcation import draw_bifurcation

        return draw_bifurcation(self)

    def save(self, directory: str | os.PathLike[str]) -> list[Path]:
        """Write bifurcation.json, .png and .svg to a directory, made if need be.

        Raises:
            OutputError: the directory cannot be made or written, or holds results of another problem.
        """
        from benign.files import to_text
        from benign.folders import save_all
        from benign.views.save import render

        def pictures() -> dict[str, bytes]:
            return {f"bifurcation.{suffix}": data for suffix, data in render(self.plot()).items()}

        contents = {"bifurcation.json": to_text(bifurcation_document(self))}
        about = about_sweep("bifurcation", self.family, self.kind, self.shots)
        return save_all(directory, about, contents, pictures)

    def __str__(self) -> str:
        first, last = named(self.samples[0].eta), named(self.samples[-1].eta)
        undecided = sum(not sample.decided for sample in self.samples)
        lines = [
            f"proved at {len(self.samples) - undecided} of {len(self.samples)} step sizes, "
            f"eta from {first} to {last}: {len(self.branches)} branches of minimisers"
        ]
        if missed := int(self.facts.get("left out", 0)):
            lines.append(f"  there was no time for {missed} larger step sizes")
        lines += [f"  {line}" for line in _stretches(self.samples)]
        for event in self.events:
            word = "born" if event.birth else "dies"
            lines.append(
                f"  a minimiser {word} near W = {event.W:.6g}, eta between "
                f"{at_least(event.eta[0])} and {at_most(event.eta[1])}"
            )
        return "\n".join(lines)


# --- words and JSON --------------------------------------------------------------------------


def _stretches(samples: tuple[Sample, ...]) -> list[str]:
    """Ranges of η over which the sampled verdicts agree."""

    def verdict(sample: Sample) -> str:
        if sample.landscape is None:
            return "no gain is feasible"
        count = len(sample.minimizers)
        minima = f"{count} minimiser{'s' if count != 1 else ''}"
        status = sample.landscape.verdict.status.value
        if count == 1 and status == "proved":
            return f"{minima}, global"
        words = {"proved": "all global", "refuted": "some spurious", "undecided": "undecided"}
        return f"{minima}, {words[status]}"

    lines = []
    first = 0
    for i in range(1, len(samples) + 1):
        if i == len(samples) or verdict(samples[i]) != verdict(samples[first]):
            low, high = samples[first].eta, samples[i - 1].eta
            # A range is rounded inward: of what lies beyond it something else may be true.
            where = f"eta from {at_most(low)} to {at_least(high)}"
            if i - 1 == first or at_most(low) == at_least(high):
                where = f"eta = {named(low)}"
            lines.append(f"{where}: {verdict(samples[first])}")
            first = i
    return lines


def bifurcation_document(found: Bifurcation) -> dict[str, Any]:
    """A bifurcation diagram as a JSON document."""
    from benign.version import __version__

    problem = Problem(found.family, make_step(found.kind, found.samples[0].eta, found.shots))
    return {
        "benign": "bifurcation",
        "version": VERSION,
        "library": __version__,
        "problem": problem_to_json(problem),
        "samples": [
            {
                "eta": str(sample.eta),
                "status": "infeasible"
                if sample.landscape is None
                else sample.landscape.verdict.status.value,
                "complete": sample.decided,
                "epsilon": None if sample.landscape is None else to_json(sample.landscape.epsilon),
                "landscape": sample_document(sample),
            }
            for sample in found.samples
        ],
        "branches": [
            [
                {
                    "sample": point.sample,
                    "W": to_json(point.at),
                    "value": to_json(point.value),
                    "kind": point.kind.value,
                    "spurious": point.spurious,
                }
                for point in branch
            ]
            for branch in found.branches
        ],
        "events": [
            {
                "event": "birth" if event.birth else "death",
                "eta": list(event.eta),
                "W": event.W,
                "branch": event.branch,
            }
            for event in found.events
        ],
    }


def bifurcation_from(document: dict[str, Any]) -> Bifurcation:
    """What `bifurcation_document` wrote, nothing computed again; without the certificates."""
    problem = problem_from_json(document["problem"])
    kind, shots = problem.step.kind, problem.step.shots
    samples = tuple(
        sample_from(entry["landscape"], problem.family, make_step(kind, entry["eta"], shots))
        for entry in document["samples"]
    )
    branches = tuple(
        tuple(
            BranchPoint(
                int(point["sample"]),
                from_json(point["W"]),
                from_json(point["value"]),
                Kind(point["kind"]),
                bool(point["spurious"]),
            )
            for point in branch
        )
        for branch in document["branches"]
    )
    events = tuple(
        Event(e["event"] == "birth", (float(e["eta"][0]), float(e["eta"][1])), e["W"], e["branch"])
        for e in document["events"]
    )
    return Bifurcation(problem.family, kind, shots, samples, branches, events)


SAMPLED = ("verdict", "minimum", "epsilon", "checked", "facts", "coverage")
"""What is kept of a landscape: its problem is that of all samples but for η, its certificate is large,
and the rest follows."""


def sample_document(sample: Sample) -> dict[str, Any] | None:
    """What is kept of the landscape at one step size; None where no gain is feasible."""
    if sample.landscape is None:
        return None
    document = landscape_document(sample.landscape)
    return {key: document[key] for key in SAMPLED}


def sample_from(document: Any, family: Family, step: Step) -> Sample:
    """What `sample_document` wrote."""
    if document is None:
        return Sample(step.eta, None)
    whole = {**document, "problem": problem_to_json(Problem(family, step)), "certificates": []}
    landscape = landscape_from_document(whole, lambda *_: None)
    assert isinstance(landscape, LineLandscape)
    return Sample(step.eta, landscape)
