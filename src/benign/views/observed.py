"""The screenful for an observed landscape: the word first, then the minimisers and their gaps."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING

from benign.text import clean
from benign.views.numbers import outward, step_size

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
    for name in ("", "h", "above best", "hits", "gap to min h", "W, row by row"):
        side = "left" if name.startswith("W") else "right"
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
            rows if len(rows) <= 24 else rows[:22] + " …",
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
    parts.append(
        Text(
            "A search can miss minima: this list is an observation. The gaps are proved (regret bounds "
            "in ball arithmetic) and hold whatever was missed."
            + (" So are two of the minima, and that they differ." if landscape.certificate else "")
        )
    )
    return Group(*parts)
