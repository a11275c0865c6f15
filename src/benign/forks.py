"""A process forked after JAX has started lacks JAX's threads, and would wait for them for ever."""

from __future__ import annotations

import os
import sys

from benign.errors import BenignError

_orphaned = False


def _forked() -> None:
    global _orphaned
    bridge = sys.modules.get("jax._src.xla_bridge")
    _orphaned = _orphaned or bool(getattr(bridge, "_backends", None))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forked)


def refuse_orphans() -> None:
    """Stop a call that would need threads that are not there.

    Raises:
        BenignError: this process was forked from one in which JAX had started.
    """
    if _orphaned:
        raise BenignError(
            "this process was forked after JAX had started, and JAX hangs in it; make workers by "
            'multiprocessing.get_context("spawn"), or fork before the first call'
        )
