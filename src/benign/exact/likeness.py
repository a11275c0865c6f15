"""Which tasks are alike, decided exactly: the conditions of Theorems 1 to 3 on the family."""

from __future__ import annotations

from fractions import Fraction

from benign.exact.problem import Family, Matrix, Plant


def is_one_task(family: Family) -> bool:
    """Whether all tasks are the same task, f and g alike (Theorems 1 and 2 speak of one task)."""
    first = family.tasks[0]
    return all(task.f == first.f and task.g == first.g for task in family.tasks)


def is_proportional(family: Family) -> bool:
    """Whether A, B, S0 agree and (Q_i, R_i, N_i) = t_i (Q_1, R_1, N_1), with f = g (Theorem 3)."""
    first = family.tasks[0].f
    return all(task.g == task.f and _ratio(task.f, first) is not None for task in family.tasks)


def _ratio(plant: Plant, first: Plant) -> Fraction | None:
    """t > 0 with (Q, R, N) = t (Q₁, R₁, N₁) where all else agrees; None if there is none."""
    if (plant.A, plant.B, plant.moment, plant.discount) != (
        first.A, first.B, first.moment, first.discount,
    ):  # fmt: skip
        return None
    ratio = plant.R[0][0] / first.R[0][0]  # R is positive definite: its diagonal is positive
    if (plant.N is None) != (first.N is None):
        return None
    pairs = [(first.Q, plant.Q), (first.R, plant.R)]
    if plant.N is not None and first.N is not None:
        pairs.append((first.N, plant.N))
    return ratio if all(_scaled(X, ratio) == Y for X, Y in pairs) else None


def _scaled(matrix: Matrix, factor: Fraction) -> Matrix:
    return tuple(tuple(factor * x for x in row) for row in matrix)
