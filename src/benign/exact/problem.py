"""The problem in exact numbers: what a proof is about, and nothing that computes.

A `Problem` is a weighted `Family` of LQR tasks and an adaptation `Step`; every number in it is a
`fractions.Fraction`. A decimal in a file is the decimal it prints ("0.1" is 1/10), a Python float
is the binary number it is (`benign.exact.numbers`). `benign.exact.documents` has its JSON form.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, Literal

from benign.errors import ProblemError, UsageError
from benign.exact.linear import difference, product, solved, transposed
from benign.exact.numbers import (
    MAX_SHOTS,
    TOO_LONG,
    bits_of,
    exact,
    is_exact,
    is_long,
    item_of,
    shown_value,
    summed,
    whole,
)
from benign.exact.words import NAMED, size_in_words, step_in_words, tasks_in_words
from benign.text import clean, quoted

Matrix = tuple[tuple[Fraction, ...], ...]
"""A matrix of exact numbers, row by row."""


def _sides(key: str, matrix: Any) -> tuple[int, int]:
    """Rows and columns of an exact matrix.

    Raises:
        UsageError: it is none.
    """
    rows = matrix if isinstance(matrix, tuple) and matrix else ((),)
    wide = len(rows[0]) if isinstance(rows[0], tuple) else 0
    if not wide or not all(
        isinstance(row, tuple) and len(row) == wide and all(map(is_exact, row)) for row in rows
    ):
        raise UsageError(f"Plant: {key}: expected rows of exact numbers, tuples of Fractions")
    return len(rows), wide


@dataclass(frozen=True, repr=False)
class Plant:
    """An exact LQR problem: s' = A s + B a, stage cost s'Qs + 2 s'N a + a'Ra, policy a = −W s.

    Attributes:
        A: (n, n).  B: (n, m).  Q: (n, n).  R: (m, m).  S0: (n, n), the second moment E[s0 s0'].
        discount: γ in (0, 1].
        noise: (n, n) covariance of the process noise, or None; needs γ < 1.
        N: (n, m) cross term; None where there is none, which one of zeros becomes.
    """

    A: Matrix
    B: Matrix
    Q: Matrix
    R: Matrix
    S0: Matrix
    discount: Fraction = Fraction(1)
    noise: Matrix | None = None
    N: Matrix | None = None

    def __post_init__(self) -> None:
        if self.noise is None and self.N is None and type(self.discount) is Fraction:
            # Families of a hundred thousand scalar tasks are made: nearly nothing for each.
            try:
                matrices = (self.A, self.B, self.Q, self.R, self.S0)
                numbers = [x for ((x,),) in matrices]
            except (TypeError, ValueError):
                numbers = matrices = ()
            if (
                numbers
                and set(map(type, numbers)) == {Fraction}
                and set(map(type, matrices)) == {tuple}
            ):
                return
        n, m = _sides("A", self.A)[0], _sides("B", self.B)[1]
        shapes = {"A": (n, n), "B": (n, m), "Q": (n, n), "R": (m, m), "S0": (n, n), "noise": (n, n)}
        shapes["N"] = (n, m)
        for key, shape in shapes.items():
            matrix = getattr(self, key)
            if not (key in ("noise", "N") and matrix is None) and _sides(key, matrix) != shape:
                raise UsageError(
                    f"Plant: {key}: expected {shape[0]} × {shape[1]} exact numbers, got "
                    f"{len(matrix)} × {len(matrix[0])}"
                )
        if not is_exact(self.discount):
            raise UsageError(f"Plant: discount: expected a Fraction, got {shown_value(self.discount)}")
        if self.N is not None and not any(x for row in self.N for x in row):
            object.__setattr__(self, "N", None)  # one form of a problem, one hash

    @property
    def n(self) -> int:
        """Number of states."""
        return len(self.A)

    @property
    def m(self) -> int:
        """Number of inputs."""
        return len(self.B[0])

    @property
    def long_field(self) -> str | None:
        """The field that holds a number with more than `MAX_WRITTEN` digits, for messages."""
        if is_long(self.discount):
            return "its discount"
        for field in ("A", "B", "Q", "R", "S0", "noise", "N"):
            if any(is_long(x) for row in getattr(self, field) or () for x in row):
                return f"`{field}`"
        return None

    def __repr__(self) -> str:
        return f"Plant({size_in_words(self.n, self.m)})"

    @cached_property
    def shift(self) -> Matrix | None:
        """T = R⁻¹N', (m, n); None without a cross term.

        Raises:
            ProblemError: R is singular, so that the input is not paid for.
        """
        if self.N is None:
            return None
        try:
            return solved(self.R, transposed(self.N))
        except ZeroDivisionError:
            raise ProblemError("R must be positive definite; it is singular") from None

    @cached_property
    def completed(self) -> Plant:
        """The plant without a cross term whose cost of W − T is this one's of W; itself without N.

        With T = R⁻¹N' and b = a + T s the stage cost is s'(Q − N T)s + b'R b under
        s' = (A − B T)s + B b, and a = −W s is b = −(W − T)s. So C(W) = C̃(W − T), and ∇C(W) = ∇C̃(W − T);
        the closed loop A − BW = (A − BT) − B(W − T) is the same.

        Raises:
            ProblemError: R is singular.
        """
        T = self.shift
        if T is None or self.N is None:
            return self
        A, Q = difference(self.A, product(self.B, T)), difference(self.Q, product(self.N, T))
        return Plant(A, self.B, Q, self.R, self.S0, self.discount, self.noise)

    @property
    def moment(self) -> Matrix:
        """S0 + γ/(1 − γ) V, V the noise: the initial moment that counts once it is folded in."""
        if self.noise is None:
            return self.S0
        factor = self.discount / (1 - self.discount)
        return tuple(
            tuple(s + factor * v for s, v in zip(rows, rown, strict=True))
            for rows, rown in zip(self.S0, self.noise, strict=True)
        )


@dataclass(frozen=True, repr=False)
class Task:
    """A named task: the cost f it is judged by, and the cost g it adapts on (f itself if None)."""

    name: str
    evaluation: Plant
    adaptation: Plant | None = None

    def __post_init__(self) -> None:
        other = self.adaptation
        if not isinstance(self.name, str):
            raise UsageError(f"Task: name: expected text, got {shown_value(self.name)}")
        if not isinstance(self.evaluation, Plant) or not (other is None or isinstance(other, Plant)):
            raise UsageError(
                "Task: expected a Plant for the evaluation, and one or None for adaptation"
            )

    @property
    def f(self) -> Plant:
        """The evaluation cost."""
        return self.evaluation

    @property
    def g(self) -> Plant:
        """The adaptation cost."""
        return self.evaluation if self.adaptation is None else self.adaptation

    def __repr__(self) -> str:
        return f"Task({clean(self.name, NAMED)!r}, {size_in_words(self.f.n, self.f.m)})"


@dataclass(frozen=True, repr=False)
class Family:
    """Tasks of one shape (n, m) with positive weights that sum to one exactly."""

    tasks: tuple[Task, ...]
    weights: tuple[Fraction, ...]

    def __post_init__(self) -> None:
        tasks, weights = self.tasks, self.weights
        if not isinstance(tasks, tuple) or not all(isinstance(task, Task) for task in tasks):
            raise UsageError("Family: tasks: expected a tuple of exact tasks (benign.Task)")
        if not isinstance(weights, tuple) or not all(map(is_exact, weights)):
            raise UsageError("Family: weights: expected a tuple of Fractions")
        if not tasks or len(tasks) != len(weights):
            raise ProblemError(
                f"Family: {len(weights)} weights for {len(tasks)} tasks; give one a task"
            )

    @property
    def n(self) -> int:
        """Number of states of every task."""
        return self.tasks[0].f.n

    @property
    def m(self) -> int:
        """Number of inputs of every task."""
        return self.tasks[0].f.m

    @property
    def is_scalar(self) -> bool:
        """Whether the gain is one number (one state, one input)."""
        return self.n == 1 and self.m == 1

    def __repr__(self) -> str:
        names = [task.name for task in self.tasks]
        return f"Family({tasks_in_words(names)}; {size_in_words(self.n, self.m)})"


StepKind = Literal["gradient", "normalized"]


@dataclass(frozen=True)
class Step:
    """The adaptation rule: W − η∇g(W), or W − η∇g(W)/‖∇g(W)‖, applied `shots` times."""

    kind: StepKind
    eta: Fraction
    shots: int = 1

    def __post_init__(self) -> None:
        if not isinstance(self.kind, str) or not is_exact(self.eta) or type(self.shots) is not int:
            raise UsageError("Step: expected a kind, a Fraction and a number of shots; see make_step")

    def __str__(self) -> str:
        return step_in_words(self.kind, self.eta, self.shots)


@dataclass(frozen=True, repr=False)
class Problem:
    """The meta-objective h(W) = Σ ω_τ f_τ(F_τ(W)) in exact numbers."""

    family: Family
    step: Step

    def __post_init__(self) -> None:
        if not isinstance(self.family, Family) or not isinstance(self.step, Step):
            raise UsageError(
                "Problem: expected an exact Family and a Step; MetaObjective takes what you may have"
            )

    def __repr__(self) -> str:
        return f"Problem({self.family!r}, {self.step})"

    @cached_property
    def tasks(self) -> tuple[Task, ...]:
        """The tasks, in the order of the family."""
        return self.family.tasks

    @cached_property
    def weights(self) -> tuple[Fraction, ...]:
        """The weights ω_τ."""
        return self.family.weights

    @property
    def plants(self) -> Iterator[Plant]:
        """Those of all evaluation costs, and of the adaptation costs that are not the same object."""
        for task in self.tasks:
            yield task.evaluation
            if task.adaptation is not None:
                yield task.adaptation

    @cached_property
    def digits(self) -> int:
        """Decimal digits of the longest numerator or denominator in it: what exact arithmetic costs."""
        bits = max(map(bits_of, (*self.weights, self.step.eta)))
        for plant in self.plants:
            bits = max(bits, bits_of(plant.discount))
            matrices = (plant.A, plant.B, plant.Q, plant.R, plant.S0, plant.noise or (), plant.N or ())
            for matrix in matrices:
                bits = max(bits, *(bits_of(x) for row in matrix for x in row), 0)
        return bits * 3 // 10 + 1

    def require_writable(self) -> None:
        """Refuse, before a proof is sought, a problem that no certificate could state.

        Raises:
            ProblemError: a number has more than `MAX_WRITTEN` digits; the message says which.
        """
        if is_long(self.step.eta):
            raise ProblemError(f"eta: {TOO_LONG}; round it")
        for task, weight in zip(self.tasks, self.weights, strict=True):
            if is_long(weight):
                raise ProblemError(f"task `{task.name}`: its weight: {TOO_LONG}; round it")
            for plant in (task.f,) if task.adaptation is None else (task.f, task.g):
                if (field := plant.long_field) is not None:
                    raise ProblemError(f"task `{task.name}`: {field}: {TOO_LONG}; round it")


# --- making and validating -------------------------------------------------------------------


def make_step(kind: str, eta: Any, shots: Any = 1) -> Step:
    """A checked `Step`.

    Raises:
        ProblemError: unknown kind, η ≤ 0 or not finite, shots < 1 or not an integer.
    """
    if not isinstance(kind, str) or kind not in ("gradient", "normalized"):
        raise ProblemError(f"step: expected 'gradient' or 'normalized', got {shown_value(kind)}")
    try:
        value = exact(eta)
    except ProblemError as error:
        raise ProblemError(f"eta: {error}") from error
    if value <= 0:
        raise ProblemError(f"eta: the step size must be positive, got {shown_value(eta)}")
    shots = item_of(shots)
    if isinstance(shots, bool) or not isinstance(shots, int) or shots < 1:
        raise ProblemError(f"shots: expected a positive integer, got {shown_value(shots)}")
    whole(shots, "shots", 1, MAX_SHOTS, "a proof multiplies a polynomial for each")
    return Step(kind, value, shots)  # pyright: ignore[reportArgumentType]


def make_family(
    tasks: Sequence[Task],
    weights: Sequence[Fraction] | None = None,
    *,
    total: Fraction | None = None,
) -> Family:
    """A checked `Family`: one shape, weights positive and normalised exactly (uniform if None).

    Args:
        tasks: the tasks.
        weights: one a task.
        total: the sum of the weights, where it is known.

    Raises:
        ProblemError: no task, tasks of different shapes, weights of wrong number or sign, or whose
            common denominator is too long.
    """
    if not tasks:
        raise ProblemError("the family has no task; give at least one")
    n, m = tasks[0].f.n, tasks[0].f.m
    for i, task in enumerate(tasks):
        for plant in (task.f, task.g):
            if (plant.n, plant.m) != (n, m):
                raise ProblemError(
                    f"task {i} {quoted(task.name)}: it has {plant.n} states and {plant.m} inputs, task "
                    f"0 {quoted(tasks[0].name)} has {n} and {m}; one family holds one shape"
                )
    if weights is None:
        weights = [Fraction(1)] * len(tasks)
    if len(weights) != len(tasks):
        raise ProblemError(f"weights: {len(weights)} weights for {len(tasks)} tasks")
    for i, weight in enumerate(weights):
        if weight <= 0:
            raise ProblemError(
                f"task {i} {quoted(tasks[i].name)}: its weight must be positive, got {float(weight):g}"
            )
    total = summed(weights) if total is None else total
    return Family(tuple(tasks), tuple(w / total for w in weights))
