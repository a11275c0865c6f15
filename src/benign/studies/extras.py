"""What only studies need, and who has not installed it is told how."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from benign.errors import UsageError


def need(module: str) -> Any:
    """A module of the extra `studies`.

    Raises:
        UsageError: it is not installed.
    """
    try:
        return import_module(module)
    except ImportError as error:
        name = module.partition(".")[0]
        if error.name is not None and error.name.partition(".")[0] != name:
            raise
        raise UsageError(f'study: {name} is not installed; pip install "benign[studies]"') from None
