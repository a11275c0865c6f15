"""The problem in exact numbers: what a proof is about, and nothing that computes.

A `Problem` is a weighted `Family` of LQR tasks and an adaptation `Step`; every number in it is a
`fractions.Fraction`. A decimal in a file is the decimal it prints ("0.1" is 1/10), a Python float
is the binary number it is. The JSON form writes each number as a string, "3/2" or "7", so that
nothing is lost between the machine that proved and the machine that checks.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from functools import cached_property
from typing import Any, Literal

from benign.errors import ProblemError, UsageError
from benign.exact.words import NAMED, size_in_words, step_in_words, tasks_in_words
from benign.text import clean, quoted

Matrix = tuple[tuple[Fraction, ...], ...]
"""A matrix of exact numbers, row by row."""

MAX_DIGITS = 400
"""Longest text of a number that a person writes: longer ones are a mistake or an attack."""

MAX_WRITTEN = 4_000
"""Most digits of a numerator or denominator in a certificate. What is written there is longer than what
was read: a decimal becomes a quotient, a weight is divided by the sum of all. Python itself turns no
integer of more than 4,300 digits into text or back."""

_MAX_BITS = MAX_WRITTEN * 33_219 // 10_000  # log₂ 10 > 3.3219, so that 2^_MAX_BITS < 10^MAX_WRITTEN

MAX_SHOTS = 1000
"""Most shots of a step: their cost grows with the number, and no proof comes near it."""

MAX_STARTS = 100_000
"""Most random starts of a search."""

MAX_EXPONENT = 330
"""Largest power of ten that is read: a little more than the range of a float64."""


def exact(value: Any) -> Fraction:
    """The number itself: ``exact("0.1") == 1/10``, ``exact(0.1)`` is the binary number 0.1.

    Args:
        value: an int, float, str, `Fraction` or `Decimal`; a NumPy scalar, or an array of no dimension
            (NumPy's or JAX's), is the number it holds.

    Raises:
        ProblemError: not a number, not finite, or beyond the range of a float64.
    """
    value = _item(value)
    if isinstance(value, bool):
        raise ProblemError(f"expected a number, got {value}")
    if isinstance(value, str):
        return _parse(value)
    if isinstance(value, Fraction):
        return value
    if isinstance(value, float) and not math.isfinite(value):
        raise ProblemError(f"expected a finite number, got {value}")
    if isinstance(value, Decimal):
        return _parse(str(value))
    try:
        number = Fraction(value)
        float(number)
        return number
    except (TypeError, ValueError, OverflowError) as error:
        raise ProblemError(f"expected a finite number, got {_shown(value)}") from error


def whole(
    value: Any, name: str, least: int | None = None, most: int | None = None, why: str = ""
) -> int:
    """A whole number: an int, or a NumPy or JAX scalar that is one.

    Args:
        value: the number.
        name: what messages begin with.
        least, most: its bounds.
        why: what a larger one would cost.

    Raises:
        ProblemError: it is none, or out of bounds.
    """
    value = _item(value)
    if isinstance(value, bool) or not isinstance(value, int) or (least is not None and value < least):
        wanted = "a whole number" if least is None else f"a whole number ≥ {least}"
        raise ProblemError(f"{name}: expected {wanted}, got {_shown(value)}")
    if most is not None and value > most:
        reason = f" ({why})" if why else ""
        raise ProblemError(f"{name}: expected at most {most}{reason}, got {_shown(value)}")
    return value


def seed_of(value: Any) -> int:
    """A seed: a whole number from 0 to 2⁶³ − 1.

    Raises:
        ProblemError: it is none.
    """
    return whole(value, "seed", 0, 2**63 - 1, "64 bits hold a seed")


def starts_of(value: Any) -> int:
    """A number of random starts.

    Raises:
        ProblemError: it is none.
    """
    if whole(value, "starts") < 1:
        raise ProblemError(f"starts: at least one start is needed, got {_shown(value)}")
    return whole(value, "starts", 1, MAX_STARTS, "all of them are kept in memory")


def seconds_of(value: Any, name: str = "budget") -> float:
    """Seconds, zero or more; ∞ for no limit.

    Raises:
        ProblemError: they are none.
    """
    seconds = real(value, name)
    if not seconds >= 0:
        raise ProblemError(f"{name}: seconds, zero or more, are needed, got {seconds:g}")
    return seconds


def _shown(value: Any) -> str:
    """A value in a message, however long it is."""
    if isinstance(value, int) and not isinstance(value, bool) and value.bit_length() > 200:
        return f"a number of {value.bit_length() * 3 // 10} digits"
    try:
        text = repr(value)
    except Exception:  # whatever somebody's object does
        return f"an object of type {type(value).__name__}"
    return clean(text, 60)


def real(value: Any, name: str) -> float:
    """The float64 next to a number as `exact` takes it; ±∞ and "inf" stay infinite.

    Raises:
        ProblemError: it is none; the message begins with the name.
    """
    value = _item(value)
    infinite = isinstance(value, str) and value in ("inf", "-inf")
    if infinite or (isinstance(value, float) and math.isinf(value)):
        return float(value)
    try:
        return float(exact(value))
    except ProblemError as error:
        raise ProblemError(f"{name}: {error}") from error


def _item(value: Any) -> Any:
    """What an array of no dimension holds, by duck typing: no array library is loaded here."""
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        return value.item()
    return value


def _parse(text: str) -> Fraction:
    shown = text if len(text) <= 40 else f"{text[:37]}…"
    if len(text) > MAX_DIGITS:
        raise ProblemError(f"the number {shown!r} has more than {MAX_DIGITS} characters")
    numerator, bar, denominator = text.strip().partition("/")
    try:
        top = _decimal(numerator)
        bottom = _decimal(denominator) if bar else Fraction(1)
        return top / bottom
    except ProblemError:
        raise
    except (ValueError, InvalidOperation) as error:
        raise ProblemError(
            f'expected a number such as 0.1, "101/100" or 1e-3, got {shown!r}'
        ) from error
    except ZeroDivisionError as error:
        raise ProblemError(f"the fraction {shown!r} divides by zero") from error


def _decimal(text: str) -> Fraction:
    number = Decimal(text.strip())
    if not number.is_finite():
        raise ProblemError(f"expected a finite number, got {text.strip()!r}")
    if number != 0 and abs(number.adjusted()) > MAX_EXPONENT:
        raise ProblemError(f"the number {text.strip()!r} is beyond the range of a float64")
    return Fraction(number)


def written(x: Fraction) -> str:
    """A number as certificates hold it, "3/2" or "7"; `read_written` gives back just that number.

    Raises:
        ProblemError: it has more than `MAX_WRITTEN` digits.
    """
    if _is_long(x):
        raise ProblemError(f"{_TOO_LONG}; round it")
    try:
        return str(x)
    except ValueError as error:  # Python's own limit, which may have been set lower
        raise ProblemError(f"a number cannot be written: {error}") from error


def read_written(text: str) -> Fraction:
    """The number that `written` wrote, or one as a person writes it (`exact`).

    Raises:
        ProblemError: it is none, or longer than what is written or read.
    """
    found = _QUOTIENT.fullmatch(text) if len(text) <= 2 * MAX_WRITTEN + 2 else None
    if found is None:
        return exact(text)
    top, bottom = found["top"], found["bottom"] or "1"
    if max(len(top.lstrip("-")), len(bottom)) > MAX_WRITTEN:
        raise ProblemError(f"{_TOO_LONG}")
    try:
        return Fraction(int(top), int(bottom))
    except ZeroDivisionError as error:
        raise ProblemError(f"the fraction {text[:37]!r} divides by zero") from error
    except ValueError as error:
        raise ProblemError(f"a number cannot be read: {error}") from error


_QUOTIENT = re.compile(r"(?P<top>-?[0-9]+)(?:/(?P<bottom>[0-9]+))?")
_TOO_LONG = (
    f"a numerator or denominator has more than the {MAX_WRITTEN} digits that a certificate holds"
)


def _bits(x: Fraction) -> int:
    return max(x.numerator.bit_length(), x.denominator.bit_length())


def _is_long(x: Fraction) -> bool:
    return x.numerator.bit_length() > _MAX_BITS or x.denominator.bit_length() > _MAX_BITS


def summed(weights: Sequence[Fraction], most: int = MAX_WRITTEN) -> Fraction:
    """Σ ω, refused where a sum of the first few has more than so many digits.

    What it costs is then bounded, however many weights there are and however unrelated.

    Raises:
        ProblemError: it has.
    """
    total, bits = Fraction(0), _MAX_BITS * most // MAX_WRITTEN
    for weight in weights:
        total += weight
        if max(total.numerator.bit_length(), total.denominator.bit_length()) > bits:
            raise ProblemError(
                f"weights: their common denominator has more than {most} digits; round them, or "
                "give whole numbers"
            )
    return total


def _is_exact(x: Any) -> bool:
    return isinstance(x, (Fraction, int)) and not isinstance(x, bool)


def _sides(key: str, matrix: Any) -> tuple[int, int]:
    """Rows and columns of an exact matrix.

    Raises:
        UsageError: it is none.
    """
    rows = matrix if isinstance(matrix, tuple) and matrix else ((),)
    wide = len(rows[0]) if isinstance(rows[0], tuple) else 0
    if not wide or not all(
        isinstance(row, tuple) and len(row) == wide and all(map(_is_exact, row)) for row in rows
    ):
        raise UsageError(f"Plant: {key}: expected rows of exact numbers, tuples of Fractions")
    return len(rows), wide


@dataclass(frozen=True, repr=False)
class Plant:
    """An exact LQR problem: s' = A s + B a, stage cost s'Qs + a'Ra, policy a = −W s.

    Attributes:
        A: (n, n).  B: (n, m).  Q: (n, n).  R: (m, m).  S0: (n, n), the second moment E[s0 s0'].
        discount: γ in (0, 1].
        noise: (n, n) covariance of the process noise, or None; needs γ < 1.
    """

    A: Matrix
    B: Matrix
    Q: Matrix
    R: Matrix
    S0: Matrix
    discount: Fraction = Fraction(1)
    noise: Matrix | None = None

    def __post_init__(self) -> None:
        if self.noise is None and type(self.discount) is Fraction:
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
        for key, shape in shapes.items():
            matrix = getattr(self, key)
            if not (key == "noise" and matrix is None) and _sides(key, matrix) != shape:
                raise UsageError(
                    f"Plant: {key}: expected {shape[0]} × {shape[1]} exact numbers, got "
                    f"{len(matrix)} × {len(matrix[0])}"
                )
        if not _is_exact(self.discount):
            raise UsageError(f"Plant: discount: expected a Fraction, got {_shown(self.discount)}")

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
        if _is_long(self.discount):
            return "its discount"
        for field in ("A", "B", "Q", "R", "S0", "noise"):
            if any(_is_long(x) for row in getattr(self, field) or () for x in row):
                return f"`{field}`"
        return None

    def __repr__(self) -> str:
        return f"Plant({size_in_words(self.n, self.m)})"

    @property
    def moment(self) -> Matrix:
        """S0 + γ/(1 − γ) N: the initial second moment that counts once noise is folded in."""
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
            raise UsageError(f"Task: name: expected text, got {_shown(self.name)}")
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
        if not isinstance(weights, tuple) or not all(map(_is_exact, weights)):
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
        if not isinstance(self.kind, str) or not _is_exact(self.eta) or type(self.shots) is not int:
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
        bits = max(map(_bits, (*self.weights, self.step.eta)))
        for plant in self.plants:
            bits = max(bits, _bits(plant.discount))
            for matrix in (plant.A, plant.B, plant.Q, plant.R, plant.S0, plant.noise or ()):
                bits = max(bits, *(_bits(x) for row in matrix for x in row), 0)
        return bits * 3 // 10 + 1

    def require_writable(self) -> None:
        """Refuse, before a proof is sought, a problem that no certificate could state.

        Raises:
            ProblemError: a number has more than `MAX_WRITTEN` digits; the message says which.
        """
        if _is_long(self.step.eta):
            raise ProblemError(f"eta: {_TOO_LONG}; round it")
        for task, weight in zip(self.tasks, self.weights, strict=True):
            if _is_long(weight):
                raise ProblemError(f"task `{task.name}`: its weight: {_TOO_LONG}; round it")
            for plant in (task.f,) if task.adaptation is None else (task.f, task.g):
                if (field := plant.long_field) is not None:
                    raise ProblemError(f"task `{task.name}`: {field}: {_TOO_LONG}; round it")


# --- making and validating -------------------------------------------------------------------


def make_step(kind: str, eta: Any, shots: Any = 1) -> Step:
    """A checked `Step`.

    Raises:
        ProblemError: unknown kind, η ≤ 0 or not finite, shots < 1 or not an integer.
    """
    if not isinstance(kind, str) or kind not in ("gradient", "normalized"):
        raise ProblemError(f"step: expected 'gradient' or 'normalized', got {_shown(kind)}")
    try:
        value = exact(eta)
    except ProblemError as error:
        raise ProblemError(f"eta: {error}") from error
    if value <= 0:
        raise ProblemError(f"eta: the step size must be positive, got {_shown(eta)}")
    shots = _item(shots)
    if isinstance(shots, bool) or not isinstance(shots, int) or shots < 1:
        raise ProblemError(f"shots: expected a positive integer, got {_shown(shots)}")
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


# --- JSON ------------------------------------------------------------------------------------


def _matrix_to_json(matrix: Matrix) -> list[list[str]]:
    return [[written(x) for x in row] for row in matrix]


def _plant_to_json(plant: Plant) -> dict[str, Any]:
    document: dict[str, Any] = {
        key: _matrix_to_json(getattr(plant, key)) for key in ("A", "B", "Q", "R", "S0")
    }
    if plant.discount != 1:
        document["discount"] = written(plant.discount)
    if plant.noise is not None:
        document["noise"] = _matrix_to_json(plant.noise)
    return document


def problem_to_json(problem: Problem) -> dict[str, Any]:
    """The problem as a JSON document, every number a string that is exactly that number.

    Raises:
        ProblemError: a number has more than `MAX_WRITTEN` digits.
    """
    tasks = []
    for task, weight in zip(problem.tasks, problem.weights, strict=True):
        entry: dict[str, Any] = {
            "name": task.name,
            "weight": written(weight),
            "cost": _plant_to_json(task.evaluation),
        }
        if task.adaptation is not None:
            entry["adaptation"] = _plant_to_json(task.adaptation)
        tasks.append(entry)
    step = problem.step
    return {
        "tasks": tasks,
        "step": {"kind": step.kind, "eta": written(step.eta), "shots": step.shots},
    }


def _expect(document: Any, kind: type, place: str) -> Any:
    if not isinstance(document, kind):
        raise ProblemError(f"{place}: expected {kind.__name__}, got {type(document).__name__}")
    return document


def _keys(document: Any, place: str, needed: set[str], optional: set[str] = frozenset()) -> Any:  # type: ignore[assignment]
    _expect(document, dict, place)
    missing, unknown = needed - set(document), set(document) - needed - optional
    if missing or unknown:
        what = "lacks" if missing else "has the unknown key"
        raise ProblemError(f"{place}: {what} {sorted(missing or unknown)[0]!r}")
    return document


def _matrix_from_json(document: Any, place: str, shape: tuple[int | None, int | None]) -> Matrix:
    _expect(document, list, place)
    rows = []
    for row in document:
        _expect(row, list, place)
        rows.append(tuple(read_written(_expect(x, str, place)) for x in row))
    wanted_rows = len(rows) if shape[0] is None else shape[0]
    wanted_columns = len(rows[0]) if rows and shape[1] is None else shape[1]
    if not rows or not rows[0] or len(rows) != wanted_rows:
        raise ProblemError(f"{place}: wrong shape")
    if any(len(row) != wanted_columns for row in rows):
        raise ProblemError(f"{place}: wrong shape")
    return tuple(rows)


def _plant_from_json(document: Any, place: str) -> Plant:
    _keys(document, place, {"A", "B", "Q", "R", "S0"}, {"discount", "noise"})
    A = _matrix_from_json(document["A"], f"{place}.A", (None, None))
    n = len(A)
    if len(A[0]) != n:
        raise ProblemError(f"{place}.A: must be square")
    B = _matrix_from_json(document["B"], f"{place}.B", (n, None))
    m = len(B[0])
    symmetric = {}
    for key, size in (("Q", n), ("R", m), ("S0", n), ("noise", n)):
        if key not in document:
            continue
        matrix = _matrix_from_json(document[key], f"{place}.{key}", (size, size))
        if any(matrix[i][j] != matrix[j][i] for i in range(size) for j in range(i)):
            raise ProblemError(f"{place}.{key}: must be symmetric")
        symmetric[key] = matrix
    discount = read_written(_expect(document.get("discount", "1"), str, f"{place}.discount"))
    if not 0 < discount <= 1:
        raise ProblemError(f"{place}.discount: must lie in (0, 1]")
    if "noise" in symmetric and discount == 1:
        raise ProblemError(f"{place}.noise: needs a discount below 1")
    return Plant(
        A, B, symmetric["Q"], symmetric["R"], symmetric["S0"], discount, symmetric.get("noise")
    )


def problem_from_json(document: Any) -> Problem:
    """Read what `problem_to_json` wrote, checking every key and shape.

    Raises:
        ProblemError: a key is missing or unknown, a number is none, a shape or sign is wrong.
    """
    _keys(document, "problem", {"tasks", "step"})
    tasks, weights = [], []
    for i, entry in enumerate(_expect(document["tasks"], list, "problem.tasks")):
        place = f"problem.tasks[{i}]"
        _keys(entry, place, {"name", "weight", "cost"}, {"adaptation"})
        adaptation = entry.get("adaptation")
        tasks.append(
            Task(
                _expect(entry["name"], str, f"{place}.name"),
                _plant_from_json(entry["cost"], f"{place}.cost"),
                None if adaptation is None else _plant_from_json(adaptation, f"{place}.adaptation"),
            )
        )
        weights.append(read_written(_expect(entry["weight"], str, f"{place}.weight")))
    # Partial sums of ω/Σω: quotients of two sums that were within the limit when they were made.
    total = summed(weights, 2 * MAX_WRITTEN)
    if total != 1:
        raise ProblemError("problem.tasks: the weights do not sum to one")
    step = _keys(document["step"], "problem.step", {"kind", "eta", "shots"})
    eta = read_written(_expect(step["eta"], str, "problem.step.eta"))
    family = make_family(tasks, weights, total=total)
    return Problem(family, make_step(step["kind"], eta, step["shots"]))
