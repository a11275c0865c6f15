"""h over boxes of gains for all families of a neighbourhood at once, in ball arithmetic.

The mathematics is that of `benign.floats.neighbours` and `benign.floats.nearby`; nothing else is
shared. The families are those of `benign.exact.neighbourhood`: the numbers of each task move
independently, so that the least of a sum over the tasks is the sum of the least values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from flint import arb

from benign.balls.centred import Form, square, variables
from benign.balls.scalar import ONE, ZERO, BallCost, BallObjective, Span
from benign.exact.neighbourhood import Around
from benign.exact.problem import Problem
from benign.exact.rounding import to_ball

Ends = tuple[arb, arb]
"""The least and the greatest of a number, each a ball."""

Numbers = tuple[Ends, Ends, Ends, Ends]
"""a, b, q, r of a task or of a part of its neighbourhood; b > 0."""

GAINS = 2
"""Variables before the numbers: W and u."""

ROUNDS = 12
"""Halvings of a part of a task's numbers, at most."""

INFINITE = arb("inf")


class Spent(Exception):  # noqa: N818 - it is an answer, not a fault
    """More evaluations were asked for than are allowed."""


class Allowance:
    """How many evaluations there may be in all."""

    def __init__(self, evaluations: int) -> None:
        self.left = evaluations

    def spend(self) -> None:
        """One more.

        Raises:
            Spent: it is not allowed.
        """
        self.left -= 1
        if self.left < 0:
            raise Spent


class _FatCost(BallCost):
    """A cost whose numbers are balls that hold a whole neighbourhood."""

    def __init__(self, numbers: Numbers, s: arb) -> None:
        a, b, q, r = (lo.union(hi) for lo, hi in numbers)
        self.static, self.rho = False, ZERO
        self.e, self.d, self.b = 1 - a, 1 + a, b
        self.kappa = -s * r / (b * b)
        self.alpha = (s * (q + r * square(self.e / b)) / 2).nonnegative_part()
        self.beta = (s * (q + r * square(self.d / b)) / 2).nonnegative_part()

    def distances(self, w: Span) -> tuple[Span, Span]:
        """1 − c and 1 + c; their ends made numbers, so that what is beyond a rim is cut off there."""
        u, v = super().distances(w)
        return Span(u.lo.lower(), u.hi.upper()), Span(v.lo.lower(), v.hi.upper())


class Piece(NamedTuple):
    """A part of a task's numbers, and bounds of G there.

    Attributes:
        numbers: the part.
        low: a lower bound by the numbers, the gains in the middle; its slopes in the gains.
        met: a value, at the middle; infinite if the middle need not be in the domain.
        blur: by how much each number blurs.
    """

    numbers: Numbers
    low: arb
    slopes: tuple[arb, ...]
    met: arb
    blur: tuple[arb, ...]


