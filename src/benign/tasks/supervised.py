"""Supervised tasks on generated data: a small sample to adapt on, a large one to be judged by.

Parameters are a plain pytree, a list of layers {"weight", "bias"}. All data come from a key, so that a
family is the same on every machine.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PRNGKeyArray

from benign.errors import ProblemError
from benign.linalg import in_float64
from benign.tasks.differentiable import DifferentiableTask
from benign.tasks.stack import TaskStack

Layers = list[dict[str, Array]]

WARP_WIDTH = 32
"""Hidden units of the fixed random network that bends the classes of `few_shot`."""

SPREAD = 0.2
"""Standard deviation within a class, where the centres of the classes have one."""


@in_float64
def network(key: PRNGKeyArray, widths: tuple[int, ...]) -> Layers:
    """Random layers from widths (inputs, hidden …, outputs); weights of variance 1/inputs, no bias.

    Raises:
        ProblemError: fewer than two widths, or one below 1.
    """
    if len(widths) < 2 or min(widths) < 1:
        raise ProblemError(
            f"network: `widths` must hold two positive numbers or more, inputs to outputs, got {widths}"
        )
    keys = jax.random.split(key, len(widths) - 1)
    return [
        {"weight": jax.random.normal(k, (i, o)) / np.sqrt(i), "bias": jnp.zeros(o)}
        for k, i, o in zip(keys, widths, widths[1:], strict=False)
    ]


@in_float64
def predict(layers: Layers, x: Float[Array, "*batch i"]) -> Float[Array, "*batch o"]:
    """x ↦ W_k tanh(… tanh(W_1 x + b_1) …) + b_k: smooth, as a Hessian of g wants it."""
    for layer in layers[:-1]:
        x = jnp.tanh(x @ layer["weight"] + layer["bias"])
    return x @ layers[-1]["weight"] + layers[-1]["bias"]


@in_float64
def squared_error(layers: Layers, data: tuple[Array, Array]) -> Float[Array, ""]:
    """The mean of ‖prediction − y‖² over a sample (x, y)."""
    x, y = data
    return jnp.mean(jnp.sum((predict(layers, x) - y) ** 2, axis=-1))


@in_float64
def cross_entropy(layers: Layers, data: tuple[Array, Array]) -> Float[Array, ""]:
    """The mean of −log p(label | x), p the softmax of the prediction, over a sample (x, labels)."""
    x, labels = data
    scores = jax.nn.log_softmax(predict(layers, x))
    return -jnp.mean(jnp.take_along_axis(scores, labels[:, None], axis=-1))


@in_float64
def accuracy(layers: Layers, data: tuple[Array, Array]) -> Float[Array, ""]:
    """The share of a sample whose label has the largest score."""
    x, labels = data
    return jnp.mean(jnp.argmax(predict(layers, x), axis=-1) == labels)


@in_float64
def sinusoids(key: PRNGKeyArray, tasks: int, *, shots: int = 10, held: int = 100) -> TaskStack:
    """Regression of y = a sin(x + p), x in [−5, 5], a in [0.1, 5], p in [0, π]; all uniform.

    The cost is `squared_error` of a network with one input and one output: g on `shots` points, f on
    `held` others.

    Raises:
        ProblemError: a number below 1.

    Source: the sinusoid benchmark of C. Finn, P. Abbeel and S. Levine, arXiv 1703.03400.
    """
    _check_counts("sinusoids", tasks=tasks, shots=shots, held=held)

    def one(key: PRNGKeyArray) -> tuple[Any, Any]:
        for_a, for_p, for_x = jax.random.split(key, 3)
        a = jax.random.uniform(for_a, (), float, 0.1, 5.0)
        p = jax.random.uniform(for_p, (), float, 0.0, np.pi)
        x = jax.random.uniform(for_x, (shots + held, 1), float, -5.0, 5.0)
        y = a * jnp.sin(x + p)
        return (x[shots:], y[shots:]), (x[:shots], y[:shots])

    return _stack(squared_error, one, key, tasks)


@in_float64
def few_shot(
    key: PRNGKeyArray, tasks: int, *, ways: int = 5, shots: int = 5, held: int = 50, dimension: int = 16
) -> TaskStack:
    """Classification among `ways` new classes from `shots` examples of each.

    A class is a normal cloud in the plane around a centre of its own. The plane is bent into
    `dimension` coordinates by a random network, one for all tasks of a key: the thing worth
    meta-learning is to undo it. The cost is `cross_entropy` of a network with `dimension` inputs and
    `ways` outputs: g on `ways` × `shots` examples, f on `ways` × `held` others.

    Raises:
        ProblemError: a number below 1; fewer than two ways.
    """
    _check_counts("few_shot", tasks=tasks, ways=ways, shots=shots, held=held, dimension=dimension)
    if ways < 2:
        raise ProblemError("few_shot: `ways` must be at least 2, for there to be a choice")
    for_warp, for_tasks = jax.random.split(key)
    warp = network(for_warp, (2, WARP_WIDTH, dimension))
    # Steep enough that the hidden units bend.
    warp[0]["weight"] = 1.5 * warp[0]["weight"]

    def one(key: PRNGKeyArray) -> tuple[Any, Any]:
        for_centres, for_points = jax.random.split(key)
        centres = jax.random.normal(for_centres, (ways, 1, 2), float)
        cloud = jax.random.normal(for_points, (ways, shots + held, 2), float)
        x = predict(warp, centres + SPREAD * cloud)
        return _labelled(x[:, shots:]), _labelled(x[:, :shots])

    return _stack(cross_entropy, one, for_tasks, tasks)


def _labelled(x: Float[Array, "ways per i"]) -> tuple[Float[Array, "all i"], Int[Array, " all"]]:
    ways, per, _ = x.shape
    return x.reshape(ways * per, -1), jnp.repeat(jnp.arange(ways), per)


def _stack(cost: Any, one: Any, key: PRNGKeyArray, tasks: int) -> TaskStack:
    large, small = jax.jit(jax.vmap(one))(jax.random.split(key, tasks))
    return TaskStack.stacked(DifferentiableTask(cost, data=large, adaptation_data=small))


def _check_counts(place: str, **counts: int) -> None:
    for name, value in counts.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ProblemError(f"{place}: `{name}` must be an integer of at least 1, got {value!r}")
