"""What if η were different: the minimisers of h over a range of η, proved at each η that is looked at.

Between two step sizes the minimisers are joined to branches when nothing can be mistaken: as many of
them, in the same order, each moved by less than half the way to the next stationary point. Otherwise
the step size in the middle is looked at as well, again and again, so that each birth and each death
of a minimiser is enclosed between two step sizes at which the complete list is proved.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from benign.clock import Clock, clock_of
from benign.errors import (
    BenignError,
    BudgetError,
    Cause,
    FileFormatError,
    InfeasibleError,
    NotScalarError,
    ProblemError,
)
from benign.exact.documents import problem_to_json
from benign.exact.problem import Family, Problem, make_step
from benign.folders import require_place
from benign.meta.given import settings_of
from benign.prove.line.enumeration import analyze
from benign.results.documents import about_sweep
from benign.sweeps.bifurcation import Bifurcation, sample_document, sample_from
from benign.sweeps.branches import Sample, joined, same
from benign.sweeps.journal import Journal
from benign.tasks.given import as_exact_family, require_callable, several

if TYPE_CHECKING:
    from benign.exact.problem import StepKind

RESOLUTION = 1e-3
"""Births and deaths are enclosed to this share of the range of η."""

MOST_SAMPLES = 2000
"""Step sizes looked at, at most; intervals that would need more are left as wide as they are."""


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
    if not exact.is_scalar:
        raise NotScalarError(
            "bifurcate: every list along the way is proved complete, which needs one state and one "
            f"input; this family has {exact.n} and {exact.m}. For those, `analyze` at several eta"
        )
    steps = sorted({make_step(kind, eta, shots).eta for eta in several(etas, "etas", "bifurcate")})
    shots = make_step(kind, 1, shots).shots
    if out is not None:
        require_place(out, about_sweep("bifurcation", exact, kind, shots))
    if len(steps) < 2:
        raise ProblemError("eta: give at least two different step sizes")
    looks = _Looks(exact, kind, shots, checkpoint, progress)
    try:
        looks.over(steps, clock)
    except BudgetError:
        if len(looks.known) < 2:
            raise
    looks.journal.keep()
    samples = tuple(looks.known[eta] for eta in sorted(looks.known))
    if all(sample.landscape is None for sample in samples):
        raise ProblemError("eta: no gain is feasible at any of these step sizes; give smaller ones")
    missed = sum(eta not in looks.known for eta in steps)
    facts = {"landscapes": float(len(samples)), **({"left out": float(missed)} if missed else {})}
    found = Bifurcation(exact, kind, shots, samples, *joined(samples), facts)
    if out is not None:
        found.save(out)
    return found


class _Looks:
    """The landscapes that are known, by η: each is proved once, and kept in the journal."""

    def __init__(
        self,
        family: Family,
        kind: StepKind,
        shots: int,
        checkpoint: Any,
        progress: Callable[[int], None] | None,
    ):
        self.family, self.kind, self.shots, self.progress = family, kind, shots, progress
        question = problem_to_json(Problem(family, make_step(kind, 1, shots)))
        self.journal = Journal(checkpoint, ["bifurcation", question])
        self.known: dict[Fraction, Sample] = {}

    def over(self, steps: Sequence[Fraction], clock: Clock) -> None:
        """Look at the step sizes, then between any two at which the minimisers are not the same.

        Raises:
            BudgetError: time ran out before all the step sizes were looked at.
        """
        resolution = (steps[-1] - steps[0]) * Fraction(RESOLUTION)
        for eta in steps:
            clock.check("the first step sizes")
            self.at(eta, clock)
        waiting = list(zip(steps[:-1], steps[1:], strict=True))
        while waiting and len(self.known) < MOST_SAMPLES and not clock.late:
            low, high = waiting.pop()
            if high - low <= resolution or same(self.at(low, clock), self.at(high, clock)):
                continue
            # A float in between: midpoints of midpoints as fractions would grow without end.
            middle = Fraction(float((low + high) / 2))
            if low < middle < high:
                self.at(middle, clock)
                waiting += [(low, middle), (middle, high)]

    def at(self, eta: Fraction, clock: Clock) -> Sample:
        """The landscape at one step size."""
        if eta not in self.known and str(eta) in self.journal.entries:
            self.known[eta] = self._kept(eta)
        if eta not in self.known:
            try:
                problem = Problem(self.family, make_step(self.kind, eta, self.shots))
                landscape = analyze(problem, clock=clock)
            except InfeasibleError as error:
                if error.cause is not Cause.STEP:
                    raise
                landscape = None
            self.known[eta] = Sample(eta, landscape)
            self.journal.add(str(eta), sample_document(self.known[eta]))
            if self.progress is not None:
                self.progress(len(self.known))
        return self.known[eta]

    def _kept(self, eta: Fraction) -> Sample:
        step = make_step(self.kind, eta, self.shots)
        try:
            return sample_from(self.journal.entries[str(eta)], self.family, step)
        except (BenignError, KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise FileFormatError(
                f"{self.journal.path}: the landscape at eta = {eta} is none; remove the file to begin "
                "anew"
            ) from error
