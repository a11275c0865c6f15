"""Small things run in a process that never imports JAX, and say the same as one that has.

Each case is a process of its own; the second route is JAX, imported by the program at its end.
"""

import copy
import os
import pickle
import subprocess
import sys

import jax
import numpy as np
import pytest

from benign import LQR, GradientStep, MetaObjective
from benign.records import Record, leaves
from benign.searches import keys
from test_cli_options import imported_by

HEAVY = {"jax", "equinox", "optax"}


def run(program: str, **environment: str) -> str:
    """What a program prints, in a process whose environment says nothing of JAX's mode."""
    clean = {k: v for k, v in os.environ.items() if k != "JAX_ENABLE_X64"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, check=False,
        env={**clean, **environment},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


BOTH = """
import sys
import numpy as np
import benign

rng = np.random.default_rng({seed})
n, m, k = {n}, {m}, 3
A, B = rng.normal(size=(k, n, n)), rng.normal(size=(k, n, m))
A *= 0.8 / np.abs(np.linalg.eigvals(A)).max(axis=1)[:, None, None]
more = dict(discount=0.9, noise=np.eye(n)) if {seed} % 2 else {{}}
tasks = [
    benign.LQR(a, b, np.eye(n), np.eye(m), adaptation=benign.LQR(a, b, 2 * np.eye(n), np.eye(m)),
               **more)
    for a, b in zip(A, B)
]
W, E = 0.02 * rng.normal(size=(2, m, n))
objectives = [
    benign.MetaObjective(tasks, step, eta=eta, shots=shots)
    for step, eta, shots in (("gradient", 1e-3, 1), ("normalized", 1e-2, 2))
]


def asked():
    found = []
    for x in (W, 1e3 * W, 1e-14 * W, 1e200 * W):
        for task in tasks:
            found += [task.cost(x), task.gradient(x), task.hessian(x), task.hessian_product(x, E)]
        for h in objectives:
            found += [h.value(x), h.gradient(x), h.task_values(x), h.adapted(x), h.feasible(x)]
    for task in tasks:
        best = task.optimum()
        found += [best.W, best.P, best.cost]
    return [np.asarray(x) for x in found]


plain = asked()
assert not {heavy} & set(sys.modules), "imported"
import jax
for a, b in zip(plain, asked(), strict=True):
    assert a.shape == b.shape and a.dtype == b.dtype
    scale = np.abs(b[np.isfinite(b)]).max(initial=0.0) if b.dtype == float else 0.0
    np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-11 * scale)
print(len(plain))
"""


@pytest.mark.parametrize(("seed", "n", "m"), [(0, 1, 1), (1, 2, 2)])
def test_costs_optima_and_objectives_agree_with_jax(seed, n, m):
    assert int(run(BOTH.format(seed=seed, n=n, m=m, heavy=HEAVY))) > 60


RIM = """
import sys
import numpy as np
import benign

task = benign.LQR([[1.0, {far}], [0.0, {mode}]], [[0.0], [1.0]], np.eye(2), 1.0)
W = np.array([[0.0, 0.0]]) + {gain}
before = task.cost(W), task.gradient(W)
assert 'jax' in sys.modules
for a, b in zip(before, (task.cost(W), task.gradient(W))):
    np.testing.assert_allclose(a, b, rtol=1e-9)
"""


@pytest.mark.parametrize(
    ("far", "mode", "gain"),
    [(1.0, 1.0, 1e-5), (1e6, 0.5, 1e-9)],
)
def test_what_is_near_the_rim_is_left_to_jax(far, mode, gain):
    run(RIM.format(far=far, mode=mode, gain=gain))


RECORDS = """
import sys
import benign
task = benign.LQR([[0.9, 0.1], [0, 0.8]], [0, 1], [[1, 0], [0, 1]], 1)
h = benign.MetaObjective([task, task], eta="0.01")
assert "jax" not in sys.modules
{importing}
import jax
leaves, tree = jax.tree.flatten(h)
assert len(leaves) == 8, leaves
assert jax.tree.unflatten(tree, leaves) == h
with jax.enable_x64(True):
    f = lambda h: h.value([[0.1, 0.2]])
    assert abs(jax.jit(f)(h) - h.value([[0.1, 0.2]])) < 1e-13
    assert jax.grad(f)(h).step.eta < 0
    assert jax.vmap(lambda t: t.cost([[0.1, 0.2]]))(h.family.tasks).shape == (2,)
"""


@pytest.mark.parametrize(
    "importing",
    ["import jax", "import benign.meta.by_xla", "import jax.numpy", "benign.TaskStack",
     "import threading\nt = threading.Thread(target=__import__, args=('jax',)); t.start(); import jax"],
)  # fmt: skip
def test_what_was_made_before_jax_came_is_a_pytree(importing):
    run(RECORDS.format(importing=importing))


def test_the_finder_leaves_and_the_loader_of_jax_is_its_own():
    run(
        "import sys, benign\nbenign.LQR\ndef waits():\n"
        "    return any('Arrival' in type(finder).__name__ for finder in sys.meta_path)\n"
        "assert waits()\nimport jax\nassert not waits()\n"
        "loaders = {type(jax.__spec__.loader).__name__, type(jax.__loader__).__name__}\n"
        "assert loaders == {'SourceFileLoader'}"
    )


def test_an_import_of_jax_that_failed_can_be_tried_again(tmp_path):
    (tmp_path / "jax").mkdir()
    (tmp_path / "jax" / "__init__.py").write_text("raise ImportError('no')", encoding="utf-8")
    run(
        f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\nimport benign\nbenign.LQR\n"
        "try:\n    import jax\nexcept ImportError:\n    pass\nelse:\n    raise AssertionError\n"
        "sys.path.pop(0)\nimport importlib\nimportlib.invalidate_caches()\nimport jax\n"
        "assert len(jax.tree.leaves(benign.LQR(1, 1, 1, 1))) == 6"
    )


SEARCH = """
import sys
import benign
two = [benign.LQR([[0.9, s], [0, 0.8]], [0, 1], [[1, 0], [0, 1]], 1) for s in (0.1, 0.2)]
found = benign.search(two, eta=0.01, starts=32)
assert not {heavy} & set(sys.modules)
{after}
print(*(repr(float(p.height)) + repr(p.W.tolist()) for p in found.met), len(found.runs))
"""


def test_a_search_is_the_same_with_and_without_jax():
    again = "import jax\nfound = benign.search(two, eta=0.01, starts=32)"
    assert run(SEARCH.format(heavy=HEAVY, after="")) == run(SEARCH.format(heavy=HEAVY, after=again))


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("analyze", "paper-figure-1", "--eta", "0.05", "--proof", "off", "--starts", "32"),
        ("recommend", "paper-figure-2", "--eta", "0.05", "--etas", "0.05", "--starts", "8"),
        ("analyze", "four-masses", "--eta", "0.01", "--proof", "off", "--starts", "32"),
    ],
)
def test_a_command_that_needs_no_jax_imports_none(arguments):
    status, said, modules = imported_by(*arguments)
    assert status == 0, said
    assert not HEAVY & modules


