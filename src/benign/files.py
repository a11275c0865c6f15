"""Files that are written whole or not at all, and the directories they go to."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benign.errors import OutputError, UsageError
from benign.text import clean_json


def make_directory(directory: str | os.PathLike[str]) -> Path:
    """The directory, made with its parents if need be.

    Raises:
        OutputError: a file is in the way, or permission is lacking.
    """
    if not isinstance(directory, (str, os.PathLike)):
        raise UsageError(f"out: expected the path of a directory, got {directory!r}")
    path = Path(directory)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise OutputError(
            f"{path}: a file of that name is in the way; name another directory"
        ) from None
    except NotADirectoryError:
        raise OutputError(f"{path}: a part of this path is a file; name another directory") from None
    except (OSError, ValueError) as error:
        raise OutputError(f"{path}: cannot make this directory ({_cause(error)})") from error
    return path


def write_atomically(path: str | os.PathLike[str], content: str | bytes) -> Path:
    """Write a whole file or nothing: to a temporary neighbour, then in one move over the target.

    Raises:
        OutputError: the file cannot be written; the message names the path and the cure.
    """
    path = Path(path)
    data = content.encode() if isinstance(content, str) else content
    # Short and free of the target's name, which may already be as long as a name can be.
    temporary = path.parent / f".benign-{secrets.token_hex(6)}.tmp"
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except (OSError, ValueError) as error:
        raise OutputError(f"{path}: cannot be written ({_cause(error)})") from error
    finally:
        # Where even this fails, the directory itself is gone: nothing of ours is left in it.
        with contextlib.suppress(OSError, ValueError):
            temporary.unlink(missing_ok=True)
    return path


def _cause(error: Exception) -> str:
    """What the system said, and what to do."""
    if isinstance(error, PermissionError):
        return "permission denied; choose a directory you may write to"
    if isinstance(error, FileNotFoundError):
        return "its directory does not exist; make it first"
    if isinstance(error, (IsADirectoryError, NotADirectoryError)):
        return "a directory and a file are mistaken for each other; choose another name"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror.lower()}; free some space or choose another directory"
    return f"{error}; choose another name"


def to_text(document: Mapping[str, Any]) -> str:
    """A JSON document as text, ready for a file."""
    return clean_json(json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)) + "\n"
