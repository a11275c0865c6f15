"""A process that trains and nothing else: what `benchmarks.training` starts cold.

python -m benchmarks.cold PROBLEM.npz STEPS [CACHE]
"""

from __future__ import annotations

import sys


def main(path: str, steps: str, cache: str | None = None) -> None:
    """Import, compile, run; compiled code is kept in CACHE as `benign train --cache` keeps it."""
    import jax
    import numpy as np

    jax.config.update("jax_enable_x64", True)
    if cache is not None:
        jax.config.update("jax_compilation_cache_dir", cache)
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    import benign

    with np.load(path) as x:
        family = benign.TaskFamily.stack(x["A"], x["B"], x["Q"], x["R"], x["S0"])
        result = benign.train(
            family, eta=float(x["eta"]), beta=1e-4, start=x["start"], steps=int(steps), tolerance=0.0,
            certified=False,
        )  # fmt: skip
    print(repr(result.value))


if __name__ == "__main__":
    main(*sys.argv[1:])
