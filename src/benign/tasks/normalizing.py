"""Cost normalisation: tasks whose costs are of one size, so that one step size suits all of them.

Figure 2 of the source paper shows two tasks that differ by a factor of their costs alone and whose MAML
objective has spurious minima all the same: one η is a long step for the one and a short step for the
other. The lesson it draws is to keep the costs normalised.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from os import PathLike
from typing import Any, overload

import numpy as np
import scipy.linalg

from benign.errors import ProblemError
from benign.exact.numbers import exact
from benign.exact.problem import Family, Matrix, Plant, Task
from benign.tasks.files import FamilyFile
from benign.tasks.given import as_exact_family
from benign.text import quoted

MEASURES = ("optimum", "curvature")

ALIKE = Fraction(1, 10**9)
"""Costs whose sizes agree to this share are of one size: the rest is rounding."""


@overload
def normalize(family: Family, *, by: str | Sequence[Any] = ..., to: Any = ...) -> Family: ...


@overload
def normalize(family: Any, *, by: str | Sequence[Any] = ..., to: Any = ...) -> Any: ...


def normalize(family: Any, *, by: str | Sequence[Any] = "optimum", to: Any = None) -> Any:
    """(Q_τ, R_τ, N_τ) ← (c/c_τ)(Q_τ, R_τ, N_τ): the same tasks, their costs all of the size c.

    By default c is the mean Σ ω_τ c_τ, so that a step size keeps its meaning. An adaptation cost of
    its own is normalised in the same way among the adaptation costs. A scale is a float64 taken as the
    exact number it is, so the family stays exact; costs that are multiples of each other become
    exactly equal.

    Args:
        family: a `TaskFamily`, or a list of `LQR` tasks, gives a `TaskFamily`; an exact `Family`, a
            family file, its path or a bundled name gives an exact one.
        by: c_τ: "optimum" is the least cost C_τ*; "curvature" is λ_max(∇²C_τ) at the optimum, which is
            2 λ_max(R + B'PB) λ_max(Σ) and what η is to be compared with; or one positive number a task.
        to: c, positive; the mean by default. With the c of a training family a new task joins it.

    Raises:
        ProblemError: an unknown measure; a number that is not positive; a task without an optimum, or
            whose least cost is zero. The message names the task.

    Source: arXiv 2006.00453, the discussion of Figure 2. Which size to divide by is our choice.
    """
    if not isinstance(family, Family):
        numbers = normalize(as_exact_family(family, "normalize"), by=by, to=to)
        if isinstance(family, (str, PathLike, FamilyFile)):
            return numbers
        from benign.tasks.family import TaskFamily

        return TaskFamily.from_exact(numbers)
    size = None if to is None else _positive(to, "to")
    f = _factors(family, [task.f for task in family.tasks], by, size)
    own = any(task.adaptation is not None for task in family.tasks)
    g = _factors(family, [task.g for task in family.tasks], by, size) if own else f
    if all(one == SAME for one in (*f, *g)):
        return family
    tasks = tuple(
        Task(
            task.name,
            _scaled(task.f, *f[i]),
            None if task.adaptation is None else _scaled(task.g, *g[i]),
        )
        for i, task in enumerate(family.tasks)
    )
    if own:  # a task that adapts on f itself has its own factor there
        tasks = tuple(
            replace(new, adaptation=_scaled(old.g, *g[i]))
            if old.adaptation is None and f[i] != g[i]
            else new
            for i, (old, new) in enumerate(zip(family.tasks, tasks, strict=True))
        )
    return Family(tasks, family.weights)


def mean_size(family: Family, by: str | Sequence[Any] = "optimum") -> Fraction:
    """Σ ω_τ c_τ: the c that `normalize` brings every evaluation cost to by default."""
    return _mean(family, _sizes(family, [task.f for task in family.tasks], by))


# --- details ---------------------------------------------------------------------------------


Unit = tuple[Fraction, Fraction]
"""(u, t): (Q, R, N) becomes (Q/u) t. Dividing by u first makes multiples of one cost exactly equal."""

SAME: Unit = (Fraction(1), Fraction(1))


def _factors(
    family: Family, plants: Sequence[Plant], by: str | Sequence[Any], to: Fraction | None
) -> list[Unit]:
    sizes = _sizes(family, plants, by)
    whole = [unit * size for unit, size in sizes]
    if to is None and max(whole) - min(whole) <= ALIKE * min(whole):
        return [SAME] * len(plants)
    c = _mean(family, sizes) if to is None else to
    # Rounded: a quotient of float64s would be a long fraction, and no better as a scale.
    return [(unit, Fraction(float(c / size))) for unit, size in sizes]


def _mean(family: Family, sizes: Sequence[Unit]) -> Fraction:
    """Rounded to a float64: the exact mean would only be a longer number."""
    total = sum(
        (w * unit * size for w, (unit, size) in zip(family.weights, sizes, strict=True)), Fraction(0)
    )
    return Fraction(float(total))


def _sizes(family: Family, plants: Sequence[Plant], by: str | Sequence[Any]) -> list[Unit]:
    """c_τ = u·size, the size being that of the cost divided by u = R₁₁ first."""
    if not isinstance(by, str):
        if len(by) != len(plants):
            raise ProblemError(f"by: {len(by)} numbers for {len(plants)} tasks; give one a task")
        return [(Fraction(1), _positive(x, f"by: task {i}")) for i, x in enumerate(by)]
    if by not in MEASURES:
        raise ProblemError(f"by: expected {' or '.join(MEASURES)}, or one number a task, got {by!r}")
    found = []
    for task, plant in zip(family.tasks, plants, strict=True):
        unit = plant.R[0][0]  # positive, since R is positive definite
        size = measure(_scaled(plant, unit, Fraction(1)), by)
        if not (np.isfinite(size) and size > 0):
            what = "least cost" if by == "optimum" else "curvature at the optimum"
            why = f"its {what} is zero to rounding" if size == 0 else "its optimum is not attained"
            cure = "normalise by curvature, or give" if size == 0 and by == "optimum" else "give"
            place = f"task {quoted(task.name)}"
            raise ProblemError(f"{place}: {why}; {cure} one number a task to divide by")
        found.append((unit, Fraction(size)))
    return found


def measure(plant: Plant, by: str) -> float:
    """C* or λ_max(∇²C(W*)), in floating point; NaN where there is no optimum.

    At the optimum (R + B'PB)W = B'PA, and ∇²C[E] = 2(R + B'PB)EΣ: its eigenvalues are products.
    """
    plant = plant.completed
    A, B, Q, R, S0 = (
        np.array([[float(x) for x in row] for row in X])
        for X in (plant.A, plant.B, plant.Q, plant.R, plant.moment)
    )
    root = float(plant.discount) ** 0.5
    A, B = root * A, root * B
    try:
        P = scipy.linalg.solve_discrete_are(A, B, Q, R)
        inner = R + B.T @ P @ B
        L = A - B @ np.linalg.solve(inner, B.T @ P @ A)
        if by == "optimum":
            least = float(np.sum(P * S0))
            # A stable plant whose states cost nothing: rounding must not pass for a cost.
            return 0.0 if least <= 1e-12 * float(np.trace(R) * np.trace(S0)) else least
        Sigma = scipy.linalg.solve_discrete_lyapunov(L, S0)
    except (np.linalg.LinAlgError, ValueError):
        return float("nan")
    return float(2 * np.linalg.eigvalsh(inner)[-1] * np.linalg.eigvalsh(Sigma)[-1])


def _scaled(plant: Plant, unit: Fraction, factor: Fraction) -> Plant:
    def scaled(X: Matrix) -> Matrix:
        return tuple(tuple(x / unit * factor for x in row) for row in X)

    N = None if plant.N is None else scaled(plant.N)
    return replace(plant, Q=scaled(plant.Q), R=scaled(plant.R), N=N)


def _positive(value: Any, place: str) -> Fraction:
    try:
        number = exact(value)
    except ProblemError as error:
        raise ProblemError(f"{place}: {error}") from error
    if number <= 0:
        raise ProblemError(f"{place}: expected a positive number, got {value}")
    return number
