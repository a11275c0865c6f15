"""Claims about a stationary point of a scalar h: Theorems 1 to 3, Propositions 1 and 2, a sharper form.

Each is proved in ball arithmetic from the problem and an interval [lo, hi] that holds the gain. For a
stationary point, h' is shown to change sign in the interval and h'' to be positive all over it, so
that it holds exactly one local minimum w*; the conditions are then shown over the whole interval. The
same code makes a claim and checks it: a claim that it cannot prove is refused, with the reason.

What each needs (one state, one input; f and g are the evaluation and the adaptation cost; for more
states or inputs see `benign.certificates.anywhere`):

===================  ==================================================================  ===========
claim                conditions, besides ∇h(w*) = 0 and ∇²h(w*) > 0                       so
===================  ==================================================================  ===========
theorem 1            one task; η|g''| < 1 at every gain visited from w*                   w* is global
theorem 2            the same with f = g, an LQR cost                                     w* is global
proposition 1        the same; f is ε-global with ε = 0, being an LQR cost                 w* is global
non-singular form    one task; F'(w*) ≠ 0, whatever the size of η                         w* is global
proposition 2        one task, normalised step; g' ≠ 0 at every gain visited              w* is global
theorem 3            A, B, S0 equal and (Q, R) proportional, normalised step; g' ≠ 0      w* is global
===================  ==================================================================  ===========

Where F' ≠ 0 a stationary point of h = f∘F has f'(F(w*)) = 0, and a scalar LQR cost with S0 > 0 is
strictly convex where it is finite, so F(w*) is its optimum. Theorem 2's conclusion that h as a whole is
global does not follow from a condition at w* and is never claimed.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from flint import arb

from benign.balls.scalar import BallCost, BallObjective, Span
from benign.certificates.claim import Cost, Document
from benign.certificates.pieced import piece_cost
from benign.certificates.reading import Refused
from benign.exact.definite import is_semidefinite
from benign.exact.likeness import is_one_task, is_proportional
from benign.exact.pieces import Break, Piece, pieces
from benign.exact.plants import scalar_plants
from benign.exact.problem import Problem
from benign.exact.rounding import at_most, between, enclosing_floats, to_ball
from benign.exact.surd import Surd

THEOREM_1 = "theorem 1"
THEOREM_2 = "theorem 2"
PROPOSITION_1 = "proposition 1"
NON_SINGULAR = "non-singular form"
PROPOSITION_2 = "proposition 2"
THEOREM_3 = "theorem 3"
CLAIMS = (THEOREM_2, THEOREM_1, PROPOSITION_1, NON_SINGULAR, THEOREM_3, PROPOSITION_2)
"""Strongest first; the order in which they are tried."""


@dataclass(frozen=True)
class Proved:
    """What a proof of a claim gives.

    Attributes:
        statement: the sentence.
        gap: an upper bound of h(w) − inf h.
        relative: an upper bound of (h(w) − inf h)/inf h; None where it was not asked for.
    """

    statement: str
    gap: float
    relative: float | None = None


def scalar_cost(document: Document, problem: Problem) -> Cost:
    """What a claim about one scalar gain takes: every task's shots, or the pieces of the line."""
    k, shots = len(problem.tasks), problem.step.shots
    if problem.step.kind == "gradient":
        return Cost(seconds=3e-4 * k * shots)
    return piece_cost(document, problem)


def prove_point(problem: Problem, claim: str, lo: float, hi: float) -> Proved:
    """Prove a claim about the gain in [lo, hi].

    Raises:
        Refused: a condition of the claim is not met or could not be shown; the message says which.
    """
    require_family(problem, claim)
    if problem.step.kind == "gradient":
        _gradient_point(problem, claim, lo, hi)
    else:
        _normalized_point(problem, lo, hi)
    return Proved(f"the stationary point in {between(lo, hi)} is a global minimiser of h", 0.0)


