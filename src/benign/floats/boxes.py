"""h, ∇h and ∇²h over boxes of gains, enclosed by Taylor models; few parameters, gradient step.

A box y₀ + r∘x is seen by each task in the coordinates of its own, z = M y + s, in which a shot is
F(z) = z − G∇_z g(z), G = η axes⁻¹axes⁻ᵀ. Costs are followed along the models of z and of F
(`benign.floats.along`): that keeps what their entries have in common, where shots stretch a box into
a thin slanted body and a box around that would be far too large. With derivatives of F by y,

    J = (I − G g''(z))M,   K_i,jl = −Σ_a G_ia g'''_abc M_bj M_cl,   for further shots
    J⁺ = J − G g''(F)J,   K⁺ = K − G(g''(F)K + g'''(F)[J, J]),

    ∇h = Σ ω J'∇f(F),   ∇²h = Σ ω (J'∇²f(F)J + Σ_i ∂_if(F) K_i).

Arrays are (…, tasks, boxes). What cannot be bounded has an infinite or NaN error and proves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from benign.clock import NO_LIMIT, Clock
from benign.exact.problem import Problem
from benign.exact.range import require_range
from benign.floats.along import Along, BoxCosts, Costs, OnBoxes
from benign.floats.bounds import nearest
from benign.floats.fractions_of_gain import Frame
from benign.floats.frames import Turn, own_frame
from benign.floats.taylor import UNIT, Floats, Model, basis, combine, spread, stack, total

DEGREE = 3
"""Degree of the Taylor models. 2 needs more boxes, 4 costs more than it saves (p = 2 and 3)."""

HESSIAN_DEGREE = 2
"""Degree of the models that the Hessian is made of: it is tested for signs, not for zeros."""

CLEARED = 0.1
"""∇f is replaced by D²∇f where its model's error exceeds this multiple of its polynomial."""


@dataclass(frozen=True)
class Adapted:
    """What the tasks make of boxes of gains.

    Attributes:
        costs: those of the evaluation, f.
        F: (p, k, boxes) models of the adapted gains.
        along: (k, boxes), whether every gain before the last is shown to stabilise.
        J, K: models of the derivatives of F, (p, p, k, boxes) and (p, pairs, k, boxes).
    """

    costs: Costs
    F: Model
    along: NDArray[np.bool_]
    J: Model | None
    K: Model | None

    @cached_property
    def f(self) -> Along:
        """f at the adapted gains."""
        return Along(self.costs, self.F)

    @property
    def signs(self) -> NDArray[np.int8]:
        """(k, boxes): 1 where F is shown to stabilise on all of the box, −1 where nowhere, else 0."""
        return self.f.signs

    def __getitem__(self, boxes: NDArray[np.int64]) -> Adapted:
        """Some of the boxes."""
        return Adapted(
            self.costs,
            self.F[..., boxes],
            self.along[..., boxes],
            None if self.J is None else self.J[..., boxes],
            None if self.K is None else self.K[..., boxes],
        )


