"""Which tasks are alike, decided exactly: the conditions of Theorems 1 to 3 on the family."""

from __future__ import annotations

from fractions import Fraction

from benign.exact.problem import Family, Matrix, Plant


def is_one_task(family: Family) -> bool:
    """Whether all tasks are the same task, f and g alike (Theorems 1 and 2 speak of one task)."""
    first = family.tasks[0]
    return all(task.f == first.f and task.g == first.g for task in family.tasks)


def is_proportional(family: Family) -> bool:
    """Whether A, B, S0 agree and (Q_i, R_i) = t_i (Q_1, R_1), with f = g (Theorem 3)."""
    first = family.tasks[0].f
    return all(task.g == task.f and _ratio(task.f, first) is not None for task in family.tasks)


def _ratio(plant: Plant, first: Plant) -> Fraction | None:
    """t > 0 with (Q, R) = t (Q₁, R₁) where all else agrees; None if there is none."""
    if (plant.A, plant.B, plant.moment, plant.discount) != (
        first.A, first.B, first.moment, first.discount,
    ):  # fmt: skip
        return None
    ratio = plant.R[0][0] / first.R[0][0]  # R is positive definite: its diagonal is positive
    if _scaled(first.Q, ratio) == plant.Q and _scaled(first.R, ratio) == plant.R:
        return ratio
    return None


def _scaled(matrix: Matrix, factor: Fraction) -> Matrix:
    return tuple(tuple(factor * x for x in row) for row in matrix)
