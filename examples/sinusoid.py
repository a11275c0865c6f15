"""Sinusoid regression: MAML learns a start from which ten points and a few steps give the curve.

    python examples/sinusoid.py [sinusoid.png]

Trains on 1,000 generated tasks, then adapts to 100 new ones, and compares with the same network from a
start trained on all the tasks pooled.
"""

import sys

import jax
import jax.numpy as jnp
import matplotlib
import numpy as np
from maml_loop import adapted, train

from benign.tasks.supervised import network, predict, sinusoids

matplotlib.use("Agg")
import matplotlib.pyplot as plt

ETA, STEPS = 0.02, 3000


def main(path):
    """Train, adapt, print, plot."""
    jax.config.update("jax_enable_x64", True)
    seen, unseen = (sinusoids(jax.random.key(seed), k) for seed, k in ((1, 1000), (2, 100)))
    start = network(jax.random.key(0), (1, 32, 32, 1))
    settings = {"eta": ETA, "beta": 2e-3, "batch": 8, "steps": STEPS, "key": jax.random.key(3)}
    learned, costs = train(seen, start, shots=1, **settings)
    pooled, _ = train(seen, start, shots=0, **settings)

    @jax.jit
    def after(W):
        """The cost on unseen tasks after each shot: median and quartiles."""

        def one(task):
            points = [adapted(task, W, ETA, k) for k in range(6)]
            return jnp.stack([task.value(point) for point in points])

        return jnp.quantile(jax.vmap(one)(unseen.tasks), jnp.array([0.25, 0.5, 0.75]), axis=0)

    results = {"MAML": np.asarray(after(learned)), "pooled": np.asarray(after(pooled))}
    for name, quartiles in results.items():
        shown = ", ".join(f"{x:.3g}" for x in quartiles[1])
        print(f"{name}: median cost on 100 unseen tasks after 0 … 5 shots: {shown}")

    figure, (left, centre, right) = plt.subplots(1, 3, figsize=(13, 4), layout="constrained")
    smooth = np.convolve(np.asarray(costs), np.ones(50) / 50, "valid")
    left.semilogy(np.arange(len(smooth)) + 50, smooth)
    left.set(title="training", xlabel="meta-step", ylabel="cost after one shot (mean of 50 steps)")
    task = unseen[0]
    x = np.linspace(-5, 5, 300)[:, None]
    held, few = task.f.data, task.g.data
    order = np.argsort(np.ravel(held[0]))
    centre.plot(np.ravel(held[0])[order], np.ravel(held[1])[order], "k", lw=1, label="true curve")
    centre.plot(*few, "ko", label="ten points")
    for shots, style in ((0, ":"), (1, "--"), (5, "-")):
        W = adapted(task, learned, ETA, shots)
        centre.plot(x, predict(W, x), style, color="C0", label=f"shots: {shots}")
    centre.set(title="an unseen task", xlabel="x", ylabel="y")
    centre.legend()
    for i, (name, (low, middle, high)) in enumerate(results.items()):
        right.semilogy(middle, "o-", color=f"C{i}", label=name)
        right.fill_between(range(6), low, high, color=f"C{i}", alpha=0.2, lw=0)
    right.set(title="100 unseen tasks", xlabel="shots", ylabel="cost, median and quartiles")
    right.legend()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "sinusoid.png")
