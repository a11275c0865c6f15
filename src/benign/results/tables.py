"""A landscape's points as a table of other libraries: pandas, xarray."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from benign.errors import UsageError

if TYPE_CHECKING:
    from benign.results.landscape import Landscape


def frame(landscape: Landscape) -> Any:
    """A row for each point, by increasing value: kind, bounds of h, gap, the gain's entries.

    Raises:
        UsageError: pandas is not installed.
    """
    try:
        import pandas
    except ImportError:
        raise UsageError("to_frame: pandas is not installed; pip install pandas") from None
    m, n = landscape.problem.family.m, landscape.problem.family.n
    rows = [
        {
            "kind": point.kind.value,
            "h": point.value.mid,
            "h_low": point.value.lo,
            "h_high": point.value.hi,
        }
        | {"gap": point.gap}
        | {f"W[{i},{j}]": float(point.W[i, j]) for i in range(m) for j in range(n)}
        for point in landscape.points
    ]
    return pandas.DataFrame(rows)


def dataset(landscape: Landscape) -> Any:
    """Over the points by increasing value: W (point, input, state), h, their radii, kind, gap.

    Raises:
        UsageError: xarray is not installed.
    """
    try:
        import xarray
    except ImportError:
        raise UsageError("to_xarray: xarray is not installed; pip install xarray") from None
    points, family = landscape.points, landscape.problem.family
    shape = (len(points), family.m, family.n)
    gain = ("point", "input", "state")
    radius = [np.full(shape[1:], np.nan) if p.radius is None else p.radius for p in points]
    return xarray.Dataset(
        {
            "W": (gain, np.array([p.W for p in points], dtype=float).reshape(shape)),
            "W_radius": (gain, np.array(radius, dtype=float).reshape(shape)),
            "h": ("point", [p.value.mid for p in points]),
            "h_radius": ("point", [p.value.radius for p in points]),
            "gap": ("point", [p.gap for p in points]),
            "kind": ("point", [p.kind.value for p in points]),
        },
        attrs={"verdict": str(landscape.verdict), "epsilon": list(landscape.epsilon)},
    )
