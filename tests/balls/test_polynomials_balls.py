"""Exact quotients against direct solutions, and what is used of the stabilising set against roots."""

from fractions import Fraction

import numpy as np
import pytest
from flint import arb, arb_mat, ctx, fmpq, fmpq_mat

from benign.balls.matrices import Unproved
from benign.balls.polynomials import Expansion, Frame, RationalCost, is_stable, monomials, rational
from benign.exact.problem import Plant
from several import SHAPES, balls, exact, random_frame, random_plant


@pytest.fixture(autouse=True)
def _precision():
    with ctx.workprec(192):
        yield


def value(terms, y):
    """A polynomial at exact numbers, term by term."""
    total = fmpq(0)
    for e, x in terms.items():
        for t, k in zip(y, e, strict=True):
            x = x * t**k
        total = total + x
    return total


def direct_cost(plant, W):
    """det(I − γL'⊗L') on all matrices, and tr(P S0), by one exact linear system."""
    n, m = plant.n, plant.m
    A, B, Q, R, S = (fmpq_mat([[rational(x) for x in row] for row in M])
                     for M in (plant.A, plant.B, plant.Q, plant.R, plant.moment))  # fmt: skip
    G = fmpq_mat([[W[i * n + j] for j in range(n)] for i in range(m)])
    L = A - B * G
    stage = Q + G.transpose() * R * G
    gamma = rational(plant.discount)
    pairs = [(i, j) for i in range(n) for j in range(n)]
    system = fmpq_mat(
        [[int((i, j) == (k, l)) - gamma * L[k, i] * L[l, j] for k, l in pairs] for i, j in pairs]
    )
    P = system.solve(fmpq_mat([[stage[i, j]] for i, j in pairs])).entries()
    return system.det(), sum((x * S[i, j] for x, (i, j) in zip(P, pairs, strict=True)), fmpq(0)), L


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("discount", [1, Fraction(9, 10)])
def test_the_quotient_is_the_cost_at_rational_gains(shape, discount):
    """Also where the gain does not stabilise: both are the same rational functions."""
    rng = np.random.default_rng(SHAPES.index(shape))
    n, m = shape
    plant = random_plant(rng, n, m, discount=discount, noise=discount != 1)
    frame = Frame.of(*random_frame(rng, n * m), m, n)
    cost = RationalCost.of(plant, frame)
    for _ in range(4):
        y = [fmpq(int(x), 16) for x in rng.integers(-16, 17, n * m)]
        W = [
            c + sum((frame.axes[i, j] * y[j] for j in range(n * m)), fmpq(0))
            for i, c in enumerate(frame.centre)
        ]
        whole, expected, L = direct_cost(plant, W)
        D, E = value(cost.D, y), value(cost.E, y)
        assert value(cost.N, y) == D * expected
        # ∏_{i,j} = ∏_{i≤j} · ∏_{i<j}, and ∏_i is det(I − γL²).
        assert whole == D * E
        one = fmpq_mat(n, n, [int(i == j) for i in range(n) for j in range(n)])
        assert E * (one - rational(plant.discount) * L * L).det() == D


def test_degrees_are_low():
    rng = np.random.default_rng(1)
    for n, m in SHAPES:
        frame = Frame.of(*random_frame(rng, n * m), m, n)
        cost = RationalCost.of(random_plant(rng, n, m), frame)
        degree = min(n, m) * (n + 1)
        assert max(map(sum, cost.N)) <= degree
        assert max(map(sum, cost.D)) <= degree


@pytest.mark.parametrize("shape", SHAPES)
def test_barriers_are_positive_where_gains_stabilise(shape):
    rng = np.random.default_rng(7)
    n, m = shape
    p = n * m
    plant = random_plant(rng, n, m, discount=Fraction(9, 10))
    centre, axes = random_frame(rng, p, size=1.0)
    frame = Frame.of(centre, axes, m, n)
    cost = RationalCost.of(plant, frame)
    expansion = Expansion([*cost.weights, cost.E, cost.D], p)
    seen = {True: 0, False: 0}
    A, B = np.array(plant.A, float), np.array(plant.B, float)
    for _ in range(300):
        y = rng.uniform(-2, 2, p)
        W = (np.array(centre) + np.array(axes) @ y).reshape(m, n)
        radius = max(abs(np.linalg.eigvals(A - B @ W))) * 0.9**0.5
        loop = arb_mat((0.9**0.5 * (A - B @ W)).tolist())
        if abs(radius - 1) > 1e-9:
            assert is_stable(loop) is bool(radius < 1)
        if radius < 1 - 1e-9:
            assert all(terms[0] > 0 for terms in expansion.at(balls(y)))
        seen[bool(radius < 1)] += 1
        total = sum((terms[0] for terms in expansion.at(balls(y))[: n + 1]), arb(0))
        assert abs(total - 1) < 1e-40
    assert min(seen.values()) > 5


