"""Pictures of stored studies: phase diagrams, a value against an axis, algorithms compared."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from textwrap import fill
from typing import TYPE_CHECKING, Any

import numpy as np

from benign.errors import ProblemError
from benign.studies.columns import BENIGN, DONE, NONE, SPURIOUS, UNDECIDED, Column, columns
from benign.text import for_picture, quoted
from benign.views.plots import BLUE, GREEN, GREY, INK, ORANGE, PURPLE, SKY, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from benign.studies.store import Store
    from benign.studies.study import Study

KINDS = ("phase", "lines", "compare")

DERIVED = {
    "benign": "share of families whose local minima are all global",
    "near": "share of families with ε ≤ 1 % of min h",
    "safe": "share of families whose best minimum is safe (ηC'' < 1 for every task)",
    "proved_benign": "share of proved families that are benign",
    "relative_epsilon": "ε / min h",
    "agrees": "share of proofs that agree with what was observed",
}
"""Values that follow from columns, with what they are."""

SHARES = ("benign", "near", "safe", "proved_benign", "agrees", "success")

NEAR = 0.01

SHOWN = {
    "eta": "η",
    "spread": "spread δ",
    "tasks": "number of tasks k",
    "n": "states n",
    "m": "inputs m",
    "normalize": "costs normalised",
}

LINES = (BLUE, ORANGE, GREEN, PURPLE, SKY, GREY, INK)

BINARY = tuple(name for name in SHARES if name != "success")
"""Of which each cell says yes or no."""

WIDE = 1e3
"""What differs by more than this factor is shown on a logarithmic scale."""

MOST_PANELS, MOST_LINES = 6, 7

PERCENT = 1.96
"""Standard errors to each side: 95 %."""


@dataclass(frozen=True)
class Wanted:
    """What is to be drawn: kind, the axes to the right and upwards, the value, and what is apart."""

    kind: str
    x: str
    y: str
    value: str
    by: tuple[str, ...]


def draw_study(store: Store, asked: dict[str, str]) -> Figure:
    """The picture of a stored study.

    Args:
        store: where it is.
        asked: kind, x, y, value, by; what is not asked for is the study's own choice.

    Raises:
        ProblemError: an axis or a value that the study has not.
    """
    study = store.study()
    wanted = _wanted(study, asked)
    values = _values(store, study, wanted.value)
    with style():
        if wanted.kind == "phase":
            return _phase(study, wanted, values)
        return _lines(study, wanted, values)


def _wanted(study: Study, asked: dict[str, str]) -> Wanted:
    said = {**study.picture, **asked}
    names = list(study.axes)
    plain = [name for name in names if name != "seed"]
    default = "phase" if len(plain) > 1 else "lines"
    kind = said.get("kind", "compare" if study.trains else default)
    if kind not in KINDS:
        raise ProblemError(f"kind: {quoted(kind)} is none of {', '.join(KINDS)}")
    x = said.get("x", plain[0] if plain else names[0] if names else "")
    others = [name for name in plain if name != x]
    y = said.get("y", others[0] if others else "") if kind == "phase" else ""
    value = said.get("value", "cost" if study.trains else "benign")
    by = said.get("by", "")
    apart = tuple(name.strip() for name in by.split(",") if name.strip())
    for name, one in (("x", x), ("y", y), *(("by", one) for one in apart)):
        if one and one not in names:
            raise ProblemError(f"{name}: {quoted(one)} is none of the axes {', '.join(names)}")
    if kind == "phase" and not y:
        raise ProblemError("y: a phase diagram needs two axes; choose kind = lines")
    if len({x, y, *apart} - {""}) < len([one for one in (x, y, *apart) if one]):
        raise ProblemError("x, y, by: one axis is named twice")
    return Wanted(kind, x, y, value, apart)


# --- values -----------------------------------------------------------------------------------


def _values(store: Store, study: Study, name: str) -> np.ndarray:
    """Of every cell; NaN where nothing is known."""
    known = {column.name: column for column in columns(study.trains)}
    if name not in known and (name not in DERIVED or study.trains):
        usual = () if study.trains else tuple(DERIVED)
        raise ProblemError(f"value: {quoted(name)} is none of {', '.join((*usual, *known))}")
    done = store.whole("status") == DONE
    with np.errstate(invalid="ignore", divide="ignore"):
        made = _derived(store, name, known)
    return np.where(done, made, np.nan)


def _derived(store: Store, name: str, known: dict[str, Column]) -> np.ndarray:
    if name == "benign":
        verdict = store.whole("verdict")
        return np.where(verdict == NONE, np.nan, verdict == BENIGN)
    if name == "proved_benign":
        proved = store.whole("proved")
        settled = (proved == BENIGN) | (proved == SPURIOUS) | (proved == UNDECIDED)
        return np.where(settled, np.where(proved == UNDECIDED, np.nan, proved == BENIGN), np.nan)
    if name == "agrees":
        agrees = store.whole("agrees").astype(float)
        return np.where(agrees < 0, np.nan, agrees)
    if name in ("relative_epsilon", "near"):
        ratio = store.whole("epsilon") / store.whole("minimum")
        return ratio if name == "relative_epsilon" else np.where(np.isnan(ratio), np.nan, ratio <= NEAR)
    if name == "safe":
        curvature = store.whole("curvature")
        return np.where(np.isnan(curvature), np.nan, curvature < 1)
    values = store.whole(name).astype(float)
    return np.where(values == known[name].fill, np.nan, values) if known[name].kind == "i4" else values


def _ordered(study: Study, values: np.ndarray, *first: str) -> np.ndarray:
    """The values with these axes first, and all others flat behind them."""
    names = list(study.axes)
    order = [names.index(name) for name in first if name]
    rest = [i for i in range(len(names)) if i not in order]
    moved = np.transpose(values, [*order, *rest])
    return moved.reshape(*(study.shape[i] for i in order), prod(study.shape[i] for i in rest))


def _mean(values: np.ndarray) -> np.ndarray:
    """Over the last axis, of what is known; NaN of nothing."""
    count = np.isfinite(values).sum(axis=-1)
    total = np.where(np.isfinite(values), values, 0).sum(axis=-1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _band(values: np.ndarray, is_share: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Middle, low and high over the last axis: a share with its 95 % interval (Wilson), else the median
    and the quantiles .1 and .9.
    """
    known = np.isfinite(values)
    if is_share:
        n, p = np.maximum(known.sum(axis=-1), 1), _mean(values)
        z2 = PERCENT**2 / n
        middle, half = (p + z2 / 2) / (1 + z2), PERCENT * np.sqrt(p * (1 - p) / n + z2 / (4 * n))
        return p, middle - half / (1 + z2), middle + half / (1 + z2)
    found = np.full((3, *values.shape[:-1]), np.nan)
    some = known.any(axis=-1)
    found[:, some] = np.nanquantile(values[some], (0.5, 0.1, 0.9), axis=-1)
    return found[0], found[1], found[2]


