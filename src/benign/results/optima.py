"""The optimum of each task alone: what the gains of a landscape are compared with."""

from __future__ import annotations

from math import inf, nan

from flint import ctx

from benign.exact.plants import ScalarPlant, scalar_plants
from benign.exact.problem import Problem
from benign.exact.rounding import enclosing_floats, to_ball
from benign.exact.surd import Surd, optimum
from benign.results.enclosure import Enclosure
from benign.results.line import TaskOptimum

PRECISIONS = (128, 512, 2048, 8192)
"""Bits of the balls, tried in turn. Numbers within 1e±30 lose some 400 bits at most."""

ENOUGH_BITS = 60
"""More than a float64 holds."""


def task_optima(problem: Problem) -> tuple[TaskOptimum, ...]:
    """The optimum of every task: W* an exact number, C* = C(W*) in balls."""
    f, _ = scalar_plants(problem)
    return tuple(_optimum(task.name, plant) for task, plant in zip(problem.tasks, f, strict=True))


def _optimum(name: str, plant: ScalarPlant) -> TaskOptimum:
    radius = abs(float(plant.a))
    best = optimum(plant)
    if best is None:
        return TaskOptimum(name, radius, Enclosure(nan, nan), Enclosure(nan, nan))
    return TaskOptimum(name, radius, Enclosure(*best.bounds), Enclosure(*_cost(plant, best)))


def _cost(plant: ScalarPlant, best: Surd) -> tuple[float, float]:
    """C(W*), in as many bits as its denominator 1 − γ(a − bW*)² needs to be told from zero."""
    bounds = -inf, inf
    for precision in PRECISIONS:
        with ctx.workprec(precision):
            a, b, q, r, s, y = (
                to_ball(x)
                for x in (plant.a, plant.b, plant.completed_q, plant.r, plant.s, plant.discount)
            )
            w = best.ball(precision)
            paid = w - to_ball(plant.shift)
            cost = s * (q + r * paid * paid) / (1 - y * (a - b * w) ** 2)
            bounds = enclosing_floats(cost)
            if cost.is_finite() and cost.rel_accuracy_bits() >= ENOUGH_BITS:
                break
    return bounds
