"""What is proved of where a run ended: the certificates that apply, and why there is none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from benign.certificates.quantitative import QUANTITATIVE
from benign.clock import Clock
from benign.errors import BenignError, BudgetError, ProblemError
from benign.exact.likeness import is_one_task
from benign.meta.adaptation import AdaptationStep
from benign.meta.algorithms import Algorithm
from benign.meta.objective import MetaObjective
from benign.prove.certify import certify
from benign.tasks.family import TaskFamily
from benign.tasks.stack import TaskStack
from benign.training.given import REFERENCE
from benign.training.starts import optima

CERTIFIED_WORK = 2e6
"""Certificates are made while tasks × (states + inputs)³ is below this: some seconds in balls."""


@dataclass(frozen=True)
class _Certifier:
    """What can be proved of a gain, for one family and step."""

    family: TaskFamily
    step: AdaptationStep

    def __call__(self, W: Any) -> tuple[tuple[dict[str, Any], ...], str]:
        """The certificates, the smallest gap first, and why there is none."""
        problem = MetaObjective(self.family, self.step).problem
        scalar = problem.family.is_scalar
        gain = float(np.asarray(W).reshape(-1)[0]) if scalar else np.asarray(W)
        claims: list[str | None] = [None]
        if problem.step.kind == "gradient" and is_one_task(problem.family):
            claims.append(QUANTITATIVE)
        documents, reasons = [], []
        for claim in claims:
            try:
                documents.append(certify(problem, gain, claim))
            except BenignError as error:
                # A run that is over is never lost to a proof that does not apply.
                reasons.append(str(error))
        documents.sort(key=lambda document: float(document["gap"]))
        return tuple(documents), "" if documents else "; ".join(reasons)

    def gap(self, W: Any) -> float:
        """The smallest gap proved."""
        documents, _ = self(W)
        return min((float(document["gap"]) for document in documents), default=float("inf"))


def certifier_of(family: TaskFamily | None, rule: Algorithm) -> Callable[[Any], Any]:
    """Something that certifies, or that says why there is no certificate."""
    step = getattr(rule, "step", None)
    if family is None:
        return lambda _: ((), "certificates are made for families of LQR tasks, on exact numbers")
    if step is None:
        return lambda _: (
            (),
            f"{rule.name} adapts to a proximal point, and certificates are about h of a gradient step",
        )
    work = len(family) * (family.n + family.m) ** 3
    if work > CERTIFIED_WORK:
        return lambda _: ((), "the family is too large to be certified in seconds; call benign.certify")
    return _Certifier(family, step)


def gap_settings(gap: float | None, family: TaskFamily | None, certifier: Any) -> dict[str, Any]:
    """What the loop needs to end at a certified gap.

    Raises:
        ProblemError: none can be certified for these tasks and this algorithm.
    """
    if gap is None:
        return {}
    if not isinstance(certifier, _Certifier) or family is None:
        raise ProblemError(f"gap: it cannot be certified here: {certifier(None)[1]}")
    floor = float(np.asarray(family.weights) @ optima(family)[1])
    return {"gap": certifier.gap, "floor": floor, "gap_tolerance": float(gap)}


def least_costs(family: TaskFamily | None, stack: TaskStack, clock: Clock) -> np.ndarray | None:
    """(k,) the least each task can cost, in floating point; None where unknown, or late."""
    if family is not None:
        try:
            return optima(family, clock)[1]
        except BudgetError:
            return None
    best = [task.optimum() for task in stack] if len(stack) <= REFERENCE else [None]
    if any(found is None for found in best):
        return None
    return np.array([float(found.value) for found in best if found is not None])
