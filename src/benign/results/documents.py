"""Results as JSON documents, and back: a record of what was found; the proof is the certificate.

Every landscape has the same head (problem, verdict, minimum, epsilon, the minimisers by increasing
value, the digests of its certificates) and then says what the list covers in a form of its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benign.errors import BenignError, FileFormatError
from benign.exact.documents import problem_from_json, problem_to_json
from benign.exact.problem import Family, Problem, StepKind, make_step
from benign.folders import About, digest_of
from benign.opening import path_of, read_json, read_jsons
from benign.results.below import LandscapeBelow, ProvedMinimum
from benign.results.landscape import Kind, Landscape
from benign.results.line import (
    LineLandscape,
    OpenInterval,
    StationaryPoint,
    TaskOptimum,
    Undecided,
)
from benign.results.met_documents import MET, met_from, met_to_json, start_from_json, start_to_json
from benign.results.numbers import from_json, number, to_json
from benign.results.observed import ObservedLandscape
from benign.text import clean
from benign.verdict import Status, Verdict
from benign.version import __version__

VERSION = 2

Document = dict[str, Any]

_MALFORMED = (
    BenignError, KeyError, TypeError, ValueError, IndexError, AttributeError, ArithmeticError,
)  # fmt: skip
"""What reading raises over a document that is not what it was; a huge integer overflows."""


def landscape_document(landscape: Landscape) -> Document:
    """All of a landscape but its certificates, as a JSON document."""
    verdict = landscape.verdict
    own, met = landscape.certificate, isinstance(landscape, ObservedLandscape)
    digests = [None if p.certificate is None else p.certificate["digest"] for p in landscape.minimizers]
    return {
        "benign": "landscape",
        "version": VERSION,
        "library": __version__,
        "verdict": {
            "status": verdict.status.value,
            "statement": verdict.statement,
            "reason": verdict.reason,
        },
        "minimum": to_json(landscape.minimum),
        "epsilon": to_json(landscape.epsilon),
        "relative_epsilon": to_json(landscape.relative_epsilon),
        "minimizers": [
            {
                "W": point.W.tolist(),
                "radius": None if point.radius is None else point.radius.tolist(),
                "value": to_json(point.value),
                "kind": point.kind.value,
                "gap": number(point.gap),
            }
            for point in landscape.minimizers
        ],
        "checked": landscape.checked,
        "start": None if landscape.start is None else start_to_json(landscape.start),
        "certificates": digests if own is None or met else [own["digest"]],
        "coverage": _coverage(landscape),
        "problem": problem_to_json(landscape.problem),
        "facts": dict(landscape.facts),
    }


def about_landscape(problem: Problem) -> About:
    """What a directory with a landscape of this problem is about."""
    return About("landscape", digest_of(problem_to_json(problem)), clean(repr(problem)))


def about_radius(problem: Problem) -> About:
    """What a directory with a radius around this problem is about."""
    return About("radius", digest_of(problem_to_json(problem)), clean(repr(problem)))


def about_sweep(what: str, family: Family, kind: StepKind, shots: int) -> About:
    """What a directory with a sweep over step sizes is about."""
    problem = problem_to_json(Problem(family, make_step(kind, 1, shots)))
    words = f"{family!r}, {kind} step, {shots} shot{'' if shots == 1 else 's'}"
    return About(what, digest_of(problem), clean(words))


def read_landscape(
    path: str | os.PathLike[str], certificate: Mapping[str, Any] | None = None
) -> Landscape:
    """The landscape that a landscape.json tells of, nothing computed again.

    Its certificates are read from the files beside it, as `save` wrote them; one that is not there, or
    is another, is left out. What is read is a record, not a proof: that is what `benign.check` is for.

    Args:
        path: the file.
        certificate: that of the landscape, in place of the file beside it.

    Raises:
        FileFormatError: no such file, or not a landscape.
    """
    path = path_of(path, "read_landscape")
    return landscape_at(path, read_document(path), certificate)


def landscape_at(
    path: str | os.PathLike[str], document: Document, certificate: Mapping[str, Any] | None = None
) -> Landscape:
    """The landscape of a document that was read from a file, whose certificates lie beside it.

    Raises:
        FileFormatError: not a landscape.
    """
    if document.get("benign") != "landscape" or document.get("version") != VERSION:
        raise FileFormatError(
            f"{path}: expected a landscape of version {VERSION}, as `benign analyze` writes it"
        )

    def found(number: int, digest: str | None) -> Document | None:
        if digest is None:
            return None
        if certificate is not None:
            return dict(certificate)
        for name in ("certificate.json", f"certificate-{number}.json", *NAMED):
            try:
                beside = read_document(Path(path).parent / name)
            except FileFormatError:
                continue
            if beside.get("digest") == digest:
                return beside
        return None

    try:
        return landscape_from_document(document, found)
    except FileFormatError as error:
        raise FileFormatError(f"{path}: {error}") from None
    except _MALFORMED as error:
        what = f"{type(error).__name__}: {error}"
        raise FileFormatError(f"{path}: not a landscape written by this library ({what})") from error


def landscape_from_document(
    document: Mapping[str, Any], certificate: Callable[[int, str | None], Document | None]
) -> Landscape:
    """What `landscape_document` wrote; `certificate` finds one by its number from 1 and its digest."""
    verdict, digests = document["verdict"], document["certificates"]
    head = {
        "problem": problem_from_json(document["problem"]),
        "minimum": from_json(document["minimum"]),
        "epsilon": from_json(document["epsilon"]),
        "facts": dict(document["facts"]),
        "checked": bool(document["checked"]),
        "start": start_from_json(document.get("start"), certificate),
    }
    kind = document["coverage"]["list"]
    if kind == MET:
        found = [certificate(i, digest) for i, digest in enumerate(digests, start=1)]
        record = document["coverage"]
        head["certificate"] = certificate(1, record.get("refutation"))
        return met_from(record, head, found, certificate(1, record.get("listed")))
    head["verdict"] = Verdict(Status(verdict["status"]), verdict["statement"], verdict["reason"])
    own = head["certificate"] = certificate(1, digests[0]) if digests else None
    if own is not None and own.get("status", verdict["status"]) != verdict["status"]:
        raise FileFormatError(
            f"the verdict here is {clean(str(verdict['status']), 20)!r}, and that of its certificate "
            f"{clean(str(own['status']), 20)!r}: this file was changed"
        )
    if kind == LINE:
        return _line(document["coverage"], head)
    if kind != BELOW:
        raise FileFormatError(f"coverage: unknown list {kind!r}")
    return _below(document["coverage"], head, document["minimizers"], certificate)


NAMED = ("certificate-points.json", "certificate-start.json")
"""Certificates beside a result that have names of their own."""

MAX_BYTES = 200_000_000
"""Largest document of a result that is read."""


def read_documents(path: str | os.PathLike[str]) -> list[Document]:
    """The JSON object of a result, or those of several in a list.

    Raises:
        FileFormatError: as `read_document`.
    """
    return read_jsons(path, MAX_BYTES, "a result")


def read_document(path: str | os.PathLike[str]) -> Document:
    """The JSON object of a result.

    Raises:
        FileFormatError: no such file, none that may be read, or no JSON object.
    """
    return read_json(path, MAX_BYTES, "a result")


# --- what a list covers -----------------------------------------------------------------------

LINE, BELOW = "every stationary point", "local minima below a level"


def _coverage(landscape: Landscape) -> Document:
    if isinstance(landscape, LineLandscape):
        return _line_to_json(landscape)
    if isinstance(landscape, LandscapeBelow):
        return _below_to_json(landscape)
    assert isinstance(landscape, ObservedLandscape)
    return met_to_json(landscape)


def _line_to_json(landscape: LineLandscape) -> Document:
    return {
        "list": LINE,
        "complete": landscape.is_complete,
        "domain": [[to_json(piece.lo), to_json(piece.hi)] for piece in landscape.domain],
        "stationary_points": [_stationary_to_json(point) for point in landscape.stationary_points],
        "undecided": [
            {"W": to_json(u.W), "value": to_json(u.value), "reason": u.reason}
            for u in landscape.undecided
        ],
        "optima": [
            {
                "name": optimum.name,
                "spectral_radius": optimum.spectral_radius,
                "W": to_json(optimum.W),
                "cost": to_json(optimum.cost),
            }
            for optimum in landscape.optima
        ],
    }


def _stationary_to_json(point: StationaryPoint) -> Document:
    record: Document = {
        "kind": point.kind.value,
        "W": to_json(point.at),
        "value": to_json(point.value),
    }
    if point.curvature is not None:
        record["curvature"] = to_json(point.curvature)
    if point.limits is not None:
        record["limits"] = [None if x is None else to_json(x) for x in point.limits]
    if point.multiplicity != 1:
        record["multiplicity"] = point.multiplicity
    return record


def _line(record: Mapping[str, Any], head: Document) -> LineLandscape:
    landscape = LineLandscape(
        domain=tuple(OpenInterval(from_json(a), from_json(b)) for a, b in record["domain"]),
        stationary_points=tuple(_stationary(point) for point in record["stationary_points"]),
        undecided=tuple(
            Undecided(from_json(u["W"]), from_json(u["value"]), u["reason"])
            for u in record["undecided"]
        ),
        **head,
    )
    # A cached property: what was stored takes the place of what would be computed.
    vars(landscape)["optima"] = tuple(
        TaskOptimum(o["name"], o["spectral_radius"], from_json(o["W"]), from_json(o["cost"]))
        for o in record["optima"]
    )
    return landscape


def _stationary(record: Mapping[str, Any]) -> StationaryPoint:
    limits, curvature = record.get("limits"), record.get("curvature")
    sides = None
    if limits is not None:
        left, right = (None if x is None else from_json(x) for x in limits)
        sides = (left, right)
    return StationaryPoint(
        from_json(record["W"]),
        from_json(record["value"]),
        Kind(record["kind"]),
        None if curvature is None else from_json(curvature),
        sides,
        int(record.get("multiplicity", 1)),
    )


def _below_to_json(landscape: LandscapeBelow) -> Document:
    observed = landscape.observed
    return {
        "list": BELOW,
        "complete": landscape.is_complete,
        "asked_level": number(landscape.asked),
        "level": number(landscape.level),
        "bounded": landscape.bounded,
        "region": landscape.region.tolist(),
        "boxes": landscape.boxes,
        "left": landscape.left,
        "interrupted": landscape.interrupted,
        "search": None if observed is None else met_to_json(observed) | {"facts": observed.facts},
    }


def _below(
    record: Mapping[str, Any],
    head: Document,
    minima: Sequence[Any],
    certificate: Callable[[int, str | None], Document | None],
) -> LandscapeBelow:
    search = record["search"]
    observed = None
    if search is not None:
        own = {"problem": head["problem"], "facts": search["facts"]}
        observed = met_from(search, own, (), certificate(1, search.get("listed")))
    return LandscapeBelow(
        asked=float(record["asked_level"]),
        level=float(record["level"]),
        bounded=record["bounded"],
        region=np.array(record["region"], dtype=float),
        proved=tuple(
            ProvedMinimum(np.array(p["W"]), np.array(p["radius"]), from_json(p["value"]))
            for p in minima
        ),
        boxes=int(record["boxes"]),
        left=int(record["left"]),
        interrupted=record["interrupted"],
        observed=observed,
        **head,
    )
