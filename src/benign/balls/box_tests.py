"""What can be shown of all gains of a box: outside the domain, h above a level, not a minimum, convex.

Each test answers True only when it is certain. A box that a test cannot decide as a whole is halved a
few times, along the side on which the costs of its gains depend most.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf
from typing import TypeVar

from flint import acb_mat, arb, arb_mat, ctx

from benign.balls.boxes import TAME, BoxObjective
from benign.balls.costs import Argument, BoxArgument, PlantPolynomials
from benign.balls.lqr import NotStabilising
from benign.balls.matrices import Unproved
from benign.balls.rim import Box, Rim, Thrown, horizon_bound
from benign.balls.taylor import Model, combination

ATTEMPTS = {2: ((64, 3), (64, 5)), 3: ((64, 2), (64, 3)), 4: ((64, 2), (64, 3))}
"""Bits of the balls and degree of the models that are tried, by the number of the gain's entries."""

T = TypeVar("T")

PLAIN_BITS = 80
"""Bits of the balls in tests without models."""


class BoxTests:
    """The tests of boxes for one objective and one level.

    Args:
        objective: h.
        level: c, or None for no level.
        least: a lower bound of each task's f.
        rims: for each task its `Rim`, or None where the lemma does not apply.
        halvings: how often boxes may be halved in all; what would need more is not shown.
    """

    def __init__(
        self,
        objective: BoxObjective,
        level: arb | None,
        least: Sequence[arb],
        rims: Sequence[Rim | None],
        halvings: float = inf,
    ) -> None:
        self.objective, self.level, self.least = objective, level, list(least)
        self.halvings = halvings
        self._rims = [rim for rim in rims if rim is not None]
        self._thrown = [Thrown(objective, task) for task in range(len(objective.f))]
        self._plants = list(dict.fromkeys(objective.g))

    # --- one box, as a whole ---

    def is_unstable(self, box: Box) -> bool:
        """For some task no gain of the box stabilises g."""
        return _first(self._plants, lambda plant: _is_unstable(plant, box))

    def is_beyond_rim(self, box: Box) -> bool:
        """For some task g is so large that no gain of the box has h ≤ c."""
        return _first(self._rims, lambda rim: rim.excludes(box))

    def is_thrown_out(self, box: Box, degree: int) -> bool:
        """For some task the first shot leads out of the next stabilising set from all its gains."""
        at = _argument(self.objective, box, degree)
        return _first(self._thrown, lambda thrown: thrown.excludes(at))

    def is_above(self, box: Box, degree: int) -> bool:
        """No gain of the box is in the domain of h and has h ≤ c."""
        objective = self.objective
        at = _argument(objective, box, degree)
        lowest, ends = [], []
        for task, plant in enumerate(objective.f):
            low, end = self.least[task], None
            try:
                adapted = objective.adapted(task, at, 0).argument
                if plant.is_unstable(adapted):
                    return True
                end = (adapted, *plant.bounds(adapted))
                low = _quotient_bound(end[1], end[2], low)
            except NotStabilising:
                return True
            except Unproved:
                pass
            lowest.append(low)
            ends.append(end)
        return self.level is not None and self._exceeds(self.level, lowest, ends)

    def _exceeds(
        self, level: arb, lowest: list[arb], ends: list[tuple[Argument, Model, Model] | None]
    ) -> bool:
        """Whether Σ ω f > c, given lower bounds of f, and F, N, D of the tasks that have them."""
        weights = self.objective.weights
        for task, end in enumerate(ends):
            total = sum((w * x for w, x in zip(weights, lowest, strict=True)), arb(0))
            if total > level:
                return True
            if end is None:
                continue
            # Enough to pass the level: f > t, shown by N − tD > 0, as D > 0 and f = N/D where F
            # stabilises; or by a finite horizon, which still tells where N and D both vanish.
            adapted, n, d = end
            t = ((level - total) / weights[task] + lowest[task]).upper()
            if (n - d.times(t)).is_positive:
                return True
            if not d.range > 0:
                W = self.objective.frame.gain([model.range for model in adapted.models])
                bound = horizon_bound(self.objective.f[task].balls, W, t)
                lowest[task] = lowest[task].max(bound).lower()
        total = sum((w * x for w, x in zip(weights, lowest, strict=True)), arb(0))
        return bool(total > level)

    def is_sloped(self, box: Box, degree: int) -> bool:
        """The box is in the domain of h, and ∇h ≠ 0 at all its gains."""
        return _excludes_zero(self.objective.gradient(_argument(self.objective, box, degree)))

    def is_sloped_where_finite(self, box: Box, degree: int) -> bool:
        """The gains stabilise every g that they are adapted on, and ∇h ≠ 0 at those of finite h."""
        at = _argument(self.objective, box, degree)
        # Where a pole is near but not in the box either way may be the better one.
        return any(_excludes_zero(self.objective.scaled_gradient(at, tame)) for tame in (TAME, 0.5))

    def is_curved_down(self, box: Box, degree: int) -> bool:
        """The box is in the domain of h, and v'∇²h v < 0 at all its gains, for some v."""
        hessian = _full(self.objective.hessian(_argument(self.objective, box, degree)))
        p = len(hessian)
        for _, v in _eigenvectors(hessian):
            terms = [(v[i] * v[j], hessian[i][j]) for i in range(p) for j in range(p)]
            if combination(terms).is_negative:
                return True
        return False

    def is_convex(self, box: Box, degree: int) -> bool:
        """The box is in the domain of h, and ∇²h ≻ 0 at all its gains.

        By the discs of Gershgorin for V'∇²hV, V the scaled eigenvectors at the centre: if that is
        ≻ 0, V is regular and ∇²h ≻ 0.
        """
        hessian = _full(self.objective.hessian(_argument(self.objective, box, degree)))
        p = range(len(hessian))
        scaled = []
        for value, v in _eigenvectors(hessian):
            if not value > 0:
                return False
            scaled.append([(x / value.sqrt()).mid() for x in v])
        for a in p:
            row = [
                combination([(scaled[a][i] * scaled[b][j], hessian[i][j]) for i in p for j in p]).range
                for b in p
            ]
            others = sum((abs(x) for b, x in enumerate(row) if b != a), arb(0))
            if not row[a] - others > 0:
                return False
        return len(scaled) == len(hessian)

    # --- with halving ---

    def shown(self, test: str, box: Box, depth: int) -> bool:
        """Whether a test holds on all of a box that may be halved `depth` times."""
        if self._at_once(test, box):
            return True
        if depth == 0 or self.halvings <= 0:
            return False
        self.halvings -= 1
        first, second = box.halves(_longest(box) if test in _PLAIN else self._side(box))
        return self.shown(test, first, depth - 1) and self.shown(test, second, depth - 1)

    def _at_once(self, test: str, box: Box) -> bool:
        if test in _PLAIN:
            with ctx.workprec(PLAIN_BITS):
                return getattr(self, _PLAIN[test])(box)
        for bits, degree in ATTEMPTS[self.objective.p]:
            with ctx.workprec(bits):
                try:
                    if getattr(self, _MODELLED[test])(box, degree):
                        return True
                except (Unproved, NotStabilising):
                    pass
        return False

    def _side(self, box: Box) -> int:
        """The side along which D of the tasks varies most, relative to its size; a heuristic."""
        p = self.objective.p
        effects = [arb(0)] * p
        for plant in self._plants:
            d = plant.quotient.at(box.centre)[1]
            powers = plant.quotient.powers(box.radius)
            for e, x, power in zip(plant.quotient.exponents, d, powers, strict=True):
                for i, k in enumerate(e):
                    if k:
                        effects[i] += abs(x * power) * k / (abs(d[0]) + arb(2) ** -60)
        sizes = [float(x.mid()) for x in effects]
        return max(range(p), key=lambda i: sizes[i])


