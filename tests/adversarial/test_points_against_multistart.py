"""Proved points of random families with 5 to 16 entries, against costs and descents of SciPy alone."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from counting import record

from benign.certificates.check import check
from benign.prove.points import Prover
from benign.verbs.analyze import analyze
from multistart import SHAPES, Plain, curvature, descend, random_family, values

CLEAR = 1e-4
"""Eigenvalues smaller than this, relative to the largest, are not told from zero by differences."""


def contradicted(family: Plain, W: np.ndarray, kind: str, value: tuple[float, float]) -> str:
    """Why a stationary point of that kind and value is none, by other costs; empty if nothing is."""
    lo, hi = value
    h = values(family, W)
    room = 1e-9 * abs(h)
    if not lo - room <= h <= hi + room:
        return f"h is {h!r}"
    spectrum = np.linalg.eigvalsh(curvature(family, W))
    room = CLEAR * np.abs(spectrum).max()
    low, high = spectrum[0], spectrum[-1]
    fits = {
        "minimum": low > -room,
        "maximum": high < room,
        "saddle": low < room and high > -room,
    }[kind]
    return "" if fits else f"the eigenvalues of ∇²h are {spectrum.tolist()}"


def entry_contradicted(family: Plain, entry: dict[str, Any]) -> str:
    W = np.array(entry["W"], dtype=float).mean(axis=2)
    return contradicted(family, W, entry["kind"], tuple(entry["value"]))


@pytest.mark.parametrize("seed", [0, 2, 15])
def test_what_a_multistart_ends_at_is_proved_and_not_contradicted(seed):
    family = random_family(seed)
    ends = descend(family, starts=3)
    prover = Prover(family.problem, ends)
    proved = [prover.at(i) for i in range(len(ends))]
    assert any(proved)
    for entry in filter(None, proved):
        assert entry_contradicted(family, entry) == ""


@pytest.mark.parametrize("kind", ["saddle", "maximum"])
def test_the_second_opinion_contradicts_what_is_wrong(kind):
    family = random_family(0)
    prover = Prover(family.problem, descend(family, starts=1))
    entry = prover.at(0)
    assert entry["kind"] == "minimum"
    assert entry_contradicted(family, {**entry, "kind": kind})
    assert entry_contradicted(family, {**entry, "value": [x * 1.001 for x in entry["value"]]})
    assert entry_contradicted(family, {**entry, "W": (np.array(entry["W"]) * 1.01).tolist()})


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100))
def test_no_proved_point_of_a_search_is_contradicted(seed, record_property):
    family = random_family(seed)
    landscape = analyze(family.problem, starts=32)
    counts: Counter[str] = Counter()
    for point in landscape.points:
        if not point.is_proved:
            counts[f"{point.kind.value}, not proved"] += 1
            continue
        why = contradicted(family, point.W, point.kind.value, tuple(point.value))
        assert not why, (seed, point.W.tolist(), why)
        counts[f"{point.kind.value}, proved"] += 1
    assert check(landscape.listed)
    # What the other search ends at is proved as well, and mostly on the list.
    ends = descend(family, starts=4)
    prover = Prover(family.problem, ends)
    for i in range(len(ends)):
        entry = prover.at(i)
        if entry is None:
            counts["end of the multistart, not proved"] += 1
            continue
        assert entry_contradicted(family, entry) == ""
        W = np.array(entry["W"]).mean(axis=2)
        known = any(np.abs(point.W - W).max() < 1e-9 for point in landscape.points)
        counts[f"end of the multistart, {'on the list' if known else 'missed by the search'}"] += 1
    n, m = SHAPES[seed % len(SHAPES)]
    record(record_property, "proved points, a second opinion", f"n·m = {n * m:2}", counts)
