"""The picture of a landscape: h, the tasks, and every point that was proved, marked by its kind.

The lines are plain float64 (`benign.views.curves`); the marks, the shading and the words come from
the `LineLandscape` and are proved. Nothing of Matplotlib is imported before a picture is asked for, and
`pyplot` never is.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import numpy as np

from benign.results.landscape import Kind
from benign.results.line import LineLandscape, StationaryPoint
from benign.text import for_picture
from benign.views.curves import Curves, Floats, sample
from benign.views.numbers import distinct
from benign.views.window import Window, choose_window
from benign.views.words import headline, is_spurious, subtitle

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette: distinct under the common colour deficiencies and in grey print.
INK, BLUE, ORANGE, GREEN, SKY = "#1a1a1a", "#0072B2", "#D55E00", "#009E73", "#56B4E9"
PURPLE, AMBER, GREY = "#CC79A7", "#E69F00", "#8a8a8a"
TASK_COLOURS = (SKY, PURPLE, GREEN, AMBER, BLUE, ORANGE)
DASHES = ((5, 2), (2, 1.5), (7, 2, 1.5, 2))

NAMED_TASKS, DRAWN_TASKS = 12, 60
NAMED_MINIMA = 6
INFEASIBLE, UNDECIDED = "no gain here is feasible", "undecided stretch"
SHOWN_JUMPS = 12

_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 11.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": INK,
    "axes.linewidth": 0.8,
    "axes.unicode_minus": True,
    "axes.formatter.use_mathtext": False,
    "axes.formatter.offset_threshold": 6,
    "legend.frameon": False,
    "text.usetex": False,  # names are no TeX
    "svg.fonttype": "path",  # the same letters on every machine
    "svg.hashsalt": "benign",  # the same file for the same landscape
    "path.simplify": True,
    "hatch.linewidth": 0.8,
}


def style() -> AbstractContextManager[None]:
    """The settings of all pictures, for the time they are drawn or written."""
    import matplotlib

    return matplotlib.rc_context(_STYLE)


def draw_landscape(landscape: LineLandscape) -> Figure:
    """h (solid), each h_τ (dashed), minima by kind, gaps of the domain, and the verdict as title.

    Where minima are closer than the eye can tell, a second panel shows their height above the global
    minimum on a logarithmic scale. Up to 12 tasks are named, and at most 60 drawn.

    Returns:
        A Matplotlib figure that belongs to no window; save it with `savefig`.
    """
    with style():
        from benign.views.figure import Picture

        window = choose_window(landscape)
        width = 14.0 if window.zoom else 11.0
        entries = _legend_entries(landscape)
        height = max(5.6, 1.3 + 0.245 * (entries + 3))
        figure = Picture(figsize=(width, height), dpi=150)
        key = 3.35  # inches kept on the right for the key, so that it never covers data
        bottom, top = 0.72 / height, 1.0 - 0.98 / height
        left, right = 1.0 / width, 1.0 - (key + 0.15) / width
        if window.zoom:
            middle = left + 0.56 * (right - left)
            main = figure.add_axes((left, bottom, middle - left, top - bottom))
            start = middle + 0.85 / width
            zoom = figure.add_axes((start, bottom, right - start, top - bottom))
            draw_zoom(zoom, landscape, window)
        else:
            main = figure.add_axes((left, bottom, right - left, top - bottom))
        draw_panel(main, landscape, window)
        handles = ordered_handles(main)
        main.legend(
            handles=handles,
            loc="upper left",
            bbox_to_anchor=(1.0 - key / width, top + 0.012),
            bbox_transform=figure.transFigure,
            borderaxespad=0.0,
            fontsize=10,
            handlelength=2.4,
            labelspacing=0.45,
        )
        figure.text(
            left - 0.7 / width, 1.0 - 0.2 / height, headline(landscape),
            fontsize=14.5, fontweight="bold", color=INK, va="top",
        )  # fmt: skip
        figure.text(
            left - 0.7 / width, 1.0 - 0.52 / height, subtitle(landscape),
            fontsize=10.5, color="#444444", va="top",
        )  # fmt: skip
        return figure


# --- panels ----------------------------------------------------------------------------------


def draw_panel(axes: Axes, landscape: LineLandscape, window: Window, *, tasks: bool = True) -> None:
    """h, the tasks (if wanted) and all marks on one pair of axes, labelled for a legend."""
    (x0, x1), (y0, y1) = window.x, window.y
    axes.set_xlim(x0, x1)
    axes.set_ylim(y0, y1)
    _ticks(axes)
    k = len(landscape.problem.tasks)
    drawn = _drawn(k) if tasks else ()
    curves = sample(landscape, x0, x1, drawn=drawn, points=900 if k <= 2000 else 300)
    _shade(axes, landscape, x0, x1)
    axes.plot(curves.W, _clip(curves.h, y0, y1), color=INK, lw=2.1, zorder=5,
              label="h, the meta-objective")  # fmt: skip
    _tasks(axes, landscape, curves, window)
    _optima(axes, landscape)
    _jumps(axes, landscape)
    _marks(axes, landscape, window)
    axes.set_xlabel("gain W")
    axes.set_ylabel("cost after adaptation")


def draw_zoom(axes: Axes, landscape: LineLandscape, window: Window) -> None:
    """h − min h on a logarithmic scale about the minima that look alike."""
    assert window.zoom is not None
    x0, x1 = window.zoom
    curves = sample(landscape, x0, x1)
    gaps = [max(p.value.mid - landscape.minimum.mid, 0.0) for p in landscape.minima]
    low = landscape.minimum.mid
    resolved = 64.0 * np.spacing(abs(low)) or 1e-300
    positive = [gap for gap in gaps if gap > resolved]
    inside = (x0 <= curves.W) & (x1 >= curves.W) & np.isfinite(curves.h)
    above = np.maximum(curves.h - low, resolved)
    crest = float(np.quantile(above[inside], 0.9)) if inside.any() else 1.0
    floor = max(min(positive, default=crest * 1e-3) / 30.0, resolved)
    top = max(4.0 * crest, 30.0 * floor)
    axes.set_yscale("log")
    axes.set_xlim(x0, x1)
    axes.set_ylim(floor, top)
    _log_ticks(axes)
    _shade(axes, landscape, x0, x1)
    axes.plot(curves.W, np.clip(above, floor / 10.0, top * 10.0), color=INK, lw=1.8, zorder=5)
    numbers = _numbers(landscape)
    for point, gap in zip(landscape.minima, gaps, strict=True):
        if x0 <= point.at.mid <= x1:
            at_floor = gap <= floor
            _mark(axes, landscape, point, point.at.mid, floor if at_floor else gap)
            if id(point) in numbers:
                place = (point.at.mid, floor if at_floor else gap)
                _number(axes, numbers[id(point)], *place, aside=at_floor)
    axes.set_xlabel("gain W")
    axes.set_title("height above the global minimum", fontsize=11, color=INK, loc="left")


def _drawn(k: int) -> tuple[int, ...]:
    if k <= DRAWN_TASKS:
        return tuple(range(k))
    return tuple(int(i) for i in np.linspace(0, k - 1, DRAWN_TASKS).round())


def _clip(y: Floats, low: float, high: float) -> Floats:
    """Lines that leave the window, kept near it: renderers dislike 1e300."""
    span = high - low
    return np.clip(y, low - 2.0 * span, high + 2.0 * span)


def _tasks(axes: Axes, landscape: LineLandscape, curves: Curves, window: Window) -> None:
    k = len(landscape.problem.tasks)
    if k == 1 or not curves.drawn:
        return  # h is its only task's own objective
    values = _clip(curves.tasks, *window.y)
    for row, i in enumerate(curves.drawn):
        if k <= NAMED_TASKS:
            colour, dashes = TASK_COLOURS[i % 6], DASHES[i // 6 % 3]
            label = _shortened(landscape.problem.tasks[i].name)
            with np.errstate(invalid="ignore"):
                if not ((curves.tasks[row] > window.y[0]) & (curves.tasks[row] < window.y[1])).any():
                    label += " (out of view)"
            axes.plot(curves.W, values[row], color=colour, lw=1.3, ls=(0, dashes), zorder=3,
                      label=label)  # fmt: skip
        else:
            label = f"{len(curves.drawn)} of {k} tasks" if len(curves.drawn) < k else f"{k} tasks"
            # Solid hair lines: hundreds of dashed ones are slow to draw and read as dust.
            axes.plot(curves.W, values[row], color=BLUE, lw=0.6, alpha=0.28, zorder=2,
                      label=label if row == 0 else None)  # fmt: skip


def _shortened(name: str, length: int = 30) -> str:
    name = for_picture(name, length)
    # A leading underscore would hide the line from the legend.
    return f" {name}" if name.startswith("_") else name


def _shade(axes: Axes, landscape: LineLandscape, x0: float, x1: float) -> None:
    """Where h is infinite, and where nothing could be decided."""
    ends = [x0]
    for piece in landscape.domain:
        ends += [piece.lo.mid, piece.hi.mid]
    ends.append(x1)
    label: str | None = INFEASIBLE
    for a, b in zip(ends[::2], ends[1::2], strict=True):
        if b > a and b > x0 and a < x1:
            axes.axvspan(max(a, x0), min(b, x1), color="#e9e9e9", lw=0, zorder=0, label=label)
            label = None
    label = UNDECIDED
    least = 0.004 * (x1 - x0)  # a stretch of a rounding error's width must still be seen
    for stretch in landscape.undecided:
        middle, reach = stretch.W.mid, max(0.5 * stretch.W.width, least)
        axes.axvspan(middle - reach, middle + reach, facecolor="#fdf3d8", edgecolor=AMBER,
                     hatch="////", lw=0.8, zorder=1, label=label)  # fmt: skip
        label = None


def _optima(axes: Axes, landscape: LineLandscape) -> None:
    W = np.array([optimum.W.mid for optimum in landscape.optima])
    k = W.size
    colours = [TASK_COLOURS[i % 6] for i in range(k)] if 1 < k <= NAMED_TASKS else [INK] * k
    axes.scatter(W, np.full(k, 0.016), transform=axes.get_xaxis_transform(), marker="|",
                 s=120, linewidths=1.6 if k <= NAMED_TASKS else 0.5, c=colours, zorder=6,
                 alpha=1.0 if k <= NAMED_TASKS else 0.5)  # fmt: skip
    axes.plot([], [], marker="|", ls="none", ms=10, mew=1.6, color=INK,
              label="W*, a task’s own optimum" if k > 1 else "W*, the task’s optimum")  # fmt: skip


def _jumps(axes: Axes, landscape: LineLandscape) -> None:
    jumps = [point for point in landscape.stationary_points if point.limits is not None]
    if len(jumps) > SHOWN_JUMPS:
        return
    # Jump minima are marked as minima as well; the circle shows where each branch of h ends.
    ends = [(point.at.mid, limit.mid) for point in jumps for limit in point.limits or () if limit]
    if ends:
        x, y = zip(*ends, strict=True)
        axes.plot(x, y, ls="none", marker="o", ms=6, mfc="white", mec=INK, mew=1.3, zorder=7,
                  label="end of a branch (h jumps)")  # fmt: skip
        for W in {point.at.mid for point in jumps}:
            axes.axvline(W, color=GREY, lw=0.8, ls=(0, (1, 2)), zorder=1)


_MARKS: dict[str, tuple[str, str, float, str]] = {
    "global": ("o", BLUE, 9.5, "global minimum"),
    "spurious": ("v", ORANGE, 10.0, "spurious local minimum"),
    "minimum": ("o", AMBER, 9.0, "local minimum, perhaps global"),
    "maximum": ("^", "white", 7.5, "local maximum"),
}


def _role(landscape: LineLandscape, point: StationaryPoint) -> str:
    if not point.kind.is_minimum:
        return "maximum"
    if is_spurious(landscape, point):
        return "spurious"
    lowest = [p for p in landscape.minima if p.value.lo <= landscape.minimum.hi]
    alone = landscape.epsilon.hi == 0 or len(lowest) == 1
    return "global" if alone and landscape.is_complete else "minimum"


def _mark(axes: Axes, landscape: LineLandscape, point: StationaryPoint, x: float, y: float) -> None:
    shape, colour, size, _ = _MARKS[_role(landscape, point)]
    if point.kind is Kind.JUMP_MINIMUM:
        shape = "D"
    elif point.kind is Kind.EDGE_MINIMUM:
        shape = "s"
    edge = INK if colour == "white" else "white"
    axes.plot([x], [y], ls="none", marker=shape, ms=size, mfc=colour, mec=edge, mew=1.1, zorder=9,
              clip_on=False)  # fmt: skip


def _numbers(landscape: LineLandscape) -> dict[int, int]:
    """The minima that get a number, by identity; none when there are too many to read."""
    minima = landscape.minima
    if len(minima) > NAMED_MINIMA:
        return {}
    return {id(point): i + 1 for i, point in enumerate(minima)}


def _number(axes: Axes, number: int, x: float, y: float, *, aside: bool = False) -> None:
    """The number of a minimum, below its mark, or beside it where the axis is below."""
    offset, ha, va = ((9, 3), "left", "bottom") if aside else ((0, -9), "center", "top")
    axes.annotate(str(number), (x, y), xytext=offset, textcoords="offset points", ha=ha, va=va,
                  fontsize=10.5, fontweight="bold", color=INK, zorder=10,
                  annotation_clip=False)  # fmt: skip


def _marks(axes: Axes, landscape: LineLandscape, window: Window) -> None:
    (x0, x1), (y0, y1) = window.x, window.y
    minima = landscape.minima
    numbers = _numbers(landscape)
    W, h = distinct([p.at for p in minima]), distinct([p.value for p in minima])
    last = (-np.inf, -np.inf)
    for point, w_text, h_text in zip(minima, W, h, strict=True):
        x, y = point.at.mid, min(max(point.value.mid, y0), y1)
        _mark(axes, landscape, point, x, y)
        if id(point) in numbers:
            near = x - last[0] < 0.02 * (x1 - x0) and abs(y - last[1]) < 0.05 * (y1 - y0)
            if not near:
                _number(axes, numbers[id(point)], x, y)
                last = (x, y)
            role = _role(landscape, point)
            text = f"{numbers[id(point)]}: W = {w_text}, h = {h_text}"
            _entry(axes, point, role, f"{text}\n{_description(point, role)}")
    if not numbers:
        _summary(axes, landscape, W, h)
    maxima = [p for p in landscape.stationary_points if p.kind is Kind.MAXIMUM]
    if maxima:
        shape, colour, size, label = _MARKS["maximum"]
        y = np.clip([p.value.mid for p in maxima], y0, y1)
        axes.plot([p.at.mid for p in maxima], y, ls="none", marker=shape, ms=size, mfc=colour,
                  mec=INK, mew=1.2, zorder=8, label=label)  # fmt: skip


def _description(point: StationaryPoint, role: str) -> str:
    where = {Kind.JUMP_MINIMUM: ", at a jump", Kind.EDGE_MINIMUM: ", at an edge"}
    return _MARKS[role][3] + where.get(point.kind, "")


def _entry(axes: Axes, point: StationaryPoint, role: str, text: str) -> None:
    shape, colour, size, _ = _MARKS[role]
    shape = {Kind.JUMP_MINIMUM: "D", Kind.EDGE_MINIMUM: "s"}.get(point.kind, shape)
    axes.plot([], [], ls="none", marker=shape, ms=size, mfc=colour, mec="white", label=text)


def _summary(axes: Axes, landscape: LineLandscape, W: Sequence[str], h: Sequence[str]) -> None:
    """The key when minima are many: how many of each role, the lowest and the highest."""
    minima = landscape.minima
    for role in ("global", "minimum", "spurious"):
        those = [i for i, point in enumerate(minima) if _role(landscape, point) == role]
        if not those:
            continue
        first, text = those[0], ""
        if role == "spurious":
            first = max(those, key=lambda i: minima[i].value.mid)
            text = "highest: "
        many = f"{len(those)} × " if len(those) > 1 else ""
        text = f"{many}{_MARKS[role][3]}\n{text}W = {W[first]}, h = {h[first]}"
        _entry(axes, minima[first], role, text)


def ordered_handles(axes: Axes) -> list[Any]:
    """What a legend lists: lines and minima first, shading last."""
    handles, labels = axes.get_legend_handles_labels()
    last = [label in (INFEASIBLE, UNDECIDED) for label in labels]
    return [h for h, x in zip(handles, last, strict=True) if not x] + [
        h for h, x in zip(handles, last, strict=True) if x
    ]


def _legend_entries(landscape: LineLandscape) -> int:
    k, minima = len(landscape.problem.tasks), len(landscape.minima)
    return (k if k <= NAMED_TASKS else 1) + (2 * minima if minima <= NAMED_MINIMA else 6) + 6


# --- ticks without mathtext, which is slow to load ---------------------------------------------


def _ticks(axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(7))
    axes.yaxis.set_major_locator(MaxNLocator(7))


_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def _log_ticks(axes: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    def power(y: float, _: object) -> str:
        return "10" + f"{round(np.log10(y)):d}".translate(_SUPERSCRIPT)

    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_locator(LogLocator(base=10.0, numticks=9))
    axes.yaxis.set_major_formatter(FuncFormatter(power))
    axes.yaxis.set_minor_formatter(NullFormatter())
