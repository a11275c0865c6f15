"""The proof for two to four parameters: a frame, a level, branch and bound, and the certificate."""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import scipy.linalg

from benign.certificates.below import is_semicontinuous
from benign.certificates.gains import require_well_posed
from benign.certificates.infeasible_tree import SLOPED, TREE
from benign.certificates.reading import Refused
from benign.clock import NO_LIMIT, Clock
from benign.errors import (
    Cause,
    ClaimError,
    FileFormatError,
    InfeasibleError,
    OutputError,
    OutputWarning,
    ProblemError,
)
from benign.exact import globality
from benign.exact.problem import Plant, Problem
from benign.exact.range import Balanced, balanced, require_range
from benign.exact.rounding import at_least, at_most, exactly
from benign.floats.fractions_of_gain import Frame, cost_polynomials
from benign.floats.frames import frame_of, holds_all, root_frame
from benign.floats.rim import as_fractions
from benign.floats.taylor import Floats
from benign.interrupts import deferred
from benign.prove.boxes import state as state
from benign.prove.boxes.branch_and_bound import MOST_TASKS, Minimiser, Pavement
from benign.prove.documents import (
    below_certificate,
    infeasible_certificate,
    minimiser_entry,
    spurious_certificate,
)
from benign.prove.infeasible import conflict
from benign.results.below import LandscapeBelow, ProvedMinimum, verdict_below
from benign.results.enclosure import Enclosure
from benign.verdict import Status

if TYPE_CHECKING:
    from pathlib import Path

    from benign.results.observed import ObservedLandscape

T = TypeVar("T")

MOST = 4
"""Most parameters, mn."""

TIMES = {2: 10.0, 3: 2.0, 4: 2.0}
"""The level by default, by the number of parameters: this multiple of the smallest value found …

In three, below twice the least value random families of two tasks are decided in 10 to 100 seconds of
one core, below ten times in more than ten minutes."""

ABOVE = 1.1
"""… or this multiple of the largest minimum that was seen, if that is more."""

GRID = {2: 32, 3: 16, 4: 8}
"""Gains along each axis of the grid that the guesses start from, by the number of parameters."""

REACH = 3.0
"""Where no simplex bounds the gains, the box searched reaches this multiple of the largest optimum's
entries, and of the minimisers', around their middle. (A choice; the result names the box.)"""

KEPT_EVERY = 30.0
"""Seconds between two states of an unfinished proof that are written to the checkpoint."""

Progress = Callable[[int, int, int], None]
"""Called with boxes done, boxes waiting and minimisers proved."""


def applies(problem: Problem) -> str:
    """Why the proof is not for this problem; empty if it is."""
    p = problem.family.n * problem.family.m
    if problem.step.kind != "gradient":
        return "the proof in several parameters is for the gradient step"
    if not 2 <= p <= MOST:
        return f"the proof is for at most {MOST} parameters; a gain of this family has {p}"
    if len(problem.tasks) > MOST_TASKS:
        return (
            f"the proof in several parameters is for at most {MOST_TASKS} tasks, which fit into "
            f"memory; this family has {len(problem.tasks)}"
        )
    return ""


