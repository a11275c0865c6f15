"""A cross term 2 s'N a of the stage cost: read, refused, saved, sampled; costs against rollouts."""

from __future__ import annotations

import warnings
from fractions import Fraction

import jax
import numpy as np
import pytest
import scipy.signal
from scipy.linalg import solve_discrete_are
from task_reference import assert_derivatives

import benign
from benign.errors import FileFormatError, ProblemError, RoundingWarning
from benign.exact.definite import is_semidefinite
from benign.tasks.files import dumps, loads
from benign.tasks.finite_horizon import FiniteHorizon
from benign.tasks.sampled import SampledCost, Sampling
from benign.tasks.task import Task as AnyTask

FILE = """
benign = 1
[[tasks]]
name = "pitch"
A = [[1, 0.1], [0, 1]]
B = [[0], [0.1]]
Q = [[1, 0], [0, 1]]
R = 2
"""
A, B = np.array([[1, 0.1], [0, 1]]), np.array([[0], [0.1]])


def numbers(n: int, m: int, seed: int = 0) -> dict[str, np.ndarray]:
    """A stable plant and a weight of (s, a) that is ≻ 0, with a large cross term."""
    rng = np.random.default_rng([n, m, seed])
    A = rng.normal(size=(n, n))
    A *= 0.8 / np.abs(np.linalg.eigvals(A)).max()
    C = rng.normal(size=(n + m, n + m))
    M = C @ C.T + 0.2 * np.eye(n + m)
    return {
        "A": A, "B": rng.normal(size=(n, m)), "Q": M[:n, :n], "R": M[n:, n:], "N": M[:n, n:],
    }  # fmt: skip


def rollout(p: dict[str, np.ndarray], W: np.ndarray, steps: int = 400, gamma: float = 1.0) -> float:
    """Σ γᵗ E[s'Qs + 2 s'N a + a'Ra] under a = −W s, the second moment carried forward."""
    moment, total = np.eye(len(p["A"])), 0.0
    L = p["A"] - p["B"] @ W
    weight = p["Q"] - p["N"] @ W - W.T @ p["N"].T + W.T @ p["R"] @ W
    for t in range(steps):
        total += gamma**t * np.trace(weight @ moment)
        moment = L @ moment @ L.T
    return total