class NearbyBalls(BallObjective):
    """h for one shot of the gradient step and every family of a neighbourhood.

    Args:
        problem: the family in the middle.
        tasks: between which bounds its numbers lie.
        allowance: of evaluations.
    """

    def __init__(self, problem: Problem, tasks: Sequence[Around], allowance: Allowance) -> None:
        self.numbers = [_numbers(task) for task in tasks]
        self.s = [to_ball(task.s) for task in tasks]
        costs = [_FatCost(*pair) for pair in zip(self.numbers, self.s, strict=True)]
        self.f = self.g = costs
        self.weights = [to_ball(weight) for weight in problem.weights]
        self.eta = to_ball(problem.step.eta)
        self.shots, self.is_coercive = 1, True
        self.allowance = allowance

    # --- what is bounded -----------------------------------------------------------------------

    def slopes(self, task: int, W: Form, plant: Plant) -> tuple[Form, Form] | None:
        """The task's part of h' and h''; None unless all of the box is in the domain."""
        near = plant.poles(W)
        if near is None:
            return None
        x, y = near
        x2, y2 = x.square(), y.square()
        b, b2, alpha, beta, eta = plant.b, plant.b2, plant.alpha, plant.beta, self.eta
        far = plant.poles(W - (b * (beta * y2 - alpha * x2)).times(eta))
        if far is None:
            return None
        J = (b2 * (alpha * (x2 * x) + beta * (y2 * y))).times(-2 * eta) + 1
        K = (b2 * b * (alpha * x2.square() - beta * y2.square())).times(6 * eta)
        X, Y = far
        X2, Y2 = X.square(), Y.square()
        d1 = b * (beta * Y2 - alpha * X2)
        d2 = (b2 * (alpha * (X2 * X) + beta * (Y2 * Y))).times(arb(2))
        return d1 * J, d2 * J.square() + d1 * K

    def value(self, W: Form, plant: Plant) -> Form | None:
        """The task's part of h; None unless all of the box is in the domain."""
        near = plant.poles(W)
        if near is None:
            return None
        x, y = near
        far = plant.poles(
            W - (plant.b * (plant.beta * y.square() - plant.alpha * x.square())).times(self.eta)
        )
        if far is None:
            return None
        return plant.kappa + plant.alpha * far[0] + plant.beta * far[1]

    # --- how it is bounded -----------------------------------------------------------------------

    def exceeds(
        self, part: Part, gains: tuple[arb, arb], need: arb, sign: int = 0, rounds: int = ROUNDS
    ) -> bool:
        """Whether Σ ω G > need for all gains W, u of two balls and all families, where h is finite.

        Args:
            part: G.
            gains: balls that hold W and u.
            need: what has to be exceeded.
            sign: 1 or −1 if G is that times h', which is bounded beside rims as well.
            rounds: of halving the numbers.

        Raises:
            Spent: it took more evaluations than are allowed.
        """
        halves = [ball - ball.mid() for ball in gains]
        parts = [[self._piece(part, gains, t, x, sign)] for t, x in enumerate(self.numbers)]
        for _ in range(rounds):
            if self._total(parts, halves) > need:
                return True
            met = [_least([piece.met for piece in own]) for own in parts]
            total = sum((w * x for w, x in zip(self.weights, met, strict=True)), ZERO)
            if total <= need:
                return False
            cut = False
            for t, own in enumerate(parts):
                parts[t] = []
                for piece in own:
                    if piece.low > met[t] or not any(blur > 0 for blur in piece.blur):
                        parts[t].append(piece)
                        continue
                    cut = True
                    parts[t] += [self._piece(part, gains, t, x, sign) for x in _halves(piece)]
            if not cut:
                return False
        return bool(self._total(parts, halves) > need)

    def _total(self, parts: list[list[Piece]], halves: list[arb]) -> arb:
        total = ZERO
        slopes = [ZERO for _ in halves]
        for weight, own in zip(self.weights, parts, strict=True):
            total += weight * _least([piece.low for piece in own])
            for v in range(GAINS):
                hull = own[0].slopes[v]
                for piece in own[1:]:
                    hull = hull.union(piece.slopes[v])
                slopes[v] = slopes[v] + weight * hull
        for slope, half in zip(slopes, halves, strict=True):
            if not half.is_zero():
                total = total + slope * half
        return total

    def _piece(
        self, part: Part, gains: tuple[arb, arb], task: int, numbers: Numbers, sign: int
    ) -> Piece:
        """Bounds of G over a part of a task's numbers; each at its end where G is monotone in it."""
        form = self._form(part, gains, task, numbers)
        if form is None:
            return self._beside(gains[0], task, numbers, sign)
        ends: list[Ends] = []
        for slope, (lo, hi) in zip(form.grad[GAINS:], numbers, strict=True):
            if slope is None or slope >= 0:
                ends.append((lo, lo))
            else:
                ends.append((hi, hi) if slope <= 0 else (lo, hi))
        numbers = tuple(ends)  # type: ignore[assignment]
        form = self._form(part, gains, task, numbers)
        if form is None:
            return self._beside(gains[0], task, numbers, sign)
        moved = [
            ZERO if slope is None else slope * by
            for slope, by in zip(form.grad[GAINS:], form.offset[GAINS:], strict=True)
        ]
        low = sum(moved, form.mid).lower()
        slopes = tuple(ZERO if x is None else x for x in form.grad[:GAINS])
        blur = tuple(ZERO if lo is hi else x.rad() for x, (lo, hi) in zip(moved, numbers, strict=True))
        return Piece(numbers, low, slopes, form.mid.upper(), blur)

    def _form(self, part: Part, gains: tuple[arb, arb], task: int, numbers: Numbers) -> Form | None:
        self.allowance.spend()
        balls = [lo if lo is hi else lo.union(hi) for lo, hi in numbers]
        W, u, a, b, q, r = variables([*gains, *balls])
        return part(self, task, W, u, Plant(a, b, q, r, self.s[task]))

    def _beside(self, gain: arb, task: int, numbers: Numbers, sign: int) -> Piece:
        """Bounds beside a rim, where not all need be in the domain: of ±h' by spans, of others none."""
        low = -INFINITE if sign == 0 else self._slope_beside(gain, task, numbers, sign)
        widths = tuple(ZERO if lo is hi else (hi - lo).upper() for lo, hi in numbers)
        return Piece(numbers, low, (ZERO, ZERO), INFINITE, widths)

    def _slope_beside(self, gain: arb, task: int, numbers: Numbers, sign: int) -> arb:
        """A lower bound of ± the task's part of h', where it is finite; infinite if that is nowhere."""
        self.allowance.spend()
        cost = _FatCost(numbers, self.s[task])
        w = Span(gain.lower(), gain.upper())
        near = cost.slopes(w)
        F = w - near.d1.times(self.eta)
        adapted = self._adapted(gain, task, numbers)
        if adapted is not None and adapted.box.is_finite():
            F = F.meet(Span(adapted.box.lower(), adapted.box.upper()))
        far = cost.slopes(F)
        if near.outside or far.outside:
            return INFINITE
        slope = far.d1 * (Span(ONE, ONE) - near.d2.times(self.eta))
        low = slope.lo.lower() if sign > 0 else -slope.hi.upper()
        return -INFINITE if low.is_nan() else low

    def _adapted(self, gain: arb, task: int, numbers: Numbers) -> Form | None:
        balls = [lo if lo is hi else lo.union(hi) for lo, hi in numbers]
        W, _, a, b, q, r = variables([gain, gain, *balls])
        plant = Plant(a, b, q, r, self.s[task])
        near = plant.poles(W)
        if near is None:
            return None
        x, y = near
        step = plant.b * (plant.beta * y.square() - plant.alpha * x.square())
        return W - step.times(self.eta)


