"""Batched descents and Newton searches: how a start becomes a stationary point of h.

Gains are flattened here to x of p = mn numbers. The objective, its gradient and its Hessian come from
`meta.batched`, whose kernels are compiled once a shape of family; what is done with them is NumPy on a
few hundred starts at a time. No step leaves the feasible set: outside h
is +∞, which no test accepts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from jaxtyping import Bool, Float

from benign.clock import NO_LIMIT, Clock, beside
from benign.meta import batched
from benign.meta.objective import MetaObjective
from benign.tasks.undiscounted import costs_of

T = TypeVar("T")

LONGEST_STEP = 1.0
"""Steps are cut to this multiple of the family's length, lest a descent skip over a whole piece."""

ARMIJO = 1e-4
"""The share of the predicted decrease that a step has to bring."""

CALM = 1e-11
"""A descent stops at a predicted decrease below this multiple of h: Newton's method does the rest."""

STEEP = 1e-3
"""While ‖∇h‖ ℓ exceeds this multiple of h no such prediction is believed: M is forgotten. It has been
spoilt by a steep wall, as those of thin pieces are. (At a true calm ‖∇h‖ ℓ / h is about 1e-5 times the
root of ‖∇²h‖ ℓ² / h.)"""

SETTLED_GRADIENT, SETTLED_STEP = 1e-8, 1e-7
"""A point is stationary where ‖∇h‖ ℓ ≤ 1e-8 h and Newton's step is below 1e-7 ℓ. Both are relative:
the first to the size of h, the second to that of a gain. The second alone would pass where the
Hessian blows up (at a jump of the normalised step), the first alone in a flat valley. Where a loop is
almost unstable ‖∇h‖ ℓ cannot fall below about UNIT/(1 − ρ) ‖∇²h‖ ℓ², and that much is allowed."""

FLAT = 1e-8
"""An eigenvalue below this multiple of max(‖∇²h‖, h/ℓ²) counts as zero. Rounding leaves about 1e-12;
where h grows like a fourth power, Newton's method stops at an eigenvalue of about 1e-9."""


UNIT, NOISY = 1e-15, 100.0
"""h is off by about UNIT/(1 − ρ) of itself (measured: 2e-7 at 1 − ρ = 1e-9, 5e-3 at 1e-13, a fifth to
a half of that). Its Hessian is worse: an eigenvalue below NOISY times that counts as zero too."""


LONG = 1e7
"""A call of more gains times tasks times n³ than this is not waited for beyond the time there is, as a
call that compiles is not."""


