"""Not every local minimum is global, proved in any dimension by two minima that a search met."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from benign.certificates.gains import gain_rows, require_well_posed
from benign.certificates.reading import Bounds, Refused
from benign.certificates.spurious import minimiser_near, points_cost
from benign.clock import NO_LIMIT, Clock
from benign.exact.problem import Problem
from benign.exact.rounding import enclosing_floats
from benign.prove.documents import apart_certificate

TRIES = 4
"""Minima tried from each end of the list."""

CLEAR = 1e-9
"""Two minima whose values are nearer than this, relative to them, are not tried."""

LONGEST = 60.0
"""Seconds that a point may be estimated to take."""


def refutation(
    problem: Problem,
    minima: Sequence[tuple[np.ndarray, float]],
    asked: Fraction = Fraction(0),
    clock: Clock = NO_LIMIT,
) -> dict[str, Any] | None:
    """A certificate that some local minimum lies more than `asked` above another, if that is proved.

    Args:
        problem: the problem; any dimension, both kinds of step.
        minima: gains (m, n) and their values, from the least value on, as a search met them.
        asked: the ε asked about.
        clock: the time there is.
    """
    expected = points_cost(problem).seconds
    if len(minima) < 2 or expected > LONGEST:
        return None
    try:
        require_well_posed(problem)
    except Refused:
        return None
    low = high = None
    proved: dict[int, dict[str, list[Any]] | None] = {}

    def at(i: int) -> dict[str, list[Any]] | None:
        nonlocal expected
        if i not in proved:
            if clock.left < expected:
                return None
            before = clock.used
            proved[i] = _entry(problem, minima[i][0])
            expected = clock.used - before
        return proved[i]

    for i in range(min(TRIES, len(minima) - 1)):
        if low := at(i):
            break
    if low is None:
        return None
    room = float(asked) + CLEAR * abs(minima[0][1])
    for j in range(len(minima) - 1, max(len(minima) - 1 - TRIES, 0), -1):
        if minima[j][1] - minima[0][1] <= room:
            return None
        if (high := at(j)) and Fraction(high["value"][0]) - Fraction(low["value"][1]) > asked:
            return apart_certificate(problem, low=low, high=high, asked=asked)
    return None


def _entry(problem: Problem, W: np.ndarray) -> dict[str, list[Any]] | None:
    """A strict minimiser next to W, as a certificate has it; None if it is not proved."""
    try:
        found = minimiser_near(problem, gain_rows(problem, np.asarray(W, float).tolist()))
    except Refused:
        return None
    rows: list[list[Bounds]] = [[enclosing_floats(x) for x in row] for row in found.gain.tolist()]
    return {
        "W": [[list(side) for side in row] for row in rows],
        "value": list(enclosing_floats(found.value)),
    }
