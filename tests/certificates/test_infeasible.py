"""That no gain is feasible is proved by several routes, each again by the checker, and by no other."""

import copy
import json
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from benign.certificates.check import check
from benign.certificates.document import sealed
from benign.errors import Cause, InfeasibleError
from benign.exact.problem import Plant, Problem, Task, make_family, make_step
from benign.prove.boxes import below
from benign.prove.boxes.below import prove
from benign.prove.infeasible import conflict
from benign.prove.line.enumeration import analyze
from benign.tasks.files import load
from helpers import scalar_plant, scalar_problem

CASES = Path(__file__).parents[1] / "cases"


def matrix(rows) -> tuple:
    return tuple(tuple(Fraction(x) for x in row) for row in rows)


def opposed(n: int, pole: str, discount: str = "1", gain: int = 1) -> Problem:
    """A chain of n equal poles, reached by B in the one task and by −B in the other."""
    A = [[pole if i == j else int(j == i + 1) for j in range(n)] for i in range(n)]
    one = [[int(i == j) for j in range(n)] for i in range(n)]
    tasks = []
    for name, sign in (("push", gain), ("pull", -gain)):
        B = [[0]] * (n - 1) + [[sign]]
        plant = Plant(*map(matrix, (A, B, one, [[1]], one)), Fraction(discount))
        tasks.append(Task(name, plant))
    return Problem(make_family(tasks), make_step("gradient", "1/1000"))


def six_states() -> Problem:
    return Problem(load(CASES / "no_common_gain_n6.toml").family, make_step("gradient", "1/1000"))


def refusal(run, *arguments, **keywords) -> InfeasibleError:
    with pytest.raises(InfeasibleError) as caught:
        run(*arguments, **keywords)
    return caught.value


def as_read(error: InfeasibleError) -> dict:
    return json.loads(json.dumps(error.certificate))


FARKAS = {
    "six states": six_states(),
    "two states": opposed(2, "1.2"),
    "nine states": opposed(9, "1.05"),
    "discounted, irrational radius": opposed(3, "1.5", "0.9"),
}


@pytest.mark.parametrize("name", FARKAS)
def test_plants_of_one_input_that_conflict_are_proved_to(name):
    error = conflict(FARKAS[name])
    assert error is not None
    assert error.cause is Cause.CONFLICT
    assert len(error.tasks) == 2
    verdict = check(as_read(error))
    assert verdict, verdict
    assert verdict.statement.startswith("no gain is feasible")


@pytest.mark.parametrize("name", FARKAS)
def test_no_random_gain_stabilises_both(name):
    """The other route: eigenvalues of many closed loops."""
    rng = np.random.default_rng(0)
    plants = [
        (np.array(t.g.A, float), np.array(t.g.B, float), float(t.g.discount) ** 0.5)
        for t in FARKAS[name].tasks
    ]
    n = len(plants[0][0])
    for _ in range(300):
        W = rng.normal(size=(1, n)) * 10.0 ** rng.uniform(-2, 1)
        radii = [g * np.abs(np.linalg.eigvals(A - B @ W)).max() for A, B, g in plants]
        assert max(radii) >= 1


def test_plants_that_agree_have_no_such_proof():
    assert conflict(opposed(2, "0.5")) is None
    assert conflict(opposed(3, "1.5", "0.4")) is None


def test_forged_weights_prove_nothing():
    document = as_read(conflict(FARKAS["six states"]))
    rows = document["proof"]["weights"]
    for i in range(len(rows)):
        for change in (["0"], ["-1"], ["7"], ["1e9"], [0], ["x"]):
            altered = copy.deepcopy(document)
            altered["proof"]["weights"][i][-1] = change[0]
            if altered != document:
                assert not check(sealed(altered)), (i, change)
    none = copy.deepcopy(document)
    none["proof"]["weights"] = []
    assert not check(sealed(none))
    friendly = copy.deepcopy(document)
    for task in friendly["problem"]["tasks"]:
        task["cost"]["B"][-1] = ["1"]
    assert not check(sealed(friendly))


