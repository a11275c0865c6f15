"""The range of numbers that proofs in float64 cover: one gate for all, and what brings in range.

The bounds of `benign.floats` hold for numbers of any size: what is rounded to a float64 is known with
its error, and what underflows is added to the error of the result. But far from one they say nothing
(an overflow is "nothing known"), or a step of a proof needs a constant that is no float64. Hence

    2⁻¹⁰⁰ ≤ |x| ≤ 2¹⁰⁰ for the largest entry of each matrix that is not zero, and for ω, η and γ;

with a cross term also for those of R⁻¹N', A − BR⁻¹N' and Q − NR⁻¹N', which then take part.

The products that are formed, such as ωS0 Q, ηS0 R and S0 (Q + W'RW) for the gains W next to the
stabilising ones, then stay within 2^±1000, and an entry that is much smaller than the largest of its
matrix matters as little as it should. A checker in balls needs no such range.

Costs may be in any unit: with Q, R, N → 2ᵏ(Q, R, N), S0, V → 2ʲ(S0, V) (V the noise) and η → 2^−(k+j) η
the gradient step from every gain leads to the same gains, and h → 2^(k+j) h. So a problem whose costs
or states are all very large, or all very small, has an equivalent one in range; powers of two lose no
bit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction

from benign.errors import ProblemError
from benign.exact.problem import Family, Matrix, Plant, Problem, Step, Task
from benign.text import quoted

RANGE_BITS = 100
"""The gate is 2^±RANGE_BITS, some 1e-30 … 1e30."""


def require_range(problem: Problem) -> None:
    """The gate: refuse a problem with a number out of range.

    Raises:
        ProblemError: the message names the task, the matrix, the value and the cure.
    """
    for task, weight in zip(problem.tasks, problem.weights, strict=True):
        for plant in (task.f,) if task.adaptation is None else (task.f, task.g):
            for field, value in _numbers(plant):
                if not in_range(value):
                    raise ProblemError(
                        f"task {quoted(task.name)}: {field} = {shown(value)} is outside 1e-30 … 1e30, "
                        "where the proof's float64 bounds hold; rescale the units"
                    )
        if not in_range(weight):
            raise ProblemError(
                f"task {quoted(task.name)}: its weight is below 1e-30 of all weights; leave the task "
                "out"
            )
    if not in_range(problem.step.eta):
        raise ProblemError(f"eta: {shown(problem.step.eta)} is outside 1e-30 … 1e30")


def in_range(x: Fraction) -> bool:
    """2⁻¹⁰⁰ ≤ |x| ≤ 2¹⁰⁰."""
    top, bottom = abs(x.numerator), x.denominator
    return top <= bottom << RANGE_BITS and bottom <= top << RANGE_BITS


def shown(x: Fraction) -> str:
    """Three digits of a number of any size."""
    return f"{Decimal(x.numerator) / Decimal(x.denominator):.3g}"


def _numbers(plant: Plant) -> Iterator[tuple[str, Fraction]]:
    """The largest entry of each matrix that is not zero; S0 holds the noise as well."""
    for field in ("A", "B", "Q", "R", "S0"):
        value = _largest(plant.moment if field == "S0" else getattr(plant, field))
        if value:
            yield field, value
    if plant.N is not None and plant.shift is not None:
        named = {
            "N": plant.N,
            "R⁻¹N'": plant.shift,
            "A − BR⁻¹N'": plant.completed.A,
            "Q − NR⁻¹N'": plant.completed.Q,
        }
        for field, M in named.items():
            if value := _largest(M):
                yield field, value
    yield "discount", plant.discount


def _largest(M: Matrix) -> Fraction:
    if len(M) == 1 == len(M[0]):
        return M[0][0]
    return max((x for row in M for x in row), key=abs)


# --- equivalent problems in range ------------------------------------------------------------


@dataclass(frozen=True)
class Balanced:
    """A problem in other units of cost: its h is 2^bits times that of the problem as stated."""

    problem: Problem
    bits: int

    def into(self, value: float, place: str) -> float:
        """A cost as stated, in the units of `problem`.

        Raises:
            ProblemError: it is out of the range of float64 there.
        """
        found = _times(value, self.bits)
        if math.isfinite(value) and _times(found, -self.bits) != value:
            raise ProblemError(f"{place}: {value:g} is far out of the range of the problem's costs")
        return found

    def below(self, value: float) -> float:
        """A lower bound of a cost in the units of `problem`, as one of the cost as stated."""
        found = _times(value, -self.bits)
        if math.isinf(found) and math.isfinite(value):
            return math.nextafter(found, 0.0) if found > 0 else found
        return found if _times(found, self.bits) == value else math.nextafter(found, -math.inf)

    def above(self, value: float) -> float:
        """An upper bound likewise."""
        return -self.below(-value)


def balanced(problem: Problem) -> Balanced:
    """The problem itself where it is in range, else an equivalent one that is, if there is one.

    Only the gradient step; where nothing helps the problem comes back, and the gate refuses it.
    """
    plants = {plant for task in problem.tasks for plant in (task.f, task.g)}
    costs = _room(x for plant in plants for x in map(_largest, _prices(plant)) if x)
    states = _room(x for plant in plants if (x := _largest(plant.moment)))
    if problem.step.kind != "gradient" or costs is None or states is None:
        return Balanced(problem, 0)
    k, j = (min(max(0, low), high) for low, high in (costs, states))
    # η is divided by what h is multiplied with: where it is out of range, there may be room left.
    low, high = _room([problem.step.eta]) or (0, 0)
    least, most = -high, -low  # of k + j
    for sign, bound in ((1, least), (-1, most)):
        lacking = max(0, sign * (bound - (k + j)))
        for room in (costs, states):
            here = k if room is costs else j
            move = min(lacking, abs(room[1] - here if sign > 0 else here - room[0]))
            k, j = (k + sign * move, j) if room is costs else (k, j + sign * move)
            lacking -= move
    if k == j == 0 or not least <= k + j <= most:
        return Balanced(problem, 0)
    made = {plant: _scaled(plant, k, j) for plant in plants}
    tasks = tuple(
        Task(task.name, made[task.f], None if task.adaptation is None else made[task.g])
        for task in problem.tasks
    )
    step = Step("gradient", problem.step.eta / Fraction(2) ** (k + j), problem.step.shots)
    return Balanced(Problem(Family(tasks, problem.weights), step), k + j)


def _prices(plant: Plant) -> Iterator[Matrix]:
    """What a change of the unit of cost scales."""
    yield from (plant.Q, plant.R)
    if plant.N is not None:
        yield from (plant.N, plant.completed.Q)


def _room(numbers: Iterable[Fraction]) -> tuple[int, int] | None:
    """The least and the greatest k for which all 2ᵏx are in range; None if there is no such k."""
    exponents = [_exponent(x) for x in numbers]
    if not exponents:
        return (0, 0)
    low, high = -RANGE_BITS - min(exponents), RANGE_BITS - 1 - max(exponents)
    return (low, high) if low <= high else None


def _exponent(x: Fraction) -> int:
    """e with 2ᵉ ≤ |x| < 2^(e+1)."""
    top, bottom = abs(x.numerator), x.denominator
    e = top.bit_length() - bottom.bit_length()
    reached = top >= bottom << e if e >= 0 else top << -e >= bottom
    return e if reached else e - 1


def _scaled(plant: Plant, k: int, j: int) -> Plant:
    def times(M: Matrix, bits: int) -> Matrix:
        return tuple(tuple(x * Fraction(2) ** bits for x in row) for row in M)

    return replace(
        plant,
        Q=times(plant.Q, k),
        R=times(plant.R, k),
        N=None if plant.N is None else times(plant.N, k),
        S0=times(plant.S0, j),
        noise=None if plant.noise is None else times(plant.noise, j),
    )


def _times(x: float, bits: int) -> float:
    """2^bits x in float64: exact, or rounded where it underflows, or infinite."""
    try:
        return math.ldexp(x, bits)
    except OverflowError:
        return math.copysign(math.inf, x)
