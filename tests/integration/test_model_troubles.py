"""Calls over HTTP with patience: retries, fall-back, usage and cost, in OpenAI's and Anthropic's protocol."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from llm.asking import Failure, ask
from llm.completion import Completion, CompletionRequest, ModelError, OnDelta
from llm.patience import Patience
from llm.providers import ProviderModel
from llm.settings import ModelSettings
from schemas.errors import ErrorCode
from tests.fakes.model_server import ModelServer, Refuses, Reply, Says, Sends, model_server

# The library reads fields in a way that pydantic has deprecated; that is nothing to the program.
pytestmark = pytest.mark.filterwarnings("ignore:Accessing the 'model_:DeprecationWarning")

OPENAI = "openai/gpt-4o-mini"
OTHER = "openai/gpt-4o"
ANTHROPIC = "anthropic/claude-sonnet-4-5"
PATIENCE = Patience(tries=4, first_wait_s=0.02, most_wait_s=1.5, call_limit_s=20)
USAGE: Mapping[str, Any] = {
    "prompt_tokens": 1000,
    "completion_tokens": 100,
    "total_tokens": 1100,
    "prompt_tokens_details": {"cached_tokens": 400},
    "completion_tokens_details": {"reasoning_tokens": 30},
}
ANTHROPIC_USAGE: Mapping[str, Any] = {
    "input_tokens": 500,
    "cache_read_input_tokens": 300,
    "cache_creation_input_tokens": 200,
    "output_tokens": 100,
}
ANSWER = Says(("Hel", "lo"), USAGE)
PRICE_OF_GPT_4O_MINI = (600 * 0.15 + 400 * 0.075 + 100 * 0.6) / 1e6
"""US dollars of USAGE: 600 new and 400 cached tokens of a prompt, 100 of an answer."""


class Codes:
    """Notes what failed, and what each call said."""

    def __init__(self) -> None:
        self.failed_with: list[ErrorCode] = []
        self.said: list[str] = []

    def begin(self, number: int) -> OnDelta:
        self.said.append("")

        def add(text: str) -> None:
            self.said[number] += text

        return add

    def failed(self, failure: Failure) -> None:
        self.failed_with.append(failure.error.code)


def model(server: ModelServer, *, anthropic: bool = False, **settings: Any) -> ProviderModel:
    url = server.root if anthropic else server.openai_url
    return ProviderModel(ModelSettings(base_url=url, api_key=SecretStr("sk-test"), **settings))


def request(name: str = OPENAI, *fallbacks: str, timeout_s: float = 30) -> CompletionRequest:
    return CompletionRequest(
        id="step-1",
        model=name,
        messages=({"role": "user", "content": "hi"},),
        fallback_models=fallbacks,
        timeout_s=timeout_s,
    )


async def asked(
    server: ModelServer, what: CompletionRequest | None = None, codes: Codes | None = None, **settings: Any
) -> Completion:
    return await ask(model(server, **settings), what or request(), codes or Codes(), patience=PATIENCE)


async def test_429_then_500_then_garbage_then_a_hang_then_the_answer() -> None:
    codes = Codes()
    replies: tuple[Reply, ...] = (
        Refuses(429, headers={"retry-after": "1"}),
        Refuses(500),
        Sends("data: {broken\n\n"),
        Says(("I be",), hangs=True),
    )
    patience = Patience(tries=5, first_wait_s=0.02, most_wait_s=1.5, call_limit_s=20)
    async with model_server(*replies, ANSWER) as server:
        talking = model(server, token_gap_s=0.3, first_token_s=5)
        answer = await ask(talking, request(), codes, patience=patience)
        assert len(server.asked) == 5
        assert server.at_s[1] - server.at_s[0] >= 1.0
        assert {each["idempotency-key"] for each in server.headers} == {"step-1"}
        await asyncio.wait_for(server.gone.wait(), 5)
    assert codes.failed_with[0] is ErrorCode.MODEL_RATE_LIMITED
    assert codes.failed_with[1] is ErrorCode.MODEL_UNAVAILABLE
    assert codes.failed_with[2] in {ErrorCode.MODEL_NONSENSE, ErrorCode.MODEL_UNAVAILABLE}
    assert codes.failed_with[3] is ErrorCode.MODEL_TIMEOUT
    assert (answer.text, codes.said[3], codes.said[4]) == ("Hello", "I be", "Hello")
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (1000, 100)
    assert (answer.usage.cached_tokens, answer.usage.reasoning_tokens) == (400, 30)
    assert answer.cost == pytest.approx(PRICE_OF_GPT_4O_MINI)


async def test_retry_after_as_a_date_is_kept() -> None:
    at = datetime.now(UTC) + timedelta(seconds=2)
    # A date has whole seconds: up to one is lost.
    replies = Refuses(429, headers={"Retry-After": format_datetime(at, usegmt=True)})
    async with model_server(replies, ANSWER) as server:
        await asked(server)
        assert 0.9 <= server.at_s[1] - server.at_s[0] < 4


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, ErrorCode.MODEL_REFUSED_REQUEST),
        (401, ErrorCode.MODEL_AUTHENTICATION),
        (404, ErrorCode.MODEL_NOT_FOUND),
        (422, ErrorCode.MODEL_REFUSED_REQUEST),
    ],
)
async def test_what_would_be_refused_again_is_not_asked_again(status: int, code: ErrorCode) -> None:
    async with model_server(Refuses(status)) as server:
        with pytest.raises(ModelError) as caught:
            await asked(server)
        assert (caught.value.code, len(server.asked)) == (code, 1)


async def test_a_used_up_quota_is_not_waited_for() -> None:
    body = '{"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}'
    async with model_server(Refuses(429, body)) as server:
        with pytest.raises(ModelError, match="quota") as caught:
            await asked(server)
        assert (caught.value.code, len(server.asked)) == (ErrorCode.MODEL_RATE_LIMITED, 1)


async def test_the_fall_back_model_answers_at_its_own_price() -> None:
    async with model_server(Refuses(404), ANSWER) as server:
        answer = await asked(server, request(OPENAI, OTHER))
        assert [each["model"] for each in server.asked] == ["gpt-4o-mini", "gpt-4o"]
        assert [each["idempotency-key"] for each in server.headers] == ["step-1", "step-1:1"]
    assert answer.model == OTHER
    assert answer.cost == pytest.approx((600 * 2.5 + 400 * 1.25 + 100 * 10) / 1e6)


async def test_a_long_retry_after_is_left_for_the_next_model() -> None:
    async with model_server(Refuses(429, headers={"retry-after": "600"}), ANSWER) as server:
        async with asyncio.timeout(15):
            answer = await asked(server, request(OPENAI, OTHER))
        assert (answer.model, len(server.asked)) == (OTHER, 2)


@pytest.mark.parametrize(
    "reply",
    [
        Sends("<html><body>Bad gateway</body></html>", "text/html"),
        Sends('{"unexpected": true}', "application/json"),
        Sends("data: {broken\n\ndata: [DONE]\n\n"),
        Sends(""),
        Says(()),
        Says(("half an ans",), ends=False),
    ],
    ids=["html", "json", "broken", "empty", "says nothing", "cut off"],
)
async def test_garbage_is_asked_again_and_then_a_typed_error(reply: Reply) -> None:
    patience = Patience(tries=2, first_wait_s=0.01)
    async with model_server(reply) as server:
        with pytest.raises(ModelError) as caught:
            await ask(model(server), request(), Codes(), patience=patience)
        assert len(server.asked) == 2
    assert caught.value.code in {ErrorCode.MODEL_NONSENSE, ErrorCode.MODEL_UNAVAILABLE}


async def test_tokens_of_an_empty_answer_are_paid_for() -> None:
    async with model_server(Says((), USAGE), ANSWER) as server:
        answer = await asked(server)
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (2000, 200)
    assert answer.cost == pytest.approx(2 * PRICE_OF_GPT_4O_MINI)


async def test_broken_arguments_of_a_tool_call_are_passed_on_as_the_text_that_they_are() -> None:
    call = {"id": "x", "name": "t", "arguments": '{"a": '}
    async with model_server(Says((), USAGE, calls=(call,))) as server:
        answer = await asked(server)
    assert [(each.name, each.arguments) for each in answer.tool_calls] == [("t", '{"a": ')]


@pytest.mark.parametrize(("first_token_s", "gap_s"), [(0.3, 20.0), (20.0, 0.3)])
async def test_a_hang_before_or_after_the_first_token_ends(first_token_s: float, gap_s: float) -> None:
    pieces = ("x",) if gap_s < first_token_s else ()
    async with model_server(Says(pieces, hangs=True)) as server, asyncio.timeout(10):
        talking = model(server, first_token_s=first_token_s, token_gap_s=gap_s)
        with pytest.raises(ModelError) as caught:
            await talking.complete(request(), lambda _: None)
        await server.gone.wait()
    assert caught.value.code is ErrorCode.MODEL_TIMEOUT


async def test_a_call_ends_in_time_although_words_keep_coming() -> None:
    async with model_server(Says(("word ",) * 500, pause_s=0.05)) as server, asyncio.timeout(10):
        with pytest.raises(ModelError) as caught:
            await model(server).complete(request(timeout_s=0.5), lambda _: None)
    assert caught.value.code is ErrorCode.MODEL_TIMEOUT


async def test_a_cancelled_call_is_closed() -> None:
    heard = asyncio.Event()
    async with model_server(Says(("word ",) * 500, pause_s=0.02)) as server:
        talking = asyncio.create_task(model(server).complete(request(), lambda _: heard.set()))
        async with asyncio.timeout(10):
            await heard.wait()
            talking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await talking
            await server.gone.wait()


async def test_anthropics_protocol_streams_with_usage_and_price() -> None:
    call = {"id": "toolu_1", "name": "t", "arguments": '{"a": 1}'}
    codes = Codes()
    overloaded = Refuses(529, '{"type":"error","error":{"type":"overloaded_error","message":"busy"}}')
    limited = Refuses(
        429,
        '{"type":"error","error":{"type":"rate_limit_error","message":"slow"}}',
        {"retry-after": "1"},
    )
    async with model_server(
        overloaded, limited, Says(("Hel", "lo"), ANTHROPIC_USAGE, calls=(call,))
    ) as server:
        answer = await asked(server, request(ANTHROPIC), codes, anthropic=True)
        assert server.at_s[2] - server.at_s[1] >= 1.0
        assert server.headers[2]["x-api-key"] == "sk-test"
    assert codes.failed_with == [ErrorCode.MODEL_UNAVAILABLE, ErrorCode.MODEL_RATE_LIMITED]
    assert (answer.text, codes.said[2]) == ("Hello", "Hello")
    assert [(each.id, each.name, each.arguments) for each in answer.tool_calls] == [
        ("toolu_1", "t", {"a": 1})
    ]
    usage = answer.usage
    assert (usage.prompt_tokens, usage.completion_tokens) == (1000, 100)
    assert (usage.cached_tokens, usage.cache_write_tokens) == (300, 200)
    # 500 new tokens, 300 from the cache, 200 into it, 100 of the answer
    assert answer.cost == pytest.approx((500 * 3 + 300 * 0.3 + 200 * 3.75 + 100 * 15) / 1e6)


async def test_one_protocol_falls_back_to_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    async with model_server(Refuses(401), Says(("Hi",), ANTHROPIC_USAGE)) as server:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-a")
        monkeypatch.setenv("OPENAI_BASE_URL", server.openai_url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-b")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.root)
        talking = ProviderModel(ModelSettings())
        answer = await ask(talking, request(OPENAI, ANTHROPIC), Codes(), patience=PATIENCE)
        assert server.headers[0]["authorization"] == "Bearer sk-a"
        assert server.headers[1]["x-api-key"] == "sk-b"
    assert (answer.text, answer.model) == ("Hi", ANTHROPIC)


@pytest.mark.timeout(120)
async def test_nothing_but_the_models_addresses_is_spoken_to() -> None:
    """In a process of its own, where nothing is loaded yet; no usage comes, so tokens are counted here."""
    program = Path(__file__).with_name("caller_of_a_model.py")
    async with model_server(Says(("Hello",))) as server:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(program),
            *(server.openai_url, "openai/meta-llama/Llama-3-8b"),
            *(server.root, ANTHROPIC),
            stdout=subprocess.PIPE,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        async with asyncio.timeout(100):
            told, _ = await process.communicate()
        assert len(server.asked) == 2
    assert process.returncode == 0
    assert told.decode().split() == ["127.0.0.1"]
