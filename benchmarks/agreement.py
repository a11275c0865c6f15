"""Nothing is timed before its answer is compared."""

from __future__ import annotations

import numpy as np

TOLERANCE = 1e-9


class DisagreementError(AssertionError):
    """A contestant computes something else."""


def compare(name: str, theirs: np.ndarray, ours: np.ndarray, where: np.ndarray) -> float:
    """The largest relative difference of the rows where the mask holds; refuses more than TOLERANCE.

    A row is measured by its largest entry: a component of a gradient may well be zero.

    Raises:
        DisagreementError: the answers differ, or there is none to compare.
    """
    if not where.any():
        raise DisagreementError(f"{name}: no feasible start to compare at")
    rows = (where.sum(), -1)
    a, b = theirs[where].reshape(rows), ours[where].reshape(rows)
    scale = np.maximum(np.abs(b).max(axis=1), np.finfo(float).tiny)
    worst = float((np.abs(a - b).max(axis=1) / scale).max())
    if not worst <= TOLERANCE:
        raise DisagreementError(f"{name}: relative difference {worst:.2e}, more than {TOLERANCE:.0e}")
    return worst


def compare_both(
    name: str, theirs: tuple[np.ndarray, np.ndarray], ours: tuple[np.ndarray, np.ndarray], judges: bool
) -> float:
    """Values and gradients, at the starts that theirs has (the first ones) and ours finds feasible.

    Args:
        judges: Whether the contestant decides feasibility too; then it must decide the same.
    """
    values, gradients = (x[: len(theirs[0])] for x in ours)
    feasible = np.isfinite(values)
    if judges and not np.array_equal(np.isfinite(theirs[0]), feasible):
        differ = int((np.isfinite(theirs[0]) != feasible).sum())
        raise DisagreementError(f"{name}: {differ} of {len(feasible)} starts judged differently")
    return max(
        compare(f"{name}, value", theirs[0], values, feasible),
        compare(f"{name}, gradient", theirs[1], gradients, feasible),
    )
