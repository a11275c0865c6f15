"""Bounds over neighbourhoods hold for the families in them, in both arithmetics, and are near."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
import pytest
from flint import arb, ctx

from benign.balls.neighbours import Allowance, NearbyBalls
from benign.certificates.radius import Cell, _above, _slanted, _sloped
from benign.exact.neighbourhood import all_ones, around
from benign.floats import neighbours
from benign.floats.intervals import Interval
from benign.floats.nearby import least
from benign.floats.neighbours import NearbyObjective
from helpers import paper_problem, scalar_plant, scalar_problem

PROBLEMS = {
    "figure 3a": (paper_problem("3a", "0.05"), "0.004"),
    "mirrored, discounted": (
        scalar_problem(
            [scalar_plant("0.9", -1, 1, 2, discount="0.9"), scalar_plant(1, -2)], eta="0.05"
        ),
        "0.01",
    ),
}
GAINS = {"figure 3a": (0.2, 1.6), "mirrored, discounted": (-0.6, -0.2)}


def parts(numbers, w, eta):
    """A task's h, h' and h'' at one gain: s(q + rW²)/(1 − γ(a − bW)²) by mpmath's differentiation."""
    a, b, q, r, s, discount = numbers

    def cost(x):
        return s * (q + r * x * x) / (1 - discount * (a - b * x) ** 2)

    def adapted(x):
        return cost(x - eta * mpmath.diff(cost, x))

    return adapted(w), mpmath.diff(adapted, w), mpmath.diff(adapted, w, 2)


def drawn(tasks, rng):
    """Numbers of each task within their bounds, often at an end."""
    found = []
    for task in tasks:
        row = []
        for lo, hi in (task.a, task.b, task.q, task.r):
            t = Fraction(float(rng.choice([0.0, 1.0, rng.random()])))
            row.append(mpmath.mpf((lo + t * (hi - lo)).numerator) / (lo + t * (hi - lo)).denominator)
        found.append(
            (*row, mpmath.mpf(1), mpmath.mpf(task.discount.numerator) / task.discount.denominator)
        )
    return found


def held(name, rng, count=25):
    """Boxes of gains, and for each h'(W), h''(W), h(W) − h(u) of a family within, W in the box."""
    problem, delta = PROBLEMS[name]
    tasks = around(problem, all_ones(problem), Fraction(delta))
    eta = mpmath.mpf(problem.step.eta.numerator) / problem.step.eta.denominator
    weights = [mpmath.mpf(w.numerator) / w.denominator for w in problem.weights]
    lo = rng.uniform(*GAINS[name], count)
    hi = lo + 10.0 ** rng.uniform(-6, -1.5, count)
    u = rng.uniform(0.3, 0.7, count) * (GAINS[name][0] + GAINS[name][1])
    truth = []
    for i in range(count):
        family = drawn(tasks, rng)
        W = mpmath.mpf(lo[i]) + mpmath.mpf(rng.random()) * mpmath.mpf(hi[i] - lo[i])
        at = [parts(numbers, W, eta) for numbers in family]
        there = [parts(numbers, mpmath.mpf(u[i]), eta) for numbers in family]
        sums = [sum(w * x[d] for w, x in zip(weights, at, strict=True)) for d in range(3)]
        own = sum(w * x[0] for w, x in zip(weights, there, strict=True))
        truth.append((sums[1], sums[2], sums[0] - own))
    return problem, tasks, lo, hi, u, truth


def lower_bounds(problem, tasks, lo, hi, u, kind, sign):
    """The largest of some numbers that Σ ω G is shown to exceed, by the prover's floats."""
    objective = NearbyObjective(problem, tasks)

    def part(pieces):
        if kind == 2:
            found = objective.excess((lo, hi), (u, u), pieces)
            return found.excess.times(sign), found
        found = objective.slopes(lo, hi, pieces)
        return (found.d1, found.d2)[kind].times(sign), found

    box = Interval(lo, hi)
    halves = [box - Interval.point(box.mid)]
    return lambda need: least(objective, halves, part, lo.size, need)[0]


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize("kind", [0, 1, 2])
def test_what_is_shown_of_all_families_holds_for_each(name, kind):
    rng = np.random.default_rng(3 + kind)
    with mpmath.workdps(30):
        problem, tasks, lo, hi, u, truth = held(name, rng)
        near = shown_once = 0
        for sign in (1.0, -1.0):
            shows = lower_bounds(problem, tasks, lo, hi, u, kind, sign)
            values = np.array([float(sign * t[kind]) for t in truth])
            assert not shows(values + 1e-9 * (1 + abs(values))).any()
            size = 0.5 * np.abs(values) + (1.0 if kind < 2 else 0.1)
            near += shows(values - 8 * size).sum()
            shown_once += 2
        assert near > shown_once * lo.size / 6  # it says something


@pytest.mark.parametrize("name", PROBLEMS)
def test_what_balls_show_of_all_families_holds_for_each(name):
    rng = np.random.default_rng(11)
    shown = 0
    with mpmath.workdps(30), ctx.workprec(64):
        problem, tasks, lo, hi, u, truth = held(name, rng, 12)
        objective = NearbyBalls(problem, tasks, Allowance(10**7))
        for i, (d1, d2, excess) in enumerate(truth):
            gain = arb(lo[i]).union(arb(hi[i]))
            at = arb(u[i])
            cell = Cell(0.0, u[i], 0.0, 0.0, 0.0)
            for part, value in (
                (_sloped(1), d1), (_sloped(-1), -d1), (_slanted(1, arb(0)), d2),
                (_slanted(-1, arb(3)), -(d2 + 3 * d1)), (_above(cell), excess),
            ):  # fmt: skip
                beyond = arb(float(value) + 1e-9 * (1 + abs(float(value))))
                assert not objective.exceeds(part, (gain, at), beyond)
                shown += objective.exceeds(
                    part, (gain, at), arb(float(value) - 30 * (1 + abs(float(value))))
                )
    assert shown > 20


def test_a_planted_error_is_seen(monkeypatch):
    """A bound that forgets how the pole moves with B is not one."""
    honest = neighbours._Plant.poles

    def wrong(self, w):
        from benign.floats.centred import Centred

        flat = Interval(self.b.grad.lo * 0.0, self.b.grad.hi * 0.0)
        kept = self.b
        self.b = Centred(kept.mid, kept.mid, flat, kept.offset)
        try:
            return honest(self, w)
        finally:
            self.b = kept

    monkeypatch.setattr(neighbours._Plant, "poles", wrong)
    rng, caught = np.random.default_rng(5), 0
    with mpmath.workdps(30):
        for kind in (0, 1, 2):
            problem, tasks, lo, hi, u, truth = held("figure 3a", rng, 40)
            hi = lo + 1e-9
            shows = lower_bounds(problem, tasks, lo, hi, u, kind, 1.0)
            caught += shows(np.array([float(t[kind]) for t in truth])).sum()
    assert caught
