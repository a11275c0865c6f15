"""Writing the certificates that `benign.certificates.check` proves again."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from benign.certificates.below import BELOW
from benign.certificates.document import plain, sealed
from benign.certificates.enumeration import ENUMERATION
from benign.certificates.infeasible import INFEASIBLE
from benign.certificates.points import STATIONARY_POINTS
from benign.certificates.spurious import SPURIOUS
from benign.exact.cover import Cover
from benign.exact.documents import problem_to_json
from benign.exact.numbers import written
from benign.exact.problem import Problem

Bounds = Iterable[float]
"""A lower and an upper bound."""


def enumeration_certificate(
    problem: Problem,
    *,
    cover: Cover | None,
    domain: Sequence[tuple[Bounds, Bounds]],
    points: Sequence[Mapping[str, Any]],
    undecided: Sequence[tuple[Bounds, Bounds]],
    minimum: Bounds,
    epsilon: Bounds,
    asked: Fraction,
    status: str,
) -> dict[str, Any]:
    """The claim that a list of stationary points is complete, and what follows for ε."""
    document: dict[str, Any] = {
        "claim": ENUMERATION,
        "problem": problem_to_json(problem),
        "domain": plain(domain),
        "points": plain(points),
        "undecided": [{"W": plain(w), "value": plain(v)} for w, v in undecided],
        "minimum": plain(minimum),
        "epsilon": plain(epsilon),
        "asked": written(asked),
        "status": status,
    }
    if cover is not None:
        document["cover"] = {"points": list(cover.points), "tags": cover.tags}
    return sealed(document)


def minimiser_entry(
    *,
    y: Sequence[Bounds],
    W: Sequence[Bounds],
    value: Bounds,
    convex_centre: Sequence[float],
    convex_radius: Sequence[float],
) -> dict[str, Any]:
    """One listed minimiser.

    Args:
        y: p pairs, a box that holds it in the coordinates of the frame.
        W: p pairs, bounds of the gain's entries, row by row.
        value: bounds of h there.
        convex_centre, convex_radius: of a box |y − centre| ≤ radius that holds y, lies in the domain
            and on which h is strictly convex.
    """
    return {
        "y": plain(list(y)),
        "W": plain(list(W)),
        "value": plain(value),
        "convex": {"centre": list(convex_centre), "radius": list(convex_radius)},
    }


def below_certificate(
    problem: Problem,
    *,
    level: float,
    centre: Sequence[float],
    axes: Sequence[Sequence[float]],
    bounded: bool,
    tree: str,
    minimisers: Sequence[Mapping[str, Any]],
    minimum: Bounds,
    epsilon: Bounds,
    asked: Fraction,
    status: str,
) -> dict[str, Any]:
    """The claim that a list holds every local minimiser with h ≤ level, sealed.

    Args:
        problem: the problem; gradient step, gains of 2 to 4 entries.
        level: c > 0, or infinity.
        centre, axes: the gain's entries, row by row, are centre + axes·y; [−1, 1]^p is the root box.
        bounded: whether the root box holds every gain that stabilises all adaptation plants.
        tree: preorder; a digit d halves a box along y_d, lower half first, a letter is a leaf: its
            meaning is in `benign.certificates.below`.
        minimisers: made by `minimiser_entry`, by increasing value.
        minimum: bounds of the least value; epsilon: `benign.exact.globality.epsilon` of the values.
        asked, status: the ε that was asked for, and "proved", "refuted" or "undecided".
    """
    return sealed(
        {
            "claim": BELOW,
            "problem": problem_to_json(problem),
            "level": plain(float(level)),
            "frame": {"centre": list(centre), "axes": [list(row) for row in axes]},
            "bounded": bounded,
            "tree": tree,
            "minimisers": [dict(entry) for entry in minimisers],
            "minimum": plain(minimum),
            "epsilon": plain(epsilon),
            "asked": written(asked),
            "status": status,
        }
    )


def infeasible_certificate(
    problem: Problem, *, proof: Mapping[str, Any], level: float = math.inf
) -> dict[str, Any]:
    """The claim that h is finite at no gain or, with a finite level, exceeds it at every gain.

    Args:
        problem: the problem.
        proof: its kind, and what that kind needs (`benign.certificates.infeasible`).
        level: c > 0, or infinity.
    """
    return sealed(
        {
            "claim": INFEASIBLE,
            "problem": problem_to_json(problem),
            "level": plain(float(level)),
            "proof": dict(proof),
        }
    )


def spurious_certificate(
    problem: Problem,
    *,
    centre: Sequence[float],
    axes: Sequence[Sequence[float]],
    low: Mapping[str, Any],
    high: Mapping[str, Any],
    asked: Fraction,
) -> dict[str, Any]:
    """The claim that a local minimum is not within `asked` of the global one, as another shows.

    Args:
        problem: the problem; gradient step, gains of 2 to 4 entries.
        centre, axes: the gain's entries, row by row, are centre + axes·y.
        low, high: two minimisers, made by `minimiser_entry`; the value of the second is higher by
            more than `asked`.
        asked: the ε that was asked about.
    """
    proof = {
        "kind": "boxes",
        "frame": {"centre": list(centre), "axes": [list(row) for row in axes]},
        "minimisers": [dict(low), dict(high)],
    }
    return _spurious(problem, proof, asked)


def apart_certificate(
    problem: Problem, *, low: Mapping[str, Any], high: Mapping[str, Any], asked: Fraction
) -> dict[str, Any]:
    """The same claim in any dimension, for both kinds of step.

    Args:
        problem: the problem.
        low, high: two strict minimisers: "W", rows of bounds, and "value", bounds.
        asked: the ε that was asked about.
    """
    return _spurious(problem, {"kind": "points", "minimisers": [dict(low), dict(high)]}, asked)


def points_certificate(problem: Problem, points: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The claim that each entry of a list is a stationary point of its kind and value.

    Args:
        problem: the problem; any dimension, both kinds of step.
        points: entries with "kind", "W", rows of bounds, and "value", bounds; their boxes disjoint.
    """
    return sealed(
        {
            "claim": STATIONARY_POINTS,
            "problem": problem_to_json(problem),
            "points": [dict(entry) for entry in points],
        }
    )


def _spurious(problem: Problem, proof: dict[str, Any], asked: Fraction) -> dict[str, Any]:
    low, high = proof["minimisers"]
    gap = Fraction(high["value"][0]) - Fraction(low["value"][1])
    epsilon = float(gap)
    if Fraction(epsilon) > gap:
        epsilon = math.nextafter(epsilon, 0.0)
    return sealed(
        {
            "claim": SPURIOUS,
            "problem": problem_to_json(problem),
            "proof": proof,
            "epsilon": epsilon,
            "asked": str(asked),
        }
    )
