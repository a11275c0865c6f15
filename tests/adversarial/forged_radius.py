"""Forged certificates of a radius: it grows, ε shrinks, tags, slants and comparisons are others."""

from __future__ import annotations

from fractions import Fraction

from alterations import Change, Document, Rng, beyond, pick, scaled


def further(d: Document, rng: Rng) -> None:
    """A larger radius: by little, by much, or far beyond all sense."""
    factor = pick(rng, [1 + 10.0 ** rng.uniform(-6, 0), 4.0, 16.0, 1e3])
    d["delta"] = scaled(d["delta"], Fraction(float(factor)))


def closer(d: Document, rng: Rng) -> None:
    """A smaller ε, or none, or less than none."""
    share = Fraction(float(10.0 ** rng.uniform(-6, -0.01)))
    d["asked"] = pick(rng, [scaled(d["asked"], share), scaled(d["asked"], share / 1000), "0", "-1"])


def more_moves(d: Document, rng: Rng) -> None:
    """An entry that was kept moves, or one moves further, or the other way."""
    row = pick(rng, d["vary"])
    row[int(rng.integers(4))] = pick(rng, ["1", "2", "20", "300", "-1", 1, None])


def tags_changed(d: Document, rng: Rng) -> None:
    """A tag, or all of one kind."""
    tags = d["cover"]["tags"]
    if rng.random() < 0.5:
        i = int(rng.integers(len(tags)))
        d["cover"]["tags"] = tags[:i] + pick(rng, "O+-^vca?") + tags[i + 1 :]
    else:
        d["cover"]["tags"] = tags.replace(pick(rng, "vc^+-"), pick(rng, "O+-^vc"))


def one_run_less(d: Document, rng: Rng) -> None:
    """A run that may hold minima is told to hold none, and what is said of it goes as well."""
    tags, cells = list(d["cover"]["tags"]), d["cells"]
    starts = [i for i, x in enumerate(tags) if x in "vc" and (i == 0 or tags[i - 1] != x)]
    which = int(rng.integers(len(starts)))
    new, i = pick(rng, "+-^O"), starts[which]
    kind = tags[i]
    while i < len(tags) and tags[i] == kind:
        tags[i] = new
        i += 1
    d["cover"]["tags"] = "".join(tags)
    d["cells"] = [
        [entry for j, entry in enumerate(row) if j != which]
        for k, row in enumerate(cells)
        if k != which
    ]


def ends_cut(d: Document, rng: Rng) -> None:
    """A cover that ends before the rim, on one side."""
    n = int(rng.integers(1, 40))
    cut = slice(n, None) if rng.random() < 0.5 else slice(None, -n)
    d["cover"] = {"points": d["cover"]["points"][cut], "tags": d["cover"]["tags"][cut]}
    d["slants"] = d["slants"][cut]


def slants_changed(d: Document, rng: Rng) -> None:
    i = int(rng.integers(len(d["slants"])))
    d["slants"][i] = pick(rng, [0.0, -d["slants"][i], float(rng.normal() * 100), 1e308])


def cells_changed(d: Document, rng: Rng) -> bool:
    """A gain, an end or a factor of a cell, or the cell."""
    rows = [entry for row in d["cells"] for entry in row if entry]
    if not rows:
        return False
    entry = pick(rng, rows)
    cell = pick(rng, entry)
    kind = int(rng.integers(3))
    if kind == 0:
        cell[int(rng.integers(5))] = pick(rng, [0.0, 1e3, -1.0, beyond(cell[1], 5), cell[1] + 0.1])
    elif kind == 1:
        entry.append(list(cell))
    else:
        entry.clear()
    return True


RADII: dict[str, Change] = {
    "a larger radius": further,
    "a smaller epsilon": closer,
    "more moves": more_moves,
    "other tags": tags_changed,
    "a run left out": one_run_less,
    "ends cut off": ends_cut,
    "other slants": slants_changed,
    "other cells": cells_changed,
}