def _longest(box: Box) -> int:
    """The longest side, which what holds of all tasks alike depends on most."""
    sizes = [float(r.mid()) for r in box.radius]
    return max(range(len(sizes)), key=lambda i: sizes[i])


_PLAIN = {"u": "is_unstable", "r": "is_beyond_rim"}
"""The tests without models, by their letters."""

_MODELLED = {
    "o": "is_thrown_out",
    "l": "is_above",
    "g": "is_sloped",
    "s": "is_sloped_where_finite",
    "n": "is_curved_down",
    "convex": "is_convex",
}
"""The tests with models of a degree."""


def _argument(objective: BoxObjective, box: Box, degree: int) -> BoxArgument:
    return objective.box(box.centre, box.radius, degree)


def _first(things: list[T], test: Callable[[T], bool]) -> bool:
    """Whether a test holds for one of the things, which then comes first in the list next time."""
    for i, thing in enumerate(things):
        if test(thing):
            things.insert(0, things.pop(i))
            return True
    return False


def _is_unstable(plant: PlantPolynomials, box: Box) -> bool:
    """A barrier is negative on the box, or D has no zero there and the centre does not stabilise."""
    powers = plant.barriers.powers(box.radius)
    least = arb(0)
    for c in plant.barriers.at(box.centre):
        size = arb(0)
        for x, power in zip(c[1:], powers[1:], strict=True):
            size += abs(x) * power
        if c[0] + size < 0:
            return True
        least = c[0] - size
    # The last barrier is D.
    return bool(least > 0) and plant.is_stable(box.centre) is False


