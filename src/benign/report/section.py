"""A landscape as what the page says of it: words, tables, pictures."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from benign.errors import BenignError
from benign.report.words import answer, facts, method
from benign.text import clean
from benign.views.numbers import bounds, distinct, outward, short

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benign.report.gather import Checked, Section
    from benign.results.landscape import Landscape

TASKS, POINTS, LOOPS, NAME = 200, 60, 100, 60
"""Rows of tasks, of minimisers and of closed loops; characters of a name. More are counted."""

MOST_STATES = 30
"""States of a plant whose poles are listed."""


def section_of(number: int, section: Section, plots: dict[str, Any] | None) -> dict[str, Any]:
    """The template's variables; the figure for Bokeh is added to `plots`, unless that is None."""
    from benign.report.stills import data_uri

    landscape, problem = section.landscape, section.landscape.problem
    plot = f"plot-{number}"
    interactive = plots is not None and _add_plot(plots, plot, landscape)
    points = landscape.minimizers
    return {
        "id": f"landscape-{number}",
        "place": clean(section.place, NAME),
        "answer": answer(landscape, section.own),
        "facts": facts(landscape),
        "tasks": _tasks(landscape),
        "more_tasks": max(0, len(problem.tasks) - TASKS),
        "points": _points(section),
        "more_points": max(0, len(points) - POINTS),
        "still": data_uri(_figure(landscape)),
        "alt": _alt(landscape),
        "key": _key(landscape),
        "plot": plot if interactive else "",
        # Of a larger family the still picture has more: h on the ways between minima.
        "both": problem.family.n * problem.family.m > 2,
        "loops": _loops(landscape),
        "method": method(landscape),
        "certificates": [c for c in (section.own, *section.points) if c.name],
        "seconds": short(float(landscape.facts.get("seconds", float("nan"))), 3),
    }


def _figure(landscape: Landscape) -> Any:
    try:
        return landscape.plot()
    except BenignError:
        return None


def _add_plot(plots: dict[str, Any], name: str, landscape: Landscape) -> bool:
    import bokeh.embed

    from benign.views.interactive.fields import field_of
    from benign.views.interactive.figures import draw

    embed: Any = bokeh.embed
    field = field_of(landscape)
    if field is None:
        return False
    plots[name] = _finite(embed.json_item(draw(field), name))
    return True


