"""Making a proved cover of the line by adaptive bisection (`benign.exact.cover` says of what)."""

from __future__ import annotations

import numpy as np

from benign.errors import BudgetError, Cause, InfeasibleError
from benign.exact.cover import Cover
from benign.floats.intervals import Floats
from benign.floats.scalar import GradientObjective

INITIAL_BOXES = 48
MAX_BOXES = 60_000
SMALLEST = 2.0**-44
"""A box narrower than this, relative to where it lies, is not cut again."""

CUT = 0.4871
"""Where a box is cut: off the middle, so that a stationary point at a round number is not on it."""


def root_interval(objective: GradientObjective) -> tuple[float, float]:
    """An interval that holds every gain which stabilises every task before adaptation.

    Raises:
        InfeasibleError: there is none; the two tasks that exclude each other are named.
    """
    with np.errstate(all="ignore"):
        left, right = objective.g.rims
    i, j = int(np.argmax(left.lo)), int(np.argmin(right.hi))
    low, high = float(left.lo[i]), float(right.hi[j])
    if low >= high:
        names = objective.names[i], objective.names[j]
        raise InfeasibleError(
            f"no gain stabilises both `{names[0]}` and `{names[1]}`; split the family",
            cause=Cause.CONFLICT,
            tasks=names,
        )
    return low, high


def pave(objective: GradientObjective, max_boxes: int = MAX_BOXES) -> Cover:
    """Cut the line until every box is tagged, too narrow to cut, or the boxes or the time run out.

    Raises:
        BudgetError: the time of the objective's clock was over before one box was tagged.
    """
    low, high = root_interval(objective)
    points = np.unique(np.linspace(low, high, INITIAL_BOXES + 1))  # a line of a few ulp holds fewer
    floor = SMALLEST * 2.0**-10 * (high - low)
    lo, hi = points[:-1], points[1:]
    done: list[tuple[Floats, Floats, np.ndarray]] = []
    spent = 0
    while lo.size:
        spent += lo.size
        tags, hopeless = _tag(objective, lo, hi)
        scale = np.maximum(np.abs(lo), np.abs(hi))
        narrow = hopeless | (hi - lo <= np.maximum(SMALLEST * scale, floor))
        if spent >= max_boxes:
            narrow[:] = True
        tags[(tags == " ") & narrow] = "?"
        decided = tags != " "
        done.append((lo[decided], hi[decided], tags[decided]))
        lo, hi = lo[~decided], hi[~decided]
        cut = lo + CUT * (hi - lo)
        lo, hi = np.concatenate([lo, cut]), np.concatenate([cut, hi])
    lo, hi, tags = (np.concatenate(column) for column in zip(*done, strict=True))
    if (tags == "?").all():
        objective.clock.check("a first look at the line of gains")
    order = np.argsort(lo, kind="stable")
    points = np.append(lo[order], hi[order[-1]])
    return Cover(tuple(points.tolist()), "".join(tags[order]))


def _tag(objective: GradientObjective, lo: Floats, hi: Floats) -> tuple[np.ndarray, np.ndarray]:
    """The tags, and which boxes no cut can help; when the time is over that is said of all the rest."""
    tags, hopeless = np.full(lo.shape, " "), np.zeros(lo.shape, bool)
    for part in objective.chunks(lo.size):
        try:
            tags[part], hopeless[part] = _tagged(objective, lo[part], hi[part])
        except BudgetError:
            hopeless[part.start :] = True
            break
    return tags, hopeless


def _tagged(objective: GradientObjective, lo: Floats, hi: Floats) -> tuple[np.ndarray, np.ndarray]:
    """The tags of a chunk of boxes, and for which of them bounds are rounding errors for the most.

    Towards a double root of h' the bound on h' shrinks with the square of the width until rounding
    takes over; from there on cutting only multiplies boxes. (A heuristic: it ends the search early
    and never makes a tag.)
    """
    bounds = objective.bounds(lo, hi)
    # Where h stays finite at a rim, a sign on the feasible part of a box does not say which side
    # of the rim is the domain: only boxes wholly inside are then judged.
    signed = bounds.inside | objective.is_coercive
    tags = np.full(lo.shape, " ")
    tags[bounds.inside & (bounds.d2.lo > 0)] = "v"
    tags[bounds.inside & (bounds.d2.hi < 0)] = "^"
    tags[signed & (bounds.d1.lo > 0)] = "+"
    tags[signed & (bounds.d1.hi < 0)] = "-"
    tags[bounds.outside] = "O"
    middle = bounds.d1_mid
    rounding = (middle.lo <= 0) & (middle.hi >= 0)
    rounding &= 4.0 * (middle.hi - middle.lo) >= bounds.d1.hi - bounds.d1.lo
    return tags, bounds.inside & rounding