class Plant:
    """κ, α, β, b and b² of a task as forms of its numbers."""

    def __init__(self, a: Form, b: Form, q: Form, r: Form, s: arb) -> None:
        inverse = b.reciprocal()
        self.b, self.b2 = b, b.square()
        self.e, self.d = (-a) + 1, a + 1
        self.alpha = (q + r * (self.e * inverse).square()).times(s / 2)
        self.beta = (q + r * (self.d * inverse).square()).times(s / 2)
        self.kappa = (r * inverse.square()).times(-s)

    def poles(self, w: Form) -> tuple[Form, Form] | None:
        """1/(1 − c) and 1/(1 + c) at gains that all stabilise; None if one may not."""
        moved = self.b * w
        u, v = self.e + moved, self.d - moved
        if not (u.box > 0 and v.box > 0):
            return None
        return u.reciprocal(), v.reciprocal()


Part = Callable[[NearbyBalls, int, Form, Form, Plant], Form | None]
"""G of a task, at W and u; None unless all of the box is in the domain."""


def _halves(piece: Piece) -> list[Numbers]:
    """The numbers halved along the one that blurs most."""
    along = max(range(len(piece.blur)), key=lambda v: float(piece.blur[v]))
    lo, hi = piece.numbers[along]
    middle = ((lo + hi) / 2).mid()
    made = []
    for ends in ((lo, middle), (middle, hi)):
        numbers = list(piece.numbers)
        numbers[along] = ends
        made.append(tuple(numbers))
    return made  # type: ignore[return-value]


def _least(balls: Sequence[arb]) -> arb:
    least = balls[0]
    for ball in balls[1:]:
        least = least.min(ball)
    return least


def _numbers(task: Around) -> Numbers:
    """The bounds as balls; (a, b) and (−a, −b) have one cost, so that b > 0 may be had."""
    root = ONE if task.discount == 1 else to_ball(task.discount).sqrt()
    a, b = task.a, task.b
    if b[1] < 0:
        a, b = (-a[1], -a[0]), (-b[1], -b[0])
    made = []
    for (lo, hi), factor in ((a, root), (b, root), (task.q, ONE), (task.r, ONE)):
        least = factor * to_ball(lo)
        # A number that does not move is one ball, which `lo is hi` says.
        made.append((least, least if lo == hi else factor * to_ball(hi)))
    return tuple(made)  # type: ignore[return-value]
