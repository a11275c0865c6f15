"""Numbers of hundreds of digits: what is written can be read, and what cannot be is not begun."""

import sys
import time
from fractions import Fraction

import numpy as np
import pytest

from benign import LQR, TaskFamily, analyze, certify, check
from benign.errors import ProblemError
from benign.exact.documents import problem_from_json, problem_to_json
from benign.exact.numbers import MAX_DIGITS, MAX_WRITTEN, read_written, written
from benign.exact.problem import Family, Plant, Problem, Task, make_family, make_step
from benign.tasks.files import loads

PRIMES = [p for p in range(2, 40_000) if all(p % d for d in range(2, int(p**0.5) + 1))]


def long_decimal(rng: np.random.Generator, digits: int) -> str:
    return "0." + "".join(map(str, rng.integers(1, 10, digits)))


def one(weight: Fraction = Fraction(1), q: Fraction = Fraction(1)) -> Problem:
    plant = Plant(*((((x),),) for x in (Fraction(1), Fraction(1), q, Fraction(1), Fraction(1))))
    family = Family((Task("a", plant), Task("b", plant)), (weight, 1 - weight))
    return Problem(family, make_step("gradient", "0.1"))


def test_a_family_file_with_numbers_of_254_characters_is_proved_and_checked():
    rng = np.random.default_rng(0)
    q, w, v = (long_decimal(rng, 252) for _ in range(3))
    text = "".join(
        f'[[tasks]]\nweight = {x}\nA = 1\nB = 1\nQ = {q}\nR = "{i}/3"\n' for i, x in ((1, w), (2, v))
    )
    problem = Problem(loads("benign = 1\n" + text).family, make_step("gradient", "0.1"))
    document = problem_to_json(problem)
    longest = max(len(entry["weight"]) for entry in document["tasks"])
    assert longest > MAX_DIGITS  # what the reader once refused
    assert problem_from_json(document) == problem
    found = analyze(problem)
    assert check(found.certificate)
    assert check(certify(problem, found.minima[0].at.mid))


@pytest.mark.parametrize("seed", range(20))
def test_what_is_written_is_read_number_for_number(seed):
    rng = np.random.default_rng(seed)

    def number() -> Fraction:
        digits = int(rng.integers(1, 1000))
        return Fraction(long_decimal(rng, digits)) / int(rng.integers(1, 10**9))

    weights = [number() for _ in range(int(rng.integers(1, 4)))]
    plants = [
        Plant(*((((number()),),) for _ in range(5)), discount=number() / 10)
        for _ in range(len(weights))
    ]
    family = make_family([Task(f"t{i}", plant) for i, plant in enumerate(plants)], weights)
    problem = Problem(family, make_step("gradient", number()))
    problem.require_writable()
    assert problem_from_json(problem_to_json(problem)) == problem


def test_the_longest_number_that_is_written_is_read_and_a_longer_one_is_neither():
    longest = Fraction(10**MAX_WRITTEN // 11, 10 ** (MAX_WRITTEN - 1) + 1)
    assert read_written(written(longest)) == longest
    for number in (longest * 1000, 1 / (longest.denominator * Fraction(1000))):
        with pytest.raises(ProblemError, match="more than the 4000 digits"):
            written(number)
    for text in ("1" * (MAX_WRITTEN + 1), "1/" + "1" * (MAX_WRITTEN + 1), "1" * 100_000):
        with pytest.raises(ProblemError, match=r"more than"):
            read_written(text)


@pytest.mark.parametrize("text", ["1/0", "", "/", "1/", "--1", "1/-2", "٣", "1e999", "1/1/1", " 1\n/2"])
def test_what_is_no_number_is_refused_or_read_as_a_person_would(text):
    if text == " 1\n/2":
        assert read_written(text) == Fraction(1, 2)
    elif text == "1/-2":
        assert read_written(text) == Fraction(-1, 2)
    elif text == "٣":
        assert read_written(text) == 3
    else:
        with pytest.raises(ProblemError):
            read_written(text)


def test_a_problem_that_no_certificate_can_state_is_refused_before_it_is_worked_on():
    long = Fraction(1, 3 ** (3 * MAX_WRITTEN))
    for problem, place in ((one(q=long), "task `a`: `Q`"), (one(weight=long), "task `a`: its weight")):
        with pytest.raises(ProblemError, match=f"^{place}.*more than the 4000 digits"):
            analyze(problem)
        with pytest.raises(ProblemError, match="more than the 4000 digits"):
            certify(problem, 0.6)


def test_a_shorter_limit_of_python_is_an_error_with_a_reason():
    before = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(640)
    try:
        with pytest.raises(ProblemError, match="cannot be written"):
            written(Fraction(10**700))
        with pytest.raises(ProblemError, match="cannot be read"):
            read_written("1" * 700)
    finally:
        sys.set_int_max_str_digits(before)


def test_weights_of_unrelated_denominators_are_refused_at_once():
    weights = [Fraction(1, p**40) for p in PRIMES]
    plant = one().tasks[0].f
    tasks = [Task(str(i), plant) for i in range(len(weights))]
    started = time.perf_counter()
    with pytest.raises(ProblemError, match="common denominator has more than 4000 digits"):
        make_family(tasks, weights)
    with pytest.raises(ProblemError, match="common denominator"):
        TaskFamily([LQR(1, 1, 1, 1)] * 100, [str(w) for w in weights[:100]])
    document = problem_to_json(one())
    entry = document["tasks"][0]
    document["tasks"] = [entry | {"weight": str(w)} for w in weights]
    with pytest.raises(ProblemError, match="common denominator has more than 8000 digits"):
        problem_from_json(document)
    assert time.perf_counter() - started < 5.0


def test_many_weights_with_small_unrelated_denominators_are_fine():
    weights = [Fraction(1, p) for p in PRIMES[:900]]
    family = make_family([Task(str(i), one().tasks[0].f) for i in range(900)], weights)
    problem = Problem(family, make_step("gradient", "0.1"))
    assert problem_from_json(problem_to_json(problem)) == problem
