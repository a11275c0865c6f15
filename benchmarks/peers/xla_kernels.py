"""The library's other route: its kernels through XLA, which run where the compiled ones cannot."""

from __future__ import annotations

import numpy as np

from benchmarks.ours import objective
from benchmarks.problems import Bench
from benign.meta import by_xla
from benign.meta.objective import MetaObjective

_known: dict[int, tuple[Bench, MetaObjective]] = {}
"""By identity: laying tasks out is not what is timed."""


def value_and_gradient(bench: Bench) -> tuple[np.ndarray, np.ndarray]:
    """h and its gradient at every start, +∞ and zeros where infeasible."""
    known = _known.get(id(bench))
    if known is None or known[0] is not bench:
        known = _known[id(bench)] = bench, objective(bench)
    values, rest = by_xla.run(known[1], "gradient", bench.gains, None, None)
    return values, rest.reshape(bench.gains.shape)
