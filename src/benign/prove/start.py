"""What a method can lose at most that starts at a gain and never raises h: the regret bound there."""

from __future__ import annotations

from typing import Any

import numpy as np
from flint import ctx

from benign.certificates.check import PRECISION
from benign.certificates.document import sealed
from benign.certificates.gains import gain_cost, gain_rows, require_well_posed
from benign.certificates.pointwise import Proved
from benign.certificates.reading import Refused
from benign.certificates.regret import REGRET, prove_rows, prove_scalar
from benign.clock import NO_LIMIT, Clock
from benign.errors import ProblemError
from benign.exact.documents import problem_from_json, problem_to_json
from benign.exact.problem import Problem
from benign.prove.certify import SLACK
from benign.results.start import Start

LONGEST = 60.0
"""Seconds that it may be estimated to take."""


def start_at(problem: Problem, W: np.ndarray, where: str, clock: Clock = NO_LIMIT) -> Start:
    """What a method loses at most that starts there; without a certificate there is a reason."""
    W = np.asarray(W, float).reshape(problem.family.m, problem.family.n)
    if gain_cost(problem).seconds > min(clock.left, LONGEST):
        return Start(W, where, remark="there was no time for it")
    try:
        document = problem_to_json(problem)
        problem = problem_from_json(document)  # as the checker will read it
        try:
            proved = _bound(problem, W, relative=True)
        except Refused:
            proved = _bound(problem, W, relative=False)
    except (Refused, ProblemError) as error:  # such as numbers that are out of range
        return Start(W, where, remark=str(error))
    body: dict[str, Any] = {"problem": document, "claim": REGRET}
    body["W"] = [float(W[0, 0])] * 2 if problem.family.is_scalar else W.tolist()
    body["gap"] = proved.gap * (1.0 + SLACK)
    if proved.relative is not None:
        body["relative"] = proved.relative * (1.0 + SLACK)
    return Start.of(W, where, sealed(body))


def _bound(problem: Problem, W: np.ndarray, *, relative: bool) -> Proved:
    if problem.family.is_scalar:
        with ctx.workprec(PRECISION):
            return prove_scalar(problem, float(W[0, 0]), relative=relative)
    require_well_posed(problem)
    return prove_rows(problem, gain_rows(problem, W.tolist()), relative=relative)
