"""Proofs of single cells, and whether what was observed agrees with them."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from benign.studies.columns import BENIGN, INFEASIBLE, NONE, SPURIOUS, UNDECIDED
from benign.studies.tasks import Families

CLOSE = 1e-7
"""Observed and proved ε, and least h, agree if they differ by at most this share of least h."""

Array = np.ndarray


def prove_scalar(
    families: Families, eta: Array, step: str, which: Array, seen: dict[str, Array]
) -> dict[str, Array]:
    """The columns `proved`, `epsilon_low`, `epsilon_high` and `agrees` of some families."""
    from benign.errors import InfeasibleError
    from benign.exact.problem import Problem, make_step
    from benign.prove.line.enumeration import analyze

    proved = np.full(len(which), NONE, np.int8)
    low, high = np.full(len(which), np.nan), np.full(len(which), np.nan)
    agrees = np.zeros(len(which), np.int8)
    for j, i in enumerate(which):
        problem = Problem(families.exact(i), make_step(step, Fraction(float(eta[i]))))
        try:
            found = analyze(problem)
        except InfeasibleError:  # a proof, too
            proved[j], agrees[j] = INFEASIBLE, seen["minimisers"][i] == 0
            continue
        proved[j] = verdict_of(found)
        low[j], high[j] = found.epsilon.lo, found.epsilon.hi
        room = CLOSE * abs(found.minimum.mid)
        agrees[j] = (
            found.is_complete
            and len(found.minima) == seen["minimisers"][i]
            and abs(seen["minimum"][i] - found.minimum.mid) <= room
            and low[j] - room <= seen["epsilon"][i] <= high[j] + room
        )
    return {"proved": proved, "epsilon_low": low, "epsilon_high": high, "agrees": agrees}


def verdict_of(landscape: Any) -> int:
    """The verdict of a proof as the store has it."""
    from benign.verdict import Status

    status = landscape.verdict.status
    return {Status.PROVED: BENIGN, Status.REFUTED: SPURIOUS}.get(status, UNDECIDED)