def riccati(p: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    P = solve_discrete_are(p["A"], p["B"], p["Q"], p["R"], s=p["N"])
    pull = p["B"].T @ P @ p["A"] + p["N"].T
    return np.linalg.solve(p["R"] + p["B"].T @ P @ p["B"], pull), P


@pytest.mark.parametrize(("n", "m"), [(1, 1), (2, 2)])
def test_cost_derivatives_and_optimum(n, m):
    p = numbers(n, m)
    task = benign.LQR(**p)
    W, P = riccati(p)
    best = task.optimum()
    assert np.asarray(best.W) == pytest.approx(W, rel=1e-9, abs=1e-11)
    assert np.asarray(best.P) == pytest.approx(P, rel=1e-9, abs=1e-11)
    assert float(best.cost) == pytest.approx(np.trace(P), rel=1e-11)
    rng = np.random.default_rng(1)
    V = W + 0.05 * rng.normal(size=W.shape)
    assert float(task.cost(V)) == pytest.approx(rollout(p, V), rel=1e-11)
    assert float(task.cost(W)) < float(task.cost(V))
    slope, bend = np.asarray(task.gradient(V)), np.asarray(task.hessian(V))
    for i, j in np.ndindex(m, n):
        E = np.zeros((m, n))
        E[i, j] = 1e-4
        above, here, below = (rollout(p, V + s * E) for s in (1, 0, -1))
        assert slope[i, j] == pytest.approx((above - below) / 2e-4, rel=1e-5, abs=1e-4)
        assert bend[i, j, i, j] == pytest.approx((above - 2 * here + below) / 1e-8, rel=1e-4, abs=1e-3)


def test_discount_and_noise_go_with_it():
    p = numbers(2, 1)
    W = riccati(p)[0] + 0.05
    noise = np.array([[0.3, 0.1], [0.1, 0.2]])
    task = benign.LQR(**p, discount=0.9, noise=noise)
    quiet = benign.LQR(**p, discount=0.9)
    assert float(quiet.cost(W)) == pytest.approx(rollout(p, W, gamma=0.9), rel=1e-11)
    # The noise of time t is a start at t + 1: γ/(1 − γ) times the cost from V.
    root = np.linalg.cholesky(noise)
    turned = dict(p, A=np.linalg.solve(root, p["A"] @ root), B=np.linalg.solve(root, p["B"]))
    turned |= {"Q": root.T @ p["Q"] @ root, "N": root.T @ p["N"]}
    more = 9 * rollout(turned, W @ root, gamma=0.9)
    assert float(task.cost(W)) == pytest.approx(rollout(p, W, gamma=0.9) + more, rel=1e-10)


def test_jax_differentiates_in_the_cross_term_too():
    p = numbers(2, 1)
    W = riccati(p)[0] + 0.05

    def cost(N):
        return benign.LQR(p["A"], p["B"], p["Q"], p["R"], N=N).cost(W)

    slope, E = np.asarray(jax.grad(cost)(p["N"])), np.array([[0.0], [1e-6]])
    rise = (rollout(dict(p, N=p["N"] + E), W) - rollout(dict(p, N=p["N"] - E), W)) / 2e-6
    assert slope[1, 0] == pytest.approx(rise, rel=1e-6)
    task = benign.LQR(**p)
    assert float(jax.jit(lambda t, W: t.cost(W))(task, W)) == pytest.approx(rollout(p, W), rel=1e-11)


# --- what is read and refused ----------------------------------------------------------------------


def test_zeros_are_none():
    assert loads(FILE + "N = [[0], [0]]").family == loads(FILE).family
    task = benign.LQR(A, B, np.eye(2), 2, N=[[0], ["0"]])
    assert task.N is None or not np.asarray(task.N).any()
    assert task.exact_plant() == benign.LQR(A, B, np.eye(2), 2).exact_plant()
    assert benign.LQR(1, 1, 1, 1, N=0).exact_plant().N is None


def test_files_and_python_say_the_same():
    read = loads(FILE + "N = [[0], [0.2]]\n[tasks.adaptation]\nN = [[0.1], [0]]").family.tasks[0]
    assert ((0,), (Fraction(1, 5),)) == read.f.N
    assert ((Fraction(1, 10),), (0,)) == read.g.N
    made = benign.LQR(A.tolist(), [[0], ["0.1"]], np.eye(2), 2, N=[[0], ["0.2"]])
    assert made.exact_plant().N == read.f.N


@pytest.mark.parametrize("format", ["toml", "json"])
def test_a_family_is_written_and_read_back(format):
    text = FILE + 'N = [["1/3"], [0.2]]\n[tasks.adaptation]\nN = [[0], [0]]\n'
    family = loads(text).family
    assert loads(dumps(family, format), format).family == family
    assert family.tasks[0].g.N is None
    assert benign.TaskFamily.from_exact(family).exact() == family


@pytest.mark.parametrize(
    ("N", "words"),
    [
        (
            [[0], [1.5]],
            r"task `x`: `N` is too large: .* the smallest eigenvalue .* is -0\.125; give",
        ),
        ([[0, 0.2]], r"`N` must have shape \(2, 1\)"),
        ([[0], ["a"]], "`N`: expected a number"),
        ([[0], [np.nan]], "`N` holds a NaN"),
    ],
)
def test_what_is_no_cross_term_is_refused(N, words):
    with pytest.raises(ProblemError, match=words):
        benign.LQR(A, B, np.eye(2), 2, N=N, name="x")


def test_files_refuse_it_too():
    with pytest.raises(ProblemError, match="task 0 `pitch`: `N` is too large"):
        loads(FILE + "N = [[0], [1.5]]")
    with pytest.raises(ProblemError, match="adaptation: `N` is too large"):
        loads(FILE + "[tasks.adaptation]\nN = [[1], [1.2]]")
    with pytest.raises(ProblemError, match="`N` is 1 × 1; it must be 2 × 1"):
        loads(FILE + "N = 1")
    with pytest.raises(FileFormatError, match="unknown key `n`; did you mean `N`"):
        loads(FILE + "n = 1")


def test_nothing_is_added_to_a_weight_of_nothing():
    with pytest.raises(ProblemError, match="`N` is too large"):
        benign.LQR(0.5, 1, 0, 1, N=1e-9)
    with pytest.raises(ProblemError, match="`N` is too large"):
        loads("benign = 1\n[[tasks]]\nA = 0.5\nB = 1\nQ = 0\nR = 1\nN = 1e-9")


def outside() -> dict[str, np.ndarray]:
    """C'C of outputs y = C s + D a in floats, exactly indefinite by a rounding."""
    rng = np.random.default_rng(0)
    while True:
        C, D = np.round(rng.uniform(0.2, 2, (1, 2)), 2), np.round(rng.uniform(0.2, 2, (1, 1)), 2)
        p = {"A": A * 0.9, "B": B, "Q": C.T @ C, "R": D.T @ D, "N": C.T @ D}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RoundingWarning)
            if not np.array_equal(np.asarray(benign.LQR(**p).Q), p["Q"]):
                return p


def test_an_output_price_is_raised_and_that_is_said():
    p = outside()
    with pytest.warns(RoundingWarning, match=r"was indefinite by a rounding; up to .* was added to"):
        task = benign.LQR(**p)
    assert np.abs(np.asarray(task.Q) - p["Q"]).max() <= 1e-14
    assert is_semidefinite(task.exact_plant().completed.Q)
    with pytest.warns(RoundingWarning):
        stacked = benign.TaskFamily.stack(**{k: np.stack([v, v]) for k, v in p.items()})
    for exact in stacked.exact().tasks:
        assert is_semidefinite(exact.f.completed.Q)
    text = dumps(stacked.exact())
    assert loads(text).family == stacked.exact()


