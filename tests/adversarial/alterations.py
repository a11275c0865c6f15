"""Alterations that any certificate can suffer: of its problem, and of the form of its numbers.

An alteration changes a document in place and answers False where it does not apply. Whether what
comes out is false, the jury says: many an alteration is too slight, or makes a claim that holds.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import numpy as np

Document = dict[str, Any]
Rng = np.random.Generator
Change = Callable[[Document, Rng], bool | None]


def slight(rng: Rng) -> Fraction:
    """A relative change of either sign, from beyond a float's last bit to gross."""
    return int(rng.choice([-1, 1])) * Fraction(float(10.0 ** rng.uniform(-18, -0.3)))


def pick(rng: Rng, items: Any) -> Any:
    """One of a list."""
    items = list(items)
    return items[int(rng.integers(len(items)))]


def beyond(x: float, ulps: int) -> float:
    """The float so many steps away."""
    for _ in range(abs(ulps)):
        x = math.nextafter(x, math.copysign(math.inf, ulps))
    return x


def scaled(text: str, factor: Fraction) -> str:
    """A number that is written as text, times a factor."""
    top, _, bottom = text.partition("/")
    return str(Fraction(top) / Fraction(bottom or 1) * factor)


# --- the problem ------------------------------------------------------------------------------------


def _costs(d: Document) -> list[Document]:
    tasks = d["problem"]["tasks"]
    return [task[key] for task in tasks for key in ("cost", "adaptation") if task.get(key)]


def _each(M: list[list[str]], change: Callable[[str], str]) -> None:
    for row in M:
        row[:] = [change(x) for x in row]


def entry_changed(d: Document, rng: Rng) -> None:
    M = pick(rng, _costs(d))[pick(rng, ["A", "B", "Q", "R", "S0"])]
    i, j = rng.integers(len(M)), rng.integers(len(M[0]))
    M[i][j] = scaled(M[i][j], 1 + slight(rng))
    if len(M) == len(M[0]):
        M[j][i] = M[i][j]


def eta_changed(d: Document, rng: Rng) -> None:
    step = d["problem"]["step"]
    step["eta"] = scaled(step["eta"], 1 + slight(rng) if rng.random() < 0.7 else pick(rng, (2, 3, 30)))


def shots_changed(d: Document, rng: Rng) -> None:
    step = d["problem"]["step"]
    step["shots"] = max(1, step["shots"] + int(rng.choice([-1, 1, 2])))


def step_changed(d: Document, _: Rng) -> None:
    step = d["problem"]["step"]
    step["kind"] = {"gradient": "normalized", "normalized": "gradient"}[step["kind"]]


def weight_moved(d: Document, rng: Rng) -> bool:
    tasks = d["problem"]["tasks"]
    if len(tasks) < 2:
        return False
    i, j = rng.permutation(len(tasks))[:2]
    part = Fraction(tasks[i]["weight"]) * abs(slight(rng))
    tasks[i]["weight"] = str(Fraction(tasks[i]["weight"]) - part)
    tasks[j]["weight"] = str(Fraction(tasks[j]["weight"]) + part)
    return True


def light_task_dropped(d: Document, rng: Rng) -> bool:
    """Its weight goes to another: where it is next to nothing, h hardly changes, but its domain may."""
    tasks = d["problem"]["tasks"]
    if len(tasks) < 2:
        return False
    lightest = min(tasks, key=lambda task: Fraction(task["weight"]))
    tasks.remove(lightest)
    heir = pick(rng, tasks)
    heir["weight"] = str(Fraction(heir["weight"]) + Fraction(lightest["weight"]))
    return True


def light_task_added(d: Document, rng: Rng) -> None:
    """A task of next to no weight, a little unlike one that is there, with another rim or break."""
    tasks = d["problem"]["tasks"]
    heavy = pick(rng, tasks)
    weight = Fraction(heavy["weight"]) / 10 ** int(rng.integers(6, 26))
    light = copy.deepcopy(heavy)
    heavy["weight"], light["weight"] = str(Fraction(heavy["weight"]) - weight), str(weight)
    light["name"] = "light"
    M = light["cost"][pick(rng, "AQR")]
    M[0][0] = scaled(M[0][0], 1 + slight(rng))
    tasks.append(light)


def task_doubled(d: Document, rng: Rng) -> None:
    """A task twice, each with half its weight: the same h."""
    tasks = d["problem"]["tasks"]
    task = pick(rng, tasks)
    task["weight"] = scaled(task["weight"], Fraction(1, 2))
    tasks.insert(int(rng.integers(len(tasks) + 1)), copy.deepcopy(task))


def adaptation_changed(d: Document, rng: Rng) -> None:
    """A task that adapts on its own cost adapts on another one, or the other way round."""
    task = pick(rng, d["problem"]["tasks"])
    if task.pop("adaptation", None) is None:
        task["adaptation"] = copy.deepcopy(task["cost"])
        M = task["adaptation"][pick(rng, "AQR")]
        M[0][0] = scaled(M[0][0], 1 + slight(rng))


def discounted(d: Document, rng: Rng) -> None:
    cost = pick(rng, _costs(d))
    cost["discount"] = scaled(cost.get("discount", "1"), 1 - abs(slight(rng)))


def dearer(d: Document, rng: Rng) -> None:
    """All costs times t, and every value of the document too, some of them forgotten now and then."""
    t = Fraction(2) ** int(rng.integers(-3, 4)) if rng.random() < 0.5 else 1 + slight(rng)
    for cost in _costs(d):
        _each(cost["Q"], lambda x: scaled(x, t))
        _each(cost["R"], lambda x: scaled(x, t))
    if d["problem"]["step"]["kind"] == "gradient":
        d["problem"]["step"]["eta"] = scaled(d["problem"]["step"]["eta"], 1 / t)
    for holder, key in _values(d):
        if rng.random() < 0.9:
            holder[key] = _times(holder[key], float(t))


