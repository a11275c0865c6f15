"""The compiled kernels against balls of 70 digits, finite differences, other units, and the cache."""

import os
import subprocess
import sys

import numpy as np
import pytest
from flint import arb_mat, ctx
from scipy.linalg import solve_discrete_are

from benign.balls.lqr import LqrObjective, NotStabilising
from benign.kernels import machine, plain
from benign.kernels.batch import Batched, Costs
from benign.kernels.units import squared_ratios
from benign.meta import batched
from benign.meta.adaptation import GradientStep, NormalizedStep
from benign.meta.objective import MetaObjective
from benign.tasks.family import TaskFamily
from benign.tasks.undiscounted import costs_of

SHAPES = [
    (1, 1),
    (1, 3),
    (2, 1),
    (2, 2),
    (2, 4),
    (3, 1),
    (3, 2),
    (4, 2),
    (5, 1),
    (6, 3),
    (8, 2),
    (9, 4),
]
"""Both sides of every choice: registers or memory, products written out or looped, odd tiles."""


def random_family(rng: np.random.Generator, n: int, m: int, k: int, split: bool) -> TaskFamily:
    """Tasks near one of spectral radius up to 1.1, some discounted and with noise; f ≠ g if `split`."""
    A, B = rng.normal(size=(n, n)), rng.normal(size=(n, m))
    A *= rng.uniform(0.3, 1.1) / np.abs(np.linalg.eigvals(A)).max()

    def stacked(**more):
        F = rng.normal(size=(3, k, n, n)) / np.sqrt(n)
        S0 = 0.5 * np.eye(n) + F[2] @ F[2].swapaxes(1, 2)
        if rng.random() < 0.5:
            more |= {"discount": rng.uniform(0.8, 0.99, k), "noise": 0.1 * S0}
        return TaskFamily.stack(
            A=A + 0.02 * F[0],
            B=B + 0.02 * rng.normal(size=(k, n, m)),
            Q=np.eye(n) + F[1] @ F[1].swapaxes(1, 2),
            R=np.eye(m) * rng.uniform(0.5, 2, (k, 1, 1)),
            S0=S0,
            **more,
        )

    weights = rng.uniform(0.5, 1, k).tolist()
    return stacked(adaptation=stacked() if split else None, weights=weights)


def starts(rng: np.random.Generator, family: TaskFamily, count: int) -> np.ndarray:
    """Around the optimum of the first task, most of them near it."""
    costs = costs_of(family.tasks)
    A, B, Q, R = (X[0] for X in (costs.A, costs.B, costs.Q, costs.R))
    P = solve_discrete_are(A, B, Q, R)
    best = np.linalg.solve(R + B.T @ P @ B, B.T @ P @ A)
    size = rng.choice([0.1, 0.1, 0.3, 3.0], (count, 1, 1)) * np.abs(best).max()
    return best + size * rng.normal(size=(count, *best.shape)) / np.sqrt(best.size)


def kernels(h: MetaObjective) -> Batched:
    found = batched._ready(h).compiled(h)
    assert found is not None
    return found


def rounded(family: TaskFamily) -> TaskFamily:
    """The undiscounted family that is computed with: what rounding √γ A does is no fault of a kernel,
    and a normalised step that passes next to a task's optimum amplifies it without end."""

    def plain_tasks(tasks, **more):
        c = costs_of(tasks)
        return TaskFamily.stack(c.A, c.B, c.Q, c.R, c.S0, **more)

    g = family.tasks.adaptation
    adaptation = None if g is None else plain_tasks(g)
    return plain_tasks(family.tasks, adaptation=adaptation, weights=np.asarray(family.weights).tolist())


def judged(h: MetaObjective, W: np.ndarray) -> tuple[float, np.ndarray] | None:
    """h and ∇h to seventy digits, rounded; None where it is infinite."""
    exact = LqrObjective(h.problem)
    gain = arb_mat(W.tolist())
    with ctx.workprec(230):
        try:
            value, gradient = exact.value(gain), exact.gradient(gain)
        except NotStabilising:
            return None
        rows = [[float(gradient[i, j]) for j in range(W.shape[1])] for i in range(W.shape[0])]
        return float(value), np.array(rows)


