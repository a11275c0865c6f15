"""When does the MAML objective have a benign landscape? Answered for your own tasks, with proof.

The daily names live here and load on first use, so that `import benign` costs nothing and the
proof, the checker and the pictures never import JAX.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    "GradientStep": "benign.meta.adaptation",
    "LQR": "benign.tasks.lqr",
    "MetaObjective": "benign.meta.objective",
    "NormalizedStep": "benign.meta.adaptation",
    "TaskFamily": "benign.tasks.family",
    "analyze": "benign.landscape.analyze",
    "certify": "benign.certificates.claims",
    "check": "benign.certificates.check",
    "load": "benign.tasks.files",
}

__all__ = [*_HOME, "__version__"]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    try:
        home = _HOME[name]
    except KeyError:
        raise AttributeError(f"module 'benign' has no attribute {name!r}") from None
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
