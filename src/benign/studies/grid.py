"""How the cells of a study are grouped: a batch is a chunk of the store, and one kernel serves it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from benign.studies.study import Study

APART = {"tasks", "n", "m", "step", "shots", "normalize", "algorithm"}
"""Axes along which cells never share a batch: they are of another shape, or take another way."""

TOGETHER = 16384
"""Scalar families of a batch: some tenths of a second."""

SEARCHED, TRAINED, PROVED = 16, 4, 32
"""Cells of a batch that are searched, trained, or proved one by one: what an end by force may cost."""


@dataclass(frozen=True)
class Batch:
    """A chunk of the store.

    Attributes:
        number: among all batches, in C order.
        region: the slice of each axis.
        cells: their numbers among all cells, in the order of the chunk.
        shape: of the chunk.
    """

    number: int
    region: tuple[slice, ...]
    cells: np.ndarray
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Grid:
    """The batches of a study."""

    study: Study

    @cached_property
    def chunk(self) -> tuple[int, ...]:
        """Cells of a batch along each axis, at most."""
        left = self.study.measure.chunk or _together(self.study)
        sizes = []
        for name, values in reversed(self.study.axes.items()):
            size = 1 if name in APART else min(len(values), max(1, left))
            sizes.append(size)
            left //= size
        return tuple(reversed(sizes))

    @cached_property
    def counts(self) -> tuple[int, ...]:
        """Batches along each axis."""
        return tuple(-(-n // size) for n, size in zip(self.study.shape, self.chunk, strict=True))

    def __len__(self) -> int:
        return math.prod(self.counts)

    def place(self, number: int) -> tuple[int, ...]:
        """The batch's index along each axis."""
        return tuple(int(i) for i in np.unravel_index(number, self.counts)) if self.counts else ()

    def batch(self, number: int) -> Batch:
        """The batch of that number."""
        region = tuple(
            slice(i * size, min((i + 1) * size, n))
            for i, size, n in zip(self.place(number), self.chunk, self.study.shape, strict=True)
        )
        lines = [np.arange(part.start, part.stop) for part in region]
        shape = tuple(map(len, lines))
        if not lines:
            return Batch(number, (), np.zeros(1, int), ())
        cells = np.ravel_multi_index(np.meshgrid(*lines, indexing="ij"), self.study.shape)
        return Batch(number, region, cells.ravel(), shape)

    def missing(self, done: set[tuple[int, ...]], first: int = 0) -> Iterator[int]:
        """The batches that are not done, from one on and around."""
        for i in range(len(self)):
            number = (first + i) % len(self)
            if self.place(number) not in done:
                yield number


def _together(study: Study) -> int:
    """Cells of a batch, by what they cost."""
    if study.trains:
        return TRAINED
    largest = {name: max(study.axes.get(name, [study.value(name)])) for name in ("n", "m", "shots")}
    if study.base is not None:
        largest["n"], largest["m"] = study.base.B.shape
    if max(largest.values()) > 1 or study.kind is None:
        return SEARCHED
    share = max(study.axes.get("proof", [study.value("proof")]))
    return max(PROVED, min(TOGETHER, int(PROVED / share))) if share > 0 else TOGETHER
