"""h, ∇h and ∇²h over boxes against ball arithmetic that goes through Lyapunov equations instead."""

from __future__ import annotations

from fractions import Fraction
from itertools import count

import numpy as np
import pytest
from flint import arb, arb_mat, ctx

from benign.balls.lqr import LqrObjective, NotStabilising
from benign.exact.rounding import to_ball
from benign.floats import along, box_signs, boxes, frames, polynomials, taylor
from benign.floats.along import orders
from benign.floats.boxes import BoxObjective
from benign.floats.compiled import adapting, costs, kernels, shifting
from benign.floats.compiled import models as compiled_models
from benign.floats.compiled.evaluation import AFTER, BEFORE, Compiled
from benign.floats.fractions_of_gain import cost_polynomials
from benign.floats.frames import frame_of
from benign.floats.looks import InNumPy
from benign.floats.taylor import Model
from helpers import plant_error
from several import random_frame, random_problem

BITS = 400
STEP = arb(2) ** -80
"""Of the central differences of ∇h; they err by 2⁻¹⁶⁰ times fifth derivatives of h."""

EVERY = ("value", "gradient", "hessian", "F", "after")
"""All that compiled code can be asked for of models."""

CASES = {
    "n2": (2, 1, {}),
    "n2 split discount noise": (2, 1, {"split": True, "discount": Fraction(3, 4), "noise": True}),
    "n2 two shots": (2, 1, {"shots": 2, "split": True}),
    "n3": (3, 1, {"discount": Fraction(9, 10)}),
    "m2": (1, 2, {"split": True}),
    "m2 two shots": (1, 2, {"shots": 2, "discount": Fraction(1, 2)}),
    "n2 m2": (2, 2, {}),
    "m3": (1, 3, {"shots": 2}),
}


def made(name, seed=0):
    n, m, settings = CASES[name]
    rng = np.random.default_rng(seed)
    problem = random_problem(rng, n, m, **settings)
    centre, axes = random_frame(rng, n * m, 0.3)
    frame = frame_of(np.array(centre), np.array(axes))
    return rng, problem, frame, BoxObjective(problem, frame)


def ball(x: Fraction) -> arb:
    return arb(x.numerator) / x.denominator


def matrix(flat, m, n) -> arb_mat:
    return arb_mat([flat[i * n : (i + 1) * n] for i in range(m)])


def polynomial(c, exponents, x) -> arb:
    found = arb(0)
    for k, coefficient in zip(exponents.tolist(), c, strict=True):
        term = arb(float(coefficient))
        for power, entry in zip(k, x, strict=True):
            term *= entry**power
        found += term
    return found


def assert_near(model: Model, index, x, value: arb) -> None:
    """|f(x) − polynomial| ≤ e, up to the error of the reference."""
    gap = abs(value - polynomial(model.c[:, *index], model.basis.exponents, x))
    assert gap <= arb(float(model.e[index])) + arb(2) ** -100 * (1 + abs(value)), (index, gap)


