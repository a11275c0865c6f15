"""The jury for gains of several entries: costs by doubling, in 100 digits or, on grids, in float64.

    P ← P + L'PL, Σ ← Σ + LΣL', L ← L²:   C(W) = tr(PS),   ∇C(W) = 2((R + B'PB)W − B'PA)Σ.

Optimal costs come from Newton's method on the Riccati equation, which approaches them from above.
Minima below a level are met by Newton's method from all low points of a grid in the box of gains.
"""

from __future__ import annotations

import itertools
import json
from functools import lru_cache
from typing import Any

import numpy as np
import scipy.linalg
from jury import (
    MP,
    Document,
    NoClaimError,
    Numbers,
    Question,
    judge,
    mpf,
    number,
    pair,
    text_number,
    verdict_on,
)
from jury import question as read_question
from jury_line import NORMALISED, proportional, scalar_regret, share_of

Grid = np.ndarray

# --- one gain, in 100 digits -----------------------------------------------------------------------


class Exact:
    """One LQR cost in 100 digits, the discount folded into A and B."""

    def __init__(self, x: Numbers) -> None:
        root = MP.sqrt(MP.mpf(x.discount.numerator) / x.discount.denominator)
        self.A, self.B, self.Q, self.R, self.S = (
            MP.matrix([[MP.mpf(v.numerator) / v.denominator for v in row] for row in M])
            for M in (x.A, x.B, x.Q, x.R, x.S)
        )
        self.A, self.B = self.A * root, self.B * root

    def __call__(self, W: Any) -> tuple[Any, Any, Any] | None:
        """C, ∇C and the Riccati equation's answer to P; None where W does not stabilise."""
        L = self.A - self.B * W
        loop = np.array(L.tolist(), dtype=float)
        if not np.isfinite(loop).all() or max(abs(np.linalg.eigvals(loop))) > 1 - 1e-12:
            return None
        P, Sigma = self.Q + W.T * self.R * W, self.S.copy()
        for _ in range(60):
            P, Sigma, L = P + L.T * P * L, Sigma + L * Sigma * L.T, L * L
            if MP.mnorm(L, "f") < MP.mpf(10) ** -60:
                break
        inner = self.R + self.B.T * P * self.B
        slope = 2 * (inner * W - self.B.T * P * self.A) * Sigma
        cost = sum((P * self.S)[i, i] for i in range(P.rows))
        return cost, slope, inner**-1 * self.B.T * P * self.A

    def least(self, W: Any) -> Any:
        """The optimal cost, from above, by Newton's method from a gain that stabilises."""
        best = MP.inf
        for _ in range(60):
            here = self(W)
            if here is None or best - here[0] < MP.mpf(10) ** -40 * here[0]:
                break
            best, W = here[0], here[2]
        return best


def adapted(q: Question, g: Exact, W: Any) -> Any:
    """F(W); None where a gain on the way does not stabilise."""
    for _ in range(q.shots):
        here = g(W)
        if here is None:
            return None
        slope = here[1]
        if q.kind == "normalized":
            slope = slope / MP.mnorm(slope, "f")
        W = W - mpf(q.eta) * slope
    return W


def rows(d: Document, q: Question) -> Any:
    """The gain (m, n) of a document."""
    n, m = q.shape
    value = d["W"]
    if not isinstance(value, list) or len(value) != m:
        raise NoClaimError("W has the wrong shape")
    if not all(isinstance(row, list) and len(row) == n for row in value):
        raise NoClaimError("W has the wrong shape")
    found = MP.matrix([[mpf(number(x)) for x in row] for row in value])
    if not all(MP.isfinite(x) for x in found):
        raise NoClaimError("W is not finite")
    return found