def check_against_balls(seed: int, families: int) -> None:
    rng = np.random.default_rng(seed)
    feasible = infeasible = sharp = 0
    for i in range(families):
        n, m = SHAPES[i % len(SHAPES)]
        shots = int(rng.integers(1, 5))
        step = NormalizedStep(0.02, shots) if rng.random() < 0.4 else GradientStep(2e-3 / n, shots)
        family = random_family(rng, n, m, int(rng.integers(1, 4)), split=rng.random() < 0.4)
        h = MetaObjective(family, step)
        undiscounted = MetaObjective(rounded(family), step)
        W = starts(rng, family, 3)
        values, gradients = kernels(h).value_and_gradient(W)
        alone = kernels(h).values(W)
        for w, value, gradient, other in zip(W, values, gradients, alone, strict=True):
            exact = judged(undiscounted, w)
            assert (exact is not None) == np.isfinite(value) == np.isfinite(other)
            if exact is None:
                infeasible += 1
                assert not gradient.any()
                continue
            feasible += 1
            # What an error of 1e-14 in W would change is the most that can be asked for, too.
            ill, steep = sensitivity(kernels(h), w, *exact)
            assert abs(value / exact[0] - 1) <= max(1e-13, 1e-14 * ill)
            assert abs(other / exact[0] - 1) <= max(1e-13, 1e-14 * ill)
            size = np.linalg.norm(exact[1])
            assert np.linalg.norm(gradient - exact[1]) <= max(1e-11, 1e-14 * steep) * size
            sharp += max(ill, 0.001 * steep) <= 10
    assert sharp > families / 2
    assert feasible > families
    assert infeasible > families / 20


def sensitivity(h: Batched, W: np.ndarray, value: float, gradient: np.ndarray) -> tuple[float, float]:
    """By how much h and ∇h change, relative to themselves, for a relative change of W; ten tries."""
    t = 1e-9
    other = W * (1 + t * np.random.default_rng(0).choice([-1, 1], (10, *W.shape)))
    values, gradients = h.value_and_gradient(other)
    if not np.isfinite(values).all():
        return np.inf, np.inf
    steep = np.linalg.norm(gradients - gradient, axis=(1, 2)).max() / np.linalg.norm(gradient)
    return np.abs(values / value - 1).max() / t, steep / t


def test_random_families_against_balls():
    check_against_balls(0, 36)


@pytest.mark.slow
def test_many_random_families_against_balls():
    check_against_balls(1, 500)


@pytest.mark.parametrize("split", [False, True])
@pytest.mark.parametrize("kind", [GradientStep, NormalizedStep])
@pytest.mark.parametrize(("n", "m"), [(1, 2), (2, 2), (3, 1), (3, 7), (4, 2), (7, 2)])
def test_second_derivatives_are_differences_of_gradients(n, m, kind, split):
    rng = np.random.default_rng([n, m, split])
    for shots in (1, 4):  # one and two states have a kernel for a few shots and one for more
        h = kernels(MetaObjective(random_family(rng, n, m, 2, split), kind(0.003, shots)))
        W = np.concatenate([starts(rng, _family_of(h), 3) for _ in range(4)])
        E = rng.normal(size=W.shape)
        W = W[np.isfinite(h.values(W))]
        E, t = E[: len(W)], 1e-5
        products, dense = h.hessian_products(W, E), h.hessians(W)
        np.testing.assert_allclose(
            np.einsum("nijkl,nkl->nij", dense, E), products, atol=1e-11 * np.abs(dense).max()
        )
        # Richardson: the error of the central difference is of the fourth order in t.
        slopes = [h.value_and_gradient(W + c * t * E)[1] for c in (-2, -1, 1, 2)]
        differences = (slopes[0] - 8 * slopes[1] + 8 * slopes[2] - slopes[3]) / (12 * t)
        size = np.linalg.norm(products, axis=(1, 2)) + 1e-3 * np.linalg.norm(products)
        assert (np.linalg.norm(differences - products, axis=(1, 2)) <= 1e-6 * size).sum() >= len(W) - 1
        flat = dense.reshape(len(W), n * m, n * m)
        np.testing.assert_allclose(flat, flat.swapaxes(1, 2), atol=1e-10 * np.abs(flat).max())


def _family_of(h: Batched) -> TaskFamily:
    f = h.f
    return TaskFamily.stack(f.A, f.B, f.Q, f.R, f.S0)


