"""A stream as an answer: how it begins and ends, and what its parts pass."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

from starlette.types import Message, Receive, Scope, Send

from api.observing import REQUEST_ID
from api.streams import response
from api.streams.direct import Direct, direct
from api.streams.events import RUN, Event
from api.streams.ids import EventId
from api.streams.response import OPENING, PING, EventResponse
from tests.unit.api.edges import app_with

KEPT = Event(id=EventId(1, 0), name=RUN, run_id="a run", data=b"{}")


class Stream:
    """A stream that says what it is told to."""

    def __init__(self, *coming: bytes | None) -> None:
        self._coming = list(coming)
        self._on_end: Any = None
        self.is_done = self.has_ended = self.is_closed = False

    async def kept(self) -> AsyncIterator[list[Event]]:
        yield [KEPT]

    async def coming(self, *, within_s: float) -> bytes | None:
        assert within_s > 0
        if not self._coming:
            self.end()
            return None
        return self._coming.pop(0)

    async def ended_in_record(self) -> list[Event]:
        return []

    def when_ended(self, then: Any) -> None:
        self._on_end = then

    def end(self) -> None:
        if not self.has_ended:
            self.has_ended = True
            self._on_end()

    def close(self) -> None:
        self.is_closed = True


def answer_of(stream: Stream) -> EventResponse:
    async def on_end(_run_id: str) -> None:
        """Note nothing."""

    return EventResponse(cast("Any", stream), ping_s=15, now_ms=lambda: 0, on_end=on_end, close=stream.close)


async def stays() -> Message:
    """A client that does not leave."""
    return await asyncio.get_running_loop().create_future()


async def test_a_stream_has_an_opening_what_is_kept_what_comes_pings_and_an_end() -> None:
    stream, sent = Stream(b"one", None, b"two"), list[Message]()

    async def send(message: Message) -> None:
        sent.append(message)

    await answer_of(stream)({"type": "http"}, stays, send)
    assert sent[0]["type"] == "http.response.start"
    assert not any(name == b"content-length" for name, _ in sent[0]["headers"])
    assert [each["body"] for each in sent[1:]] == [OPENING, KEPT.wire(), b"one", PING, b"two", b""]
    assert [each["more_body"] for each in sent[1:]] == [True] * 5 + [False]
    assert stream.is_closed


async def test_a_client_that_leaves_ends_its_stream_and_one_that_takes_nothing_is_cut(
    monkeypatch: Any,
) -> None:
    monkeypatch.setattr(response, "_CUT_AFTER_S", 0.01)
    stream, bodies = Stream(b"one"), 0

    async def leaves() -> Message:
        return {"type": "http.disconnect"}

    async def takes_nothing(message: Message) -> None:
        nonlocal bodies
        if message["type"] == "http.response.body":
            bodies += 1
            await asyncio.get_running_loop().create_future()

    async with asyncio.timeout(20):
        await answer_of(stream)({"type": "http"}, leaves, takes_nothing)
    assert stream.has_ended
    assert stream.is_closed
    assert bodies == 1


async def test_a_stream_is_left_when_its_request_is_cancelled() -> None:
    stream = Stream(b"one")
    has_begun = asyncio.Event()

    async def takes_nothing(_message: Message) -> None:
        has_begun.set()
        await asyncio.get_running_loop().create_future()

    serving = asyncio.create_task(answer_of(stream)({"type": "http"}, stays, takes_nothing))
    await has_begun.wait()
    serving.cancel()
    _ = await asyncio.wait((serving,), timeout=20)
    assert serving.cancelled()
    assert stream.is_closed


async def test_parts_go_straight_to_the_server_and_the_start_does_not() -> None:
    app, ways = app_with(), list[str]()

    async def route(scope: Scope, receive: Receive, send: Send) -> None:
        async def noted(message: Message) -> None:
            ways.append(message["type"])
            await send(message)

        await answer_of(Stream(b"one"))(scope, receive, noted)

    sent = list[Message]()

    async def server(message: Message) -> None:
        sent.append(message)

    app.mount("/registry/streams", route)
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/registry/streams/1",
        "headers": [],
        "query_string": b"",
    }
    await app(scope, _asking(), server)
    assert ways == ["http.response.start"]
    assert REQUEST_ID.lower().encode() in dict(sent[0]["headers"]), "what stands between has seen the start"
    assert [each["body"] for each in sent[1:]] == [OPENING, KEPT.wire(), b"one", b""]


def _asking() -> Receive:
    """A request without a body, of a client that stays."""
    waiting = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Message:
        return waiting.pop() if waiting else await stays()

    return receive


async def test_without_a_server_that_was_noted_parts_go_the_usual_way() -> None:
    async def usual(_message: Message) -> None:
        """Take it."""

    assert direct({"type": "http"}, usual) is usual
    seen = list[Send]()

    async def inner(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(direct(scope, _send))

    async def other(_message: Message) -> None:
        """Take it."""

    async def wrapping(scope: Scope, receive: Receive, _send: Send) -> None:
        await inner(scope, receive, other)

    await Direct(wrapping)({"type": "http"}, stays, usual)
    assert seen == [usual]
