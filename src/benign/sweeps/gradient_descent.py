"""Gradient descent with backtracking from many starts: what training does, and where it ends.

The search (`searches.descent`) is made to meet minima quickly and may step over a ridge. Here the
question is where plain descent from a start leads, so steps are short and follow the gradient.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from benign.searches.descent import ARMIJO, Descended, Field, descend

SHORT = 0.02
"""A step is never longer than this multiple of the family's length: descents keep to their basins."""

CALM = 1e-6
"""A descent is calm where ‖∇h‖ ℓ is below this multiple of h."""

TICKS, FINISH = 200, 200
"""Gains tried for each start: by steepest descent, and by the quicker method that finishes."""


def follow(
    field: Field, x: Float[np.ndarray, "N p"], *, ticks: int = TICKS, finish: int = FINISH
) -> Descended:
    """x ← x − t∇h(x), t doubled after a step and halved until h falls (Armijo); h only falls.

    A descent whose ticks run out, as happens in narrow valleys, is brought to its end by BFGS.

    Args:
        field: h.
        x: (N, p) starts.
        ticks: gains tried for each start, at most.
        finish: gains tried after that by BFGS, at most; 0 leaves it at steepest descent.

    Source: D. P. Bertsekas, Nonlinear Programming (1999), section 1.2, the rule the paper proposes.
    """
    x = x.copy()
    value, gradient = field.probe(x)
    alive = np.isfinite(value)
    calm = np.zeros(len(x), bool)
    norm = np.linalg.norm(gradient, axis=1)
    t = SHORT * field.length / np.maximum(norm, 1e-300)
    for _ in range(ticks):
        still = alive & (norm * field.length <= CALM * np.maximum(np.abs(value), field.level))
        calm |= still
        alive &= ~still
        i = np.flatnonzero(alive)
        if len(i) == 0:
            break
        t[i] = np.minimum(t[i], SHORT * field.length / np.maximum(norm[i], 1e-300))
        step = -t[i, None] * gradient[i]
        tried, slope = field.probe(x[i] + step)
        good = tried <= value[i] - ARMIJO * t[i] * norm[i] ** 2
        moved, stuck = i[good], i[~good]
        x[moved] += step[good]
        value[moved], gradient[moved] = tried[good], slope[good]
        norm[moved] = np.linalg.norm(slope[good], axis=1)
        t[moved] *= 2.0
        t[stuck] *= 0.5
        # At a jump or a rim where h stays finite no step is short enough.
        alive[stuck[t[stuck] * norm[stuck] <= 1e-13 * field.length]] = False
    left = np.flatnonzero(alive)
    if len(left) and finish:
        ended = descend(field, x[left], ticks=finish)
        x[left], value[left], calm[left] = ended.x, ended.value, ended.calm
    return Descended(x, value, calm)
