"""Batches of gains, both routes: against `MetaObjective` and dense Kronecker systems; rims, memory."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benign.errors import ProblemError
from benign.meta import batched, by_xla
from benign.meta.adaptation import GradientStep, NormalizedStep
from benign.meta.objective import MetaObjective
from benign.tasks.family import TaskFamily


def family(n: int, m: int, k: int, *, split: bool = False, seed: int = 0) -> TaskFamily:
    """k tasks near one of spectral radius 0.6; S0 and Q are not the identity; some with discount."""
    rng = np.random.default_rng([seed, n, m])
    A, B = rng.normal(size=(n, n)), rng.normal(size=(n, m))
    A *= 0.6 / np.abs(np.linalg.eigvals(A)).max()

    def stacked(**more):
        F = rng.normal(size=(3, k, n, n)) / np.sqrt(n)
        return TaskFamily.stack(
            A=A + 0.03 * F[0],
            B=B + 0.03 * rng.normal(size=(k, n, m)),
            Q=np.eye(n) + F[1] @ F[1].swapaxes(1, 2),
            R=np.eye(m) * rng.uniform(0.5, 2, (k, 1, 1)),
            S0=0.5 * np.eye(n) + F[2] @ F[2].swapaxes(1, 2),
            **more,
        )

    adaptation = stacked(discount=rng.uniform(0.9, 1, k)) if split else None
    return stacked(adaptation=adaptation, weights=rng.uniform(0.5, 1, k).tolist())


def gains(n: int, m: int, N: int, seed: int = 1) -> np.ndarray:
    """Around zero, which stabilises; every fifth far out, and one no number."""
    W = 0.05 * np.random.default_rng(seed).normal(size=(N, m, n)) / np.sqrt(n)
    W[4::5] *= 1000
    W[3:4] = np.nan
    return W


class Compiled:
    """The route that a CPU takes."""

    @staticmethod
    def run(h, results, W, E=None, own=None):
        ready = batched._ready(h).compiled(h)
        assert ready is not None
        return ready.run(results, W, E, own)


class Xla:
    """The other one."""

    @staticmethod
    def run(h, results, W, E=None, own=None):
        return by_xla.run(h, results, W, E, own)


both = pytest.mark.parametrize("route", [Compiled, Xla])


def slopes_of(route, h, W):
    values, gradients = route.run(h, "gradient", W)
    return values, gradients.reshape(W.shape)


def close(actual, expected, relative):
    scale = np.abs(expected).max()
    assert scale > 0
    assert np.abs(actual - expected).max() <= relative * scale


CASES = [
    (1, 1, 3, GradientStep(0.02, 3), True),
    (1, 2, 2, NormalizedStep(0.03), False),
    (2, 1, 3, GradientStep(0.005, 2), True),
    (2, 2, 2, NormalizedStep(0.02, 2), False),
    (2, 4, 2, GradientStep(0.002), False),
    (3, 2, 3, GradientStep(0.002, 2), True),
    (4, 2, 3, NormalizedStep(0.01, 3), False),
    (8, 2, 2, GradientStep(0.0005), True),
    (16, 2, 2, GradientStep(0.0005), False),
    (24, 2, 2, NormalizedStep(0.01), False),
]
"""n, m, tasks, rule, f ≠ g: every kernel and layout, both rules, one to three shots."""


def test_a_batch_takes_the_compiled_route():
    h = MetaObjective(family(3, 1, 2), GradientStep(0.01))
    W = gains(3, 1, 6)
    np.testing.assert_array_equal(h.values(W), Compiled.run(h, "value", W)[0])


@both
@pytest.mark.parametrize(("n", "m", "k", "step", "split"), CASES)
def test_they_are_those_of_the_objective(route, n, m, k, step, split):
    h = MetaObjective(family(n, m, k, split=split), step)
    W = gains(n, m, 10)
    values, gradients = slopes_of(route, h, W)
    expected = np.asarray(jax.vmap(h.value)(W))
    inside = np.isfinite(expected)
    assert 4 <= inside.sum() <= 8
    assert (np.isfinite(values) == inside).all()
    assert np.isposinf(values[~inside]).all()
    close(values[inside], expected[inside], 1e-12)
    close(route.run(h, "value", W)[0][inside], expected[inside], 1e-12)
    close(gradients, np.asarray(jax.vmap(h.gradient)(W)), 1e-10)
    assert (gradients[~inside] == 0).all()


@pytest.mark.parametrize(("n", "m", "k", "step", "split"), [CASES[i] for i in (0, 3, 5, 6)])
def test_second_derivatives(n, m, k, step, split):
    h = MetaObjective(family(n, m, k, split=split), step)
    W, E = gains(n, m, 5), np.random.default_rng(2).normal(size=(5, m, n))
    products = batched.hessian_products(h, W, E)
    close(products, np.asarray(jax.vmap(h.hessian_product)(W, E)), 1e-9)
    dense = batched.hessians(h, W)
    assert dense.shape == (5, m, n, m, n)
    close(np.einsum("nijkl,nkl->nij", dense, E), products, 1e-12)
    assert (dense[3:] == 0).all()
    # And those of XLA, which differentiates its own gradient.
    for results, found, given in (("hessian", dense, None), ("product", products, E)):
        other = Xla.run(h, results, W, given)[1].reshape(found.shape)
        close(found, other, 1e-11)


def kron_value(h: MetaObjective, W: jax.Array) -> jax.Array:
    """h for gradient steps, every equation as one dense linear system, adaptation by autodiff."""
    f, g = h.family.tasks.regulator, h.family.tasks.g.regulator

    def cost(task, W):
        L, n = task.A - task.B @ W, task.A.shape[0]
        right = (task.Q + W.T @ task.R @ W).reshape(-1)
        P = jnp.linalg.solve(jnp.eye(n * n) - jnp.kron(L.T, L.T), right).reshape(n, n)
        return jnp.sum(P * task.S0)

    def one(f, g):
        gain = W
        for _ in range(h.step.shots):
            gain = gain - h.step.eta * jax.grad(cost, argnums=1)(g, gain)
        return cost(f, gain)

    return jnp.dot(h.family.weights, jax.vmap(one)(f, g))


@both
@pytest.mark.parametrize(("n", "m", "k", "step", "split"), [CASES[2], CASES[5], CASES[7]])
def test_they_are_those_of_dense_systems(route, n, m, k, step, split):
    h = MetaObjective(family(n, m, k, split=split), step)
    W = gains(n, m, 3)
    values, gradients = slopes_of(route, h, W)
    reference = jax.jit(jax.vmap(jax.value_and_grad(lambda W: kron_value(h, W))))
    expected, slopes = reference(W)
    close(values, np.asarray(expected), 1e-11)
    close(gradients, np.asarray(slopes), 1e-9)


@both
@pytest.mark.parametrize(("n", "m", "N"), [(1, 1, 4097), (2, 1, 300), (3, 1, 259)])
def test_a_gain_does_not_mind_its_neighbours(route, n, m, N):
    """Remainders of chunks and tiles, and orders: each gain's answer is its own."""
    h = MetaObjective(family(n, m, 5), GradientStep(0.01))
    W = gains(n, m, N)
    values, gradients = slopes_of(route, h, W)
    turned = np.random.default_rng(3).permutation(N)[: N - 7]
    other, slopes = slopes_of(route, h, W[turned])
    inside = np.isfinite(values)
    assert (np.isfinite(other) == inside[turned]).all()
    fine = inside[turned]
    assert np.abs(other / np.where(fine, values[turned], 1.0) - 1)[fine].max() < 1e-12
    size = np.abs(gradients[turned]).max(axis=(1, 2)) + 1e-6 * np.abs(gradients).max()
    assert (np.abs(slopes - gradients[turned]).max(axis=(1, 2)) < 1e-10 * size).all()
    assert route.run(h, "value", W[:0])[0].shape == (0,)


