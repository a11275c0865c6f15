"""Progress on stderr; results alone go to stdout."""

from __future__ import annotations

import sys


def say(what: str) -> None:
    """What is being measured now."""
    print(f"  {what} …", file=sys.stderr, flush=True)
