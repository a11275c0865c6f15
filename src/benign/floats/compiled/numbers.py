"""What a kernel is written for, and the numbers of each task that it reads: one row a task."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from benign.floats.along import Costs, orders
from benign.floats.bounds import Bounds
from benign.floats.boxes import BoxObjective
from benign.floats.frames import Turn
from benign.floats.intervals import Interval
from benign.floats.polynomials import Polynomials
from benign.floats.taylor import Basis, Floats, basis

HIGHEST = 3
"""Derivatives of N and D that are asked for on boxes themselves."""


@dataclass(frozen=True)
class Shape:
    """What is constant in a kernel.

    Attributes:
        n, m, shots: sizes.
        moved: whether the coordinates of f are others than those of g, and whether those of g are
            others than the boxes'.
        on_boxes: degrees of the polynomials of `BoxCosts`, N and D, by the order of the derivative.
        along: degrees of N and D for g and for f.
        faces: rows of half-spaces for g and for f.
    """

    n: int
    m: int
    shots: int
    moved: tuple[bool, bool]
    on_boxes: tuple[tuple[int, ...], tuple[int, ...]]
    along: tuple[tuple[int, int], tuple[int, int]]
    faces: tuple[int, int]

    @property
    def p(self) -> int:
        """Parameters."""
        return self.n * self.m

    @staticmethod
    def of(objective: BoxObjective) -> Shape:
        """That of an objective."""
        family, g, f = objective.problem.family, objective.g, objective.f
        source = objective._on_boxes
        on_boxes = tuple(
            tuple(source.derivatives(which, order).basis.degree for order in range(HIGHEST + 1))
            for which in "ND"
        )
        return Shape(
            family.n,
            family.m,
            objective.shots,
            (not objective.to_f.is_identity, not objective.to_g.is_identity),
            (on_boxes[0], on_boxes[1]),
            tuple((costs.N.basis.degree, costs.D.basis.degree) for costs in (g, f)),  # type: ignore[arg-type]
            tuple(max(len(x.mid) for x in costs.facets.of) for costs in (g, f)),  # type: ignore[arg-type]
        )

    @cached_property
    def places(self) -> dict[str, int]:
        """Where each part of a row begins; at "" it ends."""
        p, found, at = self.p, {}, 0
        sizes: dict[str, int] = {"weight": 1, "G": p * p}
        for name in ("to g", "to f"):
            sizes[name] = 2 * p * p + 2 * p
        for which, degrees in zip("ND", self.on_boxes, strict=True):
            for order, degree in enumerate(degrees):
                sizes[f"{which}{order}"] = count(basis(p, degree)) * len(orders(p, order))
        for name, degrees, faces in zip("gf", self.along, self.faces, strict=True):
            for which, degree in zip("ND", degrees, strict=True):
                sizes[f"{name} {which}"] = count(basis(p, degree))
            sizes[f"{name} gains"] = 2 * (p + p * p)
            sizes[f"{name} loops"] = 2 * (self.n**2 + p)
            sizes[f"{name} faces"] = 2 * (p + 1) * faces
        for name, size in sizes.items():
            found[name] = at
            at += size
        found[""] = at
        return found


def count(B: Basis) -> int:
    """Numbers that stand for one polynomial: c, rest and spread of `Polynomials`."""
    return 2 * B.size + B.degree + 1


def rows(objective: BoxObjective, shape: Shape) -> Floats:
    """(k, numbers)."""
    k, p, source = objective.k, objective.p, objective._on_boxes
    parts: dict[str, Floats] = {
        "weight": objective.weights[:, None],
        "G": objective.G.reshape(k, -1),
        "to g": _turned(objective.to_g),
        "to f": _turned(objective.to_f),
    }
    for which in "ND":
        for order in range(HIGHEST + 1):
            made = _expansions(source.derivatives(which, order))
            # Those of all tasks come one after another for each derivative.
            parts[f"{which}{order}"] = made.reshape(-1, k, made.shape[1]).swapaxes(0, 1).reshape(k, -1)
    for name, costs, faces in zip("gf", (objective.g, objective.f), shape.faces, strict=True):
        parts[f"{name} N"], parts[f"{name} D"] = _expansions(costs.N), _expansions(costs.D)
        parts[f"{name} gains"] = _ends([*costs.centre, *[x for row in costs.axes for x in row]], k)
        loops = costs.loops
        entries = [x for M in (loops.A, loops.B) for row in M for x in row]
        parts[f"{name} loops"] = _ends(entries, k)
        parts[f"{name} faces"] = _faces(costs, faces, p)
    made = np.concatenate([parts[name] for name in shape.places if name], axis=1)
    assert made.shape == (k, shape.places[""])
    return np.ascontiguousarray(made)


def _expansions(polynomials: Polynomials) -> Floats:
    """c, rest and spread of each polynomial, (polynomials, numbers)."""
    return np.concatenate([polynomials.c, polynomials.rest, polynomials.spread])[..., 0].T


def _turned(turn: Turn) -> Floats:
    k = len(turn.M.mid)
    arrays = (turn.M.mid, turn.M.rad, turn.shift.mid, turn.shift.rad)
    return np.concatenate([x.reshape(k, -1) for x in arrays], axis=1)


def _ends(intervals: list[Interval], k: int) -> Floats:
    """The ends of intervals, side by side, (k, 2 intervals)."""
    columns = [np.broadcast_to(end[:, 0], k) for x in intervals for end in (x.lo, x.hi)]
    return np.stack(columns, axis=1)


def _faces(costs: Costs, faces: int, p: int) -> Floats:
    made = np.zeros((len(costs.facets.of), faces, 2, p + 1))
    for row, half_spaces in zip(made, costs.facets.of, strict=True):
        _fill(row, half_spaces)
    return made.reshape(len(made), -1)


def _fill(row: Floats, half_spaces: Bounds) -> None:
    row[: len(half_spaces.mid), 0], row[: len(half_spaces.mid), 1] = half_spaces.mid, half_spaces.rad
