"""The optimum of each task alone: what the gains of a landscape are compared with."""

from __future__ import annotations

from math import nan

from benign.landscape.landscape import Enclosure, TaskOptimum
from benign.rigorous.problem import Problem
from benign.rigorous.scalar import ScalarPlant, scalar_plants
from benign.rigorous.surd import enclosing_floats, optimum, to_ball


def task_optima(problem: Problem) -> tuple[TaskOptimum, ...]:
    """The optimum of every task: W* an exact number, C* = C(W*) in balls."""
    f, _ = scalar_plants(problem)
    return tuple(_optimum(task.name, plant) for task, plant in zip(problem.tasks, f, strict=True))


def _optimum(name: str, plant: ScalarPlant) -> TaskOptimum:
    radius = abs(float(plant.a))
    best = optimum(plant)
    if best is None:
        return TaskOptimum(name, radius, Enclosure(nan, nan), Enclosure(nan, nan))
    a, b, q, r, s, y = (
        to_ball(x) for x in (plant.a, plant.b, plant.q, plant.r, plant.s, plant.discount)
    )
    w = best.ball()
    cost = s * (q + r * w * w) / (1 - y * (a - b * w) ** 2)
    return TaskOptimum(name, radius, Enclosure(*best.bounds), Enclosure(*enclosing_floats(cost)))
