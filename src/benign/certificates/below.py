"""Proving again that a list holds every local minimiser below a level, in a few dimensions.

The gain is written W = centre + axes·y, y in the root box [−1, 1]^p, which a tree of halvings cuts into
closed boxes B; D is the domain of h, c the level. Each leaf of the tree carries what is true of it:

====  ============================================================================================
`u`   for some task no W in B stabilises its adaptation plant
`o`   for some task the first shot leads from every W in B that stabilises to one that does not
`r`   for some task its adaptation cost is so large on B that no W in B has h ≤ c (`balls.rim`)
`l`   no W in B is in D and has h ≤ c
`g`   B ⊂ D, and ∇h ≠ 0 on B
`s`   the gains that are adapted stabilise, from all W in B, and ∇h ≠ 0 wherever h is finite on B
`n`   B ⊂ D, and v'∇²h v < 0 on B for one v
`m`   B lies in the convex box of a minimiser of the document: that box ⊂ D, and ∇²h ≻ 0 on it
====  ============================================================================================

So a local minimiser in the root box with h ≤ c lies in a leaf `m`, where it is the one of the
document. If the root box holds every gain that stabilises all adaptation plants ("bounded"), {h ≤ c}
lies in the union U of the leaves `g`, `s`, `n` and `m`, a compact set on which the adapted gains are
continuous. Without leaves `s`, U ⊂ D and h is continuous on it. With them h may be infinite on U, but
it is lower semicontinuous if every f is: f is the supremum of its finite horizons, continuous
functions, if they diverge wherever F does not stabilise; they do for S0 ≻ 0 and (A, Q) observable,
because a bounded sum has (Q + F'RF)v = 0 for each eigenvector v of L with √γ|λ| ≥ 1, and then Qv = 0,
Fv = 0, Av = λv. So if h ≤ c anywhere, h attains its least value over U, at a local minimiser, as
gains with smaller values are in U; it is in the list, and its value is inf h. Nothing else is assumed
of how h behaves at the rim of D.
"""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from flint import arb, ctx, fmpq_mat

from benign.balls.box_tests import BoxTests
from benign.balls.boxes import BoxObjective
from benign.balls.lqr import LqrObjective, NotStabilising, least_cost, optimum
from benign.balls.matrices import Unproved
from benign.balls.polynomials import Frame, rational
from benign.balls.rim import Box, Rim
from benign.certificates.below_points import Point, numbers, prove_points
from benign.certificates.below_tree import leaves, read_tree
from benign.certificates.claim import Claim, Cost, Document, Progress
from benign.certificates.comparing import Bounds, within
from benign.certificates.gains import require_well_posed
from benign.certificates.reading import Refused, number, pair
from benign.exact import globality
from benign.exact.definite import is_semidefinite
from benign.exact.numbers import read_written
from benign.exact.problem import Plant, Problem
from benign.exact.rounding import exactly, named
from benign.text import quoted

BELOW = "minimisers below a level"

FIELDS = frozenset(
    {
        "level",
        "frame",
        "bounded",
        "tree",
        "minimisers",
        "minimum",
        "epsilon",
        "asked",
        "status",
    }
)
"""What a certificate of this claim holds besides the claim and the problem."""

PRECISION = 192
"""Bits of all that is done once: polynomials, lower bounds, witnesses."""

MAX_ENTRIES = 4
"""Most entries of the gain."""

MAX_SHOTS = 16
"""Most shots."""

LEAF_SECONDS = {2: 0.001, 3: 0.006, 4: 0.04}
"""What a leaf takes for each task and shot, by the number of the gain's entries."""

DEPTH = 8
"""How often a leaf may be halved when what it says is not shown at once."""

SPARE_HALVINGS, HALVINGS_A_LEAF, HALVINGS_A_POINT = 2000, 1, 200
"""How often boxes may be halved in all, by the leaves and points that a document has: an honest one
needs few, and a hostile one cannot cost thousands of tests a byte."""

MEANING = {
    "u": "no gain of it stabilises some adaptation plant",
    "r": "some adaptation cost is too large on it",
    "o": "some task's first shot leads out of its next stabilising set",
    "l": "no gain of it has h at or below the level",
    "g": "∇h ≠ 0 on it",
    "s": "∇h ≠ 0 on it where h is finite",
    "n": "h is curved downward on it",
    "m": "it lies in the convex box of a listed minimiser",
}


