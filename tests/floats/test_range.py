"""Numbers of extreme size, in every field: refused with a reason, or bounds that hold.

The reference is one formula in exact fractions: with one state, a gain W and l = a − bW it is
C = s(q + W R W')/(1 − γl²), whatever the number of inputs.
"""

from dataclasses import replace
from fractions import Fraction
from math import inf, ldexp
from pathlib import Path

import numpy as np
import pytest

from benign import analyze, check
from benign.errors import ProblemError
from benign.exact.problem import Family, Plant, Problem, Step, Task
from benign.exact.range import RANGE_BITS, Balanced, balanced, in_range, require_range
from benign.floats import boxes
from benign.floats.bounds import weights_below
from benign.floats.boxes import BoxObjective
from benign.floats.frames import frame_of
from benign.floats.polynomials import Polynomials
from benign.floats.scalar import GradientObjective
from benign.tasks.files import load

CASES = Path(__file__).parents[1] / "cases"

FIELDS = ("A", "B", "Q", "R", "S0", "noise", "weight", "eta", "costs", "costs against eta", "one Q")
SIZES = [Fraction(base) ** e for base in (2, 10) for e in (-280, -120, -35, 35, 120, 280)]
SUBNORMAL = [Fraction(10) ** e for e in (-320, -310)] + [Fraction(2) ** e for e in (-1070, -1030)]


def problem(m: int, field: str = "", size: Fraction = Fraction(1)) -> Problem:
    """Two tasks of one state and m inputs, one field of which is scaled."""

    def times(M, *fields):
        return tuple(tuple(Fraction(x) * (size if field in fields else 1) for x in row) for row in M)

    def plant(a, b, q, r):
        rows = [[Fraction(x) for x in b[:m]]]
        prices = [[Fraction(r) * (i + 1) * (i == j) for j in range(m)] for i in range(m)]
        return Plant(
            times([[Fraction(a)]], "A"),
            times(rows, "B"),
            times([[Fraction(q)]], "Q", "costs", "costs against eta"),
            times(prices, "R", "costs", "costs against eta"),
            times([["0.7"]], "S0"),
            Fraction(9, 10),
            times([["0.1"]], "noise"),
        )

    weight = Fraction(1, 3) * (size if field == "weight" and size < 1 else 1)
    eta = Fraction(1, 100)
    if field in ("eta", "costs against eta"):
        eta *= size if field == "eta" else 1 / size
    first, second = plant("0.9", ("1", "0.3"), 1, 1), plant("0.5", ("0.7", "1"), 2, "0.7")
    if field == "one Q":
        second = replace(second, Q=((second.Q[0][0] * size,),))
    tasks = (Task("one", first), Task("two", second))
    return Problem(Family(tasks, (weight, 1 - weight)), Step("gradient", eta))


def priced(plant: Plant, factor: Fraction) -> Plant:
    """The plant with Q and R times a number."""
    Q, R = (tuple(tuple(x * factor for x in row) for row in M) for M in (plant.Q, plant.R))
    return replace(plant, Q=Q, R=R)


def light_and_dear(size: Fraction) -> Problem:
    """One task of a tiny weight and huge costs, which counts as much as the other."""
    plain = problem(2)
    huge = min(1 / size, Fraction(10) ** 295)
    one, two = plain.tasks
    tasks = (Task("dear", priced(one.f, huge)), Task("cheap", priced(two.f, huge * size)))
    family = Family(tasks, (size, 1 - size))
    return Problem(family, Step("gradient", Fraction(1, 100) / huge))


def cost(plant: Plant, W: list[Fraction]) -> tuple[Fraction, list[Fraction]] | None:
    """C and its gradient; None where W does not stabilise."""
    b, gamma, s = plant.B[0], plant.discount, plant.moment[0][0]
    loop = plant.A[0][0] - sum(x * w for x, w in zip(b, W, strict=True))
    D = 1 - gamma * loop**2
    if D <= 0:
        return None
    RW = [sum(x * w for x, w in zip(row, W, strict=True)) for row in plant.R]
    N = plant.Q[0][0] + sum(x * w for x, w in zip(RW, W, strict=True))
    slopes = [s * (2 * x * D - N * 2 * gamma * loop * y) / D**2 for x, y in zip(RW, b, strict=True)]
    return s * N / D, slopes


def value(about: Problem, W: list[Fraction]) -> Fraction | None:
    """h(W), exactly."""
    total = Fraction(0)
    for task, weight in zip(about.tasks, about.weights, strict=True):
        before = cost(task.g, W)
        if before is None:
            return None
        after = [w - about.step.eta * slope for w, slope in zip(W, before[1], strict=True)]
        found = cost(task.f, after)
        if found is None:
            return None
        total += weight * found[0]
    return total


