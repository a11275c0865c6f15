"""Random numbers that depend on where they are needed alone: on (seed, key, task, which), no stream.

    u = mix(state(seed, key) + counter · γ),   counter = task · MOST + which

SplitMix64 (Steele, Lea and Flood, OOPSLA 2014) as a function of a counter, for whole arrays of keys.
NumPy's generators are streams: one would have to be made for each of a million families, which takes
longer than the landscape of the family.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, UInt64

GAMMA = np.uint64(0x9E3779B97F4A7C15)

MOST = 4096
"""Numbers of one task, at most."""


def _mix(x: UInt64[np.ndarray, ...]) -> UInt64[np.ndarray, ...]:
    """The finaliser of SplitMix64, a bijection of 64 bits."""
    x = x ^ (x >> np.uint64(30))
    x = x * np.uint64(0xBF58476D1CE4E5B9)
    x = x ^ (x >> np.uint64(27))
    x = x * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def uniform(
    seed: int, keys: UInt64[np.ndarray, " F"], tasks: int, numbers: int, first: int = 0
) -> Float[np.ndarray, "F k c"]:
    """Numbers in [0, 1), a multiple of 2^−53 each.

    Args:
        seed: of the study.
        keys: one a family; families of one key have the same tasks.
        tasks: k; those of fewer tasks are the first of them.
        numbers: c, of each task.
        first: the number of a task that comes first.

    Raises:
        ValueError: more than MOST numbers of a task.
    """
    if first + numbers > MOST:
        raise ValueError(f"{first + numbers} random numbers of a task; at most {MOST} are there")
    start = np.array([seed], np.uint64)
    with np.errstate(over="ignore"):
        state = _mix(_mix(start + GAMMA) ^ _mix(np.asarray(keys, np.uint64) * GAMMA + np.uint64(1)))
        counter = np.arange(1, tasks + 1, dtype=np.uint64)[:, None] * np.uint64(MOST)
        counter = counter + np.arange(first, first + numbers, dtype=np.uint64)
        bits = _mix(state[:, None, None] + counter[None] * GAMMA)
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def normal(
    seed: int, keys: UInt64[np.ndarray, " F"], tasks: int, numbers: int, first: int = 0
) -> Float[np.ndarray, "F k c"]:
    """Standard normal numbers, by the inverse of their distribution."""
    from scipy.special import ndtri

    return ndtri(uniform(seed, keys, tasks, numbers, first) + 2.0**-54)
