"""Results on disk: what was proved as JSON, the certificate, the picture; whole files or none."""

from __future__ import annotations

import contextlib
import json
import math
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benign.errors import BenignError, FileFormatError, OutputError
from benign.exact.problem import problem_from_json, problem_to_json
from benign.results.landscape import (
    Enclosure,
    Kind,
    Landscape,
    OpenInterval,
    StationaryPoint,
    TaskOptimum,
    Undecided,
)
from benign.text import clean_json
from benign.verdict import Status, Verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

VERSION = 1
DPI = 150


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


# --- files ------------------------------------------------------------------------------------


def make_directory(directory: str | os.PathLike[str]) -> Path:
    """The directory, made with its parents if need be.

    Raises:
        OutputError: a file is in the way, or permission is lacking.
    """
    path = Path(directory)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise OutputError(
            f"{path}: a file of that name is in the way; name another directory"
        ) from None
    except NotADirectoryError:
        raise OutputError(f"{path}: a part of this path is a file; name another directory") from None
    except (OSError, ValueError) as error:
        raise OutputError(f"{path}: cannot make this directory ({_cause(error)})") from error
    return path


def write_atomically(path: str | os.PathLike[str], content: str | bytes) -> Path:
    """Write a whole file or nothing: to a temporary neighbour, then in one move over the target.

    Raises:
        OutputError: the file cannot be written; the message names the path and the cure.
    """
    path = Path(path)
    data = content.encode() if isinstance(content, str) else content
    # Short and free of the target's name, which may already be as long as a name can be.
    temporary = path.parent / f".benign-{secrets.token_hex(6)}.tmp"
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except (OSError, ValueError) as error:
        raise OutputError(f"{path}: cannot be written ({_cause(error)})") from error
    finally:
        # Where even this fails, the directory itself is gone: nothing of ours is left in it.
        with contextlib.suppress(OSError, ValueError):
            temporary.unlink(missing_ok=True)
    return path


def _cause(error: Exception) -> str:
    """What the system said, and what to do."""
    if isinstance(error, PermissionError):
        return "permission denied; choose a directory you may write to"
    if isinstance(error, FileNotFoundError):
        return "its directory does not exist; make it first"
    if isinstance(error, (IsADirectoryError, NotADirectoryError)):
        return "a directory and a file are mistaken for each other; choose another name"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror.lower()}; free some space or choose another directory"
    return f"{error}; choose another name"


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


# --- JSON -------------------------------------------------------------------------------------


def to_text(document: Mapping[str, Any]) -> str:
    """A JSON document as text, ready for a file."""
    return clean_json(json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)) + "\n"


def enclosure_to_json(value: Enclosure) -> list[float | str] | None:
    """[lo, hi], an infinite end as "inf"; None for a number that does not exist."""
    if math.isnan(value.lo) or math.isnan(value.hi):
        return None
    return [x if math.isfinite(x) else ("inf" if x > 0 else "-inf") for x in value]


def landscape_document(landscape: Landscape) -> dict[str, Any]:
    """All results of a landscape but its certificate, as a JSON document."""
    from benign.version import __version__

    number = enclosure_to_json
    verdict = landscape.verdict
    return {
        "benign": "landscape",
        "version": VERSION,
        "library": __version__,
        "verdict": {
            "status": verdict.status.value,
            "statement": verdict.statement,
            "reason": verdict.reason,
        },
        "epsilon": number(landscape.epsilon),
        "relative_epsilon": number(landscape.relative_epsilon),
        "minimum": number(landscape.minimum),
        "complete": landscape.is_complete,
        "domain": [[number(piece.lo), number(piece.hi)] for piece in landscape.domain],
        "stationary_points": [_point_to_json(point) for point in landscape.stationary_points],
        "undecided": [
            {"W": number(u.W), "value": number(u.value), "reason": u.reason}
            for u in landscape.undecided
        ],
        "optima": [
            {
                "name": optimum.name,
                "spectral_radius": optimum.spectral_radius,
                "W": number(optimum.W),
                "cost": number(optimum.cost),
            }
            for optimum in landscape.optima
        ],
        "problem": problem_to_json(landscape.problem),
        "facts": dict(landscape.facts),
    }


def _point_to_json(point: StationaryPoint) -> dict[str, Any]:
    record: dict[str, Any] = {
        "kind": point.kind.value,
        "W": enclosure_to_json(point.W),
        "value": enclosure_to_json(point.value),
    }
    if point.curvature is not None:
        record["curvature"] = enclosure_to_json(point.curvature)
    if point.limits is not None:
        record["limits"] = [None if x is None else enclosure_to_json(x) for x in point.limits]
    if point.multiplicity != 1:
        record["multiplicity"] = point.multiplicity
    return record


def read_landscape(
    path: str | os.PathLike[str], certificate: Mapping[str, Any] | None = None
) -> Landscape:
    """A landscape from what `save_landscape` wrote, nothing computed again.

    Its certificate is left empty unless given: what is read back is a record, not a proof. The proof
    is the certificate file and `benign.check`.

    Raises:
        FileFormatError: no such file, or not a landscape.
    """
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
        if document["benign"] != "landscape" or document["version"] != VERSION:
            raise FileFormatError(
                f"{path}: expected a landscape of version {VERSION}, as `benign analyze` writes it"
            )
        return _landscape_from_json(document, dict(certificate or {}))
    except FileFormatError:
        raise
    except OSError as error:
        raise FileFormatError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (BenignError, KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        what = f"{type(error).__name__}: {error}"
        raise FileFormatError(f"{path}: not a landscape written by this library ({what})") from error


def _landscape_from_json(document: Mapping[str, Any], certificate: dict[str, Any]) -> Landscape:
    number, verdict = enclosure_from_json, document["verdict"]
    landscape = Landscape(
        problem=problem_from_json(document["problem"]),
        domain=tuple(OpenInterval(number(a), number(b)) for a, b in document["domain"]),
        stationary_points=tuple(_point_from_json(point) for point in document["stationary_points"]),
        undecided=tuple(
            Undecided(number(u["W"]), number(u["value"]), u["reason"]) for u in document["undecided"]
        ),
        minimum=number(document["minimum"]),
        epsilon=number(document["epsilon"]),
        verdict=Verdict(Status(verdict["status"]), verdict["statement"], verdict["reason"]),
        certificate=certificate,
        facts=dict(document["facts"]),
    )
    # A cached property: what was stored takes the place of what would be computed.
    vars(landscape)["optima"] = tuple(
        TaskOptimum(o["name"], o["spectral_radius"], number(o["W"]), number(o["cost"]))
        for o in document["optima"]
    )
    return landscape


def _point_from_json(record: Mapping[str, Any]) -> StationaryPoint:
    number, limits, curvature = enclosure_from_json, record.get("limits"), record.get("curvature")
    sides = None
    if limits is not None:
        left, right = (None if x is None else number(x) for x in limits)
        sides = (left, right)
    return StationaryPoint(
        number(record["W"]),
        number(record["value"]),
        Kind(record["kind"]),
        None if curvature is None else number(curvature),
        sides,
        int(record.get("multiplicity", 1)),
    )


def enclosure_from_json(record: Any) -> Enclosure:
    """What `enclosure_to_json` wrote."""
    if record is None:
        return Enclosure(math.nan, math.nan)
    lo, hi = (float(x) for x in record)
    return Enclosure(lo, hi)
