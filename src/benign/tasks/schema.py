"""The tables of a family file as Pydantic models, and one readable sentence for what breaks them.

Types and keys only: what a table means, and whether the numbers make a well-posed task, is decided
in `benign.tasks.files`. Every number becomes the `Fraction` it prints.
"""

from __future__ import annotations

import math
from decimal import Decimal
from difflib import get_close_matches
from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    ValidationError,
)

from benign.errors import FileFormatError, ProblemError
from benign.exact.numbers import MAX_EXPONENT, MAX_SHOTS, exact
from benign.exact.problem import Matrix, StepKind
from benign.tasks.wellposed import show
from benign.text import clean

MAX_NAME = 80
_MAX_BITS = 1100  # a little more than the largest float64; longer integers cannot be meant


_OUT_OF_RANGE = "the number is beyond the range of a float64 (about 1e-308 to 1e308)"


def kind_of(value: Any) -> str:
    """What a parsed value is, in the words of a file's author."""
    names = {
        bool: "true or false",
        str: "text",
        list: "a list",
        dict: "a table",
        type(None): "null",
    }
    if type(value) in names:
        return names[type(value)]
    return "a number" if isinstance(value, (int, float, Decimal)) else "a date or time"


def number(value: Any) -> Fraction:
    """The exact number that a file prints: 0.1 is 1/10, "101/100" is that fraction.

    Raises:
        ProblemError: not a number, not finite, or outside the range of a float64.
    """
    if isinstance(value, bool) or not isinstance(value, (int, Decimal, str, Fraction)):
        raise ProblemError(f'expected a number such as 0.1, "101/100" or 1e-3, got {kind_of(value)}')
    if isinstance(value, Decimal) and not value.is_finite():
        raise ProblemError(f"expected a finite number, got {value}")
    if (isinstance(value, int) and value.bit_length() > _MAX_BITS) or (
        isinstance(value, Decimal) and value != 0 and abs(value.adjusted()) > MAX_EXPONENT
    ):
        raise ProblemError(_OUT_OF_RANGE)
    found = exact(value)
    try:
        rounded = float(found)
    except OverflowError:
        rounded = math.inf
    if math.isinf(rounded) or (rounded == 0 and found != 0):
        raise ProblemError(_OUT_OF_RANGE)
    return found


def matrix(value: Any) -> Matrix:
    """(rows, columns) from a list of equal rows; a plain number is a 1 × 1 matrix."""
    if not isinstance(value, list):
        if isinstance(value, dict):
            raise ProblemError("expected a number or a list of rows, got a table")
        return ((number(value),),)
    if not value or not all(isinstance(row, list) for row in value):
        raise ProblemError("expected a number or a list of rows, such as [[1, 0], [0, 1]]")
    rows = []
    for i, row in enumerate(value):
        if not row:
            raise ProblemError(f"row {i + 1} is empty")
        if len(row) != len(value[0]):
            raise ProblemError(
                f"row {i + 1} has {len(row)} entries, row 1 has {len(value[0])}; "
                "give every row the same length"
            )
        entries = []
        for j, x in enumerate(row):
            try:
                entries.append(number(x))
            except ProblemError as error:
                raise ProblemError(f"row {i + 1}, column {j + 1}: {error}") from error
        rows.append(tuple(entries))
    return tuple(rows)


def _weight(value: Any) -> Fraction:
    found = number(value)
    if found <= 0:
        raise ProblemError(f"must be positive, got {show(found)}")
    return found


def _discount(value: Any) -> Fraction:
    found = number(value)
    if not 0 < found <= 1:
        raise ProblemError(f"must lie above 0 and at most at 1, got {show(found)}")
    return found


def _etas(value: Any) -> tuple[Fraction, ...]:
    found = tuple(map(_weight, value if isinstance(value, list) else [value]))
    if not found:
        raise ProblemError("expected a step size or a list of them, got an empty list")
    return found


