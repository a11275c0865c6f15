"""MAML in thirty lines on the task protocol, for the examples beside it: Adam, batches, any pytree."""

import jax
import jax.numpy as jnp


def adapted(task, W, eta, shots):
    """W after `shots` steps W ← W − η∇g(W)."""
    for _ in range(shots):
        W = jax.tree.map(lambda w, g: w - eta * g, W, task.adaptation_gradient(W))
    return W


def meta_gradient(task, W, eta, shots):
    """f(F(W)) and (I − η∇²g(W_0)) … (I − η∇²g(W_{m−1})) ∇f(W_m)."""
    path = [W]
    for _ in range(shots):
        path.append(adapted(task, path[-1], eta, 1))
    v = task.gradient(path[-1])
    for point in reversed(path[:-1]):
        product = task.adaptation_hessian_product(point, v)
        v = jax.tree.map(lambda x, p: x - eta * p, v, product)
    return task.value(path[-1]), v


def train(stack, W, *, eta, shots, beta, batch, steps, key):
    """The parameters after `steps` steps of Adam on batches of tasks, and the costs on the way."""

    def step(state, key):
        k, W, mean, square = state
        which = jax.random.choice(key, len(stack), (batch,), replace=False)
        costs, gradients = jax.vmap(lambda task: meta_gradient(task, W, eta, shots))(stack.take(which))
        gradient = jax.tree.map(lambda g: jnp.mean(g, axis=0), gradients)
        mean = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, mean, gradient)
        square = jax.tree.map(lambda s, g: 0.999 * s + 0.001 * g**2, square, gradient)
        k = k + 1
        W = jax.tree.map(
            lambda w, m, s: w - beta * (m / (1 - 0.9**k)) / (jnp.sqrt(s / (1 - 0.999**k)) + 1e-8),
            W, mean, square,
        )  # fmt: skip
        return (k, W, mean, square), jnp.mean(costs)

    zero = jax.tree.map(jnp.zeros_like, W)
    start = (jnp.zeros(()), W, zero, zero)
    run = jax.jit(lambda start, keys: jax.lax.scan(step, start, keys))
    (_, W, _, _), costs = run(start, jax.random.split(key, steps))
    return W, costs
