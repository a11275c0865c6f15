"""The jury for a spurious minimum, and for no feasible gain."""

from __future__ import annotations

from typing import Any

import numpy as np
from jury import MP, Document, NoClaimError, Question, judge, mpf, number, text_number
from jury_gains import CLOSE, Several, listed, listed_anywhere, met
from line_search import Line, search
from scipy.optimize import minimize


@judge("spurious minimum")
def spurious(d: Document, q: Question) -> str:
    """Both are strict minima; the second is higher by ε, which is more than was asked."""
    n, m = q.shape
    anywhere = d["proof"]["kind"] == "points"
    if not anywhere and (q.kind != "gradient" or n * m < 2):
        return "no such claim is made of this problem"
    epsilon, asked = mpf(number(d["epsilon"])), mpf(text_number(d["asked"]))
    if asked < 0 or epsilon <= asked:
        return "the gap is not more than what was asked"
    h, points = Several(q), []
    for entry in d["proof"]["minimisers"]:
        if anywhere:
            why, point = listed_anywhere(entry, h, (m, n))
        else:
            why, point = listed(entry, h, (m, n), d["proof"]["frame"])
        if point is None:
            return why
        points.append(point)
    if len(points) != 2:
        raise NoClaimError("not two minima")
    gap = points[1][1] - points[0][1]
    # The jury knows a value to 15 digits.
    room = abs(points[1][1]) * MP.mpf(10) ** -15
    return "" if gap + room >= epsilon else f"the second is higher by {float(gap)!r}"


@judge("stationary points")
def stationary_points(d: Document, q: Question) -> str:
    """Each is one of its kind and value, and no two are one."""
    n, m = q.shape
    h, points = Several(q), []
    if not d["points"]:
        return "nothing is listed"
    for entry in d["points"]:
        if not isinstance(entry, dict) or entry["kind"] not in ("minimum", "saddle", "maximum"):
            raise NoClaimError("a point is of no kind")
        why, point = listed_anywhere(entry, h, (m, n), entry["kind"])
        if point is None:
            return why
        if any(np.abs(point[0] - other).max() < CLOSE for other in points):
            return "one point twice"
        points.append(point[0])
    return ""


@judge("no feasible gain")
def infeasible(d: Document, q: Question) -> str:
    """h is finite nowhere, or nowhere below a level; where plants conflict, none stabilises all."""
    level, proof = number(d["level"]), d["proof"]
    if not level > 0:
        raise NoClaimError("the level is not positive")
    conflict = proof["kind"] in ("farkas", "rims")
    if q.shape == (1, 1):
        return _on_the_line(d, Line(q), level, conflict=conflict)
    h = Several(q)
    box = None
    if proof["kind"] == "tree" and proof["bounded"] is not True:
        frame = proof["frame"]
        box = np.array(frame["centre"], float), np.array(frame["axes"], float)
    if box is not None and set(proof["tree"]) & set("gsn"):
        # No local minimiser with h ≤ c in the box: h may be finite there.
        low = [v for _, v in met(d["problem"], proof["frame"])[1] if v <= mpf(level)]
        return f"a minimum of value {float(low[0])!r}" if low else ""
    for W in _candidates(q, h, box):
        if box is not None and np.abs(np.linalg.solve(box[1], W.reshape(-1) - box[0])).max() > 1:
            continue
        if conflict and all(np.isfinite(h.g.slopes(W[None], t)[0][0]) for t in range(len(q.weights))):
            return f"{W.tolist()} stabilises all adaptation plants"
        value = h.precise(W)
        if value != MP.inf and value <= mpf(level):
            return f"h is {float(value)!r} at {W.tolist()}"
    return ""


def _on_the_line(d: Document, line: Line, level: Any, *, conflict: bool) -> str:
    lo, hi = line.span
    if not lo < hi:
        return ""
    if conflict:
        return f"the gains between {float(lo)!r} and {float(hi)!r} stabilise all adaptation plants"
    found = search(d["problem"])
    for i in np.flatnonzero(found.inside)[:: max(1, int(found.inside.sum()) // 20)]:
        here = line(MP.mpf(float(found.grid[i])))
        if here is not None and here[0] <= mpf(level):
            return f"h is {float(here[0])!r} at {found.grid[i]!r}"
    return ""


def _candidates(q: Question, h: Several, box: Any) -> Any:
    """Gains at which h may be finite: no gain, those of a grid of the box, those most stabilising."""
    n, m = q.shape
    yield np.zeros((m, n))
    rng = np.random.default_rng(0)
    if box is not None:
        y = rng.uniform(-1, 1, (3000, n * m))
        W = (box[0] + y @ box[1].T).reshape(-1, m, n)
        yield from W[np.argsort(h(W))[:3]]

    def radius(x: np.ndarray) -> float:
        W = x.reshape(1, m, n)
        loops = [A - B @ W[0] for A, B in zip(h.g.A, h.g.B, strict=True)]
        return max(float(np.abs(np.linalg.eigvals(L)).max()) for L in loops)

    for _ in range(4):
        start = rng.normal(size=n * m)
        found = minimize(radius, start, method="Nelder-Mead", options={"maxiter": 400})
        yield found.x.reshape(m, n)
        W = found.x.reshape(1, m, n) + 0.2 * rng.normal(size=(500, m, n))
        yield from W[np.argsort(h(W))[:2]]
