"""What the text of the source paper says of its figures, each claim proved or refuted.

A claim is judged at the printed step size and at half of it, from enclosures only: the proved list
of stationary points, or interval bounds of C_τ', F_τ and h''. Where a word of the text has no number
("far", "near"), the reading taken here is part of the claim.

Source: I. Molybog and J. Lavaei, arXiv 2006.00453, Sections II-A to II-D and Figures 1 to 3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from benign.exact.likeness import is_proportional
from benign.floats.intervals import Interval, weighted_sum
from benign.paper.evidence import (
    Case,
    Claim,
    Finding,
    at_gain,
    counted,
    distance,
    every,
    less,
    listed,
    ratio,
    settled,
    size_of,
)
from benign.paper.figures import paper_problem
from benign.prove.line.enumeration import analyze
from benign.results.enclosure import Enclosure
from benign.results.landscape import Kind
from benign.results.line import StationaryPoint
from benign.verdict import Status
from benign.views.numbers import short

NEAR = 0.05
"""Two gains are called near each other when they differ by less than this part of the second."""

SMALL = 0.01
"""ε is called small when it is below this part of min h."""


# --- any figure --------------------------------------------------------------------------------


def not_convex(case: Case) -> Finding:
    """A proved maximum with h'' < 0."""
    for point in case.landscape.stationary_points:
        if point.kind is Kind.MAXIMUM and point.curvature is not None and point.curvature.hi < 0:
            reason = f"h'' = {short(point.curvature.mid)} at the maximum {at_gain(point)}"
            return settled(True, reason, W=point.at, curvature=point.curvature)
    return settled(None, "h has no maximum that would show it")


def bends_downwards(case: Case) -> Finding:
    """Whether h'' < 0 somewhere on {h ≤ 10 min h}: by bisection, with the box where it is."""
    lo, hi = np.array([case.landscape.domain[0].lo.lo]), np.array([case.landscape.domain[-1].hi.hi])
    ceiling = 10.0 * case.landscape.minimum.lo
    for _ in range(32):
        bounds, value = case.objective.bounds(lo, hi), case.objective.value(lo, hi)
        bent = bounds.inside & (bounds.d2.hi < 0) & (value.hi <= ceiling)
        if bent.any():
            i = int(np.flatnonzero(bent)[0])
            box = Enclosure(float(lo[i]), float(hi[i]))
            return settled(True, f"h'' < 0 on a box about W = {box.mid:.4f}", W=box)
        done = bounds.outside | (bounds.inside & (bounds.d2.lo > 0)) | (value.lo > ceiling)
        lo, hi = lo[~done], hi[~done]
        if not lo.size:
            return settled(False, "h'' > 0 there: it is convex on every piece of that set")
        middle = 0.5 * (lo + hi)
        lo, hi = np.concatenate([lo, middle]), np.concatenate([middle, hi])
    return settled(None, "h'' could not be bounded away from zero")


def every_minimum_global(case: Case) -> Finding:
    """The verdict of the landscape."""
    landscape = case.landscape
    answer = {Status.PROVED: True, Status.REFUTED: False, Status.UNDECIDED: None}
    return settled(
        answer[landscape.verdict.status], landscape.verdict.reason, epsilon=landscape.epsilon
    )


def _count(case: Case, wanted: int) -> Finding:
    places = ", ".join(f"{p.at.mid:.6f}" for p in case.minima)
    strict = all(p.curvature is not None and p.curvature.lo > 0 for p in case.minima)
    complete = case.landscape.is_complete and strict
    found = f"{len(case.minima)}, at W = {places}"
    return settled(
        len(case.minima) == wanted if complete else None, found, minima=counted(len(case.minima))
    )


# --- Figure 1 ----------------------------------------------------------------------------------


def three_minimizers(case: Case) -> Finding:
    """Three strict local minimisers."""
    return _count(case, 3)


def middle_is_optimum(case: Case) -> Finding:
    """W* is stationary for h whatever η: of a complete list, the one that meets its enclosure."""
    optimum = case.landscape.optima[0].W
    points = case.landscape.stationary_points
    meets = [p for p in points if p.at.lo <= optimum.hi and optimum.lo <= p.at.hi]
    if not case.landscape.is_complete or len(meets) != 1:
        return settled(None, "W* could not be told from its neighbours")
    found = [i for i, p in enumerate(case.minima) if p is meets[0]]
    three = len(case.minima) == 3
    number = f"number {found[0] + 1} of {len(case.minima)}" if found else "not a minimiser"
    return settled(three and found == [1], f"W* = {optimum.mid:.6f} is {number}", W=optimum)


def sides_adapt_to_optimum(case: Case) -> Finding:
    """At a stationary point (1 − ηC''(W)) C'(F(W)) = 0: a factor that is not 0 leaves F(W) = W*."""
    optimum = case.landscape.optima[0].W
    answers: list[bool | None] = []
    words, numbers = [], {}
    for i, point in enumerate(case.minima):
        if point.at.lo <= optimum.hi and optimum.lo <= point.at.hi:
            continue
        jacobian, slope = case.jacobian(point.at)[0], case.slopes(point.at)[0]
        miss = distance(case.adapted(point.at)[0], optimum)
        adapts = True if jacobian.lo > 0 or jacobian.hi < 0 else False if miss.lo > 0 else None
        moves = slope.lo > 0 or slope.hi < 0 or None
        answers += [adapts, moves]
        ends = "= 0" if adapts else f"= {short(miss.mid)}"
        words.append(f"{at_gain(point)}: |F − W*| {ends}, ∇C = {short(slope.mid)}")
        if not adapts:
            words[-1] += f", 1 − η∇²C within {short(max(-jacobian.lo, jacobian.hi), 1)} of 0"
        numbers |= {f"slope {i + 1}": slope, f"jacobian {i + 1}": jacobian, f"miss {i + 1}": miss}
    return settled(every(answers), "; ".join(words), **numbers)


