"""Forged claims about one gain: the gain moves, its gap shrinks, the claim is another."""

from __future__ import annotations

from fractions import Fraction

from alterations import Change, Document, Rng, beyond, pick, scaled, slight

from benign.errors import BenignError
from benign.exact.documents import problem_from_json
from benign.prove.line.enumeration import analyze


def gain_elsewhere(d: Document, rng: Rng) -> bool:
    """The gain, or its interval, at another stationary point of h, at a break, or about two of them."""
    if isinstance(d["W"][0], list):
        return False
    try:
        points = analyze(problem_from_json(d["problem"])).stationary_points
    except BenignError:
        return False
    if not points:
        return False
    there = pick(rng, points).W
    lo, hi = d["W"]
    d["W"] = pick(
        rng,
        [
            [there.lo, there.hi],
            [beyond(there.lo, -50), beyond(there.hi, 50)],
            [min(lo, there.lo), max(hi, there.hi)],
            [there.lo, there.lo],
        ],
    )
    if d["claim"] == "regret bound":
        d["W"] = [d["W"][0], d["W"][0]]
    return True


def gain_moved(d: Document, rng: Rng) -> None:
    """The gain moves, by a float or far."""
    W = d["W"]
    if isinstance(W[0], list):
        row = pick(rng, W)
        j = int(rng.integers(len(row)))
        by = 1 + float(slight(rng))
        row[j] = [x * by for x in row[j]] if isinstance(row[j], list) else row[j] * by
        return
    lo, hi = W
    by = (abs(lo) + abs(hi)) * float(slight(rng))
    d["W"] = pick(
        rng, [[lo + by, hi + by], [lo, lo], [hi, hi], [lo - abs(by), hi + abs(by)], [hi, hi + abs(by)]]
    )
    if d["claim"] == "regret bound":
        d["W"] = [lo + by, lo + by]


def gap_changed(d: Document, rng: Rng) -> None:
    """A smaller gap: by a float, by a few parts in 10¹², by half, none at all, or less than none."""
    gap = d["gap"]
    d["gap"] = pick(
        rng,
        [
            beyond(gap, -1),
            gap * (1 - 1e-9),
            gap * (1 - 10.0 ** rng.uniform(-13, 0)),
            gap / 2,
            0.0,
            -gap,
            -5e-324,
            -1.0,
        ],
    )


def share_changed(d: Document, rng: Rng) -> bool:
    """A smaller share of the infimum; or one where none was claimed, or none where one was."""
    share = d.get("relative")
    if d["claim"] != "regret bound":
        return False
    if share is None:
        d["relative"] = pick(rng, [0.0, 1e-12, d["gap"], 1e300, "inf"])
    elif rng.random() < 0.1:
        del d["relative"]
    else:
        d["relative"] = pick(
            rng, [beyond(share, -1), share * (1 - 10.0 ** rng.uniform(-13, 0)), share / 2, 0.0, -share]
        )
    return True


def other_claim(d: Document, rng: Rng) -> None:
    """The same document as one of another claim about one gain."""
    names = [
        "theorem 1",
        "theorem 2",
        "proposition 1",
        "non-singular form",
        "theorem 3",
        "proposition 2",
        "regret bound",
        "quantitative form",
        "theorem S",
    ]
    d["claim"] = pick(rng, [name for name in names if name != d["claim"]])


ONE_GAIN: dict[str, Change] = {
    "the gain moved": gain_moved,
    "a smaller gap": gap_changed,
    "a smaller share": share_changed,
    "another claim": other_claim,
}

STATIONARY: dict[str, Change] = {**ONE_GAIN, "at another point": gain_elsewhere}


def convex_moved(d: Document, rng: Rng) -> None:
    """The gains on which h is said to be convex: wider by a float or far, moved, or others."""
    u, v = d["convex"]
    by = (abs(u) + abs(v)) * abs(float(slight(rng)))
    d["convex"] = pick(
        rng,
        [
            [u - by, v + by],
            [u - by, v],
            [u, v + by],
            [u + by, v + by],
            [-1e3, 1e3],
            [beyond(u, -50), v],
            d["W"],
        ],
    )


def point_elsewhere(d: Document, rng: Rng) -> None:
    """The point beside itself, within the gains that are named."""
    (u, v), t = d["convex"], float(rng.random())
    w = u + t * (v - u)
    d["W"] = pick(rng, [[w, w], [u, w], [w, v], [d["W"][1], v]])


def larger_step(d: Document, rng: Rng) -> None:
    """A step that is larger, by little or by much, while the rest is left."""
    d["problem"]["step"]["eta"] = scaled(
        d["problem"]["step"]["eta"], Fraction(float(1 + 10.0 ** rng.uniform(-12, 2)))
    )


SAFE_GAINS: dict[str, Change] = {
    "the gains moved": convex_moved,
    "the point elsewhere": point_elsewhere,
    "a larger step": larger_step,
    "another claim": other_claim,
}
