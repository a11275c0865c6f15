"""The jury for one state and one input: costs in 100 digits, grids in float64, roots by bisection.

C(W) = s(q + rW²)/(1 − γ(a − bW)²), differentiated by the quotient rule. Nothing is enclosed: a root is a
change of sign in 100 digits, and what lies between two points of the grid may be missed.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from jury import MP, Document, NoClaimError, Numbers, Question, judge, mpf, number, only, pair, verdict_on
from jury import question as read_question

EQUAL = MP.mpf(10) ** -75
"""What counts as equal, relative to 1: breaks, limits, a slope of zero."""

TINY = MP.mpf(10) ** -95
"""What is taken for zero where 1 − γ(a − bW)² says whether a gain stabilises."""

GRID = 6000
"""Points of the grid between two rims."""


class Cost:
    """One LQR cost of one state and one input, in 100 digits and in float64."""

    def __init__(self, x: Numbers) -> None:
        exact = (x.A[0][0], x.B[0][0], x.Q[0][0], x.R[0][0], x.S[0][0], x.discount)
        self.numbers = tuple(mpf(v) for v in exact)
        self.floats = tuple(float(v) for v in exact)

    @staticmethod
    def _slopes(numbers: tuple[Any, ...], w: Any) -> tuple[Any, Any, Any, Any]:
        a, b, q, r, s, y = numbers
        loop = a - b * w
        D, D1, D2 = 1 - y * loop * loop, 2 * y * b * loop, -2 * y * b * b
        N, N1, N2 = s * (q + r * w * w), 2 * s * r * w, 2 * s * r
        C1 = (N1 * D - N * D1) / (D * D)
        return D, N / D, C1, (N2 * D - N * D2) / (D * D) - 2 * D1 / D * C1

    def __call__(self, w: Any) -> tuple[Any, Any, Any] | None:
        """C, C', C''; None where w does not stabilise."""
        a, b, _, _, _, y = self.numbers
        if y * (a - b * w) ** 2 >= 1:
            return None
        return self._slopes(self.numbers, w)[1:]

    def many(self, w: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """D, C, C', C'' in float64; D > 0 where w stabilises."""
        return self._slopes(self.floats, w)

    @property
    def rims(self) -> tuple[Any, Any] | None:
        """Between which gains stabilise; None if all do."""
        a, b, _, _, _, y = self.numbers
        if b == 0:
            return None
        ends = [(a - t / MP.sqrt(y)) / b for t in (-1, 1)]
        return min(ends), max(ends)

    @property
    def best(self) -> Any:
        """The optimal gain, the root of γabrW² + (r(1 − γa²) + γb²q)W − γabq that stabilises."""
        a, b, q, r, _, y = self.numbers
        u, v, z = y * a * b * r, r * (1 - y * a * a) + y * b * b * q, -y * a * b * q
        if u == 0:
            return -z / v if v else None
        root = MP.sqrt(v * v - 4 * u * z)
        for t in (-1, 1):
            w = (-v + t * root) / (2 * u)
            if y * (a - b * w) ** 2 < 1:
                return w
        return None


@dataclass
class Minimum:
    """A local minimum of h, or of its closure at a break ("jump minimum") or a rim ("edge minimum")."""

    at: Any
    value: Any
    kind: str


class Line:
    """h on the line, and what was found of it."""

    def __init__(self, q: Question) -> None:
        if q.shape != (1, 1):
            raise NoClaimError("more than one state or input")
        self.q = q
        self.f, self.g = [Cost(x) for x in q.f], [Cost(x) for x in q.g]
        self.weights = [mpf(w) for w in q.weights]
        self.eta = mpf(q.eta)
        rims = [x.rims for x in self.g if x.rims is not None]
        if not rims:
            raise NoClaimError("no input moves any state")
        self.span = max(lo for lo, _ in rims), min(hi for _, hi in rims)

    def __call__(self, w: Any) -> tuple[Any, Any] | None:
        """h and h'; None outside the domain, and where a normalised step has no direction."""
        total = slope = MP.mpf(0)
        for f, g, weight in zip(self.f, self.g, self.weights, strict=True):
            gain, factor = w, MP.mpf(1)
            for _ in range(self.q.shots):
                c = g(gain)
                if c is None or (self.q.kind == "normalized" and c[1] == 0):
                    return None
                if self.q.kind == "gradient":
                    gain, factor = gain - self.eta * c[1], factor * (1 - self.eta * c[2])
                else:
                    gain = gain - self.eta * MP.sign(c[1])
            c = f(gain)
            if c is None:
                return None
            total, slope = total + weight * c[0], slope + weight * c[1] * factor
        return total, slope

    def many(self, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """h and h' in float64; ∞ outside the domain."""
        total, slope, inside = np.zeros_like(w), np.zeros_like(w), np.ones(w.shape, bool)
        with np.errstate(all="ignore"):
            for f, g, weight in zip(self.f, self.g, self.q.weights, strict=True):
                gain, factor = w, np.ones_like(w)
                for _ in range(self.q.shots):
                    D, _, C1, C2 = g.many(gain)
                    inside &= D > 0
                    if self.q.kind == "gradient":
                        gain, factor = gain - float(self.eta) * C1, factor * (1 - float(self.eta) * C2)
                    else:
                        gain = gain - float(self.eta) * np.sign(C1)
                D, C, C1, _ = f.many(gain)
                inside &= D > 0
                total, slope = total + float(weight) * C, slope + float(weight) * C1 * factor
        inside &= np.isfinite(total)
        return np.where(inside, total, np.inf), np.where(inside, slope, np.nan)

    def root(self, lo: Any, hi: Any) -> tuple[Any, str] | None:
        """A zero of h' in a bracket in which it changes sign, and its kind; None if there is none."""
        return zero(self, lo, hi)


def zero(function: Any, lo: Any, hi: Any) -> tuple[Any, str] | None:
    """A zero of h' in a bracket, where `function` gives (h, h'): secants, and halving where they fail."""
    ends = [function(lo), function(hi)]
    if ends[0] is None or ends[1] is None or not ends[0][1] * ends[1][1] < 0:
        return None
    rising = ends[0][1] < 0
    kind = "minimum" if rising else "maximum"
    (a, fa), (b, fb) = (lo, ends[0][1]), (hi, ends[1][1])
    old, last, probing = (a, fa), (b, fb), False
    for turn in range(600):
        room = EQUAL * (1 + abs(a))
        if b - a < 4 * room:
            return (a + b) / 2, kind
        (x0, f0), (x1, f1) = old, last
        t = x1 - f1 * (x1 - x0) / (f1 - f0) if f1 != f0 else (a + b) / 2
        close = abs(t - x1) < room
        if close and not probing:
            t = x1 + (room if (f1 < 0) == rising else -room)
        probing = close
        if not a < t < b or turn % 8 == 7:
            t = (a + b) / 2
        here = function(t)
        if here is None:
            return None
        if here[1] == 0:
            return t, kind
        old, last = last, (t, here[1])
        if (here[1] < 0) == rising:
            a = t
        else:
            b = t
    return None


# --- the gradient step --------------------------------------------------------------------------


@dataclass
class Found:
    """What a search found: points where h' = 0, local minima, the grid, whether a minimum is attained."""

    line: Line
    roots: list[tuple[Any, str, Any]]
    minima: list[Minimum]
    jumps: list[tuple[Any, Any, Any]]
    grid: np.ndarray
    inside: np.ndarray
    attained: bool


@lru_cache(maxsize=64)
def _search(text: str) -> Found:
    line = Line(read_question(json.loads(text)))
    lo, hi = (float(x) for x in line.span)
    if not lo < hi:
        raise NoClaimError("no gain stabilises all tasks")
    t = np.linspace(0, 1, GRID + 1)[1:-1]
    ends = np.logspace(-14, -3, 300)
    grid = lo + (hi - lo) * np.sort(np.concatenate([t, ends, 1 - ends]))
    grid = np.unique(grid[(grid > lo) & (grid < hi)])
    value, slope = line.many(grid)
    inside = np.isfinite(value)
    if line.q.kind == "normalized":
        minima, roots, jumps = _pieces(line)
        return Found(line, roots, minima, jumps, grid, inside, True)
    signs = np.sign(slope)
    roots = []
    for i in np.flatnonzero(inside[:-1] & inside[1:] & (signs[:-1] * signs[1:] < 0)):
        found = line.root(MP.mpf(float(grid[i])), MP.mpf(float(grid[i + 1])))
        if found:
            roots.append((*found, line(found[0])[0]))
    minima = [Minimum(at, value, kind) for at, kind, value in roots if kind == "minimum"]
    least = min((m.value for m in minima), default=MP.inf)
    attained = not inside.any() or float(least) <= float(value[inside].min()) * (1 + 1e-9)
    return Found(line, roots, minima, [], grid, inside, attained)


def search(problem: Any) -> Found:
    """What a search finds of the problem of a document; remembered."""
    return _search(json.dumps(problem, sort_keys=True))


# --- the normalised step ------------------------------------------------------------------------


@dataclass
class Part:
    """Between two breaks: ends (inside the domain), whether each is a break, what each task moves."""

    ends: tuple[Any, Any]
    turns: tuple[bool, bool]
    shifts: tuple[int, ...]

    def at(self, line: Line, w: Any) -> tuple[Any, Any] | None:
        """h and h' by this part's formula; None at a rim, where h is infinite."""
        total = slope = MP.mpf(0)
        for f, weight, shift in zip(line.f, line.weights, self.shifts, strict=True):
            a, b, q, r, s, y = f.numbers
            gain = w + shift * line.eta
            if s and 1 - y * (a - b * gain) ** 2 < TINY:
                return None
            if s:
                _, C, C1, _ = f._slopes(f.numbers, gain)
                total, slope = total + weight * C, slope + weight * C1
        return total, slope

    def leaning(self, line: Line, side: int) -> tuple[Any, int]:
        """The limit at an end (∞ at a rim), and the sign of h' just inside it."""
        here = self.at(line, self.ends[side])
        inward = 1 if side == 0 else -1
        if here is None:
            return MP.inf, -inward
        # h is strictly convex: where h' = 0 at the very end, it rises inward.
        return here[0], inward if abs(here[1]) < EQUAL * (1 + abs(here[0])) else int(MP.sign(here[1]))


def _parts(line: Line) -> list[Part]:
    """The parts of the domain from left to right, joined where the formula does not change."""
    q, eta = line.q, line.eta
    centres = [g.best for g in line.g]
    if any(c is None for c in centres) or any(g.numbers[4] == 0 for g in line.g):
        raise NoClaimError("a normalised step has no direction")
    raw = sorted(c + j * eta for c in centres for j in range(1 - q.shots, q.shots))
    turns = [x for i, x in enumerate(raw) if i == 0 or x - raw[i - 1] > EQUAL * (1 + abs(x))]
    parts: list[Part] = []
    for left, right in itertools.pairwise([-MP.inf, *turns, MP.inf]):
        if left == -MP.inf:
            inner = right - 1
        else:
            inner = left + 1 if right == MP.inf else (left + right) / 2
        lo, hi, shifts = left, right, []
        for f, g, centre in zip(line.f, line.g, centres, strict=True):
            shift = 0
            for stage in range(q.shots + 1):
                rims = (f if stage == q.shots else g).rims
                if rims is not None:
                    lo, hi = max(lo, rims[0] - shift * eta), min(hi, rims[1] - shift * eta)
                if stage < q.shots:
                    shift += -1 if inner + shift * eta > centre else 1
            shifts.append(shift)
        if hi - lo > EQUAL * (1 + abs(lo)):
            # A rim may lie at a break.
            lo, hi = (x if abs(x - t) > EQUAL * (1 + abs(x)) else t for x, t in ((lo, left), (hi, right)))
            part = Part((lo, hi), (lo == left, hi == right), tuple(shifts))
            last = parts[-1] if parts else None
            if last and last.ends[1] == lo and last.shifts == part.shifts:
                parts[-1] = Part((last.ends[0], hi), (last.turns[0], part.turns[1]), part.shifts)
            else:
                parts.append(part)
    return parts


def _pieces(line: Line) -> tuple[list[Minimum], list[tuple[Any, str, Any]], list[tuple[Any, Any, Any]]]:
    """Local minima, those inside a part, and the breaks (place, limit from the left, from the right)."""
    parts = _parts(line)
    minima, roots = [], []
    sides: dict[Any, list[Any]] = {}
    for part in parts:
        signs = []
        for side in (0, 1):
            limit, sign = part.leaning(line, side)
            signs.append(sign)
            at = part.ends[side]
            if part.turns[side]:
                sides.setdefault(at, [None, None])[1 - side] = (limit, sign)
            elif limit != MP.inf and sign == (1 if side == 0 else -1):
                minima.append(Minimum(at, limit, "edge minimum"))
        if signs == [-1, 1]:
            # Just inside the ends: at a rim h' is infinite.
            width = part.ends[1] - part.ends[0]
            inner = [part.ends[0] + width * EQUAL, part.ends[1] - width * EQUAL]
            found = zero(lambda w, part=part: part.at(line, w), *inner)
            if found is not None:
                value = part.at(line, found[0])[0]
                minima.append(Minimum(found[0], value, "minimum"))
                roots.append((found[0], "minimum", value))
    jumps = []
    for at, (left, right) in sides.items():
        limits = [MP.inf if side is None else side[0] for side in (left, right)]
        if min(limits) == MP.inf:
            continue
        jumps.append((at, *limits))
        arrives = [side is not None and side[1] == sign for side, sign in ((left, -1), (right, 1))]
        equal = abs(limits[0] - limits[1]) < EQUAL * (1 + min(limits))
        lower = 0 if limits[0] < limits[1] else 1
        if all(arrives) if equal else arrives[lower]:
            minima.append(Minimum(at, min(limits), "jump minimum"))
    return minima, roots, jumps


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
            root = found.line.root(lo - around, hi + around)
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
        wanted += [(jump[0], "jump minimum" if jump[0] in traps else "jump", None) for jump in found.jumps]
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
    """Why the domain is another: a gain between the ends that is not in it, or one beyond them that is."""
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
    components = 1 + int(np.sum(np.diff(inside.astype(int)) == 1)) - int(inside[0]) if inside.any() else 0
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
    claim, W = d["claim"], pair(d["W"])
    if number(d["gap"]) < 0:
        return "a gap below zero"
    if (q.kind == "normalized") != (claim in NORMALISED):
        return "another step"
    if claim == "theorem 3":
        if not _proportional(q):
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


def _proportional(q: Question) -> bool:
    first = q.f[0]
    ratios = [x.R[0][0] / first.R[0][0] for x in q.f]
    return q.f == q.g and all(
        (x.A, x.B, x.S, x.discount) == (first.A, first.B, first.S, first.discount)
        and x.Q[0][0] == t * first.Q[0][0]
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
    return "" if here[0] - least <= gap else f"the regret is {float(here[0] - least)!r}"
