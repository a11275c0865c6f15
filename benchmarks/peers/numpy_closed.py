"""NumPy on a grid: the costs of one and two states written out, task by task, chunks in the cache."""

from __future__ import annotations

import numpy as np

from benchmarks.problems import Bench

CHUNK = 4096
"""Points of a chunk: near the best of 1,024 … 65,536."""


def scalar(task, eta: float, w: np.ndarray) -> np.ndarray:
    """f(F(w)) for n = m = 1."""
    a, b, q, r, s = task
    c = a - b * w
    room = 1 - c * c
    stage = q + r * w * w
    w1 = w - eta * 2 * s * (r * w * room - b * c * stage) / (room * room)
    c1 = a - b * w1
    room1 = 1 - c1 * c1
    feasible = (room > 0) & (room1 > 0)
    return np.where(feasible, s * (q + r * w1 * w1) / room1, np.inf)


class Loop:
    """L = A − BW for two states and one input, with what its closed form needs."""

    def __init__(self, A, B, x, y):
        self.a, self.b = A[0, 0] - B[0, 0] * x, A[0, 1] - B[0, 0] * y
        self.c, self.d = A[1, 0] - B[1, 0] * x, A[1, 1] - B[1, 0] * y
        self.trace = self.a + self.d
        self.det = self.a * self.d - self.b * self.c
        up, down = 1 + self.det, 1 - self.det
        inverse = 1 / (down * (up - self.trace) * (up + self.trace))
        self.onS = (up - self.trace * self.trace * down) * inverse
        self.onLSL, self.onLS = up * inverse, self.trace * self.det * inverse
        self.stable = (np.abs(self.det) < 1) & (np.abs(self.trace) < up)

    def solve(self, S, transposed: bool):
        """The three entries of X = L X L' + S, or of L' X L + S."""
        a, d = self.a, self.d
        b, c = (self.c, self.b) if transposed else (self.b, self.c)
        x, y, z = S
        p, q, r, s = a * x + b * y, a * y + b * z, c * x + d * y, c * y + d * z
        return (
            self.onS * x + self.onLSL * (p * a + q * b) - self.onLS * 2 * p,
            self.onS * y + self.onLSL * (p * c + q * d) - self.onLS * (q + r),
            self.onS * z + self.onLSL * (r * c + s * d) - self.onLS * 2 * s,
        )


def planar(A, B, Q, R, S0, eta: float, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """f(F(W)) for W = (x, y), n = 2, m = 1."""
    (b1, b2), r = B[:, 0], R[0, 0]

    def cost_to_go(loop, x, y):
        return loop.solve((Q[0, 0] + r * x * x, Q[0, 1] + r * x * y, Q[1, 1] + r * y * y), True)

    S = (S0[0, 0], S0[0, 1], S0[1, 1])
    loop = Loop(A, B, x, y)
    p, q, s = cost_to_go(loop, x, y)
    u, v, w = loop.solve(S, False)
    bp, bq = b1 * p + b2 * q, b1 * q + b2 * s
    g, h = r * x - (bp * loop.a + bq * loop.c), r * y - (bp * loop.b + bq * loop.d)
    x1, y1 = x - eta * 2 * (g * u + h * v), y - eta * 2 * (g * v + h * w)
    loop1 = Loop(A, B, x1, y1)
    p1, q1, s1 = cost_to_go(loop1, x1, y1)
    return np.where(loop.stable & loop1.stable, S[0] * p1 + 2 * S[1] * q1 + S[2] * s1, np.inf)


def chunk_values(bench: Bench, gains: np.ndarray) -> np.ndarray:
    total = np.zeros(len(gains))
    for i in range(bench.k):
        A, B, Q, R, S0 = (x[i] for x in (bench.A, bench.B, bench.Q, bench.R, bench.S0))
        if bench.n == 1:
            found = scalar([x[0, 0] for x in (A, B, Q, R, S0)], bench.eta, gains[:, 0, 0])
        else:
            found = planar(A, B, Q, R, S0, bench.eta, gains[:, 0, 0], gains[:, 0, 1])
        total += bench.weights[i] * found
    return total


def values(bench: Bench) -> np.ndarray:
    """h at every gain, +∞ where infeasible; (n, m) = (1, 1) or (2, 1)."""
    with np.errstate(all="ignore"):
        chunks = range(0, len(bench.gains), CHUNK)
        return np.concatenate([chunk_values(bench, bench.gains[i : i + CHUNK]) for i in chunks])
