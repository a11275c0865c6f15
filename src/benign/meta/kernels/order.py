"""What a kernel is compiled for, besides the shapes of its arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from benign.exact.problem import StepKind
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


class Tasks(NamedTuple):
    """The tasks of a problem without discount and noise, in tiles, as a kernel's `lay_out` leaves them.

    Attributes:
        eta: η.
        f, g: evaluation and adaptation costs, tiles first; g is None where they are the same.
        weights: (tiles, tile), zero for the copies of the last task that fill the last tile.
    """

    eta: Array
    f: Regulator
    g: Regulator | None
    weights: Array

    def given(self, own: Array | None) -> Array:
        """The weights, or each gain's own, (C, k), as (C, tiles, tile)."""
        if own is None:
            return self.weights
        tiles, tile = self.weights.shape
        full = jnp.pad(own, [(0, 0), (0, tiles * tile - own.shape[1])])
        return full.reshape(len(own), tiles, tile)


def tiles_of(eta: Array, f: Regulator, g: Regulator | None, weights: Array, tile: int) -> Tasks:
    """k stacked tasks, weights (k,), in tiles (tiles, tile, …)."""
    k = weights.shape[0]
    tiles = -(-k // tile)
    index = jnp.minimum(jnp.arange(tiles * tile), k - 1).reshape(tiles, tile)
    f, g = jax.tree.map(lambda X: X[index], (f, g))
    full = jnp.pad(weights, (0, tiles * tile - k)).reshape(tiles, tile)
    return Tasks(eta, f, g, full)
