"""Files that the program reads, opened with suspicion: the only place that does.

A path comes from a command line or a script, and what lies there from anyone. A pipe would wait for
ever, a device or a file of /proc has no end, a log fills the memory. So only a regular file is read,
of no more bytes than its reader can use, and of just as many as the system says that it has.
"""

from __future__ import annotations

import json
import os
import stat
from typing import Any, NoReturn

from benign.errors import FileFormatError, UsageError
from benign.text import clean

LONGEST_NAME = 255
"""Bytes of a name in a directory, at most, on all usual systems."""

_SHORT_NAME = 160

PathLike = str | os.PathLike[str]


def path_of(value: Any, call: str) -> str:
    """A path as text.

    Raises:
        UsageError: the value is none; the message begins with the call.
    """
    if not isinstance(value, (str, os.PathLike)):
        raise UsageError(f"{call}: expected a path, got {type(value).__name__}")
    path = os.fspath(value)
    if not isinstance(path, str):
        raise UsageError(f"{call}: expected a path of text, got one of {type(path).__name__}")
    try:
        os.fsencode(path)
    except UnicodeError:
        raise UsageError(f"{call}: no file can have the name {clean(path, 60)}") from None
    return path


def shortened(path: PathLike, most: int = _SHORT_NAME) -> str:
    """A path in a message: printable, its end where it is long."""
    name = clean(os.fspath(path))
    return name if len(name) <= most else "…" + name[-most + 1 :]


def shown(path: PathLike) -> str:
    """A path that a result goes to, as long as paths usually are."""
    return shortened(path, LONGEST_NAME)


def exists(path: PathLike) -> bool:
    """Whether there is something; a name that no file can have is none."""
    return os.path.lexists(path) if _is_name(path) else False


def is_directory(path: PathLike) -> bool:
    """Whether it is a directory; a name that no file can have is none."""
    return os.path.isdir(path) if _is_name(path) else False


def read_bytes(path: PathLike, most: int, what: str) -> bytes:
    """What a regular file holds.

    Args:
        path: the file.
        most: bytes that it may have.
        what: it is expected to be, with its article, for messages: "a family file".

    Raises:
        FileFormatError: no such file, none that may be read, no regular one, one that is larger or
            that changes meanwhile; the message says which, and what to do.
    """
    path = path_of(path, "read")
    try:
        # Before it is opened: to open a device may already do something.
        size = _size(os.stat(path), path, most, what)
        handle = os.open(path, os.O_RDONLY | _GENTLY)
        with open(handle, "rb") as file:
            size = _size(os.fstat(handle), path, most, what)
            data = file.read(size + 1)
    except FileFormatError:
        raise
    except (OSError, ValueError) as error:
        _refuse(path, _cause(error), error)
    if len(data) != size:
        _refuse(
            path, "it changes while it is read; is something writing to it, or is it no usual file?"
        )
    return data


def read_text(path: PathLike, most: int, what: str) -> str:
    """The same as text, in UTF-8 with or without its mark.

    Raises:
        FileFormatError: as `read_bytes`, or what is not UTF-8.
    """
    data = read_bytes(path, most, what)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        byte = f"byte {error.start} is 0x{data[error.start]:02x}"
        _refuse(path, f"not UTF-8 text ({byte}); save it as UTF-8", error)


def read_json(path: PathLike, most: int, what: str) -> dict[str, Any]:
    """The JSON object in a file; its text is strict JSON, each key once.

    Raises:
        FileFormatError: as `read_text`, or what is no JSON object.
    """
    documents = read_jsons(path, most, what)
    if len(documents) != 1:
        _refuse(path, f"is not {what}: it holds {len(documents)} JSON objects in a list")
    return documents[0]


def read_jsons(path: PathLike, most: int, what: str) -> list[dict[str, Any]]:
    """The JSON objects in a file: one, or a list of them.

    Raises:
        FileFormatError: as `read_json`.
    """
    text = read_text(path, most, what)
    try:
        document = json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        _refuse(path, f"is no JSON document ({clean(str(error), 80)})", error)
    documents = document if isinstance(document, list) else [document]
    if not documents or not all(isinstance(one, dict) for one in documents):
        _refuse(path, f"is not {what}: it holds no JSON object")
    return documents


_GENTLY = (
    getattr(os, "O_NONBLOCK", 0)  # what became a pipe since does not wait for a writer
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_BINARY", 0)
)


def _is_name(path: PathLike) -> bool:
    return "\0" not in os.fspath(path)


def _size(status: os.stat_result, path: str, most: int, what: str) -> int:
    if stat.S_ISDIR(status.st_mode):
        _refuse(path, f"this is a directory; give {what} in it")
    if not stat.S_ISREG(status.st_mode):
        _refuse(path, f"this is not a regular file but {kind_of(status.st_mode)}; give {what}")
    if status.st_size > most:
        _refuse(
            path,
            f"the file has {status.st_size / 1e6:.1f} MB, more than the {most / 1e6:.0f} MB of the "
            f"largest file read as {what}; is it the right file?",
        )
    return status.st_size


def kind_of(mode: int) -> str:
    """What lies at a path, in words."""
    kinds = {
        stat.S_IFIFO: "a pipe", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
        stat.S_IFSOCK: "a socket", stat.S_IFDIR: "a directory", stat.S_IFREG: "a file",
    }  # fmt: skip
    return kinds.get(stat.S_IFMT(mode), "something else")


def _cause(error: Exception) -> str:
    """What the system said, and what to do."""
    if isinstance(error, FileNotFoundError):
        return "no such file; check the path and the working directory"
    if isinstance(error, PermissionError):
        return "permission denied; make the file readable"
    return f"cannot be read: {cause_of(error)}"


def cause_of(error: Exception) -> str:
    """What the system said, in lower case."""
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return clean(said[:1].lower() + said[1:], 120)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object in which no key comes twice: readers disagree on which of the two counts."""
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("an object has a key twice")
    return made


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON number")


def _refuse(path: PathLike, why: str, cause: Exception | None = None) -> NoReturn:
    raise FileFormatError(f"{shortened(path)}: {why}") from cause
