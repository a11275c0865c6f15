"""JAX's 64-bit mode: switched on for a call of ours and never for anybody else.

What is public is wrapped here. In a process whose mode is off a call runs in a scope of its own (of
one thread) in which the mode is on; in one whose mode is on nothing changes. Only while JAX traces a
function of the user's there is no such scope to make: his numbers have been rounded already.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Any, TypeVar, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax._src.core import trace_state_clean  # nothing public tells a trace without an argument of it

from benign.errors import BenignError
from benign.forks import refuse_orphans

F = TypeVar("F", bound=Callable[..., Any])


def in_float64(function: F) -> F:
    """The function, in 64-bit mode; where the mode was off its arrays are NumPy's.

    JAX rounds its own float64 arrays to float32 in whatever is done to them with the mode off, and
    NumPy does not. A `progress` given by name is called in the caller's mode.

    Raises (the function returned):
        BenignError: JAX is tracing with its 64-bit mode off, or cannot run in this process (`forks`).
    """

    @wraps(function)
    def scoped(*args: Any, **kwargs: Any) -> Any:
        refuse_orphans()
        if jax.config.jax_enable_x64:  # pyright: ignore[reportAttributeAccessIssue]
            return function(*args, **kwargs)
        if not trace_state_clean():
            raise BenignError(
                f"{function.__qualname__.removesuffix('.__init__')}: needs 64-bit floats, and JAX is "
                "tracing in 32 bits (jit, grad, vmap and the like); trace and call within "
                "`with jax.enable_x64(True):`"
            )
        if kwargs.get("progress") is not None:
            kwargs["progress"] = _outside(kwargs["progress"])
        with jax.enable_x64(True):
            result = function(*args, **kwargs)
            if function.__name__ == "__init__":
                for name, value in vars(args[0]).items():
                    object.__setattr__(args[0], name, _as_numpy(value))
            return _as_numpy(result)

    return cast(F, scoped)


def float64_method(function: F) -> F:
    """As `in_float64`, for a method of an Equinox module; see `Method`."""
    return cast(F, Method(in_float64(function)))


class Method:
    """A method that is a mere function when bound, so that ``jax.jit(h.value)`` works.

    Equinox makes a pytree of a bound method, which `jax.jit` cannot hash, at 90 µs a call.
    """

    def __init__(self, function: Callable[..., Any]):
        self.function, self.__doc__ = function, function.__doc__

    def __get__(self, instance: Any, owner: type | None = None) -> Callable[..., Any]:
        return self.function if instance is None else partial(self.function, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The function itself, unbound."""
        return self.function(*args, **kwargs)


def _outside(callback: Callable[..., Any]) -> Callable[..., Any]:
    if not callable(callback):
        return callback  # the verb says so

    @wraps(callback)
    def called(*args: Any) -> Any:
        with jax.enable_x64(False):
            return callback(*args)

    return called


def _as_numpy(result: Any) -> Any:
    return jax.tree.map(lambda x: np.asarray(x) if _is_numeric(x) else x, result)


def _is_numeric(x: Any) -> bool:
    return isinstance(x, jax.Array) and not jnp.issubdtype(x.dtype, jax.dtypes.prng_key)
