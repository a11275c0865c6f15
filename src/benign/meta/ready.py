"""What is made ready of an objective once, and found again while it lives."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from benign.records import leaves

if TYPE_CHECKING:
    from benign.meta.objective import MetaObjective

T = TypeVar("T")


def remembered(make: Callable[[MetaObjective], T]) -> Callable[[MetaObjective], T]:
    """The function, called once for each objective.

    By identity: an objective is immutable, and has no hash since its arrays have none. One that holds
    an array that may be written to is not remembered.
    """
    known: dict[int, tuple[weakref.ref, T]] = {}

    def ready(h: MetaObjective) -> T:
        key = id(h)
        found = known.get(key)
        if found is not None and found[0]() is h:
            return found[1]
        made = make(h)
        if not any(isinstance(x, np.ndarray) and x.flags.writeable for x in leaves(h)):
            known[key] = weakref.ref(h, lambda _: known.pop(key, None)), made
        return made

    return ready
