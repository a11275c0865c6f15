"""The verb `recommend`: a grid of step sizes and variants, what each of them gives, and one advice."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from jaxtyping import Float

from benign.clock import Clock, beside, clock_of
from benign.errors import (
    BenignError,
    BudgetError,
    Cause,
    FileFormatError,
    InfeasibleError,
    ProblemError,
)
from benign.exact.documents import problem_to_json
from benign.exact.numbers import seed_of, starts_of
from benign.exact.problem import Family, Problem, Task, make_step
from benign.exact.rounding import at_least
from benign.folders import require_place
from benign.meta.given import meta_objective, settings_of
from benign.precision import in_float64
from benign.prove.boxes import below as few_parameters
from benign.prove.line.enumeration import analyze
from benign.prove.single import reason as of_one_minimum
from benign.results.below import LandscapeBelow
from benign.results.documents import about_sweep
from benign.results.enclosure import Enclosure
from benign.results.observed import ObservedLandscape
from benign.searches.coming import require_time
from benign.searches.keys import key_of, split
from benign.searches.sampling import make_sampler
from benign.searches.search import search
from benign.sweeps.advice import decide
from benign.sweeps.gradient_descent import follow
from benign.sweeps.journal import Journal
from benign.sweeps.recommendation import (
    Cell,
    Recommendation,
    Variant,
    Word,
    cell_document,
    cell_from,
    variant_problem,
)
from benign.tasks.given import as_exact_family, described, require_callable, several
from benign.tasks.normalizing import measure, normalize
from benign.training.starts import largest_eta, largest_feasible_eta

STARTS = 64
"""Random starts in each cell: a share is known to about an eighth."""

SCALAR_SIZES, SIZES = 9, 6
"""Step sizes by default, for one parameter and for more (there a cell takes seconds)."""

SPAN = 64.0
"""The largest step size by default is this multiple of the smallest."""

SAFE = 0.95
"""The largest step size by default, as a share of the largest that is feasible."""

BUDGET = 120.0
"""Seconds for the whole grid by default where there is more than one parameter."""

SHORTEST = 3.0
"""Seconds that a cell may take at least, if twice that is left: most are done much sooner."""

COMPILING = 0.6
"""The share of what is left that the first cell of each kind of step may use."""

MEASURES, WORTH_ASKING = 6, 64
"""How often each task is measured (optimum, curvature …); tasks up to which that takes no time, nor
does asking whether Theorem S applies."""

LAYING = 0.4
"""The share of what is left in which the largest step size of a variant is sought."""

SEARCHING = 0.4
"""The share of a cell's time that the search before a proof may use."""

LISTING = 0.7
"""The share of a cell's time that lists its minima; descents from random starts have the rest."""

REACHED = 1e-6
"""A descent reached the least value if it ended within this multiple of it."""

LATE = 0.95
"""Where the list of minimisers may not be complete, the worst counts what this share attained."""

Progress = Callable[[str, int, int], None]
"""Called with a cell in words, the cells done, and how many there are."""


