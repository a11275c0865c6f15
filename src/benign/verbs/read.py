"""Any result from the file that its `save` wrote."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from benign.errors import FileFormatError, UsageError
from benign.results.documents import read_json, read_landscape

NAMES = ("landscape.json", "training.json")
"""What is looked for in a directory, in turn."""


def read(path: str | os.PathLike[str]) -> Any:
    """The result in a file that `save` wrote, nothing computed again.

    A landscape comes back equal to the one that was saved, its certificates from the files beside it;
    a training run as what `adapt` needs of it; a certificate as the document that `check` takes.

    Args:
        path: landscape.json, training.json, a certificate, or a directory of results.

    Raises:
        UsageError: what is no path.
        FileFormatError: no such file, or none that this library wrote.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise UsageError(f"read: expected a path, got {type(path).__name__}")
    path = Path(path)
    if path.is_dir():
        found = [path / name for name in NAMES if (path / name).exists()]
        if not found:
            raise FileFormatError(f"{path}: there is no {' and no '.join(NAMES)} in this directory")
        path = found[0]
    document = read_json(path)
    kind = document.get("benign")
    if kind == "training":
        from benign.training.result import read_training

        return read_training(path)
    if kind == "certificate":
        return document
    return read_landscape(path)
