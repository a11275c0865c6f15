"""The time that a verb may take: one clock, made where the verb starts, and asked by every stage.

A stage asks before it begins (`require`), looks at the clock between its pieces (`late`, `check`), and
leaves a later stage its part (`part`). What is compiled cannot be cut: it runs beside, and is not
waited for beyond the time (`beside`).
"""

from __future__ import annotations

import math
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from importlib import import_module
from typing import Any, TypeVar

from benign.durations import parse_duration
from benign.errors import BudgetError, ProblemError
from benign.exact.numbers import real

T = TypeVar("T")


class Clock:
    """A number of seconds that begin to run out at once, or that began before.

    Args:
        seconds: how many; infinite by default.
        began: since when, by `time.perf_counter`; now by default.
        whole: the clock that this one is a part of.

    Attributes:
        end: when they are over, by `time.perf_counter`.
    """

    def __init__(
        self, seconds: float = math.inf, *, began: float | None = None, whole: Clock | None = None
    ) -> None:
        self.began = time.perf_counter() if began is None else began
        self.end = self.began + seconds
        self._whole = whole

    def __repr__(self) -> str:
        return f"Clock({self.left:.3g} s left)"

    @property
    def limited(self) -> bool:
        """Whether there is a limit at all."""
        return self.end < math.inf

    @property
    def used(self) -> float:
        """Seconds since it began."""
        return time.perf_counter() - self.began

    @property
    def left(self) -> float:
        """Seconds left; negative once they are over."""
        return self.end - time.perf_counter()

    @property
    def late(self) -> bool:
        """Whether they are over."""
        return self.limited and time.perf_counter() >= self.end

    @property
    def _asked(self) -> Clock | None:
        """The clock of the caller's budget, of which messages speak; None where there is no limit."""
        whole = self._whole or self
        return whole if whole.limited else None

    def part(self, share: float) -> Clock:
        """A clock for a stage that may use this share of what is left now."""
        return Clock(share * max(self.left, 0.0), whole=self._asked)

    def capped(self, seconds: float) -> Clock:
        """A clock for a stage that may use so many seconds, and no more than are left."""
        return Clock(min(seconds, self.left), whole=self._asked)

    def require(self, seconds: float, what: str) -> None:
        """Refuse to begin what is expected to take longer than is left.

        Args:
            seconds: an estimate.
            what: the stage, for the message.

        Raises:
            BudgetError: there is less.
        """
        if self.limited and self.left < seconds:
            whole = self._asked or self
            needed = whole.used + seconds
            raise BudgetError(
                f"budget: {what} would take about {said(seconds)} more and {said(max(self.left, 0))} "
                f"are left; give more, such as {said(_round(max(1.5 * needed, 1.5 * whole.total)))}"
            )

    def check(self, what: str) -> None:
        """Stop a stage whose time is over.

        Raises:
            BudgetError: it is.
        """
        if self.late:
            whole = self._asked or self
            raise BudgetError(
                f"budget: {said(whole.total)} were used up by {what}; give more, such as "
                f"{said(_round(max(3 * whole.total, 10.0)))}"
            )

    @property
    def total(self) -> float:
        """All of its seconds."""
        return self.end - self.began


NO_LIMIT = Clock()
"""For who has all the time in the world."""


def clock_of(budget: Any, name: str = "budget") -> Clock:
    """The clock of a budget as a caller gives it.

    Args:
        budget: seconds, or text such as "30s" or "5m"; None or ∞ for no limit; or a clock that runs.
        name: of the argument, for messages.

    Raises:
        ProblemError: it is none of these, or negative.
    """
    if isinstance(budget, Clock):
        return budget
    if budget is None:
        return Clock()
    began = time.perf_counter()
    if isinstance(budget, str) and budget not in ("inf", "-inf"):
        return Clock(parse_duration(budget, name), began=began)
    seconds = real(budget, name)
    if not seconds >= 0:
        raise ProblemError(f'{name}: seconds, zero or more, are needed, or "30s", got {budget}')
    return Clock(seconds, began=began)


def said(seconds: float) -> str:
    """A duration in a message: 3.2 s, 45 s, 12 min."""
    if seconds < 9.95:
        return f"{seconds:.2g} s"
    return f"{seconds:.0f} s" if seconds < 600 else f"{seconds / 60:.0f} min"


def _round(seconds: float) -> float:
    """Up to a number that a person would give."""
    for size in (5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0):
        if seconds <= size:
            return size
    return 600.0 * math.ceil(seconds / 600.0)


# --- what cannot be cut ----------------------------------------------------------------------

_beside: set[threading.Thread] = set()


def beside(clock: Clock, what: str, work: Callable[[], T]) -> T:
    """What the work gives, if it is done in time; done in a thread of its own if there is a limit.

    A compiler cannot be stopped. If time runs out it is not waited for: it goes on in its thread, and
    what it compiled is there for a later call.

    Raises:
        BudgetError: time ran out before it was done; and what the work raises.
    """
    if not clock.limited:
        return work()
    clock.check(what)
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # handed over to who waits
            future.set_exception(error)
        finally:
            _beside.discard(threading.current_thread())

    thread = threading.Thread(target=run, name=f"benign: {what}")
    _beside.add(thread)
    thread.start()
    try:
        return future.result(timeout=max(clock.left, 0.0))
    except TimeoutError:
        if future.done():  # at the last moment, or the work's own error
            return future.result()
    clock.check(what)
    raise BudgetError(f"budget: {what} was not done in time")


def loaded(clock: Clock, *modules: str) -> None:
    """Load modules, JAX with them for the most part, and do not wait for them beyond the time.

    Raises:
        BudgetError: time ran out.
    """
    missing = [name for name in modules if name not in sys.modules]
    if missing:
        beside(clock, "loading JAX", lambda: [import_module(name) for name in missing])


def unfinished() -> bool:
    """Whether something that was not waited for still runs: then a process ends by `os._exit` only."""
    return bool(_beside)
