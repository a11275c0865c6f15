"""Observed landscapes of scalar families for the normalised step, W − η sign C'(W), from its pieces.

Between neighbouring breaks (the optima W_i*, where the step changes sides, and the rims) h is
strictly convex: it has at most one minimiser there, which a bisection of h' finds. At a break h jumps;
there is a minimum where a descent on the lower side arrives (`exact.pieces.is_trap`).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from benign.kernels.lines import Lines

HALVINGS = 52
"""Of a piece: as many as a float64 has bits."""

EQUAL = 1e-12
"""Limits that agree to this share are equal."""

Array = np.ndarray


def observe_stepped(tasks: Float[Array, "F k 6"], eta: Float[Array, " F"]) -> Lines:
    """Minimisers of h for normalised steps, as `kernels.lines.observe` for gradient steps."""
    F = len(tasks)
    left, right = _pieces(tasks, eta)
    owner = np.repeat(np.arange(F)[:, None], left.shape[1], axis=1)
    keep = np.isfinite(left) & np.isfinite(right) & (left < right)
    a, b, family = left[keep], right[keep], owner[keep]
    mid = (a + b) / 2
    finite = np.isfinite(_at(tasks[family], eta[family], mid, mid)[0])
    a, b, family, mid = a[finite], b[finite], family[finite], mid[finite]
    numbers, sizes = tasks[family], eta[family]
    value_a, slope_a = _at(numbers, sizes, a, mid)
    value_b, slope_b = _at(numbers, sizes, b, mid)
    # At a rim h is infinite, and falls away from it.
    falls = ~(np.isfinite(slope_a) & (slope_a >= 0))
    rises = ~(np.isfinite(slope_b) & (slope_b <= 0))
    inner = falls & rises
    W = _bisected(numbers[inner], sizes[inner], a[inner], b[inner])
    value = _at(numbers[inner], sizes[inner], W, mid[inner])[0]
    jumps = _jumps(family, a, b, value_a, value_b, ~falls, ~rises)
    family = np.concatenate([family[inner], jumps[0]])
    W, value = np.concatenate([W, jumps[1]]), np.concatenate([value, jumps[2]])
    order = np.lexsort((W, family))
    family, W, value = family[order], W[order], value[order]
    minimum, worst = np.full(F, np.inf), np.full(F, -np.inf)
    np.minimum.at(minimum, family, value)
    np.maximum.at(worst, family, value)
    with np.errstate(invalid="ignore"):
        return Lines(family, W, value, minimum, np.where(worst >= minimum, worst - minimum, np.nan))


def stepped_slopes(
    tasks: Float[Array, "F k 6"], eta: Float[Array, " F"], start: Array, pace: Array, count: int
) -> Float[Array, "F count"]:
    """h' at start, start + pace, …, of each family; NaN where h is not finite."""
    found = np.empty((len(tasks), count))
    for i in range(count):
        W = start + i * pace
        found[:, i] = _at(tasks, eta, W, W)[1]
    return found


def _optimal(tasks: Array) -> Array:
    """W* of each task, (F, k)."""
    a, b, q, r = (tasks[..., i] for i in range(4))
    half = (q * b * b - r * (1 - a * a)) / 2
    root = np.sqrt(half * half + q * r * b * b)
    with np.errstate(all="ignore"):
        P = np.where(half >= 0, half + root, q * r * b * b / (root - half)) / (b * b)
        found = a * b * P / (r + b * b * P)
    # Optima that are one but for rounding, as those of scaled costs are, are one break.
    order = np.argsort(found, axis=-1)
    ranked = np.take_along_axis(found, order, axis=-1)
    for i in range(1, ranked.shape[-1]):
        same = ranked[..., i] - ranked[..., i - 1] <= EQUAL * np.abs(ranked[..., i])
        ranked[..., i] = np.where(same, ranked[..., i - 1], ranked[..., i])
    np.put_along_axis(found, order, ranked, axis=-1)
    return found


