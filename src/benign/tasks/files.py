"""Family files: a family of LQR tasks as TOML or JSON, read exactly or refused with a reason.

The format is explained in docs/family-files.md. Every decimal is the decimal it prints. A file that
is refused says where (file, task, field), what, why and what to do, in a line or two.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn, cast

from benign.errors import BenignError, FileFormatError, ProblemError
from benign.exact.problem import Step
from benign.opening import path_of, read_text, shortened
from benign.tasks.writing import plain, tables, toml
from benign.text import clean

if TYPE_CHECKING:
    from fractions import Fraction

    from benign.exact.problem import Family, StepKind

VERSION = 1
"""The version of the format that is written, and the only one that is read."""

MAX_BYTES = 5_000_000
"""Largest file that is read; a larger one is a mistake (a data log, a picture)."""

MAX_TASKS = 100_000
"""Largest number of tasks in a file."""

MAX_NUMBERS = 1_000_000
"""Largest number of commas in a file of TOML, which is read at some 200,000 a second."""

Format = Literal["toml", "json"]

_SHORT_MESSAGE = 290


@dataclass(frozen=True)
class SuggestedStep:
    """The adaptation step a file suggests: one rule, and the step sizes worth looking at."""

    kind: StepKind
    eta: tuple[Fraction, ...]
    shots: int = 1

    @property
    def steps(self) -> tuple[Step, ...]:
        """One `Step` for each η."""
        return tuple(Step(self.kind, eta, self.shots) for eta in self.eta)


@dataclass(frozen=True, repr=False)
class FamilyFile:
    """What a family file says.

    Attributes:
        family: the tasks in exact numbers, continuous-time plants already sampled.
        title, source, licence, notes: text for people; empty where the file is silent.
        step: the suggested adaptation step, or None.
        sampled: whether some plant was sampled, so that proofs speak of its rounded sampled form.
        remarks: what was changed: a matrix that was indefinite by a rounding and was raised.
    """

    family: Family
    title: str = ""
    source: str = ""
    licence: str = ""
    notes: str = ""
    step: SuggestedStep | None = None
    sampled: bool = False
    remarks: tuple[str, ...] = ()

    def __repr__(self) -> str:
        title = f"{clean(self.title, 60)!r}, " if self.title else ""
        return f"FamilyFile({title}{self.family!r})"


# --- reading ---------------------------------------------------------------------------------


def load(path: str | os.PathLike[str]) -> FamilyFile:
    """Read a family file; the suffix, .toml or .json, says the format.

    The name of a bundled family will do where there is no file of that name.

    Raises:
        FileFormatError: no such file, not readable, too large, not the format, unknown key.
        ProblemError: the tasks are not well posed.
    """
    path = path_of(path, "load")
    if not os.path.lexists(path) and path in bundled_names():
        path = str(bundled_path(path))
    return loads(read_text(path, MAX_BYTES, "a family file"), format_of(Path(path)), path)


def loads(text: str, format: Format = "toml", name: str = "family") -> FamilyFile:
    """Read a family from text; `name` stands for the file in messages.

    Raises:
        FileFormatError: not the format, unknown or missing key, a number that is none.
        ProblemError: the tasks are not well posed.
    """
    name = shortened(name)
    try:
        if len(text) > MAX_BYTES:
            raise FileFormatError(_too_large(len(text)))
        document = _parsed(text, format)
        _check_frame(document)
        return _file(document)
    except ProblemError as error:
        _refuse(ProblemError, name, error)
    except FileFormatError as error:
        _refuse(FileFormatError, name, error)


def _file(document: Any) -> FamilyFile:
    # Here, not above: Pydantic costs a tenth of a second, which writing and listing need not pay.
    from benign.tasks.building import build
    from benign.tasks.schema import parse

    tables = parse(document)
    family, sampled, remarks = build(tables)
    step = tables.step
    return FamilyFile(
        family,
        tables.title,
        tables.source,
        tables.licence or tables.license,
        tables.notes,
        step and SuggestedStep(step.step, step.eta, step.shots),
        sampled,
        remarks,
    )


def _refuse(kind: type[BenignError], name: str, cause: Exception | str) -> NoReturn:
    """Raise with the file's name in front, on one line, short enough for a terminal."""
    # Text quoted from a file may hold line breaks or terminal codes; they never reach the screen.
    message = f"{name}: {cause}"
    clean = "".join(c if c.isprintable() else "�" for c in message)
    if len(clean) > _SHORT_MESSAGE:
        clean = clean[: _SHORT_MESSAGE - 1] + "…"
    raise kind(clean) from (cause if isinstance(cause, Exception) else None)


