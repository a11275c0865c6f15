"""Forged complete enumerations: points hidden, dropped, merged, moved; other values and conclusions."""

from __future__ import annotations

import copy
import math
from fractions import Fraction
from typing import Any

import numpy as np
from alterations import Change, Document, Rng, beyond, pick, slight

from benign.exact import globality


def _float(x: Any) -> float:
    return float(x)


def settled(d: Document) -> None:
    """Minimum, ε and status as they follow from what is listed: only the list itself is a lie."""
    minima = [tuple(map(_float, p["value"])) for p in d["points"] if "minimum" in p["kind"]]
    doubtful = [tuple(map(_float, s["value"])) for s in d["undecided"]]
    lo, hi = globality.infimum(minima, doubtful)
    d["minimum"] = _plain(lo, hi)
    epsilon = globality.epsilon(minima, doubtful) if len(minima) + len(doubtful) != 1 else (0.0, 0.0)
    d["epsilon"] = _plain(*epsilon)
    asked = Fraction(d["asked"])
    proved = epsilon[1] < math.inf and Fraction(epsilon[1]) <= asked
    d["status"] = "proved" if proved else "refuted" if Fraction(epsilon[0]) > asked else "undecided"


def _plain(*bounds: float) -> list[Any]:
    return [x if math.isfinite(x) else ("inf" if x > 0 else "-inf") for x in bounds]


def _minima(d: Document) -> list[Document]:
    return [p for p in d["points"] if "minimum" in p["kind"]]


def _spurious(d: Document, rng: Rng) -> Document | None:
    """A listed minimum that is not the least."""
    minima = _minima(d)
    if len(minima) < 2:
        return None
    least = min(minima, key=lambda p: p["value"][0])
    return pick(rng, [p for p in minima if p is not least])


def _boxes(d: Document, lo: float, hi: float) -> list[int]:
    """The boxes of the cover that touch an interval."""
    x = d["cover"]["points"]
    return [i for i in range(len(x) - 1) if x[i] <= hi and lo <= x[i + 1]]


def _tag(d: Document, boxes: list[int], tag: str) -> None:
    tags = list(d["cover"]["tags"])
    for i in boxes:
        tags[i] = tag
    d["cover"]["tags"] = "".join(tags)


# --- points hidden --------------------------------------------------------------------------------


def hidden(d: Document, rng: Rng) -> bool:
    """A spurious minimum in an undecided stretch, whose values are loose, too tight, or another's."""
    point = _spurious(d, rng)
    if point is None:
        return False
    lo, hi = point["W"]
    if "cover" in d:
        boxes = _boxes(d, lo, hi)
        few = int(rng.integers(0, 6))
        boxes = list(range(max(0, boxes[0] - few), min(len(d["cover"]["tags"]), boxes[-1] + few + 1)))
        _tag(d, boxes, "?")
        stretch = [d["cover"]["points"][boxes[0]], d["cover"]["points"][boxes[-1] + 1]]
    else:
        order = sorted({x for p in d["points"] if p is not point for x in p["W"]})
        ends = [x for entry in d["domain"] for end in entry for x in end]
        before = [x for x in (*order, *ends) if x <= lo]
        after = [x for x in (*order, *ends) if x >= hi]
        stretch = [max(before, default=lo), min(after, default=hi)] if rng.random() < 0.7 else [lo, hi]
    _cover_up(d, rng, stretch, point)
    return True


def _cover_up(d: Document, rng: Rng, stretch: list[float], point: Document) -> None:
    """The points of a stretch go, its values come; another stretch that it swallows goes too."""
    inside = [p for p in d["points"] if stretch[0] <= p["W"][0] and p["W"][1] <= stretch[1]]
    least = min(_minima(d), key=lambda p: p["value"][0])
    if least in inside and len(_minima(d)) > 1:
        inside.remove(least)
    values = [x for p in (*inside, point) for x in p["value"]]
    d["points"] = [p for p in d["points"] if not any(p is x for x in inside)]
    own = [min(values), max(values)]
    value = pick(
        rng,
        [
            least["value"],
            [least["value"][0], least["value"][1]],
            own,
            [0.0, "inf"],
            [0.0, least["value"][1]],
            [own[0], beyond(own[0], 4)],
            [beyond(own[1], 1), "inf"],
            [least["value"][0], own[0]],
        ],
    )
    d["undecided"] = [
        s for s in d["undecided"] if not (stretch[0] <= s["W"][0] and s["W"][1] <= stretch[1])
    ]
    d["undecided"].append({"W": list(stretch), "value": list(value)})
    d["undecided"].sort(key=lambda s: s["W"])
    settled(d)


