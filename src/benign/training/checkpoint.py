"""Checkpoints of training: everything the next step depends on, as arrays and a digest of the problem.

An .npz archive without pickle: the arrays of the state, the trace so far, and the digest of what was
being trained, so that nothing else is ever gone on with. It replaces its predecessor in one move.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benign.errors import FileFormatError
from benign.meta.train import Snapshot

if TYPE_CHECKING:
    import os

VERSION = 1
KIND = "benign training checkpoint"

_MALFORMED = (
    OSError, EOFError, KeyError, TypeError, ValueError, AttributeError, RuntimeError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What NumPy, zipfile and json raise over bytes that are not what they were."""


def digest_of(settings: Mapping[str, Any], arrays: list[np.ndarray]) -> str:
    """SHA-256 of the settings of a run and the numbers of its tasks and start."""
    body = hashlib.sha256(json.dumps(settings, sort_keys=True, ensure_ascii=False).encode())
    for array in arrays:
        body.update(f"{array.dtype.str}{array.shape}".encode())
        body.update(np.ascontiguousarray(array).tobytes())
    return body.hexdigest()


def to_bytes(snapshot: Snapshot, digest: str) -> bytes:
    """The archive; the same bytes for the same snapshot."""
    head = json.dumps({"benign": KIND, "version": VERSION, "digest": digest, "n": len(snapshot.leaves)})
    arrays = {f"leaf_{i}": leaf for i, leaf in enumerate(snapshot.leaves)}
    buffer = io.BytesIO()
    text = np.frombuffer(head.encode(), np.uint8)
    np.savez(buffer, allow_pickle=False, head=text, rows=snapshot.rows, **arrays)
    return buffer.getvalue()


def write_checkpoint(path: Path, snapshot: Snapshot, digest: str) -> None:
    """Write the archive, whole or not at all.

    Raises:
        OutputError: it cannot be written.
    """
    from benign.files import write_atomically

    write_atomically(path, to_bytes(snapshot, digest))


def read_checkpoint(path: str | os.PathLike[str], digest: str) -> Snapshot:
    """The snapshot in an archive of the run with this digest.

    Raises:
        FileFormatError: no such file, not a checkpoint, cut short, or that of another run.
    """
    try:
        # Read whole first: an archive that turns out to be none would leave the file open.
        data = io.BytesIO(Path(path).read_bytes())
        with np.load(data, allow_pickle=False) as archive:
            head = json.loads(archive["head"].tobytes())
            if head["benign"] != KIND or head["version"] != VERSION:
                raise FileFormatError(f"{path}: not a checkpoint of this version of the library")
            found, count = head["digest"], int(head["n"])
            leaves = tuple(archive[f"leaf_{i}"] for i in range(count))
            rows = archive["rows"]
    except FileFormatError:
        raise
    except FileNotFoundError as error:
        raise FileFormatError(f"{path}: there is no checkpoint") from error
    except _MALFORMED as error:
        raise FileFormatError(
            f"{path}: not a checkpoint, or one that was cut short ({type(error).__name__}); remove it, "
            "or train without resuming"
        ) from error
    if found != digest:
        raise FileFormatError(
            f"{path}: the checkpoint of another run: its tasks, algorithm, step sizes, batch, seed or "
            "start differ; give its settings again, or another directory"
        )
    if rows.ndim != 2 or rows.shape[0] != 4:
        raise FileFormatError(f"{path}: its trace is malformed; remove it")
    return Snapshot(leaves, rows)