def _quotient_bound(n: Model, d: Model, low: arb) -> arb:
    """A lower bound of n/d at points where d > 0, no less than `low`."""
    top, bottom = n.range.lower(), d.range.upper()
    if top > 0 and bottom > 0:
        bound = (top / bottom).lower()
        if bound > low:
            return bound
    return low


def _excludes_zero(gradient: list[Model]) -> bool:
    """Whether u'φ ≠ 0 on the box for one of several vectors u."""
    if any(slope.is_positive or slope.is_negative for slope in gradient):
        return True
    directions = [[slope.centre.mid() for slope in gradient], *_inverse_rows(gradient)]
    turned = (combination(list(zip(u, gradient, strict=True))) for u in directions)
    return any(slope.is_positive or slope.is_negative for slope in turned)


def _full(hessian: dict[tuple[int, ...], Model]) -> list[list[Model]]:
    p = range(max(j for j, _ in hessian) + 1)
    return [[hessian[min(i, j), max(i, j)] for j in p] for i in p]


def _inverse_rows(gradient: Sequence[Model]) -> list[list[arb]]:
    """The rows of the inverse of the gradient's linear part, which single out one x_i each."""
    p = len(gradient)
    slopes = arb_mat([[slope.slope(i).mid() for i in range(p)] for slope in gradient])
    try:
        return [[x.mid() for x in row] for row in slopes.inv().tolist()]
    except ZeroDivisionError:
        return []


def _eigenvectors(hessian: list[list[Model]]) -> list[tuple[arb, list[arb]]]:
    """Eigenvalues and vectors at the centre, the least first; without error bounds.

    flint's approximate vectors are useless where the entries are huge: these are scaled to about one.
    """
    middle = arb_mat([[entry.centre.mid() for entry in row] for row in hessian])
    scale = _power_of_two(middle)
    try:
        middle = middle / scale
        values, vectors = acb_mat(middle).eig(right=True, algorithm="approx")
    except (ValueError, ZeroDivisionError):
        return []
    columns = vectors.transpose().tolist()
    pairs = [(v.real.mid(), [x.real.mid() for x in c]) for v, c in zip(values, columns, strict=True)]
    pairs.sort(key=lambda pair: float(pair[0]))
    return [(value * scale, v) for value, v in pairs]


def _power_of_two(M: arb_mat) -> arb:
    """One near the largest entry; 1 if that is zero or not finite."""
    size = max((abs(x) for x in M.entries()), key=float)
    if not size.is_finite() or not size > 0:
        return arb(1)
    mantissa, exponent = size.mid().man_exp()
    return arb(2) ** (int(exponent) + int(mantissa).bit_length())
