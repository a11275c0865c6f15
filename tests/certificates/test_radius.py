"""How far a family is from one that is not ε-global: both bounds are proved, and families obey them."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import benign
from benign.certificates.check import check
from benign.certificates.document import sealed
from benign.errors import ProblemError
from benign.exact.documents import problem_from_json
from benign.exact.neighbourhood import all_ones, around, member, scales_of
from benign.exact.problem import Problem, make_step
from benign.prove.line.enumeration import analyze
from benign.prove.line.outside import Families
from benign.prove.radius import certificate_for
from benign.results.radius import Radius
from benign.tasks.files import bundled_path, load
from benign.verdict import Status
from helpers import paper_problem, scalar_plant, scalar_problem

CLOSE = paper_problem("3a", "0.05")


def crossed():
    """A plant whose stage cost has a cross term, which the bounds do not know."""
    return replace(scalar_plant(1), N=((Fraction(1, 4),),))


def as_read(document):
    return json.loads(json.dumps(document))


@pytest.fixture(scope="module")
def close() -> Radius:
    """Figure 3a's tasks, 1 % apart: at ε = 0.01 next to no room is left, for its own ε is 0.009575."""
    return benign.radius(CLOSE, "0.01")


def test_both_bounds_are_proved_and_near_each_other(close):
    assert close.certificate is not None
    assert close.outside is not None
    assert close.share > 0.9
    assert check(as_read(close.certificate)), check(as_read(close.certificate))
    verdict = check(as_read(close.outside))
    assert verdict, verdict
    assert "not every local minimum of h is within 0.01" in verdict.statement


def test_the_family_outside_is_as_far_as_it_is_said(close):
    other = problem_from_json(close.outside["problem"])
    for task, moved in zip(CLOSE.tasks, other.tasks, strict=True):
        for key in "ABQR":
            gap = abs(getattr(task.f, key)[0][0] - getattr(moved.f, key)[0][0])
            assert gap <= close.above
    assert other.step == CLOSE.step
    assert analyze(other, epsilon="0.01").verdict.status is Status.REFUTED


def worst(problem: Problem, scales, delta: Fraction, count: int, seed: int) -> float:
    """The largest ε of random families within δ, a half of them at corners; by another code."""
    families, rng = Families.of(problem, scales), np.random.default_rng(seed)
    shape = (count, len(problem.tasks), 4)
    steps = rng.uniform(-1, 1, shape)
    steps[: count // 2] = np.sign(steps[: count // 2])
    return float(np.nanmax(families.observed(float(delta) * steps).epsilon))


@pytest.mark.parametrize(
    ("problem", "epsilon", "delta"),
    [
        (CLOSE, "0.01", "0.000085"),
        (CLOSE, "0.1", "0.005"),
        (scalar_problem([scalar_plant(1)] * 3, eta="0.05"), "0.01", "0.002"),
    ],
)
def test_no_random_family_within_beats_epsilon(problem, epsilon, delta):
    scales = all_ones(problem)
    document = certificate_for(problem, scales, Fraction(epsilon), Fraction(delta))
    assert document is not None
    assert check(as_read(document)), check(as_read(document))
    assert worst(problem, scales, Fraction(delta), 1000, 0) <= float(Fraction(epsilon))


def test_families_within_are_global_by_the_complete_enumeration(close):
    rng = np.random.default_rng(1)
    for _ in range(20):
        steps = [[close.delta * int(x) for x in row] for row in rng.choice([-1, 1], (3, 4))]
        family = member(CLOSE, close.scales, steps)
        assert analyze(family, epsilon="0.01").verdict.status is Status.PROVED


def test_less_that_varies_leaves_more_room(close):
    """Twice as far, if only Q moves, or only a few entries."""
    for vary in ("Q", {CLOSE.tasks[0].name: {"A": 1, "R": "0.5"}}):
        scales = scales_of(CLOSE, vary)
        document = certificate_for(CLOSE, scales, Fraction("0.01"), 2 * close.above)
        assert document is not None
        assert check(as_read(document)), check(as_read(document))


def test_what_varies_is_what_the_bounds_are_about(close):
    weights_of_states = benign.radius(CLOSE, "0.01", vary="Q")
    assert weights_of_states.delta > close.delta
    assert check(weights_of_states.certificate)
    assert "Q of every task" in str(weights_of_states)
    one = benign.radius(CLOSE, "0.01", vary={CLOSE.tasks[0].name: {"A": 1, "R": "0.5"}})
    assert one.delta > close.delta
    moved = problem_from_json(one.outside["problem"])
    assert moved.tasks[1].f == CLOSE.tasks[1].f
    assert moved.tasks[0].f.Q == CLOSE.tasks[0].f.Q


def test_a_fixed_eta_leaves_no_room_where_copies_differ():
    """Proposition 3 as printed: copies of one task have no distance, and yet h is not ε-global."""
    copies = scalar_problem([scalar_plant(1, 1, 2, 2)] * 2, eta="0.1")
    with pytest.raises(ProblemError, match="its own is in"):
        benign.radius(copies, "0.0003")
    assert analyze(copies).verdict.status is Status.REFUTED


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"epsilon": 0}, "above zero"),
        ({"epsilon": "0.001"}, "its own is in"),
        ({"epsilon": "0.01", "vary": "S"}, "expected some of A, B, Q, R"),
        ({"epsilon": "0.01", "vary": {"nobody": {"A": 1}}}, "no task"),
        ({"epsilon": "0.01", "vary": {"t0": {"A": -1}}}, "must not be negative"),
        ({"epsilon": "0.01", "vary": {}}, "nothing varies"),
    ],
)
def test_bad_questions_are_refused(arguments, why):
    with pytest.raises(ProblemError, match=why):
        benign.radius(CLOSE, **arguments)


