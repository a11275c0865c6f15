"""Interrupts from outside: what a verb may finish before it goes, and what is said of it.

In a user's own Python, Ctrl-C is Python's KeyboardInterrupt, but in what `deferred` surrounds, which
ends by itself with what it has. In the command (`take_over`) SIGINT and SIGTERM end the process at
once, wherever it is, in a compiler as well: nothing is unwound, so that nothing can crash on the way.
No file is lost by that, since each is written aside and then renamed.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import FrameType
from typing import NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM)

NOTICED = 1.0
"""Seconds after which a signal that Python has not seen is met from outside: a compiler is at work."""

FINISHED = 20.0
"""Seconds that what is deferred may take to end by itself."""


@dataclass
class Request:
    """Whether somebody wants an end: the signal's number, or zero."""

    number: int = 0

    def __bool__(self) -> bool:
        return self.number != 0


_requests: list[Request] = []
"""Of what is deferred at the moment, the innermost last."""

_kept: list[Callable[[], str]] = []
"""What is kept and how to go on, as far as the verb has come; the innermost last."""

_command: list[Request] = []
"""The request to the command, once it has taken over."""


@contextlib.contextmanager
def deferred() -> Iterator[Request]:
    """What is within looks at the request now and then and ends by itself; a second signal is final."""
    request = Request()
    if threading.current_thread() is not threading.main_thread():
        yield request  # signals reach the main thread only
        return
    if _command:
        _requests.append(request)
        try:
            yield request
        finally:
            _requests.remove(request)
        return

    def stop(number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, before)
        request.number = number

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield request
    finally:
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def keeping(words: Callable[[], str]) -> Iterator[None]:
    """Within it, `words` says what an interrupt leaves behind and how to go on."""
    _kept.append(words)
    try:
        yield
    finally:
        if not requested():  # else it is to be said when the process ends
            _kept.remove(words)


# --- the command -----------------------------------------------------------------------------


def take_over() -> None:
    """Meet SIGINT and SIGTERM from now on, for the process that runs the command."""
    if _command or threading.current_thread() is not threading.main_thread():
        return
    _command.append(Request())
    seen = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        seen.set()
        again = bool(_command[0])
        _command[0].number = number
        if again or not _requests:
            leave(number)
        _requests[-1].number = number

    for number in SIGNALS:
        # A caller that ignores a signal, such as nohup, means its children to.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handle)
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(reading, seen), daemon=True).start()


def _watch(reading: int, seen: threading.Event) -> None:
    """End the process if Python does not come to see a signal, or what is deferred does not end."""
    while (number := os.read(reading, 1)[0]) not in SIGNALS:
        pass
    until = time.monotonic() + (FINISHED if _requests else NOTICED)
    while time.monotonic() < until:
        if seen.is_set() and not _requests:
            return  # what is left is to show and to save
        if select.select([reading], [], [], 0.1)[0] and os.read(reading, 1)[0] in SIGNALS:
            break
    leave(number)


def finish() -> None:
    """All is shown and saved: no signal changes that any more.

    An interpreter that shuts down takes our handlers away, and would end by the signal instead.
    """
    if _command and threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)


def requested() -> int:
    """The number of the signal that the command was sent, or zero."""
    return _command[0].number if _command else 0


def sentence() -> str:
    """What is kept, and how to go on."""
    for words in reversed(_kept):
        with contextlib.suppress(Exception):
            if said := words():
                return said
    return "nothing was to be kept; the same command begins anew"


def tell() -> None:
    """Say what is kept, past whatever stands between us and the terminal."""
    bar = "\033[?25h\n" if sys.stderr is not None and sys.stderr.isatty() else ""
    with contextlib.suppress(OSError):
        os.write(2, f"{bar}benign: interrupted; {sentence()}\n".encode("ascii", "backslashreplace"))


def leave(number: int) -> NoReturn:
    """Say what is kept, and end the process, whatever it is doing."""
    with contextlib.suppress(Exception):
        tell()
    os._exit(128 + number)
