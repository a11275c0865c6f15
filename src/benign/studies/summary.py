"""What a stored study says in numbers: for the screen, and as tables for other programs."""

from __future__ import annotations

from typing import Any

import numpy as np

from benign.errors import ProblemError
from benign.studies.columns import BENIGN, DONE, NONE, SPURIOUS, STATES
from benign.studies.extras import need
from benign.studies.store import Store

REASONS = 5
"""Failures that are quoted."""


def status_of(store: Store) -> dict[str, Any]:
    """How far a study is: cells by state, the first reasons, and the share that proofs agree with.

    Raises:
        FileFormatError: there is no study.
    """
    study = store.study()
    status = store.whole("status").reshape(-1)
    counts = np.bincount(status, minlength=len(STATES))
    made: dict[str, Any] = {
        "study": study.name,
        "cells": study.cells,
        **{name: int(n) for name, n in zip(STATES, counts, strict=True)},
    }
    bad = np.flatnonzero(status > DONE)[:REASONS]
    made["reasons"] = [
        {
            "cell": {name: x[0].item() for name, x in study.columns_of(np.array([i])).items()
                     if name in study.axes},
            "state": STATES[status[i]],
            "reason": store.reason(int(i), study),
        }
        for i in bad
    ]  # fmt: skip
    if not study.trains:
        done = status == DONE
        verdict, agrees = (
            store.whole("verdict").reshape(-1)[done],
            store.whole("agrees").reshape(-1)[done],
        )
        proved = store.whole("proved").reshape(-1)[done]
        made["observed benign"] = share(verdict == BENIGN, verdict != NONE)
        made["proofs"] = int((agrees >= 0).sum())
        made["proofs that agree"] = share(agrees == 1, agrees >= 0)
        made["proved benign"] = share(proved == BENIGN, (proved == BENIGN) | (proved == SPURIOUS))
    return made


def share(of: np.ndarray, among: np.ndarray) -> float | None:
    """How many of them; None of none."""
    count = int(among.sum())
    return int((of & among).sum()) / count if count else None


def frame(store: Store) -> Any:
    """A row for each cell that was looked at: its settings, what was measured, its state in words.

    Returns:
        A `pandas.DataFrame`.
    """
    pandas = need("pandas")
    study = store.study()
    status = store.whole("status").reshape(-1)
    looked = np.flatnonzero(status > 0)
    made = {name: x for name, x in study.columns_of(looked).items() if name in study.axes}
    from benign.studies.columns import columns

    for column in columns(study.trains):
        values = store.whole(column.name).reshape(-1)[looked]
        if column.words:
            values = np.array(column.words)[values]
        elif column.kind.startswith("i"):
            values = np.where(values == column.fill, np.nan, values)
        made[column.name if column.name not in made else f"measured {column.name}"] = values
    made["status"] = np.array(STATES)[status[looked]]
    return pandas.DataFrame(made)


def means(store: Store, by: list[str]) -> Any:
    """Means and quantiles of every column over all cells that share the values of some axes.

    Raises:
        ProblemError: an axis that the study has not.
    """
    study = store.study()
    if strange := [name for name in by if name not in study.axes]:
        raise ProblemError(f"by: {strange[0]} is none of the axes {', '.join(study.axes)}")
    table = frame(store)
    if not study.trains:
        table["benign"] = (table["verdict"] == "benign").where(table["verdict"] != "none")
        table["relative_epsilon"] = table["epsilon"] / table["minimum"]
    numbers = [n for n in table.columns if n not in study.axes and table[n].dtype.kind in "fib"]
    numbers += [n for n in ("benign",) if n in table.columns and n not in numbers]
    grouped = table[[*by, *numbers]].astype(dict.fromkeys(numbers, float)).groupby(by)
    made = grouped.agg(["count", "mean", "std", "min", "median", "max"])
    made.columns = [f"{name} {what}" for name, what in made.columns]
    return made.reset_index()
