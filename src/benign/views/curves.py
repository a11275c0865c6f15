"""h and each task's own objective in plain float64, on a grid, for drawing and nothing else.

    h(W) = Σ ω_τ h_τ(W),   h_τ(W) = f_τ(F_τ(W)),   C(W) = s(q + rV²)/(1 − γ(a − bW)²).

V = W, or W − n/r where the stage cost has a cross term n, and q then is q − n²/r (`Plant.completed`).
Nothing here is proved: what is proved stands in the `LineLandscape`, and a picture marks it on top of
these lines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benign.exact.problem import Plant, Problem

if TYPE_CHECKING:
    from benign.results.line import LineLandscape

Floats = NDArray[np.float64]

CHUNK = 1 << 20
"""Tasks × gains evaluated at once: a picture of 10⁵ tasks then fits in memory."""


class PlainCosts:
    """C and C' of k scalar plants at gains of shape (k, …); NaN where a gain does not stabilise."""

    def __init__(self, plants: Sequence[Plant]) -> None:
        columns = [
            (p.A[0][0], p.B[0][0], p.completed.Q[0][0], p.R[0][0], p.moment[0][0], p.discount,
             p.shift[0][0] if p.shift else 0)
            for p in plants
        ]  # fmt: skip
        table = np.array([[float(x) for x in row] for row in columns]).reshape(-1, 7)
        self.a, self.b, self.q, self.r, self.s, self.discount, self.shift = table.T[:, :, None]

    def _margin(self, W: Floats) -> tuple[Floats, Floats]:
        c = self.a - self.b * W
        margin = 1.0 - self.discount * c * c
        return c, np.where(margin > 0, margin, np.nan)

    def value(self, W: Floats) -> Floats:
        """C(W)."""
        _, margin = self._margin(W)
        V = W - self.shift
        return self.s * (self.q + self.r * V * V) / margin

    def slope(self, W: Floats) -> Floats:
        """C'(W) = 2s[rV − γbc(q + rV²)/(1 − γc²)]/(1 − γc²), c = a − bW."""
        c, margin = self._margin(W)
        V = W - self.shift
        pull = self.discount * self.b * c * (self.q + self.r * V * V) / margin
        return 2.0 * self.s * (self.r * V - pull) / margin


class PlainObjective:
    """h, h_τ and F_τ of a scalar problem in float64, for drawing."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.weights = np.array([float(w) for w in problem.weights])
        self.eta = float(problem.step.eta)

    def task_values(self, W: Floats, which: Sequence[int]) -> tuple[Floats, Floats]:
        """(h_τ(W), F_τ(W)) of the tasks numbered `which`, each (tasks, gains); NaN if infeasible."""
        tasks = [self.problem.tasks[i] for i in which]
        f, g = PlainCosts([t.f for t in tasks]), PlainCosts([t.g for t in tasks])
        with np.errstate(all="ignore"):
            gain = np.broadcast_to(W, (len(tasks), W.size))
            for _ in range(self.problem.step.shots):
                slope = g.slope(gain)
                normalized = self.problem.step.kind == "normalized"
                gain = gain - self.eta * (np.sign(slope) if normalized else slope)
            return f.value(gain), gain

    def __call__(self, W: Floats) -> Floats:
        """h(W), NaN outside its domain."""
        total = np.zeros(W.size)
        chunk = max(1, CHUNK // max(W.size, 1))
        for i in range(ceil(self.weights.size / chunk)):
            which = range(i * chunk, min((i + 1) * chunk, self.weights.size))
            values, _ = self.task_values(W, which)
            total += self.weights[which.start : which.stop] @ values
        return total


@dataclass(frozen=True)
class Curves:
    """Lines to draw: gains (n,), h (n,), and h_τ (drawn, n) of the tasks numbered `drawn`."""

    W: Floats
    h: Floats
    tasks: Floats
    drawn: tuple[int, ...]


def sample(
    landscape: LineLandscape, low: float, high: float, *, drawn: Sequence[int] = (), points: int = 900
) -> Curves:
    """The lines on [low, high], finer near stationary points, rims and jumps.

    A jump is a NaN between two gains that hug it from either side, so that no line crosses it.
    """
    W, breaks = _grid(landscape, low, high, points)
    objective = PlainObjective(landscape.problem)
    h = objective(W)
    tasks, adapted = objective.task_values(W, drawn)
    h[breaks] = np.nan
    tasks[:, breaks] = np.nan
    if landscape.problem.step.kind == "normalized" and len(drawn):
        # A task also jumps at its own optimum where h does not exist: its shift F − W changes.
        shift = adapted - W
        torn = np.abs(np.diff(shift, axis=1)) > 0.5 * objective.eta
        tasks[:, 1:][torn] = np.nan
    return Curves(W, h, tasks, tuple(drawn))


def _grid(landscape: LineLandscape, low: float, high: float, points: int) -> tuple[Floats, NDArray]:
    width = high - low
    parts = [np.linspace(low, high, points)]
    ladder = np.geomspace(1e-7, 3e-2, 22)
    for piece in landscape.domain:
        span = min(width, piece.hi.lo - piece.lo.hi)
        parts += [piece.lo.hi + span * ladder, piece.hi.lo - span * ladder]
        parts.append(np.linspace(piece.lo.hi, piece.hi.lo, 120))
    jumps = []
    stationary = landscape.stationary_points
    # With hundreds of points the even grid is their grid: a cluster at each would only cost time.
    rungs = ladder[::2] if len(stationary) <= 40 else ladder[-1:]
    for point in stationary:
        W = point.at.mid
        if point.limits is None:
            parts += [np.array([W]), W + width * rungs, W - width * rungs]
        else:
            hair = max(1e-9 * width, 4.0 * np.spacing(abs(W)), point.at.width)
            parts.append(np.array([W - hair, W, W + hair]))
            jumps.append(W)
    grid = np.unique(np.concatenate(parts))
    grid = grid[(grid >= low) & (grid <= high)]
    return grid, np.isin(grid, np.array(jumps))