@both
@pytest.mark.parametrize(("n", "k"), [(1, 1500), (2, 700), (3, 300)])
def test_few_gains_and_many_tasks(route, n, k):
    """Tasks side by side, the last tile filled up."""
    h = MetaObjective(family(n, 1, k), GradientStep(0.005))
    W = gains(n, 1, 4)[[0, 3]]
    values, gradients = slopes_of(route, h, W)
    assert np.isposinf(values[1])
    assert (gradients[1] == 0).all()
    assert values[0] == pytest.approx(float(h.value(W[0])), rel=1e-12)
    close(gradients[0], np.asarray(h.gradient(W[0])), 1e-10)


@pytest.mark.parametrize("n", [2, 3])
def test_weights_of_their_own(n):
    h = MetaObjective(family(n, 1, 3), GradientStep(0.005))
    W, weights = gains(n, 1, 3), np.eye(3)
    values, _ = batched.value_and_gradient(h, W, weights)
    tasks = [np.asarray(h.task_values(w))[i] for i, w in enumerate(W)]
    assert values == pytest.approx(np.array(tasks), rel=1e-12)
    # Each task alone at one gain: the weighted sum is ∇h there.
    _, parts = batched.value_and_gradient(h, np.tile(W[:1], (3, 1, 1)), weights)
    total = np.tensordot(np.asarray(h.family.weights), parts, axes=1)
    close(total, h.value_and_gradient(W[:1])[1][0], 1e-12)


