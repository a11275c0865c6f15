"""Proving again that points are stationary points of h, and of what kind; any number of states, inputs.

Each entry of the list has a box of gains, bounds of h and a kind. Newton's method from the middle of
the box finds a point; the operator of Krawczyk shows that a tiny box X around it holds just one zero of
∇h (`benign.balls.curvature.stationary_point`), and the signs of the pivots of ∇²h(X) say whether that
is a strict local minimiser, a strict local maximiser or a saddle (Sylvester's law of inertia). X and
h(X) have to lie within the bounds of the entry. The boxes of the list are pairwise disjoint, so that
no point is counted twice. Both kinds of step, where h is smooth.

That there are no other points is not claimed. The bounds of an entry may be wide: what is then said is
that a point of that kind and value is in them.
"""

from __future__ import annotations

from typing import Any

from flint import ctx

from benign.balls.curvature import CurvedObjective, StationaryPoint, stationary_point
from benign.balls.lqr import NotStabilising, gain_matrix
from benign.balls.matrices import Unproved
from benign.certificates.below_points import MAX_POINTS, read_sides, require_within
from benign.certificates.claim import Claim, Cost, Document, Progress
from benign.certificates.gains import PRECISIONS, Rows, gain_cost, require_well_posed
from benign.certificates.reading import Bounds, Refused, pair, records
from benign.exact.problem import Problem
from benign.exact.rounding import between, enclosing_floats

STATIONARY_POINTS = "stationary points"

MINIMUM, SADDLE, MAXIMUM = "minimum", "saddle", "maximum"
"""Kinds of points."""

WORDS = {
    MINIMUM: ("strict local minimiser", "strict local minimisers"),
    SADDLE: ("saddle", "saddles"),
    MAXIMUM: ("strict local maximiser", "strict local maximisers"),
}
"""What they are called: one of them, several of them."""

UNTOLD = "the signs of the eigenvalues of ∇²h could not be told at the stationary point"

Box = list[Bounds]
"""Bounds of a gain's entries, row by row."""


# --- one point -------------------------------------------------------------------------------


def stationary_near(problem: Problem, W: Rows) -> StationaryPoint:
    """A stationary point of h next to a gain, proved; the problem is well posed.

    Raises:
        Refused: none was found, or its kind could not be told (∇²h is singular there or nearly so).
    """
    reason = ""
    for precision in PRECISIONS[:2]:
        with ctx.workprec(precision):
            try:
                found = stationary_point(CurvedObjective(problem), gain_matrix(W))
            except NotStabilising as error:
                raise Refused(str(error)) from None
            except Unproved as error:
                reason = str(error)
                continue
        if found.negative is None:
            raise Refused(UNTOLD)
        return found
    raise Refused(reason)


def kind_of(found: StationaryPoint) -> str:
    """The word for the kind of a point."""
    return MINIMUM if found.minimum else MAXIMUM if found.maximum else SADDLE


def read_box(entry: Document, place: str, problem: Problem) -> Box:
    """The bounds of the gain "W" of an entry: m rows of n pairs.

    Raises:
        Refused: they are none.
    """
    m, n = problem.family.m, problem.family.n
    rows = entry.get("W")
    if not isinstance(rows, list) or len(rows) != m:
        raise Refused(f"{place}: expected {m} rows of {n} pairs of bounds")
    return [side for row in rows for side in read_sides(row, n, place)]


def middle_of(box: Box, problem: Problem) -> Rows:
    """The gain in the middle of a box."""
    n = problem.family.n
    middle = [lo / 2 + hi / 2 for lo, hi in box]
    return tuple(tuple(middle[i : i + n]) for i in range(0, len(middle), n))


def prove_entry(entry: dict[str, Any], place: str, problem: Problem) -> StationaryPoint:
    """The point of an entry with "W" and "value", proved to lie where it is said to, of that value.

    Raises:
        Refused: it is not shown.
    """
    box = read_box(entry, f"{place}.W", problem)
    try:
        found = stationary_near(problem, middle_of(box, problem))
    except Refused as error:
        raise Refused(f"{place}: {error}") from None
    for x, side in zip(found.gain.entries(), box, strict=True):
        require_within(x, side, f"{place}.W")
    require_within(found.value, pair(entry, "value"), f"{place}.value")
    return found


def require_apart(boxes: list[Box]) -> None:
    """Refuse boxes of which two have a gain in common: their points may be one."""
    for i, first in enumerate(boxes):
        for j, second in enumerate(boxes[:i]):
            if all(a <= d and c <= b for (a, b), (c, d) in zip(first, second, strict=True)):
                raise Refused(f"points: the boxes of {j} and {i} overlap; they may be one point")


# --- the claim -------------------------------------------------------------------------------


def _prove(document: Document, problem: Problem, progress: Progress | None) -> str:
    require_well_posed(problem)
    entries = records(document, "points", {"kind", "W", "value"})
    if not entries:
        raise Refused("points: none is listed, so nothing is claimed")
    if len(entries) > MAX_POINTS:
        raise Refused(f"points: more than {MAX_POINTS}")
    require_apart([read_box(entry, f"points[{i}].W", problem) for i, entry in enumerate(entries)])
    values: dict[str, list[Bounds]] = {}
    for i, entry in enumerate(entries):
        place, claimed = f"points[{i}]", entry.get("kind")
        if not isinstance(claimed, str) or claimed not in WORDS:
            raise Refused(f"{place}.kind: expected one of {', '.join(WORDS)}")
        found = prove_entry(entry, place, problem)
        if kind_of(found) != claimed:
            raise Refused(f"{place}.kind: it is a {kind_of(found)}, no {claimed}")
        values.setdefault(claimed, []).append(enclosing_floats(found.value))
        if progress is not None:
            progress(i + 1, len(entries))
    return sentence(values)


def sentence(values: dict[str, list[Bounds]]) -> str:
    """What is proved of a list, by the kinds of its points and bounds of their values."""
    parts = []
    for kind, (one, several) in WORDS.items():
        own = values.get(kind, [])
        if not own:
            continue
        lo, hi = min(lo for lo, _ in own), max(hi for _, hi in own)
        count = f"1 {one}" if len(own) == 1 else f"{len(own)} {several}"
        parts.append(f"{count} of h, of value{'s' if len(own) > 1 else ''} in {between(lo, hi, 12)}")
    tail = ", no two of them one" if sum(map(len, values.values())) > 1 else ""
    return f"the list holds {'; '.join(parts)}{tail}; that there are no others is not claimed"


def points_cost(problem: Problem) -> Cost:
    """What a stationary point takes in any dimension: some Lyapunov equations for each entry."""
    one = gain_cost(problem)
    return Cost(one.seconds * (1 + problem.family.n * problem.family.m), one.megabytes)


def _cost(document: Document, problem: Problem) -> Cost:
    listed = document.get("points")
    count = len(listed) if isinstance(listed, list) else 0
    one = points_cost(problem)
    return Cost(count * one.seconds + 1e-6 * min(count, MAX_POINTS) ** 2, one.megabytes)


CLAIM = Claim(STATIONARY_POINTS, frozenset({"points"}), _cost, _prove)
