"""Bokeh figures of h along a line and on a plane: zoom with the wheel, values under the pointer.

Text of strangers (names of tasks) gets into a figure as the data of a tooltip only, which Bokeh writes
as text; titles, axes and keys are our own words. Colours are legible on white and on black alike.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benign.errors import UsageError
from benign.text import clean
from benign.views.interactive.fields import Field, LineField, PlaneField

BLUE, ORANGE, GREY, AMBER, PURPLE = "#2b83ba", "#D55E00", "#8a8a8a", "#E69F00", "#CC79A7"
SHAPES: dict[str, tuple[str, str, int]] = {
    "lowest": ("circle", "#009E73", 14),
    "unranked": ("circle", "#ffffff", 14),
    "higher": ("inverted_triangle", ORANGE, 14),
    "saddle": ("x", AMBER, 12),
    "maximum": ("triangle", PURPLE, 11),
    "degenerate": ("diamond", "#bdbdbd", 11),
}
"""Marker, colour and size of each role; what is not named is a square."""

SHADES = 14
"""Colours of a plane, one between two contours."""

NAMED = 28
"""Characters of a task's name in a tooltip."""


def require_bokeh() -> None:
    """Refuse where there is no Bokeh.

    Raises:
        UsageError: it is not installed; the message says what to do.
    """
    from importlib.util import find_spec

    if find_spec("bokeh") is None:
        raise UsageError('Bokeh is not installed; pip install "benign[report]"')


def draw(field: Field, height: int = 460) -> Any:
    """The figure of a field."""
    if isinstance(field, LineField):
        return line_figure(line_sources(field), field, height)
    return plane_figure(plane_sources(field), field, height)


def sources(field: Field) -> dict[str, dict[str, Any]]:
    """The columns of a figure's data, by the names of its sources."""
    return line_sources(field) if isinstance(field, LineField) else plane_sources(field)


# --- data ------------------------------------------------------------------------------------------


def line_sources(field: LineField) -> dict[str, dict[str, Any]]:
    """The columns of a line: `tasks`, `curve` and `spots`."""
    curve: dict[str, Any] = {"W": field.W, "h": field.h, "gap": field.h - field.least}
    for i, row in enumerate(field.tasks):
        curve[f"t{i}"] = row
    return {
        "tasks": {"xs": [field.W] * len(field.tasks), "ys": list(field.tasks)},
        "curve": curve,
        "spots": spot_columns(field.spots),
    }


def plane_sources(field: PlaneField) -> dict[str, dict[str, Any]]:
    """The columns of a plane: `image`, `contours`, `rim`, `stable` and `spots`."""
    (x0, x1), (y0, y1) = field.gx[[0, -1]].tolist(), field.gy[[0, -1]].tolist()
    shade = np.interp(field.h, field.levels, np.linspace(0, SHADES - 1, len(field.levels)))
    shade[~np.isfinite(field.h)] = np.nan
    image: dict[str, Any] = {
        "x": [x0], "y": [y0], "dw": [x1 - x0], "dh": [y1 - y0],
        "shade": [shade.astype(np.float32)], "h": [field.h],
        "gap": [(field.h - field.least).astype(np.float32)],
    }  # fmt: skip
    for i, plane in enumerate(field.entries):
        image[f"w{i}"] = [plane.astype(np.float32)]
    for i, plane in enumerate(field.tasks):
        image[f"t{i}"] = [plane.astype(np.float32)]
    return {
        "image": image,
        "contours": _lines(field, np.minimum(field.h, field.levels[-1] * 2 + 1), field.levels[1:]),
        "rim": _lines(field, np.isfinite(field.h).astype(float), [0.5]),
        "stable": _lines(field, np.minimum(field.rim, 2.0), [1.0]),
        "spots": spot_columns(field.spots),
    }


def _lines(field: PlaneField, z: Any, levels: Any) -> dict[str, Any]:
    """The lines z = level."""
    from contourpy import contour_generator

    maker = contour_generator(x=field.gx, y=field.gy, z=np.ma.masked_invalid(z))
    found: list[Any] = [line for level in levels for line in maker.lines(float(level))]
    return {"xs": [line[:, 0] for line in found], "ys": [line[:, 1] for line in found]}


def spot_columns(spots: Any) -> dict[str, Any]:
    """The points as columns; a fixed shape and colour for each role."""
    looks = [SHAPES.get(spot.role, ("square", GREY, 10)) for spot in spots]
    return {
        "x": [s.x for s in spots],
        "y": [s.y for s in spots],
        "h": [s.h for s in spots],
        "marker": [look[0] for look in looks],
        "fill": [look[1] for look in looks],
        "size": [look[2] for look in looks],
        "words": [s.words for s in spots],
        "gap": [s.gap or "–" for s in spots],
        "number": [str(s.number) if s.number else "" for s in spots],
    }


# --- figures ---------------------------------------------------------------------------------------


