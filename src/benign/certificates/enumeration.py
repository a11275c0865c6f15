"""Proving a complete enumeration again, from its document alone and in ball arithmetic.

Gradient step: every tag of the cover is proved anew; what the tags imply (`benign.exact.cover`)
is compared with the list that is claimed; for one shot and few tasks the list is compared with the
real roots of an integer polynomial as well. Normalised step: the pieces follow exactly from the
problem, and the signs of h' at their ends are proved anew.
"""

from __future__ import annotations

from fractions import Fraction

from benign.balls.scalar import BallObjective
from benign.certificates.claim import Claim, Cost, Document, Progress
from benign.certificates.comparing import Bounds, within
from benign.certificates.covered import compare_values_of_doubt, cover_cost, prove_gradient
from benign.certificates.pieced import piece_cost, prove_normalized
from benign.certificates.reading import Refused, interval, pair, records
from benign.exact import globality
from benign.exact.likeness import is_one_task, is_proportional
from benign.exact.numbers import read_written
from benign.exact.plants import scalar_plants
from benign.exact.problem import Problem
from benign.exact.rounding import exactly

ENUMERATION = "complete enumeration"

FIELDS = frozenset({"domain", "points", "undecided", "minimum", "epsilon", "asked", "status"})
"""What a document of this claim holds; for a gradient step a cover as well."""


def prove_enumeration(document: Document, problem: Problem, progress: Progress | None = None) -> str:
    """Prove the claim again; the statement proved.

    Raises:
        Refused: the document does not prove what it claims; the message says where.
    """
    scalar_plants(problem)  # refuses what is not scalar, of the wrong sign or out of range
    claimed = records(document, "points", {"kind", "W", "value", "limits", "multiplicity"})
    stretches = records(document, "undecided", {"W", "value"})
    doubtful = [(interval(entry, "W"), pair(entry, "value")) for entry in stretches]
    if problem.step.kind == "gradient":
        found, jacobians = prove_gradient(document, problem, claimed, [w for w, _ in doubtful])
        compare_values_of_doubt(BallObjective(problem), doubtful)
        regular = is_one_task(problem.family) and all(jacobians)
    else:
        if document.get("cover") is not None:
            raise Refused("cover: a normalised step has none")
        found = prove_normalized(document, problem, claimed, doubtful)
        alike = is_one_task(problem.family) or is_proportional(problem.family)
        regular = alike and all(f.kind == "minimum" for f in found if "minimum" in f.kind)
    minima = [f.value for f in found if "minimum" in f.kind]
    if not minima and not doubtful:
        raise Refused("points: there is no minimum, so nothing is claimed")
    values = [value for _, value in doubtful]
    all_global = not doubtful and (len(minima) == 1 or regular)
    epsilon = (0.0, 0.0) if all_global else globality.epsilon(minima, values)
    within(globality.infimum(minima, values), pair(document, "minimum"), "minimum")
    within(epsilon, pair(document, "epsilon"), "epsilon")
    return _status(document, epsilon, len(doubtful))


def _status(document: Document, epsilon: Bounds, doubts: int) -> str:
    asked = read_written(document["asked"]) if isinstance(document.get("asked"), str) else None
    if asked is None or not 0 <= asked < 2**1000:
        raise Refused("asked: expected a number that is not negative nor huge, as a string")
    status = document.get("status")
    holds = epsilon[1] != float("inf") and Fraction(epsilon[1]) <= asked
    fails = Fraction(epsilon[0]) > asked
    if (status == "proved" and not holds) or (status == "refuted" and not fails):
        raise Refused(f"status: {status!r} does not follow from epsilon in {list(epsilon)}")
    if status not in ("proved", "refuted", "undecided"):
        raise Refused(f"status: {status!r} is no verdict")
    what = "global" if asked == 0 else f"within {exactly(asked)} of the global one"
    finding = {
        "proved": f"every local minimum of h is {what}",
        "refuted": f"not every local minimum of h is {what}",
        "undecided": f"whether every local minimum of h is {what} is left open",
    }[status]
    complete = (
        f"complete but for {doubts} undecided stretch{'es' * (doubts > 1)}" if doubts else "complete"
    )
    return f"{finding}; the list of them is {complete}"


def _cost(document: Document, problem: Problem) -> Cost:
    if problem.step.kind == "normalized":
        return piece_cost(document, problem)
    return cover_cost(document, problem)


CLAIM = Claim(ENUMERATION, FIELDS, _cost, prove_enumeration, optional=frozenset({"cover"}))