def _pieces(tasks: Array, eta: Array) -> tuple[Array, Array]:
    """Left and right ends of all pieces, (F, pieces): between neighbours among breaks and rims."""
    a, b = tasks[..., 0], tasks[..., 1]
    ends = np.stack([(a - 1) / b, (a + 1) / b])
    low, high = ends.min(axis=0), ends.max(axis=0)
    size = eta[:, None]
    breaks = np.concatenate(
        [_optimal(tasks), low, high, low + size, high - size, low - size, high + size], axis=1
    )
    lowest, highest = low.max(axis=1, keepdims=True), high.min(axis=1, keepdims=True)
    lines = np.sort(np.clip(breaks, lowest, highest), axis=1)
    return lines[:, :-1], lines[:, 1:]


def _at(tasks: Array, eta: Array, W: Array, side: Array) -> tuple[Array, Array]:
    """h and h' at W, the steps being those at `side`; h is infinite where a loop is unstable."""
    a, b, q, r, s, omega = (tasks[..., i] for i in range(6))
    star = _optimal(tasks)
    with np.errstate(all="ignore"):
        moved = W[:, None] - eta[:, None] * np.sign(side[:, None] - star)
        c = a - b * moved
        inverse = 1 / ((1 - c) * (1 + c))
        fine = ((np.abs(c) < 1) & (np.abs(a - b * side[:, None]) < 1)).all(axis=1)
        P = (q + r * moved * moved) * inverse
        value = (omega * s * P).sum(axis=1)
        slope = (omega * 2 * s * inverse * (r * moved - b * P * c)).sum(axis=1)
    return np.where(fine, value, np.inf), np.where(fine, slope, np.nan)


def _bisected(tasks: Array, eta: Array, a: Array, b: Array) -> Array:
    side = (a + b) / 2
    for _ in range(HALVINGS):
        mid = (a + b) / 2
        slope = _at(tasks, eta, mid, side)[1]
        up = slope > 0
        # Next to a rim that float64 cannot tell from the gain nothing is finite: towards the middle.
        up = np.where(np.isnan(slope), mid > side, up)
        a, b = np.where(up, a, mid), np.where(up, mid, b)
    return (a + b) / 2


def _jumps(
    family: Array, a: Array, b: Array, value_a: Array, value_b: Array, at_a: Array, at_b: Array
) -> tuple[Array, Array, Array]:
    """Breaks where a descent ends: family, place and lower limit.

    Args:
        family, a, b: the pieces, from left to right in a family.
        value_a, value_b: the limits at their ends.
        at_a, at_b: whether a descent within the piece arrives there.
    """
    meets = np.zeros(len(a), bool)
    meets[:-1] = (family[:-1] == family[1:]) & (b[:-1] == a[1:])
    owners, places, values = [], [], []
    i = np.flatnonzero(meets)
    left, right = value_b[i], value_a[i + 1]
    from_left, from_right = at_b[i], at_a[i + 1]
    with np.errstate(invalid="ignore"):
        equal = np.abs(left - right) <= EQUAL * np.abs(left)
    stop = np.where(
        equal, from_left & from_right, np.where(left < right, from_left, from_right)
    ).astype(bool)
    for where, at, low in (
        (i[stop], b[i[stop]], np.minimum(left, right)[stop]),
        *_lonely(a, b, value_a, value_b, at_a, at_b, meets),
    ):
        owners.append(family[where])
        places.append(at)
        values.append(low)
    return np.concatenate(owners), np.concatenate(places), np.concatenate(values)


def _lonely(
    a: Array, b: Array, value_a: Array, value_b: Array, at_a: Array, at_b: Array, meets: Array
) -> list[tuple[Array, Array, Array]]:
    """Ends that meet no other piece, where h stays finite and a descent arrives: edges."""
    after = np.zeros(len(a), bool)
    after[1:] = meets[:-1]
    first = np.flatnonzero(~after & at_a & np.isfinite(value_a))
    last = np.flatnonzero(~meets & at_b & np.isfinite(value_b))
    return [(first, a[first], value_a[first]), (last, b[last], value_b[last])]
