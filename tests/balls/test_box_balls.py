"""Enclosures on boxes hold what other formulas give at points of them, and planted errors are caught.

The reference is `LqrObjective`: Lyapunov equations at one gain, at 400 bits, its highest derivative by
central differences; no quotient of polynomials and no Taylor model is shared.
"""

import inspect
import textwrap
from fractions import Fraction
from itertools import combinations_with_replacement

import numpy as np
import pytest
from flint import arb, arb_mat, ctx

from benign.balls import boxes as box_balls
from benign.balls import costs as cost_balls
from benign.balls import rim as rim_balls
from benign.balls import taylor as taylor_balls
from benign.balls.boxes import BoxObjective
from benign.balls.costs import BoxArgument, PlantPolynomials
from benign.balls.lqr import ClosedLoop, LqrObjective, NotStabilising
from benign.balls.matrices import UNIT, Unproved
from benign.balls.polynomials import Expansion, Frame
from benign.balls.taylor import Model, dot, powers, reciprocal, ring
from helpers import plant_error
from several import balls, random_frame, random_problem

BITS = 400
STEP = arb(2) ** -100


def at_point(model: Model, x) -> arb:
    """The enclosure at a point of [−1, 1]^p."""
    of = model.ring
    terms = (
        model.poly[place] * np.prod([t**k for t, k in zip(x, e, strict=True)], initial=arb(1))
        for e, place in zip(of.exponents, of.places, strict=True)
    )
    return sum(terms, arb(0))


def holds(model: Model, x, expected: arb) -> bool:
    assert expected.rad() < 1e-20 * (1 + abs(expected.mid()))
    return bool(at_point(model, x).overlaps(expected)) and bool(model.range.overlaps(expected))


def points(rng, p):
    """The centre, a corner and random ones."""
    return [
        [arb(0)] * p,
        [arb(int(s)) for s in rng.choice([-1, 1], p)],
        *[balls(rng.uniform(-1, 1, p)) for _ in range(2)],
    ]


def moved(centre, radius, x):
    return [c + r * t for c, r, t in zip(centre, radius, x, strict=True)]


def central(function, y, i):
    """∂_i by a central difference; the step is so small that its error is far below the balls'."""
    up, down = list(y), list(y)
    up[i], down[i] = y[i] + STEP, y[i] - STEP
    return (function(up) - function(down)) * (1 / (2 * STEP))


# --- Taylor models ---------------------------------------------------------------------------


def random_model(rng, p, degree):
    of = ring(p, degree)
    wide = [arb(float(x), 1e-3 * (rng.random() < 0.3)) for x in rng.normal(size=len(of.places))]
    return of.model(zip(of.places, wide, strict=True))


def check_products(rng):
    """Products and quotients at points, against numbers."""
    for _ in range(40):
        p, degree = int(rng.integers(2, 5)), int(rng.integers(1, 4))
        a, b, c = (random_model(rng, p, degree) for _ in range(3))
        d = Model(a.poly * (0.3 / a.size), a.ring).plus(arb(1))
        product, inverse = dot([(a, b, 2), (b, b, -1)], c), reciprocal(d)
        third = powers([a] + [b] * (p - 1), [(0,) * p, (1, *[0] * (p - 1)), (2, *[0] * (p - 1))])[2]
        for x in points(rng, p):
            u, v, w = (at_point(m, x) for m in (a, b, c))
            if not (
                at_point(product, x).overlaps(2 * u * v - v * v + w)
                and at_point(inverse, x).overlaps(1 / at_point(d, x))
                and at_point(third, x).overlaps(u * u)
                and product.range.overlaps(at_point(product, x))
                and product.least.lower() <= at_point(product, x).upper()
            ):
                return False
    return True


def check_bounds(rng):
    """The lower bound, on a grid that holds the corners."""
    grid = [balls(x) for x in np.stack(np.meshgrid(*[np.linspace(-1, 1, 21)] * 2), -1).reshape(-1, 2)]
    for degree in (1, 2, 3):
        of = ring(2, degree)
        for _ in range(10):
            a = of.model(zip(of.places, balls(rng.normal(size=len(of.places))), strict=True))
            lowest = min(at_point(a, x).upper() for x in grid)
            if not a.least.lower() <= lowest or (a.plus(-a.least).is_positive and not lowest > a.least):
                return False
            # Sharp for sums of squares and linear terms.
            flat = of.model([(i, a.poly[i]) for i in (0, *of.units, *of.squares)])
            low = min(float(at_point(flat, x).mid()) for x in grid)
            if not float(flat.least) - 1e-12 <= low <= float(flat.least) + 0.03:
                return False
    return True