def prove(
    problem: Problem,
    *,
    level: float | None = None,
    epsilon: Fraction = Fraction(0),
    seeds: Sequence[Floats] = (),
    budget: float = np.inf,
    clock: Clock = NO_LIMIT,
    checkpoint: Path | None = None,
    observed: ObservedLandscape | None = None,
    progress: Progress | None = None,
) -> LandscapeBelow:
    """Every local minimiser of h(W) = Σ ω_τ f_τ(F_τ(W)) with h ≤ level, proved.

    Args:
        problem: a gradient step, any number of shots; mn from 2 to 4.
        level: c; ∞ for the whole domain. By default 10 times the smallest value found (twice, for
            three and four parameters), or more, so that it covers every minimiser that is known.
        epsilon: the ε that the verdict is about.
        seeds: gains (m, n) near which minimisers are known or supposed to be.
        budget: seconds after which no further box is tested; what is left then lowers the level.
        clock: the time there is for all; a proof that is not set up by then is none.
        checkpoint: a file in which the state of the proof is kept, and from which it goes on. When the
            result is saved, `state.discard` removes it.
        observed: what a search met, for the result.
        progress: called now and then.

    Returns:
        The list, the level below which it is complete, ε, a verdict and a certificate. After an
        interrupt (Ctrl-C) the same, of what was done until then.

    Raises:
        ClaimError: the problem is not of this kind.
        InfeasibleError: no gain is feasible, or h exceeds the level everywhere, which was proved.
        ProblemError: a level that is not positive, or below every minimum; a number out of range
            (`benign.exact.range`).
        BudgetError: time is over, or sure to be, before the first box of gains can be tested.
        FileFormatError: the checkpoint is none, is damaged, or is that of another proof.
    """
    if reason := applies(problem):
        raise ClaimError(reason)
    problem.require_writable()
    if level is not None and not level > 0:
        raise ProblemError(f"level: must be positive, got {level}")
    _require_well_posed(problem)
    began = clock.used
    _require_time(problem, clock)
    scale = balanced(problem)
    stated, problem = problem, scale.problem
    require_range(problem)
    witnesses = [optimal_gain(task.g) for task in _timed(problem.tasks, clock)]
    kept = None
    if checkpoint is not None and os.path.lexists(checkpoint):
        kept = state.read(checkpoint, problem)
    frame, bounded = _frame(problem, [*witnesses, *seeds], kept)
    given = [as_fractions(W.tolist()) for W in witnesses]
    pavement = Pavement(problem, frame, np.inf, given, clock)
    pavement.allows_steep = not bounded or is_semicontinuous(problem)
    if kept is None:
        _look_for_minimisers(pavement, seeds)
        asked = _level(pavement, stated, scale, level, clock)
    else:
        asked = _kept_level(kept, scale, level)
    pavement.set_level(asked)
    if kept is not None:
        state.restore(pavement, kept)
    _run(pavement, clock.capped(budget - (clock.used - began)), checkpoint, progress)
    if pavement.is_done and not pavement.minimisers:
        raise _nothing(pavement, stated, scale.below(asked), bounded, witnesses)
    seconds = clock.used - began
    return _result(pavement, stated, scale, asked, bounded, epsilon, observed, seconds)


SETTING_UP = 4.0
"""What setting up a proof takes, in times that it takes to find the polynomials of all its plants once.
(Measured: 3 to 4.5, for two to four parameters.)"""

WORTH_ASKING = 64
"""Tasks up to which nothing is estimated: setting up takes a few seconds at most."""


def _require_time(problem: Problem, clock: Clock) -> None:
    """Refuse to set up a proof that would not be set up in time."""
    plants = list({plant: None for task in problem.tasks for plant in (task.f, task.g)})
    if not clock.limited or len(plants) <= WORTH_ASKING:
        return
    p = problem.family.n * problem.family.m
    before = clock.used
    cost_polynomials(plants[0], frame_of(np.zeros(p), np.eye(p)))
    clock.require(SETTING_UP * len(plants) * (clock.used - before), "setting up the proof")


def _timed(tasks: Iterable[T], clock: Clock) -> Iterator[T]:
    for task in tasks:
        clock.check("setting up the proof")
        yield task


def _level(
    pavement: Pavement, stated: Problem, scale: Balanced, level: float | None, clock: Clock
) -> float:
    """The level of the balanced problem: what was asked for, or what covers the minimisers found."""
    if not pavement.minimisers:
        if (found := conflict(stated, clock)) is not None:
            raise found
        return np.inf if level is None else scale.into(float(level), "level")
    lowest = pavement.minimisers[0].value.hi
    highest = max(point.value.hi for point in pavement.minimisers)
    if level is None:
        return max(TIMES[pavement.p] * lowest, ABOVE * highest)
    asked = scale.into(float(level), "level")
    if asked < lowest:
        raise ProblemError(
            f"level: {float(scale.below(asked))!r} is below every minimum that was found; the "
            f"least is at most {at_most(scale.below(lowest))}"
        )
    return asked


