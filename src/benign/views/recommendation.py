"""What a recommendation rests on: ε, attained cost and share of good starts over the step sizes."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING

import numpy as np

from benign.sweeps.recommendation import Advice, Cell, Recommendation, Variant, Word
from benign.text import clean
from benign.views.numbers import percent_at_least, percent_at_most, short, step_size
from benign.views.plots import BLUE, GREEN, INK, ORANGE, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from rich.console import Group

COLOURS = {Variant.GRADIENT: BLUE, Variant.COSTS: ORANGE, Variant.NORMALIZED: GREEN}
MARKERS = {Variant.GRADIENT: "o", Variant.COSTS: "s", Variant.NORMALIZED: "D"}
NAMES = {
    Variant.GRADIENT: "gradient step",
    Variant.COSTS: "gradient step,\nnormalised costs",
    Variant.NORMALIZED: "normalised step\n(η is its length)",
}

FLOOR = 1e-4
"""Per cent: what is less is drawn here, so that zero has a place on a logarithmic axis."""

CEILING = 1e3
"""Per cent above the mean optimum: what is more is drawn here, lest it hide the rest."""


def draw_recommendation(found: Recommendation) -> Figure:
    """Three panels over η: ε, the attained cost at the worst minimum, the share of good starts.

    Filled markers are proved, hollow ones observed. Lines join what was looked at and say nothing of
    what lies between.

    Returns:
        A Matplotlib figure that belongs to no window; save it with `savefig`.
    """
    with style():
        from benign.views.figure import Picture

        figure = Picture(figsize=(11.0, 9.0), dpi=150)
        top = figure.add_axes((0.135, 0.635, 0.61, 0.23))
        middle = figure.add_axes((0.135, 0.355, 0.61, 0.23), sharex=top)
        bottom = figure.add_axes((0.135, 0.075, 0.61, 0.23), sharex=top)
        for variant in Variant:
            cells = [
                cell
                for cell in found.cells
                if cell.variant is variant and cell.word is not Word.INFEASIBLE
            ]
            if cells:
                _draw_variant((top, middle, bottom), found, variant, cells)
        for axes in (top, middle):
            _decorate_percent(axes)
        top.set_ylabel("ε, % of min h")
        middle.set_ylabel(_cost_label(found))
        bottom.set_ylabel("starts that reach\nthe least h, %")
        bottom.set_ylim(-4, 104)
        bottom.set_xlabel("adaptation step size η")
        bottom.set_xscale("log")
        bottom.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
        for axes in (top, middle):
            axes.tick_params(labelbottom=False)
        for axes in (top, middle, bottom):
            axes.yaxis.set_label_coords(-0.135, 0.5)
            _mark_eta(axes, found)
        _legend(figure, top, found)
        figure.text(
            0.02, 0.975, _headline(found), fontsize=14.5, fontweight="bold", color=INK, va="top"
        )
        figure.text(0.02, 0.932, _subtitle(found), fontsize=10.5, color="#444444", va="top")
        return figure


def recommendation_report(found: Recommendation, title: str = "") -> Group:
    """The advice and its reason, then every cell."""
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    tables = []
    for variant in Variant:
        cells = [cell for cell in found.cells if cell.variant is variant]
        if not cells:
            continue
        name = _capital(NAMES[variant].replace("\n", " "))
        table = Table(title=name, title_justify="left", box=box.SIMPLE_HEAD)
        for head in ("η", "ε, % of min h", "", "best", "worst", "starts reach it"):
            table.add_column(head, justify="left" if head == "" else "right", no_wrap=True)
        for cell in cells:
            table.add_row(*_row(found, cell))
        tables.append(table)
    parts: list[Text | Table] = [Text(clean(title), style="bold")] if title else []
    parts += [
        Text(_capital(found.headline), style="bold"),
        Text(found.reason),
        *tables,
        Text(
            "best, worst: average cost after adaptation, in the original costs, at the best and at the "
            "worst minimum; → recommended" + (", • in use" if found.present is not None else "")
        ),
    ]
    return Group(*parts)


# --- details ---------------------------------------------------------------------------------


def _row(found: Recommendation, cell: Cell) -> list[str]:
    mark = "→ " if cell is found.chosen else "• " if cell is found.present else ""
    eta = f"{mark}{step_size(cell.eta, 3)}"
    if cell.word is Word.INFEASIBLE:
        return [eta, "", "infeasible", "", "", ""]
    low, high = cell.interval
    share = f"{cell.reached}/{cell.starts} ({100 * low:.0f} to {100 * high:.0f} %)"
    return [eta, _epsilon(cell), cell.word.value, f"{cell.best:.6g}", f"{cell.worst:.6g}", share]


def _epsilon(cell: Cell) -> str:
    lo, hi = cell.relative_epsilon
    if cell.word is Word.OBSERVED or not isfinite(hi):
        return f"≥ {percent_at_least(lo, 2)}".removesuffix(" %")
    return percent_at_most(hi).removesuffix(" %")


def _draw_variant(
    panels: tuple[Axes, Axes, Axes], found: Recommendation, variant: Variant, cells: list[Cell]
) -> None:
    top, middle, bottom = panels
    colour = COLOURS[variant]
    eta = np.array([float(cell.eta) for cell in cells])
    proved = np.array([cell.word is Word.PROVED for cell in cells])
    epsilon = np.array([_drawn_epsilon(cell) for cell in cells])
    worst = np.array([_above(found, cell.worst) for cell in cells])
    best = np.array([_above(found, cell.best) for cell in cells])
    _series(top, eta, np.maximum(100 * epsilon, FLOOR), variant, proved)
    _series(middle, eta, np.clip(worst, FLOOR, CEILING), variant, proved)
    middle.plot(eta, np.clip(best, FLOOR, CEILING), color=colour, lw=1.1, ls=(0, (2, 2)), zorder=2)
    interval = np.array([cell.interval for cell in cells])
    bottom.fill_between(eta, *(100 * interval.T), color=colour, alpha=0.13, lw=0, zorder=1)
    # What a descent reaches is observed, whatever was proved of the minima.
    share = np.array([100 * cell.share for cell in cells])
    _series(bottom, eta, share, variant, np.zeros(len(cells), bool))


def _series(axes: Axes, x: np.ndarray, y: np.ndarray, variant: Variant, filled: np.ndarray) -> None:
    colour, marker = COLOURS[variant], MARKERS[variant]
    axes.plot(x, y, color=colour, lw=1.6, zorder=3)
    for inside, face in ((filled, colour), (~filled, "white")):
        if inside.any():
            axes.plot(
                x[inside], y[inside], ls="none", marker=marker, ms=5.5, mfc=face, mec=colour, mew=1.3,
                zorder=4, clip_on=False,
            )  # fmt: skip


def _drawn_epsilon(cell: Cell) -> float:
    """A proved ε at its upper bound; what is only bounded from below, there."""
    lo, hi = cell.relative_epsilon
    return hi if cell.word is Word.PROVED and isfinite(hi) else lo


def _above(found: Recommendation, cost: float) -> float:
    """Per cent above the mean of the tasks' optima, or the cost where that is not known."""
    reference = _reference(found)
    return 100 * (cost / reference - 1)


