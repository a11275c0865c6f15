"""The gradient step: local minima of h that are surely there, and for one shot surely no others.

One shot and one or two tasks: the numerator of h' is a polynomial, whose real roots python-flint
isolates; between two of them h' keeps its sign, so the list is complete. Otherwise a scan in float64,
ever denser near rims, optima and the places named by whoever made the problem, proposes pairs of gains,
and balls decide: where h' < 0 on the left and h' > 0 on the right there is a minimum between them (a
rim at which h → ∞ serves as well).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from flint import arb, fmpq, fmpq_poly
from oracle_costs import TIE, Found, Minimum, Objective, number, sign

from benign.exact.problem import Plant, Problem

FOR_ROOTS = 2
"""Most tasks of which the polynomial is made: its degree is 20 times as much."""

POINTS = 600
"""Gains of the first grid."""


def minima(problem: Problem, h: Objective, hints: Sequence[arb] = ()) -> Found:
    """The minima, from left to right; complete if they came from the polynomial."""
    if not h.coercive:
        return Found(tuple(scanned(h, hints)), False)
    if h.shots == 1 and len(h.f) <= FOR_ROOTS:
        roots = stationary(problem)
        if roots is not None:
            found = _of_roots(h, roots)
            if found is not None:
                return Found(tuple(found), True)
    return Found(tuple(scanned(h, hints)), False)


# --- one shot: the polynomial ----------------------------------------------------------------


def _rational(x: object) -> fmpq:
    return fmpq(x.numerator, x.denominator)  # type: ignore[attr-defined]


def _ratio(plant: Plant, top: fmpq_poly, bottom: fmpq_poly) -> tuple[fmpq_poly, fmpq_poly]:
    """Numerator and denominator of C at the gain top/bottom."""
    a, b, q, r, s = (_rational(x[0][0]) for x in (plant.A, plant.B, plant.Q, plant.R, plant.S0))
    y = _rational(plant.discount)
    if plant.noise is not None:
        s += y / (1 - y) * _rational(plant.noise[0][0])
    loop = a * bottom - b * top
    return s * (q * bottom * bottom + r * top * top), bottom * bottom - y * loop * loop


def stationary(problem: Problem) -> list[arb] | None:
    """All real zeros of the numerator of h', each once, from left to right; None if h' ≡ 0."""
    slopes, rooms = [], []
    for task, weight in zip(problem.tasks, problem.weights, strict=True):
        N, D = _ratio(task.g, fmpq_poly([0, 1]), fmpq_poly([1]))
        step = (N.derivative() * D - N * D.derivative()) * _rational(problem.step.eta)
        U, V = _ratio(task.f, fmpq_poly([0, 1]) * D * D - step, D * D)
        slopes.append((U.derivative() * V - U * V.derivative()) * _rational(weight))
        rooms.append(V * V)
    total = fmpq_poly([0])
    for i, slope in enumerate(slopes):
        for j, room in enumerate(rooms):
            if j != i:
                slope = slope * room
        total += slope
    if total.degree() < 0:
        return None
    _, factors = total.factor_squarefree()
    roots = [
        root.real
        for factor, _ in factors
        if factor.degree() > 0
        for root, _ in factor.numer().complex_roots()
        if root.imag == 0
    ]
    return sorted(roots, key=number)


def _of_roots(h: Objective, roots: list[arb]) -> list[Minimum] | None:
    """Those roots in the domain at which h' turns from − to +; None if that is not clear of one."""
    found = []
    rims = [rim for g in h.g for rim in g.rims or ()]
    for i, root in enumerate(roots):
        # (f∘F)' vanishes where F is infinite: at a rim of g, which is not in the domain.
        if h.outside(root.mid()) or any(abs(root - rim) < TIE * abs(rim) for rim in rims):
            continue
        reach = abs(root) * arb(2) ** -70 + arb(2) ** -250
        for other in roots[max(i - 1, 0) : i] + roots[i + 1 : i + 2]:
            gap = abs(other - root) / 4
            if not gap > 0:
                return None
            reach = gap.lower() if gap < reach else reach
        left, right = (root - reach).mid(), (root + reach).mid()
        jets = h.at(left), h.at(right)
        if not (jets[0] and jets[1] and sign(jets[0][1]) and sign(jets[1][1])):
            return None
        if jets[0][1] < 0 < jets[1][1]:
            value = h.at(root)
            if value is None:
                return None
            found.append(Minimum("minimum", left, right, value[0]))
    return found


# --- the scan --------------------------------------------------------------------------------


def slopes(problem_h: Objective, w: np.ndarray) -> np.ndarray:
    """h' at gains in float64; NaN outside the domain."""
    total = np.zeros_like(w)
    with np.errstate(all="ignore"):
        for f, g, weight in zip(problem_h.f, problem_h.g, problem_h.weights, strict=True):
            x, J = w, np.ones_like(w)
            for _ in range(problem_h.shots):
                C1, C2 = _slopes(g, x)
                x, J = x - float(problem_h.eta) * C1, J * (1 - float(problem_h.eta) * C2)
            total = total + float(weight) * _slopes(f, x)[0] * J
    return total


