"""The figure that every picture is drawn on: one that a notebook shows without being asked."""

from __future__ import annotations

from matplotlib.figure import Figure


class Picture(Figure):
    """A Matplotlib figure with a picture of its own for notebooks: no magic, no pyplot."""

    def _repr_png_(self) -> bytes:
        from benign.views.save import render

        return render(self)["png"]
