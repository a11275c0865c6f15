"""TorchOpt: one MAML step with its differentiable optimiser, task by task, as its examples do it."""

from __future__ import annotations

import numpy as np
import torchopt

from benchmarks.peers.torch_tasks import Policy, tasks
from benchmarks.problems import Bench


def value_and_gradient(bench: Bench) -> tuple[np.ndarray, np.ndarray]:
    """h and its gradient at every start; finite and wrong where a gain does not stabilise."""
    values, gradients = np.zeros(len(bench.gains)), np.zeros_like(bench.gains)
    every = tasks(bench)
    for i, W in enumerate(bench.gains):
        policy = Policy(W)
        inner = torchopt.MetaSGD(policy, lr=bench.eta)
        start = torchopt.extract_state_dict(policy, by="reference")
        fresh = torchopt.extract_state_dict(inner, by="reference")
        origin, outer = policy.W, 0.0
        for task, weight in zip(every, bench.weights, strict=True):
            inner.step(policy.loss(task))
            outer = outer + weight * policy.loss(task)
            torchopt.recover_state_dict(policy, start)
            torchopt.recover_state_dict(inner, fresh)
        outer.backward()
        values[i], gradients[i] = outer.item(), origin.grad.numpy()
    return values, gradients
