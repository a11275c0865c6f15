"""This library, called as a user calls it."""

from __future__ import annotations

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.problems import Bench
from benign.meta.adaptation import GradientStep
from benign.meta.objective import MetaObjective
from benign.tasks.family import TaskFamily

jax.config.update("jax_enable_x64", True)


def objective(bench: Bench) -> MetaObjective:
    """The benchmark's problem as the library's."""
    family = TaskFamily.stack(bench.A, bench.B, bench.Q, bench.R, bench.S0, weights=bench.weights)
    return MetaObjective(family, GradientStep(bench.eta))


@cache
def _mapped():
    @jax.jit
    def all_of_them(h: MetaObjective, gains):
        return lax.map(lambda W: (h.value(W), h.gradient(W)), gains, batch_size=64)

    return all_of_them


def value_and_gradient(h: MetaObjective, gains: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """h and its gradient at every start, +∞ and zeros where infeasible."""
    if hasattr(h, "value_and_gradient"):
        values, gradients = h.value_and_gradient(gains)
    else:
        values, gradients = _mapped()(h, jnp.asarray(gains))
    return np.asarray(values), np.asarray(gradients)