def _kept_level(kept: state.Kept, scale: Balanced, level: float | None) -> float:
    """The level of an unfinished proof, which goes on with its own.

    Raises:
        FileFormatError: another one was asked for.
    """
    if level is not None and scale.into(float(level), "level") != kept.asked:
        raise FileFormatError(
            f"{kept.path}: the proof that was kept has the level {float(scale.below(kept.asked))!r}; "
            "leave it out to go on, or delete the file to begin anew"
        )
    return kept.asked


def _require_well_posed(problem: Problem) -> None:
    """R ≻ 0 and Q, S0, N ⪰ 0 exactly, as the checker demands: whoever made the problem."""
    try:
        require_well_posed(problem)
    except Refused as error:
        raise ProblemError(str(error)) from None


def _nothing(
    pavement: Pavement, problem: Problem, asked: float, bounded: bool, witnesses: Sequence[Floats]
) -> InfeasibleError:
    """What it means that all boxes are excluded, with the certificate.

    If the root box holds all of the domain, h attains its least value wherever it is at most the level
    (see `benign.certificates.below`), and would have a minimiser. Otherwise h may fall towards the side
    of the box: then it has to be excluded box by box.
    """
    where = "" if bounded else " among those searched"
    found = set(pavement.leaves())
    height = at_least(asked)
    if not bounded and not SLOPED.isdisjoint(found):
        cause = Cause.SLOPE
        below = "" if asked == np.inf else f" with h ≤ {height}"
        message = (
            f"no gain{where} is a local minimiser{below}: h falls towards the side of the box that "
            "was searched; give a gain beyond it as a seed"
        )
    elif asked < np.inf:
        cause = Cause.LEVEL
        message = f"level: h exceeds {height} at every gain{where}; give a higher level"
    elif found <= {"u"}:
        cause = Cause.CONFLICT
        message = f"no gain{where} is feasible: none stabilises all tasks; split the family"
    else:
        cause = Cause.STEP
        message = (
            f"no gain{where} is feasible: every gain that stabilises the tasks is thrown out by the "
            "adaptation step, or none stabilises them all; lower eta (it is "
            f"{exactly(problem.step.eta)}) or split the family"
        )
    centre, axes = _frame_rows(pavement.frame)
    proof = {
        "kind": TREE,
        "frame": {"centre": centre, "axes": axes},
        "bounded": bounded,
        "tree": pavement.tree_text(),
        "witnesses": [np.asarray(W, float).tolist() for W in witnesses],
    }
    certificate = infeasible_certificate(problem, proof=proof, level=asked)
    return InfeasibleError(message, cause=cause, certificate=certificate)


def _frame_rows(frame: Frame) -> tuple[list[float], list[list[float]]]:
    """The frame as a certificate holds it; exact, its numbers are floats."""
    return [float(x) for x in frame.centre], [[float(x) for x in row] for row in frame.axes]


def _run(pavement: Pavement, clock: Clock, checkpoint: Path | None, progress: Progress | None) -> None:
    """Branch and bound until it is done, time is up, or Ctrl-C; the state is kept meanwhile."""

    def report(done: int, waiting: int) -> None:
        if progress is not None:
            progress(done, waiting, len(pavement.minimisers))

    with deferred() as pavement.request:
        while not _advanced(pavement, min(clock.left, KEPT_EVERY if checkpoint else np.inf), report):
            if checkpoint is not None:
                _keep(pavement, checkpoint)
            over = clock.late or not len(pavement.waiting)
            if over or pavement.request:
                return
    if checkpoint is not None:
        _keep(pavement, checkpoint)  # until the result is saved: see `state.discard`


def _keep(pavement: Pavement, checkpoint: Path) -> None:
    """Write the state; a proof that cannot be kept goes on, and is told of."""
    try:
        state.save(pavement, checkpoint)
    except OutputError as error:
        warnings.warn(str(error), OutputWarning, stacklevel=2)


def _advanced(pavement: Pavement, seconds: float, report: Callable[[int, int], None]) -> bool:
    """Whether all is done; what was done before an interrupt from elsewhere counts."""
    try:
        return pavement.run(seconds=seconds, progress=report)
    except KeyboardInterrupt:
        pavement.request.number = signal.SIGINT
        return False


