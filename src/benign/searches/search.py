"""The search: stationary points of h of every kind, from many starts, in any dimension."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from benign.certificates.gains import gain_cost
from benign.certificates.regret import REGRET
from benign.clock import NO_LIMIT, Clock, clock_of
from benign.errors import BudgetError, ClaimError
from benign.exact.numbers import seed_of, starts_of
from benign.folders import require_place
from benign.meta.given import as_objective
from benign.meta.objective import MetaObjective
from benign.precision import in_float64
from benign.prove.certify import certify
from benign.results.documents import about_landscape
from benign.results.landscape import Kind
from benign.results.met import ObservedPoint, Run, kind_of, missing_mass
from benign.results.observed import ObservedLandscape
from benign.searches.descent import NOISY, Field, Polished, descend, polish, signs
from benign.searches.keys import Key, fold_in, key_of, split
from benign.searches.sampling import Sampler, make_sampler
from benign.tasks.given import require_callable

ROUND = 32
"""Starts between two looks at the missing mass."""

ENOUGH, FEWEST_ROUNDS = 0.01, 4
"""The search stops at a missing mass below this, after so many rounds at the earliest."""

MERGED = 1e-5
"""Points within this multiple of the larger of ℓ and ‖W‖ are one. Newton's method ends within 1e-7 of
a stationary point (`SETTLED_STEP`), in practice within 1e-10; two stationary points that are closer
than this to one another are about to meet and vanish, and are not told apart."""

SAME_VALUE = 1e-9
"""Degenerate points whose values agree to this are one: they lie in a valley of equal values, or
where h is so flat that the place is not determined. (A guess, which may join two such places.) Near
the rim, where h is not known that well, NOISY times its rounding counts instead."""

DESCENT_TICKS, POLISH_TICKS, NEWTON_TICKS = 400, 25, 40
"""Gains tried for a start, at most: in a descent, in the polish after it, in a search for saddles."""

DESCENT_SHARE = 0.75
"""The part of a budget that draws and descends; the rest is for Newton's method."""

AT_ONCE = 3e6
"""Starts times k n³ that go down together, ROUND starts at most: what time cuts off is the last piece,
and all of it, so that the list does not depend on how far it had come."""

KICK, KICKS = 0.02, 2
"""A descent that ended at a saddle goes on from this multiple of ℓ away, so many times at most."""

BETWEEN = 15
"""Gains looked at between two minimisers for the highest, where a search for a saddle starts."""

CHEAP, LEAST, MOST = 200, 32, 1024
"""Random starts by default: MOST while k (mn)² n² is below CHEAP, then fewer in proportion to the
root of that, LEAST at the least."""

PASSES = 96
"""Searches for saddles and maxima between minimisers; as many again from random starts, scaled as the
starts are."""


MOST_CERTIFIED = 12
"""Minimisers that `certified` provides with a certificate, the best ones."""


def certified(landscape: ObservedLandscape, clock: Clock = NO_LIMIT) -> ObservedLandscape:
    """The same landscape, its best minimisers with a certified gap (the regret bound).

    A minimiser whose gap cannot be certified keeps none, nor one for which there is no time.
    """
    problem, made, longest = landscape.problem, [], 0.0
    expected = gain_cost(problem).seconds if clock.limited else 0.0
    for point in landscape.minimizers[:MOST_CERTIFIED]:
        if clock.left < max(longest, expected if not made else 0.0):
            break
        before = clock.used
        try:
            made.append(certify(problem, point.W, REGRET))
        except ClaimError:
            made.append(None)
        longest = max(longest, clock.used - before)
    return landscape.with_certificates(made)


