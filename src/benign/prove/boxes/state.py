"""An unfinished proof in a file, and what of it is believed when it is read.

The archive (`benign.archives`) holds the problem, the frame and the level as exact numbers, the tree
of halvings with its letters, the boxes that wait, and the minimisers. What is cheap to know again is
not believed: where a box lies is computed from the tree, each minimiser is proved again, and so is a
sample of the letters. What a letter or a bound says of the other boxes rests on the digest; it saves
work and is no certificate, which is proved again.
"""

from __future__ import annotations

import contextlib
import math
import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benign.archives import Arrays, Malformed, digest_of, field, read_archive, to_bytes
from benign.errors import FileFormatError, OutputError
from benign.exact.documents import problem_to_json
from benign.exact.problem import Problem
from benign.files import make_directory, write_atomically
from benign.floats.fractions_of_gain import Frame
from benign.floats.taylor import Floats
from benign.opening import shortened
from benign.prove.boxes.minimisers import Minimiser
from benign.prove.boxes.tree import LEAF_TAGS, Boxes, Tree

if TYPE_CHECKING:
    from benign.prove.boxes.branch_and_bound import Pavement

VERSION = 2
KIND = "benign unfinished proof"

CURE = "delete it to begin anew, or name another directory"

SAMPLE = 256
"""Boxes with a letter that are tested again when a state is read."""

DOUBTFUL = 1 / 64
"""The share of them that may show no letter in another company of boxes. (A choice; none was met.)"""


@dataclass(frozen=True)
class Kept:
    """A state as it was read: what it is about, and the arrays, not looked at yet.

    Attributes:
        frame: the coordinates.
        asked: the level that was asked for, in the units of the balanced problem.
        boxes: how many were tested.
    """

    path: Path
    frame: Frame
    asked: float
    boxes: int
    arrays: Arrays


def _digest(problem: Problem) -> str:
    return digest_of(problem_to_json(problem), {})


def save(pavement: Pavement, path: Path) -> None:
    """Write the state.

    Raises:
        OutputError: it cannot be written; what was there before is kept.
    """
    left, tree, points = pavement.left(), pavement.tree, pavement.minimisers
    about = {
        "benign": KIND,
        "version": VERSION,
        "problem": _digest(pavement.problem),
        "centre": [str(x) for x in pavement.frame.centre],
        "axes": [[str(x) for x in row] for row in pavement.frame.axes],
        "level": float(pavement.level).hex(),
        "boxes": pavement.boxes,
    }
    arrays = {
        "tags": tree.tags[: tree.count],
        "first": tree.first[: tree.count],
        "y": left.y,
        "r": left.r,
        "node": left.node,
        "bound": left.bound,
        "points": np.array([m.y for m in points]).reshape(len(points), 2, pavement.p),
        "centres": np.array([m.centre for m in points]).reshape(len(points), pavement.p),
        "around": np.array(
            [
                (node, next(i for i, m in enumerate(points) if m is point))
                for nodes, point in pavement.around
                for node in nodes
            ],
            np.int64,
        ).reshape(-1, 2),
    }
    try:
        make_directory(path.parent)
        write_atomically(path, to_bytes(about, arrays, packed=True))
    except OutputError as error:
        raise OutputError(f"the state of the proof: {error}") from error


def read(path: str | os.PathLike[str], problem: Problem) -> Kept:
    """The state of an unfinished proof about this problem.

    Raises:
        FileFormatError: the file is no such state, is cut short or altered, or that of another problem.
    """
    head, arrays = read_archive(path, KIND, VERSION, CURE)
    if head.get("problem") != _digest(problem):
        raise FileFormatError(f"{shortened(path)}: the unfinished proof of another problem; {CURE}")
    p = problem.family.n * problem.family.m
    try:
        centre, axes = _exact(head.get("centre"), p), [_exact(row, p) for row in head.get("axes") or ()]
        if len(axes) != p:
            raise Malformed("axes: expected a square matrix")
        frame = Frame(tuple(centre), tuple(map(tuple, axes)))
        if np.linalg.matrix_rank(np.array([[float(x) for x in row] for row in axes])) < p:
            raise Malformed("axes: they are not independent")
        asked, boxes = float.fromhex(str(head.get("level"))), head.get("boxes")
        if not asked > 0 or type(boxes) is not int or boxes < 0:
            raise Malformed("level, boxes: out of range")
    except (ValueError, TypeError, ZeroDivisionError, OverflowError, np.linalg.LinAlgError) as error:
        raise _refusal(path, error) from error
    return Kept(Path(path), frame, asked, boxes, arrays)


def discard(path: str | os.PathLike[str]) -> None:
    """Remove the state of a proof whose result is saved; where that cannot be, it does no harm."""
    with contextlib.suppress(OSError, ValueError):
        os.unlink(path)


def restore(pavement: Pavement, kept: Kept) -> None:
    """Go on from a state; the pavement has its frame and its level.

    Raises:
        FileFormatError: its arrays are no moment of this proof.
    """
    try:
        _restore(pavement, kept)
    except Malformed as error:
        raise _refusal(kept.path, error) from error


