"""A landscape on disk: what was proved as JSON, the certificate, the picture; whole files or none."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benign.clock import NO_LIMIT, Clock, beside
from benign.errors import BudgetError
from benign.files import to_text
from benign.folders import save_all
from benign.results.documents import about_landscape, landscape_document
from benign.results.landscape import Landscape

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def save_landscape(
    landscape: Landscape, directory: str | os.PathLike[str], clock: Clock = NO_LIMIT
) -> list[Path]:
    """Write landscape.json, the certificates, landscape.png and landscape.svg to a directory.

    Each is made in memory first and replaces its predecessor in one move, so that an interruption
    leaves the old file or the new one; the picture comes last.

    Args:
        landscape: what `benign.analyze` returned.
        directory: made if it does not exist.
        clock: the time there is for the picture; without enough of it there is none.

    Returns:
        The paths, in the order above, the manifest last.

    Raises:
        OutputError: the directory cannot be made or written, or holds the results of another problem;
            nothing is left half written.
    """
    contents: dict[str, str | bytes] = {"landscape.json": to_text(landscape_document(landscape))}
    if landscape.certificate is not None:
        contents["certificate.json"] = to_text(landscape.certificate)
    listed = getattr(landscape, "listed", None)
    if listed is not None:
        contents["certificate-points.json"] = to_text(listed)
    if landscape.start is not None and landscape.start.certificate is not None:
        contents["certificate-start.json"] = to_text(landscape.start.certificate)
    for number, point in enumerate(landscape.minimizers, start=1):
        if point.certificate is not None and point.certificate is not landscape.certificate:
            contents[f"certificate-{number}.json"] = to_text(point.certificate)

    def pictures() -> dict[str, bytes]:
        with suppress(BudgetError):
            return beside(clock, "the picture", lambda: _pictures(landscape))
        return {}

    return save_all(directory, about_landscape(landscape.problem), contents, pictures)


def _pictures(landscape: Landscape) -> dict[str, bytes]:
    figure = landscape.plot()
    made = {} if figure is None else render(figure)
    return {f"landscape.{suffix}": data for suffix, data in made.items()}


def render(figure: Figure) -> dict[str, bytes]:
    """The figure as PNG and SVG, {"png": …, "svg": …}; the same bytes for the same figure."""
    import io

    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    from benign.views.plots import style

    with style():
        png, svg = io.BytesIO(), io.BytesIO()
        FigureCanvasAgg(figure).print_png(png, metadata={"Software": None})
        FigureCanvasSVG(figure).print_svg(svg, metadata={"Date": None})
    return {"png": png.getvalue(), "svg": svg.getvalue()}


def png(result: Any) -> bytes | None:
    """The picture of a result for a notebook; None where there is none."""
    figure = result.plot()
    return None if figure is None else render(figure)["png"]
