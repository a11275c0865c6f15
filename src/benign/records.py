"""Frozen records of arrays, which JAX takes for pytrees as soon as there is JAX.

They are what `equinox.Module` makes, without the import of JAX: a record that is made before JAX is
imported, by whomever, is a pytree all the same, for `_Arrival` tells JAX of the classes when it comes.
"""

from __future__ import annotations

import inspect
import sys
import threading
from collections.abc import Iterable
from dataclasses import FrozenInstanceError
from importlib import import_module
from importlib.util import find_spec
from typing import Any, ClassVar, NoReturn, TypeVar

import numpy as np

from benign.precision import jax_if_loaded

R = TypeVar("R", bound="Record")


class Record:
    """An object whose fields are set once: arrays and records of them, and what JAX is not to see.

    The fields are those that a class declares, its parents' first. Subclasses name in STATIC those
    that are no numbers; these are compared, hashed, and never traced.
    """

    STATIC: ClassVar[tuple[str, ...]] = ()
    FIELDS: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls, **more: Any) -> None:
        super().__init_subclass__(**more)
        own = inspect.get_annotations(cls)
        fields = (name for name, kind in own.items() if not str(kind).startswith("ClassVar"))
        cls.FIELDS = tuple(dict.fromkeys([*cls.FIELDS, *fields]))
        _arrival.announce(cls)

    def _set(self, **fields: Any) -> None:
        """Set fields, in a constructor."""
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    def changed(self: R, **fields: Any) -> R:
        """The same record with other values in some fields; no test is made."""
        made = object.__new__(type(self))
        vars(made).update(vars(self), **fields)
        return made

    def __reduce__(self) -> Any:
        return _revived, (type(self), dict(vars(self)), jax_if_loaded() is not None)

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise FrozenInstanceError(f"cannot assign to field '{name}'")

    def __delattr__(self, name: str) -> NoReturn:
        raise FrozenInstanceError(f"cannot delete field '{name}'")

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return False
        pairs = ((getattr(self, name), getattr(other, name), name) for name in self.FIELDS)
        return all(a == b if name in self.STATIC else _same(a, b) for a, b, name in pairs)

    __hash__ = None  # pyright: ignore[reportAssignmentType]  # arrays have none

    def __repr__(self) -> str:
        shown = (name for name in self.FIELDS if name not in self.STATIC)
        return (
            f"{type(self).__name__}({', '.join(f'{x}={_in_short(getattr(self, x))}' for x in shown)})"
        )


def _revived(cls: type[R], fields: dict[str, Any], with_jax: bool) -> R:
    """A record from a pickle; where it comes from a process with JAX, this one has it as well.

    NumPy and JAX differ in the last bits: so a worker answers as the process that sent it the record.
    """
    if with_jax:
        import_module("jax")
    record = object.__new__(cls)
    for value in fields.values():
        if isinstance(value, np.ndarray):
            value.setflags(write=False)  # which a pickle forgets
    vars(record).update(fields)
    return record


def leaves(value: Any) -> Iterable[Any]:
    """The arrays of records, lists and tuples in one another."""
    if isinstance(value, Record):
        for name in value.FIELDS:
            if name not in value.STATIC:
                yield from leaves(getattr(value, name))
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from leaves(part)
    elif value is not None:
        yield value


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, Record) or a is None or b is None:
        return a is b or (a is not None and a == b)
    return np.shape(a) == np.shape(b) and bool((np.asarray(a) == np.asarray(b)).all())


def _in_short(value: Any) -> str:
    if not hasattr(value, "dtype"):
        return repr(value)
    return f"f64[{','.join(map(str, value.shape))}]"


# --- pytrees ---------------------------------------------------------------------------------


class _Arrival:
    """Tells JAX of the classes: at once where it is loaded, else at the end of its import.

    A finder on `sys.meta_path`, which finds nothing itself: where JAX is looked for, it has others
    find it and is called once it is imported.
    """

    def __init__(self) -> None:
        self.waiting: list[type[Record]] = []
        self.here = False
        self.asking = threading.local()
        self.lock = threading.Lock()

    def announce(self, cls: type[Record]) -> None:
        if "jax" in sys.modules:
            import_module("jax")  # whole, should another thread be at it
            _register(cls)
            return
        with self.lock:
            if not self.here:
                self.waiting.append(cls)
                if self not in sys.meta_path:
                    sys.meta_path.insert(0, self)  # pyright: ignore[reportArgumentType]
                return
        _register(cls)

    def arrived(self) -> None:
        with self.lock:
            self.here = True
            waiting, self.waiting = self.waiting, []
            if self in sys.meta_path:
                sys.meta_path.remove(self)  # pyright: ignore[reportArgumentType]
        for cls in waiting:
            _register(cls)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name != "jax" or getattr(self.asking, "now", False):
            return None
        self.asking.now = True
        try:
            spec = find_spec("jax")
        finally:
            self.asking.now = False
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader, self)  # pyright: ignore[reportAttributeAccessIssue]
        return spec


class _Loader:
    """A loader that says when it has loaded."""

    def __init__(self, loader: Any, arrival: _Arrival) -> None:
        self.loader, self.arrival = loader, arrival

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loader, name)

    def create_module(self, spec: Any) -> Any:
        return self.loader.create_module(spec)

    def exec_module(self, module: Any) -> None:
        module.__spec__.loader = module.__loader__ = self.loader
        self.loader.exec_module(module)
        self.arrival.arrived()


_arrival = _Arrival()


def _register(cls: type[Record]) -> None:
    """Make pytrees of a class."""
    from jax.tree_util import GetAttrKey, register_pytree_with_keys

    numbers = tuple(name for name in cls.FIELDS if name not in cls.STATIC)
    keys = tuple(map(GetAttrKey, numbers))

    def flatten(record: Any) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
        held = vars(record)
        return tuple(held[name] for name in numbers), tuple(held[name] for name in cls.STATIC)

    def with_keys(record: Any) -> tuple[Any, tuple[Any, ...]]:
        values, rest = flatten(record)
        return tuple(zip(keys, values, strict=True)), rest

    def unflatten(rest: tuple[Any, ...], values: Iterable[Any]) -> Any:
        record = object.__new__(cls)
        vars(record).update(zip(numbers, values, strict=True))
        vars(record).update(zip(cls.STATIC, rest, strict=True))
        return record

    register_pytree_with_keys(cls, with_keys, unflatten, flatten)