def _restore(pavement: Pavement, kept: Kept) -> None:
    arrays, p = kept.arrays, pavement.p
    tags = field(arrays, "tags", np.uint8, (None,)).copy()
    count = len(tags)
    first = field(arrays, "first", np.int64, (count,), low=0, high=count - 2 if count > 1 else 0).copy()
    y, r, found = _places(tags, first, p)
    waiting = _waiting(pavement, arrays, tags, y, r, found)
    points = field(arrays, "points", float, (None, 2, p), low=-2, high=2)
    centres = field(arrays, "centres", float, (len(points), p), low=-1, high=1)
    known = [_proved_again(pavement, *point) for point in zip(points, centres, strict=True)]
    around = field(arrays, "around", np.int64, (None, 2), low=0)
    node, which = around.T
    held = np.flatnonzero(found & (tags == ord("m")))
    if not np.array_equal(np.sort(node), held) or (len(which) and which.max() >= len(known)):
        raise Malformed("around: it does not name the boxes around minimisers, each once")
    for i, point in enumerate(known):
        mine = node[which == i]
        if (np.abs(y[:, mine] - point.centre[:, None]) + r[:, mine] > point.radius[:, None]).any():
            raise Malformed("around: a box is not around its minimiser")
    pavement.tree = Tree(tags, first, count)
    pavement.waiting, pavement.stuck = waiting, []
    pavement.boxes = kept.boxes
    pavement.found.known = sorted(known, key=lambda point: point.value.lo)
    pavement.around = [(node[which == i], point) for i, point in enumerate(known)]
    _test_some_again(pavement, tags, y, r, found)


def _places(tags: np.ndarray, first: np.ndarray, p: int) -> tuple[Floats, Floats, np.ndarray]:
    """Centres and radii of all boxes of a tree, (p, nodes), and which nodes the root leads to.

    The halves of a node come after it, so that no path comes back.
    """
    count = len(tags)
    y, r, found = np.zeros((p, count)), np.zeros((p, count)), np.zeros(count, bool)
    r[:, 0], found[0] = 1.0, True
    level = np.zeros(1, np.int64)
    while len(level):
        axes = tags[level].astype(np.int64) - ord("0")
        halved = (axes >= 0) & (axes < p)
        if not (halved == (first[level] > 0)).all():
            raise Malformed("tags, first: they disagree on what is halved")
        level, axes = level[halved], axes[halved]
        lower = first[level]
        halves = np.concatenate([lower, lower + 1])
        if (lower <= level).any() or found[halves].any() or len(np.unique(halves)) != len(halves):
            raise Malformed("first: it is no tree")
        index = np.arange(len(level))
        half = r[:, level]
        half[axes, index] *= 0.5
        shift = np.zeros_like(half)
        shift[axes, index] = half[axes, index]
        y[:, lower], y[:, lower + 1] = y[:, level] - shift, y[:, level] + shift
        r[:, lower] = r[:, lower + 1] = half
        found[halves] = True
        level = halves
    known = np.frombuffer((LEAF_TAGS + " ").encode(), np.uint8)
    leaves = found & (first == 0)
    # What the root does not lead to are halves that were taken back: nothing is said of them.
    if not np.isin(tags[leaves], known).all() or (tags[~found] != ord(" ")).any():
        raise Malformed("tags: a box has a letter that is none")
    return y, r, found


def _waiting(
    pavement: Pavement,
    arrays: Arrays,
    tags: np.ndarray,
    y: Floats,
    r: Floats,
    found: np.ndarray,
) -> Boxes:
    """The boxes that are not decided: all of the tree without a letter, where the tree has them."""
    p = pavement.p
    node = field(arrays, "node", np.int64, (None,), low=0, high=len(tags) - 1)
    if not np.array_equal(np.sort(node), np.flatnonzero(found & (tags == ord(" ")))):
        raise Malformed("node: it does not name the boxes without a letter, each once")
    centre = field(arrays, "y", float, (p, len(node)))
    radius = field(arrays, "r", float, (p, len(node)))
    if not np.array_equal(centre, y[:, node]) or not np.array_equal(radius, r[:, node]):
        raise Malformed("y, r: a box lies elsewhere than the tree says")
    bound = field(arrays, "bound", float, (len(node),), low=pavement.floor, high=pavement.level)
    return Boxes(centre.copy(), radius.copy(), node.copy(), bound.copy())


def _proved_again(pavement: Pavement, box: Floats, centre: Floats) -> Minimiser:
    """The minimiser that was found from a centre, proved once more."""
    again = pavement.found.enclosed(centre.copy())
    if again is None or not ((again.y[0] <= box[1]) & (box[0] <= again.y[1])).all():
        raise Malformed("points: a minimiser is none")
    return again


def _test_some_again(
    pavement: Pavement, tags: np.ndarray, y: Floats, r: Floats, found: np.ndarray
) -> None:
    """A sample of the boxes with a letter, the same each time: one that shows none again waits again.

    A box at the limit of what a test can show may do so by a rounding, many do not.
    """
    closed = np.flatnonzero(found & np.isin(tags, np.frombuffer(LEAF_TAGS.encode(), np.uint8)))
    closed = closed[tags[closed] != ord("m")]
    chosen = np.random.default_rng(len(tags)).permutation(closed)[:SAMPLE]
    if len(chosen) == 0:
        return
    boxes = Boxes(y[:, chosen], r[:, chosen], chosen, np.full(len(chosen), pavement.floor))
    again = boxes[pavement.tested(boxes).letters == 0]
    if len(again) > len(chosen) * DOUBTFUL:
        raise Malformed("tags: boxes have letters that cannot be shown of them")
    pavement.tree.tags[again.node] = ord(" ")
    pavement.waiting = Boxes.joined([pavement.waiting, again])


def _exact(values: Any, count: int) -> list[Fraction]:
    if not isinstance(values, list) or len(values) != count:
        raise Malformed("centre, axes: of another size")
    found = [Fraction(str(x)) for x in values]
    if not all(math.isfinite(float(x)) for x in found):
        raise Malformed("centre, axes: out of range")
    return found


def _refusal(path: str | os.PathLike[str], error: Exception) -> FileFormatError:
    return FileFormatError(f"{shortened(path)}: is no state of this proof ({error}); {CURE}")
