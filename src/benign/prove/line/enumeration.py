"""The verb: from a meta-objective to its landscape, with a verdict and a certificate."""

from __future__ import annotations

import time
from fractions import Fraction

import numpy as np

from benign.clock import NO_LIMIT, Clock
from benign.errors import BudgetError, InfeasibleError, ProblemError
from benign.exact import globality
from benign.exact.likeness import is_one_task, is_proportional
from benign.exact.numbers import exact, written
from benign.exact.problem import Problem
from benign.exact.rounding import at_least, at_most, exactly, settled
from benign.floats.intervals import Interval
from benign.floats.scalar import GradientObjective
from benign.prove.documents import enumeration_certificate
from benign.prove.infeasible import empty_line
from benign.prove.line.gradient import Enumeration, enumerate_gradient
from benign.prove.line.normalized import enumerate_normalized
from benign.results.enclosure import Enclosure
from benign.results.landscape import Kind
from benign.results.line import LineLandscape, StationaryPoint
from benign.verdict import Status, Verdict

A_TASK = 5e-5
"""Seconds to write a task's exact numbers into the certificate, on an idle machine."""

ENUMERATING = 0.9
"""The share of a budget for the list; the rest writes the certificate, which tells the problem."""


def analyze(
    problem: Problem, *, epsilon: float | str | Fraction = 0, clock: Clock = NO_LIMIT
) -> LineLandscape:
    """Every stationary point of h(W) = Σ ω_τ f_τ(F_τ(W)), proved, and whether h is ε-global.

    Args:
        problem: one state, one input.
        epsilon: the ε asked about, in units of the cost; 0 asks whether every local minimum is
            global. The verdict is about this ε; `LineLandscape.epsilon` encloses the smallest one.
        clock: when it is over, what is left of the line stays undecided.

    Returns:
        The `LineLandscape`, its certificate included.

    Raises:
        NotScalarError: more than one state or input.
        InfeasibleError: no gain is feasible, which was proved.
        ProblemError: a number is out of range.
        BudgetError: the time was over before anything was decided.

    Source: Definitions 1 and 2 of Molybog and Lavaei, arXiv 2006.00453; the enumeration is ours.
    """
    started = time.perf_counter()
    wanted = asked(epsilon)
    problem.require_writable()
    telling = A_TASK * len(problem.tasks)
    clock.require(telling, "the certificate")
    try:
        found = _enumerated(problem, clock.capped(min(clock.left - telling, ENUMERATING * clock.left)))
    except InfeasibleError:  # rims apart, seen in floating point
        raise empty_line(problem, None) from None
    minima = [point for point in found.points if point.kind.is_minimum]
    if not minima and not found.undecided:
        raise empty_line(problem, found.cover)
    values = [point.value for point in minima]
    doubtful = [stretch.value for stretch in found.undecided]
    minimum = Enclosure(*globality.infimum(values, doubtful))
    bounds = Enclosure(*globality.epsilon(values, doubtful))
    why = "" if found.undecided else _all_global(problem, minima, clock)
    if why:
        bounds = Enclosure(0.0, 0.0)
    verdict = _verdict(wanted, bounds, minima, found, why)
    certificate = enumeration_certificate(
        problem,
        cover=found.cover,
        domain=[(p.lo, p.hi) for p in found.domain],
        points=[_point_record(point) for point in found.points],
        undecided=[(u.W, u.value) for u in found.undecided],
        minimum=minimum,
        epsilon=bounds,
        asked=wanted,
        status=verdict.status.value,
    )
    return LineLandscape(
        problem=problem,
        domain=found.domain,
        stationary_points=found.points,
        undecided=found.undecided,
        minimum=minimum,
        epsilon=bounds,
        verdict=verdict,
        certificate=certificate,
        facts={
            "seconds": time.perf_counter() - started,
            "boxes": float(len(found.cover.tags)) if found.cover else 0.0,
        },
    )


def _enumerated(problem: Problem, clock: Clock) -> Enumeration:
    if problem.step.kind == "gradient":
        return enumerate_gradient(problem, clock)
    return enumerate_normalized(problem, clock)


def asked(epsilon: float | str | Fraction) -> Fraction:
    """The ε asked about, as an exact number.

    Raises:
        ProblemError: it is negative, or no number.
    """
    try:
        value = exact(epsilon)
        float(value)
        written(value)
    except (ProblemError, OverflowError) as error:
        raise ProblemError(f"epsilon: {error}") from error
    if value < 0:
        raise ProblemError(f"epsilon: must not be negative, got {epsilon}")
    return value


def _point_record(point: StationaryPoint) -> dict[str, object]:
    record: dict[str, object] = {"kind": point.kind.value, "W": point.at, "value": point.value}
    if point.limits is not None:
        record["limits"] = point.limits
    if point.multiplicity != 1:
        record["multiplicity"] = point.multiplicity
    return record


# --- the verdict -----------------------------------------------------------------------------


def _all_global(problem: Problem, minima: list[StationaryPoint], clock: Clock) -> str:
    """Why every listed minimum is global *exactly*, or an empty string if that is not known.

    For tasks that are one task, h = f∘F, and h' = f'(F)·F'. Where F' ≠ 0 a stationary point has
    f'(F(W)) = 0, and the stationary points of an LQR cost are its global minima (the sharper form
    of Theorem 2). For the normalised step F' = 1, and tasks may be proportional (Theorem 3).
    """
    if len(minima) == 1:
        return "it has one local minimum"
    if any(point.kind is not Kind.MINIMUM for point in minima):
        return ""
    if problem.step.kind == "normalized":
        alike = is_one_task(problem.family) or is_proportional(problem.family)
        return "Theorem 3: every minimum adapts to the one optimum of all tasks" if alike else ""
    if not is_one_task(problem.family):
        return ""
    box = Interval(
        np.array([point.at.lo for point in minima]), np.array([point.at.hi for point in minima])
    )
    try:
        jacobian = GradientObjective(problem, clock).jacobian(box)
    except BudgetError:
        return ""
    if bool(((jacobian.lo > 0) | (jacobian.hi < 0)).all()):
        return "Theorem 2, sharper form: I − η∇²C is non-singular at every minimum"
    return ""


def _verdict(
    asked: Fraction,
    epsilon: Enclosure,
    minima: list[StationaryPoint],
    found: Enumeration,
    why: str,
) -> Verdict:
    if asked == 0:
        statement = "every local minimum of h is global"
    else:
        statement = f"every local minimum of h is within {exactly(asked)} of the global one"
    if Fraction(epsilon.hi) <= asked if epsilon.hi < np.inf else False:
        return Verdict(Status.PROVED, statement, why or f"epsilon is at most {at_most(epsilon.hi, 3)}")
    if Fraction(epsilon.lo) > asked:
        worst = max(minima, key=lambda point: point.value.lo)
        return Verdict(
            Status.REFUTED,
            statement,
            f"{worst.kind} at W = {settled(worst.at.lo, worst.at.hi)} is spurious: it lies at least "
            f"{at_least(epsilon.lo, 3)} above the global minimum",
        )
    if found.undecided:
        count = len(found.undecided)
        when = " in the time given" if found.cut else ""
        reason = f"{count} stretch{'es' if count > 1 else ''} of gains could not be decided{when}"
    else:
        reason = "the values of the minima could not be told apart"
    gap = f"at most {at_most(epsilon.hi, 3)}" if epsilon.hi < np.inf else "unbounded"
    return Verdict(Status.UNDECIDED, statement, f"{reason}; the gap left is {gap}")
