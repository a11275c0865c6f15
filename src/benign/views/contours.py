"""Contours of h on a plane of gains, with the points that a search or a proof found on it.

Blue is low, pale is high; grey is where h is infinite. Contour lines are at equal ratios of the height
above the lowest value, so that valleys and walls are both seen. Shapes tell the kinds of points apart
as well as colours do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from benign.text import for_picture
from benign.views.grids import Floats, Plane, radius, side, values
from benign.views.numbers import short
from benign.views.plots import AMBER, INFEASIBLE, INK, ORANGE, PURPLE, style
from benign.views.scenes import Mark, Role, Scene, tasks_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEVELS = 13
"""Contour lines, at equal ratios of height."""

DEPTH = 2e-3
"""The lowest line, as a share of the height of the highest."""

FINER = 4
"""How much finer the rim of the domain is drawn than h."""

PALEST = "#e9f2fb"
"""Above the highest contour."""

FIRST_LOOK = 72
"""Points along a side of the grid on which the window is chosen."""

NAMED = 6
"""Minima that get a line of the key each; of more only the first ones do."""

MARKS: dict[Role, tuple[str, str, float, str]] = {
    "lowest": ("o", "#ffffff", 11.0, "lowest local minimum"),
    "higher": ("v", ORANGE, 10.5, "higher local minimum"),
    "unranked": ("p", "#ffffff", 11.0, "local minimum; there may be lower ones"),
    "saddle": ("X", AMBER, 9.0, "saddle"),
    "maximum": ("^", PURPLE, 9.0, "local maximum"),
    "degenerate": ("D", "#bdbdbd", 7.5, "degenerate point"),
}
"""Shape, colour, size in points and words for each role."""


@dataclass(frozen=True)
class Window:
    """The part of a plane that is shown, and the highest contour."""

    x: tuple[float, float]
    y: tuple[float, float]
    top: float


def draw_plane(scene: Scene) -> Figure:
    """A landscape of two parameters: contours of h, its domain, every point, every task's optimum.

    Returns:
        A Matplotlib figure that belongs to no window; save it with `savefig`.
    """
    plane = whole_plane(scene)
    window = choose_window(scene, plane)
    with style():
        from benign.views.figure import Picture

        width, height, key = 11.5, 6.4, 3.6
        figure = Picture(figsize=(width, height), dpi=150)
        left, bottom, top = 0.95 / width, 0.95 / height, 1 - 0.98 / height
        right = 1 - (key + 0.95) / width
        axes = figure.add_axes((left, bottom, right - left, top - bottom))
        bar = figure.add_axes((right + 0.12 / width, bottom, 0.16 / width, top - bottom))
        filled = contour_panel(axes, scene, plane, window)
        colour_bar(bar, filled)
        mark_points(axes, [plane.place(p.W) for p in scene.minima], scene.minima, numbers=True)
        mark_points(axes, [plane.place(p.W) for p in scene.others], scene.others)
        _optima(axes, [plane.place(W) for W in scene.optima])
        name_axes(axes, scene)
        titles(figure, scene, 0.25 / width)
        caption(figure, scene, 0.25 / width)
        key_beside(figure, [axes], 1 - (key - 0.12) / width, top)
        return figure


def whole_plane(scene: Scene) -> Plane:
    """The plane of the two entries of W themselves."""
    m, n = scene.objective.family.m, scene.objective.family.n
    first, second = np.eye(2).reshape(2, m, n)
    return Plane(np.zeros((m, n)), first, second)


def name_axes(axes: Axes, scene: Scene) -> None:
    """The entries of W by their places in it."""
    if scene.objective.family.m == 1:
        axes.set_xlabel("gain W₁ (of the first state)")
        axes.set_ylabel("gain W₂ (of the second state)")
    else:
        axes.set_xlabel("gain W₁ (of the first input)")
        axes.set_ylabel("gain W₂ (of the second input)")


# --- what part of the plane -------------------------------------------------------------------


def choose_window(scene: Scene, plane: Plane) -> Window:
    """All minima and optima in view, and what lies below the highest contour; a heuristic.

    The highest contour is above all saddles between minima, but not so high that the walls are all
    one sees. The grid that finds its extent grows until h leaves it on every side.
    """
    marked = [plane.place(p.W) for p in scene.minima] + [plane.place(W) for W in scene.optima]
    passes = [p for p in scene.others if p.role == "saddle"]
    heights = [p.value for p in scene.minima]
    low = min(heights, default=0.0)
    # Saddles far up on the walls are no passes between valleys that one wants to see.
    near = [p.value for p in passes if p.value <= low + 8 * max(_span(heights), 0.25 * abs(low))]
    top = max([*heights, *near], default=1.0)
    top = low + max(2.5 * (top - low), 0.4 * abs(low), 1e-300)
    marked += [plane.place(p.W) for p in passes if p.value <= top]
    x, y = _box(marked)
    for _ in range(6):
        gx, gy = np.linspace(*x, FIRST_LOOK), np.linspace(*y, FIRST_LOOK)
        X, Y = np.meshgrid(gx, gy)
        inside = np.nan_to_num(values(scene.objective, plane.gains(X, Y)), nan=np.inf) <= top
        if not inside.any():
            break
        columns, rows = np.flatnonzero(inside.any(axis=0)), np.flatnonzero(inside.any(axis=1))
        seen_x, seen_y = gx[columns[[0, -1]]].tolist(), gy[rows[[0, -1]]].tolist()
        new_x = _joined(seen_x, [p[0] for p in marked], float(gx[1] - gx[0]))
        new_y = _joined(seen_y, [p[1] for p in marked], float(gy[1] - gy[0]))
        edges = [bool(border.any()) for border in (inside[:, 0], inside[:, -1], inside[0], inside[-1])]
        x = _grown(new_x, edges[0], edges[1])
        y = _grown(new_y, edges[2], edges[3])
        if not any(edges):
            break
    return Window(x, y, top)


def _span(numbers: list[float]) -> float:
    return max(numbers) - min(numbers) if numbers else 0.0


def _box(points: list[tuple[float, float]]) -> tuple[tuple[float, float], tuple[float, float]]:
    """A box around the points, wider by its size on every side, never of no width."""
    xy = np.array(points or [(0.0, 0.0)])
    low, high = xy.min(axis=0), xy.max(axis=0)
    size = high - low
    scale = np.maximum(np.abs(xy).max(axis=0), np.abs(xy).max() * 0.1)
    reach = np.maximum(size, 0.5 * np.where(scale > 0, scale, 1.0))
    return (low[0] - reach[0], high[0] + reach[0]), (low[1] - reach[1], high[1] + reach[1])


def _joined(seen: list[float], marked: list[float], cell: float) -> tuple[float, float]:
    low, high = min(seen + marked), max(seen + marked)
    pad = max(0.05 * (high - low), cell)
    return low - pad, high + pad


def _grown(span: tuple[float, float], below: bool, above: bool) -> tuple[float, float]:
    more = 0.6 * (span[1] - span[0])
    return span[0] - more * below, span[1] + more * above


# --- panels -----------------------------------------------------------------------------------


def contour_panel(axes: Axes, scene: Scene, plane: Plane, window: Window) -> Any:
    """Filled contours, contour lines, the rim of the domain and of the stabilising set.

    Returns:
        The filled contours, for a colour bar; None where h is nowhere finite.
    """
    from matplotlib import colormaps
    from matplotlib.colors import BoundaryNorm, ListedColormap
    from matplotlib.ticker import MaxNLocator

    count = side(scene.objective)
    gx, gy = np.linspace(*window.x, count), np.linspace(*window.y, count)
    X, Y = np.meshgrid(gx, gy)
    gains = plane.gains(X, Y)
    h = values(scene.objective, gains)
    axes.set_facecolor("#e6e6e6")
    axes.set_xlim(*window.x)
    axes.set_ylim(*window.y)
    axes.xaxis.set_major_locator(MaxNLocator(7))
    axes.yaxis.set_major_locator(MaxNLocator(7))
    filled = None
    if np.isfinite(h).any():
        levels = levels_of(scene, h, window.top)
        colours = colormaps["Blues_r"](np.linspace(0.12, 0.93, len(levels)))
        # Capped, not cut: cells at the rim stay whole, and the rim is drawn on its own below.
        shown = np.ma.masked_invalid(np.minimum(h, levels[-1] * (1 + 1e-9) + (levels[-1] - levels[0])))
        filled = axes.contourf(
            X, Y, shown, levels=levels, extend="max",
            cmap=ListedColormap(colours[:-1]).with_extremes(over=PALEST),
            norm=BoundaryNorm(levels, len(levels) - 1), zorder=1,
        )  # fmt: skip
        axes.contour(X, Y, shown, levels=levels[1:], colors=INK, linewidths=0.5, alpha=0.55, zorder=2)
        rim(axes, scene, plane, window, h)
        if scene.level is not None and np.nanmin(h) < scene.level:
            axes.contour(X, Y, np.ma.masked_invalid(h), levels=[scene.level], colors=ORANGE,
                         linewidths=1.8, zorder=4)  # fmt: skip
            axes.plot([], [], color=ORANGE, lw=1.8, label="below this line the list is complete")
    edge = radius(scene.objective, gains)
    if edge.min() < 1 < edge.max():
        axes.contour(
            X, Y, edge, levels=[1.0], colors=INK, linewidths=1.3, linestyles="dashed", zorder=3
        )
        axes.plot([], [], color=INK, lw=1.3, ls="--", label="rim of the stabilising set")
    if not np.isfinite(h).all():
        axes.fill_between([], [], [], color="#e6e6e6", ec=INK, lw=0.6, label=INFEASIBLE)
    return filled


def rim(axes: Axes, scene: Scene, plane: Plane, window: Window, h: Floats) -> None:
    """The rim of the domain, and the palest blue up to it, on a grid FINER times as fine.

    h is asked again only in the cells that the rim crosses.
    """
    finite = np.isfinite(h)
    if finite.all():
        return
    count = len(h)
    fine = FINER * (count - 1) + 1
    gx, gy = np.linspace(*window.x, fine), np.linspace(*window.y, fine)
    corners = [finite[:-1, :-1], finite[1:, :-1], finite[:-1, 1:], finite[1:, 1:]]
    crossed = np.any(corners, axis=0) & ~np.all(corners, axis=0)
    inside = np.repeat(np.repeat(finite, FINER, axis=0), FINER, axis=1)[:fine, :fine].astype(float)
    rows, columns = np.nonzero(crossed)
    step = np.arange(FINER + 1)
    i = (FINER * rows[:, None, None] + step[None, :, None]) + 0 * step[None, None, :]
    j = (FINER * columns[:, None, None] + step[None, None, :]) + 0 * step[None, :, None]
    inside[i, j] = np.isfinite(values(scene.objective, plane.gains(gx[j], gy[i])))
    axes.contourf(gx, gy, inside, levels=[0.5, 1.5], colors=[PALEST], zorder=0.5)
    axes.contour(gx, gy, inside, levels=[0.5], colors=INK, linewidths=1.1, zorder=3)
    axes.plot([], [], color=INK, lw=1.1, label="rim of the domain of h")


def levels_of(scene: Scene, h: Floats, top: float) -> Floats:
    """LEVELS values from the lowest known one to the top, their heights in geometric progression."""
    low = min([p.value for p in scene.minima], default=float(np.nanmin(h)))
    low = min(low, float(np.nanmin(h)))
    top = max(top, low + 1e-12 * max(abs(low), 1e-300))
    return low + np.concatenate([[0.0], np.geomspace(DEPTH, 1.0, LEVELS) * (top - low)])


def colour_bar(axes: Axes, filled: Any) -> None:
    """The scale of heights beside a panel, labelled at every third line."""
    if filled is None:
        axes.set_axis_off()
        return
    figure = axes.get_figure()
    assert figure is not None
    levels = filled.levels
    bar = figure.colorbar(filled, cax=axes, spacing="uniform")
    shown = levels[::3]
    digits = next(
        d for d in range(3, 17) if len({f"{x:.{d}g}" for x in shown}) == len(shown) or d == 16
    )
    bar.set_ticks(shown, labels=[short(float(x), digits) for x in shown])
    axes.minorticks_off()
    axes.tick_params(labelsize=9, length=3)
    axes.set_title("h", fontsize=11, color=INK, loc="left")


def mark_points(
    axes: Axes, places: list[tuple[float, float]], marks: tuple[Mark, ...], *, numbers: bool = False
) -> None:
    """The points, numbered if wanted; numbers of points that touch are joined."""
    (x0, x1), (y0, y1) = axes.get_xlim(), axes.get_ylim()
    labelled: set[str] = set()
    groups: list[tuple[float, float, list[int]]] = []
    for i, (mark, (x, y)) in enumerate(zip(marks, places, strict=True), start=1):
        if not (x0 <= x <= x1 and y0 <= y <= y1):
            continue
        shape, colour, size, words = MARKS[mark.role]
        label = None
        if numbers and i <= NAMED:
            label = f"{i}: h = {_value(marks, mark)}, {words}"
        elif words not in labelled:
            many = sum(other.role == mark.role for other in marks[NAMED if numbers else 0 :])
            label = f"{many} more: {words}" if numbers else words
        labelled.add(words if not numbers or i > NAMED else "")
        axes.plot([x], [y], ls="none", marker=shape, ms=size, mfc=colour, mec=INK, mew=1.2,
                  zorder=9 - 0.01 * i if numbers else 7, label=label)  # fmt: skip
        if numbers and i <= NAMED:
            for gx, gy, members in groups:
                if abs(gx - x) < 0.025 * (x1 - x0) and abs(gy - y) < 0.035 * (y1 - y0):
                    members.append(i)
                    break
            else:
                groups.append((x, y, [i]))
    from matplotlib.patheffects import withStroke

    for x, y, members in groups:
        right = x > x0 + 0.93 * (x1 - x0)
        axes.annotate(
            ", ".join(map(str, members)), (x, y), xytext=(-8 if right else 8, 6),
            textcoords="offset points", ha="right" if right else "left", fontsize=12,
            fontweight="bold", color=INK, zorder=10,
            path_effects=[withStroke(linewidth=3, foreground="w")],
        )  # fmt: skip


def _value(marks: tuple[Mark, ...], mark: Mark) -> str:
    """h to as many digits as tell the named minima apart, six at least."""
    named = [m.value for m in marks[:NAMED]]
    for digits in range(6, 11):
        texts = {f"{v:.{digits}g}" for v in named}
        if len(texts) == len(named):
            return short(mark.value, digits)
    return short(mark.value, 10)


def _optima(axes: Axes, places: list[tuple[float, float]]) -> None:
    if not places:
        return
    x, y = zip(*places, strict=True)
    k = len(places)
    label = "W*, a task’s own optimum" if k > 1 else "W*, the task’s optimum"
    # A white cross below the black one: seen on dark blue and on pale alike.
    axes.plot(x, y, ls="none", marker="+", ms=11, mew=4.0, color="white", zorder=7.8)
    axes.plot(x, y, ls="none", marker="+", ms=10, mew=1.8, color=INK, zorder=7.9, label=label)


def titles(figure: Figure, scene: Scene, left: float) -> None:
    """Headline and subtitle at the top."""
    height = figure.get_figheight()
    figure.text(left, 1 - 0.2 / height, scene.headline, fontsize=14.5, fontweight="bold", color=INK,
                va="top")  # fmt: skip
    figure.text(left, 1 - 0.52 / height, scene.subtitle, fontsize=10.5, color="#444444", va="top")


def caption(figure: Figure, scene: Scene, left: float) -> None:
    """At the foot, what of the picture is proved, and whose it is."""
    words = f"{scene.caption}  {tasks_of(scene.objective)}".strip()
    figure.text(left, 0.13 / figure.get_figheight(), for_picture(words, 200), fontsize=9,
                color="#444444", va="bottom")  # fmt: skip


def key_beside(figure: Figure, panels: list[Axes], x: float, y: float) -> None:
    """One key for all panels, on the right of everything; rims and areas last."""
    handles, labels = [], []
    for axes in panels:
        more = axes.get_legend_handles_labels()
        handles, labels = handles + more[0], labels + more[1]
    last = ("rim of", INFEASIBLE, "below this")
    order = sorted(range(len(labels)), key=lambda i: labels[i].startswith(last))
    panels[0].legend(
        [handles[i] for i in order], [labels[i] for i in order], loc="upper left",
        bbox_to_anchor=(x, y + 0.012), bbox_transform=figure.transFigure, borderaxespad=0.0,
        fontsize=10, handlelength=2.0, labelspacing=0.55,
    )  # fmt: skip
