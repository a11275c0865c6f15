"""Directories of results: each has a manifest that names its problem and its files.

Only what a manifest lists is ever replaced or removed; what lies there besides is somebody else's, and
the results of another problem are refused: nothing is mixed, nothing lost. One process at a time writes
to a directory.
"""

from __future__ import annotations

import contextlib
import contextvars
import hashlib
import json
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benign.errors import FileFormatError, OutputError
from benign.files import (
    ANOTHER,
    Content,
    as_bytes,
    make_directory,
    require_directory,
    require_regular,
    to_text,
    write_atomically,
)
from benign.opening import path_of, read_json, shown
from benign.text import clean
from benign.version import __version__

MANIFEST = "manifest.json"
"""The file of a directory that names what it holds."""

MAX_MANIFEST = 10_000_000
"""Bytes of a manifest, at most."""

FILES = {
    "landscape": (
        "landscape.json",
        "certificate.json",
        "certificate-points.json",
        "certificate-start.json",
        "landscape.png",
        "landscape.svg",
    ),
    "recommendation": (
        "family.toml",
        "recommendation.json",
        "recommendation.png",
        "recommendation.svg",
    ),
    "bifurcation": ("bifurcation.json", "bifurcation.png", "bifurcation.svg"),
    "certificate": ("certificate.json",),
    "radius": ("radius.json", "certificate.json", "outside.json", "outside.toml"),
    "training": (
        "training.json",
        "training.png",
        "training.svg",
        "certificate-1.json",
        "certificate-start.json",
    ),
}
"""Files that a result of each kind may have: somebody's file of such a name is seen before any work."""

PATIENCE = 10.0
"""Seconds that a save waits for another process that saves to the same directory."""


@dataclass(frozen=True)
class About:
    """What the files of a directory are about.

    Attributes:
        what: the kind of result: "landscape", "training", …
        problem: a digest of the problem.
        words: the problem, for people.
    """

    what: str
    problem: str
    words: str


