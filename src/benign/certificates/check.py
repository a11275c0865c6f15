"""The checker: proves the claim of a certificate again, from the document alone.

Its world is `benign.exact`, `benign.balls` and this folder; it trusts no number of the document but the
problem and the claim, and its arithmetic is python-flint's. What a claim is, each file of
`benign.certificates.registry` says for itself.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flint import ctx

from benign.certificates.claim import Claim, Cost, Progress
from benign.certificates.describe import describe, describe_claim
from benign.certificates.document import VERSION, digest
from benign.certificates.reading import Refused
from benign.certificates.registry import CLAIMS
from benign.errors import BenignError, CertificateError, FileFormatError, UsageError
from benign.exact.documents import problem_from_json
from benign.exact.numbers import seconds_of
from benign.exact.problem import Problem
from benign.opening import read_json
from benign.verdict import Status, Verdict

PRECISION = 128
"""Bits of the balls."""

MAX_BYTES = 64_000_000
"""Largest document that is read: parsed, it may take twenty times as much memory."""

LIMIT = 600.0
"""Seconds that a check may be estimated to take, unless the caller says otherwise."""

MOST_MEGABYTES = 4000.0
"""Memory that a check may be estimated to take; nothing raises this."""


def check(
    document: Mapping[str, Any] | str | os.PathLike[str],
    progress: Progress | None = None,
    *,
    limit: float = LIMIT,
) -> Verdict:
    """Prove a certificate's claim again.

    Args:
        document: the certificate, or the path of its file.
        progress: called now and then with the boxes done and their number, where there are many.
        limit: seconds. What the document is estimated to cost is looked at first; if that is more,
            nothing is done.

    Returns:
        *proved* with the statement that was proved; *refuted* with the place at which the document
        does not prove its claim, or was altered; *undecided* if it would have cost too much.

    Raises:
        CertificateError: the file cannot be read, or is no certificate at all.
    """
    return examine(document, progress, limit=limit).verdict


@dataclass(frozen=True)
class Examined:
    """What a check found.

    Attributes:
        verdict: as `check` returns it.
        problem: what the document is about; None if it cannot be read.
        about: the problem and the claim, in a few lines for people.
    """

    verdict: Verdict
    problem: Problem | None
    about: tuple[str, ...]


def examine(
    document: Mapping[str, Any] | str | os.PathLike[str],
    progress: Progress | None = None,
    *,
    limit: float = LIMIT,
) -> Examined:
    """Check a certificate and say what it is about; arguments and errors are those of `check`."""
    if not isinstance(document, (Mapping, str, os.PathLike)):
        raise UsageError(
            f"check: expected a certificate or the path of one, got {type(document).__name__}"
        )
    limit = seconds_of(limit, "limit")
    body = dict(document) if isinstance(document, Mapping) else _read(document)
    if body.get("benign") != "certificate":
        raise CertificateError('this is no certificate: it lacks "benign": "certificate"')
    if type(body.get("version")) is not int or body["version"] != VERSION:
        raise CertificateError(
            f"the certificate has version {body.get('version')!r}; this checker reads {VERSION}"
        )
    problem, about = None, ()
    try:
        claim = _claim(body)
        problem = problem_from_json(body["problem"])
        about = (*describe(problem), *describe_claim(body, problem))
        verdict = _verdict(claim, body, problem, progress, limit)
    except (Refused, BenignError) as error:
        verdict = Verdict(Status.REFUTED, QUESTION, str(error))
    return Examined(verdict, problem, about)


def _verdict(
    claim: Claim, body: dict[str, Any], problem: Problem, progress: Progress | None, limit: float
) -> Verdict:
    dear = _too_dear(claim.cost(body, problem), limit)
    if dear:
        return Verdict(Status.UNDECIDED, QUESTION, dear)
    with ctx.workprec(PRECISION):
        return Verdict(Status.PROVED, claim.prove(body, problem, progress), claim.name)


QUESTION = "the certificate proves its claim"


def _claim(body: dict[str, Any]) -> Claim:
    """The claim of a document that has just the keys it needs, and is as it was written."""
    name = body.get("claim")
    if not isinstance(name, str) or name not in CLAIMS:
        raise Refused(f"claim: {str(name)[:40]!r} is not one that can be checked")
    claim = CLAIMS[name]
    needed = {"benign", "version", "digest", "claim", "problem", *claim.fields}
    for key in sorted(needed - set(body)):
        raise Refused(f"{key}: missing")
    for key in sorted(set(body) - needed - claim.optional):
        raise Refused(f"{str(key)[:40]!r}: unknown")
    if body["digest"] != digest(body):
        raise Refused("digest: the document was altered after it was written")
    return claim


def cost(document: Mapping[str, Any], problem: Problem | None = None) -> Cost:
    """What `check` estimates that a certificate will cost it.

    Args:
        document: the certificate.
        problem: what it is about, where that has been read already.

    Raises:
        ProblemError: the problem of the document is none.
    """
    problem = problem_from_json(document["problem"]) if problem is None else problem
    return CLAIMS[document["claim"]].cost(document, problem)


def _too_dear(cost: Cost, limit: float) -> str:
    """Why a check is not begun; empty if it is."""
    if cost.megabytes > MOST_MEGABYTES:
        return f"not checked: it would take about {cost.megabytes / 1000:.2g} GB of memory"
    if cost.seconds > limit:
        return (
            f"not checked: it would take about {_duration(cost.seconds)}, and the limit is "
            f"{_duration(limit)}; a higher limit is an option"
        )
    return ""


def _duration(seconds: float) -> str:
    for unit, size in (("years", 3.2e7), ("days", 86400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:.2g} {unit}"
    return f"{seconds:.2g} seconds"


def _read(path: str | os.PathLike[str]) -> dict[str, Any]:
    try:
        return read_json(path, MAX_BYTES, "a certificate")
    except FileFormatError as error:
        raise CertificateError(str(error)) from error