def test_a_check_imports_none(tmp_path):
    written = tmp_path / "certificate.json"
    status, said, _ = imported_by("certify", "paper-figure-1", "1", "--eta", "0.05", "--out", written)
    assert status == 0, said
    status, said, modules = imported_by("check", written)
    assert status == 0, said
    assert not {*HEAVY, "scipy", "matplotlib"} & modules


# --- keys and records --------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1, 2**31, 2**32 + 5, 2**63 - 1])
def test_keys_are_those_of_jax(seed):
    theirs, mine = jax.random.key(seed), keys.key_of(seed)

    def words(key):
        return np.asarray(jax.random.key_data(key))

    np.testing.assert_array_equal(mine, words(theirs))
    np.testing.assert_array_equal(keys.split(mine, 5), words(jax.random.split(theirs, 5)))
    for number in (0, 1, 77, 2**31):
        np.testing.assert_array_equal(
            keys.fold_in(mine, number), words(jax.random.fold_in(theirs, number))
        )
    assert keys.generator(mine).random() == keys.generator(theirs).random()


def test_a_record_is_frozen_compared_and_changed():
    task = LQR(1, 1, 1, 1, name="one")
    with pytest.raises(AttributeError, match="cannot assign to field 'A'"):
        task.A = 2  # pyright: ignore
    with pytest.raises(AttributeError, match="cannot delete"):
        del task.A
    assert task == LQR(1, 1, 1, 1, name="another")
    assert task != LQR(1, 1, 2, 1)
    assert task != LQR(1, 1, 1, 1, discount="0.5", noise=1)
    assert task.changed(A=np.full((1, 1), 0.5)).A == 0.5
    assert task.A == 1
    assert isinstance(task, Record)
    assert "noise=None" in repr(task)
    with pytest.raises(TypeError, match="unhashable"):
        hash(task)
    h = MetaObjective([task], GradientStep("0.1"))
    assert len(list(leaves(h))) == len(jax.tree.leaves(h)) == 8
    paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(h)]
    assert ".family.tasks.A" in paths
    assert ".step.eta" in paths


def test_a_record_survives_a_pickle_and_a_copy():
    h = MetaObjective([LQR(1, 1, 1, 1, name="one")], GradientStep("0.1"))
    for again in (pickle.loads(pickle.dumps(h)), copy.copy(h), copy.deepcopy(h)):
        assert again == h
        assert again.problem == h.problem
        assert again.family.names == ("one",)
