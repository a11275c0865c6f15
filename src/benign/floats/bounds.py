"""Numbers in float64 with bounds of their errors, made from balls."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from flint import arb_mat

from benign.exact.rounding import enclosing_floats
from benign.floats.taylor import GROWN, TINY, Floats

PRECISION = 192
"""Bits of the balls that constants of a problem are made with."""


@dataclass(frozen=True)
class Bounds:
    """|x − mid| ≤ rad, entry by entry."""

    mid: Floats
    rad: Floats


def entries(M: arb_mat) -> Bounds:
    """The entries of a matrix of balls."""
    ends = [[enclosing_floats(M[i, j]) for j in range(M.ncols())] for i in range(M.nrows())]
    lo, hi = (np.array([[pair[side] for pair in row] for row in ends]) for side in (0, 1))
    mid = 0.5 * (lo + hi)
    return Bounds(mid, np.maximum(hi - mid, mid - lo) * GROWN + TINY)
