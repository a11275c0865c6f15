"""The form of a certificate: a small JSON document with its format, version and digest.

A certificate holds the problem in exact numbers, the claim, and what a checker needs to prove the
claim again (`benign.certificates.check`). Floats stand for the binary numbers they are; an infinite
bound is the string "inf". The digest guards against accidents, not against forgers: the checker
never trusts it, it proves.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

VERSION = 1


def sealed(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with its format, version and digest."""
    body = {"benign": "certificate", "version": VERSION, **document}
    body.pop("digest", None)
    return {**body, "digest": digest(body)}


def digest(document: Mapping[str, Any]) -> str:
    """SHA-256 of the document without its digest, keys sorted."""
    body = {key: value for key, value in document.items() if key != "digest"}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "sha256:" + hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def plain(value: Any) -> Any:
    """Tuples and enclosures as lists, infinities as strings: what JSON can hold."""
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return [plain(item) for item in value]
    if isinstance(value, float) and math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return value
