"""What the tags of whole trees say, at gains sampled in their boxes; interrupts; levels reached."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from flint import arb, arb_mat, ctx

from benign.balls.lqr import LqrObjective, NotStabilising
from benign.certificates.below_tree import leaves, read_tree
from benign.floats import box_signs
from benign.floats.along import Along
from benign.floats.compiled import effects, kernels
from benign.floats.looks import InNumPy
from benign.floats.rim import as_fractions
from benign.prove.boxes import below as few_parameters
from benign.prove.boxes import branch_and_bound
from benign.prove.boxes.below import _frame, optimal_gain, prove
from benign.prove.boxes.branch_and_bound import Pavement
from benign.prove.boxes.minimisers import Minimisers
from benign.prove.boxes.tree import Boxes, Tree
from helpers import plant_error
from several import random_problem

BITS = 256
STEP = arb(2) ** -60


def family(name):
    n, m, settings = {
        "one": (2, 1, {"tasks": 1, "eta": "0.1"}),
        "split": (2, 1, {"tasks": 2, "eta": "0.1", "split": True, "noise": True}),
        "two shots": (2, 1, {"tasks": 1, "eta": "0.05", "shots": 2}),
        "several": (2, 1, {"tasks": 1, "eta": "0.02"}),
        "inputs": (1, 2, {"tasks": 2, "eta": "0.05"}),
    }[name]
    return random_problem(np.random.default_rng(2), n, m, rho=0.5, discount=Fraction(1, 2), **settings)


def pavement(problem, level=math.inf, *, in_numpy=False) -> Pavement:
    witnesses = [optimal_gain(task.g) for task in problem.tasks]
    frame, _ = _frame(problem, witnesses)
    made = Pavement(problem, frame, level, [as_fractions(W.tolist()) for W in witnesses])
    made.allows_steep = True
    if in_numpy:
        made.look = made.found.look = InNumPy.of(made.objective)
    few_parameters._look_for_minimisers(made, [])
    made.set_level(level if level < math.inf else 10 * made.minimisers[0].value.hi)
    return made


class Truth:
    """h at points y of a frame in ball arithmetic."""

    def __init__(self, made: Pavement) -> None:
        self.m, self.n = made.problem.family.m, made.problem.family.n
        with ctx.workprec(BITS):
            self.objective = LqrObjective(made.problem)
        self.tasks = len(made.problem.tasks)
        self.centre = arb_mat([[arb(float(c))] for c in made.frame.centre])
        self.axes = arb_mat([[arb(float(x)) for x in row] for row in made.frame.axes])

    def gain(self, y) -> arb_mat:
        flat = (self.centre + self.axes * arb_mat([[arb(v)] for v in y])).entries()
        return arb_mat([flat[i * self.n : (i + 1) * self.n] for i in range(self.m)])

    def first_loss(self, task, W) -> int | None:
        """0 if W does not stabilise, k if the gain after shot k does not; None if all do."""
        try:
            self.objective.visit(task, W)
        except NotStabilising as error:
            return 0 if "W itself" in str(error) else int(str(error).split("shot ")[1].split(":")[0])
        return None

    def slope(self, y) -> list[arb]:
        return (
            self.axes.transpose()
            * arb_mat([[x] for x in self.objective.gradient(self.gain(y)).entries()])
        ).entries()

    def check(self, letter, y, level, known) -> None:
        """What a letter says of a box, at one point of it."""
        W = self.gain(y)
        losses = [self.first_loss(task, W) for task in range(self.tasks)]
        if letter == "u":
            assert 0 in losses
        elif letter == "o":
            assert any(loss in (0, 1) for loss in losses)
        elif letter in "rl":
            assert any(loss is not None for loss in losses) or self.objective.value(W) > level
        elif letter == "s":
            last = self.objective.shots
            assert all(loss in (None, last) for loss in losses)
        else:
            assert losses == [None] * self.tasks
        if letter in "gs" and losses == [None] * self.tasks:
            assert any(x > 0 or x < 0 for x in self.slope(y))
        if letter in "nm":
            p = range(len(y))
            sides = [
                [self.slope([v + s * STEP * int(i == j) for i, v in enumerate(y)]) for s in (1, -1)]
                for j in p
            ]
            H = np.array(
                [[float((sides[j][0][i] - sides[j][1][i]) / (2 * STEP)) for j in p] for i in p]
            )
            lowest = np.linalg.eigvalsh(H)[0]
            assert lowest < 0 if letter == "n" else lowest > 0
            if letter == "m":
                assert any(
                    (np.abs(np.array([float(v) for v in y]) - m.centre) <= m.radius).all()
                    for m in known
                )


def check_stationary(made, truth, found, starts=60) -> None:
    """Newton's method from random points: no box that holds a stationary point says that ∇h ≠ 0."""
    rng, met = np.random.default_rng(7), 0
    ends = made.found._newton(rng.uniform(-1, 1, (starts, made.p)))
    for y in ends[np.isfinite(ends).all(axis=1)]:
        with ctx.workprec(BITS):
            try:
                slope = truth.slope([arb(float(v)) for v in y])
                value = truth.objective.value(truth.gain([float(v) for v in y]))
            except NotStabilising:
                continue
        if max(abs(float(x)) for x in slope) > 1e-9:
            continue
        for _, letter, (lo, hi) in found:
            if (np.array(lo) <= y).all() and (y <= np.array(hi)).all():
                met += 1
                assert letter in "nm" or (letter in "lr" and value > made.level), letter
    assert met > 0 or not made.is_done


