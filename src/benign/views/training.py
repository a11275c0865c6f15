"""The picture of a training run: how the cost fell, how flat it became, what each task costs."""

from __future__ import annotations

from math import inf, nextafter
from typing import TYPE_CHECKING

import numpy as np

from benign.text import for_picture
from benign.views.numbers import outward, percent_at_most, short
from benign.views.plots import BLUE, GREEN, GREY, INK, ORANGE, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from benign.training.result import TrainingResult

NAMED_TASKS = 16
"""More tasks than these are drawn in order of their cost, without names."""

POINTS = 2000
"""Entries of the trace that are drawn; a longer one is thinned, its first and last entries kept."""


_GREEK = {"eta": "η", "lambda": "λ", "delta": "δ"}


def draw_training(result: TrainingResult) -> Figure:
    """Cost after adaptation and update norm against meta-steps, and the tasks against their optima.

    The dotted line is the proved lower bound of h, if there is a certificate: what is left between it
    and the curve is all that any training could still gain.

    Returns:
        A Matplotlib figure that belongs to no window; save it with `savefig`.
    """
    with style():
        from benign.views.figure import Picture

        figure = Picture(figsize=(13.0, 5.6), dpi=150)
        cost = figure.add_axes((0.075, 0.47, 0.47, 0.31))
        norm = figure.add_axes((0.075, 0.11, 0.47, 0.29), sharex=cost)
        tasks = figure.add_axes((0.67, 0.11, 0.31, 0.67))
        _draw_cost(cost, result)
        _draw_norm(norm, result)
        _draw_tasks(tasks, result)
        figure.text(
            0.02, 0.965, _headline(result), fontsize=14.5, fontweight="bold", color=INK, va="top"
        )
        figure.text(0.02, 0.905, _subtitle(result), fontsize=10.5, color="#444444", va="top")
        return figure


def _headline(result: TrainingResult) -> str:
    if not result.certificates:
        return f"Observed: cost after adaptation {short(result.value, 6)}"
    if result.gap == 0:
        return f"Proved: trained to a global minimum of h ({result.claim})"
    part = nextafter(result.gap / result.value, inf) if result.value > 0 else inf
    share = f" ({percent_at_most(part, 2)})" if part < 10 else ""
    return (
        f"Proved: h(W) is within {outward(result.gap, 3, down=False)}{share} of the best possible "
        f"({result.claim})"
    )


def _subtitle(result: TrainingResult) -> str:
    settings = result.settings
    algorithm = dict(settings["algorithm"])
    name = algorithm.pop("name")
    numbers = [
        f"{_GREEK.get(key, key)} = {_number(value)}"
        for key, value in algorithm.items()
        if key != "step"
    ]
    if algorithm.get("step") == "normalized":
        numbers.append("normalised step")
    rate = (
        "Armijo's rule" if settings["armijo"] else f"{settings['optimizer']}, β = {settings['beta']:g}"
    )
    k = len(result.task_values)
    parts = [f"{name}: {', '.join(numbers)}", rate, f"{k} task{'s' if k > 1 else ''}"]
    if settings["batch"] != k:
        parts.append(f"{settings['batch']} a batch")
    parts.append(f"{result.steps} meta-steps: {result.stop.message}")
    return "   ·   ".join(parts)


def _number(value: object) -> str:
    """An exact fraction or a number, short."""
    if isinstance(value, str):
        top, _, bottom = value.partition("/")
        return f"{float(top) / float(bottom or 1):g}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _thinned(count: int) -> np.ndarray:
    return np.unique(np.linspace(0, count - 1, min(count, POINTS)).round().astype(int))


