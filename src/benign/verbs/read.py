"""Any result from the file that its `save` wrote."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benign.errors import BenignError, FileFormatError
from benign.opening import exists, is_directory, path_of
from benign.results.documents import landscape_at, read_documents

NAMES = (
    "landscape.json",
    "training.json",
    "recommendation.json",
    "bifurcation.json",
    "radius.json",
)
"""What is looked for in a directory, in turn."""

PLAIN = {
    "results": "the manifest of a directory of results; give the directory",
    "claims": "what `benign reproduce` found of the paper's claims: plain JSON, no result of a verb",
    "adaptation": "what `benign adapt --json` printed: plain JSON; `benign.adapt` gives an object",
}
"""Documents that are for people and other programs."""


def read(path: str | os.PathLike[str]) -> Any:
    """The result in a file that `save` wrote, nothing computed again.

    A landscape comes back equal to the one that was saved, its certificates from the files beside it;
    a training run as what `adapt` needs of it; a certificate as the document that `check` takes; what
    `benign analyze --json` printed for several step sizes as a list.

    Args:
        path: landscape.json, training.json, recommendation.json, bifurcation.json, radius.json, a
            certificate, or a directory of results.

    Raises:
        UsageError: what is no path.
        FileFormatError: no such file, or none that this library wrote.
    """
    place = Path(path_of(path, "read"))
    if is_directory(place):
        found = [place / name for name in NAMES if exists(place / name)]
        if not found:
            raise FileFormatError(f"{place}: there is no {' and no '.join(NAMES)} in this directory")
        place = found[0]
    if place.suffix == ".npz":
        raise FileFormatError(
            f"{place}: the state of a run, or of what is not finished; the verb that wrote it goes on "
            "from it (checkpoint=...), and its result is in the JSON file beside it"
        )
    documents = read_documents(place)
    if len(documents) > 1:
        return [landscape_at(place, document) for document in documents]
    return _result(place, documents[0])


def _result(place: Path, document: dict[str, Any]) -> Any:
    kind = document.get("benign")
    if kind == "training":
        from benign.training.result import read_training

        return read_training(place)
    if kind == "certificate":
        return document
    if kind in ("recommendation", "bifurcation", "radius"):
        return _sweep(place, document)
    if kind in PLAIN:
        raise FileFormatError(f"{place}: {PLAIN[kind]}")
    return landscape_at(place, document)


def _sweep(place: Path, document: dict[str, Any]) -> Any:
    from benign.results.radius import radius_from
    from benign.sweeps.bifurcation import bifurcation_from
    from benign.sweeps.recommendation import recommendation_from

    kind = document["benign"]
    readers: dict[str, Callable[[dict[str, Any]], Any]] = {
        "bifurcation": bifurcation_from,
        "recommendation": recommendation_from,
        "radius": radius_from,
    }
    try:
        return readers[kind](document)
    except (BenignError, KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        what = f"{type(error).__name__}: {error}"
        raise FileFormatError(f"{place}: not a {kind} written by this library ({what})") from error
