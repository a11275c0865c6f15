"""LQR tasks as the compiled kernels take them: undiscounted, without noise or cross term, in NumPy.

    √γ(A, B) and S0 + γ/(1 − γ) V, V the noise; T = R⁻¹N' and Q − NT,

the arithmetic of `LQR.regulator` without JAX, which would compile a program for each operation of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benign.kernels.batch import Costs

if TYPE_CHECKING:
    from benign.tasks.lqr import LQR


def costs_of(tasks: LQR, *, stacked: bool = True) -> Costs:
    """Stacked tasks' own costs, or one task's as a stack; those adapted on are its `adaptation`'s."""
    given = (tasks.A, tasks.B, tasks.Q, tasks.R, tasks.S0, tasks.discount)
    A, B, Q, R, S0, discount = (
        np.asarray(x, float) if stacked else np.asarray(x, float)[None] for x in given
    )
    root = np.sqrt(discount)[:, None, None]
    if tasks.noise is not None:
        # γ = 1 goes with V = 0 (the constructor sees to that) and must not divide by zero.
        room = np.where(discount < 1, 1 - discount, 1.0)
        factor = np.where(discount < 1, discount / room, 0.0)
        S0 = S0 + factor[:, None, None] * np.asarray(tasks.noise, float)
    T = None
    if tasks.N is not None:
        N = np.asarray(tasks.N, float) if stacked else np.asarray(tasks.N, float)[None]
        T = np.linalg.solve(R, N.swapaxes(1, 2))
        NT = N @ T
        Q = Q - (NT + NT.swapaxes(1, 2)) / 2
    return Costs(root * A, root * B, Q, R, S0, T)
