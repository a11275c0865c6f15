"""This library, called as a user calls it."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.problems import Bench
from benign.meta.adaptation import GradientStep
from benign.meta.objective import MetaObjective
from benign.tasks.family import TaskFamily


def objective(bench: Bench) -> MetaObjective:
    """The benchmark's problem as the library's."""
    family = TaskFamily.stack(
        bench.A, bench.B, bench.Q, bench.R, bench.S0, weights=bench.weights.tolist()
    )
    return MetaObjective(family, GradientStep(bench.eta))


BATCH = 64


@jax.jit
def _mapped(h: MetaObjective, gains):
    return lax.map(lambda W: (h.value(W), h.gradient(W)), gains, batch_size=BATCH)


@jax.jit
def _values(h: MetaObjective, gains):
    return lax.map(h.value, gains, batch_size=4096)


def value_and_gradient(h: MetaObjective, gains: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """h and its gradient at every start, +∞ and zeros where infeasible."""
    if hasattr(h, "value_and_gradient"):
        values, gradients = h.value_and_gradient(gains)
    else:
        values, gradients = _mapped(h, jnp.asarray(gains))
    return np.asarray(values), np.asarray(gradients)


def values(h: MetaObjective, gains: np.ndarray) -> np.ndarray:
    """h at every gain, +∞ where infeasible."""
    return np.asarray(h.values(gains) if hasattr(h, "values") else _values(h, jnp.asarray(gains)))


def temporary_bytes(h: MetaObjective, gains: np.ndarray) -> int:
    """What XLA sets aside for value and gradient of a batch."""
    compiled = _mapped.lower(h, jnp.asarray(gains)).compile()
    return compiled.memory_analysis().temp_size_in_bytes
