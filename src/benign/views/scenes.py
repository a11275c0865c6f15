"""What a picture of a landscape in several dimensions shows: the objective, the points, the words.

A result is turned into a `Scene` once; contours and slices know scenes and no results. That is what
lets one picture serve what was observed and what was proved.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from benign.text import clean
from benign.views.numbers import outward, step_size

if TYPE_CHECKING:
    from benign.meta.objective import MetaObjective
    from benign.results.observed import ObservedLandscape

Floats = NDArray[np.float64]

Role = Literal["lowest", "higher", "unranked", "saddle", "maximum", "degenerate"]

SAME = 1e-9
"""Minima whose values agree to this, relatively, are all drawn as lowest."""


@dataclass(frozen=True)
class Mark:
    """A point to mark.

    Attributes:
        W: (m, n) gain.  value: h(W).
        role: how it is drawn: a lowest minimum, a higher one, one of which it is not known what lower
            ones there are, or another stationary point.
    """

    W: Floats
    value: float
    role: Role


@dataclass(frozen=True)
class Scene:
    """A landscape to draw.

    Attributes:
        objective: h.
        minima: lowest first; they are numbered from 1.
        others: saddles, maxima, degenerate points that no descent ended at.
        optima: (k, m, n) each task's own optimum, those that exist.
        headline: the verdict in a line.  subtitle: step, tasks and more in a line.
        level: where a proof is complete below a value of h, that value.
        caption: what of it is proved.
    """

    objective: MetaObjective
    minima: tuple[Mark, ...]
    others: tuple[Mark, ...]
    optima: Floats
    headline: str
    subtitle: str
    level: float | None = None
    caption: str = ""


def observed_scene(landscape: ObservedLandscape) -> Scene:
    """The scene of a search."""
    objective = landscape.objective
    minima = landscape.minimizers
    low = minima[0].height if minima else 0.0
    known = set(map(id, minima))

    others: list[Mark] = []
    for point in landscape.points:
        if id(point) in known:
            continue
        kind = point.kind.value
        if kind in ("saddle", "maximum", "degenerate"):
            others.append(Mark(point.W, point.height, kind))
    count = len(minima)
    if landscape.certificate is not None:
        gap = outward(landscape.epsilon.lo, 3, down=True)
        headline = f"Refuted: of {count} local minima met one is proved {gap} above another"
    elif count:
        rise = (
            f", epsilon at least {outward(landscape.spread, 3, down=True)}"
            if landscape.spread > 0
            else ""
        )
        headline = f"Observed: {count} local minim{'um' if count == 1 else 'a'}{rise}"
    else:
        headline = "Observed: no local minimum"
    return Scene(
        objective,
        tuple(Mark(p.W, p.height, role_of(p.height, low)) for p in minima),
        tuple(others),
        task_optima(objective),
        headline,
        f"{setting_of(objective)}   ·   {landscape.starts} starts",
        caption=(
            "Proved: that two of the minima differ in value. All else was met by a search."
            if landscape.certificate is not None
            else "Nothing in this picture is proved: a search met it."
        ),
    )


def role_of(value: float, lowest: float) -> Role:
    """How a minimum is drawn."""
    return "lowest" if value - lowest <= SAME * max(abs(lowest), 1e-300) else "higher"


def task_optima(objective: MetaObjective) -> Floats:
    """(k, m, n) the tasks' own optima, those that exist."""
    from benign.tasks.optima import optima

    gains, costs = optima(objective.family.tasks)
    return gains[np.isfinite(costs)]


def tasks_of(objective: MetaObjective, most: int = 6) -> str:
    """The tasks by their names, the first ones."""
    names = [clean(name, 24) for name in objective.family.names[:most]]
    more = len(objective.family) - len(names)
    return f"Tasks: {', '.join(names)}{f' and {more} more' if more else ''}."


def setting_of(objective: MetaObjective) -> str:
    """Step, tasks, states and inputs in a line."""
    family, step = objective.family, objective.step
    rule = "gradient step" if step.kind == "gradient" else "normalised step"
    k, eta = len(family), step_size(Fraction(float(step.eta)))
    return "   ·   ".join([
        f"{rule}, η = {eta}, {step.shots} shot{'s' if step.shots > 1 else ''}",
        f"{k} task{'s' if k > 1 else ''}, {family.n} state{'s' if family.n > 1 else ''}, "
        f"{family.m} input{'s' if family.m > 1 else ''}",
    ])  # fmt: skip
