"""Pictures and text of results; they draw and compute nothing."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benign.views.picture import draw_observed as draw_observed
    from benign.views.plots import draw_landscape as draw_landscape
    from benign.views.save import save_landscape as save_landscape

_HOME = {
    "draw_observed": "benign.views.picture",
    "draw_landscape": "benign.views.plots",
    "save_landscape": "benign.views.save",
}

__all__ = [*_HOME]  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    try:
        home = _HOME[name]
    except KeyError:
        raise AttributeError(f"module 'benign.views' has no attribute {name!r}") from None
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value
