"""The tree of boxes in a certificate: read with suspicion, and walked leaf by leaf."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benign.certificates.reading import Refused

LETTERS = "uorlgsnm"
"""What a leaf may be; `benign.certificates.below` says what each means."""

MAX_LENGTH = 20_000_000
"""Longest tree that is read."""

MAX_HALVINGS = 48
"""How often one side may be halved: the ends of all boxes are float64 numbers then."""

Sides = tuple[tuple[float, ...], tuple[float, ...]]


def read_tree(value: Any, p: int) -> str:
    """A string that is one whole binary tree in preorder.

    Raises:
        Refused: it is none.
    """
    if not isinstance(value, str):
        raise Refused("tree: expected a string")
    if len(value) > MAX_LENGTH:
        raise Refused(f"tree: longer than {MAX_LENGTH} characters")
    known = set(LETTERS) | set("0123456789"[:p])
    open_boxes = 1
    for i, letter in enumerate(value):
        if letter not in known:
            raise Refused(f"tree: {letter!r} at {i} is neither a leaf nor one of {p} sides")
        if open_boxes == 0:
            raise Refused(f"tree: it ends at {i}, and more follows")
        open_boxes += 1 if letter.isdigit() else -1
    if open_boxes:
        raise Refused("tree: it breaks off, some boxes have no leaf")
    return value


def leaves(tree: str, p: int) -> Iterator[tuple[int, str, Sides]]:
    """(place in the tree, letter, ends of the box) of each leaf of the root box [−1, 1]^p.

    Raises:
        Refused: a side is halved too often.
    """
    stack = [((-1.0,) * p, (1.0,) * p, (0,) * p)]
    for place, letter in enumerate(tree):
        lo, hi, halvings = stack.pop()
        if not letter.isdigit():
            yield place, letter, (lo, hi)
            continue
        d = int(letter)
        if halvings[d] == MAX_HALVINGS:
            raise Refused(f"tree: side {d} of the box at {place} is halved too often")
        # Exact: the ends are whole multiples of 2^−MAX_HALVINGS, not beyond 1.
        middle = 0.5 * (lo[d] + hi[d])
        deeper = tuple(k + (i == d) for i, k in enumerate(halvings))
        upper = tuple(middle if i == d else x for i, x in enumerate(lo))
        lower = tuple(middle if i == d else x for i, x in enumerate(hi))
        stack.append((upper, hi, deeper))
        stack.append((lo, lower, deeper))