def test_lower_bounds_are_below_all_values_and_sharp_without_mixed_terms():
    assert check_bounds(np.random.default_rng(0))


def test_products_and_reciprocals_hold_the_numbers():
    assert check_products(np.random.default_rng(0))


@pytest.mark.parametrize("p", [2, 3, 4])
def test_monomials_of_a_ring_do_not_meet(p):
    for degree in (1, 2, 3, 5):
        of = ring(p, degree)
        assert len(set(of.places)) == len(of.places) == len(of.exponents)
        assert max(of.places) < of.length
        place = dict(zip(of.exponents, of.places, strict=True))
        for e, f in zip(of.exponents, reversed(of.exponents), strict=True):
            total = tuple(a + b for a, b in zip(e, f, strict=True))
            assert place.get(total, of.length + 1) in (place[e] + place[f], of.length + 1)
            if sum(total) > degree:
                assert place[e] + place[f] >= of.length


def test_the_remainder_shrinks_with_the_degree():
    """1/(1 + e) with ‖e‖ = r: the error is of the order of r^(K+1)."""
    for degree in (1, 2, 3, 5):
        of = ring(2, degree)
        errors = []
        for r in (0.1, 0.05):
            d = of.model([(0, arb(1)), (of.units[0], arb(r) / 2), (of.units[1], arb(r) / 2)])
            errors.append(float(reciprocal(d).poly[0].rad()))
        assert 2**degree < errors[0] / errors[1] < 2 ** (degree + 2)


# --- the costs -------------------------------------------------------------------------------


def check_costs(rng, shape, degree, *, discount=1, size=0.02, cases=2):
    """C and its derivatives up to the third, against solutions of Lyapunov equations."""
    n, m = shape
    p = n * m
    for _ in range(cases):
        problem = random_problem(rng, n, m, 1, discount=discount)
        frame = Frame.of(*random_frame(rng, p), m, n)
        with ctx.workprec(BITS):
            plant = PlantPolynomials(problem.tasks[0].f, frame)
            axes = arb_mat(frame.axes)

            def hessian(y, plant=plant, axes=axes, frame=frame):
                return axes.transpose() * ClosedLoop(plant.balls, frame.gain(y)).hessian() * axes

        centre, radius = balls(0.2 * rng.normal(size=p)), balls(size * rng.uniform(0.2, 1, p))
        with ctx.workprec(64):
            jet = plant.jet(BoxArgument(centre, radius, ring(p, degree)), 3)
        for x in points(rng, p):
            with ctx.workprec(BITS):
                y = moved(centre, radius, x)
                loop = ClosedLoop(plant.balls, frame.gain(y))
                slope = (axes.transpose() * arb_mat([[g] for g in loop.gradient.entries()])).entries()
                bend = hessian(y)
                exact = {(): loop.cost, **{(i,): slope[i] for i in range(p)}}
                for i, j in combinations_with_replacement(range(p), 2):
                    exact[i, j] = bend[i, j]
                for i in range(p):
                    third = central(hessian, y, i)
                    for j, k in combinations_with_replacement(range(i, p), 2):
                        exact[i, j, k] = third[j, k]
                assert set(exact) == set(jet)
                if not all(holds(jet[index], x, number) for index, number in exact.items()):
                    return False
    return True


@pytest.mark.parametrize("shape", [(2, 1), (1, 2), (3, 1), (2, 2), (1, 4)])
@pytest.mark.parametrize("discount", [1, Fraction(7, 8)])
def test_costs_and_three_derivatives_are_enclosed(shape, discount):
    rng = np.random.default_rng(shape[0] + 10 * shape[1])
    degree = 2 if shape == (2, 2) else int(rng.integers(1, 5))
    size = 1e-3 if shape == (2, 2) else 0.02
    assert check_costs(rng, shape, degree, discount=discount, size=size, cases=1)


# --- the meta-objective ----------------------------------------------------------------------


def in_domain(rng, n, m, **settings):
    """A random problem and frame, and a gain with room around it at which h is finite."""
    while True:
        problem = random_problem(rng, n, m, **settings)
        frame = Frame.of(*random_frame(rng, n * m), m, n)
        centre = balls(0.1 * rng.normal(size=n * m))
        try:
            with ctx.workprec(128):
                cost = LqrObjective(problem).value(frame.gain(centre))
        except NotStabilising:
            continue
        if cost < 30:
            return problem, frame, centre


