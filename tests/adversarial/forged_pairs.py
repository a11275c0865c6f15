"""Forged certificates of a spurious minimum, and of no feasible gain."""

from __future__ import annotations

import copy
from fractions import Fraction
from typing import Any

from alterations import Change, Document, Rng, beyond, pick, scaled, slight

# --- a spurious minimum -----------------------------------------------------------------------------


def _gap(d: Document) -> None:
    """ε as it follows from the values that are said."""
    low, high = d["proof"]["minimisers"]
    d["epsilon"] = beyond(high["value"][0] - low["value"][1], -1)


def shifted(sides: Any, by: float) -> Any:
    """Bounds, in rows or not, further on."""
    return sides + by if isinstance(sides, float) else [shifted(x, by) for x in sides]


def mixed(low: Any, high: Any, t: float) -> Any:
    """Bounds, in rows or not, between two."""
    if isinstance(low[0], list):
        return [mixed(a, b, t) for a, b in zip(low, high, strict=True)]
    ends = [(1 - t) * a + t * b for a, b in zip(low, high, strict=True)]
    return [ends[0] - 1e-9, ends[1] + 1e-9]


def asked_more(d: Document, rng: Rng) -> None:
    """A larger gap, or a question that the gap does not refute."""
    epsilon = d["epsilon"]
    if rng.random() < 0.6:
        few = int(rng.choice([1, 2, 5, 100, 10_000]))
        d["epsilon"] = pick(rng, [beyond(epsilon, few), epsilon * 1.01, epsilon * 2, "inf", 0.0, -1.0])
    else:
        exact = Fraction(epsilon)
        d["asked"] = str(pick(rng, [exact, exact + Fraction(1, 2**80), exact * 2, Fraction(-1)]))


def exchanged(d: Document, rng: Rng) -> None:
    """The higher minimum as the lower one, with its values or with those of the other."""
    pair = d["proof"]["minimisers"]
    pair.reverse()
    if rng.random() < 0.5:
        pair[0]["value"], pair[1]["value"] = pair[1]["value"], pair[0]["value"]
        _gap(d)


def one_point(d: Document, rng: Rng) -> None:
    """One minimum as both, its second box beside the first, its second value higher."""
    pair = d["proof"]["minimisers"]
    source = int(rng.integers(2))
    twin = copy.deepcopy(pair[source])
    shift, key = 10.0 ** rng.uniform(-9, -1), "y" if "y" in twin else "W"
    twin[key] = shifted(twin[key], shift)
    twin["value"] = pick(
        rng, [twin["value"], pair[1 - source]["value"], [x + shift for x in twin["value"]]]
    )
    d["proof"]["minimisers"] = [pair[source], twin]
    if rng.random() < 0.7:
        _gap(d)


def values_moved(d: Document, rng: Rng) -> None:
    """The lower value lowered, or the higher one raised, and the gap with it."""
    which = int(rng.integers(2))
    entry = d["proof"]["minimisers"][which]
    by = abs(float(slight(rng)) * entry["value"][0]) * (1 if which else -1)
    entry["value"] = [x + by for x in entry["value"]]
    _gap(d)


def between_the_two(d: Document, rng: Rng) -> None:
    """A gain between the two, at a saddle or nowhere, in the place of one of them."""
    low, high = d["proof"]["minimisers"]
    t = float(rng.choice([0.5, rng.uniform(0.05, 0.95)]))
    entry = high if rng.random() < 0.7 else low
    for key in {"y", "W"} & set(entry):
        entry[key] = mixed(low[key], high[key], t)
    if "convex" in entry:
        entry["convex"]["centre"] = [(a + b) / 2 for a, b in entry["y"]]


def box_moved(d: Document, rng: Rng) -> None:
    """The box of one, its gains, or its convex box."""
    entry = pick(rng, d["proof"]["minimisers"])
    by, key = float(slight(rng)), pick(rng, [key for key in ("y", "W", "convex") if key in entry])
    if key == "convex":
        entry[key]["radius"] = [r * float(rng.choice([0.1, 3.0, 30.0])) for r in entry[key]["radius"]]
    else:
        entry[key] = shifted(entry[key], by)


def frame_moved(d: Document, rng: Rng) -> bool:
    """Another frame, if there is one."""
    if "frame" not in d["proof"]:
        return False
    frame = d["proof"]["frame"]
    if rng.random() < 0.5:
        frame["centre"] = [x + float(slight(rng)) for x in frame["centre"]]
    else:
        factor = float(rng.choice([0.5, 1.1, 2.0, -1.0]))
        frame["axes"] = [[x * factor for x in row] for row in frame["axes"]]
    return True


SPURIOUS_MINIMA: dict[str, Change] = {
    "more is asked": asked_more,
    "low and high exchanged": exchanged,
    "one minimum as both": one_point,
    "values moved": values_moved,
    "a gain between": between_the_two,
    "a box moved": box_moved,
    "the frame moved": frame_moved,
}

