"""The verb `analyze`: it chooses between a proof, a proof guided by a search, and a search."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from benign.certificates.check import check, cost
from benign.errors import InfeasibleError, ProblemError
from benign.exact.problem import Problem, real, seconds_of, seed_of, starts_of
from benign.folders import require_place
from benign.meta.given import as_problem, is_objective, meta_objective
from benign.opening import path_of
from benign.prove.line.enumeration import analyze as enumerate_scalar
from benign.prove.line.enumeration import asked
from benign.results.documents import about_landscape
from benign.tasks.given import described, require_callable
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

GUIDING_STARTS = 128
"""Random starts of that search: the proof itself finds what it misses."""

AT_ONCE = 2.0
"""Seconds that a check of a result may be estimated to take, where no time is left over for it."""

Proved = TypeVar("Proved", "LineLandscape", "LandscapeBelow")

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
    out: str | os.PathLike[str] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Landscape:
    """Where h(W) = Σ ω_τ f_τ(F_τ(W)) has its local minima, and whether h is ε-global.

    One state and one input: every stationary point, proved. Two to four parameters and the gradient
    step: every local minimiser below a level, proved, guided by a search. Else a search: what was
    *observed*, each minimum with a certified gap. What was chosen shows in the type of the result and
    in its verdict.

    Args:
        objective: a `MetaObjective`, an exact `Problem`, or a family of any form with its step.
        eta, step, shots: the step of a family, as in `MetaObjective`.
        epsilon: the ε asked about, in units of the cost; 0 asks whether every local minimum is global.
        proof: "required" spends no time on what is not proved and refuses where no proof is known,
            "try" proves where it can, "off" searches.
        level: for a proof in a few parameters: h up to which the list is to be complete; ∞ for all.
        budget: seconds. A proof that runs out of them is complete below a lower level, or undecided;
            without any, one that is only tried gets FOR_A_TRY.
        starts, seed: of a search.
        out: a directory, made if need be, that the result is saved to.
        checkpoint: a file that keeps a proof in a few parameters, from which it goes on the next time.
            It is removed when a finished proof was saved to `out`.
        progress: called now and then.

    Raises:
        UsageError: the objective is none.
        ClaimError: a proof was required and none is known for such a problem.
        InfeasibleError: no gain is feasible, proved if it has a certificate.
        ProblemError: a number is out of range.

    Source: Definitions 1 and 2 of Molybog and Lavaei, arXiv 2006.00453; the proofs are ours.
    """
    if not isinstance(proof, str) or proof not in ("required", "try", "off"):
        raise ProblemError(f"proof: expected required, try or off, got {described(proof)}")
    level = None if level is None else _level(level)
    budget = None if budget is None else seconds_of(budget)
    starts = None if starts is None else starts_of(starts)
    seed = seed_of(seed)
    if checkpoint is not None:
        checkpoint = path_of(checkpoint, "analyze")
    require_callable(progress, "analyze", "progress")
    problem = as_problem(objective, "analyze", eta=eta, step=step, shots=shots)
    if out is not None:
        require_place(out, about_landscape(problem))
    found = _analyzed(
        objective if is_objective(objective) else problem,
        problem,
        epsilon=epsilon,
        proof=proof,
        level=level,
        budget=budget,
        starts=starts,
        seed=seed,
        checkpoint=checkpoint,
        progress=progress,
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
    budget: float | None,
    starts: int | None,
    seed: int,
    checkpoint: str | os.PathLike[str] | None,
    progress: Progress | None,
) -> Landscape:
    asked(epsilon)  # a search is not asked, and refuses what is no number all the same
    if problem.family.is_scalar and proof != "off":
        return confirmed(enumerate_scalar(problem, epsilon=epsilon), AT_ONCE)
    from benign.prove.boxes import (
        below as few_parameters,  # SciPy and the prover: not for a scalar family
    )

    wanted = asked(epsilon)
    if proof == "off" or (proof == "try" and few_parameters.applies(problem)):
        return _searched(objective, starts, seed, budget, progress)
    observed = in_vain = None
    began = time.perf_counter()
    if proof == "try":
        # The search costs a compilation, which a short proof would not repay.
        share = None if budget is None else FOR_THE_GUIDE * budget
        try:
            observed = _searched(objective, starts or GUIDING_STARTS, seed, share, progress)
        except InfeasibleError as error:
            if error.certificate is not None:
                raise
            in_vain = error  # no gain was found: the proof tells whether there is none
    if budget is None:
        budget = FOR_A_TRY if proof == "try" else float("inf")
    elif in_vain is not None:
        budget = max(budget - (time.perf_counter() - began), 0.0)
    elif observed is not None:
        budget = max(budget - observed.facts["seconds"], 0.0)
    started = time.perf_counter()
    found = few_parameters.prove(
        problem,
        level=level,
        epsilon=wanted,
        seeds=[point.W for point in observed.minimizers] if observed else (),
        budget=budget,
        checkpoint=None if checkpoint is None else Path(checkpoint),
        observed=observed,
        progress=_proving(progress),
    )
    if in_vain is not None and not found.minimizers and not found.interrupted:
        raise in_vain
    left = budget - (time.perf_counter() - started)
    return confirmed(found, AT_ONCE if left == float("inf") else max(left, AT_ONCE))


def confirmed(found: Proved, seconds: float) -> Proved:
    """The result, its certificate proved again by the checker where that is estimated to be so short.

    A certificate that is refused is taken back, and with it all that it was to prove.
    """
    document = found.certificate
    if document is None or cost(document).seconds > seconds:
        return found
    verdict = check(document)
    if verdict:
        return replace(found, checked=True)
    reason = f"the checker does not confirm the proof ({verdict.reason}); please report this"
    return found.withdrawn(Verdict(Status.UNDECIDED, found.verdict.statement, reason))


def _searched(
    objective: MetaObjective | Problem,
    starts: int | None,
    seed: int,
    budget: float | None,
    progress: Progress | None,
) -> ObservedLandscape:
    from benign.searches.search import certified, search

    def report(done: int, most: int) -> None:
        if progress is not None:
            progress("search", done, most)

    found = search(meta_objective(objective), starts=starts, seed=seed, budget=budget, progress=report)
    return certified(found)


def _proving(progress: Progress | None) -> Callable[[int, int, int], None] | None:
    if progress is None:
        return None
    told = progress
    return lambda done, waiting, found: told(f"proof, {found} minima", done, waiting)
