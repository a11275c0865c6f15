"""h and its derivatives on boxes of gains, in several dimensions: Taylor models with ball coefficients.

In the coordinates y of a `Frame`, on a box y = y₀ + r∘x, x ∈ [−1, 1]^p. The costs are quotients N/D of
exact polynomials (`benign.rigorous.rational_balls`), so with q = 1/D, and γ running over the derivatives,

    C_γ = (N_γ − Σ_{∅ ≠ β ⊆ γ} D_β C_{γ∖β}) q,

where N_γ, D_γ are polynomials at the gain's model; the Leibniz rule for CD = N. The shots compose,

    F = y − G∇g(y),   J = I − G∇²g,   K_i,jk = −Σ_l G_il ∂_ljk g,   G = η (axes' axes)⁻¹,

and h = Σ ω f(F), ∇h = Σ ω J'∇f(F), ∇²h = Σ ω (J'∇²f(F) J + Σ_i ∂_i f(F) K_i).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import combinations, combinations_with_replacement

from flint import arb, arb_mat

from benign.rigorous.lqr import BallPlant, NotStabilising
from benign.rigorous.matrices import UNIT, Unproved
from benign.rigorous.problem import Plant, Problem
from benign.rigorous.rational_balls import (
    Expansion,
    Exponents,
    Frame,
    RationalCost,
    is_stable,
    rational,
)
from benign.rigorous.surd import to_ball
from benign.rigorous.taylor_balls import Model, Ring, combination, dot, powers, reciprocal, ring

Index = tuple[int, ...]
"""A derivative: the variables by which, in increasing order."""

Jet = dict[Index, Model]
"""A function with its derivatives by y, as models."""

TAME = 1 / 16
"""Where D² varies by more than this factor, to divide by it costs more than to multiply by it."""


# --- one cost --------------------------------------------------------------------------------


class PlantPolynomials:
    """A plant ready for expansion about any point.

    Attributes:
        cost: its polynomials.
        quotient: the expansions of N and D.
        barriers: those of the weights, E and D, each positive (or zero, the weights) where it is stable.
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
        for index in _indices(at.ring.p, order):
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
def _indices(p: int, order: int) -> list[Index]:
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
    """The gains of a box themselves, δ = r∘x: a polynomial of y is one of x, coefficient by coefficient.

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


# --- the meta-objective ----------------------------------------------------------------------


class Adapted:
    """F of one task on a box: the gains adapted, F' and F'' by y.

    Attributes:
        argument: the gains F.
        J: (p, p) models, J[i][j] = ∂_j F_i; None below order 1.
        K: K[i][j, k] = ∂_jk F_i, j ≤ k; None below order 2.
    """

    def __init__(
        self,
        argument: Argument,
        J: list[list[Model]] | None = None,
        K: list[dict[Index, Model]] | None = None,
    ) -> None:
        self.argument, self.J, self.K = argument, J, K


class BoxObjective:
    """h on boxes, for the gradient step.

    Args:
        problem: the problem.
        frame: the coordinates of the gain.

    Raises:
        Unproved: no gain stabilises one of the plants.
    """

    def __init__(self, problem: Problem, frame: Frame) -> None:
        made: dict[Plant, PlantPolynomials] = {}
        for task in problem.tasks:
            for plant in (task.f, task.g):
                if plant not in made:
                    made[plant] = PlantPolynomials(plant, frame)
        self.problem, self.frame, self.p = problem, frame, frame.p
        self.f = [made[task.f] for task in problem.tasks]
        self.g = [made[task.g] for task in problem.tasks]
        self.weights = [to_ball(weight) for weight in problem.weights]
        self.shots = problem.step.shots
        self.step_size = to_ball(problem.step.eta)
        self.steps = arb_mat(frame.metric * rational(problem.step.eta)).tolist()

    def box(self, centre: Sequence[arb], radius: Sequence[arb], degree: int) -> BoxArgument:
        """The gains of a box, for models of a degree."""
        return BoxArgument(centre, radius, ring(self.p, degree))

    def adapted(self, task: int, box: Argument, order: int) -> Adapted:
        """F of one task and its derivatives up to an order ≤ 2.

        Raises:
            NotStabilising: every gain of the box leads out of the domain of h.
            Unproved: it could not be shown that every gain the task visits stabilises.
        """
        now = Adapted(box)
        for _ in range(self.shots):
            now = self._shot(self.g[task], now, order)
        return now

    def _shot(self, plant: PlantPolynomials, before: Adapted, order: int) -> Adapted:
        at, p, G = before.argument, range(self.p), self.steps
        jet = plant.jet(at, order + 1)

        def moved(*index: int) -> list[Model]:
            """−Σ_l G_il ∂_l,index g, for each i."""
            slopes = [jet[tuple(sorted((l, *index)))] for l in p]
            return [combination([(-G[i][l], slopes[l]) for l in p]) for i in p]

        shift = moved()
        after = Argument([at.models[i] + shift[i] for i in p])
        if order == 0:
            return Adapted(after)
        columns = [moved(j) for j in p]
        own = [[columns[j][i].plus(arb(int(i == j))) for j in p] for i in p]
        J = own if before.J is None else _product(own, before.J)
        if order == 1:
            return Adapted(after, J)
        pairs = _indices(self.p, 2)[1 + self.p :]
        bends = {pair: moved(*pair) for pair in pairs}
        if before.J is None or before.K is None:
            return Adapted(after, J, [{pair: bends[pair][i] for pair in pairs} for i in p])
        K = []
        for i in p:
            bend = [[bends[min(a, b), max(a, b)][i] for b in p] for a in p]
            pulled = _congruence(bend, before.J)
            K.append(
                {
                    (j, k): dot([(own[i][l], before.K[l][j, k], 1) for l in p], pulled[j, k])
                    for j, k in pairs
                }
            )
        return Adapted(after, J, K)

    def value(self, box: Argument) -> Model:
        """h. Raises as `adapted` does."""
        return self._sum(
            self.f[task].jet(self.adapted(task, box, 0).argument, 0)[()] for task in range(len(self.f))
        )

    def gradient(self, box: Argument) -> list[Model]:
        """∇h by y. Raises as `adapted` does."""
        rows = []
        for task, plant in enumerate(self.f):
            adapted = self.adapted(task, box, 1)
            assert adapted.J is not None
            slopes = plant.jet(adapted.argument, 1)
            rows.append(
                [
                    dot([(slopes[(i,)], adapted.J[i][j], 1) for i in range(self.p)])
                    for j in range(self.p)
                ]
            )
        return [self._sum(row[j] for row in rows) for j in range(self.p)]

    def scaled_gradient(self, box: Argument) -> list[Model]:
        """s∇h by y, where h is finite, with a factor s(y) > 0 that clears poles of ∇h.

        Where D = 0 at adapted gains of a box, C is multiplied by D²: D²∇C = D∇N − N∇D. Raises as
        `adapted` does; the last gain of a task may or may not stabilise.
        """
        regular: list[list[Model]] = []
        poles: list[tuple[list[Model], Model]] = []
        for task, (plant, weight) in enumerate(zip(self.f, self.weights, strict=True)):
            adapted = self.adapted(task, box, 1)
            assert adapted.J is not None
            square, top = plant.cleared_gradient(adapted.argument)
            if square.range.lower() > TAME * square.centre:
                factor = reciprocal(square).times(weight)
                regular.append(_pulled([x * factor for x in top], adapted.J, arb(1)))
            else:
                poles.append((_pulled(top, adapted.J, weight), square))
        parts = []
        for i, (slopes, _) in enumerate(poles):
            others = [square for j, (_, square) in enumerate(poles) if j != i]
            parts.append([_times_all(x, others) for x in slopes])
        every = [square for _, square in poles]
        parts += [[_times_all(x, every) for x in slopes] for slopes in regular]
        return [combination([(arb(1), part[j]) for part in parts]) for j in range(self.p)]

    def hessian(self, box: Argument) -> dict[Index, Model]:
        """∇²h by y, for j ≤ k. Raises as `adapted` does."""
        p = range(self.p)
        parts = []
        for task, plant in enumerate(self.f):
            adapted = self.adapted(task, box, 2)
            assert adapted.J is not None
            assert adapted.K is not None
            jet = plant.jet(adapted.argument, 2)
            bend = [[jet[min(a, b), max(a, b)] for b in p] for a in p]
            pulled = _congruence(bend, adapted.J)
            parts.append(
                {
                    pair: dot([(jet[(i,)], adapted.K[i][pair], 1) for i in p], start)
                    for pair, start in pulled.items()
                }
            )
        return {pair: self._sum(part[pair] for part in parts) for pair in parts[0]}

    def _sum(self, models: Iterable[Model]) -> Model:
        return combination(list(zip(self.weights, models, strict=True)))


def _pulled(slopes: list[Model], J: list[list[Model]], weight: arb) -> list[Model]:
    """ω J'∇f."""
    size = range(len(J))
    return [dot([(slopes[i], J[i][j], 1) for i in size]).times(weight) for j in size]


def _times_all(x: Model, factors: Sequence[Model]) -> Model:
    for factor in factors:
        x = x * factor
    return x


def _product(M: list[list[Model]], N: list[list[Model]]) -> list[list[Model]]:
    size = range(len(M))
    return [[dot([(M[i][l], N[l][j], 1) for l in size]) for j in size] for i in size]


def _congruence(M: list[list[Model]], J: list[list[Model]]) -> dict[Index, Model]:
    """J'MJ for a symmetric M: its entries j ≤ k."""
    size = range(len(M))
    half = _product(M, J)
    return {(j, k): dot([(J[a][j], half[a][k], 1) for a in size]) for j in size for k in size if j <= k}
