"""Studies as documents: TOML files, the bundled ones, and what a store says of itself."""

from __future__ import annotations

import os
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

from benign.errors import BenignError, FileFormatError, ProblemError
from benign.opening import exists, read_text, shortened
from benign.studies.study import FORMAT, Study, measure_of
from benign.text import clean, quoted

MAX_BYTES = 5_000_000

KEYS = {"format", "name", "title", "seed", "generator", "axes", "fixed", "measure", "picture"}


def read_study(path: str | os.PathLike[str]) -> Study:
    """The study of a TOML file, or the bundled one of that name.

    Raises:
        FileFormatError: no such file, or not of this form; the message names the place.
    """
    place = Path(path)
    if not exists(place) and place.suffix == "" and os.sep not in str(path):
        names = bundled_names()
        if str(path) not in names:
            raise FileFormatError(
                f"{shortened(path)}: neither a file nor a bundled study; those are {', '.join(names)}"
            )
        place = _data() / f"{path}.toml"
    text = read_text(place, MAX_BYTES, "a study file")
    try:
        return study_of(tomllib.loads(text))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise FileFormatError(f"{shortened(path)}: {clean(str(error), 120)}") from error
    except BenignError as error:
        raise FileFormatError(f"{shortened(path)}: {error}") from error


def study_of(document: Any, generator: Any = None) -> Study:
    """The study that a document describes.

    Args:
        document: of the form of a study file.
        generator: the function, where the families come from one.

    Raises:
        ProblemError: it is none; the message names the entry.
    """
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ProblemError(f'no study: it must begin with format = "{FORMAT}"')
    if strange := sorted(set(document) - KEYS):
        raise ProblemError(f"{quoted(strange[0])} is none of {', '.join(sorted(KEYS))}")
    tables = {}
    for name in ("generator", "axes", "fixed", "measure", "picture"):
        tables[name] = document.get(name, {})
        if not isinstance(tables[name], dict):
            raise ProblemError(f"{name}: expected a table")
    if strange := sorted(set(tables["generator"]) - {"kind", "plant"}):
        raise ProblemError(
            f"generator: {quoted(strange[0])} is neither kind nor plant; numbers go to axes or fixed"
        )
    kind = tables["generator"].get("kind", "random-costs")
    return Study(
        name=document.get("name", ""),
        axes=tables["axes"],
        generator=generator or kind,
        plant=tables["generator"].get("plant"),
        fixed=tables["fixed"],
        seed=document.get("seed", 0),
        measure=measure_of(tables["measure"]),
        picture=tables["picture"],
        title=document.get("title", ""),
    )


def function_at(path: str) -> Any:
    """The function of a dotted path, for a study whose families come from one.

    Raises:
        ProblemError: it is not to be had in this process.
    """
    module, _, name = path.rpartition(".")
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ProblemError(
            f"generator: {quoted(path)} cannot be imported here; put it in a module of its own"
        ) from error


def bundled_names() -> list[str]:
    """The studies that come with the library."""
    return sorted(path.stem for path in _data().glob("*.toml"))


def _data() -> Path:
    return Path(__file__).resolve().parent.parent / "data" / "studies"
