"""What claims about one gain share: reading it, what is well posed, and bits enough for a proof."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from flint import arb, ctx

from benign.balls.lqr import NotStabilising
from benign.balls.matrices import Unproved
from benign.certificates.claim import Cost
from benign.certificates.reading import Refused, number
from benign.exact.definite import is_semidefinite
from benign.exact.problem import Problem
from benign.exact.rounding import enclosing_floats
from benign.text import quoted

PRECISIONS = (192, 384, 768)
"""Bits of the balls, tried in turn: a gain near the rim of the stabilising set needs more. The first
is enough for the lower bounds of the optimal costs to be far below float64's resolution, also where
the states are in very different units."""

MOST_SHOWN = 8
"""Entries of a gain that a sentence spells out."""

Rows = tuple[tuple[float, ...], ...]


def gain_rows(problem: Problem, value: Any) -> Rows:
    """A gain as rows of finite floats, (m, n).

    Raises:
        Refused: it is none.
    """
    m, n = problem.family.m, problem.family.n
    rows = list(value) if isinstance(value, (list, tuple)) else []
    if len(rows) != m or any(not isinstance(row, (list, tuple)) or len(row) != n for row in rows):
        raise Refused(f"W: expected {m} row(s) of {n} number(s)")
    found = tuple(tuple(number(x, "W") for x in row) for row in rows)
    if not all(math.isfinite(x) for row in found for x in row):
        raise Refused("W: must be finite")
    return found


def require_well_posed(problem: Problem) -> None:
    """Decide exactly that R ≻ 0 and Q, S0, the noise and [[Q, N], [N', R]] are ⪰ 0, for every task.

    Raises:
        Refused: a matrix is not; the message names task and matrix.
    """
    for task in problem.tasks:
        for plant in {task.f, task.g}:
            for key in ("R", "Q", "S0", "noise"):
                M = getattr(plant, key)
                strict = key == "R"
                if M is not None and not is_semidefinite(M, strict=strict):
                    kind = "definite" if strict else "semidefinite"
                    place = f"problem: task {quoted(task.name)}"
                    raise Refused(f"{place} needs {key} to be positive {kind}")
            # R ≻ 0 is known by now: by Schur's complement [[Q, N], [N', R]] ⪰ 0 is decided.
            if plant.N is not None and not is_semidefinite(plant.completed.Q):
                place = f"problem: task {quoted(task.name)}"
                raise Refused(f"{place} needs [[Q, N], [N', R]] to be positive semidefinite")


def listed(W: Rows) -> str:
    """The gain in a line: all its entries, or the first of many."""
    entries = [x for row in W for x in row]
    if len(entries) == 1:
        return repr(entries[0])
    if len(entries) > MOST_SHOWN:
        return f"W of the document (its first entry is {entries[0]!r})"
    return "[" + "; ".join(", ".join(map(repr, row)) for row in W) + "]"


def at_enough_bits(prove: Callable[[], arb]) -> float:
    """A float64 upper bound of the gap, from the first precision that suffices."""
    reason = ""
    for precision in PRECISIONS:
        with ctx.workprec(precision):
            try:
                gap = prove()
            except NotStabilising as error:
                raise Refused(str(error)) from None
            except Unproved as error:
                reason = str(error)
                continue
            if gap.is_finite() and gap < arb(2) ** 1000:
                return max(enclosing_floats(gap)[1], 0.0)
            reason = "the gap is beyond the range of a float64"
    raise Refused(reason)


def gain_cost(problem: Problem) -> Cost:
    """What bounds of one gain's costs take: Lyapunov equations in balls, and exact characteristic
    polynomials of (n, n) matrices, whose numbers grow to n times as many digits.
    """
    n, m, k = problem.family.n, problem.family.m, len(problem.tasks)
    loops = k * (problem.step.shots + 1)
    size = problem.digits
    return Cost(
        seconds=loops * 2e-5 * (n + m) ** 3 + k * 2e-9 * n**4 * size * n,
        megabytes=1e-5 * loops * (n + m) ** 2 + 1e-6 * k * n * n * size,
    )