@both
@pytest.mark.parametrize("gap", [1e-3, 1e-6, 1e-9])
def test_next_to_the_rim(route, gap):
    """A = e₁e₁', B = I, W = gap A: one eigenvalue 1 − gap of A − BW, the others zero; η → 0.

    C = (1 + gap²)/(1 − (1 − gap)²) + n − 1 exactly, and ∇C is its derivative times A.
    """
    for n in (1, 2, 3):
        first = np.diag([1.0, 0.0, 0.0][:n])
        tasks = TaskFamily.stack(first[None], np.eye(n), np.eye(n), np.eye(n))
        h = MetaObjective(tasks, GradientStep(1e-60))
        W = np.stack([gap * first, -gap * first, 0 * first])
        values, gradients = slopes_of(route, h, W)
        left = gap * (2 - gap)
        assert values[0] == pytest.approx((1 + gap**2) / left + n - 1, rel=3e-15 / gap)
        slope = (2 * gap - (1 + gap**2) * 2 * (1 - gap) / left) / left
        assert np.abs(gradients[0] - slope * first).max() <= 1e-14 / gap * abs(slope)
        assert np.isposinf(values[1:]).all()
        assert (gradients[1:] == 0).all()


def test_an_intermediate_gain_outside_counts():
    """f discounts, g does not: at W = 0 the loop of g is unstable, the one of f is not."""
    g = TaskFamily.stack([1.1], [1.0], [1.0], [1.0])
    f = TaskFamily.stack([1.1], [1.0], [1.0], [1.0], discount=0.5, adaptation=g)
    h = MetaObjective(f, GradientStep(0.01))
    values = h.values(np.array([0.0, 0.3]))
    assert np.isfinite(values).tolist() == [False, True]


def compiled() -> list[int]:
    """How many programs there are of each kernel."""
    kernels = by_xla._wide, by_xla._deep, by_xla._doubling
    return [part._cache_size() for kernel in kernels for part in kernel]


def test_a_kernel_is_compiled_once():
    def run(seed, eta, N):
        for n in (2, 3):
            h = MetaObjective(family(n, 1, 4, seed=seed), GradientStep(eta))
            Xla.run(h, "gradient", gains(n, 1, N))

    run(0, 0.01, 7)
    before = compiled()
    for seed, eta, N in ((1, 0.02, 7), (2, "1/70", 100), (3, 0.001, 256)):
        run(seed, eta, N)
    after = compiled()
    assert after == before


@pytest.mark.parametrize("N", [1, 300])
@pytest.mark.parametrize(("n", "m"), [(1, 1), (2, 1)])
@pytest.mark.parametrize("results", ["gradient", "hessian"])
def test_a_single_task_stays_a_loop(n, m, results, N):
    """Written out it would be fused with what is around it, which takes minutes to compile."""
    loops = []
    for k in (1, 7):  # seven scalar tasks are two tiles
        h = MetaObjective(family(n, m, k), GradientStep(0.02))
        order, chunk, kernel = by_xla.plan(h, results, N)
        program = kernel.run.lower(
            order, kernel.lay_out(order, h), None, np.zeros((chunk, m, n)), None, N
        )
        loops.append(program.compile().as_text().count(" while("))
    assert loops[0] == loops[1] > 0


