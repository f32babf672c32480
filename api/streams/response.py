"""A stream of events as an answer: sent as it comes, ended in good order, cut off when nobody takes it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.request_end import on_gone
from api.streams.direct import direct
from api.streams.events import DONE, Event
from api.streams.stream import EventStream
from schemas.errors import TransientError
from telemetry.logs import logger

MEDIA_TYPE: Final = "text/event-stream"

OPENING: Final = b"retry: 1000\n\n"
"""Milliseconds after which a client that was cut off comes back."""

PING: Final = b": ping\n\n"

_CUT_AFTER_S: Final = 5.0
"""How long a client may take for what it was sent last, once its stream shall end."""

_NEW_MS: Final = 60_000
_log = logger(__name__)


class EventResponse(Response):
    """Sends one reader's stream; closes it in the end."""

    media_type = MEDIA_TYPE

    def __init__(
        self,
        stream: EventStream,
        *,
        ping_s: float,
        now_ms: Callable[[], int],
        on_end: Callable[[str], Awaitable[None]],
        close: Callable[[], object],
    ) -> None:
        """`on_end` is told a run before its end is sent from what is kept; `close` is called at last."""
        super().__init__(headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        # A stream has no length that is known before.
        self.raw_headers = [each for each in self.raw_headers if each[0] != b"content-length"]
        self._stream = stream
        self._ping_s = ping_s
        self._now_ms = now_ms
        self._on_end = on_end
        self._close = close

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        # A task of its own: what wakes for each event has few frames, and not all that a request passes.
        sending = asyncio.create_task(self._send_all(send, direct(scope, send)), name="event stream")
        loop = asyncio.get_running_loop()
        cut: list[asyncio.TimerHandle] = []
        self._stream.when_ended(lambda: cut.append(loop.call_later(_CUT_AFTER_S, sending.cancel)))
        gone = on_gone(receive, self._stream.end)
        try:
            _ = await asyncio.wait((sending,))
            if sending.cancelled():
                # Returning before the end closes the connection.
                _log.info("slow_reader_cut")
            else:
                sending.result()
        finally:
            for handle in cut:
                handle.cancel()
            sending.cancel()
            gone.cancel()
            self._close()

    async def _send_all(self, begin: Send, send: Send) -> None:
        await begin({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await _body(send, OPENING)
        try:
            async for events in self._stream.kept():
                await self._send_events(send, events)
            await self._send_coming(send)
        except TransientError as error:
            # The client comes back, with what it has, and perhaps to a replica that fares better.
            _log.warning("stream_ended", code=error.code, error=error.message)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_coming(self, send: Send) -> None:
        stream = self._stream
        while not stream.is_done:
            wire = await stream.coming(within_s=self._ping_s)
            if wire is not None:
                await _body(send, wire)
            elif stream.has_ended:
                return
            elif rest := await stream.ended_in_record():
                await self._send_events(send, rest)
            else:
                await _body(send, PING)

    async def _send_events(self, send: Send, events: Sequence[Event]) -> None:
        await self._tell(events)
        await _body(send, b"".join(event.wire() for event in events))

    async def _tell(self, events: Iterable[Event]) -> None:
        for event in events:
            if event.name == DONE and event.run_id is not None and self._is_new(event):
                await self._on_end(event.run_id)

    def _is_new(self, event: Event) -> bool:
        at_ms = orjson.loads(event.data).get("at_ms") or 0
        return bool(self._now_ms() - at_ms < _NEW_MS)


async def _body(send: Send, body: bytes) -> None:
    if body:
        await send({"type": "http.response.body", "body": body, "more_body": True})
