"""Points that a search met, proved one by one in any dimension, each by the operator of Krawczyk."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from benign.certificates.gains import gain_rows, require_well_posed
from benign.certificates.points import kind_of, points_cost, stationary_near
from benign.certificates.reading import Bounds, Refused
from benign.clock import NO_LIMIT, Clock
from benign.exact.problem import Problem
from benign.exact.rounding import enclosing_floats
from benign.prove.documents import points_certificate

LONGEST = 60.0
"""Seconds that a point may be estimated to take."""

FAR = 1e-4
"""A point further from the gain that was met than this multiple of its largest entry is another one."""

Entry = dict[str, Any]
"""A point as a certificate has it: "kind", "W", "value"."""

NO_TIME = "there was no time to prove it"


class Prover:
    """Stationary points next to gains, each proved at most once, while there is time.

    Args:
        problem: the problem; any dimension, both kinds of step.
        gains: (m, n) each, as a search met them.
        clock: the time there is.

    Attributes:
        entries: by position, the points that are proved; their boxes are disjoint.
        doubts: by position, why others are not.
    """

    def __init__(self, problem: Problem, gains: Sequence[np.ndarray], clock: Clock = NO_LIMIT) -> None:
        self.problem, self.gains, self.clock = problem, gains, clock
        self.entries: dict[int, Entry] = {}
        self.doubts: dict[int, str] = {}
        self._expected = points_cost(problem).seconds
        self._refusal = ""
        if self._expected > LONGEST:
            self._refusal = (
                f"a point of a gain of {problem.family.n * problem.family.m} entries is dear"
            )
        try:
            require_well_posed(problem)
        except Refused as error:
            self._refusal = str(error)

    def at(self, i: int) -> Entry | None:
        """The point next to a gain, or None: `doubts` says why."""
        if i in self.entries:
            return self.entries[i]
        if self._refusal:
            self.doubts[i] = self._refusal
        elif self.doubts.get(i, NO_TIME) == NO_TIME:
            self._try(i)
        return self.entries.get(i)

    def certificate(self) -> dict[str, Any] | None:
        """The certificate of all that is proved, by increasing value; None if nothing is."""
        if not self.entries:
            return None
        listed = sorted(self.entries.values(), key=lambda entry: float(entry["value"][0]))
        return points_certificate(self.problem, listed)

    def _try(self, i: int) -> None:
        if self.clock.left < self._expected:
            self.doubts[i] = NO_TIME
            return
        before = self.clock.used
        self.doubts.pop(i, None)
        try:
            entry = _entry(self.problem, self.gains[i])
        except Refused as error:
            self.doubts[i] = str(error)
        else:
            if any(_meet(entry, other) for other in self.entries.values()):
                self.doubts[i] = "it is another point of the list"
            else:
                self.entries[i] = entry
            self._expected = self.clock.used - before


def prove_all(prover: Prover, order: Iterable[int]) -> None:
    """Prove the points at these positions, in turn, until time is over."""
    for i in order:
        prover.at(i)


def _entry(problem: Problem, W: np.ndarray) -> Entry:
    """The point next to a gain as a certificate has it.

    Raises:
        Refused: none is proved there.
    """
    W = np.asarray(W, float)
    found = stationary_near(problem, gain_rows(problem, W.tolist()))
    rows: list[list[Bounds]] = [[enclosing_floats(x) for x in row] for row in found.gain.tolist()]
    middle = np.array(rows).mean(axis=2)
    if np.abs(middle - W).max() > FAR * max(float(np.abs(W).max()), 1e-300):
        raise Refused("Newton's method went to another point from there")
    return {
        "kind": kind_of(found),
        "W": [[list(side) for side in row] for row in rows],
        "value": list(enclosing_floats(found.value)),
    }


def _meet(first: Entry, second: Entry) -> bool:
    """Whether the boxes of two entries have a gain in common."""
    one, other = (np.array(entry["W"], dtype=float) for entry in (first, second))
    return bool(((one[..., 0] <= other[..., 1]) & (other[..., 0] <= one[..., 1])).all())