@pytest.mark.parametrize(
    "problem",
    [
        paper_problem("3a", "0.05", shots=2),
        paper_problem("3a", "0.05", "normalized"),
        scalar_problem([scalar_plant(1)], adaptation=[scalar_plant(1, q=2)]),
        scalar_problem([scalar_plant("0.5", 0), scalar_plant(1)]),
        scalar_problem([crossed(), scalar_plant(1)]),
    ],
)
def test_problems_it_is_not_for_are_refused(problem):
    with pytest.raises(ProblemError, match="radius: "):
        benign.radius(problem, "0.1")


# --- forged documents --------------------------------------------------------------------------


def tags_with(document, i, tag):
    tags = document["cover"]["tags"]
    document["cover"]["tags"] = tags[:i] + tag + tags[i + 1 :]


FORGERIES = {
    "a larger radius": lambda d: d.update(delta="0.0001"),
    "a smaller epsilon": lambda d: d.update(asked="0.0096"),
    "no epsilon": lambda d: d.update(asked="0"),
    "a larger scale": lambda d: d["vary"][0].__setitem__(0, "3"),
    "a negative scale": lambda d: d["vary"][0].__setitem__(0, "-1"),
    "another eta": lambda d: d["problem"]["step"].update(eta="0.051"),
    "a run hidden": lambda d: tags_with(d, d["cover"]["tags"].index("v"), "+"),
    "a run denied": lambda d: tags_with(d, d["cover"]["tags"].index("v"), "^"),
    "all outside": lambda d: d["cover"].update(tags="O" * len(d["cover"]["tags"])),
    "half a line": lambda d: d.update(
        cover={"points": d["cover"]["points"][:-30], "tags": d["cover"]["tags"][:-30]},
        slants=d["slants"][:-30],
    ),
    "no comparison": lambda d: d.update(cells=[[None] * 3] * 3),
    "a factor at an end": lambda d: d["cells"][2][0][0].__setitem__(3, 1e3),
    "a gain elsewhere": lambda d: d["cells"][2][0][0].__setitem__(1, 0.62),
    "a cell left out": lambda d: d["cells"][2][0][0].__setitem__(2, 1.64),
    "a cross term": lambda d: d["problem"]["tasks"][0]["cost"].update(N=[["1/100"]]),
    "another slant": lambda d: d["slants"].__setitem__(0, 1e301),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_document_proves_nothing(close, name):
    forged = copy.deepcopy(as_read(close.certificate))
    FORGERIES[name](forged)
    assert forged != as_read(close.certificate)
    assert not check(sealed(forged)), name


# --- what varies, saving -----------------------------------------------------------------------


def test_neighbourhoods_that_reach_where_a_task_is_none_are_refused():
    with pytest.raises(ProblemError, match="B of task"):
        around(CLOSE, all_ones(CLOSE), Fraction(2))
    assert scales_of(CLOSE, "A, Q") == scales_of(CLOSE, ["A", "Q"])


def test_a_radius_is_saved_and_read(close, tmp_path):
    names = {path.name for path in close.save(tmp_path / "out")}
    assert names >= {"radius.json", "certificate.json", "outside.json", "outside.toml"}
    again = benign.read(tmp_path / "out")
    assert (again.delta, again.above, again.scales) == (close.delta, close.above, close.scales)
    assert str(again).split("\n")[1] == str(close).split("\n")[1]
    assert check(tmp_path / "out" / "certificate.json")
    family = load(tmp_path / "out" / "outside.toml").family
    assert family == problem_from_json(close.outside["problem"]).family


def test_fleets_have_half_the_room_that_is_met_from_above():
    fleet = Problem(load(bundled_path("cruise-control")).family, make_step("gradient", "0.05"))
    found = benign.radius(fleet, "0.01", budget=60)
    assert found.share > 0.5
    assert worst(fleet, found.scales, found.delta, 1000, 2) <= 0.01
