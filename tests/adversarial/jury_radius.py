"""The jury for a radius: families within it, at corners and at random, on a dense grid in float64."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import numpy as np
from jury import Document, NoClaimError, Question, judge, text_number
from line_search import GRID

FAMILIES = 48
"""Families that are looked at: half of them at corners."""

ROOM = 1e-6
"""What a grid may take a gap for, relative to it and to h."""


@judge("radius")
def radius(d: Document, q: Question) -> str:
    """No family within δ has a local minimum that exceeds another by ε."""
    if q.shape != (1, 1) or q.kind != "gradient" or q.shots != 1 or q.f != q.g:
        raise NoClaimError("not what the claim is about")
    epsilon, delta = text_number(d["asked"]), text_number(d["delta"])
    scales = [[text_number(x) for x in row] for row in d["vary"]]
    if epsilon <= 0 or delta < 0 or len(scales) != len(q.f) or any(len(row) != 4 for row in scales):
        raise NoClaimError("no such question")
    if min(itertools.chain(*scales)) < 0:
        raise NoClaimError("a scale is negative")
    rng = np.random.default_rng(0)
    k = len(q.f)
    steps = rng.uniform(-1, 1, (FAMILIES, k, 4))
    steps[::2] = np.sign(steps[::2])
    steps[0] = 0.0
    for step in steps:
        gap, size = _gap(q, delta, scales, step)
        if gap > float(epsilon) * (1 + ROOM) + ROOM * size:
            return f"a family within has minima {gap!r} apart"
    return ""


def _gap(q: Question, delta: Fraction, scales: Any, step: np.ndarray) -> tuple[float, float]:
    """By how much the worst local minimum of a family exceeds the least, and how large that is."""
    rows = []
    for x, row, move in zip(q.f, scales, step, strict=True):
        numbers = [float(M[0][0]) for M in (x.A, x.B, x.Q, x.R)]
        a, b, c, r = (
            v + float(delta * s) * t for v, s, t in zip(numbers, row, move.tolist(), strict=True)
        )
        rows.append((a, b, max(c, 0.0), max(r, 1e-12), float(x.S[0][0]), float(x.discount)))
    ends = [sorted(((a - y**-0.5) / b, (a + y**-0.5) / b)) for a, b, *_, y in rows if b]
    lo, hi = max(e[0] for e in ends), min(e[1] for e in ends)
    if not lo < hi:
        return 0.0, 1.0
    w = np.linspace(lo, hi, GRID + 1)[1:-1]
    h = np.zeros_like(w)
    with np.errstate(all="ignore"):
        for (a, b, c, r, s, y), weight in zip(rows, q.weights, strict=True):
            room = 1 - y * (a - b * w) ** 2
            top = s * (c + r * w * w)
            F = w - float(q.eta) * (2 * s * r * w - 2 * y * b * (a - b * w) * top / room) / room
            left = 1 - y * (a - b * F) ** 2
            h += float(weight) * np.where((room > 0) & (left > 0), s * (c + r * F * F) / left, np.inf)
    inner = np.isfinite(h[:-2]) & np.isfinite(h[1:-1]) & np.isfinite(h[2:])
    low = np.flatnonzero(inner & (h[1:-1] < h[:-2]) & (h[1:-1] < h[2:])) + 1
    if not low.size:
        return 0.0, 1.0
    # The top of the parabola through three points.
    bend, rise = h[low - 1] - 2 * h[low] + h[low + 1], h[low + 1] - h[low - 1]
    values = h[low] - rise**2 / (8 * bend)
    return float(np.ptp(values)), float(np.max(values))