def line_figure(data: dict[str, dict[str, Any]], field: LineField, height: int = 460) -> Any:
    """h over W, the tasks' costs thin below it, the points on it."""
    models = _models()
    figure = _figure(height, "gain W", "cost after adaptation", field.x, field.y)
    curve = models.ColumnDataSource(data["curve"], name="curve")
    tasks = models.ColumnDataSource(data["tasks"], name="tasks")
    figure.multi_line("xs", "ys", source=tasks, color=GREY, alpha=0.6, width=1)
    main = figure.line("W", "h", source=curve, color=BLUE, width=3)
    spots = _spots(figure, data["spots"])
    figure.add_tools(_hover(main, line_tips(field), mode="vline"), _spot_hover(spots))
    return figure


def plane_figure(data: dict[str, dict[str, Any]], field: PlaneField, height: int = 460) -> Any:
    """h in shades on a plane of gains, contours, rims, and the points."""
    from bokeh.palettes import Blues9, interp_palette

    models = _models()
    x, y = (field.gx[0], field.gx[-1]), (field.gy[0], field.gy[-1])
    figure = _figure(height, *field.axes, x, y)
    colours = interp_palette(Blues9[1:], SHADES)
    mapper = models.LinearColorMapper(
        palette=colours, low=-0.5, high=SHADES - 0.5, nan_color="rgba(128,128,128,0.25)"
    )
    source = models.ColumnDataSource(data["image"], name="image")
    image = figure.image("shade", x="x", y="y", dw="dw", dh="dh", source=source, color_mapper=mapper)
    for name, style in (
        ("contours", {"color": "#333333", "width": 0.6, "alpha": 0.6}),
        ("rim", {"color": "#777777", "width": 1.4}),
        ("stable", {"color": ORANGE, "width": 1.4, "dash": "dashed"}),
    ):
        figure.multi_line("xs", "ys", source=models.ColumnDataSource(data[name], name=name), **style)
    for path in field.paths:
        figure.line(path[:, 0], path[:, 1], color=PURPLE, width=2.5)
    spots = _spots(figure, data["spots"])
    tips = [(label, f"@w{i}{{0.00000}}") for i, label in enumerate(field.labels)]
    tips += [("h", "@h{0.000000}"), ("above the least h", "@gap{0.000e+0}")]
    tips += _task_tips(field.names)
    figure.add_tools(_hover(image, tips), _spot_hover(spots))
    return figure


def _models() -> Any:
    """Bokeh's models; their many keywords are its own business, and checked when they are made."""
    import bokeh.models

    return bokeh.models


def _figure(height: int, x_label: str, y_label: str, x: Any, y: Any) -> Any:
    import bokeh.plotting

    plotting: Any = bokeh.plotting
    Range1d = _models().Range1d
    made = plotting.figure(
        height=height, sizing_mode="stretch_width", x_range=Range1d(*map(float, x)),
        y_range=Range1d(*map(float, y)), x_axis_label=x_label, y_axis_label=y_label,
        tools="pan,box_zoom,wheel_zoom,reset", active_scroll=None, toolbar_location="above",
        background_fill_color=None, border_fill_color=None, outline_line_color=GREY,
        min_border_left=8, min_border_right=12,
    )  # fmt: skip
    made.toolbar.logo = None
    made.grid.grid_line_color = GREY
    made.grid.grid_line_alpha = 0.25
    for axis in made.axis:
        axis.axis_label_text_color = axis.major_label_text_color = "#6b6b6b"
        axis.axis_line_color = axis.major_tick_line_color = axis.minor_tick_line_color = GREY
        axis.axis_label_text_font_style = "normal"
        axis.axis_label_text_font_size = "13px"
        axis.major_label_text_font_size = "12px"
    return made


def _spots(figure: Any, columns: dict[str, Any]) -> Any:
    source = _models().ColumnDataSource(columns, name="spots")
    drawn = figure.scatter(
        "x", "y", source=source, marker="marker", size="size", fill_color="fill",
        line_color="#1a1a1a", line_width=1.4,
    )  # fmt: skip
    figure.text(
        "x", "y", text="number", source=source, x_offset=9, y_offset=-6, text_font_size="13px",
        text_font_style="bold", text_color="#1a1a1a", text_outline_color="#ffffff",
    )  # fmt: skip
    return drawn


def line_tips(field: LineField) -> list[tuple[str, str]]:
    """What the pointer tells of a line."""
    tips = [("W", "@W{0.000000}"), ("h", "@h{0.000000}"), ("above the least h", "@gap{0.000e+0}")]
    return tips + _task_tips(field.names)


def _task_tips(names: Any) -> list[tuple[str, str]]:
    """Names as labels: what Bokeh would read as markup or as a reference is shown as it is."""
    return [(_label(i, name), f"@t{i}{{0.00000}}") for i, name in enumerate(names)]


def _label(number: int, name: str) -> str:
    return f"cost of {clean(name, NAMED)}" if name else f"cost of task {number}"


def _hover(renderer: Any, tips: list[tuple[str, str]], **settings: Any) -> Any:
    return _models().HoverTool(renderers=[renderer], tooltips=tips, **settings)


def _spot_hover(renderer: Any) -> Any:
    tips = [("", "@words"), ("above min h", "@gap")]
    return _hover(renderer, tips, description="points")
