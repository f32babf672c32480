"""One generation as a job of the machine: look up, ask the model, turn whatever happens into a Generation."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from time import monotonic
from typing import Final, Protocol

from msgspec import Struct
from prometheus_client import Counter, Histogram

from llm.asking import ask
from llm.completion import Completion, CompletionRequest, Model, ModelError
from llm.patience import LEAST_CALL_S, Patience
from schemas.errors import ErrorCode, PoisonError
from schemas.lists import GenerationStatus
from schemas.records import Generation, GenerationRequest
from schemas.topics import GENERATIONS, TopicSpec
from streams.generate.calls import Calls, family
from streams.generate.deltas import Deltas, LiveFeed
from streams.generate.outcome import completed, failed, pack, unpack
from streams.generate.request import Specs, completion_request
from streams.generate.settings import GenerateSettings
from streams.run_watch import ReadFeed, RunWatch
from streams.time_limit import TimeLimit
from telemetry import metrics
from telemetry.tracing import Trace

_CLOCKS_APART_MS: Final = 1_000
"""By how much the clocks of the broker and of Redis may differ."""


class RecordedGenerations(Protocol):
    """Generations in the record."""

    async def generation(self, generation_id: str) -> Generation | None:
        """Return a recorded generation."""
        ...


class GenerateFeed(LiveFeed, ReadFeed, Protocol):
    """The live feeds: words go there, and they tell that a run has ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Generating:
    """What all generations of a process share. `now` is the wall clock."""

    model: Model
    tools: Specs
    record: RecordedGenerations
    feed: GenerateFeed
    settings: GenerateSettings
    patience: Patience
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def job(self, request: GenerationRequest, *, partition: int, trace: Trace) -> "GenerateJob":
        """Return the job of a request."""
        return GenerateJob(
            shared=self,
            request=request,
            partition=partition,
            trace=trace,
            step_id=request.id,
            session_id=request.session_id,
            born_ms=int(request.born_at.timestamp() * 1000),
        )


class GenerateJob(Struct, frozen=True, kw_only=True):
    """One request's job."""

    shared: Generating
    request: GenerationRequest
    partition: int
    trace: Trace
    step_id: str
    session_id: str
    born_ms: int
    role: str = "generate"
    result_topic: TopicSpec = GENERATIONS
    is_once: bool = False

    def slot(self) -> AbstractAsyncContextManager[None]:
        """Return nothing to hold: the runtime limits the steps in flight."""
        return nullcontext()

    async def look_up(self) -> Generation | None:
        """Return the generation that the record has."""
        return await self.shared.record.generation(self.request.id)

    async def work(self, attempt_id: str) -> Generation:
        """Ask the model; an error is a failed generation with a code and a sentence."""
        started = monotonic()
        generation = await self._ask(attempt_id, started)
        _generations(family(self.request.model_name), generation.status).inc()
        _seconds(family(self.request.model_name)).observe(monotonic() - started)
        if generation.status is GenerationStatus.COMPLETED:
            _count_bought(generation)
        return generation

    def note_repeated(self, result: Generation, *, is_certain: bool) -> None:
        """Count tokens that were bought twice, or may have been."""
        if result.total_tokens:
            certainty = "certain" if is_certain else "possible"
            metrics.TOKENS_BOUGHT_TWICE.labels(family(result.model_name), certainty).inc(result.total_tokens)

    def outcome_unknown(self) -> Generation:
        """Return a failed generation; no model call is a once-step, so nobody asks for it."""
        error = ModelError("what became of the model call is unknown", code=ErrorCode.MODEL_ERROR)
        return failed(self.request, error, at=self.shared.now(), latency_ms=0, attempt_id=self.request.id)

    def pack(self, result: Generation) -> bytes:
        """Return what the journal keeps."""
        return pack(result)

    def unpack(self, value: bytes) -> Generation:
        """Return the generation that the journal kept."""
        return unpack(self.request, value)

    async def _ask(self, attempt_id: str, started: float) -> Generation:
        shared, request = self.shared, self.request
        now = shared.now()
        remaining_s = (request.deadline_at - now).total_seconds()
        deltas = Deltas(
            shared.feed, shared.settings, partition=self.partition, request=request, attempt_id=attempt_id
        )
        calls = Calls(request, deltas, attempt_id)
        try:
            _refuse_late(remaining_s)
            question = completion_request(request, shared.tools, timeout_s=remaining_s)
            has_waited = (now - request.born_at).total_seconds() > shared.settings.run_check_s
            completion = await self._ask_while_running(question, calls, has_waited=has_waited)
        except (ModelError, PoisonError) as error:
            return failed(
                request, error, at=shared.now(), latency_ms=_ms_since(started), attempt_id=calls.attempt_id
            )
        finally:
            await deltas.close()
        return completed(
            request, completion, at=shared.now(), latency_ms=_ms_since(started), attempt_id=calls.attempt_id
        )

    async def _ask_while_running(
        self, question: CompletionRequest, calls: Calls, *, has_waited: bool
    ) -> Completion:
        """Ask, but no longer than the run is seen going on: nobody would read the answer."""
        shared, request = self.shared, self.request
        watch = RunWatch(
            shared.feed,
            partition=self.partition,
            session_id=request.session_id,
            run_id=request.run_id,
            since_ms=self.born_ms - _CLOCKS_APART_MS,
            every_s=shared.settings.run_check_s,
        )
        if has_waited and await watch.look():
            raise _ended()
        try:
            with TimeLimit(None) as limit:
                watch.start(limit.end)
                return await ask(shared.model, question, calls, patience=shared.patience)
        except TimeoutError:
            if watch.has_ended:
                raise _ended() from None
            raise
        finally:
            await watch.stop()


def _ended() -> ModelError:
    message = "the run has ended meanwhile: the model was not asked on; send a new message to go on"
    return ModelError(message, code=ErrorCode.CANCELLED)


def _refuse_late(remaining_s: float) -> None:
    if remaining_s <= LEAST_CALL_S:
        message = "the deadline passed before the model was asked; raise generation_deadline_s or add workers"
        raise ModelError(message, code=ErrorCode.DEADLINE)


def _ms_since(started: float) -> int:
    return round((monotonic() - started) * 1000)


@cache
def _generations(model_family: str, status: GenerationStatus) -> Counter:
    # Looking a label up costs more than counting.
    return metrics.GENERATIONS.labels(model_family, status.value)


@cache
def _tokens(model_family: str, kind: str) -> Counter:
    return metrics.GENERATION_TOKENS.labels(model_family, kind)


@cache
def _cost(model_family: str) -> Counter:
    return metrics.GENERATION_COST.labels(model_family)


@cache
def _seconds(model_family: str) -> Histogram:
    return metrics.GENERATION_SECONDS.labels(model_family)


def _count_bought(generation: Generation) -> None:
    name = family(generation.model_name)
    if generation.cost_estimate:
        _cost(name).inc(generation.cost_estimate)
    for kind, count in (
        ("prompt", generation.prompt_tokens),
        ("completion", generation.completion_tokens),
        ("cached", generation.cached_tokens),
        ("reasoning", generation.reasoning_tokens),
    ):
        if count:
            _tokens(name, kind).inc(count)
