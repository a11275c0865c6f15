"""The last line of defence of the command: whatever goes wrong is a sentence and an exit status.

Status 1 is kept for an assertion that failed; what the machine or the caller lacks is 2.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from typing import Any, NoReturn

from benign import interrupts
from benign.cli.streams import prepare
from benign.errors import (
    BenignError,
    BudgetError,
    InfeasibleError,
    OutputWarning,
    RoundingWarning,
    UsageError,
)
from benign.opening import cause_of
from benign.text import clean_lines

USAGE, UNDECIDED = 2, 3


LEAST = 0.3
"""Gigabytes of address space without which NumPy ends the process itself, and LEAST_WITH_JAX …"""

LEAST_WITH_JAX = 2.5
"""… without which XLA does."""


def require_memory(gigabytes: float) -> None:
    """Refuse to begin where libraries would end the process without a word.

    Raises:
        UsageError: the address space is limited to less.
    """
    try:
        import resource
    except ImportError:  # no such limits here
        return
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY and limit < gigabytes * 1e9:
        raise UsageError(
            f"not enough memory: a process may have {limit / 1e9:.2g} GB here (ulimit -v), and this "
            f"needs {gigabytes:g} GB"
        )


def guarded(run: Callable[[], Any]) -> NoReturn:
    """Run the command; every failure becomes one message, and the process ends."""
    stdout = prepare()
    warnings.showwarning = _note(warnings.showwarning)
    status = _status(run)
    try:
        sys.stdout.flush()
    except (OSError, ValueError) as error:
        status = status or _told(f"standard output cannot be written ({cause_of(error)})")
    if stdout is not None and stdout.lost is not None and not stdout.gone:
        # Nobody saw the result; what was to be saved is saved.
        status = status or _told(f"standard output cannot be written ({cause_of(stdout.lost)})")
    interrupts.finish()
    if number := interrupts.requested():
        interrupts.leave(number)
    clock = sys.modules.get("benign.clock")
    if clock is not None and clock.unfinished():
        # A compiler is still at work in this process, and would not let it end.
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)


def _status(run: Callable[[], Any]) -> int:
    try:
        require_memory(LEAST)
        run()
    except SystemExit as error:
        return error.code if isinstance(error.code, int) else 0 if error.code is None else USAGE
    except KeyboardInterrupt:  # of a thread that is not the main one, or from before we took over
        return 128 + signal.SIGINT
    except InfeasibleError as error:
        if error.certificate is None:
            return _told(str(error))
        print(f"benign: PROVED: {clean_lines(str(error))}", file=sys.stderr)
        return USAGE
    except BudgetError as error:
        return _told(str(error), UNDECIDED)
    except BenignError as error:
        return _told(str(error))
    except Exception as error:
        if sentence := explained(error):
            return _told(sentence)
        traceback.print_exc()
        return _told("this is a defect of the program; please report it with what stands above")
    return 0


def explained(error: BaseException) -> str:
    """What an error of the machine means, in a sentence; empty for one that is ours."""
    if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error)[:200]:
        return "not enough memory; give fewer tasks, shots, step sizes or starts, or free some"
    if isinstance(error, RecursionError):
        return "something is nested too deep to be read; give it in a flatter form"
    if isinstance(error, UnicodeError):
        return f"text that cannot be written or read here ({cause_of(error)}); set LC_ALL=C.UTF-8"
    if isinstance(error, ImportError):
        return (
            f"a part of the program cannot be loaded ({cause_of(error)}); is there enough memory, and "
            "is the installation whole?"
        )
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        return f"{place}{cause_of(error)}"
    if isinstance(error, RuntimeError) and "can't start new thread" in str(error):
        return "no thread can be started; raise the limit of processes (ulimit -u), or of memory"
    return ""


def _told(message: str, status: int = USAGE) -> int:
    print(f"benign: error: {clean_lines(message)}", file=sys.stderr)
    return status


def _note(usual: Callable[..., None]) -> Callable[..., None]:
    """Our own warnings as notes; those of JAX about kept code not at all; all others as usual."""

    def show(message: Any, category: Any, *rest: Any, **more: Any) -> None:
        if "persistent compilation cache" in str(message):
            return  # what cannot be read or written is compiled, as if it had never been kept
        if issubclass(category, (OutputWarning, RoundingWarning)):
            print(f"benign: note: {clean_lines(str(message))}", file=sys.stderr)
        else:
            usual(message, category, *rest, **more)

    return show
