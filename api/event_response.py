"""A stream of events as an answer: sent as it comes, ended in good order, cut off when nobody takes it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import orjson
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.event_stream import OPENING, PING, EventStream
from api.events import DONE, Event
from api.request_end import on_gone
from schemas.errors import TransientError
from telemetry.logs import logger

MEDIA_TYPE: Final = "text/event-stream"
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
        del scope
        sender = asyncio.current_task()
        loop = asyncio.get_running_loop()
        cut: list[asyncio.TimerHandle] = []
        if sender is not None:
            self._stream.when_ended(lambda: cut.append(loop.call_later(_CUT_AFTER_S, sender.cancel)))
        gone = on_gone(receive, self._stream.end)
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            await _body(send, OPENING)
            await self._send_all(send)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except asyncio.CancelledError:
            if not any(handle.when() <= loop.time() for handle in cut):
                raise
            # Returning before the end closes the connection.
            _log.info("slow_reader_cut")
        finally:
            for handle in cut:
                handle.cancel()
            gone.cancel()
            self._close()

    async def _send_all(self, send: Send) -> None:
        stream = self._stream
        try:
            async for events in stream.kept():
                await self._tell(events)
                await _body(send, b"".join(event.wire() for event in events))
            while not stream.is_done:
                batches = await stream.coming(within_s=self._ping_s)
                if batches is None:
                    return
                if batches:
                    await _body(send, stream.wires(batches))
                else:
                    rest = await stream.ended_in_record()
                    await self._tell(rest)
                    await _body(send, b"".join(event.wire() for event in rest) or PING)
        except TransientError as error:
            # The client comes back, with what it has, and perhaps to a replica that fares better.
            _log.warning("stream_ended", code=error.code, error=error.message)

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
