"""JAX, where it is loaded: its 64-bit mode, switched on for a call of ours and never for anybody else.

What is public is wrapped here. In a process whose mode is off a call runs in a scope of its own (of
one thread) in which the mode is on; in one whose mode is on nothing changes. Only while JAX traces a
function of the user's there is no such scope to make: his numbers have been rounded already.

Importing JAX takes as long as a small search. Nothing here imports it before somebody else has: until
then there is no mode and nothing is traced, and arrays are NumPy's, as they are with the mode off.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial, wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from benign.errors import BenignError
from benign.forks import refuse_orphans

if TYPE_CHECKING:
    from jaxtyping import Array as Array
    from jaxtyping import ArrayLike as ArrayLike
else:
    Array = ArrayLike = Any  # jaxtyping's own would import JAX

F = TypeVar("F", bound=Callable[..., Any])


def jax_if_loaded() -> Any:
    """JAX, or None where nobody has imported it; nor while somebody is about to."""
    jax = sys.modules.get("jax")
    if jax is None or getattr(jax.__spec__, "_initializing", False):
        return None
    return jax


def is_traced(x: Any) -> bool:
    """Whether the value is unknown because JAX is tracing."""
    jax = jax_if_loaded()
    return jax is not None and isinstance(x, jax.core.Tracer)


def kept(numbers: Any) -> Any:
    """Numbers as an object keeps them: JAX's array in its 64-bit mode, else NumPy's and read-only."""
    jax = jax_if_loaded()
    if jax is not None and (jax.config.jax_enable_x64 or isinstance(numbers, jax.core.Tracer)):
        return jax.numpy.asarray(numbers, float)
    array = np.array(numbers, np.float64)
    array.setflags(write=False)
    return array


def in_float64(function: F) -> F:
    """The function, in 64-bit mode; where the mode was off its arrays are NumPy's.

    JAX rounds its own float64 arrays to float32 in whatever is done to them with the mode off, and
    NumPy does not. A `progress` given by name is called in the caller's mode. Where JAX is not loaded
    the function is merely called: what loads JAX in it is to be wrapped as well.

    Raises (the function returned):
        BenignError: JAX is tracing with its 64-bit mode off, or cannot run in this process (`forks`).
    """

    @wraps(function)
    def scoped(*args: Any, **kwargs: Any) -> Any:
        jax = jax_if_loaded()
        if jax is None:
            return function(*args, **kwargs)
        refuse_orphans()
        if jax.config.jax_enable_x64:
            return function(*args, **kwargs)
        from jax._src.core import trace_state_clean  # nothing public tells a trace

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
    """As `in_float64`, for a method of a record or an Equinox module; see `Method`."""
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
        import jax

        with jax.enable_x64(False):
            return callback(*args)

    return called


def _as_numpy(result: Any) -> Any:
    import jax

    return jax.tree.map(lambda x: np.asarray(x) if _is_numeric(x) else x, result)


def _is_numeric(x: Any) -> bool:
    import jax
    import jax.numpy as jnp

    return isinstance(x, jax.Array) and not jnp.issubdtype(x.dtype, jax.dtypes.prng_key)
