"""Costs and their derivatives on boxes of gains: Taylor models with ball coefficients.

The costs are quotients N/D of exact polynomials (`benign.balls.polynomials`), so with q = 1/D
and γ running over the derivatives,

    C_γ = (N_γ − Σ_{∅ ≠ β ⊆ γ} D_β C_{γ∖β}) q,

where N_γ, D_γ are polynomials at the gain's model: the Leibniz rule for CD = N.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import combinations, combinations_with_replacement

from flint import arb

from benign.balls.lqr import BallPlant, NotStabilising
from benign.balls.matrices import UNIT, Unproved
from benign.balls.polynomials import Expansion, Exponents, Frame, RationalCost, is_stable, rational
from benign.balls.taylor import Model, Ring, combination, dot, powers, reciprocal
from benign.exact.problem import Plant

Index = tuple[int, ...]
"""A derivative: the variables by which, in increasing order."""

Jet = dict[Index, Model]
"""A function with its derivatives by y, as models."""


# --- one cost --------------------------------------------------------------------------------


class PlantPolynomials:
    """A plant ready for expansion about any point.

    Attributes:
        cost: its polynomials.
        quotient: the expansions of N and D.
        barriers: those of the weights, E and D, positive (weights: or zero) where it is stable.
    """

    def __init__(self, plant: Plant, frame: Frame) -> None:
        self.frame = frame
        self.cost = RationalCost.of(plant, frame)
        self.quotient = Expansion([self.cost.N, self.cost.D], frame.p)
        self.barriers = Expansion([*self.cost.weights, self.cost.E, self.cost.D], frame.p)
        self.balls = BallPlant.of(plant)

    def is_stable(self, y: Sequence[arb]) -> bool | None:
        """Whether the gain at y stabilises; None where the balls do not tell."""
        return is_stable(self.balls.A - self.balls.B * self.frame.gain(y))

    def is_unstable(self, at: Argument) -> bool:
        """Whether a barrier is negative at every gain: all of them destabilise."""
        barriers = self.barriers
        return any(
            at.polynomial(barriers, list(enumerate(terms))).is_negative for terms in barriers.at(at.y)
        )

    def jet(self, at: Argument, order: int) -> Jet:
        """C and its derivatives up to an order, at the gains that a model encloses.

        Raises:
            NotStabilising: none of the gains stabilises.
            Unproved: it could not be shown that all of them do.
        """
        n, d = self.quotient.at(at.y)
        D = at.polynomial(self.quotient, list(enumerate(d)))
        if D.is_negative:
            raise NotStabilising("no gain of the box stabilises")
        q = reciprocal(D)
        stable = self.is_stable(at.middle)
        if not stable:
            # D has no zero on the box, so that either every gain stabilises or none does.
            what = NotStabilising if stable is False else Unproved
            raise what("the gains of the box could not be shown to stabilise")
        found: Jet = {}
        slopes: Jet = {(): D}
        for index in derivatives(at.ring.p, order):
            top = at.polynomial(self.quotient, _derived(self.quotient, n, index))
            if index:
                slopes[index] = at.polynomial(self.quotient, _derived(self.quotient, d, index))
                parts = [(slopes[b], found[rest], -times) for b, rest, times in _leibniz(index)]
                top = dot(parts, top)
            found[index] = top * q
        return found

    def cleared_gradient(self, at: Argument) -> tuple[Model, list[Model]]:
        """D² and D²∇C = D∇N − N∇D by y, whether the gains stabilise or not."""
        n, d = self.quotient.at(at.y)
        N, D = self.bounds(at)
        top = []
        for i in range(at.ring.p):
            slope_n, slope_d = (
                at.polynomial(self.quotient, _derived(self.quotient, x, (i,))) for x in (n, d)
            )
            top.append(dot([(D, slope_n, 1), (N, slope_d, -1)]))
        return D * D, top

    def bounds(self, at: Argument) -> tuple[Model, Model]:
        """N and D at the gains that a model encloses."""
        n, d = self.quotient.at(at.y)
        return (
            at.polynomial(self.quotient, list(enumerate(n))),
            at.polynomial(self.quotient, list(enumerate(d))),
        )


@cache
def derivatives(p: int, order: int) -> list[Index]:
    """All derivatives up to an order, lower ones first."""
    return [x for k in range(order + 1) for x in combinations_with_replacement(range(p), k)]


@cache
def _leibniz(index: Index) -> list[tuple[Index, Index, int]]:
    """(β, γ∖β, how often) for the parts β ≠ ∅ of a derivative γ."""
    counts: dict[tuple[Index, Index], int] = {}
    slots = range(len(index))
    for k in range(1, len(index) + 1):
        for chosen in combinations(slots, k):
            part = tuple(index[s] for s in chosen)
            rest = tuple(index[s] for s in slots if s not in chosen)
            counts[part, rest] = counts.get((part, rest), 0) + 1
    return [(part, rest, times) for (part, rest), times in counts.items()]


def _derived(of: Expansion, terms: Sequence[arb], index: Index) -> list[tuple[int, arb]]:
    """The expansion of a derivative, as (place of the exponent, coefficient)."""
    if not index:
        return list(enumerate(terms))
    return [(i, terms[j] * times) for i, j, times in _derivative_table(of.p, of.degree, index)]


@cache
def _derivative_table(p: int, degree: int, index: Index) -> list[tuple[int, int, int]]:
    """(i, j, c): the coefficient of δ^α_i in the derivative is c times that of δ^α_j."""
    exponents = _exponents(p, degree)
    place = {e: i for i, e in enumerate(exponents)}
    found = []
    for j, e in enumerate(exponents):
        lower, times = list(e), 1
        for variable in index:
            times *= lower[variable]
            lower[variable] -= 1
        if times:
            found.append((place[tuple(lower)], j, times))
    return found


@cache
def _exponents(p: int, degree: int) -> list[Exponents]:
    return Expansion([{(degree,) + (0,) * (p - 1): rational(1)}], p).exponents


# --- gains, as models ------------------------------------------------------------------------


class Argument:
    """Gains y + δ(x): an exact point y, and p models δ.

    Attributes:
        y: p exact numbers.
        middle: the gain at x = 0.
        models: of the entries y_i + δ_i.
    """

    def __init__(self, models: Sequence[Model]) -> None:
        self.ring: Ring = models[0].ring
        self.models = list(models)
        self.middle = [model.centre for model in models]
        self.y = [x.mid() for x in self.middle]
        self._powers: dict[int, list[Model]] = {}

    def polynomial(self, of: Expansion, terms: Sequence[tuple[int, arb]]) -> Model:
        """Σ c δ^α, for (place of α, c) in the order of an expansion about y."""
        if of.degree not in self._powers:
            deltas = [model.plus(-y) for model, y in zip(self.models, self.y, strict=True)]
            self._powers[of.degree] = powers(deltas, of.exponents)
        made = self._powers[of.degree]
        if not terms:  # a derivative of higher order than the degree
            return self.ring.constant(arb(0))
        return combination([(x, made[i]) for i, x in terms])


class BoxArgument(Argument):
    """The gains of a box, δ = r∘x: a polynomial of y is one of x, coefficient by coefficient.

    Args:
        centre, radius: p exact numbers each; a radius may be zero.
    """

    def __init__(self, centre: Sequence[arb], radius: Sequence[arb], of: Ring) -> None:
        if not all(x.is_exact() for x in (*centre, *radius)):
            raise ValueError("the centre and the radius of a box must be exact numbers")
        self.radius = radius
        units = of.units
        super().__init__(
            [
                of.model([(0, c), (units[i], r)])
                for i, (c, r) in enumerate(zip(centre, radius, strict=True))
            ]
        )
        self._scales: dict[int, list[arb]] = {}

    def polynomial(self, of: Expansion, terms: Sequence[tuple[int, arb]]) -> Model:
        """As above."""
        if of.degree not in self._scales:
            self._scales[of.degree] = of.powers(self.radius)
        scales, places = self._scales[of.degree], self.ring.places
        kept: list[tuple[int, arb]] = []
        lost = arb(0)
        for i, x in terms:
            if i < len(places):
                kept.append((places[i], x * scales[i]))
            else:
                lost += abs(x * scales[i])
        made = self.ring.model(kept)
        return made if lost == 0 else made.plus(lost * UNIT)
