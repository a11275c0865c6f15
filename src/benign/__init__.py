"""When does the MAML objective have a benign landscape? Answered for your own tasks, with proof.

The daily names live here and load on first use, so that `import benign` costs nothing and the
proof, the checker and the pictures never import JAX.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from benign.version import __version__

if TYPE_CHECKING:
    from benign.certificates.check import check as check
    from benign.landscape.adapting import adapt as adapt
    from benign.landscape.adapting import meta_test as meta_test
    from benign.landscape.bifurcation import bifurcate as bifurcate
    from benign.landscape.postfactum import postfactum as postfactum
    from benign.landscape.recommend import recommend as recommend
    from benign.landscape.search import search as search
    from benign.landscape.training import train as train
    from benign.landscape.verb import analyze as analyze
    from benign.meta.adaptation import GradientStep as GradientStep
    from benign.meta.adaptation import NormalizedStep as NormalizedStep
    from benign.meta.objective import MetaObjective as MetaObjective
    from benign.prove.certify import certify as certify
    from benign.tasks.family import TaskFamily as TaskFamily
    from benign.tasks.files import load as load
    from benign.tasks.lqr import LQR as LQR
    from benign.tasks.normalizing import normalize as normalize

_HOME = {
    "GradientStep": "benign.meta.adaptation",
    "LQR": "benign.tasks.lqr",
    "MetaObjective": "benign.meta.objective",
    "NormalizedStep": "benign.meta.adaptation",
    "TaskFamily": "benign.tasks.family",
    "analyze": "benign.landscape.verb",
    "adapt": "benign.landscape.adapting",
    "bifurcate": "benign.landscape.bifurcation",
    "certify": "benign.prove.certify",
    "check": "benign.certificates.check",
    "load": "benign.tasks.files",
    "meta_test": "benign.landscape.adapting",
    "normalize": "benign.tasks.normalizing",
    "postfactum": "benign.landscape.postfactum",
    "recommend": "benign.landscape.recommend",
    "search": "benign.landscape.search",
    "train": "benign.landscape.training",
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