def check(name, radius, *, boxes_=3, points=3, order=2, seed=0, compiled=False) -> Model:
    """All derivatives up to an order at points of random boxes; the gradient's models."""
    for draw in range(10):  # some families have no gain that stabilises all their tasks
        rng, problem, frame, objective = made(name, seed + 100 * draw)
        n, m, p = problem.family.n, problem.family.m, frame.p
        y0 = np.round(2**20 * 0.3 * rng.uniform(-1, 1, (p, 8 * boxes_))) / 2**20
        r = np.round(2**40 * radius * rng.uniform(0.5, 1, (p, 8 * boxes_))) / 2**40
        start = objective.before(y0, r)
        inside = np.flatnonzero(box_signs.inside(objective.adapt(start, 0)))[:boxes_]
        if len(inside) == boxes_:
            break
    assert len(inside) == boxes_
    y0, r = y0[:, inside], r[:, inside]
    if compiled:
        found, after = Compiled(objective, [EVERY]).models(y0, r, EVERY)
        assert after.inside.all()
        models, hessian = [found["value"], found["gradient"]], found["hessian"]
        gains = found["F"]
        assert (after.low <= gains.bounds()[1]).all()
        assert (after.high >= gains.bounds()[0]).all()
    else:
        at = objective.adapt(start[inside], order)
        models = [objective.value(at), objective.gradient(at) if order else None]
        hessian = objective.hessian(at) if order > 1 else None
        gains = at.F
    with ctx.workprec(BITS):
        reference = LqrObjective(problem)
        axes = arb_mat([[to_ball(a) for a in row] for row in frame.axes])

        def gain(y):
            return [
                to_ball(c) + e for c, e in zip(frame.centre, (axes * col(y)).entries(), strict=True)
            ]

        def col(y):
            return arb_mat([[v] for v in y])

        def slope(y):
            flat = reference.gradient(matrix(gain(y), m, n)).entries()
            return (axes.transpose() * col(flat)).entries()

        for b in range(boxes_):
            corner = [Fraction(int(s)) for s in rng.choice([-1, 1], p)]
            for x in [
                corner,
                *([Fraction(int(v), 97) for v in rng.integers(-97, 98, p)] for _ in range(points - 1)),
            ]:
                xs = [ball(v) for v in x]
                y = [
                    arb(float(c)) + arb(float(s)) * v
                    for c, s, v in zip(y0[:, b], r[:, b], xs, strict=True)
                ]
                W = matrix(gain(y), m, n)
                assert_near(models[0], (b,), xs, reference.value(W))
                for task, F in enumerate(reference.adapted(W)):
                    own = objective.f.frames[task]
                    gap = [e - to_ball(c) for e, c in zip(F.entries(), own.centre, strict=True)]
                    z = arb_mat([[to_ball(a) for a in row] for row in own.axes]).solve(col(gap))
                    for i in range(p):
                        assert_near(gains, (i, task, b), xs, z[i, 0])
                if order:
                    for i, value in enumerate(slope(y)):
                        assert_near(models[1], (i, b), xs, value)
                if hessian is not None:
                    for j in range(p):
                        up = slope([v + STEP * int(i == j) for i, v in enumerate(y)])
                        down = slope([v - STEP * int(i == j) for i, v in enumerate(y)])
                        for i in range(p):
                            place = orders(p, 2).index((min(i, j), max(i, j)))
                            value = (up[i] - down[i]) / (2 * STEP)
                            assert_near(hessian, (place, b), xs, value.mid())
    assert models[1] is None or np.isfinite(models[1].e).all()
    return models[1]


@pytest.mark.parametrize("radius", [0.05, 1e-6])
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("compiled", [False, True], ids=["NumPy", "compiled"])
def test_models_hold_h_and_its_derivatives(name, radius, compiled):
    check(name, radius if name != "n2 m2" else radius / 8, compiled=compiled)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 6))
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("compiled", [False, True], ids=["NumPy", "compiled"])
def test_models_hold_h_and_its_derivatives_elsewhere(name, seed, compiled):
    for radius in (0.02, 1e-3, 1e-9):
        check(name, radius, boxes_=5, points=4, seed=seed, compiled=compiled)


def compiled_anew(monkeypatch) -> None:
    """What is compiled from now on is under another name, and not kept."""
    monkeypatch.setenv("BENIGN_CACHE", "")
    monkeypatch.setattr(kernels, "VARIANT", str(next(NUMBERS)))


NUMBERS = count()


def test_models_are_tight():
    """Third-order remainders: boxes eight times smaller have errors far less than 8³ times smaller."""
    wide, narrow = (check("n2", radius, points=1).e.max() for radius in (0.04, 0.005))
    assert narrow < wide / 8**3


