"""The outer optimiser: Optax's, by name or as an object."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any

from benign.errors import ProblemError
from benign.meta.points import Layout
from benign.meta.ticks import Rule

OPTIMIZERS = ("sgd", "momentum", "adam", "rmsprop", "adagrad", "lion")
"""Names understood for the outer optimiser; other Optax transformations can be given as objects."""


@lru_cache
def _named(name: str) -> Any:
    """An Optax transformation without its learning rate; one object a name, so that jit knows it."""
    import optax

    return {
        "momentum": partial(optax.trace, decay=0.9),
        "adam": optax.scale_by_adam,
        "rmsprop": optax.scale_by_rms,
        "adagrad": optax.scale_by_rss,
        "lion": optax.scale_by_lion,
    }[name]()


def make_rule(layout: Layout, optimizer: Any, *, armijo: bool, full: bool, stochastic: bool) -> Rule:
    """What is compiled into a run.

    Raises:
        ProblemError: the optimiser is neither a known name nor an Optax transformation.
    """
    if isinstance(optimizer, str):
        if optimizer not in OPTIMIZERS:
            raise ProblemError(f"optimizer: no {optimizer!r}; there are {', '.join(OPTIMIZERS)}")
        # A constant step needs no optimiser, and the import of Optax would cost a tenth of a second.
        made = None if optimizer == "sgd" else _named(optimizer)
        return Rule(layout, made, True, armijo, full, stochastic)
    if not (hasattr(optimizer, "init") and hasattr(optimizer, "update")):
        raise ProblemError(
            f"optimizer: expected a name ({', '.join(OPTIMIZERS)}) or an Optax transformation, got "
            f"{type(optimizer).__name__}"
        )
    return Rule(layout, optimizer, False, armijo, full, stochastic)
