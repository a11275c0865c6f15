"""What is drawn while a slider moves: h on a grid, the points that a glance meets, words for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from benign.meta.given import meta_objective
from benign.results.landscape import Kind
from benign.searches import glance
from benign.views.grids import values
from benign.views.interactive.fields import (
    Field,
    LineField,
    Spot,
    line_field,
    plane_field,
)
from benign.views.numbers import short
from benign.views.scenes import Mark, Scene, role_of, task_optima

if TYPE_CHECKING:
    from benign.explorer.draft import Draft
    from benign.meta.objective import MetaObjective
    from benign.searches.glance import Met

SIDE = 80
"""Points along a side of a plane, while it moves."""

POINTS = 500
"""Points along a line."""


@dataclass(frozen=True)
class View:
    """What part of the gains is drawn: x, and y for two parameters."""

    x: tuple[float, float]
    y: tuple[float, float] | None = None


@dataclass(frozen=True)
class Look:
    """A landscape as it is drawn.

    Attributes:
        objective: h.  view: what part of it.  field: the picture.
        minima: (W, h) by increasing h, as they were met; observed, not proved.
        words: what was met, in a sentence.
    """

    objective: MetaObjective
    view: View
    field: Field
    minima: tuple[tuple[str, float], ...]
    words: str


def look(draft: Draft, view: View | None = None) -> Look:
    """The landscape of a draft; the part of it that is shown is chosen anew without a `view`.

    Raises:
        ProblemError: the numbers are none of a problem.
    """
    problem = draft.problem
    h = meta_objective(problem)
    if draft.parameters == 1:
        view = view or _line_view(draft)
        met = glance.on_a_line(problem, h)
        minima = sorted((p for p in met if p.kind is Kind.MINIMUM), key=lambda p: p.value)
        field: Field = line_field(problem, view.x, _spots(met, minima), POINTS)
    else:
        view = view or _plane_view(h)
        assert view.y is not None
        met = glance.on_a_plane(h, view.x, view.y)
        minima = [p for p in met if p.kind is Kind.MINIMUM]
        field = _plane(h, view, met, minima)
    entries = tuple((" ".join(short(x, 6) for x in p.W), p.value) for p in minima)
    words = _words(minima, field)
    if draft.kind == "normalized":
        words += " A minimum at a jump is not seen by a glance."
    return Look(h, view, field, entries, words)


def path(look: Look, at: tuple[float, ...]) -> np.ndarray:
    """A gradient descent from a click, as points of the picture, (T, 2)."""
    gains = np.array(at[: 1 if isinstance(look.field, LineField) else 2])
    track = glance.path(glance.field_of(look.objective, look.view.x, look.view.y), gains)
    if len(track) == 0 or not isinstance(look.field, LineField):
        return track.reshape(-1, 2)
    h = values(look.objective, track[:, :, None])
    return np.column_stack([track[:, 0], h])


def _line_view(draft: Draft) -> View:
    lo, hi = glance.stabilising(draft.problem)
    if not (np.isfinite(lo) and np.isfinite(hi) and lo < hi):
        lo, hi = -1.0, 1.0
    margin = 0.03 * (hi - lo)
    return View((lo - margin, hi + margin))


def _scene(
    h: MetaObjective, minima: list[Met], others: list[Met], optima: np.ndarray | None = None
) -> Scene:
    shape = (h.family.m, h.family.n)
    low = minima[0].value if minima else 0.0
    marks = tuple(Mark(p.W.reshape(shape), p.value, role_of(p.value, low)) for p in minima)
    rest = tuple(
        Mark(p.W.reshape(shape), p.value, p.kind.value)  # type: ignore[arg-type]
        for p in others
    )
    best = np.empty((0, *shape)) if optima is None else optima
    return Scene(h, marks, rest, best, "", "")


def _plane_view(h: MetaObjective) -> View:
    """Around the tasks' optima first, then around what a glance meets there."""
    from benign.views.contours import choose_window, whole_plane

    optima = task_optima(h)
    scene = _scene(h, [], [], optima)
    plane = whole_plane(scene)
    window = choose_window(scene, plane)
    for _ in range(2):
        met = glance.on_a_plane(h, window.x, window.y)
        minima = [p for p in met if p.kind is Kind.MINIMUM]
        if not minima:
            break
        saddles = [p for p in met if p.kind is Kind.SADDLE]
        window = choose_window(_scene(h, minima, saddles, optima), plane)
    return View(_floats(window.x), _floats(window.y))


def _floats(ends: tuple[float, float]) -> tuple[float, float]:
    return float(ends[0]), float(ends[1])


def _plane(h: MetaObjective, view: View, met: list[Met], minima: list[Met]) -> Field:
    from benign.views.contours import Window, whole_plane

    assert view.y is not None
    scene = _scene(h, minima, [p for p in met if p.kind is not Kind.MINIMUM])
    heights = [p.value for p in met if p.kind in (Kind.MINIMUM, Kind.SADDLE)] or [1.0]
    low, high = min(heights), min(max(heights), 9 * abs(min(heights)))
    top = low + max(2.5 * (high - low), 0.4 * abs(low), 1e-300)
    window = Window(view.x, view.y, top)
    axes = ("gain W₁", "gain W₂")
    return plane_field(
        scene, whole_plane(scene), window, axes, [""] * len(minima), side=SIDE, with_tasks=False
    )


def _spots(met: list[Met], minima: list[Met]) -> list[Spot]:
    spots = []
    for point in met:
        number, role = 0, point.kind.value
        if point.kind is Kind.MINIMUM:
            number = 1 + next(i for i, other in enumerate(minima) if other is point)
            role = role_of(point.value, minima[0].value)
        words = f"{point.kind.value}, h = {point.value:.9g}"
        spots.append(Spot(float(point.W[0]), point.value, point.value, role, words, "", number))
    return spots


def _words(minima: list[Met], field: Field) -> str:
    if not np.isfinite(field.h).any():
        return "Observed: h is finite at no gain that is shown."
    if not minima:
        return "Observed: no local minimum where h is shown."
    low, high = minima[0].value, minima[-1].value
    if len(minima) == 1:
        return f"Observed: one local minimum, h = {low:.9g}."
    if high - low <= 1e-9 * abs(high):
        return f"Observed: {len(minima)} local minima, all with h = {low:.9g}."
    return (
        f"Observed: {len(minima)} local minima, the worst {high - low:.4g} above the best "
        f"({100 * (high - low) / abs(low):.3g} % of it)."
    )
