"""Gains at which h is finite, drawn at random so that separate pieces of that set are reached.

The set is {W : W and every intermediate gain of every task stabilise}. It is open, rarely convex and
may fall into many pieces: the adaptation step throws a gain far when the gradient is large, and a
second piece begins where it is thrown over the optimum and lands inside again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from jaxtyping import Float

from benign.clock import NO_LIMIT, Clock
from benign.errors import BudgetError, Cause, InfeasibleError
from benign.meta.objective import MetaObjective
from benign.precision import kept
from benign.prove.infeasible import conflict
from benign.searches.descent import Field, descend
from benign.searches.keys import generator
from benign.tasks.lqr import ARRAYS, LQR
from benign.tasks.optima import optima as tasks_optima

GRID = 16
"""Gains tried on a line; a piece thinner than the gap between two of them is met by luck only."""

CHORDS = 2
"""Lines walked for a start: one leaves the hull of the optima, two reach any direction."""

SHORTEST, LONGEST = 0.1, 10.0
"""Half the length of a line, in multiples of the family's length ℓ: log-uniform between these."""

ADAPTED_SHARE, ADAPTED_TICKS = 1 / 3, 60
"""Share of the starts that are first moved to where one task is adapted best, and for how long."""

MOST_SHAPED = 128
"""Numbers in a gain up to which a Hessian is worth its time before anything was searched."""

MOST_CANDIDATES, MOST_STAGES, STAGE_TICKS = 24, 60, 25
"""Effort of the search for a first feasible gain: gains, relaxed problems, gains tried in each."""

MOST_PAIRS, MOST_REPEATED = 15, 64
"""Pairs of tasks examined when no gain was found for all of them; tasks of a family, at most, whose
compiled code serves for a pair of them as well."""


