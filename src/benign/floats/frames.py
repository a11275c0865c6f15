"""Coordinates of gains: a plant's own, a root box for a family, and the way from one to another."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from flint import arb_mat, ctx, fmpq, fmpq_mat

from benign.balls.matrices import to_ball_matrix
from benign.exact.problem import Plant
from benign.floats.bounds import PRECISION, Bounds, entries, nearest
from benign.floats.facets import simplex_gains
from benign.floats.fractions_of_gain import Frame, gain_of_polynomial
from benign.floats.taylor import GROWN, UNIT, Floats, Model, combine, stack

WIDER = 1.0 + 1e-9
"""A root box is made wider by this, so that it holds what it should in spite of rounding. A guess: the
coordinates err by u times the condition of the axes, and `holds_all` decides, in balls."""

THINNEST = 1e-6
"""Radius of a root box whose sides would meet or cross: no gain stabilises all plants then, as the
proof will show, whatever the box."""


def own_frame(plant: Plant) -> Frame | None:
    """Coordinates in which the plant's stabilising simplex just fits in [−1, 1]ᵖ, if it has one.

    They are affine in the coefficients of the closed loop's characteristic polynomial. One input.
    """
    return root_frame([plant])


def root_frame(plants: Sequence[Plant]) -> Frame | None:
    """Coordinates along those of the first plant that has a simplex; None if none has.

    The cube [−1, 1]ᵖ is the smallest box, a little widened, that holds the simplices' intersection
    of boxes; a box without inside becomes one of radius `THINNEST`. Found in floating point:
    `holds_all` decides. None as well where float64 cannot hold such coordinates.
    """
    simplices = {plant: found for plant in plants if (found := simplex_gains(plant)) is not None}
    first = next((plant for plant in plants if plant in simplices), None)
    turned = None if first is None else gain_of_polynomial(first)
    if turned is None:
        return None
    origin = np.array([nearest(x, "a gain") for x in turned[0]])
    axes = np.array([[nearest(x, "a gain") for x in row] for row in turned[1]])
    if not _is_regular(frame_of(origin, axes)):
        return None
    low, high = np.full(len(origin), -np.inf), np.full(len(origin), np.inf)
    for corners in simplices.values():
        gains = np.array([entries(corner).mid.ravel() for corner in corners])
        coordinates = np.linalg.solve(axes, (gains - origin).T).T
        low = np.maximum(low, coordinates.min(axis=0))
        high = np.minimum(high, coordinates.max(axis=0))
    half = np.maximum(0.5 * (high - low) * WIDER, THINNEST)
    centre = origin + axes @ (0.5 * (low + high))
    if not (np.isfinite(centre).all() and np.isfinite(axes * half).all()):
        return None
    frame = frame_of(centre, axes * half)
    return frame if _is_regular(frame) else None


def _is_regular(frame: Frame) -> bool:
    return fmpq_mat([[fmpq(x.numerator, x.denominator) for x in row] for row in frame.axes]).det() != 0


def holds_all(frame: Frame, plants: Sequence[Plant]) -> bool:
    """Whether [−1, 1]ᵖ is shown to hold every gain that stabilises all the plants; in balls.

    Along each axis they lie between the greatest of the simplices' lower ends and the least of their
    upper ends.
    """
    with ctx.workprec(PRECISION):
        inverse = to_ball_matrix(frame.axes).inv()
        centre = to_ball_matrix([[c] for c in frame.centre])
        hulls = []
        for plant in dict.fromkeys(plants):
            corners = simplex_gains(plant)
            if corners is not None:
                hulls.append([inverse * (corner.transpose() - centre) for corner in corners])
        return all(
            any(all(corner[i, 0] >= -1 for corner in hull) for hull in hulls)
            and any(all(corner[i, 0] <= 1 for corner in hull) for hull in hulls)
            for i in range(frame.p)
        )


def frame_of(centre: Floats, axes: Floats) -> Frame:
    """The frame of float64 numbers, taken as the exact numbers they are."""
    return Frame(
        tuple(Fraction(float(x)) for x in centre),
        tuple(tuple(Fraction(float(x)) for x in row) for row in axes),
    )


class Turn:
    """y' = M y + s for several tasks: from the frames of the one list to those of the other."""

    def __init__(self, sources: Sequence[Frame], targets: Sequence[Frame]) -> None:
        self.p = sources[0].p
        made = [_turn(*pair) for pair in zip(sources, targets, strict=True)]
        self.M = Bounds(np.array([m.mid for m, _ in made]), np.array([m.rad for m, _ in made]))
        self.shift = Bounds(
            np.array([s.mid[:, 0] for _, s in made]), np.array([s.rad[:, 0] for _, s in made])
        )
        self.is_identity = list(sources) == list(targets)

    def linear(self, models: Model) -> Model:
        """M times models (p, …, k, boxes)."""
        if self.is_identity:
            return models
        reach = (np.abs(models.c).sum(axis=0) + models.e) * GROWN
        ones = (1,) * (models.e.ndim - 3)
        rows = []
        for i in range(self.p):
            shape = (self.p, *ones, -1, 1)
            turned = combine(models, self.M.mid[:, i].T.reshape(shape))
            error = (self.M.rad[:, i].T.reshape(shape) * reach).sum(axis=0)
            rows.append(Model(turned.basis, turned.c, (turned.e + error) * GROWN))
        return stack(rows)

    def points(self, models: Model) -> Model:
        """M times models (p, k, boxes) plus s."""
        if self.is_identity:
            return models
        turned = self.linear(models)
        c = turned.c.copy()
        c[0] += self.shift.mid.T[:, :, None]
        rad = self.shift.rad.T[:, :, None]
        e = (turned.e + rad + 2.0 * UNIT * np.abs(c[0])) * GROWN
        return Model(turned.basis, c, e)

    def scaled(self, top: Model, bottom: Model) -> Model:
        """M top + s bottom: the points top/bottom, times the bottom."""
        if self.is_identity:
            return top
        mid, rad = self.shift.mid.T[:, :, None], self.shift.rad.T[:, :, None]
        reach = (np.abs(bottom.c).sum(axis=0) + bottom.e)[None]
        e = bottom.e[None] * np.abs(mid) + (UNIT * np.abs(mid) + rad) * reach
        return self.linear(top) + Model(bottom.basis, bottom.c[:, None] * mid, e * GROWN)


def _turn(source: Frame, target: Frame) -> tuple[Bounds, Bounds]:
    with ctx.workprec(PRECISION):
        inverse: arb_mat = to_ball_matrix(target.axes).inv()
        M = inverse * to_ball_matrix(source.axes)
        gap = [[a - b] for a, b in zip(source.centre, target.centre, strict=True)]
        return entries(M), entries(inverse * to_ball_matrix(gap))
