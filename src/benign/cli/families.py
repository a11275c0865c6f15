"""The family that a subcommand is given: a file, or a bundled name, and the steps asked for."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benign.cli.choices import nearest
from benign.cli.ranges import step_sizes
from benign.errors import FileFormatError

if TYPE_CHECKING:
    from benign.clock import Clock
    from benign.exact.problem import Step
    from benign.tasks.files import FamilyFile

READING = "reading the family"

A_BYTE = 1.5e-6
"""Seconds to read a byte of a family file, on an idle machine: 1.5 to 4 millionths, the most for many
small tasks."""


def read(
    family: str,
    eta: str | None,
    step: str | None,
    shots: int | None,
    clock: Clock | None = None,
) -> tuple[FamilyFile, list[Step]]:
    """The family, and the steps that are asked for: from the options, else from the file.

    Raises:
        BudgetError: the file is so large that it would not be read in time.
    """
    from benign.clock import NO_LIMIT, beside
    from benign.exact.problem import make_step
    from benign.tasks.files import MAX_BYTES, load

    path, clock = _path(family), clock or NO_LIMIT
    if clock.limited and path.is_file():
        clock.require(A_BYTE * min(path.stat().st_size, MAX_BYTES), READING)
    file = beside(clock, READING, lambda: load(path))
    for remark in file.remarks:
        print(f"benign: note: {remark}", file=sys.stderr)
    suggested = file.step
    sizes = step_sizes(eta) if eta is not None else list(suggested.eta) if suggested else ["0.1"]
    kind = step or (suggested.kind if suggested else "gradient")
    number = shots if shots is not None else (suggested.shots if suggested else 1)
    found = [make_step(kind, size, number) for size in sizes]
    return file, list({one.eta: one for one in found}.values())  # 0.05,1/20 is one step size


def _path(family: str) -> Path:
    """The file of a family, or of the bundled one of that name."""
    from benign.opening import exists, shortened
    from benign.tasks.files import bundled_names, bundled_path

    path = Path(family)
    if exists(path) or path.suffix != "" or os.sep in family:
        return path
    names = bundled_names()
    if family in names:
        return bundled_path(family)
    close = nearest(family, names)
    hint = f"did you mean {close}?" if close else "`benign examples` lists those"
    raise FileFormatError(f"{shortened(family)}: neither a file nor a bundled family; {hint}")


def normalized(file: FamilyFile) -> FamilyFile:
    """The file with the costs of its tasks normalised.

    Raises:
        ProblemError: a task has no positive least cost to divide by.
    """
    from dataclasses import replace

    from benign.tasks.normalizing import normalize

    return replace(file, family=normalize(file.family))
