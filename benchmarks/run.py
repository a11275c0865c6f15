"""Runs the benchmarks, one after another, and writes `results/table.md` and `results/table.json`.

    python -m benchmarks.run [SECTION …]

The exit status is 1 if answers disagree or a section breaks; a target that is missed is no failure, the
table says it.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from benchmarks.progress import say

RESULTS = Path(__file__).parent / "results"

SECTIONS = (
    "kernels", "grids", "equations", "scaling", "training", "postfactum", "scalar_proofs", "proofs",
    "boxes",
)  # fmt: skip
"""Modules of this package, each with a function `run`."""


def prepare() -> None:
    """One thread on one core for everyone, float64. To be called before any of them is imported.

    XLA has no switch for it: its pool has a thread for each core that the process may use.
    """
    for library in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
        os.environ[f"{library}_NUM_THREADS"] = "1"
    os.environ |= {"JAX_PLATFORMS": "cpu", "JAX_ENABLE_X64": "1"}
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


@contextmanager
def every_processor() -> Iterator[None]:
    """Takes the process off its one core: for what has no peer and uses them all."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    bound = os.sched_getaffinity(0)
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    try:
        yield
    finally:
        os.sched_setaffinity(0, bound)


def section(name: str) -> Callable[[], object]:
    """What measures a section."""
    return import_module(f"benchmarks.{name}").run


def main(arguments: list[str] | None = None) -> int:
    """Measure, print and write the tables."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the tables")
    chosen = parser.parse_args(arguments)
    if unknown := set(chosen.sections) - set(SECTIONS):
        parser.error(f"no section {sorted(unknown)[0]!r}; choose from {', '.join(SECTIONS)}")
    prepare()
    started, broken, sections = time.perf_counter(), [], []
    for name in chosen.sections or SECTIONS:
        try:
            sections.append(section(name)())
        except Exception:  # one broken section must not cost the others their numbers
            traceback.print_exc()
            broken.append(name)
    report = import_module("benchmarks.report")
    facts = report.machine() | {"seconds of the run": round(time.perf_counter() - started)}
    if broken:
        facts["broken sections"] = " ".join(broken)
    print(report.write(sections, facts, chosen.out))
    say(f"written to {chosen.out}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
