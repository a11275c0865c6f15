"""Bars on stderr, where that is a terminal: what goes on, and how far it has come."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from benign.cli.common import console


@contextmanager
def counting(what: str) -> Iterator[Callable[..., None]]:
    """A bar that is told how many are done, and how many there are in all."""
    from rich.progress import Progress

    errors = console(stderr=True)
    with Progress(console=errors, transient=True, disable=not errors.is_terminal) as progress:
        bar = progress.add_task(what, total=None)
        yield lambda done, most=None: progress.update(bar, completed=done, total=most)


@contextmanager
def naming() -> Iterator[Callable[[str, int, int], None]]:
    """A bar that is told what is looked at, too."""
    from rich.progress import Progress

    errors = console(stderr=True)
    with Progress(console=errors, transient=True, disable=not errors.is_terminal) as progress:
        bar = progress.add_task("", total=None)
        yield lambda what, done, most: progress.update(
            bar, description=what, completed=done, total=most
        )


@contextmanager
def searching() -> Iterator[Callable[[str, int, int], None]]:
    """A bar for a search and the proof after it, whose end is not known."""
    with naming() as update:

        def report(what: str, done: int, rest: int) -> None:
            if what == "search":
                update(what, done, rest)
            else:
                update(f"{what}, {done} boxes done, {rest} waiting", done, done + rest)

        yield report


class Training:
    """A line on stderr while it is a terminal: steps, h, the norm of the update, halvings."""

    def __init__(self, algorithm: str, steps: int) -> None:
        self.algorithm, self.steps = algorithm, steps

    def __enter__(self) -> Any:
        if not sys.stderr.isatty():
            self.bar = None
            return None
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self.bar = Progress(
            TextColumn(self.algorithm),
            BarColumn(),
            TextColumn("{task.completed:g} of {task.total:g}"),
            TextColumn("h {task.fields[value]:.6g}   ‖update‖ {task.fields[norm]:.2e}"),
            TextColumn("{task.fields[halvings]}"),
            TimeRemainingColumn(),
            console=console(stderr=True),
            transient=True,
        )
        self.task = self.bar.add_task(
            "", total=self.steps, value=float("nan"), norm=float("nan"), halvings=""
        )
        self.bar.start()
        return self._update

    def _update(self, step: int, value: float, norm: float, halvings: int) -> None:
        assert self.bar is not None
        text = f"{halvings} halvings" if halvings else "always feasible"
        self.bar.update(self.task, completed=step, value=value, norm=norm, halvings=text)

    def __exit__(self, *_: object) -> None:
        if self.bar is not None:
            self.bar.stop()
