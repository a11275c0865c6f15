"""The picture of an observed landscape: a plane for two parameters, cuts for any other number."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benign.views.contours import draw_plane
from benign.views.scenes import Scene, observed_scene
from benign.views.slices import draw_line, draw_slices

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from benign.results.observed import ObservedLandscape


def draw_observed(landscape: ObservedLandscape) -> Figure | None:
    """The picture of what a search met; None where no minimum gives a cut its place."""
    return draw_scene(observed_scene(landscape))


def draw_scene(scene: Scene) -> Figure | None:
    """A line for one parameter, contours for two, cuts through the best minima for more."""
    parameters = scene.objective.family.m * scene.objective.family.n
    if parameters == 1:
        return draw_line(scene)
    if parameters == 2:
        return draw_plane(scene)
    return draw_slices(scene) if scene.minima else None
