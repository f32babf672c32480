"""Real providers over HTTP: a local server that speaks OpenAI's protocol, well and badly."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr

from llm.completion import CompletionRequest, ModelError, Parameters, ToolSpec
from llm.providers import ProviderModel
from llm.settings import ModelSettings
from schemas.errors import ErrorCode

# The library reads fields in a way that pydantic has deprecated; that is nothing to the program.
pytestmark = pytest.mark.filterwarnings("ignore:Accessing the 'model_:DeprecationWarning")

USAGE = {
    "prompt_tokens": 1000,
    "completion_tokens": 100,
    "total_tokens": 1100,
    "prompt_tokens_details": {"cached_tokens": 400},
    "completion_tokens_details": {"reasoning_tokens": 30},
}


@dataclass
class Provider:
    """What the server answers next, and what it was asked."""

    chunks: list[Mapping[str, Any] | str] = field(default_factory=list[Mapping[str, Any] | str])
    status: int = 200
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict[str, str])
    delay_s: float = 0
    asked: dict[str, Any] = field(default_factory=dict[str, Any])
    asked_headers: dict[str, str] = field(default_factory=dict[str, str])
    url: str = ""
    requests: int = 0


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    state = Provider()

    async def answer(request: web.Request) -> web.StreamResponse:
        state.requests += 1
        state.asked = await request.json()
        state.asked_headers = dict(request.headers)
        if state.body or state.status != 200:
            return web.Response(
                status=state.status, text=state.body, content_type="application/json", headers=state.headers
            )
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for chunk in state.chunks:
            data = chunk if isinstance(chunk, str) else json.dumps(chunk)
            await response.write(f"data: {data}\n\n".encode())
        if state.delay_s:
            await asyncio.sleep(state.delay_s)
        await response.write(b"data: [DONE]\n\n")
        return response

    app = web.Application()
    app.router.add_post("/v1/chat/completions", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    state.url = f"http://127.0.0.1:{port}/v1"
    yield state
    await runner.cleanup()


def chunk(delta: Mapping[str, Any], *, finish: str | None = None, **more: Any) -> dict[str, Any]:
    return {
        "id": "c",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "gpt-4o-mini",
        "choices": [{"index": 0, "delta": dict(delta), "finish_reason": finish}],
        **more,
    }


def last_chunk() -> dict[str, Any]:
    return {**chunk({}), "choices": [], "usage": USAGE}


def request(**more: Any) -> CompletionRequest:
    tool = ToolSpec(name="t", description="d", parameters={"type": "object", "properties": {}})
    values: dict[str, Any] = {
        "id": "step-1",
        "model": "openai/gpt-4o-mini",
        "messages": ({"role": "user", "content": "hi"},),
        "tools": (tool,),
        "timeout_s": 20,
    }
    return CompletionRequest(**(values | more))


def model(provider: Provider) -> ProviderModel:
    return ProviderModel(ModelSettings(base_url=provider.url, api_key=SecretStr("sk-secret-123456")))


async def test_an_answer_is_streamed_with_usage_and_price(provider: Provider) -> None:
    provider.chunks = [
        chunk({"role": "assistant", "content": "Hel"}),
        chunk({"content": "lo"}),
        chunk({}, finish="stop"),
        last_chunk(),
    ]
    heard: list[str] = []
    answer = await model(provider).complete(
        request(parameters=Parameters(temperature=0.5, max_output_tokens=9)), heard.append
    )
    assert (heard, answer.text, answer.finish_reason) == (["Hel", "lo"], "Hello", "stop")
    usage = answer.usage
    assert (usage.prompt_tokens, usage.completion_tokens) == (1000, 100)
    assert (usage.cached_tokens, usage.reasoning_tokens) == (400, 30)
    assert answer.cost is not None
    assert 0 < answer.cost < 0.001
    assert (provider.asked["temperature"], provider.asked["max_tokens"]) == (0.5, 9)
    assert provider.asked["tools"][0]["function"]["name"] == "t"
    assert provider.asked_headers["Idempotency-Key"] == "step-1"


async def test_tool_calls_are_put_together_from_their_pieces(provider: Provider) -> None:
    def piece(index: int, arguments: str, **more: Any) -> dict[str, Any]:
        name = more.pop("name", None)
        return {
            "index": index,
            "type": "function",
            "function": {"name": name, "arguments": arguments},
            **more,
        }

    provider.chunks = [
        chunk({"role": "assistant", "tool_calls": [piece(0, '{"a"', id="x", name="t")]}),
        chunk({"tool_calls": [piece(0, ": 1}"), piece(1, "not json", id="y", name="u")]}),
        chunk({}, finish="tool_calls"),
        last_chunk(),
    ]
    answer = await model(provider).complete(request(), lambda _: None)
    assert [(call.id, call.name, call.arguments) for call in answer.tool_calls] == [
        ("x", "t", {"a": 1}),
        ("y", "u", "not json"),
    ]


async def test_an_unknown_models_price_is_unknown(provider: Provider) -> None:
    provider.chunks = [chunk({"content": "x"}, finish="stop"), last_chunk()]
    answer = await model(provider).complete(request(model="openai/home-made"), lambda _: None)
    assert answer.cost is None


def problem(message: str, code: str | None = None) -> str:
    return json.dumps({"error": {"message": message, "type": "x", "code": code}})


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (401, problem("Incorrect API key provided: sk-secret-123456"), ErrorCode.MODEL_AUTHENTICATION),
        (403, problem("not allowed"), ErrorCode.MODEL_AUTHENTICATION),
        (404, problem("no such model"), ErrorCode.MODEL_NOT_FOUND),
        (429, problem("slow down"), ErrorCode.MODEL_RATE_LIMITED),
        (400, problem("bad"), ErrorCode.MODEL_REFUSED_REQUEST),
        (
            400,
            problem("This model's maximum context length is 10 tokens.", "context_length_exceeded"),
            ErrorCode.MODEL_CONTEXT_TOO_LONG,
        ),
        (500, problem("oops"), ErrorCode.MODEL_UNAVAILABLE),
        (503, problem("down"), ErrorCode.MODEL_UNAVAILABLE),
    ],
)
async def test_a_refusal_has_a_code_and_no_secret(
    provider: Provider, status: int, body: str, code: ErrorCode
) -> None:
    provider.status, provider.body, provider.headers = status, body, {"retry-after": "7"}
    with pytest.raises(ModelError) as caught:
        await model(provider).complete(request(), lambda _: None)
    assert caught.value.code is code
    assert "sk-secret-123456" not in caught.value.message
    assert provider.requests == 1
    if status == 429:
        assert (caught.value.is_retryable, caught.value.retry_after_s) == (True, 7)


@pytest.mark.parametrize(
    "chunks",
    [
        [],
        ["{broken"],
        ["[]"],
        ["null"],
        [{"unexpected": True}],
        [{**chunk({}), "choices": "none"}],
        [chunk({"content": "  "}, finish="stop")],
        [chunk({"content": {"not": "text"}}, finish="stop")],
        [chunk({"tool_calls": [{"index": 0, "id": "x", "function": {"name": "", "arguments": "{}"}}]})],
    ],
    ids=repr,
)
async def test_nonsense_is_a_typed_error(provider: Provider, chunks: list[Mapping[str, Any] | str]) -> None:
    provider.chunks = chunks
    with pytest.raises(ModelError) as caught:
        await model(provider).complete(request(), lambda _: None)
    assert caught.value.code in {ErrorCode.MODEL_NONSENSE, ErrorCode.MODEL_UNAVAILABLE, ErrorCode.MODEL_ERROR}


async def test_a_body_that_is_no_stream_is_nonsense(provider: Provider) -> None:
    provider.body = "<html>hello</html>"
    with pytest.raises(ModelError):
        await model(provider).complete(request(), lambda _: None)


async def test_a_slow_model_is_given_up(provider: Provider) -> None:
    provider.chunks, provider.delay_s = [chunk({"content": "x"})], 5
    with pytest.raises(ModelError) as caught:
        await model(provider).complete(request(timeout_s=0.5), lambda _: None)
    assert caught.value.code is ErrorCode.MODEL_TIMEOUT


async def test_a_server_that_is_not_there_is_said(provider: Provider) -> None:
    provider.url = "http://127.0.0.1:1/v1"
    with pytest.raises(ModelError) as caught:
        await model(provider).complete(request(), lambda _: None)
    assert caught.value.code is ErrorCode.MODEL_UNAVAILABLE


async def test_a_name_without_a_provider_is_not_found(provider: Provider) -> None:
    with pytest.raises(ModelError, match="provider/model") as caught:
        await model(provider).complete(request(model="no-such-model-anywhere"), lambda _: None)
    assert caught.value.code is ErrorCode.MODEL_NOT_FOUND