def digest_of(document: Any) -> str:
    """SHA-256 of a JSON document."""
    text = json.dumps(document, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def require_place(directory: str | os.PathLike[str], about: About | None = None) -> Path:
    """The same, and refuse a directory that holds another problem's results, or files in their way.

    Raises:
        OutputError: as `require_directory`, or the directory is taken.
    """
    path = require_directory(directory)
    if about is not None and path.is_dir():
        _require_free(path, about)
    return path


@contextmanager
def claimed(directory: str | os.PathLike[str], about: About | None = None) -> Iterator[Path]:
    """Have a directory of results to oneself while a verb works, made if need be.

    If nothing came of the work, what was made goes again.

    Raises:
        OutputError: as `require_place`, or another process has it.
    """
    path = require_place(directory, about)
    missing = [p for p in (path, *path.parents) if not os.path.lexists(p)]
    make_directory(path)
    try:
        with _alone(path, 0.0):
            if about is not None:
                _require_free(path, about)
            for left in path.glob(".benign-*.tmp"):  # of a process that was killed
                with contextlib.suppress(OSError):
                    left.unlink()
            yield path
    finally:
        for made in missing:
            with contextlib.suppress(OSError):
                made.rmdir()  # only if it is empty


_HELD: contextvars.ContextVar[frozenset[tuple[int, int]]] = contextvars.ContextVar(
    "held", default=frozenset()
)
"""The directories that this thread has to itself."""


@contextmanager
def _alone(directory: Path, seconds: float) -> Iterator[None]:
    """The lock of a directory; where there are none, as on some network disks, it is done without."""
    try:
        import fcntl

        handle = os.open(directory, os.O_RDONLY)
    except (ImportError, OSError):
        yield
        return
    try:
        status = os.fstat(handle)
        key = (status.st_dev, status.st_ino)
        held = _HELD.get()
        if key not in held:
            _lock(fcntl, handle, directory, seconds)
        token = _HELD.set(held | {key})
        try:
            yield
        finally:
            _HELD.reset(token)
    finally:
        os.close(handle)


def _lock(fcntl: Any, handle: int, directory: Path, seconds: float) -> None:
    until = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= until:
                raise OutputError(
                    f"{directory}: another process is writing its results there; {ANOTHER}"
                ) from None
            time.sleep(0.05)
        except OSError:
            return


# --- manifests -------------------------------------------------------------------------------


def _manifest(folder: Path) -> dict[str, Any] | None:
    """What the manifest of a directory says; None without one."""
    path = folder / MANIFEST
    if not os.path.lexists(path):
        return None
    try:
        found = read_json(path, MAX_MANIFEST, "a manifest of results")
    except FileFormatError as error:
        raise OutputError(f"{error}; {ANOTHER}") from error
    files, keys = found.get("files"), ("what", "problem", "about")
    named = isinstance(files, dict) and all(isinstance(found.get(key), str) for key in keys)
    if found.get("benign") != "results" or not named or not all(map(_is_plain, files or ())):
        raise OutputError(f"{shown(path)}: is no manifest of results; {ANOTHER}")
    return found


def _is_plain(name: str) -> bool:
    """Whether a name is that of a file in the directory itself."""
    return name not in ("", ".", "..", MANIFEST) and not set(name) & {"/", "\\", "\0"}


def _require_same(folder: Path, manifest: dict[str, Any] | None, about: About) -> None:
    if manifest is None or (manifest["what"], manifest["problem"]) == (about.what, about.problem):
        return
    names = [*sorted(manifest["files"]), MANIFEST]
    listed = ", ".join(clean(name, 40) for name in names[:8]) + (" …" if len(names) > 8 else "")
    raise OutputError(
        f"{shown(folder)}: holds the results of another problem ({clean(manifest['what'], 40)}: "
        f"{clean(manifest['about'], 160)}); {ANOTHER}, or remove these files: {listed}"
    )


def _require_free(folder: Path, about: About) -> None:
    """Refuse a directory in which the results that are to come cannot be written."""
    manifest = _manifest(folder)
    _require_same(folder, manifest, about)
    _require_ours(folder, FILES.get(about.what, ()), {} if manifest is None else manifest["files"])


def _require_ours(folder: Path, names: Iterable[str], listed: Iterable[str]) -> None:
    """Refuse to replace what is no file, or a file that no manifest lists."""
    for name in names:
        require_regular(folder / name)
        if os.path.lexists(folder / name) and name not in listed:
            raise OutputError(
                f"{shown(folder / name)}: a file of that name is there, and not one of these "
                f"results; {ANOTHER}, or move it"
            )


def announce(
    folder: Path,
    about: About,
    names: Iterable[str],
    own: tuple[str, ...] = (),
    *,
    adding: bool = False,
) -> None:
    """Say in the manifest what is about to be written, and remove what was there of the same problem.

    From here on no file of an earlier result passes for one of this.

    Args:
        folder: the directory.
        about: what its files are about.
        names: of the files to come.
        own: names of files that the verb itself wrote already, such as a checkpoint.
        adding: leave what is there of the same problem.

    Raises:
        OutputError: the directory holds the results of another problem, or somebody's file is in the
            way; nothing was changed.
    """
    names, before = list(names), _manifest(folder)
    _require_same(folder, before, about)
    listed = {} if before is None else before["files"]
    _require_ours(folder, names, {*listed, *own})
    _write_manifest(folder, about, {**listed, **dict.fromkeys(names)}, complete=False)
    for name in () if adding else set(listed) - set(names):
        with contextlib.suppress(OSError):
            if stat.S_ISREG(os.lstat(folder / name).st_mode):
                os.unlink(folder / name)


def listed(folder: Path) -> list[Path]:
    """The files that the manifest of a directory lists and that are there."""
    manifest = _manifest(folder)
    return [folder / name for name in sorted(manifest["files"] if manifest else ())
            if os.path.lexists(folder / name)]  # fmt: skip


def seal(folder: Path, about: About, files: Mapping[str, Content]) -> Path:
    """Say in the manifest that all is written, with the digest of each file."""
    digests = {
        name: hashlib.sha256(as_bytes(content)).hexdigest() for name, content in sorted(files.items())
    }
    return _write_manifest(folder, about, digests, complete=True)


def _write_manifest(folder: Path, about: About, files: Mapping[str, Any], *, complete: bool) -> Path:
    document = {
        "benign": "results",
        "version": 1,
        "library": __version__,
        "what": about.what,
        "about": about.words,
        "problem": about.problem,
        "complete": complete,
        "files": dict(files),
    }
    return write_atomically(folder / MANIFEST, to_text(document))


def save_all(
    directory: str | os.PathLike[str],
    about: About,
    contents: Mapping[str, Content],
    pictures: Callable[[], Mapping[str, Content]] | None = None,
    own: tuple[str, ...] = (),
) -> list[Path]:
    """Write the files of a result to a directory, made if need be, each whole or not at all.

    Args:
        directory: where to.
        about: what they are about.
        contents: by name; the first are written first.
        pictures: more of them, made when the rest is written.
        own: see `announce`.

    Returns:
        The paths, the manifest last.

    Raises:
        OutputError: the directory is not to be had, or not all could be written. `written` has what
            was; another file does not fail with one.
    """
    folder = make_directory(directory)
    written: list[Path] = []
    failed: dict[str, OutputError] = {}
    sealed: dict[str, Content] = {}

    def write(some: Mapping[str, Content]) -> None:
        for name, content in some.items():
            try:
                written.append(write_atomically(folder / name, content))
                sealed[name] = content
            except OutputError as error:
                failed[name] = error

    with _alone(folder, PATIENCE):
        announce(folder, about, contents, own)
        write(contents)
        if pictures is not None:
            more = pictures()
            announce(folder, about, {**contents, **more}, own)
            write(more)
        if failed:
            first, *others = failed.values()
            also = f" (and {len(others)} more)" if others else ""
            raise OutputError(f"{first}{also}", written=written)
        return [*written, seal(folder, about, sealed)]


def add(directory: str | os.PathLike[str], name: str, content: Content) -> Path:
    """Put one more file into a directory of results, and into its manifest; the rest stays as it is.

    Raises:
        OutputError: the directory is no directory of results, cannot be written, or holds a file of
            that name that is not one of the results.
    """
    folder = require_directory(directory)
    with _alone(folder, PATIENCE):
        manifest = _manifest(folder)
        if manifest is None:
            raise OutputError(f"{shown(folder)}: is no directory of results; {ANOTHER}")
        path = folder / name
        require_regular(path)
        if os.path.lexists(path) and name not in manifest["files"]:
            raise OutputError(
                f"{shown(path)}: a file of that name is there, and not one of these results; move it"
            )
        write_atomically(path, content)
        files = {**manifest["files"], name: hashlib.sha256(as_bytes(content)).hexdigest()}
        write_atomically(folder / MANIFEST, to_text({**manifest, "files": dict(sorted(files.items()))}))
        return path


def clear(directory: str | os.PathLike[str]) -> None:
    """Remove the files that the manifest of a directory lists, and the manifest; nothing else.

    Raises:
        OutputError: the manifest is none.
    """
    folder = Path(path_of(directory, "out"))
    manifest = _manifest(folder) if folder.is_dir() else None
    for name in () if manifest is None else [*manifest["files"], MANIFEST]:
        with contextlib.suppress(OSError):
            if stat.S_ISREG(os.lstat(folder / name).st_mode):
                os.unlink(folder / name)
