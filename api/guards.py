"""What stands between a request and the routes: sizes, who calls and how often, headers of the answer."""

import asyncio
import time
from http import HTTPStatus
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.auth.caller import caller_by
from api.auth.claims import Caller
from api.edge import Edge
from api.problems import Problem, problem_of, response, too_many
from schemas.errors import ErrorCode, MaestroError, TransientError
from stores.redis.edge import Arrived
from telemetry.logs import logger

PUBLIC_PATHS: Final = frozenset({"/live", "/ready", "/openapi.json"})
PUBLIC_PREFIX: Final = "/registry/"
"""Without a token: health, the API document, and the schemas, which are public with the source."""

SECURITY_HEADERS: Final = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
"""On every answer that does not say otherwise. TLS, and so HSTS, is the business of what stands in front."""

_SAY_EVERY_S: Final = 10.0

_DISCARDED_TIMES: Final = 4
"""How many times the largest body is read and thrown away behind one that is too large."""

_log = logger(__name__)


def is_public(path: str) -> bool:
    """Tell whether a path is served to callers without a token."""
    return path in PUBLIC_PATHS or path.startswith(PUBLIC_PREFIX)


class SecurityHeaders:
    """Adds the headers that keep browsers from doing more with an answer than reading it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""

        async def send_more(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = {name.lower() for name, _ in message["headers"]}
                more = [
                    (n.encode(), v.encode()) for n, v in SECURITY_HEADERS.items() if n.encode() not in there
                ]
                message["headers"] = [*message["headers"], *more]
            await send(message)

        await self._app(scope, receive, send_more)


class HeaderLimit:
    """Refuses requests whose path and headers are too long together."""

    def __init__(self, app: ASGIApp, *, max_bytes: int) -> None:
        self._app = app
        self._max_bytes = max_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and _header_bytes(scope) > self._max_bytes:
            detail = f"path and headers may have {self._max_bytes} bytes together; send less"
            problem = Problem(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, ErrorCode.TOO_LARGE, detail)
            await response(problem, scope["path"])(scope, receive, send)
            return
        await self._app(scope, receive, send)


class Callers:
    """Lets in who has a good token and has not called too often; notes who it is, and what is known.

    Every path asks for a token, known or not, but for the public ones: a route cannot forget to.
    """

    def __init__(self, app: ASGIApp, *, edge: Edge) -> None:
        self._app = app
        self._edge = edge
        self._said_s = -_SAY_EVERY_S

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or is_public(scope["path"]):
            await self._app(scope, receive, send)
            return
        try:
            caller = await caller_by(Headers(scope=scope).getlist("authorization"), self._edge.tokens)
            arrived = await self._arrive(caller)
        except Problem as problem:
            await response(problem, scope["path"])(scope, receive, send)
            return
        except MaestroError as error:
            _log.warning("caller_unknown", code=error.code, reason=error.message)
            await response(problem_of(error), scope["path"])(scope, receive, send)
            return
        state: dict[str, Any] = scope.setdefault("state", {})
        state["caller"], state["arrived"] = caller, arrived
        await self._app(scope, receive, send)

    async def _arrive(self, caller: Caller) -> Arrived | None:
        settings = self._edge.settings
        try:
            arrived = await self._edge.redis.arrive(
                caller.user_id, limit=settings.rate_limit, window_s=settings.rate_window_s
            )
        except TransientError as error:
            # Whoever cannot be counted is let in: the limit protects, and what it protects works without it.
            self._say(error)
            return None
        if not arrived.spent.allowed:
            detail = f"at most {settings.rate_limit} calls in {settings.rate_window_s} s; come again later"
            raise too_many(detail, retry_after_s=arrived.spent.retry_after_s)
        return arrived

    def _say(self, error: TransientError) -> None:
        now_s = time.monotonic()
        if now_s - self._said_s >= _SAY_EVERY_S:
            self._said_s = now_s
            _log.warning("calls_not_counted", reason=error.message)


class BodyLimit:
    """Reads a request's body before the routes do, up to a size and a time."""

    def __init__(self, app: ASGIApp, *, max_bytes: int, wait_s: float) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._wait_s = wait_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(self._wait_s):
                body = await self._read(scope, receive)
        except TimeoutError:
            detail = f"the body did not arrive within {self._wait_s:g} s; send it again"
            problem = Problem(HTTPStatus.REQUEST_TIMEOUT, ErrorCode.DEADLINE, detail)
            await _refuse(problem, scope, receive, send)
        except Problem as problem:
            await _refuse(problem, scope, receive, send)
        else:
            if body is not None:
                await self._app(scope, _replayed(body, receive), send)

    async def _read(self, scope: Scope, receive: Receive) -> bytes | None:
        """Return the whole body; None when the caller has gone. Raises Problem when it is too large."""
        announced = Headers(scope=scope).get("content-length", "0")
        if announced.isdecimal() and int(announced) > self._max_bytes:
            raise self._too_large()
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            if len(body) > self._max_bytes:
                await self._discard(receive)
                raise self._too_large()
            if not message.get("more_body", False):
                return bytes(body)

    async def _discard(self, receive: Receive) -> None:
        """Let go by what still comes, up to a size: who is cut off while sending never reads the answer."""
        left = _DISCARDED_TIMES * self._max_bytes
        while left > 0:
            message = await receive()
            left -= len(message.get("body", b""))
            if message["type"] == "http.disconnect" or not message.get("more_body", False):
                return

    def _too_large(self) -> Problem:
        detail = f"a body may have {self._max_bytes} bytes; send less"
        return Problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, ErrorCode.TOO_LARGE, detail)


async def _refuse(problem: Problem, scope: Scope, receive: Receive, send: Send) -> None:
    # What is left of the body is not read: the connection cannot be used again.
    problem.headers["Connection"] = "close"
    await response(problem, scope["path"])(scope, receive, send)


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Return what gives the body first, and then what the server says: that the caller has gone."""
    is_given = False

    async def replay() -> Message:
        nonlocal is_given
        if is_given:
            return await receive()
        is_given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _header_bytes(scope: Scope) -> int:
    headers = sum(len(name) + len(value) for name, value in scope["headers"])
    return headers + len(scope.get("raw_path") or b"") + len(scope.get("query_string", b""))
