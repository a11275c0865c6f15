"""Forged certificates of minimisers below a level: of the list, the level, the box and the tree."""

from __future__ import annotations

import copy
import math
from fractions import Fraction

import numpy as np
from alterations import Change, Document, Rng, beyond, pick, slight

from benign.exact import globality


def settled(d: Document) -> None:
    """Minimum, ε and status as they follow from what is listed."""
    values = [tuple(map(float, entry["value"])) for entry in d["minimisers"]]
    d["minimum"] = list(globality.infimum(values, ()))
    epsilon = (0.0, 0.0) if len(values) == 1 else globality.epsilon(values, ())
    d["epsilon"] = ["inf" if x == math.inf else x for x in epsilon]
    asked = Fraction(d["asked"])
    proved = epsilon[1] < math.inf and Fraction(epsilon[1]) <= asked
    d["status"] = "proved" if proved else "refuted" if Fraction(epsilon[0]) > asked else "undecided"


def _retagged(d: Document, old: str, new: str) -> None:
    d["tree"] = "".join(new if letter in old else letter for letter in d["tree"])


# --- the list ---------------------------------------------------------------------------------------


def dropped(d: Document, rng: Rng) -> bool:
    """A minimiser is not listed; its leaves say something else, or the same as ever."""
    if len(d["minimisers"]) < 2:
        return False
    del d["minimisers"][int(rng.integers(len(d["minimisers"])))]
    if rng.random() < 0.5:
        _retagged(d, "m", pick(rng, "lgsnrm"))
    settled(d)
    return True


def only_the_spurious(d: Document, rng: Rng) -> bool:
    """The box shrinks around one minimum, in which it is the only one; "bounded" or not."""
    entry = copy.deepcopy(d["minimisers"][-1])
    box, frame = entry["convex"], d["frame"]
    centre, axes = np.array(frame["centre"]), np.array(frame["axes"])
    size = 0.9 * 2.0 ** -int(rng.integers(0, 12))
    middle, radius = np.array(box["centre"]), np.array(box["radius"]) * size
    # The point stays within: the new box is the convex one, shrunk about the point itself.
    y = np.mean(entry["y"], axis=1)
    middle = y if rng.random() < 0.7 else middle
    radius = np.minimum(radius, np.array(box["radius"]) - np.abs(middle - box["centre"])) * 0.99
    if not (radius > 0).all() or (np.abs(y - middle) >= radius).any():
        return False
    frame["centre"] = (centre + axes @ middle).tolist()
    frame["axes"] = (axes * radius).tolist()
    p = len(y)
    at = (y - middle) / radius
    entry["y"] = [[float(x) - 1e-6, float(x) + 1e-6] for x in at]
    entry["convex"] = {"centre": [0.0] * p, "radius": [1.0] * p}
    d["minimisers"], d["tree"], d["bounded"] = [entry], "m", bool(rng.random() < 0.6)
    d["level"] = max(d["level"], beyond(entry["value"][1], 1)) if rng.random() < 0.7 else d["level"]
    settled(d)
    return True


def doubled(d: Document, rng: Rng) -> bool:
    """One minimiser twice, in boxes that overlap or lie side by side."""
    entry = copy.deepcopy(pick(rng, d["minimisers"]))
    if rng.random() < 0.5:
        shift = 10.0 ** rng.uniform(-12, -3)
        entry["y"] = [[a + shift, b + shift] for a, b in entry["y"]]
    d["minimisers"].append(entry)
    d["minimisers"].sort(key=lambda e: e["value"])
    return True


def moved(d: Document, rng: Rng) -> None:
    """The box of a minimiser, its gains or its value moves, or shrinks to a point."""
    entry = pick(rng, d["minimisers"])
    key = pick(rng, ["y", "W", "value"])
    if key == "value":
        by = float(slight(rng)) * abs(entry["value"][0])
        entry["value"] = pick(rng, [[x + by for x in entry["value"]], [entry["value"][0]] * 2])
        settled(d)
        return
    by = float(slight(rng))
    entry[key] = (
        [[a + by, b + by] for a, b in entry[key]]
        if rng.random() < 0.8
        else [[a, a] for a, _ in entry[key]]
    )


def all_equal(d: Document, rng: Rng) -> bool:
    """Spurious minima have the value of the least one."""
    if len(d["minimisers"]) < 2:
        return False
    first = d["minimisers"][0]["value"]
    for entry in d["minimisers"][1:]:
        entry["value"] = pick(rng, [list(first), [first[0], entry["value"][1]]])
    settled(d)
    return True


def widened(d: Document, rng: Rng) -> bool:
    """The box of one minimiser, and its convex box, reach over another, which is not listed."""
    if len(d["minimisers"]) < 2:
        return False
    first, second = d["minimisers"][:2]
    sides = [[min(a, c), max(b, e)] for (a, b), (c, e) in zip(first["y"], second["y"], strict=True)]
    first["y"] = sides
    first["W"] = [
        [min(a, c), max(b, e)] for (a, b), (c, e) in zip(first["W"], second["W"], strict=True)
    ]
    first["convex"] = {
        "centre": [(a + b) / 2 for a, b in sides],
        "radius": [(b - a) * 0.6 + 1e-3 for a, b in sides],
    }
    del d["minimisers"][1]
    settled(d)
    return True