# --- phase diagrams ---------------------------------------------------------------------------


def _phase(study: Study, wanted: Wanted, values: np.ndarray) -> Figure:
    from benign.views.figure import Picture

    panels = _apart(study, wanted)[:MOST_PANELS]
    means = _mean(_ordered(study, values, *wanted.by, wanted.y, wanted.x))
    means = means.reshape(-1, *means.shape[-2:])
    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    figure = Picture(figsize=(1.7 + 4.6 * columns, 1.6 + 4.0 * rows), dpi=150, layout="constrained")
    grid = np.atleast_1d(
        figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    ).ravel()
    low, high = _range(means, wanted.value)
    for axes, panel, mean in zip(grid, panels, means, strict=False):
        mesh = _map(axes, study, wanted, mean, low, high)
        if panel:
            axes.set_title(panel, fontsize=11)
    for axes in grid[len(panels) :]:
        axes.set_visible(False)
    bar = figure.colorbar(mesh, ax=list(grid[: len(panels)]), pad=0.02)  # type: ignore[possibly-undefined]
    bar.set_label(_value_label(wanted.value))
    figure.supxlabel(_label(wanted.x), fontsize=11)
    figure.supylabel(_label(wanted.y), fontsize=11)
    figure.suptitle(_title(study), fontsize=12.5, color=INK)
    return figure


def _range(means: np.ndarray, value: str) -> tuple[float, float]:
    if value in SHARES:
        return 0.0, 1.0
    known = means[np.isfinite(means)]
    if not known.size:
        return 0.0, 1.0
    low, high = float(known.min()), float(known.max())
    return low, high if high > low else low + 1


def _map(axes: Axes, study: Study, wanted: Wanted, mean: np.ndarray, low: float, high: float) -> Any:
    x, y = (_numbers(study.axes[name]) for name in (wanted.x, wanted.y))
    for scale, line in ((axes.set_xscale, x), (axes.set_yscale, y)):
        if _is_geometric(line):
            scale("log")
    edges = [_edges(line) for line in (x, y)]
    # What is unknown shows the hatched ground.
    axes.patch.set(facecolor="#f2f2f2", hatch="////", edgecolor=GREY)
    mesh = axes.pcolormesh(
        *edges, np.ma.masked_invalid(mean), cmap="cividis", vmin=low, vmax=high, rasterized=True
    )
    known = mean[np.isfinite(mean)]
    if min(mean.shape) > 2 and known.size and known.max() > known.min():
        levels = [0.1, 0.5, 0.9] if wanted.value in SHARES else np.linspace(low, high, 6)[1:-1]
        levels = [level for level in levels if known.min() < level < known.max()]
        if levels:
            lines = axes.contour(
                x, y, np.ma.masked_invalid(mean), levels=levels, colors="white", linewidths=1.2
            )
            axes.clabel(lines, fmt=lambda level: f"{level:.3g}", fontsize=8.5)
    if not np.isfinite(mean).all():
        axes.plot([], [], " ", label="hatched: unknown")
    for axis, line, name in ((axes.xaxis, x, wanted.x), (axes.yaxis, y, wanted.y)):
        if _is_words(study.axes[name]):
            axis.set_ticks(line, [_said(value) for value in study.axes[name]])
    return mesh


