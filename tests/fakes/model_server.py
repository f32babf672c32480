"""A provider of models on loopback: speaks OpenAI's or Anthropic's protocol, well or badly, in order."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

HANG_S = 60.0


@dataclass(frozen=True, slots=True)
class Says:
    """Streams the pieces, each after a pause. Without an end it is cut off, or goes silent where it hangs."""

    pieces: Sequence[str]
    usage: Mapping[str, Any] = field(default_factory=dict[str, Any])
    pause_s: float = 0.0
    ends: bool = True
    hangs: bool = False
    calls: Sequence[Mapping[str, Any]] = ()
    """Tool calls: id, name, arguments (JSON text)."""


@dataclass(frozen=True, slots=True)
class Refuses:
    """Answers with a status."""

    status: int
    body: str = '{"error": {"message": "no", "type": "x"}}'
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Sends:
    """Answers 200 with these very bytes."""

    body: str
    content_type: str = "text/event-stream"


Reply = Says | Refuses | Sends


@dataclass(slots=True)
class ModelServer:
    """What the server will answer (the last reply again and again), and what it was asked."""

    replies: list[Reply] = field(default_factory=list[Reply])
    asked: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    headers: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    at_s: list[float] = field(default_factory=list[float])
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a caller went away in the middle of an answer."""
    root: str = ""

    @property
    def openai_url(self) -> str:
        """Base address for OpenAI's protocol."""
        return f"{self.root}/v1"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer the next reply in the protocol that the path belongs to."""
        number = len(self.asked)
        self.asked.append(await request.json())
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        self.at_s.append(asyncio.get_running_loop().time())
        reply = self.replies[min(number, len(self.replies) - 1)]
        match reply:
            case Refuses():
                return web.Response(
                    status=reply.status,
                    text=reply.body,
                    headers=dict(reply.headers),
                    content_type="application/json",
                )
            case Sends():
                return web.Response(text=reply.body, content_type=reply.content_type)
            case Says():
                events = _anthropic(reply) if "messages" in request.path else _openai(reply)
                return await self._stream(request, reply, events)

    async def _stream(self, request: web.Request, reply: Says, events: list[bytes]) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        try:
            for event in events:
                await response.write(event)
                await asyncio.sleep(reply.pause_s)
            if reply.hangs:
                await asyncio.sleep(HANG_S)
        except (asyncio.CancelledError, ConnectionError):
            self.gone.set()
            raise
        return response


def _openai(reply: Says) -> list[bytes]:
    def chunk(delta: Mapping[str, Any], finish: str | None = None, **more: Any) -> bytes:
        choices = [{"index": 0, "delta": dict(delta), "finish_reason": finish}]
        body = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices}
        return f"data: {json.dumps(body | more)}\n\n".encode()

    calls = [
        {
            "index": number,
            "id": call["id"],
            "type": "function",
            "function": {"name": call["name"], "arguments": call["arguments"]},
        }
        for number, call in enumerate(reply.calls)
    ]
    events = [chunk({"role": "assistant", "content": piece}) for piece in reply.pieces]
    if calls:
        events.append(chunk({"role": "assistant", "tool_calls": calls}))
    if reply.ends and not reply.hangs:
        events.append(chunk({}, "tool_calls" if calls else "stop"))
        events.append(chunk({}, choices=[], usage=dict(reply.usage)))
        events.append(b"data: [DONE]\n\n")
    return events


def _anthropic(reply: Says) -> list[bytes]:
    def event(kind: str, **values: Any) -> bytes:
        return f"event: {kind}\ndata: {json.dumps({'type': kind, **values})}\n\n".encode()

    output = reply.usage.get("output_tokens", 0)
    begun = {name: value for name, value in reply.usage.items() if name != "output_tokens"}
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": [],
        "stop_reason": None,
        "usage": {**begun, "output_tokens": 1},
    }
    events = [event("message_start", message=message)]
    events.append(event("content_block_start", index=0, content_block={"type": "text", "text": ""}))
    events += [
        event("content_block_delta", index=0, delta={"type": "text_delta", "text": piece})
        for piece in reply.pieces
    ]
    events.append(event("content_block_stop", index=0))
    for number, call in enumerate(reply.calls, 1):
        block = {"type": "tool_use", "id": call["id"], "name": call["name"], "input": {}}
        pieces = {"type": "input_json_delta", "partial_json": call["arguments"]}
        events.append(event("content_block_start", index=number, content_block=block))
        events.append(event("content_block_delta", index=number, delta=pieces))
        events.append(event("content_block_stop", index=number))
    if reply.ends and not reply.hangs:
        stop = {"stop_reason": "tool_use" if reply.calls else "end_turn"}
        events.append(event("message_delta", delta=stop, usage={"output_tokens": output}))
        events.append(event("message_stop"))
    return events


@asynccontextmanager
async def model_server(*replies: Reply) -> AsyncGenerator[ModelServer]:
    """Serve the replies on loopback until the context closes."""
    state = ModelServer(list(replies))
    app = web.Application()
    for path in ("/v1/chat/completions", "/v1/messages"):
        app.router.add_post(path, state.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    state.root = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield state
    finally:
        await runner.cleanup()
