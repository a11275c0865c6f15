"""The algorithms that train a starting point w: one class each, and one question to all of them.

    w ← w − β Σ ω_τ d_τ(w)

An algorithm says what a single task τ contributes: the direction d_τ, the cost f_τ after adaptation,
and, if the directions are the gradient of something, that something (its *merit*). Batches, weights,
step sizes and feasibility are the loop's business (`benign.meta.train`).

===============  ========================================================  =========================
name             d_τ(w), with w_0 = w, …, w_m the gains of the m shots      is the gradient of
===============  ========================================================  =========================
maml             Π (I − η∇²g(w_k)) ∇f(w_m)                                 f(w_m)
normalized-maml  the same for shots of length η                            f(w_m)
first-order      ∇f(w_m)                                                   nothing
hf-maml          as maml, ∇²g(w_k)v by a central difference of ∇g          nothing (nearly f(w_m))
reptile          w − w_m                                                   nothing
imaml            (I + ∇²g(φ)/λ)⁻¹ ∇f(φ)                                    f(φ)
minibatch-prox   λ(w − φ)                                                  g(φ) + λ/2 ‖φ − w‖²
ftml             as maml, over the tasks that have arrived                 f(w_m)
===============  ========================================================  =========================

Here φ = argmin g + λ/2‖· − w‖², and adaptation is the m shots, or the way to φ.

Sources: C. Finn, P. Abbeel, S. Levine 2017 (MAML, first-order MAML); A. Nichol, J. Achiam, J. Schulman
2018 (Reptile); A. Fallah, A. Mokhtari, A. Ozdaglar 2020 (HF-MAML); A. Rajeswaran et al. 2019 (iMAML);
P. Zhou et al. 2019 (Meta-MinibatchProx); C. Finn et al. 2019 (FTML); I. Molybog, J. Lavaei,
arXiv 2006.00453 (normalised step).
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, ArrayLike, Bool, Float

from benign.errors import ProblemError
from benign.linalg import in_float64
from benign.meta.adaptation import AdaptationStep, GradientStep, NormalizedStep
from benign.meta.points import Point, Site
from benign.meta.proximal import conjugate_gradients, dot, proximal_point

UNROLLED = 3
"""Up to so many shots are written out one by one, which XLA fuses best; more become a loop that solves
for each point again on its way back, so that neither compilation nor memory grows with the shots."""


class Contribution(NamedTuple):
    """What one task contributes at w.

    Attributes:
        direction: d_τ.
        value: f_τ after adaptation, +∞ where infeasible.
        merit: what d_τ is the gradient of; NaN if there is no such function.
        feasible: whether every cost needed is finite.
    """

    direction: Float[Array, "*p"]
    value: Float[Array, ""]
    merit: Float[Array, ""]
    feasible: Bool[Array, ""]


class Algorithm(eqx.Module):
    """An update rule; see the final classes."""

    name: ClassVar[str]
    has_merit: ClassVar[bool] = True

    @abstractmethod
    def contribute(self, f: Site, g: Site, w: Float[Array, "*p"]) -> Contribution:
        """What the task of f and g contributes at w."""

    @abstractmethod
    def shot(self, g: Site, w: Float[Array, "*p"]) -> Float[Array, "*p"]:
        """Where adaptation takes w on a task in one go."""

    @property
    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """The numbers of the rule, for reports and checkpoints."""

    def arrived(self, step: Array, weights: Float[Array, " k"]) -> Float[Array, " k"]:
        """The weights of the tasks in a meta-step: zero for one that has not arrived yet."""
        return weights


class _Shots(Algorithm):
    """The part shared by the rules that adapt in shots."""

    step: eqx.AbstractVar[AdaptationStep]

    def shot(self, g: Site, w: Float[Array, "*p"]) -> Float[Array, "*p"]:
        """One application of the adaptation step."""
        return self.step.move(g.at(w), w)

    @property
    def settings(self) -> dict[str, Any]:
        """η, shots and the kind of step."""
        step = self.step.exact()
        return {"eta": str(step.eta), "shots": step.shots, "step": step.kind}


def _walk(
    step: AdaptationStep, g: Site, w: Array
) -> tuple[Array, Bool[Array, ""], list[Point] | Array]:
    """w_m, whether g is finite at all points before it, and these (or, if many, their gains)."""
    if step.shots <= UNROLLED:
        points, feasible = [], jnp.asarray(True)
        for _ in range(step.shots):
            point = g.at(w)
            w, feasible = step.move(point, w), feasible & point.stable
            points.append(point)
        return w, feasible, points

    def shot(w: Array, _: None) -> tuple[Array, tuple[Array, Array]]:
        point = g.at(w)
        return step.move(point, w), (w, point.stable)

    w, (visited, stable) = lax.scan(shot, w, None, length=step.shots)
    return w, jnp.all(stable), visited


def _pulled(step: AdaptationStep, g: Site, points: list[Point] | Array, v: Array) -> Array:
    """The adjoint derivatives of the shots, from the last to the first, applied to v."""
    if isinstance(points, list):
        for point in reversed(points):
            v = step.pull(point, v)
        return v
    return lax.scan(lambda v, w: (step.pull(g.at(w), v), None), v, points, reverse=True)[0]


class MAML(_Shots):
    """w − β∇h(w), h(w) = Σ ω_τ f_τ(w_m).

    Args:
        step: The adaptation step, gradient or normalised, with η and the number of shots.
    """

    name: ClassVar[str] = "maml"
    step: AdaptationStep

    def contribute(self, f: Site, g: Site, w: Float[Array, "*p"]) -> Contribution:
        """∇(f∘F)(w) and f(F(w))."""
        return _maml(self.step, f, g, w)


def _arrived(
    step: AdaptationStep, f: Site, g: Site, w: Array
) -> tuple[Array, list[Point] | Array, Point, Array, Bool[Array, ""]]:
    """w_m and what `_walk` met before it, f there, its value (∞ where infeasible), and feasibility."""
    adapted, feasible, points = _walk(step, g, w)
    last = f.at(adapted)
    feasible = feasible & last.stable
    return adapted, points, last, jnp.where(feasible, last.value(), jnp.inf), feasible


def _maml(step: AdaptationStep, f: Site, g: Site, w: Array) -> Contribution:
    _, points, last, value, feasible = _arrived(step, f, g, w)
    return Contribution(_pulled(step, g, points, last.gradient()), value, value, feasible)


class NormalizedMAML(_Shots):
    """w − t∇h(w) with shots of length η, t by Armijo's rule: the variant of the source paper.

    Args:
        eta: Length of a shot.
        shots: Number of shots.
    """

    name: ClassVar[str] = "normalized-maml"
    step: AdaptationStep

    @in_float64
    def __init__(self, eta: Any, shots: int = 1):
        self.step = _made(NormalizedStep, eta, shots)

    def contribute(self, f: Site, g: Site, w: Float[Array, "*p"]) -> Contribution:
        """∇(f∘F)(w) and f(F(w))."""
        return _maml(self.step, f, g, w)


class FirstOrderMAML(_Shots):
    """w − β Σ ω_τ ∇f_τ(w_m): MAML with the derivative of adaptation left out.

    Args:
        step: The adaptation step.
    """

    name: ClassVar[str] = "first-order"
    has_merit: ClassVar[bool] = False
    step: AdaptationStep

    def contribute(self, f: Site, g: Site, w: Float[Array, "*p"]) -> Contribution:
        """∇f(w_m)."""
        _, _, last, value, feasible = _arrived(self.step, f, g, w)
        return Contribution(last.gradient(), value, jnp.asarray(jnp.nan), feasible)


class HessianFreeMAML(_Shots):
    """MAML with ∇²g(w)v ≈ [∇g(w + δv) − ∇g(w − δv)]/(2δ): first derivatives only.

    Args:
        eta: Adaptation step size η.
        shots: Number of shots.
        delta: The distance ‖δv‖ at which ∇g is looked at, on both sides: small against the distance
            over which ∇²g changes, large against 1e-16 times it.
    """

    name: ClassVar[str] = "hf-maml"
    has_merit: ClassVar[bool] = False
    step: AdaptationStep
    delta: Float[Array, ""]

    @in_float64
    def __init__(self, eta: Any, shots: int = 1, delta: float = 1e-5):
        self.step = _made(GradientStep, eta, shots)
        self.delta = _positive("delta", delta, "the distance of the central difference")

    def contribute(self, f: Site, g: Site, w: Float[Array, "*p"]) -> Contribution:
        """Π (I − ηD(w_k)) ∇f(w_m), D the central difference; infeasible also where that leaves."""

        def shot(w: Array, _: None) -> tuple[Array, tuple[Array, Array]]:
            point = g.at(w)
            return self.step.move(point, w), (w, point.stable)

        adapted, (visited, stable) = lax.scan(shot, w, None, length=self.step.shots)
        last = f.at(adapted)

        def pull(v: Array, w: Array) -> tuple[Array, Array]:
            size = jnp.sqrt(dot(v, v))
            e = v * (self.delta / jnp.where(size > 0, size, 1.0))
            ahead, behind = g.at(w + e), g.at(w - e)
            product = (ahead.gradient() - behind.gradient()) * (size / (2 * self.delta))
            return v - self.step.eta * product, ahead.stable & behind.stable

        direction, beside = lax.scan(pull, last.gradient(), visited, reverse=True)
        feasible = jnp.all(stable) & last.stable & jnp.all(beside)
        value = jnp.where(feasible, last.value(), jnp.inf)
        return Contribution(direction, value, jnp.asarray(jnp.nan), feasible)

    @property
    def settings(self) -> dict[str, Any]:
        """As for all shots, and δ."""
        return {**super().settings, "delta": float(self.delta)}


class Reptile(_Shots):
    """w + β Σ ω_τ (w_m − w): towards where the shots lead. Only g is looked at.

    Args:
        step: The adaptation step.
    """

    name: ClassVar[str] = "reptile"
    has_merit: ClassVar[bool] = False
    step: AdaptationStep

    def contribute(self, f: Site, g: Site, w: Float[Array, "*p"]) -> Contribution:
        """w − w_m."""
        adapted, _, _, value, feasible = _arrived(self.step, f, g, w)
        return Contribution(w - adapted, value, jnp.asarray(jnp.nan), feasible)


class FTML(_Shots):
    """Follow the meta-leader: tasks arrive one by one, and MAML runs over those that are there.

    After task k has come, Σ_{j ≤ k} ω_j f_j(F_j(w)) / Σ_{j ≤ k} ω_j is descended for `every`
    meta-steps, the last one (that of all tasks, which is h) to the end. All tasks of a family are
    watched for feasibility from the beginning, so that a new one always finds a w to begin at.

    Args:
        step: The adaptation step.
        every: Meta-steps between two arrivals.
    """

    name: ClassVar[str] = "ftml"
    step: AdaptationStep
    every: int = eqx.field(static=True)

    @in_float64
    def __init__(self, step: AdaptationStep, every: int = 100):
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise ProblemError(f"every: FTML needs a whole number of steps ≥ 1, got {every!r}")
        self.step, self.every = step, every

    def contribute(self, f: Site, g: Site, w: Float[Array, "*p"]) -> Contribution:
        """∇(f∘F)(w) and f(F(w))."""
        return _maml(self.step, f, g, w)

    def arrived(self, step: Array, weights: Float[Array, " k"]) -> Float[Array, " k"]:
        """The weights of the tasks 0 … step/every, normalised."""
        there = jnp.where(jnp.arange(weights.shape[0]) <= step // self.every, weights, 0.0)
        return there / jnp.sum(there)

    @property
    def settings(self) -> dict[str, Any]:
        """As for all shots, and the steps between arrivals."""
        return {**super().settings, "every": self.every}


class _Proximal(Algorithm):
    """The part shared by the rules that adapt to the proximal point."""

    lam: eqx.AbstractVar[Float[Array, ""]]

    def shot(self, g: Site, w: Float[Array, "*p"]) -> Float[Array, "*p"]:
        """φ(w)."""
        return proximal_point(g, w, self.lam).phi

    @property
    def settings(self) -> dict[str, Any]:
        """λ."""
        return {"lambda": float(self.lam)}


class ImplicitMAML(_Proximal):
    """w − β Σ ω_τ (I + ∇²g_τ(φ_τ)/λ)⁻¹ ∇f_τ(φ_τ): the gradient of Σ ω_τ f_τ(φ_τ(w)).

    Args:
        lam: λ > 0, so large that λI + ∇²g ≻ 0 where it is used (a task counts as infeasible where the
            solver meets negative curvature).
    """

    name: ClassVar[str] = "imaml"
    lam: Float[Array, ""]

    @in_float64
    def __init__(self, lam: float):
        self.lam = _lambda(self.name, lam)

    def contribute(self, f: Site, g: Site, w: Float[Array, "*p"]) -> Contribution:
        """The implicit gradient at φ."""
        phi, point, found = proximal_point(g, w, self.lam)
        last = f.at(phi)
        direction, convex = conjugate_gradients(
            lambda v: v + point.hessian_product(v) / self.lam, last.gradient()
        )
        feasible = found & last.stable & convex
        value = jnp.where(feasible, last.value(), jnp.inf)
        return Contribution(direction, value, value, feasible)


class MinibatchProx(_Proximal):
    """w − βλ Σ ω_τ (w − φ_τ): the gradient of Σ ω_τ min_φ g_τ(φ) + λ/2‖φ − w‖².

    Args:
        lam: λ > 0, as for `ImplicitMAML`.
    """

    name: ClassVar[str] = "minibatch-prox"
    lam: Float[Array, ""]

    @in_float64
    def __init__(self, lam: float):
        self.lam = _lambda(self.name, lam)

    def contribute(self, f: Site, g: Site, w: Float[Array, "*p"]) -> Contribution:
        """λ(w − φ), and the Moreau envelope of g as merit."""
        phi, point, found = proximal_point(g, w, self.lam)
        last = f.at(phi)
        feasible = found & last.stable
        envelope = point.value() + 0.5 * self.lam * dot(phi - w, phi - w)
        return Contribution(
            self.lam * (w - phi),
            jnp.where(feasible, last.value(), jnp.inf),
            jnp.where(feasible, envelope, jnp.inf),
            feasible,
        )


ALGORITHMS: dict[str, type[Algorithm]] = {
    kind.name: kind
    for kind in (
        MAML,
        NormalizedMAML,
        FirstOrderMAML,
        HessianFreeMAML,
        Reptile,
        ImplicitMAML,
        MinibatchProx,
        FTML,
    )
}
"""Every algorithm by its name."""


@in_float64
def make_algorithm(
    name: str,
    *,
    eta: Any = None,
    shots: int = 1,
    step: str = "gradient",
    lam: float | None = None,
    delta: float = 1e-5,
    every: int = 100,
) -> Algorithm:
    """The algorithm of a name, from the settings that it looks at.

    Args:
        name: A key of `ALGORITHMS`.
        eta: η, for the rules that adapt in shots.
        shots: Their number.
        step: "gradient" or "normalized".
        lam: λ, for the proximal rules.
        delta: The distance of HF-MAML's central difference.
        every: FTML's meta-steps between two arrivals.

    Raises:
        ProblemError: no such name; a setting that is missing, out of range or without meaning.
    """
    if name not in ALGORITHMS:
        raise ProblemError(f"algorithm: no {name!r}; there are {', '.join(ALGORITHMS)}")
    if name in (ImplicitMAML.name, MinibatchProx.name):
        if lam is None:
            raise ProblemError(f"lambda: {name} needs λ > 0, the weight of λ/2‖φ − w‖²; give one")
        return _made(ALGORITHMS[name], lam)
    if eta is None:
        raise ProblemError(f"eta: {name} adapts by steps of η; give η > 0")
    if step not in ("gradient", "normalized"):
        raise ProblemError(f"step: expected gradient or normalized, got {step!r}")
    if name == NormalizedMAML.name:
        return _made(NormalizedMAML, eta, shots)
    if name == HessianFreeMAML.name:
        if step != "gradient":
            raise ProblemError(
                "step: hf-maml differentiates the gradient step; use --algorithm normalized-maml"
            )
        return _made(HessianFreeMAML, eta, shots, delta)
    rule = _made(GradientStep if step == "gradient" else NormalizedStep, eta, shots)
    return _made(FTML, rule, every) if name == FTML.name else _made(ALGORITHMS[name], rule)


def over_tasks(algorithm: Algorithm, f: Site, g: Site, w: Float[Array, "*p"]) -> Contribution:
    """The contributions of stacked tasks, one a row."""
    return jax.vmap(algorithm.contribute, in_axes=(0, 0, None))(f, g, w)


def _made(kind: Any, *arguments: Any) -> Any:
    """An instance; type checkers take a module for a dataclass and do not see its `__init__`."""
    return kind(*arguments)


def _positive(name: str, value: ArrayLike, what: str) -> Array:
    number = float(value)  # pyright: ignore[reportArgumentType]
    if not (0 < number < float("inf")):
        raise ProblemError(f"{name}: {what} must be positive and finite, got {number:g}")
    return jnp.asarray(number)


def _lambda(name: str, lam: float) -> Array:
    if float(lam) == 0:
        raise ProblemError(
            f"lambda: {name} at λ = 0 would adapt all the way to its own optimum, whatever w is, "
            "and nothing would be left to train; give λ > 0"
        )
    return _positive("lambda", lam, "the weight of λ/2‖φ − w‖²")
