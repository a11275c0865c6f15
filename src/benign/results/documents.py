"""Results as JSON documents, and back: a record of what was found; the proof is the certificate."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benign.errors import BenignError, FileFormatError
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
from benign.verdict import Status, Verdict
from benign.version import __version__

VERSION = 1


def enclosure_to_json(value: Enclosure) -> list[float | str] | None:
    """[lo, hi], an infinite end as "inf"; None for a number that does not exist."""
    if math.isnan(value.lo) or math.isnan(value.hi):
        return None
    return [x if math.isfinite(x) else ("inf" if x > 0 else "-inf") for x in value]


def landscape_document(landscape: Landscape) -> dict[str, Any]:
    """All results of a landscape but its certificate, as a JSON document."""
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
