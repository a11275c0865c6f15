"""The screenful for an observed landscape: the word first, then the minimisers and their gaps."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from benign.results.landscape import Kind
from benign.text import clean
from benign.views.numbers import outward, step_size
from benign.views.words import a_priori

if TYPE_CHECKING:
    from rich.console import Group

    from benign.results.observed import ObservedLandscape

MOST_ROWS = 12


def observed_report(landscape: ObservedLandscape, title: str = "") -> Group:
    """What a search met, for a terminal; gaps are certified where a certificate is attached."""
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    verdict = landscape.verdict
    step = landscape.objective.problem.step
    family = landscape.objective.problem.family
    minima = landscape.minimizers
    table = Table(title=f"Local minima met: {len(minima)}", title_justify="left", box=box.SIMPLE_HEAD)
    for name in ("", "h", "above best", "hits", "gap to min h", "proved", "W, row by row"):
        side = "left" if name[:1] in ("W", "p") else "right"
        table.add_column(name, justify=side, no_wrap=True)
    for number, point in enumerate(minima[:MOST_ROWS], start=1):
        gap = "–" if point.gap == inf else f"≤ {outward(point.gap, 3, down=False)}"
        rows = "; ".join(" ".join(f"{x:.4g}" for x in row) for row in point.W)
        table.add_row(
            str(number),
            f"{point.height:.9g}",
            f"{point.height - minima[0].height:.3g}",
            str(point.hits),
            gap,
            f"± {outward(float(point.radius.max()), 1, down=False)}"
            if point.radius is not None
            else "–",
            rows if len(rows) <= 20 else rows[:18] + " …",
        )
    parts = [
        Text(clean(title), style="bold") if title else Text(""),
        Text.assemble(
            (verdict.status.upper(), f"bold {'yellow' if landscape.certificate is None else 'red'}"),
            f": {verdict.finding}; {verdict.reason}",
        ),
        Text(
            f"  {step.kind} step, eta = {step_size(step.eta)}, {step.shots} shot"
            f"{'s' if step.shots > 1 else ''}; {len(family.tasks)} tasks, {family.n} states, "
            f"{family.m} input{'s' if family.m > 1 else ''}"
        ),
        table,
    ]
    if len(minima) > MOST_ROWS:
        parts.append(Text(f"… and {len(minima) - MOST_ROWS} more"))
    parts += [Text(line) for line in _reading(landscape)]
    return Group(*parts)


def _counted(count: int, kind: str) -> str:
    plural = {"saddle": "saddles", "maximum": "maxima"}[kind]
    return f"{count} {kind if count == 1 else plural}"


def _reading(landscape: ObservedLandscape) -> list[str]:
    """What of it is proved and what is not, in sentences."""
    minima = landscape.minimizers
    proved = sum(point.is_proved for point in minima)
    lines = ["A search can miss minima: that there are no others is an observation."]
    if proved == len(minima) and minima:
        lines[0] += (
            " That those listed are strict local minima, within the radius given, is proved."
            if proved > 1
            else " That the one listed is a strict local minimum, within the radius given, is proved."
        )
    elif proved:
        lines[0] += f" {proved} of these {len(minima)} are proved, within the radius given."
    lines[0] += " The gaps are proved (regret bounds in ball arithmetic) and hold whatever was missed."
    others = [p.kind.value for p in landscape.met if p.is_proved and p.kind is not Kind.MINIMUM]
    if others:
        counts = ((others.count(kind), kind) for kind in (Kind.SADDLE.value, "maximum"))
        named = [_counted(count, kind) for count, kind in counts if count]
        lines.append(f"Proved as well: {' and '.join(named)} that it met.")
    for number, point in enumerate(minima[:MOST_ROWS], start=1):
        if point.doubt:
            lines.append(f"{number} is not proved: {point.doubt}.")
    if landscape.start is not None:
        lines.append(a_priori(landscape.start))
    return lines
