"""LQR in balls: containment against mpmath at 50 digits, by other routes to the same numbers.

The reference solves each Lyapunov equation as one linear system, (I − L ⊗ L) vec X = vec S, and takes
derivatives by central differences of the cost; no formula of a gradient or Hessian is shared.
"""

import time
from fractions import Fraction

import mpmath as mp
import numpy as np
import pytest
import scipy.linalg
from flint import arb, arb_mat, ctx

from benign.balls.lqr import (
    BallPlant,
    ClosedLoop,
    LqrObjective,
    NotStabilising,
    gain_matrix,
    least_cost,
    optimum,
)
from benign.balls.matrices import Unproved, is_positive_definite
from benign.exact.problem import Plant, Problem, Task, make_family, make_step

DIGITS = 50


@pytest.fixture(autouse=True)
def _precision():
    with ctx.workprec(128), mp.workdps(DIGITS):
        yield


def exact(M):
    return tuple(tuple(Fraction(float(x)) for x in row) for row in np.atleast_2d(M))


def floats(M):
    return np.array([[float(x) for x in row] for row in M])


def definite(rng, n):
    G = rng.normal(size=(n, n))
    return G @ G.T / n + 0.1 * np.eye(n)


def plant(n, m, seed, *, rho=1.2, discount=1, noise=False):
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(n, n))
    A *= rho / max(abs(np.linalg.eigvals(A)))
    return Plant(
        exact(A),
        exact(rng.normal(size=(n, m))),
        exact(np.triu(Q := definite(rng, n)) + np.triu(Q, 1).T),
        exact(np.triu(R := definite(rng, m)) + np.triu(R, 1).T),
        exact(np.triu(S := definite(rng, n)) + np.triu(S, 1).T),
        Fraction(discount),
        exact(np.eye(n)) if noise else None,
    )


def best(p):
    root = float(p.discount) ** 0.5
    A, B, Q, R = root * floats(p.A), root * floats(p.B), floats(p.Q), floats(p.R)
    P = scipy.linalg.solve_discrete_are(A, B, Q, R)
    return np.linalg.solve(R + B.T @ P @ B, B.T @ P @ A)


def near(p, seed=0, size=0.02):
    W = best(p)
    return W + size * np.random.default_rng(seed).normal(size=W.shape)


def gain(W):
    return gain_matrix(tuple(tuple(float(x) for x in row) for row in W))


# --- the reference ---------------------------------------------------------------------------


def mpm(M):
    return mp.matrix([[mp.mpf(x.numerator) / x.denominator for x in row] for row in M])


def reference_cost(p, W):
    """tr(P S0) with P from one linear system; W an mpmath matrix."""
    root = mp.sqrt(mp.mpf(p.discount.numerator) / p.discount.denominator)
    L = root * (mpm(p.A) - mpm(p.B) * W)
    stage = mpm(p.Q) + W.T * mpm(p.R) * W
    n = p.n
    pairs = [(i, j) for i in range(n) for j in range(n)]
    # P − L'PL = stage, entry by entry.
    system = mp.matrix(n * n, n * n)
    for a, (i, j) in enumerate(pairs):
        for b, (k, l) in enumerate(pairs):
            system[a, b] = (a == b) - L[k, i] * L[l, j]
    P = mp.lu_solve(system, mp.matrix([stage[i, j] for i, j in pairs]))
    S = mpm(p.moment)
    return mp.fsum(P[a] * S[i, j] for a, (i, j) in enumerate(pairs))


def slope(function, W, E, step):
    return (function(W + step * E) - function(W - step * E)) / (2 * step)


def unit(m, n, i, j):
    E = mp.matrix(m, n)
    E[i, j] = 1
    return E


def near_ball(ball: arb, number, tolerance=1e-30) -> bool:
    """Whether the ball holds the number up to the reference's own error, and is narrow."""
    text = mp.nstr(number, 48)
    slack = arb(float(tolerance)) * (1 + abs(arb(text)))
    return bool(abs(ball - arb(text)) < slack + ball.rad()) and bool(ball.rad() < slack)


def holds(ball: arb, number) -> bool:
    """Containment, up to the last digits of the reference: 42 of its 50 are taken for right."""
    text = arb(mp.nstr(number, 48))
    return ball.overlaps(text + abs(text) * arb(0, 1e-42)) and bool(
        ball.rad() < 1e-30 * (1 + abs(text))
    )


CASES = [
    (1, 1, {}),
    (2, 1, {}),
    (3, 2, {}),
    (2, 3, {}),
    (4, 2, {"discount": "9/10", "noise": True, "rho": 1.04}),
    (3, 1, {"rho": 1.5, "discount": "1/2"}),
]