@dataclass
class Field:
    """h on batches of flattened gains.

    Every method raises `BudgetError` when the time of the clock is over: what a descent or Newton's
    method has done until then is nothing that a later call would give again, and is dropped.

    Attributes:
        objective: the meta-objective.
        length: ℓ, the size of a gain: the largest ‖W*_τ‖, or 1/‖B‖ where all of them are zero.
        level: the size of a value of h, for tests relative to it.
        evaluations: how many gains were evaluated so far; Hessians count apart.
        clock: the time there is.
        compiled: the calls that have been compiled for.
    """

    objective: MetaObjective
    length: float = 1.0
    level: float = 1.0
    evaluations: dict[str, int] = field(default_factory=lambda: {"gradients": 0, "hessians": 0})
    clock: Clock = NO_LIMIT
    compiled: set[tuple[object, ...]] = field(default_factory=set)

    @property
    def p(self) -> int:
        """Numbers in a gain."""
        return self.objective.family.m * self.objective.family.n

    def probe(
        self, x: Float[np.ndarray, "N p"], weights: Float[np.ndarray, "N k"] | None = None
    ) -> tuple[Float[np.ndarray, " N"], Float[np.ndarray, "N p"]]:
        """h and ∇h at every gain; +∞ and zeros where infeasible or not a number.

        Args:
            x: the gains, flattened.
            weights: for each gain the weights ω that h is to have; those of the family by default.
        """
        gains = self._gains(x)
        values, gradients = self._timed(
            "gradient",
            len(x),
            weights is None,
            lambda: batched.value_and_gradient(self.objective, gains, weights),
        )
        gradients = gradients.reshape(len(x), self.p)
        self.evaluations["gradients"] += len(x)
        fine = np.isfinite(values) & np.isfinite(gradients).all(axis=1)
        return np.where(fine, values, np.inf), np.where(fine[:, None], gradients, 0.0)

    def hessians(self, x: Float[np.ndarray, "N p"]) -> Float[np.ndarray, "N p p"]:
        """∇²h at every gain, symmetric to the last bit, entries that are no numbers set to zero."""
        gains = self._gains(x)
        dense = self._timed(
            "hessian", len(x), True, lambda: batched.hessians(self.objective, gains)
        ).reshape(len(x), self.p, self.p)
        self.evaluations["hessians"] += len(x)
        dense = np.nan_to_num(dense, nan=0.0, posinf=0.0, neginf=0.0)
        return (dense + dense.transpose(0, 2, 1)) / 2

    def rounding(self, x: Float[np.ndarray, "N p"]) -> Float[np.ndarray, " N"]:
        """The relative error to expect in h at every gain: UNIT/(1 − ρ).

        ρ is the largest spectral radius of a loop, before the first shot or after the last. The
        error of a solution of a Lyapunov equation grows like that; 1 where ρ is 1 to rounding.
        """
        tasks, m, n = self.objective.family.tasks, self.objective.family.m, self.objective.family.n
        f, g = costs_of(tasks), costs_of(tasks.g)
        found = np.empty(len(x))
        for i, one in enumerate(x):
            W = one.reshape(m, n)
            before = np.asarray(g.A) - np.asarray(g.B) @ W
            adapted = self._timed("adapted", 1, True, lambda W=W: batched.adapted(self.objective, W))
            after = np.asarray(f.A) - np.asarray(f.B) @ np.asarray(adapted)
            loops = np.concatenate([before, after])
            radius = np.max(np.abs(np.linalg.eigvals(loops[np.isfinite(loops).all(axis=(1, 2))])))
            found[i] = min(1.0, UNIT / max(1 - float(radius), 1e-300))
        return found

    def feasible(self, x: Float[np.ndarray, "N p"]) -> Bool[np.ndarray, " N"]:
        """Whether h is finite at every gain."""
        return np.isfinite(self.probe(x)[0])

    def _timed(self, what: str, count: int, plain: bool, work: Callable[[], T]) -> T:
        """What the work gives, waited for no longer than there is time."""
        family, step = self.objective.family, self.objective.step
        key = (
            what,
            plain,
            step.kind,
            step.shots,
            family.n,
            family.m,
            len(family),
            min(count, 65536) // 256,
        )
        effort = count * len(family) * family.n**3 * step.shots
        if key in self.compiled and effort <= LONG:
            self.clock.check("the search")
            return work()
        found = beside(self.clock, "the search", work)
        self.compiled.add(key)
        return found

    def _gains(self, x: Float[np.ndarray, "N p"]) -> Float[np.ndarray, "N m n"]:
        return np.asarray(x).reshape(-1, self.objective.family.m, self.objective.family.n)


# --- descent ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Descended:
    """Where descents ended.

    Attributes:
        x: (N, p) gains.  value: (N,) h there.
        calm: (N,) whether the predicted decrease had become negligible; otherwise the ticks ran
            out, or no step helped (a jump, a rim with finite h), or the start was infeasible.
    """

    x: Float[np.ndarray, "N p"]
    value: Float[np.ndarray, " N"]
    calm: Bool[np.ndarray, " N"]


def descend(
    field: Field,
    x: Float[np.ndarray, "N p"],
    *,
    ticks: int,
    weights: Float[np.ndarray, "N k"] | None = None,
) -> Descended:
    """x ← x − t M ∇h(x), M the BFGS approximation of (∇²h)⁻¹, t by backtracking; h only falls.

    Every start has its own step t and its own M. In each tick one gain a start is tried: if h falls
    there by ARMIJO of what the slope predicts, the start moves and M is updated (only where
    s'y > 0, so that M stays positive definite); if not, or if the gain is infeasible, t shrinks.

    Args:
        field: h.
        x: (N, p) starts.
        ticks: gains tried for each start, at most.
        weights: (N, k) weights for each start, those of the family by default.

    Source: J. Nocedal and S. J. Wright, Numerical Optimization (2nd ed. 2006), sections 3.1, 6.1.
    """
    count, p = x.shape
    x = x.copy()
    value, gradient = field.probe(x, weights)
    alive = np.isfinite(value)
    calm = np.zeros(count, bool)
    M, fresh = np.tile(np.eye(p), (count, 1, 1)), np.ones(count, bool)
    t = np.ones(count)
    direction = _direction(field, M, fresh, gradient)
    for _ in range(ticks):
        slope = np.sum(direction * gradient, axis=1)
        # A fresh M knows no curvature: its prediction says nothing unless the gradient is nothing.
        quiet = np.where(fresh, np.linalg.norm(gradient, axis=1) * field.length, -slope)
        size = np.maximum(np.abs(value), field.level)
        still = alive & (quiet <= CALM * size)
        steep = still & (np.linalg.norm(gradient, axis=1) * field.length > STEEP * size)
        M[steep], fresh[steep], t[steep] = np.eye(p), True, 1.0
        direction[steep] = _direction(field, M[steep], fresh[steep], gradient[steep])
        slope = np.where(steep, np.sum(direction * gradient, axis=1), slope)
        calm |= still & ~steep
        alive &= ~calm
        i = np.flatnonzero(alive)
        if len(i) == 0:
            break
        step = t[i, None] * direction[i]
        tried, new_gradient = field.probe(x[i] + step, None if weights is None else weights[i])
        good = tried <= value[i] + ARMIJO * t[i] * slope[i]
        moved, stuck = i[good], i[~good]
        _update(M, fresh, moved, step[good], new_gradient[good] - gradient[moved])
        x[moved] += step[good]
        value[moved], gradient[moved], t[moved] = tried[good], new_gradient[good], 1.0
        t[stuck] *= _shrinkage(value[stuck], tried[~good], t[stuck] * slope[stuck])
        # Nothing left of the step: forget M and try the gradient, once, then give up.
        lost = stuck[t[stuck] < 1e-9]
        alive[lost[fresh[lost]]] = False
        M[lost], fresh[lost], t[lost] = np.eye(p), True, 1.0
        changed = np.concatenate([moved, lost])
        direction[changed] = _direction(field, M[changed], fresh[changed], gradient[changed])
    return Descended(x, value, calm)