def _too_large(size: int) -> str:
    return (
        f"the file has {size / 1e6:.1f} MB, more than the {MAX_BYTES / 1e6:.0f} MB of the largest "
        "family file; is it the right file?"
    )


def format_of(path: Path) -> Format:
    """The format that the suffix says.

    Raises:
        FileFormatError: it is neither .toml nor .json.
    """
    suffix = path.suffix.lower()
    if suffix not in (".toml", ".json"):
        _refuse(
            FileFormatError,
            shortened(str(path)),
            f"cannot tell the format from the suffix {suffix!r}; name the file .toml or .json",
        )
    return cast("Format", suffix[1:])


def _parsed(text: str, format: Format) -> Any:
    try:
        if format == "toml":
            _require_short(text)
            return tomllib.loads(text, parse_float=_decimal)
        return json.loads(
            text, parse_float=_decimal, parse_constant=_no_constant, object_pairs_hook=_table
        )
    except BenignError:
        raise
    except json.JSONDecodeError as error:
        raise FileFormatError(
            f"not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from error
    except tomllib.TOMLDecodeError as error:
        raise FileFormatError(f"not valid TOML: {str(error)[:160]}") from error
    except RecursionError:
        raise FileFormatError("lists or tables are nested far too deep for a family file") from None
    except ValueError as error:
        # Python's own limit on the digits of an integer; the parsers do not catch it.
        raise FileFormatError(f"a number cannot be read: {str(error)[:80]}") from error


MAX_PARTS = 16
"""Dotted parts of a key, at most. `tomllib` remembers every prefix of a key: memory and time grow with
the square of its parts, and a line of a megabyte would exhaust the machine."""

# Keys stand anywhere, in inline tables too; in comments and long strings there are none. Possessive
# repeats keep the search linear, and a part is looked at as often as a key may have parts.
_PART = r"""(?:[\w-]++|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+')"""
_LONG_KEY = re.compile(rf"{_PART}(?:[ \t]*+\.[ \t]*+{_PART}){{{MAX_PARTS}}}")
_COMMENT = r"\#[^\n]*+"
_LONG_STRING = r'"{3}(?:[^"\\]|\\.|"{1,2}(?!"))*+"{3,5}' + r"|'{3}(?:[^']|'{1,2}(?!'))*+'{3,5}"
_NO_LONG_KEY = re.compile(
    rf"""(?:[^\#"'\w-]++|{_COMMENT}|{_LONG_STRING}|(?!{_LONG_KEY.pattern}){_PART})*+""", re.DOTALL
)


def _require_short(text: str) -> None:
    """Refuse what `tomllib` would take minutes for, before it begins."""
    if text.count(",") > MAX_NUMBERS:
        raise FileFormatError(f"it holds more than {MAX_NUMBERS} numbers in lists; split it")
    if text.count("\n[") > 2 * MAX_TASKS:
        raise FileFormatError(f"it holds more than {MAX_TASKS} tasks, the most that are read")
    if _has_long_key(text):
        raise FileFormatError(f"a key has more than {MAX_PARTS} dotted parts; a family file needs two")


def _has_long_key(text: str) -> bool:
    """Whether a key has more parts than are read; where the text is no TOML, before that place."""
    start = _NO_LONG_KEY.match(text)
    return start is not None and _LONG_KEY.match(text, start.end()) is not None


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise FileFormatError(f"the number {text[:40]} is beyond the range of a float64") from error


def _no_constant(text: str) -> NoReturn:
    raise FileFormatError(f"{text} is not a number that a task can have; give a finite one")


def _table(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))
        raise FileFormatError(f"the key `{twice[:40]}` is given twice; keep one")
    return table


