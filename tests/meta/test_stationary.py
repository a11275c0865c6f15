"""Every algorithm on every kind of task ends at a stationary point of its own objective.

The residual comes from values differentiated by JAX and dense linear algebra (`scripts.stationary`),
not from the derivatives that trained.
"""

import numpy as np
import pytest
from scripts.stationary import BOUND, KINDS, residual, sensible, trained

from benign.meta.algorithms import ALGORITHMS
from benign.meta.ticks import Stop

QUICK = [
    ("any differentiable cost", "maml"),
    ("any differentiable cost", "normalized-maml"),
    ("any differentiable cost", "imaml"),
    ("finite horizon, one gain", "reptile"),
    ("finite horizon, a gain a step", "maml"),
    ("mixed H2/H∞", "first-order"),
]
PAIRS = [
    pytest.param(kind, name, marks=[] if (kind, name) in QUICK else [pytest.mark.slow])
    for kind in KINDS
    for name in ALGORITHMS
    if sensible(KINDS[kind], name)
]


@pytest.mark.parametrize(("label", "name"), PAIRS)
def test_the_residual_of_its_own_objective_is_small(label, name):
    kind = KINDS[label]
    ended, _ = trained(kind, name)
    assert ended.stop in (Stop.GRADIENT, Stop.STUCK), ended.stop
    first = residual(kind, name, kind.start())
    assert residual(kind, name, ended.W) <= BOUND * first


def test_the_residual_is_that_of_a_wrong_point_where_the_point_is_wrong():
    kind = KINDS["any differentiable cost"]
    ended, _ = trained(kind, "maml")
    moved = {**ended.W, "x": np.asarray(ended.W["x"]) + 1e-3}
    assert residual(kind, "maml", moved) > BOUND * residual(kind, "maml", kind.start())
