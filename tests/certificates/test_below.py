"""Certificates of all minimisers below a level: true ones are proved again, false ones are refused."""

import copy
import json
import math
import re
import time
from fractions import Fraction

import numpy as np
import pytest
from flint import arb, ctx
from simple_prover import around, bounding_frame

from benign.balls.boxes import BoxObjective
from benign.balls.lqr import LqrObjective, NotStabilising, gain_matrix
from benign.balls.matrices import Unproved
from benign.balls.polynomials import Frame
from benign.certificates.below import BELOW, require_bounded, require_semicontinuous
from benign.certificates.below_tree import leaves
from benign.certificates.check import check
from benign.certificates.document import sealed
from benign.certificates.reading import Refused
from benign.exact.documents import problem_from_json
from benign.exact.problem import Plant, Problem, Task, make_family, make_step
from benign.verdict import Status
from several import random_problem


def family(n, m, seed, **settings):
    return random_problem(np.random.default_rng(seed), n, m, rho=0.5, **settings)


@pytest.fixture(scope="module")
def plane():
    """n = 2, m = 1, two tasks: two minimisers of different values in the box."""
    return around(family(2, 1, 1, eta="0.2", discount=Fraction(1, 2)), 2.5, 1.3)


@pytest.fixture(scope="module")
def inputs():
    """n = 1, m = 2, two tasks that adapt on other costs."""
    return around(family(1, 2, 1, eta="0.05"), 1.5, 2.0)


def altered(document, change):
    """The document after a change, sealed again with a right digest."""
    body = copy.deepcopy(document)
    body.pop("digest")
    made = change(body)
    return sealed(body if made is None else made)


# --- true ones -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["plane", "inputs"])
def test_a_true_certificate_is_proved_again(name, request):
    document = request.getfixturevalue(name)
    seen = []
    verdict = check(json.loads(json.dumps(document)), lambda done, total: seen.append((done, total)))
    assert verdict.status is Status.PROVED, verdict
    assert verdict.reason == BELOW
    assert "besides the 2 listed, no local minimiser in the box of gains that was searched has h ≤" in (
        verdict.statement
    )
    assert "not every local minimum of h in that box is the lowest one" in verdict.statement
    count = sum(not letter.isdigit() for letter in document["tree"])
    assert seen[0] == (0, count)
    assert seen[-1] == (count, count)


def test_three_states_and_two_shots():
    for problem, grow, multiple in (
        (family(3, 1, 1, eta="0.05", discount=Fraction(1, 2)), 0.5, 1.5),
        (family(2, 1, 2, eta="0.02", discount=Fraction(1, 2), shots=2, split=True), 0.3, 2.0),
    ):
        document = around(problem, grow, multiple, most=1)
        verdict = check(document)
        assert verdict.status is Status.PROVED, verdict


def test_descents_from_below_the_level_end_at_a_listed_minimiser(plane):
    """Without derivatives or enclosures: a compass search on h of `LqrObjective`."""
    problem = problem_from_json(plane["problem"])
    objective = LqrObjective(problem)
    listed = [np.mean(entry["W"], axis=1) for entry in plane["minimisers"]]
    centre, axes = np.array(plane["frame"]["centre"]), np.array(plane["frame"]["axes"])
    reach = np.diag(axes)
    rng = np.random.default_rng(0)

    def h(W):
        with ctx.workprec(64):
            try:
                return float(objective.value(gain_matrix((tuple(W),))))
            except (NotStabilising, Unproved):
                return math.inf

    ends = 0
    for _ in range(12):
        W = centre + axes @ rng.uniform(-1, 1, 2)
        best, step = h(W), 0.02
        if best > plane["level"]:
            continue
        while step > 1e-5:
            trials = [W + step * np.array(d) for d in ((1, 0), (-1, 0), (0, 1), (0, -1))]
            values = [h(x) for x in trials]
            i = int(np.argmin(values))
            if values[i] < best:
                W, best = trials[i], values[i]
            else:
                step /= 2
        if (np.abs(W - centre) < 0.98 * reach).all():
            ends += 1
            assert min(np.abs(W - x).max() for x in listed) < 1e-3
    assert ends > 2


