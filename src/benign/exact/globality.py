"""The smallest ε for which a function is ε-global, enclosed (Definition 2 of the source paper).

ε = max over local minima v of (v − inf h). With enclosures [lo_i, hi_i] of the local minima, and
stretches that may hide further ones,

    max(0, max_i lo_i − min_i hi_i) ≤ ε ≤ max(0, max_i (hi_i − min_{j ≠ i} lo_j)),

because a minimum that is itself the lowest contributes nothing. A single minimum gives ε = 0 exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import inf, nextafter

Bounds = Iterable[float]
"""A lower and an upper bound."""


def infimum(minima: Sequence[Bounds], doubtful: Sequence[Bounds]) -> tuple[float, float]:
    """Bounds of inf h from bounds of all local minima and of h over the undecided stretches."""
    lo = min((low for low, _ in (*minima, *doubtful)), default=inf)
    hi = min((high for _, high in minima), default=inf)
    return lo, hi


def epsilon(minima: Sequence[Bounds], doubtful: Sequence[Bounds]) -> tuple[float, float]:
    """Bounds of the smallest ε; the upper one is ∞ where an undecided stretch leaves no bound."""
    _, lowest_hi = infimum(minima, ())
    lower = max((_below(low - lowest_hi) for low, _ in minima), default=0.0)
    # The two lowest lower bounds serve every "all the others" in turn.
    lows = sorted([low for low, _ in minima] + [low for low, _ in doubtful])
    upper = 0.0
    for low, high in minima:
        others = lows[1:] if low == lows[0] else lows
        if others:
            upper = max(upper, _above(high - others[0]))
    for _, high in doubtful:
        upper = max(upper, _above(high - lows[0]))
    return max(lower, 0.0), upper


def _below(x: float) -> float:
    return nextafter(x, -inf)


def _above(x: float) -> float:
    return nextafter(x, inf)
