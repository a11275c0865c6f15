"""What if η were different: the minimisers of h over a range of η, proved at each η that is looked at.

Between two step sizes the minimisers are joined to branches when nothing can be mistaken: as many of
them, in the same order, each moved by less than half the way to the next stationary point. Otherwise
the step size in the middle is looked at as well, again and again, so that each birth and each death
of a minimiser is enclosed between two step sizes at which the complete list is proved.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from benign.clock import clock_of
from benign.errors import (
    BenignError,
    BudgetError,
    Cause,
    FileFormatError,
    InfeasibleError,
    ProblemError,
)
from benign.exact.documents import problem_from_json, problem_to_json
from benign.exact.problem import Family, Problem, Step, make_step
from benign.exact.rounding import at_least, at_most, named
from benign.folders import require_place
from benign.meta.given import settings_of
from benign.prove.line.enumeration import analyze
from benign.results.documents import (
    about_sweep,
    from_json,
    landscape_document,
    landscape_from_document,
    to_json,
)
from benign.results.enclosure import Enclosure
from benign.results.landscape import Kind
from benign.results.line import LineLandscape, StationaryPoint
from benign.results.shown import Shown
from benign.sweeps.journal import Journal
from benign.tasks.given import as_exact_family, require_callable, several

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.figure import Figure

    from benign.exact.problem import StepKind

VERSION = 2

RESOLUTION = 1e-3
"""Births and deaths are enclosed to this share of the range of η."""

MOST_SAMPLES = 2000
"""Step sizes looked at, at most; intervals that would need more are left as wide as they are."""

CLOSE = 0.5
"""A minimiser that moves by less than this share of its distance to any other stationary point has
not changed places with one."""


@dataclass(frozen=True)
class Sample:
    """The landscape at one step size.

    Attributes:
        eta: η, exact.
        landscape: proved; None where no gain is feasible.
    """

    eta: Fraction
    landscape: LineLandscape | None

    @property
    def minimizers(self) -> tuple[StationaryPoint, ...]:
        """Where a descent can end, from left to right."""
        return () if self.landscape is None else self.landscape.minima

    @property
    def decided(self) -> bool:
        """Whether the list is proved complete."""
        return self.landscape is None or self.landscape.is_complete


@dataclass(frozen=True)
class BranchPoint:
    """A branch at one step size.

    Attributes:
        sample: the position of the step size in `Bifurcation.samples`.
        at, value, kind: of the minimiser.
        spurious: whether it is proved to lie above the global minimum.
    """

    sample: int
    at: Enclosure
    value: Enclosure
    kind: Kind
    spurious: bool


@dataclass(frozen=True)
class Event:
    """A minimiser that is born or dies as η grows.

    Attributes:
        birth: born, or else it dies.
        eta: between which two step sizes; at both the list of minimisers is proved complete.
        W: where it is at the end of the interval at which it is there.
        branch: its branch.
    """

    birth: bool
    eta: tuple[float, float]
    W: float
    branch: int


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


def bifurcate(
    objective: Any,
    etas: Sequence[Any],
    *,
    step: StepKind | None = None,
    shots: Any = None,
    budget: Any = None,
    out: str | os.PathLike[str] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Bifurcation:
    """The minimisers of h(W; η) over a range of η, joined to branches.

    Args:
        objective: a family of any form, of one state and one input; or an objective, for its family,
            its kind of step and its shots.
        etas: at least two step sizes to look at, in any order; strings and fractions are kept exactly.
        step: "gradient" or "normalized"; by default that of the objective or the file, else "gradient".
        shots: of the adaptation step; by default likewise, else 1.
        budget: seconds, or text such as "30s". When they are over no further step size is looked at:
            births and deaths stay enclosed as they are, and what of the range was not reached is told.
            With it the answer depends on the machine.
        out: a directory, made if need be, that the result is saved to.
        checkpoint: a file in which the landscapes that are proved are kept, and from which it goes on.
        progress: called with the number of landscapes proved so far.

    Raises:
        UsageError: neither a family nor an objective.
        NotScalarError: more than one state or input.
        ProblemError: fewer than two step sizes, one that is not positive, or none with a feasible gain.
        BudgetError: time ran out before two step sizes were looked at.
    """
    clock = clock_of(budget)
    family, used = settings_of(objective, "bifurcate")
    kind = step if step is not None else (used.kind if used else "gradient")
    shots = shots if shots is not None else (used.shots if used else 1)
    require_callable(progress, "bifurcate", "progress")
    exact = as_exact_family(family, "bifurcate")
    steps = sorted({make_step(kind, eta, shots).eta for eta in several(etas, "etas", "bifurcate")})
    if out is not None:
        require_place(out, about_sweep("bifurcation", exact, kind, make_step(kind, 1, shots).shots))
    if len(steps) < 2:
        raise ProblemError("eta: give at least two different step sizes")

    question = problem_to_json(Problem(exact, make_step(kind, 1, shots)))
    journal = Journal(checkpoint, ["bifurcation", question])
    known: dict[Fraction, Sample] = {}

    def look(eta: Fraction) -> Sample:
        if eta not in known and str(eta) in journal.entries:
            known[eta] = _known(journal, exact, make_step(kind, eta, shots))
        if eta not in known:
            try:
                landscape = analyze(Problem(exact, make_step(kind, eta, shots)), clock=clock)
            except InfeasibleError as error:
                if error.cause is not Cause.STEP:
                    raise
                landscape = None
            known[eta] = Sample(eta, landscape)
            journal.add(str(eta), _sample_document(known[eta]))
            if progress is not None:
                progress(len(known))
        return known[eta]

    resolution = (steps[-1] - steps[0]) * Fraction(RESOLUTION)
    waiting = [(a, b) for a, b in zip(steps[:-1], steps[1:], strict=True)]
    try:
        for eta in steps:
            clock.check("the first step sizes")
            look(eta)
        while waiting and len(known) < MOST_SAMPLES and not clock.late:
            low, high = waiting.pop()
            if high - low <= resolution or _same(look(low), look(high)):
                continue
            # A float in between: midpoints of midpoints as fractions would grow without end.
            middle = Fraction(float((low + high) / 2))
            if low < middle < high:
                look(middle)
                waiting += [(low, middle), (middle, high)]
    except BudgetError:
        if len(known) < 2:
            raise
    journal.keep()
    samples = tuple(known[eta] for eta in sorted(known))
    if all(sample.landscape is None for sample in samples):
        raise ProblemError("eta: no gain is feasible at any of these step sizes; give smaller ones")
    branches, events = _joined(samples)
    shots = make_step(kind, 1, shots).shots
    missed = sum(eta not in known for eta in steps)
    facts = {"landscapes": float(len(known)), **({"left out": float(missed)} if missed else {})}
    found = Bifurcation(exact, kind, shots, samples, branches, events, facts)
    if out is not None:
        found.save(out)
    return found


# --- joining ---------------------------------------------------------------------------------


def _same(a: Sample, b: Sample) -> bool:
    """Whether the minimisers at two step sizes are the same ones, moved."""
    if len(a.minimizers) != len(b.minimizers) or not (a.decided and b.decided):
        return False
    room = [min(x, y) for x, y in zip(_room(a), _room(b), strict=True)]
    moved = [abs(p.at.mid - q.at.mid) for p, q in zip(a.minimizers, b.minimizers, strict=True)]
    return all(shift < CLOSE * free for shift, free in zip(moved, room, strict=True))


def _room(sample: Sample) -> list[float]:
    """The distance from each minimiser to the nearest other stationary point."""
    if sample.landscape is None:
        return []
    every = [point.at.mid for point in sample.landscape.stationary_points]
    return [
        min((abs(w - point.at.mid) for w in every if w != point.at.mid), default=float("inf"))
        for point in sample.minimizers
    ]


def _pairs(a: Sequence[float], b: Sequence[float]) -> list[tuple[int, int]]:
    """Which of a is which of b: in order, as many as possible, moved as little as possible in all.

    (Branches on a line keep their order: to change places two minimisers would have to meet.)
    """
    n, m = len(a), len(b)
    # (unmatched, distance moved, pairs) for the first i of a and the first j of b.
    best: list[list[tuple[int, float, tuple[tuple[int, int], ...]]]]
    best = [[(i + j, 0.0, ()) for j in range(m + 1)] for i in range(n + 1)]
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            lost, moved, pairs = best[i - 1][j - 1]
            joined = (lost, moved + abs(a[i - 1] - b[j - 1]), (*pairs, (i - 1, j - 1)))
            skipped = min(best[i - 1][j], best[i][j - 1])
            best[i][j] = min(joined, (skipped[0] + 1, skipped[1], skipped[2]))
    return list(best[n][m][2])


def _joined(
    samples: tuple[Sample, ...],
) -> tuple[tuple[tuple[BranchPoint, ...], ...], tuple[Event, ...]]:
    branches: list[list[BranchPoint]] = []
    events: list[Event] = []
    open_now: list[int] = []  # the branch of each minimiser of the sample before
    for i, sample in enumerate(samples):
        points = [_point(i, sample, p) for p in sample.minimizers]
        before = samples[i - 1] if i else None
        pairs: list[tuple[int, int]] = []
        if before is not None:
            pairs = _pairs([p.at.mid for p in before.minimizers], [p.at.mid for p in points])
        owner = {j: open_now[k] for k, j in pairs}
        between = (float(before.eta), float(sample.eta)) if before is not None else (0.0, 0.0)
        for k, branch in enumerate(open_now):
            if before is not None and k not in {k for k, _ in pairs}:
                events.append(Event(False, between, before.minimizers[k].at.mid, branch))
        following = []
        for j, point in enumerate(points):
            if j not in owner:
                owner[j] = len(branches)
                branches.append([])
                if before is not None:
                    events.append(Event(True, between, point.at.mid, owner[j]))
            branches[owner[j]].append(point)
            following.append(owner[j])
        open_now = following
    return tuple(tuple(branch) for branch in branches), tuple(events)


def _point(i: int, sample: Sample, point: StationaryPoint) -> BranchPoint:
    assert sample.landscape is not None
    spurious = point.value.lo > sample.landscape.minimum.hi
    return BranchPoint(i, point.at, point.value, point.kind, spurious)


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
                "landscape": _sample_document(sample),
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
        _sample(entry["landscape"], problem.family, make_step(kind, entry["eta"], shots))
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


def _sample_document(sample: Sample) -> dict[str, Any] | None:
    if sample.landscape is None:
        return None
    document = landscape_document(sample.landscape)
    return {key: document[key] for key in SAMPLED}


def _sample(document: Any, family: Family, step: Step) -> Sample:
    if document is None:
        return Sample(step.eta, None)
    whole = {**document, "problem": problem_to_json(Problem(family, step)), "certificates": []}
    landscape = landscape_from_document(whole, lambda *_: None)
    assert isinstance(landscape, LineLandscape)
    return Sample(step.eta, landscape)


def _known(journal: Journal, family: Family, step: Step) -> Sample:
    try:
        return _sample(journal.entries[str(step.eta)], family, step)
    except (BenignError, KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise FileFormatError(
            f"{journal.path}: the landscape at eta = {step.eta} is none; remove the file to begin anew"
        ) from error
