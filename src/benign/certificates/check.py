"""The checker: proves the claim of a certificate again, from the document alone.

It imports `benign.rigorous` and nothing that searches; it trusts no number of the document but the
problem and the claim, and its arithmetic is python-flint's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from flint import ctx

from benign.certificates.below import BELOW, FIELDS, prove_below
from benign.certificates.claims import ENUMERATION, VERSION, digest
from benign.certificates.enumeration import prove_enumeration
from benign.certificates.gaps import GAPS, check_gap, is_gap
from benign.certificates.pointwise import CLAIMS, REGRET, prove_point
from benign.certificates.reading import Refused, interval, number
from benign.certificates.verdict import Status, Verdict
from benign.errors import BenignError, CertificateError
from benign.rigorous.problem import Problem, problem_from_json
from benign.rigorous.scalar import scalar_plants

PRECISION = 128
"""Bits of the balls."""

MAX_BYTES = 200_000_000
"""Largest document that is read."""

_KEYS = {
    ENUMERATION: {"domain", "points", "undecided", "minimum", "epsilon", "asked", "status"},
    BELOW: FIELDS,
    **{claim: {"W", "gap"} for claim in (*CLAIMS, *GAPS)},
}


def check(
    document: Mapping[str, Any] | str | Path, progress: Callable[[int, int], None] | None = None
) -> Verdict:
    """Prove a certificate's claim again.

    Args:
        document: the certificate, or the path of its file.
        progress: called now and then with the boxes done and their number, where there are many.

    Returns:
        *proved* with the statement that was proved; *refuted* with the place at which the document
        does not prove its claim, or was altered.

    Raises:
        CertificateError: the file cannot be read, or is no certificate at all.
    """
    body = _read(document) if isinstance(document, (str, Path)) else dict(document)
    if body.get("benign") != "certificate":
        raise CertificateError('this is no certificate: it lacks "benign": "certificate"')
    if type(body.get("version")) is not int or body["version"] != VERSION:
        raise CertificateError(
            f"the certificate has version {body.get('version')!r}; this checker reads {VERSION}"
        )
    claim = body.get("claim")
    try:
        if not isinstance(claim, str) or claim not in _KEYS:
            raise Refused(f"claim: {str(claim)[:40]!r} is not one that can be checked")
        _expect_keys(body, claim)
        with ctx.workprec(PRECISION):
            statement = _prove(body, claim, problem_from_json(body["problem"]), progress)
    except (Refused, BenignError) as error:
        return Verdict(Status.REFUTED, "the certificate proves its claim", str(error))
    return Verdict(Status.PROVED, statement, claim)


def _prove(
    body: dict[str, Any],
    claim: str,
    problem: Problem,
    progress: Callable[[int, int], None] | None,
) -> str:
    if claim == BELOW:
        return prove_below(body, problem, progress)
    if is_gap(problem, claim):
        return check_gap(body, problem)
    scalar_plants(problem)  # refuses what is not scalar, of the wrong sign or out of range
    if claim == ENUMERATION:
        return prove_enumeration(body, problem)
    lo, hi = interval(body, "W")
    proved = prove_point(problem, claim, lo, hi)
    gap = number(body["gap"], "gap")
    if gap < proved.gap or (claim != REGRET and gap != 0):
        raise Refused(f"gap: {gap!r} is less than what is proved, {proved.gap!r}")
    return proved.statement


def _expect_keys(body: dict[str, Any], claim: str) -> None:
    needed = {"benign", "version", "digest", "claim", "problem", *_KEYS[claim]}
    optional = {"cover"} if claim == ENUMERATION else set()
    for key in sorted(needed - set(body)):
        raise Refused(f"{key}: missing")
    for key in sorted(set(body) - needed - optional):
        raise Refused(f"{key}: unknown")
    if body["digest"] != digest(body):
        raise Refused("digest: the document was altered after it was written")


def _read(path: str | Path) -> dict[str, Any]:
    path = Path(path)
    if path.is_dir():
        raise CertificateError(f"{path}: is a directory; name the certificate.json in it")
    try:
        size = path.stat().st_size
        text = "" if size > MAX_BYTES else path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise CertificateError(f"{path}: cannot be read ({reason})") from error
    if size > MAX_BYTES:
        raise CertificateError(f"{path}: larger than {MAX_BYTES // 10**6} MB; no certificate")
    try:
        body = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise CertificateError(f"{path}: is no JSON document ({str(error)[:80]})") from error
    if not isinstance(body, dict):
        raise CertificateError(f"{path}: this is no certificate but a {type(body).__name__}")
    return body


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object in which no key comes twice: readers disagree on which of the two counts."""
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("an object has a key twice")
    return made


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON number")
