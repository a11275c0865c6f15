"""The figures of the source paper, drawn from stored results.

Each result is first written as JSON (`figure-3b-eta-0.1.json`, with its certificate beside it); a
figure is then drawn from those files alone, so that it can be drawn again without proving again.

Source: I. Molybog and J. Lavaei, arXiv 2006.00453, Figures 1 to 3 and "Details on the experiments".
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from benign.errors import BenignError, FileFormatError
from benign.exact.problem import Problem, StepKind, make_step
from benign.files import to_text, write_atomically
from benign.results.documents import landscape_document, read_landscape
from benign.results.line import LineLandscape
from benign.tasks.files import bundled_path, load
from benign.verdict import Status
from benign.views.numbers import bounds, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PRINTED, HALVED = "0.1", "0.05"
SETTINGS = (PRINTED, HALVED)
"""The printed step size, and half of it: the printed one under a gradient without its factor 2."""


@dataclass(frozen=True)
class PaperFigure:
    """A figure: the family whose landscape it shows, what it shows of it, and a heading."""

    name: str
    family: str
    heading: str
    view: Literal["tasks", "average", "zoom"] = "average"


FIGURES: dict[str, PaperFigure] = {
    figure.name: figure
    for figure in (
        PaperFigure("1", "1", "one task"),
        PaperFigure("2a", "2", "two proportional tasks (dashed) and their mean (solid)", "tasks"),
        PaperFigure("2b", "2", "the mean of the two tasks, enlarged", "zoom"),
        PaperFigure("3a", "3a", "three similar tasks (dashed) and their mean (solid)", "tasks"),
        PaperFigure("3b", "3b", "two tasks with common dynamics"),
        PaperFigure("3c", "3c", "five tasks with common dynamics"),
        PaperFigure("3d", "3d", "eleven tasks with common dynamics"),
    )
}


def paper_problem(family: str, eta: str, kind: StepKind = "gradient") -> Problem:
    """The objective behind a figure, from the bundled family file."""
    return Problem(load(bundled_path(f"paper-figure-{family}")).family, make_step(kind, eta))


def result_name(family: str, eta: str) -> str:
    """The file that holds the landscape behind a figure."""
    return f"figure-{family}-eta-{eta}.json"


def certificate_name(result: str) -> str:
    """The file of a result's certificate."""
    return f"{Path(result).stem}.certificate.json"


def store(landscape: LineLandscape, path: Path) -> list[Path]:
    """Write a landscape and, beside it, its certificate."""
    certificate = path.with_name(certificate_name(path.name))
    return [
        write_atomically(path, to_text(landscape_document(landscape))),
        write_atomically(certificate, to_text(landscape.certificate or {})),
    ]


def draw(name: str, directory: str | os.PathLike[str]) -> Figure:
    """Figure `name` ("1", "2a", … "3d") at both step sizes, from the results stored in a directory.

    Raises:
        BenignError: there is no figure of that name.
        FileFormatError: a stored result is missing or damaged.
    """
    if name not in FIGURES:
        raise BenignError(f"no figure {name!r} in the paper; there are {', '.join(FIGURES)}")
    figure = FIGURES[name]
    paths = [Path(directory) / result_name(figure.family, eta) for eta in SETTINGS]
    stored = [found for found in map(read_landscape, paths) if isinstance(found, LineLandscape)]
    if len(stored) < len(paths):
        raise FileFormatError(f"{directory}: a stored result is not of one state and one input")
    return draw_pair(figure, stored)


def draw_pair(figure: PaperFigure, landscapes: list[LineLandscape]) -> Figure:
    """One panel for each landscape, side by side, each with its key below."""
    from benign.views.plots import INK, ordered_handles, style

    with style():
        from benign.views.figure import Picture

        k = len(landscapes[0].problem.tasks)
        tasks = k if figure.view == "tasks" else 0
        most = max(len(landscape.minima) for landscape in landscapes)
        rows = -(-(tasks + 2 * most + 4) // 2) + 1
        key = 0.24 * rows + 0.15
        height = 4.9 + key
        canvas = Picture(figsize=(13.0, height), dpi=150)
        canvas.text(
            0.02, 1.0 - 0.2 / height, f"Figure {figure.name}: {figure.heading}",
            fontsize=15, fontweight="bold", color=INK, va="top",
        )  # fmt: skip
        for column, landscape in enumerate(landscapes):
            box = (0.075 + 0.485 * column, (key + 0.65) / height, 0.42, 3.15 / height)
            axes = canvas.add_axes(box)
            _panel(axes, figure, landscape)
            axes.legend(
                handles=ordered_handles(axes), loc="upper left", bbox_to_anchor=(-0.03, -0.6 / 3.15),
                ncols=2, fontsize=10, borderaxespad=0.0, handlelength=2.2, columnspacing=1.2,
                labelspacing=0.4,
            )  # fmt: skip
        return canvas


def _panel(axes: Axes, figure: PaperFigure, landscape: LineLandscape) -> None:
    from benign.views.plots import draw_panel
    from benign.views.window import choose_window

    room = 1e9 if figure.view == "tasks" else 0.0
    window = replace(choose_window(landscape, room=room), zoom=None)
    if figure.view == "tasks":
        low, high = window.y  # the tasks' own hills count here, not their valleys only
        window = replace(window, y=(low, high + 0.2 * (high - low)))
    draw_panel(axes, landscape, window, tasks=figure.view == "tasks")
    eta = f"{float(landscape.problem.step.eta):g}"
    setting = "as printed" if eta == PRINTED else "half of the printed step"
    axes.set_title(f"η = {eta} ({setting})", loc="left", fontsize=12.5, pad=26)
    axes.text(0.0, 1.035, _verdict(landscape), transform=axes.transAxes, fontsize=10.5,
              color="#444444", va="bottom")  # fmt: skip


def _verdict(landscape: LineLandscape) -> str:
    count = len(landscape.minima)
    minima = "one local minimum" if count == 1 else f"{count} local minima"
    if landscape.verdict.status is Status.PROVED:
        return f"{minima}, proved global" if count == 1 else f"{minima}, all proved global"
    ratio = percent(landscape.relative_epsilon)
    return f"{minima}, not all global: smallest ε = {bounds(landscape.epsilon)} ({ratio} of min h)"