@in_float64
def recommend(
    objective: Any,
    *,
    eta: Any = None,
    etas: Iterable[Any] | None = None,
    variants: Sequence[Variant | str] | None = None,
    shots: Any = None,
    budget: Any = None,
    starts: Any = STARTS,
    seed: Any = 0,
    out: str | os.PathLike[str] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Recommendation:
    """Which variant, which step size: ε, attained cost and share of good starts over a grid.

    In each cell (variant, η) the local minima of h(W) = Σ ω_τ f_τ(F_τ(W)) are listed: proved for one
    parameter; proved below a level as far as the time goes for two to four and the gradient step;
    else observed by a search. At each of them the average cost after adaptation is computed in the
    *original* costs, so that variants compare. Random starts are drawn over the feasible set
    (`Sampler.draw`, the law of `train(start="random")`), and followed by gradient descent with
    backtracking.

    The advice is the cell whose *worst* minimum costs least, because that is what a run attains
    wherever it begins; the step size in use is kept unless that gains half a per cent. It rests on the
    cells that were looked at.

    Args:
        objective: a family of any form; or an objective, whose step is the one in use.
        eta: the step size in use, of the gradient step; by default that of the objective, or the first
            that a file suggests. Without it the advice begins from the best one.
        etas: step sizes to look at, for every variant; strings and fractions are kept exactly. By
            default a geometric grid, 64 to 1. For the gradient step it ends at 95 % of the largest
            η for which a feasible gain was found, or at 2/λ, λ the least of the tasks' curvatures
            λ_max(∇²g_τ) at their optima, where that is less: beyond it every task's adaptation moves
            away from its optimum. For the normalised step η is a length; there it ends at the largest
            distance between two tasks' optima (or half their size, if they agree).
        variants: "gradient", "normalized-costs", "normalized-step"; all that differ by default.
        shots: of adaptation; by default those of the objective or the file, else 1.
        budget: seconds, or text such as "30s", for all of it, compilation included; cells that are not
            reached are left out, and counted. By default two minutes where there is more than one
            parameter. With it the answer depends on the machine.
        starts: random starts in each cell.
        seed: of the starts and of the searches.
        out: a directory, made if need be, that the result is saved to.
        checkpoint: a file in which the cells that are done are kept, and from which it goes on.
        progress: called before every cell.

    Raises:
        UsageError: neither a family nor an objective.
        ProblemError: no gain stabilises all tasks; no step size is feasible (the message says the
            largest that is); a task whose cost cannot be normalised, where that was asked for; a
            setting out of range.
        BudgetError: time ran out, or is sure to, before one cell was looked at.

    Source: arXiv 2006.00453, the discussion of Figures 2 and 3; grid, criterion and thresholds: ours.
    """
    clock = clock_of(budget)
    starts, seed = starts_of(starts), seed_of(seed)
    require_callable(progress, "recommend", "progress")
    if not clock.total > 0:
        raise ProblemError(f"budget: a positive number of seconds is needed, got {budget}")
    variants = None if variants is None else several(variants, "variants", "recommend")
    family, used = settings_of(objective, "recommend")
    if used is not None and used.kind == "gradient" and eta is None:
        eta = used.eta if variants is None or Variant.GRADIENT in variants else None
    shots = make_step("gradient", 1, shots if shots is not None else used.shots if used else 1).shots
    exact = as_exact_family(family, "recommend")
    if out is not None:
        require_place(out, about_sweep("recommendation", exact, "gradient", shots))
    tasks = problem_to_json(Problem(exact, make_step("gradient", 1, shots)))
    journal = Journal(checkpoint, ["recommendation", tasks, starts, seed])
    found = _recommended(exact, eta, etas, variants, shots, clock, starts, seed, journal, progress)
    if out is not None:
        found.save(out)
    return found


def _recommended(
    exact: Family,
    eta: Any,
    etas: Iterable[Any] | None,
    variants: Sequence[Variant | str] | None,
    shots: int,
    clock: Clock,
    starts: int,
    seed: int,
    journal: Journal,
    progress: Progress | None,
) -> Recommendation:
    _require_time(exact, clock)
    chosen = _variants(exact, variants)
    present = None if eta is None else make_step("gradient", eta, shots).eta
    if present is not None and Variant.GRADIENT not in chosen:
        raise ProblemError('eta: it is that of the gradient step; add "gradient" to the variants')
    if not clock.limited and not exact.is_scalar:
        clock = Clock(BUDGET)
    grid, missed = _grid(exact, chosen, etas, present, shots, seed, clock)
    cells, more = _cells(exact, grid, shots, starts, seed, clock, journal, progress)
    missed += more
    if all(cell.word is Word.INFEASIBLE for cell in cells):
        raise _infeasible(exact, grid, shots, seed, missed, clock)
    order = {variant: i for i, variant in enumerate(Variant)}
    cells.sort(key=lambda cell: (order[cell.variant], cell.eta))
    now = next((c for c in cells if c.variant is Variant.GRADIENT and c.eta == present), None)
    optimum = _mean_optimum(exact)
    advice, best, reason = decide(cells, now, optimum, missed)
    if exact.is_scalar and len(exact.tasks) <= WORTH_ASKING:
        sentence = of_one_minimum(variant_problem(exact, best.variant, best.eta, shots))
        reason = "\n".join(filter(None, (reason, sentence)))
    return Recommendation(
        family=exact,
        shots=shots,
        cells=tuple(cells),
        present=now,
        advice=advice,
        chosen=best,
        reason=reason,
        optimum=optimum,
        missed=missed,
        facts={"seconds": clock.used},
    )


def _require_time(family: Family, clock: Clock) -> None:
    """Refuse to begin where neither compilation nor the tasks' own optima would be done in time."""
    require_time(family, clock, "a recommendation")
    if clock.limited and len(family.tasks) > WORTH_ASKING:
        before = clock.used
        measure(family.tasks[0].g, "curvature")
        clock.require(MEASURES * len(family.tasks) * (clock.used - before), "measuring the tasks")


def _cells(
    family: Family,
    grid: list[tuple[Variant, Fraction]],
    shots: int,
    starts: int,
    seed: int,
    clock: Clock,
    journal: Journal,
    progress: Progress | None,
) -> tuple[list[Cell], int]:
    """The cells that there was time for, and how many there was none for."""
    cells: list[Cell] = []
    kinds: set[bool] = set()
    for i, (variant, size) in enumerate(grid):
        name = f"{variant.value} {size}"
        if name in journal.entries:
            cells.append(_known(journal, name))
            continue
        if clock.late:
            break
        if progress is not None:
            progress(f"{variant.words}, eta {float(size):.3g}", i, len(grid))
        seconds = max(clock.left / (len(grid) - i), min(SHORTEST, clock.left / 2))
        if (kind := variant is Variant.NORMALIZED) not in kinds:  # it is compiled first
            seconds = max(seconds, COMPILING * clock.left)
        kinds.add(kind)
        try:
            cells.append(_cell(family, variant, size, shots, starts, seed, clock.capped(seconds)))
        except BudgetError:
            if clock.late and not cells:
                raise
        else:
            journal.add(name, cell_document(cells[-1]))
    journal.keep()
    if not cells:
        raise BudgetError("budget: no cell of the grid was done in the time given; give more")
    return cells, len(grid) - len(cells)


def _known(journal: Journal, name: str) -> Cell:
    try:
        return cell_from(journal.entries[name])
    except (KeyError, TypeError, ValueError) as error:
        raise FileFormatError(
            f"{journal.path}: the cell {name!r} is none; remove the file to begin anew"
        ) from error


# --- the grid --------------------------------------------------------------------------------


def _variants(family: Family, asked: Sequence[Variant | str] | None) -> list[Variant]:
    if asked is not None:
        known = {variant.value for variant in Variant}
        if not all(isinstance(name, str) and name in known for name in asked):
            raise ProblemError(
                f"variants: expected some of {', '.join(Variant)}, got {described(asked)}"
            )
        found = [Variant(name) for name in asked]
        if not found:
            raise ProblemError("variants: give at least one")
        if Variant.COSTS in found:
            normalize(family)  # to be refused here rather than after an hour
        return list(dict.fromkeys(found))
    try:
        differs = normalize(family) != family
    except ProblemError:  # a task that costs nothing: the other variants can do without
        differs = False
    return [variant for variant in Variant if differs or variant is not Variant.COSTS]


def _grid(
    family: Family,
    variants: list[Variant],
    etas: Iterable[Any] | None,
    present: Fraction | None,
    shots: int,
    seed: int,
    clock: Clock,
) -> tuple[list[tuple[Variant, Fraction]], int]:
    """The cells, that of the step size in use first, then the variants in turn; how many lack a size.

    Raises:
        BudgetError: there was no time to find the step sizes of the first variant.
    """
    missed = 0
    sizes: dict[Variant, list[Fraction]] = {}
    if etas is not None:
        given = sorted(
            {make_step("gradient", eta, shots).eta for eta in several(etas, "etas", "recommend")}
        )
        if not given:
            raise ProblemError("etas: give at least one step size")
        sizes = {variant: list(given) for variant in variants}
    else:
        for variant in variants:
            known = sizes.get(Variant.GRADIENT)
            shared = variant is Variant.COSTS and known is not None
            try:
                sizes[variant] = (
                    list(known or [])
                    if shared
                    else _default(family, variant, shots, seed, clock.part(LAYING))
                )
            except BudgetError:
                if not sizes and present is None:
                    raise
                missed += SCALAR_SIZES if family.is_scalar else SIZES
                sizes[variant] = []
    if present is not None:
        for variant in variants:
            if variant is Variant.NORMALIZED or present in sizes[variant]:
                continue
            if etas is None:  # it takes the place of what is next to it
                sizes[variant] = [x for x in sizes[variant] if not 0.9 < x / present < 1.1]
            sizes[variant].append(present)
    cells = [(v, x) for i in range(max(map(len, sizes.values()))) for v in variants
             for x in sorted(sizes[v], reverse=True)[i : i + 1]]  # fmt: skip
    cells.sort(key=lambda cell: cell != (Variant.GRADIENT, present))
    return cells, missed


def _default(family: Family, variant: Variant, shots: int, seed: int, clock: Clock) -> list[Fraction]:
    """A geometric grid of numbers of two digits."""
    kind = "normalized" if variant is Variant.NORMALIZED else "gradient"
    h = meta_objective(Problem(family, make_step(kind, _reach(family, variant), shots)))
    top = largest_feasible_eta(h, key_of(seed), clock)
    if top is None:
        raise ProblemError("no feasible gain was found at any step size; split the family")
    count = SCALAR_SIZES if family.is_scalar else SIZES
    ratio = SPAN ** (1 / (count - 1))
    return sorted({Fraction(f"{SAFE * top / ratio**i:.2g}") for i in range(count)})


def _reach(family: Family, variant: Variant) -> float:
    """Where a step size ceases to make sense; see `recommend`."""
    if variant is Variant.NORMALIZED:
        W = np.array([few_parameters.optimal_gain(task.g).reshape(-1) for task in family.tasks])
        apart = float(np.max(np.linalg.norm(W[:, None] - W[None], axis=2))) if len(W) <= 512 else 0.0
        size = float(np.max(np.linalg.norm(W, axis=1)))
        return apart if apart > 1e-3 * size else max(size / 2, 1e-3)
    curvatures = [measure(task.g, "curvature") for task in family.tasks]
    known = [x for x in curvatures if math.isfinite(x) and x > 0]
    return 2 / min(known) if known else 1.0


def _infeasible(
    family: Family,
    grid: list[tuple[Variant, Fraction]],
    shots: int,
    seed: int,
    missed: int,
    clock: Clock,
) -> BenignError:
    if missed:
        return BudgetError("budget: no feasible gain was found in the time given; give more")
    variant, size = min(grid, key=lambda cell: cell[1])
    h = meta_objective(variant_problem(family, variant, size, shots))
    words = largest_eta(h, key_of(seed), clock)
    return ProblemError(f"etas: no feasible gain was found at any of them; {words}")


# --- a cell ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Minima:
    """The local minima of h: where, and what is known of their values."""

    word: Word
    scope: str
    complete: bool
    epsilon: Enclosure
    minimum: Enclosure
    W: Float[np.ndarray, "K m n"]
    values: Float[np.ndarray, " K"]


def _cell(
    family: Family, variant: Variant, eta: Fraction, shots: int, starts: int, seed: int, clock: Clock
) -> Cell:
    """The cell.

    Raises:
        BudgetError: time ran out.
    """
    problem = variant_problem(family, variant, eta, shots)
    try:
        minima = _listed(problem, seed, clock.part(LISTING))
        first, drawing = split(key_of(seed))
        sampler = make_sampler(meta_objective(problem), first, clock=clock)
    except InfeasibleError as error:
        if error.cause is not Cause.STEP:
            raise
        nothing = Enclosure(math.inf, math.inf)
        W = np.zeros((family.m, family.n))
        return Cell(variant, eta, Word.INFEASIBLE, "no gain is feasible", nothing, nothing, W,
                    math.inf, math.inf, 0, 0)  # fmt: skip
    ended = follow(sampler.field, sampler.draw(drawing, starts))
    ends = ended.x.reshape(-1, family.m, family.n)
    W, values, epsilon, minimum = minima.W, minima.values, minima.epsilon, minima.minimum
    if not minima.complete:  # only a list that is proved complete may ignore where descents ended
        lowest = int(np.argmin(ended.value))
        counted = ended.calm.copy()
        counted[lowest] = True
        W, values = np.concatenate([W, ends[counted]]), np.append(values, ended.value[counted])
    if minima.word is Word.OBSERVED:
        minimum = Enclosure(float(values.min()), float(values.min()))
        epsilon = Enclosure(float(np.ptp(values)), math.inf)
    costs = _original(family, problem, variant, W, values, clock)
    best, worst = int(np.argmin(values)), float(np.max(costs))
    if not minima.complete:
        attained = _original(family, problem, variant, ends, ended.value, clock)
        worst = max(worst, float(np.quantile(attained, LATE, method="higher")))
    least = minimum.hi if minima.complete else float(values.min())
    return Cell(
        variant=variant,
        eta=eta,
        word=minima.word,
        scope=minima.scope,
        epsilon=epsilon,
        minimum=minimum,
        W=W[best],
        best=float(costs[best]),
        worst=worst,
        starts=starts,
        reached=int(np.sum(ended.value <= least + REACHED * abs(least))),
    )


def _original(
    family: Family,
    problem: Problem,
    variant: Variant,
    W: np.ndarray,
    values: np.ndarray,
    clock: Clock,
) -> Float[np.ndarray, " K"]:
    """Σ ω_τ f_τ(F_τ(W)) with the costs as they were given and the adaptation of the variant."""
    if variant is not Variant.COSTS:
        return np.asarray(values)  # not evaluated again: a minimum at a jump has a limit, not a value
    tasks = tuple(
        Task(task.name, task.f, scaled.g)
        for task, scaled in zip(family.tasks, problem.tasks, strict=True)
    )
    original = meta_objective(Problem(Family(tasks, family.weights), problem.step))
    return np.asarray(beside(clock, "a cell", lambda: original.values(W)))


def _listed(problem: Problem, seed: int, clock: Clock) -> _Minima:
    """The local minima, by the strongest means that there is time for."""
    if problem.family.is_scalar:
        landscape = analyze(problem, clock=clock)
        points = landscape.minima
        return _Minima(
            Word.PROVED,
            "local minima",
            landscape.is_complete,
            landscape.epsilon,
            landscape.minimum,
            np.array([point.at.mid for point in points]).reshape(-1, 1, 1),
            np.array([point.value.mid for point in points]),
        )
    provable = not few_parameters.applies(problem)
    share = clock.part(SEARCHING) if provable else clock
    seen = search(meta_objective(problem), starts=STARTS, seed=seed, budget=share)
    shape = (-1, problem.family.m, problem.family.n)
    W = np.array([point.W for point in seen.minimizers]).reshape(shape)
    values = np.array([point.height for point in seen.minimizers])
    below = _proved(problem, seen, clock) if provable else None
    if below is not None and below.level > 0:
        # A minimum that only the search met may lie above the level: it counts as well.
        W = np.concatenate([np.array([p.W for p in below.minimizers]).reshape(shape), W])
        values = np.concatenate([[p.value.mid for p in below.minimizers], values])
        among = "" if below.bounded else ", among the gains searched"
        below_what = "" if below.level == math.inf else f" with h ≤ {at_least(below.level, 4)}"
        scope = f"local minima{below_what}{among}"
        complete = below.bounded and below.level == math.inf
        return _Minima(Word.PROVED, scope, complete, below.epsilon, below.minimum, W, values)
    unknown = Enclosure(0.0, math.inf)
    return _Minima(Word.OBSERVED, "local minima met", False, unknown, unknown, W, values)


def _proved(problem: Problem, seen: ObservedLandscape, clock: Clock) -> LandscapeBelow | None:
    """The proof guided by what was seen, as far as there is time for one."""
    W = [point.W for point in seen.minimizers]
    try:
        return few_parameters.prove(problem, seeds=W, clock=clock, observed=seen)
    except BudgetError:
        return None


def _mean_optimum(family: Family) -> float:
    """Σ ω_τ f_τ*, ∞ where a task has no optimum."""
    least = [measure(task.f, "optimum") for task in family.tasks]
    total = sum(float(w) * x for w, x in zip(family.weights, least, strict=True))
    return total if math.isfinite(total) else math.inf