def test_the_gradient_at_a_tasks_own_optimum_has_no_direction():
    """∇g = 0: the normalised step stays where it is, and its derivative is the identity."""
    costs = Costs(*(np.array([[[x]]]) for x in (0.0, 1.0, 1.0, 1.0, 1.0)))
    for n in (1, 3):
        wide = Costs(*(np.eye(n)[None] * X for X in (costs.A, costs.B, costs.Q, costs.R, costs.S0)))
        h = Batched(wide, None, np.ones(1), "normalized", 0.1, 2)
        value, slope = h.value_and_gradient(np.zeros((1, n, n)))
        assert value[0] == n
        assert not slope.any()
        assert np.isfinite(h.hessians(np.zeros((1, n, n)))).all()


def test_adapted_gains_are_those_of_the_objective():
    rng = np.random.default_rng(5)
    for step in (GradientStep(0.002, 2), NormalizedStep(0.01, 3)):
        h = MetaObjective(random_family(rng, 3, 2, 3, True), step)
        W = starts(rng, h.family, 1)[0] * 0.9
        np.testing.assert_allclose(plain.adapted(kernels(h), W), h.adapted(W), rtol=1e-10)


# --- units ------------------------------------------------------------------------------------


def in_units(costs: Costs, d: np.ndarray) -> Costs:
    """The same plants for s̃ = D s."""
    scale = d[:, None] / d
    return Costs(
        costs.A * scale,
        costs.B * d[:, None],
        costs.Q / np.outer(d, d),
        costs.R,
        costs.S0 * np.outer(d, d),
    )


@pytest.mark.parametrize("n", [3, 5, 8])
def test_units_of_the_states_change_nothing(n):
    """Powers of two: values to the last bit, gradients in their own units, the same verdicts."""
    rng = np.random.default_rng(n)
    costs = costs_of(random_family(rng, n, 2, 3, False).tasks)
    family = TaskFamily.stack(costs.A, costs.B, costs.Q, costs.R, costs.S0)
    W = np.concatenate([starts(rng, family, 16), 10 * rng.normal(size=(16, 2, n))])
    usual = Batched(costs, None, np.full(3, 1 / 3), "gradient", 1e-300, 1)
    values, slopes = usual.value_and_gradient(W)
    assert 4 < np.isfinite(values).sum() < 32
    for power in (10, 40, 100):
        d = 2.0 ** rng.integers(-power, power + 1, n)
        other = Batched(in_units(costs, d), None, np.full(3, 1 / 3), "gradient", 1e-300, 1)
        found, gradients = other.value_and_gradient(W / d)
        assert (np.isfinite(found) == np.isfinite(values)).all()
        np.testing.assert_allclose(found, values, rtol=1e-13)
        np.testing.assert_allclose(gradients / d, slopes, rtol=1e-9, atol=1e-12 * np.abs(slopes).max())


def test_a_stage_in_nanometres():
    """A chain of couplings that nothing answers, 10⁷ large: stable, and h is that in metres."""
    A = np.array([[1.0, 0.01, 4.7e-6], [0, 1, 9e-4], [0, 0, 0.82]])
    B = np.array([[3e-7], [9e-5], [0.18]])
    metre = Costs(*(X[None] for X in (A, B, np.diag([1.0, 1, 0]), np.array([[1e-4]]), np.eye(3))))
    nano = np.array([1e9, 1, 1])
    W = np.array([[[95.0, 110, 0.4]], [[60, 80, 0.3]], [[-1, 0, 0]]])
    both = [
        Batched(costs, None, np.ones(1), "gradient", 1e-300, 1).values(W / d)
        for costs, d in ((metre, np.ones(3)), (in_units(metre, nano), nano))
    ]
    assert np.isfinite(both[0]).tolist() == [True, True, False]
    np.testing.assert_allclose(both[1], both[0], rtol=1e-9)  # 1e9 is no power of two


def test_loops_that_grow_before_they_decay():
    """Triangular loops: the growth test keeps those that can be summed, in whatever units."""
    for size, stable in ((1e2, True), (1e4, True)):
        A = np.diag(np.full(4, 0.9)) + np.diag(np.full(3, size), 1)
        costs = Costs(A[None], np.zeros((1, 4, 1)), np.eye(4)[None], np.eye(1)[None], np.eye(4)[None])
        value = Batched(costs, None, np.ones(1), "gradient", 1e-300, 1).values(np.zeros((1, 1, 4)))
        assert np.isfinite(value[0]) == stable


