"""The LQR cost as a loss of a PyTorch module: what the two meta-learning peers differentiate."""

from __future__ import annotations

import numpy as np
import torch

from benchmarks.peers.torch_functional import FIELDS, cost
from benchmarks.problems import Bench


class Policy(torch.nn.Module):
    """a = −W s."""

    def __init__(self, W: np.ndarray):
        super().__init__()
        self.W = torch.nn.Parameter(torch.tensor(W))

    def loss(self, task: tuple[torch.Tensor, ...]) -> torch.Tensor:
        return cost(self.W, *task)


def tasks(bench: Bench) -> list[tuple[torch.Tensor, ...]]:
    stacks = [torch.from_numpy(np.ascontiguousarray(getattr(bench, field))) for field in FIELDS]
    return list(zip(*stacks, strict=True))
