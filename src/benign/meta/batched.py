"""h, ∇h and ∇²h for whole batches of gains: by `benign.kernels` on a CPU, by XLA elsewhere.

The kernels need no XLA, so that nobody waits for it, and are faster. XLA's (`by_xla`) are for a GPU,
for matrices that are too large for the others, and for a machine where those cannot be made. What is
asked of an objective's attributes is asked once, for a call is to cost little besides its arithmetic.
"""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from benign.errors import ProblemError
from benign.kernels import plain
from benign.kernels.batch import Batched, available
from benign.meta.ready import remembered
from benign.precision import Array, in_float64, jax_if_loaded
from benign.tasks.numbers import floats_of
from benign.tasks.undiscounted import costs_of

if TYPE_CHECKING:
    from benign.meta.objective import MetaObjective

Gains = Float[np.ndarray | Array, "N ..."]


@in_float64
def values(h: MetaObjective, gains: Any) -> Float[np.ndarray, " N"]:
    """h(W), +∞ where infeasible, for every gain.

    Args:
        h: the meta-objective.
        gains: (N, m, n), or (N,) for one state and one input.

    Raises:
        ProblemError: another shape.
    """
    return _run(h, "value", gains)[0]


@in_float64
def value_and_gradient(
    h: MetaObjective, gains: Any, weights: Float[np.ndarray, "N k"] | None = None
) -> tuple[Float[np.ndarray, " N"], Float[np.ndarray, "N ..."]]:
    """h(W) and ∇h(W) for every gain; +∞ and zeros where infeasible.

    Args:
        h: the meta-objective.
        gains: (N, m, n), or (N,) for one state and one input.
        weights: for every gain the weights that h is to have, instead of those of the family.

    Returns:
        (N,) values, and gradients in the shape of the gains.

    Raises:
        ProblemError: another shape.
    """
    found, gradients = _run(h, "gradient", gains, weights=weights)
    return found, gradients.reshape(np.shape(gains))


@in_float64
def hessian_products(h: MetaObjective, gains: Any, E: Any) -> Float[np.ndarray, "N ..."]:
    """∇²h(W)[E] for every gain W and its own direction E; zeros where infeasible.

    Args:
        h: the meta-objective.
        gains, E: (N, m, n), or (N,) for one state and one input.

    Raises:
        ProblemError: another shape.
    """
    return _run(h, "product", gains, E)[1].reshape(np.shape(gains))


@in_float64
def hessians(h: MetaObjective, gains: Any) -> Float[np.ndarray, "N ..."]:
    """∇²h(W) for every gain, (N, m, n, m, n), or (N,) for scalars; zeros where infeasible.

    Args:
        h: the meta-objective.
        gains: (N, m, n), or (N,) for one state and one input.

    Raises:
        ProblemError: another shape.
    """
    shape = np.shape(gains)
    return _run(h, "hessian", gains)[1].reshape(shape + shape[1:])


@in_float64
def adapted(h: MetaObjective, W: np.ndarray) -> Float[np.ndarray, "k m n"]:
    """F_τ(W), task by task, of one gain (m, n), if every gain on the way stabilises."""
    ready = _ready(h)
    compiled = ready.compiled(h)
    return np.asarray(h.adapted(W)) if compiled is None else plain.adapted(compiled, W)


def _run(
    h: MetaObjective, results: Any, gains: Any, E: Any = None, weights: Any = None
) -> tuple[np.ndarray, np.ndarray]:
    """Values (N,) and further results (N, r)."""
    ready = _ready(h)
    W = _batch(ready, gains, "gains")
    directions = None if E is None else _batch(ready, E, "E")
    N = len(W)
    if directions is not None and len(directions) != N:
        raise ProblemError(f"`E`: {len(directions)} directions for {N} gains; give one for each")
    own = None if weights is None else np.asarray(weights, float)
    if own is not None and own.shape != (N, ready.k):
        raise ProblemError(
            f"`weights`: expected shape {(N, ready.k)}, got {own.shape}; a row for each gain"
        )
    if (compiled := ready.compiled(h)) is not None:
        return compiled.run(results, W, directions, own)
    from benign.meta import by_xla

    return by_xla.run(h, results, W, directions, own)


def _batch(ready: Ready, gains: Any, what: str) -> np.ndarray:
    m, n = ready.m, ready.n
    array = floats_of(gains, f"`{what}`")
    if m == n == 1 and array.ndim == 1:
        array = array[:, None, None]
    if array.ndim == 3 and array.shape[1:] == (m, n):
        return array
    alternative = " or (N,)" if m == n == 1 else ""
    raise ProblemError(
        f"`{what}`: expected a batch of gains of shape (N, {m}, {n}){alternative}, got {array.shape}"
    )


# --- an objective, made ready -----------------------------------------------------------------


class Ready:
    """What is asked of an objective, and its tasks as the kernels want them, once they want them."""

    def __init__(self, h: MetaObjective):
        self.n, self.m, self.k = h.family.n, h.family.m, len(h.family)
        self._compiled: Batched | None = None
        self._suited: bool | None = None

    def compiled(self, h: MetaObjective) -> Batched | None:
        """The kernels for h, whose own this is; None where XLA is to do it."""
        if self._suited is None:
            self._suited = available() and not accelerated()
            self._compiled = _compiled(h) if self._suited else None
        return self._compiled


def accelerated() -> bool:
    """Whether JAX has something better here than a CPU; it is asked only where that may be."""
    if jax_if_loaded() is None:
        if os.environ.get("JAX_PLATFORMS") == "cpu":
            return False
        if find_spec("jax_plugins") is None and find_spec("libtpu") is None:
            return False  # whatever else JAX computes on comes with one of these
    import jax

    return jax.default_backend() != "cpu"


def compiled(h: MetaObjective) -> Batched | None:
    """The tasks of an objective as the kernels take them; None where they are not meant for it."""
    return _ready(h).compiled(h)


def _compiled(h: MetaObjective) -> Batched | None:
    tasks, step = h.family.tasks, h.step
    f = costs_of(tasks)
    g = None if tasks.adaptation is None else costs_of(tasks.adaptation)
    found = Batched(f, g, np.array(h.family.weights, float), step.kind, float(step.eta), step.shots)
    return found if found.fits else None


_ready = remembered(Ready)
