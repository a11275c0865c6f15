"""SciPy: `solve_discrete_lyapunov` for each start and task."""

from __future__ import annotations

import numpy as np
from scipy.linalg import solve_discrete_lyapunov

from benchmarks.peers import loops
from benchmarks.problems import Bench


def value_and_gradient(bench: Bench) -> tuple[np.ndarray, np.ndarray]:
    """h and its gradient at every start; finite and wrong where a gain does not stabilise."""
    return loops.value_and_gradient(bench, solve_discrete_lyapunov)