def prove_below(document: Document, problem: Problem, progress: Progress | None = None) -> str:
    """Prove the claim again; the statement proved.

    Args:
        document: the certificate.
        problem: the problem that it states.
        progress: called now and then with the leaves done and their number.

    Raises:
        Refused: the document does not prove what it claims; the message says where.
    """
    p = problem.family.n * problem.family.m
    if problem.step.kind != "gradient":
        raise Refused("problem: this claim is about the gradient step")
    if not 2 <= p <= MAX_ENTRIES or problem.step.shots > MAX_SHOTS:
        raise Refused(f"problem: gains of 2 to {MAX_ENTRIES} entries and {MAX_SHOTS} shots at most")
    require_well_posed(problem)
    level = number(document["level"], "level")
    if not level > 0:
        raise Refused("level: must be positive")
    tree = read_tree(document["tree"], p)
    bounded = document["bounded"]
    if not isinstance(bounded, bool):
        raise Refused("bounded: expected true or false")
    with ctx.workprec(PRECISION):
        try:
            frame = read_frame(document["frame"], problem, p)
            objective = BoxObjective(problem, frame)
        except Unproved as error:
            raise Refused(f"frame: {error}") from None
        if bounded:
            require_bounded(objective)
            if "s" in tree:
                require_semicontinuous(problem)
        entries = document["minimisers"]
        listed = len(entries) if isinstance(entries, list) else 0
        spare = SPARE_HALVINGS + HALVINGS_A_POINT * listed
        tests = BoxTests(objective, None, [arb(0)] * len(problem.tasks), [], spare)
        points = prove_points(document, objective, tests)
        ceiling = None if level == math.inf else arb(level)
        listed = _below_level(points, level)
        tests = _prepared(
            problem, objective, points, ceiling, SPARE_HALVINGS + HALVINGS_A_LEAF * len(tree)
        )
    _prove_leaves(tree, points, tests, p, progress)
    apart = globality.epsilon([point.value for point in points], ())[0] if len(points) > 1 else 0.0
    return _conclusion(document, listed, apart, level, bounded)


def read_frame(value: Any, problem: Problem, p: int) -> Frame:
    """The coordinates of a document.

    Raises:
        Refused: they are none.
    """
    if not isinstance(value, dict) or set(value) != {"centre", "axes"}:
        raise Refused("frame: expected a centre and axes")
    centre = numbers(value["centre"], p, "frame.centre")
    rows = value["axes"]
    if not isinstance(rows, list) or len(rows) != p:
        raise Refused(f"frame.axes: expected {p} rows")
    axes = [numbers(row, p, "frame.axes") for row in rows]
    return Frame.of(centre, axes, problem.family.m, problem.family.n)


def require_bounded(objective: BoxObjective) -> None:
    """The root box holds every gain that stabilises all adaptation plants.

    Each plant's lie in a simplex; so along y_d all of them lie between the greatest of the simplices'
    lower ends and the least of their upper ends.

    Raises:
        Refused: that could not be shown.
    """
    hulls = [plant.cost.vertices for plant in objective.g if plant.cost.vertices is not None]
    if not hulls:
        raise Refused("bounded: shown for one input and a controllable plant only")
    for d in range(objective.p):
        above = any(all(vertex[d] >= -1 for vertex in hull) for hull in hulls)
        below = any(all(vertex[d] <= 1 for vertex in hull) for hull in hulls)
        if not (above and below):
            raise Refused(f"bounded: the root box may miss stabilising gains along y[{d}]")


def is_semicontinuous(problem: Problem) -> bool:
    """Whether leaves `s` may be used: S0 ≻ 0 and (A, Q) observable for every f, decided exactly."""
    return all(_is_semicontinuous(task.f) for task in problem.tasks)


def _is_semicontinuous(plant: Plant) -> bool:
    A, Q = (
        fmpq_mat([[rational(x) for x in row] for row in M])
        for M in (plant.completed.A, plant.completed.Q)
    )
    rows = []
    for _ in range(plant.n):
        rows += Q.tolist()
        Q = Q * A
    return fmpq_mat(rows).rank() == plant.n and is_semidefinite(plant.moment, strict=True)


def require_semicontinuous(problem: Problem) -> None:
    """Refuse leaves `s` where they would not bound the infimum."""
    for task in problem.tasks:
        if not _is_semicontinuous(task.f):
            raise Refused(
                f"tree: leaves 's' bound the infimum only where S0 ≻ 0 and (A, Q) is observable, "
                f"which task {quoted(task.name)} is not"
            )


def _below_level(points: list[Point], level: float) -> list[Point]:
    """The points that may be at or below the level: those that the claim lists.

    The others, at the end, are there for the leaves in their convex boxes, on which h is above them.
    """
    if not points[0].value[1] <= level:
        raise Refused("level: the least of the values listed is not below it")
    return [point for point in points if point.value[0] <= level]


