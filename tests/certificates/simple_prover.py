"""A slow and simple prover for the tests: halves boxes until one of the checker's tests holds.

It shares the tests of boxes with the checker and nothing with the library's own prover, and serves to
make true certificates (and from them false ones); it proves nothing that the checker does not.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from flint import arb, ctx

from benign.balls.box_tests import BoxTests
from benign.balls.boxes import BoxObjective
from benign.balls.lqr import NotStabilising
from benign.balls.matrices import Unproved
from benign.balls.polynomials import Frame
from benign.balls.rim import Box
from benign.certificates.below import PRECISION, _prepared
from benign.certificates.below_points import Point, _convex_ends, _enclosed
from benign.exact import globality
from benign.exact.problem import Problem
from benign.exact.rounding import enclosing_floats
from benign.prove.documents import below_certificate, minimiser_entry

MOST = 20_000
"""Boxes after which the simple prover gives up."""


def bounding_frame(problem: Problem) -> tuple[list[float], list[list[float]]]:
    """A box around the gains that stabilise every adaptation plant, along the gain's entries."""
    p = problem.family.n * problem.family.m
    unit = Frame.of([0.0] * p, np.eye(p).tolist(), problem.family.m, problem.family.n)
    hulls = [BoxObjective(problem, unit).g[t].cost.vertices for t in range(len(problem.tasks))]
    ends = [[[float(v[d].mid()) for v in hull] for hull in hulls] for d in range(p)]
    lo = [max(min(x) for x in ends[d]) for d in range(p)]
    hi = [min(max(x) for x in ends[d]) for d in range(p)]
    centre = [0.5 * (a + b) for a, b in zip(lo, hi, strict=True)]
    radius = [0.5 * (b - a) * (1 + 1e-9) + 1e-12 for a, b in zip(lo, hi, strict=True)]
    return centre, np.diag(radius).tolist()


def minimisers(objective: BoxObjective, starts: int = 60, seed: int = 0) -> list[list[float]]:
    """Minimisers found by descent and Newton's method from random starts, by increasing value."""
    rng, p = np.random.default_rng(seed), objective.p

    def look(y):
        at = objective.box([arb(float(x)) for x in y], [arb(0)] * p, 1)
        try:
            slope = np.array([float(x.centre) for x in objective.gradient(at)])
            bend = objective.hessian(at)
            H = [[float(bend[min(i, j), max(i, j)].centre) for j in range(p)] for i in range(p)]
            return float(objective.value(at).centre), slope, np.array(H)
        except (Unproved, NotStabilising):
            return None

    found: list[tuple[float, np.ndarray]] = []
    for _ in range(starts):
        y = rng.uniform(-1, 1, p)
        now = look(y)
        for _ in range(40):
            if now is None:
                break
            value, slope, H = now
            w, V = np.linalg.eigh(H)
            step = -V @ ((V.T @ slope) / np.maximum(np.abs(w), 1e-9))
            t, new = 1.0, None
            while t > 1e-9:
                new = look(y + t * step)
                if new is not None and new[0] <= value + 1e-4 * t * slope @ step:
                    break
                t *= 0.5
            if new is None or t <= 1e-9:
                break
            y, now = y + t * step, new
            if np.abs(t * step).max() < 1e-14:
                break
        if now is None or np.abs(now[1]).max() > 1e-8 * (1 + abs(now[0])):
            continue
        if np.linalg.eigvalsh(now[2])[0] <= 0 or np.abs(y).max() > 1:
            continue
        if all(np.abs(y - other).max() > 1e-6 for _, other in found):
            found.append((now[0], y))
    return [list(map(float, y)) for _, y in sorted(found, key=lambda x: x[0])]


