"""Answers as Generation records: whole where they fit, failed with a reason where they do not."""

from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.codec import Codec
from llm.completion import AskedCall, Completion, ModelError, Usage
from schemas.errors import ErrorCode
from schemas.lists import GenerationStatus
from schemas.records import Generation, GenerationRequest
from schemas.topics import GENERATIONS, MAX_VALUE_BYTES
from streams.generate.outcome import MAX_ANSWER_BYTES, completed, failed, pack, unpack
from tests.unit.streams.generate.feeds import ATTEMPT, REQUEST

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CODEC = Codec()


def generation_of(completion: Completion, request: GenerationRequest = REQUEST) -> Generation:
    return completed(request, completion, at=AT, latency_ms=12, attempt_id=ATTEMPT)


def answer(text: str = "", *calls: AskedCall) -> Completion:
    return Completion(model="m", text=text, tool_calls=calls)


def test_an_answer_carries_its_text_calls_tokens_and_price() -> None:
    generation = generation_of(
        Completion(
            model="provider/model",
            text="Let me see.",
            tool_calls=(AskedCall("c1", "clock", {"zone": "UTC"}), AskedCall("c2", "clock", "{half")),
            usage=Usage(prompt_tokens=10, completion_tokens=5, cached_tokens=4, reasoning_tokens=2),
            finish_reason="tool_calls",
            cost=0.25,
        )
    )
    assert generation.status is GenerationStatus.COMPLETED
    assert (generation.id, generation.run_id) == (REQUEST.id, REQUEST.run_id)
    assert (generation.model_name, generation.response) == ("provider/model", "Let me see.")
    assert orjson.loads(generation.tool_calls) == [
        {"id": "c1", "name": "clock", "arguments": {"zone": "UTC"}},
        {"id": "c2", "name": "clock", "arguments": "{half"},
    ]
    assert (generation.prompt_tokens, generation.completion_tokens, generation.total_tokens) == (10, 5, 15)
    assert (generation.cached_tokens, generation.reasoning_tokens) == (4, 2)
    assert (generation.cost_estimate, generation.latency_ms) == (0.25, 12)
    assert (generation.error_code, generation.attempt_id, generation.created_at) == (None, ATTEMPT, AT)


def test_an_unknown_price_stays_unknown() -> None:
    assert generation_of(answer("x")).cost_estimate is None


def test_a_failed_call_carries_code_and_sentence() -> None:
    error = ModelError("try later", code=ErrorCode.MODEL_RATE_LIMITED)
    generation = failed(REQUEST, error, at=AT, latency_ms=3, attempt_id=ATTEMPT)
    assert generation.status is GenerationStatus.FAILED
    assert (generation.error_code, generation.error_message) == ("model_rate_limited", "try later")
    assert (generation.response, generation.tool_calls, generation.model_name) == ("", "[]", "rehearsal")


def test_the_largest_answer_that_can_be_carried_on_is_whole() -> None:
    text = "ü" * ((MAX_ANSWER_BYTES - 2) // 2)
    generation = generation_of(answer(text))
    assert generation.status is GenerationStatus.COMPLETED
    assert generation.response == text


def test_one_byte_more_fails_and_says_how_much_is_allowed() -> None:
    generation = generation_of(answer("a" * (MAX_ANSWER_BYTES - 1)))
    assert generation.status is GenerationStatus.FAILED
    assert generation.error_code == ErrorCode.TOO_LARGE
    assert f"{MAX_ANSWER_BYTES + 1} bytes, {MAX_ANSWER_BYTES} are allowed" in (generation.error_message or "")
    assert (generation.response, generation.tool_calls) == ("", "[]")


def test_calls_count_into_the_size_of_an_answer() -> None:
    call = AskedCall("c", "clock", {"text": "x" * MAX_ANSWER_BYTES})
    assert generation_of(answer("", call)).error_code == ErrorCode.TOO_LARGE


def test_an_answer_that_is_too_large_still_says_what_it_cost() -> None:
    paid = Completion(model="m", text="a" * MAX_ANSWER_BYTES, usage=Usage(prompt_tokens=3), cost=1.5)
    generation = generation_of(paid)
    assert (generation.prompt_tokens, generation.cost_estimate) == (3, 1.5)


TEXTS = st.text(st.characters(codec=None), max_size=30)
"""With lone surrogates, which broken streams can hold."""


@given(text=TEXTS, name=TEXTS, arguments=TEXTS, reason=st.none() | st.text(max_size=5))
def test_whatever_a_model_says_survives_journal_and_wire(
    text: str, name: str, arguments: str, reason: str | None
) -> None:
    asked = Completion(
        model="m", text=text, tool_calls=(AskedCall(name, name, arguments),), finish_reason=reason
    )
    generation = generation_of(asked)
    assert unpack(REQUEST, pack(generation)) == generation
    assert CODEC.decode(GENERATIONS, CODEC.encode(generation)) == generation


def test_halves_of_a_character_are_joined_and_a_lone_half_is_replaced() -> None:
    assert generation_of(answer("\ud83d" + "\udea2 \udea2")).response == "🚢 \ufffd"


def test_the_journal_does_not_keep_the_prompt_and_gives_it_back_from_the_request() -> None:
    generation = generation_of(answer("x"))
    assert generation.prompt == REQUEST.messages
    value = pack(generation)
    assert b'"prompt"' not in value
    assert unpack(REQUEST, value) == generation


@pytest.mark.parametrize("answer_bytes", [0, MAX_ANSWER_BYTES - 2])
def test_the_largest_prompts_that_fit_are_kept_and_a_larger_one_leaves_a_note(answer_bytes: int) -> None:
    said = answer("a" * answer_bytes)
    room = MAX_VALUE_BYTES - 20_000 - answer_bytes - len(generation_of(said).tool_calls)
    frame = '[{"role":"user","content":""}]'
    kept, noted = (frame.replace('""', f'"{"p" * (room - len(frame) + more)}"') for more in (0, 1))
    whole = generation_of(said, REQUEST.model_copy(update={"messages": kept}))
    assert whole.prompt == kept
    assert len(CODEC.encode(whole)) <= MAX_VALUE_BYTES
    cut = generation_of(said, REQUEST.model_copy(update={"messages": noted}))
    (note,) = orjson.loads(cut.prompt)
    assert f"{len(noted)} bytes is left out" in note["content"]
