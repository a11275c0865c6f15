"""Workers: spawned ones work, forked ones say why they do not, and threads agree."""

import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from benign import MetaObjective, analyze
from benign.tasks.family import TaskFamily

WORKERS = """
import multiprocessing, sys, warnings
import benign
from benign import MetaObjective

def value(given):
    h, W = given
    return float(h.value(W))

if __name__ == "__main__":
    warnings.simplefilter("ignore")  # JAX warns of forks
    how, when = sys.argv[1:]
    context = multiprocessing.get_context(how)
    pool = context.Pool(1) if when == "before" else None
    scalar = MetaObjective("cruise-control", eta=0.01)
    larger = MetaObjective("boeing-747-ten", eta=1e-4)
    tasks = [(scalar, [[-0.1]]), (larger, larger.family.tasks.optimum().W[0])]
    expected = [value(x) for x in tasks]
    with pool or context.Pool(1) as pool:
        try:
            found = pool.map_async(value, tasks).get(timeout=100)
            landscape = pool.map_async(benign.analyze, [scalar]).get(timeout=100)[0]
            print(found == expected, landscape == benign.analyze(scalar))
        except benign.BenignError as error:
            print(error)
"""


def workers(tmp_path, how, when):
    script = tmp_path / "workers.py"
    script.write_text(WORKERS, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, script, how, when], capture_output=True, text=True, timeout=300, check=True
    )
    return done.stdout.strip()


@pytest.mark.parametrize(("how", "when"), [("spawn", "after"), ("fork", "before")])
def test_workers_take_and_give_public_objects(tmp_path, how, when):
    if how in multiprocessing.get_all_start_methods():
        assert workers(tmp_path, how, when) == "True True"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_worker_forked_after_jax_has_started_says_so(tmp_path):
    told = workers(tmp_path, "fork", "after")
    assert told.startswith("this process was forked after JAX had started")
    assert "spawn" in told


def test_eight_threads_agree():
    h = MetaObjective(TaskFamily.stack([0.9, 0.8, 1.1], 1.0, 1.0, 1.0), eta=0.01)
    gains = np.linspace(0.2, 1.2, 40)[:, None, None]

    def asked(_):
        values, gradients = h.values(gains), h.gradient(gains[3])
        return values.tobytes(), np.asarray(gradients).tobytes(), str(analyze(h, proof="required"))

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(asked, range(16)))) == 1
