"""Numba: the scalar cost in a compiled double loop."""

from __future__ import annotations

import numpy as np
from numba import njit

from benchmarks.problems import Bench


@njit(cache=False)
def _values(a, b, q, r, s, weights, eta, gains):
    out = np.zeros(gains.size)
    for i in range(gains.size):
        w, total = gains[i], 0.0
        for t in range(a.size):
            c = a[t] - b[t] * w
            room = 1 - c * c
            w1 = w - eta * 2 * s[t] * (r[t] * w * room - b[t] * c * (q[t] + r[t] * w * w)) / (
                room * room
            )
            c1 = a[t] - b[t] * w1
            room1 = 1 - c1 * c1
            feasible = room > 0 and room1 > 0
            total += weights[t] * s[t] * (q[t] + r[t] * w1 * w1) / room1 if feasible else np.inf
        out[i] = total
    return out


def values(bench: Bench) -> np.ndarray:
    """h at every gain, +∞ where infeasible; (n, m) = (1, 1)."""
    tasks = [np.ascontiguousarray(x[:, 0, 0]) for x in (bench.A, bench.B, bench.Q, bench.R, bench.S0)]
    return _values(*tasks, bench.weights, bench.eta, np.ascontiguousarray(bench.gains[:, 0, 0]))
