"""Every stationary point of a scalar family under the gradient step, from a proved cover.

`benign.prove.line.paving` tags boxes of the line, `benign.exact.cover` says what the tags imply.
Roots of h' and rims of the domain are then sought in floating point, and the short interval offered
is accepted only when interval arithmetic shows the sign of h' (or the feasibility) at both ends.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benign.clock import NO_LIMIT, Clock
from benign.errors import BudgetError
from benign.exact.algebra import RealRoot
from benign.exact.cover import Cover, Run, domain_pieces, known_signs, runs
from benign.exact.problem import Problem
from benign.floats.intervals import Floats, Interval
from benign.floats.scalar import GradientObjective
from benign.prove.line.algebraic import Algebra, floats_around
from benign.prove.line.paving import pave
from benign.results.enclosure import Enclosure
from benign.results.landscape import Kind
from benign.results.line import OpenInterval, StationaryPoint, Undecided

PAVING, ENDS, POINTS = 0.5, 0.3, 0.6
"""Shares of what is left of a budget: for the cover; then for the signs of h' at the ends of its runs,
and as much again for exact algebra where these are not known; then for shrinking the points. The rest
encloses the values and the rims."""


NO_TIME = "there was no time for it"
NO_BOUND = "neither h' nor h'' could be bounded away from zero"


@dataclass(frozen=True)
class Enumeration:
    """What an enumeration found, before it is judged: the parts of a `Landscape`."""

    domain: tuple[OpenInterval, ...]
    points: tuple[StationaryPoint, ...]
    undecided: tuple[Undecided, ...]
    cover: Cover | None
    cut: bool = False
    """Whether time ran out while the line was looked at."""


def enumerate_gradient(problem: Problem, clock: Clock = NO_LIMIT) -> Enumeration:
    """All stationary points of h for the gradient step, each enclosed.

    When time runs out what is not decided of the line is named as such, and enclosures stay as wide as
    they are.

    Raises:
        NotScalarError: more than one state or input.
        ProblemError: no gain stabilises every task, or a number is out of range.
        BudgetError: time ran out before anything was decided.
    """
    objective = GradientObjective(problem, clock)
    objective.clock = clock.part(PAVING)
    proof = pave(objective)
    cut = objective.clock.late
    objective.clock = clock.part(ENDS)
    found = _with_signs(objective, runs(proof), None)
    open_ends = any(_is_open(entry) for entry in found)
    if open_ends and not clock.late and (algebra := Algebra.of(problem, proof, clock.part(ENDS))):
        proof = algebra.settled(proof)
        found = _with_signs(objective, runs(proof), algebra)
    else:
        algebra = None
    brackets: list[tuple[Run, Kind]] = []
    doubtful: list[tuple[float, float, str]] = []
    multiple: list[StationaryPoint] = []
    for run, left, right in found:
        if run.tag == "?":
            why = NO_TIME if cut else "neither h' nor h'' could be bounded away from zero"
            doubtful.append((run.lo, run.hi, why))
        elif run.tag in "v^a" and 0 in (left, right):
            doubtful.append((run.lo, run.hi, "the sign of h' at an end could not be decided"))
        elif run.tag == "a":
            assert algebra is not None
            multiple += _multiple(objective, algebra.within(run), left, right)
        elif run.tag in "v^" and left != right:
            brackets.append((run, Kind.MINIMUM if run.tag == "v" else Kind.MAXIMUM))
    points = sorted(
        (*_refine_roots(objective, brackets, clock), *multiple), key=lambda point: point.at.mid
    )
    ends = [run for run, _, _ in found]
    undecided = _undecided(objective, doubtful)
    return Enumeration(_domain(objective, ends), tuple(points), undecided, proof, cut)


def _is_open(entry: tuple[Run, int, int]) -> bool:
    run, left, right = entry
    return run.tag == "?" or (run.tag in "v^" and 0 in (left, right))


def _with_signs(
    objective: GradientObjective, found: list[Run], algebra: Algebra | None
) -> list[tuple[Run, int, int]]:
    """Each run with the proved signs of h' at its ends (0 where unknown)."""
    signs = known_signs(found)
    ends = np.array([run.lo for run in found] + [found[-1].hi])
    slope = sides_of_zero(objective, ends)
    for i, sign in enumerate(signs):
        if sign == 0:
            signs[i] = int(slope[i])
        if signs[i] == 0 and algebra is not None:
            signs[i] = algebra.sign(float(ends[i]))
    return [(run, signs[i], signs[i + 1]) for i, run in enumerate(found)]


def sides_of_zero(objective: GradientObjective, w: Floats) -> Floats:
    """The proved sign of h' at gains inside the domain; 0 where it is not known, or time is over."""
    found = np.zeros(w.size)
    for part in objective.chunks(w.size):
        try:
            slope, inside, _ = objective.slope(w[part])
        except BudgetError:
            break
        found[part] = np.where(
            inside & (slope.lo > 0), 1.0, np.where(inside & (slope.hi < 0), -1.0, 0.0)
        )
    return found


