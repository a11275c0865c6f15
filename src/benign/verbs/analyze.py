"""The verb `analyze`: it chooses between a proof, a proof guided by a search, and a search."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from benign.certificates.check import check, cost
from benign.clock import Clock, clock_of, loaded
from benign.errors import BudgetError, InfeasibleError, ProblemError
from benign.exact.numbers import real, seed_of, starts_of
from benign.exact.problem import Problem
from benign.folders import require_place
from benign.meta.given import as_problem, is_objective, meta_objective
from benign.opening import path_of
from benign.prove.line.enumeration import analyze as enumerate_scalar
from benign.prove.line.enumeration import asked
from benign.results.documents import about_landscape
from benign.results.start import Start
from benign.searches.coming import LIKELY, require_time
from benign.tasks.given import described, require_callable
from benign.verbs.points import met_too, proved_points
from benign.verbs.start import read_start, start_from
from benign.verdict import Status, Verdict

if TYPE_CHECKING:
    from benign.meta.objective import MetaObjective
    from benign.results.below import LandscapeBelow
    from benign.results.landscape import Landscape
    from benign.results.line import LineLandscape
    from benign.results.observed import ObservedLandscape

Proof = Literal["required", "try", "off"]

FOR_A_TRY = 300.0
"""Seconds that a proof in a few parameters is given where none are named and none is required."""

FOR_THE_GUIDE = 0.25
"""The share of a budget that the search before a proof may use."""

SEARCHING = 0.85
"""The share of a search's own time that meets minima; the rest certifies their gaps."""

GUIDING_STARTS = 128
"""Random starts of that search: the proof itself finds what it misses."""

PROVING = 0.9
"""The share of what is left that a proof in a few parameters may use; the rest checks and tells it."""

STARTING = 0.1
"""The share of a budget that the bound at a start may be estimated to use; it comes first."""

AT_ONCE = 2.0
"""Seconds that a check of a result may be estimated to take, where there is no budget."""

Proved = TypeVar("Proved", "LineLandscape", "LandscapeBelow", "ObservedLandscape")

Progress = Callable[[str, int, int], None]
"""Called with what is going on, how much of it is done, and how much is left or there is in all."""


