"""What a search or a run costs before its first gain is tried, seen coming before it is begun."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from benign.clock import Clock

if TYPE_CHECKING:
    from benign.exact.problem import Family, Problem
    from benign.meta.objective import MetaObjective

IN_SCALARS, A_NUMBER, IN_MATRICES = 0.2, 0.25, 2.0
"""Seconds to make the kernels of h, ∇h and ∇²h in machine code: in scalars (up to two states) at least,
and for each number of a gain; in matrices, whatever the sizes are."""

LOADING = 1.0
"""Seconds to load JAX and the library's own part of it."""

XLA_IN_SCALARS, XLA_A_NUMBER, XLA_IN_MATRICES, XLA_A_SHOT = 2.5, 0.8, 7.0, 0.2
"""The same for XLA, which compiles training, and what each further shot adds to that, as a share. All
on an idle machine, to a third."""

SURE, LIKELY = 0.5, 1.5
"""Below SURE times the estimate nothing is begun: nothing would come of it on any machine. Where there
is something else to do with the time it is not begun below LIKELY times the estimate."""


def require_time(
    objective: MetaObjective | Problem | Family,
    clock: Clock,
    what: str = "a search",
    sure: float = SURE,
    *,
    by_xla: bool = False,
) -> None:
    """Refuse to begin what would not have been compiled in time.

    Raises:
        BudgetError: there is too little time; the message says what would do.
    """
    if not clock.limited:
        return
    family: Any = getattr(objective, "family", objective)
    step = getattr(objective, "step", None)
    seconds = _by_xla(family.n, family.m, 1 if step is None else step.shots)
    if not by_xla:
        scalars = family.n <= 2 and family.n * family.m <= 6
        seconds = IN_SCALARS + A_NUMBER * family.n * family.m if scalars else IN_MATRICES
    clock.require(sure * seconds, f"{what}, which is compiled first,")


def _by_xla(n: int, m: int, shots: int) -> float:
    seconds = XLA_IN_MATRICES
    if n <= 2 and n * m <= 6:
        seconds = (XLA_IN_SCALARS + XLA_A_NUMBER * n * m) * (1 + XLA_A_SHOT * (min(shots, 8) - 1))
    return seconds + (LOADING if "jax" not in sys.modules else 0.0)
