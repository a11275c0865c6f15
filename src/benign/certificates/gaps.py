"""Claims about one gain in any dimension: upper bounds of h(W) − inf h.

===================  =======================================================================  =======
claim                conditions                                                               so
===================  =======================================================================  =======
regret bound         any tasks, any step, any W where h is finite                             a gap
quantitative form    one task, S0 ≻ 0, gradient step; I − η∇²g non-singular at every gain     a gap
                     visited from W; the optimum of f attained
===================  =======================================================================  =======

Regret bound: every f_τ(F_τ(V)) is at least inf f_τ, whatever V; so inf h ≥ Σ ω_τ inf f_τ and

    h(W) − inf h ≤ Σ ω_τ (f_τ(F_τ(W)) − inf f_τ).

inf f_τ is bounded from below by a sub-solution of the Riccati equation (`least_cost`).

Quantitative form: for one task h = f∘F, and F is k shots V − η∇g(V), whose derivatives are the
symmetric J_i = I − η∇²g(W_i) at the gains W_0 = W, …, W_{k−1} that are visited. So
∇h(W) = J_0 ⋯ J_{k−1} ∇f(F(W)), and ‖∇f(F(W))‖ ≤ ‖∇h(W)‖ / Π σ_min(J_i). An LQR cost with S0 ≻ 0 is
gradient dominated: with G as in ∇f = 2GΣ and L*, Σ* of the optimal gain,

    f − f* ≤ tr(Σ* G'(R + B'PB)⁻¹G) ≤ ‖Σ*‖ ‖G‖²/σ_min(R),   ‖∇f‖ ≥ 2 σ_min(Σ)‖G‖ ≥ 2 σ_min(S0)‖G‖,

so f − f* ≤ μ‖∇f‖² with μ = ‖Σ*‖ / (4 σ_min(S0)² σ_min(R)), S0 and Σ* with discount and noise folded
in. As inf h ≥ f*,

    h(W) − inf h ≤ μ ‖∇h(W)‖² / Π σ_min(I − η∇²g(W_i))².

For one task the regret bound is the smaller one (but for rounding); the quantitative form says
how far a small ‖∇h‖ alone suffices. Both are proved in balls, from the problem and W alone: neither a
Riccati solution nor an optimal gain is taken from the document.

Source: gradient dominance from Fazel, Ge, Kakade and Mesbahi, arXiv 1801.05039; the bounds are ours.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from flint import arb, arb_mat, ctx

from benign.certificates.pointwise import REGRET, Proved
from benign.certificates.reading import Refused, number
from benign.errors import ClaimError
from benign.rigorous.likeness import is_one_task
from benign.rigorous.lqr import LqrObjective, NotStabilising, gain_matrix, least_cost, optimum
from benign.rigorous.matrices import (
    Unproved,
    frobenius_norm,
    identity,
    is_semidefinite,
    least_singular_value,
    spectral_norm,
)
from benign.rigorous.problem import Problem, problem_from_json, problem_to_json
from benign.rigorous.surd import enclosing_floats

QUANTITATIVE = "quantitative form"

GAPS = (REGRET, QUANTITATIVE)
"""The claims for more than one state or input, in the order in which they are tried."""

PRECISIONS = (192, 384, 768)
"""Bits of the balls, tried in turn: a gain near the rim of the stabilising set needs more. The first
is enough for the lower bounds of the optimal costs to be far below float64's resolution, also where
the states are in very different units."""

SLACK = 2.0**-40
"""Relative room between the gap that is proved and the one that is claimed, so that a python-flint
that rounds differently still proves it."""

Rows = tuple[tuple[float, ...], ...]


def is_gap(problem: Problem, claim: str) -> bool:
    """Whether a claim is proved here: the scalar regret bound is in `pointwise`."""
    return claim == QUANTITATIVE or (claim == REGRET and not problem.family.is_scalar)


def gap_claim(problem: Problem, W: Any, claim: str | None) -> dict[str, Any]:
    """What a certificate about the gain W says: the claim, the problem, W as rows, and the gap.

    Args:
        problem: the problem.
        W: (m, n), rows of floats; a number will do for one state and one input.
        claim: one of `GAPS`; None is the regret bound, the smaller of the two gaps.

    Raises:
        ClaimError: the conditions are not met; the message says which.
        ProblemError: the problem is not one that a document can state.
    """
    name = REGRET if claim is None else claim
    if not is_gap(problem, name):
        n, m = problem.family.n, problem.family.m
        raise ClaimError(
            f"{name} is proved for one state and one input; this family has {n} and {m}, for which "
            f"there are: {', '.join(GAPS)}"
        )
    given = W.tolist() if hasattr(W, "tolist") else W
    if problem.family.is_scalar and isinstance(given, (int, float)):
        given = [[given]]
    document = problem_to_json(problem)
    problem = problem_from_json(document)  # as the checker will read it: shapes, symmetry, discount
    try:
        rows = gain_rows(problem, given)
        require_well_posed(problem)
        proved = prove_gap(problem, name, rows)
    except Refused as error:
        raise ClaimError(f"{name}: {error}") from error
    gap = proved.gap * (1.0 + SLACK)
    return {"claim": name, "problem": document, "W": [list(row) for row in rows], "gap": gap}


def gain_rows(problem: Problem, value: Any) -> Rows:
    """A gain as rows of finite floats, (m, n).

    Raises:
        Refused: it is none.
    """
    m, n = problem.family.m, problem.family.n
    rows = list(value) if isinstance(value, (list, tuple)) else []
    if len(rows) != m or any(not isinstance(row, (list, tuple)) or len(row) != n for row in rows):
        raise Refused(f"W: expected {m} row(s) of {n} number(s)")
    found = tuple(tuple(number(x, "W") for x in row) for row in rows)
    if not all(math.isfinite(x) for row in found for x in row):
        raise Refused("W: must be finite")
    return found


def require_well_posed(problem: Problem) -> None:
    """Decide exactly that R ≻ 0 and Q, S0 and the noise are ⪰ 0, for every task.

    Raises:
        Refused: a matrix is not; the message names task and matrix.
    """
    for task in problem.tasks:
        for plant in {task.f, task.g}:
            for key in ("R", "Q", "S0", "noise"):
                M = getattr(plant, key)
                strict = key == "R"
                if M is not None and not is_semidefinite(M, strict=strict):
                    kind = "definite" if strict else "semidefinite"
                    raise Refused(f"problem: task `{task.name}` needs {key} to be positive {kind}")


def check_gap(body: dict[str, Any], problem: Problem) -> str:
    """Prove the claim of a document again; the statement proved.

    Raises:
        Refused: the document does not prove what it claims; the message says where.
    """
    require_well_posed(problem)
    rows, gap = gain_rows(problem, body["W"]), number(body["gap"], "gap")
    proved = prove_gap(problem, body["claim"], rows)
    if not gap >= proved.gap:
        raise Refused(f"gap: {gap!r} is less than what is proved, {proved.gap!r}")
    return proved.statement


def prove_gap(problem: Problem, claim: str, W: Rows) -> Proved:
    """Prove an upper bound of h(W) − inf h, for a problem that is well posed.

    Raises:
        Refused: a condition of the claim is not met or could not be shown; the message says which.
    """
    prove = _regret if claim == REGRET else _quantitative
    if claim == QUANTITATIVE:
        _require_one_task(problem)
    gap = _at_enough_bits(lambda: prove(problem, gain_matrix(W)))
    place = f"h({_listed(W)})" if problem.family.is_scalar else f"h at the gain {_listed(W)}"
    return Proved(f"{place} exceeds the infimum of h by at most {gap!r}", gap)


def _listed(W: Rows) -> str:
    """The gain in a line: a few digits of a few entries; a single number in full."""
    entries = [x for row in W for x in row]
    if len(entries) == 1:
        return repr(entries[0])
    rows = [", ".join(f"{x:.6g}" for x in row[:6]) + (", …" if len(row) > 6 else "") for row in W[:3]]
    return "[" + "; ".join(rows) + ("; …]" if len(W) > 3 else "]")


def _at_enough_bits(prove: Callable[[], arb]) -> float:
    """A float64 upper bound of the gap, from the first precision that suffices."""
    reason = ""
    for precision in PRECISIONS:
        with ctx.workprec(precision):
            try:
                gap = prove()
            except NotStabilising as error:
                raise Refused(str(error)) from None
            except Unproved as error:
                reason = str(error)
                continue
            if gap.is_finite() and gap < arb(2) ** 1000:
                return max(enclosing_floats(gap)[1], 0.0)
            reason = "the gap is beyond the range of a float64"
    raise Refused(reason)


# --- the two claims --------------------------------------------------------------------------


def _regret(problem: Problem, W: arb_mat) -> arb:
    objective = LqrObjective(problem)
    total = arb(0)
    for task, weight in enumerate(objective.weights):
        last = objective.visit(task, W).last
        # F_τ(W) stabilises: the search for the sub-solution may begin there.
        total += weight * (last.cost - least_cost(last.plant, last.W))
    return total


def _require_one_task(problem: Problem) -> None:
    if problem.step.kind != "gradient":
        raise Refused(f"{QUANTITATIVE} is about the gradient step, not the normalized step")
    if not is_one_task(problem.family):
        tasks = len(problem.tasks)
        raise Refused(f"{QUANTITATIVE} is about one task; the {tasks} tasks of this family differ")
    if not is_semidefinite(problem.tasks[0].f.moment, strict=True):
        raise Refused(f"{QUANTITATIVE} needs S0 ≻ 0: otherwise f is not gradient dominated")


def _quantitative(problem: Problem, W: arb_mat) -> arb:
    objective = LqrObjective(problem)
    visit = objective.visit(0, W)
    plant = visit.last.plant
    star = optimum(plant, visit.last.W)
    smallest = least_singular_value(plant.S)
    mu = spectral_norm(star.Sigma) / (4 * smallest**2 * least_singular_value(plant.R))
    shrinkage = arb(1)
    one = identity(W.nrows() * W.ncols())
    for shot, loop in enumerate(visit.shots):
        try:
            shrinkage *= least_singular_value(one - loop.hessian() * objective.eta)
        except Unproved:
            where = "W" if shot == 0 else f"the gain after shot {shot}"
            raise Unproved(f"I − η∇²g could not be shown to be non-singular at {where}") from None
    # The tasks are one, and the weights sum to one: ∇h is the gradient of the first.
    slope = frobenius_norm(objective.task_gradient(visit))
    return mu * (slope / shrinkage) ** 2
