"""What a subcommand puts on the screen: one spelling, one style of table, and a legend of its words."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING, Any

from benign.cli.common import columns, console

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table
    from rich.text import Text

SPELLED = {"ε": "epsilon", "η": "eta"}
"""Letters that are words on a screen, as they are in the options; pictures have the letters."""

LEGEND = {
    r"h\b": "h: average cost of the tasks after adaptation from a gain W",
    r"epsilon\b": "epsilon: what the worst local minimum of h exceeds the least by",
    r"shots?\b": "shot: a step of adaptation",
    r"spurious\b": "spurious: a local minimum that is not global",
    r"jump\b": "jump: a gain where h is discontinuous",
    r"edge\b": "edge: a rim of the domain where h stays finite",
    r"F−W\*": "F: the gain after adaptation; W*, C*: a task's own best gain and its cost",
    r"level\b|Complete below": "level: the h up to which the list is complete",
    r"boxes\b": "box: a region of gains that is decided as a whole",
    r"hits\b": "hits: random starts that ended there",
    r"gap to min h": "gap: what h exceeds its least by, at most",
    r"regret bounds?\b": "regret bound: what h exceeds the mean of the tasks' own least costs by",
    r"cells?\b": "cell: a variant at a step size",
    r"meta-steps?\b": "meta-step: a step of training",
    r"unseen\b": "unseen: not among the tasks of the training",
    r"branch(es)?\b": "branch: a minimiser followed as eta grows",
}
"""What is explained, where it was shown; in this order."""


WIDEST = 10_000
"""Columns of a table, at most."""


class Screen:
    """Prints, and remembers what to explain."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    def say(self, text: str) -> None:
        """Print plain text."""
        text = spelled(text)
        print(text)
        self.shown.append(text)

    def show(self, what: RenderableType) -> None:
        """Print what a view has made."""
        screen = console(record=True)
        styled = _in_one_style(what)
        screen.width = max(screen.width, _needed(screen, styled))
        screen.print(styled)
        self.shown.append(screen.export_text())

    def explain(self) -> None:
        """Print the legend of what was shown."""
        if line := legend("\n".join(self.shown)):
            print(textwrap.fill(line, columns()))


def _needed(screen: Console, what: Any) -> int:
    """Columns without which a table would lose digits; a narrower terminal breaks its lines itself."""
    from rich.console import Group
    from rich.measure import Measurement
    from rich.table import Table

    parts = what.renderables if isinstance(what, Group) else [what]
    wide = screen.options.update(width=WIDEST)
    tables = [part for part in parts if isinstance(part, Table)]
    return max((Measurement.get(screen, wide, table).minimum for table in tables), default=0)


def legend(text: str) -> str:
    """What the words in a text mean, in one line; empty if there is nothing to explain."""
    text = " ".join(text.split())
    found = [said for word, said in LEGEND.items() if re.search(rf"(?<![\w-]){word}", text)]
    return f"Legend: {'; '.join(found)}." if found else ""


def spelled(text: str) -> str:
    """The text with words for letters."""
    for letter, word in SPELLED.items():
        text = text.replace(letter, word)
    return text


def _in_one_style(what: Any) -> Any:
    """The same, its tables in one style with room around them, its text with words for letters."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    if isinstance(what, str):
        return spelled(what)
    if isinstance(what, Text):
        return _spelled(what)
    if isinstance(what, Table):
        return _styled(what)
    if not isinstance(what, Group):
        return what
    parts: list[Any] = []
    for part in what.renderables:
        if parts and isinstance(part, Table) and str(parts[-1]):
            parts.append(Text(""))
        parts.append(_in_one_style(part))
        if isinstance(part, Table):
            parts.append(Text(""))
    # No two empty lines after a table that has one already.
    return Group(*(part for i, part in enumerate(parts) if i == 0 or str(part) or str(parts[i - 1])))


def _spelled(text: Text) -> Text:
    from rich.text import Text

    for letter, word in SPELLED.items():
        if letter in text.plain:
            joint = Text(word, style=text.style)
            text = joint.join(text.split(letter, allow_blank=True))
    return text


def _styled(table: Table) -> Table:
    from rich import box

    table.box = box.SIMPLE_HEAD
    table.show_edge = table.pad_edge = False
    table.collapse_padding = True
    table.title_justify, table.title_style = "left", "bold"
    if isinstance(table.title, str):
        table.title = spelled(table.title)
    for column in table.columns:
        if isinstance(column.header, str):
            column.header = spelled(column.header)
    return table