def check_tags(name, per_letter=40, seconds=20.0, *, in_numpy=False) -> Counter:
    made = pavement(family(name), in_numpy=in_numpy)
    made.run(seconds=seconds)
    truth, rng = Truth(made), np.random.default_rng(0)
    found = [leaf for leaf in leaves(made.tree.text(), made.p) if leaf[1] != " "]
    check_stationary(made, truth, found)
    seen: Counter = Counter()
    for i in rng.permutation(len(found)):
        _, letter, (lo, hi) = found[i]
        if seen[letter] < per_letter:
            seen[letter] += 1
            with ctx.workprec(BITS):
                inside = [arb(float(v)) for v in rng.uniform(lo, hi)]
                corner = [arb(v) for v in np.where(rng.uniform(size=made.p) < 0.5, lo, hi).tolist()]
                truth.check(letter, inside, made.level, made.minimisers)
                if letter in "gnm":
                    truth.check(letter, corner, made.level, made.minimisers)
    return seen


def test_tags_of_an_unfinished_tree_are_true():
    assert check_tags("two shots", 15, seconds=3.0).total() >= 15


@pytest.mark.parametrize("name", ["one", "split", "inputs"])
@pytest.mark.parametrize("in_numpy", [True, False], ids=["NumPy", "compiled"])
def test_tags_are_true(name, in_numpy):
    seen = check_tags(name, 25, in_numpy=in_numpy)
    assert seen["g"] >= 10
    assert seen["m"] >= 1


@pytest.mark.slow
@pytest.mark.parametrize("name", ["one", "split", "two shots", "inputs"])
def test_many_tags_are_true(name):
    assert check_tags(name, 500, seconds=60.0)["g"] >= 10


def test_both_routes_make_one_tree():
    """But for what rounding decides: of some thousand boxes a few."""
    made = [pavement(family("one"), in_numpy=in_numpy) for in_numpy in (True, False)]
    for each in made:
        assert each.run(seconds=60)
    one, other = made
    assert abs(one.boxes - other.boxes) <= 0.01 * one.boxes
    assert len(one.minimisers) == len(other.minimisers)
    for a, b in zip(one.minimisers, other.minimisers, strict=True):
        np.testing.assert_allclose(a.y, b.y, atol=1e-12)


def test_descents_end_at_listed_minimisers():
    """A compass search on h of ball arithmetic: no derivatives, no models."""
    made = pavement(family("one"))
    assert made.run(seconds=60)
    truth, rng = Truth(made), np.random.default_rng(1)

    def h(y):
        with ctx.workprec(64):
            try:
                return float(truth.objective.value(truth.gain([float(v) for v in y])))
            except NotStabilising:
                return math.inf

    ends = 0
    while ends < 5:
        y, step = rng.uniform(-1, 1, 2), 0.05
        best = h(y)
        if best > made.level:
            continue
        while step > 1e-6:
            trials = [
                y + step * np.array(d)
                for d in ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (1, -1), (-1, 1), (-1, -1))
            ]
            values = [h(x) for x in trials]
            i = int(np.argmin(values))
            if values[i] < best:
                y, best = trials[i], values[i]
            else:
                step /= 2
        ends += 1
        assert min(np.abs(y - m.centre).max() for m in made.minimisers) < 1e-3
        assert any(m.value.lo <= best * (1 + 1e-9) for m in made.minimisers)


# --- what is left ----------------------------------------------------------------------------


