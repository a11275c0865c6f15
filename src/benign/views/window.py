"""What part of the plane a picture shows: a heuristic, made for the eye and good for nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benign.results.line import LineLandscape
from benign.views.curves import sample

SEEN_Y, SEEN_X = 0.03, 0.02
"""Minima closer than these parts of the height or the width of the panel look alike."""


@dataclass(frozen=True)
class Window:
    """The limits of the main panel, and of the zoom (gains only) where one is needed."""

    x: tuple[float, float]
    y: tuple[float, float]
    zoom: tuple[float, float] | None = None


def choose_window(landscape: LineLandscape, *, room: float = 5.0) -> Window:
    """All minima, maxima and branch ends in view, h cut where it climbs to its rims.

    The height reaches to the third quartile of h over the domain, or above the highest point that is
    marked; the width follows the part of h that is then in view. The tasks' own valleys may enlarge
    the height `room` times.
    """
    low = min((piece.lo.hi for piece in landscape.domain), default=0.0)
    high = max((piece.hi.lo for piece in landscape.domain), default=1.0)
    if not low < high:  # a domain that floats hardly tell from a point
        low = min((piece.lo.lo for piece in landscape.domain), default=0.0)
        high = max((piece.hi.hi for piece in landscape.domain), default=1.0)
    if not low < high:
        low, high = low - 1e-9 * max(abs(low), 1.0), low + 1e-9 * max(abs(low), 1.0)
    marked = [p.value.mid for p in landscape.stationary_points]
    marked += [x.mid for p in landscape.stationary_points for x in p.limits or () if x]
    marked = [y for y in marked if np.isfinite(y)]
    k = len(landscape.problem.tasks)
    curves = sample(landscape, low, high, points=500 if k <= 2000 else 200)
    finite = curves.h[np.isfinite(curves.h)]
    bottom = min([*marked, float(finite.min())]) if finite.size else min(marked, default=0.0)
    # Clusters of the grid must not outvote the even spacing: resample h evenly for the quartile.
    even = np.interp(np.linspace(low, high, 400), curves.W, np.nan_to_num(curves.h, nan=np.inf))
    even = even[np.isfinite(even)]
    typical = float(np.quantile(even, 0.75)) if even.size else bottom + 1.0
    peak = max(marked, default=typical)
    top = max(peak + 0.3 * (peak - bottom), typical)
    if not top > bottom:
        top = bottom + max(abs(bottom), 1.0) * 1e-3
    y = (bottom, top)
    if 1 < k <= 12 and room > 1.0:
        y = _with_tasks(landscape, low, high, y, room)
    pad = 0.07 * (y[1] - y[0])
    seen = curves.W[np.isfinite(curves.h) & (curves.h <= top)]
    places = [p.at.mid for p in landscape.stationary_points]
    x0 = min([*places, float(seen.min())]) if seen.size else low
    x1 = max([*places, float(seen.max())]) if seen.size else high
    margin = 0.04 * (x1 - x0) or 0.1 * max(abs(x0), 1.0)
    x = (x0 - margin, x1 + margin)
    y = (y[0] - 2.6 * pad, y[1] + pad)
    return Window(x, y, _zoom(landscape, x, y))


def _with_tasks(
    landscape: LineLandscape, low: float, high: float, y: tuple[float, float], room: float
) -> tuple[float, float]:
    """Let the tasks' valleys in, nearest first, up to `room` times the height that h needs."""
    which = range(len(landscape.problem.tasks))
    values = sample(landscape, low, high, drawn=which, points=200).tasks
    with np.errstate(all="ignore"):
        valleys = np.where(np.isfinite(values), values, np.inf).min(axis=1)
    valleys = valleys[np.isfinite(valleys)]
    if not valleys.size:
        return y
    limit = room * (y[1] - y[0])
    bottom, top = y
    for valley in sorted(valleys.tolist(), key=lambda v: max(y[0] - v, v - y[1])):
        low_, high_ = min(bottom, valley), max(top, valley + 0.06 * (top - bottom))
        if high_ - low_ > limit:
            break
        bottom, top = low_, high_
    return bottom, top


def _zoom(
    landscape: LineLandscape, x: tuple[float, float], y: tuple[float, float]
) -> tuple[float, float] | None:
    """The gains that hold the minima the eye cannot tell apart; None if there are no such."""
    minima = sorted(landscape.minima, key=lambda p: p.value.mid)
    if len(minima) < 2:
        return None
    width, height = x[1] - x[0], y[1] - y[0]
    best = minima[0]
    alike = [
        p for p in minima[1:]
        if p.value.lo > best.value.hi and p.value.mid - best.value.mid < SEEN_Y * height
    ]  # fmt: skip
    by_place = sorted(minima, key=lambda p: p.at.mid)
    close = [
        p for a, b in zip(by_place, by_place[1:], strict=False)
        if b.at.mid - a.at.mid < SEEN_X * width for p in (a, b)
    ]  # fmt: skip
    if len(minima) > 12 and not alike:
        return None
    group = [best, *alike] if alike else close
    if not group:
        return None
    a, b = min(p.at.mid for p in group), max(p.at.mid for p in group)
    reach = max(0.35 * (b - a), 1e-12 * width)
    return max(a - reach, x[0]), min(b + reach, x[1])