def check_objective(rng, shape, degree, *, size=0.01, **settings):
    """F, h, ∇h, ∇²h and s∇h at points of a box."""
    n, m = shape
    p = n * m
    problem, frame, centre = in_domain(rng, n, m, **settings)
    with ctx.workprec(BITS):
        objective, reference = BoxObjective(problem, frame), LqrObjective(problem)
        axes = arb_mat(frame.axes)

        def gradient(y):
            slope = reference.gradient(frame.gain(y)).entries()
            return axes.transpose() * arb_mat([[g] for g in slope])

    radius = balls(size * rng.uniform(0.2, 1, p))
    with ctx.workprec(64):
        box = objective.box(centre, radius, degree)
        value, slope, bend = objective.value(box), objective.gradient(box), objective.hessian(box)
        cleared = objective.scaled_gradient(box)
        adapted = [objective.adapted(t, box, 0).argument.models for t in range(len(problem.tasks))]
    for x in points(rng, p):
        with ctx.workprec(BITS):
            y = moved(centre, radius, x)
            W = frame.gain(y)
            if not holds(value, x, reference.value(W)):
                return False
            exact = gradient(y).entries()
            if not all(holds(a, x, b) for a, b in zip(slope, exact, strict=True)):
                return False
            # No task's D vanishes here: the factor is 1.
            if not all(holds(a, x, b) for a, b in zip(cleared, exact, strict=True)):
                return False
            for i in range(p):
                column = central(gradient, y, i).entries()
                if not all(holds(bend[i, j], x, column[j]) for j in range(i, p)):
                    return False
            for models, gain in zip(adapted, reference.adapted(W), strict=True):
                F = frame.gain([at_point(model, x) for model in models])
                if not all(a.overlaps(b) for a, b in zip(F.entries(), gain.entries(), strict=True)):
                    return False
    return True


@pytest.mark.parametrize("shots", [1, 2, 3])
@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize("shape", [(2, 1), (1, 2)])
def test_h_and_two_derivatives_are_enclosed(shape, split, shots):
    rng = np.random.default_rng(10 * shots + split + 2 * shape[0])
    for degree in (1, 3):
        discount = Fraction(9, 10) if degree == 3 else 1
        assert check_objective(
            rng,
            shape,
            degree,
            shots=shots,
            split=split,
            discount=discount,
            eta="0.005",
            noise=discount != 1,
        )


@pytest.mark.parametrize("shape", [(3, 1), (1, 3), (2, 2), (4, 1), (1, 4)])
def test_h_is_enclosed_for_more_entries(shape):
    rng = np.random.default_rng(sum(shape))
    assert check_objective(rng, shape, 2, shots=1, split=True, size=1e-3, eta="0.005", tasks=1)


def test_enclosures_are_narrow_on_narrow_boxes():
    """Of the order K + 1 of the side; and at a point nothing but rounding is left."""
    rng = np.random.default_rng(4)
    problem, frame, centre = in_domain(rng, 2, 1, shots=2, split=True, eta="0.001")
    with ctx.workprec(128):
        objective = BoxObjective(problem, frame)
        for degree in (1, 3):
            errors = []
            for r in (2.0**-9, 2.0**-10):
                box = objective.box(centre, [arb(r)] * 2, degree)
                errors.append(max(float(x.poly[0].rad()) for x in objective.hessian(box).values()))
            assert 2**degree < errors[0] / errors[1] < 2 ** (degree + 2)
        point = objective.box(centre, [arb(0)] * 2, 1)
        assert all(x.range.rad() < 1e-30 for x in objective.hessian(point).values())


def test_boxes_out_of_the_domain_are_told_apart():
    rng = np.random.default_rng(5)
    problem = random_problem(rng, 2, 1, split=True)
    with ctx.workprec(128):
        objective = BoxObjective(problem, Frame.of([0.0, 0.0], [[1.0, 0.0], [0.0, 1.0]], 1, 2))
        with pytest.raises(NotStabilising):
            objective.value(objective.box(balls([30.0, 30.0]), balls([0.5, 0.5]), 3))
        with pytest.raises(Unproved):
            objective.value(objective.box(balls([0.0, 0.0]), balls([9.0, 9.0]), 3))
        with pytest.raises(ValueError, match="exact"):
            objective.box([arb(0, 1e-9), arb(0)], balls([0.1, 0.1]), 3)


def check_halves():
    """With rounded sums the halves still cover the box, and meet."""
    a, b = (1 / 3, 1e-9), (1 / 3 + 1e-9, 1.0)
    with ctx.workprec(30):
        box = rim_balls.Box.between(a, b)
        halves = [box.halves(i) for i in (0, 1)]
    with ctx.workprec(200):
        ends = [
            [(x.centre[i] - x.radius[i], x.centre[i] + x.radius[i]) for x in pair]
            for i, pair in enumerate(halves)
        ]
        return all(
            low[0] <= arb(a[i]) and low[1] >= high[0] and high[1] >= arb(b[i])
            for i, (low, high) in enumerate(ends)
        )