@pytest.mark.parametrize(("n", "m", "options"), CASES)
def test_cost_gradient_and_hessian_hold_the_differences_of_the_cost(n, m, options):
    p = plant(n, m, n + 10 * m, **options)
    W = near(p)
    loop = ClosedLoop(BallPlant.of(p), gain(W))
    V = mp.matrix(W.tolist())
    assert holds(loop.cost, reference_cost(p, V))
    step = mp.mpf(10) ** -17
    entries = [(i, j) for i in range(m) for j in range(n)]

    def cost(W):
        return reference_cost(p, W)

    for i, j in entries:
        assert near_ball(loop.gradient[i, j], slope(cost, V, unit(m, n, i, j), step))
    step = mp.mpf(10) ** -10
    a, b = 0, len(entries) - 1
    for first, second in {(a, a), (a, b), (b, b)}:
        E, F = unit(m, n, *entries[first]), unit(m, n, *entries[second])
        value = slope(lambda W, E=E: slope(cost, W, E, step), V, F, step)
        assert near_ball(loop.hessian()[first, second], value, 1e-14)


@pytest.mark.parametrize(("n", "m"), [(2, 2), (4, 2), (8, 3)])
def test_hessian_and_its_product_agree(n, m):
    loop = ClosedLoop(BallPlant.of(p := plant(n, m, 3)), gain(near(p)))
    rng = np.random.default_rng(0)
    E = gain(rng.normal(size=(m, n)))
    product = loop.hessian_product(E).entries()
    other = (loop.hessian() * arb_mat(m * n, 1, E.entries())).entries()
    assert all(x.overlaps(y) and (x - y).rad() < 1e-20 for x, y in zip(product, other, strict=True))


@pytest.mark.parametrize("kind", ["gradient", "normalized"])
@pytest.mark.parametrize("shots", [1, 2])
def test_meta_gradient_holds_the_differences_of_h(kind, shots):
    tasks = [Task("a", plant(2, 2, 1)), Task("b", plant(2, 2, 2), plant(2, 2, 1))]
    problem = Problem(make_family(tasks, [Fraction(1), Fraction(2)]), make_step(kind, "0.003", shots))
    W = near(tasks[0].f, size=0.05)
    objective = LqrObjective(problem)
    inner = mp.mpf(10) ** -17

    def h(W):
        total = mp.mpf(0)
        for task, weight in zip(tasks, (1, 2), strict=True):
            V = W
            for _ in range(shots):
                g = mp.matrix(2, 2)
                for i in range(2):
                    for j in range(2):
                        g[i, j] = slope(
                            lambda X, g=task.g: reference_cost(g, X), V, unit(2, 2, i, j), inner
                        )
                size = mp.sqrt(mp.fsum(x**2 for x in g)) if kind == "normalized" else 1
                V = V - mp.mpf("0.003") / size * g
            total += weight * reference_cost(task.f, V) / 3
        return total

    V = mp.matrix(W.tolist())
    assert near_ball(objective.value(gain(W)), h(V), 1e-28)
    E = mp.matrix([[1, -2], [mp.mpf("0.5"), 3]])
    found = objective.gradient(gain(W))
    along = sum((found[i, j] * arb(str(E[i, j])) for i in range(2) for j in range(2)), arb(0))
    assert near_ball(along, slope(h, V, E, mp.mpf(10) ** -8), 1e-10)


