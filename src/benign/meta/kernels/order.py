"""What a kernel is compiled for, besides the shapes of its arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from benign.rigorous.problem import StepKind
from benign.tasks.regulator import Regulator


@dataclass(frozen=True)
class Order:
    """The rule, and what is wanted of h.

    Attributes:
        kind, shots: the adaptation rule.
        results: h alone; with its gradient; with ∇²h[E]; with the whole Hessian.
        tile: gains, or pairs of a gain and a task, in one pass of the inner loop.
        barriers: whether parts of a kernel are kept apart (see `closed.Stages`). On a CPU that saves
            computing them again; on a GPU it would stop the queue for an answer from the host.
    """

    kind: StepKind
    shots: int
    results: Literal["value", "gradient", "product", "hessian"]
    tile: int
    barriers: bool = True

    def count(self, shape: tuple[int, ...]) -> int:
        """How many numbers a task contributes for a gain."""
        m, n = shape
        return 1 if self.results == "value" else 1 + m * n

    def rest(self, shape: tuple[int, ...]) -> int:
        """How many numbers besides the value are wanted of a gain."""
        p = shape[0] * shape[1]
        return {"value": 0, "gradient": p, "product": p, "hessian": p * p}[self.results]


class Problem(NamedTuple):
    """Stacked tasks without discount and noise, and the step size.

    Attributes:
        eta: η.
        f, g: evaluation and adaptation costs; g is None where they are the same.
    """

    eta: Array
    f: Regulator
    g: Regulator | None


def padded_tasks(problem: Problem, weights: Array, tile: int) -> tuple[Problem, Array]:
    """The tasks in tiles, (tiles, tile, …), the last one repeated with weight zero to fill up.

    Weights (k,) or (C, k) become (tiles, tile) or (C, tiles, tile).
    """
    k = problem.f.A.shape[0]
    tiles = -(-k // tile)
    index = jnp.minimum(jnp.arange(tiles * tile), k - 1).reshape(tiles, tile)
    f, g = jax.tree.map(lambda X: X[index], (problem.f, problem.g))
    room = [(0, 0)] * (weights.ndim - 1) + [(0, tiles * tile - k)]
    full = jnp.pad(weights, room).reshape(*weights.shape[:-1], tiles, tile)
    return Problem(problem.eta, f, g), full
