"""learn2learn's way: a clone of the module for each task, stepped by `autograd.grad(create_graph)`."""

from __future__ import annotations

import numpy as np
import torch

from benchmarks.peers.torch_tasks import Policy, tasks
from benchmarks.problems import Bench


def clone(module: torch.nn.Module) -> torch.nn.Module:
    """A module whose parameters are differentiable copies of the module's."""
    copy = module.__new__(type(module))
    copy.__dict__ = module.__dict__.copy()
    copy._parameters = {}
    for name, parameter in module._parameters.items():
        object.__setattr__(copy, name, parameter.clone())
    return copy


def adapt(learner: torch.nn.Module, loss: torch.Tensor, eta: float) -> None:
    """One gradient step in place, which `backward` will go through."""
    (gradient,) = torch.autograd.grad(loss, [learner.W], create_graph=True)
    object.__setattr__(learner, "W", learner.W - eta * gradient)


def value_and_gradient(bench: Bench) -> tuple[np.ndarray, np.ndarray]:
    """h and its gradient at every start; finite and wrong where a gain does not stabilise."""
    values, gradients = np.zeros(len(bench.gains)), np.zeros_like(bench.gains)
    every = tasks(bench)
    for i, W in enumerate(bench.gains):
        policy = Policy(W)
        outer = 0.0
        for task, weight in zip(every, bench.weights, strict=True):
            learner = clone(policy)
            adapt(learner, learner.loss(task), bench.eta)
            outer = outer + weight * learner.loss(task)
        outer.backward()
        values[i], gradients[i] = outer.item(), policy.W.grad.numpy()
    return values, gradients
