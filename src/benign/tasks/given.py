"""The front door for families: whatever a user may mean by one, as an exact family or a stacked one.

Every verb that takes a family reads it here, and nowhere else. Importing this loads no JAX: a file, a
bundled name or an exact family becomes an exact family without it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benign.errors import FileFormatError, UsageError
from benign.exact.problem import Family, Task, make_family
from benign.opening import exists, shortened
from benign.tasks.files import FamilyFile, bundled_names, bundled_path, load

if TYPE_CHECKING:
    from benign.tasks.family import TaskFamily

FAMILIES = (
    "a family file's path, the name of a bundled family, a FamilyFile, a TaskFamily, an exact Family "
    "or a list of LQR tasks"
)
"""What is taken for a family."""


def is_family(value: Any) -> bool:
    """Whether the value is taken for a family; a path or a name counts before it was opened."""
    if isinstance(value, (str, os.PathLike, FamilyFile, Family)):
        return True
    if _is_stacked(value):
        return True
    return isinstance(value, (list, tuple)) and bool(value) and all(map(_is_task, value))


def several(values: Any, name: str, call: str) -> list[Any]:
    """The values of a list or another collection.

    Raises:
        UsageError: it is none, or text; the message begins with the call.
    """
    # A type, an array of no dimension: they say that they can be gone through, and cannot.
    try:
        if not isinstance(values, (str, bytes)) and isinstance(values, Iterable):
            return list(values)
    except TypeError:
        pass
    raise UsageError(f"{call}: {name}: expected a list, got {described(values)}")


def require_callable(value: Any, call: str, name: str) -> None:
    """Refuse what is no function, where one or None is expected.

    Raises:
        UsageError: it is none; the message begins with the call.
    """
    if value is not None and not callable(value):
        raise UsageError(f"{call}: {name}: expected a function, got {described(value)}")


def opened(value: str | os.PathLike[str]) -> FamilyFile:
    """The family file at a path, or the bundled one of that name; a file goes before a name.

    Raises:
        FileFormatError: there is neither, or the file cannot be read.
        ProblemError: its tasks are not well posed.
    """
    path = Path(value)
    if isinstance(value, str) and path.suffix == "" and os.sep not in value and not exists(path):
        if value not in bundled_names():
            name = shortened(value)
            raise FileFormatError(
                f"{name}: neither a file nor a bundled family; `benign examples` lists those"
            )
        path = bundled_path(value)
    return load(path)


def as_exact_family(value: Any, call: str) -> Family:
    """The family in exact numbers.

    Args:
        value: one of `FAMILIES`.
        call: the call it was given to, for messages.

    Raises:
        UsageError: it is none of them.
        FileFormatError: a file that cannot be read, or no bundled family of that name.
        ProblemError: the tasks are not well posed, or of different shapes.
    """
    if isinstance(value, Family):
        return value
    if isinstance(value, (str, os.PathLike)):
        value = opened(value)
    if isinstance(value, FamilyFile):
        return value.family
    if isinstance(value, (list, tuple)) and value and all(isinstance(x, Task) for x in value):
        return make_family(value)
    return as_task_family(value, call).exact()


def as_task_family(value: Any, call: str) -> TaskFamily:
    """The family as stacked float64 arrays, for JAX; arguments and errors as `as_exact_family`."""
    if _is_stacked(value):
        return value
    if not is_family(value):
        raise UsageError(f"{call}: expected a family, got {described(value)}; give {FAMILIES}")
    from benign.tasks.family import TaskFamily

    if isinstance(value, (list, tuple)) and not all(isinstance(x, Task) for x in value):
        return TaskFamily([_one(task) for task in value])
    return TaskFamily.from_exact(as_exact_family(value, call))


def _one(task: Any) -> Any:
    from benign.tasks.lqr import LQR

    if not isinstance(task, Task):
        return task
    return LQR.from_exact(task.evaluation, adaptation=task.adaptation, name=task.name)


def described(value: Any) -> str:
    """What a value is, in a few words for a message."""
    kind = type(value).__name__
    if isinstance(value, (list, tuple)):
        kinds = sorted({type(x).__name__ for x in value})
        return f"a {kind} of {', '.join(kinds[:3])}" if kinds else f"an empty {kind}"
    if isinstance(value, (bool, int, float)) or value is None:
        return f"{value!r}"
    return f"{'an' if kind[0] in 'AEIOU' else 'a'} {kind}"


def _is_stacked(value: Any) -> bool:
    # Whoever has a TaskFamily has imported its module; nobody else is to load JAX for the question.
    module = sys.modules.get("benign.tasks.family")
    return module is not None and isinstance(value, module.TaskFamily)


def _is_task(value: Any) -> bool:
    module = sys.modules.get("benign.tasks.lqr")
    return isinstance(value, Task) or (module is not None and isinstance(value, module.LQR))