def _direction(field: Field, M: np.ndarray, fresh: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    """−M∇h, a tenth of ℓ long while M is the identity and never longer than LONGEST_STEP ℓ."""
    direction = -np.einsum("nij,nj->ni", M, gradient)
    size = np.maximum(np.linalg.norm(direction, axis=1), np.finfo(float).tiny)
    wanted = np.where(fresh, 0.1 * field.length, np.minimum(size, LONGEST_STEP * field.length))
    return direction * (wanted / size)[:, None]


def _update(M: np.ndarray, fresh: np.ndarray, i: np.ndarray, s: np.ndarray, y: np.ndarray) -> None:
    """M ← (I − ρ s y') M (I − ρ y s') + ρ s s', ρ = 1/(s'y), from M = (s'y/y'y) I at first."""
    sy, yy = np.sum(s * y, axis=1), np.sum(y * y, axis=1)
    curved = sy > 1e-10 * np.sqrt(yy * np.sum(s * s, axis=1))
    i, s, y, sy, yy = i[curved], s[curved], y[curved], sy[curved], yy[curved]
    p = s.shape[1]
    start = (sy / np.maximum(yy, np.finfo(float).tiny))[:, None, None] * np.eye(p)
    old = np.where(fresh[i, None, None], start, M[i])
    sides = np.eye(p) - s[:, :, None] * y[:, None, :] / sy[:, None, None]
    new = sides @ old @ sides.transpose(0, 2, 1) + s[:, :, None] * s[:, None, :] / sy[:, None, None]
    M[i], fresh[i] = new, False


def _shrinkage(value: np.ndarray, tried: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """The factor for t: the minimum of the parabola through both values, in [0.1, 0.5]; ½ at +∞."""
    finite = np.isfinite(tried)
    excess = np.where(finite, tried, 0.0) - value - slope
    parabola = -slope / (2 * np.where(finite & (excess > 0), excess, 1.0))
    return np.where(finite & (excess > 0), np.clip(parabola, 0.1, 0.5), 0.5)


# --- Newton's method -------------------------------------------------------------------------


@dataclass(frozen=True)
class Polished:
    """Where Newton's method ended.

    Attributes:
        x: (N, p) gains.  value: (N,) h.  gradient: (N,) ‖∇h‖.
        eigenvalues: (N, p), ascending, of a Hessian at x or one accepted step before it.
        vectors: (N, p, p), its eigenvectors in columns.
        settled: (N,) whether the point is stationary, by SETTLED_GRADIENT and SETTLED_STEP.
    """

    x: Float[np.ndarray, "N p"]
    value: Float[np.ndarray, " N"]
    gradient: Float[np.ndarray, " N"]
    eigenvalues: Float[np.ndarray, "N p"]
    vectors: Float[np.ndarray, "N p p"]
    settled: Bool[np.ndarray, " N"]


def polish(field: Field, x: Float[np.ndarray, "N p"], *, ticks: int) -> Polished:
    """x ← x − (H² + μ²I)⁻¹ H ∇h(x), H = ∇²h: to stationary points of every kind.

    That is Gauss–Newton with damping (Levenberg–Marquardt) on ½‖∇h‖², whose step is Newton's for
    μ = 0; a tick is accepted only if ‖∇h‖ falls. A Hessian serves as long as it brings ‖∇h‖ down by
    ten in a tick, since it costs as much as p gradients. From the end of a descent two or three
    ticks are needed; from anywhere else this finds saddles and maxima too, or else stops at a
    minimum of ‖∇h‖ that is no stationary point of h and is not called settled.

    Args:
        field: h.
        x: (N, p) starts.
        ticks: gains tried for each start, at most.

    Source: J. Nocedal and S. J. Wright, Numerical Optimization (2nd ed. 2006), section 11.2.
    """
    count, p = x.shape
    x = x.copy()
    value, gradient = field.probe(x)
    size = np.linalg.norm(gradient, axis=1)
    lam, vec = np.zeros((count, p)), np.tile(np.eye(p), (count, 1, 1))
    alive, stale = np.isfinite(value), np.ones(count, bool)
    mu = np.zeros(count)
    for _ in range(ticks):
        old = np.flatnonzero(alive & stale)
        if len(old):
            lam[old], vec[old] = np.linalg.eigh(field.hessians(x[old]))
            stale[old] = False
        i = np.flatnonzero(alive)
        if len(i) == 0:
            break
        step = _newton_step(lam[i], vec[i], gradient[i], mu[i] + _floor(field, lam[i], value[i]))
        length = np.linalg.norm(step, axis=1)
        step *= np.minimum(1.0, LONGEST_STEP * field.length / np.maximum(length, 1e-300))[:, None]
        tried, new_gradient = field.probe(x[i] + step)
        new_size = np.linalg.norm(new_gradient, axis=1)
        better = np.isfinite(tried) & (new_size < size[i])
        small = length <= SETTLED_STEP * field.length
        fast = better & (new_size < 0.1 * size[i])
        # At the rounding level a step no longer helps: that is the end, not a failure.
        done = small & ~fast
        norm = np.max(np.abs(lam[i]), axis=1)
        mu[i] = np.where(better, np.where(fast, 0.0, mu[i] / 10), np.maximum(10 * mu[i], 1e-3 * norm))
        hit = i[better]
        x[hit] += step[better]
        value[hit], gradient[hit], size[hit] = tried[better], new_gradient[better], new_size[better]
        stale[i] = better & ~fast & ~done
        alive[i[done | (mu[i] > 1e6 * norm) | (norm == 0)]] = False
    steps = _newton_step(lam, vec, gradient, _floor(field, lam, value))
    # Along flat directions no step is known, and none is asked for.
    along = np.einsum("nij,ni->nj", vec, steps)
    along = np.where(np.abs(lam) > _flat(field, lam, value)[:, None], along, 0.0)
    short = np.isfinite(value)
    short &= np.linalg.norm(along, axis=1) <= SETTLED_STEP * field.length
    allowed = SETTLED_GRADIENT * np.maximum(np.abs(value), field.level)
    settled = short & (size * field.length <= allowed)
    # Near the rim the gradient is not known that well; where Newton's step is short, this is why.
    left = np.flatnonzero(short & ~settled)
    if len(left):
        curvature = np.max(np.abs(lam[left]), axis=1)
        noise = field.rounding(x[left]) * curvature * field.length**2
        settled[left] = size[left] * field.length <= noise
    return Polished(x, value, size, lam, vec, settled)


def _newton_step(lam: np.ndarray, vec: np.ndarray, gradient: np.ndarray, mu: np.ndarray) -> np.ndarray:
    """−V diag(λ/(λ² + μ²)) V'∇h."""
    along = np.einsum("nij,ni->nj", vec, gradient)
    scaled = along * lam / np.maximum(lam * lam + mu[:, None] ** 2, np.finfo(float).tiny)
    return -np.einsum("nij,nj->ni", vec, scaled)


def _flat(field: Field, lam: np.ndarray, value: np.ndarray) -> np.ndarray:
    """The size below which an eigenvalue counts as zero; see `FLAT`."""
    size = np.where(np.isfinite(value), np.abs(value), 0.0)
    natural = np.maximum(size, field.level) / field.length**2
    return FLAT * np.maximum(np.max(np.abs(lam), axis=-1), natural)


def _floor(field: Field, lam: np.ndarray, value: np.ndarray) -> np.ndarray:
    """The least damping: far below what counts as flat, so that Newton's method stays Newton's."""
    return 1e-4 * _flat(field, lam, value)


def signs(field: Field, eigenvalues: np.ndarray, value: np.ndarray, rounding: np.ndarray) -> np.ndarray:
    """−1, 0 or 1 for every eigenvalue, 0 for those that count as zero; rounding is h's own."""
    flat = (_flat(field, eigenvalues, value) * np.maximum(1.0, NOISY * rounding / FLAT))[..., None]
    return np.where(np.abs(eigenvalues) > flat, np.sign(eigenvalues), 0.0)
