"""The jury for one state and one input: complete enumerations, and claims about one gain."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from jury import MP, Document, NoClaimError, Question, judge, mpf, number, only, pair, verdict_on
from line_search import EQUAL, TINY, Found, Line, Minimum, search

# --- complete enumeration -----------------------------------------------------------------------

KINDS = ("minimum", "maximum", "jump", "jump minimum", "edge minimum")


@judge("complete enumeration")
def enumeration(d: Document, q: Question) -> str:
    """Every point is one, none is missing, and minimum, ε and status are those of the minima."""
    found = search(d["problem"])
    points, stretches = _entries(d, "points"), _entries(d, "undecided")
    doubtful = [(pair(s["W"]), pair(s["value"])) for s in stretches]
    minima, roots = list(found.minima), list(found.roots)
    for claim in points:
        only(claim, {"kind", "W", "value", "limits"})
        why, extra = _point(claim, found, roots)
        if why:
            return why
        if extra is not None:
            roots.append(extra)
            if extra[1] == "minimum":
                minima.append(Minimum(extra[0], extra[2], "minimum"))
    why = _missing(points, doubtful, found, roots, minima) or _domain(d, found, doubtful)
    if why:
        return why
    for (lo, hi), bounds in doubtful:
        why = _doubt(lo, hi, bounds, found, minima)
        if why:
            return why
    if not minima:
        return "" if doubtful else "there is no minimum"
    complete = not doubtful and found.attained
    return verdict_on(d, [m.value for m in minima], complete)


def _entries(d: Document, key: str) -> list[Any]:
    if not isinstance(d[key], list) or not all(isinstance(x, dict) for x in d[key]):
        raise NoClaimError(f"{key} is no list of objects")
    return d[key]


def _holds(bounds: tuple[Any, Any], x: Any) -> bool:
    """Whether a number lies between two bounds, as far as it is known."""
    return mpf(bounds[0]) <= x + TINY and x - TINY <= mpf(bounds[1])


def _point(claim: Document, found: Found, roots: list[Any]) -> tuple[str, Any]:
    """Why a listed point is none; and the root it holds, if the grid missed it."""
    W, value, kind = pair(claim["W"]), pair(claim["value"]), claim["kind"]
    place = f"[{float(W[0])!r}, {float(W[1])!r}]"
    if kind not in KINDS:
        raise NoClaimError(f"{str(kind)[:40]!r} is no kind of point")
    if kind in ("minimum", "maximum"):
        inside = [root for root in roots if _holds(W, root[0])]
        extra = None
        if not inside and found.line.q.kind == "gradient":
            lo, hi = (mpf(x) for x in W)
            around = (hi - lo) / 2 + abs(lo) * MP.mpf(10) ** -40 + MP.mpf(10) ** -60
            # Wider first, for a root at an end of W; but that may lie beyond a rim.
            root = found.line.root(lo - around, hi + around) or found.line.root(lo, hi)
            if root is not None and _holds(W, root[0]):
                extra = (*root, found.line(root[0])[0])
                inside = [extra]
            elif _may_touch(found.line, lo, hi):
                return "", None
        if len(inside) != 1:
            return f"points: {place} holds {len(inside)} stationary points", None
        if inside[0][1] != kind:
            return f"points: a {inside[0][1]} in {place}, no {kind}", None
        return ("" if _holds(value, inside[0][2]) else f"points: another value in {place}"), extra
    if kind == "edge minimum":
        values = [m.value for m in found.minima if m.kind == kind and _holds(W, m.at)]
        fits = any(_holds(value, v) for v in values)
        return ("" if fits else f"points: no {kind} of such a value in {place}"), None
    jumps = [jump for jump in found.jumps if _holds(W, jump[0])]
    traps = [m.at for m in found.minima if m.kind == "jump minimum"]
    limits = claim.get("limits")
    if not isinstance(limits, list) or len(limits) != 2:
        raise NoClaimError("a jump has two limits")
    for at, *own in jumps:
        if (at in traps) == (kind == "jump minimum") and _holds(value, min(own)) and all(
            (side is None) == (x == MP.inf) and (side is None or _holds(pair(side), x))
            for side, x in zip(limits, own, strict=True)
        ):  # fmt: skip
            return "", None
    return f"points: no {kind} of such limits in {place}", None


def _may_touch(line: Line, lo: Any, hi: Any) -> bool:
    """Whether h' may vanish in an interval without changing its sign, or twice: it comes near zero."""
    here = [line(lo + (hi - lo) * i / 8) for i in range(9)]
    if any(x is None for x in here):
        return False
    slopes = [x[1] for x in here]
    wiggle = max(slopes) - min(slopes)
    return min(map(abs, slopes)) <= wiggle + EQUAL