def test_halves_of_a_box_cover_it_when_sums_are_rounded():
    assert check_halves()


# --- planted errors --------------------------------------------------------------------------


def caught(check) -> bool:
    """Whether a containment test fails, or an enclosure becomes impossible."""
    try:
        return not check()
    except (AssertionError, KeyError, ValueError):
        return True


def replant(monkeypatch, name, old, new):
    """A planted error in a function of `taylor_balls`, seen by all who use it."""
    plant_error(monkeypatch, taylor_balls, name, old, new)
    for module in (box_balls, cost_balls, rim_balls):
        if hasattr(module, name):
            monkeypatch.setattr(module, name, getattr(taylor_balls, name))
    globals_of_test = globals()
    if name in globals_of_test:
        monkeypatch.setitem(globals_of_test, name, getattr(taylor_balls, name))


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("dot", "total.truncate(of.length) + lost * UNIT", "total.truncate(of.length)"),
        ("dot", "abs(times)", "times"),
        ("dot", "b.poly * times", "b.poly"),
        ("reciprocal", "q.plus(error * UNIT)", "q"),
        ("reciprocal", ".size / least", ".size / (least * 1000)"),
        ("powers", "found[lower] * factors[i]", "found[lower]"),
    ],
)
def test_an_error_planted_in_the_models_is_caught(monkeypatch, name, old, new):
    replant(monkeypatch, name, old, new)
    assert caught(lambda: check_products(np.random.default_rng(0)))


@pytest.mark.parametrize(
    ("old", "new"),
    [("(UNIT) + least", "[0] + least"), ("b - size if", "b if"), ("4 * b", "8 * b")],
)
def test_an_error_planted_in_the_lower_bound_is_caught(monkeypatch, old, new):
    source = textwrap.dedent(inspect.getsource(Model.least.fget))
    assert source.count(old) == 1
    local = {}
    exec(source.replace(old, new).replace("@property\n", ""), taylor_balls.__dict__, local)
    monkeypatch.setattr(Model, "least", property(local["least"]))
    assert caught(lambda: check_bounds(np.random.default_rng(0)))


@pytest.mark.parametrize(
    ("owner", "name", "old", "new"),
    [
        (PlantPolynomials, "jet", "in _leibniz(index)]", "in _leibniz(index) if len(b) < 2]"),
        (PlantPolynomials, "jet", "found[rest], -times", "found[rest], -1"),
        (PlantPolynomials, "jet", "found[index] = top * q", "found[index] = top.times(q.centre)"),
        (BoxArgument, "polynomial", "made.plus(lost * UNIT)", "made"),
        (BoxArgument, "polynomial", "x * scales[i]))", "x))"),
        (Expansion, "powers", "y[variable])", "y[0])"),
    ],
)
def test_an_error_planted_in_the_costs_is_caught(monkeypatch, owner, name, old, new):
    plant_error(monkeypatch, owner, name, old, new)
    assert caught(lambda: check_costs(np.random.default_rng(1), (2, 1), 1))


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("_shot", "K[l][j, k], 1) for l in p], pulled[j, k])", "K[l][j, k], 1) for l in p])"),
        ("_shot", "own if before.J is None else _product(own, before.J)", "own"),
        ("_shot", "int(i == j)", "0"),
        ("hessian", "for i in p], start)", "for i in p])"),
        ("hessian", "dot([(jet[(i,)], adapted.K[i][pair], 1) for i in p], start)", "start"),
        (
            "_sum",
            "zip(self.weights, models, strict=True)",
            "zip(self.weights[::-1], models, strict=True)",
        ),
        ("gradient", "adapted.J[i][j], 1)", "adapted.J[i][i], 1)"),
    ],
)
def test_an_error_planted_in_the_composition_is_caught(monkeypatch, name, old, new):
    plant_error(monkeypatch, BoxObjective, name, old, new)
    assert caught(lambda: check_objective(np.random.default_rng(2), (2, 1), 3, shots=2, eta="0.02"))


def test_a_rounding_radius_left_out_is_caught(monkeypatch):
    plant_error(monkeypatch, rim_balls.Box, "__init__", "(r + x.rad()).upper()", "r.mid()")
    assert caught(check_halves)


def test_without_planted_errors_nothing_is_caught():
    assert not caught(lambda: check_products(np.random.default_rng(0)))
    assert not caught(lambda: check_costs(np.random.default_rng(1), (2, 1), 1))
    assert not caught(lambda: check_objective(np.random.default_rng(2), (2, 1), 3, shots=2, eta="0.02"))
    assert arb(0, 1).overlaps(UNIT)
