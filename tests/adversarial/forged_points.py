"""Forged certificates of stationary points: other kinds, values, boxes; one point twice."""

from __future__ import annotations

import copy

from alterations import Change, Document, Rng, beyond, pick, slight
from forged_pairs import mixed, shifted


def kind_changed(d: Document, rng: Rng) -> None:
    """A saddle as a minimum, or the other way round; or all as one kind."""
    kinds = ["minimum", "saddle", "maximum"]
    entry = pick(rng, d["points"])
    kind = pick(rng, [kind for kind in kinds if kind != entry["kind"]])
    for one in d["points"] if rng.random() < 0.3 else [entry]:
        one["kind"] = kind


def value_moved(d: Document, rng: Rng) -> None:
    """The bounds of a value, moved, or narrowed to one side."""
    entry = pick(rng, d["points"])
    lo, hi = entry["value"]
    by = float(slight(rng)) * abs(lo)
    entry["value"] = pick(
        rng, [[lo + by, hi + by], [beyond(hi, 1), beyond(hi, 2)], [beyond(lo, -2), beyond(lo, -1)]]
    )


def box_moved(d: Document, rng: Rng) -> None:
    """The box of a point, all of it or one side."""
    entry = pick(rng, d["points"])
    by = float(slight(rng))
    if rng.random() < 0.5:
        entry["W"] = shifted(entry["W"], by)
    else:
        side = pick(rng, pick(rng, entry["W"]))
        side[:] = [x + by for x in side]


def one_point_twice(d: Document, rng: Rng) -> None:
    """A point once more, in the same box, or in one beside it."""
    twin = copy.deepcopy(pick(rng, d["points"]))
    if rng.random() < 0.7:
        twin["W"] = shifted(twin["W"], 10.0 ** rng.uniform(-16, -6))
    d["points"].insert(int(rng.integers(len(d["points"]) + 1)), twin)


def between_two(d: Document, rng: Rng) -> bool:
    """A gain between two of the list in the place of one of them."""
    if len(d["points"]) < 2:
        return False
    i, j = rng.permutation(len(d["points"]))[:2]
    first, second = d["points"][i], d["points"][j]
    first["W"] = mixed(first["W"], second["W"], float(rng.uniform(0.2, 0.8)))
    return True


def exchanged(d: Document, rng: Rng) -> bool:
    """The boxes, kinds or values of two points exchanged."""
    if len(d["points"]) < 2:
        return False
    i, j = rng.permutation(len(d["points"]))[:2]
    key = pick(rng, ["W", "kind", "value"])
    first, second = d["points"][i], d["points"][j]
    first[key], second[key] = second[key], first[key]
    return True


STATIONARY_LISTS: dict[str, Change] = {
    "another kind": kind_changed,
    "another value": value_moved,
    "a box moved": box_moved,
    "one point twice": one_point_twice,
    "a gain between two": between_two,
    "two exchanged": exchanged,
}