def _edges(line: np.ndarray) -> np.ndarray:
    """Between neighbours, and as far beyond the ends."""
    if len(line) == 1:
        return np.array([line[0] - 0.5, line[0] + 0.5])
    logs = _is_geometric(line)
    line = np.log(line) if logs else line
    mid = (line[:-1] + line[1:]) / 2
    found = np.concatenate([[2 * line[0] - mid[0]], mid, [2 * line[-1] - mid[-1]]])
    return np.exp(found) if logs else found


def _is_words(values: list[Any]) -> bool:
    return not all(isinstance(x, (int, float)) and not isinstance(x, bool) for x in values)


def _numbers(values: list[Any]) -> np.ndarray:
    return np.arange(len(values), dtype=float) if _is_words(values) else np.array(values, dtype=float)


def _is_geometric(line: np.ndarray) -> bool:
    """Whether equal ratios describe the values better than equal differences."""
    if len(line) < 3 or line.min() <= 0 or line.max() < 8 * line.min():
        return False
    gaps, ratios = np.diff(line), np.diff(np.log(line))
    return bool(np.ptp(ratios) / ratios.mean() < np.ptp(gaps) / gaps.mean())


# --- lines ------------------------------------------------------------------------------------


def _lines(study: Study, wanted: Wanted, values: np.ndarray) -> Figure:
    from benign.views.figure import Picture

    lines = _apart(study, wanted)[:MOST_LINES]
    shaped = _ordered(study, values, *wanted.by, wanted.x)
    shaped = shaped.reshape(-1, *shaped.shape[-2:])
    x = _numbers(study.axes[wanted.x])
    is_share = wanted.value in SHARES
    figure = Picture(figsize=(9.0, 5.4), dpi=150, layout="constrained")
    axes = figure.add_subplot()
    words, means = _is_words(study.axes[wanted.x]), []
    for i, (line, found) in enumerate(zip(lines, shaped, strict=False)):
        middle, low, high = (
            _band(found, wanted.value in BINARY) if wanted.kind == "lines" else _interval(found)
        )
        means.append(middle[np.isfinite(middle)])
        colour = LINES[i % len(LINES)]
        label = line or None
        if words:
            at = x + (i - (len(lines) - 1) / 2) * 0.6 / max(1, len(lines))
            axes.errorbar(
                at, middle, [middle - low, high - middle], fmt="o", color=colour, capsize=3, label=label
            )
        else:
            # Lines that lie on one another are all seen: the later ones are thinner.
            width = 1.4 + 0.9 * (len(lines) - 1 - i)
            axes.plot(x, middle, "-o", ms=width + 2, color=colour, lw=width, label=label)
            axes.fill_between(x, low, high, color=colour, alpha=0.15, lw=0)
    if words:
        axes.set_xticks(x, [_said(value) for value in study.axes[wanted.x]], rotation=20, ha="right")
    elif _is_geometric(x):
        axes.set_xscale("log")
    known = np.concatenate(means)
    if is_share:
        axes.set_ylim(-0.03, 1.03)
    elif known.size and known.min() > 0 and known.max() > WIDE * known.min():
        axes.set_yscale("log")
    axes.set_xlabel(_label(wanted.x))
    axes.set_ylabel(_value_label(wanted.value))
    bands = (
        "mean, 95 %"
        if wanted.kind == "compare"
        else "95 %"
        if wanted.value in BINARY
        else "median, quantiles .1 to .9"
    )
    axes.set_title(
        f"{_title(study)}\n({bands}, over {shaped.shape[-1]:,} cells a point)", fontsize=11.5
    )
    if wanted.by:
        axes.legend(fontsize=9.5, ncols=1 if len(lines) < 5 else 2)
    axes.grid(alpha=0.25)
    return figure


def _interval(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The mean with its 95 % interval, over the last axis (Student's t)."""
    from scipy.stats import t

    count = np.isfinite(values).sum(axis=-1)
    mean = _mean(values)
    square = np.where(np.isfinite(values), (values - mean[..., None]) ** 2, 0).sum(axis=-1)
    error = np.sqrt(square / np.maximum(count - 1, 1) / np.maximum(count, 1))
    half = np.where(count > 1, t.ppf(0.975, np.maximum(count - 1, 1)) * error, 0.0)
    return mean, mean - half, mean + half


def _apart(study: Study, wanted: Wanted) -> list[str]:
    """What each panel or line is of."""
    made = [""]
    for name in wanted.by:
        made = [
            f"{one}, {_label(name)} = {_said(x)}".removeprefix(", ")
            for one in made
            for x in study.axes[name]
        ]
    return made


# --- words ------------------------------------------------------------------------------------


def _label(name: str) -> str:
    return for_picture(SHOWN.get(name, name), 40)


def _value_label(name: str) -> str:
    if name in DERIVED:
        return fill(DERIVED[name], 46)
    meanings = {column.name: column.meaning for trains in (False, True) for column in columns(trains)}
    return fill(for_picture(meanings.get(name, name)), 46)


def _title(study: Study) -> str:
    return for_picture(study.title or study.name, 110)


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else for_picture(str(value), 30)
