"""What was proved below a level, for a terminal and for a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from benign.text import clean
from benign.views.numbers import above, near, outward, span, step_size
from benign.views.words import a_priori

if TYPE_CHECKING:
    from rich.console import Group

    from benign.results.below import LandscapeBelow
    from benign.views.scenes import Scene

MOST_ROWS = 16

COLOURS = {"proved": "bold green", "refuted": "bold red", "undecided": "bold yellow"}


def below_report(landscape: LandscapeBelow, title: str = "") -> Group:
    """A screenful: the verdict, the minima, and what the list covers."""
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    family, step = landscape.problem.family, landscape.problem.step
    minima = landscape.minimizers
    table = Table(
        title=f"Local minima proved: {len(minima)}", title_justify="left", box=box.SIMPLE_HEAD
    )
    least = "above the least" if landscape.level > 0 else "above the first"
    for name in ("", "h", least, "W, row by row"):
        table.add_column(name, justify="left" if name.startswith("W") else "right", no_wrap=True)
    for number, point in enumerate(minima[:MOST_ROWS], start=1):
        rise = near(above(point.value, minima[0].value), 3) if number > 1 else "–"
        table.add_row(str(number), near(point.value), rise, point.rows(6))
    for point in landscape.beside[: max(0, MOST_ROWS - len(minima))]:
        rows = "; ".join(" ".join(f"{x:.6g}" for x in row) for row in point.W)
        word = "beside" if point.is_proved else "met"
        table.add_row(word, f"{point.height:.9g}", "–", rows)
    status = landscape.verdict.status.value
    shots = f"{step.shots} shot{'s' if step.shots > 1 else ''}"
    parts: list[Any] = [
        Text(clean(title), style="bold") if title else Text(""),
        Text.assemble((status.upper(), COLOURS[status]), f": {landscape.verdict.finding}"),
        Text(f"  {landscape.verdict.reason}"),
        Text(
            f"  gradient step, eta = {step_size(step.eta)}, {shots}; {len(family.tasks)} tasks, "
            f"{family.n} states, {family.m} input{'s' if family.m > 1 else ''}"
        ),
        table,
    ]
    if len(minima) > MOST_ROWS:
        parts.append(Text(f"… and {len(minima) - MOST_ROWS} more"))
    parts += [Text(line) for line in coverage(landscape)]
    return Group(*parts)


def coverage(landscape: LandscapeBelow) -> list[str]:
    """What the list covers, in sentences."""
    lines = []
    if landscape.level == np.inf:
        lines.append("Complete: there is no other local minimum.")
    elif landscape.level > 0:
        lines.append(
            f"Complete below h = {outward(landscape.level, 6, down=True)}: a descent that starts lower "
            "and never rises can end at no other gain."
        )
    if proved := [point for point in landscape.beside if point.is_proved]:
        count = f"{len(proved)} minim{'um' if len(proved) == 1 else 'a'}"
        lines.append(
            f"Beside the list {count} that the search met {'is' if len(proved) == 1 else 'are'} proved "
            f"one by one, the least with h = {near(proved[0].value)}."
        )
    if unproved := landscape.unproved:
        count = f"{len(unproved)} minim{'um' if len(unproved) == 1 else 'a'}"
        lines.append(
            f"The search before the proof met {count} more, the least with h = "
            f"{unproved[0].height:.9g}; what was met is not proved."
        )
    if landscape.left:
        lines.append(
            f"{landscape.left} boxes of gains were left undecided when the proof ended; more time "
            "(--budget) decides more, or a lower --level asks for less."
        )
    if not landscape.bounded:
        lo, hi = landscape.region.reshape(2, -1)
        spans = ", ".join(span(a, b, 4) for a, b in zip(lo.tolist(), hi.tolist(), strict=True))
        lines.append(
            f"Only gains with entries in {spans} were searched: no bound of the domain is known."
        )
    if landscape.minimizers:
        lines.append(
            f"epsilon in {span(landscape.epsilon.lo, landscape.epsilon.hi)}   {landscape.boxes} boxes"
        )
    if landscape.start is not None:
        lines.append(a_priori(landscape.start))
    return lines


def below_scene(landscape: LandscapeBelow) -> Scene:
    """The scene of a proof: its minima, and the saddles that the search before it met."""
    from benign.meta.given import meta_objective
    from benign.views.scenes import Mark, Scene, observed_scene, role_of, setting_of, task_optima

    observed = landscape.observed
    objective = observed.objective if observed is not None else meta_objective(landscape.problem)
    listed = [(p.W, p.value.mid) for p in landscape.minimizers]
    met = [(p.W, p.height) for p in landscape.beside]
    minima = sorted(listed + met, key=lambda point: point[1])
    ranked = landscape.level > 0 or met
    marks = tuple(
        Mark(W, value, role_of(value, minima[0][1]) if ranked else "unranked") for W, value in minima
    )
    count, status = len(listed), landscape.verdict.status.value
    headline = f"{status.capitalize()}: {count} local minim{'um' if count == 1 else 'a'}"
    if landscape.level > 0:
        headline += (
            "" if landscape.level == np.inf else f" below h = {outward(landscape.level, 4, down=True)}"
        )
    elif met:
        headline += f" proved, {len(met)} more met"
    if landscape.epsilon.lo > 0:
        headline += f", epsilon at least {outward(landscape.epsilon.lo, 3, down=True)}"
    return Scene(
        objective,
        marks,
        () if observed is None else observed_scene(observed).others,
        task_optima(objective),
        headline,
        setting_of(objective),
        landscape.level if 0 < landscape.level < np.inf else None,
        _caption(landscape),
    )


def _caption(landscape: LandscapeBelow) -> str:
    """What of the picture is proved."""
    met = " Minima that only the search met, saddles" if landscape.unproved else " Saddles"
    rest = f"{met} and lines are observed."
    if landscape.level == np.inf:
        return f"Proved: the minima, and that there is no other.{rest}"
    if landscape.level > 0:
        level = outward(landscape.level, 4, down=True)
        return f"Proved: the minima, and that there is no other with h ≤ {level}.{rest}"
    return f"Proved: the minima that are listed, and not that there are no others.{rest}"