@pytest.mark.parametrize("n", [2, 3, 4])
@pytest.mark.parametrize("discount", [1, Fraction(4, 5)])
def test_gains_of_random_stable_polynomials_lie_in_the_simplex(n, discount):
    """The gain is found by Ackermann's formula, which the library does not use."""
    rng = np.random.default_rng(n)
    plant = random_plant(rng, n, 1, discount=discount)
    centre, axes = random_frame(rng, n)
    cost = RationalCost.of(plant, Frame.of(centre, axes, 1, n))
    assert cost.vertices is not None
    corners = np.array([[float(x) for x in vertex] for vertex in cost.vertices])
    root = float(discount) ** 0.5
    A, B = root * np.array(plant.A, float), root * np.array(plant.B, float)
    control = np.hstack([np.linalg.matrix_power(A, k) @ B for k in range(n)])
    for _ in range(100):
        radii = 1 - 10.0 ** rng.uniform(-4, 0, n)
        angles = rng.uniform(0, np.pi, n // 2)
        roots = [r * np.exp(1j * t) for r, t in zip(radii, angles, strict=False)]
        roots = [*roots, *np.conj(roots)] + ([rng.choice([-1, 1]) * radii[-1]] if n % 2 else [])
        if rng.random() < 0.3:
            roots = list(rng.choice([-1, 1], n) * radii)
        a = np.real(np.poly(roots))
        phi = sum(c * np.linalg.matrix_power(A, n - k) for k, c in enumerate(a))
        W = np.eye(n)[-1] @ np.linalg.solve(control, phi)
        y = np.linalg.solve(np.array(axes), W - np.array(centre))
        system = np.vstack([corners.T, np.ones(n + 1)])
        shares = np.linalg.solve(system, np.append(y, 1))
        assert shares.min() > -1e-7
        # The same numbers as the weights of the closed loop's polynomial.
        weights = [float(t[0]) for t in Expansion(cost.weights, n).at(balls(y))]
        np.testing.assert_allclose(weights, shares, atol=1e-6)


def test_an_expansion_is_the_polynomial():
    rng = np.random.default_rng(3)
    terms = {e: fmpq(int(rng.integers(-9, 10)), 7) for e in monomials(3, 4)}
    expansion = Expansion([terms, {(1, 0, 2): fmpq(5)}], 3)
    y, d = [fmpq(1, 3), fmpq(-2, 5), fmpq(4)], [fmpq(1, 7), fmpq(3), fmpq(-1, 2)]
    for polynomial, c in zip(
        (terms, {(1, 0, 2): fmpq(5)}), expansion.at([arb(x) for x in y]), strict=True
    ):
        powers = expansion.powers([arb(x) for x in d])
        moved = sum((a * b for a, b in zip(c, powers, strict=True)), arb(0))
        expected = arb(value(polynomial, [a + b for a, b in zip(y, d, strict=True)]))
        assert moved.overlaps(expected)
        assert moved.rad() < 1e-45


def test_what_cannot_be_stabilised_and_bad_frames_are_told():
    plant = Plant(*(exact(M) for M in ([[1, 0], [0, 0.5]], [[0], [1]], np.eye(2), [[1]], np.eye(2))))
    frame = Frame.of([0.0, 0.0], [[1.0, 0.0], [0.0, 1.0]], 1, 2)
    with pytest.raises(Unproved, match="no gain stabilises"):
        RationalCost.of(plant, frame)
    with pytest.raises(Unproved, match="dependent"):
        Frame.of([0.0, 0.0], [[1.0, 2.0], [0.5, 1.0]], 1, 2)


def test_the_recursion_of_schur_and_cohn_leaves_the_rim_open():
    assert is_stable(arb_mat([[arb(1, 1e-9)]])) is None
    assert is_stable(arb_mat([[1, 0], [0, 0.5]])) is False
    assert is_stable(arb_mat([[0, 1], [0, 0]])) is True
