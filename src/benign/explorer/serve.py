"""The explorer as an application on this machine: loopback unless another address is named."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from benign.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benign.tasks.files import FamilyFile

MOST_SESSIONS = 24
"""Users at once; the next is asked to come back."""

MESSAGE = 2_000_000
"""Bytes of a message from a browser, at most: a family file of MOST_BYTES fits."""


def require_panel() -> None:
    """Refuse where there is no Panel.

    Raises:
        UsageError: it is not installed; the message says what to do.
    """
    from importlib.util import find_spec

    if find_spec("panel") is None:
        raise UsageError('the explorer needs Panel; pip install "benign[explorer]"')


def application(file: FamilyFile, eta: Any = None, budget: float | None = None) -> Callable[[], Any]:
    """What makes the page of each user, an explorer of their own."""
    import panel as pn

    from benign.explorer.app import Explorer
    from benign.explorer.proofs import BUDGET

    count = [0]

    def page() -> Any:
        if count[0] >= MOST_SESSIONS:
            return pn.pane.HTML(f"<p>{MOST_SESSIONS} people are here already; come back later.</p>")
        explorer = Explorer(file, eta=eta, budget=budget or BUDGET)
        count[0] += 1

        def left(_: Any) -> None:
            count[0] -= 1
            explorer.close()

        pn.state.on_session_destroyed(left)
        return explorer

    return page


def server(
    file: FamilyFile,
    *,
    eta: Any = None,
    budget: float | None = None,
    address: str = "127.0.0.1",
    port: int = 0,
    prefix: str = "",
    origins: Sequence[str] = (),
) -> Any:
    """The server, not yet started: `serve` runs it.

    Raises:
        UsageError: Panel is not installed, or the address is taken.
    """
    require_panel()
    import panel as pn

    where = f"{address}:{port}" if port else None
    allowed = [*origins, *([where, f"localhost:{port}", f"127.0.0.1:{port}"] if where else [])]
    try:
        return pn.io.server.get_server(
            application(file, eta, budget),
            port=port,
            address=address,
            prefix=prefix,
            websocket_origin=allowed or None,
            websocket_max_message_size=MESSAGE,
            title="benign: a landscape under the hand",
            start=False,
            show=False,
            session_token_expiration=3600,
        )
    except (OSError, ValueError) as error:
        raise UsageError(f"explore: {address}:{port}: cannot be served at ({error})") from error


def url_of(made: Any) -> str:
    """Where to look."""
    return f"http://{made.address or '127.0.0.1'}:{made.port}{made.prefix or ''}/"


def serve(made: Any) -> None:
    """Run until interrupted."""
    made.start()
    try:
        made.io_loop.start()
    finally:
        with contextlib.suppress(Exception):
            made.stop()
