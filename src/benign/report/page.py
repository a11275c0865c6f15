"""The page: what was gathered, as the variables of one template.

Nothing that comes from a file is markup: Jinja2 escapes every variable, pictures are images in `data:`
URIs, and data for Bokeh is JSON without any `<`. The page's own policy forbids every request, and every
script but the two whose digests it names.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from importlib import resources
from typing import Any

from benign.clock import NO_LIMIT, Clock
from benign.errors import FileFormatError, UsageError
from benign.opening import read_bytes
from benign.report.gather import Gathered, gather
from benign.report.section import NAME, section_of
from benign.text import clean
from benign.version import __version__

MARK = '<meta name="generator" content="benign report">'
"""By which a page is known."""

MAX_BYTES = 200_000_000
"""Of a page that is looked at."""


def report(directory: Any, *, interactive: bool | None = None, clock: Clock = NO_LIMIT) -> str:
    """One HTML document about the results in a directory.

    Args:
        directory: what `save` or --out wrote, or a directory of such directories.
        interactive: with Bokeh, which makes the page some 1.3 MB larger; by default if it is installed.
        clock: the time there is.

    Raises:
        UsageError: Jinja2 is not installed, or Bokeh where it is asked for.
        FileFormatError: no results are there.
    """
    page = template()
    found = gather(directory, clock)
    if interactive is None:
        interactive = _has_bokeh()
    elif interactive:
        from benign.views.interactive.figures import require_bokeh

        require_bokeh()
    plots: dict[str, Any] = {}
    sections = []
    for number, section in enumerate(found.sections, start=1):
        clock.check("the report")
        sections.append(section_of(number, section, plots if interactive else None))
    scripts = _scripts() if plots else []
    return page.render(
        title=_title(found),
        mark=MARK,
        version=__version__,
        sections=sections,
        advice=[_advice(place, one) for place, one in found.advice],
        others=found.others,
        refused=found.refused,
        left=found.left,
        scripts=scripts,
        policy=_policy(scripts),
        plots=_harmless(plots) if plots else "",
        css=_text("page.css"),
    )


def is_report(path: Any) -> bool:
    """Whether a file is a page that `report` made, and may be replaced by another."""
    try:
        return MARK in read_bytes(path, MAX_BYTES, "a report")[:1000].decode(errors="replace")
    except FileFormatError:
        return False


def template() -> Any:
    """The page's template.

    Raises:
        UsageError: Jinja2 is not installed.
    """
    try:
        from jinja2 import Environment, StrictUndefined
        from markupsafe import Markup
    except ImportError:
        raise UsageError('a report needs Jinja2; pip install "benign[report]"') from None
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["trusted"] = Markup  # our own style and scripts, and `_harmless` JSON
    return environment.from_string(_text("page.html"))


def _text(name: str) -> str:
    return resources.files("benign.report").joinpath("templates", name).read_text(encoding="utf-8")


def _title(found: Gathered) -> str:
    names = [section.place for section in found.sections] or [place for place, _ in found.advice]
    return clean(", ".join(filter(None, names[:3])) + (" …" if len(names) > 3 else ""), 100)


# --- scripts ---------------------------------------------------------------------------------------


def _has_bokeh() -> bool:
    from importlib.util import find_spec

    return find_spec("bokeh") is not None


def _scripts() -> list[str]:
    """Bokeh's own program and the page's."""
    from bokeh.resources import Resources

    program = "\n".join(Resources(mode="inline", components=["bokeh"], log_level="error").js_raw)
    # A browser takes the digest of what it reads, in which a line ends with a line feed.
    return [program.replace("\r\n", "\n").replace("</script", "<\\/script"), _text("page.js")]


def _policy(scripts: list[str]) -> str:
    """No request goes out; no script runs but these."""
    digests = [b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts]
    allowed = " ".join(f"'sha256-{digest}'" for digest in digests) or "'none'"
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; "
        "font-src data:; base-uri 'none'; form-action 'none'"
    )


def _harmless(document: Any) -> str:
    """JSON that can stand in a <script>: no `<`, `>`, `&` or line separator in it."""
    text = json.dumps(document, ensure_ascii=True, allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _advice(place: str, found: Any) -> dict[str, Any]:
    from benign.report.stills import data_uri

    return {
        "place": clean(place, NAME),
        "headline": clean(found.headline),
        "reason": clean(found.reason),
        "still": data_uri(found.plot()),
    }
