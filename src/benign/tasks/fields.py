"""The matrices of a task as they are given, checked and brought to one shape."""

from __future__ import annotations

from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from benign.errors import ProblemError
from benign.precision import is_traced
from benign.tasks.checks import BESIDE, check_definite, check_finite, check_symmetric
from benign.tasks.numbers import read, show
from benign.tasks.wellposed import TOO_CROSSED

Sign = Literal["any", "semidefinite", "definite"]
"""What is asked of a matrix; the last two make it symmetric."""


def matrix(
    place: str, field: str, value: Any, core: tuple[int, int], sign: Sign = "any"
) -> Float[Array, "i j"]:
    """One matrix of shape `core`; a scalar will do for (1, 1).

    Args:
        place: Names the task in a message.
        field: Names the matrix.
        value: Numbers, or a tracer, of which only the shape is tested.
        core: The shape.
        sign: Whether the matrix must be symmetric ⪰ 0 or ≻ 0.

    Raises:
        ProblemError: naming the place, the field, the value and the cure.
    """
    return steps(place, field, value, core, None, sign)[0]


def steps(
    place: str,
    field: str,
    value: Any,
    core: tuple[int, int],
    horizon: int | None,
    sign: Sign = "any",
) -> Float[Array, "T i j"]:
    """One matrix a step: (T, i, j) as given, or one matrix (i, j) for all T steps.

    A scalar will do for (1, 1), and T scalars for T of them. See `matrix` for the rest.
    """
    given = read(value, place, field).floats
    shape, length = np.shape(given), horizon or 1
    accepted: set[tuple[int | None, ...]] = {core}
    if horizon is not None:
        accepted.add((horizon, *core))
    if core == (1, 1):
        accepted |= {()} if horizon is None else {(), (horizon,)}
    if shape not in accepted:
        either = "" if horizon is None else f"{(horizon, *core)}, a matrix a step, or "
        raise ProblemError(f"{place}: `{field}` must have shape {either}{core}, got {shape}")
    X = given.reshape(-1, *core)
    if isinstance(X, np.ndarray):

        def name(i: int) -> str:
            return place if len(X) == 1 else f"{place}: step {i}"

        check_finite(name, field, X)
        if sign != "any":
            check_symmetric(name, field, X)
            X = (X + X.swapaxes(-1, -2)) / 2
            check_definite(name, field, X, strict=sign == "definite")
    elif sign != "any":
        X = (X + X.swapaxes(-1, -2)) / 2
    return jnp.broadcast_to(jnp.asarray(X, float), (length, *core))


def require_beside(place: str, Q: Array, R: Array, N: Array) -> None:
    """Refuse steps whose [[Q, N], [N', R]] is indefinite by more than rounding, if they are known.

    Raises:
        ProblemError: naming the place and the step.
    """
    if any(map(is_traced, (Q, R, N))):
        return
    for i, (q, r, n) in enumerate(zip(*map(np.asarray, (Q, R, N)), strict=True)):
        if n.any():
            least = n @ np.linalg.solve(r, n.T)
            smallest = float(np.linalg.eigvalsh((q - least + (q - least).T) / 2)[0])
            if not smallest >= -BESIDE * max(np.abs(q).max(), np.abs(least).max()):
                raise ProblemError(f"{place}: step {i}: {TOO_CROSSED.format(show(smallest))}")


def sizes(place: str, A: Any, B: Any, *, stacked: bool = False) -> tuple[int, int]:
    """(n, m) as the dynamics say, where the last two axes are those of a matrix.

    With `stacked`, a third leading axis is one of steps and a 1-D array is a scalar a step.

    Raises:
        ProblemError: A is not square, or B has not a row a state.
    """
    axes = (2, 3) if stacked else (2,)
    shape: tuple[int, ...] = tuple(np.shape(read(A, place, "A").floats))
    scalar = shape == () or (stacked and len(shape) == 1)
    *_, rows, n = (1, 1) if scalar else (0, 0, *shape)
    if not scalar and (len(shape) not in axes or rows != n or n == 0):
        raise ProblemError(f"{place}: `A` must be a square matrix, got shape {shape}")
    shape = tuple(np.shape(read(B, place, "B").floats))
    if n == 1 and (shape == () or (stacked and len(shape) == 1)):
        return 1, 1
    *_, rows, m = (0, 0, *shape)
    if len(shape) not in axes or rows != n or m == 0:
        raise ProblemError(
            f"{place}: `B` must have a row for each of the {n} states of `A` and a column an input, "
            f"got shape {shape}"
        )
    return n, m


def gains(W: ArrayLike, shape: tuple[int, ...], what: str = "W") -> Array:
    """The gains W as an array of the shape; a scalar will do for (1, 1).

    Raises:
        ProblemError: another shape.
    """
    array = jnp.asarray(W, float)
    if array.shape == shape:
        return array
    if array.shape == () and shape == (1, 1):
        return array.reshape(1, 1)
    raise ProblemError(
        f"`{what}`: expected gains of shape {shape}, got {array.shape}; map over a batch with jax.vmap"
    )
