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
    from benign.errors import AmbiguousError as AmbiguousError
    from benign.errors import BenignError as BenignError
    from benign.errors import BudgetError as BudgetError
    from benign.errors import CertificateError as CertificateError
    from benign.errors import ClaimError as ClaimError
    from benign.errors import FileFormatError as FileFormatError
    from benign.errors import InfeasibleError as InfeasibleError
    from benign.errors import NotScalarError as NotScalarError
    from benign.errors import OutputError as OutputError
    from benign.errors import OutputWarning as OutputWarning
    from benign.errors import ProblemError as ProblemError
    from benign.errors import RoundingWarning as RoundingWarning
    from benign.errors import UsageError as UsageError
    from benign.exact.problem import Family as Family
    from benign.exact.problem import Plant as Plant
    from benign.exact.problem import Problem as Problem
    from benign.exact.problem import Step as Step
    from benign.exact.problem import Task as Task
    from benign.explorer.opening import explore as explore
    from benign.meta.adaptation import GradientStep as GradientStep
    from benign.meta.adaptation import NormalizedStep as NormalizedStep
    from benign.meta.objective import MetaObjective as MetaObjective
    from benign.results.below import LandscapeBelow as LandscapeBelow
    from benign.results.below import ProvedMinimum as ProvedMinimum
    from benign.results.enclosure import Enclosure as Enclosure
    from benign.results.landscape import Kind as Kind
    from benign.results.landscape import Landscape as Landscape
    from benign.results.line import LineLandscape as LineLandscape
    from benign.results.line import StationaryPoint as StationaryPoint
    from benign.results.met import ObservedPoint as ObservedPoint
    from benign.results.observed import ObservedLandscape as ObservedLandscape
    from benign.results.radius import Radius as Radius
    from benign.searches.search import search as search
    from benign.sweeps.bifurcate import bifurcate as bifurcate
    from benign.sweeps.bifurcation import Bifurcation as Bifurcation
    from benign.sweeps.recommend import recommend as recommend
    from benign.sweeps.recommendation import Recommendation as Recommendation
    from benign.sweeps.recommendation import Variant as Variant
    from benign.tasks.family import TaskFamily as TaskFamily
    from benign.tasks.files import FamilyFile as FamilyFile
    from benign.tasks.files import SuggestedStep as SuggestedStep
    from benign.tasks.files import load as load
    from benign.tasks.lqr import LQR as LQR
    from benign.tasks.lqr import Optimum as Optimum
    from benign.tasks.normalizing import normalize as normalize
    from benign.tasks.saving import save_family as save_family
    from benign.tasks.stack import TaskStack as TaskStack
    from benign.training.adapt import Adaptation as Adaptation
    from benign.training.adapt import MetaTest as MetaTest
    from benign.training.adapt import adapt as adapt
    from benign.training.adapt import meta_test as meta_test
    from benign.training.postfactum import PostFactum as PostFactum
    from benign.training.postfactum import postfactum as postfactum
    from benign.training.result import TrainingResult as TrainingResult
    from benign.training.train import train as train
    from benign.verbs.analyze import analyze as analyze
    from benign.verbs.certify import certify as certify
    from benign.verbs.radius import radius as radius
    from benign.verbs.read import read as read
    from benign.verdict import Status as Status
    from benign.verdict import Verdict as Verdict

_NAMES = {
    "benign.certificates.check": ("check",),
    "benign.errors": (
        "AmbiguousError",
        "BenignError",
        "BudgetError",
        "CertificateError",
        "ClaimError",
        "FileFormatError",
        "InfeasibleError",
        "NotScalarError",
        "OutputError",
        "OutputWarning",
        "ProblemError",
        "RoundingWarning",
        "UsageError",
    ),
    "benign.explorer.opening": ("explore",),
    "benign.exact.problem": ("Family", "Plant", "Problem", "Step", "Task"),
    "benign.training.adapt": ("Adaptation", "MetaTest", "adapt", "meta_test"),
    "benign.sweeps.bifurcate": ("bifurcate",),
    "benign.sweeps.bifurcation": ("Bifurcation",),
    "benign.verbs.certify": ("certify",),
    "benign.verbs.radius": ("radius",),
    "benign.results.radius": ("Radius",),
    "benign.training.postfactum": ("PostFactum", "postfactum"),
    "benign.verbs.read": ("read",),
    "benign.sweeps.recommend": ("recommend",),
    "benign.sweeps.recommendation": ("Recommendation", "Variant"),
    "benign.searches.search": ("search",),
    "benign.training.result": ("TrainingResult",),
    "benign.training.train": ("train",),
    "benign.verbs.analyze": ("analyze",),
    "benign.meta.adaptation": ("GradientStep", "NormalizedStep"),
    "benign.meta.objective": ("MetaObjective",),
    "benign.results.below": ("LandscapeBelow", "ProvedMinimum"),
    "benign.results.enclosure": ("Enclosure",),
    "benign.results.landscape": ("Kind", "Landscape"),
    "benign.results.line": ("LineLandscape", "StationaryPoint"),
    "benign.results.met": ("ObservedPoint",),
    "benign.results.observed": ("ObservedLandscape",),
    "benign.tasks.family": ("TaskFamily",),
    "benign.tasks.files": ("FamilyFile", "SuggestedStep", "load"),
    "benign.tasks.lqr": ("LQR", "Optimum"),
    "benign.tasks.normalizing": ("normalize",),
    "benign.tasks.saving": ("save_family",),
    "benign.tasks.stack": ("TaskStack",),
    "benign.verdict": ("Status", "Verdict"),
}
"""The public names, by the module that has them."""

_HOME = {name: home for home, names in _NAMES.items() for name in names}

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
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
