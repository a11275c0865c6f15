"""Where every algorithm ends on every kind of task: the residual of its own objective, computed anew.

    python -m scripts.stationary [--kind KIND …] [--algorithm NAME …]

Trains each algorithm on two or three small tasks of each kind until its update vanishes, and then forms
the derivative of its own objective by another route: values differentiated by JAX, dense Hessians,
Newton's method for proximal points; none of the library's gradients, Hessian products or solvers. Rules
that are the gradient of nothing have a stationary point where their formula vanishes. Rollouts are held
fixed (one key): then the gradient of a `SampledLQR` is not the derivative of its value, no rule has an
objective, and the residual is that of the formula, made of the sampled derivatives. The exit status is
1 if a residual exceeds its bound.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benign.meta.algorithms import ALGORITHMS, make_algorithm
from benign.meta.points import Layout
from benign.meta.ticks import Stop
from benign.meta.train import Course, Ended
from benign.tasks.differentiable import DifferentiableTask
from benign.tasks.finite_horizon import FiniteHorizon
from benign.tasks.lqr import LQR
from benign.tasks.robust import MixedH2Hinf
from benign.tasks.sampled import SampledLQR, Sampling
from benign.tasks.stack import TaskStack
from benign.tasks.supervised import network, sinusoids, squared_error
from benign.tasks.task import AbstractCost, Task

BOUND = 1e-6
"""A residual above this share of the gradient's size at the start is none of a stationary point."""

A = np.array([[0.9, 0.3], [-0.1, 0.8]])
B = np.array([[0.1], [1.0]])
Q, R = np.eye(2), np.eye(1)
SHIFTS = (0.0, 0.05)
START = np.array([[0.15, 0.45]])


@dataclass(frozen=True)
class Kind:
    """A kind of task: small tasks of it, where to begin, and numbers that suit them."""

    make: Callable[[], TaskStack]
    start: Callable[[], Any]
    eta: float
    beta: float
    lam: float
    steps: int = 20_000
    exact: bool = True


class Frozen(AbstractCost):
    """A sampled cost that is never sampled anew."""

    cost: AbstractCost

    def value(self, W):
        """Of the one key."""
        return self.cost.value(W)

    def gradient(self, W):
        """Of the one key."""
        return self.cost.gradient(W)

    def hessian_product(self, W, E):
        """Of the one key."""
        return self.cost.hessian_product(W, E)

    def feasible(self, W):
        """Whether the rollouts stayed finite."""
        return self.cost.feasible(W)

    def optimum(self):
        """Unknown."""
        return

    def resample(self, key):
        """Itself: that is the point."""
        return self


def _regulators(**settings: Any) -> Callable[[], TaskStack]:
    return lambda: TaskStack([LQR(A + s, B, Q, R, **settings) for s in SHIFTS])


def _horizons(per_step: bool) -> Callable[[], TaskStack]:
    # Data that change from step to step, so that a gain a step has something to gain; noise, without
    # which next to nothing would depend on the later gains.
    grow = (1 + 0.05 * np.arange(6))[:, None, None]
    settings: Any = {"horizon": 6, "per_step": per_step, "noise": 0.3 * np.eye(2)}
    return lambda: TaskStack([FiniteHorizon((A + s) * grow, B, Q, R, Q, **settings) for s in SHIFTS])


def _frozen() -> TaskStack:
    sampling = Sampling(horizon=30, radius=0.02, directions=20)
    tasks = []
    for i, s in enumerate(SHIFTS):
        task = SampledLQR(LQR(A + s, B, Q, R), key=jax.random.key(i), f=sampling)
        tasks.append(Task(Frozen(task.f), Frozen(task.g)))
    return TaskStack(tasks)


def _bent(W: Any, data: Any) -> Any:
    """A bent valley in a pytree: not convex, not quadratic."""
    x, y = W["x"], W["y"]
    return jnp.sum((data - x) ** 4) / 4 + jnp.sum((data - x) ** 2) / 2 + jnp.sum((y - x**2) ** 2)


def _valleys() -> TaskStack:
    centres = [np.array([0.5, 0.2]), np.array([0.7, -0.1]), np.array([0.4, 0.1])]
    return TaskStack([DifferentiableTask(_bent, data=c, adaptation_data=c + 0.1) for c in centres])


