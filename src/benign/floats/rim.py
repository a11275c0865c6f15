"""Near the rim: where g(W) is so large that no next gain can stabilise.

Let V stabilise g, with Σ_V = S0 + L_VΣ_VL_V', and let W do so too. The cost-difference lemma (Fazel,
Ge, Kakade and Mesbahi, arXiv 1801.05039, lemma 10) with ∇g(W) = 2G_WΣ_W and F = W − η∇g(W) gives

    g(W) − g(V) ≤ 2 tr(Σ_V(W − V)'G_W) = tr(Σ_V(W − V)'(W − F)Σ_W⁻¹)/η
                ≤ ‖(W − V)Σ_V‖_F ‖W − F‖_F / (η σ_min(S0)),

since Σ_W ⪰ S0 ≻ 0. But F has to stabilise the next cost in its turn. For one input that confines it to
a simplex (`stable_simplex`); and if h(W) ≤ c, the last one has f(F) ≤ (c − Σ_other ω inf f)/ω, where
f(F) ≥ tr(F'RF S0) ≥ σ_min(R)σ_min(S0)‖F‖² (with F − R⁻¹N' for F if there is a cross term). So every W
of a box on which g exceeds the bound that follows is out: it does not stabilise, or its next gain does
not, or h(W) > c.

A lower bound of g where D may vanish: the cost of the first T steps, which is a polynomial in W and is
never more than g(W). It is summed by doubling in midpoint-radius arithmetic,

    S_{2T} = S_T + L^T' S_T L^T,   S_1 = Q + W'RW,   g(W) ≥ tr(S_T S0).
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from flint import arb, arb_mat, ctx

from benign.balls.lqr import BallPlant, ClosedLoop, NotStabilising, least_cost
from benign.balls.matrices import Unproved, frobenius_norm, least_singular_value, to_ball_matrix
from benign.clock import NO_LIMIT, Clock
from benign.exact.definite import is_semidefinite
from benign.exact.problem import Matrix, Plant, Problem
from benign.exact.rounding import enclosing_floats, to_ball
from benign.floats.along import SETTING_UP
from benign.floats.bounds import PRECISION, Bounds, entries
from benign.floats.facets import simplex_gains
from benign.floats.fractions_of_gain import Frame
from benign.floats.taylor import GROWN, TINY, UNIT, Floats

DOUBLINGS = 24
"""T goes up to 2^24 steps; long before, the radii outgrow the sum."""


class Rim:
    """The bound on g above, for every task of a problem, over boxes.

    Args:
        problem: a gradient step.
        frame: coordinates of the boxes.
        level: c, or infinity.
        least: (k,), lower bounds of inf f_τ.
        witnesses: for each task a gain V, (m, n), that stabilises g; the nearer to the optimum the
            better. Where one is found not to, the task's bound is infinite.
    """

    def __init__(
        self,
        problem: Problem,
        frame: Frame,
        level: float,
        least: Floats,
        witnesses: Sequence[Matrix],
        clock: Clock = NO_LIMIT,
    ) -> None:
        self.p = frame.p
        self.m, self.n = problem.family.m, problem.family.n
        self.centre = np.array([float(x) for x in frame.centre])
        self.axes = np.array([[float(x) for x in row] for row in frame.axes])
        # What rounding can cost in W = centre + axes·y, for |y| ≤ 1.
        self.slack = UNIT * (self.p + 2) * (np.abs(self.centre) + np.abs(self.axes).sum(axis=1))
        V, sigma, sigma_rad, cost, factor, corners, reach = [], [], [], [], [], [], []
        with ctx.workprec(PRECISION):
            eta = to_ball(problem.step.eta)
            highest = _highest(problem, level, least)
            for task, witness, most in zip(problem.tasks, witnesses, highest, strict=True):
                clock.check(SETTING_UP)
                last = task.g if problem.step.shots > 1 else task.f
                V.append([[float(x) for x in row] for row in witness])
                found = _witness(task.g, to_ball_matrix(as_fractions(V[-1])))
                smallest = least_eigenvalue(task.g.moment)
                if found is None or smallest <= 0:
                    sigma.append(np.zeros((self.n, self.n)))
                    sigma_rad.append(np.zeros((self.n, self.n)))
                    cost.append(np.inf)
                    factor.append(np.inf)
                else:
                    sigma.append(found[1].mid)
                    sigma_rad.append(found[1].rad)
                    cost.append(found[0])
                    factor.append(enclosing_floats(1 / (eta * smallest))[1])
                corners.append(self._corners(last))
                reach.append(np.inf if problem.step.shots > 1 else _largest_norm(task.f, most))
        self.V = np.array(V).reshape(-1, self.m, self.n)
        self.sigma, self.sigma_rad = np.array(sigma), np.array(sigma_rad)
        self.cost, self.factor = np.array(cost), np.array(factor)
        self.corners, self.reach = corners, np.array(reach)
        made = {plant: _Horizon(plant) for task in problem.tasks for plant in (task.f, task.g)}
        self.f = [made[task.f] for task in problem.tasks]
        self.g = [made[task.g] for task in problem.tasks]

    def _corners(self, plant: Plant) -> Bounds | None:
        found = simplex_gains(plant)
        if found is None:
            return None
        made = [entries(gain) for gain in found]
        return Bounds(np.array([b.mid for b in made]), np.array([b.rad for b in made]))

    def gains(self, y0: Floats, r: Floats) -> Bounds:
        """The boxes (p, boxes) as entries of W, (m, n, boxes)."""
        mid = self.centre[:, None] + self.axes @ y0
        reach = np.maximum(np.abs(y0).max(axis=0), 1.0)
        rad = (np.abs(self.axes) @ r + self.slack[:, None] * reach) * GROWN
        shape = (self.m, self.n, y0.shape[1])
        return Bounds(mid.reshape(shape), rad.reshape(shape))

    def threshold(self, W: Bounds) -> Floats:
        """(k, boxes): if g exceeds it everywhere on a box, the box is out.

        An entry of (W − V)Σ_V is a sum of n products, each of a rounded difference: it errs by at most
        (n + 3)u of the sum of their sizes. All else are sums, squares and roots of non-negative floats,
        some 4n + mn + 20 roundings on the way of each, which GROWN covers; TINY stands for squares that
        underflow.
        """
        with np.errstate(all="ignore"):
            offset = W.mid - self.V[..., None]  # (k, m, n, boxes)
            away = np.abs(np.einsum("kmab,kac->kmcb", offset, self.sigma))
            size = np.abs(offset)
            most = np.abs(self.sigma) + self.sigma_rad
            away = away + np.einsum("kmab,kac->kmcb", size * (UNIT * (self.n + 3)), most)
            away = away + np.einsum("kmab,kac->kmcb", size, self.sigma_rad)
            away = away + np.einsum("mab,kac->kmcb", W.rad, most)
            first = np.sqrt((away**2).sum(axis=(1, 2)) + TINY)
            second = np.array([self._farthest(W, task) for task in range(len(self.V))])
            return (self.cost[:, None] + (self.factor[:, None] * first * second + TINY)) * GROWN

    def _farthest(self, W: Bounds, task: int) -> Floats:
        """max ‖W − F‖ over the box and the gains F that may come next, (boxes,); GROWN comes last."""
        spread = np.sqrt((W.rad**2).sum(axis=(0, 1)) + TINY)
        norm = np.sqrt((W.mid**2).sum(axis=(0, 1)) + TINY)
        farthest = norm + spread + self.reach[task]
        corners = self.corners[task]
        if corners is not None:
            gap = np.abs(W.mid[None] - corners.mid[..., None]) + corners.rad[..., None]
            corner = np.sqrt((gap**2).sum(axis=(1, 2)) + TINY).max(axis=0)
            farthest = np.fmin(farthest, corner + spread)
        return farthest

    def least_g(self, W: Bounds, task: int) -> Floats:
        """A lower bound of g at the stabilising gains of each box, from finite horizons."""
        with np.errstate(all="ignore"):
            return self.g[task].bound(W)

    def least_f(self, W: Bounds, task: int) -> Floats:
        """A lower bound of f at the stabilising gains of each box, from finite horizons."""
        with np.errstate(all="ignore"):
            return self.f[task].bound(W)


class _Horizon:
    """Costs of the first T steps of one plant."""

    def __init__(self, plant: Plant) -> None:
        with ctx.workprec(PRECISION):
            made = BallPlant.of(plant)
            self.A, self.B = entries(made.A), entries(made.B)
            self.Q, self.R, self.S = entries(made.Q), entries(made.R), entries(made.S)
            self.T = None if made.T is None else entries(made.T)

    def bound(self, W: Bounds) -> Floats:
        boxes = W.mid.shape[-1]
        L = _minus(_spread(self.A), _product(_spread(self.B), W))
        paid = W if self.T is None else _minus(W, _spread(self.T))
        stage = _plus(_spread(self.Q), _product(_product(_turned(paid), _spread(self.R)), paid))
        best = np.zeros(boxes)
        for _ in range(DOUBLINGS):
            S = self.S
            low = np.einsum("ij,ijb->b", S.mid, stage.mid)
            reached = np.einsum("ij,ijb->b", np.abs(S.mid) + S.rad, np.abs(stage.mid) + stage.rad)
            lost = np.einsum("ij,ijb->b", np.abs(S.mid) + S.rad, stage.rad)
            lost = lost + np.einsum("ij,ijb->b", S.rad, np.abs(stage.mid))
            n = len(S.mid)
            # n² products and their sum, and the subtraction; TINY for products that underflow.
            bound = low - (lost + UNIT * (n * n + 4) * reached + TINY) * GROWN
            better = bound > best
            if not better.any():
                break
            best = np.where(better, bound, best)
            stage = _plus(stage, _product(_product(_turned(L), stage), L))
            L = _product(L, L)
        return best


def _spread(M: Bounds) -> Bounds:
    return Bounds(M.mid[..., None], M.rad[..., None])


def _turned(M: Bounds) -> Bounds:
    return Bounds(M.mid.swapaxes(0, 1), M.rad.swapaxes(0, 1))


def _product(X: Bounds, Y: Bounds) -> Bounds:
    mid = (X.mid[:, :, None] * Y.mid[None]).sum(axis=1)
    size_x, size_y = np.abs(X.mid), np.abs(Y.mid)
    rad = (size_x[:, :, None] * Y.rad[None]).sum(axis=1)
    rad = rad + (X.rad[:, :, None] * (size_y + Y.rad)[None]).sum(axis=1)
    reached = (size_x[:, :, None] * size_y[None]).sum(axis=1)
    return Bounds(mid, (rad + UNIT * (X.mid.shape[1] + 1) * reached + TINY) * GROWN)


def _plus(X: Bounds, Y: Bounds) -> Bounds:
    mid = X.mid + Y.mid
    return Bounds(mid, (X.rad + Y.rad + UNIT * np.abs(mid) + TINY) * GROWN)


def _minus(X: Bounds, Y: Bounds) -> Bounds:
    return _plus(X, Bounds(-Y.mid, Y.rad))


def _witness(plant: Plant, V: arb_mat) -> tuple[float, Bounds] | None:
    """An upper bound of g(V), and Σ_V."""
    try:
        loop = ClosedLoop(BallPlant.of(plant), V)
        return enclosing_floats(loop.cost)[1], entries(loop.Sigma)
    except (NotStabilising, Unproved):
        return None


def least_eigenvalue(M: Matrix) -> float:
    """A lower bound of the smallest eigenvalue of a semidefinite matrix; 0 if it is not definite."""
    if not is_semidefinite(M, strict=True):
        return 0.0
    try:
        return float(enclosing_floats(least_singular_value(to_ball_matrix(M)))[0])
    except Unproved:
        return 0.0


def _highest(problem: Problem, level: float, least: Floats) -> list[arb | None]:
    """For each task (c − Σ_other ω inf f)/ω, which f(F) cannot exceed where h ≤ c; None if c = ∞."""
    if not np.isfinite(level):
        return [None] * len(least)
    weights = [to_ball(w) for w in problem.weights]
    floors = [w * arb(float(x)) for w, x in zip(weights, least, strict=True)]
    total = sum(floors, arb(0))
    return [(arb(level) - (total - x)) / w for w, x in zip(weights, floors, strict=True)]


def _largest_norm(plant: Plant, most: arb | None) -> float:
    """An upper bound of ‖F‖_F where f(F) ≤ most."""
    product = arb(least_eigenvalue(plant.R)) * arb(least_eigenvalue(plant.moment))
    if most is None or not product > 0:
        return np.inf
    reach = (arb(0).max(most.upper()) / product).sqrt()
    if plant.shift is not None:  # f(F) ≥ λ_min(R) λ_min(S)‖F − T‖²
        reach += frobenius_norm(to_ball_matrix(plant.shift))
    return enclosing_floats(reach)[1]


def least_costs(problem: Problem, witnesses: Sequence[Matrix], clock: Clock = NO_LIMIT) -> Floats:
    """(k,): lower bounds of inf f_τ, given a gain for each task from which the search begins."""
    found = []
    with ctx.workprec(PRECISION):
        for task, witness in zip(problem.tasks, witnesses, strict=True):
            clock.check(SETTING_UP)
            try:
                bound = least_cost(BallPlant.of(task.f), to_ball_matrix(witness))
                found.append(max(enclosing_floats(bound)[0], 0.0))
            except (NotStabilising, Unproved):
                found.append(0.0)
    return np.array(found)


def as_fractions(rows: Sequence[Sequence[float]]) -> Matrix:
    """A matrix of floats as the exact numbers they are."""
    return tuple(tuple(Fraction(float(x)) for x in row) for row in rows)
