"""What makes an LQR problem well posed, tested on a whole stack of tasks at once."""

from __future__ import annotations

import warnings
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from benign.errors import ProblemError, RoundingWarning
from benign.exact.definite import is_semidefinite, least_weight, raised, said_of_raised
from benign.exact.linear import difference
from benign.tasks.numbers import fractions_of, show
from benign.tasks.wellposed import TOO_CROSSED, WHY_STRICT, is_stabilisable

if TYPE_CHECKING:
    from collections.abc import Callable

    from benign.exact.problem import Matrix, Plant
    from benign.tasks.numbers import Place

ASYMMETRY = 1e-9
"""Relative difference of X and X' that is put down to rounding and averaged away."""

NEGATIVE = 1e-12
"""Relative size of a negative eigenvalue that is put down to rounding in a semidefinite matrix, and
that `raised` then takes away; beyond it a matrix is refused."""

LARGEST_EXACT = 64
"""Most rows of a matrix whose definiteness is decided exactly here (a hundredth of a second for 40)."""

BESIDE = 1e-9
"""Relative size of an eigenvalue of Q − NR⁻¹N' from which on float64 is taken to know its sign."""

SYMMETRIC = ("Q", "R", "S0", "noise")


def check_stack(place: Place, arrays: dict[str, np.ndarray | None]) -> dict[str, np.ndarray]:
    """Refuse the first task that is not well posed.

    Args:
        place: Names task i in a message.
        arrays: Finite and symmetrised A, B, Q, R, S0, noise, N of shape (k, ·, ·) and discount of
            shape (k,). A field that is None is absent, or unknown while JAX traces, and what
            depends on it is not tested.

    Returns:
        For each of Q, S0 and noise the tasks, (k,), whose matrix may lie outside the cone by rounding:
        `raised_stack` is for them. Of Q with a cross term N also those for which that may be true of
        [[Q, N], [N', R]].

    Raises:
        ProblemError: naming the task, the field, the value and the cure.
    """
    doubtful = {}
    known = {field: value for field, value in arrays.items() if value is not None}
    _check_discount(place, known)
    for field in SYMMETRIC:
        if field in known:
            doubtful[field] = check_definite(place, field, known[field], strict=field == "R")
    if {"A", "B", "discount"} <= set(known):
        check_stabilisable(place, known["A"], known["B"], known["discount"])
    doubtful.pop("R", None)
    if {"Q", "R", "N"} <= set(known):
        doubtful["Q"] = doubtful["Q"] | check_beside(place, known["Q"], known["R"], known["N"])
    return doubtful


def check_finite(place: Place, field: str, X: np.ndarray) -> None:
    """Refuse an entry of the stack X, (k, …), that is NaN or infinite."""
    bad = ~np.isfinite(X.reshape(len(X), -1)).all(axis=1)
    _refuse(bad, place, lambda i: f"`{field}` holds a NaN or an infinity; give finite numbers")


def check_symmetric(place: Place, field: str, X: np.ndarray) -> None:
    """Refuse a matrix of the stack X, (k, n, n), that is not symmetric up to rounding."""
    with np.errstate(over="ignore"):
        gap = np.abs(X - X.swapaxes(-1, -2)).max(axis=(-1, -2))
    bad = gap > ASYMMETRY * np.abs(X).max(axis=(-1, -2))
    _refuse(
        bad,
        place,
        lambda i: (
            f"`{field}` must be symmetric; it differs from its transpose by {show(float(gap[i]))}; "
            "give (X + X')/2"
        ),
    )


def _refuse(bad: Any, place: Place, message: Callable[[int], str]) -> None:
    if np.any(bad):
        i = int(np.argmax(bad))
        raise ProblemError(f"{place(i)}: {message(i)}")


def _check_discount(place: Place, known: dict[str, np.ndarray]) -> None:
    if "discount" not in known:
        return
    discount = known["discount"]
    _refuse(
        (discount <= 0) | (discount > 1),
        place,
        lambda i: f"`discount` must lie in (0, 1], got {show(float(discount[i]))}",
    )
    if "noise" in known:
        _refuse(
            (discount == 1) & known["noise"].any(axis=(-1, -2)),
            place,
            lambda i: (
                "`noise` needs a discount below 1, since the undiscounted cost is infinite; "
                "give `discount`, e.g. 0.95"
            ),
        )


