"""What others would do: one file a peer, each a function of a `Bench` that a user of it would write.

A peer that is not installed is left out (`load`), and the tables lack its column.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType


def load(name: str) -> ModuleType | None:
    """The module of a peer, or None where a package it needs is not installed."""
    try:
        return import_module(f"benchmarks.peers.{name}")
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.startswith(("benchmarks", "benign")):
            raise
        return None
