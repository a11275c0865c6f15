"""A landscape of more than two parameters in two cuts: along segments, and on one plane.

On the left h along the straight lines between pairs of the best minima, and along the lowest way that
`searches.passes` finds from the first to the second: its rise is an upper bound of the pass, as that of
the straight line is a higher one. On the right h on the plane
through the three best minima (or two, or one, and the directions in which h is flattest there).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benign.searches.descent import Field
from benign.searches.passes import Passage, passage
from benign.views.contours import (
    Window,
    caption,
    colour_bar,
    contour_panel,
    key_beside,
    mark_points,
    titles,
)
from benign.views.grids import Floats, Plane, values
from benign.views.plots import BLUE, DASHES, GREEN, INK, ORANGE, PURPLE, SKY, style
from benign.views.scenes import Scene

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from benign.meta.objective import MetaObjective

PAIRS = ((0, 1), (0, 2), (1, 2), (0, 3), (0, 4))
"""Pairs of minima, by rank, whose segments are drawn."""

ALONG, BEYOND = 241, 0.25
"""Gains on a segment, and how far it goes on beyond either end, in its own length."""

SPREAD = 2.0
"""Half the width of a cut through one minimum: h then rises by SPREAD times its value, if it were a
parabola."""

COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY)


def draw_slices(scene: Scene) -> Figure:
    """h between pairs of minima, and on the plane through the best three.

    Raises:
        ValueError: there is no minimum to cut through.

    Returns:
        A Matplotlib figure that belongs to no window; save it with `savefig`.
    """
    if not scene.minima:
        raise ValueError("a slice needs a minimum to go through")
    # The Hessian is asked for only where there are too few minima to span a plane.
    directions = flattest_and_steepest(scene) if len(scene.minima) < 3 else []
    with style():
        from benign.views.figure import Picture

        width, height, key = 15.4, 6.2, 3.75
        figure = Picture(figsize=(width, height), dpi=150)
        left, bottom, top = 1.15 / width, 0.95 / height, 1 - 1.25 / height
        right = 1 - (key + 0.95) / width
        middle = left + 0.46 * (right - left)
        lines = figure.add_axes((left, bottom, middle - left, top - bottom))
        draw_segments(lines, scene, directions)
        start = middle + 1.0 / width
        axes = figure.add_axes((start, bottom, right - start, top - bottom))
        bar = figure.add_axes((right + 0.12 / width, bottom, 0.16 / width, top - bottom))
        plane, window, words = plane_of(scene, directions)
        colour_bar(bar, contour_panel(axes, scene, plane, window))
        best = scene.minima[:3]
        mark_points(axes, [plane.place(p.W) for p in best], best, numbers=True)
        several = len(best) > 1
        axes.set_xlabel(
            "distance from 1 towards 2" if several else "distance in the flattest direction"
        )
        axes.set_ylabel("distance across" if several else "distance in the steepest direction")
        axes.set_title(words, fontsize=11, color=INK, loc="left")
        key_beside(figure, [lines, axes], 1 - (key - 0.12) / width, top)
        titles(figure, scene, 0.25 / width)
        caption(figure, scene, 0.25 / width)
        return figure


def draw_line(scene: Scene) -> Figure:
    """h over its only parameter, with the points that were found.

    Returns:
        A Matplotlib figure that belongs to no window; save it with `savefig`.
    """
    with style():
        from benign.views.figure import Picture

        width, height, key = 11.0, 5.6, 3.6
        figure = Picture(figsize=(width, height), dpi=150)
        left, bottom, top = 1.15 / width, 0.72 / height, 1 - 0.98 / height
        right = 1 - (key + 0.15) / width
        axes = figure.add_axes((left, bottom, right - left, top - bottom))
        marks = (*scene.minima, *scene.others)
        at = [float(p.W[0, 0]) for p in marks] + scene.optima.ravel().tolist()
        low, high = min(at), max(at)
        reach = 0.35 * (high - low) or 0.5 * (abs(low) or 1.0)
        W = np.linspace(low - reach, high + reach, 2 * ALONG)
        h = values(scene.objective, W[:, None, None])
        seen = [p.value for p in marks] or [float(np.nanmin(h)), float(np.nanmedian(h))]
        rise = max(max(seen) - min(seen), 0.02 * abs(min(seen)), 1e-300)
        axes.plot(W, h, color=INK, lw=2.1, label="h, the meta-objective", zorder=5)
        axes.set_xlim(W[0], W[-1])
        axes.set_ylim(min(seen) - 0.25 * rise, max(seen) + 0.6 * rise)
        for group, numbers in ((scene.minima, True), (scene.others, False)):
            mark_points(axes, [(float(p.W[0, 0]), p.value) for p in group], group, numbers=numbers)
        axes.set_xlabel("gain W")
        axes.set_ylabel("cost after adaptation")
        key_beside(figure, [axes], 1 - (key - 0.12) / width, top)
        titles(figure, scene, 0.25 / width)
        return figure


# --- along segments ---------------------------------------------------------------------------


def draw_segments(axes: Axes, scene: Scene, directions: list[Floats]) -> None:
    """h along segments between minima; through one alone, in its flattest and steepest directions."""
    lines = _lines(scene, directions)
    t = np.linspace(-BEYOND, 1 + BEYOND, ALONG)
    curves = [values(scene.objective, a + t[:, None, None] * (b - a)) for a, b, _ in lines]
    way = lowest_way(scene)
    known = [p.value for p in scene.minima[:5]]
    low = min(known)
    between = np.concatenate([c[(t >= 0) & (t <= 1)] for c in curves])
    between = between[np.isfinite(between)]
    crest = float(between.max()) if between.size else max(known)
    tall = crest > 6 * abs(low) > 0
    top = low + 1.25 * (min(crest, low + 1e3 * abs(low)) - low) or low + 1.0
    if tall:
        axes.set_yscale("log")
        _plain_log(axes)
        axes.set_ylim(low * 0.9, top)
    else:
        axes.set_ylim(low - 0.06 * (top - low), top)
    for i, (curve, (_, _, label)) in enumerate(zip(curves, lines, strict=True)):
        axes.plot(t, curve, color=COLOURS[i], lw=1.9, ls="-" if i == 0 else (0, DASHES[i % 3]),
                  label=label, zorder=5)  # fmt: skip
    if way is not None:
        crest = f"{way.crest:.{_digits(way.crest, max(known[:2]))}g}"
        axes.plot(np.linspace(0, 1, len(way.heights)), way.heights, color=INK, lw=2.4, zorder=6,
                  label=f"lowest way found from 1 to 2,\nover h = {crest}")  # fmt: skip
    if len(scene.minima) > 1:
        for place in (0, 1):
            axes.axvline(place, color=INK, lw=0.7, ls=(0, (1, 2)), zorder=1)
        axes.set_xticks([0, 0.5, 1], ["first minimum", "half way", "second minimum"])
        axes.set_title("h on ways between minima", fontsize=11, color=INK, loc="left")
    else:
        axes.set_xticks([0.5], ["the minimum"])
        axes.set_title("h on straight lines through the minimum", fontsize=11, color=INK, loc="left")
    axes.set_xlim(t[0], t[-1])
    axes.set_ylabel("cost after adaptation, h")


def _digits(crest: float, minimum: float) -> int:
    """As many as tell a crest from the minima beside it."""
    return next((d for d in range(5, 12) if float(f"{crest:.{d}g}") > minimum), 12)


def lowest_way(scene: Scene) -> Passage | None:
    """The lowest way found from the best minimum to the next; None with one minimum, or without one."""
    if len(scene.minima) < 2:
        return None
    first, second = (p.W.ravel() for p in scene.minima[:2])
    over = [p.W.ravel() for p in (*scene.minima[2:6], *scene.others[:6])]
    over += [W.ravel() for W in scene.optima[:6]]
    length = float(max(np.abs(first).max(), np.abs(second).max(), 1e-300))
    return passage(Field(scene.objective, length=length), first, second, over)


def _lines(scene: Scene, directions: list[Floats]) -> list[tuple[Floats, Floats, str]]:
    minima = scene.minima
    if len(minima) == 1:
        W, (soft, stiff) = minima[0].W, directions
        return [
            (W - soft, W + soft, "flattest direction"),
            (W - stiff, W + stiff, "steepest direction"),
        ]
    return [(minima[i].W, minima[j].W, f"from {i + 1} to {j + 1}") for i, j in PAIRS if j < len(minima)]


def _plain_log(axes: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.yaxis.set_major_locator(LogLocator(base=10.0, subs=(1.0, 2.0, 5.0), numticks=12))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


# --- on a plane -------------------------------------------------------------------------------


def plane_of(scene: Scene, directions: list[Floats]) -> tuple[Plane, Window, str]:
    """The plane through the best minima, the window around them, and what it is called."""
    best = [p.W for p in scene.minima[:3]]
    first = best[0]
    others = [*(W - first for W in best[1:]), *directions]
    length = float(np.linalg.norm(others[0]))
    across = others[0] / length
    rests = [d - float(np.sum(d * across)) * across for d in others[1:]]
    up = max(rests, key=lambda d: float(np.linalg.norm(d)))
    size = float(np.linalg.norm(up))
    if size <= 1e-6 * length:  # three minima on a line: any direction across it
        e = np.eye(first.size)[int(np.argmin(np.abs(across)))].reshape(first.shape)
        up = e - float(np.sum(e * across)) * across
        size = float(np.linalg.norm(up))
    plane = Plane(first, across, up / size)
    places = np.array([plane.place(W) for W in best])
    around = np.ptp(places, axis=0)
    if len(best) == 1:
        around = np.array([2.2 * length, 2.2 * size])
    elif len(best) == 2:
        around = np.array([0.9 * length, 1.4 * length])
    else:
        around = np.maximum(0.9 * around, 0.5 * np.max(around))
    window, top = _fitted(scene, plane, places, around / 2)
    words = {
        1: "h on the plane of both directions",
        2: "h on a plane through minima 1 and 2",
        3: "h on the plane through minima 1, 2 and 3",
    }[len(best)]
    return plane, Window(*window, top=top), words


def _fitted(
    scene: Scene, plane: Plane, places: Floats, reach: Floats
) -> tuple[tuple[tuple[float, float], tuple[float, float]], float]:
    """The window, narrower where h is finite on a thin strip only, and its highest contour.

    The contours end at what the better part of the window stays below, above the minima that are
    marked.
    """
    low, high = places.min(axis=0), places.max(axis=0)

    def look() -> Floats:
        x, y = (np.linspace(*ends, 45) for ends in zip(low - reach, high + reach, strict=True))
        return values(scene.objective, plane.gains(*np.meshgrid(x, y)))

    h = look()
    for _ in range(12):
        finite = np.isfinite(h)
        if finite.mean() >= 0.2:
            break
        # Halve the side along which less of the window is used.
        narrow = int(finite.any(axis=0).mean() > finite.any(axis=1).mean())
        reach[narrow] /= 2
        h = look()
    finite = np.isfinite(h)
    (x0, y0), (x1, y1) = (low - reach).tolist(), (high + reach).tolist()
    known = [p.value for p in scene.minima[:3]]
    best = known[0]
    typical = float(np.quantile(h[finite], 0.6)) if finite.any() else known[-1]
    least = 0.02 * abs(best)
    top = max(best + 2.5 * (known[-1] - best), min(typical, best + 10 * abs(best)), best + least)
    return ((x0, x1), (y0, y1)), top


def flattest_and_steepest(scene: Scene) -> list[Floats]:
    """The flattest and the steepest direction at the lowest minimum, as long as h is wide there."""
    W, objective = scene.minima[0].W, scene.objective
    p = W.size
    dense = np.asarray(objective.hessian(W)).reshape(p, p)
    lam, vec = np.linalg.eigh(np.nan_to_num((dense + dense.T) / 2))
    height = SPREAD * max(abs(scene.minima[0].value), 1e-300)
    longest = max(float(np.linalg.norm(W)), float(np.max(np.linalg.norm(scene.optima, axis=(1, 2)))) if
                  len(scene.optima) else 0.0, 1e-3)  # fmt: skip
    made = []
    for i in (0, p - 1):
        length = (2 * height / lam[i]) ** 0.5 if lam[i] > 0 else longest
        direction = vec[:, i].reshape(W.shape)
        made.append(_feasible(objective, W, min(length, longest) * direction))
    return made


def _feasible(objective: MetaObjective, W: Floats, step: Floats) -> Floats:
    """The step, halved until h is finite at both its ends."""
    halved = 0.5 ** np.arange(30)[:, None, None] * step
    ends = values(objective, np.stack([W - halved, W + halved]))
    return halved[int(np.argmax(np.isfinite(ends).all(axis=0)))]
