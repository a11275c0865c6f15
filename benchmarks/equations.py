"""The Lyapunov and Riccati equations for stacks of 4×4 matrices: time, derivative, error."""

from __future__ import annotations

import flint
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from scipy.linalg import solve_discrete_are, solve_discrete_lyapunov

from benchmarks.agreement import compare
from benchmarks.peers import numpy_batched
from benchmarks.progress import say
from benchmarks.report import Section
from benchmarks.timing import Contestant, interleave
from benign.linalg import dare, dlyap, optimal_gain

BITS = 400


def loops(count: int, n: int, radius: np.ndarray | float, seed: int = 0) -> np.ndarray:
    """Random matrices with the spectral radii given."""
    L = np.random.default_rng(seed).standard_normal((count, n, n))
    found = np.abs(np.linalg.eigvals(L)).max(axis=-1)
    return L * (radius / found)[:, None, None]


def numpy_doubling(L: np.ndarray, S: np.ndarray, chunk: int = 256) -> np.ndarray:
    def part(i: int) -> np.ndarray:
        powers, _ = numpy_batched.powers_of(L[i : i + chunk])
        return numpy_batched.solve(powers, S[i : i + chunk])

    return np.concatenate([part(i) for i in range(0, len(L), chunk)])


def scipy_loop(L: np.ndarray, S: np.ndarray) -> np.ndarray:
    return np.stack([solve_discrete_lyapunov(l, s) for l, s in zip(L, S, strict=True)])


def unrolled(L, S, doublings: int = 10):
    """Doubling that JAX differentiates step by step."""

    def double(state, _):
        power, X = state
        X = X + power @ X @ jnp.swapaxes(power, -1, -2)
        return (power @ power, X), None

    return lax.scan(double, (L, S), None, length=doublings)[0][1]


def exact_solution(L: np.ndarray, S: np.ndarray) -> np.ndarray:
    """X = L X L' + S as a linear system of n² unknowns in 400-bit balls, rounded to float64."""
    n = len(L)
    before = flint.ctx.prec
    flint.ctx.prec = BITS
    try:
        entries = [
            [
                flint.arb(float(i == k and j == l)) - flint.arb(L[i, k]) * flint.arb(L[j, l])
                for k in range(n)
                for l in range(n)
            ]
            for i in range(n)
            for j in range(n)
        ]
        right = flint.arb_mat([[flint.arb(x)] for x in S.ravel()])
        solution = flint.arb_mat(entries).solve(right)
        return np.array([float(solution[i, 0].mid()) for i in range(n * n)]).reshape(n, n)
    finally:
        flint.ctx.prec = before


def scaled_error(each: int, n: int) -> float:
    """The largest relative error times 1 − ρ, for ρ = 1 − 10⁻¹ … 1 − 10⁻⁶."""
    worst = 0.0
    for digits in range(1, 7):
        L = loops(each, n, 1 - 10.0**-digits, seed=digits)
        S = np.broadcast_to(np.eye(n), L.shape)
        for l, s, x in zip(L, S, np.asarray(dlyap(L, S)), strict=True):
            truth = exact_solution(l, s)
            error = np.linalg.norm(x - truth) / np.linalg.norm(truth)
            worst = max(worst, float(error) * 10.0**-digits)
    return worst


def lyapunov(section: Section, count: int, budget: float, each: int, n: int = 4) -> None:
    case = f"Lyapunov, {count:,} × n = {n}"
    rng = np.random.default_rng(1)
    L = loops(count, n, rng.uniform(0.3, 0.95, count))
    S = rng.standard_normal((count, n, n))
    S = S @ S.transpose(0, 2, 1)
    few = min(count, 100)
    solve = jax.jit(dlyap)
    exact = np.asarray(solve(L, S))
    everywhere = np.ones(count, bool)
    compare("NumPy", numpy_doubling(L, S), exact, everywhere)
    compare("SciPy", scipy_loop(L[:few], S[:few]), exact[:few], everywhere[:few])
    C = rng.standard_normal((count, n, n))
    derivative = jax.jit(jax.grad(lambda L: jnp.sum(C * dlyap(L, S))))
    through = jax.jit(jax.grad(lambda L: jnp.sum(C * unrolled(L, S))))
    compare("through the loop", np.asarray(through(L)), np.asarray(derivative(L)), everywhere)
    times = interleave(
        {
            "ours": Contestant(lambda: solve(L, S).block_until_ready(), count),
            "NumPy": Contestant(lambda: numpy_doubling(L, S), count),
            "SciPy": Contestant(lambda: scipy_loop(L[:few], S[:few]), few),
            "derivative": Contestant(lambda: derivative(L).block_until_ready(), count),
            "through": Contestant(lambda: through(L).block_until_ready(), count),
        },
        budget,
    )
    section.add(case, "ours, µs", 1e6 * times.median("ours"))
    section.add(case, "NumPy doubling", times.ratio("NumPy", "ours"), 6)
    section.add(case, "SciPy loop", times.ratio("SciPy", "ours"), 300)
    section.add(case, "derivative, µs", 1e6 * times.median("derivative"))
    section.add(case, "derivative through the loop", times.ratio("through", "derivative"), 6)
    section.add(case, "error × (1 − ρ)", scaled_error(each, n), 3e-15, at_most=True)


def riccati(section: Section, count: int, budget: float, n: int = 4, m: int = 2) -> None:
    case = f"Riccati, {count:,} × n = {n}"
    rng = np.random.default_rng(2)
    A = loops(count, n, rng.uniform(0.5, 1.3, count), seed=3)
    B = rng.standard_normal((count, n, m))
    Q, R = np.broadcast_to(np.eye(n), A.shape), np.broadcast_to(np.eye(m), (count, m, m))
    few = min(count, 50)

    def scipy() -> np.ndarray:
        rows = zip(A[:few], B[:few], Q, R, strict=False)
        return np.stack([solve_discrete_are(a, b, q, r) for a, b, q, r in rows])

    solve = jax.jit(dare)
    P = np.asarray(solve(A, B, Q, R))
    compare("SciPy", scipy(), P[:few], np.ones(few, bool))
    W = np.asarray(optimal_gain(A, B, R, P))
    L = A - B @ W
    residual = Q + W.transpose(0, 2, 1) @ R @ W + L.transpose(0, 2, 1) @ P @ L - P
    times = interleave(
        {
            "ours": Contestant(lambda: solve(A, B, Q, R).block_until_ready(), count),
            "SciPy": Contestant(scipy, few),
        },
        budget,
    )
    section.add(case, "ours, µs", 1e6 * times.median("ours"))
    section.add(case, "SciPy loop", times.ratio("SciPy", "ours"), 260)
    norms = np.linalg.norm(residual, axis=(1, 2)) / np.linalg.norm(P, axis=(1, 2))
    section.add(case, "largest relative residual", norms.max())
    section.add(case, "largest ρ", np.abs(np.linalg.eigvals(L)).max())


def run(count: int = 4096, budget: float = 8.0, each: int = 20) -> Section:
    """Both equations."""
    section = Section(
        "Matrix equations",
        "`ours` is microseconds a matrix; the peers are multiples. The error is the largest relative "
        f"error of {6 * each} solutions with 1 − ρ from 0.1 to 1e-6, times 1 − ρ, against a {BITS}-bit "
        "solution. "
        "`derivative through the loop` is the reverse-mode derivative of ten doublings as a multiple "
        "of ours.",
    )
    say("Lyapunov equation")
    lyapunov(section, count, budget, each)
    say("Riccati equation")
    riccati(section, count, budget)
    return section