@pytest.mark.parametrize("n", [2, 5, 8])
def test_random_plants_up_to_eight_states(n):
    for seed in range(3):
        p = plant(n, max(1, n // 3), seed, rho=1.1)
        W = near(p, seed, 0.01 / n)
        loop = ClosedLoop(BallPlant.of(p), gain(W))
        if seed == 0:
            assert holds(loop.cost, reference_cost(p, mp.matrix(W.tolist())))
        L = floats(p.A) - floats(p.B) @ W
        Sigma = scipy.linalg.solve_discrete_lyapunov(L, floats(p.S0))
        assert np.allclose(np.array(loop.Sigma.tolist(), float), Sigma)


# --- optimal costs ---------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "m", "options"), [*CASES, (8, 3, {})])
def test_the_least_cost_is_below_and_next_to_the_riccati_cost(n, m, options):
    p = plant(n, m, 5, **options)
    balls = BallPlant.of(p)
    start = gain(near(p))
    bound, star = least_cost(balls, start), optimum(balls, start)
    assert bound <= star.cost.upper()
    assert star.cost - bound < arb(10) ** -15 * star.cost
    assert star.cost.rad() < arb(10) ** -15 * star.cost
    assert np.allclose(np.array(star.gain.tolist(), float), best(p), atol=1e-8)
    # The enclosed gain satisfies the Riccati equation, and no gain nearby costs less than the bound.
    for seed in range(5):
        assert ClosedLoop(balls, gain(near(p, seed, 1e-6))).cost >= bound
    residual = ClosedLoop(balls, star.gain).G
    assert all(x.contains(0) for x in residual.entries())


def test_the_least_cost_does_not_depend_on_where_the_search_begins():
    p = plant(3, 2, 8)
    balls = BallPlant.of(p)
    far = ClosedLoop(balls, gain(near(p, 1, 0.1)))
    assert abs(least_cost(balls, far.W) - least_cost(balls, gain(best(p)))) < arb(10) ** -15


def two_states(Q, *, scale=1.0, S0=((1, 0), (0, 1))):
    A = scale * np.array([[1, 0.5], [0, 1]])
    return Plant(exact(A), exact([[0], [1]]), exact(Q), exact([[1]]), exact(S0))


def test_a_known_solution_is_enclosed():
    """DAREX 1.3: the least cost is 3 + √5."""
    A, B, Q = [[0, 1], [0, 0]], [[0], [1]], [[1, 2], [2, 4]]
    p = BallPlant.of(Plant(exact(A), exact(B), exact(Q), exact([[1]]), exact(np.eye(2))))
    star = optimum(p, gain([[0.0, 0.0]]))
    assert star.cost.overlaps(3 + arb(5).sqrt())
    assert star.P[1, 1].overlaps(2 + arb(5).sqrt())
    assert least_cost(p, gain([[0.0, 0.0]])) <= 3 + arb(5).sqrt()


@pytest.mark.parametrize("Q", [np.zeros((2, 2)), np.diag([0.0, 1.0])])
def test_an_infimum_that_is_not_attained_is_bounded_and_never_called_an_optimum(Q):
    """The position costs nothing and does not decay: gains that let it be approach the infimum.

    For diag(0, 1) that is the cost of the speed alone: p = 1 + p − p²/(1 + p), the golden ratio.
    """
    p = BallPlant.of(two_states(Q))
    W = gain([[0.3, 0.9]])
    bound = least_cost(p, W)
    golden = (1 + arb(5).sqrt()) / 2 if Q.any() else arb(0)
    assert bound <= golden
    assert bound > golden - 1e-2
    with pytest.raises(Unproved):
        optimum(p, W)


def test_without_state_cost_a_stable_plant_costs_nothing_at_best():
    p = BallPlant.of(two_states(np.zeros((2, 2)), scale=0.5))
    assert least_cost(p, gain([[0.0, 0.1]])) == 0
    star = optimum(p, gain([[0.0, 0.1]]))
    assert star.cost.contains(0)
    assert all(x.contains(0) for x in star.gain.entries())


def test_without_state_cost_an_unstable_plant_is_mirrored():
    """Q = 0, |λ| > 1: the optimum moves each mode to 1/λ, so det L = 1/det A."""
    p = BallPlant.of(two_states(np.zeros((2, 2)), scale=1.25))
    star = optimum(p, gain([[1.0, 1.5]]))
    L = p.A - p.B * star.gain
    assert L.det().overlaps(arb(1) / arb(1.25) ** 2)


# --- refusals --------------------------------------------------------------------------------


def test_a_gain_that_does_not_stabilise_is_refused():
    p = BallPlant.of(two_states(np.eye(2)))
    with pytest.raises(NotStabilising):
        ClosedLoop(p, gain([[0.0, -1.0]]))
    with pytest.raises(Unproved):  # ρ = 1 exactly, a double eigenvalue
        ClosedLoop(p, gain([[0.0, 0.0]]))


def test_the_normalised_step_is_refused_where_the_gradient_may_vanish():
    p = two_states(np.zeros((2, 2)), scale=0.5)
    problem = Problem(make_family([Task("idle", p)]), make_step("normalized", "0.1"))
    with pytest.raises(Unproved, match=r"`idle`.*∇g ≠ 0"):
        LqrObjective(problem).value(gain([[0.0, 0.0]]))


def test_thirty_states_take_seconds():
    p = plant(30, 3, 0, rho=1.1)
    balls, W = BallPlant.of(p), gain(best(p))
    begin = time.perf_counter()
    loop = ClosedLoop(balls, W)
    assert loop.cost.rad() < arb(10) ** -20 * loop.cost
    assert least_cost(balls, W) <= loop.cost
    assert is_positive_definite(loop.hessian())
    assert time.perf_counter() - begin < 20