@judge("regret bound")
def regret(d: Document, q: Question) -> str:
    """Σ ω (f(F(W)) − inf f) ≤ gap."""
    if q.shape == (1, 1) and not (isinstance(d["W"], list) and isinstance(d["W"][0], list)):
        return scalar_regret(d, q)
    excess, least = _regret_and_least(q, rows(d, q))
    gap = mpf(number(d["gap"]))
    if excess > gap:
        return f"the regret is {float(excess)!r}"
    return share_of(d, excess, least)


def _regret(q: Question, W: Any) -> Any:
    return _regret_and_least(q, W)[0]


def _regret_and_least(q: Question, W: Any) -> tuple[Any, Any]:
    total, floor = MP.mpf(0), MP.mpf(0)
    for weight, f, g in zip(q.weights, q.f, q.g, strict=True):
        cost = Exact(f)
        moved = adapted(q, Exact(g), W)
        here = None if moved is None else cost(moved)
        if here is None:
            return MP.inf, floor
        least = cost.least(moved)
        total += mpf(weight) * (here[0] - least)
        floor += mpf(weight) * least
    return total, floor


def pointwise_rows(d: Document, q: Question) -> str:
    """W holds a strict minimum, of least value, and the theorem's condition holds there."""
    claim, (n, m) = d["claim"], q.shape
    if number(d["gap"]) < 0:
        return "a gap below zero"
    sharper = claim == "non-singular form"
    if not sharper and (q.kind == "normalized") != (claim in NORMALISED):
        return "another step"
    alike = claim == "theorem 3" or (sharper and q.kind == "normalized")
    if not (q.is_one_task and claim != "theorem 3") and not (alike and proportional(q)):
        return "the tasks are not alike"
    if claim == "theorem 2" and q.f != q.g:
        return "f is not g"
    h = Several(q)
    why, point = listed_anywhere({"W": d["W"], "value": ["-inf", "inf"]}, h, (m, n))
    if point is None:
        return why
    excess = _regret(q, MP.matrix(point[0].tolist()))
    if excess > abs(point[1]) * MP.mpf(10) ** -12:
        return f"h is {float(excess)!r} above its least value"
    gain = point[0]
    for _ in range(q.shots):
        H = _jacobians(lambda V: h.g.slopes(V)[1], gain[None])[0]
        slope = h.g.slopes(gain[None])[1][0]
        moved = _jacobians(lambda V: h._moved(V, 0), gain[None])[0]
        size = float(q.eta) * np.linalg.norm(H, 2)
        if sharper:
            if np.linalg.svd(moved, compute_uv=False)[-1] < 1e-9:
                return "the derivative of a shot is singular"
        elif size >= (1 + 1e-6) * (np.linalg.norm(slope) if q.kind == "normalized" else 1):
            return f"η‖∇²g‖ is {size!r}"
        gain = h._moved(gain[None], 0)[0]
    return ""


@judge("quantitative form")
def quantitative(d: Document, q: Question) -> str:
    """One task: h(W) − inf h ≤ μ‖∇h‖²/Π σ_min(I − η∇²g)² ≤ gap."""
    if q.kind != "gradient" or not q.is_one_task:
        return "not one task and a gradient step"
    W, gap = rows(d, q), mpf(number(d["gap"]))
    excess = _regret(q, W)
    if excess > gap:
        return f"h is {float(excess)!r} above its least value"
    bound = _quantitative(q, np.array(W.tolist(), dtype=float))
    # In float64: what is less than the bound by more than its rounding.
    return f"the bound is {bound!r}" if gap < bound * (1 - 1e-6) else ""