def _reference(found: Recommendation) -> float:
    """The mean of the optima; where a task has none, the least cost that was attained."""
    if isfinite(found.optimum) and found.optimum > 0:
        return found.optimum
    return min(cell.best for cell in found.cells if cell.word is not Word.INFEASIBLE)


def _cost_label(found: Recommendation) -> str:
    known = isfinite(found.optimum) and found.optimum > 0
    return "attained cost, % above\n" + ("the mean optimum" if known else "the least")


def _decorate_percent(axes: Axes) -> None:
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    axes.set_ylim(FLOOR / 1.6 if low < 3 * FLOOR else low, high)
    ticks = [10.0**k for k in range(-4, 4) if low <= 10.0**k * 1.0001 and 10.0**k <= high]
    ticks = ticks if len(ticks) <= 6 else ticks[::2]
    if len(ticks) >= 2:
        from matplotlib.ticker import NullFormatter

        axes.set_yticks(ticks, [("≤ " if t <= FLOOR * 1.01 else "") + f"{t:g}" for t in ticks])
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(visible=True, axis="y", color="#e6e6e6", lw=0.7, zorder=0)


def _mark_eta(axes: Axes, found: Recommendation) -> None:
    """The step size in use, dashed; the one recommended, a band of its variant's colour."""
    if found.present is not None:
        axes.axvline(float(found.present.eta), color=INK, lw=1.0, ls=(0, (4, 3)), zorder=1)
    colour = COLOURS[found.chosen.variant]
    axes.axvline(float(found.chosen.eta), color=colour, lw=7, alpha=0.22, zorder=0)


def _legend(figure: Figure, axes: Axes, found: Recommendation) -> None:
    from matplotlib.lines import Line2D

    present = [variant for variant in Variant if any(c.variant is variant for c in found.cells)]
    handles = [
        Line2D([], [], color=COLOURS[v], marker=MARKERS[v], ms=5.5, lw=1.6, label=NAMES[v])
        for v in present
    ]
    grey = "#555555"
    handles += [
        Line2D([], [], color=grey, marker="o", ls="none", ms=5.5, label="proved"),
        Line2D([], [], color=grey, marker="o", ls="none", ms=5.5, mfc="white", label="observed"),
        Line2D([], [], color=grey, lw=1.6, label="at the worst minimum"),
        Line2D([], [], color=grey, lw=1.1, ls=(0, (2, 2)), label="at the best minimum"),
        Line2D([], [], color=COLOURS[found.chosen.variant], lw=7, alpha=0.22, label="recommended η"),
    ]
    if found.present is not None:
        handles.append(Line2D([], [], color=INK, lw=1.0, ls=(0, (4, 3)), label="η in use"))
    figure.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(0.755, 0.875), fontsize=9.5,
        labelspacing=0.7,
    )  # fmt: skip


def _headline(found: Recommendation) -> str:
    cell = found.chosen
    where = f"{cell.variant.words}, η = {step_size(cell.eta, 3)}"
    if found.advice is Advice.DISTINCT:
        return f"{_capital(found.advice)}; best here: {where}"
    if found.advice is Advice.KEEP:
        return f"Keep {where}"
    if found.advice is Advice.NORMALIZE:
        return f"Normalise the costs, η = {step_size(cell.eta, 3)}"
    if found.advice is Advice.STEP:
        return f"Use the normalised step, η = {step_size(cell.eta, 3)}"
    return f"{_capital(found.advice.replace('eta', 'η'))} to {step_size(cell.eta, 3)}"


def _subtitle(found: Recommendation) -> str:
    k = len(found.family.tasks)
    chosen = found.chosen
    starts = max(cell.starts for cell in found.cells)
    parts = [
        f"{k} task{'s' if k > 1 else ''}",
        f"{found.shots} shot{'s' if found.shots > 1 else ''}",
        f"{len(found.cells)} cells, {starts} random starts in each",
        f"recommended: original cost {short(chosen.best, 6)} to {short(chosen.worst, 6)}",
    ]
    return "   ·   ".join(parts)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
