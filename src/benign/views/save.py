"""A landscape on disk: what was proved as JSON, the certificate, the picture; whole files or none."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from benign.files import make_directory, to_text, write_atomically
from benign.results.documents import landscape_document
from benign.results.landscape import Landscape

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def save_landscape(landscape: Landscape, directory: str | os.PathLike[str]) -> list[Path]:
    """Write landscape.json, certificate.json, landscape.png and landscape.svg to a directory.

    All four are made in memory first, and each replaces its predecessor in one move, so that an
    interruption leaves the old file or the new one.

    Args:
        landscape: what `benign.analyze` returned.
        directory: made if it does not exist.

    Returns:
        The paths, in the order above.

    Raises:
        OutputError: the directory cannot be made or written; nothing is left half written.
    """
    from benign.views.plots import draw_landscape

    folder = make_directory(directory)
    contents: dict[str, str | bytes] = {"landscape.json": to_text(landscape_document(landscape))}
    if landscape.certificate:
        contents["certificate.json"] = to_text(landscape.certificate)
    for suffix, picture in render(draw_landscape(landscape)).items():
        contents[f"landscape.{suffix}"] = picture
    return [write_atomically(folder / name, content) for name, content in contents.items()]


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
