"""Arrays in a file: an .npz archive with a header and a digest, written whole and read with suspicion.

No pickle is ever read. What an archive may take in memory is known from its directory before anything
is unpacked, and an array from its own header before it is made. The digest is of the header and every
array, with name, type and shape: it guards against accidents. What a field may hold is for the reader
to say.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from benign.errors import FileFormatError, OutputError
from benign.opening import read_bytes, shortened

MAX_BYTES = 400_000_000
"""Largest archive, packed or unpacked: a few million boxes, or a run of many million meta-steps."""

MAX_MEMBERS = 4096
"""Most arrays in an archive."""

HEADER = "header"

Arrays = dict[str, np.ndarray]

_MALFORMED = (
    EOFError, KeyError, TypeError, ValueError, AttributeError, RuntimeError, OverflowError,
    zipfile.BadZipFile, zlib.error, SyntaxError, RecursionError, MemoryError,
)  # fmt: skip
"""What zipfile, zlib, json and NumPy raise over bytes that are not what they were."""


class Malformed(ValueError):  # noqa: N818 - it is an answer, not a fault
    """A field of an archive is not what it must be; the message says which and why."""


def digest_of(about: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    """SHA-256 of a JSON document and named arrays: their types, shapes and numbers."""
    body = hashlib.sha256(json.dumps(about, sort_keys=True, ensure_ascii=False).encode())
    for name, array in sorted(arrays.items()):
        body.update(f"{name}:{array.dtype.str}{array.shape};".encode())
        body.update(np.ascontiguousarray(array).tobytes())
    return body.hexdigest()


def to_bytes(
    about: Mapping[str, Any], arrays: Mapping[str, np.ndarray], *, packed: bool = False
) -> bytes:
    """The archive; the same bytes for the same content.

    Args:
        about: a JSON document that says what it is: "benign", "version" and more.
        arrays: numbers and truth values only.
        packed: whether to compress.

    Raises:
        OutputError: it would be larger than what is read.
    """
    size = sum(array.nbytes for array in arrays.values())
    if size > MAX_BYTES:
        raise OutputError(
            f"{size / 1e6:.0f} MB are more than the {MAX_BYTES / 1e6:.0f} MB that are read"
        )
    head = {**about, "sealed": digest_of(about, arrays)}
    text = np.frombuffer(json.dumps(head).encode(), np.uint8)
    buffer = io.BytesIO()
    save: Any = np.savez_compressed if packed else np.savez
    save(buffer, allow_pickle=False, **{HEADER: text}, **arrays)
    return buffer.getvalue()


def read_archive(
    path: str | os.PathLike[str], kind: str, version: int, cure: str
) -> tuple[dict[str, Any], Arrays]:
    """The header and the arrays of an archive that `to_bytes` made.

    Args:
        path: the file.
        kind, version: what its header has to say under "benign" and "version".
        cure: what to do about one that cannot be used, for messages.

    Raises:
        FileFormatError: no such file, no such archive, one that was cut short or altered.
    """
    data = read_bytes(path, MAX_BYTES, f"a {kind}")
    try:
        arrays = _unpacked(data)
        head = json.loads(arrays.pop(HEADER).tobytes())
        if not isinstance(head, dict):
            raise Malformed("its header is no JSON object")
        found, own = head.get("benign"), head.get("version")
    except _MALFORMED as error:
        raise FileFormatError(
            f"{shortened(path)}: not a {kind}, or one that was cut short ({_what(error)}); {cure}"
        ) from error
    if found != kind or own != version:
        raise FileFormatError(
            f"{shortened(path)}: not a {kind} of version {version}, which this library reads; {cure}"
        )
    sealed = head.pop("sealed", None)
    if sealed != digest_of(head, arrays):
        raise FileFormatError(
            f"{shortened(path)}: this {kind} was altered or damaged after it was written; {cure}"
        )
    return head, arrays


def field(
    arrays: Mapping[str, np.ndarray],
    name: str,
    dtype: Any,
    shape: tuple[int | None, ...],
    *,
    low: float = -np.inf,
    high: float = np.inf,
) -> np.ndarray:
    """An array of an archive, checked: its type, its shape (None: any length), its range; no NaN.

    Raises:
        Malformed: it is missing or otherwise.
    """
    array = arrays.get(name)
    if array is None:
        raise Malformed(f"{name}: missing")
    if array.dtype != np.dtype(dtype):
        raise Malformed(f"{name}: expected numbers of type {np.dtype(dtype)}, got {array.dtype}")
    same = len(array.shape) == len(shape)
    if not same or any(b is not None and a != b for a, b in zip(array.shape, shape, strict=True)):
        wanted = ", ".join("any" if length is None else str(length) for length in shape)
        raise Malformed(f"{name}: expected the shape ({wanted}), got {array.shape}")
    if not ((array >= low) & (array <= high)).all():
        raise Malformed(f"{name}: a number lies outside of [{low:g}, {high:g}] or is none")
    return array


def _unpacked(data: bytes) -> Arrays:
    """The arrays of an archive, none of them larger than it says, all of them within the limits."""
    arrays: Arrays = {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
        if len(members) > MAX_MEMBERS or sum(info.file_size for info in members) > MAX_BYTES:
            raise Malformed("it would unpack to more than is read")
        for info in members:
            if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise Malformed("it is packed in another way")
            name = info.filename.removesuffix(".npy")
            if name == info.filename or name in arrays:
                raise Malformed("it holds other files than arrays, or one twice")
            with archive.open(info) as file:
                arrays[name] = _array(file.read(info.file_size))
    return arrays


def _array(data: bytes) -> np.ndarray:
    """One array in NumPy's format, of as many bytes as its header says."""
    stream = io.BytesIO(data)
    version = np.lib.format.read_magic(stream)
    if version != (1, 0):
        raise Malformed("an array is of another version of NumPy's format")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    if dtype.kind not in "biuf" or not dtype.isnative:
        raise Malformed("an array holds something else than numbers")
    start = stream.tell()
    if min(shape, default=0) < 0 or len(data) - start != math.prod(shape) * dtype.itemsize:
        raise Malformed("an array has another size than it says")
    return np.frombuffer(data, dtype, offset=start).reshape(shape, order="F" if fortran else "C")


def _what(error: Exception) -> str:
    return str(error) if isinstance(error, Malformed) else type(error).__name__
