"""Folds: steps η at which two stationary points of h meet and vanish, to fifty digits.

A table of the signs of h' over gains and steps shows in float64 where the number of its zeros changes;
there (h', h'') = (0, 0) is solved for (w, η) by Newton's method in balls, whose derivatives are plain
differences: of numbers with 150 digits these are good to fifty.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from flint import arb, ctx
from oracle_costs import BITS, Objective, number
from oracle_gradient import slopes, span

from benign.exact.problem import Problem

GAINS = 700
STEPS = 60


@dataclass(frozen=True)
class Fold:
    """A gain and the step at which h' has a double zero there."""

    w: Fraction
    eta: Fraction


def find(problem: Problem) -> Fold | None:
    """A fold near the step of the problem; None if none was met."""
    with ctx.workprec(BITS):
        h = Objective(problem)
        low, high = (float(x) for x in span(h))
        w = np.linspace(low, high, GAINS + 2)[1:-1]
        middle, before = float(h.eta), None
        for eta in middle * np.geomspace(0.2, 5.0, STEPS):
            h.eta = arb(float(eta))
            y = slopes(h, w)
            rising = np.isfinite(y[:-1]) & np.isfinite(y[1:]) & ((y[:-1] > 0) != (y[1:] > 0))
            if before is not None and abs(int(rising.sum()) - int(before.sum())) == 2:
                # Where one table has two zeros side by side that the other has not.
                odd = np.flatnonzero(rising != before)
                for i in odd:
                    fold = _solved(h, arb(float(w[i])), arb(float(eta)), low, high)
                    if fold is not None:
                        return fold
            before = rising
        return None


def _solved(h: Objective, w: arb, eta: arb, low: float, high: float) -> Fold | None:
    tiny = arb(2) ** -170
    for _ in range(60):
        here = _at(h, w, eta)
        right, longer = _at(h, w + tiny * (high - low), eta), _at(h, w, eta * (1 + tiny))
        if here is None or right is None or longer is None:
            return None
        a, c = ((x - y) / (tiny * (high - low)) for x, y in zip(right, here, strict=True))
        b, d = ((x - y) / (tiny * eta) for x, y in zip(longer, here, strict=True))
        det = a * d - b * c
        if not (det > 0 or det < 0):
            return None
        dw, de = (d * here[0] - b * here[1]) / det, (a * here[1] - c * here[0]) / det
        w, eta = (w - dw).mid(), (eta - de).mid()
        if not (low < w < high and eta > 0):
            return None
        if abs(dw) < abs(w) * arb(2) ** -160 and abs(de) < eta * arb(2) ** -160:
            return Fold(number(w), Fraction(f"{eta.str(45, radius=False)}"))
    return None


def _at(h: Objective, w: arb, eta: arb) -> tuple[arb, arb] | None:
    h.eta = eta
    jet = h.at(w.mid())
    return None if jet is None else (jet[1], jet[2])
