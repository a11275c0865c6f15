"""C, ∇C, ∇²C[E], h and ∇h to 1e-9 against fifty digits that share no formula with the library.

The reference solves the Lyapunov equation as a Kronecker system and differentiates by central
differences: with 60 digits and steps of 1e-18 they are good to some 30 digits. Inside h, where a
difference of differences would be slow, ∇g is the formula 2GΣ in 60 digits, after a comparison with
differences of the cost in the same test.
"""

import itertools

import jax
import numpy as np
import pytest
from mpmath import mp, mpf

from benign.meta.adaptation import GradientStep, NormalizedStep
from benign.meta.objective import MetaObjective
from benign.tasks.family import TaskFamily
from benign.tasks.lqr import LQR

SHAPES = [(1, 1), (2, 1), (2, 2), (3, 2), (4, 2)]
STEPS = {"gradient": GradientStep, "normalized": NormalizedStep}
TOLERANCE = 1e-9
H = mpf(10) ** -18


@pytest.fixture(autouse=True)
def sixty_digits():
    with mp.workdps(60):
        yield


# --- the reference -----------------------------------------------------------------------------


def matrix(X):
    return mp.matrix(np.asarray(X).tolist())


def reference_plant(task):
    return {field: matrix(getattr(task, field)) for field in ("A", "B", "Q", "R", "S0")}


def lyapunov(L, S):
    """X = L X L' + S through (I − L ⊗ L) vec X = vec S."""
    n = L.rows
    pairs = list(itertools.product(range(n), repeat=2))
    system = mp.matrix(n * n)
    for (r, (i, j)), (c, (k, l)) in itertools.product(enumerate(pairs), repeat=2):
        system[r, c] = (1 if r == c else 0) - L[i, k] * L[j, l]
    solution = mp.lu_solve(system, mp.matrix([S[i, j] for i, j in pairs]))
    return mp.matrix(n, n) + mp.matrix([[solution[i * n + j] for j in range(n)] for i in range(n)])


def trace_product(X, Y):
    return mp.fsum(X[i, j] * Y[i, j] for i in range(X.rows) for j in range(X.cols))


def cost(p, W):
    L = p["A"] - p["B"] * W
    return trace_product(lyapunov(L.T, p["Q"] + W.T * p["R"] * W), p["S0"])


def formula_gradient(p, W):
    L = p["A"] - p["B"] * W
    P = lyapunov(L.T, p["Q"] + W.T * p["R"] * W)
    return 2 * (p["R"] * W - p["B"].T * P * L) * lyapunov(L, p["S0"])


def differences(function, W):
    """The gradient of a scalar function of a matrix."""
    G = mp.matrix(W.rows, W.cols)
    for i, j in itertools.product(range(W.rows), range(W.cols)):
        E = mp.matrix(W.rows, W.cols)
        E[i, j] = H
        G[i, j] = (function(W + E) - function(W - E)) / (2 * H)
    return G


def reference_h(problem, kind, shots, eta, W):
    total = mpf(0)
    for weight, f, g in problem:
        V = W
        for _ in range(shots):
            G = formula_gradient(g, V)
            length = mp.sqrt(trace_product(G, G)) if kind == "normalized" else 1
            V = V - eta / length * G
        total += weight * cost(f, V)
    return total


# --- the comparison ----------------------------------------------------------------------------


def assert_agrees(actual, expected):
    expected = np.array(expected.tolist(), dtype=float).reshape(np.shape(actual))
    assert np.abs(expected).max() > 1e-3  # a relative error needs something to be relative to
    assert np.abs(np.asarray(actual) - expected).max() <= TOLERANCE * np.abs(expected).max()


def random_task(rng, n, m, adaptation=None):
    def positive(size):
        X = rng.normal(size=(size, size))
        return X @ X.T / size + 0.2 * np.eye(size)

    A = 1.1 * rng.normal(size=(n, n)) / np.sqrt(n)
    return LQR(A, rng.normal(size=(n, m)), positive(n), positive(m), positive(n), adaptation=adaptation)


