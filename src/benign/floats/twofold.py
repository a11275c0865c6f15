"""Sums and products of unevaluated pairs of floats, hi + lo with |lo| ≤ u|hi|: twice the digits.

With rounding to nearest and u = 2⁻⁵³ the rounding of one sum or product is a float itself (Dekker,
Numerische Mathematik 18 (1971) 224; Knuth, The Art of Computer Programming 2, section 4.2.2):

    a + b = s + t,  s = fl(a + b);    a b = p + e,  p = fl(a b), unless it underflows or overflows.
"""

from __future__ import annotations

import numpy as np

from benign.floats.taylor import UNIT, Floats

SPLITTER = 2.0**27 + 1.0

LOST = 16.0 * UNIT**2
"""`multiply_add` errs by at most this multiple of |low| + |factor·high|. Five roundings enter, each of
something that is at most (2 + 8u)u times that: 11u², and higher powers of u."""


def two_sum(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """s and t with s + t = a + b."""
    s = a + b
    back = s - a
    return s, (a - (s - back)) + (b - back)


def split(a: Floats) -> tuple[Floats, Floats]:
    """Two floats of at most 26 bits whose sum is a."""
    scaled = SPLITTER * a
    high = scaled - (scaled - a)
    return high, a - high


def multiply_add(
    low: tuple[Floats, Floats],
    factor: Floats,
    halves: tuple[Floats, Floats],
    high: tuple[Floats, Floats],
) -> tuple[Floats, Floats]:
    """low + factor·high for pairs low and high, as a pair.

    Args:
        low, high: (hi, lo).
        factor: floats.
        halves: those of `split(factor)`.
    """
    product = factor * high[0]
    x, y = split(high[0])
    e = ((halves[0] * x - product) + halves[0] * y + halves[1] * x) + halves[1] * y
    e = e + factor * high[1]
    s, t = two_sum(low[0], product)
    return two_sum(s, t + (e + low[1]))


def nearest(pair: tuple[Floats, Floats]) -> Floats:
    """The one float; it errs by at most u of itself."""
    return np.asarray(pair[0] + pair[1])