# --- no feasible gain -------------------------------------------------------------------------------


def _plants(d: Document) -> list[Document]:
    tasks = d["problem"]["tasks"]
    return [task[key] for task in tasks for key in ("cost", "adaptation") if task.get(key)]


def calmer(d: Document, rng: Rng) -> None:
    """Plants that are slower, so that some gain may stabilise them all; the proof is left."""
    t = Fraction(int(rng.integers(1, 20)), 20)
    for plant in _plants(d):
        plant["A"] = [[scaled(x, t) for x in row] for row in plant["A"]]


def turned(d: Document, rng: Rng) -> None:
    """One task's input works the other way, or all tasks become the first one."""
    tasks = d["problem"]["tasks"]
    if rng.random() < 0.5:
        task = pick(rng, tasks)
        for plant in (task["cost"], task.get("adaptation")):
            if plant:
                plant["B"] = [[scaled(x, Fraction(-1)) for x in row] for row in plant["B"]]
    else:
        for task in tasks[1:]:
            for key in ("cost", "adaptation"):
                task.pop(key, None)
                if key in tasks[0]:
                    task[key] = copy.deepcopy(tasks[0][key])


def slower(d: Document, rng: Rng) -> None:
    """A step so small that it throws no gain out."""
    step = d["problem"]["step"]
    step["eta"] = scaled(step["eta"], Fraction(1, int(10 ** rng.uniform(0.1, 5))))


def weights_changed(d: Document, rng: Rng) -> bool:
    """A weight of the inequalities more, fewer, larger, zero or negative."""
    weights = d["proof"].get("weights")
    if not weights:
        return False
    entry = pick(rng, weights)
    kind = int(rng.integers(5))
    if kind == 0:
        weights.remove(entry)
    elif kind == 1:
        entry[2] = pick(rng, [str(int(entry[2]) + 1), "0", "-1", str(int(entry[2]) * 2), 1])
    elif kind == 2:
        entry[int(rng.integers(2))] = int(rng.integers(-1, 4))
    elif kind == 3:
        weights.append([int(rng.integers(2)), int(rng.integers(3)), "1"])
    else:
        d["proof"]["weights"] = [[task, row, "0"] for task, row, _ in weights]
    return True


def pair_changed(d: Document, rng: Rng) -> bool:
    pair = d["proof"].get("tasks")
    if not pair:
        return False
    d["proof"]["tasks"] = pick(rng, [pair[::-1], [pair[0]] * 2, [pair[0], 7], [True, False]])
    return True


def boxes_changed(d: Document, rng: Rng) -> bool:
    """Tags of a cover or letters of a tree, one of them or all."""
    proof = d["proof"]
    if "cover" in proof:
        tags, cover = list(proof["cover"]["tags"]), proof["cover"]
        i = int(rng.integers(len(tags)))
        tags[i] = pick(rng, "O+-v^?")
        cover["tags"] = "".join(tags) if rng.random() < 0.5 else "O" * len(tags)
        return True
    if "tree" not in proof:
        return False
    tree = proof["tree"]
    i = int(rng.integers(len(tree)))
    proof["tree"] = pick(rng, [
        tree[:i] + pick(rng, "uorlgsn") + tree[i + 1 :], pick(rng, "uorlgsn"), tree.replace("u", "o"),
        tree[: i + 1], "".join(x if x.isdigit() else "u" for x in tree),
    ])  # fmt: skip
    return True


def box_changed(d: Document, rng: Rng) -> bool:
    """The box of a tree shrinks to one leaf's neighbourhood, moves, or is said to hold all gains."""
    proof = d["proof"]
    if "frame" not in proof:
        return False
    frame = proof["frame"]
    if rng.random() < 0.5:
        factor = float(rng.choice([0.5, 0.1, 1e-3]))
        frame["axes"] = [[x * factor for x in row] for row in frame["axes"]]
    else:
        frame["centre"] = [x + float(rng.normal()) for x in frame["centre"]]
    proof["bounded"] = bool(rng.random() < 0.7)
    return True


def other_proof(d: Document, rng: Rng) -> None:
    """A proof of another kind, or of a level."""
    kind = int(rng.integers(4))
    if kind == 0:
        d["level"] = pick(rng, [1.0, 1e300, -1.0, 0.0, 5e-324])
    elif kind == 1:
        d["proof"] = {"kind": "pieces"}
    elif kind == 2:
        d["proof"] = {"kind": "cover", "cover": {"points": [-1e6, 1e6], "tags": "O"}}
    else:
        d["proof"] = {"kind": "rims", "tasks": [0, len(d["problem"]["tasks"]) - 1]}


NO_FEASIBLE_GAIN: dict[str, Change] = {
    "slower plants": calmer,
    "a plant turned": turned,
    "a smaller step": slower,
    "other weights": weights_changed,
    "other tasks": pair_changed,
    "other tags or letters": boxes_changed,
    "another box": box_changed,
    "another proof": other_proof,
}
