"""What an interactive picture draws, in arrays: h along a line of gains or on a plane of them.

Nothing is computed here but where to look: h and the tasks' shares of it come from `curves` (one state
and one input) and from the kernels for batches.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from benign.views.grids import Floats, Plane, radius, values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benign.meta.objective import MetaObjective
    from benign.results.landscape import Landscape

MOST_TASKS = 12
"""Tasks of which a picture shows the costs, at most."""

ALONG, ACROSS = 900, 112
"""Points along a line, and along a side of a plane."""

ENTRIES = 8
"""Entries of a gain that a picture of a plane shows, at most."""


@dataclass(frozen=True)
class Spot:
    """A point to mark: where, h there, what it is, and how far above the least h it lies, in words."""

    x: float
    y: float
    h: float
    role: str
    words: str
    gap: str
    number: int = 0


@dataclass(frozen=True)
class LineField:
    """h and h_τ along the line: W (N,), h (N,), tasks (k, N), the window, the points."""

    W: Floats
    h: Floats
    tasks: Floats
    names: tuple[str, ...]
    x: tuple[float, float]
    y: tuple[float, float]
    least: float
    spots: tuple[Spot, ...]


@dataclass(frozen=True)
class PlaneField:
    """h and h_τ on a grid of a plane of gains, (rows, columns) each.

    Attributes:
        gx, gy: the coordinates.  h: NaN where infinite.  tasks: (k, rows, columns).
        entries: (p, rows, columns) the entries of the gain; labels: what they are called.
        rim: the largest spectral radius of a loop at W; below 1 every task is stable.
        levels: of the contours.  axes: what the coordinates are called.
    """

    gx: Floats
    gy: Floats
    h: Floats
    tasks: Floats
    names: tuple[str, ...]
    entries: Floats
    labels: tuple[str, ...]
    rim: Floats
    levels: Floats
    axes: tuple[str, str]
    least: float
    spots: tuple[Spot, ...]
    title: str = ""
    paths: tuple[Floats, ...] = field(default=())


Field = LineField | PlaneField


def field_of(landscape: Landscape) -> Field | None:
    """The picture of a result; None where there is nothing to cut through."""
    from benign.results.line import LineLandscape

    if isinstance(landscape, LineLandscape):
        return line_of(landscape)
    scene = scene_of(landscape)
    family = landscape.problem.family
    if family.is_scalar:
        return _observed_line(landscape, scene)
    if family.m * family.n == 2:
        from benign.views.contours import choose_window, whole_plane

        plane = whole_plane(scene)
        window = choose_window(scene, plane)
        return plane_field(scene, plane, window, ("gain W₁", "gain W₂"), _gaps(landscape))
    return slice_field(landscape, scene)


def scene_of(landscape: Any) -> Any:
    """The scene of a result in several parameters, or of a search in one."""
    from benign.results.below import LandscapeBelow
    from benign.views.below import below_scene
    from benign.views.scenes import observed_scene

    below = isinstance(landscape, LandscapeBelow)
    return below_scene(landscape) if below else observed_scene(landscape)


# --- one parameter ---------------------------------------------------------------------------------


def line_of(landscape: Any) -> LineField:
    """What was proved of one state and one input."""
    from benign.views.curves import sample
    from benign.views.numbers import distinct
    from benign.views.window import choose_window
    from benign.views.words import is_spurious

    window = choose_window(landscape)
    k = min(len(landscape.problem.tasks), MOST_TASKS)
    curves = sample(landscape, *window.x, drawn=range(k), points=ALONG)
    gaps = _gaps(landscape)
    spots, number = [], 0
    points = landscape.points
    h = distinct([p.value for p in points]) if points else []
    for point, value in zip(points, h, strict=True):
        role = point.kind.value
        if point.kind.is_minimum:
            number += 1
            role = "higher" if is_spurious(landscape, point) else "lowest"
        words = f"{point.kind.value}, h = {value}"
        gap = gaps[number - 1] if point.kind.is_minimum else ""
        W = point.at.mid
        own = number if point.kind.is_minimum else 0
        spots.append(Spot(W, point.value.mid, point.value.mid, role, words, gap, own))
    least = landscape.minimum.lo if landscape.minimum.lo > 0 else _least(curves.h)
    names = tuple(t.name for t in landscape.problem.tasks[:k])
    return LineField(curves.W, curves.h, curves.tasks, names, window.x, window.y, least, tuple(spots))


def _observed_line(landscape: Any, scene: Any) -> LineField:
    """What a search met on a line."""
    at = [float(p.W[0, 0]) for p in landscape.points] + scene.optima.ravel().tolist() or [0.0]
    low, high = min(at), max(at)
    reach = 0.35 * (high - low) or 0.5 * (abs(low) or 1.0)
    spots = _spots([(float(p.W[0, 0]), p.value) for p in scene.minima], scene, _gaps(landscape))
    return line_field(landscape.problem, (low - reach, high + reach), spots)


def line_field(
    problem: Any, x: tuple[float, float], spots: Sequence[Spot], points: int = ALONG
) -> LineField:
    """h of a scalar problem on an interval of gains, with points that are known of it."""
    from benign.views.curves import PlainObjective

    plain = PlainObjective(problem)
    k = min(len(problem.tasks), MOST_TASKS)
    W = np.linspace(*x, points)
    h = plain(W)
    tasks, _ = plain.task_values(W, range(k))
    names = tuple(t.name for t in problem.tasks[:k])
    heights = [s.h for s in spots]
    low = min([*heights, _least(h)])
    finite = h[np.isfinite(h)]
    typical = float(np.quantile(finite, 0.75)) if finite.size else low + 1.0
    top = max(typical, max(heights, default=low) + 0.4 * (max(heights, default=low) - low))
    top = top if top > low else low + max(abs(low), 1.0) * 1e-3
    y = (low - 0.12 * (top - low), top + 0.05 * (top - low))
    return LineField(W, h, tasks, names, x, y, low, tuple(spots))


def _least(h: Floats) -> float:
    finite = h[np.isfinite(h)]
    return float(finite.min()) if finite.size else 0.0


# --- two and more ----------------------------------------------------------------------------------


def slice_field(landscape: Any, scene: Any) -> PlaneField | None:
    """The plane through the best minima of a larger family."""
    if not scene.minima:
        return None
    from benign.views.slices import flattest_and_steepest, plane_of

    own = flattest_and_steepest(scene) if len(scene.minima) < 3 else []
    plane, window, words = plane_of(scene, own)
    several = len(scene.minima) > 1
    axes = (
        "distance from 1 towards 2" if several else "distance in the flattest direction",
        "distance across" if several else "distance in the steepest direction",
    )
    return plane_field(scene, plane, window, axes, _gaps(landscape), title=words, best=3)


def plane_field(
    scene: Any,
    plane: Plane,
    window: Any,
    axes: tuple[str, str],
    gaps: Sequence[str],
    *,
    title: str = "",
    best: int | None = None,
    side: int = ACROSS,
    with_tasks: bool = True,
) -> PlaneField:
    """h on a window of a plane, with the points of a scene; of a slice only the `best` minima."""
    from benign.views.contours import levels_of

    objective: MetaObjective = scene.objective
    (x0, x1), (y0, y1) = window.x, window.y
    gx, gy = np.linspace(x0, x1, side), np.linspace(y0, y1, side)
    X, Y = np.meshgrid(gx, gy)
    gains = plane.gains(X, Y)
    h = values(objective, gains)
    m, n = objective.family.m, objective.family.n
    p = min(m * n, ENTRIES)
    entries = np.moveaxis(gains.reshape(side, side, m * n), 2, 0)[:p]
    labels = tuple(f"W[{i // n + 1},{i % n + 1}]" for i in range(p))
    minima = scene.minima if best is None else scene.minima[:best]
    others = scene.others if best is None else ()
    spots = _spots([(plane.place(q.W), q.value) for q in minima], scene, gaps)
    spots += [
        Spot(*plane.place(q.W), q.value, q.role, f"{q.role}, h = {q.value:.9g}", "") for q in others
    ]
    finite = np.isfinite(h).any()
    levels = levels_of(scene, h, window.top) if finite else np.array([0.0, 1.0])
    tasks = task_values(objective, gains) if with_tasks else np.empty((0, side, side))
    least = min([q.value for q in scene.minima], default=_least(h))
    names = tuple(objective.family.names[: len(tasks)])
    rim = radius(objective, gains)
    return PlaneField(
        gx, gy, h, tasks, names, entries, labels, rim, levels, axes, least, tuple(spots), title
    )


def task_values(objective: MetaObjective, gains: Floats) -> Floats:
    """f_τ(F_τ(W)) of the first tasks, (k, …); NaN where h is infinite."""
    from benign.meta import batched

    m, n = gains.shape[-2:]
    flat = gains.reshape(-1, m, n)
    k = len(objective.family)
    found = []
    for i in range(min(k, MOST_TASKS)):
        one = np.zeros((len(flat), k))
        one[:, i] = 1.0
        value = batched.value_and_gradient(objective, flat, one)[0]
        found.append(np.where(np.isfinite(value), value, np.nan).reshape(gains.shape[:-2]))
    return np.array(found).reshape(-1, *gains.shape[:-2])


def _spots(places: Sequence[Any], scene: Any, gaps: Sequence[str]) -> list[Spot]:
    spots = []
    for i, ((place, value), mark) in enumerate(zip(places, scene.minima, strict=False)):
        x, y = place if isinstance(place, tuple) else (place, value)
        gap = gaps[i] if i < len(gaps) else ""
        spots.append(Spot(x, y, value, mark.role, f"local minimum, h = {value:.9g}", gap, i + 1))
    return spots


def _gaps(landscape: Any) -> list[str]:
    """Of each minimiser, by how much h there exceeds min h at most, in words."""
    from benign.views.numbers import outward

    return [
        f"at most {outward(p.gap, 3, down=False)}" if np.isfinite(p.gap) else "no bound is proved"
        for p in landscape.minimizers
    ]
