"""Boxes of gains at the rim of the stabilising set, where the adaptation cost is too large to go on.

Let V stabilise g, with the moment Σ_V, and let W stabilise g and be adapted to F = W − η∇g(W). The cost
difference lemma, g(V) − g(W) = tr Σ_V[(V−W)'(R + B'P_WB)(V−W) + 2(V−W)'G_W], and ∇g = 2GΣ give

    g(W) − g(V) ≤ tr(X'Y Σ_W⁻¹)/η ≤ ‖X‖_S ‖Y‖_S/η,   X = (W − V)Σ_V,  Y = W − F,

with ‖X‖_S² = tr(X S⁻¹X'), as Σ_W ⪰ S ≻ 0. Where h is finite F stabilises the next plant: for one input
it lies in a known simplex (`polynomials`); and h(W) ≤ c bounds f(F) ≥ σ_min(R)σ_min(S_f)‖F − T‖², T as
in `BallPlant` (zero without a cross term). So a bound b of g follows, and a box on which g > b holds no
gain of the domain, or none with h ≤ c.

g > b is shown as N − bD > 0 (at gains that stabilise D > 0 and g = N/D), or by a finite horizon: g(W) ≥
tr(S Σ_{t<k} L'ᵗ(Q + (W − T)'R(W − T))Lᵗ), which also grows at corners of the set, where N and D vanish.

Source: the lemma from Fazel, Ge, Kakade and Mesbahi, arXiv 1801.05039; its use here is ours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

from flint import arb, arb_mat

from benign.balls.boxes import BoxObjective
from benign.balls.costs import BoxArgument, PlantPolynomials
from benign.balls.lqr import BallPlant, ClosedLoop
from benign.balls.matrices import (
    UNIT,
    Unproved,
    inner,
    is_positive_definite,
    least_singular_value,
    spectral_norm,
)
from benign.balls.polynomials import Exponents
from benign.balls.taylor import Model, combination, dot

HORIZONS = 24
"""How often the finite horizon is doubled at most: as often as in `benign.floats.rim`, which makes the
leaves that are proved again with it."""

SWEEPS = 4
"""How often `stage_bound` goes through the entries of the gain."""


class Box:
    """The gains y with |y_i − centre_i| ≤ radius_i: exact numbers."""

    __slots__ = ("centre", "radius")

    def __init__(self, centre: Sequence[arb], radius: Sequence[arb]) -> None:
        self.centre = [x.mid() for x in centre]
        # What a rounded centre or radius lacks is added, so that no gain is lost.
        self.radius = [(r + x.rad()).upper() for x, r in zip(centre, radius, strict=True)]

    @staticmethod
    def between(lo: Sequence[float], hi: Sequence[float]) -> Box:
        """From the ends of its sides."""
        centre = [(arb(a) + arb(b)) / 2 for a, b in zip(lo, hi, strict=True)]
        return Box(centre, [(arb(b) - arb(a)) / 2 for a, b in zip(lo, hi, strict=True)])

    def halves(self, i: int) -> tuple[Box, Box]:
        """The two halves along y_i."""
        half = self.radius[i] / 2
        radius = [half if j == i else r for j, r in enumerate(self.radius)]
        low = [x - half if j == i else x for j, x in enumerate(self.centre)]
        high = [x + half if j == i else x for j, x in enumerate(self.centre)]
        return Box(low, radius), Box(high, radius)

    def corners(self) -> list[list[arb]]:
        """The 2^p corners."""
        sides = [(x - r, x + r) for x, r in zip(self.centre, self.radius, strict=True)]
        return [list(corner) for corner in product(*sides)]

    def sides(self) -> list[arb]:
        """One ball for each side."""
        return [x + r * UNIT for x, r in zip(self.centre, self.radius, strict=True)]


class Rim:
    """The bound of one task's adaptation cost, for gains that are adapted once and have a finite h.

    Args:
        objective: h.
        task: which task.
        witness: (m, n), a gain that stabilises g; any will do, a nearly optimal one does best.
        highest: an upper bound of f(F(W)) where h(W) ≤ c, or None.

    Raises:
        Unproved: the lemma does not apply (S0 is singular) or the witness is of no use.
    """

    def __init__(
        self, objective: BoxObjective, task: int, witness: arb_mat, highest: arb | None
    ) -> None:
        self.plant = objective.g[task]
        self.frame = objective.frame
        self.eta = objective.step_size
        following = objective.g[task] if objective.shots > 1 else objective.f[task]
        S = self.plant.balls.S
        if not is_positive_definite(S):
            raise Unproved("S0 could not be shown to be positive definite")
        self._inverse = S.inv()
        loop = ClosedLoop(self.plant.balls, witness)
        self._witness, self._moment, self._cost = witness, loop.Sigma, loop.cost.upper()
        # Where F may be: in the hull of these gains, or of this size.
        vertices = following.cost.vertices
        self._hull = None if vertices is None else [self.frame.gain(v) for v in vertices]
        self._reach: arb | None = None
        if highest is not None and objective.shots == 1:
            self._reach = self._largest(following.balls, highest)
        if self._hull is None and self._reach is None:
            raise Unproved("nothing bounds the adapted gain")

    def _largest(self, f: BallPlant, highest: arb) -> arb | None:
        """An upper bound of ‖F‖_S, from f(F) ≤ highest: of ‖F − T‖_S, and ‖T‖_S is added."""
        try:
            least = least_singular_value(f.R) * least_singular_value(f.S)
        except Unproved:
            return None
        reach = (highest.abs_upper() / least * spectral_norm(self._inverse)).sqrt()
        return (reach if f.T is None else reach + self._norm(f.T)).upper()

    def _norm(self, X: arb_mat) -> arb:
        return inner(X * self._inverse, X).abs_upper().sqrt().upper()

    def excludes(self, box: Box) -> bool:
        """Whether no gain of the box stabilises g and is adapted to one that stabilises, h ≤ c."""
        bound = self._bound([self.frame.gain(corner) for corner in box.corners()])
        return _exceeds(self.plant, box, bound) or self._horizon_exceeds(box, bound)

    def _bound(self, corners: Sequence[arb_mat]) -> arb:
        """b: both norms are convex in W and F, so that the greatest are at corners."""
        first = _greatest([self._norm((W - self._witness) * self._moment) for W in corners])
        bounds = []
        if self._hull is not None:
            bounds.append(_greatest([self._norm(W - F) for W in corners for F in self._hull]))
        if self._reach is not None:
            bounds.append(_greatest([self._norm(W) for W in corners]) + self._reach)
        second = bounds[0] if len(bounds) == 1 else bounds[0].min(bounds[1])
        return (self._cost + first * second / self.eta).upper()

    def _horizon_exceeds(self, box: Box, bound: arb) -> bool:
        return horizon_bound(self.plant.balls, self.frame.gain(box.sides()), bound) > bound


def horizon_bound(plant: BallPlant, W: arb_mat, enough: arb) -> arb:
    """A lower bound of the cost of every gain within the balls, by a finite horizon; exact.

    The search ends once the bound exceeds `enough`.
    """
    best = stage_bound(plant, W)
    L = plant.A - plant.B * W
    X = plant.stage(W)
    for _ in range(HORIZONS):
        if best > enough:
            break
        X = X + L.transpose() * X * L
        bound = inner(X, plant.S)
        if not bound.is_finite() or bound.rad() > 4 * abs(bound.mid()):
            break
        best = best.max(bound.lower()).lower()
        L = L * L
    return best


def stage_bound(plant: BallPlant, W: arb_mat) -> arb:
    """A lower bound of tr(S(Q + (W − T)'R(W − T))), the cost of the first step, for all gains of balls.

    A convex function is above its tangent planes: here that at an approximate minimiser over the
    balls, found entry by entry, where the plane's least value is nearly that of the function.
    """
    R, S, W = plant.R, plant.S, plant.paid(W)
    m, n = W.nrows(), W.ncols()
    w0 = W.mid()
    for _ in range(SWEEPS):
        for i in range(m):
            for j in range(n):
                slope = sum((R[i, a] * w0[a, b] * S[b, j] for a in range(m) for b in range(n)), arb(0))
                best = (w0[i, j] - slope / (R[i, i] * S[j, j])).mid()
                if best.is_finite():
                    w0[i, j] = best.max(W[i, j].lower()).min(W[i, j].upper()).mid()
    slope = R * w0 * S
    plane = inner(plant.Q, S) + inner(slope, w0) + 2 * inner(slope, W - w0)
    return plane.lower().max(arb(0)).lower()


class Thrown:
    """Boxes from all of whose gains the first shot leads out of the next stabilising set.

    With ∇g = (D∇N − N∇D)/D², D² F is a polynomial, and D^(2e) w(F) is one for each weight w, of
    degree e, that is not negative where the next plant is stable. If one is negative all over a box,
    no gain of it stabilises g (D > 0) and leads to one that stabilises, whether D vanishes or not.

    Args:
        objective: h.
        task: which task.
    """

    def __init__(self, objective: BoxObjective, task: int) -> None:
        self._plant, self._steps = objective.g[task], objective.steps
        following = objective.g[task] if objective.shots > 1 else objective.f[task]
        self._weights = following.cost.weights

    def excludes(self, at: BoxArgument) -> bool:
        """Whether no gain of the box is in the domain of h."""
        square, top = self._plant.cleared_gradient(at)
        p = len(top)
        moved = [
            dot(
                [(square, at.models[i], 1)],
                combination([(-self._steps[i][l], top[l]) for l in range(p)]),
            )
            for i in range(p)
        ]
        return any(self._cleared(weight, moved, square).is_negative for weight in self._weights)

    @staticmethod
    def _cleared(weight: Mapping[Exponents, arb], moved: list[Model], square: Model) -> Model:
        """D^(2e) w(F)."""
        degree = max(sum(e) for e in weight)
        parts = []
        for e, x in weight.items():
            factors = [y for y, k in zip(moved, e, strict=True) for _ in range(k)]
            factors += [square] * (degree - sum(e))
            made = factors[0] if factors else square.ring.constant(arb(1))
            for factor in factors[1:]:
                made = made * factor
            parts.append((x, made))
        return combination(parts)


def _exceeds(plant: PlantPolynomials, box: Box, bound: arb) -> bool:
    """N − bD > 0 on the box."""
    n, d = plant.quotient.at(box.centre)
    powers = plant.quotient.powers(box.radius)
    size = arb(0)
    for x, y, power in list(zip(n, d, powers, strict=True))[1:]:
        size += abs(x - bound * y) * power
    return bool(n[0] - bound * d[0] - size > 0)


def _greatest(numbers: Sequence[arb]) -> arb:
    found = numbers[0]
    for x in numbers[1:]:
        found = found.max(x)
    return found
