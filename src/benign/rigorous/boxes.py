"""h, ∇h and ∇²h over boxes of gains, enclosed by Taylor models; few parameters, gradient step.

In coordinates y with W = centre + axes·y a shot is F(y) = y − G∇_y g(y), G = η axes⁻¹axes⁻ᵀ. The first
shot comes from the verified Taylor polynomial of g on the box (`benign.rigorous.quotients`), a later cost
(f, or g again) from that on the range of the models so far, into which these are substituted. With

    J = I − G g''(y),   K_i,jk = −Σ_l G_il g'''_ljk,   for further shots
    J⁺ = J − G g''(F)J,   K⁺ = K − G(g''(F)K + g'''(F)[J, J]),

    ∇h = Σ ω J'∇f(F),   ∇²h = Σ ω (J'∇²f(F)J + Σ_i ∂_if(F) K_i).

Arrays are (…, tasks, boxes). Whatever cannot be bounded has an infinite or NaN error and proves nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from benign.rigorous.facets import Facets
from benign.rigorous.fractions_of_gain import Frame, cost_polynomials
from benign.rigorous.intervals import Interval
from benign.rigorous.problem import Plant, Problem
from benign.rigorous.quotients import Expansion, Polynomials, divisor_bounds, expand, parts
from benign.rigorous.stability import Loops
from benign.rigorous.taylor import (
    GROWN,
    TINY,
    UNIT,
    Floats,
    Model,
    basis,
    combine,
    monomials,
    stack,
    substitute,
)

FIRST_DEGREE = 3
"""Degree of the Taylor models. 2 needs more boxes, 4 costs more than it saves (measured, p = 2 and 3)."""

HESSIAN_DEGREE = 2
"""Degree of the models that the Hessian is made of: it is tested for signs, not for zeros."""


class Costs:
    """Costs of several plants on boxes: quotients of polynomials, and the loops' stability."""

    def __init__(self, plants: Sequence[Plant], frame: Frame) -> None:
        made = {plant: cost_polynomials(plant, frame) for plant in set(plants)}
        self.p = frame.p
        self.N = Polynomials([made[plant][0] for plant in plants], frame.p)
        self.D = Polynomials([made[plant][1] for plant in plants], frame.p)
        self.loops = Loops(plants)
        self.facets = Facets(plants, frame)
        self.centre = [Interval.enclose([c])[:, None] for c in frame.centre]
        self.axes = [[Interval.enclose([a])[:, None] for a in row] for row in frame.axes]

    def gains(self, y: Floats) -> list[Interval]:
        """The entries of W at y, (p, k or 1, boxes)."""
        found = []
        for centre, row in zip(self.centre, self.axes, strict=True):
            total = centre
            for axis, x in zip(row, y, strict=True):
                total = total + axis * Interval.point(x)
            found.append(total)
        return found

    def signs(self, y0: Floats, divisor: Floats) -> NDArray[np.int8]:
        """1 where all of a box stabilises, −1 where none of it does, else 0.

        Args:
            y0: (p, k or 1, boxes), a point of each box.  divisor: (2, k, boxes), bounds of D there.
        """
        centre = self.loops.signs(self.gains(y0))
        below, above = divisor
        sure = (below > 0) | (above < 0)
        # D < 0 at no stabilising gain; and where D has no zero all gains are as the centre is.
        return np.where(above < 0, -1, np.where(sure, centre, 0)).astype(np.int8)

    def lower_bound(self, y0: Floats, r: Floats) -> tuple[Floats, Floats]:
        """(k, boxes): a lower bound of C at the stabilising gains of a box, and (2, k, boxes) of D.

        There 0 < D ≤ D_hi, and N = CD ≥ 0.
        """
        d, d_error = self.D.shifted(y0, r)
        divisor = divisor_bounds(self.D, d, d_error)
        n, n_error = self.N.shifted(y0, r)
        least = Model(self.N.basis, n, n_error.sum(axis=0) * GROWN).bounds()[0]
        high = divisor[1]
        bound = np.where((high > 0) & (least > 0), least / np.where(high > 0, high, 1.0), 0.0)
        return bound * (1.0 - 4.0 * UNIT), divisor

    def expand(self, y0: Floats, r: Floats, degree: int) -> Expansion:
        """The verified Taylor polynomials on the boxes y₀ ± r."""
        return expand(self.N, self.D, y0, r, degree)


@dataclass(frozen=True)
class Adapted:
    """What the tasks make of boxes of gains.

    Attributes:
        F: (p, k, boxes) models of the adapted gains.
        centre, radius: (p, k, boxes); F lies within centre ± radius on the box.
        f: verified Taylor polynomials of f on these ranges.
        signs: (k, boxes), whether F stabilises f's loop, as in `Costs.signs`.
        value: (k, boxes) lower bounds of f(F) at the gains of the box where F stabilises.
        along: (k, boxes), whether every gain before the last is shown to stabilise.
    """

    F: Model
    centre: Floats
    radius: Floats
    f: Expansion
    signs: NDArray[np.int8]
    value: Floats
    along: NDArray[np.bool_]
    J: Model | None
    K: Model | None


