"""The claims about a stationary point, of any dimension: what a document holds, and which proof it has.

For one state and one input "W" is an interval (`benign.certificates.pointwise`), otherwise it is m rows
of n intervals (`benign.certificates.anywhere`).
"""

from __future__ import annotations

from benign.certificates.anywhere import box_cost, prove_box
from benign.certificates.claim import Claim, Cost, Document, Progress
from benign.certificates.points import read_box
from benign.certificates.pointwise import CLAIMS, Proved, prove_point, scalar_cost
from benign.certificates.reading import Refused, interval, number
from benign.exact.plants import scalar_plants
from benign.exact.problem import Problem


def _cost(document: Document, problem: Problem) -> Cost:
    return scalar_cost(document, problem) if problem.family.is_scalar else box_cost(problem)


def _proved(document: Document, problem: Problem, name: str) -> Proved:
    if problem.family.is_scalar:
        scalar_plants(problem)  # refuses what is of the wrong sign or out of range
        return prove_point(problem, name, *interval(document, "W"))
    return prove_box(problem, name, read_box(document, "W", problem))


def _row(name: str) -> Claim:
    def prove(document: Document, problem: Problem, progress: Progress | None) -> str:
        proved = _proved(document, problem, name)
        if number(document["gap"], "gap") != 0:
            raise Refused(f"gap: {name} leaves none, so that it has to be 0")
        return proved.statement

    return Claim(name, frozenset({"W", "gap"}), _cost, prove)


ROWS = tuple(_row(name) for name in CLAIMS)