def prove(
    problem: Problem,
    level: float = math.inf,
    frame: tuple[list[float], list[list[float]]] | None = None,
    bounded: bool = True,
    points: list[list[float]] | None = None,
):
    """A certificate; the level, frame and bounded as in the document, points near its minimisers."""
    p = problem.family.n * problem.family.m
    with ctx.workprec(PRECISION):
        centre, axes = bounding_frame(problem) if frame is None else frame
        objective = BoxObjective(problem, Frame.of(centre, axes, problem.family.m, problem.family.n))
        ceiling = None if level == math.inf else arb(level)
        tests = BoxTests(objective, None, [arb(0)] * len(problem.tasks), [])
        if points is None:
            points = minimisers(objective)
        entries, convex, values = [], [], []
        for y in points:
            entry, value, ends = _entry(objective, tests, y)
            if value[0] <= level:
                entries.append(entry)
                convex.append(ends)
                values.append(value)
        start = objective.frame.gain([arb(x) for x in points[0]])
        tests = _prepared(problem, objective, [Point(start, values[0], (), ())], ceiling)
        tree = _tree(tests, convex, p)
    epsilon = (0.0, 0.0) if len(values) == 1 else globality.epsilon(values, ())
    status = "proved" if epsilon[1] <= 0 else "refuted" if epsilon[0] > 0 else "undecided"
    return below_certificate(
        problem,
        level=level,
        centre=centre,
        axes=axes,
        bounded=bounded,
        tree=tree,
        minimisers=entries,
        minimum=globality.infimum(values, ()),
        epsilon=epsilon,
        asked=Fraction(0),
        status=status,
    )


def _entry(objective, tests, y):
    wide = [(x - 1e-9, x + 1e-9) for x in y]
    own, gain, h = _enclosed(wide, "point", objective)
    sides = [enclosing_floats(x) for x in own]
    value = enclosing_floats(h)
    radius = 0.25
    while not tests.shown("convex", Box([arb(x) for x in y], [arb(radius)] * len(y)), 2):
        radius *= 0.7
    entry = minimiser_entry(
        y=sides,
        W=[enclosing_floats(x) for x in gain.entries()],
        value=value,
        convex_centre=y,
        convex_radius=[radius] * len(y),
    )
    return entry, value, _convex_ends(entry, "point", len(y))


def _tree(tests: BoxTests, convex, p: int) -> str:
    made: list[str] = []
    stack = [((-1.0,) * p, (1.0,) * p)]
    while stack:
        assert len(made) < MOST, "too many boxes"
        lo, hi = stack.pop()
        box = Box.between(lo, hi)
        if any(
            all(a <= x for a, x in zip(low, lo, strict=True))
            and all(x <= b for x, b in zip(hi, high, strict=True))
            for low, high in convex
        ):
            made.append("m")
            continue
        letter = next((x for x in "uorglsn" if tests.shown(x, box, 0)), None)
        if letter is not None:
            made.append(letter)
            continue
        d = tests._side(box)
        made.append(str(d))
        middle = 0.5 * (lo[d] + hi[d])
        upper = tuple(middle if i == d else x for i, x in enumerate(lo))
        lower = tuple(middle if i == d else x for i, x in enumerate(hi))
        stack += [(upper, hi), (lo, lower)]
    return "".join(made)


def around(problem: Problem, grow: float, multiple: float, size: float = 0.8, most: int = 2):
    """A certificate for a box around the lowest minimisers, below a multiple of the least value."""
    p = problem.family.n * problem.family.m
    with ctx.workprec(128):
        frame = Frame.of([0.0] * p, (size * np.eye(p)).tolist(), problem.family.m, problem.family.n)
        objective = BoxObjective(problem, frame)
        with ctx.workprec(64):
            found = minimisers(objective, 20)
        at = objective.box([arb(x) for x in found[0]], [arb(0)] * p, 1)
        least = float(objective.value(at).centre)
    W = size * np.array(found[:most])
    centre = (W.max(axis=0) + W.min(axis=0)) / 2
    radius = ((W.max(axis=0) - W.min(axis=0)) / 2 * 1.1 + 0.02) * grow
    box = (centre.tolist(), np.diag(radius).tolist())
    points = [list((w - centre) / radius) for w in W]
    return prove(problem, multiple * least, box, bounded=False, points=points)