def all_hidden(d: Document, rng: Rng) -> None:
    """One stretch over everything, or everything but the least minimum."""
    ends = [x for entry in d["domain"] for end in entry for x in end]
    lo, hi = min(ends), max(ends)
    least = min(_minima(d), key=lambda p: p["value"][0], default=None)
    if least is not None and rng.random() < 0.7:
        lo, hi = (least["W"][1], hi) if rng.random() < 0.5 else (lo, least["W"][0])
    if "cover" in d:
        boxes = _boxes(d, lo, hi)
        _tag(d, boxes[1:] or boxes, "?")
        points = d["cover"]["points"]
        lo, hi = points[(boxes[1:] or boxes)[0]], points[boxes[-1] + 1]
    if least is None or lo > hi:
        return
    _cover_up(d, rng, [lo, hi], least)


def dropped(d: Document, rng: Rng) -> bool:
    """A point is not listed; where there is a cover, its boxes say that h' has one sign."""
    if not d["points"]:
        return False
    point = _spurious(d, rng) or pick(rng, d["points"])
    d["points"] = [p for p in d["points"] if p is not point]
    if "cover" in d and rng.random() < 0.8:
        _tag(d, _boxes(d, *point["W"]), pick(rng, "+-v^O?"))
    if _minima(d):
        settled(d)
    return True


def run_dropped(d: Document, rng: Rng) -> bool:
    """A minimum and the maximum beside it, which a slope of one sign would explain."""
    for i in rng.permutation(max(len(d["points"]) - 1, 0)):
        pair = d["points"][i : i + 2]
        if {p["kind"] for p in pair} == {"minimum", "maximum"} and "cover" in d:
            boxes = _boxes(d, pair[0]["W"][0], pair[1]["W"][1])
            _tag(d, boxes, "+" if pair[0]["kind"] == "maximum" else "-")
            del d["points"][i : i + 2]
            if _minima(d):
                settled(d)
            return True
    return False


def merged(d: Document, rng: Rng) -> bool:
    """Boxes joined: the curvature, or the slope, of one of them is said of all."""
    if "cover" not in d or len(d["cover"]["tags"]) < 3:
        return False
    x, tags = d["cover"]["points"], d["cover"]["tags"]
    i = int(rng.integers(1, len(tags) - 1))
    j = min(len(tags), i + int(rng.integers(1, 8)))
    lost = [p for p in d["points"] if x[i] <= p["W"][0] and p["W"][1] <= x[j]]
    d["cover"] = {"points": x[: i + 1] + x[j:], "tags": tags[:i] + pick(rng, tags[i:j]) + tags[j:]}
    kept = lost[: int(rng.integers(0, 2))]
    d["points"] = [p for p in d["points"] if p not in lost or p in kept]
    if _minima(d):
        settled(d)
    return True


def tagged(d: Document, rng: Rng) -> bool:
    """A few boxes bear another tag."""
    if "cover" not in d:
        return False
    i = int(rng.integers(len(d["cover"]["tags"])))
    few = list(range(i, min(len(d["cover"]["tags"]), i + int(rng.integers(1, 5)))))
    _tag(d, few, pick(rng, "O+-v^?"))
    return True


def cut_short(d: Document, rng: Rng) -> bool:
    """The cover and the list end before the last points."""
    if "cover" not in d or len(d["cover"]["tags"]) < 3:
        return False
    x, tags = d["cover"]["points"], d["cover"]["tags"]
    i = int(rng.integers(1, len(tags)))
    keep_left = rng.random() < 0.5
    d["cover"] = (
        {"points": x[: i + 1], "tags": tags[:i]} if keep_left else {"points": x[i:], "tags": tags[i:]}
    )
    d["points"] = [p for p in d["points"] if (p["W"][1] <= x[i]) == keep_left]
    d["domain"] = [e for e in d["domain"] if (e[0][0] <= x[i]) == keep_left] or d["domain"]
    if _minima(d):
        settled(d)
    return True


