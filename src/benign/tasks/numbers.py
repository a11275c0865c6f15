"""From what a user writes to float64 arrays, and back to the exact numbers behind them."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np

from benign.errors import ProblemError, UsageError
from benign.exact.numbers import exact as to_exact
from benign.exact.problem import Matrix, Plant
from benign.precision import is_traced, jax_if_loaded

T = TypeVar("T")

WHOLE = 2**53
"""Integers up to here are float64 numbers."""

DEEPEST = 4
"""Lists in one another, at most: a stack of tasks has three."""

_USUAL = (float, int, str, Fraction, Decimal)


class Unseen(Generic[T]):
    """A value that a pytree carries along and JAX does not look at.

    All of them compare equal, so that a name or an exact number never costs a compilation or the
    hashing of a thousand fractions. The price: an object *returned by* a jitted function has the
    value of the call that compiled it. Names are then only labels; exact numbers are compared with
    the arrays before they are used (`LQR.exact_plant`).
    """

    __slots__ = ("value",)

    def __init__(self, value: T):
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Unseen)

    def __hash__(self) -> int:
        return hash(Unseen)

    def __repr__(self) -> str:
        return repr(self.value)


class Given(NamedTuple):
    """One field as it was given: float64 numbers (or a tracer), and fractions where floats lose."""

    floats: Any
    fractions: np.ndarray | None = None

    def reshape(self, *shape: int) -> Given:
        """The same numbers in another shape."""
        fractions = None if self.fractions is None else self.fractions.reshape(shape)
        return Given(self.floats.reshape(shape), fractions)

    @property
    def traced(self) -> bool:
        """Whether the values are unknown because JAX is tracing."""
        return is_traced(self.floats)


def read(value: Any, place: str, field: str) -> Given:
    """Numbers, strings, fractions, decimals or nested lists of them; or a tracer, passed through.

    Raises:
        ProblemError: ragged rows, something that is no finite real number, one beyond float64.
    """
    if is_traced(value):
        return Given(_by_jax(value))
    require_plain(value, f"{place}: `{field}`")
    try:
        entries = np.asarray(value) if hasattr(value, "dtype") else np.array(value, dtype=object)
    except ValueError as error:
        raise ProblemError(f"{place}: `{field}` has rows of different lengths") from error
    except Exception as error:  # whatever an object does that says it is an array
        jax = jax_if_loaded()
        if jax is not None and isinstance(error, jax.errors.TracerArrayConversionError):
            return Given(_by_jax(value))
        raise ProblemError(
            f"{place}: `{field}`: expected numbers, got {type(value).__name__}"
        ) from error
    if entries.dtype.kind == "f" and entries.dtype.itemsize <= 8:
        return Given(entries.astype(np.float64))
    flat = [x.item() if hasattr(x, "item") and np.ndim(x) == 0 else x for x in entries.ravel()]
    if any(isinstance(x, list | tuple) for x in flat):
        raise ProblemError(f"{place}: `{field}` has rows of different lengths")
    if any(map(is_traced, flat)):
        return Given(_by_jax(value))
    if all(type(x) is float or (type(x) is int and abs(x) <= WHOLE) for x in flat):
        return Given(np.array(flat, np.float64).reshape(entries.shape))
    fractions = np.empty(len(flat), dtype=object)
    try:
        fractions[:] = [_fraction(x) for x in flat]
        return rounded(fractions.reshape(entries.shape))
    except ProblemError as error:
        raise ProblemError(f"{place}: `{field}`: {error}") from error
    except OverflowError as error:
        raise ProblemError(
            f"{place}: `{field}` holds a number beyond the range of a float64"
        ) from error


def _by_jax(value: Any) -> Any:
    import jax.numpy as jnp

    return jnp.asarray(value, float)


def require_plain(value: Any, what: str) -> None:
    """Refuse what would lose a part of itself, or never end, on its way to an array of real numbers.

    Raises:
        ProblemError: a masked array, complex numbers, truth values, dates, records; lists that are
            nested deeper than any array here, as one that holds itself is.
    """
    level = [value]
    for _ in range(DEEPEST + 1):
        lists = {}  # each once: a list may hold itself many times
        for item in level:
            if isinstance(item, list | tuple):
                lists[id(item)] = item
            elif type(item) not in _USUAL:
                _require_real(item, what)
        level = [part for item in lists.values() for part in item]
        if not level:
            return
    raise ProblemError(f"{what}: lists are nested more than {DEEPEST} deep")


def _require_real(item: Any, what: str) -> None:
    if isinstance(item, np.ma.MaskedArray):
        raise ProblemError(f"{what}: a masked array; give numbers for what is masked (x.filled(...))")
    if isinstance(item, complex):
        raise ProblemError(f"{what}: complex numbers; give real ones")
    kind = getattr(getattr(item, "dtype", None), "kind", "")
    if isinstance(kind, str) and kind and kind not in "iufOU":
        kinds = {"c": "complex numbers", "b": "true and false", "m": "durations", "M": "dates"}
        raise ProblemError(f"{what}: {kinds.get(kind, 'no numbers')}; give real numbers")


def floats_of(value: Any, what: str) -> np.ndarray:
    """Numbers as float64.

    Raises:
        ProblemError: they are none, or something would be lost.
    """
    require_plain(value, what)
    try:
        return np.asarray(value, dtype=np.float64)
    except Exception as error:  # whatever an object does that says it is an array
        raise ProblemError(f"{what}: expected real numbers, got {type(value).__name__}") from error


def name_of(value: Any, what: str) -> str | None:
    """A name, or None.

    Raises:
        UsageError: it is no text.
    """
    if value is None or isinstance(value, str):
        return value
    raise UsageError(f"{what}: expected a name, got {type(value).__name__}")


def _fraction(x: Any) -> Fraction:
    if not isinstance(x, int | float | str | Fraction | Decimal):
        raise ProblemError(f"expected a number, got {x!r}")
    return to_exact(x)


def rounded(fractions: np.ndarray) -> Given:
    """Exact numbers together with the nearest float64 of each."""
    return Given(fractions.astype(np.float64), fractions)


def symmetrised(given: Given) -> Given:
    """(X + X')/2, exactly where the numbers are exact."""
    if given.fractions is not None:
        return rounded((given.fractions + given.fractions.T) / 2)
    if given.traced:
        return Given((given.floats + given.floats.swapaxes(-1, -2)) / 2)
    return Given(mean_with_transpose(given.floats))


def mean_with_transpose(X: np.ndarray) -> np.ndarray:
    """(X + X')/2 of the last two axes; numbers next to the largest do not overflow."""
    Y = X.swapaxes(-1, -2)
    # Halves of the smallest numbers would vanish: where nothing is to be done nothing is.
    return np.where(X == Y, X, 0.5 * X + 0.5 * Y)


def fractions_of(floats: np.ndarray) -> Matrix:
    """The binary numbers themselves, as exact rows."""
    return tuple(tuple(Fraction(x) for x in row) for row in np.asarray(floats).tolist())


def plant_of(arrays: dict[str, np.ndarray | None]) -> Plant:
    """The exact problem whose numbers are these floats (symmetrised, should they not be)."""
    rows: dict[str, Matrix | None] = {}
    for field in ("A", "B", "Q", "R", "S0", "noise", "N"):
        value = arrays.get(field)
        rows[field] = None if value is None else fractions_of(value)
        if value is not None and field not in "ABN" and not np.array_equal(value, value.T):
            X = np.array(rows[field], dtype=object)
            rows[field] = tuple(map(tuple, ((X + X.T) / 2).tolist()))
    discount = arrays["discount"]
    assert discount is not None
    return Plant(**rows, discount=Fraction(float(discount)))  # type: ignore[arg-type]


def rounds_to(plant: Plant, arrays: dict[str, np.ndarray | None]) -> bool:
    """Whether the exact problem, rounded to float64, is these arrays bit by bit.

    A missing noise and a noise of zeros are the same problem, and so of a cross term: stacked families
    hold the latter.
    """
    for field in ("A", "B", "Q", "R", "S0"):
        if not _same(getattr(plant, field), arrays[field]):
            return False
    for field in ("noise", "N"):
        rows, floats = getattr(plant, field), arrays.get(field)
        if rows is None:
            if floats is not None and floats.any():
                return False
        elif not _same(rows, floats):
            return False
    return float(plant.discount) == arrays["discount"]


def _same(rows: Matrix, floats: np.ndarray | None) -> bool:
    return floats is not None and np.array_equal(np.array(rows, dtype=object).astype(float), floats)


def show(x: float) -> str:
    """Three digits, and an exponent as one writes it: -3e-4."""
    text = f"{x:.3g}" if x == 0 or abs(x) >= 1e-2 else f"{x:.2e}"
    mantissa, e, exponent = text.partition("e")
    if not e:
        return text
    return f"{mantissa.rstrip('0').rstrip('.') if '.' in mantissa else mantissa}e{int(exponent)}"


Place = Callable[[int], str]
"""The words that name a task by its position: "task 3 `pitch`"."""
