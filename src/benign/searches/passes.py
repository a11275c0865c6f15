"""The path of least height between two minima: how high one must climb to change valleys.

    min over paths W(·) from a to b of  max_t h(W(t))

is the height of the pass between them. A string of gains, evenly spaced, slides down across its own
direction until its crest sinks no more; what is found is an upper bound, observed in floating point.
The string lives in coordinates in which h is round at the two minima, else narrow valleys hold it up.

Source: W. E, W. Ren, E. Vanden-Eijnden, Simplified and improved string method for computing the minimum
energy paths in barrier-crossing events, J. Chem. Phys. 126 (2007) 164103.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from benign.searches.descent import Field

NODES, PACES, PATIENCE = 33, 400, 40
"""Gains of the string; steps at most; steps without a lower crest that end it."""

FINER = 32
"""Gains looked at between two of the string in the end."""

SINKS = 1e-6
"""A crest that is lower by this share of its height above the minima is a lower one."""

FLOOR = 1e-4
"""Eigenvalues of the Hessians below this share of the largest are raised to it, for the coordinates."""


@dataclass(frozen=True, eq=False)
class Passage:
    """A path between two minima.

    Attributes:
        gains: (T, p) from the one to the other.
        heights: (T,) h there.
    """

    gains: Float[np.ndarray, "T p"]
    heights: Float[np.ndarray, " T"]

    @property
    def crest(self) -> float:
        """The largest h on it."""
        return float(self.heights.max())


def passage(
    field: Field,
    a: Float[np.ndarray, " p"],
    b: Float[np.ndarray, " p"],
    by: Sequence[Float[np.ndarray, " p"]] = (),
) -> Passage | None:
    """A path from a to b along which h stays low; None if none was found on which h is finite.

    Args:
        field: h.
        a, b: two minima.
        by: gains that a first guess may lead over, where the straight line leaves the domain.
    """
    x = _first(field, a, b, by)
    if x is None:
        return None
    root = _root(field, a, b)
    y = x @ root
    value, slope = _probed(field, y, root)
    best, low, since = (x, value), float(value.max()), 0
    floor = float(max(value[0], value[-1]))
    pace = np.full(len(y), 1e-2 * _length(y))
    for _ in range(PACES):
        along = np.gradient(y, axis=0)
        along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-300)
        across = slope - np.sum(slope * along, axis=1, keepdims=True) * along
        across[[0, -1]] = 0.0
        size = np.maximum(np.linalg.norm(across, axis=1), 1e-300)
        tried = y - np.minimum(pace, _length(y) / NODES)[:, None] * across / size[:, None]
        height, _ = _probed(field, tried, root)
        good = height < value
        pace = np.where(good, 1.3 * pace, 0.5 * pace)
        moved = _even(np.where(good[:, None], tried, y))
        height, gradient = _probed(field, moved, root)
        if not np.isfinite(height).all():
            pace *= 0.5  # the even spacing left the domain
            if pace.max() < 1e-12 * _length(y):
                break
            continue
        y, value, slope = moved, height, gradient
        crest = float(value.max())
        if crest < low - SINKS * max(low - floor, 1e-12 * abs(low)):
            best, low, since = (y @ np.linalg.inv(root), value), crest, 0
        else:
            since += 1
            if since >= PATIENCE:
                break
    return _fine(field, *best)


def _fine(field: Field, x: np.ndarray, value: np.ndarray) -> Passage:
    """The polygon looked at between its corners as well: its crest is then that of a path."""
    fine = _even(x, FINER * (NODES - 1) + 1)
    height, _ = field.probe(fine)
    return Passage(fine, height) if np.isfinite(height).all() else Passage(x, value)


def _first(field: Field, a: np.ndarray, b: np.ndarray, by: Sequence[np.ndarray]) -> np.ndarray | None:
    """The straight line, or the lowest way over one of the gains on whose way h is finite."""
    found: list[tuple[float, np.ndarray]] = []
    for corners in ([a, b], *([a, c, b] for c in by)):
        x = _even(np.array(corners, float))
        value, _ = field.probe(x)
        if np.isfinite(value).all():
            found.append((float(value.max()), x))
    return min(found, key=lambda one: one[0])[1] if found else None


def _even(x: Float[np.ndarray, "T p"], count: int = NODES) -> Float[np.ndarray, "N p"]:
    """Points at equal distances along a polygon."""
    steps = np.linalg.norm(np.diff(x, axis=0), axis=1)
    at = np.concatenate([[0.0], np.cumsum(steps)])
    where = np.linspace(0.0, at[-1], count)
    return np.stack([np.interp(where, at, column) for column in x.T], axis=1)


def _length(y: np.ndarray) -> float:
    return float(np.linalg.norm(np.diff(y, axis=0), axis=1).sum())


def _root(field: Field, a: np.ndarray, b: np.ndarray) -> Float[np.ndarray, "p p"]:
    """R with RRᵀ about the mean of ∇²h(a) and ∇²h(b): in y = xR the minima are round."""
    lam, vec = np.linalg.eigh(field.hessians(np.stack([a, b])).mean(axis=0))
    lam = np.maximum(lam, FLOOR * max(float(lam.max()), 1e-300))
    return (vec * np.sqrt(lam / lam.max())) @ vec.T


def _probed(field: Field, y: np.ndarray, root: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """h, and its gradient in the coordinates y."""
    back = np.linalg.inv(root)
    value, slope = field.probe(y @ back)
    return value, slope @ back