def _quantitative(q: Question, W: np.ndarray) -> float:
    f, g = Floats([q.f[0]]), Floats([q.g[0]])
    eta, factors, gain = float(q.eta), [], W[None]
    for _ in range(q.shots):
        J = np.eye(W.size) - eta * _jacobians(lambda V: g.slopes(V)[1], gain)[0]
        factors.append(J)
        gain = gain - eta * g.slopes(gain)[1][0]
    slope = f.slopes(gain)[1][0].reshape(-1)
    for J in reversed(factors):
        slope = J @ slope
    S, R = f.S[0], f.R[0]
    n = len(S)
    P = scipy.linalg.solve_discrete_are(f.A[0], f.B[0], f.Q[0], R)
    best = np.linalg.solve(R + f.B[0].T @ P @ f.B[0], f.B[0].T @ P @ f.A[0])
    L = f.A[0] - f.B[0] @ best
    Sigma = np.linalg.solve(np.eye(n * n) - np.kron(L, L), S.reshape(-1)).reshape(n, n)
    mu = np.linalg.norm(Sigma, 2) / (4 * np.linalg.eigvalsh(S)[0] ** 2 * np.linalg.eigvalsh(R)[0])
    shrinkage = np.prod([np.linalg.svd(J, compute_uv=False)[-1] for J in factors])
    return float(mu * slope @ slope / shrinkage**2)


# --- many gains, in float64 ------------------------------------------------------------------------


class Floats:
    """LQR costs of several tasks at many gains at once."""

    def __init__(self, numbers: list[Numbers]) -> None:
        roots = [float(x.discount) ** 0.5 for x in numbers]
        self.A, self.B, self.Q, self.R, self.S = (
            [np.array([[float(v) for v in row] for row in getattr(x, key)]) for x in numbers]
            for key in "ABQRS"
        )
        self.A = [A * r for A, r in zip(self.A, roots, strict=True)]
        self.B = [B * r for B, r in zip(self.B, roots, strict=True)]

    def slopes(self, W: Grid, task: int = 0) -> tuple[Grid, Grid]:
        """C (N,) and ∇C (N, m, n); ∞ and NaN where W does not stabilise."""
        A, B, Q, R, S = (x[task] for x in (self.A, self.B, self.Q, self.R, self.S))
        with np.errstate(all="ignore"):
            L = A - B @ W
            ok = np.isfinite(L).all((1, 2))
            L = np.where(ok[:, None, None], L, 2 * np.eye(len(A)))
            ok &= np.abs(np.linalg.eigvals(L)).max(1) < 1 - 1e-13
            L = np.where(ok[:, None, None], L, 0)
            P, Sigma = Q + W.swapaxes(1, 2) @ R @ W, np.broadcast_to(S, L.shape)
            for _ in range(50):
                Lt = L.swapaxes(1, 2)
                P, Sigma, L = P + Lt @ P @ L, Sigma + L @ Sigma @ Lt, L @ L
                if np.abs(L).max(initial=0) < 1e-18:
                    break
            slope = 2 * ((R + B.T @ P @ B) @ W - B.T @ P @ A) @ Sigma
            cost = np.einsum("nij,ji->n", P, S)
        return np.where(ok, cost, np.inf), np.where(ok[:, None, None], slope, np.nan)