def require_family(problem: Problem, claim: str) -> None:
    """Raise `Refused` unless the step and the tasks are such as the claim speaks of; any dimension."""
    family, kind = problem.family, problem.step.kind
    wanted = "normalized" if claim in (PROPOSITION_2, THEOREM_3) else "gradient"
    either = claim == NON_SINGULAR and not family.is_scalar
    if kind != wanted and not either:
        raise Refused(f"{claim} is about the {wanted} step, not the {kind} step")
    if claim == THEOREM_3 or (either and kind == "normalized"):
        if not is_proportional(family) and (claim == THEOREM_3 or not is_one_task(family)):
            raise Refused(f"{claim} needs equal A, B, S0 and proportional (Q, R) in all tasks")
    elif not is_one_task(family):
        raise Refused(f"{claim} is about one task; the {len(family.tasks)} tasks of this family differ")
    if claim == THEOREM_2 and family.tasks[0].f != family.tasks[0].g:
        raise Refused("theorem 2 needs f = g; this task adapts on another cost (see theorem 1)")
    if not all(is_semidefinite(task.f.moment, strict=True) for task in problem.tasks):
        what = (
            "the cost is not strictly convex"
            if family.is_scalar
            else "not every stationary point of f is best"
        )
        raise Refused(f"{claim} needs S0 {'>' if family.is_scalar else '≻'} 0: otherwise {what}")


# --- the gradient step -----------------------------------------------------------------------


def _gradient_point(problem: Problem, claim: str, lo: float, hi: float) -> None:
    objective = BallObjective(problem)
    box = objective.box(lo, hi)
    if not box.inside:
        raise Refused(f"[{lo!r}, {hi!r}] is not in the domain of h")
    if not box.d2.is_positive:
        raise Refused(f"h'' > 0 could not be shown on [{lo!r}, {hi!r}]")
    left, right = objective.point(arb(lo)).d1, objective.point(arb(hi)).d1
    if not (left.is_negative and right.is_positive):
        raise Refused(f"h' does not change sign between {lo!r} and {hi!r}: no stationary point")
    if claim == NON_SINGULAR:
        if not all(J.is_positive or J.is_negative for J in box.jacobians):
            raise Refused("I − η∇²g could not be shown to be non-singular at the point")
        return
    for size in _hessian_sizes(problem, Span(arb(lo), arb(hi))):
        if not size < 1:
            most = at_most(enclosing_floats(size)[1], 4)
            raise Refused(f"{claim} needs η‖∇²g‖ < 1 at the point; all that is shown is ≤ {most}")


def _hessian_sizes(problem: Problem, w: Span) -> list[arb]:
    """Upper bounds of η|g''| at every gain that the first task visits from w (all are alike)."""
    _, g = scalar_plants(problem)
    cost, eta = BallCost(g[0]), to_ball(problem.step.eta)
    sizes = []
    for _ in range(problem.step.shots):
        s = cost.slopes(w)
        sizes.append(eta * s.d2.hi)  # g'' > 0
        w = w - s.d1.times(eta)
    return sizes


# --- the normalised step ---------------------------------------------------------------------


def piece_of(turns: list[Break], parts: list[Piece], lo: float, hi: float) -> Piece:
    """The piece that holds [lo, hi] strictly, where it touches no break: there g' ≠ 0 all the way.

    (A break may lie inside a piece: one across which h has a continuous extension.)

    Raises:
        Refused: there is none.
    """
    first, last = Surd(Fraction(lo)), Surd(Fraction(hi))
    if any(first <= turn.at <= last for turn in turns):
        raise Refused(f"[{lo!r}, {hi!r}] touches a gain where ∇g = 0, before the first shot or later")
    for piece in parts:
        if piece.left.at < first and last < piece.right.at:
            return piece
    raise Refused(f"[{lo!r}, {hi!r}] is not within the domain of h")


def _normalized_point(problem: Problem, lo: float, hi: float) -> None:
    piece = piece_of(*pieces(problem), lo, hi)
    left = piece_slope(problem, piece, arb(lo))
    right = piece_slope(problem, piece, arb(hi))
    # On a piece h is strictly convex, S0 > 0: a change of sign is a minimum, and the only one.
    if not (left.is_negative and right.is_positive):
        raise Refused(f"h' does not change sign between {lo!r} and {hi!r}: no stationary point")


def piece_slope(problem: Problem, piece: Piece, w: arb) -> Span:
    """h' at one gain of a piece."""
    f, _ = scalar_plants(problem)
    eta = to_ball(problem.step.eta)
    slope = Span(arb(0), arb(0))
    for plant, weight, shift in zip(f, problem.weights, piece.shifts, strict=True):
        moved = w + int(shift) * eta
        slope += BallCost(plant).slopes(Span(moved, moved)).d1.times(to_ball(weight))
    return slope
