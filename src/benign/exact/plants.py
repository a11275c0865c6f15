"""Scalar LQR tasks in exact numbers, and which of them the proofs cover."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from benign.errors import NotScalarError, ProblemError
from benign.exact.problem import Plant, Problem
from benign.exact.range import require_range
from benign.text import quoted


@dataclass(frozen=True)
class ScalarPlant:
    """The numbers of one scalar LQR task, exact; s holds the noise as well (`Plant.moment`).

    The stage cost is q − 2nW + rW² = q̃ + r(W − t)² for a = −W s, t = n/r, q̃ = q − n²/r, and the
    closed loop a − bW = ã − b(W − t), ã = a − bt (`Plant.completed`).
    """

    a: Fraction
    b: Fraction
    q: Fraction
    r: Fraction
    s: Fraction
    discount: Fraction
    n: Fraction = Fraction(0)

    @staticmethod
    def of(plant: Plant) -> ScalarPlant:
        """Read a 1 × 1 `Plant`."""
        return ScalarPlant(
            plant.A[0][0], plant.B[0][0], plant.Q[0][0], plant.R[0][0],
            plant.moment[0][0], plant.discount, plant.N[0][0] if plant.N else Fraction(0),
        )  # fmt: skip

    @property
    def shift(self) -> Fraction:
        """t = n/r: where the input costs nothing that the state does not."""
        return self.n / self.r if self.n else self.n

    @property
    def completed_a(self) -> Fraction:
        """ã = a − bt."""
        return self.a - self.b * self.shift if self.n else self.a

    @property
    def completed_q(self) -> Fraction:
        """q̃ = q − n²/r, the least that a step costs."""
        return self.q - self.n * self.shift if self.n else self.q

    @property
    def is_coercive(self) -> bool:
        """Whether C → ∞ at every rim of the stabilising set and at infinity."""
        if self.s <= 0:
            return False
        # α or β vanishes just where q̃ = 0 and √γ ã = ±1.
        return self.b == 0 or self.completed_q > 0 or self.discount * self.completed_a**2 != 1

    def optimum_polynomial(self) -> tuple[Fraction, Fraction, Fraction]:
        """(c₂, c₁, c₀) with C'(W) = 0 ⇔ c₂W² + c₁W + c₀ = 0, one root being W*.

        From (1 − γc²)² C'/(2s) = (rW − n)(1 − γc²) − γb(q − 2nW + rW²)c with c = a − bW; the cubic
        terms cancel, and c₂ = γbr ã.
        """
        a, b, q, r, n, y = self.a, self.b, self.q, self.r, self.n, self.discount
        linear = r * (1 - y * a**2) + y * b**2 * q
        return (y * b * (a * r - b * n), linear, -y * a * b * q - n * (1 - y * a**2))


def scalar_plants(problem: Problem) -> tuple[list[ScalarPlant], list[ScalarPlant]]:
    """The evaluation and the adaptation plants of a scalar problem, range-checked.

    Within 2^±100 (`benign.exact.range`) nothing under- or overflows between two outward roundings of
    `benign.floats.scalar`: α, β lie within 2⁻⁵⁰⁰ … 2⁷⁰¹, p and q above 1/2; and a weight loses no more
    than a unit roundoff when it becomes a float64.

    Raises:
        NotScalarError: more than one state or input.
        ProblemError: a number beyond the range that float64 proofs cover or of the wrong sign, a
            plant that no gain stabilises, or b = 0 everywhere.
    """
    if not problem.family.is_scalar:
        n, m = problem.family.n, problem.family.m
        raise NotScalarError(
            f"a complete proof needs one state and one input; this family has {n} and {m}; "
            "`benign.search` observes larger ones"
        )
    require_range(problem)
    f = [_plant(task.name, task.f) for task in problem.tasks]
    g = [
        plant if task.adaptation is None else _plant(task.name, task.adaptation)
        for task, plant in zip(problem.tasks, f, strict=True)
    ]
    if all(plant.b == 0 for plant in g):
        raise ProblemError(
            "B = 0 in every task: no input moves any state, so there is nothing to adapt; "
            "give the plants an input"
        )
    return f, g


def _plant(name: str, plant: Plant) -> ScalarPlant:
    scalar = ScalarPlant.of(plant)
    # The proofs rest on these signs (α, β ≥ 0), whoever made the problem.
    noise = 0 if plant.noise is None else plant.noise[0][0]
    if scalar.r <= 0 or min(scalar.q, plant.S0[0][0], noise) < 0 or not 0 < scalar.discount <= 1:
        raise ProblemError(
            f"task {quoted(name)}: needs R > 0, Q ≥ 0, S0 ≥ 0, noise ≥ 0 and a discount in (0, 1]"
        )
    if scalar.completed_q < 0:
        raise ProblemError(
            f"task {quoted(name)}: needs Q R ≥ N², so that no step costs less than nothing"
        )
    if scalar.b == 0 and scalar.discount * scalar.a**2 >= 1:
        raise ProblemError(f"task {quoted(name)}: B = 0 and √γ|A| ≥ 1, so that no gain stabilises it")
    return scalar