def check_definite(place: Place, field: str, X: np.ndarray, *, strict: bool) -> np.ndarray:
    """Refuse a symmetric matrix of the stack X that is not ⪰ 0, or ≻ 0 where strict.

    Returns:
        (k,), where float64 cannot tell on which side of the cone's boundary a matrix is.
    """
    smallest = np.linalg.eigvalsh(X)[:, 0].tolist()
    size = np.abs(X).max(axis=(-1, -2))
    if strict:
        # A singular R shows an eigenvalue of the size of rounding, of either sign.
        floor = (X.shape[-1] > 1) * np.finfo(float).eps * size
        bad, kind = np.asarray(smallest) <= floor, "positive definite"
        cure = f"give every input a cost: {WHY_STRICT}" if field == "R" else "check its signs"
    else:
        bad, kind = np.asarray(smallest) < -NEGATIVE * size, "positive semidefinite"
        cure = "check its signs"
    _refuse(
        bad,
        place,
        lambda i: f"`{field}` must be {kind}; its smallest eigenvalue is {show(smallest[i])}; {cure}",
    )
    # Eigenvalues err by some n u ‖X‖₂, and ‖X‖₂ ≤ n max |X|. A diagonal shows its own signs.
    n = X.shape[-1]
    doubtful = np.asarray(smallest) <= n * n * 2.0**-50 * size
    diagonal = (np.where(np.eye(n, dtype=bool), 0.0, X) == 0).all(axis=(-1, -2))
    doubtful &= ~(diagonal & (np.asarray(smallest) >= 0))
    if strict and n <= LARGEST_EXACT:
        wrong = [
            bool(d) and not is_semidefinite(fractions_of(x), strict=True)
            for d, x in zip(doubtful, X, strict=True)
        ]
        _refuse(wrong, place, lambda i: f"`{field}` must be {kind}; it is not, by a rounding; {cure}")
    return doubtful


def check_beside(place: Place, Q: np.ndarray, R: np.ndarray, N: np.ndarray) -> np.ndarray:
    """Where float64 cannot show that [[Q, N], [N', R]] ⪰ 0, R ≻ 0; (k,).

    What the exact rule will not look at, more than `LARGEST_EXACT` states, is refused here if it is
    indefinite by more than rounding.
    """
    least = N @ np.linalg.solve(R, N.swapaxes(-1, -2))
    with np.errstate(all="ignore"):
        X = Q - least
        smallest = np.linalg.eigvalsh(np.where(np.isfinite(X), X + X.swapaxes(-1, -2), -1.0) / 2)[:, 0]
        size = np.maximum(np.abs(Q).max(axis=(-1, -2)), np.abs(least).max(axis=(-1, -2)))
        # The product errs by some roundings times the condition of R.
        lost = (BESIDE + Q.shape[-1] * np.finfo(float).eps * np.linalg.cond(R)) * size
        doubtful = ~(smallest > lost) & N.any(axis=(-1, -2))
    if Q.shape[-1] > LARGEST_EXACT:
        bad = doubtful & ~(smallest >= -lost)
        _refuse(bad, place, lambda i: TOO_CROSSED.format(show(float(smallest[i]))))
        return np.zeros(len(Q), bool)
    return doubtful


def raised_stack(
    place: Place,
    field: str,
    X: np.ndarray,
    doubtful: np.ndarray,
    above: Callable[[int], Matrix | None] = lambda i: None,
) -> np.ndarray:
    """The stack of float64 matrices, each that is doubtful ⪰ 0 exactly; see `exact.definite.raised`.

    With `above` for a task the matrix is to be ⪰ that one (NR⁻¹N', of Q with a cross term). Beyond
    `LARGEST_EXACT` rows nothing is changed. What is changed is said in a `RoundingWarning`.

    Raises:
        ProblemError: one is indefinite by more than rounding.
    """
    found = X
    for i in np.flatnonzero(doubtful).tolist():
        before = fractions_of(X[i])
        after = raised_or_refused(place(i), field, before, floats=True, above=above(i))
        if after is not before:
            found = found.copy() if found is X else found
            found[i] = np.array(after, dtype=object).astype(float)
    return found