# --- Figure 2 ----------------------------------------------------------------------------------


def each_task_global(case: Case) -> Finding:
    """Every task's own objective is global."""
    statuses = [landscape.verdict.status for landscape in case.alone]
    words = "; ".join(
        f"{task.name}: {len(x.minima)} minima, {x.verdict.status}"
        for task, x in zip(case.problem.tasks, case.alone, strict=True)
    )
    answers = [{"proved": True, "refuted": False}.get(status.value) for status in statuses]
    numbers = {f"epsilon {i + 1}": x.epsilon for i, x in enumerate(case.alone)}
    return settled(every(answers), words, **numbers)


def only_optimum_shared(case: Case) -> Finding:
    """W* is the same number for proportional tasks; all other minimisers lie apart."""
    first, second = case.alone[0], case.alone[1]
    shared = [
        (p, q) for p in first.minima for q in second.minima
        if p.at.lo <= q.at.hi and q.at.lo <= p.at.hi
    ]  # fmt: skip
    optimum = case.landscape.optima[0].W
    ours = [p for p, _ in shared if p.at.lo <= optimum.hi and optimum.lo <= p.at.hi]
    complete = first.is_complete and second.is_complete and is_proportional(case.problem.family)
    answer = (len(shared) == 1 and len(ours) == 1) if complete else None
    words = " and ".join(
        "{" + ", ".join(f"{p.at.mid:.4f}" for p in x.minima) + "}" for x in (first, second)
    )
    return settled(answer, f"minimisers {words}", W=optimum)


def optimum_stays_global(case: Case) -> Finding:
    """W* minimises every term of h, so it minimises h; the list shows it has no rival."""
    optimum, best = case.landscape.optima[0].W, case.best
    if best is None or not is_proportional(case.problem.family):
        return settled(None, "the global minimiser could not be singled out")
    meets = best.at.lo <= optimum.hi and optimum.lo <= best.at.hi
    return settled(meets, f"global minimiser {at_gain(best)}, W* = {optimum.mid:.6f}", W=best.at)


def _sides(case: Case) -> tuple[list[StationaryPoint], list[StationaryPoint]]:
    optimum = case.landscape.optima[0].W
    spurious = [p for p in case.minima if p.value.lo > case.landscape.minimum.hi]
    return [p for p in spurious if p.at.hi < optimum.lo], [p for p in spurious if p.at.lo > optimum.hi]


def some_spurious(case: Case) -> Finding:
    """At least one side minimiser is a spurious local minimum of h."""
    left, right = _sides(case)
    found = left + right
    words = ", ".join(f"{at_gain(p)} lies {_above(case, p)} above" for p in found) or "there is none"
    known = bool(found) or (False if case.landscape.is_complete else None)
    return settled(known, words, epsilon=case.landscape.epsilon)


def _above(case: Case, point: StationaryPoint) -> str:
    return short(point.value.mid - case.landscape.minimum.mid)


def both_sides_spurious(case: Case) -> Finding:
    """A spurious local minimum on each side of W*."""
    left, right = _sides(case)
    words = f"left of W*: {len(left)}, right: {len(right)}"
    complete = case.landscape.is_complete
    answer = True if left and right else False if complete else None
    if answer is False:
        half = Case("2", "0.025", analyze(paper_problem("2", "0.025")))
        if all(_sides(half)):
            words += "; at η = 0.025 there is one on each side"
    return settled(answer, words, left=counted(len(left)), right=counted(len(right)))


