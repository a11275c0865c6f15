"""What an `LQR` is given, read: its numbers as matrices of one size, its plant sampled, its gains.

A message begins with the place: the words that name the task.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float

from benign.errors import ProblemError
from benign.exact.definite import least_weight
from benign.exact.numbers import exact as to_exact
from benign.exact.problem import Matrix, Plant
from benign.precision import Array, ArrayLike, is_traced, jax_if_loaded
from benign.tasks.checks import check_stabilisable, raised_or_refused, raised_stack
from benign.tasks.numbers import Given, read, require_plain, rounded
from benign.tasks.sampling import Time, is_sampled, zero_order_hold


def as_gain(W: ArrayLike, m: int, n: int, what: str = "W") -> Float[Array, "m n"]:
    """The gain as an (m, n) array, from one or from its rows one after another (SciPy's vectors).

    Raises:
        ProblemError: another shape.
    """
    if not is_traced(W):
        require_plain(W, f"`{what}`")
    jax = jax_if_loaded()
    try:
        array: Any = np.asarray(W, np.float64) if jax is None else jax.numpy.asarray(W, float)
    except Exception as error:
        raise ProblemError(
            f"`{what}`: expected the numbers of a gain, got {type(W).__name__}"
        ) from error
    if array.shape == (m, n):
        return array
    if array.shape == (m * n,) or (array.shape == () and m == n == 1):
        return array.reshape(m, n)
    alternative = " or a scalar" if m == n == 1 else ""
    raise ProblemError(
        f"`{what}`: expected a gain of shape ({m}, {n}) or ({m * n},){alternative}, got {array.shape}; "
        "map over a batch of gains with jax.vmap"
    )


def shaped(
    place: str, A: Any, B: Any, Q: Any, R: Any, S0: Any, discount: Any, noise: Any, N: Any
) -> dict[str, Given]:
    """Every field that was given, as matrices of one size."""
    given = {"A": read(A, place, "A"), "B": read(B, place, "B")}
    shape = given["A"].floats.shape
    n = 1 if shape == () else shape[0]
    if shape not in ((), (n, n)) or n == 0:
        raise ProblemError(f"{place}: `A` must be a square matrix, got shape {shape}")
    given["A"] = given["A"].reshape(n, n)
    shape = given["B"].floats.shape
    columns = {0: 1, 1: 1 if n > 1 else (shape or (1,))[0], 2: shape[-1] if shape else 0}
    m = columns.get(len(shape), 0)
    if m == 0 or int(np.prod(shape)) != n * m or (len(shape) == 2 and shape[0] != n):
        raise ProblemError(
            f"{place}: `B` must have a row for each of the {n} states of `A`, got shape {shape}"
        )
    given["B"] = given["B"].reshape(n, m)
    sizes = {"Q": (Q, n), "R": (R, m), "S0": (np.eye(n) if S0 is None else S0, n)}
    if noise is not None:
        sizes["noise"] = (noise, n)
    for field, (value, size) in sizes.items():
        given[field] = read(value, place, field)
        shape = given[field].floats.shape
        if shape != (size, size) and (shape != () or size != 1):
            raise ProblemError(f"{place}: `{field}` must have shape ({size}, {size}), got {shape}")
        given[field] = given[field].reshape(size, size)
    given["discount"] = read(discount, place, "discount")
    if given["discount"].floats.shape != ():
        raise ProblemError(f"{place}: `discount` must be one number, got {discount!r}")
    if N is not None:
        cross = read(N, place, "N")
        shape = cross.floats.shape
        if shape != (n, m) and (shape != () or (n, m) != (1, 1)):
            raise ProblemError(f"{place}: `N` must have shape ({n}, {m}), got {shape}")
        if cross.traced or cross.fractions is not None or cross.floats.any():
            given["N"] = cross.reshape(n, m)
    return given


def discrete(place: str, A: Given, B: Given, time: Time | None, dt: Any) -> tuple[Given, Given]:
    """The plant of one step: the one given, or sampled as a family file's is."""
    try:
        if not is_sampled(time, dt):
            return A, B
        if A.traced or B.traced or is_traced(dt):
            raise ProblemError("a plant is sampled from known numbers; make the task outside of JAX")
        sampled = zero_order_hold(rows_of(A), rows_of(B), to_exact(dt))
    except ProblemError as error:
        raise ProblemError(f"{place}: {error}") from error
    # Every entry is a float64 number: floats say it all.
    A, B = (Given(np.array(M, dtype=object).astype(float)) for M in sampled)
    stacks = np.asarray(A.floats)[None], np.asarray(B.floats)[None]
    check_stabilisable(lambda _: place, *stacks, np.ones(1), rounded=True)
    return A, B


def rows_of(given: Given) -> Matrix:
    """The exact numbers of a field."""
    entries = given.floats if given.fractions is None else given.fractions
    return tuple(tuple(to_exact(x) for x in row) for row in entries.tolist())


def raised_field(place: str, field: str, given: dict[str, Given]) -> Given:
    """A matrix that may be indefinite by a rounding, ⪰ 0 exactly: as floats, if these say it all.

    Q with a cross term: ⪰ NR⁻¹N', where these are known.
    """
    value, above = given[field], None
    if field == "Q" and "N" in given and not (given["N"].traced or given["R"].traced):
        above = least_weight(rows_of(given["N"]), rows_of(given["R"]))
    if value.fractions is None:
        X = np.asarray(value.floats)[None]
        return Given(raised_stack(lambda _: place, field, X, np.ones(1, bool), lambda _: above)[0])
    rows = tuple(map(tuple, value.fractions.tolist()))
    return rounded(np.array(raised_or_refused(place, field, rows, above=above), dtype=object))


def exact_plant_of(given: dict[str, Given]) -> Plant | None:
    """The exact problem, or None where the float64 arrays hold all there is (or are traced)."""
    if any(x.traced for x in given.values()) or all(x.fractions is None for x in given.values()):
        return None
    discount = given["discount"]
    return Plant(
        *(rows_of(given[field]) for field in ("A", "B", "Q", "R", "S0")),
        discount=to_exact(
            (discount.floats if discount.fractions is None else discount.fractions).item()
        ),
        noise=rows_of(given["noise"]) if "noise" in given else None,
        N=rows_of(given["N"]) if "N" in given else None,
    )


def sampling_of(place: str, system: Any, dt: Any) -> tuple[Time, Any]:
    """How a state-space model is sampled: `time` and `dt` of the constructor.

    Raises:
        ProblemError: no such model, a continuous one without `dt`, a discrete one with another.
    """
    if any(getattr(system, field, None) is None for field in "AB") or not hasattr(system, "dt"):
        raise ProblemError(
            f"{place}: expected a state-space model with A, B and dt, got "
            f"a {type(system).__name__}; of a transfer function make one first"
        )
    own = system.dt
    if own is None or own == 0:
        if dt is None:
            raise ProblemError(
                f"{place}: the model is one of continuous time (its dt is {own}); give `dt`, the "
                "sampling time in its unit of time"
            )
        return "continuous", dt
    if dt is not None and (own is True or to_exact(own) != to_exact(dt)):
        raise ProblemError(
            f"{place}: the model is sampled already (its dt is {own}); leave out `dt`, or give the "
            "continuous model"
        )
    return "discrete", None
