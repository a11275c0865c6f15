"""The optimum of each task alone: what the gains of a landscape are compared with."""

from __future__ import annotations

from math import nan

from benign.exact.plants import ScalarPlant, scalar_plants
from benign.exact.problem import Problem
from benign.exact.rounding import enclosing_floats, to_ball
from benign.exact.surd import optimum
from benign.results.landscape import Enclosure, TaskOptimum


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
