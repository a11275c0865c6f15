"""A cell that is a run of training: what an algorithm reaches on a family in so many meta-steps."""

from __future__ import annotations

from typing import Any

import numpy as np

from benign.studies.study import Study
from benign.studies.tasks import Families, optima
from benign.studies.work import etas_of, families_of

BETA = 0.2
"""The meta-step of an algorithm whose directions are no gradient, times ‖∇²C(W*)‖ of a mean task."""

PROXIMAL = ("imaml", "minibatch-prox")
"""Algorithms that adapt by a proximal step; its λ is 1/η, which is the gradient step to first order."""

SEARCHING = ("maml", "normalized-maml")
"""Algorithms with an objective that Armijo's rule can search along."""


def _meta_step(algorithm: str, families: Families) -> float | None:
    return None if algorithm in SEARCHING else BETA / float(optima(families).curvature.mean())


def trained(study: Study, columns: dict[str, np.ndarray]) -> dict[str, Any]:
    """The columns of one cell; h is what the tasks cost after adaptation, whatever was minimised."""
    from benign.training.train import train

    algorithm, beta = str(columns["algorithm"][0]), float(columns["beta"][0])
    families = families_of(study, columns)
    eta = float(etas_of(study, columns, families)[0])
    found = train(
        families.exact(0),
        algorithm,
        eta=eta,
        shots=int(columns["shots"][0]),
        lam=1 / eta if algorithm in PROXIMAL else None,
        beta=beta or _meta_step(algorithm, families),
        steps=study.measure.steps,
        seed=int(columns["seed"][0]),
    )
    return {
        "cost": found.value,
        "gap": found.gap,
        "regret": found.value - float(optima(families).cost.mean()),
        "meta_steps": found.steps,
        "rested": int(found.stop.name == "GRADIENT"),
    }
