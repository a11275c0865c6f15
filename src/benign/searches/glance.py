"""A glance at a landscape of one or two parameters: what a grid shows, in milliseconds.

Grid points at which ‖∇h‖ is least among their neighbours, and cells of a line in which h' changes
sign, are where Newton's method and bisection begin. What lies between grid points is missed; nothing
here is a proof, nor an estimate of what was missed. It is for a picture that follows a hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from benign.kernels import lines
from benign.meta import batched
from benign.results.landscape import Kind
from benign.results.met import kind_of
from benign.searches.descent import ARMIJO, Field, polish

if TYPE_CHECKING:
    from benign.exact.problem import Problem
    from benign.meta.objective import MetaObjective

GRID, SIDE, SEEDS = 1024, 72, 48
"""Points of a line, points along a side of a plane, starts of Newton's method."""

HALVINGS = 60
"""Bisections of a cell: what is left is rounding."""

MERGED = 1e-5
"""Points closer than this multiple of the window are one."""

FLAT = 1e-9
"""An eigenvalue below this share of the largest counts as zero."""

PACES, SHORT = 400, 0.02
"""Steps of a path at most; the longest, as a share of the window."""


@dataclass(frozen=True)
class Met:
    """A stationary point that was met: the gain, flat, h there and the kind."""

    W: Float[np.ndarray, " p"]
    value: float
    kind: Kind


def stabilising(problem: Problem) -> tuple[float, float]:
    """The gains W that stabilise every plant of a scalar problem, √γ|a − bW| < 1; empty if lo ≥ hi."""
    lo, hi = -np.inf, np.inf
    for plant in problem.plants:
        a, b = float(plant.A[0][0]), float(plant.B[0][0])
        root = float(plant.discount) ** 0.5
        if b == 0:
            if root * abs(a) >= 1:
                return np.inf, -np.inf
            continue
        ends = sorted(((a - 1 / root) / b, (a + 1 / root) / b))
        lo, hi = max(lo, ends[0]), min(hi, ends[1])
    return lo, hi


def on_a_line(problem: Problem, h: MetaObjective) -> list[Met]:
    """Minimisers, and maxima between them, of a scalar h, by increasing gain."""
    lo, hi = stabilising(problem)
    if not (np.isfinite(lo) and np.isfinite(hi) and lo < hi):
        return []
    if _is_plain(problem):
        rows = [
            [float(x) for x in (p.A[0][0], p.B[0][0], p.Q[0][0], p.R[0][0], p.S0[0][0], weight)]
            for p, weight in zip((t.f for t in problem.tasks), problem.weights, strict=True)
        ]
        seen = lines.observe(np.array([rows]), float(problem.step.eta))
        minima = [
            Met(np.array([W]), float(v), Kind.MINIMUM) for W, v in zip(seen.W, seen.value, strict=True)
        ]
    else:
        minima = _crossings(h, lo, hi, up=True)
    found = minima + _crossings(h, lo, hi, up=False)
    return sorted(found, key=lambda point: float(point.W[0]))


def _is_plain(problem: Problem) -> bool:
    """Whether the kernels for lines do it: one gradient step, no discount or N, f = g, an input."""
    step = problem.step
    return (step.kind, step.shots) == ("gradient", 1) and all(
        t.adaptation is None and t.f.discount == 1 and t.f.N is None and t.f.B[0][0] != 0
        for t in problem.tasks
    )


