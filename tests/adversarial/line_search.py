"""A search of h on the line: costs in 100 digits, grids in float64, roots by secants.

C(W) = s(q + rW²)/(1 − γ(a − bW)²), differentiated by the quotient rule. Nothing is enclosed: a root is
a change of sign in 100 digits, and what lies between two points of the grid may be missed.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from jury import MP, NoClaimError, Numbers, Question, mpf
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
        """The root of γabrW² + (r(1 − γa²) + γb²q)W − γabq that stabilises."""
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
    """A zero of h' in a bracket, where `function` gives (h, h'): secants, and halving."""
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
    """What a search found: zeros of h', local minima, the grid, whether a minimum is attained."""

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
            a, b, _, _, s, y = f.numbers
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
            lo, hi = (
                x if abs(x - t) > EQUAL * (1 + abs(x)) else t for x, t in ((lo, left), (hi, right))
            )
            part = Part((lo, hi), (lo == left, hi == right), tuple(shifts))
            last = parts[-1] if parts else None
            if last and last.ends[1] == lo and last.shifts == part.shifts:
                parts[-1] = Part((last.ends[0], hi), (last.turns[0], part.turns[1]), part.shifts)
            else:
                parts.append(part)
    return parts


def _pieces(line: Line) -> tuple[list[Minimum], list[tuple[Any, str, Any]], list[tuple[Any, Any, Any]]]:
    """Local minima, those inside a part, and the breaks (place, limits from the left and right)."""
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