def normalized_is_global(case: Case) -> Finding:
    """Theorem 3: proportional tasks, tested exactly; then every minimum of h with F' = 1."""
    landscape = analyze(paper_problem(case.family, case.eta, "normalized"))
    words = ", ".join(f"{p.at.mid:.6f}" for p in landscape.minima)
    alike = "proportional exactly" if is_proportional(case.problem.family) else "not proportional"
    answer = {Status.PROVED: True, Status.REFUTED: False}.get(landscape.verdict.status)
    return settled(
        answer, f"the tasks are {alike}; minima at W = {words}, all of one value",
        epsilon=landscape.epsilon, minimum=landscape.minimum,
    )  # fmt: skip


# --- Figure 3 ----------------------------------------------------------------------------------


def five_tasks(case: Case) -> Finding:
    """The caption counts five tasks."""
    k = len(case.problem.tasks)
    return settled(k == 5, f"the appendix lists {k} tasks; the caption may have slipped",
                    tasks=counted(k))  # fmt: skip


def small_epsilon(case: Case) -> Finding:
    """ε below one per cent of min h."""
    epsilon = case.landscape.epsilon
    part = ratio(epsilon, case.landscape.minimum)
    words = f"ε = {short(epsilon.mid)}, {short(100 * part.mid)} % of min h"
    return settled(less(part, SMALL), words, epsilon=epsilon, relative=part)


def gradients_far_from_zero(case: Case) -> Finding:
    """|∇C_τ| at the global minimiser against |∇C_τ| at the minimiser of the average cost."""
    if case.best is None:
        return settled(None, "the global minimiser could not be singled out")
    here = [size_of(x) for x in case.slopes(case.best.at)]
    there = [size_of(x) for x in case.slopes(case.average_minimizer)]
    answers = [less(y, x) for x, y in zip(here, there, strict=True)]
    words = (
        f"{at_gain(case.best)}: |∇C| = {listed(here)}; at the average cost's minimiser {listed(there)}"
    )
    numbers = {f"slope {i + 1}": x for i, x in enumerate(here)}
    numbers |= {f"slope {i + 1} at average": x for i, x in enumerate(there)}
    return settled(every(answers), words, **numbers)


def outside_optima(case: Case) -> Finding:
    """The global minimiser does not lie between the tasks' optima."""
    if case.best is None:
        return settled(None, "the global minimiser could not be singled out")
    W = [o.W for o in case.landscape.optima]
    low, high = min(W, key=lambda x: x.lo), max(W, key=lambda x: x.hi)
    outside = case.best.at.hi < low.lo or case.best.at.lo > high.hi
    inside = low.hi < case.best.at.lo and case.best.at.hi < high.lo
    answer = True if outside else False if inside else None
    words = f"{at_gain(case.best)}; the optima span {low.mid:.6f} … {high.mid:.6f}"
    return settled(answer, words, W=case.best.at)


def adaptation_helps(case: Case) -> Finding:
    """|F_τ(W) − W*_τ| < |W − W*_τ| for every task."""
    if case.best is None:
        return settled(None, "the global minimiser could not be singled out")
    before = [distance(case.best.at, o.W) for o in case.landscape.optima]
    adapted = case.adapted(case.best.at)
    after = [distance(F, o.W) for F, o in zip(adapted, case.landscape.optima, strict=True)]
    answers = [less(x, y) for x, y in zip(after, before, strict=True)]
    numbers = {f"before {i + 1}": x for i, x in enumerate(before)}
    numbers |= {f"after {i + 1}": x for i, x in enumerate(after)}
    return settled(every(answers), f"|W − W*| = {listed(before)} become {listed(after)}", **numbers)


def one_minimizer(case: Case) -> Finding:
    """One local minimiser, so a global one."""
    return _count(case, 1)


def _near(case: Case, goal: Enclosure, what: str) -> Finding:
    if case.best is None:
        return settled(None, "the global minimiser could not be singled out")
    apart = distance(case.best.at, goal)
    part = ratio(apart, goal)
    words = f"{at_gain(case.best)}, {what} {goal.mid:.6f}: {short(100 * part.mid)} % apart"
    return settled(less(part, NEAR), words, W=case.best.at, goal=goal, relative=part)


def at_mean_of_optima(case: Case) -> Finding:
    """W near Σ W*_τ/|T|."""
    W = [o.W for o in case.landscape.optima]
    box = Interval(np.array([[x.lo for x in W]]), np.array([[x.hi for x in W]]))
    mean = weighted_sum(box, case.objective.weights)
    return _near(case, Enclosure(float(mean.lo[0]), float(mean.hi[0])), "mean of the optima")


def at_average_minimizer(case: Case) -> Finding:
    """W near the minimiser of the average cost."""
    return _near(case, case.average_minimizer, "minimiser of the average cost")


