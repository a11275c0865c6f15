"""Named scalar problems with known answers, random families, and references that share no code.

The references evaluate h by other formulas than the library's: the cost as the plain quotient
s(q + rW²)/(1 − γ(a − bW)²), differentiated by the rules for power series (in 60 digits, `Reference`)
or written out by hand for float64 arrays (`FloatObjective`). No partial fractions, no recursions for J
and K.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Sequence
from fractions import Fraction

import mpmath
import numpy as np
import pytest

from benign.exact.numbers import exact
from benign.exact.problem import Plant, Problem, Task, make_family, make_step

DIGITS = 60

Number = int | float | str | Fraction


def scalar_plant(
    a: Number, b: Number = 1, q: Number = 1, r: Number = 1, s: Number = 1, discount: Number = 1,
    n: Number = 0,
) -> Plant:  # fmt: skip
    """A plant of one state and one input."""
    A, B, Q, R, S0, N = (((exact(x),),) for x in (a, b, q, r, s, n))
    return Plant(A, B, Q, R, S0, exact(discount), N=N)


def scalar_problem(
    plants: Sequence[Plant],
    kind: str = "gradient",
    eta: Number = "0.1",
    shots: int = 1,
    *,
    weights: Sequence[Fraction] | None = None,
    adaptation: Sequence[Plant | None] | None = None,
) -> Problem:
    """The meta-objective of scalar plants."""
    adapted = adaptation or [None] * len(plants)
    tasks = [Task(f"t{i}", f, g) for i, (f, g) in enumerate(zip(plants, adapted, strict=True))]
    return Problem(make_family(tasks, weights), make_step(kind, eta, shots))


# --- the source paper ------------------------------------------------------------------------

PAPER = {
    "1": [(1, 1, 2, 2)],
    "2": [(1, 1, 2, 2), (1, 1, "0.1", "0.1")],
    "3a": [("1.01", 1, 1, 1), (1, "1.01", 1, 1), (1, 1, "1.01", 1)],
    "3b": [(1, 1, 1, 2), (1, 1, 2, 1)],
    "3c": [(1, 1, 1, 1), (1, 1, 1, 2), (1, 1, 2, 1), (1, 1, 2, 3), (1, 1, 3, 2)],
    "3d": [(1, 1, q, r) for q, r in [(1, 1), (1, 2), (2, 1), (2, 3), (3, 2), (3, 1), (1, 3), (4, 1),
                                     (1, 4), (5, 3), (3, 5)]],
}  # fmt: skip
"""(A, B, Q, R) of each task, S0 = 1, as printed in "Details on the experiments"."""

MINIMA = {
    ("1", "0.1"): [("0.618034", "3.236068"), ("0.873963", "3.236414")],
    ("2", "0.1"): [("0.618034", "1.698936")],
    ("3a", "0.1"): [
        ("0.400301", "1.623889"), ("0.620324", "1.623854"), ("1.458388", "1.625535"),
    ],
    ("3b", "0.1"): [("0.562076", "2.366049"), ("1.247783", "2.371523")],
    ("3c", "0.1"): [("0.624481", "2.877853")],
    ("3d", "0.1"): [("0.622523", "3.746375")],
    ("1", "0.05"): [("0.3955", "3.236068"), ("0.6180", "3.236068"), ("1.4636", "3.236068")],
    ("2", "0.05"): [("0.6180", "1.698936"), ("1.4526", "1.800070")],
    ("3a", "0.05"): [("0.2504", "1.624284"), ("0.6204", "1.623875"), ("1.6482", "1.633451")],
    ("3b", "0.05"): [("0.3277", "2.367233"), ("0.5838", "2.383462"), ("1.5472", "2.391397")],
    ("3c", "0.05"): [("0.5953", "2.881470"), ("1.3938", "3.122363")],
    ("3d", "0.05"): [("0.5635", "3.706039")],
}  # fmt: skip
"""The minimisers (W, h) at the printed step and at half of it, to the digits shown."""


def paper_problem(figure: str, eta: str, kind: str = "gradient", shots: int = 1) -> Problem:
    """The objective behind a figure of the source paper."""
    return scalar_problem([scalar_plant(*task) for task in PAPER[figure]], kind, eta, shots)


# --- random families -------------------------------------------------------------------------


def random_problem(rng: np.random.Generator, **settings: object) -> Problem:
    """A random scalar family that some gain stabilises: f ≠ g, discounts and b = 0 among them.

    `settings` fix what would be drawn: kind, shots, tasks, plain (neither discount nor f ≠ g). With
    `cross` costs have cross terms, up to the largest that leaves them positive.
    """
    cross = bool(settings.get("cross", False))
    k = int(settings.get("tasks", rng.integers(1, 9)))  # type: ignore[call-overload]
    kind = str(settings.get("kind", rng.choice(["gradient", "normalized"])))
    shots = int(settings.get("shots", rng.integers(1, 4)))  # type: ignore[call-overload]
    plain = bool(settings.get("plain", False))
    eta = exact(f"{10.0 ** rng.uniform(-3, 0):.4g}")
    discounted = not plain and rng.random() < 0.25
    split = not plain and rng.random() < 0.25
    centre = rng.uniform(0.3, 1.5)
    plants, others = [], []
    for i in range(k):
        b = rng.choice([-1, 1]) if k == 1 else 1
        width = rng.uniform(0.7, 1.5)
        static = not plain and i > 0 and rng.random() < 0.05
        a = rng.uniform(-0.9, 0.9) if static else b * centre * width + rng.uniform(-0.4, 0.4)
        gain = 0.0 if static else b * width
        discount = rng.uniform(0.6, 0.99) if discounted else 1.0
        plants.append(_random_plant(rng, a, gain, discount, cross))
        others.append(_random_plant(rng, a, gain, discount, cross) if split and not static else None)
    weights = [exact(f"{w:.3g}") for w in rng.uniform(0.1, 1.0, k)]
    return scalar_problem(plants, kind, eta, shots, weights=weights, adaptation=others)


def feasible_problem(rng: np.random.Generator, **settings: object) -> Problem:
    """A random family for which h is finite at one gain of a coarse grid at least."""
    while True:
        problem = random_problem(rng, **settings)
        h = FloatObjective(problem)
        if np.isfinite(h(np.linspace(*h.span, 401))).any():
            return problem


def _random_plant(
    rng: np.random.Generator, a: float, b: float, discount: float, cross: bool = False
) -> Plant:
    q, r, s = 10.0 ** rng.uniform(-1, 1, 3)
    n = 0.99 * np.sqrt(q * r) * rng.uniform(-1, 1) if cross else 0.0
    numbers = (f"{a:.4g}", f"{b:.4g}", f"{q:.3g}", f"{r:.3g}", f"{s:.3g}", f"{discount:.3g}")
    return scalar_plant(*numbers, f"{n:.3g}")


# --- the reference in sixty digits -----------------------------------------------------------


class Series:
    """A truncated power series in W − W₀, with the rules of calculus."""

    def __init__(self, terms: Sequence[mpmath.mpf]) -> None:
        self.terms = list(terms)

    def _like(self, other: object) -> list[mpmath.mpf]:
        if isinstance(other, Series):
            return other.terms
        return [mpmath.mpf(other), *[mpmath.mpf(0)] * (len(self.terms) - 1)]

    def __add__(self, other: object) -> Series:
        return Series([x + y for x, y in zip(self.terms, self._like(other), strict=True)])

    def __neg__(self) -> Series:
        return Series([-x for x in self.terms])

    def __sub__(self, other: object) -> Series:
        return Series([x - y for x, y in zip(self.terms, self._like(other), strict=True)])

    def __mul__(self, other: object) -> Series:
        if not isinstance(other, Series):
            return Series([x * other for x in self.terms])
        y = other.terms
        return Series([sum(self.terms[i] * y[n - i] for i in range(n + 1)) for n in range(len(y))])

    def __truediv__(self, other: Series) -> Series:
        y = other.terms
        quotient: list[mpmath.mpf] = []
        for n, x in enumerate(self.terms):
            quotient.append((x - sum(quotient[i] * y[n - i] for i in range(n))) / y[0])
        return Series(quotient)

    @property
    def derivatives(self) -> list[mpmath.mpf]:
        """The value and the derivatives."""
        return [x * mpmath.factorial(n) for n, x in enumerate(self.terms)]


def to_mpf(x: Fraction | float) -> mpmath.mpf:
    x = Fraction(x)
    return mpmath.mpf(x.numerator) / x.denominator


class Reference:
    """C and h with their first three derivatives at exact gains; None outside the domain."""

    def __init__(self, problem: Problem) -> None:
        with mpmath.workdps(DIGITS):
            self.f = [self._numbers(task.f) for task in problem.tasks]
            self.g = [self._numbers(task.g) for task in problem.tasks]
            self.weights = [to_mpf(w) for w in problem.weights]
            self.eta = to_mpf(problem.step.eta)
        self.step = problem.step

    @staticmethod
    def _numbers(plant: Plant) -> tuple[mpmath.mpf, ...]:
        numbers = (plant.A, plant.B, plant.Q, plant.R, plant.moment)
        cross = plant.N[0][0] if plant.N else 0
        return (*(to_mpf(x[0][0]) for x in numbers), to_mpf(plant.discount), to_mpf(cross))

    @staticmethod
    def _parts(
        plant: tuple[mpmath.mpf, ...], w: Series
    ) -> tuple[Series, Series, Series, Series] | None:
        """Numerator and denominator of C at w, and the derivatives of both with respect to w."""
        a, b, q, r, s, y, n = plant
        loop = -w * b + a
        denominator = -loop * loop * y + 1
        if denominator.terms[0] <= 0:
            return None
        paid = (w * w * r - w * (2 * n) + q) * s
        return paid, denominator, w * (2 * r * s) - 2 * n * s, loop * (2 * y * b)

    @classmethod
    def cost(cls, plant: tuple[mpmath.mpf, ...], w: Series) -> Series | None:
        parts = cls._parts(plant, w)
        return None if parts is None else parts[0] / parts[1]

    @classmethod
    def slope(cls, plant: tuple[mpmath.mpf, ...], w: Series) -> Series | None:
        parts = cls._parts(plant, w)
        if parts is None:
            return None
        n, d, dn, dd = parts
        return (dn * d - n * dd) / (d * d)

    def plant_derivatives(self, task: int, w: float | Fraction) -> list[mpmath.mpf] | None:
        """C, C', C'', C''' of one task's evaluation cost."""
        with mpmath.workdps(DIGITS):
            cost = self.cost(self.f[task], self._variable(w, 3))
            return None if cost is None else cost.derivatives

    def __call__(self, w: float | Fraction, order: int = 3) -> list[mpmath.mpf] | None:
        """h and its derivatives up to an order."""
        with mpmath.workdps(DIGITS):
            start = self._variable(w, order)
            total = start * 0
            for f, g, weight in zip(self.f, self.g, self.weights, strict=True):
                gain = start
                for _ in range(self.step.shots):
                    slope = self.slope(g, gain)
                    if slope is None:
                        return None
                    if self.step.kind == "normalized":
                        slope = start * 0 + mpmath.sign(slope.terms[0])
                    gain = gain - slope * self.eta
                cost = self.cost(f, gain)
                if cost is None:
                    return None
                total = total + cost * weight
            return total.derivatives

    @staticmethod
    def _variable(w: float | Fraction, order: int) -> Series:
        return Series([to_mpf(w), mpmath.mpf(1), mpmath.mpf(0), mpmath.mpf(0)][: order + 1])