def _prepared(
    problem: Problem,
    objective: BoxObjective,
    points: list[Point],
    level: arb | None,
    halvings: float = math.inf,
) -> BoxTests:
    """The tests of leaves, with what they need to know of each task.

    The first minimiser stabilises every g and its adapted gains every f: the searches for lower
    bounds and for witnesses begin there.
    """
    start = points[0].gain.mid()
    exact_objective = LqrObjective(problem)
    try:
        adapted = exact_objective.adapted(start)
    except (Unproved, NotStabilising) as error:
        raise Refused(f"minimisers[0]: {error}") from None
    least = [least_cost(f, W.mid()) for f, W in zip(exact_objective.f, adapted, strict=True)]
    total = sum((w * x for w, x in zip(objective.weights, least, strict=True)), arb(0))
    rims: list[Rim | None] = []
    for task, g in enumerate(exact_objective.g):
        highest = None
        if level is not None:
            # ω f ≤ c − Σ of the others' ω f*.
            highest = ((level - total) / objective.weights[task] + least[task]).upper()
        try:
            witness = optimum(g, start).gain.mid()
        except (Unproved, NotStabilising):
            witness = start
        try:
            rims.append(Rim(objective, task, witness, highest))
        except (Unproved, NotStabilising):
            rims.append(None)
    return BoxTests(objective, level, least, rims, halvings)


def _prove_leaves(
    tree: str, points: list[Point], tests: BoxTests, p: int, progress: Progress | None
) -> None:
    count = sum(not letter.isdigit() for letter in tree)
    last = points[0]
    for done, (place, letter, (lo, hi)) in enumerate(leaves(tree, p)):
        if progress is not None and done % 64 == 0:
            progress(done, count)
        if letter == "m":
            if not last.holds(lo, hi):
                last = next((point for point in points if point.holds(lo, hi)), last)
            shown = last.holds(lo, hi)
        else:
            shown = tests.shown(letter, Box.between(lo, hi), DEPTH)
        if not shown:
            box = ", ".join(f"[{a!r}, {b!r}]" for a, b in zip(lo, hi, strict=True))
            raise Refused(f"tree: the leaf at {place} is not {letter!r} ({MEANING[letter]}): {box}")
    if progress is not None:
        progress(count, count)


# --- what follows ----------------------------------------------------------------------------


def _conclusion(
    document: Document, points: list[Point], apart: float, level: float, bounded: bool
) -> str:
    """The sentence that is true of the points at or below the level; `apart` is a gap among all."""
    values = [point.value for point in points]
    epsilon = (0.0, 0.0) if len(values) == 1 else globality.epsilon(values, ())
    within(globality.infimum(values, ()), pair(document, "minimum"), "minimum")
    within(epsilon, pair(document, "epsilon"), "epsilon")
    finding = _finding(document, epsilon, apart, level, bounded)
    where = "" if bounded else " in the box of gains that was searched"
    if level == math.inf:
        listed = "local minimiser is" if len(values) == 1 else f"{len(values)} local minimisers are"
        return f"{finding}; the {listed} all there are{where}"
    # A listed one may lie a little above the level, or its value on either side of it.
    listed = "one listed" if len(values) == 1 else f"{len(values)} listed"
    return (
        f"{finding}; besides the {listed}, no local minimiser{where} has h ≤ {named(Fraction(level))}"
    )


def _finding(document: Document, epsilon: Bounds, apart: float, level: float, bounded: bool) -> str:
    asked = read_written(document["asked"]) if isinstance(document["asked"], str) else None
    if asked is None or not 0 <= asked < 2**1000:
        raise Refused("asked: expected a number that is not negative nor huge, as a string")
    status = document["status"]
    if (status == "proved" and not Fraction(epsilon[1]) <= asked) or (
        status == "refuted" and not Fraction(apart) > asked
    ):
        raise Refused(f"status: {status!r} does not follow from epsilon in {list(epsilon)}")
    least = "the global one" if bounded else "the lowest one"
    what = f"is {least}" if asked == 0 else f"is within {exactly(asked)} of {least}"
    # A listed minimiser may lie above the level: it refutes what is said of all, not of those below.
    whose = "" if level == math.inf or status == "refuted" else f" with h ≤ {named(Fraction(level))}"
    place = "" if bounded else " in that box"
    every = f"every local minimum of h{whose}{place} {what}"
    if status == "proved":
        return every
    if status == "refuted":
        return f"not {every}"
    if status == "undecided":
        return f"whether {every} is left open"
    raise Refused(f"status: {str(status)[:40]!r} is no verdict")


def _cost(document: Document, problem: Problem) -> Cost:
    """Each leaf is tested with every task, and halved now and then; the polynomials are made once."""
    n, m, k = problem.family.n, problem.family.m, len(problem.tasks)
    tree = document.get("tree")
    leaves = len(tree) / 2 if isinstance(tree, str) else 0
    points = document.get("minimisers")
    listed = len(points) if isinstance(points, list) else 0
    work = k * problem.step.shots * LEAF_SECONDS.get(n * m, 1.0)
    exact = k * 1e-5 * problem.digits * n**4
    return Cost(seconds=(leaves + 100 * listed) * work + exact * (1 + n * m) ** 4, megabytes=exact)


CLAIM = Claim(BELOW, FIELDS, _cost, prove_below)