@in_float64
def search(
    objective: Any,
    *,
    eta: Any = None,
    step: Any = None,
    shots: Any = None,
    budget: Any = None,
    starts: Any = None,
    seed: Any = 0,
    out: str | os.PathLike[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ObservedLandscape:
    """Stationary points of h(W) = Σ ω_τ f_τ(F_τ(W)): minima, saddles, maxima, as far as they are met.

    Rounds of ROUND starts drawn over the feasible set (`Sampler.draw`) descend by BFGS with
    backtracking and are polished by Newton's method; the optima, their mean and a few more do so
    once. A descent that ends at a saddle leaves it along the most negative curvature. Rounds go on
    until the estimated chance that another start ends at a minimiser not seen yet (`missing_mass`)
    is below ENOUGH, or the starts or the budget are used up. Then Newton's method looks for saddles
    and maxima from the highest gains between pairs of minimisers and from random ones. What comes
    within MERGED of one another is one point.

    For the normalised step this sees the smooth part of the landscape only. A minimum at a jump (the
    optimum of a task, where the step changes sides) is no stationary point: a descent steps over it,
    or stops there and is counted among the starts that ended at no stationary point. So is one that
    runs to a rim where h stays finite. A descent may also step from one piece of the feasible set
    to another; the hits count where this method ends, not the basins of the gradient flow.

    Args:
        objective: a `MetaObjective`, an exact `Problem`, or a family of any form with its step.
        eta, step, shots: the step of a family, as in `MetaObjective`.
        budget: seconds it may take, or "30s". All that time does is to cut the number of starts, and
            the verdict says so: the list is that of a search from so many starts. (Of searches for
            saddles and maxima there may be fewer.) Starts end after DESCENT_SHARE of it.
        starts: random starts at most; by default 1024 for small families and fewer for large ones.
        seed: of the starts. The same seed, starts and machine give the same answer.
        out: a directory, made if need be, that the result is saved to.
        progress: called with (starts done, starts at most) after every round.

    Returns:
        What was observed; nothing of it is a proof.

    Raises:
        UsageError: the objective is none.
        InfeasibleError: no feasible gain was found; with a certificate where that is proved.
        ProblemError: starts < 1; budget < 0.
        BudgetError: time ran out before anything was met.
    """
    clock = clock_of(budget)
    h = as_objective(objective, "search", eta=eta, step=step, shots=shots)
    if out is not None:
        require_place(out, about_landscape(h.problem))
    starts = None if starts is None else starts_of(starts)
    require_callable(progress, "search", "progress")
    found = _searched(h, starts, seed_of(seed), clock, progress)
    if out is not None:
        found.save(out)
    return found


def _searched(
    objective: MetaObjective,
    starts: int | None,
    seed: int,
    clock: Clock,
    progress: Callable[[int, int], None] | None,
) -> ObservedLandscape:
    began = time.perf_counter()
    clock.check("the search")
    most = _default_starts(objective) if starts is None else starts
    first, drawing, newton = split(key_of(seed), 3)
    sampler = make_sampler(objective, first, clock=clock)
    hunt = _Hunt(sampler.field)
    # The best anchor alone at first: where a budget is short it should buy one minimum at least.
    hunt.descend(sampler.anchors[:1], "anchor")
    sampler.field.clock = clock.part(DESCENT_SHARE)
    done, rounds, cut = _descents(hunt, sampler, drawing, most, progress)
    sampler.field.clock = clock
    fewer = not _hunt_saddles(hunt, sampler, newton, max(2, PASSES * min(most, MOST) // MOST))
    if not hunt.x:
        clock.check("the first descent")
    points, order = _points(hunt, objective, sampler)
    return ObservedLandscape(
        problem=objective.problem,
        met=points,
        missing_mass=missing_mass(hunt.minimiser_hits()),
        starts=done,
        converged=sum(hunt.minimiser_hits()),
        runs=tuple(Run(start, order[i], method) for start, i, method in hunt.runs),
        facts={
            "seconds": time.perf_counter() - began,
            "rounds": float(rounds),
            "gradients": float(sampler.field.evaluations["gradients"]),
            "hessians": float(sampler.field.evaluations["hessians"]),
            **({"starts cut off": float(most - done)} if cut else {}),
            **({"searches for saddles cut off": 1.0} if fewer else {}),
        },
    )


def _descents(
    hunt: _Hunt,
    sampler: Sampler,
    drawing: Key,
    most: int,
    progress: Callable[[int, int], None] | None,
) -> tuple[int, int, bool]:
    """Descents from the anchors and from random starts: starts, rounds, and whether time cut them."""
    done = rounds = 0
    try:
        # As many as suit the family, whatever is wanted: a list that is cut is that of fewer starts.
        anchors = sampler.anchors[1 : _default_starts(sampler.field.objective) // 4]
        for piece in _pieces(sampler, anchors):
            hunt.descend(piece, "anchor")
        while done < most:
            count = min(ROUND, most - done)
            # Always a full round, so that the first starts do not depend on how many are wanted.
            drawn = sampler.draw(fold_in(drawing, rounds), ROUND)[:count]
            for piece in _pieces(sampler, drawn):
                hunt.descend(piece, "random")
                done += len(piece)
            rounds += 1
            if progress is not None:
                progress(done, most)
            if rounds >= FEWEST_ROUNDS and missing_mass(hunt.minimiser_hits()) <= ENOUGH:
                break
    except BudgetError:
        return done, rounds, True
    return done, rounds, False


def _pieces(sampler: Sampler, x: Float[np.ndarray, "N p"]) -> list[Float[np.ndarray, "N p"]]:
    """The starts, in pieces that go down together; their size depends on the family alone."""
    family = sampler.field.objective.family
    size = int(np.clip(AT_ONCE // (len(family) * family.n**3), 1, ROUND))
    return [x[i : i + size] for i in range(0, len(x), size)]


def _default_starts(objective: MetaObjective) -> int:
    family = objective.family
    # A Hessian is mn directional derivatives, each a few products of n × n matrices a task.
    work = len(family) * (family.m * family.n) ** 2 * family.n**2
    return int(max(LEAST, min(MOST, MOST * (CHEAP / work) ** 0.5)) // ROUND * ROUND)


# --- what was met ----------------------------------------------------------------------------


@dataclass
class _Hunt:
    """The points met so far, without duplicates, and the runs that met them."""

    h: Field
    x: list[Float[np.ndarray, " p"]] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    gradient: list[float] = field(default_factory=list)
    eigenvalues: list[Float[np.ndarray, " p"]] = field(default_factory=list)
    signs: list[Float[np.ndarray, " p"]] = field(default_factory=list)
    rounding: list[float] = field(default_factory=list)
    hits: list[int] = field(default_factory=list)
    runs: list[tuple[Float[np.ndarray, "m n"], int, str]] = field(default_factory=list)

    def minimiser_hits(self) -> list[int]:
        """How many random starts ended at each point where any did."""
        return [hits for hits in self.hits if hits > 0]

    def descend(self, x: Float[np.ndarray, "N p"], method: str) -> None:
        """Descents from x, and a hit for each point where one from a random start ends.

        Raises:
            BudgetError: time ran out; nothing of these descents is kept.
        """
        with self._all_or_nothing():
            self._descend(x, method)

    def search(self, x: Float[np.ndarray, "N p"]) -> None:
        """Newton's method from x, to stationary points of every kind; errors as of `descend`."""
        with self._all_or_nothing():
            ends = polish(self.h, x, ticks=NEWTON_TICKS)
            for start, point in zip(x, self.record(ends), strict=True):
                if point >= 0:
                    self.note(start, int(point), "newton")

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        before = {name: list(value) for name, value in vars(self).items() if isinstance(value, list)}
        try:
            yield
        except BudgetError:
            vars(self).update(before)
            raise

    def _descend(self, x: Float[np.ndarray, "N p"], method: str) -> None:
        starts, owner = x, np.arange(len(x))
        for attempt in range(KICKS + 1):
            below = descend(self.h, x, ticks=DESCENT_TICKS)
            ends = polish(self.h, below.x, ticks=POLISH_TICKS)
            met = self.record(ends)
            size = np.maximum(np.abs(below.value), self.h.level)
            # Newton's method may end at a saddle higher up, which is not where the descent led.
            with np.errstate(invalid="ignore"):
                sunk = (met >= 0) & (ends.value <= below.value + 1e-8 * size)
            for i in np.flatnonzero(met >= 0):
                falling = (self.signs[met[i]] < 0).any()
                if sunk[i] and not falling:
                    self.note(starts[owner[i]], int(met[i]), method)
                else:
                    self.note(starts[owner[i]], int(met[i]), "newton")
            again = np.flatnonzero(sunk & (ends.eigenvalues[:, 0] < 0))
            again = again[[(self.signs[met[i]] < 0).any() for i in again]] if len(again) else again
            if len(again) == 0 or attempt == KICKS:
                return
            x, owner = self._kicked(ends, again), owner[again]

    def _kicked(self, ends: Polished, i: Int[np.ndarray, " K"]) -> Float[np.ndarray, "K p"]:
        """A step off each saddle, to the lower side; smaller where that is infeasible."""
        step = KICK * self.h.length * ends.vectors[i, :, 0]
        best, lowest = ends.x[i].copy(), ends.value[i].copy()
        for size in (1.0, -1.0, 0.1, -0.1, 0.01, -0.01):
            value, _ = self.h.probe(ends.x[i] + size * step)
            lower = value < lowest
            best[lower], lowest[lower] = (ends.x[i] + size * step)[lower], value[lower]
        return best

    def note(self, start: Float[np.ndarray, " p"], point: int, method: str) -> None:
        """A run that ended at a point."""
        family = self.h.objective.family
        self.runs.append((start.reshape(family.m, family.n).copy(), point, method))
        if method == "random":
            self.hits[point] += 1

    def record(self, ends: Polished) -> Int[np.ndarray, " N"]:
        """The position of each end among the points, a new one if need be; −1 if it settled nowhere."""
        found = np.full(len(ends.x), -1)
        changed: set[int] = set()
        settled = np.flatnonzero(ends.settled)
        rounding = np.zeros(len(ends.x))
        rounding[settled] = self.h.rounding(ends.x[settled])
        sign = signs(self.h, ends.eigenvalues, ends.value, rounding)
        for i in settled:
            known = self._known(ends.x[i], float(ends.value[i]), sign[i], float(rounding[i]))
            if known is None:
                known = len(self.x)
                self.x.append(ends.x[i])
                self.value.append(float(ends.value[i]))
                self.gradient.append(float(ends.gradient[i]))
                self.eigenvalues.append(ends.eigenvalues[i])
                self.signs.append(sign[i])
                self.rounding.append(float(rounding[i]))
                self.hits.append(0)
            elif ends.gradient[i] < self.gradient[known]:
                self.x[known], self.value[known] = ends.x[i], float(ends.value[i])
                self.gradient[known] = float(ends.gradient[i])
                self.eigenvalues[known] = ends.eigenvalues[i]
                self.rounding[known] = float(rounding[i])
            else:
                found[i] = known
                continue
            found[i] = known
            changed.add(known)
        self._look_again(sorted(changed))
        return found

    def _look_again(self, points: list[int]) -> None:
        """The eigenvalues at these points themselves: Newton's are of one accepted step before."""
        if not points:
            return
        eigenvalues = np.linalg.eigvalsh(self.h.hessians(np.array([self.x[i] for i in points])))
        value, rounding = (np.array([row[i] for i in points]) for row in (self.value, self.rounding))
        sign = signs(self.h, eigenvalues, value, rounding)
        for i, own, own_sign in zip(points, eigenvalues, sign, strict=True):
            self.eigenvalues[i], self.signs[i] = own, own_sign

    def _known(self, x: np.ndarray, value: float, sign: np.ndarray, rounding: float) -> int | None:
        if not self.x:
            return None
        distance = np.linalg.norm(np.array(self.x) - x, axis=1)
        nearest = int(np.argmin(distance))
        if distance[nearest] <= MERGED * max(self.h.length, float(np.linalg.norm(x))):
            return nearest
        if kind_of(sign) is Kind.DEGENERATE:
            for i, other in enumerate(self.value):
                same = max(SAME_VALUE, NOISY * rounding)
                alike = abs(other - value) <= same * max(abs(value), self.h.level)
                if alike and (self.signs[i] == sign).all():
                    return i
        return None


# --- saddles and maxima ------------------------------------------------------------------------


def _hunt_saddles(hunt: _Hunt, sampler: Sampler, key: Key, count: int) -> bool:
    """Newton searches from the tops between neighbouring minimisers, and from random gains.

    Returns:
        Whether there was time for all of them.
    """
    try:
        starts = np.concatenate([_tops(hunt, count), sampler.draw(key, count)])
        for piece in _pieces(sampler, starts):
            hunt.search(piece)
    except BudgetError:
        return False
    return True


def _tops(hunt: _Hunt, count: int) -> Float[np.ndarray, "N p"]:
    """The highest gain on the segment between two minimisers, for the closest pairs.

    A pass between two valleys is a saddle, and the top of the segment is a rough guess of it. Pairs
    whose segment leaves the feasible set may lie in different pieces and are left out.
    """
    low = [i for i, sign in enumerate(hunt.signs) if not (sign < 0).any()]
    pairs = [(i, j) for a, i in enumerate(low) for j in low[a + 1 :]]
    pairs.sort(key=lambda pair: float(np.linalg.norm(hunt.x[pair[0]] - hunt.x[pair[1]])))
    p = hunt.h.p
    if not pairs:
        return np.empty((0, p))
    t = np.linspace(0, 1, BETWEEN + 2)[1:-1, None]
    segments = np.array([(1 - t) * hunt.x[i] + t * hunt.x[j] for i, j in pairs[:count]])
    values, _ = hunt.h.probe(segments.reshape(-1, p))
    values = values.reshape(len(segments), BETWEEN)
    inside = np.isfinite(values).all(axis=1)
    return segments[np.flatnonzero(inside), np.argmax(values, axis=1)[inside]]


# --- the result --------------------------------------------------------------------------------


def _points(
    hunt: _Hunt, objective: MetaObjective, sampler: Sampler
) -> tuple[tuple[ObservedPoint, ...], list[int]]:
    """The points by increasing value, and the new position of each."""
    if not hunt.x:
        return (), []
    family, x = objective.family, np.array(hunt.x)
    costs = sampler.costs
    best = float(np.sum(np.asarray(family.weights) * np.where(np.isfinite(costs), costs, 0.0)))
    by_value = sorted(range(len(x)), key=lambda i: hunt.value[i])
    points = tuple(
        ObservedPoint(
            W=_frozen(x[i].reshape(family.m, family.n)),
            height=hunt.value[i],
            gradient_norm=hunt.gradient[i],
            kind=kind_of(hunt.signs[i]),
            eigenvalues=_frozen(hunt.eigenvalues[i]),
            hits=hunt.hits[i],
            regret=hunt.value[i] - best,
            rounding=hunt.rounding[i],
        )
        for i in by_value
    )
    order = [0] * len(x)
    for position, i in enumerate(by_value):
        order[i] = position
    return points, order


def _frozen(array: np.ndarray) -> np.ndarray:
    copy = array.copy()
    copy.setflags(write=False)
    return copy