def _draw_cost(axes: Axes, result: TrainingResult) -> None:
    value = result.trace.value
    at = _thinned(len(value))
    batches = result.settings["batch"] != len(result.task_values)
    axes.plot(
        at, value[at], color=BLUE, lw=0.8 if batches else 1.8, zorder=3,
        label="cost after adaptation" + (", of each batch" if batches else ""),
    )  # fmt: skip
    axes.plot([result.steps], [result.value], "o", color=BLUE, ms=6, zorder=4, clip_on=False)
    shown = value[at][np.isfinite(value[at])]
    low = result.value - result.gap if result.gap < inf else float(shown.min())
    if result.gap < inf:
        axes.axhline(
            low, color=GREEN, lw=1.4, ls=(0, (1, 1.5)), zorder=2, label="proved: no W costs less"
        )
    # The first steps may be far above the rest, which is what one wants to see.
    high = max(float(np.quantile(shown, 0.98)), result.value + 0.15 * abs(result.value - low))
    room = (high - low) or abs(high) or 1.0
    axes.set_ylim(low - 0.12 * room, high + 0.12 * room)
    halved = np.flatnonzero(result.trace.halvings > 0)
    # Armijo's rule tries and halves all the time; with a constant step it means a rim was met.
    if 0 < len(halved) <= POINTS and not result.settings["armijo"]:
        axes.plot(
            halved, np.full(len(halved), 0.03), "|", color=ORANGE, ms=6, mew=0.8,
            transform=axes.get_xaxis_transform(), label="a step was halved",
        )  # fmt: skip
    axes.set_ylabel("h(W)")
    axes.yaxis.set_label_coords(-0.105, 0.5)
    axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 0.98), ncols=3, fontsize=9.5)
    axes.tick_params(labelbottom=False)


def _draw_norm(axes: Axes, result: TrainingResult) -> None:
    norm = result.trace.norm
    at = _thinned(len(norm))
    shown = norm[at]
    positive = shown > 0
    axes.plot(at[positive], shown[positive], color=INK, lw=1.2)
    if positive.any():
        from matplotlib.ticker import NullFormatter

        axes.set_yscale("log")
        low, high = float(shown[positive].min()), float(shown[positive].max())
        # A whole decade in view at least, so that there are powers of ten to read.
        floor, top = np.log10(low) - 0.05, np.log10(high) + 0.05
        axes.set_ylim(10 ** min(floor, top - 1.3), 10**top)
        axes.yaxis.set_minor_formatter(NullFormatter())
    has_h = result.algorithm.name in ("maml", "normalized-maml", "ftml")
    axes.set_ylabel("‖∇h(W)‖" if has_h else "update norm")
    axes.set_xlabel("meta-steps")
    axes.yaxis.set_label_coords(-0.105, 0.5)
    axes.set_xlim(-0.01 * max(result.steps, 1), 1.01 * max(result.steps, 1))


def _draw_tasks(axes: Axes, result: TrainingResult) -> None:
    """Bars from nothing to each task's cost after adaptation, a tick at the least it can cost."""
    value, best = result.task_values, result.optimal_values
    many = len(value) > NAMED_TASKS
    order = np.argsort(value, kind="stable") if many else np.arange(len(value))[::-1]
    place = np.arange(len(value))
    axes.barh(place, value[order], height=1.0 if many else 0.62, color=BLUE, alpha=0.85, lw=0,
              label="after adaptation")  # fmt: skip
    if best is not None and np.isfinite(best).all():
        if many:
            axes.plot(best[order], place, color=ORANGE, lw=1.4, label="the task’s optimum")
        else:
            axes.plot(best[order], place, ls="none", marker="|", ms=17, mew=2.4, color=ORANGE,
                      label="the task’s optimum")  # fmt: skip
            for y, v, b in zip(place, value[order], best[order], strict=True):
                excess = f"+{100 * (v - b) / b:.2g} %" if b > 0 else f"+{v - b:.2g}"
                axes.annotate(excess, (max(v, b), y), xytext=(7, 0), textcoords="offset points",
                              va="center", fontsize=9, color=GREY)  # fmt: skip
            axes.set_xlim(0, 1.17 * float(value.max()))
    if many:
        axes.set_yticks([])
        axes.set_ylabel(f"{len(value)} tasks, by cost")
    else:
        names = [result.tasks.names[i] for i in order]
        axes.set_yticks(place, [for_picture(name, 22) for name in names], fontsize=9.5)
        axes.tick_params(axis="y", length=0)
    axes.set_xlabel("cost")
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, fontsize=9.5)