class Stop(Exception):
    """Stands for an interrupt."""


@pytest.mark.parametrize("place", ["before", "advance", "split", "progress"])
def test_an_interrupt_loses_no_box(monkeypatch, place):
    """Wherever it comes, the leaves that have no letter are just the boxes that are left."""
    monkeypatch.setattr(branch_and_bound, "ITEMS", 16)
    made = pavement(family("one"))
    calls = Counter()

    def interrupting(function, at, after):
        def wrapped(*arguments, **names):
            calls[at] += 1
            if calls[at] == 20 and not after:
                raise Stop
            result = function(*arguments, **names)
            if calls[at] == 20:
                raise Stop
            return result

        return wrapped

    if place == "before":
        monkeypatch.setattr(made, "look", interrupting(made.look, place, False))
    elif place == "advance":
        monkeypatch.setattr(made, "advance", interrupting(made.advance, place, True))
    elif place == "split":
        monkeypatch.setattr(made.tree, "split", interrupting(made.tree.split, place, True))
    progress = interrupting(lambda *_: None, place, True) if place == "progress" else None
    with pytest.raises(Stop):
        made.run(progress=progress)
    assert not made.is_done
    level, left = made.reached()
    assert left == len(made.left()) > 0
    assert level < made.level
    text = made.tree.text()
    assert sorted(made.left().node) == sorted(set(made.left().node))
    assert text.count(" ") == left
    read_tree(text.replace(" ", "l"), 2)
    monkeypatch.undo()
    assert made.run(seconds=60)
    assert made.tree.text().count(" ") == 0
    assert made.reached() == (made.level, 0)


def test_threads_prove_what_one_does(monkeypatch):
    """In small chunks, so that threads have something to share."""
    monkeypatch.setattr(branch_and_bound, "ITEMS", 64)
    made = {}
    for threads in (1, 3):
        monkeypatch.setattr(branch_and_bound, "processors", lambda threads=threads: threads)
        made[threads] = pavement(family("several"))
        assert made[threads].run(seconds=60)
    one, three = made[1], made[3]
    assert len(one.minimisers) == len(three.minimisers) > 1
    for a, b in zip(one.minimisers, three.minimisers, strict=True):
        np.testing.assert_allclose(a.y, b.y, atol=1e-12)
    assert set(one.leaves()) == set(three.leaves())
    read_tree(three.tree.text(), 2)


def test_slivers_are_halved_across(monkeypatch):
    """Along an edge of the stabilising set only one side seems to matter, however short it is."""
    made = pavement(family("one"))
    look = made.look

    class Short:
        """A look that finds only the second side to matter."""

        def __init__(self, inner):
            self.inner = inner

        def __getattr__(self, name):
            return getattr(self.inner, name)

        def __getitem__(self, boxes):
            return Short(self.inner[boxes])

        def before(self):
            found = self.inner.before()
            return replace(found, effect=np.array([0.0, 1.0])[:, None] + 0.0 * found.effect)

    monkeypatch.setattr(made, "look", lambda y, r: Short(look(y, r)))
    rng = np.random.default_rng(0)
    y, r = rng.uniform(-0.5, 0.5, (2, 200)), np.full((2, 200), 0.4)
    y[1, :100] = 1.0
    r[1] = 2.0**-40
    boxes = Boxes(y, r, np.zeros(200, np.int64), np.zeros(200))
    tested = made.tested(boxes)
    left = tested.letters == 0
    assert left.any()
    assert (tested.axes[left] == 0).all()


