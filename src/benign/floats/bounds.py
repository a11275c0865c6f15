"""Numbers in float64 with bounds of their errors, made from balls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from flint import arb_mat

from benign.errors import ProblemError
from benign.exact.range import shown
from benign.exact.rounding import enclosing_floats
from benign.floats.taylor import GROWN, TINY, Floats

PRECISION = 192
"""Bits of the balls that constants of a problem are made with."""


@dataclass(frozen=True)
class Bounds:
    """|x − mid| ≤ rad, entry by entry."""

    mid: Floats
    rad: Floats


def nearest(x: Fraction, what: str) -> float:
    """The float64 next to an exact number: it errs by u|x|, or where it is subnormal by 2⁻¹⁰⁷⁵.

    Raises:
        ProblemError: |x| is beyond the largest float64.
    """
    try:
        return float(x)
    except OverflowError:
        raise ProblemError(
            f"{what}, {shown(x)}, is beyond the range of a float64, in which the proof computes; "
            "rescale the units"
        ) from None


def weights_below(weights: Sequence[Fraction]) -> Floats:
    """Lower bounds of positive exact numbers, (k,): none is taken for more than it is."""
    found = [float(w) for w in weights]
    return np.array(
        [x if Fraction(x) <= w else np.nextafter(x, 0.0) for x, w in zip(found, weights, strict=True)]
    )


def entries(M: arb_mat) -> Bounds:
    """The entries of a matrix of balls."""
    ends = [[enclosing_floats(M[i, j]) for j in range(M.ncols())] for i in range(M.nrows())]
    lo, hi = (np.array([[pair[side] for pair in row] for row in ends]) for side in (0, 1))
    mid = 0.5 * (lo + hi)
    return Bounds(mid, np.maximum(hi - mid, mid - lo) * GROWN + TINY)