def test_units_of_a_family():
    rng = np.random.default_rng(0)
    A, d = rng.normal(size=(2, 4, 4)), 2.0 ** np.array([30, -20, 0, 5])
    B, Q, R = rng.normal(size=(2, 4, 1)), np.eye(4)[None].repeat(2, 0), np.eye(1)[None].repeat(2, 0)
    usual = squared_ratios(A, B, Q, R).reshape(2, 4, 4)
    c = in_units(Costs(A, B, Q, R, Q), d)
    other = squared_ratios(c.A, c.B, c.Q, c.R).reshape(2, 4, 4)
    np.testing.assert_allclose(np.log2(other * np.outer(d, 1 / d) ** 2), np.log2(usual), atol=2)


# --- machine code -----------------------------------------------------------------------------

ASK = """
import numpy as np
from benign.kernels.batch import Batched, Costs
costs = Costs(*(np.array([[[x]]]) for x in (0.9, 1.0, 1.0, 1.0, 1.0)))
print(Batched(costs, None, np.ones(1), "gradient", 0.01, 1).values(np.array([[[0.3]]]))[0])
"""


def asked(cache, before="") -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", before + ASK], capture_output=True, text=True, check=True,
        env={**os.environ, "BENIGN_CACHE": str(cache)},
    )  # fmt: skip
    return done.stdout


def test_code_is_kept_and_a_damaged_file_is_made_again(tmp_path):
    first = asked(tmp_path)
    (kept,) = tmp_path.rglob("*.o")
    before = kept.read_bytes()
    assert asked(tmp_path) == first
    assert kept.read_bytes() == before
    for damaged in (before[:100], before[:-1] + bytes([before[-1] ^ 1]), b""):
        kept.write_bytes(damaged)
        assert asked(tmp_path) == first
        assert kept.read_bytes()[:32] == machine.hashlib.sha256(kept.read_bytes()[32:]).digest()


def test_nothing_is_needed_to_be_kept(tmp_path):
    """A cache that is a file, and none at all."""
    blocked = tmp_path / "file"
    blocked.write_text("in the way", encoding="utf-8")
    assert asked(blocked) == asked("") == asked(tmp_path / "new")
    assert blocked.read_text(encoding="utf-8") == "in the way"


SCATTERED = """
import ctypes
from benign.kernels import machine
machine._engine()
memory = ctypes.CDLL(None)
memory.mmap.restype = ctypes.c_void_p
GB, NOTHING = 1 << 30, 0x4022  # private, anonymous, without reserve

def taken(size):
    return memory.mmap(None, ctypes.c_size_t(size), 0, NOTHING, -1, 0)

block, size = taken(8 * GB), 1 << 28
while size >= 4096:  # every hole above the block is filled
    while (place := taken(size)) > block:
        pass
    memory.munmap(ctypes.c_void_p(place), ctypes.c_size_t(size))
    size //= 2
for hole in (7 * GB, 4 * GB, GB):
    memory.munmap(ctypes.c_void_p(block + hole), ctypes.c_size_t(4096))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="places memory as Linux does")
def test_code_reaches_its_constants_in_a_crowded_process(tmp_path):
    """Holes of a page, gigabytes apart: there the parts of an object lie if each is on its own."""
    assert float(asked(tmp_path)) == float(asked(tmp_path, before=SCATTERED))


def test_without_llvm_xla_does_it(tmp_path):
    """A module of LLVM's name that cannot be loaded, as on a platform without it."""
    (tmp_path / "llvmlite.py").write_text("raise ImportError('none here')\n", encoding="utf-8")
    code = """
import numpy as np
from benign.meta.objective import MetaObjective
from benign.tasks.family import TaskFamily
h = MetaObjective(TaskFamily.stack([0.9], 1.0, 1.0, 1.0), eta=0.01)
print(h.values(np.array([0.3]))[0])
"""
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    found = [
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": p}, capture_output=True,
            text=True, check=True,
        ).stdout
        for p in (path, os.environ.get("PYTHONPATH", ""))
    ]  # fmt: skip
    assert float(found[0]) == pytest.approx(float(found[1]), rel=1e-14)


def test_threads_do_not_disturb_each_other():
    from concurrent.futures import ThreadPoolExecutor

    rng = np.random.default_rng(3)
    h = kernels(MetaObjective(random_family(rng, 4, 2, 3, False), GradientStep(0.001)))
    W = [starts(rng, _family_of(h), 40) for _ in range(8)]
    alone = [h.value_and_gradient(w) for w in W]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(h.value_and_gradient, W))
    for a, b in zip(alone, together, strict=True):
        np.testing.assert_array_equal(a[0], b[0])
        np.testing.assert_array_equal(a[1], b[1])
