"""C = N/D against exact Lyapunov equations and eigenvalues; simplices against random stable loops."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from flint import ctx, fmpq, fmpq_mat

from benign.floats import fractions_of_gain
from benign.floats.bounds import entries
from benign.floats.facets import Facets, simplex_gains
from benign.floats.fractions_of_gain import cost_polynomials, directional, inverse_turn, stable_simplex
from benign.floats.frames import frame_of, holds_all, own_frame, root_frame
from benign.floats.polynomials import Polynomials
from benign.floats.taylor import Model, basis
from several import random_frame, random_plant, random_problem

SHAPES = [(2, 1), (3, 1), (4, 1), (1, 2), (1, 3), (2, 2)]


def make(seed, n, m):
    rng = np.random.default_rng(seed)
    plant = random_plant(rng, n, m, discount=Fraction(3, 4), noise=True)
    centre, axes = random_frame(rng, n * m)
    return rng, plant, frame_of(np.array(centre), np.array(axes))


def rational(rng, p) -> list[Fraction]:
    return [Fraction(int(x), 64) for x in rng.integers(-64, 65, p)]


def value(f, y) -> Fraction:
    found = Fraction(0)
    for k, c in f.items():
        for power, x in zip(k, y, strict=True):
            c = c * x**power
        found += c
    return found


def q(M) -> fmpq_mat:
    return fmpq_mat([[fmpq(x.numerator, x.denominator) for x in row] for row in M])


def closed(plant, frame, y) -> tuple[fmpq_mat, fmpq_mat]:
    flat = frame.gain(y)
    W = q([flat[i * plant.n : (i + 1) * plant.n] for i in range(plant.m)])
    return W, q(plant.A) - q(plant.B) * W


def exact_cost(plant, frame, y) -> Fraction:
    """tr(P S), from P = Q + W'RW + γL'PL as n² linear equations, Kronecker products and all."""
    W, L = closed(plant, frame, y)
    n, gamma = plant.n, fmpq(plant.discount.numerator, plant.discount.denominator)
    K = fmpq_mat(n * n, n * n)
    for i, j, a, b in product(range(n), repeat=4):
        K[i * n + j, a * n + b] = fmpq(int((i, j) == (a, b))) - gamma * L[a, i] * L[b, j]
    stage = q(plant.Q) + W.transpose() * q(plant.R) * W
    P = K.solve(fmpq_mat(n * n, 1, stage.entries()))
    S = q(plant.moment).entries()
    c = sum((x * y for x, y in zip(P.entries(), S, strict=True)), fmpq(0))
    return Fraction(int(c.p), int(c.q))


def check_costs(seed, n, m) -> None:
    rng, plant, frame = make(seed, n, m)
    N, D = cost_polynomials(plant, frame)
    for _ in range(4):
        y = rational(rng, frame.p)
        assert value(N, y) / value(D, y) == exact_cost(plant, frame, y)
        L = closed(plant, frame, y)[1]
        roots = np.linalg.eigvals(np.array([[float(x.p) / float(x.q) for x in r] for r in L.tolist()]))
        pairs = [(i, j) for i in range(n) for j in range(i, n)]
        expected = np.prod([1 - float(plant.discount) * roots[i] * roots[j] for i, j in pairs])
        assert float(value(D, y)) == pytest.approx(expected.real, rel=1e-8, abs=1e-10)


@pytest.mark.parametrize(("n", "m"), SHAPES)
def test_the_cost_is_the_quotient(n, m):
    check_costs(n + 10 * m, n, m)


@pytest.mark.parametrize(("n", "m"), [(2, 1), (3, 1)])
def test_a_degree_too_low_is_caught(monkeypatch, n, m):
    monkeypatch.setattr(fractions_of_gain, "degree_bound", lambda n, m: n)
    with pytest.raises(AssertionError):
        check_costs(1, n, m)


def test_directional_derivatives_in_another_frame():
    rng, plant, frame = make(1, 2, 1)
    own = own_frame(plant)
    M = inverse_turn(frame, own)
    N, N_own = cost_polynomials(plant, frame)[0], cost_polynomials(plant, own)[0]
    y = rational(rng, 2)
    inverse = q(own.axes).inv()
    gap = fmpq_mat(2, 1, [fmpq(x.numerator, x.denominator) for x in
                          (a - b for a, b in zip(frame.gain(y), own.centre, strict=True))])  # fmt: skip
    z = [Fraction(int(x.p), int(x.q)) for x in (inverse * gap).entries()]
    assert value(N, y) == value(N_own, z)
    for i in range(2):
        unit = [Fraction(int(i == j)) for j in range(2)]
        along = [row[i] for row in M]
        assert value(directional(N, along), y) == value(directional(N_own, unit), z)


# --- simplices -------------------------------------------------------------------------------


def stable_polynomial(rng, n) -> np.ndarray:
    roots = []
    while len(roots) < n:
        size = rng.choice([rng.uniform(), 0.999])
        if n - len(roots) > 1 and rng.uniform() < 0.5:
            root = size * np.exp(1j * rng.uniform(0, np.pi))
            roots += [root, root.conjugate()]
        else:
            roots.append(size * rng.choice([-1, 1]))
    return np.real(np.poly(roots))[1:]


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_stable_polynomials_lie_in_the_simplex(n):
    rng = np.random.default_rng(n)
    plant = random_plant(rng, n, 1)
    corners = np.array([[float(x) for x, _ in corner] for corner in stable_simplex(plant)])
    system = np.vstack([corners.T, np.ones(n + 1)])
    for _ in range(200):
        weights = np.linalg.solve(system, [*stable_polynomial(rng, n), 1.0])
        assert weights.min() > -1e-9


@pytest.mark.parametrize(("n", "m"), [(2, 1), (3, 1), (1, 2), (2, 2), (1, 3)])
def test_stabilising_gains_are_inside_all_half_spaces(n, m):
    """And the simplex, the own frame, the root frame; some gains are outside."""
    rng = np.random.default_rng(n)
    plant = random_plant(rng, n, m, rho=0.9, discount=Fraction(9, 10))
    p = n * m
    frame = own_frame(plant) or frame_of(np.zeros(p), np.eye(p))
    facets = Facets([plant], [frame])
    A, B = np.array(plant.A, float), np.array(plant.B, float)
    axes, centre = np.array(frame.axes, float), np.array(frame.centre, float)
    Y = 1.5 * rng.uniform(-1, 1, (p, 4000)) if m == 1 else 2 * rng.normal(size=(p, 4000))
    W = (centre[:, None] + axes @ Y).T.reshape(-1, m, n)
    stable = np.abs(np.linalg.eigvals(A - B @ W)).max(axis=1) * 0.9**0.5 < 1
    B0 = basis(p, 1)
    c = np.zeros((B0.size, p, 1, 4000))
    c[0] = Y[:, None]
    out = facets.outside(Model(B0, c, np.zeros((p, 1, 4000))))[0]
    assert stable.sum() > 20
    assert out.sum() > 100
    assert not (out & stable).any()
    if m == 1:
        assert (np.abs(Y[:, stable]) <= 1).all()
        assert holds_all(frame, [plant])


def test_a_root_box_that_is_too_small_is_refused():
    problem = random_problem(np.random.default_rng(4), 2, 1, tasks=3)
    plants = [task.g for task in problem.tasks]
    frame = root_frame(plants)
    assert holds_all(frame, plants)
    axes = np.array(frame.axes, float)
    assert not holds_all(frame_of(np.array(frame.centre, float), axes * (1 - 1e-6)), plants)
    assert not holds_all(frame_of(np.array(frame.centre, float) + 1e-6 * axes[:, 0], axes), plants)
    two = random_plant(np.random.default_rng(0), 1, 2)
    assert not holds_all(frame_of(np.zeros(2), np.eye(2)), [two])


def test_corners_are_those_of_the_closed_loop():
    """At the corner (z − 1)ⁱ(z + 1)ⁿ⁻ⁱ all eigenvalues of √γ(A − bW) are ±1."""
    plant = random_plant(np.random.default_rng(2), 3, 1, discount=Fraction(1, 2))
    with ctx.workprec(128):
        for i, corner in enumerate(simplex_gains(plant)):
            W = entries(corner).mid
            loop = 0.5**0.5 * (np.array(plant.A, float) - np.array(plant.B, float) @ W)
            found = np.poly(loop)
            np.testing.assert_allclose(found, np.poly([1] * i + [-1] * (3 - i)), atol=1e-9)


# --- on boxes --------------------------------------------------------------------------------


def lost(f, held, y0, r):
    """What shifted coefficients miss of the exact Taylor expansion, summed by degree; the bounds."""
    c, error = held.shifted(y0, r)
    p = held.basis.p
    missed = [Fraction(0)] * (held.basis.degree + 1)
    for i, k in enumerate(tuple(k) for k in held.basis.exponents.tolist()):
        g, scale = f, Fraction(1)
        for axis, power in enumerate(k):
            for order in range(power):
                g = directional(g, [Fraction(int(axis == j)) for j in range(p)])
                scale *= Fraction(float(r[axis, 0, 0])) / (order + 1)
        exact = value(g, [Fraction(float(x)) for x in y0[:, 0, 0]]) * scale
        missed[sum(k)] += abs(exact - Fraction(float(c[i, 0, 0])))
    return missed, [Fraction(float(bound)) for bound in error[:, 0, 0]]


@pytest.mark.parametrize("radius", [0.1, 1e-9])
@pytest.mark.parametrize("far", [1.0, 3.0])
@pytest.mark.parametrize(("n", "m"), [(2, 1), (2, 2)])
def test_shifted_polynomials(n, m, far, radius):
    """Coefficients against the exact Taylor expansion, also about centres beyond the cube."""
    rng, plant, frame = make(3, n, m)
    p = n * m
    f = cost_polynomials(plant, frame)[1]
    y0, r = far * rng.uniform(-1, 1, (p, 1, 1)), rng.uniform(0, radius, (p, 1, 1))
    missed, bounds = lost(f, Polynomials([f], p), y0, r)
    assert sum(missed) > 0
    assert all(a <= b for a, b in zip(missed, bounds, strict=True))


def valley():
    """10⁶ (x − y/3)² + 10⁻⁶: where it is small its terms cancel twelve digits."""
    size, third = 10**6, Fraction(1, 3)
    f = {(2, 0): Fraction(size), (1, 1): -2 * size * third, (0, 2): size * third**2}
    return f | {(0, 0): Fraction(1, size)}


def test_what_cancels_is_shifted_in_pairs_of_floats():
    f = valley()
    y0, r = np.array([0.25 + 2.0**-40, 0.75]).reshape(2, 1, 1), np.full((2, 1, 1), 2.0**-30)
    held = Polynomials([f], 2)
    missed, bounds = lost(f, held, y0, r)
    assert all(a <= b for a, b in zip(missed, bounds, strict=True))
    at = value(f, [Fraction(float(x)) for x in y0[:, 0, 0]])
    assert bounds[0] < at / 10**13  # one float a coefficient would leave about a thousandth of it
    wide, narrow = np.full((2, 1, 1), 0.125), held.shifted(y0, r)[1][0]
    assert held.shifted(y0, wide)[1][0] > 1e6 * narrow  # of no use in a box where f varies so much


def test_lost_second_halves_of_coefficients_would_be_seen():
    f = valley()
    y0, r = np.array([0.25 + 2.0**-40, 0.75]).reshape(2, 1, 1), np.full((2, 1, 1), 2.0**-30)
    held = Polynomials([f], 2)
    held.rest = 0.0 * held.rest
    missed, bounds = lost(f, held, y0, r)
    assert missed[0] > bounds[0]
