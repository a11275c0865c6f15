"""Not every local minimum is global, proved in any dimension by two minima that a search met."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from benign.certificates.points import MINIMUM
from benign.clock import NO_LIMIT, Clock
from benign.exact.problem import Problem
from benign.prove.documents import apart_certificate
from benign.prove.points import Entry, Prover

TRIES = 4
"""Minima tried from each end of the list."""

CLEAR = 1e-9
"""Two minima whose values are nearer than this, relative to them, are not tried."""


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
    prover = Prover(problem, [W for W, _ in minima], clock)
    return refuted(prover, list(enumerate(value for _, value in minima)), asked)


def refuted(
    prover: Prover, minima: Sequence[tuple[int, float]], asked: Fraction = Fraction(0)
) -> dict[str, Any] | None:
    """The same by points that are proved already, or will be.

    Args:
        prover: of the gains.
        minima: their positions in it and their values, from the least value on.
        asked: the ε asked about.
    """
    if len(minima) < 2:
        return None
    least = minima[0][1]
    room = float(asked) + CLEAR * abs(least)
    if minima[-1][1] - least <= room:
        return None
    low = next(filter(None, (_minimum(prover, i) for i, _ in minima[:-1][:TRIES])), None)
    if low is None:
        return None
    for i, value in minima[: -TRIES - 1 : -1]:
        if value - least <= room:
            return None
        high = _minimum(prover, i)
        if high and Fraction(high["value"][0]) - Fraction(low["value"][1]) > asked:
            return apart_certificate(prover.problem, low=low, high=high, asked=asked)
    return None


def _minimum(prover: Prover, i: int) -> Entry | None:
    """A strict minimiser, as a certificate of two has it; None if it is not proved."""
    entry = prover.at(i)
    if entry is None or entry["kind"] != MINIMUM:
        return None
    return {"W": entry["W"], "value": entry["value"]}
