"""Whether a run ended in a minimum above another: a short look around, which proves nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benign.clock import Clock
from benign.errors import BenignError
from benign.meta.algorithms import Algorithm
from benign.meta.objective import MetaObjective
from benign.tasks.family import TaskFamily

if TYPE_CHECKING:
    from benign.training.result import TrainingResult

STARTS, SECONDS = 16, 3.0
"""Starts of the look, and the seconds it may take."""

ENTRIES, TASKS = 32, 256
"""Entries of a gain, and tasks, up to which there is a look."""

LOWER = 1e-6
"""A minimum lower by less than this, relative to h, is taken for the same."""


def lower_minimum(
    family: TaskFamily | None, rule: Algorithm, found: TrainingResult, clock: Clock
) -> tuple[float, np.ndarray] | None:
    """(h, W) of a minimum of h below the one that a run of MAML reached, if a search meets one.

    For families of LQR tasks of which the run has no proof that it is next to the best.
    """
    step = getattr(rule, "step", None)
    if family is None or step is None or rule.name not in ("maml", "normalized-maml"):
        return None
    if family.n * family.m > ENTRIES or len(family) > TASKS:
        return None
    if found.gap <= LOWER * abs(found.value) or not np.isfinite(found.value):
        return None
    from benign.searches.search import search

    try:
        seen = search(
            MetaObjective(family, step), starts=STARTS, budget=clock.capped(min(clock.left, SECONDS))
        )
    except BenignError:  # no time, or nothing met: nothing to tell
        return None
    if not seen.minimizers or seen.minimizers[0].height >= (1 - LOWER) * found.value:
        return None
    best = seen.minimizers[0]
    return float(best.height), np.asarray(best.W)