def _with_decay(W: Any, data: Any) -> Any:
    """Squared error with weight decay: without it a network runs to infinity or sharpens on its way."""
    return squared_error(W, data) + 0.3 * sum(jnp.sum(x**2) for x in jax.tree.leaves(W))


def _sinusoids() -> TaskStack:
    return TaskStack(
        [
            DifferentiableTask(_with_decay, data=task.f.data, adaptation_data=task.g.data)
            for task in sinusoids(jax.random.key(4), 2, shots=20)
        ]
    )


KINDS: dict[str, Kind] = {
    "lqr": Kind(_regulators(), lambda: START, 0.01, 0.02, 30.0),
    "lqr, noise and discount": Kind(
        _regulators(noise=0.1 * np.eye(2), discount=0.95), lambda: START, 0.01, 0.02, 30.0
    ),
    "lqr, average cost": Kind(
        lambda: TaskStack([LQR.average_cost(A + s, B, Q, R, 0.5 * np.eye(2)) for s in SHIFTS]),
        lambda: START, 0.01, 0.02, 30.0,
    ),
    "finite horizon, one gain": Kind(_horizons(per_step=False), lambda: START, 0.005, 0.01, 40.0),
    "finite horizon, a gain a step": Kind(
        _horizons(per_step=True), lambda: np.repeat(START[None], 6, 0), 0.005, 0.02, 40.0, 60_000
    ),
    "mixed H2/H∞": Kind(
        lambda: TaskStack([MixedH2Hinf(A + s, B, 0.3 * np.eye(2), Q, R, gamma=4.0) for s in SHIFTS]),
        lambda: START, 0.02, 0.1, 30.0,
    ),
    "any differentiable cost": Kind(
        _valleys, lambda: {"x": np.array([0.3, 0.1]), "y": np.array([0.2, 0.0])}, 0.05, 0.05, 4.0
    ),
    "sinusoids": Kind(
        _sinusoids,
        lambda: network(jax.random.key(5), (1, 3, 1)),
        0.01, 0.005, 10.0, 400_000,
    ),
    "sampled lqr, rollouts fixed": Kind(_frozen, lambda: START, 0.01, 0.02, 30.0, exact=False),
}  # fmt: skip


def trained(kind: Kind, name: str) -> tuple[Ended, float]:
    """A run until the update vanishes, and the size of the update at the start."""
    stack, start = kind.make(), kind.start()
    rule = make_algorithm(name, eta=kind.eta, lam=kind.lam, every=40)
    armijo = rule.has_merit and kind.exact
    # Armijo's rule finds the step itself; Reptile's update is the shot, η times a gradient.
    beta = 1.0 if armijo else kind.beta / (kind.eta if name == "reptile" else 1.0)
    course = Course(stack, rule, start, beta=beta, armijo=armijo)
    size = course.summary(course.layout.ravel(start))[1]
    return course.run(start, steps=kind.steps, tolerance=0.1 * BOUND * max(size, 1e-3)), size


def residual(kind: Kind, name: str, W: Any) -> float:
    """The norm of the derivative of the algorithm's own objective at W, by the other route."""
    stack, layout = kind.make(), Layout.of(W)
    slope, hessian = (_slope, _hessian) if kind.exact else (_sampled_slope, _sampled_hessian)
    if name == "hf-maml" and not kind.exact:
        # It asks for differences of the sampled gradient, not for the sampled Hessian.
        hessian = _jacobian_of_sampled_slope
    w = np.asarray(layout.ravel(W)).reshape(-1)
    parts = [
        _direction(
            name,
            partial(slope, layout, task.f),
            partial(slope, layout, task.g),
            partial(hessian, layout, task.g),
            kind,
            w,
        )
        for task in stack
    ]
    return float(np.linalg.norm(np.tensordot(np.asarray(stack.weights), np.array(parts), 1)))


def sensible(kind: Kind, name: str) -> bool:
    """Whether a rule makes sense on a kind of task.

    Proximal points minimise g + λ/2‖· − w‖², and a sampled gradient is the gradient of no g.
    """
    return kind.exact or name not in ("imaml", "minibatch-prox")


def _at(layout: Layout, x: Any) -> Any:
    return layout.unravel(x.reshape(layout.shape))


@partial(jax.jit, static_argnums=0)
def _slope(layout: Layout, cost: AbstractCost, x: Any) -> Any:
    """The gradient of a cost on a vector, from its values alone."""
    return jax.grad(lambda x: cost.value(_at(layout, x)))(x)