def _missing(
    points: list[Any], doubtful: list[Any], found: Found, roots: list[Any], minima: list[Minimum]
) -> str:
    """Why the list lacks a point, or holds one twice."""
    gradient = found.line.q.kind == "gradient"
    wanted = [(at, kind, None) for at, kind, _ in roots]
    if not gradient:
        traps = [m.at for m in minima if m.kind == "jump minimum"]
        wanted += [
            (jump[0], "jump minimum" if jump[0] in traps else "jump", None) for jump in found.jumps
        ]
        wanted += [(m.at, m.kind, None) for m in minima if m.kind == "edge minimum"]
    for at, kind, _ in wanted:
        listed = [p for p in points if p["kind"] == kind and _holds(pair(p["W"]), at)]
        if not listed and not any(_holds(W, at) for W, _ in doubtful):
            return f"points: the {kind} at {float(at)!r} is missing"
    for i, p in enumerate(points):
        if any(p["kind"] == o["kind"] and p["W"] == o["W"] for o in points[:i]):
            same = [x for x in wanted if x[1] == p["kind"] and _holds(pair(p["W"]), x[0])]
            if len(same) < 2:
                return f"points: the {p['kind']} at {p['W'][0]!r} is listed twice"
    return ""


def _domain(d: Document, found: Found, doubtful: list[Any]) -> str:
    """Why the domain is another: a gain between the ends is not in it, or one beyond them is."""
    pieces = [(pair(entry[0]), pair(entry[1])) for entry in d["domain"] if len(entry) == 2]
    if len(pieces) != len(d["domain"]):
        raise NoClaimError("the domain is no list of pairs")
    grid, inside = found.grid, found.inside
    within, reached = np.zeros(grid.shape, bool), np.zeros(grid.shape, bool)
    for (a, b), (c, e) in pieces:
        within |= (grid > float(b)) & (grid < float(c))
        reached |= (grid >= float(a)) & (grid <= float(e))
    for (lo, hi), _ in doubtful:
        within &= ~((grid >= float(lo)) & (grid <= float(hi)))
    for i in np.flatnonzero(inside & ~reached)[:3]:
        if found.line(MP.mpf(float(grid[i]))) is not None:
            return f"domain: h is finite at {grid[i]!r}"
    for i in np.flatnonzero(~inside & within)[:3]:
        here = MP.mpf(float(grid[i]))
        near = (here, here * (1 + MP.mpf(10) ** -30) + MP.mpf(10) ** -40)
        if all(found.line(x) is None for x in near):
            return f"domain: h is not finite at {grid[i]!r}"
    components = (
        1 + int(np.sum(np.diff(inside.astype(int)) == 1)) - int(inside[0]) if inside.any() else 0
    )
    if len(pieces) > components + _hidden(pieces, grid, inside) and not doubtful:
        return "domain: more intervals than there are"
    return ""


def _hidden(pieces: list[Any], grid: np.ndarray, inside: np.ndarray) -> int:
    """Claimed intervals that no point of the grid tells from their neighbours, or that it misses."""
    count = 1  # the grid itself may begin inside
    for (a, b), (c, e) in pieces:
        count += not bool((inside & (grid >= float(a)) & (grid <= float(e))).any())
        count += float(b) >= float(c)
    for (_, (_, e)), ((a, _), _) in itertools.pairwise(pieces):
        count += not bool((~inside & (grid >= float(e)) & (grid <= float(a))).any())
    return count


def _doubt(lo: Any, hi: Any, bounds: tuple[Any, Any], found: Found, minima: list[Minimum]) -> str:
    """Why the values that are claimed over a stretch do not hold every local minimum in it."""
    low, high = mpf(bounds[0]), mpf(bounds[1])
    place = f"[{float(lo)!r}, {float(hi)!r}]"
    for m in minima:
        # A minimum at the very end of a stretch may be listed by itself, or belong to its neighbour.
        if mpf(lo) < m.at < mpf(hi) and not (low <= m.value or low <= 0):
            return f"undecided: a minimum of value {float(m.value)!r} in {place}"
        if mpf(lo) < m.at < mpf(hi) and m.value > high:
            return f"undecided: a minimum of value {float(m.value)!r} in {place}"
    if low > 0:
        within = (found.grid > float(lo)) & (found.grid < float(hi)) & found.inside
        some = found.grid[within]
        if some.size:
            value, _ = found.line.many(some)
            here = found.line(MP.mpf(float(some[value.argmin()])))
            if here is not None and here[0] < low:
                return f"undecided: h falls below {float(low)!r} in {place}"
    return ""


# --- claims about one gain ----------------------------------------------------------------------

NORMALISED = ("proposition 2", "theorem 3")


