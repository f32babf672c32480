"""The model provider of the harness: answers over HTTP, and counts every request it served, by generation.

The generation's id comes as Idempotency-Key; the path names the process that asks.
"""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.chaos.harness.gate import Gate

POINT = "generate.working"
"""Where a caller stands that has the first words of an answer."""

SLOWLY, SLOW_S = "slowly", 2.0
"""A word of the user that makes answers slow, and the seconds that they take then."""


@dataclass(slots=True, kw_only=True)
class Call:
    """One request. Times are wall clock seconds; `answered_at` is when the last byte was written."""

    generation: str
    process: str
    began_at: float
    answered_at: float | None = None


@dataclass(slots=True)
class Provider:
    """What was asked. Its answer asks for the tools that the user's last message names, then says so."""

    gate: Gate
    root: str = ""
    pause_s: float = 0.02
    calls: list[Call] = field(default_factory=list[Call])

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one request in OpenAI's protocol, streamed."""
        body: dict[str, Any] = await request.json()
        process = request.match_info["process"]
        call = Call(generation=request.headers["Idempotency-Key"], process=process, began_at=time.time())
        self.calls.append(call)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        events = events_of(body)
        await response.write(events[0])
        await self.gate.hold(process, POINT, session=None, step=call.generation)
        pause_s = SLOW_S / len(events[1:]) if SLOWLY in _question(body["messages"]) else self.pause_s
        for event in events[1:]:
            await asyncio.sleep(pause_s)
            await response.write(event)
        call.answered_at = time.time()
        return response


def events_of(body: Mapping[str, Any]) -> list[bytes]:
    """Return the answer to a request as server-sent events. Pure."""
    messages: list[Mapping[str, Any]] = body["messages"]
    asked = _place_of_question(messages)
    words = _question(messages)
    has_results = any(message["role"] == "tool" for message in messages[asked:])
    wanted = [
        tool["function"]["name"] for tool in body.get("tools") or () if tool["function"]["name"] in words
    ]
    calls = [] if has_results else wanted
    text = "All done." if has_results else "Let me see."
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    return [
        _event({"role": "assistant", "content": text[:4]}),
        _event({"content": text[4:]}),
        *([_event({"tool_calls": [_call(*each) for each in enumerate(calls)]})] if calls else []),
        _event({}, "tool_calls" if calls else "stop"),
        _event({}, None, usage=usage) + b"data: [DONE]\n\n",
    ]


def _place_of_question(messages: Sequence[Mapping[str, Any]]) -> int:
    return max(place for place, message in enumerate(messages) if message["role"] == "user")


def _question(messages: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the words of the user's last message."""
    return str(messages[_place_of_question(messages)]["content"]).split()


def _call(index: int, name: str) -> dict[str, Any]:
    function = {"name": name, "arguments": "{}"}
    return {"index": index, "id": f"call_{index}", "type": "function", "function": function}


def _event(delta: Mapping[str, Any], finish: str | None = None, **more: Any) -> bytes:
    choices = [{"index": 0, "delta": dict(delta), "finish_reason": finish}]
    body = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": choices}
    return f"data: {json.dumps(body | ({'choices': []} if more else {}) | more)}\n\n".encode()


@asynccontextmanager
async def running_provider(gate: Gate) -> AsyncGenerator[Provider]:
    """Serve on loopback until the context closes."""
    provider = Provider(gate)
    app = web.Application()
    app.router.add_post("/{process}/v1/chat/completions", provider.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    provider.root = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield provider
    finally:
        await runner.cleanup()
