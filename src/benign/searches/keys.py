"""Keys of random numbers: those of `jax.random`, without JAX.

A key is two words of 32 bits. From one key others are made by Threefry-2x32 with 20 rounds, word for
word as `jax.random.key`, `split` and `fold_in` make them, so that a seed draws what it always drew.

Source: J. Salmon, M. Moraes, R. Dror and D. Shaw, Parallel random numbers: as easy as 1, 2, 3 (2011).
"""

from __future__ import annotations

from typing import Any

import numpy as np

Key = np.ndarray
"""(2,) of uint32."""

ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))


def key_of(seed: int) -> Key:
    """The key of a seed of 64 bits."""
    return np.array([seed >> 32 & 0xFFFFFFFF, seed & 0xFFFFFFFF], np.uint32)


def split(key: Key, count: int = 2) -> tuple[Key, ...]:
    """Keys that have nothing to do with one another."""
    return tuple(_mixed(key, np.zeros(count, np.uint32), np.arange(count, dtype=np.uint32)).T)


def fold_in(key: Key, number: int) -> Key:
    """The key for a number."""
    return _mixed(key, *(np.array([x], np.uint32) for x in (0, number))).T[0]


def generator(key: Any) -> np.random.Generator:
    """NumPy's generator, seeded by the words of a key; those of `jax.random` will do as well.

    A draw of `jax.random` compiles for half a second for every distribution and shape, which is more
    than a whole search of a small family takes.
    """
    if not isinstance(key, np.ndarray):
        import jax

        key = jax.random.key_data(key)
    return np.random.default_rng(np.asarray(key))


def _mixed(key: Key, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Threefry of pairs of words, (2, N)."""
    with np.errstate(over="ignore"):
        words = (key[0], key[1], key[0] ^ key[1] ^ np.uint32(0x1BD11BDA))
        x, y = first + words[0], second + words[1]
        for i in range(5):
            for turn in ROTATIONS[i % 2]:
                x = x + y
                y = (y << np.uint32(turn) | y >> np.uint32(32 - turn)) ^ x
            x, y = x + words[(i + 1) % 3], y + words[(i + 2) % 3] + np.uint32(i + 1)
    return np.array([x, y])
