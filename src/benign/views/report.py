"""A landscape as a screenful of text, for the command line and for notebooks.

The verdict comes first and is a word before it is a colour; nothing is said that the `LineLandscape`
does not prove. The only numbers computed here are the adapted gains F_τ(W), in plain float64, to say
which task a minimiser adapts to.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from benign.prove.line.gradient import NO_TIME
from benign.results.enclosure import Enclosure
from benign.results.landscape import Kind
from benign.results.line import LineLandscape, StationaryPoint, TaskOptimum
from benign.text import clean
from benign.verdict import Status
from benign.views.curves import PlainObjective
from benign.views.numbers import (
    above,
    bounds,
    distinct,
    near,
    outward,
    percent,
    percent_at_least,
    percent_at_most,
    short,
    step_size,
    width,
)
from benign.views.words import a_priori

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

FEW_TASKS, FEW_MINIMA = 12, 12
"""Longer lists are abbreviated."""

LONGEST_TITLE = 100
"""Characters of a title; more would push the verdict out of sight."""

ADAPTED = 1e-6
"""A task that ends within this of its optimum, relative to the optimum's size, has adapted fully."""

_COLOURS = {Status.PROVED: "green", Status.REFUTED: "red", Status.UNDECIDED: "yellow"}


def report(landscape: LineLandscape, title: str = "") -> Group:
    """The verdict, ε, the tasks, the minimisers and a word of advice, as something Rich can print.

    Args:
        landscape: what `benign.analyze` returned.
        title: a heading, for example that of the family file.
    """
    from rich.console import Group
    from rich.text import Text

    parts: list[Text | Table] = []
    if title:
        parts.append(Text(clean(title, LONGEST_TITLE), style="bold"))
    space = Text("")
    parts += [_verdict(landscape), _facts(landscape), space]
    parts += [_tasks(landscape), space, _minima(landscape), space]
    if landscape.undecided:
        parts += [_undecided(landscape), space]
    if landscape.start is not None:
        parts.append(Text(a_priori(landscape.start)))
    return Group(*parts, Text(advice(landscape)), space)


def _verdict(landscape: LineLandscape) -> Text:
    from rich.text import Text

    verdict = landscape.verdict
    text = Text()
    text.append(verdict.status.value.upper(), style=f"bold {_COLOURS[verdict.status]}")
    text.append(f": {verdict.finding}", style="bold")
    if verdict.reason:
        text.append(f"\n  {verdict.reason}")
    return text


def _facts(landscape: LineLandscape) -> Text:
    from rich.text import Text

    step, epsilon = landscape.problem.step, landscape.epsilon
    rule = "gradient step" if step.kind == "gradient" else "normalised step"
    shots = f"{step.shots} shot{'s' if step.shots > 1 else ''}"
    if epsilon.lo == epsilon.hi == 0:
        smallest = "smallest ε = 0, exactly"
    elif math.isinf(epsilon.hi):
        smallest = f"smallest ε: {bounds(epsilon)}"
    else:
        smallest = f"smallest ε = {bounds(epsilon, 6)} (enclosed to {width(epsilon)})"
        if math.isfinite(landscape.relative_epsilon.hi):
            smallest += f", that is {percent(landscape.relative_epsilon)} of min h"
    ends = [distinct([p.lo, p.hi], 5) for p in landscape.domain[:4]]
    pieces = ", ".join(f"({a}, {b})" for a, b in ends)
    more = f" and {len(landscape.domain) - 4} more" if len(landscape.domain) > 4 else ""
    return Text(
        f"  {smallest}\n  {rule}, eta = {step_size(step.eta)}, {shots}; "
        f"h is finite on W in {pieces}{more}"
    )


# --- tables ----------------------------------------------------------------------------------