def _crossings(h: MetaObjective, lo: float, hi: float, *, up: bool) -> list[Met]:
    """Where h' changes from − to + (a minimum), or from + to −, inside a piece of the domain."""
    inner = np.linspace(lo, hi, GRID + 2)[1:-1]
    value, slope = batched.value_and_gradient(h, inner)
    slope = np.where(np.isfinite(value), slope, np.nan) * (1 if up else -1)
    cells = np.flatnonzero((slope[:-1] < 0) & (slope[1:] > 0))
    a, b = inner[cells], inner[cells + 1]
    if not len(cells):
        return []
    for _ in range(HALVINGS):
        c = (a + b) / 2
        value, slope = batched.value_and_gradient(h, c)
        right = slope * (1 if up else -1) > 0
        a, b = np.where(right, a, c), np.where(right, c, b)
    value = batched.values(h, (a + b) / 2)
    kind = Kind.MINIMUM if up else Kind.MAXIMUM
    found = zip((a + b) / 2, value, strict=True)
    return [Met(np.array([w]), float(v), kind) for w, v in found if np.isfinite(v)]


def on_a_plane(h: MetaObjective, x: tuple[float, float], y: tuple[float, float]) -> list[Met]:
    """Stationary points of every kind in a window of the two parameters, by increasing h."""
    gx, gy = np.linspace(x[0], x[1], SIDE), np.linspace(y[0], y[1], SIDE)
    X, Y = np.meshgrid(gx, gy)
    flat = np.stack([X.ravel(), Y.ravel()], axis=1)
    field = field_of(h, x, y)
    value, slope = field.probe(flat)
    size = np.where(np.isfinite(value), np.linalg.norm(slope, axis=1), np.inf).reshape(SIDE, SIDE)
    starts = flat[_dips(size)][:SEEDS]
    if not len(starts):
        return []
    ends = polish(field, starts, ticks=25)
    found: list[Met] = []
    apart = MERGED * field.length
    for i in np.flatnonzero(ends.settled & np.isfinite(ends.value)):
        if any(float(np.linalg.norm(ends.x[i] - other.W)) < apart for other in found):
            continue
        lam = ends.eigenvalues[i]
        signs = np.where(np.abs(lam) > FLAT * np.abs(lam).max(), np.sign(lam), 0.0)
        found.append(Met(ends.x[i].copy(), float(ends.value[i]), kind_of(signs)))
    return sorted(found, key=lambda point: point.value)


def _dips(size: Float[np.ndarray, "s s"]) -> np.ndarray:
    """Places on the grid, flat, that are least among their neighbours, the least first."""
    padded = np.pad(size, 1, constant_values=np.inf)
    around = np.min(
        [
            padded[1 + i : padded.shape[0] - 1 + i, 1 + j : padded.shape[1] - 1 + j]
            for i in (-1, 0, 1)
            for j in (-1, 0, 1)
            if (i, j) != (0, 0)
        ],
        axis=0,
    )
    places = np.flatnonzero((size <= around) & np.isfinite(size))
    return places[np.argsort(size.ravel()[places])]


def field_of(h: MetaObjective, x: tuple[float, float], y: tuple[float, float] | None = None) -> Field:
    """h for descents whose steps are measured by a window."""
    length = x[1] - x[0] if y is None else max(x[1] - x[0], y[1] - y[0])
    return Field(h, length=0.3 * length)


def path(field: Field, W: Float[np.ndarray, " p"]) -> Float[np.ndarray, "T p"]:
    """The gains of a gradient descent from W: t doubled after a step, halved until h falls (Armijo).

    Empty if h is infinite at W.
    """
    x = np.asarray(W, float)[None]
    value, gradient = field.probe(x)
    if not np.isfinite(value[0]):
        return np.empty((0, x.shape[1]))
    track, longest = [x[0]], SHORT * field.length
    t = longest / max(float(np.linalg.norm(gradient)), 1e-300)
    for _ in range(PACES):
        norm = float(np.linalg.norm(gradient))
        if norm * field.length <= 1e-8 * abs(float(value[0])) or t * norm <= 1e-13 * field.length:
            break
        t = min(t, longest / norm)
        tried, slope = field.probe(x - t * gradient)
        if tried[0] <= value[0] - ARMIJO * t * norm**2:
            x, value, gradient = x - t * gradient, tried, slope
            track.append(x[0])
            t *= 2
        else:
            t /= 2
    return np.array(track)