LINES = {
    "rims apart": scalar_problem([scalar_plant("1.5", b=1), scalar_plant("1.5", b=-1)]),
    "rims apart, normalised": scalar_problem(
        [scalar_plant("1.5", b=1), scalar_plant("1.5", b=-1)], "normalized"
    ),
    "thrown out by the step": scalar_problem([scalar_plant("1.5"), scalar_plant("0.2")], eta="3"),
    "thrown out, normalised": scalar_problem([scalar_plant(1)], "normalized", eta="3"),
}


@pytest.mark.parametrize("name", LINES)
def test_an_empty_line_is_proved_empty(name):
    error = refusal(analyze, LINES[name])
    document = as_read(error)
    assert error.cause in (Cause.CONFLICT, Cause.STEP)
    assert check(document), check(document)
    feasible = copy.deepcopy(document)
    for task in feasible["problem"]["tasks"]:
        task["cost"]["A"], task["cost"]["B"] = [["1/2"]], [["1"]]
    feasible["problem"]["step"]["eta"] = "1/100"
    assert not check(sealed(feasible))


def test_what_no_gain_of_two_entries_survives_is_proved_by_boxes(monkeypatch):
    """Without the shorter proof the boxes have to do."""
    monkeypatch.setattr(below, "conflict", lambda *_: None)
    error = refusal(prove, opposed(2, "1.2"), budget=60)
    document = as_read(error)
    assert document["proof"]["kind"] == "tree"
    assert check(document), check(document)
    tree = document["proof"]["tree"]
    leaf = next(i for i, letter in enumerate(tree) if not letter.isdigit())
    for forged in (tree[:leaf] + tree[leaf + 1 :], tree[:leaf] + "m" + tree[leaf + 1 :], "u", ""):
        if forged != tree:
            assert not check(sealed({**document, "proof": {**document["proof"], "tree": forged}}))
    gentle = copy.deepcopy(document)
    for task in gentle["problem"]["tasks"]:
        task["cost"]["B"][-1] = ["1"]
    assert not check(sealed(gentle))


# --- the fewest tasks that conflict ------------------------------------------------------------


def companions(*shifts: tuple[str, str]) -> Problem:
    """Oscillators z² + p₁z + p₀ whose coefficients the gain shifts: triangles of gains, shifted."""
    tasks = []
    for i, (p1, p0) in enumerate(shifts):
        A = [[0, 1], [-Fraction(p0), -Fraction(p1)]]
        one = [[1, 0], [0, 1]]
        plant = Plant(*map(matrix, (A, [[0], [1]], one, [[1]], one)))
        tasks.append(Task(f"oscillator {i}", plant))
    return Problem(make_family(tasks), make_step("gradient", "1/1000"))


THREE = (("0", "0"), ("-1.7", "-0.4"), ("1.7", "-0.4"))
"""The triangles y < 1, y > |x| − 1, shifted: any two meet, and no gain is in all three."""


def test_three_tasks_conflict_of_which_no_two_do():
    error = conflict(companions(*THREE))
    assert error is not None
    assert check(as_read(error)), check(as_read(error))
    assert set(error.tasks) == {"oscillator 0", "oscillator 1", "oscillator 2"}
    for left_out in range(3):
        assert conflict(companions(*(x for i, x in enumerate(THREE) if i != left_out))) is None


def test_of_many_tasks_the_fewest_that_conflict_are_named():
    """Beside the three, tasks 3 and 5 exclude each other: whatever vertex is found, two are named."""
    many = companions(*THREE, ("4", "0"), ("0.1", "0.1"), ("-4", "0"))
    error = conflict(many)
    assert error is not None
    assert len(error.tasks) == 2
    first, last = (Fraction(many.tasks[int(name[-1])].g.A[1][1]) for name in error.tasks)
    assert abs(first - last) > 3  # two triangles whose tops are less than 4 wide
    assert check(as_read(error)), check(as_read(error))


def test_a_conflict_is_found_and_proved_in_less_than_two_seconds():
    for name in ("six states", "nine states"):
        conflict(FARKAS[name])  # SciPy is loaded
        began = time.perf_counter()
        error = conflict(FARKAS[name])
        assert error is not None
        assert check(as_read(error))
        assert time.perf_counter() - began < 2