def fewer_minima(cases: Mapping[str, Case]) -> Finding:
    """The number of local minima never rises from 3b to 3c to 3d, and falls in all."""
    trio = [cases[name] for name in ("3b", "3c", "3d")]
    counts = [len(case.minima) for case in trio]
    answer = counts[0] >= counts[1] >= counts[2] and counts[0] > counts[2]
    complete = all(case.landscape.is_complete for case in trio)
    words = f"{counts[0]}, {counts[1]}, {counts[2]} local minima"
    return settled(answer if complete else None, words)


def smaller_epsilon(cases: Mapping[str, Case]) -> Finding:
    """ε relative to min h never rises from 3b to 3c to 3d."""
    trio = [cases[name].landscape for name in ("3b", "3c", "3d")]
    ratios = [ratio(x.epsilon, x.minimum) for x in trio]
    answers = []
    for x, y in zip(ratios, ratios[1:], strict=False):
        rises = less(x, y)
        answers.append(True if y.hi <= x.lo else False if rises else None)
    words = f"ε/min h: {', '.join(short(100 * x.mid) + ' %' for x in ratios)}"
    return settled(every(answers), words, b=ratios[0], c=ratios[1], d=ratios[2])


Judge = Callable[[Case], Finding]

CLAIMS: tuple[tuple[str, str, str, Judge], ...] = (
    ("1", "h is not convex", "II-A", not_convex),
    ("1", "h has three strict local minimisers", "II-A", three_minimizers),
    ("1", "every local minimum of h is global", "II-A, Theorem 2", every_minimum_global),
    ("1", "the middle one of the three is W*", "II-A", middle_is_optimum),
    ("1", "the side ones have F(W) = W* and ∇C(W) ≠ 0", "II-A", sides_adapt_to_optimum),
    ("2", "each task's own objective is global", "II-B", each_task_global),
    ("2", "the tasks share the minimiser W* and no other", "II-B", only_optimum_shared),
    ("2", "W* is the global minimiser of their mean", "II-B", optimum_stays_global),
    ("2", "the mean has a spurious local minimum", "II-B, Fig. 2b", some_spurious),
    ("2", "it has one on each side of W*", "II-B", both_sides_spurious),
    ("2", "with the normalised step every local minimum is global", "Theorem 3",
     normalized_is_global),
    ("3a", "the figure has five tasks", "caption", five_tasks),
    ("3a", "h is almost global: ε is below 1 % of min h", "II-C, Prop. 3", small_epsilon),
    ("3b", "at the global minimiser every |∇C_τ| is larger than where the average cost is least "
     "(our reading of “far from zero”)", "II-D", gradients_far_from_zero),
    ("3b", "the global minimiser is not a compromise between the tasks' optima", "II-D",
     outside_optima),
    ("3b", "from there adaptation brings every task nearer to its optimum", "II-D",
     adaptation_helps),
    ("3d", "h has one local minimiser", "II-D, Fig. 3d", one_minimizer),
    ("3d", "it is within 5 % of the mean of the W*", "II-D", at_mean_of_optima),
    ("3d", "it is within 5 % of the minimiser of the average cost", "II-D", at_average_minimizer),
)  # fmt: skip

OUR_QUESTIONS: tuple[tuple[str, str, str, Judge], ...] = tuple(
    (name, "h bends downwards somewhere below ten times its minimum", "our question", bends_downwards)
    for name in ("2", "3a", "3b", "3c", "3d")
)
"""The text calls Figure 1 non-convex; of the others a reader wants to know it too."""

TRENDS: tuple[tuple[str, str, str, Callable[[Mapping[str, Case]], Finding]], ...] = (
    ("3b–3d", "more tasks, fewer local minima", "II-D", fewer_minima),
    ("3b–3d", "more tasks, smaller ε relative to min h", "II-D", smaller_epsilon),
)


def judge(cases: Mapping[str, Mapping[str, Case]]) -> list[Claim]:
    """Every claim about the given figures; `cases[family][eta]`."""
    claims = []
    for figure, text, source, verdict in sorted(CLAIMS + OUR_QUESTIONS, key=lambda row: row[0]):
        if figure in cases:
            findings = {eta: verdict(case) for eta, case in cases[figure].items()}
            claims.append(Claim(figure, text, source, findings))
    if {"3b", "3c", "3d"} <= set(cases):
        etas = list(cases["3b"])
        for figure, text, source, trend in TRENDS:
            by_eta = {eta: {name: cases[name][eta] for name in ("3b", "3c", "3d")} for eta in etas}
            findings = {eta: trend(by_eta[eta]) for eta in etas}
            claims.append(Claim(figure, text, source, findings))
    return claims