def test_a_replaced_array_is_judged_again():
    task = benign.LQR(**numbers(2, 1))
    assert task.changed(Q=0.01 * task.Q).N is not None
    with pytest.raises(ProblemError, match="`N` is too large"):
        task.changed(Q=0.01 * task.Q).exact_plant()
    with pytest.raises(ProblemError, match="`R` must be positive definite"):
        task.changed(R=0 * task.R).exact_plant()


# --- other doors -----------------------------------------------------------------------------------


def test_stacked_families_mix_tasks_with_and_without():
    one, two = benign.LQR(**numbers(2, 1), name="one"), benign.LQR(A * 0.9, B, np.eye(2), 2, name="two")
    family = benign.TaskFamily([one, two])
    assert [task.N is None for task in family] == [False, True]
    assert family.exact().tasks[0].f.N == one.exact_plant().N
    assert family.exact().tasks[1].f.N is None
    assert benign.TaskFamily.from_exact(family.exact()).exact() == family.exact()


def test_outputs_with_a_direct_part():
    """y = C s + D a costs y'y: Q = C'C, N = C'D, R = D'D; in discrete and in continuous time."""
    C, D = np.array([[1.0, 0.0], [0.0, 0.0]]), np.array([[0.3], [1.0]])
    weights = {"Q": C.T @ C, "R": D.T @ D, "N": C.T @ D}
    model = scipy.signal.dlti(0.9 * A, B, C, D, dt=0.1)
    task = benign.LQR.from_state_space(model, **weights)
    assert float(task.cost([[0.1, 0.2]])) == pytest.approx(
        rollout({"A": 0.9 * A, "B": B, **weights}, np.array([[0.1, 0.2]])), rel=1e-12
    )
    slow = benign.LQR([[0, 1], [0, 0]], [[0], [1]], **weights, time="continuous", dt=0.1)
    held = benign.LQR(A, [[0.005], [0.1]], **weights)
    W = np.asarray(held.optimum().W)
    assert float(slow.cost(W)) == pytest.approx(float(held.cost(W)), rel=1e-12)


def test_average_cost():
    p = numbers(2, 1)
    noise = np.diag([0.5, 0.1])
    task = benign.LQR.average_cost(p["A"], p["B"], p["Q"], p["R"], noise, N=p["N"])
    same = benign.LQR(p["A"], p["B"], p["Q"], p["R"], noise, N=p["N"])
    W = riccati(p)[0]
    assert float(task.cost(W)) == float(same.cost(W))


def test_normalised_costs_are_scaled_as_a_whole():
    tasks = [benign.LQR(**numbers(2, 1, seed), name=f"t{seed}") for seed in range(3)]
    made = benign.normalize(benign.TaskFamily(tasks))
    sizes = [float(task.optimum().cost) for task in made]
    assert sizes == pytest.approx([sizes[0]] * 3, rel=1e-9)
    for before, after in zip(tasks, made, strict=True):
        c = np.asarray(after.R) / np.asarray(before.R)
        assert np.asarray(after.N) == pytest.approx(c * np.asarray(before.N), rel=1e-12)
        assert np.asarray(after.optimum().W) == pytest.approx(np.asarray(before.optimum().W), rel=1e-9)


@pytest.mark.parametrize("per_step", [False, True])
def test_a_finite_horizon(per_step):
    p = numbers(2, 1)
    cost = FiniteHorizon(**p, horizon=6, per_step=per_step, discount=0.9)
    rng = np.random.default_rng(0)
    W, E = 0.3 * rng.normal(size=(2, *cost.shape))
    if not per_step:
        assert float(AnyTask(cost).value(W)) == pytest.approx(rollout(p, W, 6, 0.9), rel=1e-13)
    if per_step:
        assert_derivatives(cost, W, E)
    best = cost.optimum()
    assert (best is None) != per_step
    if best is not None:
        assert np.abs(np.asarray(cost.gradient(best.W))).max() < 1e-12
        assert float(best.value) < float(cost.value(W))
    with pytest.raises(ProblemError, match="step 0: `N` is too large"):
        FiniteHorizon(**dict(p, N=30 * p["N"]), horizon=2)


def test_rollouts_pay_for_it():
    p = numbers(2, 1)
    task = benign.LQR(**p)
    W = riccati(p)[0]
    seen = SampledCost(task, Sampling(horizon=5, directions=2000), jax.random.key(0))
    assert float(seen.truncated().value(W)) == pytest.approx(rollout(p, W, 5), rel=1e-12)
    assert float(seen.value(W)) == pytest.approx(rollout(p, W, 5), rel=0.1)
