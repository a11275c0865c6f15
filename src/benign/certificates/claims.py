"""Certificates: what was proved, as small JSON documents.

A certificate holds the problem in exact numbers, the claim, and what a checker needs to prove the
claim again (`benign.certificates.check`). Floats stand for the binary numbers they are; an infinite
bound is the string "inf". The digest guards against accidents, not against forgers: the checker
never trusts it, it proves.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

from benign.rigorous.cover import Cover
from benign.rigorous.problem import Problem, problem_to_json

VERSION = 1
ENUMERATION = "complete enumeration"

Bounds = tuple[float, float]


def enumeration_certificate(
    problem: Problem,
    *,
    cover: Cover | None,
    domain: Sequence[tuple[Bounds, Bounds]],
    points: Sequence[Mapping[str, Any]],
    undecided: Sequence[tuple[Bounds, Bounds]],
    minimum: Bounds,
    epsilon: Bounds,
    asked: Fraction,
    status: str,
) -> dict[str, Any]:
    """The claim that a list of stationary points is complete, and what follows for ε."""
    document: dict[str, Any] = {
        "claim": ENUMERATION,
        "problem": problem_to_json(problem),
        "domain": _plain(domain),
        "points": _plain(points),
        "undecided": [{"W": _plain(w), "value": _plain(v)} for w, v in undecided],
        "minimum": _plain(minimum),
        "epsilon": _plain(epsilon),
        "asked": str(asked),
        "status": status,
    }
    if cover is not None:
        document["cover"] = {"points": list(cover.points), "tags": cover.tags}
    return sealed(document)


def sealed(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with its format, version and digest."""
    body = {"benign": "certificate", "version": VERSION, **document}
    body.pop("digest", None)
    return {**body, "digest": digest(body)}


def digest(document: Mapping[str, Any]) -> str:
    """SHA-256 of the document without its digest, keys sorted."""
    body = {key: value for key, value in document.items() if key != "digest"}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _plain(value: Any) -> Any:
    """Tuples as lists, infinities as strings: what JSON can hold."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return value
