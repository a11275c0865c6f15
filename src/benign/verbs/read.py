"""Any result from the file that its `save` wrote."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benign.errors import BenignError, FileFormatError
from benign.opening import exists, is_directory, path_of
from benign.results.documents import read_document, read_landscape

NAMES = (
    "landscape.json",
    "training.json",
    "recommendation.json",
    "bifurcation.json",
    "radius.json",
)
"""What is looked for in a directory, in turn."""


def read(path: str | os.PathLike[str]) -> Any:
    """The result in a file that `save` wrote, nothing computed again.

    A landscape comes back equal to the one that was saved, its certificates from the files beside it;
    a training run as what `adapt` needs of it; a certificate as the document that `check` takes.

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
    document = read_document(place)
    kind = document.get("benign")
    if kind == "training":
        from benign.training.result import read_training

        return read_training(place)
    if kind == "certificate":
        return document
    if kind in ("recommendation", "bifurcation", "radius"):
        return _sweep(place, document)
    return read_landscape(place)


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
