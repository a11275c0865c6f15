"""Checkpoints of training: everything the next step depends on, as arrays and a digest of the problem.

An archive (`benign.archives`): the arrays of the state, the trace so far, and the digest of what was
being trained, so that nothing else is ever gone on with. It replaces its predecessor in one move.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benign.archives import Malformed, field, read_archive
from benign.archives import to_bytes as archive
from benign.errors import FileFormatError
from benign.meta.train import Snapshot
from benign.opening import shortened

if TYPE_CHECKING:
    import os

VERSION = 2
KIND = "benign training checkpoint"

CURE = "remove it, or train without resuming"


def digest_of(settings: Mapping[str, Any], arrays: list[np.ndarray]) -> str:
    """SHA-256 of the settings of a run and the numbers of its tasks and start."""
    body = hashlib.sha256(json.dumps(settings, sort_keys=True, ensure_ascii=False).encode())
    for array in arrays:
        body.update(f"{array.dtype.str}{array.shape}".encode())
        body.update(np.ascontiguousarray(array).tobytes())
    return body.hexdigest()


def to_bytes(snapshot: Snapshot, digest: str) -> bytes:
    """The archive; the same bytes for the same snapshot."""
    about = {"benign": KIND, "version": VERSION, "run": digest, "n": len(snapshot.leaves)}
    arrays = {f"leaf_{i}": np.asarray(leaf) for i, leaf in enumerate(snapshot.leaves)}
    return archive(about, {"rows": snapshot.rows, **arrays})


def write_checkpoint(path: Path, snapshot: Snapshot, digest: str) -> None:
    """Write the archive, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    from benign.files import write_atomically

    write_atomically(path, to_bytes(snapshot, digest))


def is_checkpoint(path: str | os.PathLike[str]) -> bool:
    """Whether a file is a checkpoint of some run, whole and unaltered."""
    try:
        read_archive(path, KIND, VERSION, CURE)
    except FileFormatError:
        return False
    return True


def read_checkpoint(path: str | os.PathLike[str], digest: str) -> Snapshot:
    """The snapshot in an archive of the run with this digest.

    Whether its arrays are those of a state of that run, `Course.resume` says.

    Raises:
        FileFormatError: no such file, not a checkpoint, cut short, altered, or that of another run.
    """
    head, arrays = read_archive(path, KIND, VERSION, CURE)
    if head.get("run") != digest:
        raise FileFormatError(
            f"{shortened(path)}: the checkpoint of another run: its tasks, algorithm, step sizes, "
            "batch, seed or start differ; give its settings again, or another directory"
        )
    try:
        rows = field(arrays, "rows", float, (4, None), low=-np.inf, high=np.inf)
        count = head.get("n")
        if count != len(arrays) - 1 or any(f"leaf_{i}" not in arrays for i in range(len(arrays) - 1)):
            raise Malformed("its arrays are not those of a state")
    except Malformed as error:
        raise FileFormatError(f"{shortened(path)}: {error}; {CURE}") from error
    return Snapshot(tuple(arrays[f"leaf_{i}"] for i in range(len(arrays) - 1)), rows)
