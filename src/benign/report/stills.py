"""Pictures that need no program to be seen: SVG in `data:` URIs, in which no script can run."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any

import numpy as np

from benign.views.plots import DASHES, GREY, INK, TASK_COLOURS, style
from benign.views.save import render

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from benign.meta.responses import Response

DRAWN = 12
"""Tasks whose loops are drawn; the table has more."""

COLOURS = len(TASK_COLOURS)
"""Colours of tasks, which the page's style repeats."""

STATES, INPUTS = 4, 2
"""States and inputs that are drawn, the first ones."""

LARGEST = 400_000
"""Bytes of an SVG; a larger picture is put into the page as PNG."""


def data_uri(figure: Figure | None) -> str:
    """The figure in a URI; empty without one."""
    if figure is None:
        return ""
    made = render(figure)
    kind, data = ("svg+xml", made["svg"]) if len(made["svg"]) <= LARGEST else ("png", made["png"])
    return f"data:image/{kind};base64,{b64encode(data).decode()}"


def draw_responses(responses: tuple[Response, ...]) -> Figure:
    """The states after a unit step at an input, before adaptation (dashed) and after, and the poles.

    Returns:
        A Matplotlib figure that belongs to no window.
    """
    from benign.views.figure import Picture

    m, _, n = responses[0].before.steps.shape
    rows, columns = min(n, STATES), min(m, INPUTS)
    with style():
        height = max(4.6, 2.1 * rows + 1.2)
        figure = Picture(figsize=(3.6 * columns + 4.6, height), dpi=150)
        grid = figure.add_gridspec(rows, columns + 1, width_ratios=[*[1] * columns, 1.15],
                                   left=0.085, right=0.985, top=1 - 0.5 / height, bottom=0.62 / height,
                                   wspace=0.3, hspace=0.35)  # fmt: skip
        for j in range(columns):
            for i in range(rows):
                axes = figure.add_subplot(grid[i, j])
                _panel(axes, responses, i, j, last=i == rows - 1)
                if i == 0:
                    axes.set_title(f"unit step at input {j + 1}", fontsize=11, color=INK, loc="left")
        _poles(figure.add_subplot(grid[:, columns]), responses)
        return figure


def _panel(axes: Any, responses: tuple[Response, ...], i: int, j: int, *, last: bool) -> None:
    for number, one in enumerate(responses[:DRAWN]):
        colour = TASK_COLOURS[number % COLOURS]
        time = np.arange(one.before.steps.shape[1])
        axes.plot(time, one.before.steps[j, :, i], color=colour, lw=1.1, ls=(0, DASHES[0]), alpha=0.8)
        axes.plot(time, one.after.steps[j, :, i], color=colour, lw=1.8)
    axes.axhline(0, color=GREY, lw=0.6)
    axes.set_ylabel(f"state {i + 1}")
    if last:
        axes.set_xlabel("step")


def _poles(axes: Any, responses: tuple[Response, ...]) -> None:
    circle = np.exp(1j * np.linspace(0, 2 * np.pi, 200))
    axes.plot(np.real(circle), np.imag(circle), color=GREY, lw=1.0)
    axes.axhline(0, color=GREY, lw=0.5)
    axes.axvline(0, color=GREY, lw=0.5)
    for number, one in enumerate(responses[:DRAWN]):
        colour = TASK_COLOURS[number % COLOURS]
        before, after = np.asarray(one.before.poles), np.asarray(one.after.poles)
        axes.plot(np.real(before), np.imag(before), ls="none", marker="o", ms=6, mfc="none", mec=colour)
        axes.plot(np.real(after), np.imag(after), ls="none", marker="x", ms=7, mew=2, color=colour)
    axes.plot([], [], ls="none", marker="o", mfc="none", mec=INK, label="at W")
    axes.plot([], [], ls="none", marker="x", color=INK, mew=2, label="after adaptation")
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_title("poles and the unit circle", fontsize=11, color=INK, loc="left")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.08), ncols=2, fontsize=9.5)
