"""Boxes that wait for a proof, and the tree of halvings that they come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benign.floats.taylor import Floats

LEAF_TAGS = "uorlgsnm"


@dataclass
class Tree:
    """The boxes, halved: node i has tag i; a digit d is a box halved along y_d, ' ' one not done.

    Attributes:
        tags: one character code a node.
        first: where the two halves of a node are, next to one another; 0 for a leaf.
    """

    tags: NDArray[np.uint8] = field(default_factory=lambda: np.full(1, ord(" "), np.uint8))
    first: NDArray[np.int64] = field(default_factory=lambda: np.zeros(1, np.int64))
    count: int = 1

    def split(self, nodes: NDArray[np.int64], axes: NDArray[np.int64]) -> NDArray[np.int64]:
        """Halve nodes along axes; the numbers of the lower halves."""
        needed = self.count + 2 * len(nodes)
        while needed > len(self.tags):
            self.tags = np.concatenate([self.tags, np.full_like(self.tags, ord(" "))])
        while needed > len(self.first):
            self.first = np.concatenate([self.first, np.zeros_like(self.first)])
        lower = self.count + 2 * np.arange(len(nodes))
        self.tags[nodes] = ord("0") + axes
        self.first[nodes] = lower
        self.count = needed
        return lower

    def reopened(self, nodes: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Take back halvings of nodes whose halves are lost; which nodes are leaves with a letter."""
        closed = np.isin(self.tags[nodes], np.frombuffer(LEAF_TAGS.encode(), np.uint8))
        self.tags[nodes[~closed]] = ord(" ")
        self.first[nodes[~closed]] = 0
        return closed

    def text(self) -> str:
        """The tree in preorder, lower halves first."""
        tags, first = self.tags.tolist(), self.first.tolist()
        pieces, waiting = [], [0]
        while waiting:
            node = waiting.pop()
            pieces.append(chr(tags[node]))
            if first[node]:
                waiting.extend((first[node] + 1, first[node]))
        return "".join(pieces)

    def counts(self) -> dict[str, int]:
        """How many leaves have each tag."""
        codes, numbers = np.unique(self.tags[: self.count], return_counts=True)
        return {chr(c): int(n) for c, n in zip(codes, numbers, strict=True)}


@dataclass
class Boxes:
    """Boxes y ± r that wait: (p, N) each, their nodes, and lower bounds of h on them."""

    y: Floats
    r: Floats
    node: NDArray[np.int64]
    bound: Floats

    def __len__(self) -> int:
        return len(self.node)

    def __getitem__(self, index: Any) -> Boxes:
        return Boxes(self.y[:, index], self.r[:, index], self.node[index], self.bound[index])

    @staticmethod
    def joined(parts: Sequence[Boxes]) -> Boxes:
        """All of them."""
        return Boxes(
            np.concatenate([b.y for b in parts], axis=1),
            np.concatenate([b.r for b in parts], axis=1),
            np.concatenate([b.node for b in parts]),
            np.concatenate([b.bound for b in parts]),
        )
