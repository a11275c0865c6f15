"""Text that others wrote — names of tasks, titles, names of files — as it may be printed.

A name comes from a file that somebody sent. Printed as it stands it could move the cursor, colour or
overwrite a verdict (control characters, terminal escapes), turn its letters around (bidirectional
overrides), hide (characters of no width) or be read as markup. So each is shown by `clean` on its way
to a screen, a message or a picture, and by `clean_json` in a document; the name itself stays as it is.
"""

from __future__ import annotations

import re
import unicodedata

LONGEST = 60
"""Characters of a name in a message; the rest is cut off."""


def clean(text: str, most: int | None = None) -> str:
    """The text in one line of printable characters, cut to `most`.

    Any other character is written as its code, as Python would write it, and any space as " ".
    """
    shown = "".join(map(_shown, text))
    return shown if most is None or len(shown) <= most else f"{shown[: most - 1]}…"


def clean_lines(text: str) -> str:
    """The same for text of several lines, such as a message: its line breaks stay."""
    return "\n".join(map(clean, text.split("\n")))


def quoted(name: str) -> str:
    """A name in a message: `light`."""
    return f"`{clean(name, LONGEST)}`"


def clean_json(text: str) -> str:
    """JSON text in which whatever is not printable is escaped, so that it says the same."""
    # Outside of strings JSON has only ASCII and line breaks, which stay as they are.
    return _DOUBTFUL.sub(lambda match: _json_escape(match.group()), text)


def for_picture(text: str, most: int | None = None) -> str:
    """The text as a label of a picture: no part of it is read as a formula."""
    return clean(text, most).replace("$", r"\$")


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    if unicodedata.category(character) == "Zs":
        return " "
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


_DOUBTFUL = re.compile("[^ -~\n]")


def _json_escape(character: str) -> str:
    if character.isprintable():
        return character
    code = ord(character)
    if code < 0x10000:
        return f"\\u{code:04x}"
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