def convex_changed(d: Document, rng: Rng) -> None:
    """The convex box of a minimiser grows, shrinks or moves."""
    box = pick(rng, d["minimisers"])["convex"]
    factor = float(rng.choice([0.1, 0.9, 1.5, 5.0, 100.0]))
    box["radius"] = [r * factor for r in box["radius"]]


# --- the level and the conclusion -------------------------------------------------------------------


def level_changed(d: Document, rng: Rng) -> None:
    """A higher level: leaves below it are then not covered; or a lower one, below what is listed."""
    values = [x for entry in d["minimisers"] for x in entry["value"]]
    d["level"] = pick(
        rng,
        [
            d["level"] * float(rng.choice([0.3, 0.9, 1.02, 1.1, 3.0, 30.0])),
            "inf",
            1e300,
            beyond(d["level"], 1),
            beyond(min(values), -2),
            max(values),
            min(values),
            -1.0,
            0.0,
        ],
    )
    if rng.random() < 0.3:
        _retagged(d, "lr", pick(rng, "gslr"))


def level_between(d: Document, rng: Rng) -> bool:
    """A level below the spurious ones, which go; now and then it is raised to where it was."""
    if len(d["minimisers"]) < 2:
        return False
    high = d["level"]
    del d["minimisers"][1:]
    _retagged(d, "m", pick(rng, "ml"))
    d["level"] = pick(rng, [high, d["minimisers"][0]["value"][1] * (1 + 1e-9)])
    settled(d)
    return True


def concluded(d: Document, rng: Rng) -> None:
    """Another status, for a question next to the answer; another ε or minimum."""
    lo, hi = (Fraction(x) if not isinstance(x, str) else Fraction(2) ** 60 for x in d["epsilon"])
    step = Fraction(1, 2**60)
    d["asked"] = str(pick(rng, [lo, hi, max(lo - step, 0), hi + step, (lo + hi) / 2, Fraction(0)]))
    d["status"] = pick(rng, ["proved", "refuted", "undecided"])
    if rng.random() < 0.5:
        d["epsilon"] = pick(rng, [[0.0, 0.0], [float(hi) + 1e-12, "inf"], [0.0, float(lo) / 2]])
    if rng.random() < 0.3:
        a, b = d["minimum"]
        d["minimum"] = pick(rng, [[beyond(b, 9), beyond(b, 20)], [a, a], [0.0, a * 0.999]])


def bounded_changed(d: Document, _: Rng) -> None:
    d["bounded"] = not d["bounded"]


# --- the box and the tree ----------------------------------------------------------------------------


def frame_changed(d: Document, rng: Rng) -> None:
    """The box of gains moves, shrinks, grows or is flat."""
    frame, kind = d["frame"], int(rng.integers(4))
    if kind == 0:
        frame["centre"] = [x + float(slight(rng)) for x in frame["centre"]]
    elif kind == 1:
        factor = float(rng.choice([0.5, 0.9, 1.1, 2.0, 1e-3]))
        frame["axes"] = [[x * factor for x in row] for row in frame["axes"]]
    elif kind == 2:
        frame["axes"] = frame["axes"][::-1]
    else:
        frame["axes"][0] = list(pick(rng, [frame["axes"][1], [0.0] * len(frame["axes"])]))


def letter_changed(d: Document, rng: Rng) -> None:
    """A leaf, or all of one kind, bear another letter."""
    leaves = [i for i, letter in enumerate(d["tree"]) if letter.isalpha()]
    i, new = pick(rng, leaves), pick(rng, "uorlgsnm")
    if rng.random() < 0.5:
        _retagged(d, d["tree"][i], new)
    else:
        d["tree"] = d["tree"][:i] + new + d["tree"][i + 1 :]


def pruned(d: Document, rng: Rng) -> None:
    """A branch becomes one leaf; or a side is halved that was not."""
    i = int(rng.integers(len(d["tree"])))
    j, open_boxes = i, 1
    while open_boxes:
        open_boxes += 1 if d["tree"][j].isdigit() else -1
        j += 1
    d["tree"] = d["tree"][:i] + pick(rng, [*"uorlgsnm", "0", "1", ""]) + d["tree"][j:]


BELOW_A_LEVEL: dict[str, Change] = {
    "a minimiser dropped": dropped,
    "the box shrunk around one": only_the_spurious,
    "a minimiser doubled": doubled,
    "a minimiser moved": moved,
    "all of one value": all_equal,
    "W over two minimisers": widened,
    "another convex box": convex_changed,
    "another level": level_changed,
    "a level between": level_between,
    "another conclusion": concluded,
    "bounded or not": bounded_changed,
    "another frame": frame_changed,
    "other letters": letter_changed,
    "a branch pruned": pruned,
}
