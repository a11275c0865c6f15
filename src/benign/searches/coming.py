"""What a search costs before its first gain is tried, seen coming before JAX is loaded."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from benign.clock import Clock

if TYPE_CHECKING:
    from benign.exact.problem import Family, Problem
    from benign.meta.objective import MetaObjective

LOADING = 1.0
"""Seconds to load JAX and the library's own part of it, on an idle machine."""

IN_SCALARS, A_NUMBER, A_SHOT = 2.5, 0.8, 0.2
"""Seconds to compile h, ∇h and ∇²h for kernels in scalars (up to two states): at least, for each number
of a gain, and what each further shot adds to that, as a share."""

IN_MATRICES = 7.0
"""Seconds to compile them for kernels in matrices, whatever the sizes are. All on an idle machine, to a
third."""

SURE, LIKELY = 0.5, 1.5
"""Below SURE times the estimate a search is not begun: nothing would come of it on any machine. Where
there is something else to do with the time it is not begun below LIKELY times the estimate."""


def require_time(
    objective: MetaObjective | Problem | Family,
    clock: Clock,
    what: str = "a search",
    sure: float = SURE,
) -> None:
    """Refuse to begin a search, before JAX is loaded, that would not have been compiled in time.

    Raises:
        BudgetError: there is too little time; the message says what would do.
    """
    if not clock.limited:
        return
    family: Any = getattr(objective, "family", objective)
    n, p = family.n, family.n * family.m
    seconds = IN_MATRICES
    if n <= 2 and p <= 6:
        step = getattr(objective, "step", None)
        shots = 1 if step is None else step.shots
        seconds = (IN_SCALARS + A_NUMBER * p) * (1 + A_SHOT * (min(shots, 8) - 1))
    if "jax" not in sys.modules:
        seconds += LOADING
    clock.require(sure * seconds, f"{what}, which is compiled first,")
