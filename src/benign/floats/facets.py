"""Half-spaces of gains that hold every stabilising one.

For one input and a controllable pair they are those of a simplex (`stable_simplex`), for n ≤ 2 the
stabilising set itself. Otherwise |tr √γ(A − BW)| < n is used, for n = 1 the stabilising set again.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from flint import arb, arb_mat, ctx
from numpy.typing import NDArray

from benign.balls.matrices import to_ball_matrix
from benign.exact.problem import Plant
from benign.exact.rounding import to_ball
from benign.floats.bounds import PRECISION, Bounds, entries
from benign.floats.fractions_of_gain import Frame, gain_of_polynomial, stable_simplex
from benign.floats.taylor import GROWN, Model, combine, stack


def simplex_gains(plant: Plant) -> list[arb_mat] | None:
    """Corners of a simplex that holds every stabilising gain, (1, n) each; None where there is none."""
    corners, turned = stable_simplex(plant), gain_of_polynomial(plant)
    if corners is None or turned is None:
        return None
    origin, M = turned
    gamma = to_ball(plant.discount).sqrt()
    gains = []
    for corner in corners:
        a = [to_ball(number) / gamma**j for number, j in corner]
        row = [
            to_ball(o) + sum((to_ball(x) * y for x, y in zip(row, a, strict=True)), arb(0))
            for o, row in zip(origin, M, strict=True)
        ]
        gains.append(arb_mat([row]))
    return gains


class Facets:
    """λ = B y + a for each of several plants: a gain with a coordinate λ_i ≤ 0 does not stabilise.

    Attributes:
        of: for each plant the rows of B and a side by side, (half-spaces, p + 1).
    """

    def __init__(self, plants: Sequence[Plant], frames: Sequence[Frame]) -> None:
        self.p = frames[0].p
        pairs = list(zip(plants, frames, strict=True))
        made = {pair: _half_spaces(*pair) for pair in set(pairs)}
        self.of = [made[pair] for pair in pairs]

    def outside(self, F: Model) -> NDArray[np.bool_]:
        """Whether no gain of the models (p, k, boxes) can stabilise, (k, boxes)."""
        one = Model(F.basis, np.zeros_like(F.c[:, 0]), np.zeros_like(F.e[0]))
        one.c[0] = 1.0
        return self.outside_scaled(F, one)

    def outside_scaled(self, top: Model, bottom: Model) -> NDArray[np.bool_]:
        """The same for the gains top/bottom, wherever the bottom (k, boxes) is positive."""
        found = np.zeros(top.e.shape[1:], bool)
        for task, half_spaces in enumerate(self.of):
            both = stack([*(top[i, task] for i in range(self.p)), bottom[task]])
            reach = (np.abs(both.c).sum(axis=0) + both.e) * GROWN
            for row, slack in zip(half_spaces.mid, half_spaces.rad, strict=True):
                high = combine(both, row[:, None]).bounds()[1]
                found[task] |= high < -((slack[:, None] * reach).sum(axis=0) * GROWN)
        return found


def _half_spaces(plant: Plant, frame: Frame) -> Bounds:
    """B and a side by side, (half-spaces, p + 1)."""
    with ctx.workprec(PRECISION):
        axes = to_ball_matrix(frame.axes)
        centre = to_ball_matrix([[c] for c in frame.centre])
        corners = simplex_gains(plant)
        p = frame.p
        if corners is not None:
            inverse = axes.inv()
            columns = [inverse * (corner.transpose() - centre) for corner in corners]
            rows = [[column[i, 0] for column in columns] for i in range(p)]
            rows.append([arb(1)] * (p + 1))
            return entries(arb_mat(rows).inv())  # barycentric coordinates
        # tr √γ(A − BW) = √γ(tr A − Σ B_ja W_aj), the entries of W row by row.
        root = to_ball(plant.discount).sqrt()
        n, m = plant.n, plant.m
        form = arb_mat([[to_ball(plant.B[j][a]) for a in range(m) for j in range(n)]])
        slope = form * axes * root
        trace = sum((to_ball(plant.A[i][i]) for i in range(n)), arb(0))
        start = root * (trace - (form * centre)[0, 0])
        return entries(
            arb_mat([[*(sign * slope[0, i] for i in range(p)), n - sign * start] for sign in (1, -1)])
        )