class Several:
    """h at many gains (N, m, n)."""

    def __init__(self, q: Question) -> None:
        self.q, self.f, self.g = q, Floats(q.f), Floats(q.g)
        self.exact = [(Exact(f), Exact(g)) for f, g in zip(q.f, q.g, strict=True)]

    def __call__(self, W: Grid) -> Grid:
        total = np.zeros(len(W))
        for task, weight in enumerate(self.q.weights):
            V = W
            for _ in range(self.q.shots):
                V = self._moved(V, task)
            total = total + float(weight) * self.f.slopes(V, task)[0]
        return np.where(np.isnan(total), np.inf, total)

    def _moved(self, V: Grid, task: int) -> Grid:
        """V after a shot."""
        slope = self.g.slopes(V, task)[1]
        if self.q.kind == "normalized":
            slope = slope / np.linalg.norm(slope, axis=(1, 2), keepdims=True)
        return V - float(self.q.eta) * slope

    def gradient(self, W: Grid) -> Grid:
        """∇h (N, m, n)."""
        total = np.zeros(W.shape)
        for task, weight in enumerate(self.q.weights):
            V, factors = W, []
            for _ in range(self.q.shots):
                factors.append(_jacobians(lambda X, task=task: self._moved(X, task), V).swapaxes(1, 2))
                V = self._moved(V, task)
            slope = self.f.slopes(V, task)[1].reshape(len(W), -1, 1)
            for J in reversed(factors):
                slope = J @ slope
            total = total + float(weight) * slope.reshape(W.shape)
        return total

    def precise(self, W: np.ndarray) -> Any:
        """h at one gain, in 100 digits."""
        total = MP.mpf(0)
        gain = MP.matrix(W.tolist())
        for weight, (f, g) in zip(self.q.weights, self.exact, strict=True):
            moved = adapted(self.q, g, gain)
            here = None if moved is None else f(moved)
            if here is None:
                return MP.inf
            total += mpf(weight) * here[0]
        return total

    def newton(self, W: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """A zero of ∇h near W and the Hessian there; None if none is reached."""
        x, shape = W.reshape(-1).copy(), W.shape
        last = np.inf
        for _ in range(30):
            slope = self.gradient(x.reshape(1, *shape)).reshape(-1)
            H = _jacobians(self.gradient, x.reshape(1, *shape))[0]
            if not (np.isfinite(slope).all() and np.isfinite(H).all()):
                return None
            step = np.linalg.lstsq(H, slope, rcond=None)[0]
            size = np.abs(step).max() / (1 + np.abs(x).max())
            if size < 1e-9 or (size < 1e-6 and size >= last):
                return (x - step).reshape(shape), (H + H.T) / 2
            length = min(1.0, 0.1 / size)
            x, last = x - length * step, size
        return None


def _jacobians(function: Any, W: Grid) -> np.ndarray:
    """The derivatives (N, p, p) of a gradient by central differences, extrapolated once."""
    count, p = len(W), W[0].size
    # Along each entry of the gain, steps of ±h and ±h/2, all at once: (N, p, 4).
    h = 2e-4 * (1 + np.abs(W.reshape(count, p)))
    steps = h[:, :, None] * np.array([1.0, -1.0, 0.5, -0.5])
    moved = W.reshape(count, 1, 1, p) + steps[..., None] * np.eye(p)[None, :, None, :]
    slopes = function(moved.reshape(-1, *W.shape[1:])).reshape(count, p, 4, p)
    whole = (slopes[:, :, 0] - slopes[:, :, 1]) / (2 * h[..., None])
    half = (slopes[:, :, 2] - slopes[:, :, 3]) / h[..., None]
    return ((4 * half - whole) / 3).swapaxes(1, 2)


# --- minimisers below a level ------------------------------------------------------------------------

POINTS = {2: 61, 3: 17, 4: 9}
"""Points of the grid along each side, by the number of the gain's entries."""

CLOSE = 1e-8
"""What is taken for a difference between gains: a zero of ∇h is found in float64."""

COARSE = 1e-6
"""The same for the normalised step, whose derivatives are large next to a jump."""


@lru_cache(maxsize=64)
def _met(text: str) -> tuple[Several, list[tuple[np.ndarray, Any]]]:
    """The minima that are met in a box of gains, as (gain, value)."""
    d = json.loads(text)
    h = Several(read_question(d["problem"]))
    centre, axes = (np.array(d["frame"][key], dtype=float) for key in ("centre", "axes"))
    n, m = h.q.shape
    p = n * m
    side = np.linspace(-1, 1, POINTS[p])
    y = np.array(list(itertools.product(side, repeat=p)))
    values = h((centre + y @ axes.T).reshape(-1, m, n)).reshape((POINTS[p],) * p)
    padded = np.pad(values, 1, constant_values=np.inf)
    low = np.isfinite(values)
    for shift in itertools.product((0, 1, 2), repeat=p):
        if set(shift) != {1}:
            low &= values <= padded[tuple(slice(s, s + POINTS[p]) for s in shift)]
    found: list[tuple[np.ndarray, Any]] = []
    for i in np.flatnonzero(low.reshape(-1))[:40]:
        point = minimum(h, (centre + axes @ y[i]).reshape(m, n))
        if point is not None and not any(
            np.abs(point[0] - other).max() < 1e-6 * (1 + np.abs(other).max()) for other, _ in found
        ):
            found.append(point)
    return h, found


def minimum(h: Several, W: np.ndarray) -> tuple[np.ndarray, Any] | None:
    """The strict minimum next to a gain and its value; None if none is reached."""
    found = stationary(h, W)
    return None if found is None or found[2] != "minimum" else found[:2]


def stationary(h: Several, W: np.ndarray) -> tuple[np.ndarray, Any, str] | None:
    """The stationary point next to a gain, its value and kind; None if none is reached."""
    zero = h.newton(W)
    if zero is None:
        return None
    at, H = zero
    spectrum = np.linalg.eigvalsh(H)
    clear = 1e-5 * np.abs(spectrum).max()
    if np.abs(spectrum).min() < clear:
        return None
    kind = "minimum" if spectrum[0] > 0 else "maximum" if spectrum[-1] < 0 else "saddle"
    # One step of Newton's method more, with the gradient of h: its value is then good to 1e-15.
    at = at - np.linalg.solve(H, h.gradient(at[None]).reshape(-1)).reshape(at.shape)
    value = h.precise(at)
    return None if value == MP.inf else (at, value, kind)


def met(problem: Any, frame: Any) -> tuple[Several, list[tuple[np.ndarray, Any]]]:
    """The minima that are met in a box of gains; remembered."""
    return _met(json.dumps({"problem": problem, "frame": frame}, sort_keys=True))


@judge("minimisers below a level")
def below(d: Document, q: Question) -> str:
    """Each listed gain is a minimiser of its value, and none below the level is missing in the box."""
    n, m = q.shape
    p = n * m
    if q.kind != "gradient" or p not in POINTS:
        return "no such claim is made of this problem"
    level = number(d["level"])
    centre, axes = d["frame"]["centre"], d["frame"]["axes"]
    for x in (*centre, *(x for row in axes for x in row)):
        if abs(number(x)) == np.inf:
            raise NoClaimError("the frame is not finite")
    C, X = np.array(centre, float), np.array(axes, float)
    if X.shape != (p, p) or C.shape != (p,) or not abs(np.linalg.det(X)) > 0:
        raise NoClaimError("the frame is none")
    if not isinstance(d["bounded"], bool):
        raise NoClaimError("bounded is neither true nor false")
    h, minima_met = met(d["problem"], d["frame"])
    entries = d["minimisers"]
    if not entries:
        return "nothing is listed"
    points = []
    for entry in entries:
        why, point = listed(entry, h, (m, n), d["frame"])
        if point is None:
            return why
        if any(np.abs(point[0] - other).max() < CLOSE for other, _, _ in points):
            return "one minimiser twice"
        points.append((*point, [pair(x) for x in entry["W"]]))
    minima = [(at, value) for at, value, _ in points]
    for at, value in minima_met:
        y = np.linalg.solve(X, at.reshape(-1) - C)
        if np.abs(y).max() > 1 - 1e-9 or value > mpf(level) * (1 - MP.mpf(10) ** -12):
            continue
        if all(np.abs(at - other).max() > 1e-6 * (1 + np.abs(at).max()) for other, _ in minima):
            return f"a minimum of value {float(value)!r} at {at.tolist()} is not listed"
    if d["bounded"] and _is_larger(h, C, X):
        return "bounded: a gain outside of the box stabilises all tasks"
    margin = MP.mpf(10) ** -15
    # The sentence is about minimisers with h ≤ level: one that is listed above it speaks of no ε.
    values = [value for _, value in minima if value <= mpf(level) * (1 + MP.mpf(10) ** -12)]
    if not values:
        return "the least of the values listed is above the level"
    if d["status"] == "refuted":
        # What is refuted is said of all minima, wherever they lie.
        gap = max(value for _, value in minima) - min(values)
        if gap <= mpf(text_number(d["asked"])):
            return f"status: the minima listed are {float(gap)!r} apart"
        return verdict_on(_widened({**d, "status": "undecided"}, margin), values, True)
    return verdict_on(_widened(d, margin), values, True)


def _widened(d: Document, margin: Any) -> Document:
    """Bounds a little wider: the jury knows a value to 15 digits."""
    changed = dict(d)
    for key in ("minimum", "epsilon"):
        lo, hi = pair(d[key])
        size = float(abs(lo) + abs(d["minimum"][1])) * float(margin)
        changed[key] = [float(lo) - size, float(hi) + size if hi != np.inf else "inf"]
    return changed


def listed(entry: Any, h: Several, shape: tuple[int, int], frame: Any) -> tuple[str, Any]:
    """Why a listed minimiser is none; else the gain and the value."""
    if not isinstance(entry, dict) or set(entry) != {"y", "W", "value", "convex"}:
        raise NoClaimError("a minimiser has other keys")
    W = [pair(x) for x in entry["W"]]
    if len(W) != shape[0] * shape[1]:
        raise NoClaimError("W has the wrong shape")
    # From the middle of y: W may be as wide as one likes, if it holds the gain.
    y = np.array([float(sum(pair(side)) / 2) for side in entry["y"]])
    if not np.isfinite(y).all():
        raise NoClaimError("y is not finite")
    middle = (np.array(frame["centre"], float) + np.array(frame["axes"], float) @ y).reshape(shape)
    return _judged(entry["value"], W, middle, h)


def listed_anywhere(
    entry: Any, h: Several, shape: tuple[int, int], kind: str = "minimum"
) -> tuple[str, Any]:
    """The same of an entry that has rows of bounds of its gain."""
    if not isinstance(entry, dict) or set(entry) - {"kind"} != {"W", "value"}:
        raise NoClaimError("a point has other keys")
    W = [pair(x) for row in entry["W"] for x in row]
    if [len(row) for row in entry["W"]] != [shape[1]] * shape[0]:
        raise NoClaimError("W has the wrong shape")
    middle = np.array([float(a + b) / 2 for a, b in W]).reshape(shape)
    return _judged(entry["value"], W, middle, h, kind)


def _judged(
    value: Any, W: list[Any], middle: np.ndarray, h: Several, kind: str = "minimum"
) -> tuple[str, Any]:
    found = stationary(h, middle)
    if found is None or found[2] != kind:
        return f"no strict {kind} near {middle.tolist()}", None
    point = found[:2]
    for x, (a, b) in zip(point[0].reshape(-1), W, strict=True):
        room = (CLOSE if h.q.kind == "gradient" else COARSE) * (1 + abs(x))
        if not float(a) - room <= x <= float(b) + room:
            return f"a listed gain is off the minimiser at {point[0].tolist()}", None
    lo, hi = pair(value)
    room = abs(point[1]) * MP.mpf(10) ** -15
    if not mpf(lo) - room <= point[1] <= mpf(hi) + room:
        return f"h is {float(point[1])!r} at a listed minimiser", None
    return "", point


def _is_larger(h: Several, centre: np.ndarray, axes: np.ndarray) -> bool:
    """Whether a gain outside of the box stabilises every task before it adapts."""
    p = len(centre)
    rng = np.random.default_rng(0)
    y = rng.uniform(-1, 1, (4000, p))
    side = rng.integers(p, size=len(y))
    y[np.arange(len(y)), side] = rng.choice([-1, 1], len(y)) * (
        1 + 10.0 ** rng.uniform(-6, 0.5, len(y))
    )
    W = (centre + y @ axes.T).reshape(-1, *reversed(h.q.shape))
    finite = np.ones(len(W), bool)
    for task in range(len(h.q.weights)):
        finite &= np.isfinite(h.g.slopes(W, task)[0])
    return bool(finite.any())