def _look_for_minimisers(pavement: Pavement, seeds: Sequence[Floats]) -> None:
    centre = np.array([float(x) for x in pavement.frame.centre])
    axes = np.array([[float(x) for x in row] for row in pavement.frame.axes])
    gains = np.array([np.asarray(W, float).reshape(-1) for W in seeds]).reshape(-1, pavement.p)
    y = np.linalg.solve(axes, (gains - centre).T).T
    pavement.found.add(y[(np.abs(y) <= 1).all(axis=1)])
    pavement.found.add(pavement.found.guesses(GRID[pavement.p]))


def optimal_gain(plant: Plant) -> Floats:
    """A gain near the optimum, (m, n), in floating point; zeros if none was found."""
    T = 0.0 if plant.shift is None else np.array([[float(x) for x in row] for row in plant.shift])
    plant = plant.completed
    A, B, Q, R = (
        np.array([[float(x) for x in row] for row in X]) for X in (plant.A, plant.B, plant.Q, plant.R)
    )
    root = float(plant.discount) ** 0.5
    A, B = root * A, root * B
    size = max(np.abs(Q).max(), np.abs(R).max())
    for more in (0.0, 1e-6):  # a price on every state, where Q sees too little of them
        try:
            P = scipy.linalg.solve_discrete_are(A, B, Q + more * size * np.eye(len(A)), R)
            return np.linalg.solve(R + B.T @ P @ B, B.T @ P @ A) + T
        except (np.linalg.LinAlgError, ValueError):
            continue
    return np.zeros((plant.m, plant.n))


def _frame(
    problem: Problem, gains: Sequence[Floats], kept: state.Kept | None = None
) -> tuple[Frame, bool]:
    """The root box, that of an unfinished proof if there is one; whether it holds all of the domain.

    Raises:
        FileFormatError: the unfinished proof has another box than the one that holds the domain.
    """
    plants = [task.g for task in problem.tasks]
    root = root_frame(plants)
    if root is not None and holds_all(root, plants):
        if kept is not None and kept.frame != root:
            raise FileFormatError(f"{kept.path}: an unfinished proof on another box; {state.CURE}")
        return root, True
    if kept is not None:
        return kept.frame, False
    points = np.array([np.asarray(W, float).reshape(-1) for W in gains])
    centre = 0.5 * (points.min(axis=0) + points.max(axis=0))
    size = max(float(np.abs(points).max()), 1e-3)
    half = REACH * np.maximum(np.abs(points - centre).max(axis=0), size)
    return frame_of(centre, np.diag(half)), False


# --- the result ------------------------------------------------------------------------------


def _result(
    pavement: Pavement,
    problem: Problem,
    scale: Balanced,
    asked: float,
    bounded: bool,
    epsilon: Fraction,
    observed: ObservedLandscape | None,
    seconds: float,
) -> LandscapeBelow:
    m, n = problem.family.m, problem.family.n
    level, left = pavement.reached()
    listed = [point for point in pavement.minimisers if point.value.lo <= level]
    proved = bool(listed) and listed[0].value.hi <= level
    if not proved:  # what is known may still refute the statement about the level that was asked for
        listed = [point for point in pavement.minimisers if point.value.lo <= asked]
    known = [point for point in pavement.minimisers if point.value.lo <= asked]
    named = pavement.needed(level)
    # From here on costs are those of the problem as stated.
    level = scale.below(level) if proved else -np.inf
    asked = scale.below(asked)
    values = _stated(scale, listed)
    bounds = _epsilon(values, complete=proved)
    verdict = verdict_below(
        _stated(scale, known),
        asked=epsilon,
        wanted=asked,
        level=level,
        left=left,
        bounded=bounded,
    )
    certificate = None
    if proved:
        status = verdict.status.value
        if verdict.status is Status.REFUTED:  # its witness may lie above the level that was reached
            witness = max((p for p in known if scale.above(p.value.hi) <= asked), key=_least_value)
            named = [p for p in pavement.minimisers if p in named or p is witness]
        certificate = _certificate(
            problem, pavement, level, bounded, named, scale, values, bounds, epsilon, status
        )
    elif verdict.status is Status.REFUTED:
        certificate = _refutation(problem, pavement, known, _stated(scale, known), asked, epsilon)
    return LandscapeBelow(
        problem=problem,
        asked=asked,
        level=level,
        bounded=bounded,
        region=_region(pavement.frame).reshape(2, m, n),
        proved=tuple(_minimum(point, value, m, n) for point, value in zip(listed, values, strict=True)),
        minimum=_minimum_value(values, proved=proved, floor=scale.below(pavement.floor)),
        epsilon=bounds,
        verdict=verdict,
        boxes=pavement.boxes,
        left=left,
        certificate=certificate,
        observed=observed,
        interrupted=bool(pavement.request),
        facts={"seconds": seconds, **{f"leaves {k}": float(v) for k, v in pavement.leaves().items()}},
    )


