"""Gives each request an id and a trace, logs and counts it, and turns what nobody expected into a problem."""

import re
import time
from dataclasses import dataclass
from secrets import token_hex
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import internal, response
from telemetry.logs import bind, logger, without_text
from telemetry.metrics import HTTP_REQUESTS, HTTP_SECONDS
from telemetry.tracing import HEADER, Trace, parse

REQUEST_ID: Final = "X-Request-Id"
_OWN_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""What a caller may choose as the id of a request: it stands in our logs."""

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SERVER_ERROR: Final = 500

_log = logger(__name__)


@dataclass(slots=True)
class _Answer:
    """What is known of the answer so far."""

    began_s: float
    status: int = 0
    after_s: float = 0.0


class Observed:
    """Around all that may fail. Logs say the route; the path, the query and bodies hold content."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id, trace = _ids(Headers(scope=scope))
        state: dict[str, Any] = scope.setdefault("state", {})
        state["request_id"], state["trace"] = request_id, trace
        with bind(request_id=request_id, trace_id=trace.trace_id):
            await self._serve(scope, receive, send, request_id)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        answer = _Answer(time.monotonic())

        async def send_noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.status, answer.after_s = int(message["status"]), time.monotonic() - answer.began_s
                message["headers"] = [*message["headers"], (REQUEST_ID.lower().encode(), request_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, send_noted)
        except Exception as error:  # noqa: BLE001  the outermost loop of a request
            _log.error("request_failed", exc_info=without_text(error))
            if answer.status == 0:
                await response(internal(), scope["path"])(scope, receive, send_noted)
            # One that had begun stays incomplete: the server closes the connection, so the caller sees it.
        finally:
            _note(scope, answer)


def _ids(headers: Headers) -> tuple[str, Trace]:
    chosen = headers.get(REQUEST_ID, "")
    request_id = chosen if _OWN_ID.fullmatch(chosen) else token_hex(16)
    parent = parse([(HEADER, headers[HEADER].encode("latin-1"))]) if HEADER in headers else None
    return request_id, Trace(token_hex(16), token_hex(8)) if parent is None else parent.child()


def _note(scope: Scope, answer: _Answer) -> None:
    route = getattr(scope.get("route"), "path", "none")
    method = scope["method"] if scope["method"] in _METHODS else "other"
    HTTP_REQUESTS.labels(method, route, str(answer.status)).inc()
    HTTP_SECONDS.labels(route).observe(answer.after_s)
    write = _log.warning if answer.status >= _SERVER_ERROR else _log.info
    write(
        "request",
        method=method,
        route=route,
        status=answer.status,
        after_ms=round(answer.after_s * 1000, 1),
        took_ms=round((time.monotonic() - answer.began_s) * 1000, 1),
    )
