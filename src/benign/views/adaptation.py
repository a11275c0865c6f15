"""The screenful for adaptation: each task's cost after every shot against the least it can cost."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from benign.text import clean

if TYPE_CHECKING:
    from rich.console import Group

    from benign.training.adapt import MetaTest

MOST_ROWS, MOST_SHOTS = 16, 6


def adaptation_report(found: MetaTest, title: str = "") -> Group:
    """Costs before and after the shots, task by task, then the quantiles over the tasks."""
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    shots = len(found.tasks[0].costs) - 1
    shown = sorted({*range(min(shots, MOST_SHOTS - 1) + 1), shots})
    heads = ["before" if i == 0 else f"shot {i}" for i in shown]
    table = Table(title="Cost", title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("task", max_width=28, no_wrap=True)
    for name in (*heads, "optimum", "above it"):
        table.add_column(name, justify="right", no_wrap=True)
    for task in found.tasks[:MOST_ROWS]:
        excess = float(task.excess[-1])
        table.add_row(
            Text(clean(task.name, 28) + ("" if task.seen is not False else " (unseen)")),
            *(_cost(float(task.costs[i])) for i in shown),
            "–" if math.isnan(task.optimum) else f"{task.optimum:.6g}",
            _percent(excess),
        )
    parts: list[Text | Table] = [Text(clean(title), style="bold")] if title else []
    parts.append(table)
    if len(found.tasks) > MOST_ROWS:
        parts.append(Text(f"… and {len(found.tasks) - MOST_ROWS} more tasks"))
    if len(found.tasks) > 1:
        of = "Excess over the optimum" if found.relative else "Cost"
        spread = Table(title=f"{of}, quantiles over {len(found.tasks)} tasks", title_justify="left",
                       box=box.SIMPLE_HEAD)  # fmt: skip
        spread.add_column("quantile")
        for name in heads:
            spread.add_column(name, justify="right", no_wrap=True)
        for level, row in zip(found.levels, found.quantiles, strict=True):
            cells = [_percent(float(row[i])) if found.relative else _cost(float(row[i])) for i in shown]
            spread.add_row(f"{100 * level:g} %", *cells)
        parts.append(spread)
    if any(np.isinf(task.costs).any() for task in found.tasks):
        parts.append(Text("unstable: the gain does not stabilise this task, or a shot threw it out."))
    return Group(*parts)


def _cost(x: float) -> str:
    return f"{x:.6g}" if math.isfinite(x) else "unstable"


def _percent(x: float) -> str:
    if math.isnan(x):
        return "–"
    return f"{100 * max(x, 0.0):.3g} %" if math.isfinite(x) else "unstable"
