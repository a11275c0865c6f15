"""Landscapes to draw: one of each kind that a picture must cope with."""

import random

from benign.exact.numbers import exact
from benign.exact.problem import Plant, Problem, Task, make_family, make_step
from benign.tasks.files import bundled_path, load


def plant(a, b, q, r, s=1):
    def one(x):
        return ((exact(x),),)

    return Plant(one(a), one(b), one(q), one(r), one(s))


def figure(name, eta, kind="gradient", shots=1):
    family = load(bundled_path(f"paper-figure-{name}")).family
    return Problem(family, make_step(kind, eta, shots))


def many(k, kind="gradient"):
    rng = random.Random(1)

    def number(low, high):
        return str(round(rng.uniform(low, high), 3))

    tasks = [
        Task(f"task {i}", plant(number(0.9, 1.1), number(0.9, 1.1), number(0.5, 3), number(0.5, 3)))
        for i in range(k)
    ]
    return Problem(make_family(tasks), make_step(kind, "0.05"))


def two_pieces():
    task = Task("stiffer than modelled", plant("1.4", "2", 2, 2), plant(1, 1, 2, 2))
    return Problem(make_family([task]), make_step("gradient", "0.01"))


def narrow():
    tasks = [Task("lower", plant(2, 1, 1, 1)), Task("upper", plant("3.9999999", 1, 1, 1))]
    return Problem(make_family(tasks), make_step("gradient", "1e-25"))


def with_static_task():
    tasks = [Task("moves", plant(1, 1, 2, 2)), Task("_no $input$", plant("0.5", 0, 1, 1))]
    return Problem(make_family(tasks), make_step("gradient", "0.05"))


PROBLEMS = {
    "one task": lambda: figure("1", "0.1"),
    "equal minima": lambda: figure("1", "0.05"),
    "eleven tasks": lambda: figure("3d", "0.05"),
    "three shots": lambda: figure("1", "0.1", shots=3),
    "jumps": lambda: figure("3b", "0.1", "normalized"),
    "many jumps": lambda: many(60, "normalized"),
    "many tasks": lambda: many(1000),
    "two pieces": two_pieces,
    "narrow and undecided": narrow,
    "a task without input": with_static_task,
}
