"""Studies that tests run, and what two stores of one study must agree in."""

import os
import time

import numpy as np

import benign
from benign.studies.store import Store
from benign.studies.study import Measure, Study


def small(**changes):
    """Some hundred scalar families, many small batches."""
    settings = {
        "name": "small",
        "axes": {"eta": [0.02, 0.05], "tasks": [2, 3], "seed": 60},
        "fixed": {"proof": 0.02},
        "measure": Measure(chunk=20, starts=8),
    }
    return Study(**settings | changes)


def strange(settings, rng):
    """Families of a function: one raises, one never ends, one ends its process."""
    seed = int(settings["seed"])
    if seed == 1:
        raise RuntimeError("a planted error")
    if seed == 2 and not os.environ.get("STUDY_CASES_HEALED"):
        time.sleep(1e6)
    if seed == 3 and not os.environ.get("STUDY_CASES_HEALED"):
        os.kill(os.getpid(), 9)
    return benign.TaskFamily([benign.LQR(A=0.9, B=1, Q=1, R=rng.uniform(1, 2)) for _ in range(2)])


def values(address):
    """All that is stored, but for how long it took."""
    store = Store(address)
    names = [name for name in store.dataset().data_vars if name != "seconds"]
    return {name: store.whole(name) for name in names}


def assert_equal(one, other):
    """Value by value."""
    one, other = values(one), values(other)
    assert one.keys() == other.keys()
    for name, found in one.items():
        np.testing.assert_array_equal(found, other[name], err_msg=name)
