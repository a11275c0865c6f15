"""Every family within δ of one is ε-global: tags of boxes that hold for all of them, and comparisons.

One state, one input, one shot of the gradient step, f = g. The families are those of
`benign.exact.neighbourhood`; D is the domain of h, for each family its own. Every box X of a cover of
the line carries a tag, shown of *every* family:

====  ==========================================================
tag   shown of the box X
====  ==========================================================
`O`   X ∩ D is empty
`+`   h' > 0 on X ∩ D
`-`   h' < 0 on X ∩ D
`^`   h'' + λh' < 0 on X ∩ D, λ the slant of the box
`v`   X ⊂ D, and h'' + λh' > 0 on X
`c`   X ⊂ D
====  ==========================================================

1.  Where h' = 0, h'' has the sign of h'' + λh'. So a local minimiser is in no box but `v` and `c`.
2.  A run of neighbouring `v` holds one stationary point of h at most, for between two minima there
    would be one that is none. If it holds one, w, then h falls before and rises after it in the run:
    for every gain m of the run, w ≥ m if h'(m) ≤ 0 and w ≤ m if h'(m) ≥ 0; and h(w) ≤ h(u) for every
    gain u of the run.
3.  So let m_0 < m_1 < … be the ends of *cells* of a run, from its first gain to its last. If w is in
    the k-th, then h'(m_{k−1}) ≤ 0 ≤ h'(m_k) (nothing is said of the ends of the run), and for every
    other gain W and all a, b ≥ 0

        h(w) − h(W) ≤ h(u) − h(W) ≤ h(u) − h(W) − a h'(m_{k−1}) + b h'(m_k).

    The last is shown to be below ε for all W of the boxes `v` and `c` of other stretches.
4.  For boxes `c`, h(U) − h(W) < ε is shown for all U of them and all W of all boxes `v` and `c`.
5.  The costs are coercive, so that h → ∞ at every rim of D, and its least value is that of a local
    minimum. By 3 and 4 no local minimum exceeds another by ε: each is within ε of the least value.

Sums over the tasks are bounded task by task, as their numbers move independently
(`benign.balls.neighbours`).
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

from flint import arb, ctx

from benign.balls.centred import Form
from benign.balls.neighbours import Allowance, NearbyBalls, Part, Plant, Spent
from benign.certificates.claim import Claim, Cost, Document, Progress
from benign.certificates.covered import read_cover
from benign.certificates.reading import Refused, number
from benign.errors import ProblemError
from benign.exact.cover import Cover
from benign.exact.neighbourhood import Around, Scales, around, in_words, scales_from_json
from benign.exact.numbers import read_written
from benign.exact.problem import Problem
from benign.exact.rounding import exactly, to_ball

RADIUS = "radius"

TAGS = "O+-^vc"

PRECISION = 64
"""Bits: the neighbourhoods are fat, so that more tell nothing more."""

DEPTH = 9
"""How often a box, or a pair of them, may be halved when it is not shown at once."""

EVALUATION = 1.2e-3
"""Seconds that an evaluation of one task takes."""

SPARE, A_BOX = 2000, 24
"""Evaluations that are allowed in all, besides so many for each box, or pair, and task."""


class Cell(NamedTuple):
    """Part of a run of `v`: [left, right] in which the minimiser is, u, and a, b ≥ 0."""

    left: float
    u: float
    right: float
    a: float
    b: float


class Stretch(NamedTuple):
    """Neighbouring boxes of one tag, `v` or `c`: i to j − 1 of the cover."""

    tag: str
    first: int
    last: int


def prove_radius(document: Document, problem: Problem, progress: Progress | None = None) -> str:
    """Prove the claim again; the statement proved.

    Raises:
        Refused: the document does not prove what it claims; the message says where.
    """
    epsilon, delta, scales = _read(document, problem)
    tasks = around(problem, scales, delta)
    _require_coercive(problem, tasks)
    cover = read_cover(document, TAGS)
    slants = _read_slants(document, cover)
    found = stretches(cover)
    cells = read_cells(document, cover, found)
    with ctx.workprec(PRECISION):
        allowance = Allowance(_evaluations(len(tasks), len(cover.tags) + _pairs(found, cells)))
        objective = NearbyBalls(problem, tasks, allowance)
        _prove_ends(objective, cover)
        try:
            for i, tag in enumerate(cover.tags):
                if progress is not None and i % 16 == 0:
                    progress(i, len(cover.tags))
                lo, hi = cover.points[i], cover.points[i + 1]
                if not _tag_holds(objective, lo, hi, tag, slants[i], DEPTH):
                    raise Refused(f"cover: box {i} [{lo!r}, {hi!r}] is not {tag!r} for every family")
            _compare(objective, cover, found, cells, epsilon)
        except Spent:
            raise Refused("cover: it is so coarse that the check would take too long") from None
    return (
        f"every family whose {in_words(problem, scales)} differ by at most {exactly(delta)}, all else "
        f"being as it is, has every local minimum of h within {exactly(epsilon)} of its global one"
    )


# --- reading -----------------------------------------------------------------------------------


def _read(document: Document, problem: Problem) -> tuple[Fraction, Fraction, Scales]:
    found = []
    for key in ("asked", "delta"):
        text = document[key]
        value = read_written(text) if isinstance(text, str) else None
        if value is None or not 0 <= value < 2**1000:
            raise Refused(f"{key}: expected a number that is not negative nor huge, as a string")
        found.append(value)
    if not found[0] > 0:
        raise Refused("asked: must be positive")
    return found[0], found[1], scales_from_json(document["vary"], len(problem.tasks))


def _read_slants(document: Document, cover: Cover) -> list[float]:
    raw = document["slants"]
    if not isinstance(raw, list) or len(raw) != len(cover.tags):
        raise Refused("slants: expected a number for each box")
    slants = [number(x, "slants") for x in raw]
    if not all(abs(x) < 1e300 for x in slants):
        raise Refused("slants: expected finite numbers")
    return slants


def stretches(cover: Cover) -> list[Stretch]:
    """The stretches of a cover that may hold local minimisers, from left to right."""
    found = []
    start = 0
    for i in range(1, len(cover.tags) + 1):
        if i == len(cover.tags) or cover.tags[i] != cover.tags[start]:
            if cover.tags[start] in "vc":
                found.append(Stretch(cover.tags[start], start, i))
            start = i
    return found


def read_cells(
    document: Document, cover: Cover, found: list[Stretch]
) -> dict[tuple[int, int], list[Cell]]:
    """The cells of each run of `v` against each other stretch.

    Raises:
        Refused: one is missing, or they do not go from end to end of the run.
    """
    raw = document["cells"]
    if not isinstance(raw, list) or len(raw) != len(found):
        raise Refused(f"cells: expected a row for each of {len(found)} stretches")
    made: dict[tuple[int, int], list[Cell]] = {}
    for i, (one, row) in enumerate(zip(found, raw, strict=True)):
        if not isinstance(row, list) or len(row) != len(found):
            raise Refused(f"cells[{i}]: expected an entry for each of {len(found)} stretches")
        ends = cover.points[one.first], cover.points[one.last]
        for j, entry in enumerate(row):
            if one.tag == "v" and i != j:
                made[i, j] = _cells(entry, ends, f"cells[{i}][{j}]")
            elif entry is not None:
                raise Refused(f"cells[{i}][{j}]: none are needed")
    return made


def _cells(entry: Any, ends: tuple[float, float], place: str) -> list[Cell]:
    if not isinstance(entry, list) or not entry:
        raise Refused(f"{place}: expected a list of cells")
    made = []
    left = ends[0]
    for raw in entry:
        if not isinstance(raw, list) or len(raw) != len(Cell._fields):
            raise Refused(f"{place}: expected [left, u, right, a, b]")
        cell = Cell(*(number(x, place) for x in raw))
        if not (cell.left == left <= cell.u <= cell.right <= ends[1] and min(cell.a, cell.b) >= 0):
            raise Refused(f"{place}: a cell does not follow the one before, or a factor is negative")
        if not max(cell.a, cell.b) < 1e300:
            raise Refused(f"{place}: a factor is not finite")
        # Of the ends of the run nothing is known.
        if (cell.left == ends[0] and cell.a) or (cell.right == ends[1] and cell.b):
            raise Refused(f"{place}: h' has no sign at an end of the run")
        made.append(cell)
        left = cell.right
    if left != ends[1]:
        raise Refused(f"{place}: the cells do not reach the end of the run")
    return made


# --- the problem -------------------------------------------------------------------------------


def _require_coercive(problem: Problem, tasks: list[Around]) -> None:
    for task, name in zip(tasks, (t.name for t in problem.tasks), strict=True):
        low, high = task.a
        squares = task.discount * low**2, task.discount * high**2
        crosses = low <= 0 <= high
        apart = (min(squares) > 1 and not crosses) or max(squares) < 1
        if not (task.q[0] > 0 or apart):
            raise Refused(f"delta: Q of task `{name}` may vanish, and its cost not be coercive")


def _prove_ends(objective: NearbyBalls, cover: Cover) -> None:
    """Beyond the cover, some task is unstable before it adapts, whatever the family."""
    first, last = arb(cover.points[0]), arb(cover.points[-1])
    left = right = False
    for (a_lo, a_hi), (b_lo, b_hi), _, _ in objective.numbers:
        # −1 < a − bW < 1: W > (a − 1)/b and W < (a + 1)/b, monotone in a and in b.
        left = left or all((a_lo - 1) / b >= first for b in (b_lo, b_hi))
        right = right or all((a_hi + 1) / b <= last for b in (b_lo, b_hi))
    if not (left and right):
        raise Refused("cover: it does not reach from rim to rim of every family")


# --- tags --------------------------------------------------------------------------------------


def _tag_holds(
    objective: NearbyBalls, lo: float, hi: float, tag: str, slant: float, depth: int
) -> bool:
    bounds = objective.box(lo, hi)
    d1, d2, inside = bounds.d1, bounds.d2, bounds.inside
    if (
        (tag in "O+-^" and bounds.outside)
        or (tag == "+" and d1.is_positive)
        or (tag == "-" and d1.is_negative)
        or (tag == "c" and inside)
        or (tag == "v" and inside and slant == 0 and d2.is_positive)
        or (tag == "^" and inside and slant == 0 and d2.is_negative)
    ):
        return True
    if tag in "+-^v" and (inside or tag in "+-^"):
        sign = 1 if tag in "+v" else -1
        slanted = tag in "v^"
        part = _slanted(sign, arb(slant)) if slanted else _sloped(sign)
        gain = arb(lo).union(arb(hi))
        if (inside or tag != "v") and objective.exceeds(
            part, (gain, gain.mid()), arb(0), 0 if slanted else sign, _rounds(depth)
        ):
            return True
    middle = lo + 0.5 * (hi - lo)
    if depth == 0 or not lo < middle < hi:
        return False
    halves = ((lo, middle), (middle, hi))
    return all(_tag_holds(objective, a, b, tag, slant, depth - 1) for a, b in halves)


def _rounds(depth: int) -> int:
    """Halvings of the numbers, few while the gains may yet be halved."""
    return 2 + 2 * (DEPTH - depth)


def _sloped(sign: int) -> Part:
    def part(objective: NearbyBalls, task: int, W: Form, u: Form, plant: Plant) -> Form | None:
        found = objective.slopes(task, W, plant)
        return None if found is None else found[0].times(arb(sign))

    return part


def _slanted(sign: int, slant: arb) -> Part:
    def part(objective: NearbyBalls, task: int, W: Form, u: Form, plant: Plant) -> Form | None:
        found = objective.slopes(task, W, plant)
        return None if found is None else (found[1] + found[0].times(slant)).times(arb(sign))

    return part


# --- comparisons -------------------------------------------------------------------------------


def _compare(
    objective: NearbyBalls,
    cover: Cover,
    found: list[Stretch],
    cells: dict[tuple[int, int], list[Cell]],
    epsilon: Fraction,
) -> None:
    need = -to_ball(epsilon)
    boxes = [[(cover.points[k], cover.points[k + 1]) for k in range(s.first, s.last)] for s in found]
    for (i, j), own in cells.items():
        for cell in own:
            part = _above(cell)
            for box in boxes[j]:
                if not _pair_holds(objective, part, box, (cell.u, cell.u), need, DEPTH):
                    raise Refused(
                        f"cells[{i}][{j}]: a minimum beside {cell.u!r} may exceed one in {list(box)}"
                    )
    for one, own in zip(found, boxes, strict=True):
        if one.tag == "c":
            for u in own:
                for box in (box for others in boxes for box in others):
                    if not _pair_holds(objective, _above(None), box, u, need, DEPTH):
                        raise Refused(f"cover: a minimum in {list(u)} may exceed one in {list(box)}")


def _above(cell: Cell | None) -> Part:
    """h(W) − h(u) + a h'(left) − b h'(right)."""

    def part(objective: NearbyBalls, task: int, W: Form, u: Form, plant: Plant) -> Form | None:
        there, here = objective.value(W, plant), objective.value(u, plant)
        if there is None or here is None:
            return None
        found = there - here
        for gain, factor in () if cell is None else ((cell.left, cell.a), (cell.right, -cell.b)):
            if factor:
                slopes = objective.slopes(task, constant(gain, u), plant)
                if slopes is None:
                    return None
                found = found + slopes[0].times(arb(factor))
        return found

    return part


def constant(gain: float, like: Form) -> Form:
    """A gain that is no variable."""
    return Form(arb(gain), arb(gain), tuple(None for _ in like.grad), like.offset)


def _pair_holds(
    objective: NearbyBalls,
    part: Part,
    W: tuple[float, float],
    u: tuple[float, float],
    need: arb,
    depth: int,
) -> bool:
    balls = arb(W[0]).union(arb(W[1])), arb(u[0]).union(arb(u[1]))
    if objective.exceeds(part, balls, need, rounds=_rounds(depth)):
        return True
    wide = W if W[1] - W[0] >= u[1] - u[0] else u
    middle = wide[0] + 0.5 * (wide[1] - wide[0])
    if depth == 0 or not wide[0] < middle < wide[1]:
        return False
    for half in ((wide[0], middle), (middle, wide[1])):
        pair = (half, u) if wide is W else (W, half)
        if not _pair_holds(objective, part, *pair, need, depth - 1):
            return False
    return True


# --- the claim ---------------------------------------------------------------------------------


def _pairs(found: list[Stretch], cells: dict[tuple[int, int], list[Cell]]) -> int:
    width = [s.last - s.first for s in found]
    every = sum(width)
    alone = sum(w * every for s, w in zip(found, width, strict=True) if s.tag == "c")
    return alone + sum(len(own) * width[j] for (_, j), own in cells.items())


def _evaluations(tasks: int, looks: int) -> int:
    return SPARE + A_BOX * tasks * looks


def _cost(document: Document, problem: Problem) -> Cost:
    """Each box and each pair is evaluated with every task, some of them often."""
    try:
        cover = read_cover(document, TAGS)
        found = stretches(cover)
        looks = len(cover.tags) + _pairs(found, read_cells(document, cover, found))
    except (Refused, ProblemError, KeyError, TypeError):
        return Cost(seconds=0.0)
    boxes = 1e-4 * len(cover.tags) * len(problem.tasks)
    return Cost(seconds=boxes + 0.1 * EVALUATION * _evaluations(len(problem.tasks), looks))


FIELDS = frozenset({"asked", "delta", "vary", "cover", "slants", "cells"})
"""What a document of this claim holds."""

CLAIM = Claim(RADIUS, FIELDS, _cost, prove_radius)