@dataclass(frozen=True)
class Sampler:
    """Random feasible gains.

    Attributes:
        field: h.
        optima: (k, p) the optimum W*_τ of each task, flattened.
        costs: (k,) what it costs; +∞ for a task that has none, whose `optima` are for unit prices.
        anchors: (a, p) gains known to be feasible, by the value of h.
        shape: (p, p) |∇²h|^(−1/2) at the best anchor: the feasible set is about as long in a
            direction as h is flat along it. The identity for more than MOST_SHAPED numbers in a gain.
    """

    field: Field
    optima: Float[np.ndarray, "k p"]
    costs: Float[np.ndarray, " k"]
    anchors: Float[np.ndarray, "a p"]
    shape: Float[np.ndarray, "p p"]

    def draw(self, key: Any, count: int) -> Float[np.ndarray, "N p"]:
        """`count` independent feasible gains; the same for the same key.

        Each begins at a random convex combination of the optima (Dirichlet, parameter ½, which
        favours few of them), drawn halfway towards a random anchor again and again until it is
        feasible. Then CHORDS times: a random line through it, random in direction (isotropic, or
        in the metric of `shape`) and in length; of the stretches of feasible gains on it one at
        random, and in it a gain at random. A stretch and not a gain is what is drawn first, so
        that thin pieces come up as often as wide ones. Last, a share of the gains descends
        f_τ(F_τ(·)) of one random task τ: they end near W − η∇g_τ(W) = W*_τ, the images of an
        optimum under inverse adaptation, near which h has most of its extra minimisers.

        The law is whatever this makes it; it is not uniform on the feasible set.
        """
        rng = generator(key)
        k, a = len(self.optima), len(self.anchors)
        anchor = self.anchors[rng.integers(a, size=count)]
        x = self._pulled(rng.dirichlet(np.full(k, 0.5), size=count) @ self.optima, anchor)
        for _ in range(CHORDS):
            x = self._along_a_line(rng, x)
        task, chosen = rng.integers(k, size=count), rng.random(count) < ADAPTED_SHARE
        if chosen.any():
            weights = (task[chosen, None] == np.arange(k)).astype(float)
            x[chosen] = descend(self.field, x[chosen], ticks=ADAPTED_TICKS, weights=weights).x
        return x

    def _pulled(self, x: np.ndarray, anchor: np.ndarray) -> np.ndarray:
        """x, moved halfway to the anchor until feasible; the anchor itself after twenty halvings."""
        x = x.copy()
        for _ in range(20):
            bad = np.flatnonzero(~self.field.feasible(x))
            if len(bad) == 0:
                return x
            x[bad] = (x[bad] + anchor[bad]) / 2
        bad = ~self.field.feasible(x)
        x[bad] = anchor[bad]
        return x

    def _along_a_line(self, rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
        count, p = x.shape
        direction = rng.normal(size=(count, p))
        shaped = rng.random((count, 1)) < 0.5
        direction = np.where(shaped, direction @ self.shape, direction)
        direction /= np.maximum(np.linalg.norm(direction, axis=1, keepdims=True), 1e-300)
        half = self.field.length * SHORTEST * (LONGEST / SHORTEST) ** rng.random((count, 1))
        # Cells of equal width, a gain at random in each: a fixed grid would miss the same pieces.
        t = half * (2 * (np.arange(GRID) + rng.random((count, GRID))) / GRID - 1)
        line = x[:, None, :] + t[:, :, None] * direction[:, None, :]
        fine = self.field.feasible(line.reshape(-1, p)).reshape(count, GRID)
        choice = _one_of_a_stretch(fine, rng.random((count, 2)))
        moved = line[np.arange(count), np.maximum(choice, 0)]
        return np.where((choice >= 0)[:, None], moved, x)


def _one_of_a_stretch(fine: np.ndarray, u: np.ndarray) -> np.ndarray:
    """In each row the index of a true entry, stretches of them equally likely; −1 without any."""
    begins = fine & ~np.pad(fine, ((0, 0), (1, 0)))[:, :-1]
    label = np.cumsum(begins, axis=1) * fine
    wanted = 1 + np.floor(u[:, :1] * label.max(axis=1, keepdims=True))
    inside = label == wanted
    nth = np.floor(u[:, 1] * inside.sum(axis=1))
    found = np.argmax(inside & (np.cumsum(inside, axis=1) == 1 + nth[:, None]), axis=1)
    return np.where(fine.any(axis=1), found, -1)


def make_sampler(objective: MetaObjective, key: Any, *, clock: Clock = NO_LIMIT) -> Sampler:
    """A sampler of the gains at which h is finite.

    Args:
        objective: the meta-objective.
        key: of `searches.keys` or `jax.random`, for the search for a first feasible gain.
        clock: the time there is.

    Raises:
        InfeasibleError: no feasible gain was found. The message names tasks that conflict already, or
            the step if it is to blame. With a certificate it is proved that there is none; otherwise
            that is what a search found.
        BudgetError: time ran out.
    """
    family, p = objective.family, objective.family.m * objective.family.n
    optima, costs = _optima(objective, clock)
    length = float(np.max(np.linalg.norm(optima, axis=1)))
    if not length > 0:
        length = 1 / max(float(np.max(np.abs(np.asarray(family.tasks.B)))), 1e-300)
    level = float(np.sum(np.asarray(family.weights) * np.where(np.isfinite(costs), costs, 0.0)))
    field = Field(objective, length, level, clock=clock)
    candidates = _candidates(optima, key)
    fine = field.feasible(candidates)
    if not fine.any() and (proved := conflict(objective.problem, clock)) is not None:
        raise proved
    anchors = candidates[fine] if fine.any() else _reach(field, candidates)
    if anchors is None:
        raise _why_not(field, optima, candidates)
    values, _ = field.probe(anchors)
    if not level > 0:  # nothing costs anything at the optima: take what h is where we begin
        field.level = max(float(np.median(values)), np.finfo(float).tiny)
    anchors = anchors[np.argsort(values, kind="stable")]
    shape = np.eye(p)
    if p <= MOST_SHAPED:
        lam, vec = np.linalg.eigh(field.hessians(anchors[:1])[0])
        size = np.maximum(np.abs(lam), 1e-6 * np.max(np.abs(lam)))
        if size.all():
            shape = (vec / np.sqrt(size)) @ vec.T
    return Sampler(field, optima, costs, anchors, shape)


def _optima(
    objective: MetaObjective, clock: Clock
) -> tuple[Float[np.ndarray, "k p"], Float[np.ndarray, " k"]]:
    """Each task's optimum, and its cost; where there is none, the optimum for unit prices.

    A task has none where its prices leave an unstable mode unseen, as for Q = 0: then no gain is best
    within what the Riccati solver can tell, and a gain that stabilises is all that is wanted here.
    """
    tasks = objective.family.tasks
    W, costs = tasks_optima(tasks, clock)
    lost = ~np.isfinite(costs)
    if lost.any():
        other, _ = tasks_optima(_priced(tasks), clock)
        W = np.where(lost[:, None, None], other, W)
    return W.reshape(len(costs), -1), costs


def _priced(tasks: LQR) -> LQR:
    """The same dynamics with Q, R and S0 the identity, no N: coercive, whatever the prices are."""
    n, m = tasks.n, tasks.m
    k = tasks.A.shape[0]
    sizes = {"Q": n, "R": m, "S0": n}
    unit = {x: kept(np.tile(np.eye(size), (k, 1, 1))) for x, size in sizes.items()}
    return tasks.changed(**unit, N=None)


def _candidates(optima: np.ndarray, key: Any) -> np.ndarray:
    """The mean of the optima, the optima, random combinations of them and zero."""
    k = len(optima)
    mix = generator(key).dirichlet(np.ones(k), size=8)
    rows = [optima.mean(axis=0, keepdims=True), optima[: MOST_CANDIDATES - 10], mix @ optima]
    return np.concatenate([*rows, np.zeros((1, optima.shape[1]))])


# --- the first feasible gain -----------------------------------------------------------------


def _discounted(field: Field, discount: float) -> Field:
    """h at η = 0, every discount multiplied by `discount`, unit prices: the same compiled code.

    Which gains stabilise does not depend on the prices, and unit prices see every mode: a cost that
    does not would leave the descent where it is.
    """
    h = field.objective
    tasks = _slowed(_priced(h.family.tasks), discount)
    if tasks.adaptation is not None:
        tasks = tasks.changed(adaptation=_slowed(tasks.adaptation, discount))
    still = with_eta(h, 0.0)
    return replace(field, objective=still.changed(family=h.family.changed(tasks=tasks)))


def _slowed(tasks: LQR, discount: float) -> LQR:
    return tasks.changed(discount=kept(np.asarray(tasks.discount) * discount))


def with_eta(h: MetaObjective, eta: float) -> MetaObjective:
    """h with another step size, which may be zero."""
    return h.changed(step=h.step.changed(eta=kept(eta)))


def _eased(field: Field, share: float) -> Field:
    """h with η multiplied by `share`."""
    h = field.objective
    return replace(field, objective=with_eta(h, float(h.step.eta) * share))


def _reach(field: Field, x: np.ndarray) -> Float[np.ndarray, "a p"] | None:
    """Feasible gains by continuation, or None.

    With discount γ → 0 every gain is feasible. Descending h at a small γ moves gains inwards, so
    that γ can be raised, until it is 1; all this at η = 0 and for unit prices. Then η is raised in
    the same way, for the prices of the tasks.

    Source: J. Perdomo, J. Umenberger and M. Simchowitz, Stabilizing dynamical systems via policy
    gradient methods (2021), for one system; that it may fail for several is the nature of them.
    """
    stable = _continued(field, x, discount=True)
    return None if stable is None else _continued(field, stable, discount=False)


def _continued(field: Field, x: np.ndarray, *, discount: bool) -> np.ndarray | None:
    def at(s: float) -> Field:
        return _discounted(field, s) if discount else _eased(field, s)

    if not discount and not at(0.0).feasible(x).any():
        return None
    now = 1.0
    if discount:
        while now > 1e-12 and not at(now).feasible(x).any():
            now /= 4
    else:
        now = 0.0
    for _ in range(MOST_STAGES):
        relaxed = at(now)
        x = x[relaxed.feasible(x)]
        x = descend(relaxed, x, ticks=STAGE_TICKS).x
        if now == 1.0:
            return x
        target = 1.0
        while not at(target).feasible(x).any():
            target = (now + target) / 2
            if target - now <= 1e-3 * target:
                return None
        now = target
    return None


def _why_not(field: Field, optima: np.ndarray, candidates: np.ndarray) -> InfeasibleError:
    """What was tried in vain, and the smallest set of tasks for which it is in vain already."""
    family, eta = field.objective.family, float(field.objective.step.eta)
    names, k = family.names, len(family)
    start = (
        "no gain was found that stabilises every task before and after adaptation (which does not "
        "prove that there is none)"
    )
    if _continued(field, candidates, discount=True) is not None:
        return InfeasibleError(
            f"{start}: gains that stabilise the tasks exist, but the adaptation step throws them "
            f"out; lower eta (it is {eta:g})",
            cause=Cause.STEP,
        )
    if k == 1:
        return InfeasibleError(
            f"{start}; gains so near the rim of stability may exist that float64 cannot tell",
            cause=Cause.UNKNOWN,
        )

    def part(tasks: tuple[int, ...]) -> Field:
        """These tasks only, repeated to the shape of the family, hence the same compiled code."""
        index = np.resize(np.array(tasks), k if k <= MOST_REPEATED else 2)
        few = _some(family.tasks, index)
        if few.adaptation is not None:
            few = few.changed(adaptation=_some(few.adaptation, index))
        weights = kept(np.full(len(index), 1 / len(index)))
        own = family.changed(tasks=few, weights=weights)
        return replace(field, objective=field.objective.changed(family=own))

    pairs = _likely_pairs(optima)
    for pair in pairs:
        try:
            in_vain = _continued(part(pair), candidates, discount=True) is None
        except BudgetError:
            return InfeasibleError(
                f"{start}; which tasks conflict was not found out in the time given",
                cause=Cause.UNKNOWN,
            )
        if in_vain:
            first, second = (names[i] for i in pair)
            return InfeasibleError(
                f"{start}; `{first}` and `{second}` conflict already: split the family",
                cause=Cause.CONFLICT,
                tasks=(first, second),
            )
    tried = (
        "no two tasks conflict" if 2 * len(pairs) == k * (k - 1) else "no two tasks examined conflict"
    )
    return InfeasibleError(
        f"{start}; {tried} alone: split the family, or drop a task", cause=Cause.CONFLICT
    )


def _some(tasks: LQR, index: np.ndarray) -> LQR:
    """Tasks of a stack, by their positions."""
    arrays = ((field, getattr(tasks, field)) for field in ARRAYS)
    return tasks.changed(**{field: kept(np.asarray(x)[index]) for field, x in arrays if x is not None})


def _likely_pairs(optima: np.ndarray) -> list[tuple[int, int]]:
    """The pairs of tasks whose optima are furthest apart, MOST_PAIRS of them at most.

    Of large families only the tasks that lie furthest out in some direction are looked at.
    """
    k = len(optima)
    chosen = range(k)
    if k > MOST_REPEATED:
        away = optima - optima.mean(axis=0)
        directions = np.random.default_rng(0).normal(size=(optima.shape[1], MOST_REPEATED // 2))
        along = away @ directions
        chosen = sorted({*np.argmax(along, axis=0).tolist(), *np.argmin(along, axis=0).tolist()})
    pairs = sorted(
        combinations(chosen, 2),
        key=lambda pair: -float(np.linalg.norm(optima[pair[0]] - optima[pair[1]])),
    )
    return pairs[:MOST_PAIRS]