@pytest.mark.parametrize("compiled", [False, True], ids=["NumPy", "compiled"])
def test_cleared_gradients_are_multiples_of_the_gradient(monkeypatch, compiled):
    """With every task "touching", s = ∏ D(F)²."""
    monkeypatch.setattr(boxes, "CLEARED", -1.0)
    compiled_anew(monkeypatch)
    rng, problem, frame, objective = made("n2 split discount noise")
    y0, r = 0.2 * rng.uniform(-1, 1, (2, 4)), np.full((2, 4), 0.01)
    at = objective.adapt(objective.before(y0, r), 1)
    if compiled:
        kind = ("scaled", "after")
        found = Compiled(objective, [kind]).models(y0, r, kind)[0]["scaled"]
    else:
        found = objective.scaled_gradient(at)
    with ctx.workprec(BITS):
        reference = LqrObjective(problem)
        axes = arb_mat([[to_ball(a) for a in row] for row in frame.axes])
        for b in range(4):
            x = [arb(1) / 3, arb(-1) / 7]
            y = [
                arb(float(c)) + arb(float(s)) * v for c, s, v in zip(y0[:, b], r[:, b], x, strict=True)
            ]
            flat = (axes * arb_mat([[v] for v in y])).entries()
            W = arb_mat([[to_ball(c) + e for c, e in zip(frame.centre, flat, strict=True)]])
            s = arb(1)
            for task, F in enumerate(reference.adapted(W)):
                own = objective.f.frames[task]
                gap = [[e - to_ball(c)] for e, c in zip(F.entries(), own.centre, strict=True)]
                z = (
                    arb_mat([[to_ball(a) for a in row] for row in own.axes])
                    .solve(arb_mat(gap))
                    .entries()
                )
                D = cost_polynomials(problem.tasks[task].f, own)[1]
                value = arb(0)
                for k, c in D.items():
                    value += to_ball(c) * z[0] ** k[0] * z[1] ** k[1]
                s *= value**2
            slope = (axes.transpose() * reference.gradient(W).transpose()).entries()
            for i in range(2):
                assert_near(found, (i, b), x, s * slope[i])


@pytest.mark.parametrize("compiled", [False, True], ids=["NumPy", "compiled"])
def test_boxes_that_are_thrown_out_and_stay(compiled):
    """A large step: where `thrown_out` says so, the next gain does not stabilise."""
    rng = np.random.default_rng(3)
    problem = random_problem(rng, 2, 1, eta="0.5")
    frame = frame_of(np.zeros(2), 0.4 * np.eye(2))
    objective = BoxObjective(problem, frame)
    y0, r = rng.uniform(-1, 1, (2, 400)), np.full((2, 400), 0.01)
    made = Compiled(objective, [BEFORE, AFTER]).look if compiled else InNumPy.of(objective)
    look = made(y0, r)
    out, at = look.before().thrown_out, look.after()
    lost = at.along & (at.signs < 0)
    reference, seen = LqrObjective(problem), 0
    for b in range(400):
        W = arb_mat([[0.4 * v for v in y0[:, b] + r[:, b] * rng.uniform(-1, 1, 2)]])
        for task in range(2):
            try:
                reference.visit(task, W)
                inside = True
            except NotStabilising:
                inside = False
            assert not (inside and (out[task, b] or lost[task, b]))
            assert inside or not (at.along[task, b] and at.signs[task, b] > 0)
            seen += int(out[task, b]) + int(inside)
    assert out.sum() > 20
    assert seen > out.sum() + 20


# --- signs of boxes --------------------------------------------------------------------------


def test_weights_that_cancel_are_paid_for():
    """v'Hw where v_j w_k + v_k w_j cancels: the bounds hold exactly."""
    rng = np.random.default_rng(0)
    B = taylor.basis(2, 2)
    c = np.zeros((B.size, 3, 200))
    c[0] = rng.uniform(1, 2, (3, 200)) * np.array([1e-17, 1.0, 1e-17])[:, None]
    v = rng.uniform(1, 2, (2, 200))
    w = np.stack([v[0], -v[1] * (1 + 2.0**-50 * rng.integers(-3, 4, 200))])
    low, high = box_signs.form_bounds(Model(B, c, np.zeros((3, 200))), v, w)
    for b in range(200):
        h, (v0, v1), (w0, w1) = (
            [Fraction(float(x)) for x in y] for y in (c[0, :, b], v[:, b], w[:, b])
        )
        exact = h[0] * v0 * w0 + h[1] * (v0 * w1 + v1 * w0) + h[2] * v1 * w1
        assert Fraction(float(low[b])) <= exact <= Fraction(float(high[b]))