class BoxObjective:
    """h(W) = Σ ω_τ f_τ(F_τ(W)) over boxes y₀ ± r in the coordinates of a frame; gradient step.

    Args:
        problem: a gradient step; p = mn is 2, 3 or 4.
        frame: the coordinates.
    """

    def __init__(self, problem: Problem, frame: Frame) -> None:
        self.problem, self.frame, self.p = problem, frame, frame.p
        gs = [task.g for task in problem.tasks]
        fs = [task.f for task in problem.tasks]
        self.g = Costs(gs, frame)
        self.f = self.g if fs == gs else Costs(fs, frame)
        self.k = len(gs)
        self.shots = problem.step.shots
        G = frame.step(problem.step.eta)
        self.G = np.array([[float(x) for x in row] for row in G])
        self.weights = np.array([float(w) for w in problem.weights])
        self.pairs = [(j, l) for j in range(self.p) for l in range(j, self.p)]

    # --- adaptation --------------------------------------------------------------------------

    def adapt(self, y0: Floats, r: Floats, order: int) -> Adapted:
        """All shots from the boxes y₀ ± r, (p, boxes), with derivatives of F up to an order.

        Args:
            order: 0 for F alone, 1 for J as well, 2 for K as well.
        """
        with np.errstate(all="ignore"):
            return self._adapt(y0[:, None, :], r[:, None, :], order)

    def _adapt(self, y0: Floats, r: Floats, order: int) -> Adapted:
        p, degree = self.p, FIRST_DEGREE
        g = self.g.expand(y0, r, degree + 1 + order)
        along = self.g.signs(y0, g.divisor) > 0
        slopes = self._first_order(g, r, degree)
        F = self._identity(y0, r, slopes.e.shape[1:]) - self._step(slopes)
        J = self._eye(slopes) - self._step_rows(self._second(g, r, degree)) if order else None
        K = None
        if order > 1:
            third = self._third(g, r, HESSIAN_DEGREE)
            K = self._step_rows(third).times(-1.0)
        for _ in range(self.shots - 1):
            centre, radius, powers = self._ranges(F)
            g = self.g.expand(centre, radius, degree + 1 + order)
            along &= self.g.signs(centre, g.divisor) > 0
            F = F - self._step(substitute(self._first_order(g, radius, degree), powers))
            if J is not None:
                second = _substituted(self._second(g, radius, degree), powers)
                if K is not None:
                    low = _low(powers)
                    third = _substituted(self._third(g, radius, HESSIAN_DEGREE), low)
                    K = self._next_curvature(
                        second.truncated(HESSIAN_DEGREE), third, J.truncated(HESSIAN_DEGREE), K
                    )
                J = J - self._step_rows(_contract(second, J))
        centre, radius, _ = self._ranges(F, powers=False)
        f = self.f.expand(centre, radius, degree + order)
        signs = np.where(self.f.facets.outside(F), -1, self.f.signs(centre, f.divisor))
        value = self._least_value(f, centre, radius)
        return Adapted(F, centre, radius, f, signs, value, along, J, K)

    def _least_value(self, f: Expansion, centre: Floats, radius: Floats) -> Floats:
        by_model = f.derivative((), FIRST_DEGREE).bounds()[0]
        by_quotient, _ = self.f.lower_bound(centre, radius)
        return np.fmax(np.where(np.isfinite(by_model), by_model, 0.0), by_quotient)

    def thrown_out(self, y0: Floats, r: Floats) -> NDArray[np.bool_]:
        """Whether the first shot leads from each gain of a box that stabilises g to one that cannot.

        D²F = D²y − G(D∇N − N∇D) is a polynomial, which has no pole at the rim; wherever D > 0 the gain F
        lies on that side of a half-space on which D²F does. (k, boxes).
        """
        with np.errstate(all="ignore"):
            y0, r = y0[:, None, :], r[:, None, :]
            both = parts(self.g.N, self.g.D, y0, r)
            n, d = (both.model(which, (), FIRST_DEGREE) for which in "ND")
            rows = []
            for i in range(self.p):
                n_i, d_i = (both.model(which, (i,), FIRST_DEGREE) for which in "ND")
                rows.append((n_i * d - n * d_i).times(1.0 / r[i], UNIT))
            square = d * d
            y = self._identity(y0, r, square.e.shape)
            top = y * _spread(square, 0) - self._step(stack(rows))
            following = self.g if self.shots > 1 else self.f
            return following.facets.outside_scaled(top, square)

    # --- h, ∇h, ∇²h --------------------------------------------------------------------------

    def value(self, at: Adapted) -> Model:
        """h as models (boxes,)."""
        with np.errstate(all="ignore"):
            powers = self._ranges(at.F)[2]
            cost = _spread(at.f.derivative((), FIRST_DEGREE), 0)
            return self._weighted(substitute(cost, powers)[0])

    def gradient(self, at: Adapted) -> Model:
        """∇h as models (p, boxes), in y."""
        assert at.J is not None
        with np.errstate(all="ignore"):
            powers = self._ranges(at.F)[2]
            slopes = substitute(self._first_order(at.f, at.radius, FIRST_DEGREE), powers)
            # Σ_i J_ij f_i
            pulled = _sum(at.J * _spread(slopes, 1), 0)
            return self._weighted(pulled)

    def scaled_gradient(self, at: Adapted) -> Model:
        """s∇h as models (p, boxes), s > 0 at every gain of the box where h is finite.

        Where a box may touch the rim of f_τ's stabilising set, D_τ² ∇f_τ = D_τ∇N_τ − N_τ∇D_τ takes the
        place of ∇f_τ: it has no pole. s = ∏ D_τ(F_τ)² over these tasks.
        """
        assert at.J is not None
        with np.errstate(all="ignore"):
            powers = self._ranges(at.F)[2]
            plain = substitute(self._first_order(at.f, at.radius, FIRST_DEGREE), powers)
            both = parts(self.f.N, self.f.D, at.centre, at.radius)
            n, d = (both.model(which, (), FIRST_DEGREE) for which in "ND")
            rows = []
            for i in range(self.p):
                n_i, d_i = (both.model(which, (i,), FIRST_DEGREE) for which in "ND")
                rows.append((n_i * d - n * d_i).times(1.0 / at.radius[i], UNIT))
            cleared = substitute(stack(rows), powers)
            square = substitute(_spread(d * d, 0), powers)[0]
            touching = ~((at.signs > 0) & np.isfinite(plain.e).all(axis=0))
            slopes = _chosen(touching, cleared, plain)
            one = Model(square.basis, np.zeros_like(square.c), np.zeros_like(square.e))
            one.c[0] = 1.0
            factors = _chosen(touching, square, one)
            pulled = _sum(at.J * _spread(slopes, 1), 0)
            # The product of the others' factors: those before times those after.
            before, after = [one[0]], [one[0]]
            for task in range(self.k - 1):
                before.append(before[-1] * factors[task])
                after.append(after[-1] * factors[self.k - 1 - task])
            others = stack([b * a for b, a in zip(before, reversed(after), strict=True)])
            return self._weighted(pulled * _spread(others, 0))

    def hessian(self, at: Adapted) -> Model:
        """∇²h as models (pairs, boxes), in y, the pairs j ≤ l in the order of `pairs`."""
        assert at.J is not None and at.K is not None
        with np.errstate(all="ignore"):
            powers = _low(self._ranges(at.F)[2])
            J = at.J.truncated(HESSIAN_DEGREE)
            slopes = substitute(self._first_order(at.f, at.radius, HESSIAN_DEGREE), powers)
            second = _substituted(self._second(at.f, at.radius, HESSIAN_DEGREE), powers)
            half = _contract(second, J)
            left, right = (np.array(side) for side in zip(*self.pairs, strict=True))
            curved = _sum(J[:, left] * half[:, right], 0)
            bent = _sum(at.K * _spread(slopes, 1), 0)
            return self._weighted(curved + bent)

    def _weighted(self, models: Model) -> Model:
        """Σ_τ ω_τ over the last axis but one of the batch."""
        moved = Model(
            models.basis, np.moveaxis(models.c, -2, 1), np.moveaxis(models.e, -2, 0)
        )
        shape = (self.k,) + (1,) * (moved.e.ndim - 1)
        return combine(moved, self.weights.reshape(shape), UNIT)

    # --- parts -------------------------------------------------------------------------------

    def _identity(self, y0: Floats, r: Floats, shape: tuple[int, ...]) -> Model:
        B = basis(self.p, FIRST_DEGREE)
        c = np.zeros((B.size, self.p, *shape))
        for i in range(self.p):
            c[0, i] = y0[i]
            c[1 + i, i] = r[i]  # monomials of degree one come in the order of the axes
        return Model(B, c, np.zeros((self.p, *shape)))

    def _eye(self, like: Model) -> Model:
        c = np.zeros((like.basis.size, self.p, self.p, *like.e.shape[1:]))
        for i in range(self.p):
            c[0, i, i] = 1.0
        return Model(like.basis, c, np.zeros(c.shape[1:]))

    def _first_order(self, cost: Expansion, r: Floats, degree: int) -> Model:
        """∂C/∂y_i, (p, k, boxes)."""
        found = [cost.derivative((i,), degree).times(1.0 / r[i], UNIT) for i in range(self.p)]
        return stack(found)

    def _second(self, cost: Expansion, r: Floats, degree: int) -> Model:
        """∂²C/∂y_i∂y_j, (p, p, k, boxes)."""
        made = {
            (i, j): cost.derivative((i, j), degree).times(1.0 / (r[i] * r[j]), 4 * UNIT)
            for i, j in self.pairs
        }
        rows = [
            stack([made[min(i, j), max(i, j)] for j in range(self.p)]) for i in range(self.p)
        ]
        return stack(rows)

    def _third(self, cost: Expansion, r: Floats, degree: int) -> Model:
        """∂³C/∂y_i∂y_j∂y_l for i and pairs (j, l), (p, pairs, k, boxes)."""
        rows = []
        made: dict[tuple[int, ...], Model] = {}
        for i in range(self.p):
            row = []
            for j, l in self.pairs:
                key = tuple(sorted((i, j, l)))
                if key not in made:
                    scale = 1.0 / (r[i] * r[j] * r[l])
                    made[key] = cost.derivative(key, degree).times(scale, 6 * UNIT)
                row.append(made[key])
            rows.append(stack(row))
        return stack(rows)

    def _step(self, slopes: Model) -> Model:
        """G v, (p, …)."""
        return self._step_rows(slopes)

    def _step_rows(self, models: Model) -> Model:
        """Σ_j G_ij M_j for the first axis of the batch."""
        ones = (1,) * (models.e.ndim - 1)
        rows = [combine(models, self.G[i].reshape(self.p, *ones), UNIT) for i in range(self.p)]
        return stack(rows)

    def _next_curvature(self, second: Model, third: Model, J: Model, K: Model) -> Model:
        """K − G(g''K + g'''[J, J]) on the pairs."""
        p = self.p
        left, right = (np.array(side) for side in zip(*self.pairs, strict=True))
        where = {pair: a for a, pair in enumerate(self.pairs)}
        full = np.array([[where[min(a, b), max(a, b)] for b in range(p)] for a in range(p)])
        cube = third[:, full]  # (p, p, p, …)
        # T_i,al = Σ_b g'''_iab J_bl, then Σ_a J_aj T_i,al.
        T = _sum(_spread(cube, 3) * J[None, None], 2)
        turned = _sum(J[:, left][None] * T[:, :, right], 1)
        return K - self._step_rows(_contract(second, K) + turned)

    def _ranges(self, F: Model, *, powers: bool = True) -> tuple[Floats, Floats, Model]:
        """Centre and radius of the range of F, and the powers of z = (F − centre)/radius."""
        centre = F.c[0]
        radius = (np.abs(F.c[1:]).sum(axis=0) + F.e + TINY) * GROWN
        radius = np.maximum(radius, 2.0**-60 * (1.0 + np.abs(centre)))
        if not powers:
            return centre, radius, F
        c = F.c.copy()
        c[0] = 0.0
        z = Model(F.basis, c, F.e).times(1.0 / radius, UNIT)
        return centre, radius, monomials(z)


