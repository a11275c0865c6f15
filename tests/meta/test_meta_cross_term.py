"""h of tasks with a cross term, by every route: compiled, XLA's kernels, JAX, NumPy, training."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.linalg import solve_discrete_lyapunov

from benign.kernels import loops, plain
from benign.meta import batched, by_xla
from benign.meta.adaptation import GradientStep, NormalizedStep
from benign.meta.doubling import closed_loop
from benign.meta.objective import MetaObjective
from benign.tasks.family import TaskFamily
from benign.tasks.lqr_by_jax import regulator

ETA = 0.003


def numbers(n: int, m: int, k: int, *, seed: int = 0) -> dict[str, np.ndarray]:
    """k stable plants near one another; of their cross terms the first is zero."""
    rng = np.random.default_rng([n, m, seed])
    A = rng.normal(size=(n, n))
    A *= 0.6 / np.abs(np.linalg.eigvals(A)).max()
    B = rng.normal(size=(n, m))
    C = rng.normal(size=(k, n + m, n + m)) / np.sqrt(n + m)
    M = C @ C.swapaxes(1, 2) + 0.3 * np.eye(n + m)
    N = M[:, :n, n:].copy()
    N[0] = 0
    return {
        "A": A + 0.03 * rng.normal(size=(k, n, n)),
        "B": B + 0.03 * rng.normal(size=(k, n, m)),
        "Q": M[:, :n, :n],
        "R": M[:, n:, n:],
        "N": N,
    }


def families(n: int, m: int, k: int, *, split: bool) -> tuple[TaskFamily, list[dict], list[dict]]:
    """A family, and the numbers of its f and of its g, task by task; g without cross terms if split."""
    f, g = numbers(n, m, k), numbers(n, m, k, seed=0)
    if split:
        g = {key: X for key, X in g.items() if key != "N"} | {"Q": 2 * g["Q"]}
    adaptation = TaskFamily.stack(**g) if split else None
    each = [[{key: X[i] for key, X in side.items()} for i in range(k)] for side in (f, g)]
    return TaskFamily.stack(**f, adaptation=adaptation), *each


def cost_and_slope(p: dict, W: np.ndarray) -> tuple[float, np.ndarray]:
    """tr P and 2 G Σ by SciPy, S0 = I, from the stage cost as it is written."""
    A, B, Q, R = (p[key] for key in "ABQR")
    N = p.get("N", np.zeros_like(B))
    L = A - B @ W
    P = solve_discrete_lyapunov(L.T, Q - N @ W - W.T @ N.T + W.T @ R @ W)
    Sigma = solve_discrete_lyapunov(L, np.eye(len(A)))
    return float(np.trace(P)), 2 * (R @ W - N.T - B.T @ P @ L) @ Sigma


def h_of(f: list[dict], g: list[dict], W: np.ndarray, kind: str, shots: int) -> float:
    total = 0.0
    for judged, adapted in zip(f, g, strict=True):
        V = W
        for _ in range(shots):
            slope = cost_and_slope(adapted, V)[1]
            V = V - ETA * (slope / np.linalg.norm(slope) if kind == "normalized" else slope)
        total += cost_and_slope(judged, V)[0] / len(f)
    return total


CASES = [
    (1, 1, "gradient", 2, False),
    (2, 1, "gradient", 1, True),
    (2, 2, "normalized", 5, False),
    (3, 2, "gradient", 2, True),
    (4, 1, "normalized", 1, False),
]


def differences(function, W: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """d function/dW_ij, a leading axis for each entry."""
    found = []
    for i, j in np.ndindex(W.shape):
        E = np.zeros_like(W)
        E[i, j] = step
        found.append((np.asarray(function(W + E)) - np.asarray(function(W - E))) / (2 * step))
    return np.array(found)


@pytest.mark.parametrize(("n", "m", "kind", "shots", "split"), CASES)
def test_compiled_batches(n, m, kind, shots, split):
    family, f, g = families(n, m, 3, split=split)
    step = (GradientStep if kind == "gradient" else NormalizedStep)(ETA, shots=shots)
    h = MetaObjective(family, step)
    W = 0.1 * np.random.default_rng(1).normal(size=(m, n))
    ready = batched._ready(h).compiled(h)
    assert ready is not None
    value, slope = ready.run("gradient", W[None])
    assert value[0] == pytest.approx(h_of(f, g, W, kind, shots), rel=1e-12)
    assert ready.run("value", W[None])[0][0] == pytest.approx(value[0], rel=1e-13)
    rise = differences(lambda V: h_of(f, g, V, kind, shots), W)
    np.testing.assert_allclose(slope[0], rise, rtol=1e-6, atol=1e-6)
    bend = ready.run("hessian", W[None])[1].reshape(m * n, m * n)
    turn = differences(lambda V: ready.run("gradient", V[None])[1][0], W)
    np.testing.assert_allclose(bend, turn, rtol=1e-5, atol=1e-5 * np.abs(bend).max())
    E = np.ones((1, m, n))
    np.testing.assert_allclose(ready.run("product", W[None], E)[1][0], bend.sum(axis=1), rtol=1e-9)
    # The same by NumPy, which does few gains, and where they lead.
    walked = loops.walk(ready, W)
    assert walked is not None
    assert walked.value == pytest.approx(value[0], rel=1e-12)
    np.testing.assert_allclose(walked.gradient.ravel(), slope[0], rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(plain.adapted(ready, W), walked.gains, rtol=1e-11)


@pytest.mark.parametrize("case", [CASES[0], CASES[3]])
def test_jax_and_the_kernels_of_xla(case):
    n, m, kind, shots, split = case
    family, f, g = families(n, m, 3, split=split)
    h = MetaObjective(family, GradientStep(ETA, shots=shots))
    W = 0.1 * np.random.default_rng(1).normal(size=(m, n))
    expected, slope = h_of(f, g, W, kind, shots), batched.value_and_gradient(h, W[None])[1][0]
    assert float(h.value(W)) == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(np.asarray(h.gradient(W)), slope, rtol=1e-9, atol=1e-11)
    found, rest = by_xla.run(h, "gradient", W[None], None, None)
    assert found[0] == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(rest[0].reshape(m, n), slope, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("k", [4, 120])
def test_loops_of_training(k):
    """As one array, and in tiles."""
    n, m = 3, 2
    given = numbers(n, m, k)
    W, E = 0.1 * np.random.default_rng(1).normal(size=(2, k, m, n))

    def results(r, W, E):
        loop = closed_loop(r, W)
        return loop.gradient(), loop.hessian_product(E)

    tasks = TaskFamily.stack(**given).tasks
    slopes, turned = jax.jit(jax.vmap(results))(regulator(tasks), jnp.asarray(W), jnp.asarray(E))
    for i in (0, 1, k - 1):
        p = {key: X[i] for key, X in given.items()}
        np.testing.assert_allclose(np.asarray(slopes)[i], cost_and_slope(p, W[i])[1], rtol=1e-9)
        ahead, behind = (cost_and_slope(p, W[i] + t * E[i])[1] for t in (1e-5, -1e-5))
        np.testing.assert_allclose(np.asarray(turned)[i], (ahead - behind) / 2e-5, rtol=1e-5, atol=1e-6)