class BoxObjective:
    """h(W) = Σ ω_τ f_τ(F_τ(W)) over boxes y₀ ± r in the coordinates of a frame; gradient step.

    Args:
        problem: a gradient step; p = mn is 2, 3 or 4.
        frame: the coordinates.
        clock: the time there is to set it up.

    Raises:
        ProblemError: a number is out of the range that the bounds cover.
        BudgetError: time ran out.
    """

    def __init__(self, problem: Problem, frame: Frame, clock: Clock = NO_LIMIT) -> None:
        require_range(problem)
        self.problem, self.frame, self.p = problem, frame, frame.p
        gs = [task.g for task in problem.tasks]
        fs = [task.f for task in problem.tasks]
        own = {plant: own_frame(plant) or frame for plant in {*fs, *gs}}
        self.g = Costs(gs, [own[plant] for plant in gs], clock)
        self.f = self.g if fs == gs else Costs(fs, [own[plant] for plant in fs], clock)
        self._on_boxes = BoxCosts(self.g, gs, frame, clock)
        self.k = len(gs)
        self.shots = problem.step.shots
        self.to_g = Turn([frame] * self.k, self.g.frames)
        self.to_f = Turn(self.g.frames, self.f.frames)
        steps = [f.step(problem.step.eta) for f in self.g.frames]
        self.G = np.array([[[nearest(x, "a step") for x in row] for row in G] for G in steps])
        self.weights = np.array([float(w) for w in problem.weights])
        self.pairs = [(j, l) for j in range(self.p) for l in range(j, self.p)]
        self._left, self._right = (np.array(side) for side in zip(*self.pairs, strict=True))

    # --- adaptation --------------------------------------------------------------------------

    def before(self, y0: Floats, r: Floats) -> Along:
        """g along the boxes y₀ ± r themselves, (p, boxes), in the tasks' own coordinates."""
        with np.errstate(all="ignore"):
            y0, r = y0[:, None, :], r[:, None, :]
            return OnBoxes(self._on_boxes, self.to_g.points(self._identity(y0, r)), y0, r)

    def adapt(self, start: Along, order: int) -> Adapted:
        """All shots, with derivatives of F by y up to an order.

        Args:
            start: from `before`.
            order: 0 for F alone, 1 for J as well, 2 for K as well.
        """
        with np.errstate(all="ignore"):
            return self._adapt(start, order)

    def _adapt(self, at: Along, order: int) -> Adapted:
        along = at.signs > 0
        J = self._directions(at) if order else None
        K = None
        for shot in range(self.shots):
            if shot:
                at = Along(self.g, at.F - self._step(at.first()))
                along = along & (at.signs > 0)
            if order > 1 and J is not None:
                low = at.truncated(HESSIAN_DEGREE)
                K = self._curvature(low, J.truncated(HESSIAN_DEGREE), K)
            if J is not None:
                J = J - self._step(_contract(at.second(), J))
        F = at.F - self._step(at.first())
        return Adapted(
            self.f,
            self.to_f.points(F),
            along,
            None if J is None else self.to_f.linear(J),
            None if K is None else self.to_f.linear(K),
        )

    def thrown_out(self, at: Along) -> NDArray[np.bool_]:
        """Whether the first shot leads from each gain of a box that stabilises g to one that cannot.

        D²F = D²z − G(D∇N − N∇D) is a polynomial, which has no pole at the rim; wherever D > 0 the
        gain F lies on that side of a half-space on which D²F does. (k, boxes).
        """
        with np.errstate(all="ignore"):
            square = at.d * at.d
            top = at.F * spread(square, 0) - self._step(at.cleared())
            if self.shots > 1:
                return self.g.facets.outside_scaled(top, square)
            return self.f.facets.outside_scaled(self.to_f.scaled(top, square), square)

    # --- h, ∇h, ∇²h --------------------------------------------------------------------------

    def value(self, at: Adapted) -> Model:
        """h as models (boxes,)."""
        with np.errstate(all="ignore"):
            return self._weighted(at.f.value)

    def gradient(self, at: Adapted) -> Model:
        """∇h as models (p, boxes), in y."""
        assert at.J is not None
        with np.errstate(all="ignore"):
            return self._weighted(total(at.J * spread(at.f.first(), 1), 0))

    def scaled_gradient(self, at: Adapted) -> Model:
        """s∇h as models (p, boxes), s > 0 at every gain of the box where h is finite.

        Where a box may touch the rim of f_τ's stabilising set, D_τ²∇f_τ = D_τ∇N_τ − N_τ∇D_τ takes the
        place of ∇f_τ: it has no pole. s = ∏ D_τ(F_τ)² over these tasks.
        """
        assert at.J is not None
        with np.errstate(all="ignore"):
            plain = at.f.first()
            # Also where the pole is so near that ∇f is known badly.
            known = plain.e <= CLEARED * np.abs(plain.c).sum(axis=0)
            touching = ~((at.signs > 0) & known.all(axis=0))
            square = at.f.d * at.f.d
            one = Model(square.basis, np.zeros_like(square.c), np.zeros_like(square.e))
            one.c[0] = 1.0
            slopes = _chosen(touching, at.f.cleared(), plain)
            factors = _chosen(touching, square, one)
            # The product of the others' factors: those before times those after.
            before, after = [one[0]], [one[0]]
            for task in range(self.k - 1):
                before.append(before[-1] * factors[task])
                after.append(after[-1] * factors[self.k - 1 - task])
            others = stack([b * a for b, a in zip(before, reversed(after), strict=True)])
            pulled = total(at.J * spread(slopes, 1), 0)
            return self._weighted(pulled * spread(others, 0))

    def hessian(self, at: Adapted) -> Model:
        """∇²h as models (pairs, boxes), in y, the pairs j ≤ l in the order of `pairs`."""
        assert at.J is not None
        assert at.K is not None
        with np.errstate(all="ignore"):
            J, f = at.J.truncated(HESSIAN_DEGREE), at.f.truncated(HESSIAN_DEGREE)
            half = _contract(f.second(), J)
            curved = total(J[:, self._left] * half[:, self._right], 0)
            bent = total(at.K * spread(f.first(), 1), 0)
            return self._weighted(curved + bent)

    def _weighted(self, models: Model) -> Model:
        """Σ_τ ω_τ over the last axis but one of the batch."""
        moved = Model(models.basis, np.moveaxis(models.c, -2, 1), np.moveaxis(models.e, -2, 0))
        shape = (self.k,) + (1,) * (moved.e.ndim - 1)
        return combine(moved, self.weights.reshape(shape), UNIT)

    # --- parts -------------------------------------------------------------------------------

    def _identity(self, y0: Floats, r: Floats) -> Model:
        """y itself, (p, k, boxes)."""
        B = basis(self.p, DEGREE)
        shape = (self.k, y0.shape[-1])
        c = np.zeros((B.size, self.p, *shape))
        for i in range(self.p):
            c[0, i] = y0[i]
            c[1 + i, i] = r[i]  # monomials of degree one come in the order of the axes
        return Model(B, c, np.zeros((self.p, *shape)))

    def _directions(self, at: Along) -> Model:
        """∂z/∂y = M as constant models, (p, p, k, boxes)."""
        B, M = at.F.basis, self.to_g.M
        shape = (self.p, self.p, *at.F.e.shape[1:])
        c, e = np.zeros((B.size, *shape)), np.zeros(shape)
        c[0] = M.mid.transpose(1, 2, 0)[..., None]
        e[:] = M.rad.transpose(1, 2, 0)[..., None]
        return Model(B, c, e)

    def _step(self, models: Model) -> Model:
        """Σ_j G_ij M_j for the first axis of the batch, (p, …, k, boxes)."""
        ones = (1,) * (models.e.ndim - 3)
        rows = [
            combine(models, self.G[:, i].T.reshape(self.p, *ones, self.k, 1), UNIT)
            for i in range(self.p)
        ]
        return stack(rows)

    def _curvature(self, at: Along, J: Model, K: Model | None) -> Model:
        """K − G(g''K + g'''[J, J]) on the pairs, J and K those before the shot; K = 0 at first."""
        p = self.p
        where = {pair: a for a, pair in enumerate(self.pairs)}
        full = np.array([[where[min(a, b), max(a, b)] for b in range(p)] for a in range(p)])
        cube = at.third(self.pairs)[:, full]  # (p, p, p, …)
        # T_i,al = Σ_b g'''_iab J_bl, then Σ_a J_aj T_i,al.
        T = total(spread(cube, 3) * J[None, None], 2)
        turned = total(J[:, self._left][None] * T[:, :, self._right], 1)
        if K is None:
            return self._step(turned).times(-1.0)
        return K - self._step(_contract(at.second(), K) + turned)


def _chosen(mask: NDArray[np.bool_], yes: Model, no: Model) -> Model:
    """Models taken from the one or the other, box by box."""
    return Model(yes.basis, np.where(mask, yes.c, no.c), np.where(mask, yes.e, no.e))


def _contract(M: Model, J: Model) -> Model:
    """Σ_l M_il J_l…, (p, …)."""
    return total(spread(M, 2) * J[None], 1)
