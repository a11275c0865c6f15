"""From stacked float64 arrays to exact numbers and back, a whole family at a time."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from benign.exact.problem import Matrix, Plant
from benign.tasks.checks import check_beside, check_definite, raised_plant
from benign.tasks.numbers import plant_of
from benign.text import quoted

MATRICES = ("A", "B", "Q", "R", "S0")


def stacked_plants(plants: Sequence[Plant]) -> dict[str, np.ndarray]:
    """The numbers of exact problems, rounded, with a leading task axis."""
    arrays = {
        field: np.array([getattr(plant, field) for plant in plants], dtype=object).astype(float)
        for field in MATRICES
    }
    arrays["discount"] = np.array([float(plant.discount) for plant in plants])
    if any(plant.noise is not None for plant in plants):
        zero = [[0] * plants[0].n] * plants[0].n
        rows = [zero if plant.noise is None else plant.noise for plant in plants]
        arrays["noise"] = np.array(rows, dtype=object).astype(float)
    if any(plant.N is not None for plant in plants):
        zero = [[0] * plants[0].m] * plants[0].n
        rows = [zero if plant.N is None else plant.N for plant in plants]
        arrays["N"] = np.array(rows, dtype=object).astype(float)
    return arrays


def exact_plants(
    names: Sequence[str], arrays: dict[str, np.ndarray | None], given: Sequence[Plant | None]
) -> list[Plant]:
    """One exact problem a task: the one given, while the arrays are its rounding, else the arrays'.

    Raises:
        ProblemError: Q, S0, a noise or [[Q, N], [N', R]] is indefinite by more than rounding.
    """
    plants: list[Plant | None] = list(given)
    known = [i for i, plant in enumerate(plants) if plant is not None]
    if known:
        same = _is_rounding([plant for plant in plants if plant is not None], arrays, known)
        for i, holds in zip(known, same.tolist(), strict=True):
            if not holds:
                plants[i] = None
    left = [i for i, plant in enumerate(plants) if plant is None]
    if left:
        for i, plant in zip(left, _of_arrays(names, arrays, left), strict=True):
            plants[i] = plant
    return [plant for plant in plants if plant is not None]


def _is_rounding(
    plants: Sequence[Plant], arrays: dict[str, np.ndarray | None], which: Sequence[int]
) -> np.ndarray:
    """Whether each exact problem, rounded to float64, is the arrays of its task bit by bit.

    A missing noise and a noise of zeros are the same problem, and so of a cross term: stacked families
    hold the latter.
    """
    rounded = stacked_plants(plants)
    same = np.ones(len(plants), bool)
    for field in (*MATRICES, "discount", "noise", "N"):
        mine, theirs = arrays.get(field), rounded.get(field)
        mine = np.zeros(()) if mine is None else mine[which]
        equal = mine == (np.zeros(()) if theirs is None else theirs)
        same &= equal.reshape(len(plants), -1).all(axis=1) if equal.ndim else bool(equal)
    return same


def _of_arrays(
    names: Sequence[str], arrays: dict[str, np.ndarray | None], which: Sequence[int]
) -> list[Plant]:
    """The binary numbers of some tasks, what is indefinite by a rounding raised."""

    def place(j: int) -> str:
        return f"task {which[j]} {quoted(names[which[j]])}"

    parts = {field: X[which] for field, X in arrays.items() if X is not None}
    odd, seen = np.zeros(len(which), bool), dict[float, Fraction]()
    for field in ("Q", "R", "S0", "noise"):
        if field in parts:
            X = parts[field]
            odd |= (X.swapaxes(-1, -2) != X).any(axis=(-1, -2))
            # A matrix of zeros is as it should be, and so is a task without noise among others.
            if field != "R":
                sym = (X + X.swapaxes(-1, -2)) / 2
                odd |= check_definite(place, field, sym, strict=False) & X.any(axis=(-1, -2))
    crossed: np.ndarray = np.zeros(len(which), bool)
    if "N" in parts:
        crossed = np.asarray(parts["N"].any(axis=(-1, -2)))
        definite = np.linalg.eigvalsh(parts["R"])[:, 0] > 0  # else `raised_plant` says what is wrong
        R = np.where(definite[:, None, None], parts["R"], np.eye(parts["R"].shape[-1]))
        odd |= crossed & (~definite | check_beside(place, parts["Q"], R, parts["N"]))
    silent = np.ones(len(which), bool)
    if "noise" in parts:
        silent = (parts["noise"] == 0).all(axis=(-1, -2))
    rows = {field: _fractions(X, seen) for field, X in parts.items() if field != "discount"}
    discounts = _fractions(parts["discount"].reshape(-1, 1, 1), seen)
    plants = []
    for j in range(len(which)):
        if odd[j]:
            one = {field: X[j] for field, X in parts.items()}
            if silent[j]:
                one.pop("noise", None)
            plants.append(raised_plant(place(j), plant_of(one)))
            continue
        noise = None if silent[j] else rows["noise"][j]
        N = rows["N"][j] if crossed[j] else None
        A, B, Q, R, S0 = (rows[field][j] for field in MATRICES)
        plants.append(Plant(A, B, Q, R, S0, discounts[j][0][0], noise, N))
    return plants


def _fractions(X: np.ndarray, seen: dict[float, Fraction]) -> list[Matrix]:
    """The exact rows of each matrix; a number that was seen before is the same object."""

    def exact(x: float) -> Fraction:
        found = seen.get(x)
        if found is None:
            found = seen[x] = Fraction(x)
        return found

    return [tuple(tuple(map(exact, row)) for row in matrix) for matrix in X.tolist()]