def _multiple(
    objective: GradientObjective, root: RealRoot | None, left: int, right: int
) -> list[StationaryPoint]:
    """The stationary point of a box `a`, if there is one; `left` and `right` are the signs of h'."""
    if root is None:
        return []
    lo, hi = floats_around(root)
    box = np.array([lo]), np.array([hi])
    value, curvature = _values(objective, *box), _curvature(objective, *box)
    kind = Kind.INFLECTION if left == right else Kind.MINIMUM if left < 0 else Kind.MAXIMUM
    return [
        StationaryPoint(
            Enclosure(lo, hi),
            Enclosure(float(value.lo[0]), float(value.hi[0])),
            kind,
            Enclosure(float(curvature.lo[0]), float(curvature.hi[0])),
            multiplicity=root.multiplicity,
        )
    ]


def _undecided(
    objective: GradientObjective, doubtful: list[tuple[float, float, str]]
) -> tuple[Undecided, ...]:
    if not doubtful:
        return ()
    lo, hi = np.array([d[0] for d in doubtful]), np.array([d[1] for d in doubtful])
    value = _in_time(objective, lo, hi, objective.value)
    low = np.nan_to_num(np.maximum(value.lo, 0.0), nan=0.0)  # a cost is never negative
    high = np.nan_to_num(value.hi, nan=np.inf, posinf=np.inf)
    return tuple(
        Undecided(Enclosure(a, b), Enclosure(float(low[i]), float(high[i])), reason)
        for i, (a, b, reason) in enumerate(doubtful)
    )


# --- stationary points -----------------------------------------------------------------------


