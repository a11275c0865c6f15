"""Costs along models of a gain: N/D and its derivatives at F(x), as Taylor models in x.

N, D and their derivatives are polynomials in y; F is substituted into each. Then, with u = 1/D(F) and
f = N/D, Leibniz' rule for N = Df gives the derivatives of f in y one after another:

    f = N u,   f_i = (N_i − D_i f) u,   f_ij = (N_ij − D_ij f − D_i f_j − D_j f_i) u,   …
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, cached_property
from itertools import combinations, combinations_with_replacement

import numpy as np
from numpy.typing import NDArray

from benign.clock import NO_LIMIT, Clock
from benign.exact.problem import Plant
from benign.floats.facets import Facets
from benign.floats.fractions_of_gain import (
    Frame,
    Polynomial,
    cost_polynomials,
    directional,
    inverse_turn,
)
from benign.floats.intervals import Interval
from benign.floats.polynomials import Parts, Polynomials, parts
from benign.floats.stability import Loops
from benign.floats.taylor import (
    GROWN,
    TINY,
    UNIT,
    Floats,
    Model,
    basis,
    inverse,
    monomials,
    spread,
    stack,
    substitute,
)

Order = tuple[int, ...]
"""Axes that a partial derivative is taken along, ascending."""


SETTING_UP = "setting up the proof"
"""What takes the time, in messages."""


class Costs:
    """Costs of several plants, each in coordinates of its own, as quotients of polynomials.

    Args:
        plants: one a task.
        frames: the coordinates of each. In those of its own (`own_frame`) a plant's stabilising set
            fills the cube; in another's it may be a thin slanted plate, on which little can be bounded.
    """

    def __init__(
        self, plants: Sequence[Plant], frames: Sequence[Frame], clock: Clock = NO_LIMIT
    ) -> None:
        pairs = list(zip(plants, frames, strict=True))
        made = {}
        for pair in set(pairs):
            clock.check(SETTING_UP)
            made[pair] = cost_polynomials(*pair)
        self.p, self.frames = frames[0].p, list(frames)
        self.N = Polynomials([made[pair][0] for pair in pairs], self.p)
        self.D = Polynomials([made[pair][1] for pair in pairs], self.p)
        self.loops = Loops(plants)
        self.facets = Facets(plants, frames)
        entries = range(self.p)
        self.centre = [Interval.enclose([f.centre[i] for f in frames])[:, None] for i in entries]
        self.axes = [
            [Interval.enclose([f.axes[i][j] for f in frames])[:, None] for j in entries]
            for i in entries
        ]

    def gains(self, lo: Floats, hi: Floats) -> list[Interval]:
        """The entries of W for y from lo to hi, (p, k, boxes)."""
        found = []
        for centre, row in zip(self.centre, self.axes, strict=True):
            entry = centre
            for axis, a, b in zip(row, lo, hi, strict=True):
                entry = entry + axis * Interval(a, b)
            found.append(entry)
        return found

    def signs(self, at: Model, divisor: Floats) -> NDArray[np.int8]:
        """1 where the gains of the models (p, k, boxes) all stabilise, −1 where none does, else 0.

        Args:
            divisor: (2, k, boxes), bounds of D there.
        """
        lo, hi = np.nextafter(at.c[0] - at.e, -np.inf), np.nextafter(at.c[0] + at.e, np.inf)
        point = self.loops.signs(self.gains(lo, hi))
        below, above = divisor
        # D < 0 at no stabilising gain; and where D has no zero all gains are as the one at x = 0 is.
        return np.where(above < 0, -1, np.where(below > 0, point, 0)).astype(np.int8)


class BoxCosts:
    """N and D of several plants, and their derivatives in their own coordinates z, as polynomials in y.

    With y = M⁻¹(z − s), ∂/∂z_i = Σ_j (M⁻¹)_ji ∂/∂y_j; all exact before the coefficients are rounded.
    """

    def __init__(
        self, own: Costs, plants: Sequence[Plant], frame: Frame, clock: Clock = NO_LIMIT
    ) -> None:
        self.own, self.p = own, own.p
        self._exact: list[dict[tuple[str, Order], Polynomial]] = []
        self._back = []
        for plant, target in zip(plants, own.frames, strict=True):
            clock.check(SETTING_UP)
            N, D = cost_polynomials(plant, frame)
            self._exact.append({("N", ()): N, ("D", ()): D})
            self._back.append(inverse_turn(frame, target))
        self._made: dict[tuple[str, int], Polynomials] = {}

    def derivatives(self, which: str, order: int) -> Polynomials:
        """The partial derivatives of one order, those of all tasks one after another, by `orders`."""
        key = (which, order)
        if key not in self._made:
            every = [
                self._derivative(task, which, axes)
                for axes in orders(self.p, order)
                for task in range(len(self._exact))
            ]
            self._made[key] = Polynomials(every, self.p)
        return self._made[key]

    def _derivative(self, task: int, which: str, axes: Order) -> Polynomial:
        known = self._exact[task]
        if (which, axes) not in known:
            lower = self._derivative(task, which, axes[:-1])
            along = [row[axes[-1]] for row in self._back[task]]
            known[which, axes] = directional(lower, along)
        return known[which, axes]


def quotient_bound(top: Floats, bottom: Floats) -> Floats:
    """A lower bound of C = N/D where D > 0, from N ≥ top and D ≤ bottom; at least 0."""
    good = (bottom > 0) & (top > 0)
    # One division and one product; TINY is for a quotient that underflows.
    found = top / np.where(good, bottom, 1.0) * (1.0 - 4.0 * UNIT) - TINY
    return np.where(good, np.maximum(found, 0.0), 0.0)


class Along:
    """One cost a task along the models F of a gain, (p, k, boxes)."""

    def __init__(self, costs: Costs, F: Model, *, of: Along | None = None) -> None:
        self.costs, self.F, self.p = costs, F, costs.p
        self._kept: dict[str, Model] = {}
        if of is self:
            return
        if of is not None:
            self.radius, self._parts = of.radius, of._parts
            powers = of._powers.truncated(F.basis.degree)
            self._powers = powers[: basis(self.p, F.basis.degree).size]
            return
        centre = F.c[0]
        radius = (np.abs(F.c[1:]).sum(axis=0) + F.e + TINY) * GROWN
        self.radius = np.maximum(radius, 2.0**-60 * (1.0 + np.abs(centre)))
        c = F.c.copy()
        c[0] = 0.0
        with np.errstate(all="ignore"):
            # z = (F − centre)/radius lies in the cube, on which the shifted polynomials are bounded.
            z = Model(F.basis, c, F.e).times(1.0 / self.radius, UNIT)
            self._powers = monomials(z)
            self._parts: Parts = parts(costs.N, costs.D, centre, self.radius)

    def truncated(self, degree: int) -> Along:
        """The same with models of a lower degree."""
        return Along(self.costs, self.F.truncated(degree), of=self)

    def __getitem__(self, boxes: NDArray[np.int64]) -> Along:
        """Some of the boxes; what was found so far is kept."""
        made = type(self).__new__(type(self))
        made.costs, made.p, made.F = self.costs, self.p, self.F[..., boxes]
        if hasattr(self, "radius"):
            made.radius, made._powers = self.radius[..., boxes], self._powers[..., boxes]
            made._parts = self._parts[boxes]
        made._kept = {key: model[..., boxes] for key, model in self._kept.items()}
        for name in ("signs", "least"):
            if name in self.__dict__:
                made.__dict__[name] = self.__dict__[name][..., boxes]
        return made

    # --- numerator and denominator -----------------------------------------------------------

    def _keep(self, key: str, make: Callable[[], Model]) -> Model:
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    def _polynomials(self, which: str, order: int) -> Model:
        """∂^order N or D in y at F, by the orders of `orders`, (…, k, boxes)."""
        return self._keep(f"{which}{order}", lambda: self._substituted(which, order))

    def _substituted(self, which: str, order: int) -> Model:
        made = []
        for axes in orders(self.p, order):
            scale = np.ones_like(self.radius[0])
            for i in axes:
                scale = scale * self.radius[i]
            model = self._parts.model(which, axes, self.F.basis.degree)
            made.append(model.times(1.0 / scale, 2 * order * UNIT))
        return substitute(stack(made), self._powers)

    @property
    def n(self) -> Model:
        """N(F)."""
        return self._polynomials("N", 0)[0]

    @property
    def d(self) -> Model:
        """D(F)."""
        return self._polynomials("D", 0)[0]

    @cached_property
    def signs(self) -> NDArray[np.int8]:
        """(k, boxes): 1 where F(x) stabilises for all x, −1 where for none, else 0."""
        with np.errstate(all="ignore"):
            found = self.costs.signs(self.F, np.stack(self.d.bounds()))
            return np.where(self.costs.facets.outside(self.F), -1, found).astype(np.int8)

    @cached_property
    def least(self) -> Floats:
        """(k, boxes) lower bounds of f where F stabilises."""
        with np.errstate(all="ignore"):
            by_model = self.value.bounds()[0]
            by_quotient = quotient_bound(self.n.bounds()[0], self.d.bounds()[1])
            return np.fmax(np.where(np.isfinite(by_model), by_model, 0.0), by_quotient)

    def cleared(self) -> Model:
        """D²∂_if = N_iD − ND_i, (p, k, boxes): it has no pole."""
        left = self._polynomials("N", 1) * spread(self.d, 0)
        return left - spread(self.n, 0) * self._polynomials("D", 1)

    # --- the quotient ------------------------------------------------------------------------

    @property
    def _inverse(self) -> Model:
        return self._keep("1/D", lambda: inverse(self.d))

    @property
    def value(self) -> Model:
        """f(F), (k, boxes)."""
        return self._keep("f0", lambda: self.n * self._inverse)

    def derivatives(self, order: int) -> Model:
        """The partial derivatives of f of one order at F, by `orders`, (…, k, boxes)."""
        if order == 0:
            return spread(self.value, 0)
        return self._keep(f"f{order}", lambda: self._quotients(order))

    def _quotients(self, order: int) -> Model:
        every = orders(self.p, order)
        left = self._polynomials("N", order)
        for size in range(1, order + 1):
            bottoms, tops = self._polynomials("D", size), self.derivatives(order - size)
            for chosen in combinations(range(order), size):
                rest = [i for i in range(order) if i not in chosen]
                taken = [place(self.p, [axes[i] for i in chosen]) for axes in every]
                others = [place(self.p, [axes[i] for i in rest]) for axes in every]
                left = left - bottoms[np.array(taken)] * tops[np.array(others)]
        return left * spread(self._inverse, 0)

    def first(self) -> Model:
        """(p, k, boxes)."""
        return self.derivatives(1)

    def second(self) -> Model:
        """(p, p, k, boxes)."""
        size = range(self.p)
        where = np.array([[place(self.p, [i, j]) for j in size] for i in size])
        return self.derivatives(2)[where]

    def third(self, pairs: Sequence[tuple[int, int]]) -> Model:
        """∂³f/∂y_i∂y_j∂y_l for i and the pairs (j, l), (p, pairs, k, boxes)."""
        where = [[place(self.p, [i, *pair]) for pair in pairs] for i in range(self.p)]
        return self.derivatives(3)[np.array(where)]


class OnBoxes(Along):
    """One cost a task along boxes y₀ ± r themselves.

    N, D and their derivatives in the tasks' own coordinates are polynomials in y as well, which are
    expanded exactly: what cancels between their terms, cancels here.

    Args:
        costs: those of the adaptation.
        frame: the coordinates y.
        z: y in the tasks' own coordinates, (p, k, boxes).
        y0, r: (p, 1, boxes).
    """

    def __init__(self, costs: BoxCosts, z: Model, y0: Floats, r: Floats) -> None:
        super().__init__(costs.own, z, of=self)
        self._source, self._y0, self._r = costs, y0, r

    def __getitem__(self, boxes: NDArray[np.int64]) -> OnBoxes:
        made = super().__getitem__(boxes)
        assert isinstance(made, OnBoxes)
        made._source = self._source
        made._y0, made._r = self._y0[..., boxes], self._r[..., boxes]
        return made

    def truncated(self, degree: int) -> OnBoxes:
        """The same with models of a lower degree."""
        return OnBoxes(self._source, self.F.truncated(degree), self._y0, self._r)

    def _substituted(self, which: str, order: int) -> Model:
        degree = self.F.basis.degree
        polynomials = self._source.derivatives(which, order)
        c, error = polynomials.shifted(self._y0, self._r)
        shape = (len(orders(self.p, order)), *self.F.e.shape[1:])
        bound = (error.sum(axis=0) * GROWN).reshape(shape)
        model = Model(polynomials.basis, c.reshape(len(c), *shape), bound)
        return model.truncated(degree).padded(degree)


@cache
def orders(p: int, order: int) -> list[tuple[int, ...]]:
    """The partial derivatives of one order: the axes they are taken along, ascending."""
    return list(combinations_with_replacement(range(p), order))


def place(p: int, axes: Sequence[int]) -> int:
    """Where a partial derivative is in `orders`."""
    return _places(p, len(axes))[tuple(sorted(axes))]


@cache
def _places(p: int, order: int) -> dict[tuple[int, ...], int]:
    return {axes: i for i, axes in enumerate(orders(p, order))}