# --- points changed ---------------------------------------------------------------------------------


def widened(d: Document, rng: Rng) -> bool:
    """The place of one point reaches over the next one, which is not listed."""
    if len(d["points"]) < 2:
        return False
    i = int(rng.integers(len(d["points"]) - 1))
    first, second = d["points"][i : i + 2]
    ends = [*first["W"], *second["W"]]
    first["W"] = [min(ends), max(ends)]
    if rng.random() < 0.5:
        first["value"] = [
            min(first["value"][0], second["value"][0]),
            max(first["value"][1], second["value"][1]),
        ]
    if rng.random() < 0.8:
        del d["points"][i + 1]
    if _minima(d):
        settled(d)
    return True


def doubled(d: Document, rng: Rng) -> bool:
    """A point twice, or in the place of one of equal value."""
    if not d["points"]:
        return False
    i = int(rng.integers(len(d["points"])))
    j = int(rng.integers(len(d["points"])))
    d["points"].insert(i, copy.deepcopy(d["points"][i]))
    if i != j and rng.random() < 0.5:
        del d["points"][j + (j >= i)]
    return True


def other_value(d: Document, rng: Rng) -> bool:
    """A spurious minimum has the value of the least one, or one between."""
    point = _spurious(d, rng)
    if point is None:
        return False
    least = min(_minima(d), key=lambda p: p["value"][0])["value"]
    new = pick(
        rng,
        [least, [least[0], point["value"][1]], [x * (1 + float(slight(rng))) for x in point["value"]]],
    )
    point["value"] = sorted(new)
    if "limits" in point:
        point["limits"] = [side and list(point["value"]) for side in point["limits"]]
    settled(d)
    return True


def other_kind(d: Document, rng: Rng) -> bool:
    if not d["points"]:
        return False
    point = _spurious(d, rng) or pick(rng, d["points"])
    point["kind"] = pick(rng, ["minimum", "maximum", "jump", "jump minimum", "edge minimum"])
    if _minima(d):
        settled(d)
    return True


def limits_changed(d: Document, rng: Rng) -> bool:
    """Limits of a jump exchanged, pooled or left out, and the value with them."""
    jumps = [p for p in d["points"] if "limits" in p]
    if not jumps:
        return False
    point = pick(rng, jumps)
    left, right = point["limits"]
    both = [x for side in (left, right) if side for x in side]
    point["limits"] = pick(
        rng,
        [
            [right, left],
            [None, right],
            [left, None],
            [[min(both), max(both)]] * 2,
            [side and [min(both), min(both)] for side in (left, right)],
        ],
    )
    ends = [side for side in point["limits"] if side]
    if ends and rng.random() < 0.7:
        point["value"] = [min(x[0] for x in ends), min(x[1] for x in ends)]
        settled(d) if _minima(d) else None
    return True


def jumps_pooled(d: Document, rng: Rng) -> bool:
    """Breaks next to one another become one, undecided or a jump, with the lowest of all limits."""
    jumps = [p for p in d["points"] if "limits" in p]
    if len(jumps) < 2:
        return False
    gaps = [b["W"][0] - a["W"][1] for a, b in zip(jumps, jumps[1:], strict=False)]
    i = int(np.argmin(gaps)) if rng.random() < 0.6 else int(rng.integers(len(gaps)))
    first, second = jumps[i], jumps[i + 1]
    best = min((first, second), key=lambda p: p["value"][0])
    lo, hi = first["W"][0], second["W"][1]
    d["points"] = [p for p in d["points"] if not (lo <= p["W"][0] and p["W"][1] <= hi) or p is best]
    best["W"] = pick(rng, [[lo, hi], best["W"], first["W"], second["W"]])
    if rng.random() < 0.5:
        d["points"] = [p for p in d["points"] if p is not best]
        d["undecided"].append({"W": best["W"], "value": best["value"]})
    if _minima(d):
        settled(d)
    return True