@judge("theorem 1", "theorem 2", "proposition 1", "non-singular form", *NORMALISED)
def pointwise(d: Document, q: Question) -> str:
    """W holds one local minimum, which is global, and the theorem's condition holds there."""
    if q.shape != (1, 1):
        from jury_gains import pointwise_rows

        return pointwise_rows(d, q)
    claim, W = d["claim"], pair(d["W"])
    if number(d["gap"]) < 0:
        return "a gap below zero"
    if (q.kind == "normalized") != (claim in NORMALISED):
        return "another step"
    if claim == "theorem 3":
        if not proportional(q):
            return "the tasks are not proportional"
    elif not q.is_one_task:
        return "the tasks are not one"
    if claim == "theorem 2" and q.f != q.g:
        return "f is not g"
    found = search(d["problem"])
    inside = [root for root in found.roots if _holds(W, root[0]) and root[1] == "minimum"]
    if not inside and q.kind == "gradient":
        lo, hi = (mpf(x) for x in W)
        root = found.line.root(lo, hi)
        inside = [(*root, found.line(root[0])[0])] if root else []
    if len(inside) != 1:
        return f"W holds {len(inside)} minima"
    at, kind, value = inside[0]
    if kind != "minimum":
        return "a maximum"
    least = min(m.value for m in found.minima) if found.minima else value
    if value > least * (1 + MP.mpf(10) ** -60):
        return f"h is {float(value - least)!r} above its least value"
    if q.kind == "gradient":
        return _condition(claim, found.line, at)
    return ""


def _condition(claim: str, line: Line, at: Any) -> str:
    gain = at
    for _ in range(line.q.shots):
        c = line.g[0](gain)
        if c is None:
            return "the gain does not stabilise"
        size = line.eta * c[2]
        if claim == "non-singular form":
            if abs(size - 1) < EQUAL:
                return "I − η∇²g is singular"
        elif size >= 1:
            return f"η‖∇²g‖ is {float(size)!r}"
        gain = gain - line.eta * c[1]
    return ""


def proportional(q: Question) -> bool:
    """Whether A, B, S and the discount agree, f = g, and (Q, R) are multiples of one another."""
    first = q.f[0]
    ratios = [x.R[0][0] / first.R[0][0] for x in q.f]

    def scaled(M: Any, t: Any) -> Any:
        return [[t * x for x in row] for row in M]

    return q.f == q.g and all(
        (x.A, x.B, x.S, x.discount) == (first.A, first.B, first.S, first.discount)
        and scaled(first.Q, t) == x.Q
        and scaled(first.R, t) == x.R
        for x, t in zip(q.f, ratios, strict=True)
    )


def scalar_regret(d: Document, q: Question) -> str:
    """Σ ω (f(F(W)) − f*) ≤ gap at one gain."""
    lo, hi = pair(d["W"])
    if lo != hi:
        raise NoClaimError("not one gain")
    line, gap = Line(q), mpf(number(d["gap"]))
    here = line(mpf(lo))
    if here is None:
        return "h is not finite there"
    least = MP.mpf(0)
    for f, weight in zip(line.f, line.weights, strict=True):
        best = f.best
        if best is None:
            return "an optimal cost is not attained"
        least += weight * f(best)[0]
    if here[0] - least > gap:
        return f"the regret is {float(here[0] - least)!r}"
    return share_of(d, here[0] - least, least)


def share_of(d: Document, regret: Any, least: Any) -> str:
    """Why the regret is more, in proportion to the least h can be, than a document says."""
    if "relative" not in d:
        return ""
    share = mpf(number(d["relative"]))
    if not least > 0:
        return "nothing is a share of zero"
    return "" if regret / least <= share else f"the share is {float(regret / least)!r}"


@judge("theorem S")
def one_minimum(d: Document, q: Question) -> str:
    """On [u, v] ηC'' ≤ 0.28 for every task; where that is so, h' vanishes once, in W, and rises."""
    if q.shape != (1, 1) or q.kind != "gradient" or q.shots != 1 or q.f != q.g:
        raise NoClaimError("not what the theorem is about")
    line, theta = Line(q), MP.mpf(28) / 100
    (u, v), (lo, hi) = (tuple(map(mpf, pair(d[key]))) for key in ("convex", "W"))
    if MP.inf in (u, v, -u, -v):
        raise NoClaimError("gains without an end")

    def safe(w: Any) -> bool:
        slopes = [g(w) for g in line.g]
        return all(s is not None and line.eta * s[2] <= theta for s in slopes)

    for w in (u, v):
        if not safe(w):
            return f"ηC'' exceeds 0.28 at {float(w)!r}"
    here = [line(w) for w in (lo, hi)]
    if any(x is None for x in here) or not here[0][1] <= 0 <= here[1][1]:
        return "h' does not change sign in W"
    points = [at for at, _, _ in search(d["problem"]).roots if safe(at)]
    if any(not lo - EQUAL <= at <= hi + EQUAL for at in points):
        return f"h' vanishes at {[float(at) for at in points]}"
    slopes = [line(u + (v - u) * i / 40)[1] for i in range(41)]
    return "" if all(a < b for a, b in itertools.pairwise(slopes)) or u == v else "h' does not rise"
