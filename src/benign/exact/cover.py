"""A proof of where the stationary points of a scalar h can and cannot be: a cover of the line.

The line is cut into closed boxes, and each box carries a tag that has been proved of it; D is the
domain of h:

====  ==========================================================
tag   proved of the box X
====  ==========================================================
`O`   X ∩ D is empty
`+`   h' > 0 on X ∩ D
`-`   h' < 0 on X ∩ D
`v`   X ⊂ D and h'' > 0 on X
`^`   X ⊂ D and h'' < 0 on X
`a`   X ⊂ D and h' has at most one zero in X, by exact algebra
`?`   nothing: the box could not be decided
====  ==========================================================

The boxes reach from rim to rim of the set of gains that stabilise every task before adaptation.
Four facts turn the tags into a complete list of stationary points:

1.  On a run of `v` or `^`, h' is strictly monotone: it holds exactly one stationary point when h'
    has opposite signs at its ends, and none when it has equal ones.
2.  A `+` or `-` box that is not wholly inside D is used only where h → ∞ at every rim of D: for the
    gradient step with coercive costs. (Towards the rim of an intermediate set ∇g → ∞ throws the
    next gain out of the domain, or, where the task is judged by a plant with B = 0, off to infinity,
    where f → ∞; so that h stays finite at no rim, the costs of the other tasks being ≥ 0.) Then
    D ∩ (a run of `+` from x₀ to x₁) is [x₀, r) or empty, because a hole in it would need a rim at
    which h falls the wrong way; likewise (l, x₁] for a run of `-`.
3.  So a run of `+` after `O` is empty of D, and so is a run of `-` before `O`; and where `-` meets
    `+` the shared point cannot be in D, so both are.
4.  A box `a` holds one stationary point when h' has opposite signs at its ends. When it has equal ones,
    it holds none, or one at which h' does not change sign: an inflection. Such boxes are not joined.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

TAGS = "O+-v^a?"


@dataclass(frozen=True)
class Cover:
    """Boxes [x_i, x_{i+1}] and their tags, `tags[i]` for the i-th."""

    points: tuple[float, ...]
    tags: str


@dataclass(frozen=True)
class Run:
    """Boxes of one tag in a row: [lo, hi]."""

    tag: str
    lo: float
    hi: float


def runs(cover: Cover) -> list[Run]:
    """The cover as runs, those of a sign that hold no point of D turned into `O` (fact 3)."""
    found = []
    start = 0
    for tag, group in groupby(cover.tags):
        stop = start + len(list(group))
        ends = range(start, stop + 1) if tag == "a" else (start, stop)
        for i, j in zip(ends, ends[1:], strict=False):
            found.append(Run(tag, cover.points[i], cover.points[j]))
        start = stop
    tags = [run.tag for run in found]
    changed = True
    while changed:
        changed = False
        for i, tag in enumerate(tags):
            before = tags[i - 1] if i else "O"
            after = tags[i + 1] if i + 1 < len(tags) else "O"
            if (tag == "+" and before in "O-") or (tag == "-" and after in "O+"):
                tags[i], changed = "O", True
    merged: list[Run] = []
    for run, tag in zip(found, tags, strict=True):
        if merged and merged[-1].tag == tag != "a":
            merged[-1] = Run(tag, merged[-1].lo, run.hi)
        else:
            merged.append(Run(tag, run.lo, run.hi))
    return merged


def known_signs(found: Sequence[Run]) -> list[int]:
    """Signs of h' at the ends of the runs (one more than runs) that the tags settle; else 0."""
    signs = [0] * (len(found) + 1)
    for i, run in enumerate(found):
        if run.tag in "+-":
            signs[i] = signs[i + 1] = 1 if run.tag == "+" else -1
    return signs


def domain_pieces(found: Sequence[Run]) -> list[tuple[Run, Run]]:
    """For each piece of D the run in which it begins and the run in which it ends.

    Nothing is known of a run of `?`: where there is one, D may have more ends, or fewer.
    """
    pieces: list[tuple[Run, Run]] = []
    first: Run | None = None
    for i, run in enumerate(found):
        if run.tag == "O":
            continue
        first = first or run
        after = found[i + 1].tag if i + 1 < len(found) else "O"
        if after == "O" or (run.tag == "+" and after == "-"):
            pieces.append((first, run))
            first = None
    return pieces