def _finite(value: Any) -> Any:
    """NaN and ∞ as Bokeh writes them in JSON; it has them in arrays as bytes already."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    if isinstance(value, float) and not isfinite(value):
        return {"type": "number", "value": "nan" if value != value else "+inf" if value > 0 else "-inf"}
    return value


def _alt(landscape: Landscape) -> str:
    count = len(landscape.minimizers)
    best = f"; the least has h = {landscape.minimizers[0].value.mid:.6g}" if count else ""
    many = "1 local minimum" if count == 1 else f"{count} local minima"
    what = f"The landscape: cost after adaptation over the gain, with {many}{best}"
    return f"{what}. Numbers follow in a table."


def _key(landscape: Landscape) -> list[tuple[str, str, str]]:
    """Class, shape and words of what the interactive picture marks."""
    key = [("lowest", "●", "lowest local minimum"), ("higher", "▼", "higher local minimum")]
    family = landscape.problem.family
    if family.is_scalar:
        return [("curve", "━", "h"), ("task", "─", "a task’s own cost after adaptation"), *key]
    return [*key, ("saddle", "✕", "saddle"), ("stable", "┅", "rim of the stabilising set"),
            ("none", "░", "h is infinite")]  # fmt: skip


# --- tables ----------------------------------------------------------------------------------------


def _tasks(landscape: Landscape) -> list[dict[str, str]]:
    from benign.results.line import LineLandscape

    problem = landscape.problem
    shown = problem.tasks[:TASKS]
    rows = [
        {
            "name": clean(task.name, NAME),
            "weight": short(float(weight), 4),
            "rho": short(_radius(task), 5),
        }
        for task, weight in zip(shown, problem.weights, strict=False)
    ]
    if isinstance(landscape, LineLandscape):
        optima = landscape.optima[: len(rows)]
        W, costs = distinct([o.W for o in optima]), distinct([o.cost for o in optima])
    else:
        W, costs = _float_optima(landscape, len(rows))
    for row, gain, cost in zip(rows, W, costs, strict=False):
        row |= {"W": gain, "cost": cost}
    return [{"W": "", "cost": ""} | row for row in rows]


def _radius(task: Any) -> float:
    A = np.array([[float(x) for x in row] for row in task.f.A])
    return float(np.abs(np.linalg.eigvals(A)).max())


def _float_optima(landscape: Landscape, count: int) -> tuple[list[str], list[str]]:
    from benign.meta.given import meta_objective
    from benign.tasks.optima import optima

    gains, costs = optima(meta_objective(landscape.problem).family.tasks)
    exist = np.isfinite(costs)
    W = [_rows(g, 5) if fine else "none" for g, fine in zip(gains, exist, strict=True)]
    return W[:count], [short(float(c), 7) for c in costs[:count]]


def _rows(W: Any, digits: int) -> str:
    """A gain row by row; of a large one the first entries."""
    return "; ".join(
        " ".join(f"{x:.{digits}g}" for x in row[:12]) + (" …" if len(row) > 12 else "") for row in W[:6]
    )


def _points(section: Section) -> list[dict[str, str]]:
    landscape = section.landscape
    points = landscape.minimizers[:POINTS]
    if not points:
        return []
    h = distinct([p.value for p in points])
    of = {c.minimiser: c for c in section.points}
    rows = []
    for i, (point, value) in enumerate(zip(points, h, strict=True), start=1):
        proof = of.get(i, section.own)
        rows.append({
            "number": str(i),
            "W": bounds(point.at, 9) if hasattr(point, "at") else _gain(point),
            "h": value,
            "gap": outward(point.gap, 3, down=False) if isfinite(point.gap) else "no bound proved",
            "kind": point.kind.value,
            "certificate": _proof(proof),
        })  # fmt: skip
    return rows


def _gain(point: Any) -> str:
    return point.rows(6) if hasattr(point, "rows") else _rows(point.W, 6)


def _proof(checked: Checked) -> str:
    words = {"accepted": "checked", "refused": "refused", "unchecked": "not checked here"}
    return f"{checked.name}, {words[checked.state]}" if checked.state in words else "none"


def _loops(landscape: Landscape) -> dict[str, Any] | None:
    """Poles and responses of every plant at the best gain."""
    if not landscape.minimizers or landscape.problem.family.n > MOST_STATES:
        return None
    from benign.meta.given import meta_objective
    from benign.meta.responses import responses
    from benign.report.stills import COLOURS, DRAWN, data_uri, draw_responses

    point = landscape.minimizers[0]
    found = responses(meta_objective(landscape.problem), np.asarray(point.W, float), LOOPS)
    return {
        "gain": _gain(point) if not hasattr(point, "at") else bounds(point.at, 7),
        "still": data_uri(draw_responses(found)),
        "drawn": min(DRAWN, len(found)),
        "more": len(landscape.problem.tasks) - len(found),
        "rows": [
            {
                "name": clean(one.name, NAME),
                "colour": f"c{i % COLOURS}" if i < DRAWN else "",
                "before": _poles(one.before.poles),
                "after": _poles(one.after.poles),
                "radius_before": short(one.before.radius, 5),
                "radius_after": short(one.after.radius, 5),
            }
            for i, one in enumerate(found)
        ],
    }


def _poles(values: Iterable[complex]) -> str:
    """λ, conjugate pairs once, with ±."""
    texts = []
    for z in values:
        if abs(z.imag) <= 1e-12 * max(abs(z), 1e-300):
            texts.append(f"{z.real:.4g}")
        elif z.imag > 0:
            texts.append(f"{z.real:.4g} ± {z.imag:.4g}i")
    return ", ".join(texts)
