"""How a result shows itself: its words where text is shown, words and picture in a notebook."""

from __future__ import annotations

from base64 import b64encode
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Shown:
    """For classes with `__str__` and `plot`."""

    if TYPE_CHECKING:

        def plot(self) -> Figure | None:
            """The picture."""

    def __repr__(self) -> str:
        return str(self)

    def _repr_png_(self) -> bytes | None:
        from benign.views.save import png

        return png(self)

    def _repr_html_(self) -> str:
        # Front ends show one form, this one before a picture: so the picture is in it.
        picture = self._repr_png_()
        image = "" if picture is None else (
            f'<img alt="the picture of the result" style="max-width: 60em" '
            f'src="data:image/png;base64,{b64encode(picture).decode()}">'
        )  # fmt: skip
        return f"<pre>{escape(str(self))}</pre>{image}"