def break_undecided(d: Document, rng: Rng) -> bool:
    """A break is listed as undecided by itself, with the values of its lower side, or lower ones."""
    jumps = [p for p in d["points"] if "limits" in p]
    if not jumps:
        return False
    point = pick(rng, jumps)
    d["points"] = [p for p in d["points"] if p is not point]
    least = min(_minima(d), key=lambda p: p["value"][0], default=point)
    value = pick(rng, [point["value"], least["value"], [least["value"][0], point["value"][1]]])
    d["undecided"].append({"W": point["W"], "value": value})
    if _minima(d):
        settled(d)
    return True


# --- numbers by a float, and what is concluded ------------------------------------------------------


def narrowed(d: Document, rng: Rng) -> bool:
    """A pair of bounds loses a float or a few at one end, or is moved by them."""
    pairs = [d["minimum"], d["epsilon"]] * 3
    pairs += [p[key] for p in d["points"] for key in ("W", "value")]
    pairs += [side for p in d["points"] if "limits" in p for side in p["limits"] if side]
    pairs += [end for entry in d["domain"] for end in entry]
    pairs = [x for x in pairs if not any(isinstance(v, str) for v in x)]
    if not pairs:
        return False
    x = pick(rng, pairs)
    few = int(rng.choice([1, 1, 2, 5, 100]))
    x[:] = pick(
        rng,
        [
            [beyond(x[0], few), x[1]],
            [x[0], beyond(x[1], -few)],
            [beyond(x[1], few), beyond(x[1], 2 * few)],
            [beyond(x[0], -2 * few), beyond(x[0], -few)],
            [x[0], x[0]],
            [x[1], x[1]],
        ],
    )
    x.sort()
    return True


def concluded(d: Document, rng: Rng) -> None:
    """Another status, for a question next to the answer; or another answer."""
    lo, hi = (Fraction(x) if not isinstance(x, str) else Fraction(2) ** 60 for x in d["epsilon"])
    step = Fraction(1, 2**60)
    d["asked"] = str(
        pick(rng, [lo, hi, max(lo - step, 0), hi + step, (lo + hi) / 2, Fraction(0), lo / 2])
    )
    d["status"] = pick(rng, ["proved", "refuted", "undecided"])
    if rng.random() < 0.5:
        d["epsilon"] = pick(
            rng,
            [
                [0.0, 0.0],
                [0.0, float(lo)],
                [float(hi), "inf"],
                [float(hi) * 1.5, float(hi) * 2],
                [float(lo), float(lo)],
                [float(hi), float(hi)],
            ],
        )


def domain_changed(d: Document, rng: Rng) -> bool:
    """An interval of the domain more, fewer, joined to the next, or with another end."""
    if not d["domain"]:
        return False
    i = int(rng.integers(len(d["domain"])))
    entry = d["domain"][i]
    kind = int(rng.integers(4))
    if kind == 0 and len(d["domain"]) > 1:
        del d["domain"][i]
    elif kind == 1 and i + 1 < len(d["domain"]):
        d["domain"][i : i + 2] = [[entry[0], d["domain"][i + 1][1]]]
    elif kind == 2:
        middle = entry[0][1] + (entry[1][0] - entry[0][1]) * float(rng.uniform(0.1, 0.9))
        d["domain"][i : i + 1] = [[entry[0], [middle, middle]], [[middle, middle], entry[1]]]
    else:
        end = pick(rng, entry)
        shift = (entry[1][1] - entry[0][0]) * 10.0 ** rng.uniform(-14, -1) * float(rng.choice([-1, 1]))
        end[:] = [x + shift for x in end]
    return True


ENUMERATIONS: dict[str, Change] = {
    "hidden in a stretch": hidden,
    "all hidden": all_hidden,
    "a point dropped": dropped,
    "minimum and maximum dropped": run_dropped,
    "boxes merged": merged,
    "other tags": tagged,
    "the cover cut short": cut_short,
    "W over two points": widened,
    "a point doubled": doubled,
    "another value": other_value,
    "another kind": other_kind,
    "other limits": limits_changed,
    "breaks pooled": jumps_pooled,
    "a break undecided": break_undecided,
    "narrowed by a float": narrowed,
    "another conclusion": concluded,
    "another domain": domain_changed,
}
