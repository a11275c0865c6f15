"""The bifurcation diagram: where the minimisers of h are as η grows, and how far above the best."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benign.text import for_picture
from benign.views.plots import BLUE, GREY, INFEASIBLE, INK, ORANGE, TASK_COLOURS, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from benign.sweeps.bifurcation import Bifurcation
    from benign.sweeps.branches import BranchPoint

NAMED_TASKS = 8


def draw_bifurcation(found: Bifurcation) -> Figure:
    """W of every minimiser against η, and below how far above the global minimum it lies.

    Global minimisers are blue, spurious ones orange; births and deaths are marked where they were
    enclosed. Each point of a curve is proved at its step size; the lines between are drawn, not proved.

    Returns:
        A Matplotlib figure that belongs to no window; save it with `savefig`.
    """
    with style():
        from benign.views.figure import Picture

        figure = Picture(figsize=(11.0, 7.0), dpi=150)
        place = figure.add_axes((0.09, 0.40, 0.65, 0.46))
        height = figure.add_axes((0.09, 0.09, 0.65, 0.25), sharex=place)
        _draw_places(place, found)
        _draw_heights(height, found)
        handles, labels = place.get_legend_handles_labels()
        figure.legend(
            handles,
            labels,
            loc="upper left",
            bbox_to_anchor=(0.755, 0.87),
            fontsize=9.5,
            labelspacing=0.5,
        )
        figure.text(0.02, 0.97, _headline(found), fontsize=14.5, fontweight="bold", color=INK, va="top")
        figure.text(0.02, 0.92, _subtitle(found), fontsize=10.5, color="#444444", va="top")
        return figure


def _headline(found: Bifurcation) -> str:
    counts = [len(sample.minimizers) for sample in found.samples if sample.landscape is not None]
    low, high = min(counts), max(counts)
    minima = f"{low} to {high} minima" if low < high else f"{low} minim{'a' if low > 1 else 'um'}"
    spurious = any(point.spurious for branch in found.branches for point in branch)
    decided = sum(sample.decided for sample in found.samples)
    tail = ", some of them spurious" if spurious else ", all global" if high > 1 else ""
    return f"Proved at {decided} step sizes: h has {minima}{tail}"


def _subtitle(found: Bifurcation) -> str:
    rule = "gradient step" if found.kind == "gradient" else "normalised step"
    k = len(found.family.tasks)
    births = sum(event.birth for event in found.events)
    deaths = len(found.events) - births
    undecided = sum(not sample.decided for sample in found.samples)
    parts = [
        f"{rule}, {found.shots} shot{'s' if found.shots > 1 else ''}",
        f"{k} task{'s' if k > 1 else ''}",
        f"{len(found.samples)} step sizes" + (f", {undecided} undecided" if undecided else ""),
        f"{births} birth{'s' if births != 1 else ''}, {deaths} death{'s' if deaths != 1 else ''}",
    ]
    return "   ·   ".join(parts)


def _etas(found: Bifurcation) -> np.ndarray:
    return np.array([float(sample.eta) for sample in found.samples])


def _draw_places(axes: Axes, found: Bifurcation) -> None:
    eta = _etas(found)
    _shade(axes, found)
    labelled: set[bool] = set()
    for branch in found.branches:
        _line(axes, eta, branch, [point.at.mid for point in branch], labelled)
    for birth, marker, label in ((True, "^", "a minimum is born"), (False, "v", "a minimum dies")):
        events = [event for event in found.events if event.birth is birth]
        if events:
            axes.plot(
                [sum(event.eta) / 2 for event in events], [event.W for event in events], ls="none",
                marker=marker, ms=8, mfc="white", mec=INK, mew=1.3, zorder=6, label=label,
            )  # fmt: skip
    # Windows follow the minimisers: the optimum of a task may lie far from all of them.
    low, high = axes.get_ylim()
    optima = next(s.landscape for s in found.samples if s.landscape is not None).optima
    for i, optimum in enumerate(optima if len(optima) <= NAMED_TASKS else ()):
        if low <= optimum.W.mid <= high:
            axes.axhline(
                optimum.W.mid, color=TASK_COLOURS[i % 6], lw=1.0, ls=(0, (4, 3)), zorder=1,
                label=f"optimum of {for_picture(optimum.name, 24)}",
            )  # fmt: skip
    axes.set_ylim(low, high)
    axes.set_ylabel("minimisers W")
    axes.yaxis.set_label_coords(-0.085, 0.5)
    axes.tick_params(labelbottom=False)
    axes.set_xlim(eta[0], eta[-1])


def _draw_heights(axes: Axes, found: Bifurcation) -> None:
    eta = _etas(found)
    _shade(axes, found)
    lowest = [
        np.nan if sample.landscape is None else sample.landscape.minimum.mid for sample in found.samples
    ]
    labelled = {True, False}
    for branch in found.branches:
        above = [max(point.value.mid - lowest[point.sample], 0.0) for point in branch]
        _line(axes, eta, branch, above, labelled)
    axes.set_ylim(bottom=-0.04 * axes.get_ylim()[1])
    axes.set_ylabel("above min h")
    axes.yaxis.set_label_coords(-0.085, 0.5)
    axes.set_xlabel("adaptation step size η")


def _line(
    axes: Axes, eta: np.ndarray, branch: tuple[BranchPoint, ...], y: list[float], labelled: set[bool]
) -> None:
    """A branch in runs of one colour; a run begins where the one before it ends."""
    words = {False: "global minimum", True: "spurious minimum"}
    start = 0
    for i in range(1, len(branch) + 1):
        if i == len(branch) or branch[i].spurious != branch[start].spurious:
            spurious = branch[start].spurious
            run = slice(max(start - 1, 0), i)
            x = eta[[point.sample for point in branch[run]]]
            axes.plot(
                x, y[run], color=ORANGE if spurious else BLUE, lw=2.2 if not spurious else 1.8,
                marker="o" if len(x) == 1 else None, ms=4, zorder=3 if spurious else 4,
                label=None if spurious in labelled else words[spurious], solid_capstyle="round",
            )  # fmt: skip
            labelled.add(spurious)
            start = i


def _shade(axes: Axes, found: Bifurcation) -> None:
    """Step sizes at which no gain is feasible, and those that are not decided."""
    eta = _etas(found)
    edges = np.concatenate([eta[:1], (eta[:-1] + eta[1:]) / 2, eta[-1:]])
    label: str | None = INFEASIBLE
    for i, sample in enumerate(found.samples):
        if sample.landscape is None:
            axes.axvspan(edges[i], edges[i + 1], color="#e9e9e9", lw=0, zorder=0, label=label)
            label = None
        elif not sample.decided:
            axes.axvline(eta[i], color=GREY, lw=0.6, ls=(0, (1, 2)), zorder=0)