def test_signs_of_known_quadratics():
    """h = ½x'Hx + b'x as models: convex, falling, sloping and with one zero, or not."""
    B = taylor.basis(2, 2)
    H = np.array([[2.0, 2.0, -1.0, 2.0], [0.5, 3.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1e-12]])  # 00, 01, 11
    c = np.zeros((B.size, 3, 4))
    c[0] = H
    hessian = Model(B, c, np.array([[1e-3] * 3 + [1e-11]] * 3))
    assert box_signs.falls(hessian).tolist() == [False, True, True, False]
    gradient = np.zeros((B.size, 2, 4))
    gradient[1], gradient[2] = H[:2], H[1:]
    gradient[0, 0] = [0.1, 0.0, 3.0, 0.0]
    slope = Model(B, gradient, np.full((2, 4), 1e-3))
    assert box_signs.slopes(slope).tolist() == [False, False, True, False]
    reach = box_signs.krawczyk(slope, hessian, np.ones((2, 4)))
    assert (reach < 1).all(axis=0).tolist() == [True, True, False, False]
    unknown = Model(B, c * np.nan, np.full((3, 4), np.inf))
    assert not box_signs.falls(unknown).any()
    assert not box_signs.slopes(Model(B, gradient, np.full((2, 4), np.nan))).any()
    assert not (box_signs.krawczyk(slope, unknown, np.ones((2, 4))) < 1).any()


def test_a_singular_matrix_does_not_stop_the_proof():
    B = taylor.basis(2, 2)
    zero = np.zeros((B.size, 3, 2))
    zero[0, :, 0] = 1.0
    reach = box_signs.krawczyk(
        Model(B, zero[:, :2], np.zeros((2, 2))), Model(B, zero, np.zeros((3, 2))), np.ones((2, 2))
    )
    assert not (reach < 1).all(axis=0).any()


# --- planted errors --------------------------------------------------------------------------


@pytest.mark.parametrize("compiled", [False, True], ids=["NumPy", "compiled"])
def test_uncounted_roundings_are_caught(monkeypatch, compiled):
    compiled_anew(monkeypatch)
    for module in (taylor, polynomials, along, frames):
        monkeypatch.setattr(module, "UNIT", 0.0)
        monkeypatch.setattr(module, "GROWN", 1.0)
    monkeypatch.setattr(boxes, "UNIT", 0.0)
    with pytest.raises(AssertionError):
        check("n2", 1e-9, order=1, compiled=compiled)


@pytest.mark.parametrize(
    ("owner", "name", "old", "new", "case"),
    [
        (along.Along, "_quotients", "range(1, order + 1)", "range(1, order)", "n2"),
        (along.Along, "_quotients", "range(1, order + 1)", "range(2, order + 1)", "n2"),
        (boxes.BoxObjective, "hessian", "curved + bent", "curved", "n2"),
        (boxes.BoxObjective, "_curvature", "K - self._step(_contract(at.second(), K) + turned)",
         "K - self._step(turned)", "n2 two shots"),
        (boxes.BoxObjective, "_directions", "M.mid", "0.999 * M.mid", "n2"),
        (taylor, "inverse", "(beyond + rounding", "(rounding", "n2"),
        (boxes.BoxObjective, "_weighted", "self.weights.reshape", "self.weights[::-1].reshape", "m2"),
    ],
)  # fmt: skip
def test_planted_errors_are_caught(monkeypatch, owner, name, old, new, case):
    plant_error(monkeypatch, owner, name, old, new)
    monkeypatch.setattr(along, "inverse", taylor.inverse)
    with pytest.raises(AssertionError):
        check(case, 0.05)


@pytest.mark.parametrize(
    ("owner", "name", "old", "new", "case"),
    [
        (costs.Along, "_quotients", "size in range(1, order + 1)", "size in range(2, order + 1)", "n2"),
        (adapting, "hessian", "w.add(curved, bent)", "curved", "n2"),
        (adapting, "_curvature", "w.add(x, y) for x, y in", "y for x, y in", "n2 two shots"),
        (adapting, "_directions", "M.number(i * p + j),", "0.999 * M.number(i * p + j),", "n2"),
        (compiled_models, "inverse", "[*beyond, rounding]", "[rounding]", "n2"),
        (kernels._Total, "add", "c = [x + w * y for", "c = [x + y for", "m2"),
        (shifting, "_scaled", "c[i] = c[i] * powers.load(k)", "pass", "n2"),
    ],
)  # fmt: skip
def test_errors_planted_in_compiled_code_are_caught(monkeypatch, owner, name, old, new, case):
    compiled_anew(monkeypatch)
    plant_error(monkeypatch, owner, name, old, new)
    with pytest.raises(AssertionError):
        check(case, 0.05, compiled=True)