@partial(jax.jit, static_argnums=0)
def _hessian(layout: Layout, cost: AbstractCost, x: Any) -> Any:
    """Its Hessian, from its values alone."""
    return jax.jacfwd(lambda x: _slope(layout, cost, x))(x)


@partial(jax.jit, static_argnums=0)
def _sampled_slope(layout: Layout, cost: AbstractCost, x: Any) -> Any:
    """The gradient as the rollouts show it."""
    return layout.ravel(cost.gradient(_at(layout, x))).reshape(-1)


@partial(jax.jit, static_argnums=0)
def _sampled_hessian(layout: Layout, cost: AbstractCost, x: Any) -> Any:
    """The Hessian as the rollouts show it."""

    def column(e: Any) -> Any:
        return layout.ravel(cost.hessian_product(_at(layout, x), _at(layout, e))).reshape(-1)

    return jax.vmap(column)(jnp.eye(x.size))


@partial(jax.jit, static_argnums=0)
def _jacobian_of_sampled_slope(layout: Layout, cost: AbstractCost, x: Any) -> Any:
    """The derivative of the gradient that the rollouts show."""
    return jax.jacfwd(lambda x: _sampled_slope(layout, cost, x))(x)


def _direction(name: str, df: Callable, dg: Callable, ddg: Callable, kind: Kind, w: Any) -> np.ndarray:
    """d_τ(w) by its formula, with dense Hessians."""
    eye, w = np.eye(len(w)), np.asarray(w)
    if name in ("imaml", "minibatch-prox"):
        phi = _proximal(dg, ddg, kind.lam, w)
        if name == "minibatch-prox":
            return kind.lam * (w - phi)
        return np.linalg.solve(eye + np.asarray(ddg(phi)) / kind.lam, np.asarray(df(phi)))
    slope = np.asarray(dg(w))
    if name == "normalized-maml":
        size = np.linalg.norm(slope)
        u = slope / size
        jacobian = eye - kind.eta / size * (eye - np.outer(u, u)) @ np.asarray(ddg(w))
        return jacobian.T @ np.asarray(df(w - kind.eta * u))
    adapted = w - kind.eta * slope
    if name == "reptile":
        # The step is η times a gradient: divided by η so that all residuals are gradients.
        return (w - adapted) / kind.eta
    after = np.asarray(df(adapted))
    if name == "first-order":
        return after
    return after - kind.eta * np.asarray(ddg(w)) @ after


def _proximal(dg: Callable, ddg: Callable, lam: float, w: np.ndarray) -> np.ndarray:
    """argmin g + λ/2‖· − w‖² by Newton's method, halved until the residual falls."""
    phi, eye = w, np.eye(len(w))

    def rest(x):
        return np.asarray(dg(x)) + lam * (x - w)

    for _ in range(50):
        r = rest(phi)
        step = -np.linalg.solve(np.asarray(ddg(phi)) + lam * eye, r)
        while np.linalg.norm(rest(phi + step)) > np.linalg.norm(r) and np.abs(step).max() > 1e-15:
            step = step / 2
        phi = phi + step
        if np.abs(step).max() < 1e-14:
            break
    return phi


def main() -> int:
    """Run, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kind", nargs="*", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--algorithm", nargs="*", choices=list(ALGORITHMS), default=list(ALGORITHMS))
    asked = parser.parse_args()
    jax.config.update("jax_enable_x64", True)
    print(
        "| kind | algorithm | ended by | steps | residual | at the start | seconds |\n|-|-|-|-|-|-|-|"
    )
    bad = 0
    for label in asked.kind:
        for name in asked.algorithm:
            began, kind = time.perf_counter(), KINDS[label]
            if not sensible(kind, name):
                print(f"| {label} | {name} | makes no sense |  |  |  |  |", flush=True)
                continue
            ended, _ = trained(kind, name)
            first, last = residual(kind, name, kind.start()), residual(kind, name, ended.W)
            failed = not last <= BOUND * first
            bad += failed
            print(
                f"| {label} | {name} | {Stop(ended.stop).name.lower()} | {ended.steps} | {last:.1e}"
                f"{' (missed)' if failed else ''} | {first:.2g} | {time.perf_counter() - began:.1f} |",
                flush=True,
            )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
