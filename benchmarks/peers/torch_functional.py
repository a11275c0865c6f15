"""PyTorch's function transforms: Lyapunov equations as linear systems, `grad` twice, `vmap` twice."""

from __future__ import annotations

import numpy as np
import torch
from torch.func import grad, grad_and_value, vmap

from benchmarks.problems import Bench

torch.set_num_threads(1)

FIELDS = ("A", "B", "Q", "R", "S0")


def cost(W, A, B, Q, R, S0):
    L = A - B @ W
    n = L.shape[0]
    system = torch.eye(n * n, dtype=L.dtype) - torch.kron(L.T, L.T)
    P = torch.linalg.solve(system, (Q + W.T @ R @ W).reshape(-1))
    return P @ S0.reshape(-1)


def meta(W, eta, weights, *tasks):
    def task(*task):
        adapted = W - eta * grad(cost)(W, *task)
        return cost(adapted, *task)

    return weights @ vmap(task)(*tasks)


def value_and_gradient(bench: Bench) -> tuple[np.ndarray, np.ndarray]:
    """h and its gradient at every start; finite and wrong where a gain does not stabilise."""
    tasks = [torch.from_numpy(np.ascontiguousarray(getattr(bench, field))) for field in FIELDS]
    weights, gains = torch.from_numpy(bench.weights), torch.from_numpy(bench.gains)
    one = grad_and_value(meta)
    gradients, values = vmap(lambda W: one(W, bench.eta, weights, *tasks))(gains)
    return values.numpy(), gradients.numpy()
