"""One generation as a job: what is asked, what becomes of errors, where the words go."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from llm.completion import Completion, CompletionRequest, ModelError, OnDelta, ToolSpec, Usage
from llm.patience import Patience
from schemas import ids
from schemas.errors import ErrorCode
from schemas.lists import GenerationStatus
from schemas.records import Generation, GenerationRequest
from schemas.topics import GENERATIONS
from streams.generate.job import GenerateJob, Generating
from streams.generate.settings import GenerateSettings
from telemetry.tracing import derived
from tests.unit.streams.generate.feeds import ATTEMPT, REQUEST, FakeFeed


@dataclass
class FakeModel:
    """Says its pieces with a pause after each, then answers or fails."""

    pieces: tuple[str, ...] = ()
    pause_s: float = 0.0
    error: BaseException | None = None
    fails: int = 1_000_000
    """So many calls end with the error."""
    asked: list[CompletionRequest] = field(default_factory=list[CompletionRequest])

    async def complete(self, request: CompletionRequest, on_delta: OnDelta) -> Completion:
        self.asked.append(request)
        for piece in self.pieces:
            on_delta(piece)
            await asyncio.sleep(self.pause_s)
        if self.error is not None and len(self.asked) <= self.fails:
            raise self.error
        return Completion(model=request.model, text="".join(self.pieces))


class NoTools:
    """No tool."""

    def specs(self, names: Iterable[str]) -> tuple[ToolSpec, ...]:  # noqa: ARG002 - there is none of any name
        return ()


@dataclass
class FakeRecorded:
    """Generations in the record."""

    known: dict[str, Generation] = field(default_factory=dict[str, Generation])

    async def generation(self, generation_id: str) -> Generation | None:
        return self.known.get(generation_id)


def job(
    model: FakeModel,
    *,
    request: GenerationRequest = REQUEST,
    feed: FakeFeed | None = None,
    record: FakeRecorded | None = None,
    now: Callable[[], datetime] = lambda: REQUEST.born_at,
) -> GenerateJob:
    generating = Generating(
        model=model,
        tools=NoTools(),
        record=record or FakeRecorded(),
        feed=feed or FakeFeed(),
        settings=GenerateSettings(delta_interval_s=0.01, run_check_s=0.02),
        patience=Patience(call_limit_s=120, first_wait_s=0),
        now=now,
    )
    return generating.job(request, partition=4, trace=derived("x"))


def test_a_job_is_known_by_the_generation_and_lives_where_its_session_does() -> None:
    one = job(FakeModel())
    assert (one.step_id, one.session_id, one.partition) == (REQUEST.id, REQUEST.session_id, 4)
    assert one.born_ms == int(REQUEST.born_at.timestamp() * 1000)
    assert (one.result_topic, one.is_once) == (GENERATIONS, False)


async def test_an_answer_becomes_a_generation_of_this_attempt_with_its_prompt() -> None:
    generation = await job(FakeModel(("Hel", "lo"))).work(ATTEMPT)
    assert generation.status is GenerationStatus.COMPLETED
    assert (generation.response, generation.attempt_id) == ("Hello", ATTEMPT)
    assert generation.prompt == REQUEST.messages


@pytest.mark.parametrize(("left_s", "expected_s"), [(500, 120), (30, 30)])
async def test_a_call_may_take_the_models_time_but_not_beyond_the_deadline(
    left_s: int, expected_s: float
) -> None:
    model = FakeModel(("x",))
    await job(model, now=lambda: REQUEST.deadline_at - timedelta(seconds=left_s)).work(ATTEMPT)
    assert model.asked[0].timeout_s == pytest.approx(expected_s, abs=0.5)


async def test_after_the_deadline_the_model_is_not_asked() -> None:
    model = FakeModel(("x",))
    generation = await job(model, now=lambda: REQUEST.deadline_at).work(ATTEMPT)
    assert model.asked == []
    assert (generation.status, generation.error_code) == (GenerationStatus.FAILED, ErrorCode.DEADLINE)


async def test_a_models_error_is_a_failed_generation_with_its_code() -> None:
    error = ModelError("no key", code=ErrorCode.MODEL_AUTHENTICATION)
    generation = await job(FakeModel(("partial",), error=error)).work(ATTEMPT)
    assert generation.status is GenerationStatus.FAILED
    assert (generation.error_code, generation.error_message) == ("model_authentication", "no key")
    assert generation.response == ""
    assert generation.prompt == REQUEST.messages


async def test_a_call_that_is_made_again_speaks_under_an_id_of_its_own_and_the_record_names_it() -> None:
    feed = FakeFeed()
    busy = ModelError("busy", code=ErrorCode.MODEL_UNAVAILABLE, is_retryable=True)
    model = FakeModel(("one ", "two"), pause_s=0.03, error=busy, fails=1)
    generation = await job(model, feed=feed).work(ATTEMPT)
    assert len(model.asked) == 2
    assert generation.attempt_id == ids.try_id(ATTEMPT, 1)
    said = {
        attempt: "".join(entry["text"] for entry in feed.entries if entry["attempt_id"] == attempt)
        for attempt in (ATTEMPT, generation.attempt_id)
    }
    assert said[generation.attempt_id] == generation.response == "one two"
    assert said[ATTEMPT].startswith("one")
    assert next(entry["n"] for entry in feed.entries if entry["attempt_id"] == ATTEMPT) == 0


async def test_fall_back_models_come_from_the_requests_parameters() -> None:
    gone = ModelError("gone", code=ErrorCode.MODEL_NOT_FOUND)
    model = FakeModel(("x",), error=gone, fails=1)
    asking = REQUEST.model_copy(update={"parameters": '{"fallback_models": ["spare"]}'})
    generation = await job(model, request=asking).work(ATTEMPT)
    assert [each.model for each in model.asked] == [REQUEST.model_name, "spare"]
    assert (generation.status, generation.model_name) == (GenerationStatus.COMPLETED, "spare")


async def test_what_failed_calls_used_is_on_the_failed_generation() -> None:
    error = ModelError("empty", usage=Usage(prompt_tokens=7, completion_tokens=2), cost=0.5)
    generation = await job(FakeModel(error=error)).work(ATTEMPT)
    assert generation.status is GenerationStatus.FAILED
    assert (generation.prompt_tokens, generation.total_tokens, generation.cost_estimate) == (7, 9, 0.5)


async def test_a_request_that_cannot_be_asked_is_a_failed_generation_so_that_the_run_ends() -> None:
    model = FakeModel(("x",))
    generation = await job(model, request=REQUEST.model_copy(update={"tools": "{}"})).work(ATTEMPT)
    assert model.asked == []
    assert generation.error_code == ErrorCode.INVALID
    assert "tools" in (generation.error_message or "")


async def test_an_error_that_nobody_foresaw_is_not_called_an_answer() -> None:
    with pytest.raises(ZeroDivisionError):
        await job(FakeModel(error=ZeroDivisionError())).work(ATTEMPT)


async def test_words_reach_the_feed_while_the_model_speaks_and_all_before_the_work_ends() -> None:
    feed = FakeFeed()
    await job(FakeModel(("one ", "two ", "three"), pause_s=0.03), feed=feed).work(ATTEMPT)
    assert feed.text == "one two three"
    assert len(feed.entries) > 1
    assert {entry["attempt_id"] for entry in feed.entries} == {ATTEMPT}


async def test_a_cancelled_call_stops_and_its_words_end() -> None:
    feed = FakeFeed()
    model = FakeModel(tuple("abcdefgh"), pause_s=0.02)
    working = asyncio.create_task(job(model, feed=feed).work(ATTEMPT))
    await asyncio.sleep(0.05)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    said = feed.text
    await asyncio.sleep(0.05)
    assert feed.text == said
    assert len(said) < len(model.pieces)


async def test_the_call_of_a_run_that_ends_is_closed() -> None:
    feed, model = FakeFeed(), FakeModel(tuple("abcdefgh" * 20), pause_s=0.02)
    working = asyncio.create_task(job(model, feed=feed).work(ATTEMPT))
    await asyncio.sleep(0.05)
    feed.ended = REQUEST.run_id
    async with asyncio.timeout(2):
        generation = await working
    assert (generation.status, generation.error_code) == (GenerationStatus.FAILED, ErrorCode.CANCELLED)
    assert len(model.asked) == 1


async def test_a_request_that_waited_until_its_run_had_ended_is_not_asked() -> None:
    model = FakeModel(("x",))
    late = REQUEST.born_at + timedelta(seconds=5)
    generation = await job(model, feed=FakeFeed(ended=REQUEST.run_id), now=lambda: late).work(ATTEMPT)
    assert (model.asked, generation.error_code) == ([], ErrorCode.CANCELLED)


async def test_the_end_of_another_run_is_nothing_to_a_call() -> None:
    model = FakeModel(tuple("abcd"), pause_s=0.03)
    generation = await job(model, feed=FakeFeed(ended="another")).work(ATTEMPT)
    assert generation.response == "abcd"


async def test_the_record_is_asked_for_the_generation() -> None:
    generation = await job(FakeModel(("x",))).work(ATTEMPT)
    recorded = FakeRecorded({REQUEST.id: generation})
    assert await job(FakeModel(), record=recorded).look_up() == generation
    assert await job(FakeModel()).look_up() is None


async def test_what_the_journal_kept_is_the_same_generation() -> None:
    one = job(FakeModel(("x",)))
    generation = await one.work(ATTEMPT)
    assert one.unpack(one.pack(generation)) == generation