def nearby_family(rng, n, m):
    """Two perturbations of one plant, the second with f ≠ g, and a gain off every optimum."""
    base = random_task(rng, n, m)

    def perturbed(adaptation=None):
        shaken = [np.asarray(X) * (1 + 0.02 * rng.normal()) for X in (base.A, base.B, base.Q, base.R)]
        return LQR(*shaken, base.S0, adaptation=adaptation)

    tasks = [perturbed(), perturbed(perturbed())]
    W = np.asarray(base.optimum().W) + 0.03 * rng.normal(size=(m, n))
    return tasks, W


@pytest.mark.parametrize(("n", "m"), SHAPES)
def test_cost_gradient_and_hessian(n, m):
    rng = np.random.default_rng(100 * n + m)
    for _ in range(2):
        task = random_task(rng, n, m)
        W = np.asarray(task.optimum().W) + 0.05 * rng.normal(size=(m, n))
        E = rng.normal(size=(m, n))
        p, point, direction = reference_plant(task), matrix(W), matrix(E)
        assert np.isfinite(task.cost(W))
        assert float(task.cost(W)) == pytest.approx(float(cost(p, point)), rel=TOLERANCE)
        gradient = differences(lambda V, p=p: cost(p, V), point)
        assert_agrees(task.gradient(W), gradient)
        assert mp.norm(formula_gradient(p, point) - gradient) < mpf(10) ** -25 * mp.norm(gradient)

        def slope(V, p=p, direction=direction):
            return (cost(p, V + H * direction) - cost(p, V - H * direction)) / (2 * H)

        assert_agrees(task.hessian_product(W, E), differences(slope, point))


@pytest.mark.parametrize("kind", STEPS)
@pytest.mark.parametrize("shots", [1, 2, 3])
@pytest.mark.parametrize(("n", "m"), SHAPES)
def test_meta_objective_and_its_gradient(n, m, shots, kind):
    rng = np.random.default_rng(100 * n + 10 * m + shots)
    tasks, W = nearby_family(rng, n, m)
    eta = 2.0**-9
    objective = MetaObjective(TaskFamily(tasks, [0.25, 0.75]), STEPS[kind](eta, shots))
    for task in tasks:  # what the reference takes on trust below
        g = reference_plant(task.g)
        exact = formula_gradient(g, matrix(W))
        error = exact - differences(lambda V, g=g: cost(g, V), matrix(W))
        assert mp.norm(error) < mpf(10) ** -25 * mp.norm(exact)

    problem = [
        (mpf(weight), reference_plant(task), reference_plant(task.g))
        for weight, task in zip(["0.25", "0.75"], tasks, strict=True)
    ]

    def h(V):
        return reference_h(problem, kind, shots, mpf(eta), V)

    value, gradient = jax.jit(lambda W: (objective.value(W), objective.gradient(W)))(W)
    assert np.isfinite(value)
    assert float(value) == pytest.approx(float(h(matrix(W))), rel=TOLERANCE)
    assert_agrees(gradient, differences(h, matrix(W)))


@pytest.mark.parametrize(
    ("n", "m", "kind"),
    [(1, 1, "gradient"), (2, 1, "normalized"), (2, 2, "gradient"), (3, 2, "normalized")],
)
def test_meta_hessian(n, m, kind):
    """⟨D, ∇²h[E]⟩ by the mixed second difference of h."""
    rng = np.random.default_rng(7 * n + m)
    tasks, W = nearby_family(rng, n, m)
    eta, shots = 2.0**-9, 2
    objective = MetaObjective(TaskFamily(tasks, [0.5, 0.5]), STEPS[kind](eta, shots))
    D, E = rng.normal(size=(2, m, n))
    problem = [(mpf("0.5"), reference_plant(task), reference_plant(task.g)) for task in tasks]

    def h(a, b):
        V = matrix(W) + a * H * matrix(D) + b * H * matrix(E)
        return reference_h(problem, kind, shots, mpf(eta), V)

    expected = (h(1, 1) - h(1, -1) - h(-1, 1) + h(-1, -1)) / (4 * H**2)
    actual = np.sum(D * np.asarray(objective.hessian_product(W, E)))
    assert actual == pytest.approx(float(expected), rel=TOLERANCE)
