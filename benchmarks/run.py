"""Runs the benchmarks, one after another, and writes `results/table.md` and `results/table.json`.

    python -m benchmarks.run [SECTION …]

Sections are kernels, grids, equations, scaling, training, proofs, scalar; all of them by default. The
exit status is 1 if answers disagree or a section breaks; a target that is missed is no failure, the
table says it.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from pathlib import Path

from benchmarks import (
    equations,
    grids,
    kernels,
    one_core,
    proofs,
    report,
    scalar_proofs,
    scaling,
    training,
)
from benchmarks.progress import say

RESULTS = Path(__file__).parent / "results"

SECTIONS = {
    "kernels": kernels.run,
    "grids": grids.run,
    "equations": equations.run,
    "scaling": scaling.run,
    "training": training.run,
    "proofs": proofs.run,
    "scalar": scalar_proofs.run,
}


def main(arguments: list[str] | None = None) -> int:
    """Measure, print and write the tables."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the tables")
    chosen = parser.parse_args(arguments)
    if unknown := set(chosen.sections) - set(SECTIONS):
        parser.error(f"no section {sorted(unknown)[0]!r}; choose from {', '.join(SECTIONS)}")
    one_core()
    started, broken, sections = time.perf_counter(), [], []
    for name in chosen.sections or SECTIONS:
        try:
            sections.append(SECTIONS[name]())
        except Exception:  # one broken section must not cost the others their numbers
            traceback.print_exc()
            broken.append(name)
    facts = report.machine() | {"seconds of the run": round(time.perf_counter() - started)}
    if broken:
        facts["broken sections"] = " ".join(broken)
    print(report.write(sections, facts, chosen.out))
    say(f"written to {chosen.out}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
