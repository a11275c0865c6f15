"""This library, called as a user calls it."""

from __future__ import annotations

import numpy as np

from benchmarks.problems import Bench
from benign.meta import by_xla
from benign.meta.adaptation import GradientStep
from benign.meta.objective import MetaObjective
from benign.tasks.family import TaskFamily


def objective(bench: Bench) -> MetaObjective:
    """The benchmark's problem as the library's."""
    family = TaskFamily.stack(
        bench.A, bench.B, bench.Q, bench.R, bench.S0, weights=bench.weights.tolist()
    )
    return MetaObjective(family, GradientStep(bench.eta))


def value_and_gradient(h: MetaObjective, gains: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """h and its gradient at every start, +∞ and zeros where infeasible."""
    return h.value_and_gradient(gains)


def values(h: MetaObjective, gains: np.ndarray) -> np.ndarray:
    """h at every gain, +∞ where infeasible."""
    return h.values(gains)


def temporary_bytes(h: MetaObjective, gains: np.ndarray) -> int:
    """What XLA sets aside for value and gradient of a batch: that of one chunk."""
    order, chunk, kernel = by_xla.plan(h, "gradient", len(gains))
    W = np.zeros((chunk, *gains.shape[1:]))
    tasks = kernel.lay_out(order, h)
    compiled = kernel.run.lower(order, tasks, None, W, None, chunk).compile()
    return compiled.memory_analysis().temp_size_in_bytes