# --- the reference in float64 ----------------------------------------------------------------


class FloatObjective:
    """h over arrays of gains in float64; +∞ outside the domain."""

    def __init__(self, problem: Problem) -> None:
        self.f = [self._numbers(task.f) for task in problem.tasks]
        self.g = [self._numbers(task.g) for task in problem.tasks]
        self.weights = [float(w) for w in problem.weights]
        self.eta = float(problem.step.eta)
        self.step = problem.step

    @staticmethod
    def _numbers(plant: Plant) -> tuple[float, ...]:
        numbers = (plant.A, plant.B, plant.Q, plant.R, plant.moment)
        cross = plant.N[0][0] if plant.N else 0
        return (*(float(x[0][0]) for x in numbers), float(plant.discount), float(cross))

    @property
    def span(self) -> tuple[float, float]:
        """Where every task is stable before it adapts."""
        plants = [(a, b, y) for a, b, _, _, _, y, _ in self.g if b != 0]
        rims = [sorted([(a - y**-0.5) / b, (a + y**-0.5) / b]) for a, b, y in plants]
        return max(low for low, _ in rims), min(high for _, high in rims)

    def __call__(self, w: np.ndarray | float) -> np.ndarray:
        w = np.asarray(w, dtype=float)
        total = np.zeros_like(w)
        with np.errstate(all="ignore"):
            for f, g, weight in zip(self.f, self.g, self.weights, strict=True):
                gain, feasible = w.copy(), np.ones(w.shape, bool)
                for _ in range(self.step.shots):
                    a, b, q, r, s, y, n = g
                    loop = a - b * gain
                    room = 1.0 - y * loop**2
                    feasible &= room > 0
                    stage = q - 2.0 * n * gain + r * gain**2
                    slope = 2.0 * s * ((r * gain - n) * room - y * b * loop * stage) / room**2
                    if self.step.kind == "normalized":
                        slope = np.sign(slope)
                    gain = gain - self.eta * slope
                a, b, q, r, s, y, n = f
                room = 1.0 - y * (a - b * gain) ** 2
                feasible &= room > 0
                stage = q - 2.0 * n * gain + r * gain**2
                total = total + np.where(feasible, weight * s * stage / room, np.inf)
        return np.where(np.isnan(total), np.inf, total)


# --- planted errors --------------------------------------------------------------------------


def plant_error(monkeypatch: pytest.MonkeyPatch, owner: object, name: str, old: str, new: str) -> None:
    """Change one place of the source of a function, for one test."""
    function = getattr(owner, name)
    source = textwrap.dedent(inspect.getsource(function))
    assert source.count(old) == 1, f"{old!r} occurs {source.count(old)} times in {name}"
    # The same globals, so that the changed function sees what the module sees.
    local: dict[str, object] = {}
    exec(compile(source.replace(old, new), f"<planted in {name}>", "exec"), function.__globals__, local)
    monkeypatch.setattr(owner, name, local[name])