def _slopes(cost: object, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    a, b, q, r, s, y = (float(getattr(cost, name)) for name in "abqrsy")
    loop = a - b * w
    D = 1 - y * loop * loop
    D = np.where(D > 0, D, np.nan)
    D1 = 2 * y * b * loop
    C = s * (q + r * w * w) / D
    C1 = (2 * s * r * w - C * D1) / D
    return C1, (2 * s * r - 2 * C1 * D1 + 2 * C * y * b * b) / D


def span(h: Objective) -> tuple[arb, arb]:
    """Where every adaptation cost is finite; empty if the first is not below the second."""
    rims = [g.rims for g in h.g if g.rims is not None]
    low, high = rims[0]
    for left, right in rims[1:]:
        low, high = (left if left > low else low), (right if right < high else high)
    return low, high


def grid(h: Objective, hints: Sequence[arb]) -> np.ndarray:
    """Gains in float64: even, and towards the rims, the optima and the hints in powers of two."""
    low, high = (float(x) for x in span(h))
    wide = high - low
    near = wide * 2.0 ** -np.arange(2.0, 46.0)
    x = [np.linspace(low, high, POINTS), low + near, high - near]
    for at in {float(g.optimum) for g in (*h.g, *h.f) if g.coercive} | {float(at) for at in hints}:
        x += [at + near, at - near]
    x = np.unique(np.concatenate(x))
    x = x[(x >= low) & (x <= high)]
    for _ in range(4):
        y = slopes(h, x)
        out, size = np.isnan(y), np.abs(y)
        change = (out[1:] != out[:-1]) | (y[1:] * y[:-1] <= 0)
        dip = np.zeros_like(out)
        dip[1:-1] = (size[1:-1] <= size[2:]) & (size[1:-1] <= size[:-2])
        change |= dip[1:] | dip[:-1]
        cut = np.flatnonzero(change)[:400]
        inner = x[cut, None] + (x[cut + 1] - x[cut])[:, None] * np.linspace(0, 1, 9)[1:-1]
        x = np.unique(np.concatenate([x, inner.ravel()]))
    return x


def scanned(h: Objective, hints: Sequence[arb]) -> list[Minimum]:
    """Minima between gains with proved signs of h'."""
    low, high = span(h)
    if not low < high:
        return []
    x = grid(h, hints)
    with np.errstate(all="ignore"):
        y = slopes(h, x)
    wanted = np.zeros(x.size, bool)
    away = np.isnan(y)
    turn = (away[1:] != away[:-1]) | ((y[1:] > 0) != (y[:-1] > 0))
    turn &= ~(away[1:] & away[:-1])
    wanted[1:] |= turn
    wanted[:-1] |= turn
    points = [arb(float(w)) for w in x[wanted]]
    for at in hints:  # what float64 cannot separate
        points += [
            (at + side * (high - low) * arb(2) ** -k).mid() for k in range(2, 140) for side in (-1, 1)
        ]
    points = sorted({number(p): p for p in points if low < p < high}.items())
    known = [(p, _side(h, p)) for _, p in points]
    known = [(p, side) for p, side in known if side is not None]
    found = []
    for (left, before), (right, after) in zip(known, known[1:], strict=False):
        if before in (-1, "out") and after in (1, "out") and not before == after == "out":
            point = narrowed(h, left, right)
            if point is not None:
                found.append(point)
    return found


def _side(h: Objective, w: arb) -> int | str | None:
    """The sign of h', "out" outside the domain, None in doubt."""
    jet = h.at(w)
    if jet is None:
        return "out" if h.coercive and h.outside(w) else None
    return sign(jet[1]) or None


def narrowed(h: Objective, lo: arb, hi: arb) -> Minimum | None:
    """One minimum between a gain at which h falls and one at which it rises, or a rim."""
    for turn in range(1200):
        x = ((lo + hi) / 2).mid()
        jets = [h.at(end) for end in (lo, hi)]
        if turn % 8 == 4 and jets[0] and jets[1]:
            polished = _polished(h, lo, hi, x)
            if polished is not None:
                return polished
        if jets[0] and jets[1] and (hi - lo) < (abs(lo) + abs(hi)) * arb(2) ** -250:
            break
        side = _side(h, x)
        if side is None:
            x = (lo + (hi - lo) * fmpq(3, 7)).mid()
            side = _side(h, x)
        if side is None:
            return None
        if side == "out":
            # A minimum is on the side whose far end is in the domain.
            lo, hi = (lo, x) if jets[0] else (x, hi)
        elif side < 0:
            lo = x
        else:
            hi = x
    return _settled(h, lo, hi, ((lo + hi) / 2).mid())


def _polished(h: Objective, lo: arb, hi: arb, x: arb) -> Minimum | None:
    """Newton's method from x, and the signs beside what it finds."""
    for _ in range(12):
        jet = h.at(x)
        if jet is None or not jet[2] > 0:
            return None
        x = (x - jet[1] / jet[2]).mid()
        if not lo < x < hi:
            return None
    reach = (abs(x) + hi - lo).mid() * arb(2) ** -250
    left, right = (x - reach).mid(), (x + reach).mid()
    jets = h.at(left), h.at(right)
    if jets[0] and jets[1] and jets[0][1] < 0 < jets[1][1]:
        return _settled(h, left, right, x)
    return None


def _settled(h: Objective, lo: arb, hi: arb, x: arb) -> Minimum | None:
    """The minimum in [lo, hi], known by h at x and the slopes of both ends."""
    here, left, right = h.at(x), h.at(lo), h.at(hi)
    if here is None or left is None or right is None:
        return None
    return Minimum.near(lo, hi, here[0], (left[1], right[1]))