def _least_value(point: Minimiser) -> float:
    return point.value.lo


def _stated(scale: Balanced, points: Sequence[Minimiser]) -> list[Enclosure]:
    """Values in the units of the problem as stated."""
    return [Enclosure(scale.below(p.value.lo), scale.above(p.value.hi)) for p in points]


def _epsilon(values: list[Enclosure], *, complete: bool) -> Enclosure:
    if not values:
        return Enclosure(0.0, np.inf)
    lo, hi = globality.epsilon(values, ()) if len(values) > 1 else (0.0, 0.0)
    return Enclosure(lo, hi if complete else np.inf)


def _minimum_value(values: list[Enclosure], *, proved: bool, floor: float) -> Enclosure:
    if not values:
        return Enclosure(floor, np.inf)
    lo, hi = globality.infimum(values, ())
    return Enclosure(lo if proved else min(lo, floor), hi)


def _minimum(point: Minimiser, value: Enclosure, m: int, n: int) -> ProvedMinimum:
    lo, hi = point.W
    middle = 0.5 * (lo + hi)
    radius = np.nextafter(np.maximum(hi - middle, middle - lo), np.inf)
    return ProvedMinimum(middle.reshape(m, n), radius.reshape(m, n), value)


def _region(frame: Frame) -> Floats:
    """(2, p), bounds of the entries of the gains in the root box."""
    centre = np.array([float(x) for x in frame.centre])
    reach = np.abs(np.array([[float(x) for x in row] for row in frame.axes])).sum(axis=1)
    return np.array([centre - reach, centre + reach])


def _refutation(
    problem: Problem,
    pavement: Pavement,
    known: Sequence[Minimiser],
    values: Sequence[Enclosure],
    level: float,
    asked: Fraction,
) -> dict[str, object]:
    """That the highest of the minimisers at or below a level is spurious, whatever else there is."""
    centre, axes = _frame_rows(pavement.frame)
    pairs = [pair for pair in zip(known, values, strict=True) if pair[1].hi <= level]
    low, high = min(pairs, key=lambda pair: pair[1].hi), max(pairs, key=lambda pair: pair[1].lo)
    return spurious_certificate(
        problem, centre=centre, axes=axes, low=_entry(*low), high=_entry(*high), asked=asked
    )


def _entry(point: Minimiser, value: Enclosure) -> dict[str, object]:
    return minimiser_entry(
        y=[(float(a), float(b)) for a, b in point.y.T],
        W=[(float(a), float(b)) for a, b in point.W.T],
        value=(value.lo, value.hi),
        convex_centre=[float(x) for x in point.centre],
        convex_radius=[float(x) for x in point.radius],
    )


def _certificate(
    problem: Problem,
    pavement: Pavement,
    level: float,
    bounded: bool,
    named: Sequence[Minimiser],
    scale: Balanced,
    values: Sequence[Enclosure],
    epsilon: Enclosure,
    asked: Fraction,
    status: str,
) -> dict[str, object]:
    centre, axes = _frame_rows(pavement.frame)
    return below_certificate(
        problem,
        level=level,
        centre=centre,
        axes=axes,
        bounded=bounded,
        tree=pavement.tree_text(),
        minimisers=[_entry(p, value) for p, value in zip(named, _stated(scale, named), strict=True)],
        minimum=globality.infimum(values, ()),
        epsilon=(epsilon.lo, epsilon.hi),
        asked=asked,
        status=status,
    )