def _text(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        # JSON can escape half a character; no terminal, file or report could print it.
        raise ProblemError("the text is not valid Unicode") from None
    return value


def _name(value: str) -> str:
    if not value:
        raise ProblemError("a name must not be empty; leave it out for a default")
    if len(value) > MAX_NAME:
        raise ProblemError(f"a name must not exceed {MAX_NAME} characters")
    if not value.isprintable():
        # A name is printed in messages and tables; a terminal code in it must not reach the screen.
        raise ProblemError("a name must not hold line breaks or other unprintable characters")
    return value


Text = Annotated[str, AfterValidator(_text)]
Positive = Annotated[Fraction, PlainValidator(_weight)]
Discount = Annotated[Fraction, PlainValidator(_discount)]
Rows = Annotated[Matrix, PlainValidator(matrix)]
Name = Annotated[Text, AfterValidator(_name)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class PlantTable(_Table):
    """The numbers of one cost: in [defaults], in a task, or in its [tasks.adaptation]."""

    # No field is nullable: a `null` in JSON is a mistake, an absent key is not.
    A: Rows = Field(default=None)  # pyright: ignore[reportAssignmentType]
    B: Rows = Field(default=None)  # pyright: ignore[reportAssignmentType]
    Q: Rows = Field(default=None)  # pyright: ignore[reportAssignmentType]
    R: Rows = Field(default=None)  # pyright: ignore[reportAssignmentType]
    N: Rows = Field(default=None)  # pyright: ignore[reportAssignmentType]
    S0: Rows = Field(default=None)  # pyright: ignore[reportAssignmentType]
    discount: Discount = Fraction(1)
    noise: Rows = Field(default=None)  # pyright: ignore[reportAssignmentType]
    time: Literal["discrete", "continuous"] = "discrete"
    dt: Positive = Field(default=None)  # pyright: ignore[reportAssignmentType]

    def given(self) -> dict[str, Any]:
        """The plant's fields that the file states, and only those."""
        return {k: getattr(self, k) for k in PlantTable.model_fields if k in self.model_fields_set}


class TaskTable(PlantTable):
    """One [[tasks]] table."""

    name: Name = Field(default=None)  # pyright: ignore[reportAssignmentType]
    weight: Positive = Fraction(1)
    adaptation: PlantTable = PlantTable()


class StepTable(_Table):
    """The [step] table: what to use where the user names no step."""

    eta: Annotated[tuple[Fraction, ...], PlainValidator(_etas)]
    step: StepKind = "gradient"
    shots: int = Field(default=1, ge=1, le=MAX_SHOTS)


class Document(_Table):
    """A whole family file."""

    benign: int
    title: Text = ""
    source: Text = ""
    licence: Text = ""
    license: Text = ""
    notes: Text = ""
    defaults: PlantTable = PlantTable()
    tasks: list[TaskTable]
    step: StepTable | None = None


# --- one sentence for an error ---------------------------------------------------------------


def task_place(index: int, name: Any) -> str:
    """How messages name a task: "task 3 `pitch`"."""
    if not isinstance(name, str) or not name or name == f"task {index}":
        return f"task {index}"
    return f"task {index} `{clean(name, 24)}`"


def parse(document: Any) -> Document:
    """The document as checked tables.

    Raises:
        FileFormatError: an unknown or missing key, a value of the wrong type or form.
    """
    try:
        found = Document.model_validate(document)
    except ValidationError as error:
        raise FileFormatError(_explain(error, document)) from None
    if found.licence and found.license:
        raise FileFormatError("`licence` and `license` are one key; keep one of them")
    return found


def _explain(error: ValidationError, document: Any) -> str:
    """The first thing wrong in the document: place, value, cause and cure in a sentence or two."""
    errors = error.errors(include_url=False)
    # An unknown key explains a missing one (`task` for `tasks`), so it goes first.
    first = next((e for e in errors if e["type"] == "extra_forbidden"), errors[0])
    more = f" (and {len(errors) - 1} more to follow)" if len(errors) > 1 else ""
    loc = first["loc"]
    place, field = _place(loc, document)
    if first["type"] == "extra_forbidden":
        return f"{place}unknown key `{field}`; {_nearest(field, _model_at(loc))}{more}"
    if first["type"] == "missing":
        return f"{place}the key `{field}` is missing; add it{more}"
    return f"{place}`{field}`: {_cause(first)}{more}"


def _place(loc: tuple[int | str, ...], document: Any) -> tuple[str, str]:
    """("task 3 `pitch`, adaptation: ", "Qq") from ("tasks", 3, "adaptation", "Qq")."""
    place, rest = "", list(loc)
    if rest[0] == "tasks" and len(rest) > 1 and isinstance(rest[1], int):
        index = rest[1]
        entry = document["tasks"][index]
        place = task_place(index, entry.get("name") if isinstance(entry, dict) else None)
        rest = rest[2:]
        if not rest:
            return "", f"tasks[{index}]"
    table = f"[{rest[0]}]" if not place else str(rest[0])
    parts = [place] if place else []
    if len(rest) > 1:
        parts.append(table)
    text = str(rest[-1])
    return (", ".join(parts) + ": " if parts else ""), text if len(text) <= 40 else text[:39] + "…"


def _model_at(loc: tuple[int | str, ...]) -> type[BaseModel]:
    if loc[0] == "tasks" and len(loc) > 2:
        return PlantTable if loc[2] == "adaptation" and len(loc) > 3 else TaskTable
    if len(loc) > 1:
        return {"defaults": PlantTable, "step": StepTable}.get(str(loc[0]), Document)
    return Document


def _nearest(key: str, model: type[BaseModel]) -> str:
    known = list(model.model_fields)
    folded = {k.casefold(): k for k in known}
    close = get_close_matches(key.casefold(), folded, n=1, cutoff=0.5)
    if close:
        return f"did you mean `{folded[close[0]]}`?"
    return "the keys here are " + ", ".join(known)


def _cause(error: Any) -> str:
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        got = repr(value[:20]) if isinstance(value, str) else kind_of(value)
        return f"expected {context['expected']}, got {got}"
    if kind in ("greater_than_equal", "less_than_equal"):
        return f"expected a whole number from 1 to {MAX_SHOTS}"
    wanted = {
        "string": "text",
        "int": "a whole number",
        "list": "a list of tables, written [[tasks]]",
        "model": "a table",
    }
    return f"expected {wanted.get(kind.split('_')[0], 'something else')}, got {kind_of(value)}"
