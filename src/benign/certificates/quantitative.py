"""The quantitative form of Theorem 2: how far h(W) can be above inf h, by ‖∇h(W)‖ alone; one task.

For one task h = f∘F, and F is k shots V − η∇g(V), whose derivatives are the
symmetric J_i = I − η∇²g(W_i) at the gains W_0 = W, …, W_{k−1} that are visited. So
∇h(W) = J_0 ⋯ J_{k−1} ∇f(F(W)), and ‖∇f(F(W))‖ ≤ ‖∇h(W)‖ / Π σ_min(J_i). An LQR cost with S0 ≻ 0 is
gradient dominated: with G as in ∇f = 2GΣ and L*, Σ* of the optimal gain,

    f − f* ≤ tr(Σ* G'(R + B'PB)⁻¹G) ≤ ‖Σ*‖ ‖G‖²/σ_min(R),   ‖∇f‖ ≥ 2 σ_min(Σ)‖G‖ ≥ 2 σ_min(S0)‖G‖,

so f − f* ≤ μ‖∇f‖² with μ = ‖Σ*‖ / (4 σ_min(S0)² σ_min(R)), S0 and Σ* with discount and noise folded
in. As inf h ≥ f*,

    h(W) − inf h ≤ μ ‖∇h(W)‖² / Π σ_min(I − η∇²g(W_i))².

For one task the regret bound is the smaller one (but for rounding); the quantitative form says
how far a small ‖∇h‖ alone suffices. All is proved in balls, from the problem and W alone.

Source: gradient dominance from Fazel, Ge, Kakade and Mesbahi, arXiv 1801.05039; the bounds are ours.
"""

from __future__ import annotations

from flint import arb, arb_mat

from benign.balls.lqr import LqrObjective, gain_matrix, optimum
from benign.balls.matrices import (
    Unproved,
    frobenius_norm,
    identity,
    least_singular_value,
    spectral_norm,
)
from benign.certificates.claim import Claim, Cost, Document, Progress
from benign.certificates.gains import (
    Rows,
    at_enough_bits,
    gain_cost,
    gain_rows,
    listed,
    require_well_posed,
)
from benign.certificates.pointwise import Proved
from benign.certificates.reading import Refused, number
from benign.exact.definite import is_semidefinite
from benign.exact.likeness import is_one_task
from benign.exact.problem import Problem
from benign.exact.rounding import at_most

QUANTITATIVE = "quantitative form"


def _prove(document: Document, problem: Problem, progress: Progress | None) -> str:
    require_well_posed(problem)
    rows, gap = gain_rows(problem, document["W"]), number(document["gap"], "gap")
    proved = prove_rows(problem, rows)
    if not gap >= proved.gap:
        raise Refused(f"gap: {gap!r} is less than what is proved, {proved.gap!r}")
    return proved.statement


def _cost(document: Document, problem: Problem) -> Cost:
    n, m = problem.family.n, problem.family.m
    seconds, megabytes = gain_cost(problem)
    # The Hessian of each shot: nm Lyapunov equations, and the least singular value of (nm, nm).
    hessians = problem.step.shots * (2e-5 * n * m * n**3 + 2e-6 * (n * m) ** 3)
    return Cost(seconds + hessians, megabytes + 1e-4 * (n * m) ** 2 * problem.step.shots)


CLAIM = Claim(QUANTITATIVE, frozenset({"W", "gap"}), _cost, _prove)


def prove_rows(problem: Problem, W: Rows) -> Proved:
    """The bound at a gain (m, n), for a problem that is well posed.

    Raises:
        Refused: the problem is not one task, or a condition could not be shown; the message says which.
    """
    _require_one_task(problem)
    gap = at_enough_bits(lambda: _quantitative(problem, gain_matrix(W)))
    place = f"h({listed(W)})" if problem.family.is_scalar else f"h at the gain {listed(W)}"
    return Proved(f"{place} exceeds the infimum of h by at most {at_most(gap)}", gap)


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