def raised_or_refused(
    place: str, field: str, M: Matrix, *, floats: bool = False, above: Matrix | None = None
) -> Matrix:
    """A matrix as `exact.definite.raised` makes it, with a `RoundingWarning` if it was changed.

    Raises:
        ProblemError: it is indefinite by more than rounding.
    """
    if len(M) > LARGEST_EXACT:
        return M
    found = raised(M, floats=floats, above=above)
    if found is None and above is not None and raised(M, floats=floats) is not None:
        X = np.array(difference(M, above), dtype=object).astype(float)
        raise ProblemError(f"{place}: {TOO_CROSSED.format(show(float(np.linalg.eigvalsh(X)[0])))}")
    if found is None:
        raise ProblemError(
            f"{place}: `{field}` must be positive semidefinite; it is not, by more than rounding; "
            "check its signs"
        )
    if found is not M:
        crossed = above is not None and is_semidefinite(M)
        said = said_of_raised(field, M, found, crossed=crossed)
        warnings.warn(f"{place}: {said}", RoundingWarning, stacklevel=2)
    return found


def raised_plant(place: str, plant: Plant) -> Plant:
    """An exact problem made of arrays that may have been replaced since they were checked.

    Raises:
        ProblemError: Q, S0, the noise or [[Q, N], [N', R]] is indefinite by more than rounding.
    """
    changed = {}
    for field in ("Q", "S0", "noise"):
        M = getattr(plant, field)
        if M is None or not np.any(X := np.array(M, dtype=object).astype(float)):
            continue
        if check_definite(lambda _: place, field, X[None], strict=False)[0]:
            found = raised_or_refused(place, field, M, floats=True)
            if found is not M:
                changed[field] = found
    plant = replace(plant, **changed) if changed else plant
    if plant.N is None:
        return plant
    if not is_semidefinite(plant.R, strict=True):
        raise ProblemError(f"{place}: `R` must be positive definite; {WHY_STRICT}")
    floats = (np.array(X, dtype=object).astype(float)[None] for X in (plant.Q, plant.R, plant.N))
    if not check_beside(lambda _: place, *floats)[0]:
        return plant
    found = raised_or_refused(place, "Q", plant.Q, floats=True, above=least_weight(plant.N, plant.R))
    return plant if found is plant.Q else replace(plant, Q=found)


def check_stabilisable(
    place: Place, A: np.ndarray, B: np.ndarray, discount: np.ndarray, *, rounded: bool = False
) -> None:
    """Hautus: (A, B) can be stabilised iff [λI − A, B] has full rank at each |λ(A)| ≥ 1.

    A smallest singular value beyond the rounding errors of the matrix decides most pairs; the others
    are decided as those of a family file are, by `is_stabilisable`. Where A and B are `rounded`, as
    those of a sampled plant are, what is within rounding of a lost mode is refused: no exact rule can
    tell.
    """
    given = A, B
    root = np.sqrt(discount)[:, None, None]
    A, B = root * A, root * B
    n = A.shape[-1]
    values = A[..., 0] if n == 1 else np.linalg.eigvals(A)
    task, which = np.nonzero(np.abs(values) >= 1)
    if not task.size:
        return
    modes = values[task, which]
    pencil = np.concatenate([modes[:, None, None] * np.eye(n) - A[task], B[task]], axis=-1)
    singular = np.linalg.svd(pencil, compute_uv=False)
    scale = np.abs(np.concatenate([A[task], B[task]], axis=-1)).max(axis=(-1, -2))
    for lost in np.nonzero(~(singular[:, -1] > 100 * n * np.finfo(float).eps * scale))[0].tolist():
        i = int(task[lost])
        exact = [fractions_of(X[i]) for X in given]
        if not rounded and is_stabilisable(exact[0], exact[1], Fraction(float(discount[i]))):
            continue
        mode = complex(modes[lost])
        shown = show(mode.real) if mode.imag == 0 else f"{mode:.4g}"
        scaled = "(A, B)" if discount[i] == 1 else "(√γ A, √γ B)"
        raise ProblemError(
            f"{place(i)}: {scaled} cannot be stabilised: no input in `B` reaches "
            f"the mode of eigenvalue {shown}; no gain has a finite cost, so change `A` or `B`"
        )
