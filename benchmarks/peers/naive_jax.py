"""JAX as one first writes it: Lyapunov equations as systems of n² unknowns, autodiff twice."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.problems import Bench


def cost(W, A, B, Q, R, S0):
    L = A - B @ W
    n = L.shape[0]
    system = jnp.eye(n * n) - jnp.kron(L.T, L.T)
    P = jnp.linalg.solve(system, (Q + W.T @ R @ W).reshape(-1))
    return P @ S0.reshape(-1)


def meta(W, eta, weights, *tasks):
    def task(*task):
        adapted = W - eta * jax.grad(cost)(W, *task)
        return cost(adapted, *task)

    return weights @ jax.vmap(task)(*tasks)


@jax.jit
def _all(gains, eta, weights, *tasks):
    derivative = jax.value_and_grad(meta)
    return jax.vmap(lambda W: derivative(W, eta, weights, *tasks))(gains)


def value_and_gradient(bench: Bench) -> tuple[np.ndarray, np.ndarray]:
    """h and its gradient at every start; finite and wrong where a gain does not stabilise."""
    tasks = (bench.A, bench.B, bench.Q, bench.R, bench.S0)
    values, gradients = _all(bench.gains, bench.eta, bench.weights, *tasks)
    return np.asarray(values), np.asarray(gradients)