def _check_frame(document: Any) -> None:
    """The version and the size, before anything else is looked at."""
    from benign.tasks.schema import kind_of

    if not isinstance(document, dict):
        raise FileFormatError(f"expected a table with `benign` and `tasks`, got {kind_of(document)}")
    if "benign" not in document:
        raise FileFormatError(
            f"the key `benign` is missing; a family file begins with benign = {VERSION}, the "
            "version of the format"
        )
    version = document["benign"]
    if isinstance(version, bool) or not isinstance(version, int):
        raise FileFormatError(f"`benign`: expected the version, {VERSION}, got {kind_of(version)}")
    if version != VERSION:
        shown = str(version) if version.bit_length() < 64 else "a huge number"
        raise FileFormatError(
            f"`benign`: the file has version {shown} of the format, this library reads version "
            f"{VERSION}; update the library or the file"
        )
    tasks = document.get("tasks")
    if isinstance(tasks, list) and len(tasks) > MAX_TASKS:
        raise FileFormatError(f"{len(tasks)} tasks, more than the {MAX_TASKS} that are read")
    if tasks == []:
        raise ProblemError("the family has no task; give at least one [[tasks]] table")


# --- writing ---------------------------------------------------------------------------------


def dumps(
    family: Family,
    format: Format = "toml",
    *,
    title: str = "",
    source: str = "",
    licence: str = "",
    notes: str = "",
    step: SuggestedStep | None = None,
) -> str:
    """The text of a family file; `loads` gives back the same family, number for number.

    Raises:
        ProblemError: the family could not be read back: it is not well posed, a fraction is too long,
            or a name or a text is none that a file may hold (a line break in a name).
    """
    document: dict[str, Any] = {"benign": VERSION}
    texts = {"title": title, "source": source, "licence": licence, "notes": notes}
    document |= {key: value for key, value in texts.items() if value}
    if step is not None:
        document["step"] = {
            "step": step.kind,
            "eta": [plain(eta) for eta in step.eta],
            "shots": step.shots,
        }
    document["tasks"] = tables(family)
    if format == "json":
        text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    else:
        text = toml(document)
    try:
        back = loads(text, format, "the family to be written")
    except FileFormatError as error:  # of the family, then: the format is ours
        raise ProblemError(str(error)) from error
    if back.family != family:
        raise ProblemError("the family to be written: Q, R, S0 and noise must be symmetric")
    return text


# --- the families that come with the library ---------------------------------------------------


def bundled() -> list[tuple[str, str]]:
    """(name, title) of each family that comes with the library, by name."""
    found = []
    for path in sorted(_data().glob("*.toml")):
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        found.append((path.stem, str(document.get("title", ""))))
    return found


def bundled_names() -> list[str]:
    """The names of the families that come with the library, none of them opened."""
    return [path.stem for path in sorted(_data().glob("*.toml"))]


def bundled_path(name: str) -> Path:
    """The file of a bundled family.

    Raises:
        FileFormatError: there is no such family; the message gives the nearest name.
    """
    names = bundled_names()
    if name not in names:
        close = get_close_matches(name, names, n=1)
        hint = f"did you mean {close[0]}?" if close else "the bundled families are: " + ", ".join(names)
        _refuse(FileFormatError, "no bundled family", f"{shortened(name)!r}; {hint}")
    return _data() / f"{name}.toml"


def _data() -> Path:
    return Path(__file__).parents[1] / "data"
