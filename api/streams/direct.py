"""Lets the parts of a stream pass by what stands between a route and the server.

All that stands there cares how an answer begins: its status, its headers. What follows would go through five
more coroutines for each event of each reader.
"""

from typing import Final, cast

from starlette.types import ASGIApp, Receive, Scope, Send

_NOTED: Final = "direct_send"


class Direct:
    """Outside of all others: notes what the server gave to send with."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            scope.setdefault("state", {})[_NOTED] = send
        await self._app(scope, receive, send)


def direct(scope: Scope, send: Send) -> Send:
    """Return what sends straight to the server, once `send` has taken the start of an answer."""
    return cast("Send", scope.get("state", {}).get(_NOTED, send))