def analyze(
    objective: Any,
    *,
    eta: Any = None,
    step: Any = None,
    shots: Any = None,
    epsilon: Any = 0,
    proof: Proof = "try",
    level: Any = None,
    budget: Any = None,
    starts: Any = None,
    seed: Any = 0,
    start: Any = "mean",
    out: str | os.PathLike[str] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Landscape:
    """Where h(W) = Σ ω_τ f_τ(F_τ(W)) has its local minima, and whether h is ε-global.

    One state and one input: every stationary point, proved. Two to four parameters and the gradient
    step: every local minimiser below a level, proved, guided by a search. Else a search: what was
    *observed*, each minimum with a certified gap; where two of them are proved to differ in value, it
    is proved that not every local minimum is global. What was chosen shows in the type of the result
    and in its verdict.

    Args:
        objective: a `MetaObjective`, an exact `Problem`, or a family of any form with its step.
        eta, step, shots: the step of a family, as in `MetaObjective`.
        epsilon: the ε asked about, in units of the cost; 0 asks whether every local minimum is global.
        proof: "required" spends no time on what is not proved and refuses where no proof is known,
            "try" proves where it can, "off" searches.
        level: for a proof in a few parameters: h up to which the list is to be complete; ∞ for all.
        budget: seconds, or text such as "30s", for all of it: reading, compilation and the check of the
            certificate count. A proof that runs out of them is complete below a lower level, or
            undecided; without any, one that is only tried gets FOR_A_TRY.
        starts, seed: of a search.
        start: where a method would start, a gain (m, n), or "mean", the mean of the task optima; what
            it can lose at most if it never raises h is part of the result.
        out: a directory, made if need be, that the result is saved to.
        checkpoint: a file that keeps a proof in a few parameters, from which it goes on the next time.
            It is removed when a finished proof was saved to `out`.
        progress: called now and then.

    Raises:
        UsageError: the objective is none.
        ClaimError: a proof was required and none is known for such a problem.
        InfeasibleError: no gain is feasible, proved if it has a certificate.
        ProblemError: a number is out of range.
        BudgetError: the budget was used up, or is sure to be, before there is anything to tell.

    Source: Definitions 1 and 2 of Molybog and Lavaei, arXiv 2006.00453; the proofs are ours.
    """
    if not isinstance(proof, str) or proof not in ("required", "try", "off"):
        raise ProblemError(f"proof: expected required, try or off, got {described(proof)}")
    level = None if level is None else _level(level)
    clock = clock_of(budget)
    starts = None if starts is None else starts_of(starts)
    seed = seed_of(seed)
    if checkpoint is not None:
        checkpoint = path_of(checkpoint, "analyze")
    require_callable(progress, "analyze", "progress")
    problem = as_problem(objective, "analyze", eta=eta, step=step, shots=shots)
    begin = read_start(problem, start)
    if out is not None:
        require_place(out, about_landscape(problem))
    # For one state and one input it takes no time, and the proof refuses what is out of range first.
    scalar = problem.family.is_scalar
    bound = None if scalar else start_from(problem, begin, clock.part(STARTING))
    found = _analyzed(
        objective if is_objective(objective) else problem,
        problem,
        epsilon=epsilon,
        proof=proof,
        level=level,
        clock=clock,
        starts=starts,
        seed=seed,
        checkpoint=checkpoint,
        progress=progress,
    )
    found = replace(
        found, start=_confirmed(bound or start_from(problem, begin, Clock()), problem, clock)
    )
    if out is not None:
        found.save(out)
        if checkpoint is not None and not getattr(found, "left", 0):
            from benign.prove.boxes import state

            state.discard(checkpoint)
    return found


def _level(value: Any) -> float:
    level = real(value, "level")
    if not level > 0:
        raise ProblemError(f"level: must be positive, got {level}")
    return level


def _analyzed(
    objective: MetaObjective | Problem,
    problem: Problem,
    *,
    epsilon: Any,
    proof: Proof,
    level: float | None,
    clock: Clock,
    starts: int | None,
    seed: int,
    checkpoint: str | os.PathLike[str] | None,
    progress: Progress | None,
) -> Landscape:
    asked(epsilon)  # a search is not asked, and refuses what is no number all the same
    if problem.family.is_scalar and proof != "off":
        return confirmed(enumerate_scalar(problem, epsilon=epsilon, clock=clock), clock)
    from benign.prove.boxes import (
        below as few_parameters,  # SciPy and the prover: not for a scalar family
    )

    wanted = asked(epsilon)
    if proof == "off":
        return _certified(_searched(objective, starts, seed, clock, progress), clock)
    if proof == "try" and few_parameters.applies(problem):
        return _proved(_searched(objective, starts, seed, clock, progress), wanted, clock)
    observed = in_vain = None
    if proof == "try":
        # The search costs a compilation, which a short proof would not repay.
        try:
            guide = clock.part(FOR_THE_GUIDE)
            require_time(objective, guide, sure=LIKELY)
            observed = _searched(objective, starts or GUIDING_STARTS, seed, guide, progress)
            observed = _certified(observed, guide)
        except InfeasibleError as error:
            if error.certificate is not None:
                raise
            in_vain = error  # no gain was found: the proof tells whether there is none
        except BudgetError:
            pass  # a proof finds its way without a guide
        if not clock.limited:
            clock = Clock(FOR_A_TRY)
    try:
        found = few_parameters.prove(
            problem,
            level=level,
            epsilon=wanted,
            seeds=[point.W for point in observed.minimizers] if observed else (),
            clock=clock.part(PROVING),
            checkpoint=None if checkpoint is None else Path(checkpoint),
            observed=observed,
            progress=_proving(progress),
        )
    except BudgetError as error:
        if observed is None:
            raise
        return _proved(observed.without_proof(str(error)), wanted, clock)
    if in_vain is not None and not found.minimizers and not found.interrupted:
        raise in_vain
    return confirmed(met_too(found, clock), clock)


def confirmed(found: Proved, clock: Clock) -> Proved:
    """The result, its certificates proved again by the checker where that is estimated to be short.

    So it is up to AT_ONCE, or where a budget leaves more. A certificate that is refused is taken back,
    and with it all that it was to prove.
    """
    own = (found.certificate, getattr(found, "listed", None))
    documents = [document for document in own if document is not None]
    seconds = max(clock.left, 0.0) if clock.limited else AT_ONCE
    if getattr(found, "interrupted", False):
        seconds = 0.0  # who interrupts does not want to wait
    dear = sum(cost(document, found.problem).seconds for document in documents)
    if not documents or dear > seconds:
        return found
    for document in documents:
        verdict = check(document)
        if not verdict:
            reason = f"the checker does not confirm the proof ({verdict.reason}); please report this"
            return found.withdrawn(Verdict(Status.UNDECIDED, found.verdict.statement, reason))
    return replace(found, checked=True)


def _confirmed(start: Start, problem: Problem, clock: Clock) -> Start:
    """The bound at a start, proved again by the checker, or taken back."""
    document = start.certificate
    if document is None or cost(document, problem).seconds > min(AT_ONCE, max(clock.left, 0.0)):
        return start
    verdict = check(document)
    if verdict:
        return start
    remark = f"the checker does not confirm the proof ({verdict.reason}); please report this"
    return Start(start.W, start.where, remark=remark)


def _searched(
    objective: MetaObjective | Problem,
    starts: int | None,
    seed: int,
    clock: Clock,
    progress: Progress | None,
) -> ObservedLandscape:
    require_time(objective, clock)
    loaded(clock, "benign.searches.search")
    from benign.searches.search import search

    def report(done: int, most: int) -> None:
        if progress is not None:
            progress("search", done, most)

    h = meta_objective(objective)
    return search(h, starts=starts, seed=seed, budget=clock.part(SEARCHING), progress=report)


def _certified(found: ObservedLandscape, clock: Clock) -> ObservedLandscape:
    from benign.searches.search import certified

    return certified(found, clock)


def _proved(found: ObservedLandscape, asked: Fraction, clock: Clock) -> ObservedLandscape:
    """What a search met, its points proved one by one, its minima with certified gaps."""
    return confirmed(_certified(proved_points(found, asked, clock), clock), clock)


def _proving(progress: Progress | None) -> Callable[[int, int, int], None] | None:
    if progress is None:
        return None
    told = progress
    return lambda done, waiting, found: told(f"proof, {found} minima", done, waiting)