HARMLESS = {
    "wider value": lambda d: d["minimisers"][1].update(
        value=[d["minimisers"][1]["value"][0] - 0.01, d["minimisers"][1]["value"][1] + 0.01]
    ),
    "wider minimum": lambda d: d.update(minimum=[d["minimum"][0] - 1e-3, d["minimum"][1] + 1e-3]),
    "wider epsilon": lambda d: d.update(epsilon=[0.0, d["epsilon"][1] * 2]),
    "epsilon without end": lambda d: d.update(epsilon=[0.0, "inf"]),
    "undecided": lambda d: d.update(status="undecided"),
    "more asked": lambda d: d.update(asked="1", status="proved"),
    "wider y": lambda d: d["minimisers"][0].update(
        y=[[a - 1e-6, b + 1e-6] for a, b in d["minimisers"][0]["y"]]
    ),
    "wider W": lambda d: d["minimisers"][0].update(
        W=[[a - 1e-6, b + 1e-6] for a, b in d["minimisers"][0]["W"]]
    ),
    "a leaf halved": lambda d: d.update(tree=d["tree"].replace("g", "1gg", 1)),
    "a lower level": lambda d: d.update(level=0.97 * d["level"]),
    "another name": lambda d: d["problem"]["tasks"][0].update(name="other"),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_harmless_changes_are_accepted(plane, name):
    verdict = check(altered(plane, HARMLESS[name]))
    assert verdict.status is Status.PROVED, verdict


# --- false ones ------------------------------------------------------------------------------


def retag(old, new, which=0):
    """The which-th leaf of a kind gets another letter."""

    def change(d):
        places = [i for i, letter in enumerate(d["tree"]) if letter == old]
        i = places[which]
        d["tree"] = d["tree"][:i] + new + d["tree"][i + 1 :]

    return change


def drop(d):
    """The higher minimiser is not listed; its leaves `m` stay."""
    d["minimisers"].pop()
    d.update(epsilon=[0.0, 0.0], status="proved")


def drop_and_deny(d):
    """The higher minimiser is not listed, and its leaves claim a slope."""
    box = d["minimisers"].pop()["convex"]
    centre, radius = np.array(box["centre"]), np.array(box["radius"])
    tree = list(d["tree"])
    for place, letter, ends in leaves(d["tree"], 2):
        if letter == "m" and (np.abs(np.array(ends) - centre) <= radius).all():
            tree[place] = "g"
    d.update(tree="".join(tree), epsilon=[0.0, 0.0], status="proved")


def add_false(d):
    """A point where nothing is stationary."""
    entry = copy.deepcopy(d["minimisers"][1])
    for key in ("y", "W"):
        entry[key] = [[a + 0.2, b + 0.2] for a, b in entry[key]]
    entry["convex"]["centre"] = [x + 0.2 for x in entry["convex"]["centre"]]
    d["minimisers"].append(entry)


def shift(key, by, index=0):
    def change(d):
        d["minimisers"][index][key] = [[a + by, b + by] for a, b in d["minimisers"][index][key]]

    return change


def shift_value(by, index=0):
    def change(d):
        d["minimisers"][index]["value"] = [x + by for x in d["minimisers"][index]["value"]]

    return change


def in_problem(task, key, factor):
    def change(d):
        M = d["problem"]["tasks"][task]["cost"][key]
        M[0][0] = str(Fraction(M[0][0]) * Fraction(factor))

    return change


def swap(d):
    d["minimisers"] = d["minimisers"][::-1]


def weights(d):
    for task, weight in zip(d["problem"]["tasks"], ("3/5", "2/5"), strict=True):
        task["weight"] = weight


def scaled_radius(factor, index=0):
    def change(d):
        box = d["minimisers"][index]["convex"]
        box["radius"] = [factor * r for r in box["radius"]]

    return change


def moved_frame(by):
    def change(d):
        d["frame"]["centre"] = [x + by for x in d["frame"]["centre"]]

    return change


def stretched_frame(factor):
    def change(d):
        d["frame"]["axes"] = [[factor * x for x in row] for row in d["frame"]["axes"]]

    return change


FALSE = {
    "g for n": (retag("g", "n"), "tree"),
    "g for l": (retag("g", "l", 3), "tree"),
    "g for u": (retag("g", "u", 5), "tree"),
    "g for r": (retag("g", "r", 5), "tree"),
    "g for o": (retag("g", "o", 5), "tree"),
    "l for u": (retag("l", "u", 7), "tree"),
    "l for m": (retag("l", "m"), "tree"),
    "n for l": (retag("n", "l"), "tree"),
    "n for m": (retag("n", "m"), "tree"),
    "m for g": (retag("m", "g", -1), "tree"),
    "m for s": (retag("m", "s", -1), "tree"),
    "m for n": (retag("m", "n"), "tree"),
    "m for l": (retag("m", "l"), "tree"),
    "o for g": (retag("o", "g"), "tree"),
    "o for u": (retag("o", "u"), "tree"),
    "a leaf removed": (lambda d: d.update(tree=d["tree"][:-1]), "breaks off"),
    "a leaf added": (lambda d: d.update(tree=d["tree"] + "g"), "more follows"),
    "a leaf out of the middle": (lambda d: d.update(tree=d["tree"].replace("g", "", 1)), "tree"),
    "another side halved": (lambda d: d.update(tree=d["tree"].translate({48: 49, 49: 48})), "tree"),
    "no tree but a leaf": (lambda d: d.update(tree="g"), "tree"),
    "a minimiser dropped": (drop, "tree"),
    "a minimiser denied": (drop_and_deny, "tree"),
    "a minimiser added": (add_false, r"minimisers\[2\]"),
    "a minimiser twice": (lambda d: d["minimisers"].append(d["minimisers"][1]), "overlap"),
    "y moved": (shift("y", 1e-3), r"minimisers\[0\]"),
    "y moved a little": (shift("y", 1e-9, 1), r"minimisers\[1\].y"),
    "W moved": (shift("W", 1e-9), r"minimisers\[0\].W"),
    "value lower": (shift_value(-1e-9), "value"),
    "value higher": (shift_value(1e-9, 1), "value"),
    "order": (swap, "increase"),
    "level raised": (lambda d: d.update(level=3 * d["level"]), "tree"),
    "no level": (lambda d: d.update(level="inf"), "tree"),
    "level below all": (lambda d: d.update(level=0.5 * d["level"]), "level"),
    "convex box enlarged": (scaled_radius(8.0), "convex"),
    "convex box shrunk": (scaled_radius(0.2), "tree"),
    "convex box elsewhere": (
        lambda d: d["minimisers"][0]["convex"].update(centre=[0.9, 0.9]),
        r"minimisers\[0\].y",
    ),
    "frame moved": (moved_frame(0.05), "minimisers"),
    "frame stretched": (stretched_frame(1.1), "minimisers"),
    "bounded": (lambda d: d.update(bounded=True), "bounded"),
    "another Q": (in_problem(0, "Q", "1.01"), "minimisers"),
    "another A": (in_problem(1, "A", "1.01"), "minimisers"),
    "another S0": (in_problem(1, "S0", "1.01"), "minimisers"),
    "another discount": (lambda d: d["problem"]["tasks"][0]["cost"].update(discount="0.51"), "minim"),
    "another step": (lambda d: d["problem"]["step"].update(eta="0.21"), "minimisers"),
    "two shots": (lambda d: d["problem"]["step"].update(shots=2), "minimisers"),
    "other weights": (weights, "minimisers"),
    "status": (lambda d: d.update(status="proved"), "status"),
    "less epsilon": (lambda d: d.update(epsilon=[0.0, 0.9 * d["epsilon"][0]]), "epsilon"),
    "more epsilon": (lambda d: d.update(epsilon=[1.1 * x for x in d["epsilon"]]), "epsilon"),
    "no epsilon": (lambda d: d.update(epsilon=[0.0, 0.0], status="proved"), "epsilon"),
    "minimum lower": (lambda d: d.update(minimum=[x - 1e-9 for x in d["minimum"]]), "minimum"),
    "minimum of the other": (lambda d: d.update(minimum=d["minimisers"][1]["value"]), "minimum"),
}


@pytest.mark.parametrize("name", FALSE)
def test_false_certificates_are_refused(plane, name):
    change, place = FALSE[name]
    verdict = check(altered(plane, change))
    assert verdict.status is Status.REFUTED, verdict
    assert re.search(place, verdict.reason), verdict.reason


@pytest.mark.parametrize("name", ["m for g", "level raised", "a minimiser denied", "g for l"])
def test_false_certificates_are_refused_for_two_inputs(inputs, name):
    change, _ = FALSE[name]
    assert check(altered(inputs, change)).status is Status.REFUTED


def test_random_letters_are_refused_unless_they_are_true(plane):
    """A random leaf with a random letter: whatever is accepted holds at the gains sampled."""
    rng = np.random.default_rng(1)
    problem = problem_from_json(plane["problem"])
    frame = Frame.of(plane["frame"]["centre"], plane["frame"]["axes"], 1, 2)
    objective = LqrObjective(problem)
    found = list(leaves(plane["tree"], 2))
    refused = 0
    for _ in range(12):
        place, letter, (lo, hi) = found[rng.integers(len(found))]
        other = rng.choice([x for x in "uorlgsn" if x != letter])
        tree = plane["tree"][:place] + str(other) + plane["tree"][place + 1 :]
        if not check(altered(plane, lambda d, tree=tree: d.update(tree=tree))):
            refused += 1
            continue
        for _ in range(20):
            y = [arb(float(x)) for x in rng.uniform(lo, hi)]
            with ctx.workprec(128):
                try:
                    W = frame.gain(y)
                    value, slope = objective.value(W), objective.gradient(W)
                except NotStabilising:
                    assert other not in "gn"
                    continue
                if other in "uo":
                    pytest.fail("h is finite where it was said to be infinite")
                if other in "rl":
                    assert value > plane["level"]
                if other in "gs":
                    assert any(x > 0 or x < 0 for x in slope.entries())
    assert refused > 3


# --- malformed ones --------------------------------------------------------------------------


def put(path, value):
    def change(d):
        for key in path[:-1]:
            d = d[key]
        d[path[-1]] = value

    return change


MALFORMED = {
    "tree no string": put(["tree"], ["g"]),
    "empty tree": put(["tree"], ""),
    "digit beyond p": lambda d: d.update(tree=d["tree"].replace("1", "2", 1)),
    "another digit": lambda d: d.update(tree=d["tree"].replace("1", "²", 1)),
    "unknown letter": lambda d: d.update(tree=d["tree"].replace("g", "x", 1)),
    "halved too often": lambda d: d.update(tree="0" * 60 + "g" * 61),
    "deep": lambda d: d.update(tree="01" * 100_000 + "g" * 200_001),
    "level nan": put(["level"], "nan"),
    "level negative": put(["level"], -1.0),
    "level minus infinity": put(["level"], "-inf"),
    "level huge": put(["level"], 10**400),
    "frame no object": put(["frame"], [1, 2]),
    "axes singular": put(["frame", "axes"], [[1.0, 2.0], [2.0, 4.0]]),
    "axes infinite": put(["frame", "axes"], [["inf", 0.0], [0.0, 1.0]]),
    "axes short": put(["frame", "axes"], [[1.0, 0.0]]),
    "axes huge": put(["frame", "axes"], [[1e300, 0.0], [0.0, 1e300]]),
    "centre true": put(["frame", "centre"], [True, 0.0]),
    "bounded a number": put(["bounded"], 1),
    "minimisers an object": put(["minimisers"], {"y": 1}),
    "no minimisers": put(["minimisers"], []),
    "y short": put(["minimisers", 0, "y"], [[0.0, 0.0]]),
    "y reversed": put(["minimisers", 0, "y"], [[0.1, 0.0], [0.0, 0.1]]),
    "y infinite": put(["minimisers", 0, "y"], [["-inf", "inf"], ["-inf", "inf"]]),
    "y beyond the root": put(["minimisers", 0, "y"], [[1.5, 1.6], [0.0, 0.1]]),
    "y of many digits": lambda d: d.update(
        minimisers=[
            d["minimisers"][0]
            | {"y": [[1e-300, 0.9]] * 2, "convex": {"centre": [0.5] * 2, "radius": [0.7] * 2}}
        ]
    ),
    "unknown key": put(["minimisers", 0, "kind"], "minimum"),
    "value a word": put(["minimisers", 0, "value"], "low"),
    "no convex box": put(["minimisers", 0, "convex"], None),
    "radius zero": put(["minimisers", 0, "convex", "radius"], [0.0, 0.1]),
    "radius huge": put(["minimisers", 0, "convex", "radius"], [1e308, 1e308]),
    "radius infinite": put(["minimisers", 0, "convex", "radius"], ["inf", 0.1]),
    "epsilon reversed": put(["epsilon"], [1.0, 0.0]),
    "asked a float": put(["asked"], 0.0),
    "asked negative": put(["asked"], "-1"),
    "asked infinite": put(["asked"], "inf"),
    "status unknown": put(["status"], "certain"),
    "status a list": put(["status"], ["proved"]),
    "normalized step": put(["problem", "step", "kind"], "normalized"),
    "many shots": put(["problem", "step", "shots"], 10**6),
    "an undecided list": put(["undecided"], []),
    "R negative": put(["problem", "tasks", 0, "cost", "R"], [["-1"]]),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_certificates_are_refused_at_once(plane, name):
    began = time.process_time()
    verdict = check(altered(plane, MALFORMED[name]))
    assert verdict.status is Status.REFUTED
    assert verdict.reason
    assert time.process_time() - began < 5


def test_gains_of_one_or_five_entries_are_refused(plane):
    for n in (1, 5):
        plant = {
            "A": [["1/2" if i == j else "0" for j in range(n)] for i in range(n)],
            "B": [["1"]] * n,
            "Q": [[str(int(i == j)) for j in range(n)] for i in range(n)],
            "R": [["1"]],
            "S0": [[str(int(i == j)) for j in range(n)] for i in range(n)],
        }
        problem = {
            "tasks": [{"name": "t", "weight": "1", "cost": plant}],
            "step": plane["problem"]["step"],
        }
        verdict = check(altered(plane, lambda d, problem=problem: d.update(problem=problem)))
        assert "entries" in verdict.reason


# --- the root box ----------------------------------------------------------------------------


def test_the_root_box_of_bounded_claims_holds_the_simplices():
    problem = family(3, 1, 4, eta="0.05")
    with ctx.workprec(128):
        centre, axes = bounding_frame(problem)
        require_bounded(BoxObjective(problem, Frame.of(centre, axes, 1, 3)))
        for d in range(3):
            for sign in (-1, 1):
                other = list(centre)
                other[d] += sign * 1e-6
                with pytest.raises(Refused, match=rf"y\[{d}\]"):
                    require_bounded(BoxObjective(problem, Frame.of(other, axes, 1, 3)))
        two_inputs = family(1, 2, 4)
        frame = Frame.of([0.0, 0.0], [[9.0, 0.0], [0.0, 9.0]], 2, 1)
        with pytest.raises(Refused, match="one input"):
            require_bounded(BoxObjective(two_inputs, frame))


def test_poles_on_the_rim_need_costs_that_see_every_state():
    def one(Q, S0):
        numbers = ([[0.5, 0.2], [0.1, 0.4]], [[1], [0]], Q, [[1]], S0)
        plant = Plant(*(tuple(tuple(Fraction(str(x)) for x in row) for row in M) for M in numbers))
        return Problem(make_family([Task("one", plant)]), make_step("gradient", "0.1"))

    unit, corner, nothing = [[1, 0], [0, 1]], [[0, 0], [0, 1]], [[0, 0], [0, 0]]
    require_semicontinuous(one(unit, unit))
    require_semicontinuous(one(corner, unit))
    for Q, S0 in ((nothing, unit), (unit, corner)):
        with pytest.raises(Refused, match="observable"):
            require_semicontinuous(one(Q, S0))
