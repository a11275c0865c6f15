"""Five-way, five-shot classification: MAML learns to undo the bend that all tasks share.

    python examples/few_shot.py [few_shot.png]

Trains on 1,000 generated tasks, then adapts to 200 new ones, and compares with adapting from a random
start.
"""

import sys

import jax
import jax.numpy as jnp
import matplotlib
import numpy as np
from maml_loop import adapted, train

from benign.tasks.stack import TaskStack
from benign.tasks.supervised import accuracy, few_shot, network

matplotlib.use("Agg")
import matplotlib.pyplot as plt

ETA, STEPS, SHOTS, SEEN, UNSEEN = 0.5, 1200, 2, 1000, 200


def main(path):
    """Train, adapt, print, plot."""
    jax.config.update("jax_enable_x64", True)
    # One key, hence one bend; the last tasks are kept for the test.
    tasks = few_shot(jax.random.key(1), SEEN + UNSEEN)
    seen = TaskStack.stacked(tasks.take(jnp.arange(SEEN)))
    unseen = tasks.take(jnp.arange(SEEN, SEEN + UNSEEN))
    start = network(jax.random.key(0), (16, 32, 5))
    learned, costs = train(
        seen, start, eta=ETA, shots=SHOTS, beta=3e-3, batch=16, steps=STEPS, key=jax.random.key(3)
    )

    @jax.jit
    def after(W):
        """Accuracy on the held examples of unseen tasks after each shot: (tasks, shots + 1)."""

        def one(task):
            points = [adapted(task, W, ETA, k) for k in range(7)]
            return jnp.stack([accuracy(point, task.f.data) for point in points])

        return jax.vmap(one)(unseen)

    results = {"MAML": np.asarray(after(learned)), "random start": np.asarray(after(start))}
    for name, found in results.items():
        shown = ", ".join(f"{x:.1%}" for x in found.mean(axis=0))
        print(f"{name}: mean accuracy on {UNSEEN} unseen tasks after 0 … 6 shots: {shown}")

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    smooth = np.convolve(np.asarray(costs), np.ones(25) / 25, "valid")
    left.plot(np.arange(len(smooth)) + 25, smooth)
    left.set(title="training", xlabel="meta-step", ylabel=f"cross-entropy after {SHOTS} shots")
    for i, (name, found) in enumerate(results.items()):
        low, middle, high = np.quantile(found, [0.25, 0.5, 0.75], axis=0)
        right.plot(middle, "o-", color=f"C{i}", label=name)
        right.fill_between(range(7), low, high, color=f"C{i}", alpha=0.2, lw=0)
    right.axhline(0.2, color="k", lw=0.8, ls=":")
    right.text(6, 0.21, "chance", ha="right", va="bottom")
    right.set(
        title=f"{UNSEEN} unseen tasks",
        xlabel="shots",
        ylabel="accuracy, median and quartiles",
        ylim=(0, 1),
    )
    right.legend(loc="lower right", bbox_to_anchor=(1, 0.28))
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "few_shot.png")
