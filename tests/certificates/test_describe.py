"""What a certificate says it is about, and whether that is the problem that was meant."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from benign.certificates.check import examine
from benign.certificates.describe import MOST_DIFFERENCES, compare, describe, describe_claim
from benign.exact.problem import Plant, Problem, Task, make_family, make_step
from benign.prove.certify import certify
from benign.prove.line.enumeration import analyze
from benign.verdict import Status
from helpers import paper_problem, scalar_plant, scalar_problem
from several import random_problem

PAIR = scalar_problem([scalar_plant(1, 1, 1, 2), scalar_plant(1, 1, 2, 1)], eta="0.05")


def changed(problem, i=0, **numbers):
    """The problem with other numbers in one task."""
    tasks = list(problem.tasks)
    tasks[i] = replace(tasks[i], evaluation=replace(tasks[i].evaluation, **numbers))
    return Problem(make_family(tasks, problem.weights), problem.step)


def test_the_problem_is_said_in_a_few_lines():
    assert describe(PAIR) == [
        "tasks: 2 (`t0`, `t1`); 1 state, 1 input",
        "step: gradient, eta = 0.05, 1 shot",
    ]
    many = scalar_problem([scalar_plant(1, q=q) for q in range(1, 8)], "normalized", 0.1, 3)
    assert describe(many) == [
        "tasks: 7 (`t0`, `t1`, `t2`, `t3` and 3 more); 1 state, 1 input",
        "step: normalized, eta = 0.1 (as float64), 3 shots",
    ]


def test_what_is_out_of_the_ordinary_is_said():
    noisy = replace(scalar_plant(1, discount="0.9"), noise=((Fraction(1),),))
    problem = scalar_problem(
        [scalar_plant(1, discount="0.9"), noisy], weights=[Fraction(1), Fraction(2)],
        adaptation=[None, scalar_plant(1, q=3, discount="0.9")],
    )  # fmt: skip
    assert describe(problem)[1:3] == [
        "costs: 1 of 2 adapt on another cost than they are judged by; discount 0.9; 1 of 2 with noise",
        "weights: 1/3, 2/3",
    ]


def test_what_is_claimed_is_said():
    document = analyze(PAIR, epsilon="0.03").certificate
    assert describe_claim(document, PAIR) == [
        "claim: complete enumeration",
        "epsilon asked about: 0.03",
    ]
    gain = certify(PAIR, 0.5)
    assert describe_claim(gain, PAIR) == ["claim: regret bound", "gain: 0.5"]
    wide = random_problem(np.random.default_rng(1), 2, 1, tasks=1, eta="0.01", rho=0.5)
    assert describe_claim(certify(wide, [[0.0, 0.25]]), wide)[1] == "gain: [0.0, 0.25]"


def test_the_box_that_was_searched_is_said_outward():
    document = {
        "claim": "minimisers below a level", "level": 8.14, "asked": "0", "bounded": False,
        "frame": {"centre": [0.1, 0.0], "axes": [[1.0, 0.5], [0.0, 2.0]]},
    }  # fmt: skip
    wide = random_problem(np.random.default_rng(1), 2, 1, tasks=1, eta="0.01", rho=0.5)
    assert describe_claim(document, wide)[2:] == [
        "level: 8.14 (as float64)",
        "gains searched: those of a box with entries in [-1.4, 1.601], [-2, 2]",
    ]
    document |= {"bounded": True, "level": "inf"}
    assert describe_claim(document, wide)[2:] == [
        "level: none",
        "gains searched: all that stabilise the tasks before adaptation",
    ]


@pytest.mark.parametrize(
    "broken",
    [
        {"asked": ["x"], "level": {}}, {"asked": "1e999", "level": 10**400},
        {"W": [[1, "x"]]}, {"W": "x"}, {"frame": {}, "bounded": False},
        {"frame": {"centre": [1.0], "axes": [[1.0], [2.0]]}, "bounded": False},
        {"frame": {"centre": [1.0], "axes": 3}, "bounded": False}, {"proof": 3},
    ],
)  # fmt: skip
def test_what_is_malformed_is_left_to_the_proof(broken):
    assert describe_claim({"claim": "x\x1b[2J", **broken}, PAIR) == [r"claim: x\x1b[2J"]


def test_a_check_comes_with_what_it_is_about():
    landscape = analyze(PAIR)
    examined = examine(landscape.certificate)
    assert examined.verdict.status is Status.PROVED
    assert examined.problem == PAIR
    assert examined.about[0].startswith("tasks: 2")
    dear = examine(landscape.certificate, limit=0.0)
    assert dear.verdict.status is Status.UNDECIDED
    assert dear.about == examined.about
    altered = examine({**landscape.certificate, "asked": "1"})
    assert altered.verdict.status is Status.REFUTED
    assert altered.problem is None


# --- the same problem ------------------------------------------------------------------------


def test_a_problem_is_itself():
    found = compare(PAIR, PAIR)
    assert found
    assert not found.remarks


def test_names_do_not_count_and_are_told():
    renamed = Problem(make_family([replace(PAIR.tasks[0], name="x\x1b"), PAIR.tasks[1]]), PAIR.step)
    found = compare(PAIR, renamed)
    assert found
    assert found.remarks == (r"names differ: task 0 is `t0` in the certificate, `x\x1b` in the family",)


def test_the_order_does_not_count_and_zero_noise_is_none():
    turned = Problem(make_family(PAIR.tasks[::-1]), PAIR.step)
    assert compare(PAIR, turned).remarks == ("the tasks are in another order",)
    assert compare(PAIR, turned)
    assert compare(PAIR, changed(PAIR, noise=((Fraction(0),),)))


ONE = Fraction(1)
TENTH_LESS = changed(PAIR, discount=Fraction(9, 10))
ADAPTING = [Task("t0", PAIR.tasks[0].f, scalar_plant(1, q=7, r=2)), PAIR.tasks[1]]
UNEQUAL = [ONE, ONE + Fraction(1, 10**12)]
OTHERS = {
    "eta": (
        Problem(PAIR.family, make_step("gradient", 0.05)),
        "eta: 0.05 in the certificate, 0.05 (as float64) in the family",
    ),
    "shots": (Problem(PAIR.family, make_step("gradient", "0.05", 2)), "shots: 1"),
    "step": (Problem(PAIR.family, make_step("normalized", "0.05")), "step: gradient"),
    "weights": (Problem(make_family(PAIR.tasks, UNEQUAL), PAIR.step), "task 0 `t0`: weight 0.5"),
    "one task": (Problem(make_family(PAIR.tasks[:1]), PAIR.step), "tasks: 2 in the certificate, 1"),
    "a number": (
        changed(PAIR, 1, Q=((2 + Fraction(1, 10**18),),)),
        "task 1 `t1`: Q[0,0] 2 in the certificate, 2.000000000000000001 in the family",
    ),
    "discount": (TENTH_LESS, "task 0 `t0`: discount 1"),
    "noise": (changed(TENTH_LESS, noise=((ONE,),)), "task 0 `t0`: noise[0,0] 0"),
    "adaptation": (
        Problem(make_family(ADAPTING), PAIR.step),
        "task 0 `t0`: adaptation, Q[0,0] 1 in the certificate, 7 in the family",
    ),
    "shape": (
        random_problem(np.random.default_rng(1), 2, 1, tasks=2, eta="0.05", rho=0.5),
        "shape: 1 states",
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_another_problem_is_told_apart_and_where(name):
    other, place = OTHERS[name]
    found = compare(PAIR, other)
    assert not found
    assert any(line.startswith(place) for line in found.differences), found.differences


def test_many_differences_are_counted():
    found = compare(paper_problem("3d", "0.05"), paper_problem("3d", "0.05"))
    assert found
    big = Plant(*[tuple(tuple(Fraction(i + j) for j in range(4)) for i in range(4))] * 5)
    other = replace(big, A=tuple(tuple(x + 1 for x in row) for row in big.A))
    a, b = (Problem(make_family([Task("t", plant)]), PAIR.step) for plant in (big, other))
    assert len(compare(a, b).differences) == MOST_DIFFERENCES + 1
    assert compare(a, b).differences[-1] == "and 10 more"