def holds(lo: float, x: Fraction, hi: float) -> bool:
    """lo ≤ x ≤ hi in exact numbers; NaN tells nothing, and nothing is what it says."""
    above = lo != lo or lo == -inf or (lo < inf and Fraction(lo) <= x)
    return above and (hi != hi or hi == inf or (hi > -inf and x <= Fraction(hi)))


def known(lo: float, x: Fraction, hi: float) -> bool:
    """Whether bounds tell x to a tenth of itself."""
    return hi - lo < inf and Fraction(hi) - Fraction(lo) <= abs(x) / 10


def refusal(about: Problem) -> str:
    """What the gate says of a problem; nothing if it lets it pass."""
    try:
        require_range(about)
    except ProblemError as error:
        return str(error)
    return ""


def bounds_on_points(about: Problem) -> tuple[int, int]:
    """How many of some gains have bounds of h that hold, and tell it to a tenth; all must hold."""
    frame = frame_of(np.array([0.4, 0.2]), np.diag([0.5, 0.5]))
    objective = BoxObjective(about, frame)
    y = np.array([[0.0, 0.125, -0.5, 0.75], [0.0, -0.25, 0.5, 0.25]])
    at = objective.adapt(objective.before(y, np.full(y.shape, 2.0**-30)), 1)
    low, high = objective.value(at).bounds()
    least = np.atleast_1d((weights_below(about.weights)[:, None] * at.f.least).sum(axis=0))
    held = told = 0
    for i, column in enumerate(y.T):
        exactly = value(about, frame.gain([Fraction(x) for x in column]))
        if exactly is None:
            assert not (at.along & (at.signs > 0))[:, i].all()
            continue
        assert not (at.signs[:, i] < 0).any()
        assert holds(low[i], exactly, high[i])
        assert least[i] <= float(exactly) * (1 + 1e-12) + 2.0**-1070
        held, told = held + 1, told + known(low[i], exactly, high[i])
    return held, told


@pytest.mark.parametrize("size", SIZES, ids=lambda x: f"{float(x):.0e}")
@pytest.mark.parametrize("field", FIELDS)
def test_a_problem_in_two_parameters_is_refused_or_bounded(field, size):
    about = problem(2, field, size)
    made = balanced(about)
    if refusal(made.problem):
        with pytest.raises(ProblemError, match=r"rescale the units|leave the task out|^eta"):
            bounds_on_points(made.problem)
        return
    held, told = bounds_on_points(made.problem)
    assert told == held


@pytest.mark.parametrize("size", SIZES + SUBNORMAL, ids=lambda x: f"{float(x):.0e}")
@pytest.mark.parametrize("field", FIELDS)
def test_the_bounds_hold_without_the_gate(field, size, monkeypatch):
    """The gate is for bounds that say something; that they hold does not hang on it."""
    monkeypatch.setattr(boxes, "require_range", lambda problem: None)
    try:
        held, _ = bounds_on_points(problem(2, field, size))
    except ProblemError:
        assert size > 2**100 or field in ("A", "B", "costs against eta")  # a product overflows
    else:
        assert held >= 0


@pytest.mark.parametrize(
    "size", [x for x in SIZES if x < 1] + SUBNORMAL, ids=lambda x: f"{float(x):.0e}"
)
def test_the_bounds_of_a_light_and_dear_task_hold_without_the_gate(size, monkeypatch):
    about = light_and_dear(size)
    monkeypatch.setattr(boxes, "require_range", lambda problem: None)
    assert bounds_on_points(about)[0] > 0
    monkeypatch.undo()
    assert bool(refusal(balanced(about).problem)) == (size < Fraction(1, 2**100))


@pytest.mark.parametrize("size", SIZES, ids=lambda x: f"{float(x):.0e}")
@pytest.mark.parametrize("field", FIELDS)
def test_a_scalar_problem_is_refused_or_bounded(field, size):
    about = problem(1, field, size)
    w = np.array([0.125, 0.5, 0.75, 1.0])
    try:
        found = GradientObjective(about).value(w, w)
    except ProblemError:
        assert not all(in_range(x) for x in (size, 1 / size))
        return
    for i, x in enumerate(w):
        exactly = value(about, [Fraction(x)])
        assert exactly is None or holds(found.lo[i], exactly, found.hi[i])


def test_a_coefficient_that_is_subnormal_is_bounded():
    tiny = Fraction(2) ** -1074 * Fraction(3, 4)
    polynomials = Polynomials([{(0,): tiny, (2,): tiny / 3}], 1)
    c, error = polynomials.shifted(np.full((1, 1, 1), 1e40), np.full((1, 1, 1), 1.0))
    exactly = tiny + tiny / 3 * Fraction(1e40) ** 2
    assert abs(Fraction(c[0, 0, 0]) - exactly) <= Fraction(error[0, 0, 0])


