"""Timings of the library against its peers; see docs/benchmarks.md.

One thread each: the environment is set here, before anything that reads it is imported.
"""

import os

for _variable in ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "NUMBA"):
    os.environ.setdefault(f"{_variable}_NUM_THREADS", "1")
os.environ.setdefault("JAX_ENABLE_X64", "1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")


def one_core() -> None:
    """Keep this process on one core. XLA's pool then has one thread; no switch of its own does that."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