def temporary(h: MetaObjective, results: str, N: int) -> tuple[int, int]:
    """Bytes that XLA sets aside for a chunk, and the gains in it."""
    order, chunk, kernel = by_xla.plan(h, results, N)
    W = np.zeros((chunk, h.family.m, h.family.n))
    tasks = kernel.lay_out(order, h)
    program = kernel.run.lower(order, tasks, None, W, None, N).compile()
    return program.memory_analysis().temp_size_in_bytes, chunk


def test_memory_is_bounded():
    """4,096 starts of 16 tasks with 8 states and 4 inputs need less than 32 MB."""
    size, chunk = temporary(MetaObjective(family(8, 4, 16), GradientStep(1e-3)), "gradient", 4096)
    assert chunk <= 4096
    assert size <= 32e6
    size, _ = temporary(MetaObjective(family(1, 1, 11), GradientStep(1e-3)), "value", 1_000_000)
    assert size <= 32e6  # gains times tasks would be 88 MB


def test_a_hundred_thousand_tasks():
    k = 100_000
    rng = np.random.default_rng(0)
    h = MetaObjective(
        TaskFamily.stack(rng.uniform(0.8, 1.2, k), 1.0, 1.0, rng.uniform(1, 2, k)), GradientStep(0.01)
    )
    assert temporary(h, "gradient", 1)[0] <= 64 * k  # about the size of the family itself
    values, _ = h.value_and_gradient(np.array([0.6, 2.5]))
    a, r, w = np.asarray(h.family.tasks.A)[:, 0, 0], np.asarray(h.family.tasks.R)[:, 0, 0], 0.6
    c = a - w
    adapted = w - 0.01 * 2 * (r * w - (1 + r * w * w) / (1 - c * c) * c) / (1 - c * c)
    expected = np.mean((1 + r * adapted**2) / (1 - (a - adapted) ** 2))
    assert values[0] == pytest.approx(expected, rel=1e-12)
    assert np.isposinf(values[1])


def test_two_hundred_states():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(200, 200))
    A *= 0.8 / np.abs(np.linalg.eigvals(A)).max()
    tasks = TaskFamily.stack(A[None], rng.normal(size=(200, 1)) / 200, np.eye(200), 1.0)
    h = MetaObjective(tasks, GradientStep(1e-6))
    (value,), (gradient,) = h.value_and_gradient(np.zeros((1, 1, 200)))
    assert value == pytest.approx(float(h.value(np.zeros((1, 200)))), rel=1e-12)
    close(gradient, np.asarray(h.gradient(np.zeros((1, 200)))), 1e-10)


def test_with_jax_in_32_bits_a_batch_has_64(single_precision):
    h = MetaObjective(family(1, 1, 2), GradientStep(0.01))
    W = np.array([0.0, 0.1])
    found = h.values(W)
    assert found.dtype == np.float64
    with jax.enable_x64(True):
        np.testing.assert_array_equal(found, h.values(W))


def test_scalars_stay_scalars_and_wrong_shapes_are_named():
    h = MetaObjective(family(1, 1, 2), GradientStep(0.01))
    W = np.array([0.0, 0.1])
    assert h.values(W).shape == (2,)
    assert h.value_and_gradient(W)[1].shape == batched.hessians(h, W).shape == (2,)
    assert batched.hessian_products(h, W, W).shape == (2,)
    with pytest.raises(ProblemError, match=r"`gains`: expected a batch of gains of shape \(N, 1, 1\)"):
        h.values(np.zeros((2, 1, 2)))
    with pytest.raises(ProblemError, match="1 directions for 2 gains"):
        batched.hessian_products(h, W, W[:1])
    with pytest.raises(ProblemError, match=r"`weights`: expected shape \(2, 2\)"):
        batched.value_and_gradient(h, W, np.ones((2, 3)))