def _chosen(mask: NDArray[np.bool_], yes: Model, no: Model) -> Model:
    """Models taken from the one or the other, box by box."""
    return Model(yes.basis, np.where(mask, yes.c, no.c), np.where(mask, yes.e, no.e))


def _spread(models: Model, axis: int) -> Model:
    """A new axis of the batch."""
    return Model(models.basis, np.expand_dims(models.c, axis + 1), np.expand_dims(models.e, axis))


def _sum(models: Model, axis: int) -> Model:
    """The sum over an axis of the batch."""
    terms = models.e.shape[axis]
    c = models.c.sum(axis=axis + 1)
    size = np.abs(models.c).sum(axis=0).sum(axis=axis)
    return Model(models.basis, c, (models.e.sum(axis=axis) + UNIT * terms * size + TINY) * GROWN)


def _contract(M: Model, J: Model) -> Model:
    """Σ_l M_il J_l…, (p, …)."""
    return _sum(_spread(M, 2) * J[None], 1)


def _substituted(models: Model, powers: Model) -> Model:
    """`substitute` for models with two leading axes."""
    a, b, *batch = models.e.shape
    flat = Model(
        models.basis,
        models.c.reshape(len(models.c), a * b, *batch),
        models.e.reshape(a * b, *batch),
    )
    made = substitute(flat, powers)
    return Model(
        made.basis, made.c.reshape(len(made.c), a, b, *batch), made.e.reshape(a, b, *batch)
    )


def _low(powers: Model) -> Model:
    """The powers up to the degree of the Hessian's models."""
    small = basis(powers.basis.p, HESSIAN_DEGREE)
    return powers.truncated(HESSIAN_DEGREE)[: small.size]
