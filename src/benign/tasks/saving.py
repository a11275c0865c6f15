"""Families to files: whatever a user may mean by one, written so that `load` reads back the same."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from benign.errors import UsageError
from benign.exact.problem import Step
from benign.files import write_atomically, write_own
from benign.opening import path_of
from benign.tasks.files import FamilyFile, Format, SuggestedStep, dumps, format_of
from benign.tasks.given import as_exact_family, described, opened


def save_family(
    family: Any,
    path: str | os.PathLike[str],
    *,
    title: str | None = None,
    source: str | None = None,
    licence: str | None = None,
    notes: str | None = None,
    step: Any = None,
    replace: bool = False,
) -> Path:
    """Write a family file, whole or not at all; `load` gives back the same family, number for number.

    Every task is written out in full, a continuous plant as sampled, a weight up to a common factor.

    Args:
        family: One of `benign.tasks.given.FAMILIES`.
        path: The file; its suffix, .toml or .json, says the format.
        title, source, licence, notes: Text for people; what the family's own file says by default.
        step: The step to suggest: a `SuggestedStep`, `Step`, `GradientStep` or `NormalizedStep`; that
            of the family's own file by default.
        replace: Whether a file of that name may be replaced; what a user wrote there would be lost.

    Returns:
        The path.

    Raises:
        UsageError: no family, or no step.
        FileFormatError: another suffix.
        ProblemError: the family could not be read back: it is not well posed, a fraction is too long,
            or a name or a text is none that a file may hold (a line break in a name).
        OutputError: the file cannot be written, or a file of that name is there.
    """
    target = Path(path_of(path, "save_family"))
    texts = {"title": title, "source": source, "licence": licence, "notes": notes}
    text = family_text(family, format_of(target), **texts, step=step)
    return write_atomically(target, text) if replace is True else write_own(target, text)


def family_text(
    family: Any,
    format: Format,
    *,
    title: str | None = None,
    source: str | None = None,
    licence: str | None = None,
    notes: str | None = None,
    step: Any = None,
) -> str:
    """The text of such a file; arguments and errors as `save_family`."""
    if isinstance(family, (str, os.PathLike)):
        family = opened(family)
    own = family if isinstance(family, FamilyFile) else None
    given = {"title": title, "source": source, "licence": licence, "notes": notes}
    for key, value in given.items():
        if not (value is None or isinstance(value, str)):
            raise UsageError(f"save_family: {key}: expected text, got {described(value)}")
    texts = {key: getattr(own, key, "") if value is None else value for key, value in given.items()}
    suggested = _suggested(step) if step is not None else own and own.step
    return dumps(as_exact_family(family, "save_family"), format, **texts, step=suggested)


def _suggested(step: Any) -> SuggestedStep:
    if isinstance(step, SuggestedStep):
        return step
    exact = step.exact() if hasattr(step, "exact") else step
    if not isinstance(exact, Step):
        raise UsageError(
            f"save_family: step: expected a step, got {described(step)}; give a SuggestedStep, a "
            "GradientStep or a NormalizedStep"
        )
    return SuggestedStep(exact.kind, (exact.eta,), exact.shots)
