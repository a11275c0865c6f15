"""Scalar families by the batch: landscapes by compiled code, and what follows at the best minimiser.

    C' = 2GΣ,  C'' = 2(ĠΣ + GΣ̇),   V = Σ ω_i (u_i − ∇h)² max_i K_i,   K_i = Σ_i*/(4 J_i² M_i Σ_i²)

with u_i = J_i C_i'(F_i), J_i = 1 − ηC_i'', and M, Σ taken at F_i(w) (Theorem H of docs/studies.md).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from benign.kernels.lines import Lines, observe, rims, slopes
from benign.studies.columns import BENIGN, NONE, SPURIOUS
from benign.studies.draws import uniform
from benign.studies.stepped import observe_stepped, stepped_slopes
from benign.studies.tasks import FIELDS, Families, optima

ALIKE = 1e-9
"""Minima that differ by less than this share of the least are one value: observed, not proved."""

PIECE = 1 << 19
"""Tasks that are looked at together: what bounds the memory of a batch."""

Array = np.ndarray
Columns = dict[str, Array]


def measured(
    families: Families,
    eta: Float[Array, " F"],
    step: str,
    grid: int,
    starts: int,
    shift: Float[Array, " F"],
) -> Columns:
    """The columns of observed landscapes.

    Args:
        families: scalar ones.
        eta: the step size of each.
        step: "gradient" or "normalized".
        grid: points between the rims.
        starts: of each family, evenly spaced between the rims.
        shift: in [0, 1), where the first of them is in its space.
    """
    size = max(1, PIECE // families.k)
    parts = []
    for i in range(0, len(families), size):
        part = slice(i, i + size)
        parts.append(_measured(families[part], eta[part], step, grid, starts, shift[part]))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def shifts(seed: int, keys: Array) -> Float[Array, " F"]:
    """Where the starts of each family are in their spaces."""
    return uniform(seed ^ 0x5EED, keys, 1, 1)[:, 0, 0]


def _measured(
    families: Families, eta: Array, step: str, grid: int, starts: int, shift: Array
) -> Columns:
    numbers = families.numbers
    gradient = step == "gradient"
    seen = observe(numbers, eta, grid) if gradient else observe_stepped(numbers, eta)
    count = np.bincount(seen.family, minlength=len(families)).astype(np.int32)
    found = count > 0
    minimum = np.where(found, seen.minimum, np.nan)
    verdict = np.where(seen.epsilon <= ALIKE * np.abs(minimum), BENIGN, SPURIOUS)
    known = optima(families)
    regret = minimum - known.cost.mean(axis=1)
    variance, curvature = _at_best(families, eta, _best(families, eta, seen))
    return {
        "minimisers": count,
        "minimum": minimum,
        "epsilon": seen.epsilon,
        "verdict": np.where(found, verdict, NONE).astype(np.int8),
        "success": _success(numbers, eta, seen, gradient, starts, shift),
        "regret": regret,
        "variance": variance if gradient else np.full(len(families), np.nan),
        "curvature": curvature,
    }


def _best(families: Families, eta: Array, seen: Lines) -> Array:
    """The best minimiser of each family, of several alike the safest; NaN without one."""
    best = np.full(len(families), np.nan)
    least = seen.minimum[seen.family]
    alike = seen.value - least <= ALIKE * np.abs(least)
    family, W = seen.family[alike], seen.W[alike]
    numbers = tuple(getattr(families, name)[family, :, 0, 0] for name in FIELDS)
    bend = eta[family] * _derivatives(numbers, W[:, None])[1].max(axis=1)
    order = np.argsort(-bend, kind="stable")  # the last one that is written stays
    best[family[order]] = W[order]
    return best


def _success(
    numbers: Array, eta: Array, seen: Lines, gradient: bool, starts: int, shift: Array
) -> Array:
    """The share of starts from which a descent ends globally.

    On the line a descent that takes small steps ends at the next minimiser on its way. (Where h is
    infinite between the two, a minimiser was missed, and the start counts as one that failed.)
    """
    F = len(numbers)
    if starts == 0:
        return np.full(F, np.nan, np.float32)
    low, high = rims(numbers)
    pace = (high - low) / starts
    first = low + shift * pace
    falling = (slopes if gradient else stepped_slopes)(numbers, eta, first, pace, starts)
    W = first[:, None] + pace[:, None] * np.arange(starts)

    def place(W: Array, family: Array) -> Array:
        """One order for all families: the number of the family, and how far between its rims."""
        return family + (W - low[family]) / (high - low)[family]

    owner = np.repeat(np.arange(F), starts).reshape(F, starts)
    line = place(seen.W, seen.family)
    after = np.searchsorted(line, place(W, owner), side="right")
    ends = np.where(falling < 0, after, after - 1)
    inside = np.isfinite(falling) & (ends >= 0) & (ends < len(line))
    ends = np.where(inside, ends, 0)
    if not len(line):
        return np.full(F, np.nan, np.float32)
    excess = seen.value[ends] - seen.minimum[owner]
    well = inside & (seen.family[ends] == owner) & (excess <= ALIKE * np.abs(seen.minimum[owner]))
    with np.errstate(invalid="ignore"):
        return (well.sum(axis=1) / np.isfinite(falling).sum(axis=1)).astype(np.float32)


def _derivatives(numbers: tuple[Array, ...], W: Array) -> tuple[Array, Array, Array, Array]:
    """C', C'', M and Σ at a gain of each task, (F, k)."""
    a, b, q, r, s = numbers
    c = a - b * W
    inverse = 1 / ((1 - c) * (1 + c))
    P, sigma = (q + r * W * W) * inverse, s * inverse
    M, G = r + b * b * P, r * W - b * P * c
    dG, dSigma = M - 2 * b * c * G * inverse, -2 * b * c * sigma * inverse
    return 2 * G * sigma, 2 * (dG * sigma + G * dSigma), M, sigma


def _at_best(families: Families, eta: Array, best: Array) -> tuple[Array, Array]:
    """V of Theorem H, and max ηC''; NaN without a minimiser."""
    numbers = tuple(getattr(families, name)[:, :, 0, 0] for name in FIELDS)
    a, b, _, _, s = numbers
    W, size = best[:, None], eta[:, None]
    with np.errstate(all="ignore"):
        slope, bend, _, _ = _derivatives(numbers, W)
        J = 1 - size * bend
        slope, _, M, sigma = _derivatives(numbers, W - size * slope)
        u = J * slope
        star = optima(families).W[:, :, 0, 0]
        sigma_star = s / (1 - (a - b * star) ** 2)
        K = sigma_star / (4 * J * J * M * sigma * sigma)
        V = K.max(axis=1) * ((u - u.mean(axis=1, keepdims=True)) ** 2).mean(axis=1)
    return np.where(np.isfinite(V), V, np.nan), (size * bend).max(axis=1)