def _table(title: str, *columns: tuple[str, str]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(
        title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD,
        show_edge=False, pad_edge=False, collapse_padding=True, padding=(0, 1),
    )  # fmt: skip
    for heading, justify in columns:
        table.add_column(heading, justify=justify, overflow="fold")  # type: ignore[arg-type]
    return table


def _tasks(landscape: LineLandscape) -> Table:
    from rich.text import Text

    k = len(landscape.optima)
    table = _table(
        f"Tasks: {k}", ("task", "left"), ("rho(A)", "right"), ("W*", "right"), ("C*", "right")
    )
    shown = landscape.optima if k <= FEW_TASKS else landscape.optima[: FEW_TASKS - 2]
    W, C = distinct([o.W for o in shown]), distinct([o.cost for o in shown])
    for optimum, w_text, c_text in zip(shown, W, C, strict=True):
        radius = short(optimum.spectral_radius, 5)
        table.add_row(Text(clean(optimum.name, 32)), radius, w_text, c_text)
    if k > len(shown):
        table.add_row(f"… {k - len(shown)} more", "", _spread(landscape.optima), "")
    return table


def _spread(optima: tuple[TaskOptimum, ...]) -> str:
    W = [o.W for o in optima if math.isfinite(o.W.mid)]
    if not W:
        return ""
    low, high = min(w.lo for w in W), max(w.hi for w in W)
    return f"all in {outward(low, 4, down=True)} … {outward(high, 4, down=False)}"


def _minima(landscape: LineLandscape) -> Table:
    minima = landscape.minima
    table = _table(
        f"Local minima: {len(minima)}" + ("" if landscape.is_complete else " found"),
        ("W", "right"), ("h", "right"), ("above min", "right"), ("%", "right"), ("kind", "left"),
        ("adapts to (|F−W*|)", "left"), ("within", "right"),
    )  # fmt: skip
    chosen = _chosen(landscape)
    W, h = distinct([p.at for p in minima]), distinct([p.value for p in minima])
    goals = _goals(landscape, [minima[i] for i in chosen])
    for i, goal in zip(chosen, goals, strict=True):
        point = minima[i]
        table.add_row(
            W[i], h[i], *_gap(landscape, point), kind_in_words(landscape, point), goal,
            width(point.at),
        )  # fmt: skip
    if len(chosen) < len(minima):
        table.add_row(f"… {len(minima) - len(chosen)} more", "", "", "", "", "")
    return table


def _chosen(landscape: LineLandscape) -> list[int]:
    """All minima if few, else the lowest ones and the highest, from left to right."""
    minima = landscape.minima
    if len(minima) <= FEW_MINIMA:
        return list(range(len(minima)))
    order = sorted(range(len(minima)), key=lambda i: minima[i].value.mid)
    return sorted([*order[: FEW_MINIMA - 3], order[-1]])


def _gap(landscape: LineLandscape, point: StationaryPoint) -> tuple[str, str]:
    """How far a minimum lies above the global one, and how many per cent of min h that is."""
    if landscape.epsilon.hi == 0:
        return "0", "0"
    gap = above(point.value, landscape.minimum)
    if gap.lo == 0:
        tied = [p for p in landscape.minima if p.value.lo <= landscape.minimum.hi]
        alone = len(tied) == 1 and landscape.is_complete
        return ("0", "0") if alone else (f"≤ {outward(gap.hi, 1, down=False)}", "")
    if landscape.minimum.lo <= 0:
        return near(gap, 3), ""
    part = Enclosure(
        math.nextafter(gap.lo / landscape.minimum.hi, 0.0),
        math.nextafter(gap.hi / landscape.minimum.lo, math.inf),
    )
    return near(gap, 3), percent(part, 2).removesuffix(" %")


def kind_in_words(landscape: LineLandscape, point: StationaryPoint) -> str:
    """global, spurious or tied, and where if not in the smooth part of h."""
    where = {Kind.JUMP_MINIMUM: ", jump", Kind.EDGE_MINIMUM: ", edge"}.get(point.kind, "")
    if point.multiplicity > 1:
        where += f", degenerate: h' has a zero of multiplicity {point.multiplicity}"
    if point.value.lo > landscape.minimum.hi:
        return "spurious" + where
    if landscape.epsilon.hi == 0 and landscape.is_complete:
        return "global" + where
    tied = [p for p in landscape.minima if p.value.lo <= landscape.minimum.hi]
    alone = len(tied) == 1 and landscape.is_complete
    return ("global" if alone else "global or tied") + where


def _goals(landscape: LineLandscape, points: list[StationaryPoint]) -> list[Text]:
    """For each point, which tasks' own optima the adapted gains F_τ(W) reach or come nearest to."""
    from rich.text import Text

    if not points:
        return []
    k = len(landscape.problem.tasks)
    objective = PlainObjective(landscape.problem)
    _, adapted = objective.task_values(np.array([p.at.mid for p in points]), range(k))
    best = np.array([o.W.mid for o in landscape.optima])[:, None]
    miss = np.abs(adapted - best)
    done = miss <= ADAPTED * np.maximum(np.abs(best), 1e-3)
    texts = []
    for column, point in enumerate(points):
        reached = np.flatnonzero(done[:, column])
        if point.kind is Kind.JUMP_MINIMUM or not np.isfinite(miss[:, column]).any():
            text = "nowhere"
        elif reached.size == k:
            text = "all" if k > 1 else "W*"
        elif 0 < reached.size <= 2:
            text = ", ".join(clean(landscape.optima[i].name, 18) for i in reached)
        elif reached.size:
            text = f"{reached.size} of {k} tasks"
        else:
            i = int(np.nanargmin(miss[:, column]))
            name = clean(landscape.optima[i].name, 14) if k > 1 else "W*"
            text = f"{name} ({float(miss[i, column]):.0e})".replace("e-0", "e-").replace("e+0", "e")
        texts.append(Text(text))
    return texts


def _undecided(landscape: LineLandscape) -> Table:
    shown = landscape.undecided[:6]
    table = _table(
        f"Undecided stretches: {len(landscape.undecided)}",
        ("W from", "right"), ("to", "right"), ("h at least", "right"), ("why", "left"),
    )  # fmt: skip
    for stretch in shown:
        a, b = outward(stretch.W.lo, 9, down=True), outward(stretch.W.hi, 9, down=False)
        table.add_row(a, b, outward(stretch.value.lo, 5, down=True), stretch.reason)
    if len(landscape.undecided) > len(shown):
        table.add_row(f"… {len(landscape.undecided) - len(shown)} more", "", "", "")
    return table


# --- advice ----------------------------------------------------------------------------------


def advice(landscape: LineLandscape) -> str:
    """What the verdict means for someone who is about to train."""
    step = landscape.problem.step
    if landscape.undecided:
        late = any(NO_TIME in stretch.reason for stretch in landscape.undecided)
        return "Advice: the list of minima may be incomplete where stretches are undecided. " + (
            "More time (--budget) decides more."
            if late
            else "A slightly different eta may settle them."
        )
    spurious = [p for p in landscape.minima if p.value.lo > landscape.minimum.hi]
    if landscape.epsilon.hi == 0:
        return (
            "Advice: a descent on h that settles at a local minimum has found a global one, from "
            "any start in the domain. This holds for this step size only."
        )
    if not spurious:
        return (
            "Advice: the minima agree to within the enclosure of ε; where a descent ends makes "
            "no difference that matters in practice."
        )
    worst = max(spurious, key=lambda p: p.value.lo)
    most = percent_at_most(landscape.relative_epsilon.hi)
    if landscape.relative_epsilon.hi < 0.01:
        return (
            f"Advice: a descent can stop at a minimum that is not global, but loses at most {most} "
            "by it."
        )
    loss = percent(landscape.relative_epsilon)
    if math.isinf(landscape.relative_epsilon.hi):
        loss = f"at least {percent_at_least(landscape.relative_epsilon.lo)}"
    other = (
        "try another eta, several starts, or the normalised step"
        if step.kind == "gradient"
        else "try another eta or several starts"
    )
    return (
        f"Advice: a descent that starts near W = {near(worst.at, 4)} stays there and loses "
        f"{loss}; {other}."
    )
