"""Cells that are looked at one by one: larger families, several shots, and families of a function.

One state and one input: the prover, which sees everything. Otherwise a search from many starts, and the
prover as well where it is asked for.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from benign.errors import ClaimError, InfeasibleError, ProblemError
from benign.exact.problem import Family, Problem, make_step
from benign.studies.columns import BENIGN, INFEASIBLE, NONE, SPURIOUS, UNDECIDED
from benign.studies.proving import verdict_of
from benign.studies.scalar import ALIKE
from benign.studies.study import Study
from benign.studies.tasks import FIELDS, Families, optima
from benign.studies.variance import variance_at

SAME = 1e-6
"""Minima of a search that differ by less than this share of the least are one value."""

PROVING = 60.0
"""Seconds for a proof in a few parameters where the study names no limit."""

MARGIN = 0.9
"""The share of the limit of a cell that a search or a proof may use: then it ends by itself."""


def searched(study: Study, columns: dict[str, np.ndarray], *, proof: bool) -> dict[str, Any]:
    """The columns of one cell."""
    family, families, eta = _family(study, columns)
    step = make_step(str(columns["step"][0]), Fraction(eta), int(columns["shots"][0]))
    problem = Problem(family, step)
    if family.is_scalar:
        return _by_proof(problem, families)
    found = _by_search(problem, families, study, int(columns["seed"][0]))
    return found | (_proved(problem, found, study) if proof else {})


def _family(study: Study, columns: dict[str, np.ndarray]) -> tuple[Family, Families | None, float]:
    """The family in exact numbers, as arrays if it is an ordinary one, and the step size."""
    if study.kind is not None:
        from benign.studies.work import etas_of, families_of

        families = families_of(study, columns)
        return families.exact(0), families, float(etas_of(study, columns, families)[0])
    from benign.tasks.given import as_exact_family

    assert not isinstance(study.generator, str)
    settings = {name: column[0].item() for name, column in columns.items()}
    rng = np.random.default_rng([study.seed, int(settings["seed"])])
    family = as_exact_family(study.generator(settings, rng), "generator")
    families = arrays_of(family)
    eta = float(columns["eta"][0])
    if study.measure.relative:
        if families is None:
            raise ProblemError("measure: relative: is for undiscounted tasks of equal weight")
        eta /= float(optima(families).curvature[0, 0])
    return family, families, eta


def arrays_of(family: Family) -> Families | None:
    """An exact family as arrays; None for one of other weights, discounts or adaptation costs."""
    plain = all(
        task.adaptation is None and task.f.discount == 1 and task.f.noise is None
        for task in family.tasks
    )
    if not plain or len(set(family.weights)) > 1:
        return None
    made = [np.array([[getattr(t.f, name) for t in family.tasks]], dtype=float) for name in FIELDS]
    return Families(*made)


def _by_proof(problem: Problem, families: Families | None) -> dict[str, Any]:
    from benign.prove.line.enumeration import analyze

    try:
        found = analyze(problem)
    except InfeasibleError:
        return {"minimisers": 0, "verdict": NONE, "proved": INFEASIBLE}
    epsilon, minimum = found.epsilon.mid, found.minimum.mid
    alike = epsilon <= ALIKE * abs(minimum)
    return {
        "minimisers": len(found.minima),
        "minimum": minimum,
        "epsilon": epsilon,
        "verdict": BENIGN if alike else SPURIOUS,
        "proved": verdict_of(found),
        "epsilon_low": found.epsilon.lo,
        "epsilon_high": found.epsilon.hi,
        **_at(problem, families, found.minimizers[0].W, minimum),
    }


def _by_search(problem: Problem, families: Families | None, study: Study, seed: int) -> dict[str, Any]:
    from benign.searches.search import search

    limit = study.measure.limit
    try:
        found = search(
            problem,
            starts=max(1, study.measure.starts),
            seed=seed,
            budget=None if limit is None else MARGIN * limit,
        )
    except InfeasibleError as error:
        proved = NONE if error.certificate is None else INFEASIBLE
        return {"minimisers": 0, "verdict": NONE, "proved": proved}
    minima = found.minimizers
    if not minima:
        return {"minimisers": 0, "verdict": NONE}
    values = np.array([float(point.value) for point in minima])
    hits = np.array([point.hits for point in minima])
    best = values[0]
    alike = values - best <= SAME * abs(best)
    return {
        "minimisers": len(minima),
        "minimum": best,
        "epsilon": 0.0 if alike.all() else values[-1] - best,
        "verdict": BENIGN if alike.all() else SPURIOUS,
        "success": hits[alike].sum() / max(1, found.starts),
        **_at(problem, families, minima[0].W, best),
    }


def _at(problem: Problem, families: Families | None, W: Any, minimum: float) -> dict[str, Any]:
    """What follows at the best minimiser; nothing for families of another kind."""
    if families is None:
        return {}
    made: dict[str, Any] = {"regret": minimum - float(optima(families).cost.mean())}
    if problem.step.kind == "gradient" and problem.step.shots == 1:
        made |= variance_at(families, float(problem.step.eta), np.asarray(W, float))
    return made


def _proved(problem: Problem, seen: dict[str, Any], study: Study) -> dict[str, Any]:
    from benign.verbs.analyze import analyze

    limit = study.measure.limit
    budget = PROVING if limit is None else MARGIN * limit
    try:
        found = analyze(problem, proof="required", budget=budget)
    except ClaimError:  # too many parameters
        return {"proved": UNDECIDED}
    except InfeasibleError:
        return {"proved": INFEASIBLE, "agrees": int(seen["minimisers"] == 0)}
    proved = verdict_of(found)
    made = {"proved": proved, "epsilon_low": found.epsilon.lo, "epsilon_high": found.epsilon.hi}
    if proved in (BENIGN, SPURIOUS):
        made["agrees"] = int(proved == seen["verdict"])
    return made