def _refine_roots(
    objective: GradientObjective, brackets: list[tuple[Run, Kind]], clock: Clock
) -> tuple[StationaryPoint, ...]:
    if not brackets:
        return ()
    lo = np.array([run.lo for run, _ in brackets])
    hi = np.array([run.hi for run, _ in brackets])
    direction = np.array([1.0 if kind is Kind.MINIMUM else -1.0 for _, kind in brackets])

    def derivatives(x: Floats) -> tuple[Floats, Floats]:
        bounds = objective.bounds(x, x)
        return bounds.d1_mid.mid, bounds.d2.mid

    def sides(x: Floats) -> Floats:
        return np.tile(direction, x.size // direction.size) * sides_of_zero(objective, x)

    objective.clock = clock.part(0.5 * POINTS)
    guess = newton(derivatives, lo, hi, direction)
    objective.clock = clock.part(POINTS)
    lo, hi = shrink(sides, guess, lo, hi)
    objective.clock = clock.part(POINTS)
    value, curvature = _values(objective, lo, hi), _curvature(objective, lo, hi)
    objective.clock = clock
    return tuple(
        StationaryPoint(
            Enclosure(float(lo[i]), float(hi[i])),
            Enclosure(float(value.lo[i]), float(value.hi[i])),
            kind,
            Enclosure(float(curvature.lo[i]), float(curvature.hi[i])),
        )
        for i, (_, kind) in enumerate(brackets)
    )


def _values(objective: GradientObjective, lo: Floats, hi: Floats) -> Interval:
    """h over short boxes: the mean-value form h(mid) + h'(X)(X − mid), which h' ≈ 0 makes tight."""

    def over(lo: Floats, hi: Floats) -> Interval:
        box = Interval(lo, hi)
        mid = box.mid
        offset = box - Interval.point(mid)
        centred = objective.value(mid, mid) + objective.bounds(lo, hi).d1 * offset
        return centred.intersect(objective.value(lo, hi)).known()

    # Not cut off at zero, though a cost is never negative: the checker compares with its own bounds.
    return _in_time(objective, lo, hi, over)


def _curvature(objective: GradientObjective, lo: Floats, hi: Floats) -> Interval:
    return _in_time(objective, lo, hi, lambda lo, hi: objective.bounds(lo, hi).d2.known())


def _in_time(
    objective: GradientObjective,
    lo: Floats,
    hi: Floats,
    bounds: Callable[[Floats, Floats], Interval],
) -> Interval:
    """Bounds over boxes, chunk by chunk; [−∞, ∞] for those that there is no time for."""
    low, high = np.full(lo.shape, -np.inf), np.full(lo.shape, np.inf)
    for part in objective.chunks(lo.size):
        try:
            found = bounds(lo[part], hi[part])
        except BudgetError:
            break
        low[part], high[part] = found.lo, found.hi
    return Interval(low, high)


def newton(
    derivatives: Callable[[Floats], tuple[Floats, Floats]],
    lo: Floats,
    hi: Floats,
    direction: Floats,
    iterations: int = 80,
) -> Floats:
    """Roots of monotone functions in brackets, in floating point: Newton, halved where it leaves.

    Guesses, as good as there is time for.
    """
    lo, hi = lo.copy(), hi.copy()
    x = 0.5 * (lo + hi)
    with np.errstate(all="ignore"):
        for _ in range(iterations):
            try:
                d1, d2 = derivatives(x)
            except BudgetError:
                break
            below = direction * d1 < 0
            lo, hi = np.where(below, x, lo), np.where(below, hi, x)
            step = x - d1 / d2
            middle = 0.5 * (lo + hi)
            following = np.where((step > lo) & (step < hi), step, middle)
            # Convergence is quadratic: a step this short leaves an error at the level of rounding.
            done = np.abs(following - x) <= 2.0**-40 * np.abs(x)
            x = following
            if done.all():
                break
    return x


def shrink(
    sides: Callable[[Floats], Floats], guess: Floats, lo: Floats, hi: Floats
) -> tuple[Floats, Floats]:
    """The shortest interval around each guess whose ends are *proved* to lie on opposite sides.

    `sides(x)` is −1 or +1 where a point is proved to lie left or right of what is sought, else 0.
    Intervals widen eightfold until both ends are proved; [lo, hi] is what they fall back to.
    """
    unit = np.maximum(np.spacing(np.abs(guess)), 2.0**-60 * (hi - lo))
    left, right = lo.copy(), hi.copy()
    open_left, open_right = np.ones(lo.shape, bool), np.ones(lo.shape, bool)
    for power in range(18):
        reach = unit * 8.0**power
        a, b = np.maximum(guess - reach, lo), np.minimum(guess + reach, hi)
        proved_a, proved_b = np.split(sides(np.concatenate([a, b])), 2)
        now = open_left & (proved_a < 0)
        left[now], open_left = a[now], open_left & ~now
        now = open_right & (proved_b > 0)
        right[now], open_right = b[now], open_right & ~now
        if not (open_left | open_right).any():
            break
    return left, right


# --- the domain ------------------------------------------------------------------------------


def _domain(objective: GradientObjective, found: list[Run]) -> tuple[OpenInterval, ...]:
    pieces = domain_pieces(found)
    if not pieces:
        return ()
    lefts = _rims(objective, pieces, leftward=True)
    rights = _rims(objective, pieces, leftward=False)
    return tuple(OpenInterval(a, b) for a, b in zip(lefts, rights, strict=True))


def _rims(
    objective: GradientObjective, pieces: list[tuple[Run, Run]], *, leftward: bool
) -> list[Enclosure]:
    """Where each piece of the domain begins (leftward) or ends.

    A run of one sign whose inner side is in the domain holds just one rim, which is then sought. An
    undecided run may hold several: it encloses the end as a whole. And where not even the inner side
    of a run is known to be in the domain, the whole piece encloses its end.
    """
    runs_of_ends = [first if leftward else last for first, last in pieces]
    inner = np.array([run.hi if leftward else run.lo for run in runs_of_ends])
    inside = _inside(objective, inner)
    lo = np.array([run.lo for run in runs_of_ends])
    hi = np.array([run.hi for run in runs_of_ends])
    for i, (first, last) in enumerate(pieces):
        if not inside[i]:
            lo[i], hi[i] = first.lo, last.hi
    single = inside & np.array([run.tag in "+-" for run in runs_of_ends])
    if single.any():
        lo[single], hi[single] = _refine_rims(objective, lo[single], hi[single], leftward=leftward)
    return [Enclosure(float(a), float(b)) for a, b in zip(lo, hi, strict=True)]


def _inside(objective: GradientObjective, w: Floats) -> np.ndarray:
    """Whether gains are known to be in the domain."""
    found = np.zeros(w.shape, bool)
    for part in objective.chunks(w.size):
        try:
            found[part] = objective.slope(w[part])[1]
        except BudgetError:
            break
    return found


def _refine_rims(
    objective: GradientObjective, lo: Floats, hi: Floats, *, leftward: bool
) -> tuple[Floats, Floats]:
    """Where the domain begins (leftward) or ends within [lo, hi], by sections."""
    # Few tasks: calls cost most, so cut in many parts; many tasks: evaluations do, so in few.
    parts = int(np.clip(objective.chunk // (4 * lo.size), 2, 16))
    for _ in range(math.ceil(56 / math.log2(parts))):
        grid = lo[:, None] + (hi - lo)[:, None] * np.linspace(0.0, 1.0, parts + 1)
        grid[:, -1] = hi
        try:
            _, inside, outside = objective.slope(grid.ravel())
        except BudgetError:
            break
        inside, outside = inside.reshape(grid.shape), outside.reshape(grid.shape)
        if leftward:
            inside, outside = outside, inside
        # The rim lies right of the last point still on the near side, left of the first beyond it.
        near = np.where(inside, grid, lo[:, None]).max(axis=1)
        beyond = np.where(outside & (grid >= near[:, None]), grid, hi[:, None]).min(axis=1)
        if ((near == lo) & (beyond == hi)).all():
            break
        lo, hi = near, beyond
    return lo, hi