def test_an_error_in_a_thread_reaches_the_caller(monkeypatch):
    made = pavement(family("one"))
    monkeypatch.setattr(branch_and_bound, "processors", lambda: 2)
    monkeypatch.setattr(made, "look", lambda y, r: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        made.run()
    assert len(made.left()) == 1


def test_an_interrupt_in_the_first_round_proves_nothing(monkeypatch):
    def stop(self, boxes, tested):
        raise KeyboardInterrupt

    monkeypatch.setattr(Pavement, "advance", stop)
    result = prove(family("one"))
    assert result.left == 1
    assert result.certificate is None
    assert result.verdict.status.value != "proved"


def test_time_lowers_the_level():
    made = pavement(family("one"))

    def stop(done, waiting):
        if done > 300:
            made.request.number = 2

    assert not made.run(seconds=60, progress=stop)
    level, left = made.reached()
    assert left > 0
    truth, boxes = Truth(made), made.left()
    rng = np.random.default_rng(0)
    for i in rng.choice(len(boxes), 40):
        y = boxes.y[:, i] + boxes.r[:, i] * rng.uniform(-1, 1, 2)
        with ctx.workprec(BITS):
            truth.check("l", [arb(float(v)) for v in y], level, [])


def test_low_levels_come_first(monkeypatch):
    """While boxes below a stage are left, none above it is tested; what stops later has the stage."""
    made = pavement(family("several"))
    least, stages, tested = made.minimisers[0].value.hi, [], made.tested

    def watched(boxes):
        stage = made.stage()
        assert made.waiting.bound.min() <= stage
        assert (boxes.bound <= stage).all()
        stages.append(stage)
        if stage > 2 * least:
            made.request.number = 2
        return tested(boxes)

    monkeypatch.setattr(branch_and_bound, "processors", lambda: 1)
    monkeypatch.setattr(made, "tested", watched)
    assert not made.run(seconds=60)
    assert stages == sorted(stages)
    assert stages[0] == branch_and_bound.STAGES[0] * least
    assert made.reached()[0] >= 2 * least * (1 - 2 * branch_and_bound.ROOM)


def test_minimisers_above_the_level_are_named_for_the_boxes_around_them():
    made = pavement(family("several"))
    assert len(made.minimisers) > 1
    assert made.run(seconds=60)
    level = made.minimisers[0].value.hi * (1 + 1e-9)
    named = made.needed(level)
    assert named[0] is made.minimisers[0]
    assert len(named) > 1
    for _, letter, (lo, hi) in leaves(made.tree_text(), 2):
        if letter == "m":
            assert any(
                (np.abs(np.array([lo, hi]) - point.centre) <= point.radius).all() for point in named
            )


def test_boxes_are_not_halved_more_than_a_certificate_may(monkeypatch):
    monkeypatch.setattr(branch_and_bound, "DEEPEST", 3)
    made = pavement(family("one"))
    made.run(seconds=20)
    assert made.stuck
    assert made.left().r.min() == 2.0**-3
    assert max(len(t) for t in [made.tree_text()]) > 10


def test_trees_in_preorder():
    tree = Tree()
    first = tree.split(np.array([0]), np.array([1]))
    second = tree.split(np.array([first[0] + 1]), np.array([0]))
    tree.tags[first[0]], tree.tags[second[0]], tree.tags[second[0] + 1] = (ord(x) for x in "gnu")
    assert tree.text() == "1g0nu"
    assert tree.counts() == {"0": 1, "1": 1, "g": 1, "n": 1, "u": 1}


def test_minimisers_are_listed_once():
    made = pavement(family("one"))
    again = Minimisers(made.look, made.frame)
    for y in (made.minimisers[0].centre + d for d in (0.0, 1e-9, -1e-4)):
        again.add(y[None])
    assert len(again.known) == 1
    box = again.known[0].y
    truth = Truth(made)
    with ctx.workprec(BITS):
        for j in range(2):  # ∂h/∂y_j changes sign across the box that holds the minimiser
            ends = []
            for side in box:
                y = [float(v) for v in again.known[0].centre]
                y[j] = float(side[j])
                ends.append(truth.slope([arb(v) for v in y])[j])
            assert ends[0] < 0 < ends[1]


# --- planted errors --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("owner", "name", "old", "new"),
    [
        (Pavement, "_total", "(1.0 - (self.k + 8) * 2.0 * UNIT)", "3.0"),
        (box_signs, "falls", "[1] < 0", "[0] < 0"),
        (box_signs, "slopes", "np.any((low > 0) | (high < 0), axis=0)",
         "np.any(np.abs(gradient.c[0]) > 0, axis=0)"),
        pytest.param(Along, "_quotients", "left * spread", "left.times(1.5) * spread",
                     marks=pytest.mark.slow),
    ],
)  # fmt: skip
def test_planted_errors_are_caught(monkeypatch, owner, name, old, new):
    plant_error(monkeypatch, owner, name, old, new)
    with pytest.raises((AssertionError, IndexError)):
        check_tags("several", 100, in_numpy=True)


def test_an_error_planted_in_compiled_tests_is_caught(monkeypatch):
    monkeypatch.setenv("BENIGN_CACHE", "")
    monkeypatch.setattr(kernels, "VARIANT", "a gradient that is not zero at the centre")
    plant_error(monkeypatch, effects, "_away", "(low > 0.0) | (high < 0.0)", "abs(f.c[0]) > 0.0")
    with pytest.raises((AssertionError, IndexError)):
        check_tags("several", 100)
