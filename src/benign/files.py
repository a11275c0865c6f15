"""Files that are written whole or not at all, and places that are refused before any work."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benign.errors import OutputError
from benign.opening import LONGEST_NAME, cause_of, kind_of, path_of, shown
from benign.text import clean_json

PROBE = 4096
"""Bytes written, and removed again, to see whether a place takes any."""

ANOTHER = "name another directory"

Content = str | bytes


# --- before any work -------------------------------------------------------------------------


def require_directory(directory: str | os.PathLike[str]) -> Path:
    """Refuse, before any work, a place that could not become a directory of results; makes nothing.

    Raises:
        OutputError: a file, a device or a part of the path is in the way, a link goes in circles, a
            name is too long, permission or space is lacking; the message says which, and what to do.
    """
    path = Path(path_of(directory, "out"))
    place = path.absolute()
    name = shown(path)
    if any(len(os.fsencode(part)) > LONGEST_NAME for part in place.parts):
        raise OutputError(f"{name}: a name in it has more than {LONGEST_NAME} bytes; {ANOTHER}")
    if "\0" in str(path):
        raise OutputError(f"{name}: no name holds a null character; {ANOTHER}")
    try:
        while not os.path.lexists(place):
            place = place.parent
        mode = os.stat(place).st_mode
        if not stat.S_ISDIR(mode):
            if place == path.absolute():
                raise OutputError(f"{name}: {kind_of(mode)} of that name is in the way; {ANOTHER}")
            raise OutputError(f"{name}: a part of this path is {kind_of(mode)}; {ANOTHER}")
        _probe(place)
    except OutputError:
        raise
    except FileNotFoundError:
        raise OutputError(f"{name}: a link in it leads nowhere; {ANOTHER}") from None
    except (OSError, ValueError) as error:
        raise OutputError(f"{name}: cannot be written to ({said(error)})") from error
    return path


def require_file(path: str | os.PathLike[str], what: str = "") -> Path:
    """Refuse, before any work, a place that could not become a file of ours; makes nothing.

    Args:
        path: the file.
        what: what is to be written, as such a document says of itself ("certificate"): only its like is
            ever replaced. Nothing is, if empty.

    Raises:
        OutputError: as `require_directory` of its directory; or something else lies there.
    """
    place = Path(path_of(path, "out"))
    require_directory(place.parent)
    if os.path.isdir(place):
        raise OutputError(f"{shown(place)}: this is a directory; give the name of a file in it")
    if len(os.fsencode(place.name)) > LONGEST_NAME:
        raise OutputError(f"{shown(place)}: its name has more than {LONGEST_NAME} bytes")
    require_regular(place)
    if os.path.lexists(place) and not (what and _says(place, what)):
        other = f", and no {what}" if what else ""
        raise OutputError(f"{shown(place)}: a file of that name is there{other}; name another")
    return place


def _probe(directory: Path) -> None:
    """See whether a file can be made here, and takes some bytes."""
    temporary = directory / _temporary()
    try:
        with open(temporary, "xb") as file:
            file.write(b"\0" * PROBE)
            file.flush()
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


# --- directories -----------------------------------------------------------------------------


def make_directory(directory: str | os.PathLike[str]) -> Path:
    """The directory, made with its parents if need be.

    Raises:
        OutputError: a file is in the way, or permission is lacking.
    """
    path = Path(path_of(directory, "out"))
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise OutputError(f"{path}: a file of that name is in the way; {ANOTHER}") from None
    except NotADirectoryError:
        raise OutputError(f"{path}: a part of this path is a file; {ANOTHER}") from None
    except (OSError, ValueError) as error:
        raise OutputError(f"{path}: cannot make this directory ({said(error)})") from error
    return path


# --- files -----------------------------------------------------------------------------------


def write_atomically(path: str | os.PathLike[str], content: Content) -> Path:
    """Write a whole file or nothing: to a temporary neighbour, then in one move over the target.

    Only a regular file is ever replaced.

    Raises:
        OutputError: the file cannot be written; the message names the path and the cure.
    """
    path = Path(path)
    temporary = path.parent / _temporary()
    try:
        require_regular(path)
        with open(temporary, "xb") as file:
            file.write(as_bytes(content))
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OutputError:
        raise
    except (OSError, ValueError) as error:
        raise OutputError(f"{shown(path)}: cannot be written ({said(error)})") from error
    finally:
        # Where even this fails, the directory itself is gone: nothing of ours is left in it.
        with contextlib.suppress(OSError, ValueError):
            temporary.unlink(missing_ok=True)
    return path


def write_own(path: str | os.PathLike[str], content: Content, what: str = "") -> Path:
    """The same for a file that a user names; it replaces its like and nothing else: see `require_file`.

    Raises:
        OutputError: as `require_file` and `write_atomically`.
    """
    return write_atomically(require_file(path, what), content)


def as_bytes(content: Content) -> bytes:
    """What is written to a file, text in UTF-8."""
    return content.encode() if isinstance(content, str) else content


def _temporary() -> str:
    # Short and free of the target's name, which may already be as long as a name can be.
    return f".benign-{secrets.token_hex(6)}.tmp"


def require_regular(path: Path) -> None:
    """Refuse to put a file in the place of a device, a pipe, a directory or a link."""
    try:
        mode = os.lstat(path).st_mode
    except (OSError, ValueError):  # nothing there, or what writing will say
        return
    if stat.S_ISLNK(mode):
        raise OutputError(f"{shown(path)}: this is a link; name the file itself")
    if not stat.S_ISREG(mode):
        raise OutputError(f"{shown(path)}: {kind_of(mode)} of that name is in the way; name another")


def _says(path: Path, what: str) -> bool:
    """Whether a JSON document says of itself that it is this."""
    said_so = re.compile(rb'^\s*\{\s*"benign"\s*:\s*"' + re.escape(what.encode()) + rb'"')
    try:
        with open(path, "rb") as file:
            return said_so.search(file.read(65536)) is not None
    except OSError:
        return False


def said(error: Exception) -> str:
    """What the system said, and what to do."""
    if isinstance(error, PermissionError):
        return "permission denied; choose a directory you may write to"
    if isinstance(error, FileNotFoundError):
        return "its directory does not exist; make it first"
    if isinstance(error, (IsADirectoryError, NotADirectoryError)):
        return "a directory and a file are mistaken for each other; choose another name"
    if isinstance(error, OSError) and error.errno in (errno.ELOOP, errno.ENAMETOOLONG, errno.EINVAL):
        return f"{cause_of(error)}; choose another name"
    if isinstance(error, OSError) and error.strerror:
        return f"{cause_of(error)}; free some space or choose another directory"
    return f"{cause_of(error)}; choose another name"


def to_text(document: Mapping[str, Any]) -> str:
    """A JSON document as text, ready for a file."""
    return clean_json(json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)) + "\n"
