"""A cost at one point, with all that its value, gradient and Hessian products share.

The algorithms see every kind of cost through the same two methods of a `Site`: `at(W)`, the cost at the
point W, and `resample(key)`. Parameters are one array here: a gain as it is, any other pytree as the
vector of its numbers.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from math import prod
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from benign.meta.doubling import TrainedLoop, closed_loop
from benign.tasks.regulator import ClosedLoop, Regulator
from benign.tasks.task import AbstractCost, LQRCost


class Point(eqx.Module):
    """A cost at W; zeros for derivatives and +∞ for the value where infeasible."""

    @property
    @abstractmethod
    def stable(self) -> Bool[Array, ""]:
        """Whether the cost is finite."""

    @abstractmethod
    def value(self) -> Float[Array, ""]:
        """The cost."""

    @abstractmethod
    def gradient(self) -> Float[Array, "*p"]:
        """The gradient."""

    @abstractmethod
    def hessian_product(self, E: Float[Array, "*p"]) -> Float[Array, "*p"]:
        """The Hessian applied to E."""


class Site(eqx.Module):
    """A cost on arrays."""

    @abstractmethod
    def at(self, W: Float[Array, "*p"]) -> Point:
        """The cost at W."""

    @abstractmethod
    def resample(self, key: PRNGKeyArray) -> Site:
        """The same cost seen through other samples; itself if there is no chance in it."""


@dataclass(frozen=True)
class Layout:
    """How a pytree of parameters lies in one array: as it is if it is one, else one after another.

    Two layouts that are alike are equal, so that nothing is compiled twice.
    """

    structure: Any
    shapes: tuple[tuple[int, ...], ...]

    @classmethod
    def of(cls, W: Any) -> Layout:
        """The layout of these parameters."""
        leaves, structure = jax.tree.flatten(W)
        return cls(structure, tuple(np.shape(leaf) for leaf in leaves))

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        if len(self.shapes) == 1:
            return self.shapes[0]
        return (sum(prod(shape) for shape in self.shapes),)

    def ravel(self, W: Any) -> Float[Array, "*p"]:
        """The parameters as one array."""
        leaves = [jnp.asarray(leaf, float) for leaf in jax.tree.leaves(W)]
        if len(leaves) == 1:
            return leaves[0]
        return jnp.concatenate([jnp.ravel(leaf) for leaf in leaves])

    def unravel(self, x: Float[Array, "*p"]) -> Any:
        """The parameters that an array holds."""
        if len(self.shapes) == 1:
            return jax.tree.unflatten(self.structure, [x])
        ends = np.cumsum([prod(shape) for shape in self.shapes])[:-1]
        parts = [
            part.reshape(shape)
            for part, shape in zip(jnp.split(x, ends.tolist()), self.shapes, strict=True)
        ]
        return jax.tree.unflatten(self.structure, parts)


class RegulatorPoint(Point):
    """C(W) = tr(P S0) from the closed loop that the derivatives need as well."""

    loop: ClosedLoop | TrainedLoop
    S0: Float[Array, "n n"]

    @property
    def stable(self) -> Bool[Array, ""]:
        """Whether W stabilises."""
        return self.loop.stable

    def value(self) -> Float[Array, ""]:
        """tr(P S0)."""
        return jnp.where(self.loop.stable, jnp.sum(self.loop.P * self.S0), jnp.inf)

    def gradient(self) -> Float[Array, "m n"]:
        """2 G Σ."""
        return self.loop.gradient()

    def hessian_product(self, E: Float[Array, "m n"]) -> Float[Array, "m n"]:
        """∇²C[E]."""
        return self.loop.hessian_product(E)


class RegulatorSite(Site):
    """An LQR cost; two Lyapunov equations serve its value and its gradient."""

    regulator: Regulator

    def at(self, W: Float[Array, "m n"]) -> RegulatorPoint:
        """The closed loop under W."""
        return RegulatorPoint(closed_loop(self.regulator, W), self.regulator.S0)

    def resample(self, key: PRNGKeyArray) -> RegulatorSite:
        """Itself."""
        return self


class CostPoint(Point):
    """Any cost at the parameters that a vector holds."""

    cost: AbstractCost
    layout: Layout = eqx.field(static=True)
    W: Float[Array, "*p"]

    @property
    def stable(self) -> Bool[Array, ""]:
        """Whether the cost is finite."""
        return self.cost.feasible(self.layout.unravel(self.W))

    def value(self) -> Float[Array, ""]:
        """The cost."""
        return self.cost.value(self.layout.unravel(self.W))

    def gradient(self) -> Float[Array, "*p"]:
        """The gradient, as a vector."""
        return self.layout.ravel(self.cost.gradient(self.layout.unravel(self.W)))

    def hessian_product(self, E: Float[Array, "*p"]) -> Float[Array, "*p"]:
        """The Hessian applied to the direction that E holds, as a vector."""
        W, E = self.layout.unravel(self.W), self.layout.unravel(E)
        return self.layout.ravel(self.cost.hessian_product(W, E))


class CostSite(Site):
    """Any cost; the layout makes its parameters of a vector."""

    cost: AbstractCost
    layout: Layout = eqx.field(static=True)

    def at(self, W: Float[Array, "*p"]) -> CostPoint:
        """The cost at W; nothing is computed before it is asked for."""
        return CostPoint(self.cost, self.layout, W)

    def resample(self, key: PRNGKeyArray) -> CostSite:
        """The cost through other samples."""
        return CostSite(self.cost.resample(key), self.layout)


def site(cost: AbstractCost, layout: Layout) -> Site:
    """The cost as the algorithms see it."""
    if isinstance(cost, LQRCost):
        return RegulatorSite(cost.lqr.regulator)
    return CostSite(cost, layout)
