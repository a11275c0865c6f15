"""Where compiled code is kept from one process to the next: a directory for each of its makers.

What is read back there is code that will run. So a directory counts only while it is the user's own
(or root's), and where there is none, or none that can be made, nothing is kept and nothing is lost but
time.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Literal

VARIABLE = "BENIGN_CACHE"
"""The environment variable that moves the cache; empty, nothing is kept."""

Maker = Literal["kernels", "xla"]
"""Kernels made by LLVM (`benign.kernels`), programs made by XLA (by JAX, for the command only)."""


def directory(maker: Maker) -> Path | None:
    """Where one maker's code is kept: in $BENIGN_CACHE, or in the user's directory of caches.

    Returns:
        The directory, which need not be there; None if nothing is to be kept.
    """
    given = os.environ.get(VARIABLE)
    if given is not None:
        return Path(given).absolute() / maker if given else None
    try:
        home = Path.home()
    except RuntimeError:
        return None
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return base / "benign" / maker


def is_own(place: Path) -> bool:
    """Whether what lies in a directory may be run: it is there, and the user's or root's.

    Raises:
        OSError: it is not there, or cannot be asked.
    """
    return not hasattr(os, "getuid") or place.stat().st_uid in (os.getuid(), 0)


def is_usable(place: Path) -> bool:
    """Whether code can be kept in a directory, as far as can be told without making it."""
    try:
        while not place.exists():
            place = place.parent
        return place.is_dir() and is_own(place) and os.access(place, os.W_OK | os.X_OK)
    except OSError:
        return False


OURS = {
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
}
"""By default JAX keeps nothing that compiled in less than a second: here that is nearly everything."""

DIRECTORY = "JAX_COMPILATION_CACHE_DIR"


def keep_xla() -> None:
    """Have JAX, once this process loads it, keep what XLA compiles; its own variables come first.

    For the command alone: it is the environment that is set, of this process and its children.
    """
    place = directory("xla")
    if DIRECTORY in os.environ or place is None or not is_usable(place):
        return
    os.environ[DIRECTORY] = str(place)
    for name, value in OURS.items():
        os.environ.setdefault(name, value)


def move(to: Path | None) -> None:
    """Keep compiled code in another directory from here on, or (None) not at all."""
    before = directory("xla")
    if before is not None and os.environ.get(DIRECTORY) == str(before):
        del os.environ[DIRECTORY]
    os.environ[VARIABLE] = "" if to is None else str(to.absolute())
    if to is not None:
        keep_xla()
