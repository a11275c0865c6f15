"""Algorithm 1 without a model: a Boeing 747's starting gain from rollouts alone.

    python examples/model_free.py [--tasks 10] [--steps 400] [--directions 16] [--seed 0]

The plants are the bundled family boeing-747-ten: four states, two inputs, ten airframes. Training sees
them through `SampledLQR` only: a rollout plays a = −W s for `HORIZON` seconds from a random state and
says what it cost. Every meta-step draws new rollouts for the adaptation gradient and Hessian product
(of g) and for the gradient after adaptation (of f). The model is used twice, before and after: it makes
the poor gain that training starts from, and it says what the gains really cost.

Three things keep the noise down, and none of them moves the mean of an estimate: both points of a
difference are rolled out from the same random states; a derivative is a mean over several directions
and over all tasks; and the meta-step decays, so that what noise is left averages out.
"""

import argparse
import time

import jax
import numpy as np

import benign
from benign.tasks.family import TaskFamily
from benign.tasks.files import bundled_path, load
from benign.tasks.lqr import LQR
from benign.tasks.sampled import SampledLQR, Sampling
from benign.tasks.stack import TaskStack

ETA = 1e-4
"""η: the curvature of these costs goes up to about 1,400 near their optima."""

HORIZON, RADIUS = 120, 0.01
"""Steps of a rollout, and how far from W costs are compared. The slowest mode of the optimal loop
decays by 0.965 a step: what a rollout leaves out is less than 1e-3 of the cost."""

CAUTIOUS = 30.0
"""The start is optimal for the first airframe if moving a control surface cost so many times more."""

BETA, SETTLES = 5e-4, 0.5
"""The first meta-step size, and the share of the run after which it begins to fall (as 1/step)."""


def sampled(family, sampling, seed):
    """The tasks of a family as rollouts see them."""
    keys = jax.random.split(jax.random.key(seed), len(family))
    return TaskStack(
        [SampledLQR(task, key=key, f=sampling) for task, key in zip(family, keys, strict=True)],
        weights=np.asarray(family.weights),
        names=family.names,
    )


def cautious(task, factor=CAUTIOUS):
    """The optimal gain of a task that charges `factor` times as much for control."""
    return np.asarray(LQR(task.A, task.B, task.Q, factor * task.R).optimum().W)


def schedule(steps, beta=BETA):
    """β for the first part of the run, then β·begin/step."""
    import jax.numpy as jnp

    begin = max(1.0, SETTLES * steps)
    return lambda count: beta * jnp.minimum(1.0, begin / (count + 1.0))


def rollouts_of(result, sampling):
    """How many rollouts a run played.

    An evaluation of a task asks g for its value (is W feasible?), gradient and one Hessian product, and
    f for its value and gradient. There is one for the start, one a meta-step, one a halving of a step,
    and a last one that says what the end costs.
    """
    value, gradient = sampling.rollouts_for_value, sampling.rollouts_for_gradient
    one = 2 * (value + gradient) + sampling.rollouts_for_hessian_product
    return one * len(result.tasks) * (result.steps + result.backtracks + 2)


def train_without_model(family, start, sampling, *, eta=ETA, beta=BETA, steps=400, seed=0):
    """Algorithm 1 on rollouts: the result of `benign.train`."""
    import optax

    return benign.train(
        sampled(family, sampling, seed), "maml", eta=eta, start=start, steps=steps, seed=seed,
        optimizer=optax.sgd(schedule(steps, beta)), tolerance=0.0,
    )  # fmt: skip


def main():
    """Train with and without the model, and compare what both gains really cost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=int, default=10, help="the first so many of the ten airframes")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--directions", type=int, default=16, help="directions of a derivative, a task")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    whole = TaskFamily.from_exact(load(bundled_path("boeing-747-ten")).family)
    family = TaskFamily([whole[i] for i in range(asked.tasks)])
    h = benign.MetaObjective(family, benign.GradientStep(ETA))
    start = cautious(family[0])
    model = benign.train(family, "maml", eta=ETA, steps=20000)
    sampling = Sampling(horizon=HORIZON, radius=RADIUS, directions=asked.directions)
    began = time.perf_counter()
    free = train_without_model(family, start, sampling, steps=asked.steps, seed=asked.seed)
    seconds = time.perf_counter() - began
    first, best, last = (float(h.value(W)) for W in (start, model.W, free.W))
    print(f"{len(family)} airframes, η = {ETA:g}; h is exact below, from the model")
    print(f"start:          h = {first:.6f}   {first / best:.4f} × the model-based result")
    print(f"with the model: h = {best:.6f}   ‖∇h‖ = {model.norm:.1e}, {model.stop.message}")
    print(f"without it:     h = {last:.6f}   {last / best:.4f} × the model-based result")
    print(
        f"{rollouts_of(free, sampling):,} rollouts of {HORIZON} steps in {free.steps} meta-steps, "
        f"{free.backtracks} halvings; {seconds:.0f} s"
    )


if __name__ == "__main__":
    main()