# --- equivalent problems ---------------------------------------------------------------------


def test_what_is_in_range_is_left_as_it_is():
    about = problem(2)
    assert balanced(about).problem is about
    assert balanced(about).bits == 0


@pytest.mark.parametrize("bits", [-900, -300, -101, 101, 300, 900])
@pytest.mark.parametrize("field", ["costs", "costs against eta", "S0", "eta"])
def test_a_balanced_problem_has_the_same_h_in_other_units(field, bits):
    about = problem(2, field, Fraction(2) ** bits)
    made = balanced(about)
    for W in ([Fraction(1, 4), Fraction(1, 8)], [Fraction(1, 2), Fraction(0)]):
        mine, other = value(about, W), value(made.problem, W)
        assert (mine is None) == (other is None)
        if mine is not None and other is not None:
            assert other == mine * Fraction(2) ** made.bits
    if field == "costs against eta":
        require_range(made.problem)
        assert abs(made.bits) >= abs(bits) - RANGE_BITS


def test_only_as_much_is_scaled_as_is_needed():
    about = problem(2, "costs against eta", Fraction(2) ** 400)
    made = balanced(about)
    numbers = [
        x for task in made.problem.tasks for M in (task.f.Q, task.f.R) for r in M for x in r if x
    ]
    assert all(map(in_range, numbers))
    assert -310 <= made.bits <= -299


def test_a_normalised_step_is_not_scaled():
    about = problem(1, "costs", Fraction(2) ** 300)
    about = Problem(about.family, Step("normalized", Fraction(1, 10)))
    assert balanced(about).problem is about


@pytest.mark.parametrize("bits", [-1000, -50, 0, 50, 1000])
def test_bounds_come_back_rounded_outward(bits):
    made = Balanced(problem(2), bits)
    for x in (1.0, 1.5, 2.0**60 / 3, 2.0**-60 / 3, 1e300, 1e-300, 0.0):
        exactly = Fraction(x) / Fraction(2) ** bits
        assert Fraction(made.below(x)) <= exactly
        assert made.above(x) == inf or exactly <= Fraction(made.above(x))
    assert made.below(inf) == made.above(inf) == inf
    assert made.below(-inf) == -inf


def test_a_level_that_is_no_float_in_other_units_is_refused():
    made = Balanced(problem(2), 900)
    assert made.into(2.0, "level") == ldexp(2.0, 900)
    assert made.into(inf, "level") == inf
    for level in (1e100, 1e300):
        with pytest.raises(ProblemError, match=r"^level: .* far out of the range"):
            made.into(level, "level")
    with pytest.raises(ProblemError, match=r"^level: "):
        Balanced(problem(2), -900).into(1e-100, "level")


# --- the proofs ------------------------------------------------------------------------------


def test_a_weight_below_every_float_is_refused():
    family = load(CASES / "subnormal_weight.toml").family
    about = Problem(family, Step("gradient", Fraction(1, 10**298)))
    with pytest.raises(
        ProblemError, match=r"task `big`: Q = 1.00e.295 is outside .* rescale the units"
    ):
        analyze(about, proof="required", budget=40)


@pytest.mark.parametrize("field", FIELDS)
def test_a_number_of_another_size_in_any_field_is_refused_by_name(field):
    for size in (Fraction(10) ** -40, Fraction(10) ** 40):
        about = problem(2, field, size)
        message = refusal(about)
        # Of S0 and the noise the sum counts, and there is no weight above one.
        if (field, size < 1) in {("noise", True), ("S0", True), ("weight", False)}:
            assert message == ""
        else:
            assert message.startswith(("task `one`: ", "task `two`: ", "eta: "))


@pytest.mark.parametrize("exponent", [200, -250])
def test_costs_in_another_unit_are_proved_and_checked_as_they_were_stated(exponent):
    size = Fraction(10) ** exponent
    about = problem(2, "costs against eta", size)
    plain = analyze(problem(2), proof="required", budget=30, level=3.3)
    found = analyze(about, proof="required", budget=30, level=float(size * 33 / 10))
    assert found.problem == about
    assert found.certificate is not None
    assert found.level == float(size * 33 / 10)
    assert len(found.minimizers) == len(plain.minimizers)
    for mine, other in zip(found.minimizers, plain.minimizers, strict=True):
        np.testing.assert_allclose(mine.W, other.W, rtol=0, atol=1e-9)
        assert mine.value.lo <= other.value.hi * float(size) * (1 + 1e-12)
        assert mine.value.hi >= other.value.lo * float(size) * (1 - 1e-12)
    assert check(found.certificate)
