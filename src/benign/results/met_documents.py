"""What a search met as a part of a JSON document, and back; and where a method would start."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from benign.results.landscape import Kind
from benign.results.met import ObservedPoint, PointProof, Run
from benign.results.numbers import from_json, number, to_json
from benign.results.observed import ObservedLandscape
from benign.results.start import Start

Document = dict[str, Any]

MET = "what a search met"
"""How the list of a search is called."""


def met_to_json(landscape: ObservedLandscape) -> Document:
    """What was met, what of it is proved, and how it was searched."""
    return {
        "list": MET,
        "starts": landscape.starts,
        "converged": landscape.converged,
        "missing_mass": landscape.missing_mass,
        "points": [
            {
                "kind": point.kind.value,
                "W": point.W.tolist(),
                "value": point.height,
                "gradient_norm": point.gradient_norm,
                "eigenvalues": point.eigenvalues.tolist(),
                "hits": point.hits,
                "regret": number(point.regret),
                "rounding": point.rounding,
                **_proof_to_json(point),
            }
            for point in landscape.met
        ],
        "runs": [
            {"start": run.start.tolist(), "point": run.point, "method": run.method}
            for run in landscape.runs
        ],
        **({"remark": landscape.remark} if landscape.remark else {}),
        **({"refutation": own["digest"]} if (own := landscape.certificate) else {}),
        **({"listed": listed["digest"]} if (listed := landscape.listed) else {}),
    }


def _proof_to_json(point: ObservedPoint) -> Document:
    """What is proved of a point, or why nothing is; empty where it was not tried."""
    if point.proof is not None:
        return {"radius": point.proof.radius.tolist(), "enclosed": to_json(point.proof.value)}
    return {"doubt": point.doubt} if point.doubt else {}


def _proof(record: Mapping[str, Any]) -> PointProof | None:
    if "radius" not in record:
        return None
    return PointProof(np.array(record["radius"], dtype=float), from_json(record["enclosed"]))


def met_from(
    record: Mapping[str, Any],
    head: Document,
    certificates: Sequence[Document | None],
    listed: Document | None = None,
) -> ObservedLandscape:
    """What `met_to_json` wrote, with the certificates that were found beside it."""
    met = [
        ObservedPoint(
            W=np.array(p["W"], dtype=float),
            height=p["value"],
            gradient_norm=p["gradient_norm"],
            kind=Kind(p["kind"]),
            eigenvalues=np.array(p["eigenvalues"], dtype=float),
            hits=int(p["hits"]),
            regret=float(p["regret"]),
            rounding=p["rounding"],
            proof=_proof(p),
            doubt=str(p.get("doubt", "")),
        )
        for p in record["points"]
    ]
    runs = tuple(
        Run(np.array(run["start"], dtype=float), run["point"], run["method"]) for run in record["runs"]
    )
    found = ObservedLandscape(
        met=tuple(met),
        missing_mass=record["missing_mass"],
        starts=record["starts"],
        converged=record["converged"],
        runs=runs,
        remark=str(record.get("remark", "")),
        listed=listed,
        **{key: value for key, value in head.items() if key != "verdict"},
    )
    return found.with_certificates(certificates)


def start_to_json(start: Start) -> Document:
    """Where a method would start and what it can lose, its certificate by its digest."""
    return {
        "W": None if start.W is None else start.W.tolist(),
        "where": start.where,
        "gap": number(start.gap),
        "relative": number(start.relative),
        "certificate": None if start.certificate is None else start.certificate["digest"],
        "remark": start.remark,
    }


def start_from_json(
    record: Any, certificate: Callable[[int, str | None], Document | None]
) -> Start | None:
    """What `start_to_json` wrote."""
    if record is None:
        return None
    return Start(
        None if record["W"] is None else np.array(record["W"], dtype=float),
        str(record["where"]),
        float(record["gap"]),
        float(record["relative"]),
        certificate(1, record["certificate"]),
        str(record["remark"]),
    )