def louder(d: Document, rng: Rng) -> None:
    """All initial moments times t, and the values; η is forgotten, or not."""
    t = Fraction(2) ** int(rng.integers(-3, 4))
    for cost in _costs(d):
        _each(cost["S0"], lambda x: scaled(x, t))
    if rng.random() < 0.5:
        d["problem"]["step"]["eta"] = scaled(d["problem"]["step"]["eta"], 1 / t)
    for holder, key in _values(d):
        holder[key] = _times(holder[key], float(t))


def _values(d: Document) -> Iterator[tuple[Document, str]]:
    """Where a document speaks of values of h."""
    for key in ("minimum", "epsilon", "gap", "level"):
        if key in d:
            yield d, key
    for key in ("points", "undecided", "minimisers"):
        for entry in d.get(key, []):
            for name in ("value", "limits"):
                if name in entry:
                    yield entry, name


def _times(value: Any, t: float) -> Any:
    if isinstance(value, list):
        return [_times(x, t) for x in value]
    return value * t if isinstance(value, (int, float)) else value


PROBLEM: dict[str, Change] = {
    "an entry of the problem": entry_changed,
    "eta": eta_changed,
    "shots": shots_changed,
    "the step": step_changed,
    "weight moved": weight_moved,
    "a light task dropped": light_task_dropped,
    "a light task added": light_task_added,
    "a task doubled": task_doubled,
    "the adaptation cost": adaptation_changed,
    "a discount": discounted,
    "all costs scaled": dearer,
    "all moments scaled": louder,
}


# --- the form ---------------------------------------------------------------------------------------


def places(value: Any, holder: Any = None, key: Any = None) -> Iterator[tuple[Any, Any]]:
    """(holder, key) of everything in a document but the document itself."""
    if holder is not None:
        yield holder, key
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for k, item in list(items):
        yield from places(item, value, k)


def no_problem(d: Document, rng: Rng) -> None:
    """A problem that is none: a matrix of the wrong sign or not symmetric, weights that sum to more."""
    tasks, cost = d["problem"]["tasks"], pick(rng, _costs(d))
    kind = int(rng.integers(5))
    if kind == 0:
        pick(rng, tasks)["weight"] = pick(rng, ("1/7", "0", "-1", "2", "1e-320"))
    elif kind == 1:
        M = cost[pick(rng, ["Q", "R", "S0"])]
        M[0][0] = scaled(M[0][0], Fraction(-1)) if Fraction(M[0][0]) else "-1e-30"
    elif kind == 2 and len(cost["A"]) > 1:
        M = cost[pick(rng, ["Q", "S0"])]
        M[0][1] = scaled(M[0][1], 1 + slight(rng)) if Fraction(M[0][1]) else "1e-300"
    elif kind == 3 and len(cost["A"]) > 1:
        M = cost[pick(rng, ["Q", "S0"])]  # indefinite by a little: det < 0
        M[0][1] = M[1][0] = str(1 + max(Fraction(M[0][0]), Fraction(M[1][1])))
    else:
        d["problem"]["step"][pick(rng, ["eta", "shots"])] = pick(rng, ("0", "-1/10", 0, -1, True, 1.0))


WEIRD = [
    True,
    False,
    None,
    "nan",
    "NaN",
    "inf",
    "-inf",
    "",
    "1/0",
    "x",
    0,
    1,
    -1,
    -0.0,
    5e-324,
    -5e-324,
    1e308,
    -1e308,
    2**53 + 1,
    10**400,
    [],
    {},
    [0.0],
    [[0.0]],
    "1e400",
    "1e-400",
    "9" * 500,
    "0x10",
    "١",
    "1_0",
    float("nan"),
    float("inf"),
    [True, 1.0],
    ["-inf", "inf"],
    [1.0, 0.0],
    {"W": [0, 1]},
    "\ud800",
    1e-310,
    2**64,
    -(2**63),
    "1e330",
    "-1e-330",
    [[["1"]]],
    "minimum",
    "gradient",
]
"""What a reader may not expect in some place."""


def weird(d: Document, rng: Rng) -> None:
    """Something strange in the place of a thing; format and version are left alone."""
    holder, key = pick(
        rng, [(h, k) for h, k in places(d) if h is not d or k not in ("benign", "version")]
    )
    kind = rng.random()
    if kind < 0.7:
        holder[key] = copy.deepcopy(pick(rng, WEIRD))
    elif kind < 0.8:
        del holder[key]
    elif kind < 0.9 and isinstance(holder, list):
        holder.insert(int(key), copy.deepcopy(holder[key]))
    elif isinstance(holder, dict):
        holder[pick(rng, ["proof", "W ", "cover", "limits", "noise", "discount", "adaptation"])] = pick(
            rng, [holder[key], *copy.deepcopy(WEIRD)]
        )


def other_type(d: Document, rng: Rng) -> bool:
    """A number as a boolean, an integer or a text that a loose reader would take for it."""
    numbers = [(h, k) for h, k in places(d) if isinstance(h[k], float)]
    if not numbers:
        return False
    holder, key = pick(rng, numbers)
    x = holder[key]
    holder[key] = pick(rng, [str(x), bool(x), round(x), round(x * 2**60), [x], None])
    return True


FORM: dict[str, Change] = {
    "no problem": no_problem,
    "weird": weird,
    "a number of another type": other_type,
}
