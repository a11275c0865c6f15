"""In a process whose JAX computes in 32 bits, nobody has to know: neither ours nor the user's own code.

The suite itself has the mode on, so that each case is a process of its own.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

BESIDE = """
import threading

import jax
import jax.numpy as jnp
import numpy as np

import benign

own = jnp.linspace(0.0, 1.0, 5)
double = jax.jit(lambda x: 2 * x)


def mine():
    assert not jax.config.jax_enable_x64
    assert own.dtype == double(own).dtype == jnp.ones(3).dtype == "float32"
    assert jnp.asarray(np.ones(3)).dtype == "float32"
    assert jax.grad(lambda x: jnp.sum(x**2))(own).dtype == "float32"


mine()
A = np.array([[0.9, 0.1], [0.0, 0.8]])
tasks = [benign.LQR(A * s, [0.0, 1.0], np.eye(2), 1.0) for s in (0.9, 1.0)]
family = benign.TaskFamily(tasks, ["1/3", "2/3"])
h = benign.MetaObjective(family, eta=0.01)
mine()
assert {x.dtype for x in jax.tree.leaves((h, family[0], tasks))} == {np.dtype(float)}

W = jnp.asarray([[0.125, 0.25]])  # float32, but these numbers are exact there
answers = {
    "value": h.value(W),
    "gradient": h.gradient(W),
    "hessian": h.hessian(W),
    "product": h.hessian_product(W, W),
    "tasks": h.task_values(W),
    "adapted": h.adapted(W),
    "values": h.values(W[None]),
    "cost": tasks[0].cost(W),
    "slope": tasks[0].gradient(W),
    "best": tasks[0].optimum().W,
    "adapt": h.step.adapt(tasks[0], W),
    "of the stack": benign.TaskStack(tasks).weights,
    "normalised": benign.normalize(family).weights,
}
mine()
answers["scaled"] = 0.1 * tasks[0].A + family.weights[0] * h.step.eta  # not rounded by JAX
for name, found in answers.items():
    assert found.dtype == np.float64, name
with jax.enable_x64(True):
    np.testing.assert_array_equal(answers["gradient"], h.gradient(W))
    np.testing.assert_array_equal(answers["best"], tasks[0].optimum().W)
moved = np.asarray(W) - 0.1 * answers["gradient"]  # not rounded by JAX
assert moved.dtype == np.float64

told = []


def progress(*what):
    mine()
    told.append(what)


trained = benign.train(h, steps=3, progress=progress)
assert trained.W.dtype == np.float64 and trained.certificates
mine()
observed = benign.search(h, starts=32, progress=progress)
assert observed.minimizers[0].W.dtype == np.float64
mine()
assert told
assert benign.meta_test(trained, family).quantiles.dtype == np.float64
assert benign.adapt(trained, tasks[0], shots=2).W.dtype == np.float64
report = benign.postfactum(np.ones(4) / 3, lambda w: jnp.sum(w**4), eta=0.01)
assert abs(report.value - 4 * (1 / 3 - 0.01 * 4 / 27) ** 4) < 1e-15
mine()

for transformed in (jax.jit(h.value), jax.grad(h.value), jax.vmap(h.value)):
    try:
        transformed(W)
    except benign.BenignError as error:
        assert "within `with jax.enable_x64(True):`" in str(error)
    else:
        raise AssertionError(transformed)
with jax.enable_x64(True):
    assert jax.jit(h.value)(np.asarray(W)) == answers["value"]
mine()

failures = []


def work():
    try:
        for _ in range(20):
            assert h.gradient(W).dtype == np.float64
            mine()
    except BaseException as error:
        failures.append(error)


threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
while any(thread.is_alive() for thread in threads):
    mine()
assert not failures, failures
"""

README = """
import jax

assert not jax.config.jax_enable_x64
two = benign.TaskFamily(
    [benign.LQR([[0.9, s], [0, 0.8]], [0, 1], [[1, 0], [0, 1]], 1) for s in (0.1, 0.2)]
)
found = benign.analyze(two, eta=0.01, budget="1m", starts=32)
assert len(found.minimizers) >= 1
assert benign.train(fleet, eta=0.05, steps=50).verdict.startswith("proved")
assert h.hessian(0.4).dtype == car.optimum().W.dtype == "float64"
assert not jax.config.jax_enable_x64
"""


def run(program: str, where: Path) -> None:
    clean = {name: value for name, value in os.environ.items() if name != "JAX_ENABLE_X64"}
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-c", program],
        capture_output=True,
        text=True,
        cwd=where,
        env=clean,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture
def example() -> str:
    """The example of the README, which says nothing of the mode."""
    (code,) = re.findall(
        r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL
    )
    assert "x64" not in code
    return code


def test_the_example_of_the_readme_and_the_verbs(example, tmp_path):
    run(example + README, tmp_path)


def test_beside_somebody_who_computes_in_32_bits(tmp_path):
    run(BESIDE, tmp_path)
