"""The same claims about a stationary point for several states or inputs, proved in balls.

A box of gains is given. The operator of Krawczyk shows that a strict local minimiser w* of h is in it
(`benign.certificates.points`), enclosed so tightly that the conditions can be shown for all gains of
its enclosure. With H_i = ∇²g, G_i = ∇g, u_i = G_i/‖G_i‖ at the gains W_0 = w*, W_1, … that are visited:

===================  ==================================================================  ===========
claim                conditions                                                           so
===================  ==================================================================  ===========
theorem 1            one task, gradient step; η‖H_i‖ < 1                                  w* is global
theorem 2            the same with f = g                                                  w* is global
proposition 1        the same; f is ε-global with ε = 0, being an LQR cost                w* is global
proposition 2        one task, normalised step; η‖H_i‖ < ‖G_i‖                            w* is global
theorem 3            A, B, S0 equal and (Q, R) proportional, normalised step; the same    w* is global
non-singular form    either step; J_i = I − ηH_i, or I − (η/‖G_i‖)(I − u_iu_i')H_i,       w* is global
                     non-singular
===================  ==================================================================  ===========

Proof. Each condition makes every J_i regular: ‖I − J_i‖ < 1 for all but the last, which says it. For
tasks that are alike h = t f∘F with t > 0, and ∇h = t J_0'⋯J_{k−1}' ∇f(F(w)), so that ∇f(F(w*)) = 0.
For an LQR cost ∇f = 2GΣ with Σ ⪰ S0 ≻ 0: G = 0 at F(w*), its P solves the Riccati equation, and
f(V) − f(F(w*)) = tr(Σ_V (V − F)'(R + B'PB)(V − F)) ≥ 0 for every V that stabilises. So h(w*) = t min f
≤ h(W) for every W. ∎

For several entries proposition 2 and theorem 3 apply to few points: F(w*) is the optimum, w* lies η
from it in the direction u of G, and G = ηH̄u with H̄ the mean of ∇²g between the two. So η‖H‖ < ‖G‖ needs
u to be next to the eigenvector of the largest eigenvalue, on the side on which ∇²g shrinks. The
non-singular form asks for no more than that such a w* is isolated.

Source: Theorems 1 to 3 and Propositions 1 and 2 of arXiv 2006.00453; the non-singular form is ours.
"""

from __future__ import annotations

from flint import ctx

from benign.balls.curvature import Curved, CurvedObjective, StationaryPoint
from benign.balls.lqr import NotStabilising
from benign.balls.matrices import Unproved, inner, least_singular_value, spectral_norm
from benign.certificates.below_points import require_within
from benign.certificates.claim import Cost
from benign.certificates.gains import MOST_SHOWN, PRECISIONS, Rows, require_well_posed
from benign.certificates.points import Box, middle_of, points_cost, stationary_near
from benign.certificates.pointwise import NON_SINGULAR, Proved, require_family
from benign.certificates.reading import Refused
from benign.exact.problem import Problem
from benign.exact.rounding import at_most, between, enclosing_floats


def prove_box(problem: Problem, claim: str, box: Box) -> Proved:
    """Prove a claim about a stationary point in a box of gains; not for one state and one input.

    Raises:
        Refused: a condition of the claim is not met or could not be shown; the message says which.
    """
    require_well_posed(problem)
    require_family(problem, claim)
    found = minimiser_near(problem, middle_of(box, problem))
    for x, side in zip(found.gain.entries(), box, strict=True):
        require_within(x, side, "W")
    require_condition(problem, claim, found)
    return Proved(f"a stationary point in {shown(box, problem)} is a global minimiser of h", 0.0)


def minimiser_near(problem: Problem, W: Rows) -> StationaryPoint:
    """A strict local minimiser of h next to a gain, proved; the problem is well posed.

    Raises:
        Refused: none was found, or what is there is no minimiser.
    """
    found = stationary_near(problem, W)
    if not found.minimum:
        raise Refused("the stationary point there is no local minimum: ∇²h ≻ 0 is false")
    return found


def require_condition(problem: Problem, claim: str, found: StationaryPoint) -> None:
    """Raise `Refused` unless the claim's condition holds at a stationary point; its family is such."""
    reason = ""
    for precision in PRECISIONS[:2]:
        with ctx.workprec(precision):
            try:
                _condition(CurvedObjective(problem), claim, found)
                return
            except (Unproved, NotStabilising) as error:
                reason = str(error)
    raise Refused(reason)


def _condition(objective: CurvedObjective, claim: str, found: StationaryPoint) -> None:
    # Tasks that are alike visit the same gains, so that the first speaks for all.
    for shot, loop in enumerate(objective.visit(0, found.gain).shots):
        assert isinstance(loop, Curved)
        where = "the point" if shot == 0 else f"the gain after shot {shot}"
        if claim == NON_SINGULAR:
            try:
                least_singular_value(objective.turn(loop))
            except Unproved:
                raise Refused(
                    f"the derivative of a shot could not be shown to be non-singular at {where}"
                ) from None
            continue
        size = objective.eta * spectral_norm(loop.curvature)
        if objective.normalized:
            slope = inner(loop.gradient, loop.gradient).sqrt()
            if not size < slope:
                ratio = at_most(enclosing_floats(size / slope)[1], 4)
                raise Refused(
                    f"{claim} needs η‖∇²g‖ < ‖∇g‖ at {where}; all that is shown is ≤ {ratio} times that"
                )
        elif not size < 1:
            most = at_most(enclosing_floats(size)[1], 4)
            raise Refused(f"{claim} needs η‖∇²g‖ < 1 at {where}; all that is shown is ≤ {most}")


def shown(box: Box, problem: Problem) -> str:
    """A box in a line: all its sides, or the first of many."""
    sides = [between(lo, hi) for lo, hi in box]
    if len(sides) > MOST_SHOWN // 2:
        return f"the box of the document (its first side is {sides[0]})"
    n = problem.family.n
    rows = [", ".join(sides[i : i + n]) for i in range(0, len(sides), n)]
    return f"[{'; '.join(rows)}]"


def box_cost(problem: Problem) -> Cost:
    """What such a claim takes: a stationary point, and norms of its Hessians."""
    one, p = points_cost(problem), problem.family.n * problem.family.m
    return Cost(one.seconds + 2e-6 * problem.step.shots * p**3, one.megabytes)
